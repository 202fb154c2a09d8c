//! What a busy server's dump looks like: the input of benchmarks.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Message, TcpInfo, attribute, tcp_info, words};
use crate::Recording;

/// How much each message tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// The fixed part, and what the kernel adds unasked.
    Bare,
    /// What `ss -i` asks for as well: `tcp_info` and the congestion control.
    TcpInfo,
    /// All that can be asked for.
    Everything,
}

/// A dump of `sockets` established connections, IPv4 and then IPv6, with the attributes of Linux 6.12
/// in its order and values of usual magnitude. Always the same.
#[must_use]
pub fn typical(sockets: u32, detail: Detail) -> Recording {
    let mut recording = Recording::new();
    for number in 0..sockets {
        recording.push(&connection(number, number >= sockets / 2, detail).to_bytes());
    }
    recording
}

fn connection(number: u32, v6: bool, detail: Detail) -> Message {
    let [_, b, c, d] = number.to_be_bytes();
    // Numbers of all lengths that the field has in practice, without a random number's extremes.
    let spread = number.wrapping_mul(2_654_435_761) >> 16;
    let port = 32_768 + u16::try_from(spread % 28_000).unwrap_or(0);
    let mut message = if v6 { Message::v6() } else { Message::v4() };
    if v6 {
        let host = |subnet, last| Ipv6Addr::new(0x2001, 0xdb8, subnet, 0, 0, 0, u16::from(c), last);
        message.source = (host(1, 1).into(), 443);
        message.destination = (host(2, u16::from(d)).into(), port);
    } else {
        message.source = (Ipv4Addr::new(10, 0, 0, 1).into(), 443);
        message.destination = (Ipv4Addr::new(192, b, c, d).into(), port);
    }
    message.cookie = u64::from(number) + 0x1001;
    message.inode = 20_000 + number;
    message.uid = if number.is_multiple_of(4) { 0 } else { 33 };
    if number.is_multiple_of(8) {
        message.wqueue = spread;
        message.timer = 1;
        message.expires = 200 + spread % 100;
    }
    if detail == Detail::Everything {
        message = message
            .attribute(attribute::MEMINFO, &words(&[0, spread, 4096, spread]))
            .attribute(
                attribute::SKMEMINFO,
                &words(&[0, 131_072, spread, 87_040, 4096, spread, 0, 0, 0]),
            )
            .attribute(attribute::TOS, &[0]);
        if v6 {
            message = message.attribute(attribute::TCLASS, &[0]);
        }
        message = message
            .attribute(attribute::CLASS_ID, &0_u32.to_ne_bytes())
            .attribute(attribute::SHUTDOWN, &[0]);
    }
    // These the kernel tells whatever it is asked.
    if v6 {
        message = message.attribute(attribute::SKV6ONLY, &[0]);
    }
    message = message
        .attribute(attribute::MARK, &0_u32.to_ne_bytes())
        .attribute(attribute::CGROUP_ID, &(4000 + u64::from(number % 16)).to_ne_bytes())
        .attribute(attribute::SOCKOPT, &[0, 0]);
    if detail == Detail::Bare {
        return message;
    }
    message
        .attribute(attribute::INFO, info(number, spread).bytes())
        .attribute(attribute::CONG, b"cubic\0")
}

/// A connection that has carried requests for a while.
fn info(number: u32, spread: u32) -> TcpInfo {
    let (number, spread) = (u64::from(number), u64::from(spread));
    let rtt = 80 + spread;
    let carried = 1000 * spread;
    [
        (tcp_info::STATE, 1),
        (tcp_info::OPTIONS, 7),
        (tcp_info::WSCALE, 0x77),
        (tcp_info::RTO, 204_000),
        (tcp_info::ATO, 40_000),
        (tcp_info::SND_MSS, 1448),
        (tcp_info::RCV_MSS, 536),
        (tcp_info::LAST_DATA_SENT, spread),
        (tcp_info::LAST_DATA_RECV, spread + 4),
        (tcp_info::LAST_ACK_RECV, spread),
        (tcp_info::PMTU, 1500),
        (tcp_info::RCV_SSTHRESH, 64_088),
        (tcp_info::RTT, rtt),
        (tcp_info::RTTVAR, rtt / 3),
        (tcp_info::SND_SSTHRESH, if number % 4 == 0 { 20 } else { 0x7fff_ffff }),
        (tcp_info::SND_CWND, 10 + number % 30),
        (tcp_info::ADVMSS, 1448),
        (tcp_info::REORDERING, 3),
        (tcp_info::RCV_SPACE, 14_480),
        (tcp_info::TOTAL_RETRANS, u64::from(number % 16 == 0)),
        (tcp_info::PACING_RATE, 14_480_000_000 / rtt),
        (tcp_info::MAX_PACING_RATE, u64::MAX),
        (tcp_info::BYTES_ACKED, carried),
        (tcp_info::BYTES_RECEIVED, carried / 7),
        (tcp_info::SEGS_OUT, spread),
        (tcp_info::SEGS_IN, spread / 2),
        (tcp_info::MIN_RTT, 70 + number % 50),
        (tcp_info::DATA_SEGS_IN, spread / 3),
        (tcp_info::DATA_SEGS_OUT, spread),
        (tcp_info::DELIVERY_RATE, 11_584_000_000 / rtt),
        (tcp_info::BUSY_TIME, 9000 * spread),
        (tcp_info::DELIVERED, spread + 1),
        (tcp_info::BYTES_SENT, carried),
        (tcp_info::SND_WND, 65_536),
        (tcp_info::RCV_WND, 65_536),
    ]
    .into_iter()
    .fold(TcpInfo::new(TCP_INFO_LEN), |info, (field, value)| info.set(field, value))
}

/// Length of Linux 6.12's `tcp_info`, bytes.
const TCP_INFO_LEN: usize = 248;
