//! `/proc/net/tcp` and its kin: the last resort, on a kernel without sock_diag.
//!
//! One line a socket, as `tcp4_seq_show`, `tcp6_seq_show` (net/ipv4/tcp_ipv4.c) and their
//! neighbours for UDP print them. They tell little, and each read of the file walks the whole hash.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use sockeye_model::{
    Cookie, Endpoint, Family, Protocol, Socket, Source, State, States, Timer, TimerKind,
};

/// Ticks a second in which /proc counts time (`USER_HZ`).
pub const USER_HZ: u32 = 100;

/// A line: a socket, and what only /proc tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The socket. Its cookie is the kernel's pointer, hashed or zero without rights, and says
    /// nothing to the rest of sockeye.
    pub socket: Socket,
    /// References to the socket.
    pub refcount: i32,
    /// TCP: what stands behind; `None` where the line is short (TIME-WAIT, SYN-RECV).
    pub tcp: Option<TcpTail>,
    /// What is left of the line.
    pub rest: Vec<u8>,
}

/// The end of a line of /proc/net/tcp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpTail {
    /// Retransmission timeout, in 1/[`USER_HZ`] s.
    pub rto: i32,
    /// Timeout of delayed ACKs, in 1/[`USER_HZ`] s.
    pub ato: i32,
    /// `quick << 1 | pingpong` of the ACK state.
    pub qack: i32,
    /// Congestion window, segments.
    pub cwnd: u32,
    /// Slow start threshold, segments; -1 when none.
    pub ssthresh: i32,
}

/// The longest line taken, bytes; the kernel's have some 200. What is longer is no such file.
const LONGEST_LINE: u64 = 4096;

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}: {source}", path.display())]
pub struct Error {
    /// The file.
    pub path: PathBuf,
    /// What the system answered.
    pub source: io::Error,
}

/// What came of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Read {
    /// Sockets handed over.
    pub sockets: u64,
    /// Lines that could not be understood.
    pub malformed: u64,
    /// The first of them, counted from 1.
    pub first_malformed: Option<u64>,
    /// The reader ended it.
    pub stopped: bool,
}

/// Reads /proc/net/tcp or tcp6 and hands over the sockets in `states`.
///
/// # Errors
/// [`Error`], after the lines before it were handed over.
pub fn read_tcp(
    path: &Path,
    family: Family,
    states: States,
    each: impl FnMut(&Line) -> ControlFlow<()>,
) -> Result<Read, Error> {
    read(path, states, |line| parse(line, family, Protocol::TCP), each)
}

/// Reads /proc/net/udp or udp6 and hands over the sockets in `states`.
///
/// # Errors
/// [`Error`], after the lines before it were handed over.
pub fn read_udp(
    path: &Path,
    family: Family,
    states: States,
    each: impl FnMut(&Line) -> ControlFlow<()>,
) -> Result<Read, Error> {
    read(path, states, |line| parse(line, family, Protocol::UDP), each)
}

fn read(
    path: &Path,
    states: States,
    parse: impl Fn(&[u8]) -> Option<Line>,
    mut each: impl FnMut(&Line) -> ControlFlow<()>,
) -> Result<Read, Error> {
    let error = |source| Error { path: path.to_owned(), source };
    let mut file = BufReader::with_capacity(1 << 16, File::open(path).map_err(error)?);
    let (mut result, mut number, mut bytes) = (Read::default(), 0, Vec::new());
    loop {
        bytes.clear();
        let mut line = io::Read::take(&mut file, LONGEST_LINE);
        if line.read_until(b'\n', &mut bytes).map_err(error)? == 0 {
            return Ok(result);
        }
        number += 1;
        if bytes.len() as u64 == LONGEST_LINE {
            let what = format!("line {number} is longer than {LONGEST_LINE} bytes");
            return Err(error(io::Error::new(io::ErrorKind::InvalidData, what)));
        }
        if number == 1 {
            // The names of the columns.
            continue;
        }
        let Some(line) = parse(&bytes) else {
            result.malformed += 1;
            result.first_malformed.get_or_insert(number);
            continue;
        };
        if !states.contains(line.socket.state) {
            continue;
        }
        result.sockets += 1;
        if let ControlFlow::Break(()) = each(&line) {
            result.stopped = true;
            return Ok(result);
        }
    }
}

/// Reads one line, without its header's: `sl: local:port remote:port st tx:rx tr:when retrnsmt uid
/// timeout inode ref pointer …`. `None` for what is no such line.
#[must_use]
pub fn parse(line: &[u8], family: Family, protocol: Protocol) -> Option<Line> {
    let text = std::str::from_utf8(line).ok()?;
    let (_, text) = text.split_once(':')?;
    let mut words = text.split_ascii_whitespace();
    let mut socket = Socket::new(protocol);
    socket.source = Source::ProcNet;
    socket.family = family;
    socket.local = endpoint(words.next()?, family)?;
    socket.peer = endpoint(words.next()?, family)?;
    socket.state = State::from(u8::from_str_radix(words.next()?, 16).ok()?);
    let (wqueue, rqueue) = hex_pair(words.next()?)?;
    (socket.wqueue, socket.rqueue) = (wqueue, rqueue);
    let (timer, expires) = hex_pair(words.next()?)?;
    let retransmits = u32::from_str_radix(words.next()?, 16).ok()?;
    socket.uid = words.next()?.parse().ok()?;
    let probes: u32 = words.next()?.parse().ok()?;
    socket.inode = words.next()?.parse().ok()?;
    let refcount = words.next()?.parse().ok()?;
    socket.cookie = Cookie(u64::from_str_radix(words.next()?, 16).ok()?);
    let tcp = if protocol == Protocol::TCP {
        let kind = TimerKind::from(u8::try_from(timer).unwrap_or(u8::MAX));
        let retransmits = if kind == TimerKind::Retransmit { retransmits } else { probes };
        socket.timer = Timer {
            kind,
            expires_ms: milliseconds(expires),
            retransmits: u8::try_from(retransmits).unwrap_or(u8::MAX),
        };
        tcp_tail(&mut words)
    } else {
        None
    };
    let rest = words.collect::<Vec<_>>().join(" ").into_bytes();
    Some(Line { socket, refcount, tcp, rest })
}

fn tcp_tail<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<TcpTail> {
    Some(TcpTail {
        rto: words.next()?.parse().ok()?,
        ato: words.next()?.parse().ok()?,
        qack: words.next()?.parse().ok()?,
        cwnd: words.next()?.parse().ok()?,
        ssthresh: words.next()?.parse().ok()?,
    })
}

/// Ticks in ms, rounded up.
fn milliseconds(ticks: u32) -> u32 {
    let ms = (u64::from(ticks) * 1000).div_ceil(u64::from(USER_HZ));
    u32::try_from(ms).unwrap_or(u32::MAX)
}

fn hex_pair(word: &str) -> Option<(u32, u32)> {
    let (left, right) = word.split_once(':')?;
    Some((u32::from_str_radix(left, 16).ok()?, u32::from_str_radix(right, 16).ok()?))
}

/// An address is printed as 32-bit words in the machine's order, the port in host order.
fn endpoint(word: &str, family: Family) -> Option<Endpoint> {
    let (hex, port) = word.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |index: usize| {
        let digits = hex.get(index * 8..index * 8 + 8)?;
        u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes)
    };
    let address = match (family, hex.len()) {
        (Family::Inet, 8) => Ipv4Addr::from(word(0)?).into(),
        (Family::Inet6, 32) => {
            let mut octets = [0; 16];
            for (index, to) in octets.chunks_exact_mut(4).enumerate() {
                to.copy_from_slice(&word(index)?);
            }
            Ipv6Addr::from(octets).into()
        }
        _ => return None,
    };
    Some(Endpoint { address, port })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LISTENER: &[u8] = b"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000005 00:00000000 00000000  1000        0 12345 1 00000000deadbeef 100 0 0 10 0\n";
    const TIME_WAIT: &[u8] = b"  12: 0100007F:0016 0200007F:C488 06 00000000:00000000 03:0000176F 00000000     0        0 0 3 0000000000000000\n";
    const UDP6: &[u8] = b" 3300: 00000000000000000000000001000000:0035 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 777 2 0000000000000000 13\n";

    #[test]
    fn a_listener() {
        let line = parse(LISTENER, Family::Inet, Protocol::TCP).unwrap();
        let socket = &line.socket;
        assert_eq!(socket.local.address, Ipv4Addr::LOCALHOST);
        assert_eq!((socket.local.port, socket.state), (8080, State::Listen));
        assert_eq!((socket.rqueue, socket.wqueue), (5, 0));
        assert_eq!((socket.uid, socket.inode, line.refcount), (1000, 12345, 1));
        assert_eq!(socket.cookie, Cookie(0xdead_beef));
        let tail = TcpTail { rto: 100, ato: 0, qack: 0, cwnd: 10, ssthresh: 0 };
        assert_eq!(line.tcp, Some(tail));
        assert_eq!(line.rest, b"");
    }

    #[test]
    fn time_wait_is_a_short_line() {
        let line = parse(TIME_WAIT, Family::Inet, Protocol::TCP).unwrap();
        assert_eq!(line.tcp, None);
        assert_eq!(
            line.socket.timer,
            Timer { kind: TimerKind::TimeWait, expires_ms: 59_990, retransmits: 0 }
        );
    }

    #[test]
    fn udp_over_ipv6() {
        let line = parse(UDP6, Family::Inet6, Protocol::UDP).unwrap();
        assert_eq!(line.socket.local, Endpoint { address: Ipv6Addr::LOCALHOST.into(), port: 53 });
        assert_eq!(line.rest, b"13");
    }

    #[test]
    fn this_hosts_files_are_understood_to_the_last_line() {
        for (path, family) in [("/proc/net/tcp", Family::Inet), ("/proc/net/tcp6", Family::Inet6)] {
            let all = |_: &Line| ControlFlow::Continue(());
            let read = read_tcp(Path::new(path), family, States::ALL, all).unwrap();
            assert_eq!((read.malformed, read.first_malformed), (0, None), "{path}");
        }
    }

    #[test]
    fn a_file_without_lines_is_refused() {
        let all = |_: &Line| ControlFlow::Continue(());
        let zero = Path::new("/dev/zero");
        let error = read_tcp(zero, Family::Inet, States::ALL, all).unwrap_err().to_string();
        assert!(error.contains("/dev/zero") && error.contains("line 1"), "{error}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let path = Path::new("/no/such/tcp");
        let all = |_: &Line| ControlFlow::Continue(());
        let error = read_tcp(path, Family::Inet, States::ALL, all).unwrap_err().to_string();
        assert!(error.contains("/no/such/tcp"), "{error}");
    }

    proptest! {
        #[test]
        fn no_line_panics(mut line: Vec<u8>, cut in 0usize..200) {
            let _ = parse(&line, Family::Inet, Protocol::TCP);
            line.extend_from_slice(&LISTENER[..cut.min(LISTENER.len())]);
            let _ = parse(&line, Family::Inet6, Protocol::TCP);
            let _ = parse(&UDP6[..cut.min(UDP6.len())], Family::Inet6, Protocol::UDP);
        }
    }
}
