//! A namespace to be visited, and work done there.

use std::borrow::Cow;
use std::collections::HashSet;
use std::rc::Rc;
use std::slice;
use std::sync::Arc;

use crate::worker::Worker;
use crate::{Error, Host, Known, NetnsId, Pace, Unseen, host};

/// A namespace to be visited. It is cheap to clone, and can be visited again; it holds no descriptor.
#[derive(Debug, Clone)]
pub struct Place {
    /// `None` for that of the calling thread, where nobody wants to know what that is.
    known: Option<Arc<Known>>,
    /// `None` for that of the calling thread.
    worker: Option<Rc<Worker>>,
}

impl Place {
    /// The namespace of the calling thread, without a name: `/proc` is not asked.
    #[must_use]
    pub fn here() -> Place {
        Place { known: None, worker: None }
    }

    pub(crate) fn new(known: Known, worker: Option<Rc<Worker>>) -> Place {
        Place { known: Some(Arc::new(known)), worker }
    }

    /// It is the namespace of the calling thread.
    #[must_use]
    pub fn is_here(&self) -> bool {
        self.worker.is_none()
    }

    /// What tells it from others; `None` for [`Place::here`].
    #[must_use]
    pub fn id(&self) -> Option<NetnsId> {
        self.known.as_ref().map(|known| known.id)
    }

    /// What it is called: bytes from outside, which a terminal must not see raw. `None` for
    /// [`Place::here`].
    #[must_use]
    pub fn name(&self) -> Option<Cow<'_, [u8]>> {
        self.known.as_ref().map(|known| known.name.to_bytes())
    }

    /// Runs `work` inside: on the helper thread, or on the calling one if it is in this namespace
    /// anyway. What `work` opens stays in the namespace, wherever it is used later.
    ///
    /// # Errors
    /// [`Error::Gone`], [`Error::Open`] or [`Error::Enter`], without running `work`.
    pub fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        match (&self.known, &self.worker) {
            (Some(known), Some(worker)) => worker.run(Arc::clone(known), work),
            _ => Ok(work()),
        }
    }

    /// Goes there, and does nothing.
    ///
    /// # Errors
    /// As [`Place::run`].
    pub fn enter(&self) -> Result<(), Error> {
        self.run(|| ())
    }
}

/// The namespaces that a command visits.
#[derive(Debug, Clone)]
pub struct Places {
    places: Vec<Place>,
    unseen: Unseen,
    /// They are all of the host, visited by this thread, once there is another one than the caller's.
    all: bool,
    worker: Option<Rc<Worker>>,
    /// Those that were not found when it was looked last.
    missing: HashSet<NetnsId>,
}

/// How the namespaces of a host have changed.
#[derive(Debug)]
pub struct Changes {
    /// Those that were not there before.
    pub came: Places,
    /// Those that were not found, twice in a row.
    pub gone: Vec<NetnsId>,
}

impl Places {
    pub(crate) fn one(place: Place) -> Places {
        let unseen = Unseen::default();
        let missing = HashSet::new();
        Places { places: vec![place], unseen, all: false, worker: None, missing }
    }

    pub(crate) fn all(host: Host) -> Result<Places, Error> {
        let Host { namespaces, unseen } = host;
        let missing = HashSet::new();
        let mut places = Places { places: Vec::new(), unseen, all: true, worker: None, missing };
        // The first one is that of this thread.
        for (index, known) in namespaces.into_iter().enumerate() {
            let worker = if index > 0 { Some(places.worker()?) } else { None };
            places.places.push(Place::new(known, worker));
        }
        Ok(places)
    }

    fn worker(&mut self) -> Result<Rc<Worker>, Error> {
        if let Some(worker) = &self.worker {
            return Ok(Rc::clone(worker));
        }
        let worker = Rc::new(Worker::start()?);
        Ok(Rc::clone(self.worker.insert(worker)))
    }

    /// Looks again, where all namespaces of the host were chosen, and goes on with what is there now.
    /// Where they were not, nothing changes. The helper thread leaves the namespace that it visited last.
    ///
    /// # Errors
    /// As [`host()`]; nothing has changed then.
    pub fn look_again(&mut self) -> Result<Changes, Error> {
        let unseen = Unseen::default();
        let mut came =
            Places { places: Vec::new(), unseen, missing: HashSet::new(), ..self.clone() };
        if !self.all {
            return Ok(Changes { came, gone: Vec::new() });
        }
        if let Some(worker) = &self.worker {
            worker.go_home()?;
        }
        let host = host()?;
        let before: HashSet<NetnsId> = self.places.iter().filter_map(Place::id).collect();
        let now: HashSet<NetnsId> = host.namespaces.iter().map(|known| known.id).collect();
        for known in host.namespaces {
            if !before.contains(&known.id) {
                let worker = self.worker()?;
                came.places.push(Place::new(known, Some(worker)));
            }
        }
        // A process that starts another one and ends may hide both from one look.
        let missing: HashSet<NetnsId> = before.difference(&now).copied().collect();
        let gone: Vec<NetnsId> = missing.intersection(&self.missing).copied().collect();
        self.missing = missing;
        self.places.retain(|place| place.id().is_none_or(|id| !gone.contains(&id)));
        self.places.extend(came.places.iter().cloned());
        self.unseen = host.unseen;
        Ok(Changes { came, gone })
    }

    /// Whether what is said of one has to name it.
    pub(crate) fn are_several(&self) -> bool {
        self.places.len() > 1 || self.all && self.places.iter().any(|place| !place.is_here())
    }

    /// In the order of [`Host::namespaces`](crate::Host::namespaces).
    pub fn iter(&self) -> slice::Iter<'_, Place> {
        self.places.iter()
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// True for none, which does not happen: there is always that of the calling thread.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// What could not be found.
    #[must_use]
    pub fn unseen(&self) -> &Unseen {
        &self.unseen
    }

    /// The pace at which to visit them.
    #[must_use]
    pub fn pace(&self) -> Pace {
        Pace::of(self.len())
    }
}

impl<'a> IntoIterator for &'a Places {
    type Item = &'a Place;
    type IntoIter = slice::Iter<'a, Place>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
