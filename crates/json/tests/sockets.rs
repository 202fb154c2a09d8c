//! Sockets of every shape as lines: valid, to the schema, and true to the record.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;

use proptest::prelude::*;
use serde_json::{Value, json};
use sockeye_json::{Object, schema};
use sockeye_lab::schema::violations;
use sockeye_model::{
    BbrInfo, CgroupId, CongestionInfo, Context, Cookie, DctcpInfo, EcnLayout, Endpoint, Family,
    Kind, Md5Signature, MemInfo, MptcpSubflow, Name, Owner, Protocol, Shutdown, SkMemInfo, SockOpt,
    Socket, Source, State, TcpInfo, Timer, TimerKind, TlsCipher, TlsConf, TlsInfo, TlsVersion, Ulp,
    VegasInfo,
};

fn line(socket: &Socket, context: &Context<'_>) -> String {
    let mut out = b"before".to_vec();
    let mut object = Object::open(&mut out);
    object.part(socket).part(context);
    object.close();
    String::from_utf8(out).unwrap().strip_prefix("before").unwrap().to_owned()
}

fn shown(socket: &Socket) -> Value {
    serde_json::from_str(&line(socket, &Context::default())).unwrap()
}

/// Parses a line, and holds it to the schema and to one way of writing JSON: no space, no key twice,
/// no control character.
fn checked(line: &str) -> Value {
    let value: Value = serde_json::from_str(line).unwrap();
    let schema: Value = serde_json::from_str(&schema("socket", "", Socket::SECTIONS)).unwrap();
    assert_eq!(violations(&schema, &value), Vec::<String>::new(), "{line}");
    let mut again = String::new();
    for character in value.to_string().chars() {
        match character {
            '\u{7f}'..='\u{9f}' => again += &format!("\\u{:04x}", u32::from(character)),
            // Written by their code here, by a letter there.
            other => again.push(other),
        }
    }
    assert_eq!(line.replace("\\u0008", "\\b").replace("\\u000c", "\\f"), again);
    assert!(!line.chars().any(char::is_control), "{line}");
    value
}

#[test]
fn a_new_record_has_what_is_always_there() {
    assert_eq!(
        line(&Socket::new(Protocol::UDP), &Context::default()),
        concat!(
            r#"{"family":"inet","protocol":"udp","state":"close","local_address":"0.0.0.0","#,
            r#""local_port":0,"peer_address":"0.0.0.0","peer_port":0,"cookie":"0x0","#,
            r#""timer":"off","recv_queue_bytes":0,"send_queue_bytes":0,"inode":0}"#
        )
    );
}

#[test]
fn absent_is_absent_and_zero_is_zero() {
    let mut socket = Socket::new(Protocol::TCP);
    for name in ["mark", "mem_rmem_bytes", "skmem_drops", "snd_wnd", "tos", "shutdown"] {
        assert_eq!(shown(&socket).get(name), None, "{name}");
    }
    socket.mark = Some(0);
    socket.tos = Some(0);
    socket.mem = Some(MemInfo::default());
    socket.skmem = Some(SkMemInfo::default());
    socket.shutdown = Some(Shutdown(0));
    socket.tcp_info = Some(TcpInfo::new(&[0; 104], None));
    let told = shown(&socket);
    for name in ["mark", "mem_rmem_bytes", "skmem_rcvbuf_bytes", "tos", "total_retrans"] {
        assert_eq!(told[name], 0, "{name}");
    }
    assert_eq!(told["shutdown"], json!([]));
    // An old kernel's short structs.
    for name in ["skmem_backlog_bytes", "skmem_drops", "snd_wnd", "delivery_rate_app_limited"] {
        assert_eq!(told.get(name), None, "{name}");
    }
    socket.skmem = Some(SkMemInfo { drops: Some(0), ..SkMemInfo::default() });
    assert_eq!(shown(&socket)["skmem_drops"], 0);
}

#[test]
fn queues_are_named_by_what_they_hold() {
    let mut socket = Socket::new(Protocol::TCP);
    (socket.rqueue, socket.wqueue) = (3, 128);
    let connection = shown(&socket);
    assert_eq!(
        (&connection["recv_queue_bytes"], &connection["send_queue_bytes"]),
        (&json!(3), &json!(128))
    );
    assert_eq!(
        (connection.get("accept_queue"), connection.get("accept_queue_limit")),
        (None, None)
    );
    socket.state = State::Listen;
    let listener = shown(&socket);
    assert_eq!(
        (&listener["accept_queue"], &listener["accept_queue_limit"]),
        (&json!(3), &json!(128))
    );
    assert_eq!((listener.get("recv_queue_bytes"), listener.get("send_queue_bytes")), (None, None));
    // /proc/net/tcp has 0 for the limit, and a pointer for the cookie.
    socket.source = Source::ProcNet;
    let listener = shown(&socket);
    assert_eq!(listener["accept_queue"], 3);
    assert_eq!((listener.get("accept_queue_limit"), listener.get("cookie")), (None, None));
}

/// `inet_twsk_diag_fill`, `inet_req_diag_fill` and, until sockets kept their user id, `sock_i_uid`
/// tell 0 of what has no owner.
#[test]
fn who_has_no_owner_is_not_roots() {
    let mut socket = Socket::new(Protocol::TCP);
    assert_eq!(shown(&socket).get("uid"), None);
    socket.inode = 7;
    assert_eq!(shown(&socket)["uid"], 0);
    // An orphan of a newer kernel.
    (socket.uid, socket.inode) = (1000, 0);
    assert_eq!(shown(&socket)["uid"], 1000);
}

#[test]
fn identifiers_are_hexadecimal_and_counters_numbers() {
    let mut socket = Socket::new(Protocol::TCP);
    socket.cookie = Cookie(0x1f);
    socket.cgroup_id = Some(CgroupId(u64::MAX));
    let mut info = [0; TcpInfo::SIZE];
    info[120..128].copy_from_slice(&u64::MAX.to_ne_bytes());
    socket.tcp_info = Some(TcpInfo::new(&info, None));
    let told = shown(&socket);
    assert_eq!(
        (&told["cookie"], &told["cgroup_id"]),
        (&json!("0x1f"), &json!("0xffffffffffffffff"))
    );
    assert_eq!(told["bytes_acked"], u64::MAX);
}

#[test]
fn what_has_no_name_here_is_a_number() {
    let mut socket = Socket::new(Protocol(132));
    socket.state = State::Unknown(14);
    socket.timer = Timer { kind: TimerKind::Unknown(9), expires_ms: 0, retransmits: 1 };
    socket.sockopt = Some(SockOpt([0b11, 0b1000_0100]));
    socket.ulp = Some(Ulp {
        tls: Some(TlsInfo { version: Some(TlsVersion(0x0305)), ..TlsInfo::default() }),
        ..Ulp::default()
    });
    let told = checked(&line(&socket, &Context::default()));
    assert_eq!(
        (&told["protocol"], &told["state"], &told["timer"]),
        (&json!("132"), &json!("14"), &json!("9"))
    );
    assert_eq!((&told["timer_expires_ms"], &told["timer_retransmits"]), (&json!(0), &json!(1)));
    assert_eq!(told["socket_options"], json!(["recverr", "is_icsk", "defer_connect", "15"]));
    assert_eq!(told["tls_version"], "773");
}

#[test]
fn hostile_names_come_back() {
    let mut socket = Socket::new(Protocol::TCP);
    for (name, text, escaped) in [
        (&b"a\x1b[2J\"\\\x7f"[..], "a\x1b[2J\"\\\x7f", None),
        ("\u{9b}2J".as_bytes(), "\u{9b}2J", None),
        (b"\xff\\x41\x1b", "\\xff\\\\x41\x1b", Some(true)),
    ] {
        socket.congestion = Some(Name::new(name));
        let context = Context { interface: Some(name), cgroup: Some(name), ..Context::default() };
        let told = checked(&line(&socket, &context));
        for field in ["congestion", "interface_name", "cgroup_path"] {
            assert_eq!(told[field], text);
            let mark = told.get(format!("{field}_escaped")).map(|mark| mark == true);
            assert_eq!(mark, escaped, "{field}");
        }
    }
}

#[test]
fn owners_are_absent_unless_asked_for() {
    let socket = Socket::new(Protocol::TCP);
    assert_eq!(shown(&socket).get("owners"), None);
    let with = |owners: &[Owner]| {
        let context = Context { owners: Some(owners), ..Context::default() };
        checked(&line(&socket, &context))["owners"].clone()
    };
    assert_eq!(with(&[]), json!([]));
    let owner = Owner { pid: 1, tid: None, fd: 0, comm: Name::new(b"a) \"b\"") };
    let thread = Owner { tid: Some(2), comm: Name::new(b"\xff"), ..owner };
    assert_eq!(
        with(&[owner, thread]),
        json!([
            {"pid": 1, "fd": 0, "comm": "a) \"b\""},
            {"pid": 1, "tid": 2, "fd": 0, "comm": "\\xff", "comm_escaped": true},
        ])
    );
}

/// Every part there, every number 1 or more.
fn full(congestion_info: CongestionInfo) -> Socket {
    let endpoint = |last| Endpoint { address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)), port: 1 };
    Socket {
        family: Family::Inet,
        protocol: Protocol::TCP,
        state: State::Established,
        local: endpoint(1),
        peer: endpoint(2),
        interface: NonZeroU32::new(1),
        cookie: Cookie(1),
        timer: Timer { kind: TimerKind::Keepalive, expires_ms: 1, retransmits: 1 },
        rqueue: 1,
        wqueue: 1,
        uid: 1,
        inode: 1,
        mem: Some(MemInfo::default()),
        skmem: Some(SkMemInfo { backlog: Some(1), drops: Some(1), ..SkMemInfo::default() }),
        tcp_info: Some(TcpInfo::new(&[1; TcpInfo::SIZE], Some(EcnLayout::Bits))),
        congestion: Some(Name::new(b"\xff")),
        congestion_info: Some(congestion_info),
        tos: Some(1),
        tclass: Some(1),
        class_id: Some(1),
        mark: Some(1),
        cgroup_id: Some(CgroupId(1)),
        v6only: Some(true),
        shutdown: Some(Shutdown(1)),
        sockopt: Some(SockOpt([1, 1])),
        ulp: Some(Ulp {
            name: Some(Name::new(b"\xff")),
            tls: Some(TlsInfo {
                version: Some(TlsVersion(1)),
                cipher: Some(TlsCipher(51)),
                tx_conf: Some(TlsConf(1)),
                rx_conf: Some(TlsConf(1)),
                zerocopy_sendfile: true,
                rx_no_pad: true,
                tx_max_payload_len: Some(1),
            }),
            mptcp: Some(MptcpSubflow {
                token_remote: Some(1),
                token_local: Some(1),
                relative_write_seq: Some(1),
                map_seq: Some(1),
                map_subflow_seq: Some(1),
                ssn_offset: Some(1),
                map_data_len: Some(1),
                flags: Some(1),
                id_remote: Some(1),
                id_local: Some(1),
            }),
        }),
        md5: vec![Md5Signature { address: Ipv4Addr::LOCALHOST.into(), prefix_len: 32, key_len: 1 }],
        source: Source::Netlink,
    }
}

/// The union of some sockets has every field of every section, and nothing else.
#[test]
fn every_field_of_the_table_is_shown() {
    let owners = [Owner { pid: 1, tid: Some(1), fd: 1, comm: Name::new(b"\xff") }];
    let name = &b"\xff"[..];
    let context = Context {
        interface: Some(name),
        cgroup: Some(name),
        owners: Some(&owners),
        netns: Some(name),
        netns_inode: Some(4_026_531_840),
    };
    let mut seen = BTreeSet::new();
    for congestion in [
        CongestionInfo::Vegas(VegasInfo::default()),
        CongestionInfo::Dctcp(DctcpInfo::default()),
        CongestionInfo::Bbr(BbrInfo::default()),
    ] {
        for state in [State::Established, State::Listen] {
            let socket = Socket { state, ..full(congestion) };
            let value = checked(&line(&socket, &context));
            seen.extend(value.as_object().unwrap().keys().cloned());
        }
    }
    let mut fields = BTreeSet::new();
    for field in Socket::SECTIONS.iter().flat_map(|section| section.fields) {
        assert!(fields.insert(field.name.to_owned()), "{} is there twice", field.name);
        if field.kind == Kind::Bytes {
            fields.insert(format!("{}_escaped", field.name));
        }
        assert!(field.meaning.ends_with('.'), "{}: {:?}", field.name, field.meaning);
    }
    assert_eq!(seen, fields);
}

fn names() -> impl Strategy<Value = Name> {
    prop_oneof![any::<Vec<u8>>(), any::<String>().prop_map(String::into_bytes)]
        .prop_map(|bytes| Name::new(&bytes))
}

fn endpoints() -> impl Strategy<Value = Endpoint> {
    let address = prop_oneof![
        any::<[u8; 4]>().prop_map(|octets| IpAddr::V4(octets.into())),
        any::<[u8; 16]>().prop_map(|octets| IpAddr::V6(Ipv6Addr::from(octets))),
    ];
    (address, any::<u16>()).prop_map(|(address, port)| Endpoint { address, port })
}

fn congestion_infos() -> impl Strategy<Value = Option<CongestionInfo>> {
    any::<(u8, u32, u64)>().prop_map(|(which, number, bandwidth)| match which % 4 {
        0 => Some(CongestionInfo::Vegas(VegasInfo { rtt_us: number, ..VegasInfo::default() })),
        1 => Some(CongestionInfo::Dctcp(DctcpInfo { alpha: number, ..DctcpInfo::default() })),
        2 => Some(CongestionInfo::Bbr(BbrInfo {
            bandwidth_bytes_per_second: bandwidth,
            min_rtt_us: number,
            ..BbrInfo::default()
        })),
        _ => None,
    })
}

prop_compose! {
    fn sockets()(
        (protocol, state, kind) in any::<(u16, u8, u8)>(),
        (local, peer) in (endpoints(), endpoints()),
        numbers in any::<[u32; 8]>(),
        ids in any::<(u64, Option<u64>, Option<u64>)>(),
        bytes in any::<(Option<u8>, Option<u8>, Option<u8>, Option<bool>, Option<[u8; 2]>)>(),
        options in any::<[Option<u32>; 6]>(),
        info in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..300)),
        layout in any::<Option<bool>>(),
        congestion in proptest::option::of(names()),
        ulp in proptest::option::of(names()),
        congestion_info in congestion_infos(),
        md5 in proptest::collection::vec((endpoints(), any::<(u8, u16)>()), 0..3),
    ) -> Socket {
        let layout = layout.map(|bits| if bits { EcnLayout::Bits } else { EcnLayout::Halves });
        Socket {
            family: if local.address.is_ipv4() { Family::Inet } else { Family::Inet6 },
            protocol: Protocol(protocol),
            state: State::from(state % 16),
            local,
            peer,
            interface: NonZeroU32::new(numbers[0]),
            cookie: Cookie(ids.0),
            timer: Timer { kind: TimerKind::from(kind % 8), expires_ms: numbers[1], retransmits: kind },
            rqueue: numbers[2],
            wqueue: numbers[3],
            uid: numbers[4],
            inode: numbers[5],
            mem: options[0].map(|rmem| MemInfo { rmem, ..MemInfo::default() }),
            skmem: options[1].map(|optmem| SkMemInfo { optmem, drops: options[2], ..SkMemInfo::default() }),
            tcp_info: info.map(|info| TcpInfo::new(&info, layout)),
            congestion,
            congestion_info,
            tos: bytes.0,
            tclass: bytes.1,
            class_id: options[3],
            mark: options[4],
            cgroup_id: ids.1.map(CgroupId),
            v6only: bytes.3,
            shutdown: bytes.2.map(Shutdown),
            sockopt: bytes.4.map(SockOpt),
            ulp: ulp.map(|name| Ulp {
                name: Some(name),
                tls: Some(TlsInfo { cipher: Some(TlsCipher(protocol)), ..TlsInfo::default() }),
                mptcp: Some(MptcpSubflow { map_seq: ids.2, flags: options[5], ..MptcpSubflow::default() }),
            }),
            md5: md5
                .into_iter()
                .map(|(end, (prefix_len, key_len))| Md5Signature { address: end.address, prefix_len, key_len })
                .collect(),
            source: if numbers[6] % 2 == 0 { Source::Netlink } else { Source::ProcNet },
        }
    }
}

proptest! {
    #[test]
    fn any_socket_conforms_and_says_what_the_record_has(socket in sockets(), owner in names()) {
        let owners = [Owner { pid: socket.uid, tid: socket.mark, fd: socket.inode, comm: owner }];
        let context = Context { owners: Some(&owners), ..Context::default() };
        let told = checked(&line(&socket, &context));
        let text = |name: &str| told[name].as_str().unwrap().to_owned();
        prop_assert_eq!(text("local_address").parse::<IpAddr>().unwrap(), socket.local.address);
        prop_assert_eq!(text("peer_address").parse::<IpAddr>().unwrap(), socket.peer.address);
        prop_assert_eq!(told["peer_port"].as_u64(), Some(socket.peer.port.into()));
        let number = |name: &str| told.get(name).and_then(Value::as_u64);
        prop_assert_eq!(number("interface_index"), socket.interface.map(|index| index.get().into()));
        prop_assert_eq!(number("mark"), socket.mark.map(u64::from));
        prop_assert_eq!(number("skmem_drops"), socket.skmem.and_then(|mem| mem.drops).map(u64::from));
        let id = |name: &str| {
            let text = told.get(name)?.as_str()?.strip_prefix("0x")?;
            u64::from_str_radix(text, 16).ok()
        };
        prop_assert_eq!(id("cgroup_id"), socket.cgroup_id.map(|id| id.0));
        if let Some(info) = &socket.tcp_info {
            info.for_each(|field, value| match field.kind {
                Kind::Unsigned(_) => assert_eq!(number(field.name), Some(value), "{}", field.name),
                _ => assert!(told.get(field.name).is_some(), "{}", field.name),
            });
        }
        prop_assert_eq!(told.get("md5_signatures").map_or(0, |list| list.as_array().unwrap().len()), socket.md5.len());
    }
}
