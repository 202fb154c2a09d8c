//! What a congestion control tells of itself (`union tcp_cc_info`, linux/inet_diag.h).

/// The block of the congestion control in use. A socket has at most one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CongestionInfo {
    /// `INET_DIAG_VEGASINFO`, which Vegas, Illinois, NV, Westwood and YeAH send, each with a meaning
    /// of its own.
    Vegas(VegasInfo),
    /// `INET_DIAG_DCTCPINFO`.
    Dctcp(DctcpInfo),
    /// `INET_DIAG_BBRINFO`.
    Bbr(BbrInfo),
}

/// `struct tcpvegas_info`. The fields mean what the algorithm puts into them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VegasInfo {
    /// `tcpv_enabled`: 0 while Vegas falls back to Reno.
    pub enabled: u32,
    /// `tcpv_rttcnt`: round-trip samples in the last round.
    pub rtt_count: u32,
    /// `tcpv_rtt`, µs: of Vegas the smallest round trip ever (`baseRTT`), of Illinois the average of
    /// the last round, of Westwood the last one; 0x7fffffff when unknown.
    pub rtt_us: u32,
    /// `tcpv_minrtt`, µs: of Vegas the smallest round trip of this round, of Illinois and Westwood
    /// the smallest ever; 0x7fffffff when unknown.
    pub min_rtt_us: u32,
}

/// `struct tcp_dctcp_info` (RFC 8257).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DctcpInfo {
    /// `dctcp_enabled`: 0 when the peer has no ECN and Reno stands in.
    pub enabled: u16,
    /// `dctcp_ce_state`: the last packet carried a CE mark.
    pub ce_state: u16,
    /// `dctcp_alpha`: estimated fraction of marked bytes, in 1/1024.
    pub alpha: u32,
    /// `dctcp_ab_ecn`: bytes acknowledged with ECE in this window.
    pub ab_ecn: u32,
    /// `dctcp_ab_tot`: bytes acknowledged in this window.
    pub ab_tot: u32,
}

/// `struct tcp_bbr_info`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BbrInfo {
    /// `bbr_bw_lo`, `bbr_bw_hi`: estimated bandwidth, bytes a second.
    pub bandwidth_bytes_per_second: u64,
    /// `bbr_min_rtt`: smallest round trip of the filter's window, µs.
    pub min_rtt_us: u32,
    /// `bbr_pacing_gain`, in 1/256.
    pub pacing_gain: u32,
    /// `bbr_cwnd_gain`, in 1/256.
    pub cwnd_gain: u32,
}
