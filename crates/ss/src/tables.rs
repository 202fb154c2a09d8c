//! Where the rows come from: netlink, a recording, /proc.
//!
//! The ways are tried in `ss`'s order: a recording named by `TCPDIAG_FILE` (TCP only), /proc where
//! the environment points elsewhere, `SOCK_DIAG_BY_FAMILY`, `TCPDIAG_GETSOCK` (TCP only), /proc.
//! Where both families are wanted, `TCPDIAG_GETSOCK` comes before `SOCK_DIAG_BY_FAMILY`: it walks
//! the kernel's table once, and not twice.
//! Unlike `ss`, a way is given up for the next only as long as it has shown nothing of a family, so
//! no row comes twice; and what failed, or is missing, is said. A kernel that only knows one of the
//! two requests has not failed.

use std::fs::{self, File};
use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;

use sockeye_diag::{Diag, Error, Extensions, PASSES, Query, Report, Walk, procnet, recording};
use sockeye_filter::Live;
use sockeye_model::{Family, Protocol, State, States};
use sockeye_netlink::Receive;
use sockeye_netns::Place;

use crate::args::Options;
use crate::complete::{self, Sureness};
use crate::environment::{Lookup, proc_file, proc_root};
use crate::outcome::Outcome;
use crate::print::Print;
use crate::rights::Rights;
use crate::sink::{Sink, Wanted};

/// What to ask for, of which family.
pub(crate) fn query(options: &Options, protocol: Protocol, family: Family) -> Query<'static> {
    let mut extensions = if options.json { Extensions::ALL } else { Extensions::NONE };
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
    // No TCP socket is in the kernel's tables while it is closed (tcp_set_state takes it out first).
    // If it is asked for such, as `ss -l` does, it looks through the whole table of connections.
    let vain = if protocol == Protocol::TCP { States::only(State::Close) } else { States::NONE };
    Query { family, protocol, states: options.states.without(vain), extensions, program: None }
}

/// The families to ask netlink for, in order.
pub(crate) fn families(options: &Options) -> &'static [Family] {
    match options.preferred {
        Some(Family::Inet) => &[Family::Inet],
        Some(Family::Inet6) => &[Family::Inet6],
        None => &[Family::Inet, Family::Inet6],
    }
}

/// Prints the tables that the command line asks for, of the sockets at `place`, in `ss`'s order.
///
/// # Errors
/// Output that cannot be written. Everything else goes to `outcome`.
pub(crate) fn list<P: Print>(
    options: &Options,
    variable: Lookup<'_>,
    place: &Place,
    rows: &mut P,
    outcome: &mut Outcome,
) -> io::Result<()> {
    let mut listing = Listing {
        options,
        variable,
        place,
        rows,
        outcome,
        filter: options.filter.as_ref().map(Live::new),
        rights: Rights::default(),
        sureness: Sureness::default(),
    };
    if options.udp {
        listing.udp()?;
    }
    if options.tcp {
        listing.tcp()?;
    }
    listing.rights.report(options, listing.outcome);
    if listing.filter.as_ref().is_some_and(Live::marks_are_hidden) {
        listing.outcome.incomplete(format_args!(
            "fwmark: the kernel tells marks to those with CAP_NET_ADMIN alone; all count as 0"
        ));
    }
    listing.sureness.report(listing.outcome);
    Ok(())
}

struct Listing<'a, P> {
    options: &'a Options,
    variable: Lookup<'a>,
    place: &'a Place,
    rows: &'a mut P,
    outcome: &'a mut Outcome,
    /// What tests the sockets, and as much of it as the kernel is known to take.
    filter: Option<Live<'a>>,
    /// As the live dumps show them.
    rights: Rights,
    /// `--complete`: of the dumps so far.
    sureness: Sureness,
}

impl<P: Print> Listing<'_, P> {
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
        self.live_netlink(Protocol::UDP)
    }

    fn tcp(&mut self) -> io::Result<()> {
        if self.is_set("TCPDIAG_FILE") {
            return self.recording();
        }
        if self.is_set("PROC_NET_TCP") || self.is_set("PROC_ROOT") {
            return self.proc(Protocol::TCP, self.wanted());
        }
        self.live_netlink(Protocol::TCP)
    }

    fn live_netlink(&mut self, protocol: Protocol) -> io::Result<()> {
        match self.place.run(Diag::open) {
            Ok(opened) => self.netlink(protocol, opened),
            Err(error) => {
                self.outcome.failed(format_args!("{error}"));
                Ok(())
            }
        }
    }

    fn recording(&mut self) -> io::Result<()> {
        let path = (self.variable)("TCPDIAG_FILE").unwrap_or_default();
        let shown = path.to_string_lossy();
        let file = match File::open(&path) {
            // Read in blocks by `recording`, which wipes them.
            Ok(file) => file,
            Err(error) => {
                self.outcome.failed(format_args!("cannot open {shown:?} (TCPDIAG_FILE): {error}"));
                return Ok(());
            }
        };
        if self.options.complete {
            complete::not_of("a recording", self.outcome);
        }
        let mut sink = Sink::new(self.rows, Wanted::BOTH, self.options.filter.as_ref());
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

    /// What netlink tells, or what can be had in its place.
    fn netlink<R: Receive>(
        &mut self,
        protocol: Protocol,
        opened: Result<Diag<R>, Error>,
    ) -> io::Result<()> {
        let mut diag = match opened {
            Ok(diag) => diag,
            Err(error) => return self.proc_instead(protocol, self.wanted(), &error),
        };
        let families = families(self.options);
        if protocol == Protocol::TCP && families.len() > 1 && !self.options.complete {
            self.one_walk(&mut diag)
        } else {
            self.by_family(&mut diag, protocol, families, self.wanted(), true)
        }
    }

    /// `TCPDIAG_GETSOCK` for both families, and a dump by family for what it did not bring. The order of
    /// JSON's lines says nothing, so none is kept there.
    fn one_walk<R: Receive>(&mut self, diag: &mut Diag<R>) -> io::Result<()> {
        let query = query(self.options, Protocol::TCP, Family::Inet);
        let wanted = self.wanted();
        let mut both = false;
        let ordered = !self.options.json;
        let refused = self.filtered(diag, &query, wanted, |diag, query, sink| {
            if !ordered {
                both = true;
                return diag.dump_both(query, sink);
            }
            Ok(match diag.dump_ipv4_first(query, sink)? {
                Walk::Both(report) => {
                    both = true;
                    report
                }
                Walk::Ipv4(report) => report,
            })
        })?;
        match refused {
            None if both => Ok(()),
            None => {
                let wanted = wanted.without(Family::Inet);
                self.by_family(diag, Protocol::TCP, &[Family::Inet6], wanted, false)
            }
            Some(why) => {
                if !why.unsupported() {
                    self.outcome.failed(format_args!("{why}; asking by family"));
                }
                self.by_family(diag, Protocol::TCP, families(self.options), wanted, false)
            }
        }
    }

    /// The dumps of these families; or, where one shows nothing, what can be had in its place.
    /// `older`: `TCPDIAG_GETSOCK` may be tried.
    fn by_family<R: Receive>(
        &mut self,
        diag: &mut Diag<R>,
        protocol: Protocol,
        families: &[Family],
        mut wanted: Wanted,
        older: bool,
    ) -> io::Result<()> {
        for family in families {
            let query = query(self.options, protocol, *family);
            let refused = self.dump(diag, &query, wanted)?;
            match refused {
                None => wanted = wanted.without(*family),
                Some(error) if older && protocol == Protocol::TCP => {
                    return self.older_ways(diag, &query, wanted, &error);
                }
                Some(error) => return self.proc_instead(protocol, wanted, &error),
            }
        }
        Ok(())
    }

    /// The dump of one family, made again with `--complete`.
    fn dump<R: Receive>(
        &mut self,
        diag: &mut Diag<R>,
        query: &Query<'_>,
        wanted: Wanted,
    ) -> io::Result<Option<Error>> {
        if !self.options.complete {
            return self.filtered(diag, query, wanted, |diag, query, sink| diag.dump(query, sink));
        }
        let mut made = None;
        let refused = self.filtered(diag, query, wanted, |diag, query, sink| {
            let complete = diag.dump_complete(query, PASSES, sink)?;
            Ok(made.insert(complete).report.clone())
        })?;
        if let Some(complete) = made {
            self.sureness.take(query.what(), &complete, self.outcome);
        }
        Ok(refused)
    }

    /// Where the dump of one family showed nothing: `TCPDIAG_GETSOCK`, else /proc.
    fn older_ways<R: Receive>(
        &mut self,
        diag: &mut Diag<R>,
        query: &Query<'_>,
        wanted: Wanted,
        why: &Error,
    ) -> io::Result<()> {
        if !why.unsupported() {
            self.outcome.failed(format_args!("{why}; asking by TCPDIAG_GETSOCK"));
        }
        match self.filtered(diag, query, wanted, |diag, query, sink| diag.dump_both(query, sink))? {
            None => {
                if self.options.complete {
                    complete::not_of("TCPDIAG_GETSOCK", self.outcome);
                }
                Ok(())
            }
            Some(error) => self.proc_instead(query.protocol, wanted, &error),
        }
    }

    /// Shows a live dump of what the kernel takes of the filter: with another program once it has refused
    /// one.
    fn filtered<R: Receive>(
        &mut self,
        diag: &mut Diag<R>,
        query: &Query<'_>,
        wanted: Wanted,
        mut dump: impl FnMut(&mut Diag<R>, &Query<'_>, &mut Sink<'_, P>) -> Result<Report, Error>,
    ) -> io::Result<Option<Error>> {
        let Some(mut filter) = self.filter.take() else {
            return self.live(wanted, |sink| dump(diag, query, sink));
        };
        let dumped = filter.dump(diag, query, |diag, query| {
            match self.live(wanted, |sink| dump(diag, query, sink)) {
                Ok(None) => Ok(Ok(())),
                Ok(Some(refused)) => Err(refused),
                Err(unwritten) => Ok(Err(unwritten)),
            }
        });
        self.filter = Some(filter);
        match dumped {
            Ok(written) => written.map(|()| None),
            Err(refused) => Ok(Some(refused)),
        }
    }

    /// Shows a live dump. Hands back why it failed if nothing of it was shown, so that another way
    /// may be tried.
    fn live(
        &mut self,
        wanted: Wanted,
        dump: impl FnOnce(&mut Sink<'_, P>) -> Result<Report, Error>,
    ) -> io::Result<Option<Error>> {
        let mut sink = Sink::new(self.rows, wanted, self.options.filter.as_ref());
        let dumped = dump(&mut sink);
        let Sink { shown, torn, rights, error, .. } = sink;
        if let Some(error) = error {
            return Err(error);
        }
        self.rights.join(rights);
        if torn {
            self.outcome.torn();
        }
        match dumped {
            Ok(report) => report_on(&report, "the kernel", self.outcome),
            Err(error) if shown == 0 && !torn => return Ok(Some(error)),
            Err(error) => self.outcome.failed(format_args!("{error}")),
        }
        Ok(None)
    }

    /// The last resort, and what is lost by it.
    fn proc_instead(&mut self, protocol: Protocol, wanted: Wanted, why: &Error) -> io::Result<()> {
        let lacks = if protocol == Protocol::TCP {
            "most details, bound, inactive sockets and the limits of listeners"
        } else {
            "most details"
        };
        let said = format_args!("{why}; reading /proc/net, which lacks {lacks}");
        if why.unsupported() {
            self.outcome.incomplete(said);
        } else {
            self.outcome.failed(said);
        }
        self.proc(protocol, wanted)
    }

    fn proc(&mut self, protocol: Protocol, wanted: Wanted) -> io::Result<()> {
        if self.options.complete {
            complete::not_of("/proc/net", self.outcome);
        }
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
            let path = proc_net_file(self.place, self.variable, name, path);
            let mut failed = None;
            let filter = self.options.filter.as_ref();
            let each = |line: &procnet::Line| {
                if filter.is_some_and(|filter| !filter.matches(&line.socket)) {
                    return ControlFlow::Continue(());
                }
                match self.rows.line(line, None) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(error) => {
                        failed = Some(error);
                        ControlFlow::Break(())
                    }
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

/// The file of /proc/net that shows the sockets at `place`. /proc/net itself is that of the process's
/// first thread, which is never moved; another thread's, everyone can read.
fn proc_net_file(place: &Place, variable: Lookup<'_>, name: &str, path: &str) -> PathBuf {
    let file = proc_file(variable, name, path);
    if place.is_here() || variable(name).is_some() {
        return file;
    }
    let root = proc_root(variable);
    let link = root.join("thread-self");
    match place.run(move || fs::read_link(link)) {
        Ok(Ok(thread)) => root.join(thread).join(path),
        // A copy of /proc, which has what it has.
        Ok(Err(_)) | Err(_) => file,
    }
}

/// Says what is doubtful about a dump.
pub(crate) fn report_on(report: &Report, source: &str, outcome: &mut Outcome) {
    if let Some(warning) = &report.warning {
        outcome.note(format_args!("{source} adds: {warning}"));
    }
    if report.duplicates > 0 {
        let count = report.duplicates;
        outcome.note(format_args!("{source} told {count} sockets twice; each is shown once"));
    }
    if report.interrupted {
        outcome.incomplete(format_args!(
            "the table changed while {source} listed it: run again, or with --complete"
        ));
    }
    if report.malformed > 0 {
        let (count, example) = (report.malformed, report.malformed_example.as_deref());
        let example = example.unwrap_or("no example was kept");
        outcome.incomplete(format_args!("{count} answers of {source} make no sense: {example}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome;
    use crate::sink::tests::rows;
    use sockeye_filter::{Filter, Reading, Scope, System, Text};
    use sockeye_netlink::Request;
    use sockeye_netlink::scripted::{Reply, Scripted, done, error};
    use std::io::Write;

    /// What a listing made of a scripted kernel: ports, messages, status.
    struct Listed {
        ports: Vec<u16>,
        said: String,
        status: u8,
    }

    /// Lists sockets of a kernel that gives these replies. The files of /proc hold port 22.
    fn listed(protocol: Protocol, flags: fn(&mut Options), replies: &[Reply]) -> Listed {
        let script = replies.iter().cloned().fold(Scripted::new(), Scripted::reply);
        listed_by(protocol, flags, Ok(Diag::new(script)))
    }

    fn listed_by(
        protocol: Protocol,
        flags: fn(&mut Options),
        opened: Result<Diag<Scripted>, Error>,
    ) -> Listed {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let line =
            "0: 0100007F:0016 00000000:0000 0A 0:0 00:00000000 00000000 0 0 5 1 0 100 0 0 10 0";
        writeln!(file, "names\n   {line}").unwrap();
        let path = file.path().to_owned();
        let variable: Lookup<'_> = &|name| {
            let ipv4 = ["PROC_NET_TCP", "PROC_NET_UDP"].contains(&name);
            Some(if ipv4 { path.clone().into() } else { "/nonexistent".into() })
        };
        let mut options =
            Options { states: States::ALL, ipv4: true, ipv6: true, ..Options::default() };
        flags(&mut options);
        let (mut out, mut outcome, mut said) = (Vec::new(), Outcome::default(), Vec::new());
        let mut rows = rows(&mut out);
        let mut listing = Listing {
            options: &options,
            variable,
            place: &Place::here(),
            rows: &mut rows,
            outcome: &mut outcome,
            filter: options.filter.as_ref().map(Live::new),
            rights: Rights::default(),
            sureness: Sureness::default(),
        };
        listing.netlink(protocol, opened).unwrap();
        listing.rights.report(&options, listing.outcome);
        listing.sureness.report(listing.outcome);
        rows.columns.finish().unwrap();
        let status = outcome.finish("ss", &mut said);
        let text = String::from_utf8(out).unwrap();
        let port = |row: &str| row.split_whitespace().nth(4)?.rsplit(':').next()?.parse().ok();
        let ports = text.lines().filter_map(port).collect();
        Listed { ports, said: String::from_utf8(said).unwrap(), status }
    }

    /// `struct inet_diag_msg` of a listener.
    fn listener(port: u16) -> Request {
        socket(2, port)
    }

    /// The same of another family.
    fn socket(family: u8, port: u16) -> Request {
        let [high, low] = port.to_be_bytes();
        let mut head = [0u8; 72];
        head[..2].copy_from_slice(&[family, 10]);
        head[4..6].copy_from_slice(&[high, low]);
        Request::new(20).body(&head)
    }

    /// A whole dump of one listener, or of none.
    fn dump(port: Option<u16>) -> Reply {
        Reply::new().datagram(port.map(listener).into_iter().chain([done(0)]))
    }

    const EINVAL: i32 = 22;
    const ENOENT: i32 = 2;
    const EIO: i32 = 5;
    const EACCES: i32 = 13;

    fn refusal(errno: i32) -> Reply {
        Reply::new().datagram([error(errno)])
    }

    fn ipv4_alone(options: &mut Options) {
        (options.preferred, options.ipv6) = (Some(Family::Inet), false);
    }

    #[test]
    fn one_walk_tells_of_both_families_ipv4_first() {
        let walk = [(10, 1), (2, 2), (10, 3), (2, 4)].map(|(family, port)| socket(family, port));
        let reply = Reply::new().datagram(walk.into_iter().chain([done(0)]));
        let listed = listed(Protocol::TCP, |_| {}, &[reply]);
        assert_eq!((listed.ports, listed.status), (vec![2, 4, 1, 3], outcome::DONE));
        assert_eq!(listed.said, "");
    }

    #[test]
    fn a_kernel_that_knows_one_request_is_asked_that_one_quietly() {
        let replies = [refusal(ENOENT), dump(Some(80)), dump(None)];
        let both = listed(Protocol::TCP, |_| {}, &replies);
        assert_eq!((both.ports, both.status, both.said), (vec![80], outcome::DONE, String::new()));
        let one = listed(Protocol::TCP, ipv4_alone, &replies[..2]);
        assert_eq!((one.ports, one.status, one.said), (vec![80], outcome::DONE, String::new()));
    }

    #[test]
    fn a_failure_that_another_way_makes_up_for_is_said_and_stays_a_failure() {
        let replies = [refusal(EACCES), dump(Some(80)), dump(None)];
        for (flags, count, way) in [
            ((|_| {}) as fn(&mut Options), 3, "asking by family"),
            (ipv4_alone, 2, "asking by TCPDIAG_GETSOCK"),
        ] {
            let listed = listed(Protocol::TCP, flags, &replies[..count]);
            assert_eq!((listed.ports, listed.status), (vec![80], outcome::FAILED));
            assert!(listed.said.contains("Permission denied"), "{}", listed.said);
            assert!(listed.said.contains(way), "{}", listed.said);
        }
    }

    fn filter_by(options: &mut Options, text: &str) {
        let text = Text::new().argument(text.as_bytes());
        let filter = Filter::parse(&text, Scope::new(Reading::Ss), &mut System::default());
        options.filter = filter.unwrap();
    }

    /// Sockets bound to no interface: the kernel's instruction for that is of 4.8.
    fn of_no_interface(options: &mut Options) {
        filter_by(options, "dev 0 and sport != 81");
    }

    #[test]
    fn an_instruction_that_the_kernel_refuses_is_left_to_user_space() {
        let walk = || Reply::new().datagram([listener(80), listener(81), done(0)]);
        // The program is refused; DEV_COND alone is, S_EQ is not; and the rest is taken.
        let replies = [refusal(EINVAL), refusal(EINVAL), dump(None), walk()];
        let listed = listed(Protocol::TCP, of_no_interface, &replies);
        assert_eq!((listed.ports, listed.status), (vec![80], outcome::DONE));
        assert_eq!(listed.said, "");
    }

    #[test]
    fn a_kernel_that_refuses_every_program_gets_none() {
        let walk = || Reply::new().datagram([listener(80), listener(81), done(0)]);
        let refused = [refusal(EINVAL), refusal(EINVAL), dump(None), refusal(EINVAL)];
        let replies: Vec<_> = refused.into_iter().chain([walk()]).collect();
        let listed = listed(Protocol::TCP, of_no_interface, &replies);
        assert_eq!((listed.ports, listed.status), (vec![80], outcome::DONE));
    }

    #[test]
    fn what_proc_tells_is_filtered_too() {
        let refused = [refusal(ENOENT), refusal(ENOENT)];
        let shown = |listed: Listed| listed.ports;
        assert_eq!(shown(listed(Protocol::TCP, of_no_interface, &refused)), [22]);
        let none = |options: &mut Options| filter_by(options, "sport = 80");
        assert!(shown(listed(Protocol::TCP, none, &refused)).is_empty());
    }

    #[test]
    fn what_one_walk_could_not_hold_is_dumped_by_family() {
        // 64 MiB and a little more, in messages of 32 KB.
        let large = socket(10, 1).attr(20, &vec![0; 32_000]);
        let walk = (0..2100).fold(Reply::new(), |reply, _| reply.datagram([large.clone()]));
        let walk = walk.datagram([socket(2, 80), done(0)]);
        let ipv6 = Reply::new().datagram([socket(10, 81), done(0)]);
        let listed = listed(Protocol::TCP, |_| {}, &[walk, ipv6]);
        assert_eq!((listed.ports, listed.status), (vec![80, 81], outcome::DONE));
        assert_eq!(listed.said, "");
    }

    #[test]
    fn proc_is_the_last_resort_and_what_it_lacks_is_said() {
        let refused = [refusal(ENOENT), refusal(ENOENT)];
        let tcp = listed(Protocol::TCP, |_| {}, &refused);
        assert_eq!((tcp.ports, tcp.status), (vec![22], outcome::INCOMPLETE));
        assert!(tcp.said.contains("reading /proc/net, which lacks"), "{}", tcp.said);
        assert!(tcp.said.contains("limits of listeners"), "{}", tcp.said);
        let udp = listed(Protocol::UDP, |_| {}, &refused[..1]);
        assert_eq!((udp.ports, udp.status), (vec![22], outcome::INCOMPLETE));
        assert!(!udp.said.contains("listeners"), "{}", udp.said);
    }

    #[test]
    fn a_failure_before_proc_is_said_and_stays_a_failure() {
        let both = listed(Protocol::TCP, |_| {}, &[refusal(EACCES), refusal(ENOENT)]);
        assert_eq!((both.ports, both.status), (vec![22], outcome::FAILED));
        assert!(both.said.contains("Permission denied"), "{}", both.said);
        assert!(both.said.contains("reading /proc/net"), "{}", both.said);
        let udp = listed(Protocol::UDP, |_| {}, &[refusal(EACCES)]);
        assert_eq!((udp.ports, udp.status), (vec![22], outcome::FAILED));
        assert!(udp.said.contains("Permission denied"), "{}", udp.said);
    }

    #[test]
    fn without_a_netlink_socket_proc_is_read() {
        for (errno, status) in [(93, outcome::INCOMPLETE), (EACCES, outcome::FAILED)] {
            let source = io::Error::from_raw_os_error(errno);
            let protocol = sockeye_netlink::Protocol::SOCK_DIAG;
            let source = sockeye_netlink::Error::Open { protocol, source };
            let listed = listed_by(Protocol::TCP, |_| {}, Err(Error::Open { source }));
            assert_eq!((listed.ports, listed.status), (vec![22], status));
            assert!(listed.said.contains("reading /proc/net"), "{}", listed.said);
        }
    }

    #[test]
    fn once_rows_were_shown_no_other_way_is_tried() {
        let cut = Reply::new().datagram([socket(10, 1), listener(80)]).errno(EIO);
        let ipv6 = Reply::new().datagram([listener(81), socket(10, 2), done(0)]);
        let listed = listed(Protocol::TCP, |_| {}, &[cut, ipv6]);
        // The second reply was that to the dump of IPv6, in which no IPv4 socket is shown; and what
        // the first one had held is not shown twice.
        assert_eq!((listed.ports, listed.status), (vec![80, 2], outcome::FAILED));
        assert!(!listed.said.contains("reading /proc/net"), "{}", listed.said);
    }

    #[test]
    fn without_an_order_one_walk_brings_both_families() {
        let json = |options: &mut Options| options.json = true;
        let one = listed(Protocol::TCP, json, &[dump(Some(80))]);
        assert_eq!((one.ports, one.status), (vec![80], outcome::DONE));
        // Refused, it is a dump for each family, and nothing is missing.
        let refused = listed(Protocol::TCP, json, &[refusal(ENOENT), dump(Some(80)), dump(None)]);
        assert_eq!((refused.ports, refused.status), (vec![80], outcome::DONE));
        let failed = listed(Protocol::TCP, json, &[refusal(EACCES), dump(Some(80)), dump(None)]);
        assert_eq!((failed.ports, failed.status), (vec![80], outcome::FAILED));
        assert!(failed.said.contains("asking by family"), "{}", failed.said);
        // UDP has no such request.
        let udp = listed(Protocol::UDP, json, &[dump(Some(53)), dump(None)]);
        assert_eq!((udp.ports, udp.status), (vec![53], outcome::DONE));
    }

    #[test]
    fn closed_sockets_are_asked_for_where_the_kernel_has_them() {
        let options = Options { states: crate::states::LISTENING, ..Options::default() };
        let states = |protocol| query(&options, protocol, Family::Inet).states;
        assert_eq!(states(Protocol::UDP), crate::states::LISTENING);
        assert_eq!(states(Protocol::TCP), States::only(State::Listen));
    }

    #[test]
    fn rights_that_are_missing_are_told_of_live_dumps() {
        let both = |options: &mut Options| (options.details, options.tcp_info) = (true, true);
        let shown = listed(Protocol::TCP, both, &[dump(Some(80)), dump(None)]);
        assert_eq!(shown.status, outcome::DONE);
        assert!(shown.said.contains("fwmark (-e) and md5keys (-i)"), "{}", shown.said);
        assert_eq!(listed(Protocol::TCP, |_| {}, &[dump(Some(80)), dump(None)]).said, "");
        assert_eq!(listed(Protocol::TCP, both, &[dump(None), dump(None)]).said, "");
        // Not of /proc.
        let proc = listed(Protocol::UDP, both, &[refusal(ENOENT)]);
        assert!(!proc.said.contains("fwmark"), "{}", proc.said);
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
        let (status, text) = said(|report| report.warning = Some("deprecated".to_owned()));
        assert_eq!(status, outcome::DONE);
        assert_eq!(text, "ss: the kernel adds: deprecated\n");
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
        assert_eq!(extensions(|options| options.json = true), 0xff);
    }
}
