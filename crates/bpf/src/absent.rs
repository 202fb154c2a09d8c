//! In the loader's place where the programs were not built: everything is [`Error::NotBuiltIn`].

use std::convert::Infallible;

use crate::Error;
use crate::record::Record;

/// What would be loaded.
pub(crate) struct Image;

pub(crate) static SOCKET_FILES: Image = Image;
pub(crate) static SOCKET_HOLDERS: Image = Image;
pub(crate) static THREADS: Image = Image;

/// A program in the kernel, of which there is none.
pub(crate) struct Loaded(Infallible);

impl Loaded {
    pub(crate) fn new(_: &Image) -> Result<Loaded, Error> {
        Err(Error::NotBuiltIn)
    }

    pub(crate) fn each<T: Record<SIZE>, const SIZE: usize>(
        &self,
        _: impl FnMut(&T),
    ) -> Result<(), Error> {
        match self.0 {}
    }

    pub(crate) fn put(&mut self, _: &str, _: &[u8], _: &[u8]) -> Result<(), Error> {
        match self.0 {}
    }

    pub(crate) fn get(&mut self, _: &str, _: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        match self.0 {}
    }
}
