//! What can go wrong between a program and the kernel, and how it is told.
//!
//! Every error names what was being done and, where there is one, the way out. A refusal by the
//! kernel keeps its errno ([`Error::errno`]) and whatever the kernel said in its own words
//! ([`ExtAck`](crate::ExtAck)).

use std::io;
use std::time::Duration;

use crate::ack::{ExtAck, KernelError};
use crate::format::FormatError;
use crate::protocol::Protocol;

/// The result of an operation on a netlink socket.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a netlink operation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The socket could not be opened.
    #[error("cannot open a netlink socket for {protocol}: {source}")]
    Open {
        /// The netlink protocol that was asked for.
        protocol: Protocol,
        /// What `socket(2)` or `bind(2)` answered. `EPROTONOSUPPORT`: this kernel is built
        /// without the protocol, or its module is not loaded.
        source: io::Error,
    },

    /// A system call on the socket failed.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was being done, as a verb and its object: "send the request".
        action: &'static str,
        /// What the system call answered.
        source: io::Error,
    },

    /// The kernel refused the request, or failed while it answered.
    #[error("{0}")]
    Kernel(KernelError),

    /// The kernel did not answer within the socket's receive timeout.
    #[error("{}", describe_timeout(*after))]
    Timeout {
        /// The receive timeout of the socket, where it is known.
        after: Option<Duration>,
    },

    /// The kernel dropped messages because the socket's receive buffer was full (`ENOBUFS`).
    /// What was read before is incomplete; the client can be used again.
    #[error(
        "the kernel dropped messages (ENOBUFS): the answer is incomplete; ask again, with a larger receive buffer if it happens often"
    )]
    Overrun,

    /// A datagram was longer than the buffer and its end is lost.
    #[error("a datagram of {size} bytes did not fit the buffer of {limit} bytes: its end is lost")]
    Truncated {
        /// True size of the datagram, in bytes.
        size: usize,
        /// The size in bytes of the buffer it was read into, or the one that the client will not
        /// grow beyond.
        limit: usize,
    },

    /// The kernel's bytes are not a netlink message.
    #[error("malformed netlink data: {0}")]
    Format(#[from] FormatError),

    /// The transport reached its end of file: it was shut down, and no answer can come any more.
    #[error("the netlink socket is closed: open another one")]
    Closed,

    /// A part of the request is longer than its length field can say.
    #[error("request too long: {0}")]
    RequestTooLong(#[from] RequestTooLong),
}

impl Error {
    /// The errno behind the failure, if there is one: the kernel's answer to the request, or the
    /// failure of a system call.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Kernel(refusal) => Some(refusal.errno),
            Self::Open { source, .. } | Self::Io { source, .. } => source.raw_os_error(),
            Self::Overrun => Some(libc::ENOBUFS),
            Self::Timeout { .. } => Some(libc::EAGAIN),
            _ => None,
        }
    }

    /// What the kernel added to its refusal in words and numbers (`NETLINK_EXT_ACK`).
    pub fn ext_ack(&self) -> Option<&ExtAck> {
        match self {
            Self::Kernel(refusal) => refusal.ext_ack.as_deref(),
            _ => None,
        }
    }
}

fn describe_timeout(after: Option<Duration>) -> String {
    match after {
        Some(after) => format!("the kernel did not answer within {after:?} (receive timeout)"),
        None => "the kernel did not answer: nothing to read (EAGAIN)".to_owned(),
    }
}

/// A part of a request that its length field cannot describe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestTooLong {
    /// An attribute's value; nested attributes count with their headers.
    #[error("attribute {kind} has {length} bytes, at most {limit} fit")]
    Attribute {
        /// Type of the attribute.
        kind: u16,
        /// Length of the value in bytes.
        length: usize,
        /// The longest value in bytes.
        limit: usize,
    },
    /// The whole message.
    #[error("the message has {length} bytes, at most {limit} fit")]
    Message {
        /// Length of the message in bytes.
        length: usize,
        /// The longest message in bytes.
        limit: usize,
    },
}
