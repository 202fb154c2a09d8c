//! One row: a TCP or UDP socket.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;

use sockeye_model::{Endpoint, Owner, Protocol, SockOpt, Socket, Timer, TimerKind};

use crate::address::ipv4_colon;
use crate::columns::Columns;
use crate::layout::Column;
use crate::number;
use crate::resolve::Names;
use crate::states;
use crate::tcp::{self, Scratch, Style};
use crate::users::Users;
use crate::version::Version;

/// What is shown of a socket besides its addresses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown {
    /// `-e`
    pub(crate) details: bool,
    /// `-m`
    pub(crate) memory: bool,
    /// `-i`
    pub(crate) tcp_info: bool,
    /// `--tos`
    pub(crate) tos: bool,
    /// `--cgroup`
    pub(crate) cgroup: bool,
    /// `--inet-sockopt`
    pub(crate) sockopt: bool,
    /// `-O`
    pub(crate) oneline: bool,
    /// `-o` and `-e` are [`Style::options`].
    pub(crate) style: Style,
}

/// Prints rows.
#[derive(Debug)]
pub(crate) struct Rows<W> {
    pub(crate) columns: Columns<W>,
    pub(crate) names: Names,
    pub(crate) shown: Shown,
    /// `-p`, `-T`, `-Z`, `-z`
    pub(crate) users: Users,
    /// For `-i`
    pub(crate) scratch: Scratch,
    /// The namespace's name as it is shown; `None` where no column shows it.
    pub(crate) netns: Option<Vec<u8>>,
}

impl<W: Write> Rows<W> {
    /// Prints a socket that netlink told of.
    pub(crate) fn socket(&mut self, socket: &Socket, owners: Option<&[Owner]>) -> io::Result<()> {
        let v6only = socket.family == sockeye_model::Family::Inet6 && socket.v6only == Some(true);
        self.head(socket, v6only, owners)?;
        let Rows { columns, names, shown, scratch, .. } = self;
        let Some(out) = columns.enter(Column::Details)? else { return Ok(()) };
        if shown.style.options {
            timer(out, &socket.timer, shown.style.version);
        }
        if shown.details {
            details(out, socket, names);
        }
        if shown.tos {
            for (name, value) in [
                (" tos:", socket.tos.map(u32::from)),
                (" tclass:", socket.tclass.map(u32::from)),
                (" class_id:", socket.class_id),
            ] {
                if let Some(value) = value {
                    out.extend_from_slice(name.as_bytes());
                    number::prefixed_hex(out, value);
                }
            }
        }
        if shown.cgroup
            && let Some(id) = socket.cgroup_id
        {
            out.extend_from_slice(b" cgroup:");
            names.cgroup(out, id);
        }
        let line: &[u8] = if shown.oneline { b"" } else { b"\n\t" };
        if shown.sockopt
            && let Some(sockopt) = socket.sockopt
        {
            out.extend_from_slice(if shown.oneline { b" " } else { line });
            socket_options(out, sockopt);
        }
        if shown.memory || (shown.tcp_info && socket.protocol != Protocol::UDP) {
            out.extend_from_slice(line);
            tcp::describe(out, scratch, socket, shown.style, names);
        }
        Ok(())
    }

    /// Prints the columns that every row has.
    pub(crate) fn head(
        &mut self,
        socket: &Socket,
        v6only: bool,
        owners: Option<&[Owner]>,
    ) -> io::Result<()> {
        let Rows { columns, names, users, netns, .. } = self;
        if let Some(netns) = netns
            && let Some(out) = columns.enter(Column::Netns)?
        {
            out.extend_from_slice(netns);
        }
        if let Some(out) = columns.enter(Column::Netid)? {
            out.extend_from_slice(netid(socket.protocol).as_bytes());
        }
        let (label, len) = states::label(socket.state);
        columns.short_cell(Column::State, label, len)?;
        if let Some(out) = columns.enter(Column::RecvQ)? {
            queue(out, socket.rqueue);
        }
        if let Some(out) = columns.enter(Column::SendQ)? {
            queue(out, socket.wqueue);
        }
        let local = (&socket.local, socket.interface);
        address(columns, Column::LocalAddress, local, v6only, names)?;
        if let Some(out) = columns.enter(Column::LocalPort)? {
            names.port(out, socket.local.port, socket.protocol);
        }
        address(columns, Column::PeerAddress, (&socket.peer, None), v6only, names)?;
        if let Some(out) = columns.enter(Column::PeerPort)? {
            names.port(out, socket.peer.port, socket.protocol);
        }
        if let Some(owners) = owners
            && let Some(out) = columns.enter(Column::Process)?
        {
            users.write(out, owners);
        }
        columns.enter(Column::Details)?;
        Ok(())
    }
}

const fn netid(protocol: Protocol) -> &'static str {
    match protocol.0 {
        0 => "raw",
        6 => "tcp",
        17 => "udp",
        33 => "dccp",
        58 => "icmp6",
        132 => "sctp",
        262 => "mptcp",
        _ => "???",
    }
}

/// `%-6d`.
#[inline]
fn queue(out: &mut Vec<u8>, bytes: u32) {
    // As most queues are.
    if bytes == 0 {
        return out.extend_from_slice(b"0     ");
    }
    let start = out.len();
    number::signed(out, bytes.cast_signed());
    if out.len() < start + 6 {
        out.resize(start + 6, b' ');
    }
}

/// An address, its interface and the colon before the port.
#[inline]
fn address<W: Write>(
    columns: &mut Columns<W>,
    column: Column,
    (endpoint, interface): (&Endpoint, Option<NonZeroU32>),
    v6only: bool,
    names: &mut Names,
) -> io::Result<()> {
    if let (IpAddr::V4(address), None) = (endpoint.address, interface)
        && names.shows_addresses()
    {
        let (text, len) = ipv4_colon(address);
        return columns.short_cell(column, text, len);
    }
    let Some(out) = columns.enter(column)? else { return Ok(()) };
    match endpoint.address {
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) if !v6only => out.push(b'*'),
        address => {
            let start = out.len();
            if names.host(out, address) && address.is_ipv6() {
                out.insert(start, b'[');
                out.push(b']');
            }
        }
    }
    if let Some(index) = interface {
        out.push(b'%');
        names.interface(out, index.get());
    }
    out.push(b':');
    Ok(())
}

/// ` timer:(NAME,TIME,RETRANSMITS)`, unless none runs.
pub(crate) fn timer(out: &mut Vec<u8>, timer: &Timer, version: Version) {
    let name = match timer.kind {
        TimerKind::Off => return,
        TimerKind::Retransmit => "on",
        TimerKind::Keepalive => "keepalive",
        TimerKind::TimeWait => "timewait",
        TimerKind::Probe0 => "persist",
        TimerKind::DelayedAck if version >= Version::V7_1 => "delack",
        TimerKind::DelayedAck | TimerKind::Unknown(_) => "unknown",
    };
    out.extend_from_slice(b" timer:(");
    out.extend_from_slice(name.as_bytes());
    out.push(b',');
    time_left(out, timer.expires_ms, version);
    out.push(b',');
    number::unsigned(out, timer.retransmits);
    out.push(b')');
}

/// A time that grows coarser as it grows: no fraction from 10 s, no seconds from 10 min, nothing
/// at all for 0.
fn time_left(out: &mut Vec<u8>, ms: u32, version: Version) {
    let (mut fraction, mut seconds, minutes) = (ms % 1000, ms / 1000 % 60, ms / 60_000);
    if minutes > 0 {
        fraction = 0;
        number::unsigned(out, minutes);
        out.extend_from_slice(b"min");
        if minutes > 9 {
            seconds = 0;
        }
    }
    // 6.1 takes `1.234` for milliseconds.
    let mut unit = "ms";
    if seconds > 0 {
        if seconds > 9 {
            fraction = 0;
        }
        number::unsigned(out, seconds);
        out.extend_from_slice(if fraction > 0 { b"." } else { b"sec" });
        if version >= Version::V7_1 {
            unit = "sec";
        }
    }
    if fraction > 0 {
        let [hundreds, tens, ones] = [fraction / 100, fraction / 10 % 10, fraction % 10];
        // Each less than 10, which fits.
        out.extend([hundreds, tens, ones].map(|digit| b'0' + digit as u8));
        out.extend_from_slice(unit.as_bytes());
    }
}

/// What `-e` tells of every socket, by netlink.
fn details(out: &mut Vec<u8>, socket: &Socket, names: &mut Names) {
    identity(out, socket);
    if let Some(mark) = socket.mark.filter(|mark| *mark != 0) {
        out.extend_from_slice(b" fwmark:0x");
        number::hex(out, mark, 1);
    }
    if let Some(id) = socket.cgroup_id.filter(|id| id.0 != 0) {
        out.extend_from_slice(b" cgroup:");
        names.cgroup(out, id);
    }
    if socket.family == sockeye_model::Family::Inet6
        && let Some(v6only) = socket.v6only
    {
        out.extend_from_slice(b" v6only:");
        number::unsigned(out, v6only);
    }
    if let Some(shutdown) = socket.shutdown {
        out.push(b' ');
        out.push(if shutdown.receive() { b'-' } else { b'<' });
        out.push(b'-');
        out.push(if shutdown.send() { b'-' } else { b'>' });
    }
}

/// Owner, inode and cookie; root is not mentioned.
pub(crate) fn identity(out: &mut Vec<u8>, socket: &Socket) {
    if socket.uid != 0 {
        out.extend_from_slice(b" uid:");
        number::unsigned(out, socket.uid);
    }
    out.extend_from_slice(b" ino:");
    number::unsigned(out, socket.inode);
    out.extend_from_slice(b" sk:");
    number::hex(out, socket.cookie.0, 1);
}

fn socket_options(out: &mut Vec<u8>, sockopt: SockOpt) {
    out.extend_from_slice(b"inet-sockopt: (");
    for name in sockopt.set() {
        out.push(b' ');
        let name = if name == "bind_address_no_port" { "bind_addr_no_port" } else { name };
        out.extend_from_slice(name.as_bytes());
    }
    out.push(b')');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn timers_grow_coarser() {
        for (ms, old, new) in [
            (0, "", ""),
            (59, "059ms", "059ms"),
            (1000, "1sec", "1sec"),
            (1234, "1.234ms", "1.234sec"),
            (9999, "9.999ms", "9.999sec"),
            (10_500, "10sec", "10sec"),
            (60_000, "1min", "1min"),
            (61_234, "1min1sec", "1min1sec"),
            (599_999, "9min59sec", "9min59sec"),
            (660_123, "11min", "11min"),
        ] {
            assert_eq!(text(|out| time_left(out, ms, Version::V6_1)), old);
            assert_eq!(text(|out| time_left(out, ms, Version::V7_1)), new);
        }
    }

    #[test]
    fn a_delayed_ack_has_a_name_in_the_newer_version() {
        let running = Timer { kind: TimerKind::DelayedAck, expires_ms: 40, retransmits: 1 };
        assert_eq!(text(|out| timer(out, &running, Version::V6_1)), " timer:(unknown,040ms,1)");
        assert_eq!(text(|out| timer(out, &running, Version::V7_1)), " timer:(delack,040ms,1)");
    }

    #[test]
    fn queues_are_signed_and_at_least_six_wide() {
        assert_eq!(text(|out| queue(out, 0)), "0     ");
        assert_eq!(text(|out| queue(out, 12)), "12    ");
        assert_eq!(text(|out| queue(out, 1_234_567)), "1234567");
        assert_eq!(text(|out| queue(out, u32::MAX)), "-1    ");
    }
}
