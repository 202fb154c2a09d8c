//! A scripted kernel: a transport for tests that answers as a list of steps says.
//!
//! A socket pair cannot stand in for the kernel, because its datagrams have no netlink sender
//! address. [`Scripted`] implements [`Receive`] without a socket: each request that is sent takes
//! the next [`Reply`] and appends its steps to what will be received. Every misbehaviour of a
//! kernel can be written down as a step.
//!
//! A datagram longer than the buffer is cut and flagged, as the kernel does; an empty queue times
//! out at once instead of waiting, so that no test hangs.
//!
//! ```
//! use std::ops::ControlFlow;
//! use sockeye_netlink::scripted::{Reply, Scripted, done};
//! use sockeye_netlink::{Client, DumpOptions, Message, Request, Visit};
//!
//! #[derive(Default)]
//! struct Kinds(Vec<u16>);
//! impl Visit for Kinds {
//!     fn message(&mut self, message: &Message<'_>) -> ControlFlow<()> {
//!         self.0.push(message.kind());
//!         ControlFlow::Continue(())
//!     }
//!     fn restart(&mut self) {
//!         self.0.clear();
//!     }
//! }
//!
//! let reply = Reply::new()
//!     .datagram([Request::new(20), Request::new(21)])
//!     .datagram([done(0)]);
//! let mut client = Client::new(Scripted::new().reply(reply));
//! let mut kinds = Kinds::default();
//! client.dump(&Request::new(20), DumpOptions::default(), &mut kinds)?;
//! assert_eq!(kinds.0, [20, 21]);
//! # Ok::<(), sockeye_netlink::Error>(())
//! ```

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::time::Duration;

use zerocopy::{FromBytes, IntoBytes};

use crate::format::align;
use crate::message::{HEADER_LEN, Header, NLM_F_CAPPED, NLM_F_MULTI, NLMSG_DONE, NLMSG_ERROR};
use crate::receive::{Datagram, Receive, Sender};
use crate::request::Request;

/// `NLMSG_DONE` with an errno (0 for success), as a dump ends. With
/// [`NLM_F_ACK_TLVS`](crate::NLM_F_ACK_TLVS) added, attributes can follow.
pub fn done(errno: i32) -> Request {
    Request::new(NLMSG_DONE).flags(NLM_F_MULTI).body(&errno.saturating_neg())
}

/// `NLMSG_ERROR` with an errno (0 acknowledges) and the bare header of the request. With
/// [`NLM_F_ACK_TLVS`](crate::NLM_F_ACK_TLVS) added, attributes can follow.
pub fn error(errno: i32) -> Request {
    Request::new(NLMSG_ERROR)
        .flags(NLM_F_CAPPED)
        .body(&errno.saturating_neg())
        .body(&Header::default())
}

/// What the kernel does next.
#[derive(Debug, Clone)]
enum Step {
    Datagram { bytes: Vec<u8>, sender: Sender, numbering: Numbering },
    Errno(i32),
    EndOfFile,
}

/// Which sequence number the messages of a datagram carry.
#[derive(Debug, Clone, Copy)]
enum Numbering {
    /// That of the request that is answered, or of one that was sent so many before it.
    RequestsAgo(usize),
    /// Whatever the bytes say.
    Verbatim,
}

/// What one request is answered with: datagrams and failures, in the order in which they are
/// received.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    steps: Vec<Step>,
    send_errno: Option<i32>,
}

impl Reply {
    /// No answer at all: the client times out.
    pub fn new() -> Self {
        Self::default()
    }

    /// A datagram from the kernel with these messages, which carry the request's sequence number.
    pub fn datagram(self, messages: impl IntoIterator<Item = Request>) -> Self {
        let mut bytes = Vec::new();
        for message in messages {
            // A message too long for its length field is left out, as the kernel would.
            if let Ok(message) = message.to_bytes(0, 0) {
                bytes.extend_from_slice(&message);
                bytes.resize(align(bytes.len()), 0);
            }
        }
        self.bytes(bytes)
    }

    /// A datagram from the kernel with these bytes, for instance recorded ones. Its messages get
    /// the request's sequence number, as far as they can be found.
    pub fn bytes(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.steps.push(Step::Datagram {
            bytes: bytes.into(),
            sender: Sender::KERNEL,
            numbering: Numbering::RequestsAgo(0),
        });
        self
    }

    /// Makes `sender` the sender of the last datagram.
    pub fn sent_by(mut self, sender: Sender) -> Self {
        if let Some(Step::Datagram { sender: of, .. }) = self.steps.last_mut() {
            *of = sender;
        }
        self
    }

    /// Makes the last datagram an answer to the request that was sent `requests` before this one.
    pub fn answering_earlier(mut self, requests: usize) -> Self {
        if let Some(Step::Datagram { numbering, .. }) = self.steps.last_mut() {
            *numbering = Numbering::RequestsAgo(requests);
        }
        self
    }

    /// Leaves the sequence numbers of the last datagram as its bytes say.
    pub fn verbatim(mut self) -> Self {
        if let Some(Step::Datagram { numbering, .. }) = self.steps.last_mut() {
            *numbering = Numbering::Verbatim;
        }
        self
    }

    /// A receive that fails. After `ENOBUFS` the socket is congested, as in the kernel: requests
    /// get no answer but another `ENOBUFS` until the queue was read to empty.
    pub fn errno(mut self, errno: i32) -> Self {
        self.steps.push(Step::Errno(errno));
        self
    }

    /// The end of file, for every receive from here on.
    pub fn end_of_file(mut self) -> Self {
        self.steps.push(Step::EndOfFile);
        self
    }

    /// Makes the sending of the request fail; its answers, if any, come all the same.
    pub fn send_errno(mut self, errno: i32) -> Self {
        self.send_errno = Some(errno);
        self
    }
}

type Answer = Box<dyn FnMut(&[u8]) -> Reply + Send>;

/// A transport whose other end follows a script.
#[derive(Default)]
pub struct Scripted {
    replies: VecDeque<Reply>,
    answer: Option<Answer>,
    queue: VecDeque<Step>,
    requests: Vec<Vec<u8>>,
    congested: bool,
    timeout: Option<Duration>,
}

impl Scripted {
    /// A kernel that answers nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers the next request that has no reply yet with `reply`.
    pub fn reply(mut self, reply: Reply) -> Self {
        self.replies.push_back(reply);
        self
    }

    /// Answers each request for which there is no [`reply`](Self::reply) by asking `answer`,
    /// which is given the bytes of the request.
    pub fn answering(mut self, answer: impl FnMut(&[u8]) -> Reply + Send + 'static) -> Self {
        self.answer = Some(Box::new(answer));
        self
    }

    /// The timeout that the transport says it has. It never waits.
    pub fn timeout_of(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The requests so far, as they were sent; those whose sending failed too.
    pub fn requests(&self) -> &[Vec<u8>] {
        &self.requests
    }

    /// How many steps nobody has received yet.
    pub fn unread(&self) -> usize {
        self.queue.len()
    }

    fn number(&self, bytes: &mut [u8], numbering: Numbering) {
        let Numbering::RequestsAgo(before) = numbering else {
            return;
        };
        let request = self.requests.iter().rev().nth(before);
        let seq = request
            .and_then(|request| Header::read_from_prefix(request).ok())
            .map_or(0, |(header, _)| header.seq);
        renumber(bytes, seq);
    }

    /// Takes the next step; nothing is ever behind the end of file.
    fn step(&mut self) -> Option<Step> {
        let step = match self.queue.front()? {
            Step::EndOfFile => Step::EndOfFile,
            _ => self.queue.pop_front()?,
        };
        match step {
            Step::Errno(libc::ENOBUFS) => self.congested = true,
            _ if self.queue.is_empty() => self.congested = false,
            _ => {}
        }
        Some(step)
    }
}

/// Writes `seq` into each message header of the datagram, as far as lengths lead to them.
fn renumber(datagram: &mut [u8], seq: u32) {
    let mut rest = datagram;
    while let Ok((mut header, _)) = Header::read_from_prefix(rest) {
        header.seq = seq;
        if let Some(place) = rest.get_mut(..HEADER_LEN) {
            place.copy_from_slice(header.as_bytes());
        }
        // A length below the header's would never lead on.
        let length = usize::try_from(header.length).map_or(usize::MAX, align);
        rest = rest.get_mut(length.max(HEADER_LEN)..).unwrap_or_default();
    }
}

fn deliver(step: Step, buffer: &mut [u8]) -> io::Result<Datagram> {
    match step {
        Step::Datagram { bytes, sender, .. } => {
            let fitting = bytes.len().min(buffer.len());
            if let (Some(to), Some(from)) = (buffer.get_mut(..fitting), bytes.get(..fitting)) {
                to.copy_from_slice(from);
            }
            Ok(Datagram { len: bytes.len(), truncated: fitting < bytes.len(), sender })
        }
        Step::Errno(errno) => Err(io::Error::from_raw_os_error(errno)),
        Step::EndOfFile => Ok(Datagram { len: 0, truncated: false, sender: Sender::KERNEL }),
    }
}

impl Receive for Scripted {
    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.requests.push(request.to_vec());
        let reply = match (self.replies.pop_front(), &mut self.answer) {
            (Some(reply), _) => reply,
            (None, Some(answer)) => answer(request),
            (None, None) => Reply::new(),
        };
        if self.congested && !self.queue.is_empty() {
            self.queue.push_front(Step::Errno(libc::ENOBUFS));
        } else {
            for mut step in reply.steps {
                if let Step::Datagram { bytes, numbering, .. } = &mut step {
                    self.number(bytes, *numbering);
                }
                self.queue.push_back(step);
            }
        }
        match reply.send_errno {
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
            None => Ok(()),
        }
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Datagram> {
        match self.step() {
            Some(step) => deliver(step, buffer),
            None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn receive_ready(&mut self, buffer: &mut [u8]) -> io::Result<Option<Datagram>> {
        self.step().map(|step| deliver(step, buffer)).transpose()
    }

    fn timeout(&self) -> Option<Duration> {
        self.timeout
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scripted")
            .field("replies", &self.replies.len())
            .field("queue", &self.queue)
            .field("requests", &self.requests.len())
            .finish_non_exhaustive()
    }
}
