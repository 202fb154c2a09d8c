//! The running kernel, asked about sockets that the test made on loopback.

use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use sockeye_netlink::{
    Client, Datagram, DumpOptions, Error, Message, Messages, NLMSG_ERROR, Protocol, Receive,
    Request, Sender, Socket, Visit,
};

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const RTM_GETROUTE: u16 = 26;
const TCP_LISTEN: u32 = 10;

/// `struct inet_diag_req_v2` for the IPv4 TCP sockets in these states.
pub(crate) fn tcp_sockets(states: u32) -> Request {
    let mut body = [0; 56];
    body[0] = libc::AF_INET as u8;
    body[1] = libc::IPPROTO_TCP as u8;
    body[4..8].copy_from_slice(&states.to_ne_bytes());
    Request::new(SOCK_DIAG_BY_FAMILY).body(&body)
}

/// `struct rtmsg` and `RTA_DST` for the route to 127.0.0.1.
pub(crate) fn route_to_loopback() -> Request {
    let rtmsg = [libc::AF_INET as u8, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    Request::new(RTM_GETROUTE).body(&rtmsg).attr(1, &[127, 0, 0, 1])
}

/// (local port, remote port) of each socket of a dump.
#[derive(Default)]
pub(crate) struct Ports {
    pub(crate) ports: Vec<(u16, u16)>,
    stop_at_once: bool,
}

impl Visit for Ports {
    fn message(&mut self, message: &Message<'_>) -> ControlFlow<()> {
        let socket = message.body::<[u8; 72]>().expect("struct inet_diag_msg");
        let [_, _, _, _, s0, s1, d0, d1, ..] = socket;
        self.ports.push((u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1])));
        if self.stop_at_once { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn restart(&mut self) {
        self.ports.clear();
    }
}

fn diag() -> Client {
    Client::open(Protocol::SOCK_DIAG).expect("NETLINK_SOCK_DIAG")
}

fn dump<R: Receive>(client: &mut Client<R>, states: u32) -> Ports {
    let mut ports = Ports::default();
    client
        .dump(&tcp_sockets(states), DumpOptions::default(), &mut ports)
        .expect("a dump of TCP sockets");
    ports
}

fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    let port = listener.local_addr().expect("bound").port();
    (listener, port)
}

/// So many listeners that their dump fills several datagrams of 32 KiB.
fn crowd() -> Vec<(TcpListener, u16)> {
    (0..800).map(|_| listener()).collect()
}

fn assert_holds(ports: &Ports, crowd: &[(TcpListener, u16)]) {
    for (_, port) in crowd {
        let found = ports.ports.iter().filter(|socket| **socket == (*port, 0)).count();
        assert_eq!(found, 1, "port {port}");
    }
}

#[test]
fn a_dump_holds_the_sockets_of_the_test() {
    let (listener, port) = listener();
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let accepted = listener.accept().unwrap();
    let client_port = stream.local_addr().unwrap().port();
    let ports = dump(&mut diag(), u32::MAX).ports;
    for socket in [(port, 0), (port, client_port), (client_port, port)] {
        assert!(ports.contains(&socket), "{socket:?} in {ports:?}");
    }
    drop(accepted);
}

#[test]
fn a_dump_that_does_not_fit_begins_again_and_misses_nothing() {
    let crowd = crowd();
    let socket = Socket::open(Protocol::SOCK_DIAG).unwrap();
    let mut client = Client::with_buffer_len(socket, 512);
    let mut ports = Ports::default();
    let outcome =
        client.dump(&tcp_sockets(1 << TCP_LISTEN), DumpOptions::default(), &mut ports).unwrap();
    assert!(outcome.restarts > 0, "{outcome:?}");
    assert!(outcome.stale > 0, "the rest of the first dump was dropped: {outcome:?}");
    assert_holds(&ports, &crowd);
}

/// A socket whose answers are seen by the test.
pub(crate) struct Tap {
    pub(crate) socket: Socket,
    pub(crate) datagrams: Vec<Vec<u8>>,
}

impl Tap {
    pub(crate) fn open(protocol: Protocol) -> Self {
        Self { socket: Socket::open(protocol).expect("a netlink socket"), datagrams: Vec::new() }
    }
}

impl Receive for Tap {
    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.socket.send(request)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Datagram> {
        let datagram = self.socket.receive(buffer)?;
        self.datagrams.push(buffer[..datagram.len.min(buffer.len())].to_vec());
        Ok(datagram)
    }
}

#[test]
fn a_dump_stopped_after_its_first_message_leaves_the_client_usable() {
    let crowd = crowd();
    let mut client = Client::new(Tap::open(Protocol::SOCK_DIAG));
    let mut ports = Ports { stop_at_once: true, ..Ports::default() };
    let outcome =
        client.dump(&tcp_sockets(1 << TCP_LISTEN), DumpOptions::default(), &mut ports).unwrap();
    assert!(outcome.stopped);
    assert_eq!((ports.ports.len(), client.transport().datagrams.len()), (1, 1));

    assert_holds(&dump(&mut client, 1 << TCP_LISTEN), &crowd);
    let refused =
        client.transport().datagrams.iter().any(|bytes| {
            Messages::new(bytes).any(|message| message.unwrap().kind() == NLMSG_ERROR)
        });
    assert!(refused, "the kernel was still busy with the first dump (EBUSY)");
}

#[test]
fn a_stopped_dump_does_not_disturb_a_lookup() {
    let _crowd = crowd();
    let mut client = diag();
    let mut ports = Ports { stop_at_once: true, ..Ports::default() };
    client.dump(&tcp_sockets(1 << TCP_LISTEN), DumpOptions::default(), &mut ports).unwrap();
    // An exact lookup of a socket that cannot exist: port 0 on both sides.
    let failure = client.get(&tcp_sockets(0), |_| ()).unwrap_err();
    assert_eq!(failure.errno(), Some(libc::ENOENT), "{failure}");
}

#[test]
fn the_route_to_loopback_is_found() {
    let mut client = Client::open(Protocol::ROUTE).unwrap();
    let mut interface = None;
    let outcome = client
        .get(&route_to_loopback(), |route| {
            let mut attrs = route.attributes_after(12);
            while attrs.next() {
                if attrs.kind() == 4 {
                    interface = attrs.u32();
                }
            }
            attrs.end().unwrap();
        })
        .unwrap();
    assert_eq!((interface, outcome.messages), (Some(1), 1));
}

#[test]
fn the_kernel_says_what_is_wrong_with_a_request() {
    let mut client = Client::open(Protocol::ROUTE).unwrap();
    let failure = client.get(&Request::new(RTM_GETROUTE).body(&[2u8, 0, 0]), |_| ()).unwrap_err();
    assert_eq!(failure.errno(), Some(libc::EINVAL));
    let message = failure.ext_ack().and_then(|ext_ack| ext_ack.message.as_deref());
    assert!(message.is_some_and(|message| message.contains("header")), "{failure}");
}

#[test]
fn a_request_is_acknowledged() {
    // Control messages do nothing but are acknowledged (netlink_rcv_skb).
    diag().request(&Request::new(1)).unwrap();
}

#[test]
fn dropping_a_clone_leaves_the_original_usable() {
    let socket = Socket::open(Protocol::SOCK_DIAG).unwrap();
    let clone = socket.try_clone().unwrap();
    assert_ne!(clone.as_fd().as_raw_fd(), socket.as_fd().as_raw_fd());
    assert_eq!(clone.portid().unwrap(), socket.portid().unwrap());
    drop(clone);
    dump(&mut Client::new(socket), 1 << TCP_LISTEN);
}

#[test]
fn dropping_the_original_leaves_the_clone_usable() {
    let socket = Socket::open(Protocol::SOCK_DIAG).unwrap();
    let clone = socket.try_clone().unwrap();
    drop(socket);
    dump(&mut Client::new(clone), 1 << TCP_LISTEN);
}

#[test]
fn a_descriptor_from_elsewhere_must_be_netlink() {
    let socket = Socket::open(Protocol::SOCK_DIAG).unwrap();
    let socket = Socket::from_fd(OwnedFd::from(socket)).unwrap();
    dump(&mut Client::new(socket), 1 << TCP_LISTEN);

    let udp = OwnedFd::from(UdpSocket::bind("127.0.0.1:0").unwrap());
    let failure = Socket::from_fd(udp).unwrap_err();
    assert_eq!(failure.errno(), Some(libc::EAFNOSUPPORT));
    let file = OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
    assert_eq!(Socket::from_fd(file).unwrap_err().errno(), Some(libc::ENOTSOCK));
}

#[test]
fn a_protocol_that_the_kernel_lacks_is_named() {
    let failure = Socket::open(Protocol(31)).unwrap_err();
    assert_eq!(failure.errno(), Some(libc::EPROTONOSUPPORT));
    assert!(failure.to_string().contains("netlink protocol 31"), "{failure}");
    assert!(Socket::open(Protocol(-1)).is_err());
}

#[test]
fn a_timeout_ends_the_wait() {
    let mut socket = Socket::open(Protocol::SOCK_DIAG).unwrap();
    let timeout = Duration::from_millis(40);
    socket.set_receive_timeout(Some(timeout)).unwrap();
    let began = Instant::now();
    let failure = socket.receive(&mut [0; 64]).unwrap_err();
    assert_eq!(failure.kind(), io::ErrorKind::WouldBlock);
    assert!(began.elapsed() >= Duration::from_millis(30));
    assert!(socket.receive_timeout().unwrap().is_some_and(|set| set >= timeout));
    socket.set_receive_timeout(None).unwrap();
    assert_eq!(socket.receive_timeout().unwrap(), None);
    assert_eq!(socket.receive_ready(&mut [0; 64]).unwrap(), None);
}

#[test]
fn options_are_taken_and_the_receive_buffer_says_what_it_got() {
    let socket = Socket::open(Protocol::SOCK_DIAG).unwrap();
    socket.set_ext_ack(true).unwrap();
    socket.set_cap_ack(true).unwrap();
    socket.set_strict_check(true).unwrap();
    // The kernel counts its bookkeeping too: twice the size.
    assert_eq!(socket.set_receive_buffer(64 * 1024).unwrap(), 128 * 1024);
    assert!(socket.set_receive_buffer(usize::MAX).unwrap() > 128 * 1024);
}

#[test]
fn a_socket_can_be_bound_to_groups_and_only_once_to_a_port() {
    let socket = Socket::open(Protocol::ROUTE).unwrap();
    let portid = socket.portid().unwrap();
    assert_ne!(portid, 0);
    socket.bind(portid, 1).unwrap();
    let failure = socket.bind(portid.wrapping_add(1), 0).unwrap_err();
    assert_eq!(failure.errno(), Some(libc::EINVAL));
}

#[test]
fn another_process_is_told_from_the_kernel() {
    let mut client = Client::open(Protocol::ROUTE).unwrap();
    let victim = client.transport().portid().unwrap();
    let stranger = Socket::open(Protocol::ROUTE).unwrap();
    let fake = Request::new(3).body(&0u32).to_bytes(0, 0).unwrap();
    let address = rustix::net::netlink::SocketAddrNetlink::new(victim, 0);
    let sent = rustix::net::sendto(&stranger, &fake, rustix::net::SendFlags::empty(), &address);
    sent.expect("sending to another process needs CAP_NET_ADMIN: run the tests as root");
    let mut answers = 0;
    let outcome = client.get(&route_to_loopback(), |_| answers += 1).unwrap();
    assert_eq!((outcome.foreign, answers), (1, 1));
    assert!(!Sender { portid: stranger.portid().unwrap(), groups: 0 }.is_kernel());
}

#[test]
fn no_error_comes_from_a_client_that_is_shared_by_turns() {
    let mut client = diag();
    for _ in 0..3 {
        dump(&mut client, u32::MAX);
        assert!(matches!(client.get(&tcp_sockets(0), |_| ()), Err(Error::Kernel(_))));
    }
}
