//! Attributes: a checked view of `struct nlattr` that remembers its first error.
//!
//! A decoder reads like a list of fields: it walks the attributes with [`Attributes::next`],
//! takes the values it knows, skips the others (a newer kernel sends more), and asks once, at the
//! end, whether anything was malformed. A value that is too short loses only its own field.
//!
//! ```
//! use sockeye_netlink::Request;
//! # use sockeye_netlink::{Attributes, Messages};
//!
//! let bytes = Request::new(0)
//!     .attr_u8(8, 3)
//!     .attr_str(4, "cubic")
//!     .nested(21, |nest| nest.attr_u32(1, 7))
//!     .to_bytes(0, 0)?;
//! # let message = Messages::new(&bytes).next().unwrap()?;
//! # let mut attrs = message.attributes_after(0);
//! let (mut shutdown, mut congestion, mut id) = (None, None, None);
//! while attrs.next() {
//!     match attrs.kind() {
//!         8 => shutdown = attrs.u8(),
//!         4 => congestion = Some(attrs.str()),
//!         21 => attrs.nested(|inner| {
//!             while inner.next() {
//!                 if inner.kind() == 1 {
//!                     id = inner.u32();
//!                 }
//!             }
//!         }),
//!         _ => {}
//!     }
//! }
//! attrs.end()?;
//! assert_eq!((shutdown, congestion, id), (Some(3), Some(&b"cubic"[..]), Some(7)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use zerocopy::FromBytes;

use crate::format::{FormatError, Part, align};

/// `NLA_F_NESTED`: the value is made of attributes.
pub const NLA_F_NESTED: u16 = 0x8000;
/// `NLA_F_NET_BYTEORDER`: the value is in network byte order.
pub const NLA_F_NET_BYTEORDER: u16 = 0x4000;
/// `NLA_TYPE_MASK`: what remains of `nla_type` without its two flags.
pub const NLA_TYPE_MASK: u16 = !(NLA_F_NESTED | NLA_F_NET_BYTEORDER);

/// Length of an attribute header in bytes.
pub const ATTRIBUTE_HEADER_LEN: usize = 4;

/// A cursor over attributes. It stands before the first one until [`next`](Self::next) is called.
#[derive(Debug, Clone)]
pub struct Attributes<'a> {
    rest: &'a [u8],
    raw_kind: u16,
    value: &'a [u8],
    /// Bytes from the beginning of the current attribute to the end of all.
    left: usize,
    /// Where all end, in bytes from the beginning of the datagram.
    end: usize,
    message: usize,
    error: Option<FormatError>,
}

impl<'a> Attributes<'a> {
    /// Walks the attributes in `bytes`; offsets in errors count from their beginning.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self::within(bytes, 0, 0)
    }

    /// Walks `bytes`, which lie at `offset` of the datagram, in its message number `message`.
    pub(crate) fn within(bytes: &'a [u8], message: usize, offset: usize) -> Self {
        Self {
            rest: bytes,
            raw_kind: 0,
            value: &[],
            // A value begins behind the header of its attribute. The first one is before us yet.
            left: bytes.len() + ATTRIBUTE_HEADER_LEN,
            end: offset.saturating_add(bytes.len()),
            message,
            error: None,
        }
    }

    /// Goes to the next attribute; false at the end, and where the bytes are no attribute any
    /// more (which [`end`](Self::end) then reports).
    #[expect(
        clippy::should_implement_trait,
        reason = "a cursor: the attribute is read from the cursor itself, which keeps the error"
    )]
    #[inline]
    pub fn next(&mut self) -> bool {
        let rest = self.rest;
        let [l0, l1, k0, k1, ..] = *rest else {
            if !rest.is_empty() {
                let offset = self.end.saturating_sub(rest.len());
                self.remember(Part::AttributeHeader, offset, ATTRIBUTE_HEADER_LEN, rest.len());
            }
            return self.stop();
        };
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let raw_kind = u16::from_ne_bytes([k0, k1]);
        let Some(value) = rest.get(ATTRIBUTE_HEADER_LEN..length) else {
            let wanted =
                if length < ATTRIBUTE_HEADER_LEN { ATTRIBUTE_HEADER_LEN } else { rest.len() };
            let part = Part::AttributeLength(raw_kind & NLA_TYPE_MASK);
            self.remember(part, self.end.saturating_sub(rest.len()), wanted, length);
            return self.stop();
        };
        self.raw_kind = raw_kind;
        self.value = value;
        self.left = rest.len();
        self.rest = rest.get(align(length)..).unwrap_or_default();
        true
    }

    /// There is no attribute any more.
    fn stop(&mut self) -> bool {
        self.raw_kind = 0;
        self.value = &[];
        self.rest = &[];
        false
    }

    /// Type of the attribute, without its flags.
    #[inline]
    pub fn kind(&self) -> u16 {
        self.raw_kind & NLA_TYPE_MASK
    }

    /// Whether the kernel marked the attribute as nested. Many nests are not marked.
    pub fn is_nested(&self) -> bool {
        self.raw_kind & NLA_F_NESTED != 0
    }

    /// Where the current attribute's value begins, in bytes from the beginning of the datagram (or
    /// of the bytes that [`Attributes::new`] was given).
    #[must_use]
    pub fn offset(&self) -> usize {
        self.end.saturating_sub(self.left).saturating_add(ATTRIBUTE_HEADER_LEN)
    }

    /// The value, whatever it is.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        self.value
    }

    /// The value up to its first NUL, or all of it where there is none. Nothing is lost: a name
    /// need not be UTF-8.
    pub fn str(&self) -> &'a [u8] {
        match self.value.iter().position(|&byte| byte == 0) {
            Some(end) => self.value.get(..end).unwrap_or_default(),
            None => self.value,
        }
    }

    /// The value as a `u8`.
    pub fn u8(&mut self) -> Option<u8> {
        self.value()
    }

    /// The value as a `u16` in host byte order.
    pub fn u16(&mut self) -> Option<u16> {
        self.value()
    }

    /// The value as a `u32` in host byte order.
    pub fn u32(&mut self) -> Option<u32> {
        self.value()
    }

    /// The value as a `u64` in host byte order.
    pub fn u64(&mut self) -> Option<u64> {
        self.value()
    }

    /// The value as an `i32` in host byte order.
    pub fn i32(&mut self) -> Option<i32> {
        self.value()
    }

    /// The value as a `u16` in network byte order.
    pub fn be16(&mut self) -> Option<u16> {
        self.value().map(u16::from_be_bytes)
    }

    /// The value as a `u32` in network byte order.
    pub fn be32(&mut self) -> Option<u32> {
        self.value().map(u32::from_be_bytes)
    }

    /// The value's beginning as any fixed struct. Longer is normal (a newer kernel); shorter is
    /// remembered as an error and gives `None`. A struct that has grown over the kernel's
    /// versions is better read from [`bytes`](Self::bytes), field by field.
    #[inline]
    pub fn value<T: FromBytes>(&mut self) -> Option<T> {
        if let Ok((value, _)) = T::read_from_prefix(self.value) {
            return Some(value);
        }
        let part = Part::AttributeValue(self.kind());
        self.remember(part, self.offset(), size_of::<T>(), self.value.len());
        None
    }

    /// Hands the attributes inside this one to `decode`; their first error becomes this one's.
    pub fn nested<T>(&mut self, decode: impl FnOnce(&mut Attributes<'a>) -> T) -> T {
        let mut inner = Attributes::within(self.value, self.message, self.offset());
        let decoded = decode(&mut inner);
        if self.error.is_none() {
            self.error = inner.error;
        }
        decoded
    }

    /// The first error so far, for a decoder that is not at its end yet.
    pub fn error(&self) -> Option<FormatError> {
        self.error
    }

    /// Whether everything that was read was well-formed. Attributes that were not reached are not
    /// checked.
    ///
    /// # Errors
    /// The first [`FormatError`] that the walk or a value met.
    pub fn end(self) -> Result<(), FormatError> {
        self.error.map_or(Ok(()), Err)
    }

    #[cold]
    fn remember(&mut self, part: Part, offset: usize, wanted: usize, found: usize) {
        self.error.get_or_insert(FormatError {
            part,
            message: self.message,
            offset,
            wanted,
            found,
        });
    }
}
