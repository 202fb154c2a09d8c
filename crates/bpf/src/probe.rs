//! What this kernel allows, for these rights: each program is loaded once, and let go.

use crate::Error;
use crate::load::{self, Image, Loaded};

/// A BPF program, and what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program {
    /// The program's name in the kernel, as `bpftool prog` shows it.
    pub name: &'static str,
    /// What it tells.
    pub meaning: &'static str,
    /// What it takes of the kernel.
    pub needs: &'static str,
}

/// All programs.
pub const PROGRAMS: [Program; 3] = [
    Program {
        name: "socket_files",
        meaning: "every descriptor of every process that is a socket",
        needs: "BTF, iter/task_file and bpf_sock_from_file (Linux 5.11), CAP_BPF and CAP_PERFMON",
    },
    Program {
        name: "socket_holders",
        meaning: "the descriptors of a few sockets",
        needs: "BTF, iter/task, bpf_loop and bpf_rdonly_cast (Linux 6.2), CAP_BPF and CAP_PERFMON",
    },
    Program {
        name: "threads",
        meaning: "every thread but the first one of each process",
        needs: "BTF and iter/task (Linux 5.8), CAP_BPF and CAP_PERFMON",
    },
];

/// Loads every program, and gives for each what came of it.
pub fn probe() -> impl Iterator<Item = (Program, Result<(), Error>)> {
    let images: [&Image; 3] = [&load::SOCKET_FILES, &load::SOCKET_HOLDERS, &load::THREADS];
    PROGRAMS.into_iter().zip(images).map(|(program, image)| (program, Loaded::new(image).map(drop)))
}
