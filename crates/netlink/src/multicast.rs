//! Multicast: what the kernel tells unasked.
//!
//! A [`Multicast`] is a socket of its own in one or more groups. It hands over datagrams as they come,
//! and says when some were lost. What is handled here, so that nobody above checks again:
//!
//! - A datagram counts if the kernel sent it, by its address. Others, which any process with the right
//!   to send could forge, are dropped and counted ([`Multicast::foreign`]).
//! - **Loss.** When the receive buffer is full, the kernel drops a message and every one after it until
//!   the socket has been read to empty (`netlink_overrun`, `netlink_rcv_wake`), and says `ENOBUFS` once,
//!   ahead of the messages that are still queued. They are handed over first; then comes
//!   [`Event::Overrun`] with the number that was lost, from the socket's count of drops (`SO_MEMINFO`).
//!   What was lost lies behind the messages before the overrun, or between the last few of them. Who keeps
//!   a view of a table reads it again then.
//! - The kernel may fail to build a message, for want of memory: `ENOBUFS` without a drop. Then something
//!   was lost, and nobody knows how much.
//! - A datagram that does not fit the buffer has lost its end. It counts as lost; the buffer grows.
//!
//! Nothing waits but [`Multicast::wait`]; whoever has other descriptors to wait for polls the socket
//! ([`AsFd`]) with them.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use zeroize::Zeroize;

use crate::error::{Error, Result};
use crate::message::Messages;
use crate::protocol::Protocol;
use crate::receive::{Datagram, Receive, Sender};
use crate::socket::Socket;

/// Size of the buffer at first, bytes.
const BUFFER_LEN: usize = 32 * 1024;
/// The buffer never grows beyond this many bytes.
const BUFFER_LIMIT: usize = 16 * 1024 * 1024;
/// Datagrams behind an `ENOBUFS` after which the loss is told although the queue was never found empty,
/// as it may never be where events come as fast as they are read.
const PATIENCE: u32 = 1 << 16;

/// What a multicast socket has to tell.
#[derive(Debug)]
pub enum Event<'a> {
    /// A datagram of the kernel.
    Datagram {
        /// Its messages. One that is malformed ends them.
        messages: Messages<'a>,
        /// The group that it was sent to, as a bitmap: bit g-1 for group g of 1 to 32, else 0.
        groups: u32,
    },
    /// Messages were lost.
    Overrun {
        /// How many; `None` where nobody knows.
        lost: Option<u64>,
    },
}

/// A transport that counts what it had to drop.
pub trait CountDrops {
    /// Messages dropped since the socket was opened, modulo 2^32 (`SK_MEMINFO_DROPS`).
    ///
    /// # Errors
    /// Those of `getsockopt(2)`: kernels before 4.12 have no such option.
    fn drops(&self) -> io::Result<u32>;
}

/// A socket in multicast groups.
#[derive(Debug)]
pub struct Multicast<R = Socket> {
    transport: R,
    buffer: Vec<u8>,
    /// How much of the buffer was written since it was last wiped.
    used: usize,
    /// Drops that have been told.
    told: u32,
    /// Datagrams that were taken since the kernel said `ENOBUFS`.
    overrun: Option<u32>,
    foreign: u64,
}

impl Multicast<Socket> {
    /// Opens a socket in the calling thread's network namespace that is in these groups, counted from
    /// 1 as the kernel's headers do; numbers above 32 are as good as others.
    ///
    /// # Errors
    /// [`Error::Open`] as [`Socket::open`]; [`Error::Io`] with `EPERM` where a group needs a capability
    /// (usually `CAP_NET_ADMIN`), with `EINVAL` for a group that the protocol does not have.
    pub fn open(protocol: Protocol, groups: impl IntoIterator<Item = u32>) -> Result<Self> {
        let socket = Socket::open(protocol)?;
        for group in groups {
            socket.join(group)?;
        }
        Ok(Self::new(socket))
    }

    /// The socket, for its options.
    pub fn socket(&self) -> &Socket {
        &self.transport
    }

    /// Asks for a receive buffer of `bytes`, as [`Socket::set_receive_buffer`] does: events that come
    /// while nobody reads have to fit, at some 1 to 2 KiB each. Returns what the kernel granted.
    ///
    /// # Errors
    /// [`Error::Io`] if the size cannot be set.
    pub fn set_receive_buffer(&self, bytes: usize) -> Result<usize> {
        self.transport.set_receive_buffer(bytes)
    }

    /// Waits until there is something to receive (true), or `stop` is readable, closed or broken
    /// (false), which counts for more.
    ///
    /// # Errors
    /// [`Error::Io`] if `poll(2)` fails.
    pub fn wait(&self, stop: BorrowedFd<'_>, timeout: Option<Duration>) -> Result<bool> {
        let failed = |errno: rustix::io::Errno| Error::Io {
            action: "wait for events",
            source: errno.into(),
        };
        let timeout = timeout.map(Timespec::try_from).transpose();
        let timeout = timeout.map_err(|_| failed(rustix::io::Errno::INVAL))?;
        loop {
            let mut descriptors = [
                PollFd::from_borrowed_fd(stop, PollFlags::IN),
                PollFd::new(&self.transport, PollFlags::IN),
            ];
            match poll(&mut descriptors, timeout.as_ref()) {
                Ok(_) => {
                    let [stop, socket] = descriptors;
                    return Ok(stop.revents().is_empty() && !socket.revents().is_empty());
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(failed(errno)),
            }
        }
    }
}

impl<R: Receive + CountDrops> Multicast<R> {
    /// Receives over `transport`, whose drops so far are none of its own.
    pub fn new(transport: R) -> Self {
        let told = transport.drops().unwrap_or_default();
        Self { transport, buffer: vec![0; BUFFER_LEN], used: 0, told, overrun: None, foreign: 0 }
    }

    /// Datagrams that were not the kernel's, dropped.
    pub fn foreign(&self) -> u64 {
        self.foreign
    }

    /// Takes what is there, without waiting; `None` when there is nothing, and all that was lost has been
    /// told.
    ///
    /// # Errors
    /// [`Error::Io`] if the socket fails, [`Error::Closed`] if it was shut down.
    pub fn next_ready(&mut self) -> Result<Option<Event<'_>>> {
        self.wipe();
        let sender = loop {
            // A count from before the queue was found empty: what is dropped after that says so again.
            let drops = if self.overrun.is_some() { self.transport.drops().ok() } else { None };
            match self.take()? {
                Taken::Datagram(datagram, sender) => {
                    self.used = datagram.len;
                    break sender;
                }
                Taken::Overrun => {}
                Taken::Nothing if self.overrun.is_some() => return Ok(Some(self.lost(drops))),
                Taken::Nothing => return Ok(None),
                Taken::Truncated => {
                    return Ok(Some(Event::Overrun { lost: None }));
                }
            }
            if self.overrun.is_some_and(|taken| taken >= PATIENCE) {
                return Ok(Some(self.lost(drops)));
            }
        };
        let bytes = self.buffer.get(..self.used).unwrap_or_default();
        Ok(Some(Event::Datagram { messages: Messages::new(bytes), groups: sender.groups }))
    }

    /// One receive, and what it came to.
    fn take(&mut self) -> Result<Taken> {
        loop {
            match self.transport.receive_ready(&mut self.buffer) {
                Ok(Some(datagram)) if !datagram.sender.is_kernel() => self.foreign += 1,
                Ok(Some(Datagram { len: 0, .. })) => return Err(Error::Closed),
                Ok(Some(datagram)) => {
                    if let Some(taken) = &mut self.overrun {
                        *taken += 1;
                    }
                    if datagram.truncated || datagram.len > self.buffer.len() {
                        self.used = self.buffer.len();
                        self.grow(datagram.len);
                        return Ok(Taken::Truncated);
                    }
                    return Ok(Taken::Datagram(datagram, datagram.sender));
                }
                Ok(None) => return Ok(Taken::Nothing),
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    self.overrun.get_or_insert(0);
                    return Ok(Taken::Overrun);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(Error::Io { action: "receive events", source }),
            }
        }
    }

    /// What was lost, by a count of drops that was taken before the queue was found empty.
    fn lost(&mut self, drops: Option<u32>) -> Event<'static> {
        self.overrun = None;
        let lost = drops.map(|drops| u64::from(drops.wrapping_sub(self.told)));
        self.told = drops.unwrap_or(self.told);
        Event::Overrun { lost: lost.filter(|lost| *lost > 0) }
    }

    fn grow(&mut self, wanted: usize) {
        self.wipe();
        let len = wanted.max(self.buffer.len()).next_power_of_two().min(BUFFER_LIMIT);
        if len > self.buffer.len() {
            self.buffer = vec![0; len];
        }
    }
}

impl<R> Multicast<R> {
    /// Events may hold keys (XFRM): none stays in memory longer than it is handed over.
    fn wipe(&mut self) {
        let used = std::mem::take(&mut self.used);
        if let Some(used) = self.buffer.get_mut(..used) {
            used.zeroize();
        }
    }
}

impl<R> Drop for Multicast<R> {
    fn drop(&mut self) {
        self.wipe();
    }
}

enum Taken {
    Datagram(Datagram, Sender),
    /// It did not fit.
    Truncated,
    /// `ENOBUFS`.
    Overrun,
    Nothing,
}

impl<R: AsFd> AsFd for Multicast<R> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.transport.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Request;
    use std::cell::Cell;
    use std::collections::VecDeque;

    /// What the kernel does next.
    enum Step {
        Bytes(Vec<u8>, u32),
        /// `ENOBUFS`, with so many drops at that time.
        Overrun(u32),
        /// Drops that come with no error, to be counted with the next one.
        Drops(u32),
        Empty,
        Errno(i32),
    }

    struct Script(VecDeque<Step>, Cell<u32>);

    impl CountDrops for Script {
        fn drops(&self) -> io::Result<u32> {
            Ok(self.1.get())
        }
    }

    impl Receive for Script {
        fn send(&mut self, _: &[u8]) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn receive(&mut self, _: &mut [u8]) -> io::Result<Datagram> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn receive_ready(&mut self, buffer: &mut [u8]) -> io::Result<Option<Datagram>> {
            match self.0.pop_front() {
                None | Some(Step::Empty) => Ok(None),
                Some(Step::Errno(errno)) => Err(io::Error::from_raw_os_error(errno)),
                Some(Step::Drops(more)) => {
                    self.1.set(self.1.get().wrapping_add(more));
                    self.receive_ready(buffer)
                }
                Some(Step::Overrun(more)) => {
                    self.1.set(self.1.get().wrapping_add(more));
                    Err(io::Error::from_raw_os_error(libc::ENOBUFS))
                }
                Some(Step::Bytes(bytes, portid)) => {
                    let len = bytes.len().min(buffer.len());
                    buffer[..len].copy_from_slice(&bytes[..len]);
                    let sender = Sender { portid, groups: 1 };
                    let truncated = len < bytes.len();
                    Ok(Some(Datagram { len: bytes.len(), truncated, sender }))
                }
            }
        }
    }

    fn event(kind: u16) -> Step {
        Step::Bytes(Request::new(kind).to_bytes(0, 0).unwrap(), 0)
    }

    /// What is told until there is nothing: kinds of messages, and losses as negative numbers (0 for an
    /// unknown number).
    fn told(multicast: &mut Multicast<Script>) -> Vec<i64> {
        let mut told = Vec::new();
        while let Some(event) = multicast.next_ready().unwrap() {
            match event {
                Event::Datagram { messages, groups } => {
                    assert_eq!(groups, 1);
                    told.extend(messages.map(|message| i64::from(message.unwrap().kind())));
                }
                Event::Overrun { lost } => told.push(-lost.map_or(0, u64::cast_signed)),
            }
        }
        told
    }

    fn multicast(drops: u32, steps: impl IntoIterator<Item = Step>) -> Multicast<Script> {
        Multicast::new(Script(steps.into_iter().collect(), Cell::new(drops)))
    }

    #[test]
    fn a_loss_is_told_behind_what_was_queued_before_it() {
        let steps = [event(20), Step::Overrun(3), event(21), Step::Drops(4), event(22)];
        // Drops from before the socket was taken over are not its own.
        let mut multicast = multicast(7, steps);
        assert_eq!(told(&mut multicast), [20, 21, 22, -7]);
        assert_eq!(told(&mut multicast), [0_i64; 0]);
    }

    #[test]
    fn losses_are_counted_once_across_the_end_of_the_counter() {
        let steps =
            [Step::Overrun(5), Step::Empty, Step::Empty, event(20), Step::Overrun(2), event(21)];
        let mut multicast = multicast(u32::MAX - 1, steps);
        assert_eq!(told(&mut multicast), [-5]);
        assert_eq!(told(&mut multicast), [20, 21, -2]);
    }

    #[test]
    fn an_overrun_while_the_queue_is_emptied_is_told_with_it() {
        let steps = [Step::Overrun(1), event(20), Step::Overrun(1), event(21), Step::Overrun(9)];
        assert_eq!(told(&mut multicast(0, steps)), [20, 21, -11]);
    }

    #[test]
    fn a_message_that_the_kernel_could_not_build_is_an_unknown_loss() {
        assert_eq!(told(&mut multicast(4, [Step::Overrun(0), event(20)])), [20, 0]);
    }

    #[test]
    fn where_the_queue_is_never_empty_the_loss_is_told_all_the_same() {
        let steps = (0..=PATIENCE).map(|_| event(20));
        let mut multicast = multicast(0, [Step::Overrun(6)].into_iter().chain(steps));
        let told = told(&mut multicast);
        assert!(told.contains(&-6) && told.iter().filter(|one| **one < 0).count() == 1);
    }

    #[test]
    fn what_another_process_sent_is_dropped_and_counted() {
        let Step::Bytes(forged, _) = event(66) else { panic!() };
        let steps = [Step::Bytes(forged.clone(), 4711), event(20), Step::Bytes(Vec::new(), 1)];
        let mut multicast = multicast(0, steps);
        assert_eq!(told(&mut multicast), [20]);
        assert_eq!(multicast.foreign(), 2);
    }

    #[test]
    fn a_datagram_that_does_not_fit_is_lost_and_the_next_one_fits() {
        let long = || {
            let request = Request::new(30).attr(1, &vec![0; 50_000]);
            Step::Bytes(request.to_bytes(0, 0).unwrap(), 0)
        };
        assert_eq!(told(&mut multicast(0, [long(), long(), event(20)])), [0, 30, 20]);
    }

    #[test]
    fn an_interrupted_call_is_made_again_and_a_failure_is_told() {
        let mut interrupted = multicast(0, [Step::Errno(libc::EINTR), event(20)]);
        assert_eq!(told(&mut interrupted), [20]);
        let mut failed = multicast(0, [Step::Errno(libc::EIO)]);
        assert_eq!(failed.next_ready().unwrap_err().errno(), Some(libc::EIO));
        let mut closed = multicast(0, [Step::Bytes(Vec::new(), 0)]);
        assert!(matches!(closed.next_ready(), Err(Error::Closed)));
    }
}
