//! One object: the fields of a record, written as they are visited.

use std::marker::PhantomData;
use std::net::IpAddr;

use sockeye_model::field::{Field, Flags, Record, Row, Visitor, Word};

use crate::{address, number, text};

/// An object that is being written.
///
/// ```
/// use sockeye_json::Object;
/// use sockeye_model::{Context, Protocol, Socket};
///
/// let mut out = Vec::new();
/// let mut object = Object::open(&mut out);
/// object.part(&Socket::new(Protocol::TCP)).part(&Context::default());
/// object.close();
/// assert!(out.starts_with(br#"{"family":"inet","protocol":"tcp","state":"close""#));
/// ```
#[derive(Debug)]
pub struct Object<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> Object<'a> {
    /// Begins an object at the end of `out`.
    #[inline]
    pub fn open(out: &'a mut Vec<u8>) -> Self {
        Object { start: out.len(), out }
    }

    /// Appends the fields of `record`.
    #[inline]
    pub fn part(&mut self, record: &impl Record) -> &mut Self {
        record.visit(&mut Fields { out: self.out });
        self
    }

    /// Appends one number under the name of a field, where there is no record of it.
    pub fn number(&mut self, field: &Field, value: u64) -> &mut Self {
        self.out.extend_from_slice(b",\"");
        self.out.extend_from_slice(field.name.as_bytes());
        self.out.extend_from_slice(b"\":");
        number::unsigned(self.out, value);
        self
    }

    /// Ends the object. A line feed is the caller's.
    #[inline]
    pub fn close(self) {
        // Every field begins with a comma, the first one too.
        match self.out.get_mut(self.start) {
            Some(comma) => *comma = b'{',
            None => self.out.push(b'{'),
        }
        self.out.push(b'}');
    }
}

/// What is constant of a field, as its row tells.
struct Key<R>(PhantomData<R>);

impl<R: Row> Key<R> {
    /// `,"name":`
    const PLAIN: &'static [u8] = Self::QUOTED.bytes();
    /// `,"name_escaped":`
    const ESCAPED: &'static [u8] = Self::QUOTED_ESCAPED.bytes();

    const QUOTED: &'static Quoted = &Quoted::new(R::FIELD.name, "");
    const QUOTED_ESCAPED: &'static Quoted = &Quoted::new(R::FIELD.name, "_escaped");
}

/// A key with the comma before it and the colon behind.
struct Quoted {
    bytes: [u8; 64],
    len: usize,
}

impl Quoted {
    /// Used at compile time alone: a name that is too long, or would have to be escaped, does not
    /// compile.
    const fn new(name: &str, suffix: &str) -> Self {
        Quoted { bytes: [0; 64], len: 0 }
            .with(",\"")
            .with(name)
            .with(suffix)
            .with("\":")
            .checked(name)
    }

    const fn with(mut self, text: &str) -> Self {
        let mut index = 0;
        while index < text.len() {
            self.bytes[self.len] = text.as_bytes()[index];
            self.len += 1;
            index += 1;
        }
        self
    }

    const fn checked(self, name: &str) -> Self {
        let mut index = 0;
        while index < name.len() {
            assert!(matches!(name.as_bytes()[index], b'a'..=b'z' | b'0'..=b'9' | b'_'));
            index += 1;
        }
        self
    }

    const fn bytes(&self) -> &[u8] {
        self.bytes.split_at(self.len).0
    }
}

/// Appends the names of the bits that are set.
fn names(out: &mut Vec<u8>, names: &[&str], mut bits: u32) {
    let start = out.len();
    while bits != 0 {
        let bit = bits.trailing_zeros();
        bits &= bits - 1;
        out.extend_from_slice(b",\"");
        match names.get(bit as usize) {
            Some(name) => out.extend_from_slice(name.as_bytes()),
            None => number::unsigned(out, bit.into()),
        }
        out.push(b'"');
    }
    match out.get_mut(start) {
        Some(comma) => *comma = b'[',
        None => out.push(b'['),
    }
    out.push(b']');
}

/// Writes fields, each behind a comma.
struct Fields<'a> {
    out: &'a mut Vec<u8>,
}

impl Fields<'_> {
    #[inline(always)]
    fn key<R: Row>(&mut self) {
        self.out.extend_from_slice(Key::<R>::PLAIN);
    }

    #[inline]
    fn quoted(&mut self, name: &str) {
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(b'"');
    }
}

impl Visitor for Fields<'_> {
    #[inline]
    fn unsigned<R: Row>(&mut self, value: u64) {
        self.key::<R>();
        number::unsigned(self.out, value);
    }

    #[inline]
    fn boolean<R: Row>(&mut self, value: bool) {
        self.key::<R>();
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    #[inline]
    fn word<R: Row, W: Word>(&mut self, value: W) {
        self.key::<R>();
        match value.name() {
            Some(name) => self.quoted(name),
            None => {
                self.out.push(b'"');
                number::unsigned(self.out, value.number());
                self.out.push(b'"');
            }
        }
    }

    #[inline]
    fn flags<R: Row, F: Flags>(&mut self, value: F) {
        self.key::<R>();
        names(self.out, F::NAMES, value.bits());
    }

    #[inline]
    fn bytes<R: Row>(&mut self, value: &[u8]) {
        self.key::<R>();
        self.out.push(b'"');
        let escaped = text::write(self.out, value);
        self.out.push(b'"');
        if escaped {
            self.out.extend_from_slice(Key::<R>::ESCAPED);
            self.out.extend_from_slice(b"true");
        }
    }

    #[inline]
    fn id<R: Row>(&mut self, value: u64) {
        self.key::<R>();
        self.out.push(b'"');
        number::hex(self.out, value);
        self.out.push(b'"');
    }

    #[inline]
    fn address<R: Row>(&mut self, value: IpAddr) {
        self.key::<R>();
        self.out.push(b'"');
        address::write(self.out, value);
        self.out.push(b'"');
    }

    fn records<R: Row, T: Record>(&mut self, values: &[T]) {
        self.key::<R>();
        self.out.push(b'[');
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            let mut object = Object::open(self.out);
            object.part(value);
            object.close();
        }
        self.out.push(b']');
    }
}
