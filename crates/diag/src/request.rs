//! What is asked: the requests of linux/inet_diag.h.

use sockeye_model::{Cookie, Endpoint, Family, Protocol, Socket, States};
use sockeye_netlink::Request;
use std::net::IpAddr;
use std::num::NonZeroU32;
use zerocopy::big_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::bytecode::Program;

/// `SOCK_DIAG_BY_FAMILY` (linux/sock_diag.h).
pub(crate) const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// `SOCK_DESTROY` (linux/sock_diag.h).
const SOCK_DESTROY: u16 = 21;
/// `TCPDIAG_GETSOCK` (linux/inet_diag.h): TCP alone, of both families.
pub(crate) const TCPDIAG_GETSOCK: u16 = 18;
/// `INET_DIAG_REQ_BYTECODE`: a program that tests each socket.
const INET_DIAG_REQ_BYTECODE: u16 = 1;
/// `INET_DIAG_REQ_PROTOCOL`: a protocol of more than 8 bits.
const INET_DIAG_REQ_PROTOCOL: u16 = 3;
/// `INET_DIAG_NOCOOKIE`: any cookie.
const NO_COOKIE: [u32; 2] = [u32::MAX; 2];

/// A question: which sockets, and how much of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<'a> {
    /// The address family.
    pub family: Family,
    /// The transport protocol.
    pub protocol: Protocol,
    /// States of the sockets that are wanted.
    pub states: States,
    /// Parts wanted beside the basic ones. Each costs time and bytes a socket: ask for what is
    /// shown.
    pub extensions: Extensions,
    /// What tests each socket in the kernel: those that it does not accept are not told. It has to
    /// fit ([`Program::to_bytes`]): one that is too long is left out, and all sockets are told.
    pub program: Option<&'a Program>,
}

impl Query<'_> {
    /// What is asked for, in words, for messages.
    #[must_use]
    pub fn what(&self) -> &'static str {
        match (self.protocol, self.family) {
            (Protocol::TCP, Family::Inet) => "IPv4 TCP sockets",
            (Protocol::TCP, Family::Inet6) => "IPv6 TCP sockets",
            (Protocol::UDP, Family::Inet) => "IPv4 UDP sockets",
            (Protocol::UDP, Family::Inet6) => "IPv6 UDP sockets",
            (_, Family::Inet) => "IPv4 sockets",
            (_, Family::Inet6) => "IPv6 sockets",
        }
    }

    /// `SOCK_DIAG_BY_FAMILY` with struct inet_diag_req_v2 (since 3.3).
    pub(crate) fn by_family(&self, id: SockId) -> Request {
        self.with_id(SOCK_DIAG_BY_FAMILY, id)
    }

    /// `SOCK_DESTROY` with the same (since 4.5).
    pub(crate) fn destroy(&self, id: SockId) -> Request {
        self.with_id(SOCK_DESTROY, id)
    }

    fn with_id(&self, kind: u16, id: SockId) -> Request {
        let request = self.with_program(Request::new(kind).body(&InetDiagReqV2 {
            family: self.family.number(),
            // The low bits, as the kernel masks them; the attribute has the rest.
            protocol: self.protocol.0.to_le_bytes()[0],
            ext: self.extensions.0,
            pad: 0,
            states: self.states.0,
            id,
        }));
        if self.protocol.0 > u16::from(u8::MAX) {
            request.attr_u32(INET_DIAG_REQ_PROTOCOL, u32::from(self.protocol.0))
        } else {
            request
        }
    }

    /// `TCPDIAG_GETSOCK` with struct inet_diag_req: all that kernels before 3.3 know, and one walk
    /// of the hash for both families.
    pub(crate) fn tcpdiag(&self) -> Request {
        self.with_program(Request::new(TCPDIAG_GETSOCK).body(&InetDiagReq {
            family: Family::Inet.number(),
            src_len: 0,
            dst_len: 0,
            ext: self.extensions.0,
            id: SockId::ANY,
            states: self.states.0,
            dbs: 0,
        }))
    }

    fn with_program(&self, request: Request) -> Request {
        match self.program.and_then(Program::to_bytes) {
            Some(bytes) => request.attr(INET_DIAG_REQ_BYTECODE, &bytes),
            None => request,
        }
    }
}

/// Parts of a socket that are told on request (`idiag_ext`): bit `INET_DIAG_x - 1` asks for
/// attribute x. What is not here comes by itself, or along with another part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extensions(pub u8);

impl Extensions {
    /// The basic answer alone.
    pub const NONE: Extensions = Extensions(0);
    /// `INET_DIAG_MEMINFO`.
    pub const MEMINFO: Extensions = Extensions(1 << 0);
    /// `INET_DIAG_INFO`: struct tcp_info.
    pub const INFO: Extensions = Extensions(1 << 1);
    /// `INET_DIAG_VEGASINFO`: the block of the congestion control, whichever it is.
    pub const VEGASINFO: Extensions = Extensions(1 << 2);
    /// `INET_DIAG_CONG`: the name of the congestion control.
    pub const CONG: Extensions = Extensions(1 << 3);
    /// `INET_DIAG_TOS`.
    pub const TOS: Extensions = Extensions(1 << 4);
    /// `INET_DIAG_TCLASS`: with it comes `INET_DIAG_CLASS_ID`.
    pub const TCLASS: Extensions = Extensions(1 << 5);
    /// `INET_DIAG_SKMEMINFO`.
    pub const SKMEMINFO: Extensions = Extensions(1 << 6);
    /// `INET_DIAG_SHUTDOWN`; current kernels send it unasked.
    pub const SHUTDOWN: Extensions = Extensions(1 << 7);
    /// Everything.
    pub const ALL: Extensions = Extensions(u8::MAX);

    /// Parts of either.
    #[must_use]
    pub const fn with(self, other: Extensions) -> Extensions {
        Extensions(self.0 | other.0)
    }
}

/// What names one socket exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The transport protocol.
    pub protocol: Protocol,
    /// Local address and port. Its address decides on the family.
    pub local: Endpoint,
    /// Peer's address and port; the unspecified address and port 0 for a listener or an
    /// unconnected socket.
    pub peer: Endpoint,
    /// Index of the interface, 0 for any.
    pub interface: u32,
    /// The socket's cookie, `None` for any.
    pub cookie: Option<Cookie>,
}

impl Identity {
    /// Names a socket that was told.
    #[must_use]
    pub fn of(socket: &Socket) -> Identity {
        Identity {
            protocol: socket.protocol,
            local: socket.local,
            peer: socket.peer,
            interface: socket.interface.map_or(0, NonZeroU32::get),
            cookie: Some(socket.cookie).filter(|cookie| cookie.0 != 0),
        }
    }

    /// A question about one socket, which no state limits.
    pub(crate) fn query(&self, extensions: Extensions) -> Query<'_> {
        let (family, protocol) = (self.family(), self.protocol);
        Query { family, protocol, states: States::NONE, extensions, program: None }
    }

    pub(crate) fn family(&self) -> Family {
        match self.local.address {
            IpAddr::V4(_) => Family::Inet,
            IpAddr::V6(_) => Family::Inet6,
        }
    }

    /// True for the socket with exactly these ends.
    pub(crate) fn names(&self, socket: &Socket) -> bool {
        (socket.local, socket.peer) == (self.local, self.peer)
    }

    pub(crate) fn sock_id(&self) -> SockId {
        // udp_dump_one looks from the other end, as for a packet that comes in.
        let (source, destination) = match self.protocol {
            Protocol::UDP | Protocol::UDPLITE => (self.peer, self.local),
            _ => (self.local, self.peer),
        };
        self.id(source, destination)
    }

    /// As a dump tells it, and as `SOCK_DESTROY` takes it of every protocol.
    pub(crate) fn told_id(&self) -> SockId {
        self.id(self.local, self.peer)
    }

    fn id(&self, source: Endpoint, destination: Endpoint) -> SockId {
        SockId {
            sport: U16::new(source.port),
            dport: U16::new(destination.port),
            src: wire_address(source.address),
            dst: wire_address(destination.address),
            interface: self.interface,
            cookie: self.cookie.map_or(NO_COOKIE, |Cookie(c)| {
                // Two halves, the low one first (sock_diag_save_cookie).
                [(c & u64::from(u32::MAX)) as u32, (c >> 32) as u32]
            }),
        }
    }
}

/// An address in the 16 bytes that both families have.
fn wire_address(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        }
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// struct inet_diag_sockid.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct SockId {
    pub(crate) sport: U16,
    pub(crate) dport: U16,
    pub(crate) src: [u8; 16],
    pub(crate) dst: [u8; 16],
    pub(crate) interface: u32,
    pub(crate) cookie: [u32; 2],
}

impl SockId {
    /// No condition, as a dump asks.
    pub(crate) const ANY: SockId = SockId {
        sport: U16::ZERO,
        dport: U16::ZERO,
        src: [0; 16],
        dst: [0; 16],
        interface: 0,
        cookie: [0; 2],
    };

    /// Two halves, the low one first (sock_diag_save_cookie).
    pub(crate) fn cookie(&self) -> Cookie {
        let [low, high] = self.cookie;
        Cookie(u64::from(high) << 32 | u64::from(low))
    }
}

/// struct inet_diag_req_v2.
#[derive(IntoBytes, Immutable)]
#[repr(C)]
struct InetDiagReqV2 {
    family: u8,
    protocol: u8,
    ext: u8,
    pad: u8,
    states: u32,
    id: SockId,
}

/// struct inet_diag_req.
#[derive(IntoBytes, Immutable)]
#[repr(C)]
struct InetDiagReq {
    family: u8,
    src_len: u8,
    dst_len: u8,
    ext: u8,
    id: SockId,
    states: u32,
    dbs: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytecode::Condition;
    use std::net::{Ipv4Addr, Ipv6Addr};

    const QUERY: Query<'static> = Query {
        family: Family::Inet6,
        protocol: Protocol::TCP,
        states: States(0xfff),
        extensions: Extensions::INFO.with(Extensions::CONG),
        program: None,
    };

    #[test]
    fn requests_have_the_kernels_sizes() {
        assert_eq!(size_of::<InetDiagReqV2>(), 56);
        assert_eq!(size_of::<InetDiagReq>(), 60);
        assert_eq!(size_of::<SockId>(), 48);
    }

    #[test]
    fn by_family_asks_as_ss_does() {
        let bytes = QUERY.by_family(SockId::ANY).to_bytes(1, 0).unwrap();
        assert_eq!(bytes[16..24], [10, 6, 0b1010, 0, 0xff, 0x0f, 0, 0]);
        assert_eq!(bytes[4..6], 20u16.to_ne_bytes());
        assert_eq!(bytes.len(), 16 + 56);
    }

    #[test]
    fn tcpdiag_puts_the_states_last() {
        let bytes = QUERY.tcpdiag().to_bytes(1, 0).unwrap();
        assert_eq!(bytes[16..20], [2, 0, 0, 0b1010]);
        assert_eq!(bytes[68..76], [0xff, 0x0f, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes.len(), 16 + 60);
    }

    #[test]
    fn both_requests_carry_the_program() {
        let program = Program::test(Condition::Autobound);
        let query = Query { program: Some(&program), ..QUERY };
        for (request, end) in [(query.by_family(SockId::ANY), 72), (query.tcpdiag(), 76)] {
            let bytes = request.to_bytes(1, 0).unwrap();
            assert_eq!(bytes[end..], [[8, 0], [1, 0], [6, 4], [8, 0]].concat());
        }
    }

    #[test]
    fn mptcp_needs_an_attribute_for_its_protocol() {
        let query = Query { protocol: Protocol::MPTCP, ..QUERY };
        let bytes = query.by_family(SockId::ANY).to_bytes(1, 0).unwrap();
        assert_eq!(bytes[17], 6, "the low bits of 262");
        assert_eq!(bytes[72..80], [8, 0, 3, 0, 6, 1, 0, 0]);
    }

    #[test]
    fn an_identity_names_one_socket() {
        let mut identity = Identity {
            protocol: Protocol::TCP,
            local: Endpoint { address: Ipv4Addr::LOCALHOST.into(), port: 22 },
            peer: Endpoint { address: Ipv4Addr::new(10, 0, 0, 1).into(), port: 0x1234 },
            interface: 3,
            cookie: None,
        };
        let id = identity.sock_id();
        assert_eq!((id.src[..5].to_vec(), id.cookie), (vec![127, 0, 0, 1, 0], NO_COOKIE));
        assert_eq!(id.dport.as_bytes(), [0x12, 0x34]);
        identity.cookie = Some(Cookie(0x1_0000_0002));
        assert_eq!(identity.sock_id().cookie, [2, 1]);
        identity.local.address = Ipv6Addr::LOCALHOST.into();
        assert_eq!(identity.family(), Family::Inet6);
        assert_eq!(identity.sock_id().src[15], 1);
    }
}
