//! Why a text is no filter.

use std::fmt;
use std::ops::Range;

use crate::words::Text;

/// What is wrong with a filter, and where. Shown as three lines: what was expected, the line, and
/// marks under the word. Of a long line, what stands around the word is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    message: String,
    /// What is shown of the line.
    excerpt: String,
    /// Of the word, in the whole line.
    column: usize,
    /// Characters before the marks in the excerpt, and how many marks.
    before: usize,
    marks: usize,
}

/// The longest line that is shown whole, characters: it fits into a terminal of 80 columns.
const LONGEST: usize = 72;
/// Of a longer one, so much is shown before the word, and of it and what stands behind it.
const BEFORE: usize = 30;
const BEHIND: usize = 40;

impl std::error::Error for ParseError {}

impl ParseError {
    /// `place`: of the word, in `text`; empty, and a byte behind all others, where one is missing.
    pub(crate) fn new(message: String, text: &Text, place: &Range<usize>) -> ParseError {
        let line = text.line_at(place.start);
        let text = text.bytes();
        let start = place.start.clamp(line.start, line.end);
        let end = place.end.clamp(start, line.end);
        let left = shown(text.get(line.start..start).unwrap_or_default());
        let word = shown(text.get(start..end).unwrap_or_default());
        let right = shown(text.get(start..line.end).unwrap_or_default());
        let column = left.chars().count() + place.start.saturating_sub(text.len());
        let marks = word.chars().count().max(1);
        if column + right.chars().count() <= LONGEST {
            return ParseError { message, excerpt: left + &right, column, before: column, marks };
        }
        let skipped = column.saturating_sub(BEFORE);
        let mut excerpt = String::from(if skipped > 0 { "\u{2026}" } else { "" });
        excerpt.extend(left.chars().skip(skipped));
        excerpt.extend(right.chars().take(BEHIND));
        if right.chars().count() > BEHIND {
            excerpt.push('\u{2026}');
        }
        let before = column - skipped + usize::from(skipped > 0);
        ParseError { message, excerpt, column, before, marks: marks.min(BEHIND) }
    }

    /// What is wrong, without the place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The column of the word in its line, counted from 0, in characters.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ParseError { message, excerpt, before, marks, .. } = self;
        write!(f, "{message}\n  {excerpt}\n  {:before$}{:^>marks$}", "", "")
    }
}

/// Text on one line of a terminal.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let mut shown = String::new();
    for character in String::from_utf8_lossy(bytes).chars() {
        match character {
            // NUL stands between arguments.
            '\t' | '\0' => shown.push(' '),
            _ if character.is_control() => {
                shown.extend(character.escape_unicode());
            }
            _ => shown.push(character),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &Text, place: Range<usize>) -> Vec<String> {
        let error = ParseError::new("no".to_owned(), text, &place);
        error.to_string().lines().map(str::to_owned).collect()
    }

    /// More columns than a width in a format string may have.
    #[test]
    fn of_a_long_line_what_stands_around_the_word_is_shown() {
        let text = Text::new().argument("x ".repeat(50_000).as_bytes()).argument(b"bad word");
        let shown = lines(&text, 100_001..100_004);
        let excerpt =
            format!("  \u{2026}{}bad word", "x ".repeat(15).split_at(1).1.to_owned() + " ");
        assert_eq!(shown.get(1..), Some(&[excerpt, " ".repeat(33) + "^^^"][..]));
        let shown = lines(&text, 100_009..100_009);
        assert!(shown[1].ends_with("x  bad word") && shown[2].ends_with(" ^"), "{shown:?}");

        let text = Text::new().argument("y".repeat(70_000).as_bytes());
        let shown = lines(&text, 0..70_000);
        assert_eq!(shown[1], format!("  {}\u{2026}", "y".repeat(BEHIND)));
        assert_eq!(shown[2], format!("  {}", "^".repeat(BEHIND)));
        // Missing behind it all.
        let shown = lines(&text, 70_001..70_001);
        assert_eq!(shown[1], format!("  \u{2026}{}", "y".repeat(BEFORE - 1)));
        assert_eq!(shown[2], format!("  {}^", " ".repeat(BEFORE + 1)));
    }

    #[test]
    fn every_place_is_within_its_line() {
        let text = Text::new().argument(b"a b").file(b"c\xffd\n\te\n").expect("short lines");
        for start in 0..20 {
            for end in start..20 {
                let shown = lines(&text, start..end);
                assert_eq!(shown.len(), 3, "{shown:?}");
                assert!(shown[2].trim_start().chars().all(|mark| mark == '^'), "{shown:?}");
            }
        }
    }
}
