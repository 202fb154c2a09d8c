//! Sockets of one address in one bucket of the kernel's table, and others that come and go beside them.
//!
//! A dump goes on in a bucket by count, so while sockets enter and leave the bucket it misses some
//! and repeats others.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Protocol, Socket, Type};

use crate::Namespace;

/// Where they all are.
const ADDRESS: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(127, 7, 0, 1)), 7007);
/// How many of those that come and go are open at the same time, each thread's.
const COMING_AND_GOING: usize = 24;
/// A thread rests so long while they are open, and while they are closed: who looks at them gets a turn.
const REST: Duration = Duration::from_micros(100);

/// What the sockets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Listeners.
    Tcp,
    /// Bound, unconnected sockets.
    Udp,
}

/// Sockets that share an address (`SO_REUSEPORT`), with churn beside them, until it is dropped.
#[derive(Debug)]
pub struct Group {
    sockets: Vec<Socket>,
    ended: Arc<AtomicBool>,
    turns: Arc<AtomicU64>,
    churn: Vec<JoinHandle<io::Result<()>>>,
}

impl Group {
    /// Opens the sockets, and then starts `threads` that open and close others at the same address all
    /// the time.
    ///
    /// # Errors
    /// Fails when the sockets cannot be opened: they count as this process's descriptors.
    pub fn start(
        namespace: &Namespace,
        kind: Kind,
        sockets: usize,
        threads: usize,
    ) -> io::Result<Self> {
        let limit = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
        let sockets: io::Result<Vec<Socket>> =
            namespace.run(|| (0..sockets).map(|_| open(kind)).collect())?;
        let mut group = Self {
            sockets: sockets?,
            ended: Arc::default(),
            turns: Arc::default(),
            churn: Vec::new(),
        };
        for _ in 0..threads {
            let (ended, turns) = (Arc::clone(&group.ended), Arc::clone(&group.turns));
            let churn =
                namespace.run(move || thread::spawn(move || churn(kind, &ended, &turns)))?;
            group.churn.push(churn);
        }
        Ok(group)
    }

    /// The sockets that live as long as this does.
    #[must_use]
    pub fn sockets(&self) -> &[Socket] {
        &self.sockets
    }

    /// How many others have been opened and closed so far.
    #[must_use]
    pub fn turns(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        for churn in self.churn.drain(..) {
            let _ = churn.join();
        }
    }
}

fn open(kind: Kind) -> io::Result<Socket> {
    let socket = match kind {
        Kind::Tcp => Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)),
        Kind::Udp => Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)),
    }?;
    socket.set_reuse_port(true)?;
    socket.bind(&ADDRESS.into())?;
    if kind == Kind::Tcp {
        socket.listen(1)?;
    }
    Ok(socket)
}

/// A thread's network namespace is that of the thread that started it.
fn churn(kind: Kind, ended: &AtomicBool, turns: &AtomicU64) -> io::Result<()> {
    let mut open_now = Vec::with_capacity(COMING_AND_GOING);
    while !ended.load(Ordering::Relaxed) {
        open_now.push(open(kind)?);
        if open_now.len() == COMING_AND_GOING {
            turns.fetch_add(open_now.len() as u64, Ordering::Relaxed);
            thread::sleep(REST);
            open_now.clear();
            thread::sleep(REST);
        }
    }
    Ok(())
}
