//! The commands, one file each.

pub(crate) mod kill;
mod netns;
pub(crate) mod schema;
pub(crate) mod ss;
