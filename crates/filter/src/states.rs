//! Names of states, and groups of them.
//!
//! Bit 0 is a state too: `ss` names it `unknown` and asks for it, and no kernel sends one.

use sockeye_model::{Protocol, State, States};

/// Sockets that have no full `struct sock`.
const BUCKET: States = States::only(State::SynRecv).with(States::only(State::TimeWait));
/// Listening TCP sockets, unconnected ones of other protocols.
const IDLE: States = States::only(State::Listen).with(States::only(State::Close));

/// The states that a kernel tells, or is asked for, by the names that the language has for them.
pub(crate) const NAMES: [(State, &str); 12] = [
    (State::Established, "established"),
    (State::SynSent, "syn-sent"),
    (State::SynRecv, "syn-recv"),
    (State::FinWait1, "fin-wait-1"),
    (State::FinWait2, "fin-wait-2"),
    (State::TimeWait, "time-wait"),
    (State::Close, "closed"),
    (State::CloseWait, "close-wait"),
    (State::LastAck, "last-ack"),
    (State::Listen, "listening"),
    (State::Closing, "closing"),
    (State::BoundInactive, "bound-inactive"),
];

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
        b"syn-rcv" => States::only(State::SynRecv),
        b"close" | b"unconnected" => States::only(State::Close),
        name => {
            let mut known = NAMES.iter().filter(|(state, _)| all.contains(*state));
            let (state, _) = known.find(|(_, of_state)| of_state.as_bytes() == name)?;
            States::only(*state)
        }
    })
}

/// Whether a socket of this protocol that the kernel tells in this state is in one of those wanted.
/// Bound, inactive TCP sockets are told as closed ones, and no TCP socket that is closed is told; of
/// other protocols a closed socket is an unconnected one.
pub(crate) fn hold(wanted: States, protocol: Protocol, told: State) -> bool {
    match told {
        State::Close if protocol == Protocol::TCP => {
            wanted.contains(State::Close) || wanted.contains(State::BoundInactive)
        }
        // How the kernel has what it tells as SYN-RECV.
        State::NewSynRecv => wanted.contains(State::SynRecv),
        told => wanted.contains(told),
    }
}

/// The states to ask for, and in which those wanted may be told, whatever the protocol.
pub(crate) fn possible(wanted: States) -> States {
    let alike = States::only(State::Close).with(States::only(State::BoundInactive));
    let wanted = if wanted.0 & alike.0 == 0 { wanted } else { wanted.with(alike) };
    new_syn_recv_as_syn_recv(wanted)
}

/// The states whose sockets are all wanted, whatever the protocol.
pub(crate) fn certain(wanted: States) -> States {
    let inactive = States::only(State::BoundInactive);
    let wanted = if wanted.contains(State::Close) { wanted.with(inactive) } else { wanted };
    new_syn_recv_as_syn_recv(wanted)
}

fn new_syn_recv_as_syn_recv(states: States) -> States {
    let new = States::only(State::NewSynRecv);
    if states.contains(State::SynRecv) { states.with(new) } else { states.without(new) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: States = States((1 << 14) - 1);

    #[test]
    fn an_unconnected_socket_is_bound_and_inactive_in_tcp_alone() {
        for (name, tcp, udp) in [
            ("all", true, true),
            ("connected", true, false),
            ("synchronized", true, false),
            ("bucket", false, false),
            ("big", true, true),
            ("closed", true, true),
            ("unconnected", true, true),
            ("bound-inactive", true, false),
            ("listening", false, false),
        ] {
            let states = named(name.as_bytes(), ALL).expect(name);
            assert_eq!(hold(states, Protocol::TCP, State::Close), tcp, "{name}");
            assert_eq!(hold(states, Protocol::UDP, State::Close), udp, "{name}");
        }
    }

    #[test]
    fn what_is_asked_for_and_what_is_certain_bound_what_holds() {
        let told = (1..=13).map(State::from);
        for (state, wanted) in told.flat_map(|s| (0..1 << 14).map(move |w| (s, States(w)))) {
            let (possible, certain) = (possible(wanted), certain(wanted));
            for protocol in [Protocol::TCP, Protocol::UDP] {
                // No kernel tells these of a socket that is no TCP socket, nor of one at all.
                if state == State::BoundInactive {
                    continue;
                }
                let holds = hold(wanted, protocol, state);
                assert!(!holds || possible.contains(state), "{wanted:?} {state:?}");
                assert!(holds || !certain.contains(state), "{wanted:?} {state:?}");
            }
        }
    }
}
