//! The owners as `/proc` shows them: the link of every descriptor of every process.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, RawDir, openat, readlinkat_raw};
use rustix::io::Errno;
use sockeye_model::Name;

use crate::owners::Task;
use crate::search::{Wanted, in_initial_pid_namespace, is_numbered_as_here};
use crate::{Error, Limit, Owners};

/// Room for the entries that one system call reads, bytes.
const ENTRIES: usize = 32 * 1024;
/// Room for a link: `socket:[4294967295]` is all that counts.
const LINK: usize = 64;
/// Room for `comm`, which for kernel threads is longer than 16 bytes (`proc_task_name`).
const COMM: usize = 128;

/// Looks for the owners in a directory that is laid out as `/proc`.
///
/// # Errors
/// [`Error::Proc`]: what cannot be read, and not because its process has ended or is another user's.
pub(crate) fn search(root: &Path, threads: bool, wanted: &Wanted) -> Result<Owners, Error> {
    let failed =
        |path: &Path, errno: Errno| Error::Proc { path: path.into(), source: errno.into() };
    let proc = directory(CWD, root).map_err(|errno| failed(root, errno))?;
    let mut walk = Walk { wanted, owners: Owners::default() };
    let mut processes = Vec::new();
    numbers(&proc, |pid| processes.push(pid)).map_err(|errno| failed(root, errno))?;
    if processes.is_empty() && root == Path::new("/proc") {
        return Err(Error::NoProcesses);
    }
    for pid in processes {
        let path = format!("{pid}/fd");
        let looked = walk.task(&proc, pid, threads.then_some(pid));
        looked.map_err(|errno| failed(&root.join(path), errno))?;
        if !threads {
            continue;
        }
        let path = format!("{pid}/task");
        let mut tids = Vec::new();
        let listed =
            directory(&proc, &path).and_then(|tasks| numbers(&tasks, |tid| tids.push(tid)));
        tolerate(listed).map_err(|errno| failed(&root.join(path), errno))?;
        for tid in tids.into_iter().filter(|tid| *tid != pid) {
            let looked = walk.thread(&proc, pid, tid);
            looked.map_err(|errno| failed(&root.join(format!("{tid}/fd")), errno))?;
        }
    }
    if root == Path::new("/proc") {
        walk.owners.limit(limit(root));
    }
    Ok(walk.owners)
}

/// Why this `/proc` may not show every process of the host.
fn limit(root: &Path) -> Option<Limit> {
    // Mounted by an outer namespace, it numbers this process otherwise, and shows the others there.
    if !in_initial_pid_namespace(root) && is_numbered_as_here(root) {
        return Some(Limit::PidNamespace);
    }
    let mounts = std::fs::read_to_string(root.join("self/mountinfo")).unwrap_or_default();
    hides_processes(&mounts).then_some(Limit::Hidepid)
}

/// Whether `/proc` is mounted with hidepid, by the lines of `/proc/self/mountinfo`:
/// `NUMBER NUMBER MAJOR:MINOR ROOT MOUNT-POINT OPTIONS… - proc SOURCE OPTIONS`.
fn hides_processes(mounts: &str) -> bool {
    let of_proc = |line: &str| {
        let (mount, kind) = line.split_once(" - ")?;
        let is_proc = mount.split(' ').nth(4) == Some("/proc");
        kind.strip_prefix("proc ").filter(|_| is_proc)?.split(' ').nth(1).map(str::to_owned)
    };
    let options = mounts.lines().filter_map(of_proc).next_back().unwrap_or_default();
    let how = options.split(',').find_map(|option| option.strip_prefix("hidepid="));
    how.is_some_and(|how| !["off", "0"].contains(&how))
}

/// What became of a look at something that may be gone, or hidden.
enum Look {
    Done,
    Gone,
    Refused,
}

fn tolerate(looked: Result<(), Errno>) -> Result<Look, Errno> {
    match looked {
        Ok(()) => Ok(Look::Done),
        Err(Errno::NOENT | Errno::SRCH | Errno::NOTDIR) => Ok(Look::Gone),
        Err(Errno::ACCESS | Errno::PERM) => Ok(Look::Refused),
        Err(errno) => Err(errno),
    }
}

struct Walk<'a> {
    wanted: &'a Wanted,
    owners: Owners,
}

impl Walk<'_> {
    /// Adds a process; one that may not be looked into is counted.
    fn task(&mut self, proc: &OwnedFd, pid: u32, tid: Option<u32>) -> Result<(), Errno> {
        let looked = self.descriptors(proc, pid, pid, tid);
        if let Look::Refused = tolerate(looked)? {
            self.owners.not_seen();
        }
        Ok(())
    }

    /// Adds a thread.
    fn thread(&mut self, proc: &OwnedFd, pid: u32, tid: u32) -> Result<(), Errno> {
        let looked = self.descriptors(proc, tid, pid, Some(tid));
        tolerate(looked).map(drop)
    }

    /// Adds the descriptors in `NUMBER/fd`.
    fn descriptors(
        &mut self,
        proc: &OwnedFd,
        number: u32,
        pid: u32,
        tid: Option<u32>,
    ) -> Result<(), Errno> {
        let files = directory(proc, format!("{number}/fd"))?;
        let mut entries = [MaybeUninit::uninit(); ENTRIES];
        let mut entries = RawDir::new(&files, &mut entries);
        let (mut named, mut unread) = (false, false);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name();
            let Some(fd) = number_of(name) else { continue };
            let inode = match socket_inode(files.as_fd(), name) {
                Ok(Some(inode)) if self.wanted.has(inode) => inode,
                // Closed meanwhile, or a file whose path is too long, which is no socket.
                Ok(_) | Err(Errno::NOENT | Errno::NAMETOOLONG) => continue,
                Err(errno @ (Errno::ACCESS | Errno::PERM | Errno::SRCH)) => return Err(errno),
                // Of one descriptor: the others may be seen.
                Err(_) => {
                    unread = true;
                    continue;
                }
            };
            if !named {
                named = true;
                self.owners.task(Task { pid, tid, comm: comm(proc, number)? });
            }
            self.owners.holds(inode, fd);
        }
        if unread {
            self.owners.not_seen();
        }
        Ok(())
    }
}

fn directory(at: impl AsFd, path: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
    openat(at, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// Tells the entries that are numbers.
fn numbers(directory: &OwnedFd, mut each: impl FnMut(u32)) -> Result<(), Errno> {
    let mut entries = [MaybeUninit::uninit(); ENTRIES];
    let mut entries = RawDir::new(directory, &mut entries);
    while let Some(entry) = entries.next() {
        if let Some(number) = number_of(entry?.file_name()) {
            each(number);
        }
    }
    Ok(())
}

fn number_of(name: &CStr) -> Option<u32> {
    let name = name.to_bytes();
    let digits = !name.is_empty() && name.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(name).ok().filter(|_| digits)?.parse().ok()
}

/// The number in `socket:[NUMBER]`, if that is where the link leads.
fn socket_inode(files: BorrowedFd<'_>, name: &CStr) -> Result<Option<u32>, Errno> {
    let mut link = [MaybeUninit::uninit(); LINK];
    let (link, _) = readlinkat_raw(files, name, &mut link)?;
    Ok(inode_in(link))
}

fn inode_in(link: &[u8]) -> Option<u32> {
    let number = link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

/// The task's name; empty when it is gone.
fn comm(proc: &OwnedFd, number: u32) -> Result<Name, Errno> {
    let mut comm = [0; COMM];
    let path = format!("{number}/comm");
    let read = openat(proc, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .and_then(|file| rustix::io::read(file, &mut comm));
    let length = match read {
        Err(Errno::NOENT | Errno::SRCH) => 0,
        read => read?,
    };
    let comm = comm.get(..length).unwrap_or_default();
    Ok(Name::new(comm.strip_suffix(b"\n").unwrap_or(comm)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_mount_on_proc_tells_whether_it_hides_processes() {
        let line =
            |options: &str| format!("24 30 0:22 / /proc rw,nosuid - proc proc rw{options}\n");
        let other = "25 30 0:23 / /sys rw - sysfs sysfs rw,hidepid=2\n";
        for (mounts, hides) in [
            (line(""), false),
            (line(",hidepid=off"), false),
            (line(",hidepid=0"), false),
            (line(",gid=4,hidepid=invisible"), true),
            (line(",hidepid=2") + other, true),
            (line(",hidepid=2") + &line(""), false),
            (other.to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(hides_processes(&mounts), hides, "{mounts}");
        }
    }

    #[test]
    fn links_to_sockets_alone_have_an_inode() {
        assert_eq!(inode_in(b"socket:[4294967295]"), Some(u32::MAX));
        for link in [&b"socket:[]"[..], b"socket:[1", b"socket:[-1]", b"pipe:[1]", b"/socket:[1]"] {
            assert_eq!(inode_in(link), None);
        }
    }
}
