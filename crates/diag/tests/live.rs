//! Sockets of this host's kernel: both kinds of request tell the same, and one socket can be found
//! without a dump.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::ops::ControlFlow;
use std::os::fd::AsFd;

use sockeye_diag::{Diag, Extensions, Identity, Query, Sockets};
use sockeye_model::{Cookie, Endpoint, Family, Protocol, Socket, State, States};

#[derive(Default)]
struct ByCookie(BTreeMap<Cookie, Socket>);

impl Sockets for ByCookie {
    fn socket(&mut self, socket: &Socket) -> ControlFlow<()> {
        assert!(self.0.insert(socket.cookie, socket.clone()).is_none(), "told twice: {socket:?}");
        ControlFlow::Continue(())
    }
    fn restart(&mut self) {
        self.0.clear();
    }
}

fn inode_of(socket: impl AsFd) -> u32 {
    rustix::fs::fstat(socket).unwrap().st_ino as u32
}

fn query(family: Family, protocol: Protocol) -> Query<'static> {
    Query { family, protocol, states: States::ALL, extensions: Extensions::NONE, program: None }
}

fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint { address: address.ip(), port: address.port() }
}

/// A connection on loopback: listener, client, server.
fn connection(address: &str) -> (TcpListener, TcpStream, TcpStream) {
    let listener = TcpListener::bind(address).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    (listener, client, server)
}

#[test]
fn one_walk_tells_what_two_dumps_tell() {
    let four = connection("127.0.0.1:0");
    let six = connection("[::1]:0");
    let made = [
        inode_of(&four.0),
        inode_of(&four.1),
        inode_of(&four.2),
        inode_of(&six.0),
        inode_of(&six.1),
        inode_of(&six.2),
    ];
    let mut diag = Diag::open().unwrap();
    let (mut two, mut one) = (ByCookie::default(), ByCookie::default());
    for family in [Family::Inet, Family::Inet6] {
        diag.dump(&query(family, Protocol::TCP), &mut two).unwrap();
    }
    let report = diag.dump_both(&query(Family::Inet, Protocol::TCP), &mut one).unwrap();
    assert_eq!(report.malformed, 0, "{report:?}");
    let of_this_test = |sockets: ByCookie| {
        let mut kept: Vec<Socket> =
            sockets.0.into_values().filter(|s| made.contains(&s.inode)).collect();
        for socket in &mut kept {
            // Time passes between the two.
            socket.timer.expires_ms = 0;
        }
        kept
    };
    let (two, one) = (of_this_test(two), of_this_test(one));
    assert_eq!(two.len(), made.len());
    assert_eq!(two, one);
}

#[test]
fn everything_that_is_asked_for_comes() {
    let (listener, client, _server) = connection("127.0.0.1:0");
    let mut diag = Diag::open().unwrap();
    let mut sockets = ByCookie::default();
    let all = Query { extensions: Extensions::ALL, ..query(Family::Inet, Protocol::TCP) };
    diag.dump(&all, &mut sockets).unwrap();
    let find = |inode| sockets.0.values().find(|s| s.inode == inode).unwrap();
    let client_socket = find(inode_of(&client));
    assert_eq!(client_socket.state, State::Established);
    assert_eq!(client_socket.local, endpoint(client.local_addr().unwrap()));
    assert_eq!(client_socket.peer, endpoint(client.peer_addr().unwrap()));
    let info = client_socket.tcp_info.as_ref().unwrap();
    assert_eq!(info.connection_state(), Some(State::Established));
    assert!(info.rtt_us().is_some_and(|rtt| rtt > 0), "{info:?}");
    assert!(client_socket.skmem.is_some() && client_socket.mem.is_some());
    assert!(client_socket.congestion.is_some() && client_socket.tos == Some(0));
    assert_eq!(find(inode_of(&listener)).state, State::Listen);
}

#[test]
fn udp_sockets() {
    let bound = UdpSocket::bind("127.0.0.1:0").unwrap();
    let connected = UdpSocket::bind("[::1]:0").unwrap();
    connected.connect(connected.local_addr().unwrap()).unwrap();
    let mut diag = Diag::open().unwrap();
    let mut sockets = ByCookie::default();
    for family in [Family::Inet, Family::Inet6] {
        diag.dump(&query(family, Protocol::UDP), &mut sockets).unwrap();
    }
    let find = |inode| sockets.0.values().find(|s| s.inode == inode).unwrap();
    assert_eq!(find(inode_of(&bound)).state, State::Close);
    let connected_socket = find(inode_of(&connected));
    assert_eq!(connected_socket.state, State::Established);
    assert_eq!(connected_socket.protocol, Protocol::UDP);
}

#[test]
fn one_socket_is_found_without_a_dump() {
    let (listener, client, _server) = connection("[::1]:0");
    let mut diag = Diag::open().unwrap();
    let mut identity = Identity {
        protocol: Protocol::TCP,
        local: endpoint(client.local_addr().unwrap()),
        peer: endpoint(client.peer_addr().unwrap()),
        interface: 0,
        cookie: None,
    };
    let found = diag.lookup(&identity, Extensions::INFO).unwrap().unwrap();
    assert_eq!(found.inode, inode_of(&client));
    assert!(found.tcp_info.is_some());

    identity.cookie = Some(found.cookie);
    assert!(diag.lookup(&identity, Extensions::NONE).unwrap().is_some());
    identity.cookie = Some(Cookie(found.cookie.0 ^ 1));
    assert_eq!(diag.lookup(&identity, Extensions::NONE).unwrap(), None, "another cookie");

    let listening = Identity {
        local: endpoint(listener.local_addr().unwrap()),
        peer: Endpoint { address: std::net::Ipv6Addr::UNSPECIFIED.into(), port: 0 },
        cookie: None,
        ..identity
    };
    let found = diag.lookup(&listening, Extensions::NONE).unwrap().unwrap();
    assert_eq!((found.state, found.inode), (State::Listen, inode_of(&listener)));
    drop(listener);
    assert_eq!(diag.lookup(&listening, Extensions::NONE).unwrap(), None, "gone");
}

#[test]
fn a_connection_that_has_ended_is_not_its_listener() {
    let (listener, client, server) = connection("127.0.0.1:0");
    let identity = Identity {
        protocol: Protocol::TCP,
        local: endpoint(server.local_addr().unwrap()),
        peer: Endpoint { port: 9, ..endpoint(client.local_addr().unwrap()) },
        interface: 0,
        cookie: None,
    };
    let mut diag = Diag::open().unwrap();
    assert_eq!(diag.lookup(&identity, Extensions::NONE).unwrap(), None);
    drop(listener);
}

#[test]
fn a_udp_socket_is_found_without_a_dump() {
    for any in ["127.0.0.1:0", "[::1]:0"] {
        let bound = UdpSocket::bind(any).unwrap();
        let connected = UdpSocket::bind(any).unwrap();
        let far = bound.local_addr().unwrap();
        connected.connect(far).unwrap();
        let unspecified: SocketAddr =
            if far.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }.parse().unwrap();
        let mut diag = Diag::open().unwrap();
        for (socket, peer) in [(&bound, unspecified), (&connected, far)] {
            let identity = Identity {
                protocol: Protocol::UDP,
                local: endpoint(socket.local_addr().unwrap()),
                peer: endpoint(peer),
                interface: 0,
                cookie: None,
            };
            let found = diag.lookup(&identity, Extensions::NONE).unwrap().unwrap();
            assert_eq!(found.inode, inode_of(socket), "{identity:?}");
        }
    }
}

#[test]
fn a_protocol_that_the_kernel_cannot_list_is_told_from_a_missing_socket() {
    let identity = Identity {
        protocol: Protocol(200),
        local: Endpoint::UNSPECIFIED,
        peer: Endpoint::UNSPECIFIED,
        interface: 0,
        cookie: None,
    };
    let failure = Diag::open().unwrap().lookup(&identity, Extensions::NONE).unwrap_err();
    assert!(failure.unsupported(), "{failure}");
}

#[test]
fn a_visitor_may_stop_and_the_connection_stays_usable() {
    struct First(u32);
    impl Sockets for First {
        fn socket(&mut self, _: &Socket) -> ControlFlow<()> {
            self.0 += 1;
            ControlFlow::Break(())
        }
        fn restart(&mut self) {}
    }
    let held = connection("127.0.0.1:0");
    let mut diag = Diag::open().unwrap();
    let mut first = First(0);
    let report = diag.dump(&query(Family::Inet, Protocol::TCP), &mut first).unwrap();
    assert!(report.stopped && first.0 == 1);
    let mut all = ByCookie::default();
    diag.dump(&query(Family::Inet, Protocol::TCP), &mut all).unwrap();
    assert!(all.0.values().any(|s| s.inode == inode_of(&held.1)));
}

#[test]
fn a_recording_reads_back_as_the_dump() {
    let (_listener, client, _server) = connection("127.0.0.1:0");
    let mut diag = Diag::open().unwrap();
    let query = Query { extensions: Extensions::ALL, ..query(Family::Inet, Protocol::TCP) };
    let mut bytes = Vec::new();
    let report = diag.record(&query, &mut bytes).unwrap();
    let mut sockets = ByCookie::default();
    let read = sockeye_diag::recording::read(bytes.as_slice(), &mut sockets).unwrap();
    assert_eq!(read.sockets, report.sockets);
    assert!(sockets.0.values().any(|s| s.inode == inode_of(&client)));
}
