//! Sockets that show what an ordinary kernel's ordinary traffic does not.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Message, TcpInfo, attribute, attribute_bytes, state, tcp_info, words};
use crate::Recording;

/// Every special case, IPv4 sockets first.
///
/// TCP-MD5 keys stand in [`md5_signed`], since a reader may well keep those to itself.
///
/// [`md5_signed`]: super::md5_signed
#[must_use]
pub fn catalogue() -> Recording {
    let mut sockets = Vec::new();
    states(&mut sockets);
    timers(&mut sockets);
    addresses(&mut sockets);
    lengths_of_tcp_info(&mut sockets);
    single_fields(&mut sockets);
    rates(&mut sockets);
    hidden_values(&mut sockets);
    congestion(&mut sockets);
    memory(&mut sockets);
    details(&mut sockets);
    upper_layers(&mut sockets);

    let mut recording = Recording::new();
    let mut cookie = 1;
    for v4 in [true, false] {
        for socket in sockets.iter_mut().filter(|socket| socket.source.0.is_ipv4() == v4) {
            cookie += 1;
            socket.cookie += cookie << 20;
            recording.push(&socket.to_bytes());
        }
    }
    recording
}

fn with_info(info: &TcpInfo) -> Message {
    Message::v4().attribute(attribute::INFO, info.bytes())
}

/// An ordinary connection's numbers.
fn ordinary() -> TcpInfo {
    TcpInfo::new(TcpInfo::NEWEST)
        .set(tcp_info::OPTIONS, 0x07)
        .set(tcp_info::WSCALE, 0x77)
        .set(tcp_info::RTO, 204_000)
        .set(tcp_info::RTT, 3_333)
        .set(tcp_info::RTTVAR, 1_250)
        .set(tcp_info::SND_MSS, 1448)
        .set(tcp_info::SND_CWND, 10)
        .set(tcp_info::REORDERING, 3)
}

fn states(sockets: &mut Vec<Message>) {
    for number in state::ESTABLISHED..=state::CLOSING {
        for message in [Message::v4(), Message::v6()] {
            sockets.push(message.with(|message| {
                message.state = number;
                message.rqueue = 3;
                message.wqueue = 128;
            }));
        }
    }
}

fn timers(sockets: &mut Vec<Message>) {
    let expiries = [
        0,
        1,
        9,
        59,
        99,
        100,
        999,
        1000,
        1001,
        1234,
        9_999,
        10_000,
        10_001,
        59_999,
        60_000,
        61_234,
        599_999,
        600_000,
        3_600_000,
        7_200_000,
        90_061_001,
        u32::MAX,
    ];
    for timer in 0..8 {
        for expires in expiries {
            sockets.push(Message::v4().with(|message| {
                message.timer = timer;
                message.expires = expires;
                message.retrans = timer.wrapping_mul(37);
            }));
        }
    }
}

fn addresses(sockets: &mut Vec<Message>) {
    let between = |source: &str, destination: &str| {
        let (Ok(source), Ok(destination)) = (source.parse(), destination.parse()) else {
            return Message::v4();
        };
        Message::v4().with(|message| {
            message.source.0 = source;
            message.destination.0 = destination;
        })
    };
    for (source, destination) in [
        ("0.0.0.0", "0.0.0.0"),
        ("255.255.255.255", "1.2.3.4"),
        ("::", "::"),
        ("::1", "::ffff:1.2.3.4"),
        ("::1.2.3.4", "::ffff:0.0.0.0"),
        ("fe80::1", "fe80::2"),
        ("ff02::1", "2001:db8:0:0:1::1"),
        ("2001:db8:1111:2222:3333:4444:5555:6666", "1:0:0:2:0:0:0:3"),
    ] {
        let message = between(source, destination);
        sockets.push(message.clone());
        for interface in [1, 77] {
            sockets.push(message.clone().with(|message| message.interface = interface));
        }
        for only_v6 in [0, 1] {
            sockets.push(message.clone().attribute(attribute::SKV6ONLY, &[only_v6]));
            sockets.push(
                message
                    .clone()
                    .with(|message| {
                        message.state = state::LISTEN;
                        message.destination.1 = 0;
                    })
                    .attribute(attribute::SKV6ONLY, &[only_v6]),
            );
        }
    }
    for (source, destination) in
        [(0, 0), (22, 80), (53, 443), (65_535, 1), (32_768, 60_999), (6000, 8080)]
    {
        for message in [Message::v4(), Message::v6()] {
            sockets.push(message.with(|message| {
                message.source.1 = source;
                message.destination.1 = destination;
            }));
        }
    }
    // Sockets that the kernel would not list, but whose columns have a widest value.
    sockets.push(Message::v6().with(|message| {
        let longest = IpAddr::from(Ipv6Addr::from([0xabcd; 8]));
        message.source = (longest, 65_535);
        message.destination = (longest, 65_535);
        message.interface = 1;
        message.rqueue = u32::MAX;
        message.wqueue = u32::MAX;
    }));
    sockets.push(Message::v4().with(|message| {
        message.source.0 = Ipv4Addr::BROADCAST.into();
        message.rqueue = 1_000_000;
    }));
}

fn lengths_of_tcp_info(sockets: &mut Vec<Message>) {
    // Each length that a kernel has had, an odd one between, nothing, and a future kernel's.
    for length in
        [0, 8, 104, 106, 120, 136, 160, 192, 200, 216, 224, 232, 240, 248, 252, 276, 280, 300, 512]
    {
        let mut info = TcpInfo::new(length);
        for (number, field) in (1..).zip(tcp_info::ALL) {
            info = info.set(*field, number);
        }
        sockets.push(with_info(&info).attribute(attribute::CONG, b"cubic\0"));
        if length >= 280 {
            sockets.push(with_info(&info).with(|message| message.state = state::LISTEN));
        }
    }
}

/// Each field alone: small, at its greatest, and of an ordinary size.
fn single_fields(sockets: &mut Vec<Message>) {
    for field in tcp_info::ALL {
        for value in [1, 999, 1_234_567, u64::MAX] {
            sockets.push(with_info(&TcpInfo::new(TcpInfo::NEWEST).set(*field, value)));
        }
    }
    for options in 0..=255 {
        sockets.push(with_info(&ordinary().set(tcp_info::OPTIONS, options)));
    }
    for bits in 0..8 {
        sockets.push(with_info(&ordinary().set(tcp_info::APP_LIMITED, bits)));
    }
}

fn rates(sockets: &mut Vec<Message>) {
    let limits = [
        1,
        124,
        125,
        12_345,
        124_999,
        125_000,
        125_001,
        999_999,
        1_234_567,
        124_999_999,
        125_000_000,
        124_937_500,
        124_937_499,
        12_500_000_000,
        1_250_000_000_000,
        u64::MAX - 1,
        u64::MAX,
    ];
    for rate in limits {
        for field in [tcp_info::PACING_RATE, tcp_info::DELIVERY_RATE] {
            sockets.push(with_info(&ordinary().set(field, rate)));
        }
        for most in [1, 5_000, rate, u64::MAX] {
            sockets.push(with_info(
                &ordinary().set(tcp_info::PACING_RATE, rate).set(tcp_info::MAX_PACING_RATE, most),
            ));
        }
    }
    for rtt in [1, 7, 33, 1000, 999_999, 1_000_000, 123_456_789, u64::from(u32::MAX)] {
        for mss in [1, 536, 65_483] {
            for cwnd in [1, 10, 1_000_000] {
                sockets.push(with_info(
                    &ordinary()
                        .set(tcp_info::RTT, rtt)
                        .set(tcp_info::SND_MSS, mss)
                        .set(tcp_info::SND_CWND, cwnd),
                ));
            }
        }
    }
    for busy in [1, 999, 1000, 1_000_000, u64::MAX] {
        for limited in [1, 500, 333_333, busy, u64::MAX] {
            sockets.push(with_info(
                &ordinary()
                    .set(tcp_info::BUSY_TIME, busy)
                    .set(tcp_info::RWND_LIMITED, limited)
                    .set(tcp_info::SNDBUF_LIMITED, limited / 3),
            ));
        }
    }
}

/// Values that `ss` leaves out, and their neighbours.
fn hidden_values(sockets: &mut Vec<Message>) {
    for (field, values) in [
        (tcp_info::RTO, &[2_999_999, 3_000_000, 3_000_001][..]),
        (tcp_info::SND_SSTHRESH, &[1, 0xfffe, 0xffff, 0x1_0000, 0x7fff_ffff]),
        (tcp_info::REORDERING, &[0, 2, 3, 4]),
        (tcp_info::MIN_RTT, &[1, 17, 0xffff_fffe, 0xffff_ffff]),
        (tcp_info::RTTVAR, &[0, 1, 500, 123_456_789]),
        (tcp_info::ATO, &[1, 40_000, 123_456]),
        (tcp_info::RCV_RTT, &[1, 999, 1_000, 1_234_567]),
        (tcp_info::TOTAL_RETRANS, &[0, 7]),
    ] {
        for value in values {
            sockets.push(with_info(&ordinary().set(field, *value)));
        }
    }
    // %g: where it turns to exponents, and where it rounds.
    for rtt in [
        1,
        10,
        100,
        999_999,
        1_000_000,
        9_999_994,
        9_999_995,
        99_999_949,
        99_999_950,
        999_999_499,
        999_999_500,
        1_000_000_000,
        4_294_967_295,
    ] {
        sockets.push(with_info(&ordinary().set(tcp_info::RTT, rtt).set(tcp_info::RTTVAR, rtt / 2)));
    }
}

fn congestion(sockets: &mut Vec<Message>) {
    for name in ["a", "cubic", "a-name-of-15-ch", "a-name-of-16-chr", "a-name-longer-than-any", ""]
    {
        let mut value = name.as_bytes().to_vec();
        value.push(0);
        sockets.push(with_info(&ordinary()).attribute(attribute::CONG, &value));
        // Without tcp_info.
        sockets.push(Message::v4().attribute(attribute::CONG, &value));
    }
    for [enabled, rounds, rtt, least] in
        [[1, 10, 20_000, 100], [0, 10, 20_000, 100], [1, 0, 0, 0], [1, 9, 0x7fff_ffff, 1]]
    {
        sockets.push(
            with_info(&ordinary())
                .attribute(attribute::CONG, b"vegas\0")
                .attribute(attribute::VEGASINFO, &words(&[enabled, rounds, rtt, least])),
        );
    }
    for (enabled, mark) in [(1_u16, 0_u16), (1, 1), (0, 1), (7, 9)] {
        let mut value = [enabled.to_ne_bytes(), mark.to_ne_bytes()].concat();
        value.extend(words(&[1024, 77, u32::MAX]));
        sockets.push(
            with_info(&ordinary())
                .attribute(attribute::CONG, b"dctcp\0")
                .attribute(attribute::DCTCPINFO, &value),
        );
        sockets.push(Message::v4().attribute(attribute::DCTCPINFO, &value));
    }
    for values in [
        [0, 0, 0, 0, 0],
        [1_250_000, 0, 33, 739, 739],
        [0, 1, u32::MAX, 256, 512],
        [u32::MAX, u32::MAX, 1, 1, 1],
        [125, 0, 1_234_567, 717, 0],
    ] {
        sockets.push(
            with_info(&ordinary())
                .attribute(attribute::CONG, b"bbr\0")
                .attribute(attribute::BBRINFO, &words(&values)),
        );
    }
}

fn memory(sockets: &mut Vec<Message>) {
    let row = [0, 131_072, 1, 87_040, 4_294_967_295, 5, 6, 7, 8, 9, 10];
    // From the oldest kernel's seven numbers (no backlog, no drops) to more than there are.
    for count in [7, 8, 9, 11] {
        let memory = words(&row[..count]);
        sockets.push(Message::v4().attribute(attribute::SKMEMINFO, &memory));
        sockets.push(with_info(&ordinary()).attribute(attribute::SKMEMINFO, &memory));
    }
    let older = words(&[1, 2, u32::MAX, 4]);
    sockets.push(Message::v4().attribute(attribute::MEMINFO, &older));
    sockets.push(
        Message::v6()
            .attribute(attribute::MEMINFO, &older)
            .attribute(attribute::SKMEMINFO, &words(&row)),
    );
}

fn details(sockets: &mut Vec<Message>) {
    for uid in [0, 1, 33, 65_534, u32::MAX] {
        for (inode, cookie) in [(0, 0), (1, 1), (u32::MAX, u64::MAX), (4711, 0x1_0000_0000)] {
            sockets.push(Message::v4().with(|message| {
                message.uid = uid;
                message.inode = inode;
                message.cookie = cookie >> 21;
            }));
        }
    }
    for mask in 0..=4 {
        sockets.push(Message::v4().attribute(attribute::SHUTDOWN, &[mask]));
    }
    for mark in [0, 1, 0xfe, u32::MAX] {
        sockets.push(Message::v4().attribute(attribute::MARK, &mark.to_ne_bytes()));
        sockets.push(Message::v6().attribute(attribute::CLASS_ID, &mark.to_ne_bytes()));
    }
    for value in [0, 1, 0x10, 0xb8, 0xff] {
        sockets.push(Message::v4().attribute(attribute::TOS, &[value]));
        sockets.push(
            Message::v6()
                .attribute(attribute::TOS, &[value])
                .attribute(attribute::TCLASS, &[value])
                .attribute(attribute::CLASS_ID, &[value, 0, 0, 0]),
        );
    }
    for id in [0_u64, 1, 0xdead_beef_dead_beef, u64::MAX] {
        sockets.push(Message::v4().attribute(attribute::CGROUP_ID, &id.to_ne_bytes()));
    }
    for bit in 0..16 {
        sockets.push(Message::v4().attribute(attribute::SOCKOPT, &(1_u16 << bit).to_le_bytes()));
    }
    for value in [&[0xff, 0xff][..], &[0, 0], &[0xff, 0xff, 0xff, 0xff]] {
        sockets.push(Message::v4().attribute(attribute::SOCKOPT, value));
    }
    // An attribute of a kernel to come, and one of a kind that is a protocol's number.
    sockets.push(Message::v4().attribute(99, &[1, 2, 3]));
    sockets.push(Message::v4().attribute(attribute::PROTOCOL, &[6]));
    // All at once.
    sockets.push(
        with_info(&ordinary())
            .with(|message| {
                message.timer = 1;
                message.expires = 200;
                message.uid = 33;
            })
            .attribute(attribute::SHUTDOWN, &[1])
            .attribute(attribute::MARK, &[1, 0, 0, 0])
            .attribute(attribute::TOS, &[8])
            .attribute(attribute::CLASS_ID, &[9, 0, 0, 0])
            .attribute(attribute::CGROUP_ID, &[1, 0, 0, 0, 0, 0, 0, 0])
            .attribute(attribute::SOCKOPT, &[3, 1])
            .attribute(attribute::CONG, b"cubic\0")
            .attribute(attribute::SKMEMINFO, &words(&[1; 9])),
    );
}

/// Protocols on top of TCP: TLS in the kernel, MPTCP, and one that nobody knows.
fn upper_layers(sockets: &mut Vec<Message>) {
    const NAME: u16 = 1;
    const TLS: u16 = 2;
    const MPTCP: u16 = 3;
    let mut layered = |parts: &[Vec<u8>]| {
        let value = parts.concat();
        sockets.push(with_info(&ordinary()).attribute(attribute::ULP_INFO, &value));
        sockets.push(Message::v6().attribute(attribute::ULP_INFO, &value));
    };
    layered(&[]);
    layered(&[attribute_bytes(NAME, b"unheard-of\0")]);
    let short = |kind, value: u16| attribute_bytes(kind, &value.to_ne_bytes());
    for version in [0x0303, 0x0304, 0x0305] {
        layered(&[attribute_bytes(NAME, b"tls\0"), attribute_bytes(TLS, &short(1, version))]);
    }
    for cipher in 50..=59 {
        for (transmit, receive) in [(1, 1), (2, 3), (4, 2), (5, 0)] {
            let tls = [short(1, 0x0304), short(2, cipher), short(3, transmit), short(4, receive)];
            layered(&[attribute_bytes(NAME, b"tls\0"), attribute_bytes(TLS, &tls.concat())]);
        }
    }
    let flags = [attribute_bytes(5, &[]), attribute_bytes(6, &[]), short(7, 16_384)];
    layered(&[attribute_bytes(NAME, b"tls\0"), attribute_bytes(TLS, &flags.concat())]);

    let word = |kind, value: u32| attribute_bytes(kind, &value.to_ne_bytes());
    let wide = |kind, value: u64| attribute_bytes(kind, &value.to_ne_bytes());
    for bits in (0..9).map(|bit| 1 << bit).chain([0, 0x1ff, 0x200, u32::MAX]) {
        layered(&[attribute_bytes(NAME, b"mptcp\0"), attribute_bytes(MPTCP, &word(8, bits))]);
    }
    let subflow = [
        word(1, 0xa1),
        word(2, 0xb2b2_b2b2),
        word(3, 0x0102_0304),
        wide(4, 0x1122_3344_5566_7788),
        word(5, 77),
        word(6, 0xffff_0000),
        short(7, 1400),
        word(8, 0x1c3),
        attribute_bytes(9, &[1]),
        attribute_bytes(10, &[255]),
    ];
    layered(&[attribute_bytes(NAME, b"mptcp\0"), attribute_bytes(MPTCP, &subflow.concat())]);
    for left_out in 0..subflow.len() {
        let some: Vec<u8> = (subflow.iter().enumerate())
            .filter(|(place, _)| *place != left_out)
            .flat_map(|(_, part)| part.clone())
            .collect();
        layered(&[attribute_bytes(NAME, b"mptcp\0"), attribute_bytes(MPTCP, &some)]);
    }
}
