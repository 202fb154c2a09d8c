//! A synchronous netlink client: dumps are read to their end, nothing is lost silently, and no
//! message costs an allocation.
//!
//! This crate is the wire and the transport. It knows no protocol on top: requests and answers
//! are message types, fixed structs and attributes whose meaning the caller brings.
//!
//! # A tour
//!
//! A [`Client`] sends a [`Request`] and reads the answer to its end. [`Client::get`] asks for one
//! thing:
//!
//! ```
//! use sockeye_netlink::{Client, Protocol, Request};
//!
//! const RTM_GETROUTE: u16 = 26;
//! const RTA_DST: u16 = 1;
//! const RTA_OIF: u16 = 4;
//!
//! // struct rtmsg: AF_INET, a destination of 32 bits
//! let rtmsg: [u8; 12] = [2, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
//! let request = Request::new(RTM_GETROUTE)
//!     .body(&rtmsg)
//!     .attr(RTA_DST, &[127, 0, 0, 1]);
//!
//! let mut interface = None;
//! Client::open(Protocol::ROUTE)?.get(&request, |route| {
//!     let mut attrs = route.attributes_after(rtmsg.len());
//!     while attrs.next() {
//!         if attrs.kind() == RTA_OIF {
//!             interface = attrs.u32();
//!         }
//!     }
//! })?;
//! assert!(interface.is_some());
//! # Ok::<(), sockeye_netlink::Error>(())
//! ```
//!
//! [`Client::dump`] reads a table, message by message, into a visitor ([`Visit`]); [`scripted`] shows a
//! small one. It deals with everything that can happen on the way ([`Outcome`] and [`Error`] say
//! what did), so that a visitor needs to know two things: how to take a message, and how to
//! forget them all when the dump has to begin again. [`Client::request`] makes a change.
//!
//! What the kernel tells unasked comes from a [`Multicast`], which counts what was lost on the way.
//!
//! [`Message`] and [`Attributes`] are checked views that borrow from the buffer. No input panics:
//! what is malformed is a [`FormatError`] that names message, byte and length.
//!
//! # Files
//!
//! `format`, `attr` and `message` read bytes, `request` writes them, `ack` reads how an operation
//! ended; `socket` and `sys` call the system behind the trait in `receive`, and `scripted` stands
//! in for them; `client` holds the buffer and the numbers, `dump` the operations and the protocol's
//! rules, `multicast` those of what comes unasked. Each imports from below only.

mod ack;
mod attr;
mod client;
mod dump;
mod error;
mod format;
mod message;
mod multicast;
mod protocol;
mod receive;
mod request;
pub mod scripted;
mod socket;
mod sys;

pub use ack::{Ack, ExtAck, KernelError};
pub use attr::{
    ATTRIBUTE_HEADER_LEN, Attributes, NLA_F_NESTED, NLA_F_NET_BYTEORDER, NLA_TYPE_MASK,
};
pub use client::Client;
pub use dump::{DumpOptions, Outcome, Visit};
pub use error::{Error, RequestTooLong, Result};
pub use format::{FormatError, Part};
pub use message::{
    HEADER_LEN, Header, Message, Messages, NLM_F_ACK, NLM_F_ACK_TLVS, NLM_F_APPEND, NLM_F_CAPPED,
    NLM_F_CREATE, NLM_F_DUMP, NLM_F_DUMP_FILTERED, NLM_F_DUMP_INTR, NLM_F_ECHO, NLM_F_EXCL,
    NLM_F_MATCH, NLM_F_MULTI, NLM_F_REPLACE, NLM_F_REQUEST, NLM_F_ROOT, NLMSG_DONE, NLMSG_ERROR,
    NLMSG_NOOP, NLMSG_OVERRUN,
};
pub use multicast::{CountDrops, Event, Multicast};
pub use protocol::Protocol;
pub use receive::{Datagram, Receive, Sender};
pub use request::Request;
pub use socket::Socket;

// The README's example is run as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
