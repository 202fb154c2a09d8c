//! Who holds a socket, and what else is known of it beside the kernel's answer.

use crate::Name;
use crate::field::fields;

/// A process, or one of its threads, that holds a descriptor of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// Process id, as the reader's `/proc` counts.
    pub pid: u32,
    /// Thread id, where threads were asked for.
    pub tid: Option<u32>,
    /// The descriptor.
    pub fd: u32,
    /// `comm`: the name that the process (or thread) gives itself.
    pub comm: Name,
}

fields! {
    Owner, Owner { pid, tid, fd, comm } => {
        /// Process id, as the reader's /proc counts.
        pid: u32 = *pid, "", "/proc/PID", "";
        /// Thread id, where threads were asked for.
        tid: Option<u32> = *tid, "", "/proc/PID/task/TID", "";
        /// File descriptor in that process.
        fd: u32 = *fd, "", "/proc/PID/fd", "";
        /// Name that the process, or the thread, gives itself (15 bytes at most).
        comm: &[u8] = comm.as_bytes(), "", "/proc/PID/comm", "";
    }
}

/// What is known of a socket beside what sock_diag told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Context<'a> {
    /// Name of the interface that the socket is bound to.
    pub interface: Option<&'a [u8]>,
    /// Path of the socket's control group.
    pub cgroup: Option<&'a [u8]>,
    /// Who holds the socket; empty where nobody that can be seen does, `None` where it was not
    /// asked.
    pub owners: Option<&'a [Owner]>,
    /// Name of the socket's network namespace, where namespaces were asked for.
    pub netns: Option<&'a [u8]>,
    /// Inode number of that namespace.
    pub netns_inode: Option<u64>,
}

fields! {
    Context<'_>, Context { interface, cgroup, owners, netns, netns_inode } => {
        /// Name of the interface that the socket is bound to, where there still is one of that index.
        interface_name: Option<&[u8]> = *interface, "", "IFLA_IFNAME", "2.2";
        /// Path of the socket's control group below the mount point of cgroup v2, where it can be seen.
        cgroup_path: Option<&[u8]> = *cgroup, "", "cgroup2 file system", "4.5";
        /// Descriptors that refer to the socket, where owners were asked for (`-p`); empty where none can be seen, absent where they could not be looked for.
        owners: Option<&[Owner]> = *owners, "", "", "";
        /// Name of the socket's network namespace, where namespaces were asked for (`-N`, `--netns`, `--all-netns`): what ip-netns(8) calls it, else the container or the lowest process in it, else its path.
        netns: Option<&[u8]> = *netns, "", "/run/netns, /proc/PID/cgroup, /proc/PID", "";
        /// Inode number of that namespace, by which it can be told from others.
        netns_inode: Option<u64> = *netns_inode, "", "/proc/PID/ns/net", "3.8";
    }
}
