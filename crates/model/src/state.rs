//! The state of a socket, and sets of states.
//!
//! Source: include/net/tcp_states.h. Other protocols borrow TCP's numbers: an unconnected UDP
//! socket is in `Close`, a connected one in `Established`.

use crate::field::{Word, word_values};

/// State of a socket (`idiag_state`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// `TCP_ESTABLISHED` (1).
    Established,
    /// `TCP_SYN_SENT` (2).
    SynSent,
    /// `TCP_SYN_RECV` (3).
    SynRecv,
    /// `TCP_FIN_WAIT1` (4).
    FinWait1,
    /// `TCP_FIN_WAIT2` (5).
    FinWait2,
    /// `TCP_TIME_WAIT` (6).
    TimeWait,
    /// `TCP_CLOSE` (7): unconnected.
    Close,
    /// `TCP_CLOSE_WAIT` (8).
    CloseWait,
    /// `TCP_LAST_ACK` (9).
    LastAck,
    /// `TCP_LISTEN` (10).
    Listen,
    /// `TCP_CLOSING` (11).
    Closing,
    /// `TCP_NEW_SYN_RECV` (12): a request that a listener has not answered to the end. Dumps
    /// report it as [`State::SynRecv`].
    NewSynRecv,
    /// `TCP_BOUND_INACTIVE` (13, since Linux 6.8): bound, neither connected nor listening. A
    /// pseudo-state of requests; such sockets are reported as [`State::Close`].
    BoundInactive,
    /// A number that this version has no name for.
    Unknown(u8),
}

impl State {
    /// The kernel's number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            State::Established => 1,
            State::SynSent => 2,
            State::SynRecv => 3,
            State::FinWait1 => 4,
            State::FinWait2 => 5,
            State::TimeWait => 6,
            State::Close => 7,
            State::CloseWait => 8,
            State::LastAck => 9,
            State::Listen => 10,
            State::Closing => 11,
            State::NewSynRecv => 12,
            State::BoundInactive => 13,
            State::Unknown(number) => number,
        }
    }
}

impl Word for State {
    const NAMES: &'static [&'static str] = &[
        "established",
        "syn_sent",
        "syn_recv",
        "fin_wait1",
        "fin_wait2",
        "time_wait",
        "close",
        "close_wait",
        "last_ack",
        "listen",
        "closing",
        "new_syn_recv",
        "bound_inactive",
    ];

    /// The kernel's name without `TCP_`, in lower case.
    #[inline]
    fn name(self) -> Option<&'static str> {
        let index = usize::from(self.number()).checked_sub(1)?;
        Self::NAMES.get(index).copied()
    }

    #[inline]
    fn number(self) -> u64 {
        State::number(self).into()
    }
}

word_values!(State);

impl From<u8> for State {
    fn from(number: u8) -> Self {
        match number {
            1 => State::Established,
            2 => State::SynSent,
            3 => State::SynRecv,
            4 => State::FinWait1,
            5 => State::FinWait2,
            6 => State::TimeWait,
            7 => State::Close,
            8 => State::CloseWait,
            9 => State::LastAck,
            10 => State::Listen,
            11 => State::Closing,
            12 => State::NewSynRecv,
            13 => State::BoundInactive,
            other => State::Unknown(other),
        }
    }
}

/// A set of states: bit `1 << number`, as `idiag_states` of a request counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct States(pub u32);

impl States {
    /// No state.
    pub const NONE: States = States(0);
    /// Every state that a request can name, known to this version or not.
    pub const ALL: States = States(u32::MAX);

    /// The set with one member. A number past 31 has no bit.
    #[must_use]
    pub const fn only(state: State) -> States {
        States(if state.number() < 32 { 1 << state.number() } else { 0 })
    }

    /// Members of either set.
    #[must_use]
    pub const fn with(self, other: States) -> States {
        States(self.0 | other.0)
    }

    /// Members of `self` that are not in `other`.
    #[must_use]
    pub const fn without(self, other: States) -> States {
        States(self.0 & !other.0)
    }

    /// True if `state` is a member.
    #[must_use]
    pub const fn contains(self, state: State) -> bool {
        self.0 & States::only(state).0 != 0
    }

    /// True for the empty set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_trip() {
        for number in 0..=u8::MAX {
            assert_eq!(State::from(number).number(), number);
        }
    }

    #[test]
    fn sets_use_the_kernels_bits() {
        assert_eq!(States::only(State::Listen).0, 1 << 10);
        assert_eq!(States::only(State::Unknown(200)), States::NONE);
        let both = States::only(State::Listen).with(States::only(State::Close));
        assert!(both.contains(State::Close));
        assert!(!both.without(States::only(State::Close)).contains(State::Close));
    }
}
