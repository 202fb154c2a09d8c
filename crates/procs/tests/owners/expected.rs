//! What a search has to give, from what the processes reported.

use std::collections::BTreeSet;

use sockeye_lab::holder::{Plan, Report};
use sockeye_model::{Name, Owner};
use sockeye_procs::{HAS_BPF, Owners, Search, Sought, Way};

/// The ways that this build has.
pub(crate) const WAYS: &[Way] =
    if HAS_BPF { &[Way::Proc, Way::Bpf, Way::Any] } else { &[Way::Proc] };

/// Every way in which these tests know a process to hold sockets, one each.
pub(crate) const PLANS: &[Plan<'static>] = &[
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
        threads: &[b"shares", b"\x1b[31m"],
        tables: &[b"has its own", b""],
        child: Some(b"inner child"),
        pid_namespace: true,
    },
];

/// Names as no well-meaning program has them, as far as the kernel takes them.
pub(crate) const NAMES: &[&[u8]] = &[
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

const NOTHING: Plan<'static> = Plan {
    name: b"",
    sockets: 0,
    copies: &[],
    threads: &[],
    tables: &[],
    child: None,
    pid_namespace: false,
};

/// The sockets of a report, also those that one thread alone has.
pub(crate) fn inodes(report: &Report) -> BTreeSet<u32> {
    report.holdings.iter().map(|holding| holding.inode).collect()
}

/// The owners of a socket by the reports: the last process comes first, of each process the thread
/// that was started last, of each thread the highest descriptor.
pub(crate) fn owners(report: &Report, threads: bool, inode: u32) -> Vec<Owner> {
    let mut holdings: Vec<_> = report.holdings.iter().collect();
    holdings.sort_by_key(|holding| holding.pid);
    holdings
        .into_iter()
        .rev()
        .filter(|holding| holding.inode == inode && (threads || holding.tid == holding.pid))
        .map(|holding| Owner {
            pid: holding.pid,
            tid: threads.then_some(holding.tid),
            fd: holding.fd,
            comm: Name::new(&holding.name),
        })
        .collect()
}

/// Looks for owners in each way that there is, and compares what is found of every socket reported.
#[track_caller]
pub(crate) fn assert_found(report: &Report, threads: bool, sought: Sought<'_>) {
    let inodes = inodes(report);
    assert!(!inodes.is_empty());
    for way in WAYS {
        let found = Search::new().threads(threads).way(*way).run(sought).unwrap();
        let context = format!("{way:?}, threads: {threads}, {sought:?}");
        for inode in &inodes {
            let is_sought = match sought {
                Sought::All => true,
                Sought::Sockets(sought) => sought.contains(inode),
            };
            let expected = if is_sought { owners(report, threads, *inode) } else { Vec::new() };
            assert_eq!(of(&found, *inode), expected, "{inode} ({context})");
        }
        assert_eq!(found.unseen(), 0, "root sees every process ({context})");
    }
}

pub(crate) fn of(owners: &Owners, inode: u32) -> Vec<Owner> {
    owners.of(inode).collect()
}
