//! A kernel that refuses or fails, played on the real program by strace's fault injection: what is
//! printed instead, what is said, and the exit status.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Output};

use sockeye_lab::Namespace;

const SOCKEYE: &str = env!("CARGO_BIN_EXE_sockeye");

/// Runs sockeye with a fault: `recvfrom:error=ENOBUFS:when=2`.
fn faulty(namespace: &Namespace, fault: &str, arguments: &[&str]) -> Output {
    let call = fault.split(':').next().unwrap();
    let mut command = Command::new("strace");
    command
        .args(["-f", "-qq", "-o", "/dev/null"])
        .args(["-e", &format!("trace={call}"), "-e", &format!("inject={fault}"), "--", SOCKEYE])
        .args(arguments);
    namespace.output(&mut command).expect("strace (Debian package strace) runs")
}

/// A namespace with sockets of which nothing moves, and these.
fn still() -> (Namespace, impl Sized) {
    let namespace = Namespace::new("faults").unwrap();
    let held = namespace.run(|| {
        let tcp = ["127.0.0.1:80", "0.0.0.0:22", "[::1]:81", "[::]:443"];
        let udp = ["127.0.0.53:53", "0.0.0.0:123", "[::1]:514", "[::]:546"];
        (tcp.map(|a| TcpListener::bind(a).unwrap()), udp.map(|a| UdpSocket::bind(a).unwrap()))
    });
    (namespace, held.unwrap())
}

fn plain(namespace: &Namespace, arguments: &[&str]) -> Output {
    namespace.output(Command::new(SOCKEYE).args(arguments)).unwrap()
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
    let (namespace, _held) = still();
    for arguments in [["ss", "-tlnm"], ["ss", "-uane"]] {
        let output = faulty(&namespace, "socket:error=EPROTONOSUPPORT:when=1+", &arguments);
        // /proc lacks rows and columns that netlink has: something is known to be missing.
        ends(&output, 3, "/proc/net");
        // /proc tells less than netlink, so it is asked for by name to compare with.
        let mut from_proc = Command::new(SOCKEYE);
        from_proc.args(arguments).env("PROC_ROOT", "/proc");
        let from_proc = namespace.output(&mut from_proc).unwrap();
        assert!(rows(&output).len() > 3);
        assert_eq!(output.stdout, from_proc.stdout, "{arguments:?}");
    }
}

#[test]
fn a_request_that_failed_is_asked_the_older_way_and_that_is_said() {
    let (namespace, _held) = still();
    // strace cannot answer for the kernel, only fail the call: that is a failure, and said, but the
    // rows come the older way (TCPDIAG_GETSOCK) all the same.
    let output = faulty(&namespace, "sendto:error=EINVAL:when=1", &["ss", "-Htln"]);
    ends(&output, 1, "Invalid argument");
    assert_eq!(rows(&output), rows(&plain(&namespace, &["ss", "-Htln"])));
}

#[test]
fn a_dump_that_loses_messages_fails() {
    // Sockets of its own, bound to no interface: nothing but the dump is received.
    let namespace = Namespace::new("faults").unwrap();
    let connections = namespace.run(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connect = || (TcpStream::connect(address).unwrap(), listener.accept().unwrap());
        (0..20).map(|_| connect()).collect::<Vec<_>>()
    });
    // The second datagram of the IPv4 dump, when rows have been taken from the first.
    let output = faulty(&namespace, "recvfrom:error=ENOBUFS:when=2", &["ss", "-Htn"]);
    ends(&output, 1, "ENOBUFS");
    let rows = rows(&output).len();
    assert!((1..=2 * connections.unwrap().len()).contains(&rows), "{rows} rows");
}

#[test]
fn an_interrupted_system_call_loses_nothing() {
    let (namespace, _held) = still();
    let output = faulty(&namespace, "recvfrom:error=EINTR:when=1+2", &["ss", "-Htln"]);
    ends(&output, 0, "");
    assert_eq!(rows(&output), rows(&plain(&namespace, &["ss", "-Htln"])));
}
