//! Memory: `sockeye ss` stays small however many sockets there are.
//!
//! What it keeps of each is its cookie; with `-p`, its owners; and, where both families are shown, of an IPv6 TCP socket what
//! the kernel told, until the IPv4 ones have been printed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::process::Command;

use sockeye_lab::crowd::{self, Crowd, Plan};
use sockeye_lab::{Namespace, measure};

/// Sockets, two a connection.
const SOCKETS: usize = 200_000;
/// Most peak resident memory, bytes: 12 MB.
const MOST: u64 = 12_000_000;
/// The same with the owners of all sockets: 40 MB.
const MOST_WITH_OWNERS: u64 = 40_000_000;

#[test]
fn crowd_holder() {
    crowd::hold_if_asked();
}

#[test]
fn at_most_12_megabytes_with_200_000_sockets_and_40_with_owners() {
    let namespace = Namespace::new("memory").unwrap();
    let plan = Plan { connections: SOCKETS / 2, processes: 12, ipv6: false };
    let crowd = Crowd::start(&namespace, plan).unwrap();
    assert_eq!(crowd.sockets().len(), SOCKETS);
    for (flags, most) in [
        ("-Htn", MOST),
        ("-Htni", MOST),
        ("-tinmoe", MOST),
        ("-t --json", MOST),
        ("-Htnp", MOST_WITH_OWNERS),
        ("-HtnpT", MOST_WITH_OWNERS),
        ("-tp --json", MOST_WITH_OWNERS),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sockeye"));
        command.arg("ss").args(flags.split(' '));
        let peak = measure::peak(&namespace, command).unwrap();
        assert!(peak.status.success(), "{flags}: {}", peak.status);
        assert!(peak.written > 50 * SOCKETS as u64, "{flags} wrote too little: {peak:?}");
        println!("{flags}: {} bytes resident, {} bytes written", peak.resident, peak.written);
        assert!(peak.resident <= most, "{flags}: {} bytes, at most {most}", peak.resident);
    }
}

#[test]
fn of_both_families_ipv6_is_held_and_nothing_more() {
    let namespace = Namespace::new("memory6").unwrap();
    let plan = Plan { connections: SOCKETS / 4, processes: 6, ipv6: true };
    let crowd = Crowd::start(&namespace, plan).unwrap();
    let ipv6 = crowd.sockets().iter().filter(|ends| ends.local.is_ipv6()).count() as u64;
    assert_eq!((crowd.sockets().len(), ipv6), (SOCKETS / 2, SOCKETS as u64 / 4));
    // Bytes of a socket's message: the kernel's, which are 132 and 416 now, and some to grow.
    for (flags, message) in [("-Htn", 150), ("-Htni", 450), ("-Ht6ni", 0)] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sockeye"));
        command.args(["ss", flags]);
        let peak = measure::peak(&namespace, command).unwrap();
        assert!(peak.status.success(), "{flags}: {}", peak.status);
        assert!(peak.written > 50 * ipv6, "{flags} wrote too little: {peak:?}");
        println!("{flags}: {} bytes resident, {} bytes written", peak.resident, peak.written);
        let most = MOST + ipv6 * message;
        assert!(peak.resident <= most, "{flags}: {} bytes, at most {most}", peak.resident);
    }
}
