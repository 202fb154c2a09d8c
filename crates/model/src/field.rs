//! What the fields of a record are: the one table from which every face of it is made.
//!
//! A record ([`Record`]) hands its fields to a [`Visitor`], each with its [`Row`]: name, meaning,
//! unit, the kernel's name, since when. JSON, its schema and the documentation are visitors of the
//! same tables or read them ([`Table::FIELDS`]). A visitor is monomorphised over the rows, so that
//! what it makes of a field's name is known when it is compiled.
//!
//! What is absent is not visited. Names of fields never change within a major version.

use std::net::IpAddr;

/// What a field is: the row of its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// The field's name, with its unit.
    pub name: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// Unit; empty for what has none.
    pub unit: &'static str,
    /// The kernel's name.
    pub kernel: &'static str,
    /// The first kernel version that tells it; empty for what no kernel tells.
    pub since: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// It is never absent where its part of the record is there.
    pub always: bool,
}

/// What the values of a field are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number from 0 that fits into so many bits.
    Unsigned(u8),
    /// True or false.
    Boolean,
    /// One of these names, or the number of one that this version does not know.
    Word(&'static [&'static str]),
    /// Any of these names, one a bit from the lowest on, or the numbers of bits that this version
    /// does not know.
    Flags(&'static [&'static str]),
    /// A name from outside: bytes without a promise of UTF-8.
    Bytes,
    /// An identifier of 64 bits.
    Id,
    /// An IPv4 or IPv6 address.
    Address,
    /// A list of records with these fields.
    Records(&'static [Field]),
}

/// A field as a type: what a visitor may know of it at compile time.
pub trait Row {
    /// The field.
    const FIELD: Field;
}

/// What is handed the fields of a record.
pub trait Visitor {
    /// A number.
    fn unsigned<R: Row>(&mut self, value: u64);
    /// True or false.
    fn boolean<R: Row>(&mut self, value: bool);
    /// One of several names.
    fn word<R: Row, W: Word>(&mut self, value: W);
    /// A set of names.
    fn flags<R: Row, F: Flags>(&mut self, value: F);
    /// A name from outside.
    fn bytes<R: Row>(&mut self, value: &[u8]);
    /// An identifier.
    fn id<R: Row>(&mut self, value: u64);
    /// An address.
    fn address<R: Row>(&mut self, value: IpAddr);
    /// A list of records.
    fn records<R: Row, T: Record>(&mut self, values: &[T]);
}

/// A record, or a part of one.
pub trait Record {
    /// Hands over each field that is there, in the order of its table.
    fn visit<V: Visitor>(&self, visitor: &mut V);
}

/// A record with a table of its own.
pub trait Table: Record {
    /// The fields, in order; parts that have tables of their own are not among them.
    const FIELDS: &'static [Field];
}

/// A part of a record, with its fields: a chapter of the documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section {
    /// What the part is.
    pub title: &'static str,
    /// When it is there.
    pub when: &'static str,
    /// Its fields.
    pub fields: &'static [Field],
}

/// A number with names for some values.
pub trait Word: Copy {
    /// All names.
    const NAMES: &'static [&'static str];
    /// The name, `None` where this version knows none.
    fn name(self) -> Option<&'static str>;
    /// The kernel's number.
    fn number(self) -> u64;
}

/// A set of bits with names for the lowest ones.
pub trait Flags: Copy {
    /// A name for each bit, from the lowest.
    const NAMES: &'static [&'static str];
    /// The bits.
    fn bits(self) -> u32;
}

/// An identifier of 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Id(pub u64);

/// What may stand in a row of a table.
pub trait Value: Sized {
    /// What a field of this type is.
    const KIND: Kind;
    /// It cannot be absent.
    const ALWAYS: bool = true;
    /// Hands itself over, if it is there.
    fn visit<R: Row, V: Visitor>(self, visitor: &mut V);
}

impl<T: Value> Value for Option<T> {
    const KIND: Kind = T::KIND;
    const ALWAYS: bool = false;
    #[inline]
    fn visit<R: Row, V: Visitor>(self, visitor: &mut V) {
        if let Some(value) = self {
            value.visit::<R, V>(visitor);
        }
    }
}

macro_rules! values {
    ($($type:ty: $kind:expr, $value:ident, $visitor:ident => $visit:expr;)+) => {
        $(impl Value for $type {
            const KIND: Kind = $kind;
            #[inline]
            fn visit<R: Row, V: Visitor>(self, $visitor: &mut V) {
                let $value = self;
                $visit
            }
        })+
    };
}

values! {
    u8: Kind::Unsigned(8), value, visitor => visitor.unsigned::<R>(value.into());
    u16: Kind::Unsigned(16), value, visitor => visitor.unsigned::<R>(value.into());
    u32: Kind::Unsigned(32), value, visitor => visitor.unsigned::<R>(value.into());
    u64: Kind::Unsigned(64), value, visitor => visitor.unsigned::<R>(value);
    bool: Kind::Boolean, value, visitor => visitor.boolean::<R>(value);
    Id: Kind::Id, value, visitor => visitor.id::<R>(value.0);
    IpAddr: Kind::Address, value, visitor => visitor.address::<R>(value);
    &[u8]: Kind::Bytes, value, visitor => visitor.bytes::<R>(value);
}

impl<T: Table> Value for &[T] {
    const KIND: Kind = Kind::Records(T::FIELDS);
    #[inline]
    fn visit<R: Row, V: Visitor>(self, visitor: &mut V) {
        visitor.records::<R, T>(self);
    }
}

/// Lets types that are [`Word`]s stand in a table.
macro_rules! word_values {
    ($($type:ty),+ $(,)?) => {
        $(impl $crate::field::Value for $type {
            const KIND: $crate::field::Kind =
                $crate::field::Kind::Word(<$type as $crate::field::Word>::NAMES);
            #[inline]
            fn visit<R: $crate::field::Row, V: $crate::field::Visitor>(self, visitor: &mut V) {
                visitor.word::<R, $type>(self);
            }
        })+
    };
}

/// A [`Word`] of the kernel's numbers, each with its name.
macro_rules! words {
    ($($(#[$doc:meta])+ $type:ident($number:ty): $($value:literal $name:literal),+;)+) => {
        $(
            $(#[$doc])+
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
            pub struct $type(pub $number);

            impl $crate::field::Word for $type {
                const NAMES: &'static [&'static str] = &[$($name),+];
                #[inline]
                fn name(self) -> Option<&'static str> {
                    match self.0 {
                        $($value => Some($name),)+
                        _ => None,
                    }
                }
                #[inline]
                fn number(self) -> u64 {
                    self.0.into()
                }
            }

            impl From<$number> for $type {
                fn from(number: $number) -> Self {
                    $type(number)
                }
            }

            $crate::field::word_values!($type);
        )+
    };
}

/// Lets types that are [`Flags`] stand in a table.
macro_rules! flag_values {
    ($($type:ty),+ $(,)?) => {
        $(impl $crate::field::Value for $type {
            const KIND: $crate::field::Kind =
                $crate::field::Kind::Flags(<$type as $crate::field::Flags>::NAMES);
            #[inline]
            fn visit<R: $crate::field::Row, V: $crate::field::Visitor>(self, visitor: &mut V) {
                visitor.flags::<R, $type>(self);
            }
        })+
    };
}

/// [`Flags`] of the kernel's bits, from the lowest.
macro_rules! flags {
    ($($(#[$doc:meta])+ $type:ident($number:ty): $($name:literal),+;)+) => {
        $(
            $(#[$doc])+
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
            pub struct $type(pub $number);

            impl $crate::field::Flags for $type {
                const NAMES: &'static [&'static str] = &[$($name),+];
                #[inline]
                fn bits(self) -> u32 {
                    self.0.into()
                }
            }

            impl From<$number> for $type {
                fn from(number: $number) -> Self {
                    $type(number)
                }
            }

            $crate::field::flag_values!($type);
        )+
    };
}

/// The table of a record. A row is the field's meaning, its name, its type, the value, unit, the
/// kernel's name, and the first kernel that tells it. The pattern takes the record apart by name, so
/// that a field that is in no row is an unused variable. `then` names the parts that have tables of
/// their own.
macro_rules! fields {
    (
        $record:ty, $this:pat => {
            $($(#[doc = $doc:literal])+
            $name:ident: $type:ty = $value:expr, $unit:literal, $kernel:literal, $since:literal;)+
        }
        $(then { $($part:ident),+ })?
    ) => {
        impl $crate::field::Table for $record {
            const FIELDS: &'static [$crate::field::Field] = &[$($crate::field::fields!(
                @field $name, $type, concat!($($doc),+), $unit, $kernel, $since
            )),+];
        }

        impl $crate::field::Record for $record {
            #[inline]
            fn visit<V: $crate::field::Visitor>(&self, visitor: &mut V) {
                let $this = self;
                $({
                    enum Row {}
                    impl $crate::field::Row for Row {
                        const FIELD: $crate::field::Field = $crate::field::fields!(
                            @field $name, $type, concat!($($doc),+), $unit, $kernel, $since
                        );
                    }
                    <$type as $crate::field::Value>::visit::<Row, V>($value, visitor);
                })+
                $($(if let Some(part) = $part {
                    $crate::field::Record::visit(part, visitor);
                })+)?
            }
        }
    };
    (@field $name:ident, $type:ty, $doc:expr, $unit:literal, $kernel:literal, $since:literal) => {
        $crate::field::Field {
            name: stringify!($name),
            meaning: $doc.trim_ascii(),
            unit: $unit,
            kernel: $kernel,
            since: $since,
            kind: <$type as $crate::field::Value>::KIND,
            always: <$type as $crate::field::Value>::ALWAYS,
        }
    };
}

pub(crate) use {fields, flag_values, flags, word_values, words};
