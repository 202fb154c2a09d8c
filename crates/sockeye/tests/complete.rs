//! `--complete`: no socket that lived throughout is missing, and none comes twice, where sockets of the
//! same bucket come and go.
//!
//! The kernel goes on with a dump by counting sockets in a bucket. With thousands that share an address
//! it misses some and repeats others, without a flag or an error, and so does who prints what it says.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::collections::HashMap;
use std::process::{Command, Output};

use sockeye_lab::Namespace;
use sockeye_lab::reuseport::{Group, Kind};

/// Sockets that live throughout.
const SOCKETS: usize = 3000;
/// Dumps that are looked at, each tool's.
const DUMPS: usize = 40;
/// Dumps in which `ss` has to miss and to repeat a socket, at most: on an idle host it does both in 40.
const DUMPS_OF_SS: usize = 600;

#[test]
fn udp_sockets_in_one_bucket() {
    every_socket_is_told_once(Kind::Udp, "-Huane");
}

#[test]
fn tcp_listeners_in_one_bucket() {
    every_socket_is_told_once(Kind::Tcp, "-Htlne");
}

fn every_socket_is_told_once(kind: Kind, flags: &str) {
    let namespace = Namespace::new("bucket").unwrap();
    let group = Group::start(&namespace, kind, SOCKETS, 2).unwrap();
    let inodes: Vec<u64> =
        group.sockets().iter().map(|socket| rustix::fs::fstat(socket).unwrap().st_ino).collect();

    for dump in 1..=DUMPS {
        let json = dump % 4 == 0;
        let mut command = Command::new(env!("CARGO_BIN_EXE_sockeye"));
        command.args(["ss", flags, "--complete"]).args(json.then_some("--json"));
        let output = namespace.output(&mut command).unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        // It says how sure it is; and while sockets come and go, it is not.
        match output.status.code() {
            Some(0) => assert!(said.contains("complete: two passes agree"), "{said}"),
            Some(3) => assert!(said.contains("passes did not agree"), "{said}"),
            other => panic!("{other:?}: {said}"),
        }
        let told = told(&output, json);
        let missing = inodes.iter().filter(|inode| !told.contains_key(inode)).count();
        let repeated = told.iter().filter(|(inode, times)| **inode != 0 && **times > 1).count();
        assert_eq!((missing, repeated), (0, 0), "missing and repeated in dump {dump}: {said}");

        // Without --complete, none comes twice.
        let mut command = Command::new(env!("CARGO_BIN_EXE_sockeye"));
        let once = told_by(&namespace, command.args(["ss", flags]));
        let repeated = once.iter().filter(|(inode, times)| **inode != 0 && **times > 1).count();
        assert_eq!(repeated, 0, "repeated in dump {dump} without --complete");
    }

    // What was told once was told so while others came and went.
    let turns = group.turns();
    assert!(turns > 0, "nothing came or went");

    let (mut missed, mut repeated, mut dumps) = (0, 0, 0);
    while (missed == 0 || repeated == 0) && dumps < DUMPS_OF_SS || dumps < DUMPS {
        let told = told_by(&namespace, Command::new("ss").arg(flags));
        missed += usize::from(inodes.iter().any(|inode| !told.contains_key(inode)));
        repeated += usize::from(inodes.iter().any(|inode| told.get(inode) > Some(&1)));
        dumps += 1;
    }
    println!(
        "{kind:?}: of {dumps} dumps of ss, {missed} missed sockets and {repeated} repeated some; {} came and went",
        group.turns()
    );
    assert!(group.turns() > turns, "nothing came or went beside ss");
    assert!(missed > 0 && repeated > 0, "{dumps} dumps of ss: {missed} and {repeated}");
}

fn told_by(namespace: &Namespace, command: &mut Command) -> HashMap<u64, usize> {
    let output = namespace.output(command).unwrap();
    assert!(output.status.success(), "{output:?}");
    told(&output, false)
}

/// How often a socket was told, by inode numbers.
fn told(output: &Output, json: bool) -> HashMap<u64, usize> {
    let mut told = HashMap::new();
    for line in std::str::from_utf8(&output.stdout).unwrap().lines() {
        let inode = if json {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["inode"].as_u64().unwrap()
        } else {
            let (_, behind) = line.split_once(" ino:").unwrap();
            behind.split(' ').next().unwrap().parse().unwrap()
        };
        *told.entry(inode).or_default() += 1;
    }
    told
}
