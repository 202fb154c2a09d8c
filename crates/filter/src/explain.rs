//! What is said of a filter before sockets are listed: how it was read, and what of it runs where.

use std::fmt::{self, Write};
use std::io;

use sockeye_diag::Diag;
use sockeye_diag::bytecode::{Code, Program};
use sockeye_model::{Protocol, State, States};
use sockeye_netlink::Receive;

use crate::compile::Why;
use crate::expression::{Interface, Test};
use crate::live::Live;
use crate::{Filter, Reading, states};

/// What is asked for, whatever a filter tests: tables, families, states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// TCP sockets.
    pub tcp: bool,
    /// UDP sockets.
    pub udp: bool,
    /// Those of IPv4.
    pub ipv4: bool,
    /// Those of IPv6.
    pub ipv6: bool,
    /// Those in these states.
    pub states: States,
}

/// `TCP and UDP, IPv4, in every state but listening`.
impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let both = |one: Option<&'static str>, other: Option<&'static str>| match (one, other) {
            (Some(one), Some(other)) => Some(format!("{one} and {other}")),
            (one, other) => one.or(other).map(str::to_owned),
        };
        let tables = both(self.tcp.then_some("TCP"), self.udp.then_some("UDP"));
        let families = both(self.ipv4.then_some("IPv4"), self.ipv6.then_some("IPv6"));
        let (Some(tables), Some(families)) = (tables, families) else {
            return f.write_str("none");
        };
        let asked = |(state, _): &&(State, &str)| self.states.contains(*state);
        let (inside, outside): (Vec<_>, Vec<_>) = states::NAMES.iter().partition(asked);
        let list = |states: Vec<&(State, &'static str)>| {
            states.into_iter().map(|(_, name)| *name).collect::<Vec<_>>().join(", ")
        };
        write!(f, "{tables}, {families}, in ")?;
        match (inside.len(), outside.len()) {
            (_, 0) => f.write_str("every state"),
            (0, _) => f.write_str("no state"),
            (within, without) if within > without => {
                write!(f, "every state but {}", list(outside))
            }
            _ => f.write_str(&list(inside)),
        }
    }
}

impl Filter {
    /// What a filter is and how it was read, in two lines.
    fn write_reading(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "expression: {}", self.expression())?;
        let reading = match self.reading() {
            Reading::Ss => "from left to right, as ss reads",
            Reading::Precedence => "not before and before or",
        };
        writeln!(out, "reading: {reading}")
    }

    /// What is explained where the kernel runs no program, as it is not the kernel that tells the sockets,
    /// or it is not asked for them: `why`.
    #[must_use]
    pub fn explain_without_kernel(&self, why: &str) -> String {
        let mut text = String::new();
        // A String takes everything.
        let _ = self.write_reading(&mut text);
        let _ = writeln!(text, "kernel: nothing, {why}\nuser space: all of it, alone");
        text
    }
}

impl Live<'_> {
    /// What runs where, in lines, after the kernel was asked.
    pub fn explain<R: Receive>(&mut self, diag: &mut Diag<R>, protocol: Protocol) -> String {
        self.ask(diag, protocol);
        let whole = self.refusal(diag, protocol);
        let mut text = String::new();
        // A String takes everything.
        let _ = self.write_explanation(&mut text, whole);
        text
    }

    fn write_explanation(&self, out: &mut String, whole: Option<i32>) -> fmt::Result {
        let (compiled, refused) = self.told();
        self.filter().write_reading(out)?;
        match (&compiled.program, whole) {
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
        let runs = compiled.program.is_some() && whole.is_none();
        out.push_str(match (runs, compiled.left.is_empty()) {
            (true, true) => "user space: all of it once more\n",
            (false, true) => "user space: all of it, alone\n",
            (_, false) => "user space: all of it, and alone:\n",
        });
        for left in &compiled.left {
            writeln!(out, "  {}: {}", left.text, reason(left.why))?;
        }
        for predicate in self.filter().expression().tests() {
            if predicate.test == Test::Interface(Interface::Elsewhere) {
                writeln!(out, "not in this network namespace: {}", predicate.text)?;
            }
        }
        for (code, errno) in refused {
            let (name, why) = (code.name(), io::Error::from_raw_os_error(*errno));
            let since = code.since().unwrap_or("ever");
            write!(out, "refused: {name} (since Linux {since}): {why}")?;
            out.push_str(if *code == Code::MarkCond { "; it needs CAP_NET_ADMIN\n" } else { "\n" });
        }
        Ok(())
    }
}

fn reason(why: Why) -> String {
    match why {
        Why::Refused(code) => format!("the kernel refuses {}", code.name()),
        Why::State => "the request names the states".to_owned(),
        Why::AnyFamily => "where there is `dev`, ss compares bits whatever the family".to_owned(),
        Why::PortRange => "where there is `dev`, ss takes ip_local_port_range for it".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_told_the_short_way() {
        let asked = Asked { tcp: true, udp: true, ipv4: true, ipv6: false, states: States::ALL };
        assert_eq!(asked.to_string(), "TCP and UDP, IPv4, in every state");
        let listen = States::only(State::Listen);
        let asked = Asked { udp: false, ipv6: true, states: States::ALL.without(listen), ..asked };
        assert_eq!(asked.to_string(), "TCP, IPv4 and IPv6, in every state but listening");
        let asked = Asked { states: listen.with(States::only(State::TimeWait)), ..asked };
        assert_eq!(asked.to_string(), "TCP, IPv4 and IPv6, in time-wait, listening");
        assert_eq!(
            Asked { states: States::NONE, ..asked }.to_string(),
            "TCP, IPv4 and IPv6, in no state"
        );
        assert_eq!(Asked { tcp: false, ..asked }.to_string(), "none");
    }
}
