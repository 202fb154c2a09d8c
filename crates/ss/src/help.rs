//! The help, made from the table of flags.

use std::fmt::Write;

use crate::flags::{Does, FLAGS, Flag};
use crate::version::Version;

/// Columns of the help's flags.
const INDENT: usize = 26;
/// Columns of the whole.
const WIDTH: usize = 80;

/// The text of `--help`.
pub(crate) fn text(program: &str, version: Version) -> String {
    let mut text = format!(
        "{program}: the host's TCP and UDP sockets, as ss of iproute2 {} prints them.\n\n\
         {program} [FLAGS] [state STATE | exclude STATE]... [FILTER]\n\n",
        version.number(),
    );
    let flags = || FLAGS.iter().filter(|flag| flag.is_in(version));
    for flag in flags().filter(|flag| flag.does != Does::Later && !flag.doc.is_empty()) {
        entry(&mut text, flag);
    }
    let later: Vec<_> =
        flags().filter(|flag| flag.does == Does::Later).map(Flag::spelling).collect();
    let _ = write!(text, "\nKnown to ss and not here yet:\n");
    wrapped(&mut text, "  ", later.iter().map(|flag| flag.replace(", ", "/")));
    text.push_str(
        "\nSTATE: established, syn-sent, syn-recv, fin-wait-1, fin-wait-2, time-wait, closed,\n\
         close-wait, last-ack, listening, closing",
    );
    if version.has_bound_inactive() {
        text.push_str(", bound-inactive");
    }
    text.push_str(
        ";\nor a group: all, connected (all but closed and listening), synchronized\n\
         (connected but syn-sent), bucket (syn-recv, time-wait), big (all but bucket).\n\n\
         FILTER: src HOST, dst HOST, sport OP PORT, dport OP PORT, dev NAME, cgroup PATH,\n\
         fwmark MARK[/MASK], autobound; joined by and, or, not, ( ), from left to right.\n\
         HOST: [inet:|inet6:|unix:|link:|netlink:|vsock:]ADDRESS[/LENGTH][:PORT], a name, *.\n\
         OP: =, !=, <, >, <=, >=, or as words: eq, ne, lt, gt, le, ge.\n\n\
         Exit status: 0 done, 1 failed, 2 wrong usage, 3 done but something is known to be\n\
         missing.\n",
    );
    text
}

fn entry(text: &mut String, flag: &Flag) {
    let mut spelling = match flag.short {
        Some(_) => flag.spelling(),
        None => format!("    {}", flag.spelling()),
    };
    if let Some(value) = flag.value {
        let _ = write!(spelling, " {value}");
    }
    let indent = " ".repeat(INDENT);
    let first = format!("  {spelling:<width$}", width = INDENT - 2);
    let mut lines = String::new();
    wrapped(&mut lines, &indent, flag.doc.split(' '));
    text.push_str(&first);
    text.push_str(lines.trim_start());
}

/// Words, broken into lines behind an indent.
fn wrapped(text: &mut String, indent: &str, words: impl Iterator<Item = impl AsRef<str>>) {
    let mut column = 0;
    for word in words {
        let word = word.as_ref();
        if column > 0 && column + 1 + word.len() > WIDTH {
            text.push('\n');
            column = 0;
        }
        if column == 0 {
            text.push_str(indent);
            column = indent.len();
        } else {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += word.len();
    }
    text.push('\n');
}

/// The text of `--version`.
pub(crate) fn version(program: &str, version: Version) -> String {
    format!("{program} {}, as iproute2-{} prints\n", env!("CARGO_PKG_VERSION"), version.number())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_is_in_the_help() {
        for version in Version::ALL {
            let help = text("ss", version);
            for flag in FLAGS.iter().filter(|flag| flag.is_in(version) && !flag.doc.is_empty()) {
                for word in flag.long.iter().take(1) {
                    assert!(help.contains(&format!("--{word}")), "{word}");
                }
            }
            assert!(help.lines().all(|line| line.len() <= 84), "{help}");
        }
    }

    #[test]
    fn the_help_of_a_version_has_its_flags_alone() {
        assert!(!text("ss", Version::V6_1).contains("bound-inactive"));
        assert!(text("ss", Version::V6_1).contains("dccp"));
        assert!(!text("ss", Version::V7_1).contains("dccp"));
    }
}
