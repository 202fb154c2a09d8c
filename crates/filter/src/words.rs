//! A filter's text, cut into words, each of which knows where it stands.
//!
//! White space (spaces and tabs) separates words, as do the ends of arguments and of a file's lines,
//! and a backslash takes its meaning from the byte behind it. In `ss`'s reading nothing else
//! separates, not even a line's end within an argument; in the other one that does, and operators,
//! parentheses and `!` are words wherever they stand, unless a backslash stands before them.

use std::ops::Range;

use crate::Reading;

/// The text of a filter: what the command line says, and then the lines of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    /// Between arguments, and before the first line of a file, stands [`BETWEEN`]; between lines,
    /// their end.
    bytes: Vec<u8>,
    /// Where the first line of a file stands, if one was added.
    file: Option<usize>,
}

/// A byte that no argument has.
const BETWEEN: u8 = 0;

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
        self.separate();
        // No program is given an argument with a NUL in it.
        self.bytes.extend(argument.iter().map(|byte| if *byte == 0 { b' ' } else { *byte }));
        self
    }

    fn separate(&mut self) {
        if !self.bytes.is_empty() {
            self.bytes.push(BETWEEN);
        }
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
                match self.file {
                    Some(_) => self.bytes.push(b'\n'),
                    None => self.separate(),
                }
                self.file.get_or_insert(self.bytes.len());
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

    /// Whether a line of a file ends here.
    fn is_line_end(&self, at: usize) -> bool {
        self.bytes.get(at) == Some(&b'\n') && self.file.is_some_and(|file| at >= file)
    }

    /// The line in which this place lies: one of the file's, or all arguments.
    pub(crate) fn line_at(&self, at: usize) -> Range<usize> {
        let end = self.bytes.len();
        let Some(file) = self.file else { return 0..end };
        if at < file {
            return 0..file.saturating_sub(1);
        }
        let at = at.min(end);
        let start = (file..at).rev().find(|at| self.is_line_end(*at)).map_or(file, |at| at + 1);
        start..(at..end).find(|at| self.is_line_end(*at)).unwrap_or(end)
    }

    /// What separates words, in this reading.
    fn is_space(&self, at: usize, reading: Reading) -> bool {
        match self.bytes.get(at) {
            Some(b' ' | b'\t') | Some(&BETWEEN) => true,
            Some(b'\n') => reading == Reading::Precedence || self.is_line_end(at),
            _ => false,
        }
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
    while at < bytes.len() {
        if text.is_space(at, reading) {
            at += 1;
            continue;
        }
        let (word, end) = match operator(bytes.get(at..).unwrap_or_default(), reading) {
            Some(length) => (bytes.get(at..at + length).unwrap_or_default().to_vec(), at + length),
            None => plain(text, at, reading),
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
fn plain(text: &Text, start: usize, reading: Reading) -> (Vec<u8>, usize) {
    let bytes = text.bytes();
    let mut word = Vec::new();
    let mut at = start;
    while let Some(byte) = bytes.get(at).copied() {
        if text.is_space(at, reading)
            || operator(bytes.get(at..).unwrap_or_default(), reading).is_some()
        {
            break;
        }
        at += 1;
        if byte != b'\\' {
            word.push(byte);
        } else if let Some(escaped) = bytes.get(at).copied()
            // At the end of an argument or a line it takes nothing of the next one.
            && escaped != BETWEEN
            && !text.is_line_end(at)
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
        assert_eq!(text.bytes(), b"autobound\0or\ndst :1");
        assert_eq!(Text::new().file(&[b'x'; 1023]), Err(1));
        assert_eq!(Text::new().file(b"a\n").map(|text| text.bytes), Ok(b"a".to_vec()));
    }

    #[test]
    fn a_backslash_at_the_end_takes_nothing_of_the_next_argument() {
        let text = Text::new().argument(b"dst\\").argument(b"a\\").file(b"b\\\nc").expect("short");
        for reading in [Reading::Ss, Reading::Precedence] {
            let words = words(&text, reading);
            let words: Vec<_> = words.iter().map(|word| word.text.as_slice()).collect();
            assert_eq!(words, [&b"dst"[..], b"a", b"b", b"c"]);
        }
    }

    #[test]
    fn a_line_may_end_within_an_argument() {
        let text = "dport\n= 2\\\n2";
        assert_eq!(cut(text, Reading::Ss), ["dport\n=", "2\n2"]);
        assert_eq!(cut(text, Reading::Precedence), ["dport", "=", "2\n2"]);
    }

    #[test]
    fn words_know_where_they_stand() {
        let text = Text::new().argument(b"dst").argument(b"a\\ b");
        let words = words(&text, Reading::Ss);
        assert_eq!(words[1].place, 4..8);
    }
}
