//! Sockets as they close: the kernel tells each TCP and UDP socket when it is destroyed, with its last
//! `tcp_info` (`sock_diag_broadcast_destroy`, since Linux 4.3).
//!
//! What is told of a socket is less than a dump tells: no memory, marks or options, and no inode, since no
//! file refers to it any longer. Its state is mostly [`State::Close`](sockeye_model::State::Close).
//! Nothing is told of sockets in TIME-WAIT and SYN-RECV, which are no full sockets.

use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd};

use sockeye_model::{EcnLayout, Family, Protocol, Socket};
use sockeye_netlink::{CountDrops, Event, Multicast, Receive};

use crate::error::Error;
use crate::inet;
use crate::tcp_info::ecn_layout_of_this_kernel;

/// Receive buffer that is asked for, bytes: several thousand sockets that close at once.
const RECEIVE_BUFFER: usize = 8 << 20;

/// One thing that there is to tell.
#[derive(Debug)]
#[non_exhaustive]
pub enum Closing<'a> {
    /// A socket was destroyed; the record is reused for the next.
    Socket(&'a Socket),
    /// So many were, and what was told of them is lost; `None` where nobody knows how many.
    Lost(Option<u64>),
    /// The kernel told something that is no socket, or not wholly one: why.
    Malformed(String),
}

/// Tells sockets as they close.
#[derive(Debug)]
pub struct ClosingSockets<R = sockeye_netlink::Socket> {
    multicast: Multicast<R>,
    ecn_layout: Option<EcnLayout>,
    socket: Socket,
}

impl ClosingSockets {
    /// Watches the sockets of these protocols and families in the network namespace of the calling
    /// thread. Only TCP and UDP have such events.
    ///
    /// # Errors
    /// [`Error::Watch`].
    pub fn open(
        watched: impl IntoIterator<Item = (Protocol, Family)>,
    ) -> Result<ClosingSockets, Error> {
        let groups = watched.into_iter().filter_map(|(protocol, family)| group(protocol, family));
        let multicast = Multicast::open(sockeye_netlink::Protocol::SOCK_DIAG, groups)
            .map_err(|source| Error::Watch { source })?;
        let sockets =
            ClosingSockets { ecn_layout: ecn_layout_of_this_kernel(), ..Self::new(multicast) };
        sockets.set_receive_buffer(RECEIVE_BUFFER)?;
        Ok(sockets)
    }

    /// Asks for a receive buffer of `bytes` in place of 8 MiB. What closes while nobody reads has to fit,
    /// at 1 to 2 KiB a socket. Returns what the kernel granted.
    ///
    /// # Errors
    /// [`Error::Watch`].
    pub fn set_receive_buffer(&self, bytes: usize) -> Result<usize, Error> {
        self.multicast.set_receive_buffer(bytes).map_err(|source| Error::Watch { source })
    }

    /// Waits until there is something to tell (true), or `stop` is readable (false).
    ///
    /// # Errors
    /// [`Error::Watch`].
    pub fn wait(&self, stop: BorrowedFd<'_>) -> Result<bool, Error> {
        self.multicast.wait(stop, None).map_err(|source| Error::Watch { source })
    }
}

impl<R: Receive + CountDrops> ClosingSockets<R> {
    /// Reads from a multicast socket that was opened elsewhere.
    pub fn new(multicast: Multicast<R>) -> Self {
        ClosingSockets { multicast, ecn_layout: None, socket: Socket::new(Protocol::TCP) }
    }

    /// Messages that were not the kernel's; left out.
    pub fn foreign(&self) -> u64 {
        self.multicast.foreign()
    }

    /// Tells what there is, without waiting, one datagram's worth; false if there is nothing. `Break`
    /// leaves out the rest of that.
    ///
    /// # Errors
    /// [`Error::Watch`].
    pub fn next_ready(
        &mut self,
        mut each: impl FnMut(Closing<'_>) -> ControlFlow<()>,
    ) -> Result<bool, Error> {
        let event = self.multicast.next_ready().map_err(|source| Error::Watch { source })?;
        let (messages, groups) = match event {
            None => return Ok(false),
            Some(Event::Overrun { lost }) => {
                let _ = each(Closing::Lost(lost));
                return Ok(true);
            }
            Some(Event::Datagram { messages, groups }) => (messages, groups),
        };
        for message in messages {
            let told = match message {
                Err(error) => each(Closing::Malformed(error.to_string())),
                Ok(message) => {
                    self.socket.protocol = protocol(groups);
                    match inet::decode(&message, self.ecn_layout, &mut self.socket) {
                        Err(error) => each(Closing::Malformed(error.to_string())),
                        Ok(None) => each(Closing::Socket(&self.socket)),
                        Ok(Some(trouble)) => {
                            let _ = each(Closing::Malformed(trouble.to_string()));
                            each(Closing::Socket(&self.socket))
                        }
                    }
                }
            };
            if told.is_break() {
                break;
            }
        }
        Ok(true)
    }
}

impl<R: AsFd> AsFd for ClosingSockets<R> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.multicast.as_fd()
    }
}

/// `enum sknetlink_groups` (linux/sock_diag.h).
fn group(protocol: Protocol, family: Family) -> Option<u32> {
    Some(match (protocol, family) {
        (Protocol::TCP, Family::Inet) => 1,
        (Protocol::UDP, Family::Inet) => 2,
        (Protocol::TCP, Family::Inet6) => 3,
        (Protocol::UDP, Family::Inet6) => 4,
        _ => return None,
    })
}

/// Of the groups of a datagram, as a bitmap.
fn protocol(groups: u32) -> Protocol {
    let udp = [Family::Inet, Family::Inet6]
        .into_iter()
        .filter_map(|family| group(Protocol::UDP, family))
        .any(|group| groups & 1 << (group - 1) != 0);
    if udp { Protocol::UDP } else { Protocol::TCP }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_tells_its_protocol() {
        for family in [Family::Inet, Family::Inet6] {
            for wanted in [Protocol::TCP, Protocol::UDP] {
                let bit = 1 << (group(wanted, family).unwrap() - 1);
                assert_eq!(protocol(bit), wanted);
            }
        }
        assert_eq!(group(Protocol::MPTCP, Family::Inet), None);
    }
}
