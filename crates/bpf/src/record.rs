//! What the programs tell, as they lay it out (`programs/holding.h`, `programs/threads.bpf.c`).

/// A descriptor of a process that is a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holding {
    /// The socket's inode number, by which `sock_diag` knows it, too (`idiag_inode`).
    pub inode: u32,
    /// The process (`task->tgid`), as the initial PID namespace numbers it.
    pub tgid: u32,
    /// The thread whose file table has the descriptor (`task->pid`): the process's first one, or one
    /// that has a table of its own.
    pub tid: u32,
    /// The descriptor.
    pub fd: u32,
    /// It was opened by O_PATH. `inode` may then be that of a file system's entry for a Unix socket;
    /// the link in `/proc/PID/fd` tells.
    pub by_path: bool,
    /// The thread's name (`task->comm`), ended by a NUL if it is shorter.
    pub comm: [u8; 16],
    /// Which file table: tasks that share one tell the same descriptors.
    pub table: u64,
}

/// A thread that is not its process's first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thread {
    /// When it was started, ns since boot. `/proc/PID/task` lists threads in that order.
    pub start_ns: u64,
    /// The process (`task->tgid`), as the initial PID namespace numbers it.
    pub tgid: u32,
    /// The thread (`task->pid`), numbered likewise.
    pub tid: u32,
    /// Its descriptors are those of the process's first thread.
    pub shares_files: bool,
    /// Its name (`task->comm`), ended by a NUL if it is shorter.
    pub comm: [u8; 16],
}

/// In `fd` of struct holding.
const BY_PATH: u32 = 1 << 31;

/// Something that a program tells, of `SIZE` bytes.
#[cfg_attr(not(feature = "programs"), allow(dead_code, reason = "nothing is told then"))]
pub(crate) trait Record<const SIZE: usize> {
    fn from_bytes(bytes: &[u8; SIZE]) -> Self;
}

impl Record<40> for Holding {
    fn from_bytes(bytes: &[u8; 40]) -> Holding {
        Holding {
            table: u64::from_ne_bytes(part(bytes, 0)),
            inode: u32::from_ne_bytes(part(bytes, 8)),
            tgid: u32::from_ne_bytes(part(bytes, 12)),
            tid: u32::from_ne_bytes(part(bytes, 16)),
            fd: u32::from_ne_bytes(part(bytes, 20)) & !BY_PATH,
            by_path: u32::from_ne_bytes(part(bytes, 20)) & BY_PATH != 0,
            comm: part(bytes, 24),
        }
    }
}

impl Record<40> for Thread {
    fn from_bytes(bytes: &[u8; 40]) -> Thread {
        Thread {
            start_ns: u64::from_ne_bytes(part(bytes, 0)),
            tgid: u32::from_ne_bytes(part(bytes, 8)),
            tid: u32::from_ne_bytes(part(bytes, 12)),
            shares_files: u32::from_ne_bytes(part(bytes, 16)) != 0,
            comm: part(bytes, 24),
        }
    }
}

/// The bytes from `offset` on, which are within the record.
fn part<const SIZE: usize>(bytes: &[u8], offset: usize) -> [u8; SIZE] {
    bytes.get(offset..).and_then(|bytes| bytes.first_chunk().copied()).unwrap_or([0; SIZE])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(words: &[u32]) -> Vec<u8> {
        let words = words.iter().flat_map(|word| word.to_ne_bytes());
        words.chain(*b"nginx: worker\0\0\0").collect()
    }

    #[test]
    fn a_holding_is_laid_out_as_in_the_header() {
        let mut told = 5_u64.to_ne_bytes().to_vec();
        told.extend(bytes(&[1, 2, 3, 4 | BY_PATH]));
        let holding = Holding::from_bytes(told.as_slice().try_into().unwrap());
        let Holding { table, inode, tgid, tid, fd, by_path, comm } = holding;
        assert_eq!((table, inode, tgid, tid, fd, by_path), (5, 1, 2, 3, 4, true));
        assert_eq!(&comm, b"nginx: worker\0\0\0");
    }

    #[test]
    fn a_thread_is_laid_out_as_in_the_program() {
        let mut told = 5_u64.to_ne_bytes().to_vec();
        told.extend(bytes(&[6, 7, 1, 0]));
        let thread = Thread::from_bytes(told.as_slice().try_into().unwrap());
        let Thread { start_ns, tgid, tid, shares_files, comm } = thread;
        assert_eq!((start_ns, tgid, tid, shares_files), (5, 6, 7, true));
        assert_eq!(&comm, b"nginx: worker\0\0\0");
    }
}
