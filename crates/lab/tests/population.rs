//! The test population is what it says: each state, each address, and gone afterwards.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::collections::BTreeSet;
use std::process::Command;

use sockeye_lab::{Namespace, Population, Recording, synthetic, terminal};

fn ss(namespace: &Namespace, flags: &[&str]) -> String {
    let output = namespace.output(Command::new("ss").args(flags)).unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn population_has_every_state_and_kind() {
    let population = Population::new("kinds").unwrap();
    let text = ss(population.near(), &["-Htanemio", "--tos"]);
    for wanted in [
        "SYN-SENT",
        "SYN-RECV",
        "ESTAB",
        "FIN-WAIT-1",
        "FIN-WAIT-2",
        "TIME-WAIT",
        "CLOSE-WAIT",
        "LAST-ACK",
        "LISTEN",
        "CLOSING",
        "%near0",
        "[::ffff:127.0.0.1]",
        "[fe80::1]",
        "fwmark:0x1234",
        "tos:0x10",
        "tclass:0xb8",
        "class_id:",
        "uid:65534",
        "timer:(keepalive",
        "timer:(persist",
        "timer:(timewait",
        "timer:(on",
        "v6only:1",
        " cubic ",
        " reno ",
    ] {
        assert!(text.contains(wanted), "{wanted} is missing from\n{text}");
    }
    let recorded = Recording::of(population.near()).unwrap();
    assert_eq!(recorded.len(), ss(population.near(), &["-HtanO"]).lines().count());
    let udp = ss(population.near(), &["-Huan"]);
    assert!(udp.contains("ESTAB") && udp.contains("UNCONN"), "{udp}");
    assert!(population.age().as_secs() < 10);
}

#[test]
fn namespace_is_gone_after_a_panic() {
    let namespace = Namespace::new("panic").unwrap();
    let path = std::path::Path::new("/run/netns").join(namespace.name());
    assert!(path.exists());
    let ended =
        std::thread::spawn(move || namespace.run(|| panic!("as this test wants it"))).join();
    assert!(ended.is_err());
    assert!(!path.exists());
}

#[test]
fn terminal_has_the_width_that_was_asked_for() {
    let namespace = Namespace::new("width").unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "stty size <&1; test -t 1 && echo terminal"]);
    let output = terminal::output(&namespace, command, 123).unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "50 123\nterminal\n");
}

#[test]
fn installed_ss_prints_every_synthetic_socket() {
    let namespace = Namespace::new("synthetic").unwrap();
    let directory = tempfile::tempdir().unwrap();
    for (name, recording) in [
        ("catalogue", synthetic::catalogue()),
        ("varied", synthetic::varied(1, 500)),
        ("crowded", synthetic::crowded(2000)),
        ("md5", synthetic::md5_signed("secret")),
    ] {
        let path = directory.path().join(name);
        recording.write(&path).unwrap();
        let output = namespace
            .output(Command::new("ss").args(["-HtanOime"]).env("TCPDIAG_FILE", &path))
            .unwrap();
        // It complains of control groups that nobody has, but goes on.
        assert!(output.status.success(), "{name}");
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(text.lines().count(), recording.len(), "{name}");
        let widths: BTreeSet<usize> = text.lines().map(str::len).collect();
        assert!(!widths.is_empty());
    }
}
