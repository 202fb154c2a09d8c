//! Reading answers to their end: the protocol's rules, in one place.
//!
//! A dump is answered in many datagrams, and only `NLMSG_DONE` ends it: a short read means
//! nothing. What is handled here, so that nobody above checks again:
//!
//! - A message counts if the kernel sent it and it carries our sequence number; others are
//!   dropped and counted ([`Outcome::foreign`], [`Outcome::stale`]).
//! - `NLMSG_DONE` and `NLMSG_ERROR` may carry an errno and, in attributes, its explanation.
//! - A datagram that did not fit the buffer has lost its end, and the next one begins elsewhere
//!   in the table. The buffer grows and the dump begins again, under a new sequence number.
//! - `NLM_F_DUMP_INTR`: the table changed meanwhile. The data is kept and the outcome says so;
//!   or the dump begins again, as often as [`DumpOptions::interrupted_retries`] allows.
//! - A socket runs one dump at a time. A dump that is begun while the rest of an earlier one is
//!   still to come is answered `EBUSY`; it waits for that rest, drops it and begins again. It is
//!   not drained *before* it is asked for, because its `NLMSG_DONE` may have been lost with the
//!   end of a truncated datagram, and because a dump that ran out of memory (`netlink_dump`)
//!   goes on only when the next datagram is received: the refusal itself.
//!
//! A client's socket joins no multicast groups; what comes from one is counted as stale.

use std::ops::ControlFlow;

use crate::ack::{Ack, ExtAck};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::message::{
    Message, Messages, NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_DONE,
    NLMSG_ERROR, NLMSG_NOOP, NLMSG_OVERRUN,
};
use crate::receive::Receive;
use crate::request::Request;

/// How often a dump waits for another one on its socket before it gives the `EBUSY` back.
const BUSY_LIMIT: u32 = 16;

/// Room for an acknowledgement beside the request that it may repeat, in bytes.
const ACK_ROOM: usize = 8 * 1024;

/// What receives the messages of a dump.
pub trait Visit {
    /// Takes one message. [`ControlFlow::Break`] stops the dump.
    fn message(&mut self, message: &Message<'_>) -> ControlFlow<()>;

    /// Forgets every message so far: the dump begins again from its first one, because part of
    /// it was lost or, on request, because it was interrupted.
    fn restart(&mut self);

    /// Sees a datagram that answers this dump, as it was received and before its messages; for
    /// recordings. The last one holds `NLMSG_DONE`. A restart forgets datagrams too.
    fn datagram(&mut self, _bytes: &[u8]) {}
}

/// How a dump is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DumpOptions {
    /// How often a dump that the kernel flagged as interrupted is made again, at most. After
    /// that, or with 0, its messages are handed over and [`Outcome::interrupted`] is set.
    pub interrupted_retries: u32,
}

/// How a dump (or a [`get`](Client::get)) went that reached its end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Outcome {
    /// Messages handed to the visitor since the last restart.
    pub messages: u64,
    /// The kernel flagged the dump (`NLM_F_DUMP_INTR`): the table changed meanwhile, entries may
    /// be missing or twice. Without the flag they may be too: many tables never set it.
    pub interrupted: bool,
    /// How often the dump began again because a datagram did not fit the buffer.
    pub restarts: u32,
    /// How often the dump began again because it was interrupted.
    pub retries: u32,
    /// Datagrams that another process sent, dropped.
    pub foreign: u64,
    /// Messages of another request, or of a multicast group, dropped.
    pub stale: u64,
    /// The visitor stopped the dump.
    pub stopped: bool,
    /// What the kernel added to a success.
    pub warning: Option<ExtAck>,
}

/// What an exchange is for: it decides on the flags and on what may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Dump,
    Get,
    Change,
}

impl Operation {
    fn flags(self) -> u16 {
        match self {
            Self::Dump => NLM_F_REQUEST | NLM_F_DUMP,
            Self::Get | Self::Change => NLM_F_REQUEST | NLM_F_ACK,
        }
    }

    /// Room that the answer needs for sure. A change must not be repeated because its
    /// acknowledgement, which may repeat the request in full, did not fit.
    fn room(self) -> usize {
        if self == Self::Change { ACK_ROOM } else { 0 }
    }
}

/// How one pass over the answers ended, if it did not fail.
enum Ending {
    /// The last message came, or the visitor has enough.
    Finished,
    /// A datagram of this many bytes did not fit the buffer.
    Truncated(usize),
    /// The dump was interrupted and may be made again.
    Interrupted,
    /// Another dump was running on the socket, and has ended.
    Idle,
}

impl<R: Receive> Client<R> {
    /// Sends `request` as a dump (`NLM_F_REQUEST | NLM_F_DUMP`) and hands each message of the
    /// answer to `visitor`, until the kernel says that it is done.
    ///
    /// Messages come as the kernel made them, in its order. If a datagram does not fit the buffer
    /// the dump begins again with a larger one, after [`Visit::restart`]. A visitor that breaks
    /// stops the dump, with [`Outcome::stopped`]; the rest of the answer is skipped by whatever
    /// operation comes next.
    ///
    /// # Errors
    /// [`Error::Kernel`] if the kernel refuses the request or fails while it answers;
    /// [`Error::Overrun`] if it dropped messages; [`Error::Timeout`], [`Error::Closed`] and
    /// [`Error::Io`] from the transport; [`Error::Truncated`] if a datagram exceeds 16 MiB;
    /// [`Error::Format`] for bytes that are no message; [`Error::RequestTooLong`] for a request
    /// that cannot be written. After an error, what the visitor has is incomplete.
    pub fn dump(
        &mut self,
        request: &Request,
        options: DumpOptions,
        visitor: &mut impl Visit,
    ) -> Result<Outcome> {
        self.exchange(Operation::Dump, request, options, visitor)
    }

    /// Sends `request` with `NLM_F_REQUEST | NLM_F_ACK` and waits for its acknowledgement.
    /// Messages that come before it (`NLM_F_ECHO`) are skipped.
    ///
    /// # Errors
    /// As [`dump`](Self::dump). A request is never sent twice; whether the kernel acted on it is
    /// unknown after any error but [`Error::Kernel`] and [`Error::RequestTooLong`].
    pub fn request(&mut self, request: &Request) -> Result<()> {
        let mut visitor = Answer(|_: &Message<'_>| {});
        self.exchange(Operation::Change, request, DumpOptions::default(), &mut visitor)?;
        Ok(())
    }

    /// Sends `request` with `NLM_F_REQUEST | NLM_F_ACK`, hands what the kernel answers to
    /// `answer`, and returns at the acknowledgement. For requests that ask for one thing and
    /// change nothing: `RTM_GETROUTE`, the exact lookup of `SOCK_DIAG_BY_FAMILY`.
    ///
    /// An answer that does not fit the buffer is asked for again, so `answer` should keep only
    /// the last one that it is given. [`Outcome::messages`] is 0 if there was none.
    ///
    /// # Errors
    /// As [`dump`](Self::dump); [`Error::Kernel`] comes instead of an answer: `ENOENT` for a
    /// socket that does not exist, `ENETUNREACH` for a route.
    pub fn get(&mut self, request: &Request, answer: impl FnMut(&Message<'_>)) -> Result<Outcome> {
        self.exchange(Operation::Get, request, DumpOptions::default(), &mut Answer(answer))
    }

    /// Sends the request and reads its answers, as often as it takes.
    fn exchange(
        &mut self,
        operation: Operation,
        request: &Request,
        options: DumpOptions,
        visitor: &mut impl Visit,
    ) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        let result = self.repeat(operation, request, options, visitor, &mut outcome);
        self.wipe();
        result.map(|()| outcome)
    }

    fn repeat(
        &mut self,
        operation: Operation,
        request: &Request,
        options: DumpOptions,
        visitor: &mut impl Visit,
        outcome: &mut Outcome,
    ) -> Result<()> {
        self.relieve();
        let mut waits = 0;
        loop {
            if self.closed {
                return Err(Error::Closed);
            }
            let seq = self.send(request, operation.flags(), operation.room())?;
            let mut pass = Pass {
                operation,
                seq,
                earlier: self.running,
                may_wait: waits < BUSY_LIMIT,
                may_retry: outcome.retries < options.interrupted_retries,
                discard: false,
                outcome,
                visitor,
            };
            if operation == Operation::Dump {
                self.running = Some(seq);
            }
            match pass.read(self)? {
                Ending::Finished => return Ok(()),
                Ending::Truncated(size) if operation == Operation::Change => {
                    return Err(Error::Truncated { size, limit: self.buffer.len() });
                }
                Ending::Truncated(size) => {
                    self.grow(size)?;
                    outcome.restarts += 1;
                }
                Ending::Interrupted => outcome.retries += 1,
                Ending::Idle => {
                    waits += 1;
                    continue;
                }
            }
            outcome.messages = 0;
            outcome.interrupted = false;
            visitor.restart();
        }
    }
}

/// Hands every message to a closure.
struct Answer<F>(F);

impl<F: FnMut(&Message<'_>)> Visit for Answer<F> {
    fn message(&mut self, message: &Message<'_>) -> ControlFlow<()> {
        (self.0)(message);
        ControlFlow::Continue(())
    }

    fn restart(&mut self) {}
}

/// One pass over the answers to one request.
struct Pass<'p, V> {
    operation: Operation,
    seq: u32,
    /// The dump that the socket may have been running before.
    earlier: Option<u32>,
    may_wait: bool,
    may_retry: bool,
    /// What still comes is of no use to the visitor.
    discard: bool,
    outcome: &'p mut Outcome,
    visitor: &'p mut V,
}

impl<V: Visit> Pass<'_, V> {
    fn read<R: Receive>(&mut self, client: &mut Client<R>) -> Result<Ending> {
        let mut waiting = false;
        loop {
            let datagram = client.receive()?;
            if !datagram.sender.is_kernel() {
                self.outcome.foreign += 1;
                continue;
            }
            if datagram.len == 0 {
                client.closed = true;
                return Err(Error::Closed);
            }
            let bytes = match client.buffer.get(..datagram.len) {
                Some(bytes) if !datagram.truncated => bytes,
                // It cannot be our acknowledgement, which fits.
                _ if self.operation == Operation::Change && self.earlier.is_some() => {
                    self.outcome.stale += 1;
                    continue;
                }
                _ => return Ok(Ending::Truncated(datagram.len)),
            };
            if datagram.sender.groups != 0 {
                self.outcome.stale += Messages::new(bytes).count() as u64;
                continue;
            }
            if !self.discard && self.is_answer(bytes) {
                self.visitor.datagram(bytes);
            }
            let mut ended = false;
            let mut idle = false;
            for message in Messages::new(bytes) {
                let message = message?;
                match message.kind() {
                    NLMSG_NOOP => {}
                    NLMSG_OVERRUN => {
                        client.congested = true;
                        return Err(Error::Overrun);
                    }
                    kind if message.seq() != self.seq => {
                        self.outcome.stale += 1;
                        if kind == NLMSG_DONE {
                            idle = waiting;
                            if client.running == Some(message.seq()) {
                                client.running = None;
                            }
                        }
                    }
                    NLMSG_ERROR | NLMSG_DONE => {
                        self.note_interruption(&message);
                        if self.is_busy(&message) {
                            client.running = self.earlier;
                            waiting = true;
                            continue;
                        }
                        let ack = Ack::decode(&message)?;
                        if self.operation == Operation::Dump {
                            let busy = ack.errno == libc::EBUSY;
                            client.running = self.earlier.filter(|_| busy);
                        }
                        let warning = ack.into_result().map_err(Error::Kernel)?;
                        self.outcome.warning = warning.map(|ext_ack| *ext_ack);
                        ended = true;
                    }
                    _ => {
                        self.note_interruption(&message);
                        self.hand_over(&message);
                    }
                }
            }
            if self.outcome.stopped {
                return Ok(Ending::Finished);
            }
            if ended {
                let again = self.outcome.interrupted && self.may_retry;
                return Ok(if again { Ending::Interrupted } else { Ending::Finished });
            }
            if idle {
                return Ok(Ending::Idle);
            }
        }
    }

    /// Whether the datagram holds a message for the visitor, or the end.
    fn is_answer(&self, bytes: &[u8]) -> bool {
        Messages::new(bytes)
            .map_while(Result::ok)
            .find(|message| message.kind() != NLMSG_NOOP && message.seq() == self.seq)
            .is_some_and(|message| !self.is_busy(&message))
    }

    /// Whether the message refuses the dump because of another one that will end.
    fn is_busy(&self, message: &Message<'_>) -> bool {
        self.operation == Operation::Dump
            && self.may_wait
            && self.earlier.is_some()
            && message.kind() == NLMSG_ERROR
            && Ack::decode(message).is_ok_and(|ack| ack.errno == libc::EBUSY)
    }

    fn note_interruption(&mut self, message: &Message<'_>) {
        if message.flags() & NLM_F_DUMP_INTR != 0 {
            self.outcome.interrupted = true;
            // The visitor will be told to forget it all.
            self.discard |= self.may_retry;
        }
    }

    fn hand_over(&mut self, message: &Message<'_>) {
        if self.discard {
            return;
        }
        self.outcome.messages += 1;
        if self.visitor.message(message).is_break() {
            self.outcome.stopped = true;
            self.discard = true;
        }
    }
}
