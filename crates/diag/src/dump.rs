//! Asking the kernel, and what came of it.

use std::io;
use std::ops::ControlFlow;

use sockeye_model::{EcnLayout, Protocol, Socket, States};
use sockeye_netlink::{Client, DumpOptions, Message, Outcome, Receive, Request, Visit};

use crate::error::{Error, is};
use crate::inet::{self, DecodeError};
use crate::request::SockId;
use crate::seen::Seen;
use crate::tcp_info::ecn_layout_of_this_kernel;
use crate::{Extensions, Identity, Query, redact};

/// What [`Diag::dump_both`] asks for, in words.
const BOTH: &str = "TCP sockets";

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
}

impl Report {
    /// Counts an answer that is not whole.
    pub(crate) fn malformed(&mut self, why: &dyn std::fmt::Display) {
        self.malformed += 1;
        self.malformed_example.get_or_insert_with(|| why.to_string());
    }
}

/// A connection to the kernel's `sock_diag`.
#[derive(Debug)]
pub struct Diag<R: Receive = sockeye_netlink::Socket> {
    client: Client<R>,
    ecn_layout: Option<EcnLayout>,
    seen: Seen,
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
        Ok(Diag { client, ecn_layout: ecn_layout_of_this_kernel(), seen: Seen::default() })
    }
}

impl<R: Receive> Diag<R> {
    /// Speaks over another transport: a scripted kernel in tests.
    pub fn new(transport: R) -> Self {
        Diag { client: Client::new(transport), ecn_layout: None, seen: Seen::default() }
    }

    /// Dumps the sockets of one family (`SOCK_DIAG_BY_FAMILY`, since Linux 3.3).
    ///
    /// # Errors
    /// [`Error::Unsupported`] when the kernel does not know the request or lacks the diag module,
    /// else [`Error::Dump`].
    pub fn dump(&mut self, query: &Query, sockets: &mut impl Sockets) -> Result<Report, Error> {
        self.run(query.what(), &query.by_family(SockId::ANY), query.protocol, sockets)
    }

    /// Dumps the TCP sockets of both families in one walk (`TCPDIAG_GETSOCK`); the query's family
    /// and protocol play no part. The sockets come mixed, in the order of the hash.
    ///
    /// # Errors
    /// As [`Diag::dump`].
    pub fn dump_both(
        &mut self,
        query: &Query,
        sockets: &mut impl Sockets,
    ) -> Result<Report, Error> {
        self.run(BOTH, &query.tcpdiag(), Protocol::TCP, sockets)
    }

    /// Writes the kernel's datagrams as they come, DONE included: what `TCPDIAG_FILE` and
    /// [`recording::read`](crate::recording::read) read. Keys of MD5 signatures are blanked.
    ///
    /// # Errors
    /// [`Error::Write`], else as [`Diag::dump`]. A dump that the kernel begins again after parts of
    /// it were written is an error, too: what was written cannot be taken back.
    pub fn record(&mut self, query: &Query, out: &mut impl io::Write) -> Result<Report, Error> {
        self.write(query.what(), &query.by_family(SockId::ANY), out)
    }

    /// [`Diag::record`] of the TCP sockets of both families in one walk, as [`Diag::dump_both`].
    ///
    /// # Errors
    /// As [`Diag::record`].
    pub fn record_both(
        &mut self,
        query: &Query,
        out: &mut impl io::Write,
    ) -> Result<Report, Error> {
        self.write(BOTH, &query.tcpdiag(), out)
    }

    /// Looks up one socket without a dump: a connection by both its ends, a listener by its own,
    /// whatever the number of other sockets. `None` when there is none, or when its cookie is
    /// another.
    ///
    /// # Errors
    /// As [`Diag::dump`].
    pub fn lookup(
        &mut self,
        identity: &Identity,
        extensions: Extensions,
    ) -> Result<Option<Socket>, Error> {
        let query = Query {
            family: identity.family(),
            protocol: identity.protocol,
            states: States::ALL,
            extensions,
        };
        let (mut socket, mut found) = (Socket::new(identity.protocol), None);
        let answer = self.client.get(&query.by_family(identity.sock_id()), |message| {
            found.get_or_insert_with(|| inet::decode(message, self.ecn_layout, &mut socket));
        });
        match (answer, found) {
            // inet_diag_find_one_icsk: none there; sock_diag_check_cookie: another one.
            (Err(e), _) if is(&e, rustix::io::Errno::NOENT) || is(&e, rustix::io::Errno::STALE) => {
                Ok(None)
            }
            (Err(source), _) => Err(Error::of_request(query.what(), source)),
            (Ok(_), Some(Ok(_))) => Ok(Some(socket)),
            (Ok(_), Some(Err(DecodeError::Format(error)))) => {
                Err(Error::Dump { what: query.what(), source: error.into() })
            }
            (Ok(_), Some(Err(DecodeError::Family(_))) | None) => Ok(None),
        }
    }

    fn write(
        &mut self,
        what: &'static str,
        request: &Request,
        out: &mut impl io::Write,
    ) -> Result<Report, Error> {
        let mut recorder = Recorder { out, datagram: Vec::new(), wrote: false, error: None };
        let outcome = self.client.dump(request, DumpOptions::default(), &mut recorder);
        if let Some(source) = recorder.error {
            return Err(Error::Write { source });
        }
        let outcome = outcome.map_err(|source| Error::of_request(what, source))?;
        Ok(Report { sockets: outcome.messages, ..report_of(&outcome) })
    }

    fn run(
        &mut self,
        what: &'static str,
        request: &Request,
        protocol: Protocol,
        sockets: &mut impl Sockets,
    ) -> Result<Report, Error> {
        self.seen.clear();
        let mut decoder = Decoder {
            socket: Socket::new(protocol),
            protocol,
            ecn_layout: self.ecn_layout,
            seen: &mut self.seen,
            report: Report::default(),
            sockets,
        };
        let outcome = self.client.dump(request, DumpOptions::default(), &mut decoder);
        let report = decoder.report;
        let outcome = outcome.map_err(|source| Error::of_request(what, source))?;
        let Report { interrupted, stopped, foreign, .. } = report_of(&outcome);
        Ok(Report { interrupted, stopped, foreign, ..report })
    }
}

fn report_of(outcome: &Outcome) -> Report {
    Report {
        interrupted: outcome.interrupted,
        stopped: outcome.stopped,
        foreign: outcome.foreign + outcome.stale,
        ..Report::default()
    }
}

/// Makes sockets of messages.
struct Decoder<'a, S> {
    socket: Socket,
    protocol: Protocol,
    ecn_layout: Option<EcnLayout>,
    seen: &'a mut Seen,
    report: Report,
    sockets: &'a mut S,
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

/// Writes datagrams on.
struct Recorder<'a, W> {
    out: &'a mut W,
    datagram: Vec<u8>,
    wrote: bool,
    error: Option<io::Error>,
}

impl<W: io::Write> Visit for Recorder<'_, W> {
    fn message(&mut self, _: &Message<'_>) -> ControlFlow<()> {
        match self.error {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    }

    fn datagram(&mut self, bytes: &[u8]) {
        if self.error.is_some() {
            return;
        }
        self.datagram.clear();
        self.datagram.extend_from_slice(bytes);
        self.datagram.resize(bytes.len().next_multiple_of(4), 0);
        redact::md5_keys(&mut self.datagram);
        self.wrote = true;
        self.error = self.out.write_all(&self.datagram).err();
    }

    fn restart(&mut self) {
        if self.wrote {
            self.error.get_or_insert_with(|| {
                io::Error::other("the kernel's dump began again after a part was written")
            });
        }
    }
}
