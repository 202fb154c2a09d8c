//! Sockets closed by force (`SOCK_DESTROY`, since Linux 4.5).
//!
//! The kernel finds the socket by its addresses, as for a packet that comes in, and closes it if it has
//! the cookie that was asked for: never another one that has the same addresses by now. So a member of a
//! group at one address (`SO_REUSEPORT`) can be closed while the kernel's look-up leads to it, and no
//! sooner ([`Fate::Shadowed`]). [`Diag::destroy_all`] closes what stands in the way first, if it is to be
//! closed too.
//!
//! What is closed is the connection. Its descriptor stays, and gives ECONNABORTED; a UDP socket that was
//! bound stays bound (`tcp_abort`, `udp_abort`).

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use rustix::io::Errno;
use sockeye_model::{Cookie, Family, Protocol, Socket, State, States};
use sockeye_netlink::Receive;

use crate::dump::Answer;
use crate::error::{Error, is};
use crate::{Diag, Extensions, Identity, Query, Sockets};

/// What became of a socket that was to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// The kernel closed it.
    Closed,
    /// It was gone before.
    Gone,
    /// It lives, but by its addresses the kernel finds another one (`SO_REUSEPORT`), with this cookie if
    /// that is known; or none, as of a TCP socket that is bound, and neither connected nor listening.
    Shadowed(Option<Cookie>),
    /// The kernel refused, with this errno. EPERM: it needs CAP_NET_ADMIN. EOPNOTSUPP: it cannot close
    /// such sockets (`CONFIG_INET_DIAG_DESTROY`).
    Refused(i32),
}

impl<R: Receive> Diag<R> {
    /// Closes one socket, which was told by a dump.
    ///
    /// # Errors
    /// What is no answer of the kernel: [`Error::Dump`].
    pub fn destroy(&mut self, socket: &Socket) -> Result<Fate, Error> {
        self.fresh = false;
        // Of a socket that was told without a cookie, too: none would mean any.
        let identity = Identity { cookie: Some(socket.cookie), ..Identity::of(socket) };
        let query = identity.query(Extensions::NONE);
        match self.client.request(&query.destroy(identity.told_id())) {
            Ok(()) => Ok(Fate::Closed),
            // Nobody is there, or somebody with another cookie.
            Err(e) if is(&e, Errno::NOENT) => self.instead_of(socket, &identity),
            Err(sockeye_netlink::Error::Kernel(refusal)) => Ok(Fate::Refused(refusal.errno)),
            Err(source) => Err(Error::Dump { what: query.what(), source }),
        }
    }

    /// Who is there instead of a socket that was not found.
    fn instead_of(&mut self, socket: &Socket, identity: &Identity) -> Result<Fate, Error> {
        // No two connections of TCP have the same addresses.
        if socket.protocol == Protocol::TCP && socket.peer.port != 0 {
            return Ok(Fate::Gone);
        }
        let anybody = Identity { cookie: None, ..*identity };
        Ok(match self.ask(&anybody, Extensions::NONE)? {
            Answer::Socket(other) if other.cookie == socket.cookie => Fate::Shadowed(None),
            Answer::Socket(other) => Fate::Shadowed(Some(other.cookie)),
            Answer::Another => Fate::Shadowed(None),
            // Bound alone, it is in no table that is looked up.
            Answer::Nobody if socket.protocol == Protocol::TCP && socket.state == State::Close => {
                Fate::Shadowed(None)
            }
            Answer::Nobody => Fate::Gone,
        })
    }

    /// Closes sockets that were told by dumps. `told` gets the place of each among them, and what became of
    /// it, as soon as that is known; its `Break` ends the work before the next request. One in whose way
    /// another of them stands is closed behind that one. For what could not be found the kernel's table is
    /// read again in the end, so that is told last.
    ///
    /// # Errors
    /// As [`Diag::destroy`] and [`Diag::dump`]. What was asked for until then has been told: of the others
    /// nothing was asked.
    pub fn destroy_all(
        &mut self,
        sockets: &[Socket],
        mut told: impl FnMut(usize, Fate) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let mut settled = Settled { done: vec![false; sockets.len()], shadowed: Vec::new() };
        let mut ended = self.destroy_each(sockets, &mut settled, &mut told);
        if let Ok(ControlFlow::Continue(())) = ended {
            let again = self.look_again(sockets, &mut settled.shadowed);
            ended = again.map(ControlFlow::Continue);
        }
        for (place, fate) in settled.shadowed {
            // They have been asked for: nothing is left to be ended.
            let _ = told(place, fate);
        }
        ended.map(|_| ())
    }

    fn destroy_each(
        &mut self,
        sockets: &[Socket],
        settled: &mut Settled,
        told: &mut impl FnMut(usize, Fate) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Error> {
        let places: HashMap<Cookie, usize> =
            sockets.iter().enumerate().map(|(place, socket)| (socket.cookie, place)).collect();
        for (place, socket) in sockets.iter().enumerate() {
            if settled.has(place) {
                continue;
            }
            let fate = loop {
                let fate = self.destroy(socket)?;
                // Closed before, it stands there still: a UDP socket that stays bound.
                let in_the_way = match fate {
                    Fate::Shadowed(Some(cookie)) => {
                        places.get(&cookie).filter(|place| !settled.has(**place))
                    }
                    _ => None,
                };
                let Some((at, other)) = in_the_way.and_then(|at| Some((*at, sockets.get(*at)?)))
                else {
                    break fate;
                };
                let of_other = self.destroy(other)?;
                if settled.settle(at, of_other, told).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            };
            if settled.settle(place, fate, told).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Tells those that are shadowed from those that have gone.
    fn look_again(
        &mut self,
        sockets: &[Socket],
        shadowed: &mut [(usize, Fate)],
    ) -> Result<(), Error> {
        let mut living: HashMap<(Protocol, Family), Cookies> = HashMap::new();
        for (place, fate) in shadowed {
            let Some(socket) = sockets.get(*place) else { continue };
            let (protocol, family) = (socket.protocol, socket.family);
            let living = match living.entry((protocol, family)) {
                std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
                std::collections::hash_map::Entry::Vacant(unknown) => {
                    let states = States::ALL;
                    let extensions = Extensions::NONE;
                    let query = Query { family, protocol, states, extensions, program: None };
                    let mut cookies = Cookies::default();
                    // A pass that missed one would call it gone.
                    self.dump_complete(&query, crate::PASSES, &mut cookies)?;
                    unknown.insert(cookies)
                }
            };
            if !living.0.contains(&socket.cookie) {
                *fate = Fate::Gone;
            }
        }
        Ok(())
    }
}

/// What has become of sockets so far.
struct Settled {
    /// By place: it was asked for.
    done: Vec<bool>,
    /// Those that are to be looked for again.
    shadowed: Vec<(usize, Fate)>,
}

impl Settled {
    fn has(&self, place: usize) -> bool {
        self.done.get(place).copied().unwrap_or(true)
    }

    /// Notes what became of one, and tells it if that is sure.
    fn settle(
        &mut self,
        place: usize,
        fate: Fate,
        told: &mut impl FnMut(usize, Fate) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if let Some(done) = self.done.get_mut(place) {
            *done = true;
        }
        match fate {
            Fate::Shadowed(_) => {
                self.shadowed.push((place, fate));
                ControlFlow::Continue(())
            }
            fate => told(place, fate),
        }
    }
}

/// The cookies of a dump.
#[derive(Default)]
struct Cookies(HashSet<Cookie>);

impl Sockets for Cookies {
    fn socket(&mut self, socket: &Socket) -> ControlFlow<()> {
        self.0.insert(socket.cookie);
        ControlFlow::Continue(())
    }

    fn restart(&mut self) {
        self.0.clear();
    }
}
