//! What a run depends on besides its arguments: environment variables and the terminal.
//!
//! Both are handed in, so that a test decides them.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use crate::version::Version;

/// Looks up an environment variable.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Standard output, as far as the layout cares.
#[derive(Debug, Clone, Copy, Default)]
pub struct Screen {
    /// It is a terminal.
    pub terminal: bool,
    /// Its width in columns (`TIOCGWINSZ`); 0 where the terminal does not tell.
    pub columns: u16,
}

impl Screen {
    /// What `stdout` is.
    #[must_use]
    pub fn of(stdout: &impl std::os::fd::AsFd) -> Screen {
        let terminal = rustix::termios::isatty(stdout);
        let size = if terminal { rustix::termios::tcgetwinsize(stdout).ok() } else { None };
        Screen { terminal, columns: size.map_or(0, |size| size.ws_col) }
    }

    /// The width to lay out for: the terminal's, else `COLUMNS` where the version honours it, else
    /// none (a compact layout).
    pub(crate) fn width(self, version: Version, variable: Lookup<'_>) -> Option<u32> {
        if self.columns > 0 {
            return Some(u32::from(self.columns));
        }
        if !version.honours_columns() {
            return None;
        }
        variable("COLUMNS").and_then(|columns| leading_number(&columns))
    }
}

/// C's `atoi`, as far as it comes to a positive number: white space and a sign before the digits,
/// anything behind, and the low 32 bits of what 64 bits hold.
fn leading_number(text: &OsStr) -> Option<u32> {
    let text = text.as_encoded_bytes();
    let text = text.trim_ascii_start();
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let number =
        digits.iter().take_while(|byte| byte.is_ascii_digit()).fold(0_i64, |number, digit| {
            number.saturating_mul(10).saturating_add(i64::from(digit - b'0'))
        });
    let number = if negative { -number } else { number };
    // What a conversion to int keeps.
    let low = number as i32;
    u32::try_from(low).ok().filter(|columns| *columns > 0)
}

/// The file that `ss` reads: `$NAME`, or else `path` below `$PROC_ROOT` or /proc.
pub(crate) fn proc_file(variable: Lookup<'_>, name: &str, path: &str) -> PathBuf {
    match variable(name) {
        Some(file) => file.into(),
        None => {
            let mut file = proc_root(variable);
            file.push(path);
            file
        }
    }
}

/// Where /proc lies: `PROC_ROOT` says so.
pub(crate) fn proc_root(variable: Lookup<'_>) -> PathBuf {
    variable("PROC_ROOT").map_or_else(|| PathBuf::from("/proc"), PathBuf::from)
}

/// Variables that name files in place of this kernel's sockets.
pub(crate) const FILES: [&str; 6] =
    ["TCPDIAG_FILE", "PROC_ROOT", "PROC_NET_TCP", "PROC_NET_TCP6", "PROC_NET_UDP", "PROC_NET_UDP6"];

/// The first of them that is set.
pub(crate) fn named_file(variable: Lookup<'_>) -> Option<&'static str> {
    FILES.into_iter().find(|name| variable(name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_read_as_c_reads_them() {
        for (text, columns) in [
            ("80", Some(80)),
            (" 90", Some(90)),
            ("80x", Some(80)),
            ("+7", Some(7)),
            ("0", None),
            ("-5", None),
            ("", None),
            ("wide", None),
            ("4294967376", Some(80)),
        ] {
            assert_eq!(leading_number(OsStr::new(text)), columns, "{text:?}");
        }
    }

    #[test]
    fn only_the_newer_version_honours_columns() {
        let variable: Lookup<'_> = &|name| (name == "COLUMNS").then(|| "100".into());
        let pipe = Screen::default();
        assert_eq!(pipe.width(Version::V6_1, variable), None);
        assert_eq!(pipe.width(Version::V7_1, variable), Some(100));
        let terminal = Screen { terminal: true, columns: 80 };
        assert_eq!(terminal.width(Version::V7_1, variable), Some(80));
    }

    #[test]
    fn a_file_of_proc_may_lie_elsewhere() {
        assert_eq!(proc_file(&|_| None, "PROC_NET_TCP", "net/tcp"), PathBuf::from("/proc/net/tcp"));
        let root: Lookup<'_> = &|name| (name == "PROC_ROOT").then(|| "/copy".into());
        assert_eq!(proc_file(root, "PROC_NET_TCP", "net/tcp"), PathBuf::from("/copy/net/tcp"));
        let file: Lookup<'_> = &|name| (name == "PROC_NET_TCP").then(|| "/t".into());
        assert_eq!(proc_file(file, "PROC_NET_TCP", "net/tcp"), PathBuf::from("/t"));
    }
}
