//! What `-i` and `-m` tell of a TCP socket.
//!
//! The order of the words and the rules by which one is left out are those of `ss`; a field that
//! the kernel did not send counts as 0 there, and so does it here.

use sockeye_model::{
    BbrInfo, CongestionInfo, MemInfo, MptcpSubflow, SkMemInfo, Socket, State, TcpInfo, TlsCipher,
    TlsConf, TlsInfo, TlsVersion, Ulp,
};

use crate::escape::Escape;
use crate::line::{Line, Room, Text, Written};
use crate::number;
use crate::resolve::Names;
use crate::version::Version;

/// What decides how the words look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    pub(crate) version: Version,
    /// `-n`: rates in bits a second, unscaled.
    pub(crate) numeric: bool,
    /// `-o`, `-e`: the options negotiated too.
    pub(crate) options: bool,
    pub(crate) escape: Escape,
}

/// Where a row's numbers are put together, and what rows have in common.
#[derive(Debug)]
pub(crate) struct Scratch {
    room: [u8; Room::LEN],
    scales: Written<[u8; 2]>,
    /// By `snd_mss`, `pmtu`, `rcv_mss` and `advmss`: what both ends and the path between them allow.
    sizes: Written<[u32; 4]>,
    /// BBR has a handful of them.
    gains: Written<[u32; 2]>,
}

impl Default for Scratch {
    fn default() -> Self {
        Scratch {
            room: [0; Room::LEN],
            scales: Written::default(),
            sizes: Written::default(),
            gains: Written::default(),
        }
    }
}

/// Appends ` name:value` unless the value is 0.
#[inline(always)]
fn counter(line: &mut Line<'_>, name: &str, value: impl Into<u64>) {
    let value = value.into();
    if value != 0 {
        number::named(line, name, value);
    }
}

/// The same for a number that `ss` prints as a signed one.
#[inline(always)]
fn signed_counter(line: &mut Line<'_>, name: &str, value: u32) {
    if value != 0 {
        number::named_signed(line, name, value.cast_signed());
    }
}

/// The same for a time in µs, printed in ms.
#[inline(always)]
fn milliseconds(line: &mut Line<'_>, name: &str, value_us: u32) {
    if value_us != 0 {
        number::named_thousandths(line, name, value_us);
    }
}

/// Appends ` name rate` of `bits` a second.
#[inline(always)]
fn rate(line: &mut Line<'_>, name: &str, bits: f64, style: Style) {
    if style.numeric {
        number::named_whole(line, name, bits);
    } else {
        let scale = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
        match scale.into_iter().find(|(unit, _)| bits >= *unit) {
            Some((unit, letter)) => {
                number::named_general(line, name, bits / unit, 3);
                line.word(letter);
            }
            None => number::named_general(line, name, bits, 6),
        }
    }
    line.word("bps");
}

/// The same unless the rate is 0.
#[inline(always)]
fn rate_unless_zero(line: &mut Line<'_>, name: &str, bits: f64, style: Style) {
    if bits != 0.0 {
        rate(line, name, bits, style);
    }
}

/// Bytes a second as the double of bits that `ss` computes with.
fn bits(bytes: u64) -> f64 {
    bytes as f64 * 8.0
}

/// Appends memory, `-i`'s numbers, the signatures' peers and the upper-layer protocol.
pub(crate) fn describe(
    out: &mut Vec<u8>,
    scratch: &mut Scratch,
    socket: &Socket,
    style: Style,
    names: &mut Names,
) {
    memory(out, socket.skmem.as_ref(), socket.mem.as_ref());
    match &socket.tcp_info {
        Some(info) if info.sent_len() == TcpInfo::SIZE => {
            numbers(out, scratch, socket, info, style);
        }
        Some(info) => numbers(out, scratch, socket, &info.zero_extended(), style),
        None => {}
    }
    if !socket.md5.is_empty() {
        out.extend_from_slice(b" md5keys:");
        for (index, signature) in socket.md5.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            names.host(out, signature.address);
            out.push(b'/');
            number::unsigned(out, signature.prefix_len);
            out.extend_from_slice(b"=<redacted>");
        }
    }
    if let Some(ulp) = &socket.ulp {
        upper_layer(out, ulp, style);
    }
}

fn memory(out: &mut Vec<u8>, skmem: Option<&SkMemInfo>, mem: Option<&MemInfo>) {
    fn list(out: &mut Vec<u8>, values: &[(&str, u32)]) {
        for (name, value) in values {
            out.extend_from_slice(name.as_bytes());
            number::unsigned(out, *value);
        }
    }
    if let Some(mem) = skmem {
        list(
            out,
            &[
                (" skmem:(r", mem.rmem_alloc),
                (",rb", mem.rcvbuf),
                (",t", mem.wmem_alloc),
                (",tb", mem.sndbuf),
                (",f", mem.fwd_alloc),
                (",w", mem.wmem_queued),
                (",o", mem.optmem),
            ],
        );
        for (name, value) in [(",bl", mem.backlog), (",d", mem.drops)] {
            if let Some(value) = value {
                list(out, &[(name, value)]);
            }
        }
        out.push(b')');
    } else if let Some(mem) = mem {
        let values = [(" mem:(r", mem.rmem), (",w", mem.wmem), (",f", mem.fmem), (",t", mem.tmem)];
        list(out, &values);
        out.push(b')');
    }
}

/// Bits of `tcpi_options` (`TCPI_OPT_*`, linux/tcp.h).
const TIMESTAMPS: u8 = 1;
const SACK: u8 = 2;
const WSCALE: u8 = 4;
const ECN: u8 = 8;
const ECN_SEEN: u8 = 16;
const SYN_DATA: u8 = 32;
const USEC_TS: u8 = 64;

fn numbers(
    out: &mut Vec<u8>,
    scratch: &mut Scratch,
    socket: &Socket,
    info: &TcpInfo,
    style: Style,
) {
    let options = info.tcp_options().unwrap_or(0);
    negotiated(out, options, socket, style);
    let Scratch { room, scales, sizes, gains } = scratch;
    let mut whole = Line::new(out, room);
    let line = &mut whole;
    if options & WSCALE != 0 {
        let (send, receive) = (info.snd_wscale().unwrap_or(0), info.rcv_wscale().unwrap_or(0));
        scales.write(line, [send, receive], |line| {
            number::named(line, " wscale:", send.into());
            number::named(line, ",", receive.into());
        });
    }
    let rto = info.rto_us().unwrap_or(0);
    if rto != 3_000_000 {
        milliseconds(line, " rto:", rto);
    }
    counter(line, " backoff:", info.backoff().unwrap_or(0));
    let rtt = info.rtt_us().unwrap_or(0);
    if rtt != 0 {
        number::named_thousandths(line, " rtt:", rtt);
        number::named_thousandths(line, "/", info.rttvar_us().unwrap_or(0));
    }
    milliseconds(line, " ato:", info.ato_us().unwrap_or(0));
    let (mss, cwnd) = (info.snd_mss().unwrap_or(0), info.snd_cwnd().unwrap_or(0));
    let (pmtu, rcv_mss) = (info.pmtu().unwrap_or(0), info.rcv_mss().unwrap_or(0));
    let advmss = info.advmss().unwrap_or(0);
    sizes.write(line, [mss, pmtu, rcv_mss, advmss], |line| {
        signed_counter(line, " mss:", mss);
        counter(line, " pmtu:", pmtu);
        signed_counter(line, " rcvmss:", rcv_mss);
        signed_counter(line, " advmss:", advmss);
    });
    counter(line, " cwnd:", cwnd);
    let ssthresh = info.snd_ssthresh().unwrap_or(0);
    if ssthresh < 0xffff {
        counter(line, " ssthresh:", ssthresh);
    }
    line.part();
    counter(line, " bytes_sent:", info.bytes_sent().unwrap_or(0));
    counter(line, " bytes_retrans:", info.bytes_retrans().unwrap_or(0));
    counter(line, " bytes_acked:", info.bytes_acked().unwrap_or(0));
    counter(line, " bytes_received:", info.bytes_received().unwrap_or(0));
    counter(line, " segs_out:", info.segs_out().unwrap_or(0));
    counter(line, " segs_in:", info.segs_in().unwrap_or(0));
    counter(line, " data_segs_out:", info.data_segs_out().unwrap_or(0));
    counter(line, " data_segs_in:", info.data_segs_in().unwrap_or(0));
    congestion(line, gains, socket.congestion_info.as_ref(), style);
    line.part();
    rates(line, socket, info, style);
    line.part();
    limits(line, info);
    line.part();
    segments(line, socket, info, style);
    whole.finish();
}

fn negotiated(out: &mut Vec<u8>, options: u8, socket: &Socket, style: Style) {
    if style.options {
        let words = [
            (TIMESTAMPS, " ts"),
            (if style.version >= Version::V7_1 { USEC_TS } else { 0 }, " usec_ts"),
            (SACK, " sack"),
            (ECN, " ecn"),
            (ECN_SEEN, " ecnseen"),
            (SYN_DATA, " fastopen"),
        ];
        for (_, word) in words.into_iter().filter(|(bit, _)| options & bit != 0) {
            out.extend_from_slice(word.as_bytes());
        }
    }
    if let Some(name) = socket.congestion.as_ref().filter(|name| !name.is_empty()) {
        out.push(b' ');
        // `ss` keeps 15 bytes of it.
        let bytes = name.as_bytes().get(..15).unwrap_or(name.as_bytes());
        if style.escape.passes(bytes) {
            out.piece(name.prefix::<16>(), bytes.len());
        } else {
            style.escape.write(out, bytes);
        }
    }
}

#[inline(always)]
fn congestion(
    line: &mut Line<'_>,
    gains: &mut Written<[u32; 2]>,
    block: Option<&CongestionInfo>,
    style: Style,
) {
    match block {
        Some(CongestionInfo::Dctcp(dctcp)) if dctcp.enabled != 0 => {
            for (name, value) in [
                (" dctcp:(ce_state:", u32::from(dctcp.ce_state)),
                (",alpha:", dctcp.alpha),
                (",ab_ecn:", dctcp.ab_ecn),
                (",ab_tot:", dctcp.ab_tot),
            ] {
                number::named(line, name, value.into());
            }
            line.word(")");
        }
        Some(CongestionInfo::Dctcp(_)) => line.word(" dctcp:fallback_mode"),
        Some(CongestionInfo::Bbr(bbr)) => model_of_bbr(line, gains, bbr, style),
        // Vegas shows in the rate alone.
        Some(CongestionInfo::Vegas(_)) | None => {}
    }
}

fn model_of_bbr(line: &mut Line<'_>, gains: &mut Written<[u32; 2]>, bbr: &BbrInfo, style: Style) {
    rate(line, " bbr:(bw:", bits(bbr.bandwidth_bytes_per_second), style);
    number::named_thousandths(line, ",mrtt:", bbr.min_rtt_us);
    let (pacing, cwnd) = (bbr.pacing_gain, bbr.cwnd_gain);
    gains.write(line, [pacing, cwnd], |line| {
        for (name, gain) in [(",pacing_gain:", pacing), (",cwnd_gain:", cwnd)] {
            if gain != 0 {
                number::named_general(line, name, f64::from(gain) / 256.0, 6);
            }
        }
        line.word(")");
    });
}

#[inline(always)]
fn rates(line: &mut Line<'_>, socket: &Socket, info: &TcpInfo, style: Style) {
    const NONE: u64 = u64::MAX;
    let mut rtt = info.rtt_us().unwrap_or(0);
    if let Some(CongestionInfo::Vegas(vegas)) = &socket.congestion_info
        && vegas.enabled != 0
        && vegas.rtt_us != 0
        && vegas.rtt_us != 0x7fff_ffff
    {
        rtt = vegas.rtt_us;
    }
    let (mss, cwnd) = (info.snd_mss().unwrap_or(0), info.snd_cwnd().unwrap_or(0));
    if rtt > 0 {
        let bits = f64::from(cwnd) * f64::from(mss) * 8_000_000.0 / f64::from(rtt);
        rate_unless_zero(line, " send ", bits, style);
    }
    counter(line, " lastsnd:", info.last_data_sent_ms().unwrap_or(0));
    counter(line, " lastrcv:", info.last_data_recv_ms().unwrap_or(0));
    counter(line, " lastack:", info.last_ack_recv_ms().unwrap_or(0));
    let pacing = info.pacing_rate_bytes_per_second().unwrap_or(0);
    if pacing != 0 && pacing != NONE {
        rate_unless_zero(line, " pacing_rate ", bits(pacing), style);
        let limit = info.max_pacing_rate_bytes_per_second().unwrap_or(0);
        if limit != NONE {
            rate_unless_zero(line, "/", bits(limit), style);
        }
    }
    let delivery = info.delivery_rate_bytes_per_second().unwrap_or(0);
    rate_unless_zero(line, " delivery_rate ", bits(delivery), style);
    counter(line, " delivered:", info.delivered().unwrap_or(0));
    counter(line, " delivered_ce:", info.delivered_ce().unwrap_or(0));
    if info.delivery_rate_app_limited() == Some(true) {
        line.word(" app_limited");
    }
}

/// What the sender was limited by.
#[inline(always)]
fn limits(line: &mut Line<'_>, info: &TcpInfo) {
    let busy = info.busy_time_us().unwrap_or(0);
    if busy == 0 {
        return;
    }
    number::named(line, " busy:", busy / 1000);
    line.word("ms");
    for (name, time) in [
        (" rwnd_limited:", info.rwnd_limited_us().unwrap_or(0)),
        (" sndbuf_limited:", info.sndbuf_limited_us().unwrap_or(0)),
    ] {
        if time != 0 {
            number::named(line, name, time / 1000);
            number::named_tenths(line, "ms(", 100.0 * time as f64 / busy as f64);
            line.word("%)");
        }
    }
}

#[inline(always)]
fn segments(line: &mut Line<'_>, socket: &Socket, info: &TcpInfo, style: Style) {
    counter(line, " unacked:", info.unacked().unwrap_or(0));
    retransmitted(line, info.retrans().unwrap_or(0), info.total_retrans().unwrap_or(0));
    counter(line, " lost:", info.lost().unwrap_or(0));
    if socket.state != State::Listen {
        counter(line, " sacked:", info.sacked().unwrap_or(0));
    }
    counter(line, " dsack_dups:", info.dsack_dups().unwrap_or(0));
    counter(line, " fackets:", info.fackets().unwrap_or(0));
    reordering(line, info.reordering().unwrap_or(0));
    signed_counter(line, " reord_seen:", info.reord_seen().unwrap_or(0));
    milliseconds(line, " rcv_rtt:", info.rcv_rtt_us().unwrap_or(0));
    signed_counter(line, " rcv_space:", info.rcv_space().unwrap_or(0));
    counter(line, " rcv_ssthresh:", info.rcv_ssthresh().unwrap_or(0));
    counter(line, " notsent:", info.notsent_bytes().unwrap_or(0));
    let min_rtt = info.min_rtt_us().unwrap_or(0);
    if min_rtt != u32::MAX {
        milliseconds(line, " minrtt:", min_rtt);
    }
    counter(line, " rcv_ooopack:", info.rcv_ooopack().unwrap_or(0));
    counter(line, " snd_wnd:", info.snd_wnd().unwrap_or(0));
    if style.version >= Version::V7_1 {
        counter(line, " rcv_wnd:", info.rcv_wnd().unwrap_or(0));
        counter(line, " rehash:", info.rehash().unwrap_or(0));
    }
}

/// ` retrans:NOW/TOTAL` unless both are 0.
#[inline(always)]
pub(crate) fn retransmitted(line: &mut Line<'_>, now: u32, total: u32) {
    if now != 0 || total != 0 {
        number::named(line, " retrans:", now.into());
        number::named(line, "/", total.into());
    }
}

/// ` reordering:N` unless it is 3, the kernel's default.
#[inline(always)]
pub(crate) fn reordering(line: &mut Line<'_>, segments: u32) {
    if segments != 3 {
        number::named_signed(line, " reordering:", segments.cast_signed());
    }
}

fn upper_layer(out: &mut Vec<u8>, ulp: &Ulp, style: Style) {
    if let Some(name) = &ulp.name {
        out.extend_from_slice(b" tcp-ulp-");
        style.escape.write(out, name.as_bytes());
    }
    if let Some(tls) = &ulp.tls {
        kernel_tls(out, tls, style);
    }
    if let Some(subflow) = &ulp.mptcp {
        mptcp_subflow(out, subflow, style);
    }
}

fn kernel_tls(out: &mut Vec<u8>, tls: &TlsInfo, style: Style) {
    match tls.version {
        None => {}
        Some(TlsVersion::TLS_1_2) => out.extend_from_slice(b" version: 1.2"),
        Some(TlsVersion::TLS_1_3) => out.extend_from_slice(b" version: 1.3"),
        Some(TlsVersion(other)) => {
            out.extend_from_slice(b" version: unknown(");
            number::unsigned(out, other);
            out.push(b')');
        }
    }
    // The other ciphers have no name in `ss`, and are left out.
    if let Some(name @ ("aes-gcm-128" | "aes-gcm-256")) = tls.cipher.and_then(TlsCipher::name) {
        out.extend_from_slice(b" cipher: ");
        out.extend_from_slice(name.as_bytes());
    }
    for (name, conf) in [(" rxconf: ", tls.rx_conf), (" txconf: ", tls.tx_conf)] {
        let Some(conf) = conf else { continue };
        out.extend_from_slice(name.as_bytes());
        if let Some(name) = TlsConf::name(conf) {
            out.extend_from_slice(name.as_bytes());
        } else {
            out.extend_from_slice(b"unknown(");
            number::unsigned(out, conf.0);
            out.push(b')');
        }
    }
    if tls.zerocopy_sendfile {
        out.extend_from_slice(b" zc_ro_tx");
    }
    if tls.rx_no_pad && style.version >= Version::V7_1 {
        out.extend_from_slice(b" no_pad_rx");
    }
}

/// `MPTCP_SUBFLOW_FLAG_*` from the lowest bit (linux/mptcp.h), as `ss` abbreviates them.
const SUBFLOW_FLAGS: &[u8; 9] = b"MmJjBbecv";

fn mptcp_subflow(out: &mut Vec<u8>, subflow: &MptcpSubflow, style: Style) {
    if let Some(flags) = subflow.flags.filter(|flags| *flags != 0) {
        out.extend_from_slice(b" flags:");
        let set = SUBFLOW_FLAGS.iter().enumerate().filter(|(bit, _)| flags >> bit & 1 != 0);
        out.extend(set.map(|(_, letter)| *letter));
    }
    if let (Some(token_remote), Some(token_local), Some(id_remote), Some(id_local)) =
        (subflow.token_remote, subflow.token_local, subflow.id_remote, subflow.id_local)
    {
        for (before, token, id) in
            [(" token:", token_remote, id_remote), ("/", token_local, id_local)]
        {
            out.extend_from_slice(before.as_bytes());
            number::hex(out, token, 4);
            out.extend_from_slice(b"(id:");
            number::unsigned(out, id);
            out.push(b')');
        }
    }
    let values = [
        (" seq:", subflow.map_seq),
        (" sfseq:", subflow.map_subflow_seq.map(u64::from)),
        (" ssnoff:", subflow.ssn_offset.map(u64::from)),
        (" maplen:", subflow.map_data_len.map(u64::from)),
    ];
    for (name, value) in values {
        let Some(value) = value else { continue };
        out.extend_from_slice(name.as_bytes());
        match style.version {
            Version::V6_1 => number::hex(out, value, 1),
            Version::V7_1 => number::unsigned(out, value),
        }
    }
}
