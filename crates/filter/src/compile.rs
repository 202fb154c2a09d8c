//! From an expression to a program for the kernel.
//!
//! What the kernel cannot test is left open: the program then accepts more than the filter, never
//! less, and user space decides. Where `not` stands around it, what is inside accepts less, for the
//! same end.
//!
//! In [`Reading::Ss`] the program is the one that `ss` sends, since user space tests otherwise than
//! the kernel there ([`Filter::matches`]) and both tests count. With `dev` anywhere in a filter `ss`
//! sends none, and user space alone counts; then the program follows user space's meaning.

use std::slice;

use sockeye_diag::bytecode::{Code, Condition, HostCondition, Program};
use sockeye_model::Family;

use crate::expression::{
    ANY_PORT, End, Expression, Host, Interface, Join, Predicate, Prefix, Test,
};
use crate::{Filter, Reading};

/// A set of instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Codes(u16);

impl Codes {
    /// All that this version knows.
    pub const ALL: Codes = Codes((1 << Code::ALL.len()) - 1);

    /// Those of the set but this one.
    #[must_use]
    pub const fn without(self, code: Code) -> Codes {
        Codes(self.0 & !(1 << code as u8))
    }

    /// True if it is in the set.
    #[must_use]
    pub const fn contains(self, code: Code) -> bool {
        self.0 & (1 << code as u8) != 0
    }
}

/// What a filter comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiled {
    /// What the kernel runs; `None` where it can test nothing of the filter.
    pub program: Option<Program>,
    /// The tests that it does not make.
    pub left: Vec<Left>,
    /// The program would have been longer than the kernel takes.
    pub too_long: bool,
}

/// A test that user space makes alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// As it was written.
    pub text: String,
    /// Why.
    pub why: Why,
}

/// Why the kernel does not make a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// This instruction is not among those to be used.
    Refused(Code),
    /// The states are asked for by the request, not by a program.
    State,
    /// Without a program `ss` compares bits whatever the family; no instruction does.
    AnyFamily,
    /// Without a program `ss` takes the range of ports for an answer.
    PortRange,
}

impl Filter {
    /// The program that tests as much of the filter as these instructions can. It accepts every
    /// socket that the filter wants, as the kernel sees it.
    #[must_use]
    pub fn compile(&self, codes: Codes) -> Compiled {
        let mut compiler = Compiler::new(codes, self.meaning());
        let program = match compiler.part(&self.expression, true) {
            Part::Always => None,
            Part::Never => Some(Program::test(Condition::Never)),
            Part::Program(program) => Some(program),
        };
        // Encoding tells whether it fits.
        let too_long = compiler.too_long
            || program.as_ref().is_some_and(|program| program.to_bytes().is_none());
        Compiled { program: program.filter(|_| !too_long), left: compiler.left, too_long }
    }
}

impl Filter {
    fn meaning(&self) -> Meaning {
        let by_user_space =
            self.reading == Reading::Ss && self.tests(|test| matches!(test, Test::Interface(_)));
        match (self.reading, by_user_space) {
            (Reading::Precedence, _) => Meaning::Kernel,
            (Reading::Ss, false) => Meaning::ProgramOfSs,
            (Reading::Ss, true) => Meaning::UserSpaceOfSs,
        }
    }

    /// Whether a program of these instructions decides wherever the filter says `autobound`: what is joined
    /// to it otherwise than by `and` can all be tested there. Else a socket may come through whose port
    /// the program chose, within the range of those that the kernel hands out.
    pub(crate) fn autobound_is_decided(&self, codes: Codes) -> bool {
        let parts = match &self.expression {
            Expression::And(parts) => parts.as_slice(),
            whole => slice::from_ref(whole),
        };
        let autobound = |part: &&Expression| {
            part.tests().any(|predicate| matches!(predicate.test, Test::Autobound))
        };
        parts.iter().filter(autobound).all(|part| {
            let mut compiler = Compiler::new(codes, self.meaning());
            compiler.part(part, true);
            compiler.left.is_empty()
        })
    }
}

/// What the tests of a program mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// What the filter says, as the kernel compares.
    Kernel,
    /// What `ss` makes of it.
    ProgramOfSs,
    /// What `ss` tests when there is no program.
    UserSpaceOfSs,
}

/// A part of a program, as far as one is needed.
enum Part {
    Always,
    Never,
    Program(Program),
}

impl Part {
    fn test(condition: Condition) -> Part {
        Part::Program(Program::test(condition))
    }

    fn inverted(self) -> Part {
        match self {
            Part::Always => Part::Never,
            Part::Never => Part::Always,
            Part::Program(program) => Part::Program(program.inverted()),
        }
    }

    /// Without a look at how long each instruction is: none has fewer than four bytes.
    fn is_too_long(&self) -> bool {
        matches!(self, Part::Program(program) if program.codes().count() > Program::LONGEST / 4)
    }

    fn of(program: Option<Program>, otherwise: Part) -> Part {
        program.map_or(otherwise, Part::Program)
    }
}

/// What `and` or `or` makes of several parts.
fn joined(join: Join, parts: Vec<Part>) -> Part {
    let mut programs = Vec::new();
    let (mut always, mut never) = (false, false);
    for part in parts {
        match part {
            Part::Always => always = true,
            Part::Never => never = true,
            Part::Program(program) => programs.push(program),
        }
    }
    match join {
        Join::And if never => Part::Never,
        Join::And => Part::of(Program::all(programs), Part::Always),
        Join::Or if always => Part::Always,
        Join::Or => Part::of(Program::any(programs), Part::Never),
    }
}

struct Compiler {
    codes: Codes,
    meaning: Meaning,
    left: Vec<Left>,
    /// A part was given up, as the program would not fit.
    too_long: bool,
}

impl Compiler {
    fn new(codes: Codes, meaning: Meaning) -> Compiler {
        Compiler { codes, meaning, left: Vec::new(), too_long: false }
    }
}

impl Compiler {
    /// A part that accepts no less than the expression (`more`), or no more. As deep as the
    /// expression, which the parser bounds.
    fn part(&mut self, expression: &Expression, more: bool) -> Part {
        match expression {
            Expression::And(parts) => {
                // All are looked at, so that all that is left to user space is told.
                let parts: Vec<_> = parts.iter().map(|part| self.part(part, more)).collect();
                joined(Join::And, parts)
            }
            Expression::Or(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| self.part(part, more)).collect();
                joined(Join::Or, parts)
            }
            Expression::LeftToRight(parts) => self.left_to_right(parts, more),
            Expression::Not(part) => self.part(part, !more).inverted(),
            Expression::Test(predicate) => match self.test(predicate) {
                Ok(part) => part,
                Err(why) => {
                    let left = Left { text: predicate.text.clone(), why };
                    if !self.left.contains(&left) {
                        self.left.push(left);
                    }
                    if more { Part::Always } else { Part::Never }
                }
            },
        }
    }

    /// What is joined by the same word, at once.
    fn left_to_right(&mut self, parts: &[(Join, Expression)], more: bool) -> Part {
        let mut word = parts.get(1).map_or(Join::And, |(join, _)| *join);
        let mut run = Vec::new();
        for (number, (join, expression)) in parts.iter().enumerate() {
            if number > 1 && *join != word {
                let before = joined(word, std::mem::take(&mut run));
                // Whatever is joined to it makes it no shorter, and takes the longer the longer it is.
                self.too_long |= before.is_too_long();
                if self.too_long {
                    return if more { Part::Always } else { Part::Never };
                }
                run.push(before);
                word = *join;
            }
            run.push(self.part(expression, more));
        }
        joined(word, run)
    }

    fn test(&self, predicate: &Predicate) -> Result<Part, Why> {
        match &predicate.test {
            Test::Host(end, Host::Inet { port, addresses }) => self.host(*end, *port, addresses),
            // A program is run on internet sockets alone.
            Test::Host(..) => Ok(Part::Never),
            Test::PortAtLeast(end, port) => {
                let condition = match end {
                    End::Source => Condition::SourcePortAtLeast,
                    End::Destination => Condition::DestinationPortAtLeast,
                };
                Ok(match (self.meaning, *port) {
                    // The low 16 bits, as `ss` puts them into its program.
                    (Meaning::ProgramOfSs, port) => Part::test(condition(port as u16)),
                    (_, ..=0) => Part::Always,
                    (_, port) => {
                        u16::try_from(port).map_or(Part::Never, |p| Part::test(condition(p)))
                    }
                })
            }
            Test::PortAtMost(end, port) => {
                let condition = match end {
                    End::Source => Condition::SourcePortAtMost,
                    End::Destination => Condition::DestinationPortAtMost,
                };
                Ok(match (self.meaning, *port) {
                    (Meaning::ProgramOfSs, port) => Part::test(condition(port as u16)),
                    (_, ..=-1) => Part::Never,
                    (_, port) => {
                        u16::try_from(port).map_or(Part::Always, |p| Part::test(condition(p)))
                    }
                })
            }
            Test::Interface(Interface::Index(index)) => self.allowed(Condition::Interface(*index)),
            Test::Interface(Interface::Elsewhere) => Ok(Part::Never),
            Test::Mark { mark, mask } => self.allowed(Condition::Mark { mark: *mark, mask: *mask }),
            Test::Cgroup(id) => self.allowed(Condition::Cgroup(id.0)),
            Test::Autobound if self.meaning == Meaning::UserSpaceOfSs => Err(Why::PortRange),
            Test::Autobound => Ok(Part::test(Condition::Autobound)),
            Test::State(_) => Err(Why::State),
        }
    }

    fn allowed(&self, condition: Condition) -> Result<Part, Why> {
        let code = condition.code();
        if self.codes.contains(code) { Ok(Part::test(condition)) } else { Err(Why::Refused(code)) }
    }

    fn host(&self, end: End, port: i32, addresses: &[Prefix]) -> Result<Part, Why> {
        let any = |prefix: &Prefix| match self.meaning {
            Meaning::UserSpaceOfSs => prefix.length == 0,
            Meaning::Kernel | Meaning::ProgramOfSs => *prefix == Prefix::ANY,
        };
        if addresses.first().is_none_or(any) {
            return Ok(self.port(end, port));
        }
        let mut programs = Vec::new();
        for prefix in addresses {
            let mut push = |family| {
                let Prefix { bytes: address, length: prefix_len, .. } = *prefix;
                let host = HostCondition { family, port, address, prefix_len };
                programs.push(Program::test(match end {
                    End::Source => Condition::Source(host),
                    End::Destination => Condition::Destination(host),
                }));
            };
            push(prefix.family);
            if self.meaning == Meaning::UserSpaceOfSs {
                match prefix.family {
                    Some(Family::Inet) => push(Some(Family::Inet6)),
                    // An IPv4 address is compared as if zeros stood behind it.
                    Some(Family::Inet6) if matches_ipv4(prefix) => return Err(Why::AnyFamily),
                    _ => {}
                }
            }
        }
        Ok(Part::of(Program::any(programs), Part::Never))
    }

    /// A port alone.
    fn port(&self, end: End, port: i32) -> Part {
        if port == ANY_PORT {
            return Part::Always;
        }
        let Ok(exact) = u16::try_from(port) else { return Part::Never };
        let (equal, host) = match end {
            End::Source => (Condition::SourcePort(exact), Condition::Source as fn(_) -> _),
            End::Destination => {
                (Condition::DestinationPort(exact), Condition::Destination as fn(_) -> _)
            }
        };
        if self.codes.contains(equal.code()) {
            return Part::test(equal);
        }
        // As long as there have been programs, this could be tested with an address of any family.
        let Prefix { family, bytes: address, length: prefix_len } = Prefix::ANY;
        Part::test(host(HostCondition { family, port, address, prefix_len }))
    }
}

/// Whether four bytes with zeros behind them can have the prefix.
fn matches_ipv4(prefix: &Prefix) -> bool {
    let mut bytes = prefix.bytes;
    bytes[..4].fill(0);
    crate::evaluate::first_bits_equal(&bytes, &[0; 16], prefix.length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Fixed;
    use crate::{Scope, Text};

    fn compiled(text: &str, reading: Reading, codes: Codes) -> (String, Vec<String>) {
        let text = Text::new().argument(text.as_bytes());
        let filter = Filter::parse(&text, Scope::new(reading), &mut Fixed);
        let compiled = filter.expect("a filter").expect("not empty").compile(codes);
        let program = compiled.program.map_or(String::new(), |program| program.to_string());
        let lines: Vec<_> = program.lines().map(str::trim).collect();
        (lines.join("; "), compiled.left.into_iter().map(|left| left.text).collect())
    }

    #[test]
    fn what_the_kernel_cannot_test_is_left_open_on_both_sides_of_not() {
        let program = |text| compiled(text, Reading::Precedence, Codes::ALL).0;
        assert_eq!(program("state listening"), "");
        assert_eq!(program("state listening and sport = 22"), "0  S_EQ 22 else reject");
        assert_eq!(program("state listening or sport = 22"), "");
        let inverted = "0  S_EQ 22 else accept; 8  JMP reject";
        assert_eq!(program("not ( state listening or sport = 22 )"), inverted);
        assert_eq!(program("not ( state listening and sport = 22 )"), "");
        assert_eq!(program("src unix:* and state listening"), "0  JMP reject");
        assert_eq!(program("not src unix:*"), "");
    }

    #[test]
    fn instructions_that_are_not_to_be_used_are_not() {
        let text = "dev lo fwmark 1/3 cgroup /a sport = 22";
        let (program, left) = compiled(text, Reading::Precedence, Codes::ALL);
        assert_eq!(
            program,
            "0  DEV_COND 1 else reject; 8  MARK_COND 0x1/0x3 else reject; \
             20  CGROUP_COND 0x5 else reject; 32  S_EQ 22 else reject"
        );
        assert!(left.is_empty());
        let old = [Code::DevCond, Code::MarkCond, Code::CgroupCond, Code::SEq, Code::DEq];
        let old = old.into_iter().fold(Codes::ALL, Codes::without);
        let (program, left) = compiled(text, Reading::Precedence, old);
        assert_eq!(program, "0  S_COND *:22 else reject");
        assert_eq!(left, ["dev = lo", "fwmark = 1/3", "cgroup = /a"]);
    }

    #[test]
    fn with_dev_the_program_follows_the_user_space_of_ss() {
        let program = |text| compiled(text, Reading::Ss, Codes::ALL).0;
        assert_eq!(program("src 10/8"), "0  S_COND 10.0.0.0/8:* else reject");
        assert_eq!(
            program("dev lo and src 10/8"),
            "0  DEV_COND 1 else reject; 8  S_COND 10.0.0.0/8:* else 28; 24  JMP accept; \
             28  S_COND [a00::]/8:* else reject"
        );
        assert_eq!(program("dev lo and src [fe80::/10]"), "0  DEV_COND 1 else reject");
        assert_eq!(program("dev lo autobound"), "0  DEV_COND 1 else reject");
        assert_eq!(program("sport le 65537"), "0  S_LE 1 else reject");
        assert_eq!(program("dev lo and sport le 65537"), "0  DEV_COND 1 else reject");
        assert_eq!(program("dport = :99999"), "0  JMP reject");
    }

    #[test]
    fn autobound_is_decided_where_all_beside_it_can_be_tested() {
        let decided = |text: &str, reading, codes| {
            let text = Text::new().argument(text.as_bytes());
            let filter = Filter::parse(&text, Scope::new(reading), &mut Fixed);
            filter.expect("a filter").expect("not empty").autobound_is_decided(codes)
        };
        let old = Codes::ALL.without(Code::MarkCond);
        for (text, with_all, with_old) in [
            ("autobound", true, true),
            ("autobound and state established", true, true),
            ("not autobound state established fwmark 1", true, true),
            ("autobound or sport = 22", true, true),
            ("( autobound or fwmark 1 ) and state established", true, false),
            ("autobound or state established", false, false),
            ("( autobound and state listening ) or sport = 22", false, false),
            ("not ( autobound and state listening )", false, false),
        ] {
            assert_eq!(decided(text, Reading::Precedence, Codes::ALL), with_all, "{text}");
            assert_eq!(decided(text, Reading::Precedence, old), with_old, "{text}");
        }
        assert!(decided("autobound", Reading::Ss, Codes::ALL));
        assert!(!decided("autobound and dev lo", Reading::Ss, Codes::ALL));
    }

    #[test]
    fn a_program_that_would_be_too_long_is_none() {
        let text = Text::new().argument("src 10.0.0.1 or ".repeat(9000).as_bytes());
        let text = text.argument(b"src 10.0.0.2");
        let filter = Filter::parse(&text, Scope::new(Reading::Ss), &mut Fixed);
        let compiled = filter.expect("a filter").expect("not empty").compile(Codes::ALL);
        assert!(compiled.too_long && compiled.program.is_none());
    }
}
