//! Sockets closed by force: `sockeye kill` and `ss -K`.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::net::SocketType;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use sockeye_lab::reuseport::{Group, Kind};
use sockeye_lab::{Namespace, Population};

const SOCKEYE: &str = env!("CARGO_BIN_EXE_sockeye");

/// Runs sockeye with these arguments, apart by spaces.
fn sockeye(namespace: &Namespace, line: &str) -> Output {
    namespace.output(Command::new(SOCKEYE).args(line.split(' '))).unwrap()
}

#[track_caller]
fn ended(output: &Output, status: i32) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (shown, said) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{shown}{said}");
    (shown, said)
}

/// Connections to listeners at these addresses.
struct Connections {
    _listeners: Vec<TcpListener>,
    clients: Vec<TcpStream>,
    servers: Vec<TcpStream>,
}

fn connections(namespace: &Namespace, addresses: &[&str]) -> Connections {
    let open = || {
        let mut all =
            Connections { _listeners: Vec::new(), clients: Vec::new(), servers: Vec::new() };
        for address in addresses {
            let listener = TcpListener::bind(address).unwrap();
            let client = TcpStream::connect(address).unwrap();
            all.servers.push(listener.accept().unwrap().0);
            all.clients.push(client);
            all._listeners.push(listener);
        }
        for stream in all.clients.iter().chain(&all.servers) {
            stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        }
        all
    };
    namespace.run(open).unwrap()
}

fn ends(stream: &TcpStream) -> (SocketAddr, SocketAddr) {
    (stream.local_addr().unwrap(), stream.peer_addr().unwrap())
}

/// What a program finds of its connection.
fn found(mut stream: &TcpStream) -> ErrorKind {
    stream.read(&mut [0]).map_or_else(|error| error.kind(), |_| ErrorKind::UnexpectedEof)
}

#[test]
fn those_that_match_are_closed_and_no_others() {
    let namespace = Namespace::new("kill").unwrap();
    let held = connections(&namespace, &["127.0.0.1:81", "[::1]:81", "127.0.0.1:82", "[::1]:82"]);
    let [first, second, ..] = &held.clients[..] else { panic!() };
    let expected: Vec<String> = [first, second]
        .map(|client| {
            let (local, peer) = ends(client);
            format!("tcp {local} {peer} closed\n")
        })
        .into();

    let (shown, said) = ended(&sockeye(&namespace, "kill --dry-run dport = :81"), 0);
    assert_eq!(shown, expected.concat().replace(" closed", " would be closed"));
    assert_eq!(said, "");
    assert_eq!(found(first), ErrorKind::WouldBlock, "a dry run closes nothing");

    let (shown, said) = ended(&sockeye(&namespace, "kill dport = :81"), 0);
    assert_eq!((shown, said), (expected.concat(), String::new()));
    assert_eq!(found(first), ErrorKind::ConnectionAborted);
    assert_eq!(found(second), ErrorKind::ConnectionAborted);
    for other in &held.clients[2..] {
        assert_eq!(found(other), ErrorKind::WouldBlock);
    }
    // The listeners were spared.
    assert!(namespace.run(|| TcpStream::connect("127.0.0.1:81").is_ok()).unwrap());
    let (shown, _) = ended(&sockeye(&namespace, "kill dport = :4444"), 0);
    assert_eq!(shown, "", "nothing matches");
}

#[test]
fn without_a_filter_it_takes_all() {
    let namespace = Namespace::new("kill").unwrap();
    let held = connections(&namespace, &["127.0.0.1:81", "[::1]:82"]);
    let (shown, said) = ended(&sockeye(&namespace, "kill"), 2);
    assert!(shown.is_empty() && said.contains("--all"), "{said}");
    let (_, said) = ended(&sockeye(&namespace, "kill --all dport = :81"), 2);
    assert!(said.contains("leave out one"), "{said}");
    let (_, said) = ended(&sockeye(&namespace, "kill --all --state open"), 2);
    assert!(said.contains("open"), "{said}");
    for stream in held.clients.iter().chain(&held.servers) {
        assert_eq!(found(stream), ErrorKind::WouldBlock);
    }
    let (shown, _) = ended(&sockeye(&namespace, "kill --all -4 --json"), 0);
    assert_eq!(shown.lines().count(), 2);
    for line in shown.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        // The other end of a connection goes with it.
        let answer = line["answer"].as_str().unwrap();
        assert!(["closed", "gone"].contains(&answer) && line["family"] == "inet", "{line}");
        assert!(line.get("errno").is_none() && line["rtt_us"].is_u64(), "{line}");
    }
    // Whichever end was closed, the other one was reset.
    let closed = [ErrorKind::ConnectionAborted, ErrorKind::ConnectionReset];
    assert!(closed.contains(&found(&held.clients[0])));
    assert_eq!(found(&held.clients[1]), ErrorKind::WouldBlock);
}

#[test]
fn what_is_no_connection_is_spared_unless_it_is_named() {
    let population = Population::new("kill").unwrap();
    let namespace = population.near();
    let of = |state: &str| -> Vec<String> {
        let (shown, _) = ended(&sockeye(namespace, &format!("ss -HtanO state {state}")), 0);
        let ends = |row: &str| row.split_whitespace().skip(2).take(2).collect::<Vec<_>>().join(" ");
        shown.lines().map(ends).collect()
    };
    let spared = ["time-wait", "syn-recv", "listening", "closed"];
    let before = spared.map(of);
    assert!(before[..3].iter().all(|sockets| !sockets.is_empty()), "{before:?}");
    let (shown, _) = ended(&sockeye(namespace, "kill -t --all --json"), 0);
    for line in shown.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let state = line["state"].as_str().unwrap();
        assert!(!["time-wait", "syn-recv", "listen", "close"].contains(&state), "{line}");
    }
    // Of those that were closed, the kernel may keep none; those of before are all there.
    for (state, before) in spared.iter().zip(before) {
        let after = of(state);
        assert!(
            before.iter().all(|socket| after.contains(socket)),
            "{state}: {before:?} {after:?}"
        );
    }
    let (shown, _) = ended(&sockeye(namespace, "kill -t --all --state syn-recv"), 0);
    assert!(shown.lines().all(|line| line.ends_with(" closed")) && !shown.is_empty(), "{shown}");
    assert_eq!(of("syn-recv"), [""; 0]);
}

#[test]
fn a_filter_of_states_alone_is_no_choice() {
    let namespace = Namespace::new("kill").unwrap();
    for filter in ["state all", "exclude listening", "state established"] {
        let (shown, said) = ended(&sockeye(&namespace, &format!("kill {filter}")), 2);
        assert!(shown.is_empty() && said.contains("states alone"), "{said}");
        ended(&sockeye(&namespace, &format!("kill --all {filter}")), 0);
    }
}

#[test]
fn a_port_that_is_too_large_is_no_other_port() {
    let namespace = Namespace::new("kill").unwrap();
    let held = connections(&namespace, &["127.0.0.1:79"]);
    // 79 + 2^32.
    for line in
        ["kill dport = 4294967375", "kill dst 127.0.0.1:4294967375", "ss -Kt dport = 4294967375"]
    {
        let (shown, said) = ended(&sockeye(&namespace, line), 2);
        assert!(shown.is_empty() && said.contains("a port"), "{shown}{said}");
    }
    assert_eq!(found(&held.clients[0]), ErrorKind::WouldBlock);
}

#[test]
fn an_unconnected_udp_socket_is_no_connected_one() {
    let namespace = Namespace::new("kill").unwrap();
    let held = namespace.run(|| UdpSocket::bind("127.0.0.1:500").unwrap()).unwrap();
    for filter in ["state connected", "state synchronized", "state bound-inactive"] {
        let (shown, _) = ended(&sockeye(&namespace, &format!("kill -n --all {filter}")), 0);
        assert_eq!(shown, "", "{filter}");
    }
    let (shown, _) = ended(&sockeye(&namespace, "kill -n --all state closed"), 0);
    assert!(shown.starts_with("udp 127.0.0.1:500"), "{shown}");
    drop(held);
}

#[test]
fn autobound_spares_a_port_that_its_program_chose() {
    let namespace = Namespace::new("kill").unwrap();
    let open = || {
        // The ports of both are in the range that the kernel hands out.
        let chosen = UdpSocket::bind("127.0.0.1:45000").unwrap();
        let handed_out = UdpSocket::bind("127.0.0.1:0").unwrap();
        for socket in [&chosen, &handed_out] {
            socket.connect("127.0.0.1:501").unwrap();
        }
        (chosen, handed_out)
    };
    let (chosen, handed_out) = namespace.run(open).unwrap();
    let ports = |line: &str, status| ended(&sockeye(&namespace, line), status);
    let (shown, _) = ports("kill -n autobound", 0);
    let port = handed_out.local_addr().unwrap().port();
    assert!(!shown.contains(":45000 "), "{shown}");
    assert!(shown.contains(&format!(":{port} ")), "{shown}");
    let (shown, _) = ports("kill -n state established and autobound", 0);
    assert!(!shown.contains(":45000 ") && shown.contains(&format!(":{port} ")), "{shown}");
    // Here the kernel tests neither side of the `or`.
    for line in
        ["kill autobound or state listening", "kill -n not ( autobound and state listening )"]
    {
        let (shown, said) = ports(line, 1);
        assert!(shown.is_empty() && said.contains("the kernel does not decide"), "{shown}{said}");
    }
    drop((chosen, handed_out));
}

#[test]
fn what_would_be_closed_is_explained() {
    let namespace = Namespace::new("kill").unwrap();
    let line = "kill --explain-filter -t4 sport = :22 or dport = :80 and state established";
    assert_eq!(
        ended(&sockeye(&namespace, line), 0).0,
        "expression: sport = :22 or ( dport = :80 and state = established )\n\
         reading: not before and before or\n\
         kernel: a program of 20 bytes\n      \
         0  S_EQ 22 else 12\n      \
         8  JMP accept\n     \
         12  D_EQ 80 else reject\n\
         user space: all of it, and alone:\n  \
         state = established: the request names the states\n\
         sockets: TCP, IPv4, in every state but syn-recv, time-wait, closed, listening, bound-inactive\n"
    );
    let (shown, _) = ended(&sockeye(&namespace, "kill --explain-filter --all -u6"), 0);
    assert!(shown.starts_with("expression: none\nsockets: UDP, IPv6, in "), "{shown}");
    let (_, said) =
        ended(&sockeye(&namespace, "kill --explain-filter autobound or state listening"), 1);
    assert!(said.contains("the kernel does not decide"), "{said}");
}

#[test]
fn a_connected_udp_socket() {
    let namespace = Namespace::new("kill").unwrap();
    let open = || {
        let socket = UdpSocket::bind("127.0.0.1:500").unwrap();
        socket.connect("127.0.0.1:501").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        socket
    };
    let socket = namespace.run(open).unwrap();
    let (shown, _) = ended(&sockeye(&namespace, "kill -u dport = :501"), 0);
    assert_eq!(shown, "udp 127.0.0.1:500 127.0.0.1:501 closed\n");
    assert_eq!(socket.recv(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionAborted);
}

#[test]
fn a_group_at_one_address_is_closed_whole_or_not_found() {
    let namespace = Namespace::new("kill").unwrap();
    let group = Group::start(&namespace, Kind::Tcp, 40, 0).unwrap();
    let (shown, _) = ended(&sockeye(&namespace, "kill --all state listening"), 0);
    assert_eq!(shown.matches(" closed\n").count(), group.sockets().len(), "{shown}");
    let (shown, _) = ended(&sockeye(&namespace, "ss -Htln"), 0);
    assert_eq!(shown, "");
    // UDP sockets that are bound stay so, and in each other's way.
    let group = Group::start(&namespace, Kind::Udp, 3, 0).unwrap();
    let (shown, said) = ended(&sockeye(&namespace, "kill -u --all state unconnected"), 1);
    assert_eq!(shown.matches(" closed\n").count(), 1, "{shown}");
    assert_eq!(shown.matches("SO_REUSEPORT").count(), 2, "{shown}");
    assert_eq!(said, "sockeye kill: 2 of 3 were not closed\n");
    drop(group);
}

#[test]
fn a_tcp_socket_that_is_only_bound_is_not_called_gone() {
    let namespace = Namespace::new("kill").unwrap();
    let bind = || {
        let socket =
            rustix::net::socket(rustix::net::AddressFamily::INET, SocketType::STREAM, None)
                .unwrap();
        rustix::net::bind(&socket, &"127.0.0.1:85".parse::<SocketAddr>().unwrap()).unwrap();
        socket
    };
    let held = namespace.run(bind).unwrap();
    // Kernels before 6.8 do not tell it.
    if !ended(&sockeye(&namespace, "ss -HtaB"), 0).0.is_empty() {
        let (shown, _) = ended(&sockeye(&namespace, "kill -t --all state closed"), 1);
        assert!(shown.starts_with("tcp 127.0.0.1:85 0.0.0.0:0 not closed: "), "{shown}");
    }
    drop(held);
}

#[test]
fn who_may_not_is_told_what_it_takes() {
    let namespace = Namespace::new("kill").unwrap();
    let held = connections(&namespace, &["127.0.0.1:81"]);
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("sockeye");
    std::fs::copy(SOCKEYE, &copy).unwrap();
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(directory.path(), everybody).unwrap();
    for line in ["kill dport = :81", "ss -K -tn"] {
        let mut command = Command::new(&copy);
        command.args(line.split(' ')).uid(65_534).gid(65_534);
        let (shown, said) = ended(&namespace.output_of_copy(&mut command).unwrap(), 1);
        let both = format!("{shown}{said}");
        assert!(both.contains("not closed: Operation not permitted"), "{both}");
        assert!(both.contains("CAP_NET_ADMIN"), "{both}");
    }
    assert_eq!(found(&held.clients[0]), ErrorKind::WouldBlock);
}

#[test]
fn an_interrupt_ends_it_between_two_sockets() {
    const MANY: usize = 5000;
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let namespace = Namespace::new("kill").unwrap();
    let open = || {
        let connect = || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.connect("127.0.0.1:501").unwrap();
            socket
        };
        (0..MANY).map(|_| connect()).collect::<Vec<_>>()
    };
    let _held = namespace.run(open).unwrap();
    let connected =
        || ended(&sockeye(&namespace, "ss -Huna state established"), 0).0.lines().count();
    assert_eq!(connected(), MANY);
    // It waits before a full pipe, and what it has closed by then is known.
    let start = || {
        let mut command = Command::new(SOCKEYE);
        command.args(["kill", "dport = :501"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = namespace.spawn(&mut command).unwrap();
        let stdout = child.stdout.take().unwrap();
        let begin = Instant::now();
        while rustix::io::ioctl_fionread(&stdout).unwrap() < 35_000 {
            assert!(begin.elapsed() < Duration::from_secs(20), "it prints nothing");
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(100));
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        (child, stdout)
    };
    let (child, mut stdout) = start();
    let mut shown = String::new();
    stdout.read_to_string(&mut shown).unwrap();
    let (_, said) = ended(&child.wait_with_output().unwrap(), 1);
    let left = connected();
    assert_eq!(shown.lines().count() + left, MANY);
    assert_eq!(said, format!("sockeye kill: interrupted: {left} of {MANY} sockets were left\n"));
    // The second one does not wait.
    let (mut child, _stdout) = start();
    std::thread::sleep(Duration::from_millis(100));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(Signal::INT.as_raw()));
}

#[test]
fn ss_prints_what_it_closed_as_ss_does() {
    for flags in ["-Ktn", "-Ktna4", "-Ktln", "-KHtane", "-Ktn6 state established", "-Kun"] {
        // The same twice, since neither leaves anything for the other.
        let shown = ["ss", SOCKEYE].map(|program| {
            let namespace = Namespace::new("kill").unwrap();
            let open = || {
                let udp = UdpSocket::bind("127.0.0.1:500").unwrap();
                udp.connect("127.0.0.1:501").unwrap();
                let listeners = ["127.0.0.1:81", "[::1]:82", "127.0.0.1:83"]
                    .map(|address| TcpListener::bind(address).unwrap());
                (udp, listeners)
            };
            let _held = namespace.run(open).unwrap();
            let mut command = Command::new(program);
            if program == SOCKEYE {
                command.args(["ss", "--iproute2", "6.1"]);
            }
            let output = namespace.output(command.args(flags.split(' '))).unwrap();
            assert!(output.status.success(), "{program} {flags}: {output:?}");
            let left = namespace.output(Command::new("ss").args(["-Hta"])).unwrap();
            // Inode numbers and cookies are each socket's own.
            let text = String::from_utf8(output.stdout).unwrap();
            let words = text.split(' ').filter(|w| !w.starts_with("ino:") && !w.starts_with("sk:"));
            let text = words.collect::<Vec<_>>().join(" ");
            // In which bucket a listener is, is each namespace's own, too.
            [text, String::from_utf8(left.stdout).unwrap()].map(|text| {
                let mut rows: Vec<String> = text.lines().map(str::to_owned).collect();
                rows.sort();
                rows
            })
        });
        let [theirs, ours] = shown;
        assert_eq!(ours, theirs, "{flags}");
    }
}

#[test]
fn ss_closes_nothing_of_a_recording() {
    let namespace = Namespace::new("kill").unwrap();
    let held = connections(&namespace, &["127.0.0.1:81"]);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("recording");
    let mut command = Command::new(SOCKEYE);
    command.args(["ss", "-tan4", "-D"]).arg(&file);
    ended(&namespace.output(&mut command).unwrap(), 0);
    let mut command = Command::new(SOCKEYE);
    command.args(["ss", "-Ktan"]).env("TCPDIAG_FILE", &file);
    let (_, said) = ended(&namespace.output(&mut command).unwrap(), 1);
    assert!(said.contains("TCPDIAG_FILE") && said.contains("nothing was closed"), "{said}");
    assert_eq!(found(&held.clients[0]), ErrorKind::WouldBlock);
    let mut command = Command::new(SOCKEYE);
    let (_, said) = ended(&namespace.output(command.args(["ss", "-KE"])).unwrap(), 2);
    assert!(said.contains("-K with -E"), "{said}");
}
