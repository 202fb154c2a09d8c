//! Netlink messages in a file, as `TCPDIAG_FILE` names one.
//!
//! Such a file holds raw messages one after the other, with no framing but their own lengths. A reader
//! stops at the first DONE, so a recording has its IPv4 and its IPv6 sockets and then **one** DONE, while
//! `ss -D` writes one after each family.

use std::io;
use std::path::Path;
use std::process::Command;

use crate::{Namespace, failed};

/// `NLMSG_DONE` of `linux/netlink.h`.
const DONE: u16 = 3;
/// Length of a netlink message's header, bytes.
const HEADER: usize = 16;

/// Messages of one dump, without the DONE at their end.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    bytes: Vec<u8>,
    messages: usize,
}

impl Recording {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads what `ss -D` wrote, leaving out every DONE.
    ///
    /// # Errors
    /// Fails at a length that cannot be, naming its offset.
    pub fn parse(mut bytes: &[u8]) -> io::Result<Self> {
        let whole = bytes.len();
        let mut recording = Self::new();
        while !bytes.is_empty() {
            let offset = whole - bytes.len();
            let header = bytes
                .get(..HEADER)
                .ok_or_else(|| failed(format_args!("offset {offset}"), "a header is cut off"))?;
            let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
            let kind = u16::from_ne_bytes([header[4], header[5]]);
            let aligned = length.next_multiple_of(4);
            if length < HEADER || aligned > bytes.len() {
                return Err(failed(
                    format_args!("offset {offset}"),
                    format_args!("length {length}"),
                ));
            }
            let (message, rest) = bytes.split_at(aligned);
            if kind != DONE {
                recording.push(message);
            }
            bytes = rest;
        }
        Ok(recording)
    }

    /// Records all TCP sockets of `namespace`, with everything that `ss` can ask for.
    ///
    /// # Errors
    /// Fails without `ss` (Debian package `iproute2`), and when it writes nothing usable.
    pub fn of(namespace: &Namespace) -> io::Result<Self> {
        let mut command = Command::new("ss");
        command.args(["-tanimoe", "--tos", "--cgroup", "--inet-sockopt", "-D", "-"]);
        // Unlike a file, a name that starts with `-` means standard output to every version.
        let output = namespace.output(&mut command)?;
        if !output.status.success() {
            return Err(failed("ss -D", String::from_utf8_lossy(&output.stderr)));
        }
        Self::parse(&output.stdout)
    }

    /// Adds a message; it is padded to a multiple of 4 bytes.
    pub fn push(&mut self, message: &[u8]) {
        self.bytes.extend_from_slice(message);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self.messages += 1;
    }

    /// Messages so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.messages
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages == 0
    }

    /// The file's bytes: the messages, then one DONE.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        bytes.extend_from_slice(&20_u32.to_ne_bytes());
        bytes.extend_from_slice(&DONE.to_ne_bytes());
        bytes.extend_from_slice(&2_u16.to_ne_bytes());
        bytes.extend_from_slice(&[0; 12]);
        bytes
    }

    /// Writes the file.
    ///
    /// # Errors
    /// As [`std::fs::write`]; the error names the file.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        std::fs::write(path, self.to_bytes()).map_err(|error| failed(path.display(), error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_done_between_is_left_out() {
        let mut first = Recording::new();
        first.push(&[16, 0, 0, 0, 20, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
        let mut bytes = first.to_bytes();
        bytes.extend(first.to_bytes());
        let both = Recording::parse(&bytes).unwrap();
        assert_eq!(both.len(), 2);
        assert_eq!(both.to_bytes().len(), 16 + 16 + 20);
    }

    #[test]
    fn a_cut_message_is_named_by_its_offset() {
        let mut bytes = Recording::new().to_bytes();
        bytes.extend([99, 0, 0, 0, 20, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
        let error = Recording::parse(&bytes).unwrap_err().to_string();
        assert_eq!(error, "offset 20: length 99");
    }
}
