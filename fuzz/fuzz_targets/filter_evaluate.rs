//! The filter's evaluator: what user space wants of a socket, the program accepts; and if the kernel
//! can make every test, nothing else.
#![no_main]

#[path = "../src/names.rs"]
mod names;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;

use libfuzzer_sys::fuzz_target;
use sockeye_diag::bytecode::{Entry, run};
use sockeye_filter::{Codes, Filter, Reading, Scope, Text};
use sockeye_model::{CgroupId, Endpoint, Family, Protocol, Socket, State};

// First a socket: family, state, ports, interface, mark, control group, addresses.
fuzz_target!(|input: &[u8]| {
    let Some((head, rest)) = input.split_first_chunk::<9>() else { return };
    let Some((source, rest)) = rest.split_first_chunk::<16>() else { return };
    let Some((destination, text)) = rest.split_first_chunk::<16>() else { return };
    let [family, state, s1, s2, d1, d2, interface, mark, cgroup] = *head;
    let ipv4 = family & 1 == 0;
    let address = |bytes: &[u8; 16]| -> IpAddr {
        let [a, b, c, d, ..] = *bytes;
        if ipv4 { Ipv4Addr::new(a, b, c, d).into() } else { Ipv6Addr::from(*bytes).into() }
    };
    let bytes = |address: IpAddr| match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        }
        IpAddr::V6(address) => address.octets(),
    };
    let mut socket = Socket::new(Protocol::TCP);
    socket.family = if ipv4 { Family::Inet } else { Family::Inet6 };
    socket.state = State::from(state % 14);
    let port = |high, low| u16::from_be_bytes([high, low]);
    socket.local = Endpoint { address: address(source), port: port(s1, s2) };
    socket.peer = Endpoint { address: address(destination), port: port(d1, d2) };
    socket.interface = NonZeroU32::new(interface.into());
    socket.mark = Some(mark.into());
    socket.cgroup_id = Some(CgroupId(cgroup.into()));
    let entry = Entry {
        family: socket.family,
        source: bytes(socket.local.address),
        destination: bytes(socket.peer.address),
        sport: socket.local.port,
        dport: socket.peer.port,
        interface: interface.into(),
        // As if the range of ports told.
        port_locked: !(32768..=60999).contains(&socket.local.port),
        mark: mark.into(),
        cgroup: cgroup.into(),
    };
    let parsed = Filter::parse(
        &Text::new().argument(text),
        Scope::new(Reading::Precedence),
        &mut names::Fixed,
    );
    let Ok(Some(filter)) = parsed else { return };
    let wanted = filter.matches(&socket);
    let compiled = filter.compile(Codes::ALL);
    let program = compiled.program.and_then(|program| program.to_bytes());
    let accepted = program.is_none_or(|program| run(&program, &entry));
    assert!(accepted || !wanted, "{}", filter.expression());
    if compiled.left.is_empty() && !compiled.too_long {
        assert_eq!(accepted, wanted, "{}", filter.expression());
    }
    assert!(!wanted || filter.states().contains(socket.state), "{}", filter.expression());
});
