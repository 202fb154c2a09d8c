//! Owners of the sockets of a recording, in both releases. The processes are a directory's, which
//! `PROC_ROOT` names: process 10 holds one of the sockets.

use std::fs;
use std::os::unix::fs::symlink;

use super::{PIPE, file, run, screen};
use crate::environment::Screen;

fn printed(line: &str, screen: Screen) -> String {
    let root = tempfile::tempdir().unwrap();
    let process = root.path().join("10");
    fs::create_dir_all(process.join("fd")).unwrap();
    fs::create_dir_all(process.join("task/10")).unwrap();
    fs::write(process.join("comm"), "e\x1b[1mx(y)z\n").unwrap();
    symlink("socket:[385]", process.join("fd/3")).unwrap();
    let variables = [
        ("TCPDIAG_FILE", file("linux_6_12_marks.bin").into()),
        ("PROC_ROOT", root.path().as_os_str().to_owned()),
    ];
    let run = run(line, &variables, screen);
    let said = run.stderr.lines().find(|line| !line.contains("no BPF programs"));
    assert_eq!((run.status, said), (0, None), "{line}");
    String::from_utf8(run.stdout).unwrap()
}

#[test]
fn in_6_1_they_are_part_of_the_details() {
    let owned = "\
State Recv-Q Send-Q Local Address:Port  Peer Address:PortProcess                          
ESTAB 0      0          127.0.0.1:31700    127.0.0.1:1700 users:((\"e\x1b[1mx(y\",pid=10,fd=3))
";
    let line = "--iproute2 6.1 -tanp";
    assert!(printed(line, PIPE).starts_with(owned), "{}", printed(line, PIPE));
    // -T shows them, too; without -p as well.
    let threads = printed("--iproute2 6.1 -tanT", PIPE);
    assert!(threads.contains(" users:((\"e\x1b[1mx(y\",pid=10,tid=10,fd=3))\n"), "{threads}");
    let details = printed("--iproute2 6.1 -tanep", PIPE);
    assert!(details.contains(",fd=3)) ino:385 sk:42 fwmark:0x2a "), "{details}");
}

#[test]
fn in_7_1_they_have_a_column_that_is_there_with_p_alone() {
    let owned = "\
State Recv-Q Send-Q Local Address:Port  Peer Address:PortProcess
ESTAB 0      0          127.0.0.1:31700    127.0.0.1:1700 users:((\"e.[1mx(y\",pid=10,fd=3))
ESTAB 0      0       ";
    assert!(printed("-tanp", PIPE).starts_with(owned), "{}", printed("-tanp", PIPE));
    assert_eq!(printed("-tanT", PIPE), printed("-tan", PIPE));
    let threads = printed("-tanpT", PIPE);
    assert!(threads.contains(" users:((\"e.[1mx(y\",pid=10,tid=10,fd=3))\n"), "{threads}");
}

#[test]
fn a_terminal_never_gets_a_control_character_of_a_name() {
    for line in ["--iproute2 6.1 -tanp", "-tanp"] {
        let text = printed(line, screen(120));
        assert!(text.contains(",pid=10,fd=3))") && !text.contains('\x1b'), "{text}");
    }
    assert!(printed("--iproute2 6.1 -tanp", screen(120)).contains("((\"e\\x1b[1mx(y\","));
}

#[test]
fn a_recording_is_not_mixed_with_the_owners_of_this_host_in_json() {
    assert!(!printed("-tap --json", PIPE).contains("owners"));
}
