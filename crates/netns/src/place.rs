//! A namespace to be visited, and work done there.

use std::borrow::Cow;
use std::rc::Rc;
use std::slice;
use std::sync::Arc;

use crate::worker::Worker;
use crate::{Error, Known, NetnsId, Pace, Unseen};

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
}

impl Places {
    pub(crate) fn new(places: Vec<Place>, unseen: Unseen) -> Places {
        Places { places, unseen }
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
