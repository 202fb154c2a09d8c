//! The namespaces that ip(8) has named.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::{Error, NAMED_DIRECTORY};

/// A name that ip(8) gave.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    /// The name. A file name: any bytes but a slash.
    pub name: OsString,
    /// Its file.
    pub path: PathBuf,
}

/// The names in [`NAMED_DIRECTORY`], sorted; none when nobody has named a namespace yet. A name
/// whose namespace is gone is listed too: opening it tells.
///
/// # Errors
/// [`Error::Open`] when the directory cannot be read.
pub fn named() -> Result<Vec<Named>, Error> {
    read(Path::new(NAMED_DIRECTORY))
}

fn read(directory: &Path) -> Result<Vec<Named>, Error> {
    let entries = match fs::read_dir(directory) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.and_then(|all| {
            all.map(|entry| entry.map(|e| Named { name: e.file_name(), path: e.path() })).collect()
        }),
    };
    let mut names: Vec<Named> =
        entries.map_err(|source| Error::Open { path: directory.to_owned(), source })?;
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_without_names_has_an_empty_list() {
        assert_eq!(read(Path::new("/no/such/directory")).ok(), Some(Vec::new()));
        assert!(matches!(read(Path::new("/etc/passwd")), Err(Error::Open { .. })));
    }
}
