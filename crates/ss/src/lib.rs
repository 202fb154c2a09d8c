//! The command line and the bytes of iproute2's `ss`, as a library.
//!
//! [`run`] takes the arguments of `ss` and prints what `ss` prints: rows, header and widths byte for
//! byte, on a terminal and in a pipe, for the release of iproute2 that is asked for ([`Version`]).
//! With `--json` it prints all that is known of each socket, one object a line.
//! Help and error texts are its own. What it does otherwise on purpose, and how the releases
//! differ, is told in `docs/ss.md`.
//!
//! It promises:
//!
//! - no control character of a name from outside reaches a terminal raw, nor, in a message,
//!   standard error;
//! - a failure is said on standard error, and is the exit status (1; 2 for wrong usage, 3 where
//!   something is known to be missing);
//! - a closed pipe ends it quietly;
//! - memory does not grow with the number of sockets, but for their cookies, by which a socket that
//!   the kernel tells twice is known: of a live dump 4 KiB or some bits a socket, since cookies are
//!   consecutive, and never more than 37 bytes a socket; half as much again while that table
//!   grows. What is remembered of hosts and interfaces is bounded. Where TCP sockets of both families
//!   are shown, the kernel's messages of the IPv6 ones are held until the IPv4 ones have been
//!   printed, up to 64 MiB (`Diag::dump_ipv4_first`). `--complete` holds the messages of a table until its
//!   last pass (`Diag::dump_complete`), and `-K` the sockets that are to be closed;
//! - nothing is allocated a row, but by the look-up of a name that is not remembered.

mod address;
mod args;
mod cache;
mod chunks;
mod columns;
mod complete;
mod environment;
mod escape;
mod events;
mod expression;
mod flags;
mod help;
mod inet;
mod interfaces;
mod interrupt;
mod json;
mod kill;
mod layout;
mod line;
mod namespaces;
mod number;
mod outcome;
mod owned;
mod page;
mod print;
mod proc;
mod record;
mod resolve;
mod rights;
mod selection;
mod sink;
mod states;
mod stop;
mod tables;
mod tcp;
#[cfg(test)]
mod tests;
mod users;
mod version;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::AsFd;

pub use environment::{Lookup, Screen};
pub use interrupt::Interrupt;
pub use kill::{NOT_FOUND, refusal};
pub use outcome::Outcome;
pub use version::Version;

use sockeye_netns::{Choice, Places};
use sockeye_procs::{Search, context};

use args::{Options, Request};
use columns::Columns;
use environment::{named_file, proc_root};
use escape::Escape;
use events::Voice;
use expression::Written;
use inet::{Rows, Shown};
use json::Lines;
use layout::Hidden;
use owned::Owned;
use print::{Flush, Print};
use resolve::Names;
use stop::{Patient, Stop};
use tcp::{Scratch, Style};
use users::{Contexts, Users};

/// Runs `ss` with these arguments (without the program's name) and gives the exit status.
/// `program` is what its messages begin with.
pub fn run(program: &str, args: impl IntoIterator<Item = OsString>) -> u8 {
    let stdout = io::stdout().lock();
    let screen = Screen::of(&stdout);
    let mut stderr = io::stderr().lock();
    let variable: Lookup<'_> = &|name| std::env::var_os(name);
    // The standard library's handle would look for line ends in all that passes.
    let mut unbuffered = match stdout.as_fd().try_clone_to_owned() {
        Ok(descriptor) => File::from(descriptor),
        Err(error) => {
            outcome::say(program, &format_args!("no standard output: {error}"), &mut stderr);
            return outcome::FAILED;
        }
    };
    run_with(program, args, variable, screen, &mut unbuffered, &mut stderr)
}

/// [`run`] with everything that it depends on handed in: a look-up of environment variables, what
/// standard output is, and where to write.
pub fn run_with(
    program: &str,
    args: impl IntoIterator<Item = OsString>,
    variable: Lookup<'_>,
    screen: Screen,
    stdout: &mut dyn Write,
    stderr: &mut dyn Write,
) -> u8 {
    let request = match args::parse(args.into_iter().collect(), variable) {
        Ok(request) => request,
        Err(error) => {
            outcome::say(program, &error, stderr);
            return outcome::USAGE;
        }
    };
    let mut outcome = Outcome::default();
    let done = match request {
        Request::Help(version) => stdout.write_all(help::text(program, version).as_bytes()),
        Request::ShowVersion(version) => {
            stdout.write_all(help::version(program, version).as_bytes())
        }
        Request::List(mut options) => match options.netns.places() {
            Ok(places) if options.dump.is_some() && !options.explain => {
                namespaces::record(&options, &places, stdout, &mut outcome)
            }
            Ok(places) => match Written::read(&mut options, &places, variable) {
                Ok(filter) => {
                    let there = There {
                        options: &options,
                        filter,
                        places: &places,
                        interrupt: None,
                        variable,
                    };
                    let voice = Voice { program, stderr };
                    if options.explain {
                        expression::explain(there, stdout, &mut outcome)
                    } else if options.events {
                        follow(there, screen, stdout, voice, &mut outcome)
                    } else {
                        list(there, screen, stdout, voice, None, &mut outcome)
                    }
                }
                Err(error) => {
                    outcome::say_lines(program, &error, stderr);
                    return error.status();
                }
            },
            Err(error) => {
                outcome.failed(format_args!("{error}"));
                Ok(())
            }
        },
    };
    match done {
        Ok(()) => {}
        // Who reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return outcome::DONE,
        Err(error) => outcome.failed(format_args!("cannot write the output: {error}")),
    }
    outcome.finish(program, stderr)
}

/// What is listed, and where.
struct There<'a> {
    options: &'a Options,
    filter: Written,
    places: &'a Places,
    /// What ends the closing of sockets.
    interrupt: Option<Interrupt>,
    variable: Lookup<'a>,
}

/// Prints sockets as they close, until a signal comes.
fn follow(
    there: There<'_>,
    screen: Screen,
    stdout: &mut dyn Write,
    voice: Voice<'_>,
    outcome: &mut Outcome,
) -> io::Result<()> {
    match Stop::by_signals() {
        Ok(stop) => {
            let mut stdout = Patient::new(stdout, io::stdout(), &stop);
            list(there, screen, &mut stdout, voice, Some(&stop), outcome)
        }
        Err(error) => {
            outcome.failed(format_args!("cannot wait for signals: {error}"));
            Ok(())
        }
    }
}

fn list(
    there: There<'_>,
    screen: Screen,
    stdout: &mut dyn Write,
    voice: Voice<'_>,
    stop: Option<&Stop>,
    outcome: &mut Outcome,
) -> io::Result<()> {
    let There { options, variable, .. } = there;
    let version = options.version;
    // Of other sockets the kernel tells no end.
    if let Some(tables) = options.missing_tables.as_ref().filter(|_| !options.events) {
        outcome.incomplete(format_args!(
            "TCP and UDP sockets alone are shown; {tables} sockets are not available in this \
             version of sockeye"
        ));
    }
    if options.process_contexts > 0 && !context::selinux_enabled() {
        outcome.failed(format_args!("SELinux is not enabled."));
        return Ok(());
    }
    if options.json {
        if options.process_contexts > 0 {
            outcome
                .note(format_args!("-Z and -z: contexts are part of the text alone, not of JSON"));
        }
        let recorded = variable("TCPDIAG_FILE").is_some();
        let mut lines = Lines::new(stdout, recorded);
        print(there, &mut lines, voice, stop, outcome)?;
        return lines.finish();
    }
    let escape = if screen.terminal { Escape::Controls } else { Escape::Never };
    let hidden = Hidden {
        netid: options.one_table,
        state: options.states.0.count_ones() == 1,
        queues: options.no_queues,
        process: !options.processes,
    };
    let out = BufWriter::with_capacity(1 << 16, stdout);
    let mut rows = Rows {
        columns: Columns::new(out, version, hidden, screen.width(version, variable)),
        names: Names::new(options.numeric, options.resolve, escape, variable),
        shown: Shown {
            details: options.details,
            memory: options.memory,
            tcp_info: options.tcp_info,
            tos: options.tos,
            cgroup: options.cgroup,
            sockopt: options.sockopt,
            oneline: options.oneline,
            style: Style { version, numeric: options.numeric, options: options.options, escape },
        },
        users: Users {
            version,
            escape,
            contexts: Contexts::of(options),
            root: proc_root(variable),
        },
        scratch: Scratch::default(),
        netns: None,
    };
    if options.netns == Choice::All {
        rows.columns.show_netns();
        rows.netns = Some(Vec::new());
    }
    if !options.no_header {
        rows.columns.header()?;
    }
    print(there, &mut rows, voice, stop, outcome)?;
    rows.columns.finish()
}

/// Prints the tables, or what is done to their sockets, with the sockets' owners if they are shown.
fn print<P: Print + Flush>(
    mut there: There<'_>,
    rows: &mut P,
    voice: Voice<'_>,
    stop: Option<&Stop>,
    outcome: &mut Outcome,
) -> io::Result<()> {
    let options = there.options;
    // Of a socket that has closed, nobody is the owner.
    if let Some(stop) = stop {
        return events::follow(&mut there, rows, voice, stop, outcome);
    }
    if options.kill
        && let Some(name) = named_file(there.variable)
    {
        outcome.failed(format_args!(
            "-K closes sockets of this kernel, and {name} names others: nothing was closed"
        ));
        return Ok(());
    }
    if options.kill {
        match Interrupt::noted() {
            Ok(interrupt) => there.interrupt = Some(interrupt),
            Err(error) => {
                outcome.failed(format_args!("cannot wait for signals: {error}"));
                return Ok(());
            }
        }
    }
    if !options.shows_owners() {
        return namespaces::list(&mut there, rows, outcome);
    }
    let search = Search::new().threads(options.threads).root(proc_root(there.variable));
    let mut owned = Owned::new(rows, search);
    namespaces::list(&mut there, &mut owned, outcome)?;
    owned.finish(outcome)
}
