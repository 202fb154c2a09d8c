//! What a namespace is called.

use std::borrow::Cow;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// What a namespace is called, by the first of these that it has. Names are ordered so, too, and
/// process ids by their number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Name {
    /// What ip(8) calls it; of several names, the first in their order.
    Named(OsString),
    /// A container whose processes live in it: the first twelve digits of its id, or its name.
    Container(String),
    /// The lowest id of a process in it; or, where threads alone are, of a thread.
    Pid(u32),
    /// Where it is mounted, though nobody lives in it.
    Path(PathBuf),
}

impl Name {
    /// As it is shown: bytes from outside, which a terminal must not see raw.
    #[must_use]
    pub fn to_bytes(&self) -> Cow<'_, [u8]> {
        match self {
            Name::Named(name) => Cow::Borrowed(name.as_bytes()),
            Name::Container(name) => Cow::Borrowed(name.as_bytes()),
            Name::Pid(pid) => Cow::Owned(pid.to_string().into_bytes()),
            Name::Path(path) => Cow::Borrowed(path.as_os_str().as_bytes()),
        }
    }
}
