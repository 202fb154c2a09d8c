//! One socket of each kind that a test can make, held in one namespace.
//!
//! The *near* namespace holds the sockets to be looked at. A veth pair leads to the *far* one, whose
//! sockets are their peers. What lives on loopback stands in `listeners`, `connections` and `udp`; the
//! TCP states that need a broken network stand in `states`.
//!
//! All sockets stay as they are for some 50 seconds; then TIME-WAIT ends and retransmissions give up.

mod connections;
mod listeners;
mod states;
mod udp;

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::net::netdevice::name_to_index;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::{Namespace, failed, veth};

/// The near end of the cable.
const NEAR_DEVICE: &str = "near0";
/// The far end.
const FAR_DEVICE: &str = "far0";
/// A hardware address that nobody has.
const NOBODY: &str = "02:00:00:00:00:99";

/// The states that a population has, as `ss` writes them. (Bound sockets that do not listen are there
/// too, but an `ss` before 6.8 does not ask for them.)
const STATES: [&str; 10] = [
    "CLOSE-WAIT",
    "CLOSING",
    "ESTAB",
    "FIN-WAIT-1",
    "FIN-WAIT-2",
    "LAST-ACK",
    "LISTEN",
    "SYN-RECV",
    "SYN-SENT",
    "TIME-WAIT",
];

/// Sockets of each kind, until it is dropped.
#[derive(Debug)]
pub struct Population {
    // Fields are dropped in this order: the sockets before the networks that they live in.
    _sockets: Vec<Socket>,
    near: Namespace,
    far: Namespace,
    born: Instant,
}

impl Population {
    /// Builds both namespaces and all sockets; returns when each TCP state is there.
    ///
    /// # Errors
    /// Fails without root, `ip` or `ss`, and when a state does not come about in ten seconds.
    pub fn new(label: &str) -> io::Result<Self> {
        let near = Namespace::new(label)?;
        let far = Namespace::new(label)?;
        let network = Network::new(&near, &far)?;
        let mut sockets = Vec::new();
        listeners::open(&network, &mut sockets)?;
        connections::open(&network, &mut sockets)?;
        udp::open(&network, &mut sockets)?;
        states::open(&network, &mut sockets)?;
        let population = Self { _sockets: sockets, near, far, born: Instant::now() };
        population.wait_for_states()?;
        Ok(population)
    }

    /// The namespace to look at.
    #[must_use]
    pub fn near(&self) -> &Namespace {
        &self.near
    }

    /// The namespace of the peers: fewer sockets, in states of their own.
    #[must_use]
    pub fn far(&self) -> &Namespace {
        &self.far
    }

    /// Time since it was complete.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.born.elapsed()
    }

    fn wait_for_states(&self) -> io::Result<()> {
        let start = Instant::now();
        loop {
            let output = self.near.output(Command::new("ss").arg("-Htan"))?;
            let text = String::from_utf8_lossy(&output.stdout);
            let missing: Vec<&str> = STATES
                .into_iter()
                .filter(|state| !text.lines().any(|line| line.split(' ').next() == Some(*state)))
                .collect();
            if missing.is_empty() {
                return Ok(());
            }
            if start.elapsed() > Duration::from_secs(10) {
                return Err(failed(
                    "a test population lacks the states",
                    format_args!("{missing:?}; it has\n{text}"),
                ));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Two namespaces and the cable between them.
struct Network<'a> {
    near: &'a Namespace,
    far: &'a Namespace,
    /// Index of [`NEAR_DEVICE`].
    near_index: u32,
    /// Index of [`FAR_DEVICE`].
    far_index: u32,
}

impl<'a> Network<'a> {
    fn new(near: &'a Namespace, far: &'a Namespace) -> io::Result<Self> {
        veth((near, NEAR_DEVICE), (far, FAR_DEVICE))?;
        near.add_address(NEAR_DEVICE, "10.77.0.1/24")?;
        near.add_address(NEAR_DEVICE, "fd77::1/64")?;
        near.add_address(NEAR_DEVICE, "fe80::1/64")?;
        near.add_address(NEAR_DEVICE, "fd77:1234:5678:9abc:def0:1234:5678:9abc/128")?;
        far.add_address(FAR_DEVICE, "fe80::2/64")?;
        for host in 2..40 {
            far.add_address(FAR_DEVICE, &format!("10.77.0.{host}/24"))?;
            far.add_address(FAR_DEVICE, &format!("fd77::{host}/64"))?;
        }
        near.set("ipv4/tcp_synack_retries", "12")?;
        near.set("ipv4/tcp_syn_retries", "12")?;
        let index = |namespace: &Namespace, device| {
            namespace.run(|| {
                let any = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
                name_to_index(&any, device).map_err(|error| failed(device, error))
            })?
        };
        let near_index = index(near, NEAR_DEVICE)?;
        let far_index = index(far, FAR_DEVICE)?;
        Ok(Self { near, far, near_index, far_index })
    }

    /// A TCP socket of the near side.
    fn tcp(&self, domain: Domain) -> io::Result<Socket> {
        self.near.run(|| Socket::new(domain, Type::STREAM, Some(Protocol::TCP)))?
    }

    /// A TCP socket of the far side.
    fn far_tcp(&self, domain: Domain) -> io::Result<Socket> {
        self.far.run(|| Socket::new(domain, Type::STREAM, Some(Protocol::TCP)))?
    }

    /// A UDP socket of the near side.
    fn udp(&self, domain: Domain) -> io::Result<Socket> {
        self.near.run(|| Socket::new(domain, Type::DGRAM, Some(Protocol::UDP)))?
    }

    /// A near listener on `address`; `prepare` sets its options.
    fn listen(
        &self,
        address: SocketAddr,
        backlog: i32,
        prepare: impl FnOnce(&Socket) -> io::Result<()>,
    ) -> io::Result<Socket> {
        let socket = self.tcp(Domain::for_address(address))?;
        prepare(&socket)?;
        bind(&socket, address)?;
        socket.listen(backlog)?;
        Ok(socket)
    }

    /// A connection between two near sockets, by loopback or an address of the near side: the client
    /// with the options of `prepare`, and the server.
    fn pair(
        &self,
        listener: &Socket,
        to: SocketAddr,
        prepare: impl FnOnce(&Socket) -> io::Result<()>,
    ) -> io::Result<(Socket, Socket)> {
        let client = self.tcp(Domain::for_address(to))?;
        prepare(&client)?;
        connect(&client, to)?;
        let (server, _) = listener.accept()?;
        Ok((client, server))
    }

    /// Loses all that the near side sends to `host` from now on.
    fn cut(&self, host: IpAddr) -> io::Result<()> {
        self.near.set_neighbour(NEAR_DEVICE, &host.to_string(), NOBODY)
    }

    /// A link-local address on the near side's device, as the near side writes it.
    fn near_link_local(&self, last: u16, port: u16) -> SocketAddr {
        link_local(last, port, self.near_index)
    }

    /// The same, as the far side writes it.
    fn far_link_local(&self, last: u16, port: u16) -> SocketAddr {
        link_local(last, port, self.far_index)
    }
}

fn link_local(last: u16, port: u16, index: u32) -> SocketAddr {
    let address = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last);
    SocketAddrV6::new(address, port, 0, index).into()
}

/// An IPv4 loopback address, its last part given.
fn loopback(last: u8, port: u16) -> SocketAddr {
    (Ipv4Addr::new(127, 0, 0, last), port).into()
}

/// Nothing to set.
fn plain(_: &Socket) -> io::Result<()> {
    Ok(())
}

/// Binds; the error names the address.
fn bind(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    socket.set_reuse_address(true)?;
    socket
        .bind(&SockAddr::from(address))
        .map_err(|error| failed(format_args!("bind to {address}"), error))
}

/// Connects; the error names the address.
fn connect(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    socket
        .connect(&SockAddr::from(address))
        .map_err(|error| failed(format_args!("connect to {address}"), error))
}

/// Sends a SYN and does not wait for its answer.
fn begin_connecting(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    match socket.connect(&SockAddr::from(address)) {
        Err(error)
            if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) =>
        {
            Ok(())
        }
        Err(error) => Err(failed(format_args!("connect to {address}"), error)),
        Ok(()) => Err(failed(address, "was expected not to answer")),
    }
}

/// Writes until the send queue is full.
fn fill(mut socket: &Socket) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    // What is in flight becomes room in the queue a moment later: full is full for 20 ms.
    let mut full = 0;
    while full < 4 {
        match socket.write(&[b'.'; 4096]) {
            Ok(_) => full = 0,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                full += 1;
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
