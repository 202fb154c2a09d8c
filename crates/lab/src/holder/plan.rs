//! In which ways a process may hold sockets.

use std::fmt::Write as _;

use super::report::to_hex;

/// How a process holds sockets. All names are of 15 bytes at most, without NUL.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plan<'a> {
    /// The name (`comm`) that the process gives itself.
    pub name: &'a [u8],
    /// How many sockets it opens: a TCP listener, a UDP socket and a TCP connection to the listener
    /// (which are two sockets), and so on. When everything else is done it opens one UDP socket more.
    pub sockets: usize,
    /// The first socket gets a further descriptor at or above each of these numbers.
    pub copies: &'a [u32],
    /// Further threads, by their names. (A test harness has another one besides: [`WORKER`](super::WORKER).)
    pub threads: &'a [&'a [u8]],
    /// Threads with a file table of their own, by their names: a copy of the process's, without the
    /// last UDP socket, and with a UDP socket that no other thread has.
    pub tables: &'a [&'a [u8]],
    /// A child of this name, which has the first socket as its standard input and the second one at
    /// the number that it has here.
    pub child: Option<&'a [u8]>,
    /// The process is the first one of a PID namespace of its own.
    pub pid_namespace: bool,
}

impl Plan<'_> {
    /// The task of the process that is started for it.
    pub(super) fn to_words(self) -> String {
        let names = |names: &[&[u8]]| names.iter().map(|name| to_hex(name)).collect::<Vec<_>>();
        let mut words = format!("hold name={} sockets={}", to_hex(self.name), self.sockets);
        let copies: Vec<String> = self.copies.iter().map(ToString::to_string).collect();
        let child: Vec<String> = self.child.iter().map(|name| to_hex(name)).collect();
        for (key, values) in [
            ("copies", copies),
            ("threads", names(self.threads)),
            ("tables", names(self.tables)),
            ("child", child),
        ] {
            if !values.is_empty() {
                let _ = write!(words, " {key}={}", values.join(","));
            }
        }
        words
    }
}

const NOTHING: Plan<'static> = Plan {
    name: b"",
    sockets: 0,
    copies: &[],
    threads: &[],
    tables: &[],
    child: None,
    pid_namespace: false,
};

/// A process for each way to hold sockets, and one for all of them together. No name has a character
/// that a terminal would take for something else.
pub const EVERY_WAY: &[Plan<'static>] = &[
    Plan { name: b"plain", sockets: 4, ..NOTHING },
    Plan { name: b"copies", sockets: 2, copies: &[20, 20, 256, 300, 700, 1000], ..NOTHING },
    Plan { name: b"parent", sockets: 5, child: Some(b"child"), ..NOTHING },
    Plan { name: b"many (of all)", sockets: 40, child: Some(b"also"), ..NOTHING },
    Plan { name: b"threads", sockets: 3, threads: &[b"one", b"two", b"three"], ..NOTHING },
    Plan {
        name: b"tables",
        sockets: 3,
        threads: &[b"as it"],
        tables: &[b"own", b"owner"],
        ..NOTHING
    },
    Plan { name: b"inner", sockets: 3, pid_namespace: true, ..NOTHING },
    Plan {
        name: b"inner with all",
        sockets: 6,
        copies: &[255, 256, 701],
        threads: &[b"shares", b"\"quotes\""],
        tables: &[b"has its own", b""],
        child: Some(b"inner child"),
        pid_namespace: true,
    },
];

/// Names as no well-meaning program has them, as far as the kernel takes them. `/proc/PID/stat`, where
/// `ss` 6.1 has room for 15 bytes, shows none of them as longer.
pub const HOSTILE_NAMES: &[&[u8]] = &[
    b"",
    b" ",
    b"two words",
    b" around ",
    b"(sd-pam)",
    b")",
    b") 1 (",
    b"\"quoted\"",
    b"it's",
    b"new\nline",
    b"\n",
    b"tab\tstop",
    b"back\\slash",
    b"\x1b[31mred\x1b[0m",
    b"\x07\x7f\r",
    b"\xff\xfe\x80",
    b"gr\xc3\xbc\xc3\x9fe",
    b"15 bytes of it!",
    b"100% %s %n",
];
