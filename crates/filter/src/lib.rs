//! The filter language of `ss`: parse, explain, compile to bytecode, evaluate.
//!
//! One language with two readings ([`Reading`]): as `ss` takes it, strictly from left to right, and
//! with the precedence that everyone expects. A [`Filter`] tests sockets ([`Filter::matches`]), and
//! compiles to a program that the kernel runs on each socket of a dump ([`Filter::compile`]) as far
//! as the kernel can test; [`Live`] finds out how far that is.
//!
//! ```
//! use sockeye_filter::{Filter, Reading, Scope, System, Text};
//! use sockeye_model::{Protocol, Socket};
//!
//! let text = Text::new().argument(b"sport = :22 or sport = :80 and dst 10.0.0.0/8");
//! let filter = Filter::parse(&text, Scope::new(Reading::Precedence), &mut System::default())?;
//! let filter = filter.expect("a text that says something");
//! let mut socket = Socket::new(Protocol::TCP);
//! socket.local.port = 22;
//! assert!(filter.matches(&socket));
//! # Ok::<(), sockeye_filter::ParseError>(())
//! ```
//!
//! It promises:
//!
//! - no text panics, and none overflows the stack: nesting is bounded;
//! - an error names the word and what was expected there ([`ParseError`]);
//! - a program never leaves out a socket that the filter wants, and always passes the kernel's
//!   audit, but for instructions that the kernel is too old for or the reader has no right to;
//! - nothing is allocated a socket.

mod address;
mod compile;
mod error;
mod evaluate;
mod explain;
mod expression;
mod live;
mod names;
mod number;
mod parse;
mod place;
mod protocols;
pub mod states;
mod words;

use sockeye_model::{Family, States};

pub use compile::{Codes, Compiled, Left, Why};
pub use error::ParseError;
pub use explain::Asked;
pub use expression::{ANY_PORT, End, Expression, Host, Interface, Join, Predicate, Prefix, Test};
pub use live::Live;
pub use names::{Names, System, Transport, cgroup_mount};
pub use parse::Scope;
pub use place::{NamesAt, Nowhere};
pub use words::Text;

/// How `and`, `or` and `not` bind, and how much else is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reading {
    /// As `ss`: from left to right.
    Ss,
    /// `not` before `and` before `or`.
    Precedence,
}

/// Whose names of services count in a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Services {
    /// TCP's.
    pub tcp: bool,
    /// UDP's.
    pub udp: bool,
}

/// The address families that a filter, or a flag, can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddressFamily {
    /// `inet:`
    Inet,
    /// `inet6:`
    Inet6,
    /// `unix:`
    Unix,
    /// `link:`
    Packet,
    /// `netlink:`
    Netlink,
    /// `vsock:`
    Vsock,
    /// By flag alone.
    Tipc,
    /// By flag alone.
    Xdp,
}

/// A filter that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    expression: Expression,
    reading: Reading,
    family: Option<AddressFamily>,
    /// First and last port that the kernel hands out.
    ephemeral: (i64, i64),
}

impl Filter {
    /// What it says.
    #[must_use]
    pub fn expression(&self) -> &Expression {
        &self.expression
    }

    /// How it was read.
    #[must_use]
    pub fn reading(&self) -> Reading {
        self.reading
    }

    /// In [`Reading::Ss`], the family to which the last address of the filter narrowed what is shown:
    /// its prefix, or one before it, or a flag named it. In the other reading, the one of
    /// [`Scope::family`].
    #[must_use]
    pub fn family(&self) -> Option<AddressFamily> {
        self.family
    }

    /// The states that a matching socket can be in: the only ones to ask for.
    #[must_use]
    pub fn states(&self) -> States {
        states_of(&self.expression, true)
    }

    /// Whether it reads otherwise in another network namespace: it names an interface, or asks for the
    /// ports that the kernel hands out.
    #[must_use]
    pub fn depends_on_namespace(&self) -> bool {
        self.tests(|test| match test {
            Test::Interface(_) | Test::Autobound => true,
            Test::Host(_, Host::Link { interface, .. }) => interface.is_some(),
            _ => false,
        })
    }

    /// Whether any test is one of these.
    pub(crate) fn tests(&self, wanted: impl Fn(&Test) -> bool) -> bool {
        self.expression.tests().any(|predicate| wanted(&predicate.test))
    }

    /// Whether it is tested who chose a port.
    #[must_use]
    pub fn tests_autobound(&self) -> bool {
        self.tests(|test| matches!(test, Test::Autobound))
    }

    /// Whether marks are tested, which the kernel tells to those with CAP_NET_ADMIN alone.
    #[must_use]
    pub fn tests_marks(&self) -> bool {
        self.tests(|test| matches!(test, Test::Mark { .. }))
    }
}

impl AddressFamily {
    /// The internet family that it is.
    #[must_use]
    pub const fn internet(self) -> Option<Family> {
        match self {
            AddressFamily::Inet => Some(Family::Inet),
            AddressFamily::Inet6 => Some(Family::Inet6),
            _ => None,
        }
    }
}

/// The states in which an expression may hold (`may`), or holds whatever else the socket is.
fn states_of(expression: &Expression, may: bool) -> States {
    let join = |parts: &[Expression], start: States, both: fn(u32, u32) -> u32| {
        let states = parts.iter().map(|part| states_of(part, may).0);
        States(states.fold(start.0, both))
    };
    match expression {
        Expression::And(parts) => join(parts, States::ALL, |a, b| a & b),
        Expression::Or(parts) => join(parts, States::NONE, |a, b| a | b),
        Expression::LeftToRight(parts) => {
            let mut so_far = States::NONE;
            for (number, (joined, part)) in parts.iter().enumerate() {
                let states = states_of(part, may);
                so_far = match joined {
                    Join::And if number > 0 => States(so_far.0 & states.0),
                    _ => so_far.with(states),
                };
            }
            so_far
        }
        Expression::Not(part) => States(!states_of(part, !may).0),
        Expression::Test(Predicate { test: Test::State(wanted), .. }) => {
            if may {
                states::possible(*wanted)
            } else {
                states::certain(*wanted)
            }
        }
        Expression::Test(_) => {
            if may {
                States::ALL
            } else {
                States::NONE
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::net::IpAddr;

    use sockeye_model::{CgroupId, Protocol, Socket, State};

    /// Names that are the same on every host.
    pub(crate) struct Fixed;

    impl Names for Fixed {
        fn interface(&mut self, name: &[u8]) -> Option<u32> {
            (name == b"lo").then_some(1)
        }
        fn host(&mut self, name: &str, family: Option<Family>) -> Vec<IpAddr> {
            let known = [IpAddr::from([192, 0, 2, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])];
            let wanted = |address: &&IpAddr| match family {
                None => true,
                Some(family) => (family == Family::Inet) == address.is_ipv4(),
            };
            assert!(!name.contains([':', '%']) && !name.starts_with("0x"), "{name} is no name");
            let one_letter = name.len() == 1 && name.bytes().all(|byte| byte.is_ascii_lowercase());
            known.iter().filter(wanted).filter(|_| one_letter).copied().collect()
        }
        fn service(&mut self, name: &str, transport: Transport) -> Option<u16> {
            assert!(name.contains(|c: char| c.is_ascii_alphabetic()), "{name} is no name");
            match (name, transport) {
                ("ssh", Transport::Tcp) => Some(22),
                ("split", Transport::Udp) => Some(1),
                ("split", Transport::Tcp) => Some(2),
                _ => None,
            }
        }
        fn cgroup(&mut self, path: &[u8]) -> io::Result<CgroupId> {
            (path == b"/a").then_some(CgroupId(5)).ok_or_else(|| io::ErrorKind::NotFound.into())
        }
        fn ephemeral_ports(&mut self) -> (i64, i64) {
            (32768, 60999)
        }
    }

    fn states(text: &str) -> States {
        let text = Text::new().argument(text.as_bytes());
        let filter = Filter::parse(&text, Scope::new(Reading::Precedence), &mut Fixed);
        filter.expect("a filter").expect("not empty").states()
    }

    #[test]
    fn the_states_of_a_filter_are_all_in_which_it_may_hold() {
        let listen = States::only(State::Listen);
        assert_eq!(states("autobound"), States::ALL);
        assert_eq!(states("state listening"), listen);
        assert_eq!(states("state listening and sport = 22"), listen);
        assert_eq!(states("state listening or sport = 22"), States::ALL);
        assert_eq!(states("not ( state listening or sport = 22 )"), States::ALL.without(listen));
        assert_eq!(states("exclude listening"), States::ALL.without(listen));
        let closed = States::only(State::Close).with(States::only(State::BoundInactive));
        assert_eq!(states("state closed"), closed);
        assert_eq!(states("exclude closed"), States::ALL.without(closed));
    }

    #[test]
    fn an_unconnected_udp_socket_is_not_connected() {
        let mut socket = Socket::new(Protocol::UDP);
        socket.state = State::Close;
        for (text, udp, tcp) in [
            ("state connected", false, true),
            ("exclude connected", true, false),
            ("state synchronized", false, true),
            ("state bound-inactive", false, true),
            ("exclude bound-inactive", true, false),
            ("exclude closed", false, false),
        ] {
            let written = Text::new().argument(text.as_bytes());
            let filter = Filter::parse(&written, Scope::new(Reading::Precedence), &mut Fixed);
            let filter = filter.expect("a filter").expect("not empty");
            for (protocol, holds) in [(Protocol::UDP, udp), (Protocol::TCP, tcp)] {
                socket.protocol = protocol;
                assert_eq!(filter.matches(&socket), holds, "{text} {protocol:?}");
                assert!(!holds || filter.states().contains(State::Close), "{text}");
            }
        }
    }
}
