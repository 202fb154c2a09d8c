//! The kernel and user space give the same answer: on sockets that never were, by what the kernel
//! is known to do; and on sockets that are, by what it does.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::cell::Cell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::ops::ControlFlow;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use socket2::{Domain, SockAddr, Type};
use sockeye_diag::bytecode::{Code, Entry, audit, run};
use sockeye_diag::{Diag, Extensions, Query, Sockets};
use sockeye_filter::{Codes, Filter, Live, Names, Reading, Scope, System, Text, Transport};
use sockeye_lab::Namespace;
use sockeye_model::{CgroupId, Cookie, Endpoint, Family, Protocol, Socket, State, States};

/// Names without a host.
struct Fixed;

impl Names for Fixed {
    fn interface(&mut self, _: &[u8]) -> Option<u32> {
        None
    }
    fn host(&mut self, name: &str, _: Option<Family>) -> Vec<IpAddr> {
        let both = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        if name == "both" { both.to_vec() } else { Vec::new() }
    }
    fn service(&mut self, _: &str, _: Transport) -> Option<u16> {
        None
    }
    fn cgroup(&mut self, path: &[u8]) -> io::Result<CgroupId> {
        Ok(CgroupId(path.len() as u64))
    }
    fn ephemeral_ports(&mut self) -> (i64, i64) {
        (32768, 60999)
    }
}

const ADDRESSES: [&str; 12] = [
    "0.0.0.0",
    "127.0.0.1",
    "127.0.0.2",
    "10.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "7f00:1::",
    "fe80::1",
    "2001:db8::7",
];
const PORTS: [u16; 7] = [0, 1, 22, 80, 40000, 60999, 65535];

const STATES: [&str; 11] = [
    "listening",
    "established",
    "closed",
    "syn-recv",
    "time-wait",
    "bound-inactive",
    "all",
    "connected",
    "synchronized",
    "bucket",
    "big",
];

/// A test that means the same on both sides, by its words.
fn predicate() -> impl Strategy<Value = String> {
    let end = || select(vec!["src", "dst"]);
    let port_end = || select(vec!["sport", "dport"]);
    let address = prop_oneof![
        select(ADDRESSES.to_vec()).prop_map(|address| format!("[{address}]")),
        (select(ADDRESSES.to_vec()), 0..=32_u8)
            .prop_map(|(address, length)| format!("[{address}/{length}]")),
        Just("[::/128]".to_owned()),
        Just("[fe80::/64]".to_owned()),
        select(vec!["*", "any", "both", "inet:any", "inet6:*", "unix:*", "vsock:1:2"])
            .prop_map(str::to_owned),
    ];
    let operator = select(vec!["=", "!=", "<", ">", "<=", ">=", "eq", "ne", "lt", "ge"]);
    prop_oneof![
        4 => (end(), address).prop_map(|(end, address)| format!("{end} {address}")),
        2 => (end(), select(vec!["[127.0.0.1]", "[::1]", "*", "[::ffff:0:0/96]"]), select(PORTS.to_vec()))
            .prop_map(|(end, address, port)| format!("{end} {address}:{port}")),
        4 => (port_end(), operator, select(PORTS.to_vec()))
            .prop_map(|(end, operator, port)| format!("{end} {operator} {port}")),
        1 => (0..4_u32).prop_map(|index| format!("dev {index}")),
        1 => (0..4_u32, 0..4_u32).prop_map(|(mark, mask)| format!("fwmark {mark}/{mask}")),
        1 => select(vec!["cgroup /", "cgroup /a"]).prop_map(str::to_owned),
        1 => (select(vec!["state", "exclude"]), select(STATES.to_vec()))
            .prop_map(|(word, state)| format!("{word} {state}")),
    ]
}

/// An expression, with parentheses wherever it has parts.
fn expression() -> impl Strategy<Value = String> {
    predicate().prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), select(vec!["and", "or", ""]), inner.clone())
                .prop_map(|(left, word, right)| format!("( {left} {word} {right} )")),
            (
                inner.clone(),
                select(vec!["and", "or"]),
                inner.clone(),
                select(vec!["and", "or"]),
                inner.clone()
            )
                .prop_map(|(a, one, b, other, c)| format!("( {a} {one} {b} {other} {c} )")),
            inner.prop_map(|part| format!("not {part}")),
        ]
    })
}

/// A socket, as the kernel might tell it.
fn socket() -> impl Strategy<Value = Socket> {
    let end = || (select(ADDRESSES.to_vec()), select(PORTS.to_vec()));
    let states = select(vec![
        State::Established,
        State::Listen,
        State::TimeWait,
        State::Close,
        State::SynRecv,
        State::NewSynRecv,
    ]);
    let protocols = select(vec![Protocol::TCP, Protocol::UDP]);
    (end(), end(), 0..4_u32, 0..4_u32, 0..3_u64, states, protocols).prop_map(
        |((source, sport), (destination, dport), interface, mark, cgroup, state, protocol)| {
            let mut socket = Socket::new(protocol);
            let parsed = |text: &str| -> IpAddr { text.parse().unwrap() };
            let of_family = |text: &str, ipv4: bool| match (parsed(text), ipv4) {
                (IpAddr::V6(_), true) => Ipv4Addr::UNSPECIFIED.into(),
                (IpAddr::V4(address), false) => address.to_ipv6_mapped().into(),
                (address, _) => address,
            };
            let ipv4 = parsed(source).is_ipv4();
            socket.family = if ipv4 { Family::Inet } else { Family::Inet6 };
            socket.local = Endpoint { address: parsed(source), port: sport };
            socket.peer = Endpoint { address: of_family(destination, ipv4), port: dport };
            socket.interface = NonZeroU32::new(interface);
            socket.mark = Some(mark);
            socket.cgroup_id = Some(CgroupId(cgroup));
            socket.state = state;
            socket
        },
    )
}

/// What the kernel knows of it.
fn entry(socket: &Socket) -> Entry {
    let bytes = |address| match address {
        IpAddr::V4(address) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&address.octets());
            bytes
        }
        IpAddr::V6(address) => address.octets(),
    };
    Entry {
        family: socket.family,
        source: bytes(socket.local.address),
        destination: bytes(socket.peer.address),
        sport: socket.local.port,
        dport: socket.peer.port,
        interface: socket.interface.map_or(0, NonZeroU32::get),
        port_locked: true,
        mark: socket.mark.unwrap_or(0),
        cgroup: socket.cgroup_id.map_or(0, |id| id.0),
    }
}

fn filter(text: &str, reading: Reading, names: &mut dyn Names) -> Filter {
    let parsed = Filter::parse(&Text::new().argument(text.as_bytes()), Scope::new(reading), names);
    parsed.unwrap_or_else(|error| panic!("{error}")).unwrap()
}

proptest! {
    #![proptest_config(Config { cases: 3000, ..Config::default() })]

    /// Where every test can be made by the kernel, it gives the answer of user space; where one
    /// cannot, it leaves out no socket that user space wants.
    #[test]
    fn a_program_accepts_what_the_filter_wants(
        text in expression(), socket in socket(), refused in 0..32_u32,
    ) {
        let filter = filter(&text, Reading::Precedence, &mut Fixed);
        let optional = [Code::DevCond, Code::MarkCond, Code::SEq, Code::DEq, Code::CgroupCond];
        let codes = (0..).zip(optional).filter(|(bit, _)| refused >> bit & 1 != 0);
        let codes = codes.fold(Codes::ALL, |codes, (_, code)| codes.without(code));
        let compiled = filter.compile(codes);
        prop_assert!(!compiled.too_long);
        let accepted = compiled.program.is_none_or(|program| {
            let bytes = program.to_bytes().unwrap();
            assert_eq!(audit(&bytes, true), Ok(()));
            assert!(program.codes().all(|code| codes.contains(code)));
            run(&bytes, &entry(&socket))
        });
        let wanted = filter.matches(&socket);
        prop_assert!(accepted || !wanted, "{} leaves out {:?}", text, socket);
        if compiled.left.is_empty() {
            prop_assert_eq!(accepted, wanted, "{}", text);
        }
        prop_assert!(!wanted || filter.states().contains(socket.state), "{}", text);
    }

    /// With `dev`, `ss` tests in user space alone: then the program must not leave out more.
    #[test]
    fn with_dev_a_program_follows_the_user_space_of_ss(text in expression(), socket in socket()) {
        let text = format!("dev 0 or {text}");
        let scope = Scope::new(Reading::Ss);
        let parsed = Filter::parse(&Text::new().argument(text.as_bytes()), scope, &mut Fixed);
        // This reading knows no states.
        let Ok(Some(filter)) = parsed else { return Ok(()) };
        let compiled = filter.compile(Codes::ALL);
        let accepted = compiled.program.as_ref().is_none_or(|program| {
            run(&program.to_bytes().unwrap(), &entry(&socket))
        });
        let wanted = filter.matches(&socket);
        prop_assert!(accepted || !wanted, "{} leaves out {:?}", text, socket);
        if compiled.left.is_empty() {
            prop_assert_eq!(accepted, wanted, "{}", text);
        }
    }
}

/// All sockets of a dump.
#[derive(Default)]
struct All(Vec<Socket>);

impl Sockets for All {
    fn socket(&mut self, socket: &Socket) -> ControlFlow<()> {
        self.0.push(socket.clone());
        ControlFlow::Continue(())
    }
    fn restart(&mut self) {
        self.0.clear();
    }
}

/// What to make a socket of.
#[derive(Debug, Clone)]
struct Made {
    ipv6: bool,
    udp: bool,
    address: u8,
    mark: u32,
    on_loopback: bool,
    connects: bool,
}

fn made() -> impl Strategy<Value = Made> {
    (any::<bool>(), any::<bool>(), 0..3_u8, 0..4_u32, any::<bool>(), any::<bool>()).prop_map(
        |(ipv6, udp, address, mark, on_loopback, connects)| Made {
            ipv6,
            udp,
            address,
            mark,
            on_loopback,
            connects,
        },
    )
}

impl Made {
    /// The sockets: a listener or an unconnected one, and, if it connects, both ends.
    fn open(&self) -> io::Result<Vec<socket2::Socket>> {
        let domain = if self.ipv6 { Domain::IPV6 } else { Domain::IPV4 };
        let kind = if self.udp { Type::DGRAM } else { Type::STREAM };
        let address: IpAddr = match (self.ipv6, self.address) {
            (false, 0) => Ipv4Addr::UNSPECIFIED.into(),
            (false, last) => Ipv4Addr::new(127, 0, 0, last).into(),
            (true, 0) => Ipv6Addr::UNSPECIFIED.into(),
            (true, 1) => Ipv6Addr::LOCALHOST.into(),
            (true, last) => Ipv4Addr::new(127, 0, 0, last).to_ipv6_mapped().into(),
        };
        let first = socket2::Socket::new(domain, kind, None)?;
        if self.ipv6 {
            first.set_only_v6(false)?;
        }
        first.set_mark(self.mark)?;
        if self.on_loopback {
            first.bind_device(Some(b"lo"))?;
        }
        first.bind(&SockAddr::from(SocketAddr::new(address, 0)))?;
        if !self.udp {
            first.listen(8)?;
        }
        let mut sockets = Vec::new();
        if self.connects {
            let port = first.local_addr()?.as_socket().map_or(0, |address| address.port());
            let to: IpAddr = match (self.ipv6, self.address) {
                (false, 0) => Ipv4Addr::LOCALHOST.into(),
                (true, 0) => Ipv6Addr::LOCALHOST.into(),
                _ => address,
            };
            let client = socket2::Socket::new(domain, kind, None)?;
            client.set_mark(self.mark ^ 1)?;
            client.connect(&SockAddr::from(SocketAddr::new(to, port)))?;
            if !self.udp {
                sockets.push(first.accept()?.0);
            }
            sockets.push(client);
        }
        sockets.push(first);
        Ok(sockets)
    }
}

/// The cookies of the sockets that the kernel tells, of both families, in order.
fn cookies(
    diag: &mut Diag,
    protocol: Protocol,
    live: &mut Live<'_>,
    with_program: bool,
) -> (Vec<Cookie>, Vec<Socket>) {
    let mut all = All::default();
    for family in [Family::Inet, Family::Inet6] {
        loop {
            let program = live.program().cloned().filter(|_| with_program);
            let query = Query {
                family,
                protocol,
                states: States::ALL,
                extensions: Extensions::NONE,
                program: program.as_ref(),
            };
            let mut part = All::default();
            match diag.dump(&query, &mut part) {
                Ok(_) => {
                    all.0.extend(part.0);
                    break;
                }
                Err(error) => assert!(live.learn(diag, &error, protocol), "{error}"),
            }
        }
    }
    let mut cookies: Vec<_> = all.0.iter().map(|socket| socket.cookie).collect();
    cookies.sort_unstable();
    (cookies, all.0)
}

/// All sockets; the cookies of those that the kernel accepts, and these. Connections that closed are
/// told for a while (TIME-WAIT) and then no more: the dumps count if nothing came or went meanwhile.
fn dumps(
    diag: &mut Diag,
    protocol: Protocol,
    live: &mut Live<'_>,
) -> (Vec<Socket>, Vec<Cookie>, Vec<Socket>) {
    for _ in 0..20 {
        let (before, all) = cookies(diag, protocol, live, false);
        let (accepted, told) = cookies(diag, protocol, live, true);
        let (after, again) = cookies(diag, protocol, live, false);
        let states = |sockets: &[Socket]| sockets.iter().map(|s| (s.cookie, s.state)).collect();
        let (one, other): (Vec<_>, Vec<_>) = (states(&all), states(&again));
        if before == after && one == other {
            return (all, accepted, told);
        }
    }
    panic!("in 20 tries, sockets came or went each time");
}

/// Random filters on random sockets, in a namespace of their own: what the kernel accepts of a
/// dump is what user space wants of the whole.
#[test]
fn this_kernel_accepts_what_user_space_wants() {
    let namespace = Namespace::new("filter").unwrap();
    let mut runner = TestRunner::new(Config { cases: 12, ..Config::default() });
    let sockets = proptest::collection::vec(made(), 1..12);
    let (compared, told_apart) = (Cell::new(0_u32), Cell::new(0_u32));
    let run =
        runner.run(&(sockets, proptest::collection::vec(expression(), 25)), |(made, texts)| {
            let (held, mut diag) = namespace
                .run(|| {
                    let held: io::Result<Vec<_>> = made.iter().map(Made::open).collect();
                    (held, Diag::open().unwrap())
                })
                .unwrap();
            let held = held.unwrap();
            for text in &texts {
                let filter = filter(text, Reading::Precedence, &mut Fixed);
                let mut live = Live::new(&filter);
                for protocol in [Protocol::TCP, Protocol::UDP] {
                    let (all, accepted, told) = dumps(&mut diag, protocol, &mut live);
                    let wanted = |socket: &&Socket| filter.matches(socket);
                    let mut wanted: Vec<_> = all.iter().filter(wanted).map(|s| s.cookie).collect();
                    wanted.sort_unstable();
                    let left_open = !filter.compile(Codes::ALL).left.is_empty();
                    let kept: Vec<_> = if left_open {
                        // The rest is tested in user space.
                        let mut kept: Vec<_> =
                            told.iter().filter(|s| filter.matches(s)).map(|s| s.cookie).collect();
                        kept.sort_unstable();
                        kept
                    } else {
                        accepted
                    };
                    prop_assert_eq!(&kept, &wanted, "{}", text);
                    compared.set(compared.get() + 1);
                    let both = !wanted.is_empty() && wanted.len() < all.len();
                    told_apart.set(told_apart.get() + u32::from(both));
                }
            }
            drop(held);
            Ok(())
        });
    run.unwrap_or_else(|error| panic!("{error}"));
    let (compared, told_apart) = (compared.get(), told_apart.get());
    assert!(compared >= 500 && told_apart > 50, "{told_apart} of {compared} told sockets apart");
}

/// The kernel tests the lock that bind(2) leaves, user space the range of ports: both have to hold.
#[test]
fn autobound_is_tested_by_both() {
    let namespace = Namespace::new("autobound").unwrap();
    let (held, mut diag) = namespace
        .run(|| {
            let open = |port| std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
            // Chosen by the kernel, and by us: in its range and not.
            ([open(0), open(45000), open(80)], Diag::open().unwrap())
        })
        .unwrap();
    let ports = held.each_ref().map(|listener| listener.local_addr().unwrap().port());
    let mut shown = |text: &str| {
        let filter = filter(text, Reading::Ss, &mut System::default());
        let mut live = Live::new(&filter);
        let (_, told) = cookies(&mut diag, Protocol::TCP, &mut live, true);
        let told = told.into_iter().filter(|socket| filter.matches(socket));
        let mut ports: Vec<_> = told.map(|socket| socket.local.port).collect();
        ports.sort_unstable();
        ports
    };
    assert_eq!(shown("autobound"), [ports[0]]);
    assert_eq!(shown("not autobound"), [80]);
}
