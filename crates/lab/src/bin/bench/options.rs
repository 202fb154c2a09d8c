//! The command line of `bench`.

use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

const USAGE: &str = "usage: bench [--sockets N] [--runs N] [--slow-runs N] [--only PATTERN] [--sockeye PATH] [--ss PATH]
  --sockets N     TCP sockets in the namespace, two a connection (default 200000)
  --runs N        runs of each program (default 11)
  --slow-runs N   the same where ss takes minutes (default 3)
  --only PATTERN  the line of this name, such as -Htn or \"memory -Htn\"; where there is none, all
                  lines whose names contain it
  --sockeye PATH  the program to measure (default: beside this one)
  --ss PATH       the program to compare with (default: the installed ss)";

/// What was asked for.
pub(crate) struct Options {
    /// TCP sockets of the crowd.
    pub(crate) sockets: usize,
    /// Runs of each program, without the one that warms up.
    pub(crate) runs: usize,
    /// Runs of each program where `ss` takes minutes.
    pub(crate) slow_runs: usize,
    /// Which lines.
    pub(crate) only: Option<String>,
    /// The program that is measured.
    pub(crate) sockeye: PathBuf,
    /// The program that it is compared with.
    pub(crate) ss: PathBuf,
    /// The program below which no dump can be.
    pub(crate) floor: PathBuf,
}

impl Options {
    /// Reads the command line; `beside` is this program. `None` when help was asked for and given.
    ///
    /// # Errors
    /// Fails at what it does not understand, and when a program is missing.
    pub(crate) fn parse(beside: &Path) -> Result<Option<Self>, Box<dyn Error>> {
        let mut options = Self {
            sockets: 200_000,
            runs: 11,
            slow_runs: 3,
            only: None,
            sockeye: beside.with_file_name("sockeye"),
            ss: "ss".into(),
            floor: beside.with_file_name("floor"),
        };
        let mut arguments = std::env::args_os().skip(1);
        while let Some(argument) = arguments.next() {
            let name = argument.to_string_lossy().into_owned();
            if name == "-h" || name == "--help" {
                println!("{USAGE}");
                return Ok(None);
            }
            let value = arguments.next().ok_or(format!("{name} takes a value\n{USAGE}"))?;
            match name.as_str() {
                "--sockets" => options.sockets = number(&name, &value)?,
                "--runs" => options.runs = number(&name, &value)?,
                "--slow-runs" => options.slow_runs = number(&name, &value)?,
                "--only" => options.only = Some(value.to_string_lossy().into_owned()),
                "--sockeye" => options.sockeye = value.into(),
                "--ss" => options.ss = value.into(),
                _ => return Err(format!("unknown option {name}\n{USAGE}").into()),
            }
        }
        for (program, way_out) in [
            (&options.sockeye, "build it with `cargo build --release -p sockeye`"),
            (&options.floor, "build it with `cargo build --release -p sockeye-lab`"),
        ] {
            if !program.exists() {
                return Err(format!("{} is missing: {way_out}", program.display()).into());
            }
        }
        Ok(Some(options))
    }
}

fn number(name: &str, value: &OsString) -> Result<usize, String> {
    let text = value.to_string_lossy();
    text.parse()
        .ok()
        .filter(|number| *number > 0)
        .ok_or(format!("{name} {text}: not a number above 0"))
}
