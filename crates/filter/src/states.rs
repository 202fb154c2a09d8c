//! Names of states, and groups of them.
//!
//! Bit 0 is a state too: `ss` names it `unknown` and asks for it, and no kernel sends one.

use sockeye_model::{State, States};

/// Sockets that have no full `struct sock`.
const BUCKET: States = States::only(State::SynRecv).with(States::only(State::TimeWait));
/// Listening TCP sockets, unconnected ones of other protocols.
const IDLE: States = States::only(State::Listen).with(States::only(State::Close));

/// What `state NAME` means where `all` are the states that there are; `None` for no name. Case does
/// not matter.
#[must_use]
pub fn named(name: &[u8], all: States) -> Option<States> {
    Some(match name.to_ascii_lowercase().as_slice() {
        b"all" => all,
        b"connected" => all.without(IDLE),
        b"synchronized" => all.without(IDLE).without(States::only(State::SynSent)),
        b"bucket" => BUCKET,
        b"big" => all.without(BUCKET),
        b"unknown" => States(1),
        b"established" => States::only(State::Established),
        b"syn-sent" => States::only(State::SynSent),
        b"syn-recv" | b"syn-rcv" => States::only(State::SynRecv),
        b"fin-wait-1" => States::only(State::FinWait1),
        b"fin-wait-2" => States::only(State::FinWait2),
        b"time-wait" => States::only(State::TimeWait),
        b"close" | b"closed" | b"unconnected" => States::only(State::Close),
        b"close-wait" => States::only(State::CloseWait),
        b"last-ack" => States::only(State::LastAck),
        b"listening" => States::only(State::Listen),
        b"closing" => States::only(State::Closing),
        b"bound-inactive" if all.contains(State::BoundInactive) => {
            States::only(State::BoundInactive)
        }
        _ => return None,
    })
}
