//! Why a text is no filter.

use std::fmt;
use std::ops::Range;

/// What is wrong with a filter, and where. Shown as three lines: what was expected, the line, and
/// marks under the word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    message: String,
    line: String,
    /// Columns before the marks, and how many marks.
    column: usize,
    marks: usize,
}

impl std::error::Error for ParseError {}

impl ParseError {
    /// `place`: of the word, in `text`; empty, and a byte behind all others, where one is missing.
    pub(crate) fn new(message: String, text: &[u8], place: &Range<usize>) -> ParseError {
        let start = place.start.min(text.len());
        let before = text.get(..start).unwrap_or_default();
        let behind = text.get(start..).unwrap_or_default();
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let line_end = behind.iter().position(|byte| *byte == b'\n').unwrap_or(behind.len());
        let left = shown(before.get(line_start..).unwrap_or_default());
        let right = behind.get(..line_end).unwrap_or_default();
        let word = shown(right.get(..place.len().min(right.len())).unwrap_or_default());
        let column = left.chars().count() + place.start.saturating_sub(text.len());
        let marks = word.chars().count().max(1);
        ParseError { message, line: left + &shown(right), column, marks }
    }

    /// What is wrong, without the place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The column of the word, counted from 0, in characters.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ParseError { message, line, column, marks } = self;
        write!(f, "{message}\n  {line}\n  {:column$}{:^>marks$}", "", "")
    }
}

/// Text on one line of a terminal.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let mut shown = String::new();
    for character in String::from_utf8_lossy(bytes).chars() {
        match character {
            '\t' => shown.push(' '),
            _ if character.is_control() => {
                shown.extend(character.escape_unicode());
            }
            _ => shown.push(character),
        }
    }
    shown
}
