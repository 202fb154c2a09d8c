//! `sockeye kill`: closes the sockets that match a filter by force, and says of each what became of it.
//!
//! All sockets are listed first, until two passes agree, and each is closed by its cookie: what has come
//! to its addresses meanwhile is left alone.

use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::process::ExitCode;

use clap::Args;
use sockeye_diag::{Diag, Extensions, Fate, PASSES, Query, Sockets};
use sockeye_filter::{Filter, Reading, Scope, Services, System, Text, states};
use sockeye_json::Object;
use sockeye_model::{Endpoint, Family, Kill, KillAnswer, Protocol, Socket, State, States};

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
    /// One JSON object a line (`sockeye schema kill` tells its fields)
    #[arg(long)]
    json: bool,
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
    let status = match filter(options) {
        Ok((filter, states)) => close(options, filter.as_ref(), states),
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

/// What is to be closed; or what is wrong with how that was said.
fn filter(options: &Options) -> Result<(Option<Filter>, States), String> {
    let text = options
        .filter
        .iter()
        .fold(Text::new(), |text, word| text.argument(word.as_encoded_bytes()));
    let family = match (options.ipv4, options.ipv6) {
        (true, false) => Some(sockeye_filter::AddressFamily::Inet),
        (false, true) => Some(sockeye_filter::AddressFamily::Inet6),
        _ => None,
    };
    let services = Services { tcp: options.tcp || !options.udp, udp: options.udp || !options.tcp };
    let scope = Scope { family, services, ..Scope::new(Reading::Precedence) };
    let filter = Filter::parse(&text, scope, &mut System::default()).map_err(|e| e.to_string())?;
    match (&filter, options.all) {
        (None, false) => {
            return Err("no filter: say which sockets to close, or --all; --dry-run shows which \
                        these are"
                .to_owned());
        }
        (Some(_), true) => {
            return Err("a filter and --all: leave out one of them".to_owned());
        }
        _ => {}
    }
    let all = States::ALL;
    let mut named = States::NONE;
    for name in &options.state {
        let states = states::named(name.as_bytes(), all);
        named = named.with(states.ok_or_else(|| {
            format!("--state {name:?} is no state; `sockeye ss --help` lists them")
        })?);
    }
    let by_filter = filter.as_ref().map_or(all, Filter::states);
    if !named.is_empty() {
        return Ok((filter, States(named.0 & by_filter.0)));
    }
    let spared =
        [State::Listen, State::Close, State::BoundInactive, State::TimeWait, State::SynRecv];
    // A filter that holds in every state has named none.
    if by_filter == all {
        let spared = spared.into_iter().fold(States::NONE, |s, one| s.with(States::only(one)));
        return Ok((filter, all.without(spared)));
    }
    Ok((filter, by_filter))
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

fn close(options: &Options, filter: Option<&Filter>, states: States) -> u8 {
    let mut status = DONE;
    let mut diag = match Diag::open() {
        Ok(diag) => diag,
        Err(error) => {
            say(&error);
            return FAILED;
        }
    };
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
            let query = Query { family, protocol, states, extensions };
            matching.begin = matching.sockets.len();
            match diag.dump_complete(&query, PASSES, &mut matching) {
                Ok(complete) if complete.agreed => {}
                Ok(complete) => {
                    let (what, passes) = (query.what(), complete.passes);
                    say(&format_args!(
                        "{what}: {passes} passes did not agree, sockets come and go: some that match \
                         may be missing"
                    ));
                    status = status.max(INCOMPLETE);
                }
                Err(error) => {
                    say(&error);
                    return FAILED;
                }
            }
        }
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
    match print(options, &matching.sockets, &answers) {
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

fn print(options: &Options, sockets: &[Socket], answers: &[Kill]) -> io::Result<()> {
    let mut stdout = BufWriter::new(io::stdout().lock());
    let mut line = Vec::new();
    for (socket, kill) in sockets.iter().zip(answers) {
        line.clear();
        if options.json {
            let mut object = Object::open(&mut line);
            object.part(socket).part(kill);
            object.close();
            line.push(b'\n');
        } else {
            let protocol = if socket.protocol == Protocol::UDP { "udp" } else { "tcp" };
            let (local, peer) = (address(&socket.local), address(&socket.peer));
            writeln!(line, "{protocol} {local} {peer} {}", words(*kill))?;
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
