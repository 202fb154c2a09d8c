//! `sockeye kill`: closes the sockets that match a filter by force, and says of each what became of it.
//!
//! The sockets of a network namespace are listed first, until two passes agree, and each is closed by its
//! cookie: what has come to its addresses meanwhile is left alone.

mod answers;
mod spared;

use std::convert::Infallible;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;

use clap::Args;
use sockeye_diag::{Diag, Extensions, PASSES, Query, Sockets};
use sockeye_filter::{
    Asked, Filter, Live, NamesAt, Nowhere, Reading, Scope, Services, System, Text, states,
};
use sockeye_model::{Family, KillAnswer, Protocol, Socket, States};
use sockeye_netns::{Choice, Place, Places};
use sockeye_ss::{Interrupt, Outcome};

use super::netns::Namespaces;
use answers::{Answers, WOULD_CLOSE, answer};

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
    /// Without a filter, or with one of states alone: close every socket in these states
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
Connections are closed. Listening, unconnected, TIME-WAIT and SYN-RECV sockets are left alone unless the
filter or --state names their state: `state listening and sport = :80`. To exclude a state names none.

A connection is reset, and its program gets ECONNABORTED. It needs CAP_NET_ADMIN.

SIGINT and SIGTERM end it between two sockets, and it says how many were left.

Exit status: 0 every socket was closed, or had gone before; 1 one was not; 2 wrong usage; 3 the list may
have lacked sockets.";

/// Not every socket was closed, or listed.
const FAILED: u8 = 1;
/// Wrong usage.
const USAGE: u8 = 2;

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
            (Some(filter), all) if spared::is_of_states_alone(&filter) != all => Err(if all {
                "a filter and --all: leave out one of them".to_owned()
            } else {
                "the filter chooses states alone: say which sockets to close, or --all for every one in \
                 these states; --dry-run shows which these are"
                    .to_owned()
            }),
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
        spared::wanted(filter, self.named)
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
    let mut outcome = Outcome::default();
    let interrupt = match Interrupt::noted() {
        Ok(interrupt) => interrupt,
        Err(error) => {
            say(&format_args!("cannot wait for signals: {error}"));
            return FAILED;
        }
    };
    let answers = Answers::new(options.json, options.namespaces.choice() == Choice::All);
    let mut closing = Closing { options, interrupt, answers };
    let mut names = NamesAt::new(System::default(), places.len() > 1);
    // Before a socket is closed: where `dev` names nothing, `not dev` holds of all.
    if let Some(nowhere) = wish.survey(places, &mut names) {
        say(&format_args!("{nowhere}; nothing was closed"));
        return FAILED;
    }
    let mut misread = false;
    let Ok(()) = places.visit(&mut outcome, |place, outcome| -> Result<(), Infallible> {
        names.enter(place);
        match wish.filter(&mut names) {
            Ok(filter) => {
                let filter = filter.as_ref();
                closing.close(filter, wish.states(filter), place, outcome);
            }
            Err(wrong) => {
                misread = true;
                outcome.failed(format_args!("{wrong}"));
            }
        }
        Ok(())
    });
    match closing.answers.finish() {
        Ok(()) => {}
        // Who reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        Err(error) => outcome.failed(format_args!("cannot write the output: {error}")),
    }
    let status = outcome.finish("sockeye kill", &mut io::stderr());
    if misread { USAGE } else { status }
}

/// Says how the filter was read, and what of it runs where: of several namespaces, in the first.
fn explain(options: &Options, wish: &Wish, places: &Places) -> u8 {
    let mut names = NamesAt::new(System::default(), places.len() > 1);
    let mut status = 0;
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

/// How sockets are closed, wherever they are.
struct Closing<'a> {
    options: &'a Options,
    interrupt: Interrupt,
    answers: Answers,
}

impl Closing<'_> {
    /// Closes those of one namespace.
    fn close(
        &mut self,
        filter: Option<&Filter>,
        states: States,
        place: &Place,
        outcome: &mut Outcome,
    ) {
        if self.interrupt.came() {
            outcome.failed(format_args!("interrupted before anything was closed there"));
            return;
        }
        let mut matching = Matching { filter, sockets: Vec::new(), begin: 0 };
        if let Some(diag) = list(self.options, states, place, &mut matching, outcome) {
            self.settle(diag, &matching.sockets, place, outcome);
        }
    }

    /// Closes these, or says that they would be.
    fn settle(&mut self, mut diag: Diag, sockets: &[Socket], place: &Place, outcome: &mut Outcome) {
        let Closing { options, interrupt, answers } = self;
        if options.dry_run {
            sockets.iter().for_each(|socket| answers.print(place, socket, WOULD_CLOSE));
            return;
        }
        let (all, mut tried, mut left) = (sockets.len(), 0, 0);
        let ended = if interrupt.came() {
            Ok(())
        } else {
            diag.destroy_all(sockets, |index, fate| {
                tried += 1;
                let kill = answer(fate);
                let closed = !matches!(kill.answer, KillAnswer::Refused | KillAnswer::Shadowed);
                left += usize::from(!closed);
                if let Some(socket) = sockets.get(index) {
                    answers.print(place, socket, kill);
                }
                if interrupt.came() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
        };
        let untried = all - tried;
        match ended {
            Err(error) => {
                outcome.failed(format_args!("{error}: {untried} of {all} sockets were left"));
            }
            Ok(()) if untried > 0 => {
                outcome.failed(format_args!("interrupted: {untried} of {all} sockets were left"));
            }
            Ok(()) => {}
        }
        if left > 0 {
            outcome.failed(format_args!("{left} of {all} were not closed"));
        }
    }
}

/// Lists those that match. `None`, and why is said, where that fails.
fn list(
    options: &Options,
    states: States,
    place: &Place,
    matching: &mut Matching<'_>,
    outcome: &mut Outcome,
) -> Option<Diag> {
    let mut diag = match place.run(Diag::open) {
        Ok(Ok(diag)) => diag,
        Ok(Err(error)) => {
            outcome.failed(format_args!("{error}"));
            return None;
        }
        Err(error) => {
            outcome.failed(format_args!("{error}"));
            return None;
        }
    };
    let filter = matching.filter;
    let mut live = filter.map(Live::new);
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
                None => diag.dump_complete(&query, PASSES, matching),
                Some(live) => live.dump(&mut diag, &query, |diag, query| {
                    matching.restart();
                    diag.dump_complete(query, PASSES, matching)
                }),
            };
            match dumped {
                Ok(complete) if complete.agreed => {}
                Ok(complete) => {
                    let (what, passes) = (query.what(), complete.passes);
                    outcome.incomplete(format_args!(
                        "{what}: {passes} passes did not agree, sockets come and go: some that match \
                         may be missing"
                    ));
                }
                Err(error) => {
                    outcome.failed(format_args!("{error}"));
                    return None;
                }
            }
        }
    }
    if live.as_ref().is_some_and(Live::autobound_is_open) {
        outcome.failed(format_args!("{AUTOBOUND_IS_OPEN}"));
        return None;
    }
    if live.as_ref().is_some_and(Live::marks_are_hidden) {
        outcome.incomplete(format_args!(
            "fwmark: the kernel tells marks to those with CAP_NET_ADMIN alone; all count as 0"
        ));
    }
    Some(diag)
}
