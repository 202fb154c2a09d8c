//! The socket: an owned descriptor with its options and timeouts.
//!
//! A [`Socket`] closes the descriptor that it owns and no other: [`Socket::try_clone`] makes a
//! second descriptor of the same socket (`dup`). One call receives one datagram, with its true
//! size (`MSG_TRUNC`) and sender.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrAny, SocketFlags, SocketType, bind, getsockname,
    recvfrom, sendto, socket_with,
};

use crate::error::{Error, Result};
use crate::multicast::CountDrops;
use crate::protocol::Protocol;
use crate::receive::{Datagram, Receive, Sender};
use crate::sys;

/// A netlink socket.
#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
}

impl Socket {
    /// Opens a socket (close-on-exec) in the calling thread's network namespace and lets the
    /// kernel choose its port.
    ///
    /// # Errors
    /// [`Error::Open`]: `EPROTONOSUPPORT` if the kernel lacks the protocol, `EMFILE` at the
    /// descriptor limit.
    pub fn open(protocol: Protocol) -> Result<Self> {
        Self::try_open(protocol).map_err(|source| Error::Open { protocol, source })
    }

    fn try_open(protocol: Protocol) -> io::Result<Self> {
        let number = u32::try_from(protocol.0)
            .map_err(|_| io::Error::from_raw_os_error(libc::EPROTONOSUPPORT))?;
        let fd = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            std::num::NonZeroU32::new(number).map(rustix::net::Protocol::from_raw),
        )?;
        bind(&fd, &SocketAddrNetlink::new(0, 0))?;
        Ok(Self { fd })
    }

    /// Takes over a netlink socket that was opened elsewhere: in another namespace, or by a
    /// process that passed it on.
    ///
    /// # Errors
    /// [`Error::Io`] with `EAFNOSUPPORT` if it is a socket of another kind, `ENOTSOCK` if it is
    /// none. The descriptor is closed then.
    pub fn from_fd(fd: OwnedFd) -> Result<Self> {
        let checked = match sockopt::socket_domain(&fd) {
            Ok(AddressFamily::NETLINK) => Ok(()),
            Ok(_) => Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT)),
            Err(errno) => Err(errno.into()),
        };
        checked.map_err(failed_to("use the descriptor as a netlink socket"))?;
        Ok(Self { fd })
    }

    /// Binds to a port (0: the kernel chooses) and to the multicast groups 1 to 32 of the bitmap
    /// `groups`; group g is bit g-1. A socket from [`open`](Self::open) has its port already,
    /// and can be bound again only to the same one, to change its groups.
    ///
    /// # Errors
    /// [`Error::Io`]: `EADDRINUSE` if the port is taken, `EINVAL` if the socket has another one,
    /// `EPERM` if a group needs a capability (usually `CAP_NET_ADMIN`).
    pub fn bind(&self, portid: u32, groups: u32) -> Result<()> {
        bind(&self.fd, &SocketAddrNetlink::new(portid, groups))
            .map_err(|errno| failed_to("bind the netlink socket")(errno.into()))
    }

    /// Joins a multicast group (`NETLINK_ADD_MEMBERSHIP`), counted from 1. It keeps the others, and
    /// reaches groups above 32, unlike [`bind`](Self::bind).
    ///
    /// # Errors
    /// [`Error::Io`]: `EPERM` if the group needs a capability (usually `CAP_NET_ADMIN`), `EINVAL` if the
    /// protocol has no such group.
    pub fn join(&self, group: u32) -> Result<()> {
        let group = libc::c_int::try_from(group)
            .map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
            .map_err(failed_to("join a multicast group"))?;
        sys::set_netlink_option(self.as_fd(), libc::NETLINK_ADD_MEMBERSHIP, group).map_err(|source| {
            let action = if source.raw_os_error() == Some(libc::EPERM) {
                "join a multicast group, which needs CAP_NET_ADMIN (run as root, or give it to the \
                 program with setcap)"
            } else {
                "join a multicast group"
            };
            Error::Io { action, source }
        })
    }

    /// A second descriptor of the same socket. Closing one leaves the other open. They share one
    /// queue: whoever receives first takes the datagram, so only one may have requests under way.
    ///
    /// # Errors
    /// [`Error::Io`] with `EMFILE` at the descriptor limit.
    pub fn try_clone(&self) -> Result<Self> {
        let fd = self.fd.try_clone().map_err(failed_to("duplicate the netlink socket"))?;
        Ok(Self { fd })
    }

    /// The port that the kernel knows this socket by; 0 if it has none yet.
    ///
    /// # Errors
    /// [`Error::Io`] if `getsockname(2)` fails.
    pub fn portid(&self) -> Result<u32> {
        getsockname(&self.fd)
            .and_then(SocketAddrNetlink::try_from)
            .map(|address| address.pid())
            .map_err(|errno| failed_to("read the netlink socket's address")(errno.into()))
    }

    /// `NETLINK_EXT_ACK` (since Linux 4.12): acknowledgements say in words what was wrong.
    ///
    /// # Errors
    /// [`Error::Io`] with `ENOPROTOOPT` on older kernels.
    pub fn set_ext_ack(&self, on: bool) -> Result<()> {
        sys::set_netlink_option(self.as_fd(), libc::NETLINK_EXT_ACK, on.into())
            .map_err(failed_to("set NETLINK_EXT_ACK"))
    }

    /// `NETLINK_CAP_ACK` (since Linux 4.3): refusals repeat the request's header only.
    ///
    /// # Errors
    /// [`Error::Io`] with `ENOPROTOOPT` on older kernels.
    pub fn set_cap_ack(&self, on: bool) -> Result<()> {
        sys::set_netlink_option(self.as_fd(), libc::NETLINK_CAP_ACK, on.into())
            .map_err(failed_to("set NETLINK_CAP_ACK"))
    }

    /// `NETLINK_GET_STRICT_CHK` (since Linux 4.20): get and dump requests are checked strictly,
    /// and the kernel filters by what they say.
    ///
    /// # Errors
    /// [`Error::Io`] with `ENOPROTOOPT` on older kernels.
    pub fn set_strict_check(&self, on: bool) -> Result<()> {
        sys::set_netlink_option(self.as_fd(), libc::NETLINK_GET_STRICT_CHK, on.into())
            .map_err(failed_to("set NETLINK_GET_STRICT_CHK"))
    }

    /// Asks for a receive buffer of `bytes`, beyond the system's limit (`net.core.rmem_max`)
    /// where the rights suffice (`CAP_NET_ADMIN` in the initial user namespace), else within it.
    /// Returns what the kernel granted, in bytes as it counts them: its bookkeeping included,
    /// twice what was asked for.
    ///
    /// # Errors
    /// [`Error::Io`] if neither `SO_RCVBUFFORCE` nor `SO_RCVBUF` can be set.
    pub fn set_receive_buffer(&self, bytes: usize) -> Result<usize> {
        // The options take an int, and the kernel doubles it.
        let bytes = bytes.min(usize::try_from(i32::MAX / 2).unwrap_or(bytes));
        sockopt::set_socket_recv_buffer_size_force(&self.fd, bytes)
            .or_else(|_| sockopt::set_socket_recv_buffer_size(&self.fd, bytes))
            .and_then(|()| sockopt::socket_recv_buffer_size(&self.fd))
            .map_err(|errno| failed_to("set the receive buffer's size")(errno.into()))
    }

    /// How long a receive waits for a datagram; `None` for ever. What is below the kernel's
    /// resolution is rounded up.
    ///
    /// # Errors
    /// [`Error::Io`] with `EINVAL` for a duration of zero, or one too long for the kernel.
    pub fn set_receive_timeout(&self, timeout: Option<Duration>) -> Result<()> {
        sockopt::set_socket_timeout(&self.fd, Timeout::Recv, timeout)
            .map_err(|errno| failed_to("set the receive timeout")(errno.into()))
    }

    /// The receive timeout; `None` if a receive waits for ever.
    ///
    /// # Errors
    /// [`Error::Io`] if `getsockopt(2)` fails.
    pub fn receive_timeout(&self) -> Result<Option<Duration>> {
        sockopt::socket_timeout(&self.fd, Timeout::Recv)
            .map_err(|errno| failed_to("read the receive timeout")(errno.into()))
    }

    fn receive_with(&self, buffer: &mut [u8], flags: RecvFlags) -> io::Result<Datagram> {
        let capacity = buffer.len();
        let (_, len, address) = recvfrom(&self.fd, buffer, flags | RecvFlags::TRUNC)?;
        Ok(Datagram { len, truncated: len > capacity, sender: sender(len, address)? })
    }
}

/// Only the end of file comes without an address.
fn sender(len: usize, address: Option<SocketAddrAny>) -> io::Result<Sender> {
    match address {
        Some(address) => {
            let address = SocketAddrNetlink::try_from(address)?;
            Ok(Sender { portid: address.pid(), groups: address.groups() })
        }
        None if len == 0 => Ok(Sender::KERNEL),
        None => Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT)),
    }
}

/// Turns a failed system call into an error that says what was being done.
fn failed_to(action: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Io { action, source }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<Socket> for OwnedFd {
    fn from(socket: Socket) -> Self {
        socket.fd
    }
}

impl CountDrops for Socket {
    fn drops(&self) -> io::Result<u32> {
        sys::drops(self.as_fd())
    }
}

impl Receive for Socket {
    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        let kernel = SocketAddrNetlink::new(0, 0);
        let sent = sendto(&self.fd, request, SendFlags::empty(), &kernel)?;
        if sent == request.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Datagram> {
        self.receive_with(buffer, RecvFlags::empty())
    }

    fn receive_ready(&mut self, buffer: &mut [u8]) -> io::Result<Option<Datagram>> {
        match self.receive_with(buffer, RecvFlags::DONTWAIT) {
            Ok(datagram) => Ok(Some(datagram)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn timeout(&self) -> Option<Duration> {
        self.receive_timeout().ok().flatten()
    }
}
