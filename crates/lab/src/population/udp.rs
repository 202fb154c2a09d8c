//! UDP sockets: connected and not, on every kind of address, empty and filled.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};

use rustix::fs::{Gid, Uid, fchown};
use socket2::{Domain, SockAddr, Socket};

use super::{NEAR_DEVICE, Network, bind, connect, loopback};

pub(super) fn open(network: &Network<'_>, sockets: &mut Vec<Socket>) -> io::Result<()> {
    let address = |text: &str| -> io::Result<SocketAddr> { text.parse().map_err(io::Error::other) };
    let v4 = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let v6 = |port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));

    // No socket on port 53: it would take what a resolver asks, and never answer.
    for local in [
        v4(123),
        v6(514),
        v4(40_000),
        loopback(1, 4789),
        address("[::1]:4790")?,
        address("10.77.0.1:4791")?,
        address("[fd77::1]:4792")?,
        address("[::ffff:127.0.0.1]:4793")?,
        address("224.0.0.251:5353")?,
        network.near_link_local(1, 547),
    ] {
        let socket = network.udp(Domain::for_address(local))?;
        bind(&socket, local)?;
        sockets.push(socket);
    }
    let only_v6 = network.udp(Domain::IPV6)?;
    only_v6.set_only_v6(true)?;
    bind(&only_v6, v6(123))?;
    sockets.push(only_v6);

    for device in ["lo", NEAR_DEVICE] {
        let socket = network.udp(Domain::IPV4)?;
        socket.bind_device(Some(device.as_bytes()))?;
        bind(&socket, v4(67))?;
        sockets.push(socket);
        let socket = network.udp(Domain::IPV6)?;
        socket.bind_device(Some(device.as_bytes()))?;
        bind(&socket, v6(546))?;
        sockets.push(socket);
    }

    for peer in [
        loopback(1, 123),
        loopback(1, 40_000),
        address("[::1]:514")?,
        address("[::ffff:127.0.0.1]:123")?,
        address("10.77.0.99:443")?,
        address("[fd77::99]:443")?,
        network.near_link_local(2, 443),
    ] {
        let socket = network.udp(Domain::for_address(peer))?;
        connect(&socket, peer)?;
        sockets.push(socket);
    }

    for _ in 0..4 {
        let socket = network.udp(Domain::IPV4)?;
        socket.set_reuse_port(true)?;
        bind(&socket, v4(8125))?;
        sockets.push(socket);
    }

    let marked = network.udp(Domain::IPV4)?;
    marked.set_mark(0xbeef)?;
    marked.set_tos_v4(0xb8)?;
    marked.set_priority(3)?;
    bind(&marked, loopback(1, 4800))?;
    let classed = network.udp(Domain::IPV6)?;
    classed.set_tclass_v6(0x80)?;
    bind(&classed, address("[::1]:4801")?)?;
    let foreign = network.udp(Domain::IPV4)?;
    bind(&foreign, loopback(1, 4802))?;
    fchown(&foreign, Some(Uid::from_raw(1000)), Some(Gid::from_raw(1000)))?;
    let shut = network.udp(Domain::IPV4)?;
    connect(&shut, loopback(1, 4800))?;
    shut.shutdown(Shutdown::Write)?;
    sockets.extend([marked, classed, foreign, shut]);

    for local in [loopback(1, 4900), address("[::1]:4901")?] {
        let full = network.udp(Domain::for_address(local))?;
        bind(&full, local)?;
        let sender = network.udp(Domain::for_address(local))?;
        for length in [1, 100, 1400, 9000] {
            sender.send_to(&vec![b'.'; length], &SockAddr::from(local))?;
        }
        sockets.extend([full, sender]);
    }
    Ok(())
}
