//! `--json`: one object a line, with everything that is known of a socket.
//!
//! The fields and their rules are those of `sockeye-json`; `sockeye schema socket` prints them. What
//! is known here beside the kernel's answer is added: names of interfaces, paths of control groups.
//! Not so to a recording, which may be another host's. Ports and addresses stay numbers. Nothing
//! depends on the terminal, since nothing in the lines can be obeyed by one.
//!
//! Lines are held and written in blocks. What is held can be taken back.

use std::collections::HashMap;
use std::io::{self, Write};

use sockeye_diag::procnet::{Line, TcpTail, USER_HZ};
use sockeye_json::Object;
use sockeye_model::{Context, Field, Owner, Protocol, SkMemInfo, Socket, State, Table, TcpInfo};
use sockeye_netns::Place;

use crate::interfaces::Interfaces;
use crate::print::{Flush, Print};
use crate::resolve::cgroup_paths;

/// When the lines held are written, bytes.
const BLOCK: usize = 1 << 16;
/// Room for the line with which a block is full, bytes.
const LINE: usize = 1 << 13;
/// `TCP_INFINITE_SSTHRESH` (include/net/tcp.h), as `tcpi_snd_ssthresh` has it.
const NO_SSTHRESH: u32 = 0x7fff_ffff;

/// Prints lines of JSON.
#[derive(Debug)]
pub(crate) struct Lines<W> {
    out: W,
    block: Vec<u8>,
    blocks_written: u64,
    /// TCP sockets come from a recording.
    tcp_recorded: bool,
    interfaces: Interfaces,
    cgroups: Option<HashMap<u64, Vec<u8>>>,
    /// Name and inode number of the namespace, where one was asked for.
    netns: Option<(Vec<u8>, u64)>,
}

impl<W: Write> Lines<W> {
    pub(crate) fn new(out: W, tcp_recorded: bool) -> Self {
        Lines {
            out,
            block: Vec::with_capacity(BLOCK + LINE),
            blocks_written: 0,
            tcp_recorded,
            interfaces: Interfaces::default(),
            cgroups: None,
            netns: None,
        }
    }

    /// Writes what is held.
    ///
    /// # Errors
    /// The output cannot be written.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        Flush::flush(&mut self)
    }

    fn write_block(&mut self) -> io::Result<()> {
        let written = self.out.write_all(&self.block);
        self.block.clear();
        self.blocks_written += 1;
        written
    }

    /// Appends a line: the socket, what is known beside it, and `more`.
    #[inline]
    fn object(
        &mut self,
        socket: &Socket,
        owners: Option<&[Owner]>,
        more: impl FnOnce(&mut Object<'_>),
    ) -> io::Result<()> {
        let here = !self.tcp_recorded || socket.protocol == Protocol::UDP;
        let Lines { block, interfaces, cgroups, netns, .. } = self;
        let netns = netns.as_ref().filter(|_| here);
        let interface = socket.interface.filter(|_| here);
        let context = Context {
            interface: interface.and_then(|index| interfaces.found(index.get())),
            cgroup: socket.cgroup_id.filter(|_| here).and_then(|id| {
                let paths = cgroups.get_or_insert_with(|| cgroup_paths().unwrap_or_default());
                paths.get(&id.0).map(Vec::as_slice)
            }),
            owners: owners.filter(|_| here),
            netns: netns.map(|(name, _)| name.as_slice()),
            netns_inode: netns.map(|(_, inode)| *inode),
        };
        let mut object = Object::open(block);
        object.part(socket).part(&context);
        more(&mut object);
        object.close();
        block.push(b'\n');
        if block.len() >= BLOCK { self.write_block() } else { Ok(()) }
    }
}

impl<W: Write> Flush for Lines<W> {
    fn flush(&mut self) -> io::Result<()> {
        self.write_block()?;
        self.out.flush()
    }
}

impl<W: Write> Print for Lines<W> {
    /// Blocks written, and the length of the one that is held.
    type Mark = (u64, usize);

    fn enter(&mut self, place: &Place) {
        self.interfaces = Interfaces::of(place.clone());
        let known = place.name().zip(place.id());
        self.netns = known.map(|(name, id)| (name.into_owned(), id.inode));
    }

    #[inline]
    fn socket(&mut self, socket: &Socket, owners: Option<&[Owner]>) -> io::Result<()> {
        self.object(socket, owners, |_| {})
    }

    fn line(&mut self, line: &Line, owners: Option<&[Owner]>) -> io::Result<()> {
        // Of a listener, the numbers at the end mean something else.
        let tail = line.tcp.filter(|_| line.socket.state != State::Listen);
        self.object(&line.socket, owners, |object| {
            for (name, value) in tail.iter().flat_map(numbers) {
                if let (Some(field), Ok(value)) = (tcp_field(name), u64::try_from(value)) {
                    object.number(field, value);
                }
            }
            if let (Some(field), Some(drops)) = (drops_field(), udp_drops(line)) {
                object.number(field, drops);
            }
        })
    }

    fn mark(&mut self) -> (u64, usize) {
        (self.blocks_written, self.block.len())
    }

    fn set_back(&mut self, (blocks_written, len): &(u64, usize)) -> bool {
        let held = self.blocks_written == *blocks_written;
        if held {
            self.block.truncate(*len);
        }
        held
    }
}

/// What the end of a line of /proc/net/tcp tells, by the names and in the units of `tcp_info`.
fn numbers(tail: &TcpTail) -> [(&'static str, i64); 4] {
    let microseconds = |ticks| i64::from(ticks) * (1_000_000 / i64::from(USER_HZ));
    let ssthresh = match tail.ssthresh {
        -1 => i64::from(NO_SSTHRESH),
        ssthresh => ssthresh.into(),
    };
    [
        ("rto_us", microseconds(tail.rto)),
        ("ato_us", microseconds(tail.ato)),
        ("snd_cwnd", tail.cwnd.into()),
        ("snd_ssthresh", ssthresh),
    ]
}

/// The column behind the pointer in /proc/net/udp (`udp4_format_sock`, net/ipv4/udp.c).
fn udp_drops(line: &Line) -> Option<u64> {
    let rest = Some(&line.rest).filter(|_| line.socket.protocol == Protocol::UDP)?;
    std::str::from_utf8(rest).ok()?.split(' ').next()?.parse().ok()
}

fn drops_field() -> Option<&'static Field> {
    SkMemInfo::FIELDS.iter().find(|field| field.name == "skmem_drops")
}

fn tcp_field(name: &str) -> Option<&'static Field> {
    TcpInfo::FIELDS.iter().find(|field| field.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(port: u16) -> Socket {
        let mut socket = Socket::new(Protocol::TCP);
        socket.local.port = port;
        socket
    }

    /// Ports of the lines written.
    fn ports(out: &[u8]) -> Vec<u16> {
        let text = std::str::from_utf8(out).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.map(|line: serde_json::Value| line["local_port"].as_u64().unwrap() as u16).collect()
    }

    #[test]
    fn lines_are_taken_back_until_they_are_written() {
        let mut out = Vec::new();
        let mut lines = Lines::new(&mut out, false);
        lines.socket(&socket(1), None).unwrap();
        let mark = lines.mark();
        lines.socket(&socket(2), None).unwrap();
        assert!(lines.set_back(&mark));
        lines.socket(&socket(3), None).unwrap();
        let mark = lines.mark();
        while lines.blocks_written == 0 {
            lines.socket(&socket(4), None).unwrap();
        }
        lines.socket(&socket(5), None).unwrap();
        assert!(!lines.set_back(&mark));
        lines.finish().unwrap();
        let mut ports = ports(&out);
        ports.dedup();
        assert_eq!(ports, [1, 3, 4, 5]);
    }

    #[test]
    fn every_number_of_proc_has_a_field() {
        let tail = TcpTail { rto: 20, ato: 4, qack: 0, cwnd: 10, ssthresh: -1 };
        let named = numbers(&tail);
        assert!(named.iter().all(|(name, _)| tcp_field(name).is_some()));
        assert_eq!(named.map(|(_, value)| value), [200_000, 40_000, 10, 0x7fff_ffff]);
        assert!(drops_field().is_some());
    }
}
