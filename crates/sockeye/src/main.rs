//! `sockeye`: see every socket, every change and every packet's way through a Linux host's network
//! stack.
//!
//! This crate only dispatches: one file a command in `cmd/`, each on top of a library crate. Run
//! as a program named `ss`, by a link or a copy, it is `sockeye ss` from the first argument.

mod cmd;

use std::env;
use std::ffi::{OsStr, OsString};
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
    #[command(disable_help_flag = true)]
    Ss {
        /// Flags and filter of ss
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    let mut args = env::args_os();
    let is_ss =
        args.next().is_some_and(|name| Path::new(&name).file_name() == Some(OsStr::new("ss")));
    if is_ss {
        return cmd::ss::run("ss", args);
    }
    match Cli::parse().command {
        Command::Ss { args } => cmd::ss::run("sockeye ss", args),
    }
}
