//! A filter before the running kernel: what it takes of the program.

use std::ops::ControlFlow;

use rustix::io::Errno;
use sockeye_diag::bytecode::{Code, Condition, Program};
use sockeye_diag::{Diag, Error, Extensions, Query, Sockets};
use sockeye_model::{Family, Protocol, Socket, States};
use sockeye_netlink::Receive;

use crate::Filter;
use crate::compile::{Codes, Compiled};

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
        self.compiled = self.filter.compile(self.codes());
    }

    /// Has a dump made with as much of the filter as the kernel takes, and made again after it has refused
    /// a program. `dump` hands back an error only as long as it may be called again.
    ///
    /// # Errors
    /// The dump's, if the program is not why.
    pub fn dump<R: Receive, T>(
        &mut self,
        diag: &mut Diag<R>,
        query: &Query<'_>,
        mut dump: impl FnMut(&mut Diag<R>, &Query<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        loop {
            let program = self.compiled.program.clone();
            let query = Query { program: program.as_ref(), ..*query };
            match dump(diag, &query) {
                Err(error) if self.learn(diag, &error, query.protocol) => {}
                ended => return ended,
            }
        }
    }

    /// True where the filter says `autobound`, and the program that the kernel takes does not decide
    /// that: user space's test alone takes every port of a range for one that the kernel chose.
    #[must_use]
    pub fn autobound_is_open(&self) -> bool {
        self.filter.tests_autobound()
            && (self.compiled.program.is_none() || !self.filter.autobound_is_decided(self.codes()))
    }

    /// The instructions that the kernel has not refused.
    fn codes(&self) -> Codes {
        self.refused.iter().fold(Codes::ALL, |codes, (code, _)| codes.without(*code))
    }

    /// What is explained of it.
    pub(crate) fn told(&self) -> (&Compiled, &[(Code, i32)]) {
        (&self.compiled, &self.refused)
    }

    /// After the kernel was asked, the error number with which it refuses the program as a whole.
    pub(crate) fn refusal<R: Receive>(
        &self,
        diag: &mut Diag<R>,
        protocol: Protocol,
    ) -> Option<i32> {
        self.compiled.program.as_ref().and_then(|program| refusal(diag, program, protocol))
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
