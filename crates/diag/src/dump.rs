//! Asking the kernel, and what came of it.

use std::io;
use std::ops::ControlFlow;

use rustix::io::Errno;
use sockeye_model::{EcnLayout, Protocol, Socket};
use sockeye_netlink::{Client, DumpOptions, Message, Outcome, Receive, Request, Visit};

use crate::error::{Error, is};
use crate::held::Ipv6Last;
use crate::inet::{self, DecodeError};
use crate::request::SockId;
use crate::seen::Seen;
use crate::tcp_info::ecn_layout_of_this_kernel;
use crate::{Extensions, Identity, Query, redact};

/// What [`Diag::dump_both`] asks for, in words.
const BOTH: &str = "TCP sockets";

/// The most that [`Diag::dump_ipv4_first`] holds, bytes: more than 100 000 IPv6 sockets with their
/// `tcp_info`.
const HELD_LIMIT: usize = 64 << 20;

/// What receives the sockets of a dump.
pub trait Sockets {
    /// One socket; the record is reused for the next. `Break` ends the dump.
    fn socket(&mut self, socket: &Socket) -> ControlFlow<()>;

    /// The dump begins again: forget the sockets that it brought.
    fn restart(&mut self);
}

/// What is known of a dump that was read to its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Sockets handed over.
    pub sockets: u64,
    /// Sockets that the kernel told twice, by their cookies; handed over once.
    pub duplicates: u64,
    /// The kernel admitted (`NLM_F_DUMP_INTR`) that the table changed meanwhile. TCP and UDP never
    /// admit it.
    pub interrupted: bool,
    /// Answers that could not be decoded, or not wholly.
    pub malformed: u64,
    /// The first of them, in words.
    pub malformed_example: Option<String>,
    /// The visitor ended the dump.
    pub stopped: bool,
    /// Messages that were not the kernel's, or not an answer to this question; left out.
    pub foreign: u64,
    /// What the kernel added to its success, in its words (`NETLINK_EXT_ACK`).
    pub warning: Option<String>,
}

impl Report {
    /// Counts an answer that is not whole.
    pub(crate) fn malformed(&mut self, why: &dyn std::fmt::Display) {
        self.malformed += 1;
        self.malformed_example.get_or_insert_with(|| why.to_string());
    }
}

/// What one walk for both families has told, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "IPv6 may be left"]
pub enum Walk {
    /// All sockets.
    Both(Report),
    /// The IPv4 sockets alone. Those of IPv6 were too many to be held, and none was handed over.
    Ipv4(Report),
}

/// A connection to the kernel's `sock_diag`.
#[derive(Debug)]
pub struct Diag<R: Receive = sockeye_netlink::Socket> {
    pub(crate) client: Client<R>,
    pub(crate) options: DumpOptions,
    pub(crate) ecn_layout: Option<EcnLayout>,
    pub(crate) seen: Seen,
    /// Nothing was received yet.
    pub(crate) fresh: bool,
}

impl Diag {
    /// Opens a socket in the network namespace of the calling thread. Needs no rights; without
    /// CAP_NET_ADMIN, marks and MD5 signatures are not told.
    ///
    /// # Errors
    /// [`Error::Open`].
    pub fn open() -> Result<Diag, Error> {
        let client = Client::open(sockeye_netlink::Protocol::SOCK_DIAG)
            .map_err(|source| Error::Open { source })?;
        Ok(Diag { ecn_layout: ecn_layout_of_this_kernel(), ..Diag::over(client) })
    }
}

impl<R: Receive> Diag<R> {
    /// Speaks over another transport: a scripted kernel in tests.
    pub fn new(transport: R) -> Self {
        Diag::over(Client::new(transport))
    }

    fn over(client: Client<R>) -> Self {
        let (options, seen) = (DumpOptions::default(), Seen::default());
        Diag { client, options, ecn_layout: None, seen, fresh: true }
    }

    /// How often a dump is made again that the kernel flagged as interrupted, at most; 0 at first.
    /// After that its sockets are handed over, with [`Report::interrupted`].
    pub fn set_interrupted_retries(&mut self, retries: u32) {
        self.options.interrupted_retries = retries;
    }

    /// Dumps the sockets of one family (`SOCK_DIAG_BY_FAMILY`, since Linux 3.3).
    ///
    /// # Errors
    /// [`Error::Unsupported`] when the kernel does not know the request or lacks the diag module,
    /// else [`Error::Dump`].
    pub fn dump(&mut self, query: &Query<'_>, sockets: &mut impl Sockets) -> Result<Report, Error> {
        self.run(query.what(), &query.by_family(SockId::ANY), query.protocol, sockets)
    }

    /// Dumps the TCP sockets of both families in one walk (`TCPDIAG_GETSOCK`); the query's family
    /// and protocol play no part. The sockets come mixed, in the order of the hash.
    ///
    /// # Errors
    /// As [`Diag::dump`].
    pub fn dump_both(
        &mut self,
        query: &Query<'_>,
        sockets: &mut impl Sockets,
    ) -> Result<Report, Error> {
        self.run(BOTH, &query.tcpdiag(), Protocol::TCP, sockets)
    }

    /// [`Diag::dump_both`], with the IPv4 sockets before the IPv6 ones; each family in the order in
    /// which [`Diag::dump`] tells it, at the price of one walk.
    ///
    /// The IPv4 sockets are handed over as they come. Those of IPv6 are held until the dump has
    /// ended, up to 64 MiB of the kernel's bytes (124 bytes a socket, 400 with its `tcp_info`). If
    /// there are more, or the dump fails, none of them is handed over.
    ///
    /// # Errors
    /// As [`Diag::dump`].
    pub fn dump_ipv4_first(
        &mut self,
        query: &Query<'_>,
        sockets: &mut impl Sockets,
    ) -> Result<Walk, Error> {
        self.fresh = false;
        self.seen.clear();
        let mut decoder = Decoder::new(Protocol::TCP, self.ecn_layout, &mut self.seen, sockets);
        let mut visitor = Ipv6Last::new(&mut decoder, HELD_LIMIT);
        let mut outcome = self.client.dump(&query.tcpdiag(), self.options, &mut visitor);
        let held = visitor.has_held();
        let mut whole = true;
        if let Ok(outcome) = &mut outcome
            && !outcome.stopped
        {
            let handed;
            (whole, handed) = visitor.hand_over();
            outcome.stopped = handed.is_break();
        }
        let report = decoder.report(BOTH, outcome, held)?;
        Ok(if whole { Walk::Both(report) } else { Walk::Ipv4(report) })
    }

    /// Writes the kernel's datagrams as they come, DONE included: what `TCPDIAG_FILE` and
    /// [`recording::read`](crate::recording::read) read. Keys of MD5 signatures are blanked.
    ///
    /// # Errors
    /// [`Error::Write`], else as [`Diag::dump`]. A dump that the kernel begins again after parts of
    /// it were written is an error, too: what was written cannot be taken back.
    pub fn record(&mut self, query: &Query<'_>, out: &mut impl io::Write) -> Result<Report, Error> {
        self.write(query.what(), &query.by_family(SockId::ANY), out)
    }

    /// [`Diag::record`] of the TCP sockets of both families in one walk, as [`Diag::dump_both`].
    ///
    /// # Errors
    /// As [`Diag::record`].
    pub fn record_both(
        &mut self,
        query: &Query<'_>,
        out: &mut impl io::Write,
    ) -> Result<Report, Error> {
        self.write(BOTH, &query.tcpdiag(), out)
    }

    /// Looks up one socket without a dump: a connection by both its ends, a listener or an
    /// unconnected socket by its own, whatever the number of other sockets. `None` when there is
    /// none with exactly these addresses and ports, or when its cookie is another.
    ///
    /// # Errors
    /// As [`Diag::dump`].
    pub fn lookup(
        &mut self,
        identity: &Identity,
        extensions: Extensions,
    ) -> Result<Option<Socket>, Error> {
        match self.ask(identity, extensions)? {
            Answer::Socket(socket) => Ok(Some(*socket)),
            Answer::Another => Ok(None),
            // The errno of a missing module, too. A dump of no state tells which.
            Answer::Nobody => {
                let none = identity.query(Extensions::NONE);
                self.dump(&none, &mut Nobody).map(|_| None)
            }
        }
    }

    /// Asks for one socket.
    pub(crate) fn ask(
        &mut self,
        identity: &Identity,
        extensions: Extensions,
    ) -> Result<Answer, Error> {
        self.fresh = false;
        let query = identity.query(extensions);
        let (mut socket, mut found) = (Socket::new(identity.protocol), None);
        let answer = self.client.get(&query.by_family(identity.sock_id()), |message| {
            found = Some(inet::decode(message, self.ecn_layout, &mut socket));
        });
        match (answer, found) {
            // sock_diag_check_cookie: the addresses are another socket's now.
            (Err(e), _) if is(&e, Errno::STALE) => Ok(Answer::Another),
            // inet_diag_find_one_icsk, udp_dump_one.
            (Err(e), _) if is(&e, Errno::NOENT) => Ok(Answer::Nobody),
            (Err(source), _) => Err(Error::of_request(query.what(), source, false)),
            (Ok(_), Some(Ok(_))) if identity.names(&socket) => Ok(Answer::Socket(Box::new(socket))),
            (Ok(_), Some(Err(DecodeError::Format(error)))) => {
                Err(Error::Dump { what: query.what(), source: error.into() })
            }
            // Another socket that would take packets for these addresses, such as the listener
            // of a connection that has ended.
            (Ok(_), _) => Ok(Answer::Another),
        }
    }

    fn write(
        &mut self,
        what: &'static str,
        request: &Request,
        out: &mut impl io::Write,
    ) -> Result<Report, Error> {
        self.fresh = false;
        let mut recorder =
            Recorder { out, held: Vec::new(), messages: 0, wrote: false, error: None };
        let outcome = self.client.dump(request, self.options, &mut recorder);
        if outcome.is_ok() || recorder.messages > 0 {
            recorder.write_held();
        }
        let Recorder { messages, error, .. } = recorder;
        if let Some(source) = error {
            return Err(Error::Write { source });
        }
        let outcome = outcome.map_err(|source| Error::of_request(what, source, messages > 0))?;
        Ok(Report { sockets: messages, ..report_of(&outcome) })
    }

    fn run(
        &mut self,
        what: &'static str,
        request: &Request,
        protocol: Protocol,
        sockets: &mut impl Sockets,
    ) -> Result<Report, Error> {
        self.fresh = false;
        self.seen.clear();
        let mut decoder = Decoder::new(protocol, self.ecn_layout, &mut self.seen, sockets);
        let outcome = self.client.dump(request, self.options, &mut decoder);
        decoder.report(what, outcome, false)
    }
}

/// What the kernel says when it is asked for one socket.
pub(crate) enum Answer {
    Socket(Box<Socket>),
    /// The addresses, or what takes packets for them, are another socket's.
    Another,
    /// None there; or the kernel lacks the module.
    Nobody,
}

pub(crate) fn report_of(outcome: &Outcome) -> Report {
    Report {
        interrupted: outcome.interrupted,
        stopped: outcome.stopped,
        foreign: outcome.foreign + outcome.stale,
        warning: outcome.warning.as_ref().map(ToString::to_string),
        ..Report::default()
    }
}

/// Makes sockets of messages.
pub(crate) struct Decoder<'a, S> {
    socket: Socket,
    protocol: Protocol,
    ecn_layout: Option<EcnLayout>,
    seen: &'a mut Seen,
    report: Report,
    sockets: &'a mut S,
}

impl<'a, S: Sockets> Decoder<'a, S> {
    pub(crate) fn new(
        protocol: Protocol,
        ecn_layout: Option<EcnLayout>,
        seen: &'a mut Seen,
        sockets: &'a mut S,
    ) -> Self {
        let socket = Socket::new(protocol);
        Decoder { socket, protocol, ecn_layout, seen, report: Report::default(), sockets }
    }

    /// What came of the messages so far.
    pub(crate) fn into_report(self) -> Report {
        self.report
    }

    /// What came of the dump. `held`: the kernel has told more sockets than were decoded.
    fn report(
        self,
        what: &'static str,
        outcome: sockeye_netlink::Result<Outcome>,
        held: bool,
    ) -> Result<Report, Error> {
        let Report { sockets, duplicates, malformed, malformed_example, .. } = self.report;
        let answered = held || sockets + malformed > 0;
        let outcome = outcome.map_err(|source| Error::of_request(what, source, answered))?;
        Ok(Report { sockets, duplicates, malformed, malformed_example, ..report_of(&outcome) })
    }
}

impl<S: Sockets> Visit for Decoder<'_, S> {
    fn message(&mut self, message: &Message<'_>) -> ControlFlow<()> {
        self.socket.protocol = self.protocol;
        match inet::decode(message, self.ecn_layout, &mut self.socket) {
            Ok(trouble) => {
                if let Some(trouble) = trouble {
                    self.report.malformed(&trouble);
                }
            }
            Err(error) => {
                self.report.malformed(&error);
                return ControlFlow::Continue(());
            }
        }
        if !self.seen.insert(self.socket.cookie) {
            self.report.duplicates += 1;
            return ControlFlow::Continue(());
        }
        self.report.sockets += 1;
        self.sockets.socket(&self.socket)
    }

    fn restart(&mut self) {
        self.seen.clear();
        self.report = Report::default();
        self.sockets.restart();
    }
}

/// A visitor that wants nothing.
struct Nobody;

impl Sockets for Nobody {
    fn socket(&mut self, _: &Socket) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn restart(&mut self) {}
}

/// Writes datagrams on, each when the next one comes: a dump that is refused leaves nothing behind.
struct Recorder<'a, W> {
    out: &'a mut W,
    /// The last datagram, not yet written.
    held: Vec<u8>,
    messages: u64,
    wrote: bool,
    error: Option<io::Error>,
}

impl<W: io::Write> Recorder<'_, W> {
    fn write_held(&mut self) {
        if self.error.is_none() && !self.held.is_empty() {
            self.error = self.out.write_all(&self.held).err();
            self.wrote = true;
        }
        self.held.clear();
    }
}

impl<W: io::Write> Visit for Recorder<'_, W> {
    fn message(&mut self, _: &Message<'_>) -> ControlFlow<()> {
        self.messages += 1;
        match self.error {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    }

    fn datagram(&mut self, bytes: &[u8]) {
        self.write_held();
        self.held.extend_from_slice(bytes);
        self.held.resize(bytes.len().next_multiple_of(4), 0);
        redact::md5_keys(&mut self.held);
    }

    fn restart(&mut self) {
        self.held.clear();
        self.messages = 0;
        if self.wrote {
            self.error.get_or_insert_with(|| {
                io::Error::other("the kernel's dump began again after a part was written")
            });
        }
    }
}
