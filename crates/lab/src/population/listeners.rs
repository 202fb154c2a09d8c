//! TCP sockets that wait: listeners on every kind of address, and bound sockets that do not listen.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use rustix::fs::{Gid, Uid, fchown};
use socket2::{Domain, Protocol, Socket, Type};

use super::{NEAR_DEVICE, Network, begin_connecting, bind, connect, loopback, plain};

pub(super) fn open(network: &Network<'_>, sockets: &mut Vec<Socket>) -> io::Result<()> {
    let v4 = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let v6 = |port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let only_v6 = |socket: &Socket| socket.set_only_v6(true);

    // Ports with a name in /etc/services, and without one.
    for port in [22, 53, 80, 65_000] {
        sockets.push(network.listen(v4(port), 128, plain)?);
        sockets.push(network.listen(v6(port), 4096, only_v6)?);
    }
    sockets.push(network.listen(v6(8081), 1, plain)?);
    sockets.push(network.listen(loopback(1, 443), 0, plain)?);
    sockets.push(network.listen(loopback(53, 5432), 10, plain)?);
    sockets.push(network.listen("[::1]:631".parse().map_err(io::Error::other)?, 10, plain)?);
    sockets.push(network.listen("10.77.0.1:3306".parse().map_err(io::Error::other)?, 10, plain)?);
    let longest = "[fd77:1234:5678:9abc:def0:1234:5678:9abc]:50051";
    sockets.push(network.listen(longest.parse().map_err(io::Error::other)?, 10, plain)?);
    sockets.push(network.listen(network.near_link_local(1, 546), 10, plain)?);
    sockets.push(network.listen(network.near_link_local(1, 54_600), 10, only_v6)?);
    let mapped = "[::ffff:127.0.0.1]:8082";
    sockets.push(network.listen(mapped.parse().map_err(io::Error::other)?, 10, plain)?);

    for (device, port) in [("lo", 179), (NEAR_DEVICE, 1790)] {
        let on_device = |socket: &Socket| socket.bind_device(Some(device.as_bytes()));
        sockets.push(network.listen(v4(port), 10, on_device)?);
        sockets.push(network.listen(v6(port + 1), 10, on_device)?);
    }

    sockets.push(network.listen(
        "192.0.2.7:88".parse().map_err(io::Error::other)?,
        10,
        |socket| socket.set_freebind_v4(true),
    )?);
    sockets.push(network.listen(
        "192.0.2.8:88".parse().map_err(io::Error::other)?,
        10,
        |socket| socket.set_ip_transparent_v4(true),
    )?);
    sockets.push(network.listen(
        "[2001:db8::7]:88".parse().map_err(io::Error::other)?,
        10,
        |socket| socket.set_freebind_v6(true),
    )?);
    sockets.push(network.listen(v4(8083), 10, |socket| {
        socket.set_mark(0xfe)?;
        socket.set_tos_v4(0x10)?;
        socket.set_priority(5)
    })?);
    sockets.push(network.listen(v6(8084), 10, |socket| {
        socket.set_mark(0xffff_ffff)?;
        socket.set_tclass_v6(0xb8)
    })?);
    // Another user's, as if that user had made it.
    let foreign = network.listen(v4(8085), 10, plain)?;
    fchown(&foreign, Some(Uid::from_raw(65_534)), Some(Gid::from_raw(65_534)))?;
    sockets.push(foreign);
    for _ in 0..3 {
        let socket = network.tcp(Domain::IPV4)?;
        socket.set_reuse_port(true)?;
        bind(&socket, v4(8086))?;
        socket.listen(7)?;
        sockets.push(socket);
    }

    accept_queues(network, sockets)?;

    for address in
        [loopback(1, 7001), v4(7002), v6(7003), "[::1]:7004".parse().map_err(io::Error::other)?]
    {
        let socket = network.tcp(Domain::for_address(address))?;
        bind(&socket, address)?;
        sockets.push(socket);
    }
    // Ports that the kernel chose.
    sockets.push(network.listen(loopback(1, 0), 10, plain)?);

    let mptcp =
        network.near.run(|| Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::MPTCP)))?;
    // A kernel may be without MPTCP.
    if let Ok(listener) = mptcp {
        bind(&listener, loopback(1, 8087))?;
        listener.listen(10)?;
        let client = network
            .near
            .run(|| Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::MPTCP)))??;
        connect(&client, loopback(1, 8087))?;
        sockets.push(listener.accept()?.0);
        sockets.push(client);
        sockets.push(listener);
    }
    Ok(())
}

/// Listeners whose connections nobody accepts: Recv-Q is not 0.
fn accept_queues(network: &Network<'_>, sockets: &mut Vec<Socket>) -> io::Result<()> {
    for (address, backlog, waiting) in [
        (loopback(1, 9001), 5, 3),
        ("[::1]:9002".parse().map_err(io::Error::other)?, 200, 12),
        (loopback(1, 9003), 1, 2),
    ] {
        let listener = network.listen(address, backlog, plain)?;
        for _ in 0..waiting {
            let client = network.tcp(Domain::for_address(address))?;
            connect(&client, address)?;
            sockets.push(client);
        }
        sockets.push(listener);
    }
    // The queue of the last one is full: this one's SYN is ignored.
    let late = network.tcp(Domain::IPV4)?;
    begin_connecting(&late, loopback(1, 9003))?;
    sockets.push(late);
    Ok(())
}
