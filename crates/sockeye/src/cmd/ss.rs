//! `sockeye ss`: a thin door to [`sockeye_ss`], whose grammar is its own.

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs `ss` with its arguments; `program` stands before its messages.
pub(crate) fn run(program: &str, args: impl IntoIterator<Item = OsString>) -> ExitCode {
    ExitCode::from(sockeye_ss::run(program, args))
}
