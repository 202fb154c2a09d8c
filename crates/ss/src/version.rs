//! Which `ss` is printed.
//!
//! The output of `ss` changed between releases of iproute2. Where it did, the choice is a method
//! here or a `match` on [`Version`] where the text is written; `docs/ss.md` lists them all.

use std::ffi::OsStr;

/// A release of iproute2 whose `ss` is printed byte for byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Version {
    /// iproute2 6.1, as Debian 12 has it.
    V6_1,
    /// iproute2 7.1, the newest known here.
    #[default]
    V7_1,
}

impl Version {
    /// Every version, oldest first.
    pub const ALL: [Version; 2] = [Version::V6_1, Version::V7_1];

    /// The release's number, as `--iproute2` and `SOCKEYE_IPROUTE2` take it.
    #[must_use]
    pub const fn number(self) -> &'static str {
        match self {
            Version::V6_1 => "6.1",
            Version::V7_1 => "7.1",
        }
    }

    /// The version with this number, `None` for one that is not known here.
    #[must_use]
    pub fn from_number(number: &OsStr) -> Option<Version> {
        Version::ALL.into_iter().find(|version| number == version.number())
    }

    /// True for releases that show bound, inactive TCP sockets (`-B`) and know the two states above
    /// `closing`.
    #[must_use]
    pub(crate) const fn has_bound_inactive(self) -> bool {
        matches!(self, Version::V7_1)
    }

    /// True for releases that take the width from `COLUMNS` where there is no terminal.
    #[must_use]
    pub(crate) const fn honours_columns(self) -> bool {
        matches!(self, Version::V7_1)
    }

    /// True for releases that print `.` and `?` for the bytes of a process's name that are not
    /// printable.
    #[must_use]
    pub(crate) const fn prints_commands_safely(self) -> bool {
        matches!(self, Version::V7_1)
    }

    /// True for releases that keep details apart from the column of processes, and hide that
    /// column unless it was asked for.
    #[must_use]
    pub(crate) const fn has_process_column(self) -> bool {
        matches!(self, Version::V7_1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_trip() {
        for version in Version::ALL {
            assert_eq!(Version::from_number(OsStr::new(version.number())), Some(version));
        }
        assert_eq!(Version::from_number(OsStr::new("6")), None);
    }
}
