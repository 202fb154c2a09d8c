//! Acknowledgements: how a request or a dump ended, and what the kernel said about it.
//!
//! `NLMSG_ERROR` carries an errno (0: done) and the header of the request, with the request's
//! payload behind it unless `NLM_F_CAPPED` is set. `NLMSG_DONE` carries an errno alone. Behind
//! either, `NLM_F_ACK_TLVS` announces the attributes of the extended acknowledgement
//! (`enum nlmsgerr_attrs` in `linux/netlink.h`), which a socket gets after
//! [`set_ext_ack`](crate::Socket::set_ext_ack). On success its message is a warning.

use std::fmt;
use std::io;

use crate::attr::Attributes;
use crate::format::{FormatError, align};
use crate::message::{HEADER_LEN, Header, Message, NLM_F_ACK_TLVS, NLM_F_CAPPED, NLMSG_DONE};

const NLMSGERR_ATTR_MSG: u16 = 1;
const NLMSGERR_ATTR_OFFS: u16 = 2;
const NLMSGERR_ATTR_MISS_TYPE: u16 = 5;
const NLMSGERR_ATTR_MISS_NEST: u16 = 6;

/// Length of the errno that begins the payload.
const ERRNO_LEN: usize = size_of::<i32>();

/// What the kernel added to an acknowledgement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExtAck {
    /// The kernel's words, with bytes that are not UTF-8 replaced and control characters escaped.
    pub message: Option<String>,
    /// Where in the request the offending attribute begins, in bytes from its header.
    pub offset: Option<u32>,
    /// Type of an attribute that the request lacks (`NLMSGERR_ATTR_MISS_TYPE`).
    pub missing_attribute: Option<u32>,
    /// Offset in the request of the nest that lacks it (`NLMSGERR_ATTR_MISS_NEST`); absent when
    /// the message itself lacks it.
    pub missing_nest: Option<u32>,
}

impl ExtAck {
    fn decode(mut attrs: Attributes<'_>) -> Result<Self, FormatError> {
        let mut ext_ack = Self::default();
        while attrs.next() {
            match attrs.kind() {
                NLMSGERR_ATTR_MSG => ext_ack.message = Some(printable(attrs.str())),
                NLMSGERR_ATTR_OFFS => ext_ack.offset = attrs.u32(),
                NLMSGERR_ATTR_MISS_TYPE => ext_ack.missing_attribute = attrs.u32(),
                NLMSGERR_ATTR_MISS_NEST => ext_ack.missing_nest = attrs.u32(),
                _ => {}
            }
        }
        attrs.end()?;
        Ok(ext_ack)
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for ExtAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        if let Some(message) = &self.message {
            f.write_str(message)?;
            separator = "; ";
        }
        if let Some(kind) = self.missing_attribute {
            write!(f, "{separator}attribute {kind} is missing")?;
            if let Some(nest) = self.missing_nest {
                write!(f, " in the nest at byte {nest} of the request")?;
            }
            separator = "; ";
        }
        if let Some(offset) = self.offset {
            write!(f, "{separator}at byte {offset} of the request")?;
        }
        Ok(())
    }
}

/// The kernel's words may repeat what a user gave it, and go to a terminal.
fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for character in String::from_utf8_lossy(bytes).chars() {
        if character.is_control() {
            text.extend(character.escape_default());
        } else {
            text.push(character);
        }
    }
    text
}

/// An `NLMSG_ERROR` or `NLMSG_DONE`, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ack {
    /// The outcome as a positive errno; 0 on success.
    pub errno: i32,
    /// True for `NLMSG_DONE`, the end of a dump.
    pub done: bool,
    /// What the kernel added, if anything.
    pub ext_ack: Option<Box<ExtAck>>,
}

impl Ack {
    /// Decodes a message of type [`NLMSG_ERROR`](crate::NLMSG_ERROR) or
    /// [`NLMSG_DONE`](crate::NLMSG_DONE). Allocates only where the kernel added something.
    ///
    /// # Errors
    /// [`FormatError`] if the message is too short for its errno. The errno itself is never lost
    /// to a malformed addition: those that cannot be read are left out.
    pub fn decode(message: &Message<'_>) -> Result<Self, FormatError> {
        let done = message.kind() == NLMSG_DONE;
        // The audit subsystem ends its lists with an empty NLMSG_DONE (audit_make_reply).
        let stated =
            if done && message.payload().is_empty() { 0 } else { message.body::<i32>()? };
        let ext_ack = if message.flags() & NLM_F_ACK_TLVS == 0 {
            None
        } else {
            ExtAck::decode(message.attributes_after(attributes_offset(message, done)))
                .ok()
                .filter(|ext_ack| !ext_ack.is_empty())
                .map(Box::new)
        };
        Ok(Self {
            // A positive number in NLMSG_DONE is a count of bytes, not an errno.
            errno: stated.checked_neg().map_or(i32::MAX, |errno| errno.max(0)),
            done,
            ext_ack,
        })
    }

    /// The outcome as a result; on success, what the kernel added is a warning.
    ///
    /// # Errors
    /// [`KernelError`] if the errno is not 0.
    pub fn into_result(self) -> Result<Option<Box<ExtAck>>, KernelError> {
        if self.errno == 0 {
            return Ok(self.ext_ack);
        }
        Err(KernelError { errno: self.errno, at_end: self.done, ext_ack: self.ext_ack })
    }
}

/// Where in the payload the attributes begin: behind the errno, and for `NLMSG_ERROR` behind as
/// much of the request as was repeated.
fn attributes_offset(message: &Message<'_>, done: bool) -> usize {
    if done {
        return ERRNO_LEN;
    }
    if message.flags() & NLM_F_CAPPED != 0 {
        return ERRNO_LEN + HEADER_LEN;
    }
    #[derive(zerocopy::FromBytes)]
    #[repr(C)]
    struct Refusal {
        _errno: i32,
        request: Header,
    }
    match message.body::<Refusal>() {
        Ok(refusal) => usize::try_from(refusal.request.length)
            .map_or(usize::MAX, |length| ERRNO_LEN.saturating_add(align(length))),
        Err(_) => usize::MAX,
    }
}

/// An `NLMSG_ERROR`, or the error inside an `NLMSG_DONE`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KernelError {
    /// The error as a positive errno.
    pub errno: i32,
    /// True when it came at the end of a dump, after messages that may have been handed over:
    /// they are not all there is.
    pub at_end: bool,
    /// What the kernel added, if it added anything.
    pub ext_ack: Option<Box<ExtAck>>,
}

impl fmt::Display for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.at_end {
            f.write_str("the dump failed before its end, what came is incomplete: ")?;
        } else {
            f.write_str("the kernel refused the request: ")?;
        }
        write!(f, "{}", io::Error::from_raw_os_error(self.errno))?;
        if let Some(ext_ack) = &self.ext_ack {
            write!(f, ": {ext_ack}")?;
        }
        if self.errno == libc::EPERM {
            f.write_str(
                "; it needs a capability, usually CAP_NET_ADMIN: run as root, or give it to the program with setcap",
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for KernelError {}
