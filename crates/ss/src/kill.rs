//! `-K`: sockets closed by force; those that were are printed.
//!
//! All are listed before the first one is closed. `ss` closes each as it is listed, and so shifts what
//! is still to come.

use std::io;
use std::ops::ControlFlow;

use sockeye_diag::procnet::Line;
use sockeye_diag::{Diag, Error, Fate};
use sockeye_model::{Owner, Socket};
use sockeye_netlink::Receive;
use sockeye_netns::Place;

use crate::args::Options;
use crate::environment::Lookup;
use crate::interrupt::Interrupt;
use crate::outcome::Outcome;
use crate::print::Print;
use crate::tables;

/// Sockets that were not closed which are said one by one.
const SAID: usize = 8;

/// Closes the sockets of a place that would be listed, and prints those that were closed.
///
/// # Errors
/// Output that cannot be written. Everything else goes to `outcome`.
pub(crate) fn close<P: Print>(
    options: &Options,
    variable: Lookup<'_>,
    place: &Place,
    interrupt: &Interrupt,
    rows: &mut P,
    outcome: &mut Outcome,
) -> io::Result<()> {
    if interrupt.came() {
        outcome.failed(format_args!("interrupted before anything was closed there"));
        return Ok(());
    }
    let mut condemned = Condemned::new(rows);
    tables::list(options, variable, place, &mut condemned, outcome)?;
    match place.run(Diag::open) {
        Ok(diag) => condemned.close(diag, &|| interrupt.came(), outcome),
        Err(error) => {
            outcome.failed(format_args!("{error}"));
            Ok(())
        }
    }
}

/// Takes the sockets that are to be closed.
pub(crate) struct Condemned<'a, P> {
    rows: &'a mut P,
    sockets: Vec<Socket>,
    /// Lines of /proc.
    lines: usize,
}

impl<'a, P: Print> Condemned<'a, P> {
    pub(crate) fn new(rows: &'a mut P) -> Self {
        Condemned { rows, sockets: Vec::new(), lines: 0 }
    }

    /// Closes them, and prints those that were closed.
    ///
    /// # Errors
    /// Output that cannot be written.
    pub(crate) fn close<R: Receive>(
        self,
        diag: Result<Diag<R>, Error>,
        interrupted: &dyn Fn() -> bool,
        outcome: &mut Outcome,
    ) -> io::Result<()> {
        let Condemned { rows, sockets, lines } = self;
        if lines > 0 {
            outcome.failed(format_args!(
                "{lines} sockets of /proc/net cannot be closed: it takes netlink to name them"
            ));
        }
        if sockets.is_empty() {
            return Ok(());
        }
        let (mut tried, mut gone, mut left) = (0, 0, 0);
        // Those that cannot be printed are closed all the same.
        let mut printed = Ok(());
        let mut told = |place: usize, fate| {
            tried += 1;
            let socket = sockets.get(place);
            let why = match fate {
                Fate::Closed => {
                    if let (Some(socket), Ok(())) = (socket, &printed) {
                        printed = rows.socket(socket, None);
                    }
                    None
                }
                Fate::Gone => {
                    gone += 1;
                    None
                }
                Fate::Shadowed(_) => Some(NOT_FOUND.to_owned()),
                Fate::Refused(errno) => Some(refusal(errno)),
            };
            if let (Some(why), Some(socket)) = (why, socket) {
                left += 1;
                if left <= SAID {
                    let (local, peer) = ends(socket);
                    outcome.failed(format_args!("{local} {peer} was not closed: {why}"));
                }
            }
            if interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let ended = match diag {
            _ if interrupted() => Ok(()),
            Ok(mut diag) => diag.destroy_all(&sockets, &mut told),
            Err(error) => Err(error),
        };
        let all = sockets.len();
        if let Err(error) = ended {
            let untried = all - tried;
            outcome.failed(format_args!("{error}: {untried} of {all} sockets were left"));
        } else if tried < all {
            let untried = all - tried;
            outcome.failed(format_args!("interrupted: {untried} of {all} sockets were left"));
        }
        if left > SAID {
            let more = left - SAID;
            outcome.failed(format_args!("{more} more were not closed"));
        }
        if gone > 0 {
            outcome.note(format_args!("{gone} had gone before they were closed"));
        }
        printed
    }
}

/// Local address and peer, as numbers.
fn ends(socket: &Socket) -> (std::net::SocketAddr, std::net::SocketAddr) {
    let of = |end: &sockeye_model::Endpoint| std::net::SocketAddr::new(end.address, end.port);
    (of(&socket.local), of(&socket.peer))
}

/// Why a socket that lives was not closed, where the kernel did not find it.
pub const NOT_FOUND: &str = "by its addresses the kernel finds another socket (SO_REUSEPORT), or none (a \
                             TCP socket that is only bound)";

/// Why the kernel refused to close a socket, and the way out.
#[must_use]
pub fn refusal(errno: i32) -> String {
    let error = io::Error::from_raw_os_error(errno);
    if errno == libc::EPERM {
        format!("{error}; it needs CAP_NET_ADMIN in the network namespace: run as root")
    } else if errno == libc::EOPNOTSUPP {
        format!("{error}; the kernel cannot close such sockets (CONFIG_INET_DIAG_DESTROY)")
    } else {
        error.to_string()
    }
}

impl<P: Print> Print for Condemned<'_, P> {
    type Mark = usize;

    fn socket(&mut self, socket: &Socket, _: Option<&[Owner]>) -> io::Result<()> {
        self.sockets.push(socket.clone());
        Ok(())
    }

    fn line(&mut self, _: &Line, _: Option<&[Owner]>) -> io::Result<()> {
        self.lines += 1;
        Ok(())
    }

    fn enter(&mut self, place: &Place) {
        self.rows.enter(place);
    }

    fn mark(&mut self) -> usize {
        self.sockets.len()
    }

    fn set_back(&mut self, mark: &usize) -> bool {
        self.sockets.truncate(*mark);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome;
    use crate::sink::tests::rows;
    use sockeye_model::{Cookie, Protocol};
    use sockeye_netlink::scripted::{Reply, Scripted, error};

    /// Closes connections to these ports; the kernel answers with these errnos.
    fn closed(answers: &[i32]) -> (Vec<u8>, u8, String) {
        closed_of(answers.len(), answers, &|| false)
    }

    /// The same of so many, until it is interrupted.
    fn closed_of(
        sockets: usize,
        answers: &[i32],
        interrupted: &dyn Fn() -> bool,
    ) -> (Vec<u8>, u8, String) {
        let mut script = Scripted::new();
        for errno in answers {
            script = script.reply(Reply::new().datagram([error(*errno)]));
        }
        let (mut out, mut outcome, mut said) = (Vec::new(), Outcome::default(), Vec::new());
        let mut rows = rows(&mut out);
        let mut condemned = Condemned::new(&mut rows);
        for index in 0..sockets {
            let mut socket = Socket::new(Protocol::TCP);
            socket.cookie = Cookie(index as u64 + 1);
            socket.peer.port = 1000 + index as u16;
            condemned.socket(&socket, None).unwrap();
        }
        condemned.close(Ok(Diag::new(script)), interrupted, &mut outcome).unwrap();
        rows.columns.finish().unwrap();
        let status = outcome.finish("ss", &mut said);
        (out, status, String::from_utf8(said).unwrap())
    }

    #[test]
    fn those_that_were_closed_are_printed_and_the_others_are_said() {
        let (out, status, said) = closed(&[0, 1, 2, 0]);
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains(":1000") && text.contains(":1003") && !text.contains(":1001"));
        assert_eq!((text.lines().count(), status), (2, outcome::FAILED));
        assert!(said.contains("0.0.0.0:0 0.0.0.0:1001 was not closed: Operation not"), "{said}");
        assert!(said.contains("CAP_NET_ADMIN") && said.contains("1 had gone"), "{said}");
    }

    #[test]
    fn what_was_closed_before_a_failure_is_printed() {
        let (out, status, said) = closed_of(5, &[0, 2], &|| false);
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains(":1000") && text.lines().count() == 1, "{text}");
        assert_eq!(status, outcome::FAILED);
        assert!(
            said.contains(": 3 of 5 sockets were left") && said.contains("1 had gone"),
            "{said}"
        );
    }

    #[test]
    fn an_interrupt_ends_it_between_two_sockets() {
        let steps = std::cell::Cell::new(0);
        // It is looked for before the first one, and behind each.
        let interrupted = || steps.replace(steps.get() + 1) >= 2;
        let (out, status, said) = closed_of(5, &[0, 0], &interrupted);
        assert_eq!(
            (out.iter().filter(|byte| **byte == b'\n').count(), status),
            (2, outcome::FAILED)
        );
        assert_eq!(said, "ss: interrupted: 3 of 5 sockets were left\n");
    }

    #[test]
    fn one_that_has_gone_is_no_failure() {
        let (out, status, said) = closed(&[2, 2]);
        assert!(out.is_empty());
        assert_eq!(
            (status, said.as_str()),
            (outcome::DONE, "ss: 2 had gone before they were closed\n")
        );
    }

    #[test]
    fn of_many_refusals_some_are_said_and_the_rest_counted() {
        let (_, status, said) = closed(&[95; 20]);
        assert_eq!((status, said.lines().count()), (outcome::FAILED, SAID + 1));
        assert!(said.ends_with("12 more were not closed\n"), "{said}");
    }
}
