//! A filter before the running kernel: what it takes of the program, and what is explained of that.

use std::fmt::{self, Write};
use std::io;
use std::ops::ControlFlow;

use rustix::io::Errno;
use sockeye_diag::bytecode::{Code, Condition, Program};
use sockeye_diag::{Diag, Error, Extensions, Query, Sockets};
use sockeye_model::{Family, Protocol, Socket, States};
use sockeye_netlink::Receive;

use crate::compile::{Codes, Compiled, Why};
use crate::{Filter, Reading};

/// A filter and the program that this kernel takes of it.
#[derive(Debug, Clone)]
pub struct Live<'a> {
    filter: &'a Filter,
    compiled: Compiled,
    /// Instructions that the kernel refused, with its error numbers.
    refused: Vec<(Code, i32)>,
    /// The kernel was asked.
    asked: bool,
}

impl<'a> Live<'a> {
    /// With all instructions, until the kernel refuses one.
    #[must_use]
    pub fn new(filter: &'a Filter) -> Live<'a> {
        let compiled = filter.compile(Codes::ALL);
        Live { filter, compiled, refused: Vec::new(), asked: false }
    }

    /// The filter.
    #[must_use]
    pub fn filter(&self) -> &'a Filter {
        self.filter
    }

    /// What to put into a query.
    #[must_use]
    pub fn program(&self) -> Option<&Program> {
        self.compiled.program.as_ref()
    }

    /// True where marks are tested and the kernel does not tell them.
    #[must_use]
    pub fn marks_are_hidden(&self) -> bool {
        self.refused.iter().any(|(code, _)| *code == Code::MarkCond) && self.filter.tests_marks()
    }

    /// After a dump that failed: finds out whether the program was why. True where there is another
    /// one now, or none, and the dump may be made again.
    pub fn learn<R: Receive>(
        &mut self,
        diag: &mut Diag<R>,
        failed: &Error,
        protocol: Protocol,
    ) -> bool {
        let refusal = [Errno::PERM, Errno::INVAL].map(|errno| Some(errno.raw_os_error()));
        if self.compiled.program.is_none() || !refusal.contains(&failed.errno()) {
            return false;
        }
        if self.asked {
            // What is left of the program is refused as well: a kernel older than any known here.
            self.compiled.program = None;
            return true;
        }
        let before = self.compiled.program.clone();
        self.ask(diag, protocol);
        before != self.compiled.program
    }

    /// Asks the kernel, by dumps of no state, which of the program's instructions it takes.
    pub fn ask<R: Receive>(&mut self, diag: &mut Diag<R>, protocol: Protocol) {
        self.asked = true;
        let Some(program) = &self.compiled.program else { return };
        // Those that were refused before are in no program any more.
        let mut codes: Vec<_> = program.codes().filter(|code| code.since().is_some()).collect();
        codes.sort_unstable_by_key(|code| *code as u8);
        codes.dedup();
        for code in codes {
            let Some(condition) = example(code) else { continue };
            if let Some(errno) = refusal(diag, &Program::test(condition), protocol) {
                self.refused.push((code, errno));
            }
        }
        let codes = self.refused.iter().fold(Codes::ALL, |codes, (code, _)| codes.without(*code));
        self.compiled = self.filter.compile(codes);
    }

    /// The error number with which the kernel refuses the program as a whole.
    fn refusal<R: Receive>(&self, diag: &mut Diag<R>, protocol: Protocol) -> Option<i32> {
        self.compiled.program.as_ref().and_then(|program| refusal(diag, program, protocol))
    }

    /// What runs where, in lines, after the kernel was asked.
    pub fn explain<R: Receive>(&mut self, diag: &mut Diag<R>, protocol: Protocol) -> String {
        self.ask(diag, protocol);
        let whole = self.refusal(diag, protocol);
        let mut text = String::new();
        // A String takes everything.
        let _ = self.write_explanation(&mut text, whole);
        text
    }

    fn write_explanation(&self, out: &mut String, refused: Option<i32>) -> fmt::Result {
        let Live { filter, compiled, .. } = self;
        writeln!(out, "expression: {}", filter.expression())?;
        let reading = match filter.reading() {
            Reading::Ss => "from left to right, as ss reads",
            Reading::Precedence => "not before and before or",
        };
        writeln!(out, "reading: {reading}")?;
        match (&compiled.program, refused) {
            (Some(program), None) => {
                let length = program.to_bytes().map_or(0, |bytes| bytes.len());
                writeln!(out, "kernel: a program of {length} bytes")?;
                for line in program.to_string().lines() {
                    writeln!(out, "  {line}")?;
                }
            }
            (Some(_), Some(errno)) => {
                let why = io::Error::from_raw_os_error(errno);
                writeln!(out, "kernel: nothing, it refuses the program: {why}")?;
            }
            (None, _) if compiled.too_long => {
                let longest = Program::LONGEST;
                writeln!(out, "kernel: nothing, the program would be longer than {longest} bytes")?;
            }
            (None, _) => writeln!(out, "kernel: nothing")?,
        }
        if compiled.left.is_empty() && compiled.program.is_some() && refused.is_none() {
            writeln!(out, "user space: all of it once more")?;
        } else {
            writeln!(out, "user space: all of it, and alone:")?;
        }
        for left in &compiled.left {
            writeln!(out, "  {}: {}", left.text, self.reason(left.why))?;
        }
        for (code, errno) in &self.refused {
            let (name, why) = (code.name(), io::Error::from_raw_os_error(*errno));
            let since = code.since().unwrap_or("ever");
            write!(out, "refused: {name} (since Linux {since}): {why}")?;
            out.push_str(if *code == Code::MarkCond { "; it needs CAP_NET_ADMIN\n" } else { "\n" });
        }
        Ok(())
    }

    fn reason(&self, why: Why) -> String {
        match why {
            Why::Refused(code) => format!("the kernel refuses {}", code.name()),
            Why::State => "the request names the states".to_owned(),
            Why::AnyFamily => {
                "where there is `dev`, ss compares bits whatever the family".to_owned()
            }
            Why::PortRange => {
                "where there is `dev`, ss takes ip_local_port_range for it".to_owned()
            }
        }
    }
}

/// An instruction that is tried.
fn example(code: Code) -> Option<Condition> {
    Some(match code {
        Code::DevCond => Condition::Interface(0),
        Code::MarkCond => Condition::Mark { mark: 0, mask: 0 },
        Code::SEq => Condition::SourcePort(0),
        Code::DEq => Condition::DestinationPort(0),
        Code::CgroupCond => Condition::Cgroup(0),
        _ => return None,
    })
}

/// The error number with which the kernel refuses a program.
fn refusal<R: Receive>(diag: &mut Diag<R>, program: &Program, protocol: Protocol) -> Option<i32> {
    let query = Query {
        family: Family::Inet,
        protocol,
        states: States::NONE,
        extensions: Extensions::NONE,
        program: Some(program),
    };
    let refused = [Errno::PERM, Errno::INVAL].map(Errno::raw_os_error);
    let error = diag.dump(&query, &mut Nobody).err()?;
    error.errno().filter(|errno| refused.contains(errno))
}

/// A visitor that wants nothing.
struct Nobody;

impl Sockets for Nobody {
    fn socket(&mut self, _: &Socket) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn restart(&mut self) {}
}
