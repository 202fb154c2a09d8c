//! How a run went: what is said on standard error after the rows, and the exit status.
//!
//! Arguments, variables and files end up in messages, so every message is escaped: no control
//! character reaches standard error.

use std::fmt;
use std::io::Write;

use sockeye_netns::{Place, Report};

use crate::escape::Escape;
use crate::namespaces;

/// Done.
pub(crate) const DONE: u8 = 0;
/// A dump or the output failed.
pub(crate) const FAILED: u8 = 1;
/// Wrong usage.
pub(crate) const USAGE: u8 = 2;
/// Done, but something is known to be missing or doubtful.
pub(crate) const INCOMPLETE: u8 = 3;

/// The most notes that are kept: more say no more.
const MOST: usize = 40;
/// The most namespaces that a note names.
const NAMED: usize = 3;

/// How a run went: notes, and the exit status, as they gather. What is said of several network namespaces
/// is said once, with the first of them, and there are forty notes at most.
#[derive(Debug, Default)]
pub struct Outcome {
    notes: Vec<Note>,
    /// Notes that were not kept.
    more: u64,
    /// Notes that were said before the end.
    told: Vec<String>,
    /// The namespace that notes are about, where there are several.
    place: Option<String>,
    failed: bool,
    incomplete: bool,
}

/// Something said, once for all namespaces that it is said of.
#[derive(Debug)]
struct Note {
    text: String,
    /// The first of them; none where it is about no namespace.
    places: Vec<String>,
    /// How many there are, those included.
    count: usize,
    /// The last of them.
    last: Option<String>,
}

impl Note {
    /// It is said of one more, unless that is the last.
    fn add(&mut self, place: &str) {
        if self.last.as_deref() != Some(place) {
            self.count += 1;
            self.last = Some(place.to_owned());
            if self.places.len() < NAMED {
                self.places.push(place.to_owned());
            }
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.places.is_empty() {
            write!(f, "netns {}", self.places.join(", "))?;
            match self.count - self.places.len() {
                0 => {}
                more => write!(f, " and {more} more")?,
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.text)
    }
}

impl Outcome {
    /// What is said from now on is about this namespace; or about none in particular.
    fn enter(&mut self, place: Option<String>) {
        self.place = place;
    }

    /// Something to know that takes nothing away.
    pub fn note(&mut self, text: fmt::Arguments<'_>) {
        let text = text.to_string();
        let of_places = self.place.is_some();
        let said = |note: &Note| note.text == text && note.places.is_empty() != of_places;
        let index = self.notes.iter().position(said).unwrap_or(self.notes.len());
        if index == MOST {
            self.more += 1;
            return;
        }
        if index == self.notes.len() {
            self.notes.push(Note { text, places: Vec::new(), count: 0, last: None });
        }
        if let (Some(note), Some(place)) = (self.notes.get_mut(index), &self.place) {
            note.add(place);
        }
    }

    /// Something that is missing.
    pub fn incomplete(&mut self, text: fmt::Arguments<'_>) {
        self.incomplete = true;
        self.note(text);
    }

    /// Something that failed.
    pub fn failed(&mut self, text: fmt::Arguments<'_>) {
        self.failed = true;
        self.note(text);
    }

    /// A dump began again when some of its rows had been written.
    pub(crate) fn torn(&mut self) {
        self.incomplete(format_args!("a dump had to begin again: some sockets are shown twice"));
    }

    /// Says at once what there is to say by now: nothing twice, and forty notes at most in all.
    pub(crate) fn tell(&mut self, program: &str, stderr: &mut dyn Write) {
        for note in std::mem::take(&mut self.notes) {
            let note = note.to_string();
            if self.told.contains(&note) {
                continue;
            }
            if self.told.len() < MOST {
                say(program, &note, stderr);
                self.told.push(note);
            } else {
                self.more += 1;
            }
        }
    }

    /// Says what there is to say, each a line that begins with `program`, and gives the exit status: 1 where
    /// something failed, 3 where something is missing, else 0.
    pub fn finish(&self, program: &str, stderr: &mut dyn Write) -> u8 {
        for note in &self.notes {
            say(program, note, stderr);
        }
        if self.more > 0 {
            say(program, &format_args!("and {} messages more", self.more), stderr);
        }
        match self {
            Outcome { failed: true, .. } => FAILED,
            Outcome { incomplete: true, .. } => INCOMPLETE,
            _ => DONE,
        }
    }
}

impl Report for Outcome {
    fn enter(&mut self, place: Option<&Place>) {
        Outcome::enter(self, place.map(namespaces::name));
    }

    fn note(&mut self, text: fmt::Arguments<'_>) {
        Outcome::note(self, text);
    }

    fn incomplete(&mut self, text: fmt::Arguments<'_>) {
        Outcome::incomplete(self, text);
    }

    fn failed(&mut self, text: fmt::Arguments<'_>) {
        Outcome::failed(self, text);
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
    fn what_is_told_at_once_is_bounded_and_counts_in_the_end() {
        let (mut outcome, mut said) = (Outcome::default(), Vec::new());
        for number in 0..100 {
            outcome.incomplete(format_args!("{}", number / 2));
            outcome.tell("ss", &mut said);
        }
        assert_eq!(said.iter().filter(|byte| **byte == b'\n').count(), MOST);
        let mut said = Vec::new();
        assert_eq!(outcome.finish("ss", &mut said), INCOMPLETE);
        assert_eq!(String::from_utf8(said).unwrap(), "ss: and 20 messages more\n");
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

    #[test]
    fn what_is_said_of_many_namespaces_is_said_once() {
        let mut outcome = Outcome::default();
        for place in ["a", "b", "b", "c", "d", "e"] {
            outcome.enter(Some(place.to_owned()));
            outcome.incomplete(format_args!("refused"));
            if place == "b" {
                outcome.note(format_args!("b alone"));
            }
        }
        outcome.enter(None);
        outcome.note(format_args!("refused"));
        let mut said = Vec::new();
        assert_eq!(outcome.finish("ss", &mut said), INCOMPLETE);
        assert_eq!(
            String::from_utf8(said).unwrap(),
            "ss: netns a, b, c and 2 more: refused\nss: netns b: b alone\nss: refused\n"
        );
    }

    #[test]
    fn messages_are_bounded() {
        let (mut outcome, mut said) = (Outcome::default(), Vec::new());
        for number in 0..MOST + 5 {
            outcome.note(format_args!("{number}"));
        }
        outcome.finish("ss", &mut said);
        let said = String::from_utf8(said).unwrap();
        assert_eq!(said.lines().count(), MOST + 1);
        assert!(said.ends_with("ss: and 5 messages more\n"), "{said}");
    }
}
