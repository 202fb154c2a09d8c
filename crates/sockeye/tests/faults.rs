//! A kernel that refuses or fails, played on the real program by strace's fault injection: what is
//! printed instead, what is said, and the exit status.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::process::{Command, Output};

use sockeye_lab::Population;

const SOCKEYE: &str = env!("CARGO_BIN_EXE_sockeye");

/// Runs sockeye with a fault: `recvfrom:error=ENOBUFS:when=2`.
fn faulty(population: &Population, fault: &str, arguments: &[&str]) -> Output {
    let call = fault.split(':').next().unwrap();
    let mut command = Command::new("strace");
    command
        .args(["-f", "-qq", "-o", "/dev/null"])
        .args(["-e", &format!("trace={call}"), "-e", &format!("inject={fault}"), "--", SOCKEYE])
        .args(arguments);
    population.near().output(&mut command).expect("strace (Debian package strace) runs")
}

fn plain(population: &Population, arguments: &[&str]) -> Output {
    population.near().output(Command::new(SOCKEYE).args(arguments)).unwrap()
}

#[track_caller]
fn ends(output: &Output, status: i32, message: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert!(said.contains(message), "{said}");
}

/// Rows, in an order of their own: TCPDIAG_GETSOCK mixes the families.
fn rows(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    let mut rows: Vec<String> =
        text.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    rows.sort();
    rows
}

#[test]
fn without_netlink_proc_is_the_last_resort_and_that_is_said() {
    let population = Population::new("faults").unwrap();
    for arguments in [["ss", "-tlnm"], ["ss", "-uane"]] {
        let output = faulty(&population, "socket:error=EPROTONOSUPPORT:when=1+", &arguments);
        ends(&output, 0, "/proc/net");
        // /proc tells less than netlink, so it is asked for by name to compare with.
        let mut from_proc = Command::new(SOCKEYE);
        from_proc.args(arguments).env("PROC_ROOT", "/proc");
        let from_proc = population.near().output(&mut from_proc).unwrap();
        assert!(rows(&output).len() > 3);
        assert_eq!(output.stdout, from_proc.stdout, "{arguments:?}");
    }
}

#[test]
fn a_request_that_the_kernel_does_not_know_is_asked_the_older_way() {
    let population = Population::new("faults").unwrap();
    // As before Linux 3.3: the first request, by family, is refused; TCPDIAG_GETSOCK is not.
    let output = faulty(&population, "sendto:error=EINVAL:when=1", &["ss", "-Htln"]);
    ends(&output, 0, "");
    assert_eq!(rows(&output), rows(&plain(&population, &["ss", "-Htln"])));
}

#[test]
fn a_dump_that_loses_messages_fails() {
    let population = Population::new("faults").unwrap();
    // The second datagram of the IPv4 dump, when rows have been taken from the first.
    let output = faulty(&population, "recvfrom:error=ENOBUFS:when=2", &["ss", "-Htan"]);
    ends(&output, 1, "ENOBUFS");
    let (shown, whole) = (rows(&output), rows(&plain(&population, &["ss", "-Htan"])));
    assert!(!shown.is_empty() && shown.len() < whole.len(), "{} of {}", shown.len(), whole.len());
}

#[test]
fn an_interrupted_system_call_loses_nothing() {
    let population = Population::new("faults").unwrap();
    let output = faulty(&population, "recvfrom:error=EINTR:when=1+2", &["ss", "-Htln"]);
    ends(&output, 0, "");
    assert_eq!(rows(&output), rows(&plain(&population, &["ss", "-Htln"])));
}
