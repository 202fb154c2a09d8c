//! Which threads there are.

use crate::load::{self, Loaded};
use crate::{Error, Thread};

/// Tells every thread but the first one of each process, in the order of their ids.
///
/// # Errors
/// [`Error`], before anything was told or, by a failed read, after.
pub fn threads(each: impl FnMut(&Thread)) -> Result<(), Error> {
    Loaded::new(&load::THREADS)?.each(each)
}
