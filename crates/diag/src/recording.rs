//! Recorded answers: what `TCPDIAG_FILE` names and `-D` writes.
//!
//! A recording is netlink messages one after the other, each padded to 4 bytes, as the kernel sent
//! them. As in iproute2's `ss`, the first DONE ends it. Nothing is taken on trust: a file that is
//! no recording is refused with the offset at which that showed.

use std::io::{self, Read};
use std::ops::ControlFlow;

use sockeye_model::{Protocol, Socket};
use sockeye_netlink::{FormatError, Messages};

use crate::inet::{self, DecodeError};
use crate::request::{SOCK_DIAG_BY_FAMILY, TCPDIAG_GETSOCK};
use crate::{Report, Sockets};

/// Size of struct nlmsghdr.
const HEADER_LEN: usize = 16;
/// The longest message taken, bytes. A socket takes less than 1 KiB, and the kernel's datagrams
/// end at 32 KiB.
const LONGEST: usize = 1 << 20;
/// `NLMSG_ERROR`, `NLMSG_DONE`, `NLMSG_NOOP`.
const NOOP: u16 = 1;
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// `DCCPDIAG_GETSOCK`, which `ss` of old wrote as well.
const DCCPDIAG_GETSOCK: u16 = 19;

/// Why a recording cannot be read on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// The file cannot be read.
    #[error("reading at offset {offset}: {source}")]
    Read {
        /// Offset in the file, bytes.
        offset: u64,
        /// What the system answered.
        source: io::Error,
    },
    /// The file ends within a message, or without DONE.
    #[error(
        "the file ends at offset {end}, {missing} bytes short of the message at offset {offset}"
    )]
    End {
        /// Where the message begins.
        offset: u64,
        /// Where the file ends.
        end: u64,
        /// How many bytes more the message, or a header, would have had.
        missing: usize,
    },
    /// A message's length cannot be.
    #[error("no netlink message at offset {offset}: its length would be {length} bytes")]
    Length {
        /// Offset in the file, bytes.
        offset: u64,
        /// The length found.
        length: u32,
    },
    /// A message is of another type than answers have.
    #[error("message type {kind} at offset {offset}: neither a socket (18 to 20) nor DONE (3)")]
    Kind {
        /// Offset in the file, bytes.
        offset: u64,
        /// The type found.
        kind: u16,
    },
    /// The kernel's answer was an error.
    #[error("at offset {offset} the kernel answered: {error}")]
    Kernel {
        /// Offset in the file, bytes.
        offset: u64,
        /// What it answered.
        error: io::Error,
    },
    /// A message is no socket.
    #[error("the message at offset {offset} is no socket: {source}")]
    Socket {
        /// Offset in the file, bytes.
        offset: u64,
        /// What is wrong with it.
        source: DecodeError,
    },
}

/// Reads a recording up to its first DONE and hands over its sockets, as TCP sockets. States and
/// duplicates are left as they are.
///
/// # Errors
/// [`RecordingError`], after the sockets before it were handed over.
pub fn read(mut file: impl Read, sockets: &mut impl Sockets) -> Result<Report, RecordingError> {
    let mut report = Report::default();
    let mut socket = Socket::new(Protocol::TCP);
    let mut bytes = Vec::new();
    let mut offset = 0;
    loop {
        bytes.resize(HEADER_LEN, 0);
        fill(&mut file, &mut bytes, 0, offset)?;
        let length = length_of(&bytes)
            .filter(|l| (HEADER_LEN..=LONGEST).contains(l))
            .ok_or(RecordingError::Length { offset, length: first_u32(&bytes) })?;
        bytes.resize(length.next_multiple_of(4), 0);
        fill(&mut file, &mut bytes, HEADER_LEN, offset)?;
        // One message by construction: the length was read from it.
        for message in Messages::new(bytes.get(..length).unwrap_or_default()) {
            let of_socket = |source| RecordingError::Socket { offset, source };
            let message = message.map_err(|e: FormatError| of_socket(DecodeError::Format(e)))?;
            match message.kind() {
                DONE => return Ok(report),
                NOOP => continue,
                ERROR => return Err(kernel_error(offset, message.payload())),
                TCPDIAG_GETSOCK | DCCPDIAG_GETSOCK | SOCK_DIAG_BY_FAMILY => {}
                kind => return Err(RecordingError::Kind { offset, kind }),
            }
            socket.protocol = Protocol::TCP;
            if let Some(trouble) = inet::decode(&message, None, &mut socket).map_err(of_socket)? {
                report.malformed(&format_args!("message at offset {offset}: {trouble}"));
            }
            report.sockets += 1;
            if let ControlFlow::Break(()) = sockets.socket(&socket) {
                report.stopped = true;
                return Ok(report);
            }
        }
        offset += bytes.len() as u64;
    }
}

/// Fills `bytes` from index `from` on; `offset` is where the message begins.
fn fill(
    file: &mut impl Read,
    bytes: &mut [u8],
    mut from: usize,
    offset: u64,
) -> Result<(), RecordingError> {
    while let Some(rest) = bytes.get_mut(from..).filter(|rest| !rest.is_empty()) {
        let at = offset + from as u64;
        match file.read(rest) {
            Ok(0) => {
                return Err(RecordingError::End { offset, end: at, missing: rest.len() });
            }
            Ok(read) => from += read,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(RecordingError::Read { offset: at, source }),
        }
    }
    Ok(())
}

fn first_u32(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |word| u32::from_ne_bytes(*word))
}

fn length_of(header: &[u8]) -> Option<usize> {
    usize::try_from(first_u32(header)).ok()
}

/// struct nlmsgerr begins with a negative errno.
fn kernel_error(offset: u64, payload: &[u8]) -> RecordingError {
    let errno = payload.first_chunk().map_or(0, |word| i32::from_ne_bytes(*word));
    let error = io::Error::from_raw_os_error(errno.checked_neg().unwrap_or(0));
    RecordingError::Kernel { offset, error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sockeye_netlink::Request;

    #[derive(Default)]
    struct Inodes(Vec<u32>);

    impl Sockets for Inodes {
        fn socket(&mut self, socket: &Socket) -> ControlFlow<()> {
            self.0.push(socket.inode);
            if socket.inode == 99 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
        fn restart(&mut self) {}
    }

    fn socket(inode: u8) -> Vec<u8> {
        let mut body = [0; 72];
        body[0] = 2;
        body[68] = inode;
        Request::new(20).body(&body).attr_u8(8, 1).to_bytes(0, 0).unwrap()
    }

    fn done() -> Vec<u8> {
        Request::new(DONE).body(&0u32).to_bytes(0, 0).unwrap()
    }

    fn read_all(parts: &[Vec<u8>]) -> (Vec<u32>, Result<Report, RecordingError>) {
        let mut inodes = Inodes::default();
        let result = read(parts.concat().as_slice(), &mut inodes);
        (inodes.0, result)
    }

    #[test]
    fn the_first_done_ends_it() {
        let (inodes, report) = read_all(&[socket(1), socket(2), done(), socket(3)]);
        assert_eq!(inodes, [1, 2]);
        assert_eq!(report.unwrap().sockets, 2);
    }

    #[test]
    fn a_reader_that_has_enough_is_obeyed() {
        let (inodes, report) = read_all(&[socket(99), socket(2), done()]);
        assert_eq!(inodes, [99]);
        assert!(report.unwrap().stopped);
    }

    #[test]
    fn a_file_without_done_is_incomplete() {
        let (inodes, report) = read_all(&[socket(1)]);
        assert_eq!(inodes, [1], "what is there is shown");
        let end = socket(1).len() as u64;
        assert!(
            matches!(report, Err(RecordingError::End { offset, end: e, missing: 16 }) if offset == end && e == end)
        );
    }

    #[test]
    fn a_cut_message_is_named() {
        let mut cut = socket(1);
        cut.truncate(50);
        let (_, report) = read_all(&[cut]);
        let error = report.unwrap_err().to_string();
        assert!(error.contains("ends at offset 50, 46 bytes short"), "{error}");
    }

    #[test]
    fn garbage_names_the_offset() {
        let (_, report) = read_all(&[socket(1), vec![0xff; 100]]);
        let error = report.unwrap_err().to_string();
        assert!(error.contains("no netlink message at offset 96"), "{error}");
        let (_, report) = read_all(&[b"#!/bin/sh\n exit 0; this is a text".to_vec()]);
        assert!(matches!(report, Err(RecordingError::Length { offset: 0, .. })));
    }

    #[test]
    fn other_messages_are_refused() {
        let other = Request::new(16).body(&[0u8; 72]).to_bytes(0, 0).unwrap();
        let (_, report) = read_all(&[other]);
        assert!(matches!(report, Err(RecordingError::Kind { offset: 0, kind: 16 })));
        let short = Request::new(20).body(&[2u8; 40]).to_bytes(0, 0).unwrap();
        let (_, report) = read_all(&[short]);
        assert!(matches!(report, Err(RecordingError::Socket { offset: 0, .. })));
    }

    #[test]
    fn an_error_of_the_kernel_is_told() {
        let error = Request::new(ERROR).body(&(-2i32)).body(&[0u8; 16]).to_bytes(0, 0).unwrap();
        let (_, report) = read_all(&[error]);
        let error = report.unwrap_err().to_string();
        assert!(error.contains("No such file or directory"), "{error}");
    }

    #[test]
    fn a_short_attribute_costs_that_field_alone() {
        let mut body = [0; 72];
        body[0] = 2;
        let message = Request::new(20).body(&body).attr(15, &[1, 2]).attr_u8(8, 3);
        let (inodes, report) = read_all(&[message.to_bytes(0, 0).unwrap(), done()]);
        let report = report.unwrap();
        assert_eq!((inodes.len(), report.malformed), (1, 1));
        assert!(report.malformed_example.unwrap().contains("offset 0"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = read_all(std::slice::from_ref(&bytes));
            let _ = read_all(&[socket(1), bytes, done()]);
        }
    }
}
