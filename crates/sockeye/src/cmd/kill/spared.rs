//! The states of sockets that `sockeye kill` closes.
//!
//! Connections are closed. What listens, is unconnected, or is no full socket (TIME-WAIT, SYN-RECV) is
//! spared unless it is named: by `--state`, or by a `state` of the filter that is not behind a `not`. To
//! exclude a state names none.

use sockeye_filter::{Expression, Filter, Test};
use sockeye_model::{State, States};

/// Closed only where they are named.
const SPARED: States = States::only(State::Listen)
    .with(UNCONNECTED)
    .with(States::only(State::TimeWait))
    .with(States::only(State::SynRecv));
/// A bound, inactive socket is told as a closed one: the two are not told apart.
const UNCONNECTED: States = States::only(State::Close).with(States::only(State::BoundInactive));

/// The states to ask for, with those that `--state` named; none: as the filter says.
pub(super) fn wanted(filter: Option<&Filter>, by_flag: States) -> States {
    let by_filter = filter.map_or(States::NONE, |filter| named(filter.expression(), true));
    let may_hold = filter.map_or(States::ALL, Filter::states);
    let chosen = if by_flag.is_empty() { States::ALL } else { with_alike(by_flag) };
    let spared = SPARED.without(with_alike(by_flag.with(by_filter)));
    let states = States(may_hold.0 & chosen.0).without(spared);
    // The kernel's own name for most sockets in SYN-RECV, as which it tells them.
    let requests = States::only(State::NewSynRecv);
    if states.contains(State::SynRecv) { states.with(requests) } else { states.without(requests) }
}

/// A filter that chooses by states alone: no better than none.
pub(super) fn is_of_states_alone(filter: &Filter) -> bool {
    filter.expression().tests().all(|predicate| matches!(predicate.test, Test::State(_)))
}

/// The states that an expression names, behind an even number of `not`.
fn named(expression: &Expression, affirmed: bool) -> States {
    match expression {
        Expression::And(parts) | Expression::Or(parts) => {
            parts.iter().fold(States::NONE, |states, part| states.with(named(part, affirmed)))
        }
        Expression::LeftToRight(parts) => {
            let parts = parts.iter().map(|(_, part)| named(part, affirmed));
            parts.fold(States::NONE, States::with)
        }
        Expression::Not(part) => named(part, !affirmed),
        Expression::Test(predicate) => match &predicate.test {
            Test::State(states) if affirmed => *states,
            _ => States::NONE,
        },
    }
}

fn with_alike(states: States) -> States {
    if states.0 & UNCONNECTED.0 == 0 { states } else { states.with(UNCONNECTED) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sockeye_filter::{Reading, Scope, System, Text};

    fn filter(text: &str) -> Filter {
        let text = Text::new().argument(text.as_bytes());
        let scope = Scope::new(Reading::Precedence);
        Filter::parse(&text, scope, &mut System::default()).expect("a filter").expect("not empty")
    }

    fn of(text: &str) -> States {
        wanted(Some(&filter(text)), States::NONE)
    }

    /// Those that are closed of the spared ones, and of connections.
    fn states(list: &[State]) -> States {
        let connections = States::ALL.without(SPARED).without(States::only(State::NewSynRecv));
        list.iter().fold(connections, |states, state| states.with(States::only(*state)))
    }

    #[test]
    fn what_is_not_named_is_spared() {
        assert_eq!(wanted(None, States::NONE), states(&[]));
        assert_eq!(of("dport = :80"), states(&[]));
        assert_eq!(of("state listening and sport = :80"), States::only(State::Listen));
        assert_eq!(of("state closed and sport = :80"), UNCONNECTED);
        assert_eq!(of("state listening or dport = :500"), states(&[State::Listen]));
        let requests = [State::SynRecv, State::NewSynRecv];
        assert_eq!(
            of("state bucket or dport = :1"),
            states(&[requests[0], requests[1], State::TimeWait])
        );
        assert_eq!(wanted(None, States::ALL), States::ALL);
        assert_eq!(wanted(None, States::only(State::Close)), UNCONNECTED);
    }

    #[test]
    fn to_exclude_a_state_names_none() {
        let closing = States::only(State::Closing);
        assert_eq!(of("exclude closing and dport = :80"), states(&[]).without(closing));
        assert_eq!(of("not state time-wait and dport = :80"), states(&[]));
        assert_eq!(of("not exclude listening and sport = :80"), States::only(State::Listen));
    }

    #[test]
    fn states_alone_choose_no_socket() {
        for text in ["state all", "exclude listening", "state established or state closing"] {
            assert!(is_of_states_alone(&filter(text)), "{text}");
        }
        assert!(!is_of_states_alone(&filter("state all and dport = :80")));
    }
}
