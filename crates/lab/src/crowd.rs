//! Many thousand TCP connections on loopback, and churn beside them.
//!
//! A process may hold only so many descriptors (20 000 on common machines), so a crowd is held by
//! several: this program, executed again. Whoever starts a crowd gives the new processes a way to
//! [`hold_if_asked`]: a test binary has a test of the name [`HOLDER`] that calls it and does nothing
//! else; any other program calls it first thing in `main`. It returns at once unless this is a holder.
//!
//! A holder prints one line for each connection, then waits for the end of its standard input, and so
//! ends with whoever started it, however that ended. Connections are reset when they close, so that
//! a crowd leaves no sockets in TIME-WAIT.

use std::env;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_linger;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{Namespace, failed};

/// The test that becomes a holder, in a test binary that starts a crowd.
pub const HOLDER: &str = "crowd_holder";

/// Says what a holder has to do: `hold ADDRESS COUNT` or `churn ADDRESS SECONDS`.
const TASK: &str = "SOCKEYE_LAB_CROWD";
/// The line after the last connection's.
const READY: &str = "sockeye-lab: ready";
/// Descriptors that a process needs for other things than connections.
const SPARE_DESCRIPTORS: u64 = 64;

/// What a crowd consists of.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Established connections. Each has two sockets, both on this host.
    pub connections: usize,
    /// Processes that hold them: at least as many as their descriptor limit asks for.
    pub processes: usize,
    /// Every second process holds IPv6 connections.
    pub ipv6: bool,
}

/// One socket's view of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ends {
    /// The socket's own address.
    pub local: SocketAddr,
    /// The address of its peer.
    pub peer: SocketAddr,
}

/// Connections that live until it is dropped.
#[derive(Debug)]
pub struct Crowd {
    sockets: Vec<Ends>,
    _holders: Vec<Holder>,
}

impl Crowd {
    /// Makes the connections; returns when all are established.
    ///
    /// # Errors
    /// Fails when a holder cannot be started or cannot make its connections; it says why on standard
    /// error.
    pub fn start(namespace: &Namespace, plan: Plan) -> io::Result<Self> {
        let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
        let most = usize::try_from(limit.saturating_sub(SPARE_DESCRIPTORS) / 2)
            .unwrap_or(usize::MAX)
            // An address has some 28 000 ports to connect from.
            .min(25_000);
        let processes = plan.processes.max(plan.connections.div_ceil(most.max(1))).max(1);

        let mut holders = Vec::with_capacity(processes);
        for number in 0..processes {
            let share =
                plan.connections / processes + usize::from(number < plan.connections % processes);
            let number = u16::try_from(number).unwrap_or(u16::MAX);
            let address: SocketAddr = if plan.ipv6 && number % 2 == 1 {
                (Ipv6Addr::LOCALHOST, number.saturating_add(10_000)).into()
            } else {
                let [high, low] = number.saturating_add(1).to_be_bytes();
                (Ipv4Addr::new(127, 1, high, low), 9000).into()
            };
            holders.push(Holder::start(namespace, &format!("hold {address} {share}"))?);
        }
        let mut sockets = Vec::with_capacity(2 * plan.connections);
        for holder in &mut holders {
            holder.read_connections(&mut sockets)?;
        }
        Ok(Self { sockets, _holders: holders })
    }

    /// Both sockets of each connection.
    #[must_use]
    pub fn sockets(&self) -> &[Ends] {
        &self.sockets
    }
}

/// A process that opens and closes connections as fast as it can, until it is dropped.
#[derive(Debug)]
pub struct Churn {
    _holder: Holder,
}

impl Churn {
    /// Starts it; `address` is where its listener is, `longest` ends it in any case.
    ///
    /// # Errors
    /// Fails when the process cannot be started or cannot listen.
    pub fn start(
        namespace: &Namespace,
        address: SocketAddr,
        longest: Duration,
    ) -> io::Result<Self> {
        let mut holder =
            Holder::start(namespace, &format!("churn {address} {}", longest.as_secs()))?;
        holder.read_connections(&mut Vec::new())?;
        Ok(Self { _holder: holder })
    }
}

/// A process of the crowd; ends it on drop.
#[derive(Debug)]
struct Holder {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Holder {
    fn start(namespace: &Namespace, task: &str) -> io::Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command
            .args(["--exact", HOLDER, "--nocapture"])
            .env(TASK, task)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = namespace.spawn(&mut command)?;
        let stdin = child.stdin.take();
        Ok(Self { child, stdin })
    }

    /// Reads what it prints until it is ready. A test harness has printed its own lines before.
    fn read_connections(&mut self, sockets: &mut Vec<Ends>) -> io::Result<()> {
        // It stays open: a test harness has something to say when a test runs for a minute, and ends
        // its process when nobody is there to read that.
        let Some(stdout) = self.child.stdout.as_mut() else {
            return Err(failed("a crowd's process", "its output was read before"));
        };
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            if line == READY {
                return Ok(());
            }
            if let Some((client, server)) = line.split_once(' ')
                && let (Ok(local), Ok(peer)) = (client.parse(), server.parse())
            {
                sockets.push(Ends { local, peer });
                sockets.push(Ends { local: peer, peer: local });
            }
        }
        let status = self.child.wait()?;
        Err(failed("a crowd's process ended before it was ready", status))
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

/// Becomes a holder, and never returns, if this process was started as one; else does nothing.
pub fn hold_if_asked() {
    crate::task::perform_if_asked(TASK, perform);
}

fn perform(task: &str) -> io::Result<()> {
    let words: Vec<&str> = task.split(' ').collect();
    let [verb, address, number] = words[..] else {
        return Err(io::Error::other("not VERB ADDRESS NUMBER"));
    };
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    let number: u64 = number.parse().map_err(io::Error::other)?;
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    match verb {
        "hold" => hold(address, number),
        "churn" => churn(address, Duration::from_secs(number)),
        _ => Err(io::Error::other("neither `hold` nor `churn`")),
    }
}

fn hold(address: SocketAddr, connections: u64) -> io::Result<()> {
    let listener = TcpListener::bind(address)?;
    let mut out = BufWriter::new(io::stdout().lock());
    // The test harness has left its line open.
    writeln!(out)?;
    let mut held = Vec::new();
    for _ in 0..connections {
        let (client, server) = connect(&listener, address)?;
        writeln!(out, "{} {}", client.local_addr()?, client.peer_addr()?)?;
        held.push((client, server));
    }
    writeln!(out, "{READY}")?;
    out.flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn churn(address: SocketAddr, longest: Duration) -> io::Result<()> {
    let listener = TcpListener::bind(address)?;
    println!("\n{READY}");
    let (ended, end) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        drop(ended);
    });
    let start = Instant::now();
    // A few dozen are open at any time, so that a dump meets them in every stage.
    let mut open = std::collections::VecDeque::new();
    let mut go = || {
        if let Ok(pair) = connect(&listener, address) {
            open.push_back(pair);
        }
        if open.len() > 40 {
            open.pop_front();
        }
        match end.try_recv() {
            Err(std::sync::mpsc::TryRecvError::Empty) if start.elapsed() < longest => {
                ControlFlow::Continue(())
            }
            _ => ControlFlow::Break(()),
        }
    };
    while go().is_continue() {}
    Ok(())
}

/// Both ends of a new connection, each of which is reset when it closes.
fn connect(listener: &TcpListener, address: SocketAddr) -> io::Result<(TcpStream, TcpStream)> {
    let client = TcpStream::connect(address)?;
    let (server, _) = listener.accept()?;
    set_socket_linger(&client, Some(Duration::ZERO))?;
    set_socket_linger(&server, Some(Duration::ZERO))?;
    Ok((client, server))
}
