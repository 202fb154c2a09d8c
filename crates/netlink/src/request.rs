//! Requests: a builder that cannot write a wrong length.
//!
//! A request is a message type, flags, a fixed struct and attributes. A part that is longer than
//! its length field can say is remembered and returned when the request is sent, so that building
//! one needs no error handling. The sequence number is the client's to fill in; the port stays 0,
//! because the kernel takes the sender's port from the socket.
//!
//! ```
//! use sockeye_netlink::Request;
//!
//! const RTM_GETROUTE: u16 = 26;
//! const RTA_DST: u16 = 1;
//! // struct rtmsg: family AF_INET, destination of 32 bits
//! let rtmsg: [u8; 12] = [2, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
//! let request = Request::new(RTM_GETROUTE)
//!     .body(&rtmsg)
//!     .attr(RTA_DST, &[127, 0, 0, 1]);
//! assert_eq!(request.to_bytes(1, 0)?.len(), 16 + 12 + 8);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;

use zerocopy::{Immutable, IntoBytes};
use zeroize::Zeroize;

use crate::attr::{ATTRIBUTE_HEADER_LEN, NLA_F_NESTED, NLA_TYPE_MASK};
use crate::error::RequestTooLong;
use crate::format::align;
use crate::message::{HEADER_LEN, Header};

/// The longest value of an attribute: `nla_len` has 16 bits and counts its own header.
const ATTRIBUTE_LIMIT: usize = u16::MAX as usize - ATTRIBUTE_HEADER_LEN;

/// The longest message: `nlmsg_len` has 32 bits, and padding must not take it beyond them.
const MESSAGE_LIMIT: usize = u32::MAX as usize - 3;

/// A message that is being built, for the kernel or (in tests) in its name.
///
/// It may carry keys (XFRM), so its bytes are wiped when it is dropped and never printed.
#[derive(Clone)]
pub struct Request {
    kind: u16,
    flags: u16,
    /// The payload without a header.
    payload: Vec<u8>,
    error: Option<RequestTooLong>,
}

impl Request {
    /// A message of type `kind` (`nlmsg_type`) with no flags and no payload.
    pub fn new(kind: u16) -> Self {
        Self { kind, flags: 0, payload: Vec::new(), error: None }
    }

    /// Adds flags (`NLM_F_*`). The operation that sends the request adds those it needs itself.
    pub fn flags(mut self, flags: u16) -> Self {
        self.flags |= flags;
        self
    }

    /// Appends a fixed struct and pads it to a multiple of 4.
    pub fn body(mut self, body: &(impl IntoBytes + Immutable + ?Sized)) -> Self {
        self.append(&[body.as_bytes()]);
        self
    }

    /// Appends an attribute and pads it to a multiple of 4.
    pub fn attr(mut self, kind: u16, value: &[u8]) -> Self {
        self.append_attribute(kind, &[value]);
        self
    }

    /// Appends an attribute of one byte.
    pub fn attr_u8(self, kind: u16, value: u8) -> Self {
        self.attr(kind, &[value])
    }

    /// Appends an attribute of two bytes in host byte order.
    pub fn attr_u16(self, kind: u16, value: u16) -> Self {
        self.attr(kind, &value.to_ne_bytes())
    }

    /// Appends an attribute of four bytes in host byte order.
    pub fn attr_u32(self, kind: u16, value: u32) -> Self {
        self.attr(kind, &value.to_ne_bytes())
    }

    /// Appends an attribute of eight bytes in host byte order.
    pub fn attr_u64(self, kind: u16, value: u64) -> Self {
        self.attr(kind, &value.to_ne_bytes())
    }

    /// Appends an attribute of two bytes in network byte order.
    pub fn attr_be16(self, kind: u16, value: u16) -> Self {
        self.attr(kind, &value.to_be_bytes())
    }

    /// Appends an attribute of four bytes in network byte order.
    pub fn attr_be32(self, kind: u16, value: u32) -> Self {
        self.attr(kind, &value.to_be_bytes())
    }

    /// Appends a string and the NUL that the kernel's `NLA_NUL_STRING` asks for.
    pub fn attr_str(mut self, kind: u16, value: impl AsRef<[u8]>) -> Self {
        self.append_attribute(kind, &[value.as_ref(), &[0]]);
        self
    }

    /// Appends an attribute whose presence is its value.
    pub fn attr_flag(self, kind: u16) -> Self {
        self.attr(kind, &[])
    }

    /// Appends an attribute made of attributes, marked `NLA_F_NESTED`: what `content` appends to
    /// the empty request that it is given becomes the value.
    pub fn nested(self, kind: u16, content: impl FnOnce(Request) -> Request) -> Self {
        let inner = content(Request::new(0));
        let mut outer = self.attr(kind | NLA_F_NESTED, &inner.payload);
        // The inner error came first, and is the reason where the outer one is about its sum.
        outer.error = inner.error.or(outer.error);
        outer
    }

    /// The message type (`nlmsg_type`).
    pub fn kind(&self) -> u16 {
        self.kind
    }

    /// The message as bytes, as [`Client`](crate::Client) would send it.
    ///
    /// # Errors
    /// [`RequestTooLong`] if a part is longer than its length field can say.
    pub fn to_bytes(&self, seq: u32, portid: u32) -> Result<Vec<u8>, RequestTooLong> {
        let mut bytes = Vec::new();
        self.write(0, seq, portid, &mut bytes)?;
        Ok(bytes)
    }

    /// Writes the message to `bytes`, in place of what was there, with `flags` added.
    pub(crate) fn write(
        &self,
        flags: u16,
        seq: u32,
        portid: u32,
        bytes: &mut Vec<u8>,
    ) -> Result<(), RequestTooLong> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let length = HEADER_LEN.saturating_add(self.payload.len());
        let header = Header {
            length: u32::try_from(length)
                .map_err(|_| RequestTooLong::Message { length, limit: MESSAGE_LIMIT })?,
            kind: self.kind,
            flags: self.flags | flags,
            seq,
            portid,
        };
        bytes.clear();
        reserve(bytes, length);
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(&self.payload);
        Ok(())
    }

    fn append_attribute(&mut self, kind: u16, value: &[&[u8]]) {
        let length = value.iter().map(|part| part.len()).sum();
        if length > ATTRIBUTE_LIMIT {
            self.error.get_or_insert(RequestTooLong::Attribute {
                kind: kind & NLA_TYPE_MASK,
                length,
                limit: ATTRIBUTE_LIMIT,
            });
            return;
        }
        let stated = u16::try_from(ATTRIBUTE_HEADER_LEN + length).unwrap_or(u16::MAX);
        self.append(&[&stated.to_ne_bytes(), &kind.to_ne_bytes()]);
        self.append(value);
    }

    /// Appends the parts one after the other and pads their sum to a multiple of 4.
    fn append(&mut self, parts: &[&[u8]]) {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let padded = align(length);
        let total = self.payload.len().saturating_add(padded);
        if total > MESSAGE_LIMIT - HEADER_LEN {
            self.error.get_or_insert(RequestTooLong::Message {
                length: total.saturating_add(HEADER_LEN),
                limit: MESSAGE_LIMIT,
            });
            return;
        }
        reserve(&mut self.payload, padded);
        for part in parts {
            self.payload.extend_from_slice(part);
        }
        self.payload.resize(total, 0);
    }
}

/// Makes room for `additional` bytes. A vector that grows by itself would leave a copy of its
/// bytes behind in freed memory.
fn reserve(bytes: &mut Vec<u8>, additional: usize) {
    let needed = bytes.len().saturating_add(additional);
    if needed > bytes.capacity() {
        let mut roomier = Vec::with_capacity(needed.max(bytes.capacity().saturating_mul(2)));
        roomier.extend_from_slice(bytes);
        bytes.zeroize();
        *bytes = roomier;
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.payload.zeroize();
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("kind", &self.kind)
            .field("flags", &self.flags)
            .field("payload_len", &self.payload.len())
            .field("error", &self.error)
            .finish()
    }
}
