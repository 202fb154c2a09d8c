//! Bytes that a kernel once sent, read as they were meant. `tests/recorded/README.md` says where
//! they come from; the ignored test at the end records them anew.

use sockeye_netlink::scripted::{Reply, Scripted};
use sockeye_netlink::{Client, DumpOptions, Error, Messages, NLM_F_MULTI, NLMSG_DONE, Request};

use crate::live::{Ports, route_to_loopback, tcp_sockets};

macro_rules! recorded {
    ($name:literal) => {
        include_bytes!(concat!("../recorded/", $name, ".bin"))
    };
}

fn replay<'a>(datagrams: impl IntoIterator<Item = &'a [u8]>) -> Client<Scripted> {
    let reply = datagrams.into_iter().fold(Reply::new(), Reply::bytes);
    Client::new(Scripted::new().reply(reply))
}

#[test]
fn a_dump_of_two_listeners_and_a_connection() {
    let mut client = replay([&recorded!("tcp_dump_sockets")[..], recorded!("tcp_dump_done")]);
    let mut ports = Ports::default();
    let outcome = client.dump(&tcp_sockets(u32::MAX), DumpOptions::default(), &mut ports).unwrap();
    assert_eq!(outcome.messages, 4);
    ports.ports.sort_unstable();
    assert_eq!(ports.ports, [(4001, 0), (4002, 0), (4002, 4003), (4003, 4002)]);
}

#[test]
fn done_is_a_message_with_an_errno() {
    let done = Messages::new(recorded!("tcp_dump_done")).next().unwrap().unwrap();
    assert_eq!((done.kind(), done.flags()), (NLMSG_DONE, NLM_F_MULTI));
    assert_eq!(done.body::<i32>().unwrap(), 0);
}

#[test]
fn every_attribute_of_a_socket_is_found() {
    for message in Messages::new(recorded!("tcp_dump_sockets")) {
        let message = message.unwrap();
        let mut attrs = message.attributes_after(72);
        let mut kinds = Vec::new();
        while attrs.next() {
            kinds.push(attrs.kind());
        }
        attrs.end().unwrap();
        assert!(kinds.contains(&8), "INET_DIAG_SHUTDOWN in {kinds:?}");
    }
}

#[test]
fn the_route_to_loopback_and_its_acknowledgement() {
    let mut client = replay([&recorded!("route_get_answer")[..], recorded!("route_get_ack")]);
    let mut found = (None, None);
    client
        .get(&route_to_loopback(), |route| {
            let mut attrs = route.attributes_after(12);
            while attrs.next() {
                match attrs.kind() {
                    1 => found.0 = attrs.be32(),
                    4 => found.1 = attrs.u32(),
                    _ => {}
                }
            }
            attrs.end().unwrap();
        })
        .unwrap();
    assert_eq!(found, (Some(0x7f00_0001), Some(1)));
    assert_eq!(client.transport().unread(), 0);
}

fn failure_of(datagram: &[u8]) -> Error {
    replay([datagram]).get(&Request::new(20), |_| ()).expect_err("a refusal")
}

#[test]
fn a_refusal_with_the_kernels_words() {
    let failure = failure_of(recorded!("refusal_capped"));
    assert_eq!(
        failure.to_string(),
        "the kernel refused the request: Invalid argument (os error 22): \
         ipv4: Invalid header for route get request"
    );
}

#[test]
fn a_refusal_that_repeats_the_request() {
    let capped = failure_of(recorded!("refusal_capped"));
    let whole = failure_of(recorded!("refusal_with_request"));
    assert_eq!(whole.to_string(), capped.to_string());
}

#[test]
fn a_refusal_that_names_the_offending_attribute() {
    let failure = failure_of(recorded!("refusal_offending_attribute"));
    let ext_ack = failure.ext_ack().expect("extended");
    assert_eq!(ext_ack.offset, Some(36), "{failure}");
}

#[test]
fn a_refusal_that_names_the_missing_attribute() {
    let failure = failure_of(recorded!("refusal_missing_attribute"));
    let ext_ack = failure.ext_ack().expect("extended");
    assert_eq!(ext_ack.missing_attribute, Some(1), "{failure}");
}

#[test]
fn a_dump_that_fails_in_its_done() {
    let mut client = replay([&recorded!("done_with_error")[..]]);
    let failure =
        client.dump(&Request::new(26), DumpOptions::default(), &mut Ports::default()).unwrap_err();
    assert_eq!(failure.errno(), Some(libc::EINVAL));
    let message = failure.ext_ack().and_then(|ext_ack| ext_ack.message.as_deref());
    assert_eq!(message, Some("Invalid values in header for FIB dump request"));
}

/// Records everything again. It needs a network namespace of its own, with loopback up:
/// `unshare -n sh -c 'ip link set lo up; cargo test -p sockeye-netlink -- --ignored record'`.
#[test]
#[ignore = "writes the recordings; needs a network namespace of its own"]
fn record() {
    use crate::live::Tap;
    use sockeye_netlink::Protocol;

    fn write(name: &str, bytes: &[u8]) {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recorded/");
        std::fs::write(format!("{directory}{name}.bin"), bytes).unwrap();
    }
    fn client(protocol: Protocol) -> Client<Tap> {
        let tap = Tap::open(protocol);
        tap.socket.set_ext_ack(true).unwrap();
        tap.socket.set_strict_check(true).unwrap();
        tap.socket.set_cap_ack(true).unwrap();
        Client::new(tap)
    }

    let listeners =
        ["127.0.0.1:4001", "127.0.0.1:4002"].map(|at| std::net::TcpListener::bind(at).unwrap());
    let stream = rustix::net::socket(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::STREAM,
        None,
    )
    .unwrap();
    let at = |port| std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, port);
    rustix::net::bind(&stream, &at(4003)).unwrap();
    rustix::net::connect(&stream, &at(4002)).unwrap();
    let accepted = listeners[1].accept().unwrap();

    let mut diag = client(Protocol::SOCK_DIAG);
    let all = tcp_sockets(u32::MAX);
    diag.dump(&all, DumpOptions::default(), &mut Ports::default()).unwrap();
    let [sockets, done] = diag.transport().datagrams.as_slice() else {
        panic!("{} datagrams", diag.transport().datagrams.len())
    };
    write("tcp_dump_sockets", sockets);
    write("tcp_dump_done", done);
    drop(accepted);

    let mut route = client(Protocol::ROUTE);
    route.get(&route_to_loopback(), |_| ()).unwrap();
    let [answer, ack] = route.transport().datagrams.as_slice() else { panic!("no two datagrams") };
    write("route_get_answer", answer);
    write("route_get_ack", ack);

    let refused = |mut client: Client<Tap>, request: Request, name: &str| {
        client.get(&request, |_| ()).unwrap_err();
        write(name, client.transport().datagrams.last().unwrap());
    };
    let short = || Request::new(26).body(&[2u8, 0, 0]);
    refused(client(Protocol::ROUTE), short(), "refusal_capped");
    let uncapped = client(Protocol::ROUTE);
    uncapped.transport().socket.set_cap_ack(false).unwrap();
    refused(uncapped, short(), "refusal_with_request");
    // A destination of two bytes where four are wanted.
    let rtmsg = [2u8, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let request = Request::new(26).body(&rtmsg).attr_u32(4, 1).attr(1, &[127, 0]);
    refused(client(Protocol::ROUTE), request, "refusal_offending_attribute");

    // NETDEV_CMD_DEV_GET (1) of the generic family "netdev", without its interface (1).
    let mut generic = client(Protocol::GENERIC);
    let mut family = None;
    // CTRL_CMD_GETFAMILY (3) of nlctrl (16), version 1; the name is attribute 2, the id 1.
    let by_name = Request::new(16).body(&[3u8, 1, 0, 0]).attr_str(2, "netdev");
    generic
        .get(&by_name, |answer| {
            let mut attrs = answer.attributes_after(4);
            while attrs.next() {
                if attrs.kind() == 1 {
                    family = attrs.u16();
                }
            }
        })
        .unwrap();
    let request = Request::new(family.unwrap()).body(&[1u8, 1, 0, 0]);
    refused(generic, request, "refusal_missing_attribute");

    // A dump of routes that asks, strictly checked, for a type of service.
    let mut route = client(Protocol::ROUTE);
    let rtmsg = [2u8, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0];
    let request = Request::new(26).body(&rtmsg);
    route.dump(&request, DumpOptions::default(), &mut Ports::default()).unwrap_err();
    write("done_with_error", route.transport().datagrams.last().unwrap());
}
