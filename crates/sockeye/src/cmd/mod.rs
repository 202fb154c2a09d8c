//! The commands, one file each.

pub(crate) mod kill;
pub(crate) mod schema;
pub(crate) mod ss;
