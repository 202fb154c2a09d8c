//! A descriptor that is a socket, as the programs tell of it (`programs/holding.h`).

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
    /// The thread's name (`task->comm`), ended by a NUL if it is shorter.
    pub comm: [u8; 16],
}

impl Holding {
    /// Size of the record, bytes.
    pub(crate) const SIZE: usize = 32;

    /// Reads a record.
    pub(crate) fn from_bytes(bytes: &[u8; Holding::SIZE]) -> Holding {
        let (words, comm) = bytes.split_at(16);
        let mut words = words.chunks_exact(4).map(|word| {
            let word: [u8; 4] = word.try_into().unwrap_or_default();
            u32::from_ne_bytes(word)
        });
        let mut next = || words.next().unwrap_or_default();
        Holding {
            inode: next(),
            tgid: next(),
            tid: next(),
            fd: next(),
            comm: comm.try_into().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_in_the_order_of_the_header() {
        let mut bytes = [0; Holding::SIZE];
        for (word, value) in bytes.chunks_exact_mut(4).zip([1_u32, 2, 3, 4]) {
            word.copy_from_slice(&value.to_ne_bytes());
        }
        bytes[16..20].copy_from_slice(b"ngin");
        let holding = Holding::from_bytes(&bytes);
        assert_eq!((holding.inode, holding.tgid, holding.tid, holding.fd), (1, 2, 3, 4));
        assert_eq!(&holding.comm, b"ngin\0\0\0\0\0\0\0\0\0\0\0\0");
    }
}
