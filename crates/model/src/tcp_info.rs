//! `struct tcp_info` (linux/tcp.h): what TCP tells of a connection.
//!
//! The struct has grown from 104 bytes to 280 and keeps growing. A [`TcpInfo`] holds the bytes that
//! the kernel sent, and each field is `None` when they end before it. All fields come from one
//! table below: name, type, offset, unit, the kernel's name, and the first kernel that has it.

use crate::State;
use crate::field::{Field, Table, fields, flags, words};

/// How the four bytes at offset 276 are to be read. Linux 6.18 and 6.19 have two 16-bit numbers
/// there, 7.0 has bit fields, and the struct's length is the same: only the kernel's version tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EcnLayout {
    /// `__u16 tcpi_accecn_fail_mode, tcpi_accecn_opt_seen` (6.18, 6.19).
    Halves,
    /// `tcpi_ecn_mode:2, tcpi_accecn_opt_seen:2, tcpi_accecn_fail_mode:4, tcpi_options2:24` (7.0).
    Bits,
}

/// `struct tcp_info`, as long as the kernel sent it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TcpInfo {
    len: u16,
    ecn_layout: Option<EcnLayout>,
    bytes: [u8; TcpInfo::SIZE],
}

impl TcpInfo {
    /// Size of the newest struct known here (Linux 7.0), in bytes. What is longer is cut.
    pub const SIZE: usize = 280;

    /// Takes what the kernel sent. `ecn_layout` is `None` where the kernel's version is unknown, as
    /// in a recording: then the fields that depend on it are absent.
    #[must_use]
    pub fn new(sent: &[u8], ecn_layout: Option<EcnLayout>) -> Self {
        let mut info = TcpInfo { len: 0, ecn_layout, bytes: [0; TcpInfo::SIZE] };
        let len = sent.len().min(TcpInfo::SIZE);
        if let (Some(to), Some(from)) = (info.bytes.get_mut(..len), sent.get(..len)) {
            to.copy_from_slice(from);
        }
        // At most SIZE, which fits.
        info.len = len as u16;
        info
    }

    /// Puts what the kernel sent in the place of another: [`TcpInfo::new`], copied once where the
    /// struct is as long as ours or longer.
    pub fn replace(old: &mut Option<TcpInfo>, sent: &[u8], ecn_layout: Option<EcnLayout>) {
        match sent.first_chunk() {
            Some(whole) => {
                *old = Some(TcpInfo { len: TcpInfo::SIZE as u16, ecn_layout, bytes: *whole });
            }
            None => *old = Some(TcpInfo::new(sent, ecn_layout)),
        }
    }

    /// How many bytes of the struct the kernel sent (at most [`TcpInfo::SIZE`]).
    #[must_use]
    pub fn sent_len(&self) -> usize {
        usize::from(self.len)
    }

    /// State of the connection.
    #[must_use]
    pub fn connection_state(&self) -> Option<State> {
        self.tcp_state().map(State::from)
    }

    /// `tcpi_snd_wscale`: window scaling of what the peer advertises, a power of two.
    #[must_use]
    pub fn snd_wscale(&self) -> Option<u8> {
        self.byte(6).map(|b| b & 0x0f)
    }

    /// `tcpi_rcv_wscale`: window scaling of what we advertise, a power of two.
    #[must_use]
    pub fn rcv_wscale(&self) -> Option<u8> {
        self.byte(6).map(|b| b >> 4)
    }

    /// `tcpi_delivery_rate_app_limited` (since 4.9): the delivery rate was limited by what the
    /// application wrote. An older kernel leaves the bit 0, so it is told apart by the length.
    #[must_use]
    pub fn delivery_rate_app_limited(&self) -> Option<bool> {
        self.delivery_rate_bytes_per_second()?;
        self.byte(7).map(|b| b & 1 != 0)
    }

    /// `tcpi_fastopen_client_fail` (since 5.5, found by the fields of 5.4): why a Fast Open of ours
    /// failed; 0 unspecified, 1 no cookie, 2 data not acknowledged, 3 the SYN was retransmitted.
    #[must_use]
    pub fn fastopen_client_fail(&self) -> Option<u8> {
        self.snd_wnd()?;
        self.byte(7).map(|b| b >> 1 & 3)
    }

    /// `tcpi_ecn_mode` (since 7.0): 0 disabled, 1 RFC 3168, 2 accurate ECN, 3 pending.
    #[must_use]
    pub fn ecn_mode(&self) -> Option<u8> {
        match self.ecn_layout? {
            EcnLayout::Halves => None,
            EcnLayout::Bits => self.byte(276).map(|b| b & 3),
        }
    }

    /// `tcpi_accecn_opt_seen` (since 6.18): 0 not seen, 1 empty, 2 with counters, 3 failed.
    #[must_use]
    pub fn accecn_opt_seen(&self) -> Option<u16> {
        match self.ecn_layout? {
            EcnLayout::Halves => self.array(278).map(u16::from_ne_bytes),
            EcnLayout::Bits => self.byte(276).map(|b| u16::from(b >> 2 & 3)),
        }
    }

    /// `tcpi_accecn_fail_mode` (since 6.18): flags of what failed, 1 ACE sending, 2 ACE receiving,
    /// 4 option sending, 8 option receiving.
    #[must_use]
    pub fn accecn_fail_mode(&self) -> Option<u16> {
        match self.ecn_layout? {
            EcnLayout::Halves => self.array(276).map(u16::from_ne_bytes),
            EcnLayout::Bits => self.byte(276).map(|b| u16::from(b >> 4)),
        }
    }

    /// `tcpi_options2` (since 7.0): more flags, 24 bits.
    #[must_use]
    pub fn options2(&self) -> Option<u32> {
        match self.ecn_layout? {
            EcnLayout::Halves => None,
            EcnLayout::Bits => self.array(276).map(u32::from_ne_bytes).map(|word| word >> 8),
        }
    }

    /// The struct with zeros behind what was sent: as programs read it that know only one length.
    #[must_use]
    pub fn zero_extended(&self) -> TcpInfo {
        TcpInfo { len: TcpInfo::SIZE as u16, ..*self }
    }

    fn byte(&self, offset: usize) -> Option<u8> {
        self.array::<1>(offset).map(|[byte]| byte)
    }

    #[inline]
    fn array<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        if offset + N > usize::from(self.len) {
            return None;
        }
        self.bytes.get(offset..)?.first_chunk().copied()
    }
}

impl std::fmt::Debug for TcpInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = f.debug_struct("TcpInfo");
        self.for_each(|field, value| {
            out.field(field.name, &value);
        });
        out.finish()
    }
}

macro_rules! tcp_info {
    (
        $($(#[doc = $doc:literal])+
        $name:ident: $ty:ident $(as $shown:ident)? @ $offset:literal, $unit:literal, $kernel:literal, $since:literal;)+
        bits($info:ident) { $($bits:tt)+ }
    ) => {
        impl TcpInfo {
            /// Offset and size of each whole-byte field in the kernel's struct, bytes. These are the
            /// first of [`Table::FIELDS`].
            pub const LAYOUT: &'static [(usize, usize)] = &[$(($offset, size_of::<$ty>())),+];

            /// Hands over each whole-byte field that the kernel sent, with its number.
            pub fn for_each(&self, mut see: impl FnMut(&'static Field, u64)) {
                let mut fields = Self::FIELDS.iter();
                $(if let (Some(field), Some(value)) = (fields.next(), self.$name()) {
                    see(field, value.into());
                })+
            }

            $(
                #[doc = concat!("`", $kernel, "`:", $($doc),+)]
                #[doc = concat!("\n\nUnit: ", $unit, ". Since Linux ", $since, ".")]
                #[must_use]
                #[inline]
                pub fn $name(&self) -> Option<$ty> {
                    self.array($offset).map(<$ty>::from_ne_bytes)
                }
            )+
        }

        fields! {
            TcpInfo, $info => {
                $($(#[doc = $doc])+
                $name: Option<tcp_info!(@shown $ty $($shown)?)> =
                    $info.$name().map(<tcp_info!(@shown $ty $($shown)?)>::from),
                    $unit, $kernel, $since;)+
                $($bits)+
            }
        }
    };
    (@shown $ty:ident) => { $ty };
    (@shown $ty:ident $shown:ident) => { $shown };
}

tcp_info! {
    /// Connection state as TCP itself tells it, a moment after `state` was read.
    tcp_state: u8 as State @ 0, "", "tcpi_state", "2.4";
    /// Congestion state (`enum tcp_ca_state`).
    ca_state: u8 as CaState @ 1, "", "tcpi_ca_state", "2.4";
    /// Retransmission timeouts in a row without an answer.
    retransmits: u8 @ 2, "count", "tcpi_retransmits", "2.4";
    /// Probes of a zero window or keepalives without an answer.
    probes: u8 @ 3, "count", "tcpi_probes", "2.4";
    /// How often the retransmission timeout was doubled.
    backoff: u8 @ 4, "count", "tcpi_backoff", "2.4";
    /// What was negotiated (`TCPI_OPT_*`).
    tcp_options: u8 as TcpOptions @ 5, "", "tcpi_options", "2.4";
    /// Retransmission timeout.
    rto_us: u32 @ 8, "us", "tcpi_rto", "2.4";
    /// Timeout of a delayed ACK.
    ato_us: u32 @ 12, "us", "tcpi_ato", "2.4";
    /// Maximum segment size for sending.
    snd_mss: u32 @ 16, "bytes", "tcpi_snd_mss", "2.4";
    /// Estimated maximum segment size of what is received.
    rcv_mss: u32 @ 20, "bytes", "tcpi_rcv_mss", "2.4";
    /// Segments sent and not acknowledged; for a listener, connections that wait to be accepted.
    unacked: u32 @ 24, "segments", "tcpi_unacked", "2.4";
    /// Segments acknowledged selectively; for a listener, the limit of the accept queue.
    sacked: u32 @ 28, "segments", "tcpi_sacked", "2.4";
    /// Segments taken for lost.
    lost: u32 @ 32, "segments", "tcpi_lost", "2.4";
    /// Segments retransmitted and not acknowledged.
    retrans: u32 @ 36, "segments", "tcpi_retrans", "2.4";
    /// Segments up to the highest one acknowledged selectively (0 since 4.15).
    fackets: u32 @ 40, "segments", "tcpi_fackets", "2.4";
    /// Time since data was last sent.
    last_data_sent_ms: u32 @ 44, "ms", "tcpi_last_data_sent", "2.4";
    /// Not kept by the kernel: always 0.
    last_ack_sent_ms: u32 @ 48, "ms", "tcpi_last_ack_sent", "2.4";
    /// Time since data was last received.
    last_data_recv_ms: u32 @ 52, "ms", "tcpi_last_data_recv", "2.4";
    /// Time since an ACK was last received.
    last_ack_recv_ms: u32 @ 56, "ms", "tcpi_last_ack_recv", "2.4";
    /// Path MTU.
    pmtu: u32 @ 60, "bytes", "tcpi_pmtu", "2.4";
    /// Clamp of the window that is advertised.
    rcv_ssthresh: u32 @ 64, "bytes", "tcpi_rcv_ssthresh", "2.4";
    /// Smoothed round-trip time.
    rtt_us: u32 @ 68, "us", "tcpi_rtt", "2.4";
    /// Mean deviation of the round-trip time.
    rttvar_us: u32 @ 72, "us", "tcpi_rttvar", "2.4";
    /// Slow start threshold; 0x7fffffff when none.
    snd_ssthresh: u32 @ 76, "segments", "tcpi_snd_ssthresh", "2.4";
    /// Congestion window.
    snd_cwnd: u32 @ 80, "segments", "tcpi_snd_cwnd", "2.4";
    /// Maximum segment size that is advertised.
    advmss: u32 @ 84, "bytes", "tcpi_advmss", "2.4";
    /// Reordering that is tolerated.
    reordering: u32 @ 88, "segments", "tcpi_reordering", "2.4";
    /// Round-trip time as the receiver estimates it.
    rcv_rtt_us: u32 @ 92, "us", "tcpi_rcv_rtt", "2.6";
    /// Space for the receive queue, as tuned.
    rcv_space: u32 @ 96, "bytes", "tcpi_rcv_space", "2.6";
    /// Segments retransmitted during the whole connection.
    total_retrans: u32 @ 100, "segments", "tcpi_total_retrans", "2.6";
    /// Pacing rate; all ones when none.
    pacing_rate_bytes_per_second: u64 @ 104, "bytes/s", "tcpi_pacing_rate", "3.15";
    /// Limit of the pacing rate (`SO_MAX_PACING_RATE`); all ones when none.
    max_pacing_rate_bytes_per_second: u64 @ 112, "bytes/s", "tcpi_max_pacing_rate", "3.15";
    /// Bytes acknowledged by the peer (RFC 4898 tcpEStatsAppHCThruOctetsAcked).
    bytes_acked: u64 @ 120, "bytes", "tcpi_bytes_acked", "4.1";
    /// Bytes received (RFC 4898 tcpEStatsAppHCThruOctetsReceived).
    bytes_received: u64 @ 128, "bytes", "tcpi_bytes_received", "4.1";
    /// Segments sent (RFC 4898 tcpEStatsPerfSegsOut).
    segs_out: u32 @ 136, "segments", "tcpi_segs_out", "4.2";
    /// Segments received (RFC 4898 tcpEStatsPerfSegsIn).
    segs_in: u32 @ 140, "segments", "tcpi_segs_in", "4.2";
    /// Bytes written and not yet sent.
    notsent_bytes: u32 @ 144, "bytes", "tcpi_notsent_bytes", "4.6";
    /// Smallest round-trip time; all ones when unknown.
    min_rtt_us: u32 @ 148, "us", "tcpi_min_rtt", "4.6";
    /// Segments with data received (RFC 4898 tcpEStatsDataSegsIn).
    data_segs_in: u32 @ 152, "segments", "tcpi_data_segs_in", "4.6";
    /// Segments with data sent (RFC 4898 tcpEStatsDataSegsOut).
    data_segs_out: u32 @ 156, "segments", "tcpi_data_segs_out", "4.6";
    /// Delivery rate, last sample.
    delivery_rate_bytes_per_second: u64 @ 160, "bytes/s", "tcpi_delivery_rate", "4.9";
    /// Time with data to send.
    busy_time_us: u64 @ 168, "us", "tcpi_busy_time", "4.10";
    /// Time limited by the peer's receive window.
    rwnd_limited_us: u64 @ 176, "us", "tcpi_rwnd_limited", "4.10";
    /// Time limited by the send buffer.
    sndbuf_limited_us: u64 @ 184, "us", "tcpi_sndbuf_limited", "4.10";
    /// Segments delivered, out of order ones included.
    delivered: u32 @ 192, "segments", "tcpi_delivered", "4.18";
    /// Segments delivered with an ECN CE mark.
    delivered_ce: u32 @ 196, "segments", "tcpi_delivered_ce", "4.18";
    /// Bytes sent, retransmissions included (RFC 4898 tcpEStatsPerfHCDataOctetsOut).
    bytes_sent: u64 @ 200, "bytes", "tcpi_bytes_sent", "4.19";
    /// Bytes retransmitted (RFC 4898 tcpEStatsPerfOctetsRetrans).
    bytes_retrans: u64 @ 208, "bytes", "tcpi_bytes_retrans", "4.19";
    /// Duplicate SACK blocks received (RFC 4898 tcpEStatsStackDSACKDups).
    dsack_dups: u32 @ 216, "blocks", "tcpi_dsack_dups", "4.19";
    /// Reordering events seen.
    reord_seen: u32 @ 220, "count", "tcpi_reord_seen", "4.19";
    /// Segments received out of order.
    rcv_ooopack: u32 @ 224, "segments", "tcpi_rcv_ooopack", "5.4";
    /// The peer's receive window, scaled.
    snd_wnd: u32 @ 228, "bytes", "tcpi_snd_wnd", "5.4";
    /// Our receive window as advertised, scaled.
    rcv_wnd: u32 @ 232, "bytes", "tcpi_rcv_wnd", "6.2";
    /// Attempts to take another path (PLB or timeouts).
    rehash: u32 @ 236, "count", "tcpi_rehash", "6.2";
    /// Retransmission timeouts during the whole connection.
    total_rto: u16 @ 240, "count", "tcpi_total_rto", "6.7";
    /// Recoveries from retransmission timeouts.
    total_rto_recoveries: u16 @ 242, "count", "tcpi_total_rto_recoveries", "6.7";
    /// Time spent in such recoveries.
    total_rto_time_ms: u32 @ 244, "ms", "tcpi_total_rto_time", "6.7";
    /// Segments received with a CE mark.
    received_ce: u32 @ 248, "segments", "tcpi_received_ce", "6.18";
    /// Accurate ECN: bytes delivered with ECT(1).
    delivered_e1_bytes: u32 @ 252, "bytes", "tcpi_delivered_e1_bytes", "6.18";
    /// Accurate ECN: bytes delivered with ECT(0).
    delivered_e0_bytes: u32 @ 256, "bytes", "tcpi_delivered_e0_bytes", "6.18";
    /// Accurate ECN: bytes delivered with CE.
    delivered_ce_bytes: u32 @ 260, "bytes", "tcpi_delivered_ce_bytes", "6.18";
    /// Accurate ECN: bytes received with ECT(1).
    received_e1_bytes: u32 @ 264, "bytes", "tcpi_received_e1_bytes", "6.18";
    /// Accurate ECN: bytes received with ECT(0).
    received_e0_bytes: u32 @ 268, "bytes", "tcpi_received_e0_bytes", "6.18";
    /// Accurate ECN: bytes received with CE.
    received_ce_bytes: u32 @ 272, "bytes", "tcpi_received_ce_bytes", "6.18";
    bits(info) {
        /// Window scaling of what the peer advertises, a power of two.
        snd_wscale: Option<u8> = info.snd_wscale(), "", "tcpi_snd_wscale", "2.4";
        /// Window scaling of what we advertise, a power of two.
        rcv_wscale: Option<u8> = info.rcv_wscale(), "", "tcpi_rcv_wscale", "2.4";
        /// The delivery rate was limited by what the application wrote.
        delivery_rate_app_limited: Option<bool> = info.delivery_rate_app_limited(), "", "tcpi_delivery_rate_app_limited", "4.9";
        /// Why a Fast Open of ours failed.
        fastopen_client_fail: Option<FastOpenFail> = info.fastopen_client_fail().map(FastOpenFail), "", "tcpi_fastopen_client_fail", "5.5";
        /// Explicit congestion notification that was negotiated.
        ecn_mode: Option<EcnMode> = info.ecn_mode().map(EcnMode), "", "tcpi_ecn_mode", "7.0";
        /// Accurate ECN: the option as it was seen.
        accecn_opt_seen: Option<AccEcnOption> = info.accecn_opt_seen().map(AccEcnOption), "", "tcpi_accecn_opt_seen", "6.18";
        /// Accurate ECN: what failed.
        accecn_fail_mode: Option<AccEcnFail> = info.accecn_fail_mode().map(AccEcnFail), "", "tcpi_accecn_fail_mode", "6.18";
        /// More options that were negotiated, 24 bits as the kernel counts them.
        tcp_options2: Option<u32> = info.options2(), "", "tcpi_options2", "7.0";
    }
}

words! {
    /// `enum tcp_ca_state` (linux/tcp.h).
    CaState(u8): 0 "open", 1 "disorder", 2 "cwr", 3 "recovery", 4 "loss";
    /// `enum tcp_fastopen_client_fail` (linux/tcp.h).
    FastOpenFail(u8): 0 "unspecified", 1 "no_cookie", 2 "data_not_acked", 3 "syn_retransmitted";
    /// `TCPI_ECN_MODE_*` (linux/tcp.h).
    EcnMode(u8): 0 "disabled", 1 "rfc3168", 2 "accecn", 3 "pending";
    /// `TCP_ACCECN_OPT_*` (linux/tcp.h).
    AccEcnOption(u16): 0 "not_seen", 1 "empty_seen", 2 "counter_seen", 3 "fail_seen";
}

flags! {
    /// `TCPI_OPT_*` (linux/tcp.h).
    TcpOptions(u8): "timestamps", "sack", "wscale", "ecn", "ecn_seen", "syn_data", "usec_ts",
        "tfo_child";
    /// `TCP_ACCECN_*_FAIL_*` (linux/tcp.h).
    AccEcnFail(u16): "ace_fail_send", "ace_fail_recv", "opt_fail_send", "opt_fail_recv";
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each field filled with its own number.
    fn counted() -> [u8; TcpInfo::SIZE] {
        let mut bytes = [0; TcpInfo::SIZE];
        for (i, (offset, size)) in TcpInfo::LAYOUT.iter().enumerate() {
            let value = (i as u64 + 1).to_ne_bytes();
            bytes[*offset..offset + size].copy_from_slice(&value[..*size]);
        }
        bytes
    }

    #[test]
    fn fields_fill_the_struct_without_overlap() {
        let mut end = 0;
        for (field, (offset, size)) in TcpInfo::FIELDS.iter().zip(TcpInfo::LAYOUT) {
            // Two bytes of bit fields stand at 6.
            let start = if end == 6 { 8 } else { end };
            assert_eq!(*offset, start, "{}", field.name);
            assert_eq!(offset % size, 0, "{} is aligned", field.name);
            end = offset + size;
        }
        assert_eq!(end, 276, "the last word depends on the kernel's version");
    }

    #[test]
    fn every_field_reads_its_own_bytes() {
        let info = TcpInfo::new(&counted(), None);
        let mut seen = 0;
        info.for_each(|_, value| {
            seen += 1;
            assert_eq!(value, seen);
        });
        assert_eq!(seen as usize, TcpInfo::LAYOUT.len());
    }

    #[test]
    fn a_field_is_absent_when_the_struct_ends_before_it() {
        for len in 0..=TcpInfo::SIZE {
            let info = TcpInfo::new(&counted()[..len], None);
            let mut present = Vec::new();
            info.for_each(|field, _| present.push(field.name));
            let expected: Vec<_> = TcpInfo::FIELDS
                .iter()
                .zip(TcpInfo::LAYOUT)
                .filter(|(_, (offset, size))| offset + size <= len)
                .map(|(field, _)| field.name)
                .collect();
            assert_eq!(present, expected, "{len} bytes");
        }
    }

    #[test]
    fn bits_of_old_structs_are_absent_not_zero() {
        let mut bytes = counted();
        bytes[6] = 0x37;
        bytes[7] = 0b0000_0101;
        let new = TcpInfo::new(&bytes, None);
        assert_eq!((new.snd_wscale(), new.rcv_wscale()), (Some(7), Some(3)));
        assert_eq!(new.delivery_rate_app_limited(), Some(true));
        assert_eq!(new.fastopen_client_fail(), Some(2));
        let old = TcpInfo::new(&bytes[..104], None);
        assert_eq!(old.delivery_rate_app_limited(), None);
        assert_eq!(old.fastopen_client_fail(), None);
        assert_eq!(old.zero_extended().snd_wnd(), Some(0));
    }

    #[test]
    fn last_word_is_read_as_the_kernels_version_says() {
        let mut bytes = counted();
        bytes[276..280].copy_from_slice(&0xabcd_ef1b_u32.to_ne_bytes());
        let unknown = TcpInfo::new(&bytes, None);
        assert_eq!((unknown.ecn_mode(), unknown.accecn_opt_seen()), (None, None));
        let halves = TcpInfo::new(&bytes, Some(EcnLayout::Halves));
        assert_eq!(halves.accecn_fail_mode(), Some(0xef1b));
        assert_eq!(halves.accecn_opt_seen(), Some(0xabcd));
        assert_eq!((halves.ecn_mode(), halves.options2()), (None, None));
        let bits = TcpInfo::new(&bytes, Some(EcnLayout::Bits));
        assert_eq!((bits.ecn_mode(), bits.accecn_opt_seen()), (Some(3), Some(2)));
        assert_eq!((bits.accecn_fail_mode(), bits.options2()), (Some(1), Some(0x00ab_cdef)));
    }

    #[test]
    fn a_longer_struct_than_known_is_cut() {
        assert_eq!(TcpInfo::new(&[1; 400], None).sent_len(), TcpInfo::SIZE);
    }
}
