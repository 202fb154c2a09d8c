//! What receives the sockets of one dump, and makes rows of them.
//!
//! A dump may begin again. Its rows are taken back then, as long as they have not been written.

use std::io;
use std::ops::ControlFlow;

use sockeye_diag::Sockets;
use sockeye_filter::Filter;
use sockeye_model::{Family, Socket};

use crate::print::Print;
use crate::rights::Rights;

/// Families whose rows are wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) ipv4: bool,
    pub(crate) ipv6: bool,
}

impl Wanted {
    pub(crate) const BOTH: Wanted = Wanted { ipv4: true, ipv6: true };

    pub(crate) fn has(self, family: Family) -> bool {
        match family {
            Family::Inet => self.ipv4,
            Family::Inet6 => self.ipv6,
        }
    }

    pub(crate) fn without(self, family: Family) -> Wanted {
        match family {
            Family::Inet => Wanted { ipv4: false, ..self },
            Family::Inet6 => Wanted { ipv6: false, ..self },
        }
    }
}

/// The rows of one dump.
pub(crate) struct Sink<'a, P: Print> {
    rows: &'a mut P,
    wanted: Wanted,
    filter: Option<&'a Filter>,
    /// Before the dump's first row.
    mark: P::Mark,
    /// Rows printed.
    pub(crate) shown: u64,
    /// The dump began again when some of its rows had been written.
    pub(crate) torn: bool,
    /// As the sockets shown tell.
    pub(crate) rights: Rights,
    /// The output cannot be written; the dump was ended for that.
    pub(crate) error: Option<io::Error>,
}

impl<'a, P: Print> Sink<'a, P> {
    pub(crate) fn new(rows: &'a mut P, wanted: Wanted, filter: Option<&'a Filter>) -> Self {
        let (mark, rights) = (rows.mark(), Rights::default());
        Sink { rows, wanted, filter, mark, shown: 0, torn: false, rights, error: None }
    }
}

impl<P: Print> Sockets for Sink<'_, P> {
    fn socket(&mut self, socket: &Socket) -> ControlFlow<()> {
        if !self.wanted.has(socket.family) {
            return ControlFlow::Continue(());
        }
        if self.filter.is_some_and(|filter| !filter.matches(socket)) {
            return ControlFlow::Continue(());
        }
        self.shown += 1;
        self.rights.see(socket);
        match self.rows.socket(socket, None) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.error = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    fn restart(&mut self) {
        self.shown = 0;
        if !self.rows.set_back(&self.mark) {
            self.torn = true;
            self.mark = self.rows.mark();
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::columns::Columns;
    use crate::escape::Escape;
    use crate::inet::{Rows, Shown};
    use crate::layout::Hidden;
    use crate::resolve::Names;
    use crate::tcp::{Scratch, Style};
    use crate::users::Users;
    use crate::version::Version;
    use sockeye_model::Protocol;

    /// Rows of which nothing but the columns is shown, ports as numbers.
    pub(crate) fn rows(out: &mut Vec<u8>) -> Rows<&mut Vec<u8>> {
        let (version, escape) = (Version::V7_1, Escape::Never);
        Rows {
            columns: Columns::new(out, version, Hidden::default(), None),
            names: Names::new(true, false, escape, &|_| None),
            shown: Shown {
                details: false,
                memory: false,
                tcp_info: false,
                tos: false,
                cgroup: false,
                sockopt: false,
                oneline: false,
                style: Style { version, numeric: true, options: false, escape },
            },
            users: Users::default(),
            scratch: Scratch::default(),
            netns: None,
        }
    }

    fn socket(family: Family, port: u16) -> Socket {
        let mut socket = Socket::new(Protocol::TCP);
        socket.family = family;
        socket.local.port = port;
        socket
    }

    #[test]
    fn a_dump_that_begins_again_shows_its_rows_once() {
        let mut out = Vec::new();
        let mut rows = rows(&mut out);
        rows.socket(&socket(Family::Inet, 1), None).unwrap();
        let mut sink = Sink::new(&mut rows, Wanted::BOTH, None);
        for port in [2, 3] {
            assert!(sink.socket(&socket(Family::Inet, port)).is_continue());
        }
        sink.restart();
        for port in [4, 5] {
            assert!(sink.socket(&socket(Family::Inet, port)).is_continue());
        }
        assert_eq!((sink.shown, sink.torn), (2, false));
        rows.columns.finish().unwrap();
        let text = String::from_utf8(out).unwrap();
        let ports: Vec<_> = text
            .lines()
            .filter_map(|line| line.split_whitespace().nth(4)?.strip_prefix("0.0.0.0:"))
            .collect();
        assert_eq!(ports, ["1", "4", "5"]);
    }

    #[test]
    fn an_unwanted_family_is_not_shown() {
        let mut out = Vec::new();
        let mut rows = rows(&mut out);
        let mut sink = Sink::new(&mut rows, Wanted::BOTH.without(Family::Inet), None);
        assert!(sink.socket(&socket(Family::Inet, 1)).is_continue());
        assert_eq!(sink.shown, 0);
        assert!(sink.socket(&socket(Family::Inet6, 1)).is_continue());
        assert_eq!(sink.shown, 1);
    }
}
