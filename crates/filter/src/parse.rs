//! From words to an expression: one parser, two readings.
//!
//! `ss` knows no precedence. What stands side by side, `and` and `or` are taken from left to right,
//! so `a or b and c` is `( a or b ) and c`; `not` takes what stands right behind it. In the other
//! reading `not` binds stronger than `and`, and that stronger than `or`. Apart from that the second
//! reading knows a little more: `src != x`, states, operators without white space around them.

use std::ops::Range;

use sockeye_model::{State, States};

use crate::address::Reader;
use crate::error::{ParseError, shown};
use crate::expression::{ANY_PORT, End, Expression, Host, Interface, Join, Predicate, Test};
use crate::names::Names;
use crate::words::{Comparison, Text, Token, Word, words};
use crate::{AddressFamily, Filter, Reading, Services, number, states};

/// How deep parentheses and `not` may nest. It bounds the stack of all that walks an expression.
const DEEPEST: usize = 256;

/// What a filter is parsed with beside its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// Which of the two readings.
    pub reading: Reading,
    /// The family of addresses that name none.
    pub family: Option<AddressFamily>,
    /// Whose names of services count.
    pub services: Services,
}

impl Scope {
    /// With addresses of any family, and services of both transports.
    #[must_use]
    pub const fn new(reading: Reading) -> Scope {
        Scope { reading, family: None, services: Services { tcp: true, udp: true } }
    }
}

impl Filter {
    /// Reads a filter; `None` where the text says nothing.
    ///
    /// # Errors
    /// The first word that does not fit, and what was expected there.
    pub fn parse(
        text: &Text,
        scope: Scope,
        names: &mut dyn Names,
    ) -> Result<Option<Filter>, ParseError> {
        let Scope { reading, family, services } = scope;
        let words = words(text, reading);
        if words.is_empty() {
            return Ok(None);
        }
        let reader = Reader { reading, family, services, names };
        let mut parser = Parser { text, words: &words, at: 0, reader, family, autobound: false };
        let (expression, _) = parser.list(0)?;
        if let Some(word) = parser.peek() {
            return Err(parser.error("no parenthesis is open here", &word.place));
        }
        let family = parser.family;
        let ephemeral =
            if parser.autobound { parser.reader.names.ephemeral_ports() } else { (1, 0) };
        Ok(Some(Filter { expression, reading, family, ephemeral }))
    }
}

/// An expression, and how deep it nests.
type Deep = (Expression, usize);

struct Parser<'a> {
    text: &'a Text,
    words: &'a [Word],
    at: usize,
    reader: Reader<'a>,
    /// What [`Filter::family`] will be.
    family: Option<AddressFamily>,
    autobound: bool,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Word> {
        self.words.get(self.at)
    }

    fn token(&self) -> Option<Token> {
        self.peek().map(|word| word.token)
    }

    fn next(&mut self) -> Option<&'a Word> {
        let word = self.peek()?;
        self.at += 1;
        Some(word)
    }

    fn error(&self, message: impl Into<String>, place: &Range<usize>) -> ParseError {
        ParseError::new(message.into(), self.text, place)
    }

    /// An error at the next word, or behind the last.
    fn error_here(&self, message: impl Into<String>) -> ParseError {
        let end = self.words.last().map_or(0, |word| word.place.end);
        // A column further, as if the missing word stood there.
        let missing = end + 1..end + 1;
        self.error(message, self.peek().map_or(&missing, |word| &word.place))
    }

    fn error_before(&self, message: impl Into<String>) -> ParseError {
        match self.at.checked_sub(1).and_then(|at| self.words.get(at)) {
            Some(word) => self.error(message, &word.place),
            None => self.error_here(message),
        }
    }

    /// All up to the end, or the parenthesis that closes it. `depth`: of what stands around it.
    fn list(&mut self, depth: usize) -> Result<Deep, ParseError> {
        match self.reader.reading {
            Reading::Ss => self.left_to_right(depth),
            Reading::Precedence => self.alternatives(depth),
        }
    }

    fn left_to_right(&mut self, depth: usize) -> Result<Deep, ParseError> {
        let (first, mut deepest) = self.operand(depth)?;
        // In parentheses or not, what comes first is joined first.
        let mut parts: Vec<(Join, Expression)> = match first {
            Expression::And(parts) => parts.into_iter().map(|part| (Join::And, part)).collect(),
            Expression::Or(parts) => parts.into_iter().map(|part| (Join::Or, part)).collect(),
            Expression::LeftToRight(parts) => parts,
            first => vec![(Join::And, first)],
        };
        loop {
            let join = match self.token() {
                None | Some(Token::Close) => break,
                Some(Token::Or) => self.next().map_or(Join::Or, |_| Join::Or),
                Some(Token::And) => self.next().map_or(Join::And, |_| Join::And),
                Some(Token::Value | Token::Compare(_)) => return Err(self.error_here(MORE)),
                Some(_) => Join::And,
            };
            let (operand, operand_depth) = self.operand(depth)?;
            parts.push((join, operand));
            deepest = deepest.max(operand_depth + 1);
            if deepest > DEEPEST {
                return Err(self.error_before(too_deep()));
            }
        }
        Ok((chain(parts), deepest))
    }

    fn alternatives(&mut self, depth: usize) -> Result<Deep, ParseError> {
        let mut so_far = self.conjunction(depth)?;
        while self.token() == Some(Token::Or) {
            self.next();
            let operand = self.conjunction(depth)?;
            so_far = self.joined(true, so_far, operand)?;
        }
        Ok(so_far)
    }

    fn conjunction(&mut self, depth: usize) -> Result<Deep, ParseError> {
        let mut so_far = self.operand(depth)?;
        loop {
            match self.token() {
                None | Some(Token::Close | Token::Or) => return Ok(so_far),
                Some(Token::And) => {
                    self.next();
                }
                Some(Token::Value | Token::Compare(_)) => return Err(self.error_here(MORE)),
                Some(_) => {}
            }
            let operand = self.operand(depth)?;
            so_far = self.joined(false, so_far, operand)?;
        }
    }

    /// What `and` or `or` makes of two. A longer chain of one of them stays flat.
    fn joined(&self, or: bool, left: Deep, right: Deep) -> Result<Deep, ParseError> {
        let (left, left_depth) = left;
        let (right, right_depth) = right;
        let (mut parts, depth) = match (left, or) {
            (Expression::Or(parts), true) | (Expression::And(parts), false) => {
                (parts, left_depth.max(right_depth + 1))
            }
            (left, _) => (vec![left], left_depth.max(right_depth) + 1),
        };
        parts.push(right);
        if depth > DEEPEST {
            return Err(self.error_before(too_deep()));
        }
        Ok((if or { Expression::Or(parts) } else { Expression::And(parts) }, depth))
    }

    fn operand(&mut self, depth: usize) -> Result<Deep, ParseError> {
        if depth > DEEPEST {
            return Err(self.error_before(too_deep()));
        }
        match self.token() {
            Some(Token::Open) => {
                let open = self.next().map_or(0..0, |word| word.place.clone());
                let inner = self.list(depth + 1)?;
                match self.next().map(|word| word.token) {
                    Some(Token::Close) => Ok(inner),
                    _ => Err(self.error("this parenthesis is never closed", &open)),
                }
            }
            Some(Token::Not) => {
                self.next();
                let (inner, inner_depth) = self.operand(depth + 1)?;
                Ok((Expression::Not(Box::new(inner)), inner_depth + 1))
            }
            _ => Ok((self.predicate()?, 1)),
        }
    }

    fn predicate(&mut self) -> Result<Expression, ParseError> {
        let Some(keyword) = self.peek() else { return Err(self.error_here(A_TEST)) };
        match keyword.token {
            Token::Src => self.host(End::Source, false),
            Token::Dst => self.host(End::Destination, false),
            Token::Sport => self.host(End::Source, true),
            Token::Dport => self.host(End::Destination, true),
            Token::Dev => self.value("the name of an interface, or its index", Parser::interface),
            Token::Fwmark => self.value("a mark, or MARK/MASK", |_, word| mark(&word.text)),
            Token::Cgroup => self.value("the path of a control group", |parser, word| {
                let found = parser.reader.names.cgroup(&word.text);
                found.map(Test::Cgroup).map_err(|why| format!("no control group is here: {why}"))
            }),
            Token::Autobound => {
                self.next();
                self.autobound = true;
                Ok(test(Test::Autobound, "autobound".to_owned()))
            }
            Token::State => self.state(false),
            Token::Exclude => self.state(true),
            Token::Value
                if self.reader.reading == Reading::Ss
                    && keyword.text.len() > 1
                    && matches!(keyword.text.first(), Some(b'!' | b'(')) =>
            {
                Err(self.error_here("white space is needed around operators and parentheses"))
            }
            _ => Err(self.error_here(A_TEST)),
        }
    }

    /// `src [=] HOST`, `sport [OPERATOR] PORT`.
    fn host(&mut self, end: End, port_only: bool) -> Result<Expression, ParseError> {
        let keyword = self.next();
        let comparison = self.comparison(port_only)?;
        let expected = if port_only { "a port" } else { "an address" };
        let word = self.wanted(expected)?;
        let text = spelled(keyword, comparison, word);
        let host = self
            .reader
            .host(&word.text, port_only)
            .map_err(|message| self.error(message, &word.place))?;
        self.family =
            if self.reader.reading == Reading::Ss { self.reader.family } else { self.family };
        let port = match &host {
            Host::Inet { port, .. } => *port,
            _ => ANY_PORT,
        };
        let ordered = !matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        if ordered && port == ANY_PORT && self.reader.reading == Reading::Precedence {
            return Err(self.error("a port is expected here", &word.place));
        }
        Ok(match comparison {
            Comparison::Equal => test(Test::Host(end, host), text),
            Comparison::NotEqual => not(Test::Host(end, host), text),
            Comparison::AtLeast => test(Test::PortAtLeast(end, port), text),
            Comparison::AtMost => test(Test::PortAtMost(end, port), text),
            Comparison::Greater => not(Test::PortAtMost(end, port), text),
            Comparison::Less => not(Test::PortAtLeast(end, port), text),
        })
    }

    /// The operator, if there is one. Ports alone have an order; of addresses, `ss` knows no `!=`.
    fn comparison(&mut self, port: bool) -> Result<Comparison, ParseError> {
        let Some(Token::Compare(comparison)) = self.token() else { return Ok(Comparison::Equal) };
        let message = match comparison {
            Comparison::NotEqual if !port && self.reader.reading == Reading::Ss => {
                "an address is expected here; write `not src X` for `src != X`"
            }
            Comparison::Equal | Comparison::NotEqual => "",
            _ if port => "",
            _ => "an address is expected here: addresses have no order",
        };
        if message.is_empty() {
            self.next();
            return Ok(comparison);
        }
        Err(self.error_here(message))
    }

    /// `KEYWORD [=|!=] VALUE`.
    fn value(
        &mut self,
        expected: &str,
        read: impl FnOnce(&mut Self, &Word) -> Result<Test, String>,
    ) -> Result<Expression, ParseError> {
        let keyword = self.next();
        let comparison = match self.token() {
            Some(Token::Compare(c @ (Comparison::Equal | Comparison::NotEqual))) => {
                self.next();
                c
            }
            _ => Comparison::Equal,
        };
        let word = self.wanted(expected)?;
        let text = spelled(keyword, comparison, word);
        let tested = read(self, word).map_err(|message| self.error(message, &word.place))?;
        Ok(if comparison == Comparison::Equal { test(tested, text) } else { not(tested, text) })
    }

    fn wanted(&mut self, expected: &str) -> Result<&'a Word, ParseError> {
        if self.token() != Some(Token::Value) {
            return Err(self.error_here(format!("{expected} is expected here")));
        }
        self.next().ok_or_else(|| self.error_here(format!("{expected} is expected here")))
    }

    fn interface(&mut self, word: &Word) -> Result<Test, String> {
        let name = word.text.as_slice();
        let numbered = |text: &[u8]| number::whole(text).and_then(|n| u32::try_from(n).ok());
        let gone = || name.strip_prefix(b"if").filter(|n| n.iter().all(u8::is_ascii_digit));
        self.reader
            .names
            .interface(name)
            // As an interface is shown that is gone.
            .or_else(|| gone().and_then(numbered).filter(|index| *index > 0))
            .or_else(|| numbered(name))
            .map(Interface::Index)
            .or_else(|| self.reader.names.is_elsewhere(name).then_some(Interface::Elsewhere))
            .map(Test::Interface)
            .ok_or_else(|| "no interface has this name".to_owned())
    }

    fn state(&mut self, exclude: bool) -> Result<Expression, ParseError> {
        let all = States((1 << (State::BoundInactive.number() + 1)) - 1);
        let named = self.value("the name of a state", |_, word| {
            states::named(&word.text, all)
                .map(Test::State)
                .ok_or_else(|| "no state has this name".to_owned())
        })?;
        Ok(if exclude { Expression::Not(Box::new(named)) } else { named })
    }
}

/// As flat as it can be said.
fn chain(mut parts: Vec<(Join, Expression)>) -> Expression {
    let bare = |parts: Vec<(Join, Expression)>| parts.into_iter().map(|(_, part)| part).collect();
    let all = |join| parts.iter().skip(1).all(|(other, _)| *other == join);
    match (parts.len(), all(Join::And), all(Join::Or)) {
        (1, ..) => parts.swap_remove(0).1,
        (_, true, _) => Expression::And(bare(parts)),
        (_, _, true) => Expression::Or(bare(parts)),
        _ => {
            // The first one's word says nothing, so that equal chains are equal.
            if let Some((join, _)) = parts.first_mut() {
                *join = Join::And;
            }
            Expression::LeftToRight(parts)
        }
    }
}

const MORE: &str = "`and`, `or`, or a test is expected here";
const A_TEST: &str = "a test (src, dst, sport, dport, dev, fwmark, cgroup, autobound), `not` or `(` \
                      is expected here";

fn too_deep() -> String {
    format!("more than {DEEPEST} levels of nesting end here: write it flatter")
}

fn test(test: Test, text: String) -> Expression {
    Expression::Test(Predicate { test, text })
}

/// Its text has the comparison in it, so the tree alone says `not`.
fn not(negated: Test, text: String) -> Expression {
    Expression::Not(Box::new(test(negated, text)))
}

/// The words of a test. A comparison that is made of its opposite is spelled as that.
fn spelled(keyword: Option<&Word>, comparison: Comparison, value: &Word) -> String {
    let operator = match comparison {
        Comparison::Equal | Comparison::NotEqual => "=",
        Comparison::AtLeast | Comparison::Less => ">=",
        Comparison::AtMost | Comparison::Greater => "<=",
    };
    let keyword = keyword.map_or(String::new(), |word| match word.token {
        // The `not` stands before it.
        Token::Exclude => "state".to_owned(),
        _ => shown(&word.text),
    });
    format!("{keyword} {operator} {}", shown(&value.text))
}

/// `MARK` or `MARK/MASK`, as `sscanf` reads them with `%i`: what stands behind is not looked at.
fn mark(text: &[u8]) -> Result<Test, String> {
    // What a conversion to 32 bits keeps.
    let low = |number: i64| number as u32;
    let read = || {
        let (mark, rest) = number::leading(text)?;
        // A prefix without digits.
        if matches!(rest, [b'x' | b'X', ..]) {
            return None;
        }
        if !text.contains(&b'/') {
            return Some(Test::Mark { mark: low(mark), mask: u32::MAX });
        }
        let (mask, rest) = number::leading(rest.strip_prefix(b"/")?)?;
        if matches!(rest, [b'x' | b'X', ..]) {
            return None;
        }
        Some(Test::Mark { mark: low(mark), mask: low(mask) })
    };
    read().ok_or_else(|| "a mark, or MARK/MASK, is expected here".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Codes;
    use crate::tests::Fixed;
    use proptest::prelude::*;
    use rstest::rstest;
    use sockeye_model::{Protocol, Socket};

    fn parsed(text: &str, reading: Reading) -> Result<Option<Filter>, ParseError> {
        let text = Text::new().argument(text.as_bytes());
        Filter::parse(&text, Scope::new(reading), &mut Fixed)
    }

    fn read(text: &str, reading: Reading) -> String {
        match parsed(text, reading) {
            Ok(Some(filter)) => filter.expression().to_string(),
            Ok(None) => String::new(),
            Err(error) => panic!("{text}: {error}"),
        }
    }

    #[rstest]
    #[case("dport 22", "dport = 22", "dport = 22")]
    #[case(
        "src a or src b and src c",
        "( src = a or src = b ) and src = c",
        "src = a or ( src = b and src = c )"
    )]
    #[case("not src a or src b", "not src = a or src = b", "not src = a or src = b")]
    #[case(
        "! ( src a | dst b ) && autobound",
        "not ( src = a or dst = b ) and autobound",
        "not ( src = a or dst = b ) and autobound"
    )]
    #[case(
        "src a dst b or dst c",
        "( src = a and dst = b ) or dst = c",
        "( src = a and dst = b ) or dst = c"
    )]
    #[case(
        "dport gt :9 sport le 3",
        "not dport <= :9 and sport <= 3",
        "not dport <= :9 and sport <= 3"
    )]
    #[case("sport ne :9", "not sport = :9", "not sport = :9")]
    #[case(
        "dev neq lo fwmark == 1/3",
        "not dev = lo and fwmark = 1/3",
        "not dev = lo and fwmark = 1/3"
    )]
    #[case(
        "src a or dst b and src c and dst d or autobound",
        "( ( src = a or dst = b ) and src = c and dst = d ) or autobound",
        "src = a or ( dst = b and src = c and dst = d ) or autobound"
    )]
    #[case("", "", "")]
    #[case(" \t ", "", "")]
    fn the_readings_part_where_precedence_does(
        #[case] text: &str,
        #[case] as_ss: &str,
        #[case] by_precedence: &str,
    ) {
        assert_eq!(read(text, Reading::Ss), as_ss);
        assert_eq!(read(text, Reading::Precedence), by_precedence);
    }

    #[rstest]
    #[case("src!=10.0.0.1", "not src = 10.0.0.1")]
    #[case("state listening", "state = listening")]
    #[case("exclude listening or(sport>=1)", "not state = listening or sport >= 1")]
    #[case("!dport=22", "not dport = 22")]
    fn the_reading_by_precedence_knows_more(#[case] text: &str, #[case] meaning: &str) {
        assert_eq!(read(text, Reading::Precedence), meaning);
        assert!(parsed(text, Reading::Ss).is_err());
    }

    #[rstest]
    #[case(Reading::Ss, "dport = 22 foo", 11, "`and`, `or`, or a test is expected here")]
    #[case(Reading::Ss, "dport =", 8, "a port is expected here")]
    #[case(Reading::Ss, "src != 10.0.0.1", 4, "an address is expected here; write `not src X`")]
    #[case(Reading::Ss, "src >= 10.0.0.1", 4, "addresses have no order")]
    #[case(Reading::Ss, "!dport = 22", 0, "white space is needed")]
    #[case(Reading::Ss, "( dport = 22", 0, "this parenthesis is never closed")]
    #[case(Reading::Ss, "dport = 22 )", 11, "no parenthesis is open here")]
    #[case(Reading::Ss, "autobound and", 14, "a test (src, dst,")]
    #[case(Reading::Ss, "( )", 2, "a test (src, dst,")]
    #[case(Reading::Ss, "state listening", 0, "a test (src, dst,")]
    #[case(Reading::Ss, "dport = nowhere", 8, "a port, or the name of a service")]
    #[case(Reading::Ss, "dport = split", 8, "port 1 for UDP and 2 for TCP")]
    #[case(Reading::Ss, "dport = 4294967375", 8, "a port from 0 to 65535")]
    #[case(Reading::Ss, "dport = 08", 8, "a port, or the name of a service")]
    #[case(Reading::Ss, "src [fe80::1%d0]", 4, "an address, a prefix or the name of a host")]
    #[case(Reading::Ss, "src inet:[::ffff:127.0.0.1]", 4, "an IPv4 address")]
    #[case(Reading::Ss, "src 0x7f000001", 4, "an address, a prefix or the name of a host")]
    #[case(Reading::Ss, "src nowhere", 4, "an address, a prefix or the name of a host")]
    #[case(Reading::Ss, "src 10.0.0.0/33", 4, "an address, a prefix")]
    #[case(Reading::Ss, "src [::1", 4, "a `]` is missing")]
    #[case(Reading::Ss, "src inet6:10.0.0.1", 4, "an IPv6 address")]
    #[case(Reading::Ss, "dev nowhere", 4, "no interface has this name")]
    #[case(Reading::Ss, "fwmark x", 7, "a mark, or MARK/MASK")]
    #[case(Reading::Ss, "fwmark 0x", 7, "a mark, or MARK/MASK")]
    #[case(Reading::Ss, "fwmark 0x/1", 7, "a mark, or MARK/MASK")]
    #[case(Reading::Ss, "fwmark 1/0x", 7, "a mark, or MARK/MASK")]
    #[case(Reading::Ss, "fwmark 1/", 7, "a mark, or MARK/MASK")]
    #[case(Reading::Ss, "cgroup /nowhere", 7, "no control group is here: entity not found")]
    #[case(Reading::Precedence, "dport = 70000", 8, "a port from 0 to 65535")]
    #[case(Reading::Precedence, "dport = 4294967375", 8, "a port from 0 to 65535")]
    #[case(Reading::Precedence, "dst :4294967375", 4, "a port from 0 to 65535")]
    #[case(Reading::Precedence, "dport > *", 8, "a port is expected")]
    #[case(Reading::Precedence, "state open", 6, "no state has this name")]
    fn an_error_points_at_the_word(
        #[case] reading: Reading,
        #[case] text: &str,
        #[case] column: usize,
        #[case] message: &str,
    ) {
        let error = parsed(text, reading).expect_err(text);
        assert!(error.message().contains(message), "{text}: {error}");
        assert_eq!(error.column(), column, "{error}");
    }

    #[test]
    fn an_error_shows_the_line_and_marks_the_word() {
        let text = Text::new().argument(b"autobound").file(b"src 10.1\t\x1bfoo bar\nautobound\n");
        let error = Filter::parse(&text.unwrap_or_default(), Scope::new(Reading::Ss), &mut Fixed)
            .expect_err("no filter");
        let shown = error.to_string();
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines[1..], [r"  src 10.1 \u{1b}foo bar", "           ^^^^^^^^^"]);
    }

    #[test]
    fn nesting_is_bounded_and_length_is_not() {
        for reading in [Reading::Ss, Reading::Precedence] {
            for word in ["( ", "not ", "! "] {
                let error = parsed(&word.repeat(100_000), reading).expect_err("too deep");
                assert!(error.message().contains("more than 256 levels"), "{error}");
            }
            for word in ["or", "and", ""] {
                let text = format!("autobound {word} ").repeat(100_000) + "autobound";
                assert!(parsed(&text, reading).is_ok());
            }
        }
        let alternating = "autobound or autobound and ".repeat(100_000) + "autobound";
        for reading in [Reading::Ss, Reading::Precedence] {
            let filter = parsed(&alternating, reading).expect("flat").expect("not empty");
            // Nothing that walks it goes deep.
            assert!(filter.compile(Codes::ALL).too_long);
            assert!(!filter.matches(&Socket::new(Protocol::TCP)));
            assert_eq!(filter.states(), States::ALL);
            assert!(filter.expression().to_string().len() > alternating.len());
            assert_eq!(filter.clone(), filter);
        }
    }

    #[test]
    fn a_family_that_was_named_stays_in_the_reading_of_ss() {
        let family = |text| parsed(text, Reading::Ss).ok().flatten().and_then(|f| f.family());
        assert_eq!(family("src 10.0.0.1"), None);
        assert_eq!(family("src inet:10.0.0.1"), Some(AddressFamily::Inet));
        assert_eq!(family("dst unix:* or sport = :22"), Some(AddressFamily::Unix));
        assert_eq!(family("src inet6:a or dst vsock:3:*"), Some(AddressFamily::Vsock));
        assert!(parsed("src inet6:a or dst 10.0.0.1", Reading::Ss).is_err());
        assert!(parsed("src inet6:a or dst 10.0.0.1", Reading::Precedence).is_ok());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[a-z0-9:./*!&|=<>() \\\\\\[\\]]{0,80}") {
            for reading in [Reading::Ss, Reading::Precedence] {
                let _ = parsed(&text, reading);
            }
        }

        /// What an expression is shown as means the same.
        #[test]
        fn an_expression_is_shown_as_it_may_be_written(
            words in proptest::collection::vec(
                proptest::sample::select(vec![
                    "src 10.0.0.1", "dport >= 5", "autobound", "dev lo", "and", "or", "not", "(", ")",
                ]),
                0..12,
            )
        ) {
            for reading in [Reading::Ss, Reading::Precedence] {
                if let Ok(Some(filter)) = parsed(&words.join(" "), reading) {
                    let again = parsed(&filter.expression().to_string(), reading);
                    prop_assert_eq!(again.ok().flatten(), Some(filter));
                }
            }
        }
    }
}
