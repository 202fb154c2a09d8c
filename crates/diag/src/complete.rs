//! A dump made again until two passes agree.
//!
//! A dump goes on in a bucket by count, so it misses sockets when others leave the part of the bucket
//! that was told, and repeats some when others enter it; no flag tells (`inet_diag_dump_icsk`,
//! `udp_dump`). What one pass missed, another one tells: passes are made until two in a row tell the
//! same cookies and neither tells one twice, or there were enough of them. Where all sockets of a bucket
//! are asked for, such passes missed nothing: to miss one, a socket that was told has to leave, which
//! the next pass shows, or another has to enter before, which repeats one.
//!
//! Where sockets really come and go all the time, no two passes may ever agree. Then everything counts
//! that any pass told, but what is proven to be gone. Of a socket that the last pass did not tell, the
//! kernel is asked by its addresses and cookie, without a dump: that proves a connection to live or to
//! be gone. Of several sockets with the same addresses (`SO_REUSEPORT`) the kernel answers for one alone.
//! The others are kept: which sockets are missed depends on where datagrams end, so that some passes in
//! a row miss the same ones, and their silence proves nothing.
//!
//! For the same reason datagrams end elsewhere in each pass: the kernel makes them as long as the largest
//! buffer that it was given so far, and it is given a larger one each time.
//!
//! Held are the message with which each socket was first told, without keys of MD5 signatures (124
//! bytes, 400 with `tcp_info`), and some 50 bytes beside it. Nothing is handed over before the last
//! pass, and then in the order of the kernel's table: a socket that the last pass missed comes before
//! the one that it preceded.

use std::collections::HashMap;
use std::ops::ControlFlow;

use sockeye_model::{Cookie, Protocol, Socket, State, States};
use sockeye_netlink::{Message, Messages, Receive, Request, Visit};
use zerocopy::IntoBytes;

use crate::dump::{Answer, Decoder, report_of};
use crate::error::Error;
use crate::request::SockId;
use crate::seen::Seen;
use crate::{Diag, Extensions, Identity, Query, Report, Sockets, inet, redact};

/// Passes that are made at most, where nothing else is asked for. The first two agree on a host
/// where little happens.
pub const PASSES: u32 = 8;

/// Size of the buffer for the first pass over a connection that was not used before, bytes; and by how
/// much it is larger for each one after that, up to the size of the kernel's longest datagrams.
const FIRST_BUFFER: usize = 8 << 10;
const BUFFER_STEP: usize = 1500;
const LAST_BUFFER: usize = 32 << 10;

/// How often the kernel has to say that nobody has an address. While a group of sockets changes, it may
/// find none of them.
const ASKED: u32 = 3;

/// What came of a dump that was made again until two passes agreed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Complete {
    /// What was handed over. Duplicates, and messages that were left out, are counted over all passes.
    pub report: Report,
    /// Passes that were made.
    pub passes: u32,
    /// The last two told the same cookies, none of them twice, and the kernel flagged neither.
    pub agreed: bool,
    /// Sockets that were told and have gone meanwhile; not handed over.
    pub gone: u64,
    /// Sockets handed over that the last pass did not tell, and that could not be asked for one by
    /// one: they may be gone, too.
    pub doubtful: u64,
}

impl<R: Receive> Diag<R> {
    /// [`Diag::dump`], made again until two passes agree, `passes` times at most (2 at least). Its
    /// sockets are handed over after the last pass: each once, as it was told first.
    ///
    /// # Errors
    /// As [`Diag::dump`]. If a later pass fails, what the earlier ones told is handed over all the
    /// same.
    pub fn dump_complete(
        &mut self,
        query: &Query,
        passes: u32,
        sockets: &mut impl Sockets,
    ) -> Result<Complete, Error> {
        let asked = Asked {
            what: query.what(),
            request: query.by_family(SockId::ANY),
            protocol: query.protocol,
            states: query.states,
        };
        self.complete(&asked, passes, sockets)
    }

    fn complete(
        &mut self,
        asked: &Asked,
        passes: u32,
        sockets: &mut impl Sockets,
    ) -> Result<Complete, Error> {
        let mut told = Told::default();
        let mut complete = Complete::default();
        let mut failure = None;
        while complete.passes < passes.max(2) && !complete.agreed {
            match self.pass(asked, &mut told, &mut complete.report) {
                Ok(agreed) => {
                    complete.passes += 1;
                    complete.agreed = agreed;
                }
                Err(error) if complete.passes == 0 => return Err(error),
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        if !complete.agreed && failure.is_none() {
            self.sort_out(asked, &mut told, &mut complete);
        }
        self.seen.clear();
        let mut decoder = Decoder::new(asked.protocol, self.ecn_layout, &mut self.seen, sockets);
        let handed = told.hand_over(&mut decoder);
        let Report { sockets, malformed, malformed_example, .. } = decoder.into_report();
        complete.report.sockets = sockets;
        complete.report.malformed += malformed;
        if complete.report.malformed_example.is_none() {
            complete.report.malformed_example = malformed_example;
        }
        complete.report.stopped = handed.is_break();
        match failure {
            None => Ok(complete),
            Some(error) => Err(error),
        }
    }

    /// Makes one pass. True if it told what the one before it told.
    fn pass(&mut self, asked: &Asked, told: &mut Told, sum: &mut Report) -> Result<bool, Error> {
        self.move_ends();
        self.seen.clear();
        let mut pass = Pass {
            begin: told.bytes.len(),
            told,
            seen: &mut self.seen,
            sockets: Vec::new(),
            without_cookie: false,
            report: Report::default(),
        };
        let outcome = self.client.dump(&asked.request, self.options, &mut pass);
        let answered = !pass.sockets.is_empty() || pass.report.malformed > 0;
        match outcome {
            Ok(outcome) => {
                let this = report_of(&outcome);
                sum.duplicates += pass.report.duplicates;
                sum.foreign += this.foreign;
                // Each pass meets them again.
                sum.malformed = pass.report.malformed;
                sum.malformed_example = pass.report.malformed_example.take();
                sum.warning = this.warning;
                sum.interrupted = this.interrupted;
                Ok(pass.end(this.interrupted))
            }
            Err(source) => {
                pass.forget();
                Err(Error::of_request(asked.what, source, answered))
            }
        }
    }

    /// Has datagrams end elsewhere than before.
    fn move_ends(&mut self) {
        let len = self.client.buffer_len();
        if self.fresh {
            self.client.set_buffer_len(FIRST_BUFFER);
        } else if len < LAST_BUFFER {
            self.client.set_buffer_len((len + BUFFER_STEP).min(LAST_BUFFER));
        }
        self.fresh = false;
    }

    /// Asks for each socket that the last pass did not tell, and leaves out what is gone.
    fn sort_out(&mut self, asked: &Asked, told: &mut Told, complete: &mut Complete) {
        let mut socket = Socket::new(asked.protocol);
        for index in 0..told.records.len() {
            let Some(record) = told.records.get(index).copied() else { break };
            if record.last_pass == told.passes {
                continue;
            }
            let decoded = told.message(record).map(|message| {
                socket.protocol = asked.protocol;
                inet::decode(&message, self.ecn_layout, &mut socket)
            });
            let life = match decoded {
                Some(Ok(_)) => self.life_of(&socket, asked.states),
                _ => Life::Unknown,
            };
            match life {
                Life::Living => {}
                Life::Unknown => complete.doubtful += 1,
                Life::Gone => {
                    complete.gone += 1;
                    if let Some(record) = told.records.get_mut(index) {
                        record.gone = true;
                    }
                }
            }
        }
    }

    /// What the kernel says of one socket that was told.
    fn life_of(&mut self, socket: &Socket, states: States) -> Life {
        // Asked for with a cookie, TCP says of another socket there what it says of none
        // (inet_diag_find_one_icsk).
        let identity = Identity { cookie: None, ..Identity::of(socket) };
        let connection = socket.protocol == Protocol::TCP && socket.peer.port != 0;
        // What is bound and neither connected nor listening is in no table that is looked up.
        if socket.protocol == Protocol::TCP && socket.state == State::Close {
            return Life::Unknown;
        }
        for _ in 0..ASKED {
            match self.ask(&identity, Extensions::NONE) {
                Ok(Answer::Socket(found)) if found.cookie == socket.cookie => {
                    // In another state it is none of those that were asked for.
                    let asked_for = states.contains(found.state);
                    return if asked_for { Life::Living } else { Life::Gone };
                }
                Ok(Answer::Nobody) => {}
                // No two connections of TCP have the same addresses.
                Ok(Answer::Socket(_) | Answer::Another) if connection => return Life::Gone,
                Ok(Answer::Socket(_) | Answer::Another) | Err(_) => return Life::Unknown,
            }
        }
        Life::Gone
    }
}

/// What is asked for in each pass.
struct Asked {
    what: &'static str,
    request: Request,
    protocol: Protocol,
    states: States,
}

enum Life {
    Living,
    Gone,
    Unknown,
}

/// A socket that some pass told.
#[derive(Debug, Clone, Copy)]
struct Record {
    /// Where its message begins.
    message: usize,
    /// The last pass that told it, counted from 1.
    last_pass: u32,
    gone: bool,
}

/// Everything that the passes told.
#[derive(Debug, Default)]
struct Told {
    /// Messages, each padded to 4 bytes.
    bytes: Vec<u8>,
    records: Vec<Record>,
    /// Indices of the records.
    by_cookie: HashMap<Cookie, usize>,
    /// The same, in the order of the kernel's table.
    order: Vec<usize>,
    passes: u32,
    /// How many the last pass told, and whether it may be compared with the next.
    last: Option<usize>,
}

impl Told {
    fn message(&self, record: Record) -> Option<Message<'_>> {
        Messages::new(self.bytes.get(record.message..)?).next()?.ok()
    }

    fn hand_over(&self, visitor: &mut impl Visit) -> ControlFlow<()> {
        let records = self.order.iter().filter_map(|index| self.records.get(*index));
        let messages =
            records.filter(|record| !record.gone).filter_map(|record| self.message(*record));
        for message in messages {
            visitor.message(&message)?;
        }
        ControlFlow::Continue(())
    }

    /// Adds a message. Gives the index of its record.
    fn hold(&mut self, message: &Message<'_>) -> usize {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(message.header().as_bytes());
        self.bytes.extend_from_slice(message.payload());
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        redact::md5_keys(self.bytes.get_mut(start..).unwrap_or_default());
        self.records.push(Record { message: start, last_pass: 0, gone: false });
        self.records.len() - 1
    }

    /// Puts what a pass told, in its order, into the order of all: what it did not tell stays before
    /// what it preceded.
    fn merge(&mut self, pass: &[usize]) {
        let mut places = vec![None; self.records.len()];
        for (place, index) in self.order.iter().enumerate() {
            if let Some(of) = places.get_mut(*index) {
                *of = Some(place);
            }
        }
        let untold = |index: &&usize| {
            self.records.get(**index).is_some_and(|record| record.last_pass != self.passes)
        };
        let mut merged = Vec::with_capacity(self.records.len());
        let mut next = 0;
        for index in pass {
            if let Some(place) = places.get(*index).copied().flatten()
                && place >= next
            {
                let before = self.order.get(next..place).unwrap_or_default();
                merged.extend(before.iter().filter(untold));
                next = place + 1;
            }
            merged.push(*index);
        }
        merged.extend(self.order.get(next..).unwrap_or_default().iter().filter(untold));
        self.order = merged;
    }
}

/// One pass.
struct Pass<'a> {
    told: &'a mut Told,
    seen: &'a mut Seen,
    /// Where its own messages begin in [`Told::bytes`].
    begin: usize,
    /// Indices of the records of what it told, in its order.
    sockets: Vec<usize>,
    /// A socket came without a cookie, so that nothing tells whether it came before.
    without_cookie: bool,
    report: Report,
}

impl Pass<'_> {
    /// Ends a pass that was read to its end. True if it agrees with the one before it.
    fn end(self, interrupted: bool) -> bool {
        let Pass { told, sockets, without_cookie, report, .. } = self;
        told.passes += 1;
        let mut as_before = told.last == Some(sockets.len());
        for index in &sockets {
            if let Some(record) = told.records.get_mut(*index) {
                as_before &= record.last_pass + 1 == told.passes;
                record.last_pass = told.passes;
            }
        }
        told.merge(&sockets);
        let comparable = !interrupted && !without_cookie && report.duplicates == 0;
        told.last = comparable.then_some(sockets.len());
        as_before && comparable
    }

    /// Forgets what only this pass told.
    fn forget(&mut self) {
        self.told.bytes.truncate(self.begin);
        let known = self.told.records.partition_point(|record| record.message < self.begin);
        self.told.records.truncate(known);
        self.told.by_cookie.retain(|_, index| *index < known);
        self.sockets.clear();
        self.seen.clear();
        self.report = Report::default();
        self.without_cookie = false;
    }
}

impl Visit for Pass<'_> {
    fn message(&mut self, message: &Message<'_>) -> ControlFlow<()> {
        let cookie = match inet::cookie(message) {
            Ok(cookie) => cookie,
            Err(error) => {
                self.report.malformed(&error);
                return ControlFlow::Continue(());
            }
        };
        if cookie.0 == 0 {
            self.without_cookie = true;
            // Those of the first pass are as good as any.
            if self.told.passes == 0 {
                self.sockets.push(self.told.hold(message));
            }
            return ControlFlow::Continue(());
        }
        if !self.seen.insert(cookie) {
            self.report.duplicates += 1;
            return ControlFlow::Continue(());
        }
        let index = match self.told.by_cookie.get(&cookie) {
            Some(index) => *index,
            None => {
                let index = self.told.hold(message);
                self.told.by_cookie.insert(cookie, index);
                index
            }
        };
        self.sockets.push(index);
        ControlFlow::Continue(())
    }

    fn restart(&mut self) {
        self.forget();
    }
}
