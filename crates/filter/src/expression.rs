//! What a filter says, as a tree.

use std::fmt;

use sockeye_model::{CgroupId, Family, States};

/// A condition on sockets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    /// All of these hold.
    And(Vec<Expression>),
    /// One of these holds.
    Or(Vec<Expression>),
    /// `and` and `or` taken from left to right, each joining its expression to all before it. The first
    /// one's word says nothing. As a list, since it would nest as deep as it is long.
    LeftToRight(Vec<(Join, Expression)>),
    /// This does not hold.
    Not(Box<Expression>),
    /// A test of one thing.
    Test(Predicate),
}

/// What joins an expression to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// Both have to hold.
    And,
    /// One of them has to.
    Or,
}

/// A test, and the words that said it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predicate {
    /// What is tested.
    pub test: Test,
    /// As it was written, with single spaces and in one spelling of each operator.
    pub text: String,
}

/// What is tested of a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// `src`, `dst`, and `sport`, `dport` compared by `=`.
    Host(End, Host),
    /// `sport >= N`, `dport >= N`.
    PortAtLeast(End, i32),
    /// `sport <= N`, `dport <= N`.
    PortAtMost(End, i32),
    /// `dev`: the interface that the socket is bound to; index 0 for none.
    Interface(Interface),
    /// `fwmark`: the mark's bits in `mask` are these.
    Mark {
        /// The bits.
        mark: u32,
        /// Which count.
        mask: u32,
    },
    /// `cgroup`: made in this control group, not in one below it.
    Cgroup(CgroupId),
    /// `autobound`: the kernel chose the local port.
    Autobound,
    /// `state`: in one of these.
    State(States),
}

/// An interface, as it is found in a network namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interface {
    /// Its index.
    Index(u32),
    /// No interface has this name here, but one may in another namespace: no socket is bound to it.
    Elsewhere,
}

/// An end of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The local one.
    Source,
    /// The peer.
    Destination,
}

/// What an end of a socket may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// An end with internet addresses.
    Inet {
        /// The port; [`ANY_PORT`] for any. One that no socket can have is matched by none.
        port: i32,
        /// Any of these.
        addresses: Vec<Prefix>,
    },
    /// `unix:`, a shell pattern of the path; case does not count.
    Unix(Vec<u8>),
    /// `link:`, a packet socket's protocol (ETH_P_*) and the index of its interface.
    Link {
        /// `None` for any.
        protocol: Option<u16>,
        /// `None` for any.
        interface: Option<Interface>,
    },
    /// `netlink:`, protocol (NETLINK_*) and port id.
    Netlink {
        /// `None` for any.
        protocol: Option<u32>,
        /// `None` for any.
        port: Option<u32>,
    },
    /// `vsock:`, context id and port.
    Vsock {
        /// `None` for any.
        cid: Option<u32>,
        /// `None` for any.
        port: Option<u32>,
    },
}

/// The port of a [`Host::Inet`] that says nothing about it.
pub const ANY_PORT: i32 = -1;

/// The first bits of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// `None` where any address of any family will do.
    pub family: Option<Family>,
    /// An IPv4 address stands in the first four bytes.
    pub bytes: [u8; 16],
    /// How many bits count.
    pub length: u8,
}

impl Prefix {
    /// Every address.
    pub const ANY: Prefix = Prefix { family: None, bytes: [0; 16], length: 0 };
}

impl Expression {
    /// All tests in it, from left to right.
    pub fn tests(&self) -> impl Iterator<Item = &Predicate> {
        let mut found = Vec::new();
        self.gather(&mut found);
        found.into_iter()
    }

    fn gather<'a>(&'a self, found: &mut Vec<&'a Predicate>) {
        match self {
            Expression::And(parts) | Expression::Or(parts) => {
                for part in parts {
                    part.gather(found);
                }
            }
            Expression::LeftToRight(parts) => {
                for (_, part) in parts {
                    part.gather(found);
                }
            }
            Expression::Not(part) => part.gather(found),
            Expression::Test(predicate) => found.push(predicate),
        }
    }
}

/// As it was read, with a pair of parentheses around whatever has several parts.
impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |f: &mut fmt::Formatter<'_>, parts: &[Expression], word: &str| {
            for (number, part) in parts.iter().enumerate() {
                if number > 0 {
                    write!(f, " {word} ")?;
                }
                part.write_operand(f)?;
            }
            Ok(())
        };
        match self {
            Expression::And(parts) => joined(f, parts, "and"),
            Expression::Or(parts) => joined(f, parts, "or"),
            Expression::LeftToRight(parts) => {
                // A pair of parentheses around everything before each change of the word.
                let words = || parts.iter().skip(1).map(|(join, _)| *join);
                let changes = words().zip(words().skip(1)).filter(|(one, next)| one != next);
                f.write_str(&"( ".repeat(changes.count()))?;
                let mut before = words().next();
                for (number, (join, part)) in parts.iter().enumerate() {
                    if number > 0 {
                        if before != Some(*join) {
                            f.write_str(" )")?;
                        }
                        before = Some(*join);
                        f.write_str(if *join == Join::Or { " or " } else { " and " })?;
                    }
                    part.write_operand(f)?;
                }
                Ok(())
            }
            Expression::Not(part) => {
                f.write_str("not ")?;
                part.write_operand(f)
            }
            Expression::Test(predicate) => f.write_str(&predicate.text),
        }
    }
}

impl Expression {
    fn write_operand(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expression::And(_) | Expression::Or(_) | Expression::LeftToRight(_) => {
                write!(f, "( {self} )")
            }
            Expression::Not(_) | Expression::Test(_) => write!(f, "{self}"),
        }
    }
}
