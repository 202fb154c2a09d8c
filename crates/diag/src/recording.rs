//! Recorded answers: what `TCPDIAG_FILE` names and `-D` writes.
//!
//! A recording is netlink messages one after the other, each padded to 4 bytes, as the kernel sent
//! them. As in iproute2's `ss`, the first DONE ends it. Nothing is taken on trust: a file that is
//! no recording is refused with the offset at which that showed.

use std::io::{self, Read};
use std::ops::{ControlFlow, Range};

use sockeye_model::{Protocol, Socket};
use sockeye_netlink::{
    Ack, FormatError, Messages, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP,
};
use zeroize::Zeroizing;

use crate::inet::{self, DecodeError};
use crate::request::{SOCK_DIAG_BY_FAMILY, TCPDIAG_GETSOCK};
use crate::{Report, Sockets};

/// Size of struct nlmsghdr.
const HEADER_LEN: usize = 16;
/// The longest message taken, bytes. A socket takes less than 1 KiB, and the kernel's datagrams
/// end at 32 KiB.
const LONGEST: usize = 1 << 20;
/// How much is read at a time, bytes.
const BLOCK: usize = 1 << 16;
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
/// A recording may hold keys of MD5 signatures, so what was read is wiped from memory. `file` needs
/// no buffer of its own.
///
/// # Errors
/// [`RecordingError`], after the sockets before it were handed over.
pub fn read(file: impl Read, sockets: &mut impl Sockets) -> Result<Report, RecordingError> {
    let mut report = Report::default();
    let mut socket = Socket::new(Protocol::TCP);
    let mut source = Source::new(file);
    loop {
        let offset = source.offset;
        // One message by construction: the length was read from it.
        for message in Messages::new(source.message()?) {
            let of_socket = |source| RecordingError::Socket { offset, source };
            let message = message.map_err(|e: FormatError| of_socket(DecodeError::Format(e)))?;
            report.interrupted |= message.flags() & NLM_F_DUMP_INTR != 0;
            match message.kind() {
                NLMSG_DONE | NLMSG_ERROR => {
                    let ack =
                        Ack::decode(&message).map_err(|e| of_socket(DecodeError::Format(e)))?;
                    if ack.errno != 0 {
                        let error = io::Error::from_raw_os_error(ack.errno);
                        return Err(RecordingError::Kernel { offset, error });
                    }
                    if ack.done {
                        return Ok(report);
                    }
                    continue;
                }
                NLMSG_NOOP => continue,
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
    }
}

/// A file, read in blocks that are wiped.
struct Source<R> {
    file: R,
    buffer: Zeroizing<Vec<u8>>,
    /// What of the buffer was read and not yet taken.
    unread: Range<usize>,
    /// Where the next message begins in the file.
    offset: u64,
}

impl<R: Read> Source<R> {
    fn new(file: R) -> Self {
        Source { file, buffer: Zeroizing::new(vec![0; BLOCK]), unread: 0..0, offset: 0 }
    }

    /// The next message, without padding.
    fn message(&mut self) -> Result<&[u8], RecordingError> {
        self.fill(HEADER_LEN)?;
        let unread = self.buffer.get(self.unread.clone()).unwrap_or_default();
        let stated = unread.first_chunk().map_or(0, |word| u32::from_ne_bytes(*word));
        let length = usize::try_from(stated)
            .ok()
            .filter(|length| (HEADER_LEN..=LONGEST).contains(length))
            .ok_or(RecordingError::Length { offset: self.offset, length: stated })?;
        let padded = length.next_multiple_of(4);
        self.fill(padded)?;
        let start = self.unread.start;
        self.unread.start += padded;
        self.offset += padded as u64;
        Ok(self.buffer.get(start..start + length).unwrap_or_default())
    }

    /// Reads until `wanted` bytes are there.
    fn fill(&mut self, wanted: usize) -> Result<(), RecordingError> {
        if self.unread.len() < wanted && self.unread.start + wanted > self.buffer.len() {
            self.make_room(wanted);
        }
        while self.unread.len() < wanted {
            let end = self.offset + self.unread.len() as u64;
            let room = self.buffer.get_mut(self.unread.end..).unwrap_or_default();
            match self.file.read(room) {
                Ok(0) => {
                    let missing = wanted - self.unread.len();
                    return Err(RecordingError::End { offset: self.offset, end, missing });
                }
                Ok(read) => self.unread.end += read,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(RecordingError::Read { offset: end, source }),
            }
        }
        Ok(())
    }

    /// Moves what is unread to the front, of a larger buffer if it must be. A vector that grew by
    /// itself would leave its old bytes behind.
    fn make_room(&mut self, wanted: usize) {
        if wanted <= self.buffer.len() {
            self.buffer.copy_within(self.unread.clone(), 0);
        } else {
            let mut larger = Zeroizing::new(vec![0; wanted.next_power_of_two()]);
            let unread = self.buffer.get(self.unread.clone()).unwrap_or_default();
            if let Some(front) = larger.get_mut(..unread.len()) {
                front.copy_from_slice(unread);
            }
            self.buffer = larger;
        }
        self.unread = 0..self.unread.len();
    }
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
        Request::new(NLMSG_DONE).body(&0u32).to_bytes(0, 0).unwrap()
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
        for kind in [NLMSG_ERROR, NLMSG_DONE] {
            let error = Request::new(kind).body(&(-2i32)).body(&[0u8; 16]).to_bytes(0, 0).unwrap();
            let (_, report) = read_all(&[error]);
            let error = report.unwrap_err().to_string();
            assert!(error.contains("No such file or directory"), "{error}");
        }
    }

    #[test]
    fn an_acknowledgement_is_no_error() {
        let ack = Request::new(NLMSG_ERROR).body(&0i32).body(&[0u8; 16]).to_bytes(0, 0).unwrap();
        let (inodes, report) = read_all(&[ack, socket(1), done()]);
        assert_eq!((inodes.len(), report.unwrap().sockets), (1, 1));
    }

    #[test]
    fn an_interrupted_dump_stays_one() {
        let flagged = Request::new(NLMSG_DONE).flags(NLM_F_DUMP_INTR).body(&0u32);
        let (_, report) = read_all(&[socket(1), flagged.to_bytes(0, 0).unwrap()]);
        assert!(report.unwrap().interrupted);
    }

    #[test]
    fn messages_longer_than_a_block_are_read_in_small_pieces_too() {
        /// Hands out as many bytes as its length is odd or even.
        struct Slow<'a>(&'a [u8]);
        impl Read for Slow<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let some = buffer.len().min(1 + self.0.len() % 777);
                self.0.read(&mut buffer[..some])
            }
        }
        let long = Request::new(20).body(&socket(2)[16..88]).attr(99, &[0; 60_000]);
        let long = long.attr(99, &[0; 60_000]).to_bytes(0, 0).unwrap();
        let parts = [socket(1), long.clone(), socket(3), long, socket(4), done()].concat();
        let mut inodes = Inodes::default();
        read(Slow(&parts), &mut inodes).unwrap();
        assert_eq!(inodes.0, [1, 2, 3, 2, 4]);
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
