//! Records as JSON, one object a line, and the schema and documentation of their fields.
//!
//! All three are made from the tables of `sockeye-model`: a field is in each of them or in none.
//!
//! [`Object`] writes straight into one vector: nothing is allocated a record, and what is constant
//! of a field, `,"snd_cwnd":`, is known when it is compiled. Its rules:
//!
//! - An object is one line, and valid JSON (RFC 8259) whatever the record holds. No control
//!   character is in it raw, DEL and C1 included: a terminal has nothing to obey.
//! - What is absent has no key. A value 0 that the kernel told is printed.
//! - Numbers are numbers. Identifiers of 64 bits are strings, `"0x1f"`, since many readers of JSON
//!   keep 53 bits of a number.
//! - Of a name that is not UTF-8, stray bytes are written `\xNN`, and a backslash is doubled, so that
//!   it can be undone; the key `NAME_escaped` with the value true stands behind it.
//! - A name that this version does not know is the kernel's number, as a string.

mod address;
mod documentation;
mod number;
mod object;
mod schema;
mod text;

pub use documentation::documentation;
pub use object::Object;
pub use schema::schema;
