//! Rows made from /proc/net/tcp, udp and their IPv6 kin, where the kernel has no sock_diag.
//!
//! `ss` prints less of them, and in other places: no line break before TCP's numbers, nothing of
//! memory, the retransmission timeout in seconds.

use std::io::{self, Write};

use sockeye_diag::procnet::{Line, TcpTail, USER_HZ};
use sockeye_model::{Owner, Protocol};

use crate::inet::{Rows, identity, timer};
use crate::layout::Column;
use crate::line;
use crate::number;
use crate::tcp;

impl<W: Write> Rows<W> {
    /// Prints a line of /proc.
    pub(crate) fn line(&mut self, line: &Line, owners: Option<&[Owner]>) -> io::Result<()> {
        let socket = &line.socket;
        self.head(socket, false, owners)?;
        // Of a UDP socket, nothing more is printed.
        if socket.protocol != Protocol::TCP {
            return Ok(());
        }
        let Rows { columns, shown, .. } = self;
        let Some(out) = columns.enter(Column::Details)? else { return Ok(()) };
        if shown.style.options {
            timer(out, &socket.timer, shown.style.version);
        }
        if shown.details {
            identity(out, socket);
            if !line.rest.is_empty() {
                out.extend_from_slice(b" opt:\"");
                shown.style.escape.write(out, &line.rest);
                out.push(b'"');
            }
        }
        if shown.tcp_info {
            numbers(out, line);
        }
        Ok(())
    }
}

/// Ticks, printed in seconds.
fn seconds(out: &mut Vec<u8>, name: &str, ticks: i32) {
    if ticks != 0 {
        out.extend_from_slice(name.as_bytes());
        if ticks < 0 {
            out.push(b'-');
        }
        number::general(out, f64::from(ticks.unsigned_abs()) / f64::from(USER_HZ), 6);
    }
}

fn numbers(out: &mut Vec<u8>, line: &Line) {
    // What `ss` takes for a line that ends early.
    let short = TcpTail { rto: 0, ato: 0, qack: 0, cwnd: 2, ssthresh: -1 };
    let tail = line.tcp.unwrap_or(short);
    // 3 s was the kernel's first timeout.
    if tail.rto != 3 * USER_HZ.cast_signed() {
        seconds(out, " rto:", tail.rto);
    }
    seconds(out, " ato:", tail.ato);
    let quick = tail.qack / 2;
    if quick != 0 {
        out.extend_from_slice(b" qack:");
        number::signed(out, quick);
    }
    if quick & 1 != 0 {
        out.extend_from_slice(b" bidir");
    }
    if tail.cwnd != 0 {
        out.extend_from_slice(b" cwnd:");
        number::unsigned(out, tail.cwnd);
    }
    if tail.ssthresh != 0 && tail.ssthresh != -1 {
        out.extend_from_slice(b" ssthresh:");
        number::signed(out, tail.ssthresh);
    }
    let mut bytes = [0; line::Room::LEN];
    let mut words = line::Line::new(out, &mut bytes);
    tcp::retransmitted(&mut words, u32::from(line.socket.timer.retransmits), 0);
    // Not told there, and 0 is not the kernel's default.
    tcp::reordering(&mut words, 0);
    words.finish();
}
