//! What kernels 6.1 and 6.12 told of connections that were set up for it.
//!
//! These kernels have what others lack: kernel TLS, dctcp, vegas, a shorter struct tcp_info.
//! `recorded/README.md` says what was set up, and how it was recorded.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;
use std::ops::ControlFlow;
use std::path::PathBuf;

use sockeye_diag::{Sockets, recording};
use sockeye_model::{
    CongestionInfo, DctcpInfo, Family, Md5Signature, MptcpSubflow, Name, Shutdown, Socket, State,
    TcpInfo, TimerKind, TlsCipher, TlsConf, TlsInfo, TlsVersion, VegasInfo,
};

/// The kernels, and the length of their struct tcp_info.
const KERNELS: [(&str, usize); 2] = [("6_1", 232), ("6_12", 248)];
/// The files that both kernels have.
const OF_BOTH: [&str; 5] = ["dctcp", "vegas", "tls", "mptcp", "losses"];

/// Bits of `tcpi_options` (linux/tcp.h).
const TCPI_OPT_ECN: u8 = 8;
const TCPI_OPT_ECN_SEEN: u8 = 16;

#[derive(Default)]
struct Recorded(Vec<Socket>);

impl Sockets for Recorded {
    fn socket(&mut self, socket: &Socket) -> ControlFlow<()> {
        self.0.push(socket.clone());
        ControlFlow::Continue(())
    }
    fn restart(&mut self) {
        self.0.clear();
    }
}

impl Recorded {
    /// The sockets of a file, each of them decoded to its last byte.
    fn of(kernel: &str, name: &str) -> Self {
        let mut recorded = Recorded::default();
        let report = recording::read(File::open(path(kernel, name)).unwrap(), &mut recorded);
        let report = report.unwrap();
        assert_eq!((report.malformed, report.malformed_example), (0, None), "{kernel} {name}");
        assert_eq!(usize::try_from(report.sockets).unwrap(), recorded.0.len());
        assert!(!recorded.0.is_empty());
        recorded
    }

    /// The socket with these ports.
    fn between(&self, local: u16, peer: u16) -> &Socket {
        let found = self.0.iter().find(|s| (s.local.port, s.peer.port) == (local, peer));
        found.unwrap_or_else(|| panic!("no socket from port {local} to port {peer}"))
    }

    /// The end that connected to this port.
    fn client(&self, port: u16) -> &Socket {
        self.between(port + 30_000, port)
    }

    /// The end that accepted on this port.
    fn server(&self, port: u16) -> &Socket {
        self.between(port, port + 30_000)
    }
}

fn path(kernel: &str, name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/recorded")
        .join(format!("linux_{kernel}_{name}.bin"))
}

fn info(socket: &Socket) -> &TcpInfo {
    socket.tcp_info.as_ref().unwrap()
}

fn congestion(socket: &Socket) -> String {
    socket.congestion.unwrap().to_string()
}

fn vegas(socket: &Socket) -> VegasInfo {
    match socket.congestion_info {
        Some(CongestionInfo::Vegas(vegas)) => vegas,
        other => panic!("{other:?}"),
    }
}

fn dctcp(socket: &Socket) -> DctcpInfo {
    match socket.congestion_info {
        Some(CongestionInfo::Dctcp(dctcp)) => dctcp,
        other => panic!("{other:?}"),
    }
}

#[test]
fn tcp_info_ends_where_the_kernel_ended_it() {
    for (kernel, len) in KERNELS {
        let newer = kernel == "6_12";
        for name in OF_BOTH {
            for socket in &Recorded::of(kernel, name).0 {
                let info = info(socket);
                assert_eq!(info.sent_len(), len, "{kernel} {name}");
                assert_eq!(info.connection_state(), Some(socket.state));
                assert!(info.snd_wnd().is_some());
                assert_eq!(info.rcv_wnd().is_some(), newer);
                assert_eq!(info.rehash().is_some(), newer);
                assert_eq!(info.total_rto_time_ms().is_some(), newer);
                assert_eq!((info.received_ce(), info.delivered_e1_bytes()), (None, None));
                assert_eq!((info.ecn_mode(), info.accecn_fail_mode()), (None, None));
            }
        }
    }
}

#[test]
fn dctcp_tells_of_marks_and_of_its_fallback() {
    for (kernel, _) in KERNELS {
        let recorded = Recorded::of(kernel, "dctcp");
        for socket in [1200, 1201, 1202].map(|port| recorded.client(port)) {
            assert_eq!(congestion(socket), "dctcp");
            let DctcpInfo { enabled, alpha, .. } = dctcp(socket);
            assert_eq!(enabled, 1);
            assert!((1..1024).contains(&alpha), "decayed from 1, {alpha}/1024");
            assert_eq!(socket.tos, Some(2), "its packets are ECT(0)");
            let ecn = TCPI_OPT_ECN | TCPI_OPT_ECN_SEEN;
            assert_eq!(info(socket).tcp_options().unwrap() & ecn, ecn);
        }
        assert_eq!(recorded.client(1202).tclass, Some(2));
        // Packets from the client were marked, and the receiver saw the last mark.
        assert_eq!(info(recorded.client(1200)).delivered_ce(), Some(0));
        assert!(info(recorded.client(1201)).delivered_ce() > Some(0));
        assert_eq!(dctcp(recorded.server(1201)).ce_state, 1);

        for socket in [1203, 1204].map(|port| recorded.client(port)) {
            assert_eq!(congestion(socket), "dctcp-reno");
            assert_eq!(dctcp(socket), DctcpInfo::default());
            assert_eq!(info(socket).tcp_options().unwrap() & TCPI_OPT_ECN, 0);
        }
        assert_eq!(congestion(recorded.server(1204)), "cubic");
        assert_eq!(recorded.server(1204).congestion_info, None);
    }
}

#[test]
fn vegas_and_its_kin_tell_of_round_trips() {
    const UNKNOWN: u32 = 0x7fff_ffff;
    for (kernel, _) in KERNELS {
        let recorded = Recorded::of(kernel, "vegas");
        let names = [(1102, "vegas"), (1103, "illinois"), (1104, "yeah"), (1105, "nv")];
        for (port, name) in names.into_iter().chain([(1150, "vegas")]) {
            let socket = recorded.client(port);
            assert_eq!(congestion(socket), name);
            let VegasInfo { enabled, rtt_us, min_rtt_us, .. } = vegas(socket);
            assert_eq!(enabled, 1);
            // Which of the two is known depends on the algorithm and the moment. Packets took 2 ms
            // each way.
            let known = [rtt_us, min_rtt_us].into_iter().find(|us| (1..UNKNOWN).contains(us));
            assert!((4_000..20_000).contains(&known.unwrap()), "{name}: {known:?}");
            assert!(info(socket).min_rtt_us() >= Some(4_000));
        }
        let unused = VegasInfo { enabled: 1, rtt_count: 0, rtt_us: UNKNOWN, min_rtt_us: UNKNOWN };
        assert_eq!(vegas(recorded.client(1151)), unused);
    }
}

#[test]
fn a_congestion_control_has_its_own_block_or_none() {
    let recorded = Recorded::of("6_12", "congestion");
    for (port, name) in [(1100, "reno"), (1101, "cubic"), (1108, "htcp")] {
        let socket = recorded.client(port);
        assert_eq!((congestion(socket).as_str(), socket.congestion_info), (name, None));
    }
    let Some(CongestionInfo::Bbr(bbr)) = recorded.client(1106).congestion_info else {
        panic!("no block of bbr");
    };
    assert!((4_000..20_000).contains(&bbr.min_rtt_us));
    assert!(bbr.bandwidth_bytes_per_second > 1_000_000);
    // bbr_high_gain of net/ipv4/tcp_bbr.c: 2885/1000 + 1/256, which it starts with.
    assert_eq!((bbr.pacing_gain, bbr.cwnd_gain), (739, 739));
    // Westwood tells of itself in Vegas's struct.
    assert_eq!(congestion(recorded.client(1107)), "westwood");
    assert!(vegas(recorded.client(1107)).min_rtt_us >= 4_000);
}

#[test]
fn kernel_tls_tells_version_cipher_and_directions() {
    const NONE: u16 = 1;
    const SW: u16 = 2;
    let (tls12, tls13) = (TlsVersion::TLS_1_2, TlsVersion::TLS_1_3);
    for (kernel, _) in KERNELS {
        let recorded = Recorded::of(kernel, "tls");
        let (client, server) = (Recorded::client, Recorded::server);
        type End = for<'a> fn(&'a Recorded, u16) -> &'a Socket;
        let set_up: [(End, u16, TlsVersion, &str, u16, u16); 12] = [
            (client, 1300, tls12, "aes-gcm-128", SW, NONE),
            (client, 1301, tls12, "aes-gcm-256", SW, SW),
            (server, 1301, tls12, "aes-gcm-256", SW, SW),
            (client, 1302, tls12, "aes-ccm-128", SW, NONE),
            (client, 1303, tls12, "chacha20-poly1305", SW, NONE),
            (client, 1304, tls13, "aes-gcm-128", SW, SW),
            (server, 1304, tls13, "aes-gcm-128", SW, SW),
            (client, 1305, tls13, "aes-gcm-256", SW, NONE),
            (server, 1305, tls13, "aes-gcm-256", NONE, SW),
            (client, 1306, tls13, "aes-ccm-128", SW, NONE),
            (client, 1307, tls13, "chacha20-poly1305", SW, NONE),
            (client, 1350, tls13, "aes-gcm-128", SW, NONE),
        ];
        for (end, port, version, cipher, tx, rx) in set_up {
            let ulp = end(&recorded, port).ulp.unwrap();
            assert_eq!((ulp.name, ulp.mptcp), (Some(Name::new(b"tls")), None));
            let tls = ulp.tls.unwrap();
            assert_eq!(tls.cipher.and_then(TlsCipher::name), Some(cipher), "port {port}");
            let expected = TlsInfo {
                version: Some(version),
                cipher: tls.cipher,
                tx_conf: Some(TlsConf(tx)),
                rx_conf: Some(TlsConf(rx)),
                zerocopy_sendfile: false,
                rx_no_pad: port == 1305 && rx == SW,
                // Not told by these kernels.
                tx_max_payload_len: None,
            };
            assert_eq!(tls, expected, "port {port}");
        }
        // Neither direction has a key: version and cipher are absent.
        let keyless = recorded.server(1350).ulp.unwrap().tls.unwrap();
        let none = Some(TlsConf(NONE));
        assert_eq!(keyless, TlsInfo { tx_conf: none, rx_conf: none, ..TlsInfo::default() });
    }
}

#[test]
fn subflows_of_mptcp_are_joined_by_their_tokens() {
    // MPTCP_SUBFLOW_FLAG_* (linux/mptcp.h).
    const CAPABLE_REMOTE: u32 = 1;
    const CAPABLE_LOCAL: u32 = 2;
    const JOIN_REMOTE: u32 = 4;
    const JOIN_LOCAL: u32 = 8;
    const FULLY_ESTABLISHED: u32 = 64;
    const CONNECTED: u32 = 128;
    let flags = |flags| Some(flags | FULLY_ESTABLISHED | CONNECTED);
    let subflow = |socket: &Socket| -> MptcpSubflow {
        let ulp = socket.ulp.unwrap();
        assert_eq!((ulp.name, ulp.tls), (Some(Name::new(b"mptcp")), None));
        ulp.mptcp.unwrap()
    };
    for (kernel, joined_from) in [("6_1", 47_287), ("6_12", 32_853)] {
        let recorded = Recorded::of(kernel, "mptcp");
        let client = subflow(recorded.client(1400));
        let server = subflow(recorded.server(1400));
        let join = recorded.between(joined_from, 1400);
        let joined = subflow(recorded.between(1400, joined_from));

        assert_eq!(client.flags, flags(CAPABLE_REMOTE | CAPABLE_LOCAL));
        assert_eq!(server.flags, flags(CAPABLE_REMOTE));
        assert_eq!(subflow(join).flags, flags(JOIN_REMOTE | JOIN_LOCAL));
        assert_eq!(joined.flags, flags(JOIN_REMOTE));

        // The join alone needs the peer's token; each side has one token for both subflows.
        assert!(client.token_local > Some(0) && server.token_local > Some(0));
        assert_eq!((client.token_remote, server.token_remote), (Some(0), Some(0)));
        assert_eq!(subflow(join).token_local, client.token_local);
        assert_eq!(subflow(join).token_remote, server.token_local);
        assert_eq!(joined.token_local, server.token_local);
        assert_eq!((subflow(join).id_local, joined.id_remote), (Some(1), Some(1)));
        assert_eq!(join.local.address, Ipv4Addr::new(10, 9, 0, 2));
        assert_eq!(join.interface, NonZeroU32::new(1), "its endpoint was given a device");

        // The server's last write had 5000 bytes.
        assert_eq!(client.map_data_len, Some(5_000));
        assert!(client.map_seq > Some(0) && client.ssn_offset > Some(0));

        let listener = recorded.between(1400, 0).ulp.unwrap();
        assert_eq!((listener.name, listener.mptcp), (Some(Name::new(b"mptcp")), None));
    }
}

#[test]
fn md5_signatures_tell_the_peer_and_the_length_of_the_key() {
    let recorded = Recorded::of("6_12", "md5");
    let signature =
        |address: IpAddr, prefix_len, key_len| Md5Signature { address, prefix_len, key_len };
    let loopback = signature(Ipv4Addr::LOCALHOST.into(), 32, 12);
    let prefix = signature(Ipv4Addr::new(10, 0, 0, 0).into(), 8, 19);
    assert_eq!(recorded.between(1500, 0).md5, [prefix, loopback]);
    assert_eq!(recorded.client(1500).md5, [loopback]);
    assert_eq!(recorded.server(1500).md5, [loopback]);
    let documentation = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0);
    assert_eq!(recorded.between(1501, 0).md5, [signature(documentation.into(), 32, 12)]);
    // Nobody else has any.
    assert!(Recorded::of("6_12", "states").0.iter().all(|socket| socket.md5.is_empty()));
}

#[test]
fn a_recording_has_no_keys() {
    let bytes = fs::read(path("6_12", "md5")).unwrap();
    let begins_as_every_key = b"not-a-secret";
    assert!(!bytes.windows(12).any(|window| window == begins_as_every_key));
    // struct tcp_diag_md5sig for 127.0.0.1: behind its 20 bytes come 80 of key.
    let head = [&[2, 32, 12, 0, 127, 0, 0, 1][..], &[0; 12]].concat();
    let mut keys = 0;
    for start in 0..bytes.len() {
        if bytes[start..].starts_with(&head) {
            keys += 1;
            assert_eq!(bytes[start + 20..start + 100], [0; 80]);
        }
    }
    assert_eq!(keys, 3);
}

#[test]
fn states_are_told_with_what_belongs_to_them() {
    let recorded = Recorded::of("6_12", "states");
    let listener = recorded.between(1600, 0);
    assert_eq!(listener.state, State::Listen);
    assert_eq!((listener.rqueue, listener.wqueue), (1, 16), "one waits, of at most 16");
    assert_eq!(recorded.between(1601, 0).v6only, Some(false));
    assert_eq!(recorded.between(1602, 0).v6only, Some(true));
    assert_eq!(listener.v6only, None);

    for (port, family) in [(1605, Family::Inet), (1606, Family::Inet6)] {
        let (client, server) = (recorded.client(port), recorded.server(port));
        assert_eq!((client.family, server.family), (family, family));
        assert_eq!((client.state, server.state), (State::FinWait2, State::CloseWait));
        assert_eq!((client.shutdown, server.shutdown), (Some(Shutdown(2)), Some(Shutdown(1))));
        assert_eq!(server.rqueue, 1, "the FIN");
    }
    let full = recorded.between(1803, 0);
    assert_eq!((full.rqueue, full.wqueue), (1, 0));
    for port in [31_804, 31_805] {
        let socket = recorded.between(port, 1803);
        assert_eq!((socket.state, socket.timer.kind), (State::SynSent, TimerKind::Retransmit));
        assert_eq!((socket.timer.retransmits, socket.wqueue), (3, 1));
    }
    for port in [1950, 1951] {
        let bound = recorded.between(port, 0);
        assert_eq!(bound.state, State::Close);
        assert_eq!((bound.tcp_info, bound.congestion), (None, None));
        assert!(bound.inode != 0 && bound.skmem.is_some());
    }
}

#[test]
fn little_is_left_of_a_socket_in_time_wait() {
    let recorded = Recorded::of("6_12", "time_wait");
    for (port, family) in [(1603, Family::Inet), (1604, Family::Inet6)] {
        let socket = recorded.client(port);
        let mut expected = Socket::new(socket.protocol);
        expected.family = family;
        expected.state = State::TimeWait;
        (expected.local, expected.peer) = (socket.local, socket.peer);
        (expected.cookie, expected.timer) = (socket.cookie, socket.timer);
        expected.mark = Some(0);
        assert_eq!(*socket, expected);
        assert_eq!(socket.timer.kind, TimerKind::TimeWait);
        assert!((1..=60_000).contains(&socket.timer.expires_ms));
    }
}

#[test]
fn marks_and_classes() {
    let recorded = Recorded::of("6_12", "marks");
    let marked = recorded.client(1700);
    assert_eq!((marked.mark, marked.tos, marked.tclass), (Some(0x2a), Some(0x10), None));
    // IP_TOS chose the priority: TC_PRIO_INTERACTIVE.
    assert_eq!(marked.class_id, Some(6));
    let six = recorded.client(1701);
    assert_eq!((six.mark, six.tos, six.tclass), (Some(0xbeef), Some(0xb8), Some(0xb8)));
    assert_eq!(six.class_id, Some(3));
    let bound = recorded.client(1702);
    assert_eq!((bound.mark, bound.interface), (Some(0), NonZeroU32::new(1)));
    assert_eq!((marked.interface, six.interface), (None, None));
    // All are of one process.
    assert!(marked.cgroup_id.is_some());
    assert_eq!([six.cgroup_id, bound.cgroup_id], [marked.cgroup_id; 2]);
    assert_eq!(marked.sockopt.unwrap().set().collect::<Vec<_>>(), ["is_icsk", "mc_loop", "mc_all"]);
}

#[test]
fn losses_and_closed_windows_are_counted() {
    for (kernel, _) in KERNELS {
        let recorded = Recorded::of(kernel, "losses");
        let lossy = info(recorded.client(1801));
        assert!(lossy.total_retrans() > Some(0) && lossy.dsack_dups() > Some(0));
        let (sent, again) = (lossy.bytes_sent().unwrap(), lossy.bytes_retrans().unwrap());
        assert_eq!(sent - again, 300_000);
        assert_eq!(lossy.bytes_acked(), Some(300_001), "the SYN counts");
        assert_eq!(info(recorded.server(1801)).bytes_received(), Some(300_000));
        assert!(info(recorded.server(1801)).rcv_ooopack() > Some(0));
        assert_eq!(recorded.server(1801).skmem.unwrap().drops, Some(1));

        let stuck = recorded.client(1802);
        assert_eq!(stuck.timer.kind, TimerKind::Probe0);
        assert_eq!((info(stuck).snd_wnd(), info(stuck).backoff()), (Some(0), Some(4)));
        assert_eq!(info(stuck).notsent_bytes(), Some(stuck.wqueue));
        assert_eq!(info(stuck).busy_time_us(), info(stuck).rwnd_limited_us());
    }
}
