//! The client: a transport, one reused buffer and the numbers of its requests.
//!
//! What is done with them, the operations and the rules of their answers, is in `dump`. After any
//! error but [`Error::Closed`] the client can be used again: answers that are still to come from an
//! abandoned operation are recognised by their sequence number.

use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use zeroize::Zeroize;

use crate::error::{Error, Result};
use crate::protocol::Protocol;
use crate::receive::{Datagram, Receive};
use crate::request::Request;
use crate::socket::Socket;

/// Size of the receive buffer in bytes: the kernel makes dump datagrams no longer than this
/// unless a family asks for more (`netlink_recvmsg`, `netlink_dump`).
const BUFFER_LEN: usize = 32 * 1024;

/// The buffer never grows beyond this many bytes.
const BUFFER_LIMIT: usize = 16 * 1024 * 1024;

/// Datagrams that are read to empty a congested queue, at most. Strangers could fill it for ever.
const CONGESTION_LIMIT: usize = 1 << 16;

/// How long [`Client::open`] lets a receive wait. The kernel answers within the call that sends
/// or the one that receives, so silence is a fault, not patience.
const RECEIVE_TIMEOUT: Duration = Duration::from_secs(30);

/// A netlink client: it sends requests over a transport and reads their answers to the end.
#[derive(Debug)]
pub struct Client<R: Receive = Socket> {
    pub(crate) transport: R,
    pub(crate) buffer: Vec<u8>,
    /// How much of the buffer was written since it was last wiped.
    used: usize,
    outgoing: Vec<u8>,
    seq: u32,
    /// A dump that the kernel may still be answering.
    pub(crate) running: Option<u32>,
    /// The queue has to be emptied before the kernel puts anything into it again.
    pub(crate) congested: bool,
    pub(crate) closed: bool,
}

impl Client<Socket> {
    /// Opens a socket in the calling thread's network namespace, with extended acknowledgements,
    /// capped acknowledgements and strict checking where the kernel has them, and with a receive
    /// timeout of 30 s.
    ///
    /// # Errors
    /// [`Error::Open`] as [`Socket::open`]; [`Error::Io`] if the timeout cannot be set.
    pub fn open(protocol: Protocol) -> Result<Self> {
        let socket = Socket::open(protocol)?;
        // Kernels before 4.20 lack one or the other; answers are complete without them.
        let _ = socket.set_ext_ack(true);
        let _ = socket.set_cap_ack(true);
        let _ = socket.set_strict_check(true);
        socket.set_receive_timeout(Some(RECEIVE_TIMEOUT))?;
        Ok(Self::new(socket))
    }
}

impl<R: Receive> Client<R> {
    /// A client over `transport`, with a buffer of 32 KiB.
    pub fn new(transport: R) -> Self {
        Self::with_buffer_len(transport, BUFFER_LEN)
    }

    /// A client whose buffer has `len` bytes at first (at least 512, at most 16 MiB). It grows
    /// when a datagram does not fit.
    pub fn with_buffer_len(transport: R, len: usize) -> Self {
        Self {
            transport,
            buffer: vec![0; len.clamp(512, BUFFER_LIMIT)],
            used: 0,
            outgoing: Vec::new(),
            seq: first_sequence(),
            running: None,
            congested: false,
            closed: false,
        }
    }

    /// Gives the buffer `len` bytes, within the limits of [`with_buffer_len`](Self::with_buffer_len).
    /// The kernel makes datagrams of a dump as long as the largest buffer that was received into so far,
    /// up to 32 KiB: where they end is decided so.
    pub fn set_buffer_len(&mut self, len: usize) {
        self.replace_buffer(len.clamp(512, BUFFER_LIMIT));
    }

    /// Size of the buffer, bytes.
    pub fn buffer_len(&self) -> usize {
        self.buffer.len()
    }

    /// The transport, for its options and for pollers.
    pub fn transport(&self) -> &R {
        &self.transport
    }

    /// The transport. What is received from it directly is lost to the client.
    pub fn transport_mut(&mut self) -> &mut R {
        &mut self.transport
    }

    /// Numbers and sends the request, with these flags added and a buffer that has room for the
    /// whole request again and `room` bytes more.
    pub(crate) fn send(&mut self, request: &Request, flags: u16, room: usize) -> Result<u32> {
        self.seq = self.seq.wrapping_add(1).max(1);
        request.write(flags, self.seq, 0, &mut self.outgoing)?;
        let needed = self.outgoing.len().saturating_add(room);
        if room > 0 && needed > self.buffer.len() {
            self.replace_buffer(needed);
        }
        loop {
            match self.transport.send(&self.outgoing) {
                Ok(()) => return Ok(self.seq),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(Error::Io { action: "send the request to the kernel", source });
                }
            }
        }
    }

    /// Waits for one datagram and receives it into the buffer. Nothing else waits.
    pub(crate) fn receive(&mut self) -> Result<Datagram> {
        loop {
            let error = match self.transport.receive(&mut self.buffer) {
                Ok(datagram) => {
                    self.used = self.used.max(datagram.len.min(self.buffer.len()));
                    return Ok(datagram);
                }
                Err(error) => error,
            };
            if error.raw_os_error() == Some(libc::ENOBUFS) {
                self.congested = true;
                return Err(Error::Overrun);
            }
            match error.kind() {
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                    return Err(Error::Timeout { after: self.transport.timeout() });
                }
                _ => {
                    return Err(Error::Io { action: "receive the kernel's answer", source: error });
                }
            }
        }
    }

    /// Empties the queue of a congested socket: the kernel drops every answer to it until it has
    /// been read to empty (`netlink_rcv_wake`).
    pub(crate) fn relieve(&mut self) {
        if !self.congested {
            return;
        }
        for _ in 0..CONGESTION_LIMIT {
            match self.transport.receive_ready(&mut self.buffer) {
                Ok(Some(datagram)) => {
                    self.used = self.used.max(datagram.len.min(self.buffer.len()));
                    if datagram.len == 0 && datagram.sender.is_kernel() {
                        self.closed = true;
                        return;
                    }
                }
                Ok(None) => {
                    self.congested = false;
                    return;
                }
                Err(error)
                    if error.raw_os_error() == Some(libc::ENOBUFS)
                        || error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    /// Makes the buffer large enough for a datagram of `size` bytes, and larger than it was.
    pub(crate) fn grow(&mut self, size: usize) -> Result<()> {
        if size > BUFFER_LIMIT || self.buffer.len() >= BUFFER_LIMIT {
            return Err(Error::Truncated { size, limit: BUFFER_LIMIT });
        }
        let doubled = self.buffer.len().saturating_mul(2);
        self.replace_buffer(size.max(doubled).next_power_of_two().min(BUFFER_LIMIT));
        Ok(())
    }

    fn replace_buffer(&mut self, len: usize) {
        self.wipe_buffer();
        self.buffer = vec![0; len];
    }

    /// Requests and answers may hold keys (XFRM): none stays in memory longer than its operation.
    pub(crate) fn wipe(&mut self) {
        self.wipe_buffer();
        self.outgoing.zeroize();
    }

    fn wipe_buffer(&mut self) {
        let used = std::mem::take(&mut self.used);
        if let Some(used) = self.buffer.get_mut(..used) {
            used.zeroize();
        }
    }
}

impl<R: Receive> Drop for Client<R> {
    fn drop(&mut self) {
        self.wipe();
    }
}

/// Where the sequence numbers of a client begin: anywhere, so that answers to an earlier owner of
/// the same socket are not taken for ours.
fn first_sequence() -> u32 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |now| now.subsec_nanos() ^ now.as_secs() as u32)
}
