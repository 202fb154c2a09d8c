//! Which descriptors of which processes are sockets.

use std::collections::HashMap;
use std::io::{self, Read};

use crate::load::{self, Loaded, Records};
use crate::{Error, Holding};

/// The most sockets that can be sought by [`SocketFiles::of`] (`max_entries` of the map `sought`).
pub const FEW: usize = 1024;

/// The descriptors below this are looked at first. A daemon opens its listeners when it starts.
const LOW: u32 = 256;

/// The kernel fills one buffer of 32 KiB a read (`bpf_seq_read`).
const BUFFER: usize = 32 * 1024;

/// The descriptors that are sockets, told by BPF programs.
///
/// Processes are numbered as in the initial PID namespace, whatever namespace the reader is in. In the
/// order of thread ids, and of descriptors: with every process's first thread come its descriptors,
/// and with each further thread those of a file table of its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct SocketFiles;

impl SocketFiles {
    /// All of them (`iter/task_file`).
    ///
    /// # Errors
    /// [`Error`], before anything was told or, by a failed read, after.
    pub fn all(mut each: impl FnMut(&Holding)) -> Result<(), Error> {
        let program = "socket_files";
        let loaded = Loaded::new(&load::SOCKET_FILES)?;
        read(program, loaded.iterate()?, &mut each)
    }

    /// Those of the sockets with these inode numbers, at most [`FEW`].
    ///
    /// The low descriptors of all processes are looked at first. A file knows how many references
    /// there are of it, so if as many descriptors were found, the others are not looked at.
    ///
    /// # Errors
    /// [`Error`], before anything was told. [`Error::Read`] with E2BIG when one process has too many
    /// of them (some 1000).
    pub fn of(inodes: &[u32]) -> Result<Vec<Holding>, Error> {
        let mut walk = Walk { loaded: Loaded::new(&load::SOCKET_HOLDERS)?, found: Vec::new() };
        for inode in inodes {
            walk.loaded.put("sought", &inode.to_ne_bytes(), &0_u64.to_ne_bytes())?;
        }
        walk.look(0, LOW)?;
        if !walk.has_all(inodes)? {
            walk.look(LOW, u32::MAX)?;
        }
        walk.found.sort_by_key(|holding| (holding.tid, holding.fd));
        Ok(walk.found)
    }
}

/// A walk over file tables.
struct Walk {
    loaded: Loaded,
    found: Vec<Holding>,
}

impl Walk {
    /// Looks at the descriptors from `first` to before `end`.
    fn look(&mut self, first: u32, end: u32) -> Result<(), Error> {
        let range = [first.to_ne_bytes(), end.to_ne_bytes()].concat();
        self.loaded.put("ranges", &0_u32.to_ne_bytes(), &range)?;
        let records = self.loaded.iterate()?;
        read("socket_holders", records, &mut |holding| self.found.push(*holding))
    }

    /// Whether every reference of the sockets was found.
    fn has_all(&mut self, inodes: &[u32]) -> Result<bool, Error> {
        let mut found = HashMap::<u32, u64>::new();
        for holding in &self.found {
            *found.entry(holding.inode).or_default() += 1;
        }
        for inode in inodes {
            let references = self.loaded.get("sought", &inode.to_ne_bytes())?.unwrap_or_default();
            let references = references.try_into().map_or(0, u64::from_ne_bytes);
            if references == 0 || found.get(inode) != Some(&references) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Reads records until the end.
fn read(
    program: &'static str,
    mut records: Records,
    each: &mut impl FnMut(&Holding),
) -> Result<(), Error> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let length = match records.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => length,
            // EAGAIN comes after a million objects without a record. It goes on where it was.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
                ) =>
            {
                continue;
            }
            Err(source) => return Err(Error::Read { program, source }),
        };
        let (whole, rest) =
            buffer.get(..length).unwrap_or_default().as_chunks::<{ Holding::SIZE }>();
        if !rest.is_empty() {
            return Err(Error::Torn { program, length: rest.len() });
        }
        whole.iter().map(Holding::from_bytes).for_each(|holding| each(&holding));
    }
}
