//! What the whole prints, given arguments, variables and a screen.

mod behaviour;
mod json;
mod owners;
mod recordings;

use std::ffi::OsString;
use std::path::PathBuf;

use crate::environment::Screen;

/// A run: what it depends on, and what came of it.
struct Run {
    status: u8,
    stdout: Vec<u8>,
    stderr: String,
}

const PIPE: Screen = Screen { terminal: false, columns: 0 };

/// A terminal of that many columns; 0 for a pipe.
fn screen(columns: u16) -> Screen {
    Screen { terminal: columns > 0, columns }
}

fn run(line: &str, variables: &[(&str, OsString)], screen: Screen) -> Run {
    let variable = |name: &str| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    };
    let args = line.split_whitespace().map(OsString::from);
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let status = crate::run_with("ss", args, &variable, screen, &mut stdout, &mut stderr);
    Run { status, stdout, stderr: String::from_utf8(stderr).unwrap() }
}

/// A file beside the tests.
fn file(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recordings")).join(name)
}
