//! Short names that the kernel gives (a congestion control, an upper-layer protocol), held inline.
//!
//! The kernel's names are byte strings without a promise of UTF-8. They are kept as they came, and
//! must be escaped by whoever prints them to a terminal.

use std::fmt;

/// A byte string of at most [`Name::CAPACITY`] bytes, stored without allocation.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name {
    len: u8,
    bytes: [u8; Name::CAPACITY],
}

impl Name {
    /// The longest name kept, in bytes. `TCP_CA_NAME_MAX` and `TCP_ULP_NAME_MAX`
    /// (include/net/tcp.h) are 16 with the final NUL; a longer one is cut.
    pub const CAPACITY: usize = 31;

    const EMPTY: Name = Name { len: 0, bytes: [0; Name::CAPACITY] };

    /// Takes `bytes` up to the first NUL, and at most [`Name::CAPACITY`] of them.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let mut name = Name::EMPTY;
        name.fill(bytes);
        name
    }

    /// The first `N` bytes, zeros behind the name among them, where `N` is at most [`Name::CAPACITY`]: a
    /// fixed number of bytes is copied faster than a variable one.
    #[must_use]
    #[inline]
    pub fn prefix<const N: usize>(&self) -> [u8; N] {
        const { assert!(N <= Name::CAPACITY) };
        self.bytes.first_chunk().copied().unwrap_or([0; N])
    }

    /// `*name = Some(Name::new(bytes))`, in place: a record that is copied right after a part of it
    /// was written makes the processor wait. Once a socket, that shows.
    #[inline]
    pub fn replace(name: &mut Option<Name>, bytes: &[u8]) {
        name.insert(Name::EMPTY).fill(bytes);
    }

    /// Fills an empty name.
    #[inline]
    fn fill(&mut self, bytes: &[u8]) {
        let bytes = bytes.get(..Name::CAPACITY).unwrap_or(bytes);
        let bytes = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        // At most CAPACITY, which fits.
        self.len = bytes.len() as u8;
        if bytes.len() <= 8 {
            let word = bytes.iter().rev().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
            if let Some(front) = self.bytes.first_chunk_mut() {
                *front = word.to_le_bytes();
            }
        } else if let Some(front) = self.bytes.get_mut(..bytes.len()) {
            front.copy_from_slice(bytes);
        }
    }

    /// The name as the kernel gave it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// True for the empty name.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_bytes().escape_ascii())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_filled_up_with_zeros() {
        assert_eq!(Name::new(b"cubic").prefix(), *b"cubic\0\0\0");
        assert_eq!(Name::new(b"cubic").prefix(), *b"cub");
    }

    #[test]
    fn stops_at_the_first_nul_and_at_the_capacity() {
        assert_eq!(Name::new(b"cubic\0junk").as_bytes(), b"cubic");
        for name in ["westwood", "westwood+", "hybla\u{e9}"] {
            assert_eq!(Name::new(name.as_bytes()).as_bytes(), name.as_bytes());
        }
        assert_eq!(Name::new(&[b'x'; 99]).as_bytes().len(), Name::CAPACITY);
        assert!(Name::new(b"\0").is_empty());
    }

    #[test]
    fn escape_sequences_do_not_reach_a_terminal() {
        assert_eq!(Name::new(b"a\x1b[2J").to_string(), r"a\x1b[2J");
    }
}
