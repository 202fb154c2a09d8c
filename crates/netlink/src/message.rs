//! Messages: a checked view of a datagram's bytes.
//!
//! A datagram holds one message after the other, each a header of 16 bytes (`struct nlmsghdr` in
//! `linux/netlink.h`) and a payload, each beginning at a multiple of 4. [`Messages`] walks them,
//! [`Message`] borrows one. No input panics: a length that does not fit is a [`FormatError`] that
//! names the message, the byte and the length.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::attr::Attributes;
use crate::format::{FormatError, Part, align};

/// `NLM_F_REQUEST`: this is a request, to the kernel.
pub const NLM_F_REQUEST: u16 = 0x1;
/// `NLM_F_MULTI`: part of an answer of many messages, ended by [`NLMSG_DONE`].
pub const NLM_F_MULTI: u16 = 0x2;
/// `NLM_F_ACK`: answer with an [`NLMSG_ERROR`] even on success.
pub const NLM_F_ACK: u16 = 0x4;
/// `NLM_F_ECHO`: echo the change to the requester.
pub const NLM_F_ECHO: u16 = 0x8;
/// `NLM_F_DUMP_INTR`: the table changed while it was dumped.
pub const NLM_F_DUMP_INTR: u16 = 0x10;
/// `NLM_F_DUMP_FILTERED`: the dump was filtered as requested.
pub const NLM_F_DUMP_FILTERED: u16 = 0x20;
/// `NLM_F_ROOT` (get): the whole table.
pub const NLM_F_ROOT: u16 = 0x100;
/// `NLM_F_MATCH` (get): all that match.
pub const NLM_F_MATCH: u16 = 0x200;
/// `NLM_F_DUMP` (get): `NLM_F_ROOT | NLM_F_MATCH`.
pub const NLM_F_DUMP: u16 = NLM_F_ROOT | NLM_F_MATCH;
/// `NLM_F_REPLACE` (new): override what exists.
pub const NLM_F_REPLACE: u16 = 0x100;
/// `NLM_F_EXCL` (new): fail if it exists.
pub const NLM_F_EXCL: u16 = 0x200;
/// `NLM_F_CREATE` (new): create it if it does not exist.
pub const NLM_F_CREATE: u16 = 0x400;
/// `NLM_F_APPEND` (new): add to the end of the list.
pub const NLM_F_APPEND: u16 = 0x800;
/// `NLM_F_CAPPED` (acknowledgement): the request is not repeated, only its header.
pub const NLM_F_CAPPED: u16 = 0x100;
/// `NLM_F_ACK_TLVS` (acknowledgement): attributes of the extended acknowledgement follow.
pub const NLM_F_ACK_TLVS: u16 = 0x200;

/// `NLMSG_NOOP`: nothing, to be skipped.
pub const NLMSG_NOOP: u16 = 1;
/// `NLMSG_ERROR`: the end of a request, with its errno; errno 0 is an acknowledgement.
pub const NLMSG_ERROR: u16 = 2;
/// `NLMSG_DONE`: the end of a dump.
pub const NLMSG_DONE: u16 = 3;
/// `NLMSG_OVERRUN`: data was lost.
pub const NLMSG_OVERRUN: u16 = 4;

/// Length of a message header in bytes.
pub const HEADER_LEN: usize = size_of::<Header>();

/// `struct nlmsghdr`, in host byte order.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Header {
    /// `nlmsg_len`: bytes of the message with this header, without padding at its end.
    pub length: u32,
    /// `nlmsg_type`: below 16 a control message, else the protocol's own.
    pub kind: u16,
    /// `nlmsg_flags`: `NLM_F_*`.
    pub flags: u16,
    /// `nlmsg_seq`: the number of the request that this answers.
    pub seq: u32,
    /// `nlmsg_pid`: the port that the answer is for. It proves nothing about who sent it.
    pub portid: u32,
}

/// One message: its header and a borrowed payload.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    header: Header,
    payload: &'a [u8],
    index: usize,
    offset: usize,
}

impl<'a> Message<'a> {
    /// The header.
    pub fn header(&self) -> Header {
        self.header
    }

    /// `nlmsg_type`.
    pub fn kind(&self) -> u16 {
        self.header.kind
    }

    /// `nlmsg_flags`.
    pub fn flags(&self) -> u16 {
        self.header.flags
    }

    /// `nlmsg_seq`.
    pub fn seq(&self) -> u32 {
        self.header.seq
    }

    /// `nlmsg_pid`.
    pub fn portid(&self) -> u32 {
        self.header.portid
    }

    /// What follows the header.
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Number of this message within its datagram, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Where the message begins in its datagram, in bytes.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The fixed struct that the payload begins with, copied out (so that alignment does not
    /// matter). A payload that is longer is normal; one that is shorter is an error.
    ///
    /// # Errors
    /// [`FormatError`] with [`Part::Body`] if the payload is shorter than `T`.
    pub fn body<T: FromBytes>(&self) -> Result<T, FormatError> {
        match T::read_from_prefix(self.payload) {
            Ok((body, _)) => Ok(body),
            Err(_) => {
                Err(self.malformed(Part::Body, HEADER_LEN, size_of::<T>(), self.payload.len()))
            }
        }
    }

    /// The attributes after a fixed struct of `fixed` bytes. A payload that is shorter than that
    /// has no attributes: its missing body is what [`body`](Self::body) reports.
    pub fn attributes_after(&self, fixed: usize) -> Attributes<'a> {
        let start = align(fixed);
        let bytes = self.payload.get(start..).unwrap_or_default();
        let offset = self.offset.saturating_add(HEADER_LEN).saturating_add(start);
        Attributes::within(bytes, self.index, offset)
    }

    pub(crate) fn malformed(
        &self,
        part: Part,
        offset: usize,
        wanted: usize,
        found: usize,
    ) -> FormatError {
        FormatError {
            part,
            message: self.index,
            offset: self.offset.saturating_add(offset),
            wanted,
            found,
        }
    }
}

/// The messages of one datagram, in order. After an error it ends: behind a wrong length nothing
/// can be found.
///
/// ```
/// use sockeye_netlink::{Messages, Request};
///
/// let datagram = Request::new(20).body(&7u32).to_bytes(1, 0)?;
/// for message in Messages::new(&datagram) {
///     let message = message?;
///     assert_eq!((message.kind(), message.body::<u32>()?), (20, 7));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Messages<'a> {
    rest: &'a [u8],
    index: usize,
    offset: usize,
}

impl<'a> Messages<'a> {
    /// Walks the messages of `datagram`.
    pub fn new(datagram: &'a [u8]) -> Self {
        Self { rest: datagram, index: 0, offset: 0 }
    }

    fn take(&mut self, rest: &'a [u8]) -> Result<Message<'a>, FormatError> {
        let malformed = |part, wanted, found| FormatError {
            part,
            message: self.index,
            offset: self.offset,
            wanted,
            found,
        };
        let Ok((header, _)) = Header::read_from_prefix(rest) else {
            return Err(malformed(Part::MessageHeader, HEADER_LEN, rest.len()));
        };
        let length = usize::try_from(header.length).unwrap_or(usize::MAX);
        if length < HEADER_LEN {
            return Err(malformed(Part::MessageLength, HEADER_LEN, length));
        }
        let Some(payload) = rest.get(HEADER_LEN..length) else {
            return Err(malformed(Part::MessageLength, rest.len(), length));
        };
        let step = align(length);
        // The kernel pads what it sends (nlmsg_end), so that an odd length before another message is
        // a wrong one. Alone or at the end (audit) it does no harm.
        if step != length && step < rest.len() {
            return Err(malformed(Part::MessageAlignment, step, length));
        }
        let message = Message { header, payload, index: self.index, offset: self.offset };
        self.rest = rest.get(step..).unwrap_or_default();
        self.index += 1;
        self.offset = self.offset.saturating_add(step);
        Ok(message)
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, FormatError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = std::mem::take(&mut self.rest);
        if rest.is_empty() {
            return None;
        }
        Some(self.take(rest))
    }
}

impl std::iter::FusedIterator for Messages<'_> {}
