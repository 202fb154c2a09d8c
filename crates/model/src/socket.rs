//! One socket, as `NETLINK_SOCK_DIAG` tells of it.
//!
//! Source: struct inet_diag_msg and the `INET_DIAG_*` attributes (linux/inet_diag.h),
//! `inet_sk_diag_fill` and `inet_diag_msg_attrs_fill` (net/ipv4/inet_diag.c).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;

use crate::{CongestionInfo, MemInfo, Name, SkMemInfo, State, TcpInfo, Ulp};

/// A socket and everything that the kernel told about it.
///
/// Fields that are no `Option` are in every answer; the others depend on what was asked, on the
/// reader's rights, on the socket and on the kernel's age.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Socket {
    /// `idiag_family`.
    pub family: Family,
    /// The transport protocol that the dump was asked for. `INET_DIAG_PROTOCOL` carries its low 8
    /// bits.
    pub protocol: Protocol,
    /// `idiag_state`.
    pub state: State,
    /// `idiag_src`, `idiag_sport`.
    pub local: Endpoint,
    /// `idiag_dst`, `idiag_dport`; the unspecified address and port 0 when not connected.
    pub peer: Endpoint,
    /// `idiag_if`: the interface that the socket is bound to.
    pub interface: Option<NonZeroU32>,
    /// `idiag_cookie`: identifies the socket as long as the host runs.
    pub cookie: Cookie,
    /// `idiag_timer`, `idiag_expires`, `idiag_retrans`.
    pub timer: Timer,
    /// `idiag_rqueue`: bytes received and not yet read. For a TCP listener, connections that wait
    /// to be accepted.
    pub rqueue: u32,
    /// `idiag_wqueue`: bytes sent and not yet acknowledged (TCP), or not yet transmitted (UDP). For
    /// a TCP listener, the limit of the accept queue.
    pub wqueue: u32,
    /// `idiag_uid`: the owner's user id, as the reader's user namespace counts.
    pub uid: u32,
    /// `idiag_inode`: the socket's inode number; 0 when no file refers to it (TIME-WAIT, SYN-RECV,
    /// orphans).
    pub inode: u32,
    /// `INET_DIAG_MEMINFO`.
    pub mem: Option<MemInfo>,
    /// `INET_DIAG_SKMEMINFO`.
    pub skmem: Option<SkMemInfo>,
    /// `INET_DIAG_INFO` of a TCP socket.
    pub tcp_info: Option<TcpInfo>,
    /// `INET_DIAG_CONG`: name of the congestion control.
    pub congestion: Option<Name>,
    /// `INET_DIAG_VEGASINFO`, `INET_DIAG_DCTCPINFO` or `INET_DIAG_BBRINFO`.
    pub congestion_info: Option<CongestionInfo>,
    /// `INET_DIAG_TOS`: the IPv4 type of service byte.
    pub tos: Option<u8>,
    /// `INET_DIAG_TCLASS`: the IPv6 traffic class.
    pub tclass: Option<u8>,
    /// `INET_DIAG_CLASS_ID`: the net_cls class of the cgroup, or else the socket's priority.
    pub class_id: Option<u32>,
    /// `INET_DIAG_MARK`, told only with CAP_NET_ADMIN.
    pub mark: Option<u32>,
    /// `INET_DIAG_CGROUP_ID`: id of the socket's cgroup v2.
    pub cgroup_id: Option<CgroupId>,
    /// `INET_DIAG_SKV6ONLY`: an IPv6 socket that refuses IPv4.
    pub v6only: Option<bool>,
    /// `INET_DIAG_SHUTDOWN`.
    pub shutdown: Option<Shutdown>,
    /// `INET_DIAG_SOCKOPT`.
    pub sockopt: Option<SockOpt>,
    /// `INET_DIAG_ULP_INFO` (since 5.4).
    pub ulp: Option<Ulp>,
    /// `INET_DIAG_MD5SIG` (since 4.14), told only with CAP_NET_ADMIN: the peers whose segments are
    /// signed (RFC 2385), without the keys.
    pub md5: Vec<Md5Signature>,
    /// Who told.
    pub source: Source,
}

impl Socket {
    /// A record to be filled: an unbound IPv4 socket in [`State::Close`].
    #[must_use]
    pub const fn new(protocol: Protocol) -> Self {
        Socket {
            family: Family::Inet,
            protocol,
            state: State::Close,
            local: Endpoint::UNSPECIFIED,
            peer: Endpoint::UNSPECIFIED,
            interface: None,
            cookie: Cookie(0),
            timer: Timer { kind: TimerKind::Off, expires_ms: 0, retransmits: 0 },
            rqueue: 0,
            wqueue: 0,
            uid: 0,
            inode: 0,
            mem: None,
            skmem: None,
            tcp_info: None,
            congestion: None,
            congestion_info: None,
            tos: None,
            tclass: None,
            class_id: None,
            mark: None,
            cgroup_id: None,
            v6only: None,
            shutdown: None,
            sockopt: None,
            ulp: None,
            md5: Vec::new(),
            source: Source::Netlink,
        }
    }

    /// Forgets everything but the protocol, and keeps what memory it has.
    ///
    /// This runs once a socket of a dump, so it marks the large parts as absent and leaves their
    /// bytes.
    pub fn clear(&mut self) {
        self.family = Family::Inet;
        self.state = State::Close;
        self.local = Endpoint::UNSPECIFIED;
        self.peer = Endpoint::UNSPECIFIED;
        self.interface = None;
        self.cookie = Cookie(0);
        self.timer = Timer { kind: TimerKind::Off, expires_ms: 0, retransmits: 0 };
        self.rqueue = 0;
        self.wqueue = 0;
        self.uid = 0;
        self.inode = 0;
        self.mem = None;
        self.skmem = None;
        self.tcp_info = None;
        self.congestion = None;
        self.congestion_info = None;
        self.tos = None;
        self.tclass = None;
        self.class_id = None;
        self.mark = None;
        self.cgroup_id = None;
        self.v6only = None;
        self.shutdown = None;
        self.sockopt = None;
        self.ulp = None;
        self.md5.clear();
        self.source = Source::Netlink;
    }
}

/// Who told of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// sock_diag.
    Netlink,
    /// A file of /proc/net, which knows neither cookies nor the limits of listeners.
    ProcNet,
}

/// Address family (`AF_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// `AF_INET` (2).
    Inet,
    /// `AF_INET6` (10).
    Inet6,
}

impl Family {
    /// The kernel's number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Family::Inet => 2,
            Family::Inet6 => 10,
        }
    }

    /// The family with this number, `None` for one that is no internet family.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Family> {
        match number {
            2 => Some(Family::Inet),
            10 => Some(Family::Inet6),
            _ => None,
        }
    }
}

/// Transport protocol (`IPPROTO_*`). 16 bits, because MPTCP is 262.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Protocol(pub u16);

impl Protocol {
    /// `IPPROTO_TCP`.
    pub const TCP: Protocol = Protocol(6);
    /// `IPPROTO_UDP`.
    pub const UDP: Protocol = Protocol(17);
    /// `IPPROTO_UDPLITE`.
    pub const UDPLITE: Protocol = Protocol(136);
    /// `IPPROTO_MPTCP`.
    pub const MPTCP: Protocol = Protocol(262);
}

/// An address and a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// The address; unspecified (`0.0.0.0`, `::`) for any.
    pub address: IpAddr,
    /// The port in host order; 0 for any.
    pub port: u16,
}

impl Endpoint {
    /// `0.0.0.0:0`.
    pub const UNSPECIFIED: Endpoint =
        Endpoint { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), port: 0 };
}

/// What identifies a socket as long as the host runs (`sock_gen_cookie`, net/core/sock_diag.c).
/// It is assigned when something first asks for it, and never used again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cookie(pub u64);

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cookie({:#x})", self.0)
    }
}

/// Id of a cgroup v2: the inode number of its directory.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CgroupId(pub u64);

impl fmt::Debug for CgroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CgroupId({:#x})", self.0)
    }
}

/// The timer that runs for a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timer {
    /// `idiag_timer`: which.
    pub kind: TimerKind,
    /// `idiag_expires`: time left, ms.
    pub expires_ms: u32,
    /// `idiag_retrans`: retransmissions or probes sent without an answer.
    pub retransmits: u8,
}

/// Which timer (`IDIAG_TIMER_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimerKind {
    /// None (0).
    Off,
    /// Retransmission (1).
    Retransmit,
    /// Keepalive, or the retransmission of a SYN-ACK (2).
    Keepalive,
    /// The rest of TIME-WAIT (3).
    TimeWait,
    /// Probe of a zero window (4).
    Probe0,
    /// Delayed ACK (5).
    DelayedAck,
    /// A number that this version has no name for.
    Unknown(u8),
}

impl From<u8> for TimerKind {
    fn from(number: u8) -> Self {
        match number {
            0 => TimerKind::Off,
            1 => TimerKind::Retransmit,
            2 => TimerKind::Keepalive,
            3 => TimerKind::TimeWait,
            4 => TimerKind::Probe0,
            5 => TimerKind::DelayedAck,
            other => TimerKind::Unknown(other),
        }
    }
}

/// Which directions were shut down (`sk_shutdown`, include/net/sock.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shutdown(pub u8);

impl Shutdown {
    /// `RCV_SHUTDOWN`: nothing more is received.
    #[must_use]
    pub const fn receive(self) -> bool {
        self.0 & 1 != 0
    }

    /// `SEND_SHUTDOWN`: nothing more is sent.
    #[must_use]
    pub const fn send(self) -> bool {
        self.0 & 2 != 0
    }
}

/// Options of an internet socket (struct inet_diag_sockopt, two bytes of flags).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SockOpt(pub [u8; 2]);

impl SockOpt {
    /// Names in the kernel's order: the bits of the first byte from the lowest, then those of the
    /// second.
    pub const NAMES: [&'static str; 11] = [
        "recverr",
        "is_icsk",
        "freebind",
        "hdrincl",
        "mc_loop",
        "transparent",
        "mc_all",
        "nodefrag",
        "bind_address_no_port",
        "recverr_rfc4884",
        "defer_connect",
    ];

    /// The names of the flags that are set, in the order of [`SockOpt::NAMES`].
    pub fn set(self) -> impl Iterator<Item = &'static str> {
        let bits = u16::from_le_bytes(self.0);
        Self::NAMES.into_iter().enumerate().filter(move |(i, _)| bits >> i & 1 != 0).map(|(_, n)| n)
    }
}

/// A peer whose segments are signed with MD5 (struct tcp_diag_md5sig, linux/tcp.h). The key stays
/// where it was; its length is all that is known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Md5Signature {
    /// `tcpm_addr`.
    pub address: IpAddr,
    /// `tcpm_prefixlen`: how many bits of the address count.
    pub prefix_len: u8,
    /// `tcpm_keylen`, bytes.
    pub key_len: u16,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleared_record_equals_a_new_one() {
        // Every field is named, so that a new one must be set here, and cleared.
        let mut socket = Socket {
            family: Family::Inet6,
            protocol: Protocol::UDP,
            state: State::Listen,
            local: Endpoint { address: IpAddr::V4(Ipv4Addr::LOCALHOST), port: 1 },
            peer: Endpoint { address: IpAddr::V4(Ipv4Addr::LOCALHOST), port: 2 },
            interface: NonZeroU32::new(3),
            cookie: Cookie(4),
            timer: Timer { kind: TimerKind::Probe0, expires_ms: 5, retransmits: 6 },
            rqueue: 7,
            wqueue: 8,
            uid: 9,
            inode: 10,
            mem: Some(MemInfo::default()),
            skmem: Some(SkMemInfo::default()),
            tcp_info: Some(TcpInfo::new(&[], None)),
            congestion: Some(Name::new(b"reno")),
            congestion_info: Some(CongestionInfo::Bbr(crate::BbrInfo::default())),
            tos: Some(11),
            tclass: Some(12),
            class_id: Some(13),
            mark: Some(14),
            cgroup_id: Some(CgroupId(15)),
            v6only: Some(true),
            shutdown: Some(Shutdown(1)),
            sockopt: Some(SockOpt([1, 1])),
            ulp: Some(Ulp::default()),
            md5: vec![Md5Signature {
                address: IpAddr::V4(Ipv4Addr::LOCALHOST),
                prefix_len: 32,
                key_len: 3,
            }],
            source: Source::ProcNet,
        };
        let room = socket.md5.capacity();
        socket.clear();
        assert_eq!(socket, Socket::new(Protocol::UDP));
        assert_eq!(socket.md5.capacity(), room);
    }

    #[test]
    fn socket_options_are_named_from_the_lowest_bit() {
        let names: Vec<_> = SockOpt([0b0000_0110, 0b0000_0101]).set().collect();
        assert_eq!(names, ["is_icsk", "freebind", "bind_address_no_port", "defer_connect"]);
    }
}
