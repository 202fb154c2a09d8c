//! What the kernel keeps from a reader without CAP_NET_ADMIN: marks and TCP-MD5 signatures.
//!
//! It does not say so, but it tells the mark of every full socket to who may know it, 0 included
//! (`inet_diag_msg_attrs_fill`). A dump with full sockets and without marks was therefore made without the
//! right, and with it went the signatures.

use sockeye_model::{Protocol, Socket, State};

use crate::args::Options;
use crate::outcome::Outcome;

/// What live dumps have shown so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rights {
    /// A socket with a `struct sock`, which has a mark.
    full: bool,
    /// One of TCP, which may have signatures.
    full_tcp: bool,
    /// A mark was told.
    mark: bool,
}

impl Rights {
    /// Takes a socket of a live dump into account.
    #[inline]
    pub(crate) fn see(&mut self, socket: &Socket) {
        let full = !matches!(socket.state, State::TimeWait | State::SynRecv);
        self.full |= full;
        self.full_tcp |= full && socket.protocol == Protocol::TCP;
        self.mark |= socket.mark.is_some();
    }

    /// Takes everything into account that another has seen.
    pub(crate) fn join(&mut self, other: Rights) {
        self.full |= other.full;
        self.full_tcp |= other.full_tcp;
        self.mark |= other.mark;
    }

    /// Says what was asked for and not told.
    pub(crate) fn report(self, options: &Options, outcome: &mut Outcome) {
        if self.mark {
            return;
        }
        let marks = (options.details || options.json) && self.full;
        let signatures = (options.tcp_info || options.json) && self.full_tcp;
        let untold = match (marks, signatures) {
            (false, false) => return,
            (true, false) if options.json => "mark",
            (true, true) if options.json => "mark and md5_signatures",
            (true, false) => "fwmark (-e)",
            (false, true) => "md5keys (-i)",
            (true, true) => "fwmark (-e) and md5keys (-i)",
        };
        outcome.note(format_args!(
            "the kernel did not tell {untold}: that needs CAP_NET_ADMIN; run as root, or \
             setcap cap_net_admin+ep $(command -v sockeye)"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::DONE;

    fn socket(protocol: Protocol, state: State, mark: Option<u32>) -> Socket {
        Socket { state, mark, ..Socket::new(protocol) }
    }

    fn said(sockets: &[Socket], details: bool, tcp_info: bool) -> String {
        let mut rights = Rights::default();
        for socket in sockets {
            let mut dump = Rights::default();
            dump.see(socket);
            rights.join(dump);
        }
        let (mut outcome, mut said) = (Outcome::default(), Vec::new());
        rights.report(&Options { details, tcp_info, ..Options::default() }, &mut outcome);
        assert_eq!(outcome.finish("ss", &mut said), DONE);
        String::from_utf8(said).unwrap()
    }

    #[test]
    fn what_was_asked_for_and_not_told_is_named_with_the_right() {
        let tcp = socket(Protocol::TCP, State::Established, None);
        let udp = socket(Protocol::UDP, State::Close, None);
        assert_eq!(
            said(&[tcp.clone(), udp.clone()], true, true),
            "ss: the kernel did not tell fwmark (-e) and md5keys (-i): that needs CAP_NET_ADMIN; \
             run as root, or setcap cap_net_admin+ep $(command -v sockeye)\n"
        );
        assert!(said(std::slice::from_ref(&tcp), true, false).contains("tell fwmark (-e):"));
        assert!(said(std::slice::from_ref(&tcp), false, true).contains("tell md5keys (-i):"));
        assert!(said(std::slice::from_ref(&udp), true, true).contains("tell fwmark (-e):"));
        let json = |rights: Rights| {
            let (mut outcome, mut said) = (Outcome::default(), Vec::new());
            rights.report(&Options { json: true, ..Options::default() }, &mut outcome);
            assert_eq!(outcome.finish("ss", &mut said), DONE);
            String::from_utf8(said).unwrap()
        };
        let mut rights = Rights::default();
        rights.see(&udp);
        assert!(json(rights).contains("tell mark:"));
        rights.see(&tcp);
        assert!(json(rights).contains("tell mark and md5_signatures:"));
        assert_eq!(said(&[udp], false, true), "");
        assert_eq!(said(&[tcp], false, false), "");
    }

    #[test]
    fn nothing_is_said_where_marks_are_told_or_cannot_be() {
        let told = socket(Protocol::TCP, State::Listen, Some(0));
        let untold = socket(Protocol::UDP, State::Close, None);
        assert_eq!(said(&[told, untold], true, true), "");
        let time_wait = socket(Protocol::TCP, State::TimeWait, None);
        let syn_recv = socket(Protocol::TCP, State::SynRecv, None);
        assert_eq!(said(&[time_wait, syn_recv], true, true), "");
        assert_eq!(said(&[], true, true), "");
    }
}
