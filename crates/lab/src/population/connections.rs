//! Established TCP connections: on every kind of address, with every option, idle, busy and stuck.

use std::io::{self, Read, Write};
use std::net::{Ipv6Addr, Shutdown, SocketAddr};
use std::time::Duration;

use rustix::fs::{Gid, Uid, fchown};
use socket2::{Domain, Socket, TcpKeepalive};

use super::{Network, bind, connect, fill, loopback, plain};

pub(super) fn open(network: &Network<'_>, sockets: &mut Vec<Socket>) -> io::Result<()> {
    addresses(network, sockets)?;
    options(network, sockets)?;
    congestion_controls(network, sockets)?;
    queues(network, sockets)
}

/// Sends `bytes` from one end to the other and reads it there.
fn talk(mut from: &Socket, mut to: &Socket, bytes: usize) -> io::Result<()> {
    let mut buffer = vec![b'.'; bytes];
    from.write_all(&buffer)?;
    to.read_exact(&mut buffer)
}

fn addresses(network: &Network<'_>, sockets: &mut Vec<Socket>) -> io::Result<()> {
    let v4 = network.listen(loopback(1, 6001), 10, plain)?;
    let v6 = network.listen("[::1]:6002".parse().map_err(io::Error::other)?, 10, plain)?;
    let dual = network.listen((Ipv6Addr::UNSPECIFIED, 6003).into(), 10, plain)?;
    let own = network.listen("[fd77::1]:6004".parse().map_err(io::Error::other)?, 10, plain)?;
    let dual_address =
        |text: &str| -> io::Result<SocketAddr> { text.parse().map_err(io::Error::other) };
    for (listener, to) in [
        (&v4, loopback(1, 6001)),
        (&v4, loopback(1, 6001)),
        (&v6, dual_address("[::1]:6002")?),
        // An IPv4 client at a server that sees it as mapped; and mapped on both sides.
        (&dual, loopback(9, 6003)),
        (&dual, dual_address("[::ffff:127.0.0.10]:6003")?),
        (&dual, dual_address("10.77.0.1:6003")?),
        (&own, dual_address("[fd77::1]:6004")?),
    ] {
        let (client, server) = network.pair(listener, to, plain)?;
        talk(&client, &server, 700)?;
        talk(&server, &client, 70)?;
        sockets.extend([client, server]);
    }

    // From a port with a name, which the server sees as its peer's.
    let (client, server) =
        network.pair(&v4, loopback(1, 6001), |socket| bind(socket, loopback(2, 25)))?;
    sockets.extend([client, server]);

    // Over the cable, by link-local addresses.
    let far = network.far_tcp(Domain::IPV6)?;
    bind(&far, network.far_link_local(2, 6005))?;
    far.listen(10)?;
    let client = network.tcp(Domain::IPV6)?;
    connect(&client, network.near_link_local(2, 6005))?;
    let (server, _) = far.accept()?;
    talk(&client, &server, 50_000)?;
    sockets.extend([client, server, far]);

    sockets.extend([v4, v6, dual, own]);
    Ok(())
}

fn options(network: &Network<'_>, sockets: &mut Vec<Socket>) -> io::Result<()> {
    let v4 = network.listen(loopback(1, 6010), 20, plain)?;
    let v6 = network.listen("[::1]:6011".parse().map_err(io::Error::other)?, 20, plain)?;
    let to_v4 = loopback(1, 6010);
    let to_v6 = "[::1]:6011".parse().map_err(io::Error::other)?;
    let mut keep = |pair: (Socket, Socket)| sockets.extend([pair.0, pair.1]);

    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(4000))
        .with_interval(Duration::from_secs(9));
    keep(network.pair(&v4, to_v4, |socket| socket.set_tcp_keepalive(&keepalive))?);
    keep(network.pair(&v6, to_v6, |socket| socket.set_keepalive(true))?);
    keep(network.pair(&v4, to_v4, |socket| {
        let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(300));
        socket.set_tcp_keepalive(&keepalive)
    })?);
    keep(network.pair(&v4, to_v4, |socket| socket.set_mark(0x1234))?);
    keep(network.pair(&v6, to_v6, |socket| socket.set_mark(1))?);
    keep(network.pair(&v4, to_v4, |socket| socket.set_tos_v4(0x08))?);
    keep(network.pair(&v6, to_v6, |socket| socket.set_tclass_v6(0x20))?);
    keep(network.pair(&v4, to_v4, |socket| socket.set_priority(6))?);
    keep(network.pair(&v4, to_v4, |socket| socket.set_freebind_v4(true))?);
    keep(network.pair(&v4, to_v4, |socket| socket.bind_device(Some(b"lo")))?);
    keep(network.pair(&v6, to_v6, |socket| socket.bind_device(Some(b"lo")))?);
    keep(network.pair(&v4, to_v4, |socket| {
        socket.set_recv_buffer_size(300_000)?;
        socket.set_send_buffer_size(300_000)
    })?);
    keep(network.pair(&v4, to_v4, |socket| socket.set_tcp_mss(536))?);
    // Receiving is over, sending is not: no state of its own.
    let (client, server) = network.pair(&v4, to_v4, plain)?;
    client.shutdown(Shutdown::Read)?;
    keep((client, server));
    let (client, server) = network.pair(&v4, to_v4, plain)?;
    fchown(&client, Some(Uid::from_raw(1)), Some(Gid::from_raw(1)))?;
    fchown(&server, Some(Uid::from_raw(4_000_000_000)), None)?;
    keep((client, server));

    sockets.extend([v4, v6]);
    Ok(())
}

fn congestion_controls(network: &Network<'_>, sockets: &mut Vec<Socket>) -> io::Result<()> {
    let setting = "/proc/sys/net/ipv4/tcp_available_congestion_control";
    let v4 = network.listen(loopback(1, 6020), 20, plain)?;
    let v6 = network.listen("[::1]:6021".parse().map_err(io::Error::other)?, 20, plain)?;
    for name in std::fs::read_to_string(setting)?.split_whitespace() {
        for (listener, to) in
            [(&v4, loopback(1, 6020)), (&v6, "[::1]:6021".parse().map_err(io::Error::other)?)]
        {
            let (client, server) =
                network.pair(listener, to, |socket| socket.set_tcp_congestion(name.as_bytes()))?;
            for _ in 0..5 {
                talk(&client, &server, 30_000)?;
            }
            talk(&server, &client, 1)?;
            sockets.extend([client, server]);
        }
    }
    sockets.extend([v4, v6]);
    Ok(())
}

fn queues(network: &Network<'_>, sockets: &mut Vec<Socket>) -> io::Result<()> {
    let v4 = network.listen(loopback(1, 6030), 20, plain)?;
    let v6 = network.listen("[::1]:6031".parse().map_err(io::Error::other)?, 20, plain)?;
    for (listener, to) in
        [(&v4, loopback(1, 6030)), (&v6, "[::1]:6031".parse().map_err(io::Error::other)?)]
    {
        // A few bytes that nobody reads; then as many as go in.
        let (mut client, server) = network.pair(listener, to, plain)?;
        client.write_all(b"unread")?;
        sockets.extend([client, server]);
        let (client, server) =
            network.pair(listener, to, |socket| socket.set_send_buffer_size(100_000))?;
        fill(&client)?;
        sockets.extend([client, server]);
    }
    sockets.extend([v4, v6]);
    Ok(())
}
