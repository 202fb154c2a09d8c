//! Socket messages that no kernel sent: `inet_diag_msg` and its attributes, built by hand.
//!
//! A kernel shows only what its build and its traffic give; [`catalogue`] has the rest: congestion
//! controls and ciphers that few kernels have, tcp_info shorter and longer than ours, every field at its
//! limits. [`crowded`] makes a dump of any size, [`varied`] one of arbitrary but well-formed values,
//! [`typical`] one like a busy server's.
//!
//! Layouts: `linux/inet_diag.h`, `linux/tcp.h`, `linux/tls.h`, `linux/mptcp.h`, `linux/sock_diag.h`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::Recording;

mod catalogue;
mod typical;

pub use catalogue::catalogue;
pub use typical::{Detail, typical};

/// Attributes of a socket message (`INET_DIAG_*`).
pub mod attribute {
    #![allow(missing_docs, reason = "the names are the header's")]
    pub const MEMINFO: u16 = 1;
    pub const INFO: u16 = 2;
    pub const VEGASINFO: u16 = 3;
    pub const CONG: u16 = 4;
    pub const TOS: u16 = 5;
    pub const TCLASS: u16 = 6;
    pub const SKMEMINFO: u16 = 7;
    pub const SHUTDOWN: u16 = 8;
    pub const DCTCPINFO: u16 = 9;
    pub const PROTOCOL: u16 = 10;
    pub const SKV6ONLY: u16 = 11;
    pub const MARK: u16 = 15;
    pub const BBRINFO: u16 = 16;
    pub const CLASS_ID: u16 = 17;
    pub const MD5SIG: u16 = 18;
    pub const ULP_INFO: u16 = 19;
    pub const CGROUP_ID: u16 = 21;
    pub const SOCKOPT: u16 = 22;
}

/// TCP states as the kernel counts them (`net/tcp_states.h`).
pub mod state {
    #![allow(missing_docs, reason = "the names are the header's")]
    pub const ESTABLISHED: u8 = 1;
    pub const SYN_SENT: u8 = 2;
    pub const SYN_RECV: u8 = 3;
    pub const TIME_WAIT: u8 = 6;
    pub const CLOSE: u8 = 7;
    pub const LISTEN: u8 = 10;
    pub const CLOSING: u8 = 11;
}

/// One socket's message: an `inet_diag_msg` whose fields are public, then attributes.
#[derive(Clone, Debug)]
pub struct Message {
    /// `idiag_state`.
    pub state: u8,
    /// `idiag_timer`: which timer runs.
    pub timer: u8,
    /// `idiag_retrans`.
    pub retrans: u8,
    /// `idiag_expires`: milliseconds until the timer fires.
    pub expires: u32,
    /// The socket's address and port. Its family is the message's.
    pub source: (IpAddr, u16),
    /// The peer's.
    pub destination: (IpAddr, u16),
    /// `idiag_if`: index of the interface that it is bound to, or 0.
    pub interface: u32,
    /// `idiag_cookie`.
    pub cookie: u64,
    /// `idiag_rqueue`.
    pub rqueue: u32,
    /// `idiag_wqueue`.
    pub wqueue: u32,
    /// `idiag_uid`.
    pub uid: u32,
    /// `idiag_inode`.
    pub inode: u32,
    attributes: Vec<u8>,
}

impl Default for Message {
    fn default() -> Self {
        Self::v4()
    }
}

impl Message {
    /// An established IPv4 connection of loopback.
    #[must_use]
    pub fn v4() -> Self {
        Self {
            state: state::ESTABLISHED,
            timer: 0,
            retrans: 0,
            expires: 0,
            source: (Ipv4Addr::LOCALHOST.into(), 40_000),
            destination: (Ipv4Addr::LOCALHOST.into(), 65_000),
            interface: 0,
            cookie: 0x1001,
            rqueue: 0,
            wqueue: 0,
            uid: 0,
            inode: 4711,
            attributes: Vec::new(),
        }
    }

    /// An established IPv6 connection of loopback.
    #[must_use]
    pub fn v6() -> Self {
        Self {
            source: (Ipv6Addr::LOCALHOST.into(), 40_000),
            destination: (Ipv6Addr::LOCALHOST.into(), 65_000),
            ..Self::v4()
        }
    }

    /// Sets fields: `Message::v4().with(|message| message.uid = 33)`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Appends an attribute.
    #[must_use]
    pub fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        self.attributes.extend(attribute_bytes(kind, value));
        self
    }

    /// The message as the kernel would send it, aligned.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        const FIXED: usize = 72;
        let length = u32::try_from(16 + FIXED + self.attributes.len()).unwrap_or(u32::MAX);
        let mut bytes = Vec::with_capacity(16 + FIXED + self.attributes.len());
        // SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, the sequence number that ss uses, port id 0.
        bytes.extend(length.to_ne_bytes());
        bytes.extend(20_u16.to_ne_bytes());
        bytes.extend(2_u16.to_ne_bytes());
        bytes.extend(123_456_u32.to_ne_bytes());
        bytes.extend(0_u32.to_ne_bytes());

        let family = if self.source.0.is_ipv4() { 2 } else { 10 };
        bytes.extend([family, self.state, self.timer, self.retrans]);
        bytes.extend(self.source.1.to_be_bytes());
        bytes.extend(self.destination.1.to_be_bytes());
        bytes.extend(address_bytes(self.source.0));
        bytes.extend(address_bytes(self.destination.0));
        bytes.extend(self.interface.to_ne_bytes());
        // Two 32-bit halves, the low one first, on every machine.
        let (low, high) = (self.cookie & 0xffff_ffff, self.cookie >> 32);
        for half in [low, high] {
            bytes.extend(u32::try_from(half).unwrap_or(0).to_ne_bytes());
        }
        for field in [self.expires, self.rqueue, self.wqueue, self.uid, self.inode] {
            bytes.extend(field.to_ne_bytes());
        }
        bytes.extend(&self.attributes);
        bytes
    }
}

/// The 16 bytes of an address, IPv4 in the first four.
fn address_bytes(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V6(address) => address.octets(),
        IpAddr::V4(address) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&address.octets());
            bytes
        }
    }
}

/// One attribute, padded. Nested ones are attributes in `value`.
#[must_use]
pub fn attribute_bytes(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    let mut bytes = Vec::with_capacity(value.len() + 8);
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// Numbers one after the other, for the structs that are rows of them.
#[must_use]
pub fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_ne_bytes()).collect()
}

/// A field of `tcp_info` (`linux/tcp.h`): where it lies, and how long it is, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Field(pub usize, pub usize);

macro_rules! fields {
    ($($name:ident $offset:literal $length:literal),* $(,)?) => {
        /// The fields of `tcp_info`, in order. The names are the header's.
        #[allow(missing_docs, reason = "the names are the header's")]
        pub mod tcp_info {
            use super::Field;
            $(pub const $name: Field = Field($offset, $length);)*
            /// All of them.
            pub const ALL: &[Field] = &[$($name),*];
        }
    };
}

fields! {
    STATE 0 1, CA_STATE 1 1, RETRANSMITS 2 1, PROBES 3 1, BACKOFF 4 1, OPTIONS 5 1, WSCALE 6 1,
    APP_LIMITED 7 1, RTO 8 4, ATO 12 4, SND_MSS 16 4, RCV_MSS 20 4, UNACKED 24 4, SACKED 28 4,
    LOST 32 4, RETRANS 36 4, FACKETS 40 4, LAST_DATA_SENT 44 4, LAST_ACK_SENT 48 4,
    LAST_DATA_RECV 52 4, LAST_ACK_RECV 56 4, PMTU 60 4, RCV_SSTHRESH 64 4, RTT 68 4, RTTVAR 72 4,
    SND_SSTHRESH 76 4, SND_CWND 80 4, ADVMSS 84 4, REORDERING 88 4, RCV_RTT 92 4, RCV_SPACE 96 4,
    TOTAL_RETRANS 100 4, PACING_RATE 104 8, MAX_PACING_RATE 112 8, BYTES_ACKED 120 8,
    BYTES_RECEIVED 128 8, SEGS_OUT 136 4, SEGS_IN 140 4, NOTSENT_BYTES 144 4, MIN_RTT 148 4,
    DATA_SEGS_IN 152 4, DATA_SEGS_OUT 156 4, DELIVERY_RATE 160 8, BUSY_TIME 168 8,
    RWND_LIMITED 176 8, SNDBUF_LIMITED 184 8, DELIVERED 192 4, DELIVERED_CE 196 4,
    BYTES_SENT 200 8, BYTES_RETRANS 208 8, DSACK_DUPS 216 4, REORD_SEEN 220 4, RCV_OOOPACK 224 4,
    SND_WND 228 4, RCV_WND 232 4, REHASH 236 4, TOTAL_RTO 240 2, TOTAL_RTO_RECOVERIES 242 2,
    TOTAL_RTO_TIME 244 4, RECEIVED_CE 248 4, DELIVERED_E1_BYTES 252 4, DELIVERED_E0_BYTES 256 4,
    DELIVERED_CE_BYTES 260 4, RECEIVED_E1_BYTES 264 4, RECEIVED_E0_BYTES 268 4,
    RECEIVED_CE_BYTES 272 4, ECN_MODE_AND_OPTIONS2 276 4,
}

/// A `tcp_info`, all zero at first.
#[derive(Clone, Debug)]
pub struct TcpInfo(Vec<u8>);

impl TcpInfo {
    /// Its length on the newest kernel, bytes.
    pub const NEWEST: usize = 280;

    /// One of `length` bytes.
    #[must_use]
    pub fn new(length: usize) -> Self {
        Self(vec![0; length])
    }

    /// Sets a field, as far as the struct reaches.
    #[must_use]
    pub fn set(mut self, field: Field, value: u64) -> Self {
        let Field(offset, length) = field;
        let bytes = value.to_le_bytes();
        if let (Some(place), Some(value)) =
            (self.0.get_mut(offset..offset + length), bytes.get(..length))
        {
            place.copy_from_slice(value);
            if cfg!(target_endian = "big") {
                place.reverse();
            }
        }
        self
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A connection with TCP-MD5 keys for two addresses, both keys `secret`.
#[must_use]
pub fn md5_signed(secret: &str) -> Recording {
    let key = |family: u8, prefix: u8, address: [u8; 16]| {
        let length = u16::try_from(secret.len()).unwrap_or(0);
        let mut bytes = vec![family, prefix];
        bytes.extend(length.to_ne_bytes());
        bytes.extend(address);
        bytes.extend(secret.as_bytes());
        bytes.resize(2 + 2 + 16 + 80, 0);
        bytes
    };
    let keys = [
        key(2, 24, address_bytes(Ipv4Addr::new(192, 0, 2, 0).into())),
        key(10, 64, address_bytes(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0).into())),
    ];
    let mut recording = Recording::new();
    recording.push(&Message::v4().attribute(attribute::MD5SIG, &keys.concat()).to_bytes());
    recording
}

/// A dump of `sockets` sockets, the later ones with longer addresses, bigger queues and more to tell: the
/// columns that a reader has fitted to the first of them are too narrow for the last.
#[must_use]
pub fn crowded(sockets: u32) -> Recording {
    let mut recording = Recording::new();
    let half = sockets / 2;
    for number in 0..sockets {
        let stage = u64::from(number) * 8 / u64::from(sockets.max(1));
        let growth = u32::try_from(10_u64.pow(u32::try_from(stage).unwrap_or(0))).unwrap_or(0);
        let [_, b, c, d] = number.to_be_bytes();
        let mut message = if number < half {
            let network = if stage < 2 { 1 } else { 120 };
            Message::v4().with(|message| {
                message.source = (Ipv4Addr::new(network, b, c, d).into(), 80);
                message.destination = (Ipv4Addr::new(9, b, c, d).into(), 1024 + u16::from(d));
            })
        } else {
            let mut groups = [0; 8];
            for group in groups.iter_mut().take(usize::try_from(stage).unwrap_or(0)) {
                *group = 0xfdaa;
            }
            groups[6] = u16::from_be_bytes([b, c]);
            groups[7] = u16::from(d);
            Message::v6().with(|message| {
                message.source = (Ipv6Addr::from(groups).into(), 50_000);
                message.destination = (Ipv6Addr::from(groups).into(), 443);
            })
        };
        message.rqueue = number % growth.max(1);
        message.wqueue = growth;
        message.cookie = u64::from(number) + 1;
        message.inode = number + 10;
        message.uid = number % 3;
        let info = TcpInfo::new(TcpInfo::NEWEST)
            .set(tcp_info::RTO, 204_000)
            .set(tcp_info::RTT, 30 + u64::from(number % 1000))
            .set(tcp_info::SND_MSS, 1448)
            .set(tcp_info::SND_CWND, 10)
            .set(tcp_info::BYTES_ACKED, u64::from(growth) * u64::from(number));
        recording.push(
            &message
                .attribute(attribute::INFO, info.bytes())
                .attribute(attribute::CONG, b"cubic\0")
                .to_bytes(),
        );
    }
    recording
}

/// A dump of arbitrary, well-formed messages, always the same for the same `seed`.
#[must_use]
pub fn varied(seed: u64, sockets: u32) -> Recording {
    let mut random = Random(seed.wrapping_mul(2).wrapping_add(1));
    let mut recording = Recording::new();
    for number in 0..sockets {
        let mut message = arbitrary(&mut random, number >= sockets / 2);
        message.cookie = message.cookie << 32 | u64::from(number + 1);
        recording.push(&message.to_bytes());
    }
    recording
}

fn arbitrary(random: &mut Random, v6: bool) -> Message {
    let mut message = if v6 { Message::v6() } else { Message::v4() };
    // 12 is NEW_SYN_RECV, which the kernel reports as SYN_RECV.
    message.state = 1 + random.below(11);
    message.timer = random.below(6);
    message.retrans = random.below(20);
    message.expires = random.number();
    message.source.1 = random.short();
    message.destination.1 = random.short();
    if v6 {
        message.source.0 = random.ipv6().into();
        message.destination.0 = random.ipv6().into();
    } else {
        message.source.0 = Ipv4Addr::from(random.number()).into();
        message.destination.0 = Ipv4Addr::from(random.number()).into();
    }
    message.cookie = random.wide();
    message.rqueue = random.number();
    message.wqueue = random.number();
    message.uid = random.number();
    message.inode = random.number();

    let length = [104, 120, 136, 160, 192, 200, 224, 232, 240, 248, 280, 320];
    let mut info = TcpInfo::new(length[usize::from(random.below(12))]);
    for field in tcp_info::ALL {
        if random.below(3) > 0 {
            info = info.set(*field, random.wide());
        }
    }
    message = message.attribute(attribute::INFO, info.bytes());
    let names = ["cubic", "bbr", "reno", "vegas", "dctcp", "a-name-of-15-ch"];
    let name = names[usize::from(random.below(6))];
    message = message.attribute(attribute::CONG, format!("{name}\0").as_bytes());
    let mut row = |length| (0..length).map(|_| random.number()).collect::<Vec<_>>();
    let (memory, control) = (row(9), row(5));
    match name {
        "bbr" => message = message.attribute(attribute::BBRINFO, &words(&control)),
        "vegas" => message = message.attribute(attribute::VEGASINFO, &words(&control[..4])),
        "dctcp" => message = message.attribute(attribute::DCTCPINFO, &words(&control[..4])),
        _ => {}
    }
    message = match random.below(4) {
        0 => message,
        1 => message.attribute(attribute::MEMINFO, &words(&memory[..4])),
        2 => message.attribute(attribute::SKMEMINFO, &words(&memory[..8])),
        _ => message.attribute(attribute::SKMEMINFO, &words(&memory)),
    };
    if v6 {
        message = message.attribute(attribute::SKV6ONLY, &[random.below(2)]);
    }
    for (kind, length) in [
        (attribute::TOS, 1),
        (attribute::TCLASS, 1),
        (attribute::SHUTDOWN, 1),
        (attribute::MARK, 4),
        (attribute::CLASS_ID, 4),
        (attribute::SOCKOPT, 2),
    ] {
        if random.below(2) == 0 {
            message = message.attribute(kind, &random.wide().to_ne_bytes()[..length]);
        }
    }
    message
}

/// Numbers that look random (xorshift64), small ones and limits more often than chance would have it.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn wide(&mut self) -> u64 {
        let bits = self.next();
        match bits % 8 {
            0 => 0,
            1 => bits >> 60,
            2 => u64::MAX,
            _ => bits >> (self.next() % 64),
        }
    }

    fn number(&mut self) -> u32 {
        u32::try_from(self.wide() & 0xffff_ffff).unwrap_or(0)
    }

    fn short(&mut self) -> u16 {
        u16::try_from(self.wide() & 0xffff).unwrap_or(0)
    }

    fn below(&mut self, limit: u8) -> u8 {
        u8::try_from((self.next() >> 32) % u64::from(limit.max(1))).unwrap_or(0)
    }

    fn ipv6(&mut self) -> Ipv6Addr {
        let (high, low) = (u128::from(self.wide()), u128::from(self.wide()));
        match self.below(4) {
            0 => Ipv6Addr::UNSPECIFIED,
            1 => Ipv4Addr::from(self.number()).to_ipv6_mapped(),
            _ => Ipv6Addr::from(high << 64 | low),
        }
    }
}
