//! What a user may choose: `--netns NAME|PID|PATH`, `--all-netns`, or nothing.

use std::ffi::OsString;
use std::rc::Rc;

use crate::host::name_of;
use crate::worker::Worker;
use crate::{Error, Known, Netns, Place, Places, host};

/// The namespaces that a command is to look at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Choice {
    /// That of the calling thread.
    #[default]
    Here,
    /// The one that ip(8) knows by this name (`ss -N NAME`).
    Named(OsString),
    /// The one that a user means by a name, a process id or a path ([`Netns::find`]).
    One(OsString),
    /// All of the host.
    All,
}

impl Choice {
    /// Finds them. The calling thread is not moved.
    ///
    /// # Errors
    /// [`Error`], when the one that was asked for cannot be found or entered, or the search for all
    /// cannot begin.
    pub fn places(&self) -> Result<Places, Error> {
        match self {
            Choice::Here => Ok(Places::one(Place::here())),
            Choice::Named(name) => one(Netns::of_name(name)?),
            Choice::One(target) => one(Netns::find(target)?),
            Choice::All => Places::all(host()?),
        }
    }
}

/// The place that was asked for.
fn one(netns: Netns) -> Result<Places, Error> {
    let here = Netns::current().is_ok_and(|current| current.id() == netns.id());
    let worker = if here { None } else { Some(Rc::new(Worker::start()?)) };
    let (id, path) = (netns.id(), netns.path().to_owned());
    let known = Known::new(id, name_of(id, &path), path);
    let place = Place::new(known, worker);
    place.enter()?;
    Ok(Places::one(place))
}
