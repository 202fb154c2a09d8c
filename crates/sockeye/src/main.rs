//! `sockeye`: see every socket, every change and every packet's way through a Linux host's network
//! stack.
//!
//! This crate only dispatches: one file a command in `cmd/`, each on top of a library crate. Run
//! as a program named `ss`, by a link or a copy, it is `sockeye ss` from the first argument.

mod cmd;

use std::env;
use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// See every socket, every change and every packet's way through a Linux host's network stack.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, after_help = EXIT_STATUS)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_STATUS: &str = "\
Exit status:
  0  done
  1  failed
  2  wrong usage
  3  done, but something is known to be missing; stderr says what";

#[derive(Debug, Subcommand)]
enum Command {
    /// Sockets, byte for byte as iproute2's ss prints them (`sockeye ss -h` lists its flags)
    #[command(override_usage = "sockeye ss [FLAGS] [state STATE | exclude STATE]...")]
    Ss,
    /// Close sockets by force: those that match a filter, each with the kernel's answer
    Kill(cmd::kill::Options),
    /// What the fields of JSON output are: documentation, or a JSON Schema
    Schema(cmd::schema::Options),
}

fn main() -> ExitCode {
    let mut args = env::args_os();
    let name = args.next().unwrap_or_default();
    if Path::new(&name).file_name() == Some(OsStr::new("ss")) {
        return cmd::ss::run("ss", args);
    }
    // The arguments of ss go to ss untouched: its grammar is not clap's, down to a leading `--`.
    if args.next().as_deref() == Some(OsStr::new("ss")) {
        return cmd::ss::run("sockeye ss", args);
    }
    match Cli::parse().command {
        // Listed for clap's help; taken above.
        Command::Ss => cmd::ss::run("sockeye ss", []),
        Command::Kill(options) => cmd::kill::run(&options),
        Command::Schema(options) => cmd::schema::run(&options),
    }
}
