//! The states that `ss` shows by itself, by flags, and by `state` and `exclude`.
//!
//! Bit 0 is a state too: `ss` names it `unknown` and asks for it, and no kernel sends one. The two
//! states above `closing` came with later releases.

use sockeye_model::{State, States};

use crate::version::Version;

/// All states that the version asks for.
pub(crate) const fn all(version: Version) -> States {
    States(if version.has_bound_inactive() { (1 << 14) - 1 } else { (1 << 12) - 1 })
}

/// The states that `ss` shows of a TCP socket when nothing is said.
pub(crate) const fn connected_by_default(version: Version) -> States {
    all(version)
        .without(States::only(State::Listen))
        .without(States::only(State::Close))
        .without(States::only(State::TimeWait))
        .without(States::only(State::SynRecv))
}

/// `-l`: listening TCP sockets, unconnected ones of other protocols.
pub(crate) const LISTENING: States = States::only(State::Listen).with(States::only(State::Close));

/// What `state NAME` and `exclude NAME` mean; `None` for no name of the version. Case does not
/// matter.
pub(crate) fn named(name: &[u8], version: Version) -> Option<States> {
    sockeye_filter::states::named(name, all(version))
}

/// The name in the State column, with zeros behind it, and its length. 6.1 has names up to `closing` only,
/// and no kernel sends the others.
pub(crate) const fn label(state: State) -> ([u8; 16], usize) {
    match state {
        State::Established => const { padded("ESTAB") },
        State::SynSent => const { padded("SYN-SENT") },
        State::SynRecv => const { padded("SYN-RECV") },
        State::FinWait1 => const { padded("FIN-WAIT-1") },
        State::FinWait2 => const { padded("FIN-WAIT-2") },
        State::TimeWait => const { padded("TIME-WAIT") },
        // Bound, inactive sockets come as this one, too.
        State::Close => const { padded("UNCONN") },
        State::CloseWait => const { padded("CLOSE-WAIT") },
        State::LastAck => const { padded("LAST-ACK") },
        State::Listen => const { padded("LISTEN") },
        State::Closing => const { padded("CLOSING") },
        State::NewSynRecv | State::BoundInactive => const { padded("UNDEF") },
        State::Unknown(_) => const { padded("UNKNOWN") },
    }
}

/// A text with zeros behind it, and its length.
const fn padded(text: &str) -> ([u8; 16], usize) {
    let text = text.as_bytes();
    let (mut padded, mut len) = ([0; 16], 0);
    while len < text.len() {
        padded[len] = text[len];
        len += 1;
    }
    (padded, len)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The masks are those that `ss` put into its requests.
    #[test]
    fn groups_are_those_of_the_version() {
        for (name, old, new) in [
            ("all", 0xfff, 0x3fff),
            ("connected", 0xb7f, 0x3b7f),
            ("synchronized", 0xb7b, 0x3b7b),
            ("bucket", 0x48, 0x48),
            ("big", 0xfb7, 0x3fb7),
            ("Established", 0x2, 0x2),
            ("unknown", 0x1, 0x1),
        ] {
            assert_eq!(named(name.as_bytes(), Version::V6_1), Some(States(old)), "{name}");
            assert_eq!(named(name.as_bytes(), Version::V7_1), Some(States(new)), "{name}");
        }
        assert_eq!(connected_by_default(Version::V6_1), States(0xb37));
        assert_eq!(connected_by_default(Version::V7_1), States(0x3b37));
    }

    /// By number, as they come in a recording.
    #[test]
    fn numbers_that_no_kernel_sends_are_labelled_as_ss_labels_them() {
        for (number, name) in
            [(0, "UNKNOWN"), (7, "UNCONN"), (11, "CLOSING"), (12, "UNDEF"), (13, "UNDEF")]
        {
            assert_eq!(label(State::from(number)), padded(name), "{number}");
        }
    }

    #[test]
    fn a_name_of_a_later_version_is_no_name() {
        assert_eq!(named(b"bound-inactive", Version::V6_1), None);
        assert_eq!(named(b"bound-inactive", Version::V7_1), Some(States(1 << 13)));
        assert_eq!(named(b"listen", Version::V7_1), None);
    }
}
