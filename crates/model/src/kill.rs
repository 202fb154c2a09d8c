//! What became of a socket that was to be closed by force.

use crate::Socket;
use crate::field::{Section, Table, Word, fields, word_values};

/// What the kernel said, or what it was not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KillAnswer {
    /// It would be closed; the kernel was not asked.
    WouldClose,
    /// It was closed.
    Closed,
    /// It was gone before.
    Gone,
    /// It lives, and by its addresses the kernel finds another one, or none.
    Shadowed,
    /// The kernel refused.
    Refused,
}

impl Word for KillAnswer {
    const NAMES: &'static [&'static str] =
        &["would_close", "closed", "gone", "shadowed", "refused"];

    fn name(self) -> Option<&'static str> {
        Some(match self {
            KillAnswer::WouldClose => "would_close",
            KillAnswer::Closed => "closed",
            KillAnswer::Gone => "gone",
            KillAnswer::Shadowed => "shadowed",
            KillAnswer::Refused => "refused",
        })
    }

    fn number(self) -> u64 {
        self as u64
    }
}

word_values!(KillAnswer);

/// Stands beside a [`Socket`] that was to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kill {
    /// What became of it.
    pub answer: KillAnswer,
    /// Why the kernel refused.
    pub errno: Option<u32>,
}

impl Kill {
    /// The parts of a record: a socket's, what is looked up beside it, and this.
    pub const SECTIONS: &'static [Section] = &{
        const OF_SOCKET: usize = Socket::SECTIONS.len();
        let kill = Section { title: "The answer", when: "", fields: Kill::FIELDS };
        let mut sections = [kill; OF_SOCKET + 1];
        let mut index = 0;
        while index < OF_SOCKET {
            sections[index] = Socket::SECTIONS[index];
            index += 1;
        }
        sections
    };
}

fields! {
    Kill, Kill { answer, errno } => {
        /// What became of the socket; shadowed is one that lives, but by whose addresses the kernel finds another (SO_REUSEPORT) or none (TCP sockets that are only bound).
        answer: KillAnswer = *answer, "", "SOCK_DESTROY", "4.5";
        /// Error number with which the kernel refused; absent where it did not.
        errno: Option<u32> = *errno, "", "SOCK_DESTROY", "4.5";
    }
}
