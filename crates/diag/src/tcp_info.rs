//! `INET_DIAG_INFO` and the blocks of congestion controls.

use sockeye_model::{BbrInfo, CongestionInfo, DctcpInfo, EcnLayout, VegasInfo};
use sockeye_netlink::Attributes;
use zerocopy::FromBytes;

/// How this kernel lays out the last word of struct tcp_info; `None` where its release cannot be
/// read. Matters from 6.18 on: older kernels do not send that word.
#[must_use]
pub fn ecn_layout_of_this_kernel() -> Option<EcnLayout> {
    ecn_layout(rustix::system::uname().release().to_bytes())
}

/// `release` begins like `6.18.3`.
fn ecn_layout(release: &[u8]) -> Option<EcnLayout> {
    let digits = release.split(|byte| !byte.is_ascii_digit()).next()?;
    let major: u32 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(if major >= 7 { EcnLayout::Bits } else { EcnLayout::Halves })
}

/// struct tcpvegas_info.
#[derive(FromBytes)]
#[repr(C)]
struct Vegas {
    enabled: u32,
    rttcnt: u32,
    rtt: u32,
    minrtt: u32,
}

/// struct tcp_dctcp_info.
#[derive(FromBytes)]
#[repr(C)]
struct Dctcp {
    enabled: u16,
    ce_state: u16,
    alpha: u32,
    ab_ecn: u32,
    ab_tot: u32,
}

/// struct tcp_bbr_info.
#[derive(FromBytes)]
#[repr(C)]
struct Bbr {
    bw_lo: u32,
    bw_hi: u32,
    min_rtt: u32,
    pacing_gain: u32,
    cwnd_gain: u32,
}

pub(crate) fn vegas(attr: &mut Attributes<'_>) -> Option<CongestionInfo> {
    let Vegas { enabled, rttcnt, rtt, minrtt } = attr.value()?;
    let vegas = VegasInfo { enabled, rtt_count: rttcnt, rtt_us: rtt, min_rtt_us: minrtt };
    Some(CongestionInfo::Vegas(vegas))
}

pub(crate) fn dctcp(attr: &mut Attributes<'_>) -> Option<CongestionInfo> {
    let Dctcp { enabled, ce_state, alpha, ab_ecn, ab_tot } = attr.value()?;
    Some(CongestionInfo::Dctcp(DctcpInfo { enabled, ce_state, alpha, ab_ecn, ab_tot }))
}

pub(crate) fn bbr(attr: &mut Attributes<'_>) -> Option<CongestionInfo> {
    let Bbr { bw_lo, bw_hi, min_rtt, pacing_gain, cwnd_gain } = attr.value()?;
    Some(CongestionInfo::Bbr(BbrInfo {
        bandwidth_bytes_per_second: u64::from(bw_hi) << 32 | u64::from(bw_lo),
        min_rtt_us: min_rtt,
        pacing_gain,
        cwnd_gain,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_follows_the_release() {
        assert_eq!(ecn_layout(b"6.18.44-cloud"), Some(EcnLayout::Halves));
        assert_eq!(ecn_layout(b"7.0.0-rc1"), Some(EcnLayout::Bits));
        assert_eq!(ecn_layout(b"10.2"), Some(EcnLayout::Bits));
        assert_eq!(ecn_layout(b"custom"), None);
        assert!(ecn_layout_of_this_kernel().is_some());
    }
}
