//! The table from sockets to their owners.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use sockeye_model::{Name, Owner};

/// No further entry.
const END: u32 = u32::MAX;

/// Who holds which socket. Some 30 bytes a descriptor.
#[derive(Debug, Default)]
pub struct Owners {
    /// Inode number to the socket's newest entry in `held`.
    newest: HashMap<u32, u32, BuildHasherDefault<InodeHasher>>,
    held: Vec<Held>,
    tasks: Vec<Task>,
    unseen: u64,
    limit: Option<Limit>,
}

/// Why not every process of the host could be seen at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// The reader is in a PID namespace of its own, and sees the processes in that.
    PidNamespace,
    /// `/proc` is mounted with hidepid (proc(5)), and may leave out those of others.
    Hidepid,
}

/// Spreads inode numbers. The kernel counts them up (`get_next_ino`), so nobody chooses them to
/// collide, and one multiplication does (Fibonacci hashing).
#[derive(Debug, Default)]
struct InodeHasher(u64);

impl Hasher for InodeHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u32(&mut self, inode: u32) {
        // 2^64 divided by the golden ratio. The upper bits are the best ones; the map takes the lower.
        self.0 = u64::from(inode).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(self.0 as u32 ^ u32::from(*byte));
        }
    }
}

/// A descriptor that is a socket.
#[derive(Debug, Clone, Copy)]
struct Held {
    /// Index of its task.
    task: u32,
    fd: u32,
    /// The entry of the same socket that was found before, or [`END`].
    older: u32,
}

/// A process, or a thread of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) pid: u32,
    /// Where threads were asked for.
    pub(crate) tid: Option<u32>,
    pub(crate) comm: Name,
}

impl Owners {
    /// The owners of the socket with this inode number: from the highest process id down, of each
    /// process from the last started thread to the first, of each thread from the highest descriptor
    /// down. (`ss` prints them in this order: the last found comes first.)
    pub fn of(&self, inode: u32) -> impl Iterator<Item = Owner> {
        let mut next = self.newest.get(&inode).copied().unwrap_or(END);
        std::iter::from_fn(move || {
            let held = self.held.get(next as usize)?;
            let task = self.tasks.get(held.task as usize)?;
            next = held.older;
            Some(Owner { pid: task.pid, tid: task.tid, fd: held.fd, comm: task.comm })
        })
    }

    /// How many processes there were into whose descriptors the reader may not look. That takes
    /// CAP_SYS_PTRACE (proc(5), ptrace(2): `PTRACE_MODE_READ_FSCREDS`).
    #[must_use]
    pub fn unseen(&self) -> u64 {
        self.unseen
    }

    /// Why there may be owners that could not be seen, beside those of [`Owners::unseen`].
    #[must_use]
    pub fn limited(&self) -> Option<Limit> {
        self.limit
    }

    pub(crate) fn limit(&mut self, limit: Option<Limit>) {
        self.limit = limit;
    }

    /// A task whose descriptors follow; to be called once a task, before them.
    pub(crate) fn task(&mut self, task: Task) {
        self.tasks.push(task);
    }

    /// A descriptor of the last task.
    pub(crate) fn holds(&mut self, inode: u32, fd: u32) {
        // More than 4 billion descriptors do not fit into memory.
        let index = self.held.len() as u32;
        let task = (self.tasks.len() as u32).wrapping_sub(1);
        let older = self.newest.insert(inode, index).unwrap_or(END);
        self.held.push(Held { task, fd, older });
    }

    /// A process into which the reader may not look.
    pub(crate) fn not_seen(&mut self) {
        self.unseen += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_found_comes_first() {
        let mut owners = Owners::default();
        let task = |pid: u32| Task { pid, tid: None, comm: Name::new(b"x") };
        owners.task(task(10));
        owners.holds(7, 3);
        owners.holds(8, 4);
        owners.holds(7, 5);
        owners.task(task(11));
        owners.holds(7, 3);
        let of = |inode| owners.of(inode).map(|owner| (owner.pid, owner.fd)).collect::<Vec<_>>();
        assert_eq!(of(7), [(11, 3), (10, 5), (10, 3)]);
        assert_eq!(of(8), [(10, 4)]);
        assert_eq!(of(9), []);
    }
}
