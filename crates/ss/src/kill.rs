//! `-K`: sockets closed by force; those that were are printed.
//!
//! All are listed before the first one is closed. `ss` closes each as it is listed, and so shifts what
//! is still to come.

use std::io;

use sockeye_diag::procnet::Line;
use sockeye_diag::{Diag, Error, Fate};
use sockeye_model::{Owner, Socket};
use sockeye_netlink::Receive;
use sockeye_netns::Place;

use crate::args::Options;
use crate::environment::Lookup;
use crate::outcome::Outcome;
use crate::print::Print;
use crate::tables;

/// Sockets that were not closed which are said one by one.
const SAID: usize = 8;

/// Where sockets would come from that are not this kernel's, if the environment names such a place.
pub(crate) fn not_the_kernels(variable: Lookup<'_>) -> Option<&'static str> {
    ["TCPDIAG_FILE", "PROC_ROOT", "PROC_NET_TCP", "PROC_NET_TCP6", "PROC_NET_UDP", "PROC_NET_UDP6"]
        .into_iter()
        .find(|name| variable(name).is_some())
}

/// Closes the sockets of a place that would be listed, and prints those that were closed.
///
/// # Errors
/// Output that cannot be written. Everything else goes to `outcome`.
pub(crate) fn close<P: Print>(
    options: &Options,
    variable: Lookup<'_>,
    place: &Place,
    rows: &mut P,
    outcome: &mut Outcome,
) -> io::Result<()> {
    let mut condemned = Condemned::new(rows);
    tables::list(options, variable, place, &mut condemned, outcome)?;
    match place.run(Diag::open) {
        Ok(diag) => condemned.close(diag, outcome),
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
        outcome: &mut Outcome,
    ) -> io::Result<()> {
        if self.lines > 0 {
            let lines = self.lines;
            outcome.failed(format_args!(
                "{lines} sockets of /proc/net cannot be closed: it takes netlink to name them"
            ));
        }
        if self.sockets.is_empty() {
            return Ok(());
        }
        let fates = match diag.and_then(|mut diag| diag.destroy_all(&self.sockets)) {
            Ok(fates) => fates,
            Err(error) => {
                outcome.failed(format_args!("sockets could not be closed: {error}"));
                return Ok(());
            }
        };
        let (mut gone, mut left) = (0, 0);
        for (socket, fate) in self.sockets.iter().zip(fates) {
            let why = match fate {
                Fate::Closed => {
                    self.rows.socket(socket, None)?;
                    continue;
                }
                Fate::Gone => {
                    gone += 1;
                    continue;
                }
                Fate::Shadowed(_) => NOT_FOUND.to_owned(),
                Fate::Refused(errno) => refusal(errno),
            };
            left += 1;
            if left <= SAID {
                let (local, peer) = (ends(socket).0, ends(socket).1);
                outcome.failed(format_args!("{local} {peer} was not closed: {why}"));
            }
        }
        if left > SAID {
            let more = left - SAID;
            outcome.failed(format_args!("{more} more were not closed"));
        }
        if gone > 0 {
            outcome.note(format_args!("{gone} had gone before they were closed"));
        }
        Ok(())
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
        let mut script = Scripted::new();
        for errno in answers {
            script = script.reply(Reply::new().datagram([error(*errno)]));
        }
        let (mut out, mut outcome, mut said) = (Vec::new(), Outcome::default(), Vec::new());
        let mut rows = rows(&mut out);
        let mut condemned = Condemned::new(&mut rows);
        for (index, _) in answers.iter().enumerate() {
            let mut socket = Socket::new(Protocol::TCP);
            socket.cookie = Cookie(index as u64 + 1);
            socket.peer.port = 1000 + index as u16;
            condemned.socket(&socket, None).unwrap();
        }
        condemned.close(Ok(Diag::new(script)), &mut outcome).unwrap();
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
