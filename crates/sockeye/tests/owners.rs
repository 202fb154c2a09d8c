//! Owners while processes start, open, share, close and end: no crash, and no wrong owner.
//!
//! Some sockets live throughout, and their owners never change: every dump has to show exactly them.
//! Of sockets that come and go, a dump may show owners or none; whom it shows must be a process that
//! had that socket, by what the processes report of themselves.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use sockeye_lab::Namespace;
use sockeye_lab::holder::{self, EVERY_WAY, Holder, Holding, Opened, Report, Turnover};

/// Dumps as text; for each four of them there is one as JSON.
const DUMPS: usize = 100;

/// This program as a process that holds sockets.
#[test]
fn socket_holder() {
    holder::hold_if_asked();
}

#[test]
fn no_owner_is_wrong_while_processes_come_and_go() {
    let namespace = Namespace::new("soak").unwrap();
    let mut still = Report::default();
    let holders: Vec<Holder> =
        EVERY_WAY.iter().map(|plan| Holder::start(&namespace, plan).unwrap()).collect();
    holders.iter().for_each(|holder| still.extend(holder.report().clone()));
    let turnovers = [b"turnover-1", b"turnover-2"]
        .map(|name| Turnover::start(&namespace, name, Duration::from_secs(120)).unwrap());

    let done = AtomicBool::new(false);
    let (seen, mut moving) = std::thread::scope(|scope| {
        let come_and_go = scope.spawn(|| come_and_go(&namespace, &done));
        let _done = Done(&done);
        let mut seen = Vec::new();
        for dump in 0..DUMPS {
            seen.extend(text(&namespace, &still));
            if dump % 4 == 0 {
                seen.extend(json(&namespace, &still, dump % 8 == 0));
            }
        }
        drop(_done);
        (seen, come_and_go.join().unwrap())
    });
    moving.extend(turnovers.map(|turnover| Family::of(turnover.end().unwrap(), true)));
    for seen in &seen {
        assert_held(seen, &moving);
    }
    let owned = seen.iter().filter(|seen| !seen.owners.is_empty()).count();
    assert!(owned > DUMPS, "{owned} sockets of processes that come and go, so this proved little");
    assert!(moving.len() > 10, "{} processes came and went, so this proved little", moving.len());
}

#[test]
fn a_wrong_owner_would_be_noticed() {
    let holding = |pid, fd, inode| Holding { pid, tid: pid, fd, inode, name: b"x".to_vec() };
    let address = (Ipv4Addr::LOCALHOST, 80).into();
    let report = Report {
        holdings: vec![holding(10, 3, 7), holding(10, 4, 7), holding(11, 0, 7)],
        opened: vec![Opened { inode: 7, tcp: true, address, peer: None }],
    };
    let held = |reports_all, inode, port, owner| {
        let seen = Seen { inode, port, owners: Vec::new() };
        Family::of(report.clone(), reports_all).held(&seen, owner)
    };
    for reports_all in [false, true] {
        assert!(held(reports_all, None, 80, (10, 3)));
        assert!(held(reports_all, Some(7), 80, (10, 4)));
        // The child, when it had just been forked.
        assert!(held(reports_all, Some(7), 80, (11, 3)));
        assert!(!held(reports_all, None, 80, (12, 3)));
        assert!(!held(reports_all, None, 81, (10, 3)));
        assert!(!held(reports_all, Some(8), 81, (10, 3)));
        assert_eq!(held(reports_all, Some(7), 80, (10, 5)), !reports_all);
    }
}

/// Says at its end, also by a panic, that there is nothing more to disturb.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Processes with children and threads, one after the other, and what they held.
fn come_and_go(namespace: &Namespace, done: &AtomicBool) -> Vec<Family> {
    let mut families = Vec::new();
    for plan in EVERY_WAY.iter().cycle() {
        if done.load(Ordering::Relaxed) {
            break;
        }
        let holder = Holder::start(namespace, plan).unwrap();
        families.push(Family::of(holder.report().clone(), false));
    }
    families
}

/// A socket that does not live throughout, in a dump.
#[derive(Debug)]
struct Seen {
    /// Where the dump tells it.
    inode: Option<u32>,
    port: u16,
    /// Process ids and descriptors.
    owners: Vec<(u32, u32)>,
}

/// A process with its children, and all that they ever held. A child that was just forked has every
/// descriptor of its parent for a moment, so any of them may be seen with any socket.
struct Family {
    pids: HashSet<u32>,
    ports: HashSet<u16>,
    inodes: HashSet<u32>,
    /// Descriptors of the parent, which reports all of them: process id, inode number, descriptor.
    exact: Option<(u32, HashSet<(u32, u32)>)>,
}

impl Family {
    fn of(report: Report, reports_all: bool) -> Family {
        let parent = report.holdings.first().map(|holding| holding.pid);
        let own = report.holdings.iter().filter(|holding| Some(holding.pid) == parent);
        let exact = own.map(|holding| (holding.inode, holding.fd)).collect();
        Family {
            pids: report.holdings.iter().map(|holding| holding.pid).collect(),
            ports: report.opened.iter().map(|opened| opened.address.port()).collect(),
            inodes: report.holdings.iter().map(|holding| holding.inode).collect(),
            exact: parent.filter(|_| reports_all).map(|parent| (parent, exact)),
        }
    }

    fn held(&self, seen: &Seen, (pid, fd): (u32, u32)) -> bool {
        let known = seen.inode.filter(|inode| self.inodes.contains(inode));
        if !self.pids.contains(&pid) || known.is_none() && !self.ports.contains(&seen.port) {
            return false;
        }
        match (&self.exact, known) {
            (Some((parent, exact)), Some(inode)) if *parent == pid => exact.contains(&(inode, fd)),
            _ => true,
        }
    }
}

#[track_caller]
fn assert_held(seen: &Seen, families: &[Family]) {
    for owner in &seen.owners {
        let held = families.iter().any(|family| family.held(seen, *owner));
        assert!(held, "{owner:?} is shown as owner of what it did not have: {seen:?}");
    }
}

/// Runs sockeye; if something is missing, it has to say what.
fn sockeye(namespace: &Namespace, flags: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sockeye"));
    let output = namespace.output(command.arg("ss").args(flags)).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let ended_well = match output.status.code() {
        Some(0) => true,
        Some(3) => !said.is_empty(),
        _ => false,
    };
    assert!(ended_well, "{flags:?}: {}: {said}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// Who holds a socket throughout, in the order in which owners are shown.
fn holders(still: &Report, threads: bool, inode: u32) -> Vec<&Holding> {
    let mut holdings: Vec<&Holding> = still
        .holdings
        .iter()
        .filter(|holding| holding.inode == inode && (threads || holding.tid == holding.pid))
        .collect();
    holdings.sort_by_key(|holding| holding.pid);
    holdings.reverse();
    holdings
}

/// Compares a dump with the sockets that live throughout, and gives the others.
fn text(namespace: &Namespace, still: &Report) -> Vec<Seen> {
    let mut expected = HashMap::new();
    for opened in still.opened.iter().filter(|opened| opened.tcp) {
        let owner = |holding: &&Holding| {
            let name = String::from_utf8_lossy(&holding.name);
            // `ss` takes a name to end there.
            let name = name.split(')').next().unwrap_or_default();
            format!("(\"{name}\",pid={},fd={})", holding.pid, holding.fd)
        };
        let owners = holders(still, false, opened.inode);
        let owners: Vec<String> = owners.iter().map(owner).collect();
        let peer = opened.peer.map_or("0.0.0.0:*".to_owned(), |peer| peer.to_string());
        let users = format!("users:({})", owners.join(","));
        expected.insert((opened.address.to_string(), peer), users);
    }

    let mut others = Vec::new();
    for line in sockeye(namespace, &["-Htanp"]).lines() {
        let (row, users) = line.split_at(line.find("users:(").unwrap_or(line.len()));
        let mut columns = row.split_whitespace().skip(3).map(str::to_owned);
        let address = columns.next().unwrap();
        let port = address.parse::<SocketAddr>().unwrap().port();
        match expected.remove(&(address, columns.next().unwrap())) {
            Some(expected) => assert_eq!(users.trim_end(), expected, "{line}"),
            None => others.push(Seen { inode: None, port, owners: numbers(users) }),
        }
    }
    assert!(expected.is_empty(), "not shown: {expected:?}");
    others
}

/// Each `pid=PID,fd=FD`.
fn numbers(users: &str) -> Vec<(u32, u32)> {
    let number = |text: &str| {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        text[..end].parse().unwrap()
    };
    let owners = users.split("\",pid=").skip(1);
    owners.map(|owner| (number(owner), number(owner.split_once(",fd=").unwrap().1))).collect()
}

/// As [`text`], with UDP and the inode numbers.
fn json(namespace: &Namespace, still: &Report, threads: bool) -> Vec<Seen> {
    let opened = |inode: u32| still.opened.iter().any(|opened| opened.inode == inode);
    let number = |value: &Value, name: &str| value[name].as_u64().unwrap() as u32;
    let mut shown = 0;
    let mut others = Vec::new();
    let flags = if threads { "-tuapT" } else { "-tuap" };
    for line in sockeye(namespace, &[flags, "--json"]).lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let inode = number(&line, "inode");
        let owners = line["owners"].as_array().unwrap();
        if opened(inode) {
            shown += 1;
            let owner = |holding: &&Holding| {
                let comm = String::from_utf8_lossy(&holding.name);
                let tid = threads.then_some(holding.tid);
                (holding.pid, tid, holding.fd, comm.into_owned())
            };
            let expected: Vec<_> = holders(still, threads, inode).iter().map(owner).collect();
            let owner = |owner: &Value| {
                let tid = owner.get("tid").map(|_| number(owner, "tid"));
                let comm = owner["comm"].as_str().unwrap().to_owned();
                (number(owner, "pid"), tid, number(owner, "fd"), comm)
            };
            assert_eq!(owners.iter().map(owner).collect::<Vec<_>>(), expected, "{line}");
        } else {
            let owner = |owner: &Value| (number(owner, "pid"), number(owner, "fd"));
            others.push(Seen {
                inode: Some(inode),
                port: number(&line, "local_port") as u16,
                owners: owners.iter().map(owner).collect(),
            });
        }
    }
    assert_eq!(shown, still.opened.len());
    others
}
