//! Where the rows come from: netlink, a recording, /proc.
//!
//! The ways are tried in `ss`'s order: a recording named by `TCPDIAG_FILE` (TCP only), /proc where
//! the environment points elsewhere, `SOCK_DIAG_BY_FAMILY`, `TCPDIAG_GETSOCK` (TCP only), /proc.
//! Unlike `ss`, a way is given up for the next only as long as it has shown nothing, so no row
//! comes twice; and what failed, or is missing, is said.

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::ops::ControlFlow;

use sockeye_diag::{Diag, Extensions, Query, Report, Sockets, procnet, recording};
use sockeye_model::{Family, Protocol, Socket};

use crate::args::Options;
use crate::columns::Mark;
use crate::environment::{Lookup, proc_file};
use crate::inet::Rows;
use crate::outcome::Outcome;

/// What to ask for, of which family.
fn query(options: &Options, protocol: Protocol, family: Family) -> Query {
    let mut extensions = Extensions::NONE;
    if options.memory {
        extensions = extensions.with(Extensions::MEMINFO).with(Extensions::SKMEMINFO);
    }
    if options.tcp_info {
        let more = Extensions::INFO.with(Extensions::VEGASINFO).with(Extensions::CONG);
        extensions = extensions.with(more);
    }
    if options.tos {
        extensions = extensions.with(Extensions::TOS).with(Extensions::TCLASS);
    }
    Query { family, protocol, states: options.states, extensions }
}

/// The families to ask netlink for, in order.
fn families(options: &Options) -> &'static [Family] {
    match options.preferred {
        Some(Family::Inet) => &[Family::Inet],
        Some(Family::Inet6) => &[Family::Inet6],
        None => &[Family::Inet, Family::Inet6],
    }
}

/// Families whose rows are wanted.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    ipv4: bool,
    ipv6: bool,
}

impl Wanted {
    const BOTH: Wanted = Wanted { ipv4: true, ipv6: true };

    fn has(self, family: Family) -> bool {
        match family {
            Family::Inet => self.ipv4,
            Family::Inet6 => self.ipv6,
        }
    }

    fn without(self, family: Family) -> Wanted {
        match family {
            Family::Inet => Wanted { ipv4: false, ..self },
            Family::Inet6 => Wanted { ipv6: false, ..self },
        }
    }
}

/// The rows of one dump.
struct Sink<'a, W> {
    rows: &'a mut Rows<W>,
    wanted: Wanted,
    /// Before the dump's first row.
    mark: Mark,
    shown: u64,
    /// The dump began again when some of its rows had been written.
    torn: bool,
    error: Option<io::Error>,
}

impl<'a, W: Write> Sink<'a, W> {
    fn new(rows: &'a mut Rows<W>, wanted: Wanted) -> Self {
        let mark = rows.columns.mark();
        Sink { rows, wanted, mark, shown: 0, torn: false, error: None }
    }
}

impl<W: Write> Sockets for Sink<'_, W> {
    fn socket(&mut self, socket: &Socket) -> ControlFlow<()> {
        if !self.wanted.has(socket.family) {
            return ControlFlow::Continue(());
        }
        self.shown += 1;
        match self.rows.socket(socket) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.error = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    fn restart(&mut self) {
        self.shown = 0;
        if !self.rows.columns.set_back(&self.mark) {
            self.torn = true;
            self.mark = self.rows.columns.mark();
        }
    }
}

/// Prints the tables that the command line asks for, in `ss`'s order.
///
/// # Errors
/// Output that cannot be written. Everything else goes to `outcome`.
pub(crate) fn list<W: Write>(
    options: &Options,
    variable: Lookup<'_>,
    rows: &mut Rows<W>,
    outcome: &mut Outcome,
) -> io::Result<()> {
    let mut listing = Listing { options, variable, rows, outcome };
    if options.udp {
        listing.udp()?;
    }
    if options.tcp {
        listing.tcp()?;
    }
    Ok(())
}

struct Listing<'a, W> {
    options: &'a Options,
    variable: Lookup<'a>,
    rows: &'a mut Rows<W>,
    outcome: &'a mut Outcome,
}

impl<W: Write> Listing<'_, W> {
    fn wanted(&self) -> Wanted {
        Wanted { ipv4: self.options.ipv4, ipv6: self.options.ipv6 }
    }

    fn is_set(&self, name: &str) -> bool {
        (self.variable)(name).is_some()
    }

    fn udp(&mut self) -> io::Result<()> {
        if self.is_set("PROC_NET_UDP") || self.is_set("PROC_ROOT") {
            return self.proc(Protocol::UDP, self.wanted());
        }
        self.netlink(Protocol::UDP)
    }

    fn tcp(&mut self) -> io::Result<()> {
        if self.is_set("TCPDIAG_FILE") {
            return self.recording();
        }
        if self.is_set("PROC_NET_TCP") || self.is_set("PROC_ROOT") {
            return self.proc(Protocol::TCP, self.wanted());
        }
        self.netlink(Protocol::TCP)
    }

    fn recording(&mut self) -> io::Result<()> {
        let path = (self.variable)("TCPDIAG_FILE").unwrap_or_default();
        let shown = path.to_string_lossy();
        let file = match File::open(&path) {
            Ok(file) => BufReader::new(file),
            Err(error) => {
                self.outcome.failed(format_args!("cannot open {shown:?} (TCPDIAG_FILE): {error}"));
                return Ok(());
            }
        };
        let mut sink = Sink::new(self.rows, Wanted::BOTH);
        let read = recording::read(file, &mut sink);
        if let Some(error) = sink.error {
            return Err(error);
        }
        match read {
            Ok(report) => report_on(&report, "the recording", self.outcome),
            Err(error) => self.outcome.failed(format_args!("{shown:?} (TCPDIAG_FILE): {error}")),
        }
        Ok(())
    }

    fn netlink(&mut self, protocol: Protocol) -> io::Result<()> {
        let mut wanted = self.wanted();
        let mut diag = match Diag::open() {
            Ok(diag) => diag,
            Err(error) => return self.proc_instead(protocol, wanted, &error),
        };
        for family in families(self.options) {
            let query = query(self.options, protocol, *family);
            let mut sink = Sink::new(self.rows, wanted);
            let dumped = diag.dump(&query, &mut sink);
            let Sink { shown, torn, error, .. } = sink;
            if let Some(error) = error {
                return Err(error);
            }
            if torn {
                self.outcome.torn();
            }
            match dumped {
                Ok(report) => report_on(&report, "the kernel", self.outcome),
                Err(error) if shown == 0 && !torn => {
                    if protocol != Protocol::TCP {
                        return self.proc_instead(protocol, wanted, &error);
                    }
                    return self.older_ways(&mut diag, &query, wanted);
                }
                Err(error) => self.outcome.failed(format_args!("{error}")),
            }
            wanted = wanted.without(*family);
        }
        Ok(())
    }

    /// `TCPDIAG_GETSOCK` for the families not shown yet, else /proc.
    fn older_ways(&mut self, diag: &mut Diag, query: &Query, wanted: Wanted) -> io::Result<()> {
        let mut sink = Sink::new(self.rows, wanted);
        let dumped = diag.dump_both(query, &mut sink);
        let Sink { shown, torn, error, .. } = sink;
        if let Some(error) = error {
            return Err(error);
        }
        if torn {
            self.outcome.torn();
        }
        match dumped {
            Ok(report) => report_on(&report, "the kernel", self.outcome),
            Err(error) if shown == 0 && !torn => {
                return self.proc_instead(query.protocol, wanted, &error);
            }
            Err(error) => self.outcome.failed(format_args!("{error}")),
        }
        Ok(())
    }

    fn proc_instead(
        &mut self,
        protocol: Protocol,
        wanted: Wanted,
        why: &sockeye_diag::Error,
    ) -> io::Result<()> {
        let said = format_args!("{why}; reading /proc/net, which tells less");
        if why.unsupported() {
            self.outcome.note(said);
        } else {
            self.outcome.incomplete(said);
        }
        self.proc(protocol, wanted)
    }

    fn proc(&mut self, protocol: Protocol, wanted: Wanted) -> io::Result<()> {
        let udp = protocol == Protocol::UDP;
        let files = if udp {
            [("PROC_NET_UDP", "net/udp"), ("PROC_NET_UDP6", "net/udp6")]
        } else {
            [("PROC_NET_TCP", "net/tcp"), ("PROC_NET_TCP6", "net/tcp6")]
        };
        for (family, (name, path)) in [Family::Inet, Family::Inet6].into_iter().zip(files) {
            if !wanted.has(family) {
                continue;
            }
            let path = proc_file(self.variable, name, path);
            let mut failed = None;
            let each = |line: &procnet::Line| match self.rows.line(line) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            };
            let states = self.options.states;
            let read = if udp {
                procnet::read_udp(&path, family, states, each)
            } else {
                procnet::read_tcp(&path, family, states, each)
            };
            if let Some(error) = failed {
                return Err(error);
            }
            match read {
                Ok(read) if read.malformed > 0 => {
                    let (count, path) = (read.malformed, path.display());
                    self.outcome.incomplete(format_args!("{path}: {count} lines make no sense"));
                }
                Ok(_) => {}
                // A kernel without IPv6 has no such file.
                Err(error)
                    if family == Family::Inet6
                        && error.source.kind() == io::ErrorKind::NotFound => {}
                Err(error) => self.outcome.failed(format_args!("{error}")),
            }
        }
        Ok(())
    }
}

/// Says what is doubtful about a dump.
fn report_on(report: &Report, source: &str, outcome: &mut Outcome) {
    if report.duplicates > 0 {
        let count = report.duplicates;
        outcome.note(format_args!("{source} told {count} sockets twice; each is shown once"));
    }
    if report.interrupted {
        outcome.incomplete(format_args!("the table changed while {source} listed it: run again"));
    }
    if report.malformed > 0 {
        let (count, example) = (report.malformed, report.malformed_example.as_deref());
        let example = example.unwrap_or("no example was kept");
        outcome.incomplete(format_args!("{count} answers of {source} make no sense: {example}"));
    }
}

/// `-D`: writes TCP's answers as they come.
pub(crate) fn record(
    options: &Options,
    out: &mut dyn Write,
    outcome: &mut Outcome,
) -> io::Result<()> {
    let path = options.dump.clone().unwrap_or_default();
    let shown = path.to_string_lossy();
    // Any name that begins so, as in `ss`.
    if path.as_encoded_bytes().starts_with(b"-") {
        return record_to(options, out, outcome);
    }
    let written = File::create(&path).and_then(|mut file| record_to(options, &mut file, outcome));
    if let Err(error) = written {
        outcome.failed(format_args!("cannot write {shown:?}: {error}"));
    }
    Ok(())
}

fn record_to(options: &Options, out: &mut dyn Write, outcome: &mut Outcome) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    match record_families(options, &mut out, outcome) {
        Ok(()) => out.flush(),
        Err(sockeye_diag::Error::Write { source }) => Err(source),
        Err(error) => {
            outcome.failed(format_args!("{error}"));
            out.flush()
        }
    }
}

fn record_families(
    options: &Options,
    out: &mut impl Write,
    outcome: &mut Outcome,
) -> Result<(), sockeye_diag::Error> {
    let mut diag = Diag::open()?;
    for (index, family) in families(options).iter().enumerate() {
        let query = query(options, Protocol::TCP, *family);
        match diag.record(&query, out) {
            Ok(report) => report_on(&report, "the kernel", outcome),
            // A kernel before 3.3: both families at once.
            Err(error) if error.unsupported() && index == 0 => {
                report_on(&diag.record_both(&query, out)?, "the kernel", outcome);
                break;
            }
            // A kernel without IPv6 has no such sockets.
            Err(error) if error.unsupported() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::{Columns, Hidden};
    use crate::escape::Escape;
    use crate::inet::Shown;
    use crate::outcome;
    use crate::resolve::Names;
    use crate::tcp::Style;
    use crate::version::Version;

    fn rows(out: &mut Vec<u8>) -> Rows<&mut Vec<u8>> {
        let (version, escape) = (Version::V7_1, Escape::Never);
        Rows {
            columns: Columns::new(out, version, Hidden::default(), None),
            names: Names::new(true, false, escape, &|_| None),
            shown: Shown {
                details: false,
                memory: false,
                tcp_info: false,
                tos: false,
                cgroup: false,
                sockopt: false,
                oneline: false,
                style: Style { version, numeric: true, options: false, escape },
            },
        }
    }

    fn socket(family: Family, port: u16) -> Socket {
        let mut socket = Socket::new(Protocol::TCP);
        socket.family = family;
        socket.local.port = port;
        socket
    }

    #[test]
    fn a_dump_that_begins_again_shows_its_rows_once() {
        let mut out = Vec::new();
        let mut rows = rows(&mut out);
        rows.socket(&socket(Family::Inet, 1)).unwrap();
        let mut sink = Sink::new(&mut rows, Wanted::BOTH);
        for port in [2, 3] {
            assert!(sink.socket(&socket(Family::Inet, port)).is_continue());
        }
        sink.restart();
        for port in [4, 5] {
            assert!(sink.socket(&socket(Family::Inet, port)).is_continue());
        }
        assert_eq!((sink.shown, sink.torn), (2, false));
        rows.columns.finish().unwrap();
        let text = String::from_utf8(out).unwrap();
        let ports: Vec<_> = text
            .lines()
            .filter_map(|line| line.split_whitespace().nth(4)?.strip_prefix("0.0.0.0:"))
            .collect();
        assert_eq!(ports, ["1", "4", "5"]);
    }

    #[test]
    fn an_unwanted_family_is_not_shown() {
        let mut out = Vec::new();
        let mut rows = rows(&mut out);
        let mut sink = Sink::new(&mut rows, Wanted::BOTH.without(Family::Inet));
        assert!(sink.socket(&socket(Family::Inet, 1)).is_continue());
        assert_eq!(sink.shown, 0);
        assert!(sink.socket(&socket(Family::Inet6, 1)).is_continue());
        assert_eq!(sink.shown, 1);
    }

    #[test]
    fn what_a_dump_left_open_is_said() {
        let said = |change: fn(&mut Report)| {
            let (mut report, mut outcome) = (Report::default(), Outcome::default());
            change(&mut report);
            report_on(&report, "the kernel", &mut outcome);
            let mut said = Vec::new();
            let status = outcome.finish("ss", &mut said);
            (status, String::from_utf8(said).unwrap())
        };
        assert_eq!(said(|_| {}), (outcome::DONE, String::new()));
        let (status, text) = said(|report| report.duplicates = 7);
        assert_eq!(status, outcome::DONE);
        assert!(text.contains("7 sockets twice"), "{text}");
        let (status, text) = said(|report| report.interrupted = true);
        assert_eq!(status, outcome::INCOMPLETE);
        assert!(text.contains("changed"), "{text}");
        let (status, text) = said(|report| report.malformed = 1);
        assert_eq!(status, outcome::INCOMPLETE);
        assert!(text.contains("make no sense"), "{text}");
    }

    #[test]
    fn the_request_has_the_extensions_that_are_shown() {
        let extensions = |change: fn(&mut Options)| {
            let mut options = Options::default();
            change(&mut options);
            query(&options, Protocol::TCP, Family::Inet).extensions.0
        };
        // The masks are those of ss.
        assert_eq!(extensions(|_| {}), 0);
        assert_eq!(extensions(|options| options.tcp_info = true), 0x0e);
        assert_eq!(extensions(|options| options.memory = true), 0x41);
        assert_eq!(extensions(|options| options.tos = true), 0x30);
    }
}
