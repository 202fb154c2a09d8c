//! In the loader's place where the programs were not built: everything is [`Error::NotBuiltIn`].

use std::convert::Infallible;
use std::io::{self, Read};

use crate::Error;

/// What would be loaded.
pub(crate) struct Image;

pub(crate) static SOCKET_FILES: Image = Image;
pub(crate) static SOCKET_HOLDERS: Image = Image;

/// A program in the kernel, of which there is none.
pub(crate) struct Loaded(Infallible);

impl Loaded {
    pub(crate) fn new(_: &Image) -> Result<Loaded, Error> {
        Err(Error::NotBuiltIn)
    }

    pub(crate) fn iterate(&self) -> Result<Records, Error> {
        match self.0 {}
    }

    pub(crate) fn put(&mut self, _: &str, _: &[u8], _: &[u8]) -> Result<(), Error> {
        match self.0 {}
    }

    pub(crate) fn get(&mut self, _: &str, _: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        match self.0 {}
    }
}

/// What an iterator tells, of which there is none.
pub(crate) struct Records(Infallible);

impl Read for Records {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match self.0 {}
    }
}
