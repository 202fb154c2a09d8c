//! What a congestion control tells of itself (`union tcp_cc_info`, linux/inet_diag.h).

use crate::field::{Record, Visitor, fields};

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

impl Record for CongestionInfo {
    #[inline]
    fn visit<V: Visitor>(&self, visitor: &mut V) {
        match self {
            CongestionInfo::Vegas(vegas) => vegas.visit(visitor),
            CongestionInfo::Dctcp(dctcp) => dctcp.visit(visitor),
            CongestionInfo::Bbr(bbr) => bbr.visit(visitor),
        }
    }
}

fields! {
    VegasInfo, VegasInfo { enabled, rtt_count, rtt_us, min_rtt_us } => {
        /// 0 while Vegas falls back to Reno.
        vegas_enabled: u32 = *enabled, "", "tcpv_enabled", "2.6.14";
        /// Round-trip samples in the last round.
        vegas_rtt_count: u32 = *rtt_count, "samples", "tcpv_rttcnt", "2.6.14";
        /// Round-trip time: of Vegas the smallest ever, of Illinois the average of the last round, of Westwood the last one; 0x7fffffff when unknown.
        vegas_rtt_us: u32 = *rtt_us, "us", "tcpv_rtt", "2.6.14";
        /// Smallest round-trip time: of Vegas in this round, of Illinois and Westwood ever; 0x7fffffff when unknown.
        vegas_min_rtt_us: u32 = *min_rtt_us, "us", "tcpv_minrtt", "2.6.14";
    }
}

fields! {
    DctcpInfo, DctcpInfo { enabled, ce_state, alpha, ab_ecn, ab_tot } => {
        /// 0 when the peer has no ECN and Reno stands in.
        dctcp_enabled: u16 = *enabled, "", "dctcp_enabled", "3.18";
        /// 1 when the last packet carried a CE mark.
        dctcp_ce_state: u16 = *ce_state, "", "dctcp_ce_state", "3.18";
        /// Estimated fraction of marked bytes.
        dctcp_alpha: u32 = *alpha, "1/1024", "dctcp_alpha", "3.18";
        /// Bytes acknowledged with ECE in this window.
        dctcp_ab_ecn_bytes: u32 = *ab_ecn, "bytes", "dctcp_ab_ecn", "3.18";
        /// Bytes acknowledged in this window.
        dctcp_ab_tot_bytes: u32 = *ab_tot, "bytes", "dctcp_ab_tot", "3.18";
    }
}

fields! {
    BbrInfo, BbrInfo { bandwidth_bytes_per_second, min_rtt_us, pacing_gain, cwnd_gain } => {
        /// Estimated bandwidth.
        bbr_bandwidth_bytes_per_second: u64 = *bandwidth_bytes_per_second, "bytes/s", "bbr_bw_lo, bbr_bw_hi", "4.9";
        /// Smallest round-trip time in the filter's window.
        bbr_min_rtt_us: u32 = *min_rtt_us, "us", "bbr_min_rtt", "4.9";
        /// Gain of the pacing rate.
        bbr_pacing_gain: u32 = *pacing_gain, "1/256", "bbr_pacing_gain", "4.9";
        /// Gain of the congestion window.
        bbr_cwnd_gain: u32 = *cwnd_gain, "1/256", "bbr_cwnd_gain", "4.9";
    }
}
