//! The form of netlink's bytes: how they are aligned, and what may be wrong with them.

use std::fmt;

/// Messages and attributes begin at multiples of this many bytes.
pub(crate) const ALIGNMENT: usize = 4;

/// The next multiple of 4; saturates, so that it never leads backwards.
pub(crate) const fn align(length: usize) -> usize {
    match length.checked_next_multiple_of(ALIGNMENT) {
        Some(aligned) => aligned,
        None => usize::MAX,
    }
}

/// Which part of a datagram is malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// The 16 bytes of a message header (`struct nlmsghdr`).
    MessageHeader,
    /// The length that a message header states.
    MessageLength,
    /// The length that a message header states: no multiple of 4, and another message follows.
    MessageAlignment,
    /// The fixed struct that a message of this type begins with.
    Body,
    /// The 4 bytes of an attribute header (`struct nlattr`).
    AttributeHeader,
    /// The length that the attribute of this type states.
    AttributeLength(u16),
    /// The value of the attribute of this type.
    AttributeValue(u16),
}

/// Bytes that are not what their place asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FormatError {
    /// Which part is malformed.
    pub part: Part,
    /// Number of the message within its datagram, from 0.
    pub message: usize,
    /// Where the part begins, in bytes from the beginning of the datagram.
    pub offset: usize,
    /// Bytes that the part needs; for a stated length, the least it may say when
    /// `found < wanted`, and else the most.
    pub wanted: usize,
    /// Bytes that are there; for a stated length, what it says.
    pub found: usize,
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { part, message, offset, wanted, found } = *self;
        write!(f, "message {message}, byte {offset}: ")?;
        let bound = if found < wanted { "least" } else { "most" };
        match part {
            Part::MessageHeader => {
                write!(f, "a message header needs {wanted} bytes, {found} are there")
            }
            Part::MessageLength => {
                write!(f, "nlmsg_len is {found}, it can be {wanted} at {bound} here")
            }
            Part::MessageAlignment => {
                write!(f, "nlmsg_len is {found}, no multiple of 4, and another message follows")
            }
            Part::Body => {
                write!(f, "the message's fixed part needs {wanted} bytes, {found} are there")
            }
            Part::AttributeHeader => {
                write!(f, "an attribute header needs {wanted} bytes, {found} are there")
            }
            Part::AttributeLength(kind) => {
                write!(
                    f,
                    "nla_len of attribute {kind} is {found}, it can be {wanted} at {bound} here"
                )
            }
            Part::AttributeValue(kind) => {
                write!(f, "the value of attribute {kind} needs {wanted} bytes, {found} are there")
            }
        }
    }
}

impl std::error::Error for FormatError {}
