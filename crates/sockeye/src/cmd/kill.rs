//! `sockeye kill`: closes the sockets that match a filter by force, and says of each what became of it.
//!
//! The sockets of a network namespace are listed first, until two passes agree, and each is closed by its
//! cookie: what has come to its addresses meanwhile is left alone.

use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::process::ExitCode;

use clap::Args;
use sockeye_diag::{Diag, Extensions, Fate, PASSES, Query, Sockets};
use sockeye_filter::{
    Asked, Filter, Live, NamesAt, Nowhere, Reading, Scope, Services, System, Text, states,
};
use sockeye_json::Object;
use sockeye_model::{Context, Endpoint, Family, Kill, KillAnswer, Protocol, Socket, State, States};
use sockeye_netns::{Choice, Place, Places};

use super::netns::{Namespaces, visit};

/// What `sockeye kill` takes.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Options {
    /// TCP sockets only (default: TCP and UDP)
    #[arg(short, long)]
    tcp: bool,
    /// UDP sockets only (default: TCP and UDP)
    #[arg(short, long)]
    udp: bool,
    /// IPv4 only
    #[arg(short = '4', long)]
    ipv4: bool,
    /// IPv6 only
    #[arg(short = '6', long)]
    ipv6: bool,
    /// Sockets in this state, or group of states; several add up
    #[arg(short, long, value_name = "STATE")]
    state: Vec<String>,
    /// Without a filter: close every socket of the states chosen
    #[arg(long)]
    all: bool,
    /// Print what would be closed, and close nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Print how the filter is read and what of it the kernel tests, and close nothing
    #[arg(long, conflicts_with_all = ["dry_run", "json"])]
    explain_filter: bool,
    /// One JSON object a line (`sockeye schema kill` tells its fields)
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    namespaces: Namespaces,
    /// Which sockets, in the language of ss: `dst 10.0.0.0/8 and dport = :443`
    #[arg(value_name = "FILTER")]
    filter: Vec<std::ffi::OsString>,
}

const AFTER_HELP: &str = "\
Connections are closed, and listening, unconnected, TIME-WAIT and SYN-RECV sockets left alone, unless the
filter or --state names states: `state listening and sport = :80`.

A connection is reset, and its program gets ECONNABORTED. It needs CAP_NET_ADMIN.

Exit status: 0 every socket was closed, or had gone before; 1 one was not; 2 wrong usage; 3 the list may
have lacked sockets.";

/// Done.
const DONE: u8 = 0;
/// A socket was not closed, or not listed.
const FAILED: u8 = 1;
/// Wrong usage.
const USAGE: u8 = 2;
/// Sockets may be missing.
const INCOMPLETE: u8 = 3;

/// Closes sockets.
pub(crate) fn run(options: &Options) -> ExitCode {
    let status = match Wish::of(options) {
        Ok(wish) => match options.namespaces.choice().places() {
            Ok(places) if options.explain_filter => explain(options, &wish, &places),
            Ok(places) => close_all(options, &wish, &places),
            Err(error) => {
                say(&error);
                FAILED
            }
        },
        Err(wrong) => {
            say(&wrong);
            USAGE
        }
    };
    ExitCode::from(status)
}

/// Where standard error is closed, nobody listens.
fn say(message: &dyn std::fmt::Display) {
    let _ = writeln!(io::stderr(), "sockeye kill: {message}");
}

/// What is to be closed, as it was said.
struct Wish {
    text: Text,
    scope: Scope,
    /// By `--state`; none: as the filter says.
    named: States,
}

impl Wish {
    fn of(options: &Options) -> Result<Wish, String> {
        let text = options
            .filter
            .iter()
            .fold(Text::new(), |text, word| text.argument(word.as_encoded_bytes()));
        let family = match (options.ipv4, options.ipv6) {
            (true, false) => Some(sockeye_filter::AddressFamily::Inet),
            (false, true) => Some(sockeye_filter::AddressFamily::Inet6),
            _ => None,
        };
        let services =
            Services { tcp: options.tcp || !options.udp, udp: options.udp || !options.tcp };
        let scope = Scope { family, services, ..Scope::new(Reading::Precedence) };
        let mut named = States::NONE;
        for name in &options.state {
            let states = states::named(name.as_bytes(), States::ALL);
            named = named.with(states.ok_or_else(|| {
                format!("--state {name:?} is no state; `sockeye ss --help` lists them")
            })?);
        }
        let wish = Wish { text, scope, named };
        // Whatever is wrong with it is wrong everywhere, but for the names of interfaces.
        let filter = wish.filter(&mut NamesAt::new(System::default(), true))?;
        match (filter, options.all) {
            (None, false) => {
                Err("no filter: say which sockets to close, or --all; --dry-run shows which \
                                  these are"
                    .to_owned())
            }
            (Some(_), true) => Err("a filter and --all: leave out one of them".to_owned()),
            _ => Ok(wish),
        }
    }

    fn filter(&self, names: &mut NamesAt) -> Result<Option<Filter>, String> {
        Filter::parse(&self.text, self.scope, names).map_err(|error| error.to_string())
    }

    /// The names of interfaces that are in none of the places, if the filter reads otherwise at each.
    fn survey(&self, places: &Places, names: &mut NamesAt) -> Option<Nowhere> {
        for place in places {
            if places.len() > 1 && place.enter().is_ok() {
                names.enter(place);
                // What is wrong is said when the place is visited for its sockets.
                if let Ok(filter) = self.filter(names)
                    && !filter.is_some_and(|filter| filter.depends_on_namespace())
                {
                    break;
                }
            }
        }
        names.nowhere()
    }

    fn states(&self, filter: Option<&Filter>) -> States {
        let by_filter = filter.map_or(States::ALL, Filter::states);
        if !self.named.is_empty() {
            return States(self.named.0 & by_filter.0);
        }
        // A filter that holds in every state has named none.
        if by_filter != States::ALL {
            return by_filter;
        }
        let spared =
            [State::Listen, State::Close, State::BoundInactive, State::TimeWait, State::SynRecv];
        let spared = spared.into_iter().fold(States::NONE, |s, one| s.with(States::only(one)));
        States::ALL.without(spared)
    }
}

/// The sockets that match.
struct Matching<'a> {
    filter: Option<&'a Filter>,
    sockets: Vec<Socket>,
    begin: usize,
}

impl Sockets for Matching<'_> {
    fn socket(&mut self, socket: &Socket) -> ControlFlow<()> {
        if self.filter.is_none_or(|filter| filter.matches(socket)) {
            self.sockets.push(socket.clone());
        }
        ControlFlow::Continue(())
    }

    fn restart(&mut self) {
        self.sockets.truncate(self.begin);
    }
}

fn close_all(options: &Options, wish: &Wish, places: &Places) -> u8 {
    let mut names = NamesAt::new(System::default(), places.len() > 1);
    // Before a socket is closed: where `dev` names nothing, `not dev` holds of all.
    if let Some(nowhere) = wish.survey(places, &mut names) {
        say(&format_args!("{nowhere}; nothing was closed"));
        return FAILED;
    }
    let mut status = DONE;
    let visits = visit(
        places,
        |message| say(message),
        |place| {
            names.enter(place);
            let came = match wish.filter(&mut names) {
                Ok(filter) => close(options, filter.as_ref(), wish.states(filter.as_ref()), place),
                Err(wrong) => {
                    say(&wrong);
                    USAGE
                }
            };
            status = worse(status, came);
        },
    );
    if visits.failed {
        status = worse(status, FAILED);
    }
    if visits.incomplete {
        status = worse(status, INCOMPLETE);
    }
    status
}

/// Says how the filter was read, and what of it runs where: of several namespaces, in the first.
fn explain(options: &Options, wish: &Wish, places: &Places) -> u8 {
    let mut names = NamesAt::new(System::default(), places.len() > 1);
    let mut status = DONE;
    let Some(place) = places.iter().next() else { return status };
    let mut text = String::new();
    if places.len() > 1 {
        if let Some(nowhere) = wish.survey(places, &mut names) {
            say(&nowhere);
            status = FAILED;
        }
        let name = place.name().unwrap_or_default().escape_ascii().to_string();
        text = format!("network namespace: {name}, the first of {}\n", places.len());
    }
    names.enter(place);
    let filter = match wish.filter(&mut names) {
        Ok(filter) => filter,
        Err(wrong) => {
            say(&wrong);
            return USAGE;
        }
    };
    let (tcp, udp) = (options.tcp || !options.udp, options.udp || !options.tcp);
    match &filter {
        None => text.push_str("expression: none\n"),
        Some(filter) => match place.run(Diag::open) {
            Ok(Ok(mut diag)) => {
                let mut live = Live::new(filter);
                let protocol = if tcp { Protocol::TCP } else { Protocol::UDP };
                text.push_str(&live.explain(&mut diag, protocol));
                if live.autobound_is_open() {
                    say(&AUTOBOUND_IS_OPEN);
                    status = FAILED;
                }
            }
            Ok(Err(error)) => {
                say(&error);
                return FAILED;
            }
            Err(error) => {
                say(&error);
                return FAILED;
            }
        },
    }
    let (ipv4, ipv6) = (options.ipv4 || !options.ipv6, options.ipv6 || !options.ipv4);
    let asked = Asked { tcp, udp, ipv4, ipv6, states: wish.states(filter.as_ref()) };
    text.push_str(&format!("sockets: {asked}\n"));
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            say(&format_args!("cannot write the output: {error}"));
            FAILED
        }
        _ => status,
    }
}

/// What is said where user space alone would tell who chose a port.
const AUTOBOUND_IS_OPEN: &str = "autobound: in this filter the kernel does not decide it, and user space would take \
     ports for autobound that their program chose: nothing is closed. Join it to the rest by `and`; \
     --explain-filter shows what the kernel tests";

/// Of two exit statuses the one that tells more: a failure before what may be missing.
fn worse(one: u8, other: u8) -> u8 {
    let weight = |status| match status {
        DONE => 0,
        INCOMPLETE => 1,
        FAILED => 2,
        _ => 3,
    };
    if weight(other) > weight(one) { other } else { one }
}

fn close(options: &Options, filter: Option<&Filter>, states: States, place: &Place) -> u8 {
    let mut status = DONE;
    let mut diag = match place.run(Diag::open) {
        Ok(Ok(diag)) => diag,
        Ok(Err(error)) => {
            say(&error);
            return FAILED;
        }
        Err(error) => {
            say(&error);
            return FAILED;
        }
    };
    let mut live = filter.map(Live::new);
    let mut matching = Matching { filter, sockets: Vec::new(), begin: 0 };
    for (protocol, wanted) in
        [(Protocol::UDP, options.udp || !options.tcp), (Protocol::TCP, options.tcp || !options.udp)]
    {
        for (family, wanted) in [
            (Family::Inet, wanted && (options.ipv4 || !options.ipv6)),
            (Family::Inet6, wanted && (options.ipv6 || !options.ipv4)),
        ] {
            if !wanted {
                continue;
            }
            let extensions = if options.json { Extensions::ALL } else { Extensions::NONE };
            let query = Query { family, protocol, states, extensions, program: None };
            matching.begin = matching.sockets.len();
            let dumped = match &mut live {
                None => diag.dump_complete(&query, PASSES, &mut matching),
                Some(live) => live.dump(&mut diag, &query, |diag, query| {
                    matching.restart();
                    diag.dump_complete(query, PASSES, &mut matching)
                }),
            };
            match dumped {
                Ok(complete) if complete.agreed => {}
                Ok(complete) => {
                    let (what, passes) = (query.what(), complete.passes);
                    say(&format_args!(
                        "{what}: {passes} passes did not agree, sockets come and go: some that match \
                         may be missing"
                    ));
                    status = worse(status, INCOMPLETE);
                }
                Err(error) => {
                    say(&error);
                    return FAILED;
                }
            }
        }
    }
    if live.as_ref().is_some_and(Live::autobound_is_open) {
        say(&AUTOBOUND_IS_OPEN);
        return FAILED;
    }
    if live.as_ref().is_some_and(Live::marks_are_hidden) {
        say(&"fwmark: the kernel tells marks to those with CAP_NET_ADMIN alone; all count as 0");
        status = worse(status, INCOMPLETE);
    }
    let answers = if options.dry_run {
        vec![Kill { answer: KillAnswer::WouldClose, errno: None }; matching.sockets.len()]
    } else {
        match diag.destroy_all(&matching.sockets) {
            Ok(fates) => fates.into_iter().map(answer).collect(),
            Err(error) => {
                say(&error);
                return FAILED;
            }
        }
    };
    let left = answers
        .iter()
        .filter(|kill| matches!(kill.answer, KillAnswer::Refused | KillAnswer::Shadowed))
        .count();
    if left > 0 {
        say(&format_args!("{left} of {} were not closed", answers.len()));
        status = FAILED;
    }
    match print(options, place, &matching.sockets, &answers) {
        Ok(()) => status,
        // Who reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => status,
        Err(error) => {
            say(&format_args!("cannot write the output: {error}"));
            FAILED
        }
    }
}

fn answer(fate: Fate) -> Kill {
    let (answer, errno) = match fate {
        Fate::Closed => (KillAnswer::Closed, None),
        Fate::Gone => (KillAnswer::Gone, None),
        Fate::Shadowed(_) => (KillAnswer::Shadowed, None),
        Fate::Refused(errno) => (KillAnswer::Refused, u32::try_from(errno).ok()),
    };
    Kill { answer, errno }
}

fn print(options: &Options, place: &Place, sockets: &[Socket], answers: &[Kill]) -> io::Result<()> {
    let mut stdout = BufWriter::new(io::stdout().lock());
    let mut line = Vec::new();
    let netns = place.name();
    let netns_inode = place.id().map(|id| id.inode);
    let context = Context { netns: netns.as_deref(), netns_inode, ..Context::default() };
    let before = match &netns {
        Some(name) if options.namespaces.choice() == Choice::All => {
            format!("{} ", name.escape_ascii())
        }
        _ => String::new(),
    };
    for (socket, kill) in sockets.iter().zip(answers) {
        line.clear();
        if options.json {
            let mut object = Object::open(&mut line);
            object.part(socket).part(&context).part(kill);
            object.close();
            line.push(b'\n');
        } else {
            let protocol = if socket.protocol == Protocol::UDP { "udp" } else { "tcp" };
            let (local, peer) = (address(&socket.local), address(&socket.peer));
            writeln!(line, "{before}{protocol} {local} {peer} {}", words(*kill))?;
        }
        stdout.write_all(&line)?;
    }
    stdout.flush()
}

fn address(end: &Endpoint) -> SocketAddr {
    SocketAddr::new(end.address, end.port)
}

fn words(kill: Kill) -> String {
    match (kill.answer, kill.errno.and_then(|errno| i32::try_from(errno).ok())) {
        (KillAnswer::WouldClose, _) => "would be closed".to_owned(),
        (KillAnswer::Closed, _) => "closed".to_owned(),
        (KillAnswer::Gone, _) => "gone before".to_owned(),
        (KillAnswer::Shadowed, _) => format!("not closed: {}", sockeye_ss::NOT_FOUND),
        (KillAnswer::Refused, Some(errno)) => {
            format!("not closed: {}", sockeye_ss::refusal(errno))
        }
        (KillAnswer::Refused, None) => "not closed: the kernel refused".to_owned(),
    }
}
