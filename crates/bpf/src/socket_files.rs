//! Which descriptors of which processes are sockets.
//!
//! Processes are numbered as in the initial PID namespace, whatever namespace the reader is in. With
//! each process's first thread come its descriptors, and with each further thread those of a file
//! table of its own.

use std::collections::{HashMap, HashSet};

use crate::load::{self, Loaded};
use crate::{Error, Holding};

/// The most sockets that can be sought by [`few`] (`max_entries` of the map `sought`).
pub const FEW: usize = 1024;

/// The descriptors below this are looked at first: a daemon opens its listeners when it starts.
const LOW: u32 = 256;

/// How often a walk is made again.
const TRIES: usize = 4;

/// Tells all of them, in the order of thread ids and, of each thread, of descriptors.
///
/// # Errors
/// [`Error`], before anything was told or, by a failed read, after.
pub fn all(each: impl FnMut(&Holding)) -> Result<(), Error> {
    Loaded::new(&load::SOCKET_FILES)?.each(each)
}

/// Gives those of the sockets with these inode numbers, at most [`FEW`], in the same order.
///
/// The low descriptors of all processes are looked at first. A file counts its references: if as many
/// descriptors were found, the high ones are not looked at.
///
/// # Errors
/// [`Error::Read`] with E2BIG when one thread has too many of them (some 800), [`Error::Moving`], else
/// as [`all`].
pub fn few(inodes: &[u32]) -> Result<Vec<Holding>, Error> {
    let mut walk = Walk { loaded: Loaded::new(&load::SOCKET_HOLDERS)? };
    for inode in inodes {
        walk.loaded.put("sought", &inode.to_ne_bytes(), &0_u64.to_ne_bytes())?;
    }
    let mut found = walk.look(0, LOW)?;
    if !walk.is_all(&found, inodes)? {
        found.extend(walk.look(LOW, u32::MAX)?);
        found.sort_by_key(|holding| (holding.tid, holding.fd));
    }
    Ok(found)
}

/// A walk over file tables.
struct Walk {
    loaded: Loaded,
}

impl Walk {
    /// Looks at the descriptors from `first` to before `end`, again if a table grew meanwhile.
    fn look(&mut self, first: u32, end: u32) -> Result<Vec<Holding>, Error> {
        let range = [first.to_ne_bytes(), end.to_ne_bytes()].concat();
        self.loaded.put("ranges", &0_u32.to_ne_bytes(), &range)?;
        for _ in 0..TRIES {
            let mut found = Vec::new();
            self.loaded.each(|holding: &Holding| found.push(*holding))?;
            if found.iter().all(|holding| holding.inode != 0) {
                return Ok(found);
            }
        }
        Err(Error::Moving)
    }

    /// Whether every reference of the sockets was found. A table that tasks share has one.
    fn is_all(&mut self, found: &[Holding], inodes: &[u32]) -> Result<bool, Error> {
        let mut seen = HashMap::<u32, HashSet<(u64, u32)>>::new();
        for holding in found {
            seen.entry(holding.inode).or_default().insert((holding.table, holding.fd));
        }
        for inode in inodes {
            let references = self.loaded.get("sought", &inode.to_ne_bytes())?.unwrap_or_default();
            let references = references.try_into().map_or(0, u64::from_ne_bytes);
            if seen.get(inode).map(|seen| seen.len() as u64) != Some(references) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
