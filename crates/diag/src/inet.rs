//! One answer: struct inet_diag_msg and its attributes (linux/inet_diag.h), made into a
//! [`Socket`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;

use sockeye_model::{
    CgroupId, Cookie, EcnLayout, Endpoint, Family, Md5Signature, MemInfo, Name, Protocol, Shutdown,
    SkMemInfo, SockOpt, Socket, State, TcpInfo, Timer, TimerKind,
};
use sockeye_netlink::{Attributes, FormatError, Message};
use zerocopy::FromBytes;

use crate::request::SockId;
use crate::{tcp_info, ulp};

/// Size of struct inet_diag_msg.
pub(crate) const MESSAGE_LEN: usize = size_of::<InetDiagMsg>();
/// `INET_DIAG_MD5SIG`.
pub(crate) const INET_DIAG_MD5SIG: u16 = 18;

/// struct inet_diag_msg.
#[derive(FromBytes)]
#[repr(C)]
struct InetDiagMsg {
    family: u8,
    state: u8,
    timer: u8,
    retrans: u8,
    id: SockId,
    expires: u32,
    rqueue: u32,
    wqueue: u32,
    uid: u32,
    inode: u32,
}

/// struct inet_diag_meminfo.
#[derive(FromBytes)]
#[repr(C)]
struct InetDiagMemInfo {
    rmem: u32,
    wmem: u32,
    fmem: u32,
    tmem: u32,
}

/// struct tcp_diag_md5sig up to its key, which is never read.
#[derive(FromBytes)]
#[repr(C)]
struct Md5SigHead {
    family: u8,
    prefixlen: u8,
    keylen: u16,
    address: [u8; 16],
}

/// Size of struct tcp_diag_md5sig: the head, and `TCP_MD5SIG_MAXKEYLEN` bytes of key.
pub(crate) const MD5SIG_LEN: usize = MD5SIG_KEY_OFFSET + 80;
/// Where the key begins in it.
pub(crate) const MD5SIG_KEY_OFFSET: usize = size_of::<Md5SigHead>();

/// Why an answer is no socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The message ends within its fixed part.
    #[error(transparent)]
    Format(FormatError),
    /// The family is neither IPv4 nor IPv6.
    #[error("address family {0}, neither AF_INET (2) nor AF_INET6 (10)")]
    Family(u8),
}

/// Fills `socket` from one answer. Its protocol stays, unless the answer has one of its own
/// (`INET_DIAG_PROTOCOL`).
///
/// An attribute that is too short, or overlong, costs that field alone (and, where the length is
/// wrong, those behind it): the first such trouble is handed back beside the socket.
///
/// # Errors
/// [`DecodeError`] when there is no socket to be made of it.
pub fn decode(
    message: &Message<'_>,
    ecn_layout: Option<EcnLayout>,
    socket: &mut Socket,
) -> Result<Option<FormatError>, DecodeError> {
    let head: InetDiagMsg = message.body().map_err(DecodeError::Format)?;
    let family = Family::from_number(head.family).ok_or(DecodeError::Family(head.family))?;
    socket.clear();
    socket.family = family;
    socket.state = State::from(head.state);
    socket.local = Endpoint { address: address(family, head.id.src), port: head.id.sport.get() };
    socket.peer = Endpoint { address: address(family, head.id.dst), port: head.id.dport.get() };
    socket.interface = NonZeroU32::new(head.id.interface);
    socket.cookie = head.id.cookie();
    socket.timer = Timer {
        kind: TimerKind::from(head.timer),
        expires_ms: head.expires,
        retransmits: head.retrans,
    };
    socket.rqueue = head.rqueue;
    socket.wqueue = head.wqueue;
    socket.uid = head.uid;
    socket.inode = head.inode;
    let mut attrs = message.attributes_after(MESSAGE_LEN);
    attributes(&mut attrs, ecn_layout, socket);
    Ok(attrs.error())
}

/// The cookie in one answer.
pub(crate) fn cookie(message: &Message<'_>) -> Result<Cookie, DecodeError> {
    let head: InetDiagMsg = message.body().map_err(DecodeError::Format)?;
    Ok(head.id.cookie())
}

/// `INET_DIAG_*`, by number.
fn attributes(attrs: &mut Attributes<'_>, ecn_layout: Option<EcnLayout>, socket: &mut Socket) {
    while attrs.next() {
        match attrs.kind() {
            1 => socket.mem = mem(attrs),
            2 => TcpInfo::replace(&mut socket.tcp_info, attrs.bytes(), ecn_layout),
            3 => socket.congestion_info = tcp_info::vegas(attrs),
            4 => Name::replace(&mut socket.congestion, attrs.bytes()),
            5 => socket.tos = attrs.u8(),
            6 => socket.tclass = attrs.u8(),
            7 => socket.skmem = skmem(attrs),
            8 => socket.shutdown = attrs.u8().map(Shutdown),
            9 => socket.congestion_info = tcp_info::dctcp(attrs),
            10 => protocol(attrs, socket),
            11 => socket.v6only = attrs.u8().map(|v6only| v6only != 0),
            15 => socket.mark = attrs.u32(),
            16 => socket.congestion_info = tcp_info::bbr(attrs),
            17 => socket.class_id = attrs.u32(),
            INET_DIAG_MD5SIG => md5(attrs, &mut socket.md5),
            19 => socket.ulp = Some(attrs.nested(ulp::ulp)),
            21 => socket.cgroup_id = attrs.u64().map(CgroupId),
            22 => socket.sockopt = attrs.value().map(SockOpt),
            // 12, 13: addresses of SCTP; 14: padding; 20: BPF storage.
            _ => {}
        }
    }
}

/// `INET_DIAG_PROTOCOL` has 8 bits: MPTCP (262) shows as 6, and the question knows better.
fn protocol(attrs: &mut Attributes<'_>, socket: &mut Socket) {
    if let Some(low) = attrs.u8()
        && socket.protocol.0.to_le_bytes()[0] != low
    {
        socket.protocol = Protocol(u16::from(low));
    }
}

fn address(family: Family, bytes: [u8; 16]) -> IpAddr {
    match family {
        Family::Inet => {
            let [a, b, c, d, ..] = bytes;
            Ipv4Addr::new(a, b, c, d).into()
        }
        Family::Inet6 => Ipv6Addr::from(bytes).into(),
    }
}

fn mem(attrs: &mut Attributes<'_>) -> Option<MemInfo> {
    let InetDiagMemInfo { rmem, wmem, fmem, tmem } = attrs.value()?;
    Some(MemInfo { rmem, wmem, fmem, tmem })
}

/// The array had 7 numbers at first (3.2) and has 9 now.
fn skmem(attrs: &mut Attributes<'_>) -> Option<SkMemInfo> {
    let [rmem_alloc, rcvbuf, wmem_alloc, sndbuf, fwd_alloc, wmem_queued, optmem] = attrs.value()?;
    let at = |index: usize| {
        let bytes = attrs.bytes().get(index * 4..)?.first_chunk()?;
        Some(u32::from_ne_bytes(*bytes))
    };
    Some(SkMemInfo {
        rmem_alloc,
        rcvbuf,
        wmem_alloc,
        sndbuf,
        fwd_alloc,
        wmem_queued,
        optmem,
        backlog: at(7),
        drops: at(8),
    })
}

/// `INET_DIAG_MD5SIG`: an array.
fn md5(attrs: &mut Attributes<'_>, signatures: &mut Vec<Md5Signature>) {
    signatures.clear();
    let elements = attrs.bytes().chunks(MD5SIG_LEN);
    signatures.extend(elements.filter_map(|element| {
        let (sig, _key) = Md5SigHead::read_from_prefix(element).ok()?;
        let family = Family::from_number(sig.family).unwrap_or(Family::Inet);
        Some(Md5Signature {
            address: address(family, sig.address),
            prefix_len: sig.prefixlen,
            key_len: sig.keylen,
        })
    }));
    if signatures.is_empty() {
        // Remembers what was wanted.
        let _: Option<Md5SigHead> = attrs.value();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sockeye_model::{
        BbrInfo, CongestionInfo, DctcpInfo, MptcpSubflow, TlsCipher, TlsConf, TlsInfo, TlsVersion,
        Ulp, VegasInfo,
    };
    use sockeye_netlink::{Messages, Request};

    /// struct inet_diag_msg of a connection from 10.0.0.1:22 to 10.0.0.2:50312.
    fn head(family: u8) -> Vec<u8> {
        let mut head = vec![family, 1, 2, 3, 0, 22, 0xc4, 0x88];
        let mut address = [0; 16];
        for last in [1, 2] {
            address[..4].copy_from_slice(&[10, 0, 0, last]);
            head.extend(address);
        }
        for word in [7u32, 0x5566_7788, 0x1122_3344, 1500, 10, 20, 1000, 4711] {
            head.extend(word.to_ne_bytes());
        }
        head
    }

    fn decoded(request: &Request) -> (Socket, Option<FormatError>) {
        let bytes = request.to_bytes(1, 0).unwrap();
        let message = Messages::new(&bytes).next().unwrap().unwrap();
        // A used record: nothing of the last socket may show through.
        let mut socket = Socket::new(Protocol::TCP);
        socket.tos = Some(0xff);
        socket.tcp_info = Some(TcpInfo::new(&[0xff; 280], None));
        let trouble = decode(&message, None, &mut socket).unwrap();
        (socket, trouble)
    }

    fn with(build: impl FnOnce(Request) -> Request) -> Socket {
        let (socket, trouble) = decoded(&build(Request::new(20).body(head(2).as_slice())));
        assert_eq!(trouble, None);
        socket
    }

    #[test]
    fn the_fixed_part() {
        let socket = with(|r| r);
        let mut expected = Socket::new(Protocol::TCP);
        expected.state = State::Established;
        expected.local = Endpoint { address: Ipv4Addr::new(10, 0, 0, 1).into(), port: 22 };
        expected.peer = Endpoint { address: Ipv4Addr::new(10, 0, 0, 2).into(), port: 50312 };
        expected.interface = NonZeroU32::new(7);
        expected.cookie = Cookie(0x1122_3344_5566_7788);
        expected.timer = Timer { kind: TimerKind::Keepalive, expires_ms: 1500, retransmits: 3 };
        (expected.rqueue, expected.wqueue) = (10, 20);
        (expected.uid, expected.inode) = (1000, 4711);
        assert_eq!(socket, expected);
    }

    #[test]
    fn an_ipv6_address_takes_all_16_bytes() {
        let (socket, _) = decoded(&Request::new(20).body(head(10).as_slice()));
        assert_eq!(socket.local.address, "a00:1::".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn simple_attributes() {
        let socket = with(|r| {
            r.attr_str(4, "bbr")
                .attr_u8(5, 0x10)
                .attr_u8(6, 0x20)
                .attr_u8(8, 2)
                .attr_u8(11, 1)
                .attr_u32(15, 0xbeef)
                .attr_u32(17, 6)
                .attr_u64(21, 0x1_0000_0001)
                .attr(22, &[0b10, 0b1])
        });
        assert_eq!(socket.congestion, Some(Name::new(b"bbr")));
        assert_eq!((socket.tos, socket.tclass), (Some(0x10), Some(0x20)));
        let shutdown = socket.shutdown.unwrap();
        assert_eq!((shutdown.receive(), shutdown.send()), (false, true));
        assert_eq!((socket.v6only, socket.mark), (Some(true), Some(0xbeef)));
        assert_eq!((socket.class_id, socket.cgroup_id), (Some(6), Some(CgroupId(0x1_0000_0001))));
        assert_eq!(socket.sockopt, Some(SockOpt([2, 1])));
    }

    #[test]
    fn memory_of_three_kernel_generations() {
        let words = |n: u32| (1..=n).flat_map(u32::to_ne_bytes).collect::<Vec<u8>>();
        let mem = MemInfo { rmem: 1, wmem: 2, fmem: 3, tmem: 4 };
        assert_eq!(with(|r| r.attr(1, &words(4))).mem, Some(mem));
        for (count, backlog, drops) in [(7, None, None), (8, Some(8), None), (9, Some(8), Some(9))]
        {
            let skmem = with(|r| r.attr(7, &words(count))).skmem.unwrap();
            assert_eq!((skmem.rmem_alloc, skmem.optmem), (1, 7));
            assert_eq!((skmem.backlog, skmem.drops), (backlog, drops));
        }
    }

    #[test]
    fn tcp_info_is_as_long_as_it_was_sent() {
        let short = with(|r| r.attr(2, &[1; 104])).tcp_info.unwrap();
        assert_eq!(
            (short.total_retrans(), short.pacing_rate_bytes_per_second()),
            (Some(0x0101_0101), None)
        );
        let long = with(|r| r.attr(2, &[1; 400])).tcp_info.unwrap();
        assert_eq!(long.sent_len(), TcpInfo::SIZE);
    }

    #[test]
    fn blocks_of_congestion_controls() {
        let words = |n: u32| (1..=n).flat_map(u32::to_ne_bytes).collect::<Vec<u8>>();
        assert_eq!(
            with(|r| r.attr(3, &words(4))).congestion_info,
            Some(CongestionInfo::Vegas(VegasInfo {
                enabled: 1,
                rtt_count: 2,
                rtt_us: 3,
                min_rtt_us: 4
            }))
        );
        let dctcp = [[1, 0, 2, 0].as_slice(), &words(3)].concat();
        assert_eq!(
            with(|r| r.attr(9, &dctcp)).congestion_info,
            Some(CongestionInfo::Dctcp(DctcpInfo {
                enabled: u16::from_ne_bytes([1, 0]),
                ce_state: u16::from_ne_bytes([2, 0]),
                alpha: 1,
                ab_ecn: 2,
                ab_tot: 3
            }))
        );
        assert_eq!(
            with(|r| r.attr(16, &words(5))).congestion_info,
            Some(CongestionInfo::Bbr(BbrInfo {
                bandwidth_bytes_per_second: 0x2_0000_0001,
                min_rtt_us: 3,
                pacing_gain: 4,
                cwnd_gain: 5
            }))
        );
    }

    #[test]
    fn kernel_tls_with_every_part() {
        let socket = with(|r| {
            r.nested(19, |ulp| {
                ulp.attr_str(1, "tls").nested(2, |tls| {
                    tls.attr_u16(1, 0x304)
                        .attr_u16(2, 54)
                        .attr_u16(3, 3)
                        .attr_u16(4, 2)
                        .attr_flag(5)
                        .attr_flag(6)
                        .attr_u16(7, 8192)
                })
            })
        });
        let tls = TlsInfo {
            version: Some(TlsVersion::TLS_1_3),
            cipher: Some(TlsCipher(54)),
            tx_conf: Some(TlsConf(3)),
            rx_conf: Some(TlsConf(2)),
            zerocopy_sendfile: true,
            rx_no_pad: true,
            tx_max_payload_len: Some(8192),
        };
        let name = Some(Name::new(b"tls"));
        assert_eq!(socket.ulp, Some(Ulp { name, tls: Some(tls), mptcp: None }));
    }

    #[test]
    fn an_mptcp_subflow_with_every_part() {
        let socket = with(|r| {
            r.nested(19, |ulp| {
                ulp.nested(3, |sf| {
                    sf.attr_u32(1, 11)
                        .attr_u32(2, 12)
                        .attr_u32(3, 13)
                        .attr_u64(4, 14)
                        .attr_u32(5, 15)
                        .attr_u32(6, 16)
                        .attr_u16(7, 17)
                        .attr_u32(8, 18)
                        .attr_u8(9, 19)
                        .attr_u8(10, 20)
                })
            })
        });
        let subflow = MptcpSubflow {
            token_remote: Some(11),
            token_local: Some(12),
            relative_write_seq: Some(13),
            map_seq: Some(14),
            map_subflow_seq: Some(15),
            ssn_offset: Some(16),
            map_data_len: Some(17),
            flags: Some(18),
            id_remote: Some(19),
            id_local: Some(20),
        };
        assert_eq!(socket.ulp.unwrap().mptcp, Some(subflow));
    }

    #[test]
    fn md5_keys_are_not_in_the_record() {
        let mut sigs = vec![0; 200];
        sigs[..24].copy_from_slice(&[
            2, 24, 6, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, b's', b'e', b'c', b'r',
        ]);
        sigs[100..104].copy_from_slice(&[10, 64, 1, 0]);
        let socket = with(|r| r.attr(18, &sigs));
        assert_eq!(socket.md5.len(), 2);
        assert_eq!(socket.md5[0].address, Ipv4Addr::new(10, 0, 0, 0));
        assert_eq!((socket.md5[0].prefix_len, socket.md5[1].prefix_len), (24, 64));
        assert_eq!(socket.md5[0].key_len, u16::from_ne_bytes([6, 0]));
        assert!(!format!("{socket:?}").contains("sec"));
    }

    #[test]
    fn protocol_comes_from_the_answer_unless_it_was_cut_to_8_bits() {
        assert_eq!(with(|r| r.attr_u8(10, 17)).protocol, Protocol::UDP);
        let bytes =
            Request::new(20).body(head(2).as_slice()).attr_u8(10, 6).to_bytes(1, 0).unwrap();
        let mut socket = Socket::new(Protocol::MPTCP);
        decode(&Messages::new(&bytes).next().unwrap().unwrap(), None, &mut socket).unwrap();
        assert_eq!(socket.protocol, Protocol::MPTCP);
    }

    #[test]
    fn a_short_attribute_costs_that_field_alone() {
        let request = Request::new(20).body(head(2).as_slice()).attr(15, &[1]).attr_u8(5, 9);
        let (socket, trouble) = decoded(&request);
        assert_eq!((socket.mark, socket.tos), (None, Some(9)));
        assert!(trouble.unwrap().to_string().contains("15"));
    }

    #[test]
    fn what_is_no_internet_socket_is_refused() {
        for (body, expected) in [(vec![1u8; 72], "address family 1"), (vec![2; 68], "72")] {
            let bytes = Request::new(20).body(body.as_slice()).to_bytes(1, 0).unwrap();
            let message = Messages::new(&bytes).next().unwrap().unwrap();
            let error = decode(&message, None, &mut Socket::new(Protocol::TCP)).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_attribute_panics(kind in 0u16..40, value: Vec<u8>, rest: Vec<u8>) {
            let mut body = head(2);
            body.extend(u16::try_from(value.len() + 4).unwrap_or(4).to_ne_bytes());
            body.extend(kind.to_ne_bytes());
            body.extend(value);
            body.extend(rest);
            let bytes = Request::new(20).body(body.as_slice()).to_bytes(1, 0).unwrap();
            let message = Messages::new(&bytes).next().unwrap().unwrap();
            let mut socket = Socket::new(Protocol::TCP);
            prop_assert!(decode(&message, None, &mut socket).is_ok());
            prop_assert_eq!(socket.inode, 4711);
        }
    }
}
