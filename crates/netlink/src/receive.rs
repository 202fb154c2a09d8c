//! The seam between the protocol and its transport.
//!
//! A [`Client`](crate::Client) needs no more of a socket than this trait. [`Socket`](crate::Socket)
//! implements it with system calls, [`Scripted`](crate::scripted::Scripted) with a list of what a
//! kernel might do.

use std::io;
use std::time::Duration;

/// Who sent a datagram: its `sockaddr_nl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sender {
    /// `nl_pid`: 0 is the kernel, anything else another process.
    pub portid: u32,
    /// `nl_groups`: the multicast group (1 to 32) that it was sent to, as a bitmap; 0 if none.
    pub groups: u32,
}

impl Sender {
    /// The kernel, answering a request.
    pub const KERNEL: Self = Self { portid: 0, groups: 0 };

    /// Whether the kernel sent it. Nothing inside a message can prove that.
    pub fn is_kernel(self) -> bool {
        self.portid == 0
    }
}

/// What one receive came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datagram {
    /// True size in bytes; it may exceed the buffer. 0 from the kernel means end of file.
    pub len: usize,
    /// Whether the datagram was longer than the buffer, so that its end is lost.
    pub truncated: bool,
    /// Who sent it.
    pub sender: Sender,
}

/// A way to send requests and to receive datagrams.
pub trait Receive {
    /// Sends one request.
    ///
    /// # Errors
    /// Those of `sendmsg(2)`. `Interrupted` makes the client send again.
    fn send(&mut self, request: &[u8]) -> io::Result<()>;

    /// Waits for one datagram and copies as much of it as fits into `buffer`.
    ///
    /// # Errors
    /// Those of `recvmsg(2)`. `Interrupted` makes the client receive again; `WouldBlock` is a
    /// timeout; `ENOBUFS` means that messages were dropped.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Datagram>;

    /// Takes one datagram that is already there, without waiting; `None` if there is none. The
    /// client empties the queue with it after an overrun, because the kernel sends nothing more
    /// to a congested socket before that. A transport that never overruns need not implement it.
    ///
    /// # Errors
    /// Those of [`receive`](Self::receive), without `WouldBlock`.
    fn receive_ready(&mut self, _buffer: &mut [u8]) -> io::Result<Option<Datagram>> {
        Ok(None)
    }

    /// How long [`receive`](Self::receive) waits, for the text of an error; `None` if unknown or
    /// for ever.
    fn timeout(&self) -> Option<Duration> {
        None
    }
}

impl<R: Receive + ?Sized> Receive for &mut R {
    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        (**self).send(request)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Datagram> {
        (**self).receive(buffer)
    }

    fn receive_ready(&mut self, buffer: &mut [u8]) -> io::Result<Option<Datagram>> {
        (**self).receive_ready(buffer)
    }

    fn timeout(&self) -> Option<Duration> {
        (**self).timeout()
    }
}

impl<R: Receive + ?Sized> Receive for Box<R> {
    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        (**self).send(request)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Datagram> {
        (**self).receive(buffer)
    }

    fn receive_ready(&mut self, buffer: &mut [u8]) -> io::Result<Option<Datagram>> {
        (**self).receive_ready(buffer)
    }

    fn timeout(&self) -> Option<Duration> {
        (**self).timeout()
    }
}
