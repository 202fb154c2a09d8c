//! All network namespaces of the host, as far as they can be found.
//!
//! A namespace lives as long as something holds it. Looked for are the holders that have a path:
//!
//! - the names of ip(8);
//! - other bind mounts, in the mount namespace of this process;
//! - every process, and every thread of one, in `/proc`.
//!
//! Not found is a namespace that nothing but a descriptor or a socket holds (to read the links of all
//! descriptors of a host takes seconds), or a bind mount that another mount namespace keeps to itself.
//!
//! No namespace is opened, and none is held: what is kept of each are its id and the paths that led to
//! it. A process whose namespace may not be read is no loss if it lives in one that was found: that is
//! told apart by the inode number of its `/proc/PID/net/dev`, which is another in every namespace, and
//! is shown to everyone.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::{Error, Name, Netns, NetnsId, container, mounts, named};

/// Where processes are looked for.
const PROC: &str = "/proc";
/// How many paths to a namespace are kept: a process may end, and the next one will do.
const PATHS: usize = 4;
/// How many processes of a namespace are asked for their container, the lowest first.
const ASKED: usize = 8;
/// The link of `/proc/self/ns/pid` in the initial PID namespace (`PID_NS_INIT_INO`, linux/nsfs.h).
const INITIAL_PID_NAMESPACE: &str = "pid:[4026531836]";

/// The namespaces that were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Each once: that of the calling thread first, then in the order of their names.
    pub namespaces: Vec<Known>,
    /// What could not be seen.
    pub unseen: Unseen,
}

/// A namespace that was found. It may be gone since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// What tells it from others.
    pub id: NetnsId,
    /// What it is called.
    pub name: Name,
    /// Paths that led to it, at least one.
    paths: Vec<PathBuf>,
}

impl Known {
    pub(crate) fn new(id: NetnsId, name: Name, path: PathBuf) -> Known {
        Known { id, name, paths: vec![path] }
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`Error::Gone`], also where the paths that led to it lead to others now; or [`Error::Open`].
    pub fn open(&self) -> Result<Netns, Error> {
        let mut refused = None;
        for path in &self.paths {
            match Netns::open(path) {
                Ok(netns) if netns.id() == self.id => return Ok(netns),
                Err(error) if error.is_refusal() => refused = Some(error),
                // Another one by now, or nothing.
                Ok(_) | Err(Error::NotANetns { .. }) => {}
                Err(Error::Open { source, .. }) if is_gone(&source) => {}
                Err(error) => return Err(error),
            }
        }
        let gone = || Error::Gone { path: self.paths.first().cloned().unwrap_or_default() };
        Err(refused.unwrap_or_else(gone))
    }
}

/// What of the host could not be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unseen {
    /// Namespaces of processes that may not be looked into, and that were not found otherwise: at most
    /// so many, since one that was found by a mount alone counts, too, if such processes live in it.
    pub namespaces: usize,
    /// Why `/proc` may leave out processes.
    pub limit: Option<Limit>,
}

/// Why `/proc` may leave out processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// It shows those of a PID namespace, which is not the initial one.
    PidNamespace,
    /// It is mounted with `hidepid`.
    Hidepid,
}

impl Unseen {
    /// As far as can be known, everything was seen.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Unseen::default()
    }
}

/// What is missing, and the way out.
impl fmt::Display for Unseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = "";
        if self.namespaces > 0 {
            let count = self.namespaces;
            write!(
                f,
                "network namespaces of processes that may not be looked into: at most {count}; \
                 CAP_SYS_PTRACE shows them, and CAP_SYS_ADMIN what is in them: run as root"
            )?;
            before = "; ";
        }
        match self.limit {
            None => Ok(()),
            Some(Limit::PidNamespace) => write!(
                f,
                "{before}network namespaces of processes outside this PID namespace are not seen: look \
                 from the initial one"
            ),
            Some(Limit::Hidepid) => write!(
                f,
                "{before}/proc is mounted with hidepid and leaves out processes of others, and with them \
                 their network namespaces: run as root"
            ),
        }
    }
}

/// Looks for the network namespaces of the host.
///
/// # Errors
/// [`Error::Search`] when `/proc` cannot be read, [`Error::Open`] when the directory of the names
/// cannot.
pub fn host() -> Result<Host, Error> {
    let current = Netns::current()?.id();
    let mut search =
        Search { device: current.device, found: BTreeMap::new(), unread: BTreeSet::new() };
    search.found.entry(current).or_default().paths.push("/proc/thread-self/ns/net".into());
    for named in named()? {
        if let Ok(id) = NetnsId::of(&named.path) {
            search.see(id, named.path, |traces| traces.names.push(named.name));
        }
    }
    for mount in mounts::of_netns()? {
        if let Ok(id) = NetnsId::of(&mount) {
            search.see(id, mount.clone(), |traces| {
                traces.mount.get_or_insert(mount);
            });
        }
    }
    search.processes()?;
    let unseen = Unseen { namespaces: search.unseen(), limit: limit() };
    Ok(Host { namespaces: search.named(current), unseen })
}

/// The namespace of the container that is called so; `None` where none is.
pub(crate) fn of_container(name: &OsStr) -> Option<Result<Netns, Error>> {
    let name = name.to_str()?;
    let is_called = |known: &&Known| matches!(&known.name, Name::Container(own) if own == name);
    match host() {
        Ok(host) => host.namespaces.iter().find(is_called).map(Known::open),
        Err(error) => Some(Err(error)),
    }
}

/// What a namespace is called that was found by `path`, as [`host`] does without looking at the
/// processes of the host.
pub(crate) fn name_of(id: NetnsId, path: &Path) -> Name {
    let below_proc = path.strip_prefix(PROC).ok().and_then(|path| path.iter().next());
    let pid = below_proc.and_then(|name| name.to_str()?.parse().ok());
    let by_name = named()
        .unwrap_or_default()
        .into_iter()
        .find(|named| NetnsId::of(&named.path).is_ok_and(|named| named == id));
    let container = |pid| container::of_process(Path::new(PROC), pid).map(Name::Container);
    match (by_name, pid) {
        (Some(named), _) => Name::Named(named.name),
        (None, Some(pid)) if lives_in_initial(pid) => Name::Pid(pid),
        (None, Some(pid)) => container(pid).unwrap_or(Name::Pid(pid)),
        (None, None) => Name::Path(path.to_owned()),
    }
}

/// What led to a namespace.
#[derive(Debug, Default)]
struct Traces {
    names: Vec<OsString>,
    mount: Option<PathBuf>,
    /// Processes in it, the lowest first, and not all.
    processes: Vec<u32>,
    /// The lowest thread in it whose process is elsewhere.
    thread: Option<u32>,
    paths: Vec<PathBuf>,
}

struct Search {
    /// Of nsfs, which is one file system.
    device: u64,
    found: BTreeMap<NetnsId, Traces>,
    /// Inode numbers of `/proc/PID/net/dev`, of processes whose namespace may not be read.
    unread: BTreeSet<u64>,
}

impl Search {
    /// Takes a path to a namespace into account, and what else it tells.
    fn see(&mut self, id: NetnsId, path: PathBuf, note: impl FnOnce(&mut Traces)) {
        if id.device != self.device {
            return;
        }
        let traces = self.found.entry(id).or_default();
        if traces.paths.len() < PATHS {
            traces.paths.push(path);
        }
        note(traces);
    }

    fn processes(&mut self) -> Result<(), Error> {
        let proc = Path::new(PROC);
        let failed = |source| Error::Search { path: proc.into(), source };
        let mut processes = numbers(proc).map_err(failed)?;
        processes.sort_unstable();
        for pid in processes {
            let directory = proc.join(pid.to_string());
            let own = self.task(&directory, |traces| {
                if traces.processes.len() < ASKED {
                    traces.processes.push(pid);
                }
            });
            let tasks = directory.join("task");
            // Its links are its two names and one of each thread (proc_task_getattr, fs/proc/base.c).
            if fs::metadata(&tasks).is_ok_and(|tasks| tasks.nlink() <= 3) {
                continue;
            }
            for tid in numbers(&tasks).unwrap_or_default() {
                let thread = tasks.join(tid.to_string());
                let at_home = || own.is_some() && NetnsId::of(thread.join("ns/net")).ok() == own;
                if tid == pid || at_home() {
                    continue;
                }
                self.task(&thread, |traces| {
                    let lowest = traces.thread.map_or(tid, |lowest| lowest.min(tid));
                    traces.thread = Some(lowest);
                });
            }
        }
        Ok(())
    }

    /// Takes a process or thread into account, by its directory, and gives its namespace.
    fn task(&mut self, directory: &Path, note: impl FnOnce(&mut Traces)) -> Option<NetnsId> {
        let path = directory.join("ns/net");
        match NetnsId::of(&path) {
            Ok(id) => {
                self.see(id, path, note);
                Some(id)
            }
            Err(error) => {
                if error.kind() == io::ErrorKind::PermissionDenied {
                    self.unread.extend(net_of(directory));
                }
                None
            }
        }
    }

    /// How many namespaces there are of which nothing but their number can be known.
    fn unseen(&mut self) -> usize {
        if self.unread.is_empty() {
            return 0;
        }
        let current = net_of(Path::new("/proc/thread-self"));
        let tasks = self
            .found
            .values()
            .filter_map(|traces| traces.processes.first().copied().or(traces.thread));
        let known = tasks.filter_map(|task| net_of(&Path::new(PROC).join(task.to_string())));
        for known in known.chain(current) {
            self.unread.remove(&known);
        }
        self.unread.len()
    }

    /// The namespaces with their names, in order.
    fn named(self, current: NetnsId) -> Vec<Known> {
        let proc = Path::new(PROC);
        let mut containers: BTreeMap<String, u32> = BTreeMap::new();
        let mut known = Vec::with_capacity(self.found.len());
        for (id, mut traces) in self.found {
            traces.names.sort();
            let lowest = traces.processes.first().copied().or(traces.thread);
            let name = match (traces.names.into_iter().next(), lowest) {
                (Some(name), _) => Name::Named(name),
                // Containers may live in the namespace of the host, and do not name it.
                (None, Some(lowest)) if lives_in_initial(lowest) => Name::Pid(lowest),
                (None, Some(lowest)) => {
                    let of = |pid: &u32| container::of_process(proc, *pid).map(|name| (name, *pid));
                    match traces.processes.iter().find_map(of) {
                        Some((name, pid)) => {
                            let first = containers.entry(name.clone()).or_insert(pid);
                            *first = pid.min(*first);
                            Name::Container(name)
                        }
                        None => Name::Pid(lowest),
                    }
                }
                (None, None) => Name::Path(traces.mount.unwrap_or_default()),
            };
            known.push((Known { id, name, paths: traces.paths }, traces.processes));
        }
        // Of several namespaces of one container, that of its lowest process has its name.
        let mut namespaces: Vec<Known> = known
            .into_iter()
            .map(|(mut known, processes)| {
                if let (Name::Container(name), Some(lowest)) = (&known.name, processes.first())
                    && containers.get(name).is_some_and(|first| !processes.contains(first))
                {
                    known.name = Name::Pid(*lowest);
                }
                known
            })
            .collect();
        namespaces.sort_by(|a, b| {
            (a.id != current, &a.name, a.id).cmp(&(b.id != current, &b.name, b.id))
        });
        namespaces
    }
}

/// Whether a process lives in the namespace of the host: in that of the first process, which is seldom
/// allowed to be looked into.
fn lives_in_initial(pid: u32) -> bool {
    let first = net_of(Path::new("/proc/1"));
    first.is_some() && first == net_of(&Path::new(PROC).join(pid.to_string()))
}

/// The inode number of a file of a task's /proc/net, which is another in every namespace.
fn net_of(directory: &Path) -> Option<u64> {
    fs::metadata(directory.join("net/dev")).ok().map(|file| file.ino())
}

/// Why this `/proc` may not show every process of the host.
fn limit() -> Option<Limit> {
    let inside = fs::read_link("/proc/self/ns/pid");
    if inside.is_ok_and(|link| link.as_os_str() != INITIAL_PID_NAMESPACE) {
        return Some(Limit::PidNamespace);
    }
    // The first process lives as long as the host.
    let first = fs::metadata("/proc/1");
    first.is_err_and(|error| error.kind() == io::ErrorKind::NotFound).then_some(Limit::Hidepid)
}

/// The entries of a directory that are numbers.
fn numbers(directory: &Path) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let digits = name.as_bytes().iter().all(u8::is_ascii_digit);
        numbers.extend(name.to_str().filter(|_| digits).and_then(|name| name.parse::<u32>().ok()));
    }
    Ok(numbers)
}

/// What the kernel answers of a file that was there and is not any more.
fn is_gone(error: &io::Error) -> bool {
    let ended = error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error());
    ended || matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_namespace_comes_first_and_once() -> Result<(), Error> {
        let current = Netns::current()?.id();
        let host = host()?;
        assert_eq!(host.namespaces.first().map(|known| known.id), Some(current));
        let ids: BTreeSet<NetnsId> = host.namespaces.iter().map(|known| known.id).collect();
        assert_eq!(ids.len(), host.namespaces.len());
        Ok(())
    }

    #[test]
    fn a_path_that_leads_elsewhere_by_now_is_not_taken() -> Result<(), Error> {
        let current = Netns::current()?.id();
        let other = NetnsId { inode: current.inode ^ 1, ..current };
        let mut known = Known::new(other, Name::Pid(1), "/proc/self/ns/net".into());
        assert!(matches!(known.open(), Err(Error::Gone { .. })));
        known.paths.push("/no/such/file".into());
        assert!(matches!(known.open(), Err(Error::Gone { .. })));
        known.id = current;
        known.paths.reverse();
        assert_eq!(known.open()?.id(), current);
        Ok(())
    }

    #[test]
    fn what_was_not_seen_is_said_with_the_way_out() {
        assert!(Unseen::default().is_nothing());
        let unseen = Unseen { namespaces: 3, limit: None };
        assert_eq!(
            unseen.to_string(),
            "network namespaces of processes that may not be looked into: at most 3; CAP_SYS_PTRACE shows \
             them, \
             and CAP_SYS_ADMIN what is in them: run as root"
        );
        for (limit, word) in [(Limit::Hidepid, "hidepid"), (Limit::PidNamespace, "PID namespace")] {
            let said = Unseen { namespaces: 1, limit: Some(limit) }.to_string();
            assert!(said.contains(" 1; ") && said.contains(word), "{said}");
            let said = Unseen { namespaces: 0, limit: Some(limit) }.to_string();
            assert!(!said.starts_with("; ") && said.contains(word), "{said}");
        }
    }
}
