//! Memory of a socket.

use crate::field::fields;

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
    /// `SK_MEMINFO_BACKLOG` (since 3.6): packets that wait for the socket's lock.
    pub backlog: Option<u32>,
    /// `SK_MEMINFO_DROPS` (since 4.7): packets dropped by this socket, a count.
    pub drops: Option<u32>,
}

fields! {
    MemInfo, MemInfo { rmem, wmem, fmem, tmem } => {
        /// Memory allocated for receiving.
        mem_rmem_bytes: u32 = *rmem, "bytes", "idiag_rmem", "2.6.14";
        /// Memory queued for sending.
        mem_wmem_bytes: u32 = *wmem, "bytes", "idiag_wmem", "2.6.14";
        /// Memory reserved and not yet used.
        mem_fmem_bytes: u32 = *fmem, "bytes", "idiag_fmem", "2.6.14";
        /// Memory handed down to be sent.
        mem_tmem_bytes: u32 = *tmem, "bytes", "idiag_tmem", "2.6.14";
    }
}

fields! {
    SkMemInfo, SkMemInfo {
        rmem_alloc, rcvbuf, wmem_alloc, sndbuf, fwd_alloc, wmem_queued, optmem, backlog, drops
    } => {
        /// Memory allocated for receiving.
        skmem_rmem_alloc_bytes: u32 = *rmem_alloc, "bytes", "SK_MEMINFO_RMEM_ALLOC", "3.3";
        /// Limit of the receive buffer.
        skmem_rcvbuf_bytes: u32 = *rcvbuf, "bytes", "SK_MEMINFO_RCVBUF", "3.3";
        /// Memory allocated for sending, at the layers below.
        skmem_wmem_alloc_bytes: u32 = *wmem_alloc, "bytes", "SK_MEMINFO_WMEM_ALLOC", "3.3";
        /// Limit of the send buffer.
        skmem_sndbuf_bytes: u32 = *sndbuf, "bytes", "SK_MEMINFO_SNDBUF", "3.3";
        /// Memory reserved and not yet used.
        skmem_fwd_alloc_bytes: u32 = *fwd_alloc, "bytes", "SK_MEMINFO_FWD_ALLOC", "3.3";
        /// Memory queued for sending.
        skmem_wmem_queued_bytes: u32 = *wmem_queued, "bytes", "SK_MEMINFO_WMEM_QUEUED", "3.3";
        /// Memory of options, filters and control messages.
        skmem_optmem_bytes: u32 = *optmem, "bytes", "SK_MEMINFO_OPTMEM", "3.3";
        /// Packets that wait for the socket's lock.
        skmem_backlog_bytes: Option<u32> = *backlog, "bytes", "SK_MEMINFO_BACKLOG", "3.6";
        /// Packets dropped by this socket.
        skmem_drops: Option<u32> = *drops, "packets", "SK_MEMINFO_DROPS", "4.7";
    }
}
