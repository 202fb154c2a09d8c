//! Who holds a socket: ` users:(("nginx",pid=1,fd=3),…)`.

use std::path::PathBuf;

use sockeye_model::Owner;
use sockeye_procs::context;

use crate::args::Options;
use crate::escape::Escape;
use crate::number;
use crate::version::Version;

/// How owners are printed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Users {
    pub(crate) version: Version,
    pub(crate) escape: Escape,
    pub(crate) contexts: Contexts,
    /// Where /proc lies.
    pub(crate) root: PathBuf,
}

/// Which SELinux contexts are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Contexts {
    #[default]
    None,
    Processes,
    Both,
}

impl Contexts {
    /// As the command line asks. `ss` counts `-Z` and `-z` and compares the counts bit by bit.
    pub(crate) fn of(options: &Options) -> Contexts {
        match (options.process_contexts, options.socket_contexts) {
            (0, _) => Contexts::None,
            (processes, sockets) if processes & sockets != 0 => Contexts::Both,
            _ => Contexts::Processes,
        }
    }
}

impl Users {
    /// Appends the owners; nothing if there are none.
    pub(crate) fn write(&self, out: &mut Vec<u8>, owners: &[Owner]) {
        let mut before: &[u8] = b" users:((\"";
        for owner in owners {
            out.extend_from_slice(before);
            before = b"),(\"";
            self.command(out, owner.comm.as_bytes());
            out.extend_from_slice(b"\",pid=");
            number::unsigned(out, owner.pid);
            if let Some(tid) = owner.tid {
                out.extend_from_slice(b",tid=");
                number::unsigned(out, tid);
            }
            if self.contexts != Contexts::None {
                out.extend_from_slice(b",proc_ctx=");
                self.context(out, context::of_task(owner));
            }
            out.extend_from_slice(b",fd=");
            number::unsigned(out, owner.fd);
            if self.contexts == Contexts::Both {
                out.extend_from_slice(b",sock_ctx=");
                self.context(out, context::of_socket(&self.root, owner));
            }
        }
        if !owners.is_empty() {
            out.extend_from_slice(b"))");
        }
    }

    /// A name up to its first `)`, as `ss` finds it in /proc/PID/stat. 7.1 prints `.` and `?` for what
    /// is no printable ASCII.
    fn command(&self, out: &mut Vec<u8>, name: &[u8]) {
        let name = name.split(|byte| *byte == b')').next().unwrap_or_default();
        if !self.version.prints_commands_safely() {
            return self.escape.write(out, name);
        }
        out.extend(name.iter().map(|byte| match byte {
            b' '..=b'~' => *byte,
            0x80.. => b'?',
            _ => b'.',
        }));
    }

    fn context(&self, out: &mut Vec<u8>, context: Option<Vec<u8>>) {
        self.escape.write(out, context.as_deref().unwrap_or(b"unavailable"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sockeye_model::Name;

    fn owner(pid: u32, tid: Option<u32>, fd: u32, comm: &[u8]) -> Owner {
        Owner { pid, tid, fd, comm: Name::new(comm) }
    }

    fn written(users: &Users, owners: &[Owner]) -> Vec<u8> {
        let mut out = Vec::new();
        users.write(&mut out, owners);
        out
    }

    #[test]
    fn owners_are_listed_in_the_order_given() {
        let users = Users::default();
        assert_eq!(written(&users, &[]), b"");
        assert_eq!(
            written(&users, &[owner(2, None, 11, b"nginx"), owner(1, None, 6, b"nginx")]),
            br#" users:(("nginx",pid=2,fd=11),("nginx",pid=1,fd=6))"#
        );
        assert_eq!(
            written(&users, &[owner(1, Some(7), 6, b"a b")]),
            br#" users:(("a b",pid=1,tid=7,fd=6))"#
        );
    }

    #[test]
    fn a_name_ends_at_a_parenthesis_and_is_safe_in_the_newer_version() {
        let name = b"e\x1b\n\xff\x7f\"(x)y";
        for (version, escape, name_written) in [
            (Version::V6_1, Escape::Never, &b"e\x1b\n\xff\x7f\"(x"[..]),
            (Version::V6_1, Escape::Controls, br#"e\x1b\x0a\xff\x7f"(x"#),
            (Version::V7_1, Escape::Never, b"e..?.\"(x"),
            (Version::V7_1, Escape::Controls, b"e..?.\"(x"),
        ] {
            let users = Users { version, escape, ..Users::default() };
            let expected = [b" users:((\"", name_written, b"\",pid=1,fd=2))"].concat();
            assert_eq!(written(&users, &[owner(1, None, 2, name)]), expected, "{version:?}");
        }
    }

    #[test]
    fn contexts_that_cannot_be_read_are_unavailable() {
        let nobody = owner(u32::MAX, None, 3, b"x");
        let of = |contexts| written(&Users { contexts, ..Users::default() }, &[nobody]);
        assert_eq!(
            of(Contexts::Processes),
            br#" users:(("x",pid=4294967295,proc_ctx=unavailable,fd=3))"#
        );
        assert_eq!(
            of(Contexts::Both),
            br#" users:(("x",pid=4294967295,proc_ctx=unavailable,fd=3,sock_ctx=unavailable))"#
        );
    }

    #[test]
    fn flags_of_contexts_are_counted() {
        let of = |process_contexts, socket_contexts| {
            Contexts::of(&Options { process_contexts, socket_contexts, ..Options::default() })
        };
        assert_eq!(of(0, 0), Contexts::None);
        assert_eq!(of(1, 0), Contexts::Processes);
        assert_eq!(of(1, 1), Contexts::Both);
        // -zZ
        assert_eq!(of(2, 1), Contexts::Processes);
    }
}
