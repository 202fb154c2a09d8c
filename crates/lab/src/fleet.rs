//! Many network namespaces, made by system calls: `ip` takes a process for each.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use nix::sched::{CloneFlags, unshare};
use rustix::mount::{UnmountFlags, mount_bind, unmount};
use sockeye_netns::NAMED_DIRECTORY;

use crate::{Namespace, failed};

/// Namespaces with names as `ip netns` gives them, and what was opened in each. Their names are removed
/// on drop; their links are down.
#[derive(Debug)]
pub struct Fleet<T> {
    names: Vec<String>,
    opened: Vec<T>,
    /// Its name begins the others', so that a run that was killed is tidied up by the next.
    _first: Namespace,
}

impl<T: Send> Fleet<T> {
    /// Makes `count` of them, and calls `open` with its number inside each.
    ///
    /// # Errors
    /// Fails without the right to make namespaces, and where `open` does.
    pub fn new(
        label: &str,
        count: usize,
        mut open: impl FnMut(usize) -> io::Result<T> + Send,
    ) -> io::Result<Self> {
        // The first makes the directory, and has what is mounted in it seen everywhere.
        let first = Namespace::new(label)?;
        let stem = first.name().rsplit_once('-').map_or(first.name(), |(stem, _)| stem).to_owned();
        let mut fleet = Self { names: Vec::new(), opened: Vec::new(), _first: first };
        let (names, opened) = (&mut fleet.names, &mut fleet.opened);
        let make = || -> io::Result<()> {
            for number in 0..count {
                unshare(CloneFlags::CLONE_NEWNET)?;
                // Above what this process gives to single namespaces.
                let name = format!("{stem}-{}", 1_000_000 + number);
                File::create_new(path_of(&name))?;
                names.push(name.clone());
                mount_bind("/proc/thread-self/ns/net", path_of(&name))?;
                opened.push(open(number)?);
            }
            Ok(())
        };
        // A thread that ends with its last namespace.
        let made = std::thread::scope(|scope| {
            let thread = scope.spawn(make);
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        made.map_err(|error| failed("many namespaces", error))?;
        Ok(fleet)
    }

    /// The names, in the order of the numbers.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// What was opened in them.
    #[must_use]
    pub fn opened(&self) -> &[T] {
        &self.opened
    }
}

impl<T> Fleet<T> {
    /// Takes away the name of one, and with it the namespace unless something is open there.
    pub fn remove(&mut self, number: usize) {
        if let Some(name) = self.names.get(number) {
            remove(name);
        }
    }
}

impl<T> Drop for Fleet<T> {
    fn drop(&mut self) {
        self.names.iter().for_each(|name| remove(name));
    }
}

fn remove(name: &str) {
    let path = path_of(name);
    // One that is gone already is as well.
    let _ = unmount(&path, UnmountFlags::DETACH);
    let _ = fs::remove_file(&path);
}

fn path_of(name: &str) -> PathBuf {
    Path::new(NAMED_DIRECTORY).join(name)
}
