//! Memory of a socket.

/// `INET_DIAG_MEMINFO` (struct inet_diag_meminfo, linux/inet_diag.h). All in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemInfo {
    /// `idiag_rmem`: allocated for receiving.
    pub rmem: u32,
    /// `idiag_wmem`: queued for sending.
    pub wmem: u32,
    /// `idiag_fmem`: reserved and not yet used.
    pub fmem: u32,
    /// `idiag_tmem`: handed down to be sent.
    pub tmem: u32,
}

/// `INET_DIAG_SKMEMINFO` (the `SK_MEMINFO_*` array of linux/sock_diag.h). In bytes, but for
/// `drops`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SkMemInfo {
    /// `SK_MEMINFO_RMEM_ALLOC`: allocated for receiving.
    pub rmem_alloc: u32,
    /// `SK_MEMINFO_RCVBUF`: limit of the receive buffer.
    pub rcvbuf: u32,
    /// `SK_MEMINFO_WMEM_ALLOC`: allocated for sending, at the layers below.
    pub wmem_alloc: u32,
    /// `SK_MEMINFO_SNDBUF`: limit of the send buffer.
    pub sndbuf: u32,
    /// `SK_MEMINFO_FWD_ALLOC`: reserved and not yet used.
    pub fwd_alloc: u32,
    /// `SK_MEMINFO_WMEM_QUEUED`: queued for sending.
    pub wmem_queued: u32,
    /// `SK_MEMINFO_OPTMEM`: options, filters and control messages.
    pub optmem: u32,
    /// `SK_MEMINFO_BACKLOG` (since 2.6.39): packets that wait for the socket's lock.
    pub backlog: Option<u32>,
    /// `SK_MEMINFO_DROPS` (since 4.7): packets dropped by this socket, a count.
    pub drops: Option<u32>,
}
