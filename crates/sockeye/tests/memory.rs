//! Memory: `sockeye ss` stays small however many sockets there are.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::process::Command;

use sockeye_lab::crowd::{self, Crowd, Plan};
use sockeye_lab::{Namespace, measure};

/// Sockets, two a connection.
const SOCKETS: usize = 200_000;
/// Most peak resident memory, bytes: 12 MB.
const MOST: u64 = 12_000_000;

#[test]
fn crowd_holder() {
    crowd::hold_if_asked();
}

#[test]
fn at_most_12_megabytes_with_200_000_sockets() {
    let namespace = Namespace::new("memory").unwrap();
    let plan = Plan { connections: SOCKETS / 2, processes: 12, ipv6: false };
    let crowd = Crowd::start(&namespace, plan).unwrap();
    assert_eq!(crowd.sockets().len(), SOCKETS);
    for flags in ["-Htn", "-Htni", "-tinmoe", "-t --json"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sockeye"));
        command.arg("ss").args(flags.split(' '));
        let peak = measure::peak(&namespace, command).unwrap();
        assert!(peak.status.success(), "{flags}: {}", peak.status);
        assert!(peak.written > 50 * SOCKETS as u64, "{flags} wrote too little: {peak:?}");
        println!("{flags}: {} bytes resident, {} bytes written", peak.resident, peak.written);
        assert!(peak.resident <= MOST, "{flags}: {} bytes, at most {MOST}", peak.resident);
    }
}
