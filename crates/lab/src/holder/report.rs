//! What a holder says of itself: a line for each socket and for each descriptor.

use std::fmt::Write as _;
use std::io::{self, BufRead, Write};
use std::net::SocketAddr;

/// The line after the last of a report.
const READY: &str = "sockeye-lab: ready";

/// A descriptor of a thread that is a socket.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Holding {
    /// The process, as `/proc` numbers it.
    pub pid: u32,
    /// The thread; the process's first one has the number of the process.
    pub tid: u32,
    /// The descriptor.
    pub fd: u32,
    /// The socket.
    pub inode: u32,
    /// The thread's name.
    pub name: Vec<u8>,
}

/// A socket that was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Opened {
    /// Its inode number.
    pub inode: u32,
    /// A TCP socket; else a UDP socket.
    pub tcp: bool,
    /// The address to which it is bound.
    pub address: SocketAddr,
    /// The address to which it is connected.
    pub peer: Option<SocketAddr>,
}

/// What was reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Of each process the threads in the order in which they were started, of each thread the
    /// descriptors from the lowest up.
    pub holdings: Vec<Holding>,
    /// The sockets.
    pub opened: Vec<Opened>,
}

impl Report {
    /// Takes a line, if it is one of a report.
    pub(super) fn take(&mut self, line: &str) {
        let words: Vec<&str> = line.trim_end().split(' ').collect();
        let number = |text: &str| text.parse::<u32>().ok();
        match words[..] {
            ["holds", pid, tid, fd, inode, name] => {
                if let (Some(pid), Some(tid), Some(fd), Some(inode), Some(name)) =
                    (number(pid), number(tid), number(fd), number(inode), from_hex(name))
                {
                    self.holdings.push(Holding { pid, tid, fd, inode, name });
                }
            }
            ["socket", inode, protocol, address, peer] => {
                if let (Some(inode), Ok(address)) = (number(inode), address.parse()) {
                    let (tcp, peer) = (protocol == "tcp", peer.parse().ok());
                    self.opened.push(Opened { inode, tcp, address, peer });
                }
            }
            _ => {}
        }
    }

    /// Adds another process's.
    pub fn extend(&mut self, other: Report) {
        self.holdings.extend(other.holdings);
        self.opened.extend(other.opened);
    }
    /// Reads a report; `None` when it is not whole. A test harness has printed its own lines before.
    pub(super) fn until_ready(stdout: impl BufRead) -> io::Result<Option<Report>> {
        let mut report = Report::default();
        for line in stdout.lines() {
            let line = line?;
            if line == READY {
                return Ok(Some(report));
            }
            report.take(&line);
        }
        Ok(None)
    }

    /// Prints it to standard output.
    pub(super) fn print(&self) -> io::Result<()> {
        // The test harness has left its line open.
        let mut text = String::from("\n");
        for Opened { inode, tcp, address, peer } in &self.opened {
            let protocol = if *tcp { "tcp" } else { "udp" };
            let peer = peer.map_or("-".to_owned(), |peer| peer.to_string());
            let _ = writeln!(text, "socket {inode} {protocol} {address} {peer}");
        }
        for Holding { pid, tid, fd, inode, name } in &self.holdings {
            let _ = writeln!(text, "holds {pid} {tid} {fd} {inode} {}", to_hex(name));
        }
        let _ = writeln!(text, "{READY}");
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

/// A word for any bytes, also for none.
pub(super) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold("x".to_owned(), |mut word, byte| {
        let _ = write!(word, "{byte:02x}");
        word
    })
}

pub(super) fn from_hex(word: &str) -> Option<Vec<u8>> {
    let digits = word.strip_prefix('x')?.as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.chunks(2).map(byte).collect()
}
