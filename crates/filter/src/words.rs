//! A filter's text, cut into words, each of which knows where it stands.
//!
//! White space (spaces and tabs) separates words, and a backslash takes its meaning from the byte
//! behind it. In `ss`'s reading nothing else separates; in the other one, operators, parentheses
//! and `!` are words wherever they stand, unless a backslash stands before them.

use std::ops::Range;

use crate::Reading;

/// The text of a filter: what the command line says, and then the lines of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    bytes: Vec<u8>,
}

/// The longest line of a file, bytes, as `ss` has it.
const LONGEST_LINE: usize = 1022;

impl Text {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Text {
        Text::default()
    }

    /// Adds an argument of the command line. Several are read as if spaces stood between them.
    #[must_use]
    pub fn argument(mut self, argument: &[u8]) -> Text {
        if !self.bytes.is_empty() {
            self.bytes.push(b' ');
        }
        // Each of these would end the line that an error shows.
        self.bytes.extend(argument.iter().map(|byte| if *byte == b'\n' { b' ' } else { *byte }));
        self
    }

    /// Adds the lines of a filter file. As in `ss`, lines that begin with `#` are left out, and so are
    /// those that begin with `0`.
    ///
    /// # Errors
    /// The number of the first line that is longer than `ss` takes (1022 bytes), counted from 1.
    pub fn file(mut self, file: &[u8]) -> Result<Text, usize> {
        for (number, line) in (1..).zip(file.split(|byte| *byte == b'\n')) {
            if line.len() > LONGEST_LINE {
                return Err(number);
            }
            if !matches!(line.first(), None | Some(b'#' | b'0')) {
                if !self.bytes.is_empty() {
                    self.bytes.push(b'\n');
                }
                // What is behind a NUL, C does not see.
                let end = line.iter().position(|byte| *byte == 0).unwrap_or(line.len());
                self.bytes.extend_from_slice(line.get(..end).unwrap_or(line));
            }
        }
        Ok(self)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A word, without the backslashes that were in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) text: Vec<u8>,
    /// Where it stands.
    pub(crate) place: Range<usize>,
    pub(crate) token: Token,
}

/// What a word is in the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    Not,
    And,
    Or,
    Open,
    Close,
    Compare(Comparison),
    Src,
    Dst,
    Sport,
    Dport,
    Dev,
    Fwmark,
    Cgroup,
    Autobound,
    State,
    Exclude,
    /// Anything else.
    Value,
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    AtLeast,
    AtMost,
    Greater,
    Less,
}

/// Cuts a text into words.
pub(crate) fn words(text: &Text, reading: Reading) -> Vec<Word> {
    let bytes = text.bytes();
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at).copied() {
        if matches!(byte, b' ' | b'\t' | b'\n') {
            at += 1;
            continue;
        }
        let (word, end) = match operator(bytes.get(at..).unwrap_or_default(), reading) {
            Some(length) => (bytes.get(at..at + length).unwrap_or_default().to_vec(), at + length),
            None => plain(bytes, at, reading),
        };
        let token = token(&word, reading);
        words.push(Word { text: word, place: at..end, token });
        at = end;
    }
    words
}

/// The length of the operator at the beginning, where operators need no white space around them.
fn operator(text: &[u8], reading: Reading) -> Option<usize> {
    if reading == Reading::Ss {
        return None;
    }
    match text {
        [b'&', b'&', ..] | [b'|', b'|', ..] | [b'=' | b'!' | b'<' | b'>', b'=', ..] => Some(2),
        [b'(' | b')' | b'!' | b'&' | b'|' | b'=' | b'<' | b'>', ..] => Some(1),
        _ => None,
    }
}

/// A word up to white space, and where it ends.
fn plain(bytes: &[u8], start: usize, reading: Reading) -> (Vec<u8>, usize) {
    let mut word = Vec::new();
    let mut at = start;
    while let Some(byte) = bytes.get(at).copied() {
        if matches!(byte, b' ' | b'\t' | b'\n')
            || operator(bytes.get(at..).unwrap_or_default(), reading).is_some()
        {
            break;
        }
        at += 1;
        if byte != b'\\' {
            word.push(byte);
        } else if let Some(escaped) = bytes.get(at).copied()
            && escaped != b'\n'
        {
            word.push(escaped);
            at += 1;
        }
    }
    (word, at)
}

fn token(word: &[u8], reading: Reading) -> Token {
    use Comparison::{AtLeast, AtMost, Equal, Greater, Less, NotEqual};
    match word {
        b"!" | b"not" => Token::Not,
        b"&" | b"&&" | b"and" => Token::And,
        b"|" | b"||" | b"or" => Token::Or,
        b"(" => Token::Open,
        b")" => Token::Close,
        b">=" | b"ge" | b"geq" => Token::Compare(AtLeast),
        b"<=" | b"le" | b"leq" => Token::Compare(AtMost),
        b"!=" | b"ne" | b"neq" => Token::Compare(NotEqual),
        b"=" | b"==" | b"eq" => Token::Compare(Equal),
        b">" | b"gt" => Token::Compare(Greater),
        b"<" | b"lt" => Token::Compare(Less),
        b"src" => Token::Src,
        b"dst" => Token::Dst,
        b"sport" => Token::Sport,
        b"dport" => Token::Dport,
        b"dev" => Token::Dev,
        b"fwmark" => Token::Fwmark,
        b"cgroup" => Token::Cgroup,
        b"autobound" => Token::Autobound,
        // `ss` takes states before the expression, not within it.
        b"state" if reading == Reading::Precedence => Token::State,
        b"exclude" | b"excl" if reading == Reading::Precedence => Token::Exclude,
        _ => Token::Value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, reading: Reading) -> Vec<String> {
        let text = Text::new().argument(text.as_bytes());
        words(&text, reading)
            .into_iter()
            .map(|word| String::from_utf8(word.text).unwrap_or_default())
            .collect()
    }

    #[test]
    fn white_space_alone_separates_in_the_reading_of_ss() {
        assert_eq!(cut("\t( dport  = 22 )", Reading::Ss), ["(", "dport", "=", "22", ")"]);
        assert_eq!(cut("!dport =22", Reading::Ss), ["!dport", "=22"]);
        assert_eq!(cut(r"dst unix:a\ b\\", Reading::Ss), ["dst", r"unix:a b\"]);
    }

    #[test]
    fn operators_need_no_white_space_in_the_other() {
        let reading = Reading::Precedence;
        assert_eq!(cut("(!dport>=22)", reading), ["(", "!", "dport", ">=", "22", ")"]);
        assert_eq!(cut("src!=[::1]:80||autobound", reading)[..3], ["src", "!=", "[::1]:80"]);
        assert_eq!(cut(r"dst unix:a\(b", reading), ["dst", "unix:a(b"]);
    }

    #[test]
    fn a_file_has_comments_and_lines_that_ss_skips() {
        let text = Text::new().argument(b"autobound").file(b"# no\n0 no\nor\n\ndst :1\n");
        let text = text.expect("short lines");
        assert_eq!(text.bytes(), b"autobound\nor\ndst :1");
        assert_eq!(Text::new().file(&[b'x'; 1023]), Err(1));
        assert_eq!(Text::new().file(b"a\n").map(|text| text.bytes), Ok(b"a".to_vec()));
    }

    #[test]
    fn words_know_where_they_stand() {
        let text = Text::new().argument(b"dst").argument(b"a\\ b");
        let words = words(&text, Reading::Ss);
        assert_eq!(words[1].place, 4..8);
    }
}
