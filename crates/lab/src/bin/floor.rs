//! The floor under every socket dump: asks the kernel what `ss -t` of 6.1 asks, and throws the
//! answers away.
//!
//! `floor [i][m][a]`: one IPv4 dump and one IPv6 dump of TCP, with the extensions that `ss -i`
//! (tcp_info, congestion control) and `ss -m` (socket memory) request, or with all that there are. What
//! a tool takes longer is its own doing.

use std::error::Error;
use std::io;
use std::time::Duration;

use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with,
};

/// Connected states, as `ss` asks for without `-a` and `-l`: all but SYN-RECV, TIME-WAIT, CLOSE and
/// LISTEN; a bit for each state.
const CONNECTED: u32 = 0xfff & !(1 << 3 | 1 << 6 | 1 << 7 | 1 << 10);
/// `INET_DIAG_INFO`, `INET_DIAG_VEGASINFO` and `INET_DIAG_CONG`, as bits of `idiag_ext`.
const INFO: u8 = 1 << 1 | 1 << 2 | 1 << 3;
/// `INET_DIAG_MEMINFO` and `INET_DIAG_SKMEMINFO`.
const MEMORY: u8 = 1 << 0 | 1 << 6;

fn main() -> Result<(), Box<dyn Error>> {
    let mut extensions = 0;
    for letter in std::env::args().skip(1).flat_map(String::into_bytes) {
        extensions |= match letter {
            b'i' => INFO,
            b'm' => MEMORY,
            b'a' => u8::MAX,
            _ => return Err("usage: floor [i][m][a]".into()),
        };
    }
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        Some(netlink::SOCK_DIAG),
    )?;
    set_socket_timeout(&socket, Timeout::Recv, Some(Duration::from_secs(10)))?;
    let kernel = SocketAddrNetlink::new(0, 0);
    let mut buffer = vec![0; 32 * 1024];
    let mut bytes = 0;
    for (sequence, family) in [(1, 2), (2, 10)] {
        sendto(&socket, &request(family, extensions, sequence), SendFlags::empty(), &kernel)?;
        loop {
            let (datagram, _) = recv(&socket, &mut buffer[..], RecvFlags::empty())?;
            bytes += datagram;
            if ended(buffer.get(..datagram).unwrap_or_default(), sequence)? {
                break;
            }
        }
    }
    println!("{bytes} bytes");
    Ok(())
}

/// `SOCK_DIAG_BY_FAMILY` with an `inet_diag_req_v2`.
fn request(family: u8, extensions: u8, sequence: u32) -> Vec<u8> {
    const NLM_F_REQUEST_DUMP: u16 = 0x301;
    let mut bytes = Vec::with_capacity(72);
    bytes.extend(72_u32.to_ne_bytes());
    bytes.extend(20_u16.to_ne_bytes());
    bytes.extend(NLM_F_REQUEST_DUMP.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend([family, 6, extensions, 0]);
    bytes.extend(CONNECTED.to_ne_bytes());
    bytes.resize(72, 0);
    bytes
}

/// Whether a datagram is the dump's last. Its DONE is the last message and 20 bytes long, so one look at
/// the end is enough, where a parser would walk all messages.
fn ended(datagram: &[u8], sequence: u32) -> io::Result<bool> {
    let header = |bytes: &[u8]| {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (kind, rest) = rest.split_first_chunk::<2>()?;
        let (_, rest) = rest.split_first_chunk::<2>()?;
        let (number, rest) = rest.split_first_chunk::<4>()?;
        let (_, rest) = rest.split_first_chunk::<4>()?;
        let value = rest.first_chunk::<4>().map_or(0, |value| i32::from_ne_bytes(*value));
        Some((
            u32::from_ne_bytes(*length),
            u16::from_ne_bytes(*kind),
            u32::from_ne_bytes(*number),
            value,
        ))
    };
    if let Some((_, 2, _, errno)) = header(datagram) {
        return Err(io::Error::from_raw_os_error(-errno));
    }
    match datagram.len().checked_sub(20).and_then(|start| header(datagram.get(start..)?)) {
        Some((20, 3, number, errno)) if number == sequence => match errno {
            0 => Ok(true),
            _ => Err(io::Error::from_raw_os_error(-errno)),
        },
        _ => Ok(false),
    }
}
