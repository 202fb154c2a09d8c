//! The command line: what was written, and what it comes to.
//!
//! The grammar is that of C's `getopt_long`: letters in clusters, long flags cut short as long as
//! they stay unambiguous, flags behind operands unless `POSIXLY_CORRECT` is set, `--` before
//! operands. The order of flags matters where it does in `ss`.

use std::ffi::OsString;

use lexopt::Arg;
use sockeye_filter::{AddressFamily, Filter, Services};
use sockeye_model::{Family, State, States};
use sockeye_netns::Choice;

use crate::environment::{Lookup, named_file};
use crate::flags::{Does, FLAGS, Flag};
use crate::selection::{Selection, Table};
use crate::states;
use crate::version::Version;

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    Help(Version),
    ShowVersion(Version),
    List(Box<Options>),
}

/// Sockets to be listed, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Options {
    pub(crate) version: Version,
    pub(crate) tcp: bool,
    pub(crate) udp: bool,
    /// More tables would be shown by `ss`: which, in words.
    pub(crate) missing_tables: Option<String>,
    /// One table is shown, so that the rows need not tell theirs.
    pub(crate) one_table: bool,
    pub(crate) states: States,
    /// Families whose sockets are shown.
    pub(crate) ipv4: bool,
    pub(crate) ipv6: bool,
    /// The only family asked for by netlink; of `-4` and `-6`, the last.
    pub(crate) preferred: Option<Family>,
    pub(crate) numeric: bool,
    pub(crate) resolve: bool,
    pub(crate) options: bool,
    pub(crate) details: bool,
    pub(crate) memory: bool,
    pub(crate) tcp_info: bool,
    pub(crate) processes: bool,
    pub(crate) threads: bool,
    /// How often contexts of processes, and of sockets, were asked for.
    pub(crate) process_contexts: u32,
    pub(crate) socket_contexts: u32,
    pub(crate) tos: bool,
    pub(crate) cgroup: bool,
    pub(crate) sockopt: bool,
    pub(crate) no_header: bool,
    pub(crate) no_queues: bool,
    pub(crate) oneline: bool,
    /// `--json`: everything that is known, whatever else is asked for.
    pub(crate) json: bool,
    /// `--complete`
    pub(crate) complete: bool,
    /// `-K`
    pub(crate) kill: bool,
    /// `-E`
    pub(crate) events: bool,
    /// Of `-E`: size of the receive buffer in place of the usual one, bytes.
    pub(crate) event_buffer: Option<usize>,
    /// States were chosen by name.
    pub(crate) states_named: bool,
    /// `-D`
    pub(crate) dump: Option<OsString>,
    /// `-N`, `--netns`, `--all-netns`
    pub(crate) netns: Choice,
    /// What was chosen, for the filter to narrow.
    pub(crate) selection: Selection,
    /// The words of the filter.
    pub(crate) expression: Vec<OsString>,
    /// `-F`
    pub(crate) filter_file: Option<OsString>,
    /// `--explain-filter`: what runs where, and no socket.
    pub(crate) explain: bool,
    /// As `expression` and `filter_file` were read, by [`crate::expression::read`].
    pub(crate) filter: Option<Filter>,
}

impl Options {
    /// Whether the owners of sockets are looked for. In a release with a column of their own, that
    /// column is there with `-p` alone.
    pub(crate) fn shows_owners(&self) -> bool {
        let more = self.threads || self.process_contexts > 0;
        self.processes || more && (self.json || !self.version.has_process_column())
    }

    /// Tables and families, as they are chosen now.
    pub(crate) fn choose(&mut self) {
        let shown = self.selection.shown(self.version);
        (self.tcp, self.udp) = (shown.has(Table::Tcp), shown.has(Table::Udp));
        self.missing_tables = shown.missing();
        self.ipv4 = self.selection.has(AddressFamily::Inet);
        self.ipv6 = self.selection.has(AddressFamily::Inet6);
        self.preferred = self.selection.last_family.and_then(AddressFamily::internet);
        self.one_table = self.selection.is_one_table();
    }

    /// Whose names of services a filter may use.
    pub(crate) fn services(&self) -> Services {
        let tables = self.selection.tables;
        Services { tcp: tables.has(Table::Tcp), udp: tables.has(Table::Udp) }
    }
}

/// Wrong usage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UsageError {
    #[error("{0} is no flag of iproute2-{version}'s ss: see --help", version = .1.number())]
    Unknown(String, Version),
    #[error("--{0} may mean {1}: write more of it")]
    Ambiguous(String, String),
    #[error("{0} ({1}) is not available in this version of sockeye")]
    Later(String, &'static str),
    #[error("{0}")]
    Grammar(String),
    #[error("no iproute2 version {0:?} is known here: {from} takes 6.1 or 7.1", from = .1)]
    Version(OsString, &'static str),
    #[error("`{0}` wants the name of a state behind it")]
    NoState(&'static str),
    #[error("{0:?} is no state: see --help for their names")]
    State(OsString),
    #[error(
        "{0:?} is no address family: inet, inet6, link, unix, netlink, tipc, vsock and xdp are"
    )]
    Family(OsString),
    #[error("{0:?} is no table of iproute2-{version}'s ss: see --help", version = .1.number())]
    Table(String, Version),
    #[error("no table of sockets is left to show")]
    NoTables,
    #[error("{0} sockets are not available in this version of sockeye")]
    MissingTables(String),
    #[error("-F was given twice: one file can be read")]
    TwoFilterFiles,
    #[error("-D writes TCP's answers, and TCP is not among the tables chosen: add -t")]
    DumpWithoutTcp,
    #[error(
        "-D writes the answers of one network namespace: choose it by --netns, not --all-netns"
    )]
    DumpOfAll,
    #[error(
        "${0} names files of one network namespace, and --all-netns wants those of all: unset it, or \
         leave --all-netns"
    )]
    FilesOfAll(&'static str),
    #[error("-K with -E: what is told as it closes needs no closing; leave out one of them")]
    KillEvents,
    #[error("--complete with -E: what closes is told once, and not listed; leave out one of them")]
    CompleteEvents,
    #[error("{0:?} is no size of a receive buffer (${EVENT_BUFFER}): it takes a number of bytes")]
    EventBuffer(OsString),
}

/// Size of the receive buffer of `-E` in place of the usual one, bytes.
const EVENT_BUFFER: &str = "SOCKEYE_EVENT_BUFFER";

/// The value of `--iproute2`, else `SOCKEYE_IPROUTE2`, else the newest version. It is looked for
/// first, since it decides which flags there are.
fn chosen_version(args: &[OsString], variable: Lookup<'_>) -> Result<Version, UsageError> {
    let unless_chosen = match variable("SOCKEYE_IPROUTE2").filter(|value| !value.is_empty()) {
        None => Ok(Version::default()),
        Some(value) => {
            Version::from_number(&value).ok_or(UsageError::Version(value, "SOCKEYE_IPROUTE2"))
        }
    };
    // Which words are the values of flags depends on the flags, and these on the version. Those of
    // the version so far tell: a flag with a value is written alike in all versions that have it.
    let version = unless_chosen.as_ref().copied().unwrap_or_default();
    match named_version(args, version, variable("POSIXLY_CORRECT").is_some()) {
        Some(value) => Version::from_number(&value).ok_or(UsageError::Version(value, "--iproute2")),
        None => unless_chosen,
    }
}

/// The value of the last `--iproute2`. What the grammar refuses ends the search: the parser proper
/// will say so.
fn named_version(args: &[OsString], version: Version, in_order: bool) -> Option<OsString> {
    let mut parser = lexopt::Parser::from_args(args.to_vec());
    let mut named = None;
    while let Ok(Some(arg)) = parser.next() {
        let flag = match arg {
            Arg::Value(_) if in_order => break,
            Arg::Value(_) => continue,
            Arg::Short(letter) => short_flag(letter, version),
            Arg::Long(word) => long_flag(word, version),
        };
        let Ok(Flag { value: Some(_), does, .. }) = flag else { continue };
        let Ok(value) = parser.value() else { break };
        if *does == Does::Iproute2 {
            named = Some(value);
        }
    }
    named
}

fn short_flag(letter: char, version: Version) -> Result<&'static Flag, UsageError> {
    FLAGS
        .iter()
        .find(|flag| flag.short == Some(letter) && flag.is_in(version))
        .ok_or_else(|| UsageError::Unknown(format!("-{letter}"), version))
}

/// The flag of that name, or the only one of `ss` whose name begins so.
fn long_flag(word: &str, version: Version) -> Result<&'static Flag, UsageError> {
    let words = || {
        FLAGS
            .iter()
            .filter(|flag| flag.is_in(version))
            .flat_map(|flag| flag.long.iter().map(move |word| (*word, flag)))
    };
    if let Some((_, flag)) = words().find(|(known, _)| *known == word) {
        return Ok(flag);
    }
    let begun = || words().filter(|(known, flag)| known.starts_with(word) && !flag.is_our_own());
    let mut found: Option<&'static Flag> = None;
    for (_, flag) in begun() {
        if found.is_some_and(|found| !std::ptr::eq(found, flag)) {
            let names: Vec<_> = begun().map(|(known, _)| format!("--{known}")).collect();
            return Err(UsageError::Ambiguous(word.to_owned(), names.join(", ")));
        }
        found = Some(flag);
    }
    found.ok_or_else(|| UsageError::Unknown(format!("--{word}"), version))
}

/// Reads the command line (without the program's name).
pub(crate) fn parse(args: Vec<OsString>, variable: Lookup<'_>) -> Result<Request, UsageError> {
    let version = chosen_version(&args, variable)?;
    let in_order = variable("POSIXLY_CORRECT").is_some();
    let grammar = |error: lexopt::Error| UsageError::Grammar(error.to_string());
    let mut parser = lexopt::Parser::from_args(args);
    let mut options = Options { version, ..Options::default() };
    let mut wanted = Wanted::default();
    let mut operands = Vec::new();
    while let Some(arg) = parser.next().map_err(grammar)? {
        let flag = match arg {
            Arg::Value(operand) => {
                operands.push(operand);
                if in_order {
                    operands.extend(parser.raw_args().map_err(grammar)?);
                }
                continue;
            }
            Arg::Short(letter) => short_flag(letter, version)?,
            Arg::Long(word) => long_flag(word, version)?,
        };
        let value = match flag.value {
            Some(_) => Some(parser.value().map_err(grammar)?),
            None => None,
        };
        match flag.does {
            Does::Help => return Ok(Request::Help(version)),
            Does::ShowVersion => return Ok(Request::ShowVersion(version)),
            Does::Later => return Err(UsageError::Later(flag.spelling(), flag.doc)),
            does => wanted.apply(does, value, &mut options)?,
        }
    }
    options.expression = wanted.operands(&operands, version)?;
    wanted.settle(&mut options)?;
    if options.netns == Choice::All
        && let Some(name) = named_file(variable)
    {
        return Err(UsageError::FilesOfAll(name));
    }
    if let Some(value) = variable(EVENT_BUFFER).filter(|value| options.events && !value.is_empty())
    {
        let bytes = value.to_str().and_then(|bytes| bytes.parse().ok());
        options.event_buffer = Some(bytes.ok_or(UsageError::EventBuffer(value))?);
    }
    Ok(Request::List(Box::new(options)))
}

/// States and tables before they are settled.
#[derive(Debug, Default)]
struct Wanted {
    /// What flags and operands said; empty when they said nothing.
    states: States,
    /// A `state` or `exclude` was seen.
    states_named: bool,
}

impl Wanted {
    fn apply(
        &mut self,
        does: Does,
        value: Option<OsString>,
        options: &mut Options,
    ) -> Result<(), UsageError> {
        let version = options.version;
        let selection = &mut options.selection;
        match does {
            Does::Numeric => options.numeric = true,
            Does::Resolve => options.resolve = true,
            Does::All => self.states = states::all(version),
            Does::Listening => self.states = states::LISTENING,
            Does::BoundInactive => self.states = States::only(State::BoundInactive),
            Does::Options => options.options = true,
            Does::Extended => (options.options, options.details) = (true, true),
            Does::Memory => options.memory = true,
            Does::Processes => options.processes = true,
            Does::Threads => options.threads = true,
            Does::ProcessContexts => options.process_contexts += 1,
            Does::Contexts => {
                options.process_contexts += 1;
                options.socket_contexts += 1;
            }
            Does::Info => options.tcp_info = true,
            Does::Tos => options.tos = true,
            Does::Cgroup => options.cgroup = true,
            Does::Sockopt => options.sockopt = true,
            Does::Ipv4 => selection.family(AddressFamily::Inet, version),
            Does::Ipv6 => selection.family(AddressFamily::Inet6, version),
            Does::Tcp => selection.table(Table::Tcp, version),
            Does::Udp => selection.table(Table::Udp, version),
            Does::Family => selection.family_by_name(value.unwrap_or_default(), version)?,
            Does::Query => {
                selection.query(&value.unwrap_or_default(), &mut self.states, version)?;
            }
            Does::FilterFile if options.filter_file.is_some() => {
                return Err(UsageError::TwoFilterFiles);
            }
            Does::FilterFile => options.filter_file = value,
            Does::ExplainFilter => options.explain = true,
            Does::NoHeader => options.no_header = true,
            Does::NoQueues => options.no_queues = true,
            Does::Oneline => options.oneline = true,
            Does::Json => options.json = true,
            Does::Kill => options.kill = true,
            Does::Events => options.events = true,
            Does::Complete => options.complete = true,
            Does::Dump => options.dump = value,
            Does::Net => options.netns = Choice::Named(value.unwrap_or_default()),
            Does::Netns => options.netns = Choice::One(value.unwrap_or_default()),
            Does::AllNetns => options.netns = Choice::All,
            // Settled before, or ending the parsing.
            Does::Iproute2 | Does::Help | Does::ShowVersion | Does::Later => {}
        }
        Ok(())
    }

    /// `state X`, `exclude X`, `excl X`, and then an expression, which is handed back.
    fn operands(
        &mut self,
        operands: &[OsString],
        version: Version,
    ) -> Result<Vec<OsString>, UsageError> {
        let mut operands = operands.iter();
        while let Some(operand) = operands.as_slice().first() {
            let exclude = match operand.to_str() {
                Some("state") => None,
                Some("exclude") => Some("exclude"),
                Some("excl") => Some("excl"),
                _ => break,
            };
            operands.next();
            let name = operands.next().ok_or(UsageError::NoState(exclude.unwrap_or("state")))?;
            let named = states::named(name.as_encoded_bytes(), version)
                .ok_or_else(|| UsageError::State(name.clone()))?;
            if !self.states_named {
                let none = exclude.is_none();
                self.states = if none { States::NONE } else { states::all(version) };
            }
            self.states = match exclude {
                None => self.states.with(named),
                Some(_) => self.states.without(named),
            };
            self.states_named = true;
        }
        Ok(operands.cloned().collect())
    }

    /// Fills in what was not said.
    fn settle(&self, options: &mut Options) -> Result<(), UsageError> {
        let selection = &mut options.selection;
        selection.settle(options.version);
        options.states = if self.states.is_empty() { selection.states } else { self.states };
        options.states_named = self.states_named;
        options.choose();
        if !options.tcp && !options.udp {
            return Err(match options.missing_tables.take() {
                Some(missing) => UsageError::MissingTables(missing),
                None => UsageError::NoTables,
            });
        }
        if options.kill && options.events {
            return Err(UsageError::KillEvents);
        }
        if options.complete && options.events {
            return Err(UsageError::CompleteEvents);
        }
        if options.dump.is_some() && !options.tcp {
            return Err(UsageError::DumpWithoutTcp);
        }
        if options.dump.is_some() && options.netns == Choice::All {
            return Err(UsageError::DumpOfAll);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    fn parsed(line: &str) -> Result<Request, UsageError> {
        parse(line.split_whitespace().map(OsString::from).collect(), &|_| None)
    }

    fn listed(line: &str) -> Options {
        match parsed(line) {
            Ok(Request::List(options)) => *options,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn letters_cluster_and_long_flags_are_cut_short() {
        assert_eq!(listed("-tanH"), listed("--tcp --all --num --no-h"));
        assert_eq!(listed("-tDx"), listed("--tcp --diag=x"));
        assert_eq!(listed("-tD x"), listed("--di x --tcp"));
    }

    #[test]
    fn what_may_mean_two_flags_is_refused() {
        assert_eq!(
            parsed("--no").unwrap_err().to_string(),
            "--no may mean --no-header, --no-queues: write more of it"
        );
        assert!(listed("--iproute2 6.1 --no").no_header);
        // Two words for one flag are one flag, as `--context` is one beside `--contexts`.
        assert!(matches!(parsed("--con"), Err(UsageError::Ambiguous(..))));
        assert_eq!(listed("--context").process_contexts, 1);
    }

    #[test]
    fn flags_behind_operands_count_unless_posixly_correct() {
        assert!(listed("-t state established -n").numeric);
        let posix: Lookup<'_> = &|name| (name == "POSIXLY_CORRECT").then(OsString::new);
        let args = ["-t", "state", "established", "-n"].map(OsString::from).to_vec();
        let Ok(Request::List(options)) = parse(args, posix) else { panic!() };
        assert_eq!((options.numeric, options.expression), (false, vec!["-n".into()]));
        assert_eq!(listed("-t -- -n").expression, ["-n"]);
    }

    #[test]
    fn the_last_flag_of_states_wins() {
        assert_eq!(listed("-t -a -l").states, states::LISTENING);
        assert_eq!(listed("-t -l -a").states, States(0x3fff));
        assert_eq!(listed("-t -a -B").states, States(1 << 13));
    }

    #[test]
    fn named_states_replace_flags_and_add_up() {
        assert_eq!(listed("-t -a state listening").states, States(1 << 10));
        assert_eq!(listed("-t state listening state closed").states, states::LISTENING);
        assert_eq!(listed("-t -l exclude established").states, States(0x3ffd));
        assert_eq!(listed("-t state connected excl time-wait").states, States(0x3b3f));
        // Nothing left counts as nothing said.
        assert_eq!(listed("-t state closed exclude closed").states, States(0x3b37));
        assert!(matches!(parsed("-t state"), Err(UsageError::NoState("state"))));
        assert!(matches!(parsed("-t state open"), Err(UsageError::State(_))));
    }

    #[test]
    fn states_by_default_depend_on_the_tables() {
        assert_eq!(listed("-t").states, States(0x3b37));
        assert_eq!(listed("-u").states, States(1 << 1));
        assert_eq!(listed("-tu").states, States(0x3b37));
        assert_eq!(listed("-u -4").states, States(0x3b37));
        assert_eq!(listed("--iproute2=6.1 -t").states, States(0xb37));
    }

    #[test]
    fn of_two_families_the_last_is_asked_for() {
        let both = listed("-t -4 -6");
        assert_eq!((both.ipv4, both.ipv6, both.preferred), (true, true, Some(Family::Inet6)));
        assert_eq!(listed("-t -6 -4").preferred, Some(Family::Inet));
        assert_eq!(listed("-t").preferred, None);
    }

    #[test]
    fn tables_that_are_not_shown_yet_are_named() {
        assert_eq!(listed("-t").missing_tables, None);
        assert!(listed("").missing_tables.unwrap().starts_with("netlink"));
        assert!(listed("-4").missing_tables.unwrap().starts_with("raw"));
        assert!(listed("-4").tcp && listed("-4").udp);
    }

    #[test]
    fn the_version_decides_which_flags_there_are() {
        assert!(matches!(parsed("-tQ --iproute2 6.1"), Err(UsageError::Unknown(..))));
        assert!(matches!(parsed("-d"), Err(UsageError::Unknown(..))));
        assert!(matches!(parsed("-d --iproute2 6.1"), Err(UsageError::Later(..))));
        assert!(matches!(parsed("--iproute2 5.0"), Err(UsageError::Version(..))));
        // It is found in full only, so in full only it is taken.
        assert!(matches!(parsed("--iproute 6.1"), Err(UsageError::Unknown(..))));
        let old: Lookup<'_> = &|name| (name == "SOCKEYE_IPROUTE2").then(|| "6.1".into());
        let Ok(Request::List(options)) = parse(vec!["-t".into()], old) else { panic!() };
        assert_eq!(options.version, Version::V6_1);
    }

    #[test]
    fn the_value_of_another_flag_chooses_no_version() {
        for line in ["-tD --iproute2", "-t --diag --iproute2", "-t --dia --iproute2"] {
            let options = listed(line);
            assert_eq!(options.dump.as_deref(), Some(OsStr::new("--iproute2")), "{line}");
            assert_eq!(options.version, Version::V7_1, "{line}");
        }
        assert_eq!(listed("-D --iproute2 -t --iproute2=6.1").version, Version::V6_1);
        assert_eq!(listed("-t --iproute2 7.1 --iproute2 6.1").version, Version::V6_1);
        assert!(matches!(parsed("-t --iproute2"), Err(UsageError::Grammar(_))));
        assert_eq!(listed("-t -- --iproute2 6.1").version, Version::V7_1);
        // What --iproute2 says, the variable need not.
        let wrong: Lookup<'_> = &|name| (name == "SOCKEYE_IPROUTE2").then(|| "5.0".into());
        assert!(parse(vec!["-t".into(), "--iproute2=6.1".into()], wrong).is_ok());
        assert!(matches!(parse(vec!["-t".into()], wrong), Err(UsageError::Version(..))));
    }

    #[test]
    fn wrong_usage_says_what_is_wrong() {
        for (line, message) in [
            ("-j", "-j is no flag of iproute2-7.1's ss: see --help"),
            // No flag of `ss`, so in full only it is taken.
            ("--jso", "--jso is no flag of iproute2-7.1's ss: see --help"),
            ("-x", "-x, --unix (Unix sockets) is not available in this version of sockeye"),
            ("-A tcp,ip", "\"ip\" is no table of iproute2-7.1's ss: see --help"),
            ("-A tcp,!tcp", "no table of sockets is left to show"),
            ("-f unix", "Unix sockets are not available in this version of sockeye"),
            ("-F a -tF b", "-F was given twice: one file can be read"),
            ("-u -D x", "-D writes TCP's answers, and TCP is not among the tables chosen: add -t"),
            (
                "-t -D x --all-netns",
                "-D writes the answers of one network namespace: choose it by --netns, not --all-netns",
            ),
            (
                "-tE --complete",
                "--complete with -E: what closes is told once, and not listed; leave out one of them",
            ),
            // `--net` is the flag of `ss` that begins so.
            ("-t --all-net", "--all-net is no flag of iproute2-7.1's ss: see --help"),
        ] {
            assert_eq!(parsed(line).unwrap_err().to_string(), message);
        }
        assert!(parsed("--tcp=1").is_err());
        assert!(parsed("-D").is_err());
    }

    #[test]
    fn of_the_flags_for_namespaces_the_last_counts() {
        let blue = || OsString::from("blue");
        assert_eq!(listed("-t").netns, Choice::Here);
        for line in
            ["-tNblue", "-t -N blue", "-t --net blue", "-t --ne=blue", "--all-netns -N blue"]
        {
            assert_eq!(listed(line).netns, Choice::Named(blue()), "{line}");
        }
        assert_eq!(listed("-t -N red --netns blue").netns, Choice::One(blue()));
        assert_eq!(listed("-t --netns blue --all-netns").netns, Choice::All);
        assert_eq!(listed("-t -N --iproute2").version, Version::V7_1);
        assert!(parsed("-t --netns").is_err());
    }

    #[test]
    fn the_buffer_of_events_is_a_number() {
        let with = |value: &'static str, line: &str| {
            let args = line.split(' ').map(OsString::from).collect();
            parse(args, &|name| (name == EVENT_BUFFER).then(|| value.into()))
        };
        let Ok(Request::List(options)) = with("20000", "-tE") else { panic!() };
        assert_eq!(options.event_buffer, Some(20_000));
        let Ok(Request::List(options)) = with("", "-tE") else { panic!() };
        assert_eq!(options.event_buffer, None);
        for value in ["x", "-1", "8M"] {
            let refused = with(value, "-tE").unwrap_err().to_string();
            assert!(refused.contains(value) && refused.contains(EVENT_BUFFER), "{refused}");
            assert!(with(value, "-t").is_ok());
        }
    }

    #[test]
    fn files_of_one_namespace_are_not_those_of_all() {
        for name in crate::environment::FILES {
            let variable: Lookup<'_> = &|asked| (asked == name).then(OsString::new);
            let args = |line: &str| line.split(' ').map(OsString::from).collect();
            let refused = parse(args("-t --all-netns"), variable).unwrap_err().to_string();
            assert!(refused.starts_with(&format!("${name} names files")), "{refused}");
            assert!(parse(args("-t --netns blue"), variable).is_ok());
        }
    }

    #[test]
    fn help_and_version_end_the_command_line() {
        assert_eq!(parsed("-t -h -x"), Ok(Request::Help(Version::V7_1)));
        assert_eq!(parsed("-v --iproute2 6.1"), Ok(Request::ShowVersion(Version::V6_1)));
    }
}
