//! Completeness: a dump reports each socket that lived throughout, once, however much comes and goes.
//!
//! The kernel itself skips a socket when another one leaves the bucket in which a datagram ended: it
//! goes on in that bucket by count (`tcp_diag_dump`). With 1024 buckets for 20 000 sockets nearly
//! every dump misses one or two so, whoever reads it. The namespace here has a table of its own, with
//! a bucket for each socket, so that what were missing would have been lost by the reader.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use sockeye_lab::Namespace;
use sockeye_lab::crowd::{self, Churn, Crowd, Ends, Plan};

/// Sockets that live throughout, two a connection.
const SOCKETS: usize = 20_000;
/// Buckets of the namespace's own hash table of connections: so many that two sockets hardly ever
/// share one.
const BUCKETS: u32 = 1 << 24;
/// Dumps that are looked at.
const DUMPS: usize = 24;

#[test]
fn crowd_holder() {
    crowd::hold_if_asked();
}

#[test]
fn every_socket_that_lived_throughout_is_reported_once() {
    let outer = Namespace::new("table").unwrap();
    outer.set("ipv4/tcp_child_ehash_entries", &BUCKETS.to_string()).unwrap();
    let namespace = outer.run(|| Namespace::new("complete")).unwrap().unwrap();
    let plan = Plan { connections: SOCKETS / 2, processes: 6, ipv6: true };
    let crowd = Crowd::start(&namespace, plan).unwrap();
    let churn: Vec<Churn> = [Ipv4Addr::new(127, 3, 0, 1), Ipv4Addr::new(127, 3, 0, 2)]
        .map(|address| {
            Churn::start(&namespace, (address, 9000).into(), Duration::from_secs(120)).unwrap()
        })
        .into();
    assert_eq!(crowd.sockets().len(), SOCKETS);

    let mut strangers = 0;
    for dump in 1..=DUMPS {
        let rows = rows(&namespace);
        let missing = crowd.sockets().iter().filter(|ends| !rows.contains_key(ends)).count();
        let repeated = crowd.sockets().iter().filter(|ends| rows.get(ends) > Some(&1)).count();
        assert_eq!((missing, repeated), (0, 0), "missing and repeated in dump {dump}");
        strangers += rows.len() - SOCKETS;
    }
    assert!(strangers > 0, "nothing came and went, so this proved nothing");
    drop(churn);
}

/// How often a dump has each pair of addresses.
fn rows(namespace: &Namespace) -> HashMap<Ends, usize> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sockeye"));
    let output = namespace.output(command.args(["ss", "-Htn"])).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
    let mut rows = HashMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let mut columns = line.split_whitespace().skip(3);
        let mut address = || -> SocketAddr {
            let text = columns.next().unwrap_or_default();
            text.parse().unwrap_or_else(|_| panic!("`{text}` is no address in `{line}`"))
        };
        *rows.entry(Ends { local: address(), peer: address() }).or_default() += 1;
    }
    rows
}
