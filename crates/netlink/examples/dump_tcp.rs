//! Lists the TCP sockets of this network namespace: state, ports and inode.

use std::io::{self, Write};
use std::ops::ControlFlow;

use sockeye_netlink::{Client, DumpOptions, Message, Protocol, Request, Visit};

/// `SOCK_DIAG_BY_FAMILY` of `linux/sock_diag.h`.
const SOCK_DIAG_BY_FAMILY: u16 = 20;

/// Prints each socket as it comes; keeps what is needed to say so when it has to begin again.
struct Print<W>(W);

impl<W: Write> Visit for Print<W> {
    fn message(&mut self, message: &Message<'_>) -> ControlFlow<()> {
        // struct inet_diag_msg: family, state, …, ports from byte 4, inode at byte 68
        let Ok(socket) = message.body::<[u8; 72]>() else { return ControlFlow::Continue(()) };
        let [_, state, _, _, s0, s1, d0, d1, .., i0, i1, i2, i3] = socket;
        let (sport, dport) = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
        let inode = u32::from_ne_bytes([i0, i1, i2, i3]);
        match writeln!(self.0, "state {state:2}  {sport:5} -> {dport:5}  inode {inode}") {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }

    fn restart(&mut self) {
        let _ = writeln!(self.0, "-- once more, from the beginning:");
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut client = Client::open(Protocol::SOCK_DIAG)?;
    let mut print = Print(io::stdout().lock());
    for family in [libc::AF_INET, libc::AF_INET6] {
        // struct inet_diag_req_v2: family, protocol, extensions, padding, a mask of all states
        let mut body = [0; 56];
        body[..2].copy_from_slice(&[family as u8, libc::IPPROTO_TCP as u8]);
        body[4..8].copy_from_slice(&u32::MAX.to_ne_bytes());
        let request = Request::new(SOCK_DIAG_BY_FAMILY).body(&body);
        let outcome = client.dump(&request, DumpOptions::default(), &mut print)?;
        writeln!(print.0, "{} sockets of family {family}", outcome.messages)?;
    }
    Ok(())
}
