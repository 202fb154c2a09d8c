//! The search for owners: for whom, and by which way.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{Error, Owners, by_bpf, by_proc};

/// The link of `/proc/self/ns/pid` in the initial PID namespace (`PID_NS_INIT_INO`, linux/nsfs.h).
const INITIAL_PID_NAMESPACE: &str = "pid:[4026531836]";

/// Whose owners are sought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sought<'a> {
    /// All sockets'.
    All,
    /// Those of the sockets with these inode numbers.
    Sockets(&'a [u32]),
}

/// By which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Way {
    /// By BPF where that is possible, else by `/proc`.
    #[default]
    Any,
    /// By BPF, or not at all.
    Bpf,
    /// By `/proc`.
    Proc,
}

/// A search for owners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    root: PathBuf,
    threads: bool,
    way: Way,
}

impl Default for Search {
    fn default() -> Self {
        Search { root: "/proc".into(), threads: false, way: Way::Any }
    }
}

impl Search {
    /// Processes, as `/proc` numbers them.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Every thread of each process, too.
    #[must_use]
    pub fn threads(self, threads: bool) -> Self {
        Search { threads, ..self }
    }

    /// Another directory that is laid out as `/proc`, and read by [`Way::Proc`].
    #[must_use]
    pub fn root(self, root: impl Into<PathBuf>) -> Self {
        Search { root: root.into(), ..self }
    }

    /// By one way alone.
    #[must_use]
    pub fn way(self, way: Way) -> Self {
        Search { way, ..self }
    }

    /// Looks for the owners now.
    ///
    /// # Errors
    /// [`Error::Proc`] when `/proc` cannot be read. With [`Way::Bpf`], [`Error::Bpf`] and
    /// [`Error::PidNamespace`].
    pub fn run(&self, sought: Sought<'_>) -> Result<Owners, Error> {
        if sought == Sought::Sockets(&[]) {
            return Ok(Owners::default());
        }
        let by_proc = || by_proc::search(&self.root, self.threads, &Wanted::of(sought));
        let by_bpf = || {
            if !counts_as_bpf(&self.root) {
                return Err(Error::PidNamespace(self.root.clone()));
            }
            Ok(by_bpf::search(self.threads, sought)?)
        };
        match self.way {
            Way::Proc => by_proc(),
            Way::Bpf => by_bpf(),
            Way::Any => by_bpf().or_else(|_| by_proc()),
        }
    }
}

/// Which inode numbers are wanted.
pub(crate) enum Wanted {
    All,
    These(HashSet<u32>),
}

impl Wanted {
    pub(crate) fn of(sought: Sought<'_>) -> Wanted {
        match sought {
            Sought::All => Wanted::All,
            Sought::Sockets(inodes) => Wanted::These(inodes.iter().copied().collect()),
        }
    }

    pub(crate) fn has(&self, inode: u32) -> bool {
        match self {
            Wanted::All => true,
            Wanted::These(inodes) => inodes.contains(&inode),
        }
    }
}

/// Whether `root` numbers processes as BPF programs see them: it is `/proc`, this process is in the
/// initial PID namespace, and `/proc` was mounted in that.
fn counts_as_bpf(root: &Path) -> bool {
    root == Path::new("/proc") && in_initial_pid_namespace(root) && is_numbered_as_here(root)
}

/// Whether `root` numbers this process as it numbers itself.
pub(crate) fn is_numbered_as_here(root: &Path) -> bool {
    leads_to(&root.join("self"), &std::process::id().to_string())
}

/// Whether this process is in the initial PID namespace, where all of the host can be seen.
pub(crate) fn in_initial_pid_namespace(root: &Path) -> bool {
    leads_to(&root.join("self/ns/pid"), INITIAL_PID_NAMESPACE)
}

fn leads_to(link: &Path, target: &str) -> bool {
    fs::read_link(link).is_ok_and(|to| to.as_os_str() == target)
}
