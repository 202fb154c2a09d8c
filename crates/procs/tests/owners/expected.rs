//! What a search has to give, from what the processes reported.

use std::collections::BTreeSet;

use sockeye_lab::holder::Report;
use sockeye_model::{Name, Owner};
use sockeye_procs::{HAS_BPF, Owners, Search, Sought, Way};

/// The ways that this build has.
pub(crate) const WAYS: &[Way] =
    if HAS_BPF { &[Way::Proc, Way::Bpf, Way::Any] } else { &[Way::Proc] };

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
    let number = match sought {
        Sought::All => "all".to_owned(),
        Sought::Sockets(sought) => sought.len().to_string(),
    };
    for way in WAYS {
        let found = Search::new().threads(threads).way(*way).run(sought).unwrap();
        for inode in &inodes {
            let is_sought = match sought {
                Sought::All => true,
                Sought::Sockets(sought) => sought.contains(inode),
            };
            let expected = if is_sought { owners(report, threads, *inode) } else { Vec::new() };
            let found = of(&found, *inode);
            assert_eq!(found, expected, "{inode} by {way:?}, threads: {threads}, {number} sought");
        }
    }
}

pub(crate) fn of(owners: &Owners, inode: u32) -> Vec<Owner> {
    owners.of(inode).collect()
}
