//! How a run went: what is said on standard error after the rows, and the exit status.
//!
//! Arguments, variables and files end up in messages, so every message is escaped: no control
//! character reaches standard error.

use std::fmt;
use std::io::Write;

use crate::escape::Escape;

/// Done.
pub(crate) const DONE: u8 = 0;
/// A dump or the output failed.
pub(crate) const FAILED: u8 = 1;
/// Wrong usage.
pub(crate) const USAGE: u8 = 2;
/// Done, but something is known to be missing or doubtful.
pub(crate) const INCOMPLETE: u8 = 3;

/// Notes and status, as they gather.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    notes: Vec<String>,
    failed: bool,
    incomplete: bool,
}

impl Outcome {
    /// Something to know that takes nothing away.
    pub(crate) fn note(&mut self, text: fmt::Arguments<'_>) {
        let text = text.to_string();
        if !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    /// Something that is missing.
    pub(crate) fn incomplete(&mut self, text: fmt::Arguments<'_>) {
        self.incomplete = true;
        self.note(text);
    }

    /// Something that failed.
    pub(crate) fn failed(&mut self, text: fmt::Arguments<'_>) {
        self.failed = true;
        self.note(text);
    }

    /// A dump began again when some of its rows had been written.
    pub(crate) fn torn(&mut self) {
        self.incomplete(format_args!("a dump had to begin again: some sockets are shown twice"));
    }

    /// Says what there is to say, and gives the status.
    pub(crate) fn finish(&self, program: &str, stderr: &mut dyn Write) -> u8 {
        for note in &self.notes {
            say(program, note, stderr);
        }
        match self {
            Outcome { failed: true, .. } => FAILED,
            Outcome { incomplete: true, .. } => INCOMPLETE,
            _ => DONE,
        }
    }
}

/// Writes one message, as a line of its own.
pub(crate) fn say(program: &str, message: &dyn fmt::Display, stderr: &mut dyn Write) {
    let mut line = Vec::new();
    Escape::Controls.write(&mut line, format!("{program}: {message}").as_bytes());
    line.push(b'\n');
    // Where standard error is closed, nobody listens.
    let _ = stderr.write_all(&line);
}

/// Writes a message that has several lines of its own.
pub(crate) fn say_lines(program: &str, message: &dyn fmt::Display, stderr: &mut dyn Write) {
    let text = message.to_string();
    let mut lines = text.lines();
    say(program, &lines.next().unwrap_or_default(), stderr);
    for more in lines {
        let mut line = Vec::new();
        Escape::Controls.write(&mut line, more.as_bytes());
        line.push(b'\n');
        let _ = stderr.write_all(&line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_without_control_characters() {
        let mut said = Vec::new();
        say("s\rs", &"cannot open \x1b[2J\n", &mut said);
        assert_eq!(String::from_utf8(said).unwrap(), "s\\x0ds: cannot open \\x1b[2J\\x0a\n");
    }

    #[test]
    fn a_failure_outweighs_what_is_missing() {
        let mut outcome = Outcome::default();
        assert_eq!(outcome.finish("ss", &mut Vec::new()), DONE);
        outcome.note(format_args!("a"));
        assert_eq!(outcome.finish("ss", &mut Vec::new()), DONE);
        outcome.incomplete(format_args!("b"));
        assert_eq!(outcome.finish("ss", &mut Vec::new()), INCOMPLETE);
        outcome.failed(format_args!("c"));
        outcome.failed(format_args!("c"));
        let mut said = Vec::new();
        assert_eq!(outcome.finish("ss", &mut said), FAILED);
        assert_eq!(said, b"ss: a\nss: b\nss: c\n");
    }
}
