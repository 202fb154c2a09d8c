//! A holder holds what it reports, and no more, and leaves nothing behind.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use sockeye_lab::Namespace;
use sockeye_lab::holder::{self, Holder, Holding, Plan, Report, Turnover, WORKER};

#[test]
fn socket_holder() {
    holder::hold_if_asked();
}

const EVERYTHING: Plan<'static> = Plan {
    name: b"(a b)\n\xff",
    sockets: 4,
    copies: &[300, 700],
    threads: &[b"thread"],
    tables: &[b"table"],
    child: Some(b"child"),
    pid_namespace: false,
};

/// The sockets that `/proc` shows of a thread: descriptor and inode number.
fn shown(pid: u32, tid: u32) -> Vec<(u32, u32)> {
    let directory = PathBuf::from(format!("/proc/{pid}/task/{tid}/fd"));
    let mut shown = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let link = std::fs::read_link(entry.path()).unwrap();
        let link = link.to_string_lossy();
        if let Some(number) = link.strip_prefix("socket:[") {
            let fd = entry.file_name().to_str().unwrap().parse().unwrap();
            shown.push((fd, number.trim_end_matches(']').parse().unwrap()));
        }
    }
    shown.sort_unstable();
    shown
}

/// The threads of a report: each thread's holdings stand together.
fn threads(report: &Report) -> Vec<&[Holding]> {
    report.holdings.chunk_by(|a, b| a.tid == b.tid).collect()
}

#[test]
fn a_holder_holds_what_it_reports() {
    let namespace = Namespace::new("holder").unwrap();
    for pid_namespace in [false, true] {
        let plan = Plan { pid_namespace, ..EVERYTHING };
        let holder = Holder::start(&namespace, &plan).unwrap();
        let report = holder.report();
        // A listener, a UDP socket, a connection (2), a listener, and one UDP socket for each table.
        assert_eq!(report.opened.len(), 7);
        let threads = threads(report);
        let names: Vec<&[u8]> = threads.iter().map(|thread| &thread[0].name[..]).collect();
        assert_eq!(names, [plan.name, WORKER, b"thread", b"table", b"child", WORKER]);
        assert_eq!(
            threads.iter().map(|thread| thread.len()).collect::<Vec<_>>(),
            [8, 8, 8, 8, 2, 2]
        );
        for thread in threads {
            let Holding { pid, tid, name, .. } = &thread[0];
            let held: Vec<_> = thread.iter().map(|holding| (holding.fd, holding.inode)).collect();
            assert_eq!(held, shown(*pid, *tid));
            let comm = std::fs::read(format!("/proc/{pid}/task/{tid}/comm")).unwrap();
            assert_eq!(comm, [name, &b"\n"[..]].concat());
        }
        let own = std::fs::read_link(format!("/proc/{}/ns/pid", holder.pid())).unwrap();
        assert_eq!(own != std::fs::read_link("/proc/self/ns/pid").unwrap(), pid_namespace);
        assert!(report.holdings.iter().any(|holding| holding.fd >= 700));
    }
}

#[test]
fn a_holder_and_its_child_end_with_it() {
    let namespace = Namespace::new("ends").unwrap();
    for pid_namespace in [false, true] {
        let holder = Holder::start(&namespace, &Plan { pid_namespace, ..EVERYTHING }).unwrap();
        let pids: Vec<u32> = holder.report().holdings.iter().map(|holding| holding.pid).collect();
        let alive = |pid: &u32| Path::new("/proc").join(pid.to_string()).exists();
        assert!(pids.iter().all(alive));
        drop(holder);
        assert!(!pids.iter().any(alive));
    }
}

#[test]
fn a_turnover_reports_what_it_held() {
    let namespace = Namespace::new("turnover").unwrap();
    let turnover = Turnover::start(&namespace, b"turnover", Duration::from_secs(20)).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let report = turnover.end().unwrap();
    assert!(report.opened.len() > 20, "{}", report.opened.len());
    for opened in &report.opened {
        let holdings = report.holdings.iter().filter(|holding| holding.inode == opened.inode);
        assert!(holdings.clone().count() >= 4);
        assert!(opened.address.is_ipv4() && holdings.clone().all(|holding| holding.pid > 0));
    }
    assert!(report.holdings.iter().any(|holding| holding.name == b"true"));
}
