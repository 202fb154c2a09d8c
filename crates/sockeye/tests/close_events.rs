//! `ss -E`: sockets as they close, beside the installed `ss`; what was lost, what was forged, and how it
//! ends.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::{AddressFamily, SendFlags, SocketType, sendto, socket};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use sockeye_lab::Namespace;

const SOCKEYE: &str = env!("CARGO_BIN_EXE_sockeye");
/// Longer than anything takes here.
const LONG: Duration = Duration::from_secs(20);

/// A program that prints sockets as they close; killed on drop, if it has not ended.
struct Watcher(Child);

impl Watcher {
    /// Starts it; returns when it is in the kernel's groups.
    fn start(namespace: &Namespace, command: &mut Command) -> Self {
        let watcher = Self(namespace.spawn(command).unwrap());
        wait_until(|| {
            watcher.row(namespace).is_some_and(|row| row[3].bytes().any(|digit| digit != b'0'))
        });
        watcher
    }

    /// Its line of /proc/net/netlink: sk, protocol, port id, groups, … drops, inode.
    fn row(&self, namespace: &Namespace) -> Option<Vec<String>> {
        let read = || fs::read_to_string("/proc/thread-self/net/netlink").unwrap();
        let rows = namespace.run(read).unwrap();
        let mut rows = rows
            .lines()
            .map(|line| -> Vec<String> { line.split_whitespace().map(str::to_owned).collect() });
        rows.find(|row| row[1] == "4" && row[2] == self.0.id().to_string())
    }

    /// Messages that it did not get.
    fn drops(&self, namespace: &Namespace) -> u64 {
        self.row(namespace).unwrap()[8].parse().unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    /// Waits for its end, which comes soon.
    fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until(|| {
            status = self.0.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[track_caller]
fn wait_until(mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < LONG, "waited for nothing");
        thread::sleep(Duration::from_millis(5));
    }
}

fn sockeye(flags: &str, directory: &Path) -> Command {
    let mut command = Command::new(SOCKEYE);
    command.arg("ss").args(flags.split(' '));
    into_files(&mut command, directory, "ours");
    command
}

fn into_files(command: &mut Command, directory: &Path, name: &str) {
    command
        .stdin(Stdio::null())
        .stdout(File::create(directory.join(name)).unwrap())
        .stderr(File::create(directory.join(format!("{name}.err"))).unwrap());
}

/// Opens and closes sockets of every kind, and the last one at the port 7999.
fn open_and_close(namespace: &Namespace) {
    let work = || {
        for address in ["127.0.0.1:7001", "[::1]:7002"] {
            let listener = TcpListener::bind(address).unwrap();
            let mut client = TcpStream::connect(address).unwrap();
            let (mut server, _) = listener.accept().unwrap();
            client.write_all(&[7; 3000]).unwrap();
            server.read_exact(&mut [0; 3000]).unwrap();
            drop((client, server, listener));
        }
        drop([UdpSocket::bind("127.0.0.1:7003").unwrap(), UdpSocket::bind("[::1]:7004").unwrap()]);
        // The kernel tells one after the other, but on any processor.
        thread::sleep(Duration::from_millis(100));
        for address in ["127.0.0.1:7999", "[::1]:7999"] {
            drop(TcpListener::bind(address).unwrap());
            drop(UdpSocket::bind(address).unwrap());
        }
    };
    namespace.run(work).unwrap();
}

#[test]
fn sockets_are_printed_as_ss_prints_them() {
    for flags in ["-nE", "-tnE", "-unE4", "-tinemE", "-tniOE", "-HtnE6", "-tunaoE"] {
        let namespace = Namespace::new("closing").unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        // It is ended by a signal, and what it holds is lost then: so line by line.
        let mut command = Command::new("stdbuf");
        command.args(["-oL", "ss", flags]);
        into_files(&mut command, directory.path(), "theirs");
        let theirs = Watcher::start(&namespace, &mut command);
        let line = format!("{flags} --iproute2 6.1");
        let mut ours = Watcher::start(&namespace, &mut sockeye(&line, directory.path()));
        open_and_close(&namespace);
        let last = if flags.contains('4') { 1 } else { 2 };
        let last = if flags.contains('6') { 1 } else { last };
        let last = if flags == "-nE" || flags == "-tunaoE" { 4 } else { last };
        for name in ["ours", "theirs"] {
            wait_until(|| fs::read_to_string(path(name)).unwrap().matches(":7999").count() == last);
        }
        ours.signal(Signal::INT);
        assert_eq!(ours.ended().code(), Some(0), "{flags}");
        assert_eq!(fs::read_to_string(path("ours.err")).unwrap(), "", "{flags}");
        drop(theirs);
        let [ours, theirs] = ["ours", "theirs"].map(|name| fs::read_to_string(path(name)).unwrap());
        // ss may have been ended within the last line; and two processors tell in either order.
        let whole = |text: &str| -> Vec<String> {
            let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
            let mut lines: Vec<String> = lines.map(str::to_owned).collect();
            lines.sort();
            lines
        };
        let (rows, mut missing) = (whole(&theirs), whole(&ours));
        for row in &rows {
            let at = missing.iter().position(|ours| ours == row);
            missing.remove(at.unwrap_or_else(|| panic!("{row}\nis not among\n{ours}")));
        }
        let missing: usize = missing.iter().map(String::len).sum();
        assert!(missing < 400 && !rows.is_empty(), "{ours}\n{theirs}");
    }
}

#[test]
fn json_has_the_last_tcp_info() {
    let namespace = Namespace::new("closing").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut watcher = Watcher::start(&namespace, &mut sockeye("-E --json", directory.path()));
    open_and_close(&namespace);
    let lines = || {
        let text = fs::read_to_string(directory.path().join("ours")).unwrap();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole).to_owned();
        let lines = whole.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.collect::<Vec<serde_json::Value>>()
    };
    wait_until(|| lines().len() == 12);
    watcher.signal(Signal::TERM);
    assert_eq!(watcher.ended().code(), Some(0));
    let lines = lines();
    for (port, received) in [(7001, 3000), (7002, 3000)] {
        let of_server = |line: &&serde_json::Value| {
            line["local_port"] == port && line["peer_port"].as_u64() != Some(0)
        };
        let server = lines.iter().find(of_server).unwrap();
        // A byte more for the FIN.
        let bytes = server["bytes_received"].as_u64().unwrap();
        assert!((received..=received + 1).contains(&bytes), "{server}");
        let client = lines.iter().find(|line| line["peer_port"] == port).unwrap();
        assert!(client["rtt_us"].as_u64().unwrap() > 0, "{client}");
        assert_eq!(client["protocol"], "tcp");
    }
    let udp: Vec<_> = lines.iter().filter(|line| line["protocol"] == "udp").collect();
    assert_eq!(udp.len(), 4);
    // The kernel tells -1 of what a closed socket has to send.
    assert!(udp.iter().all(|line| line.get("send_queue_bytes").is_none()), "{udp:?}");
    assert!(lines.iter().any(|line| line["send_queue_bytes"] == 0));
}

#[test]
fn what_was_lost_is_counted_exactly_and_it_goes_on() {
    let namespace = Namespace::new("closing").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut command = sockeye("-HunE", directory.path());
    let mut watcher = Watcher::start(&namespace, command.env("SOCKEYE_EVENT_BUFFER", "20000"));
    let (mut closed, mut lost_before) = (0, 0);
    for _ in 0..2 {
        // All of the round before has been told or lost by now.
        let dropped = watcher.drops(&namespace);
        watcher.signal(Signal::STOP);
        let work = || (0..2000).for_each(|_| drop(UdpSocket::bind("127.0.0.1:0").unwrap()));
        namespace.run(work).unwrap();
        closed += 2000;
        // The kernel tells them a little later.
        wait_until(|| watcher.drops(&namespace) > dropped);
        watcher.signal(Signal::CONT);
        let told = || fs::read_to_string(directory.path().join("ours")).unwrap().lines().count();
        let lost = || -> usize {
            let said = fs::read_to_string(directory.path().join("ours.err")).unwrap();
            let numbers = said.lines().filter_map(|line| line.strip_prefix("sockeye ss: lost "));
            numbers.map(|line| line.split(' ').next().unwrap().parse::<usize>().unwrap()).sum()
        };
        wait_until(|| told() + lost() == closed);
        assert!(lost() > lost_before);
        lost_before = lost();
    }
    watcher.signal(Signal::INT);
    assert_eq!(watcher.ended().code(), Some(3));
    let said = fs::read_to_string(directory.path().join("ours.err")).unwrap();
    assert!(said.lines().last().unwrap().contains(" sockets that closed are missing"), "{said}");
}

#[test]
fn what_another_process_sends_is_dropped_and_counted() {
    let namespace = Namespace::new("closing").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut watcher = Watcher::start(&namespace, &mut sockeye("-HtunE", directory.path()));
    // A UDP socket with the port 6666, as the kernel would tell it.
    let mut forged = vec![0_u8; 88];
    forged[..4].copy_from_slice(&88_u32.to_ne_bytes());
    forged[4..6].copy_from_slice(&20_u16.to_ne_bytes());
    (forged[16], forged[17]) = (2, 7);
    forged[20..22].copy_from_slice(&6666_u16.to_be_bytes());
    let pid = watcher.0.id();
    let send = || {
        let forger = socket(AddressFamily::NETLINK, SocketType::RAW, Some(SOCK_DIAG)).unwrap();
        for (portid, groups) in [(pid, 0), (0, 1 << 1)] {
            let to = SocketAddrNetlink::new(portid, groups);
            // Nobody is at the port 0 but the kernel, which refuses to take it for a request.
            let _ = sendto(&forger, &forged, SendFlags::empty(), &to);
        }
    };
    namespace.run(send).unwrap();
    open_and_close(&namespace);
    let ours = || fs::read_to_string(directory.path().join("ours")).unwrap();
    wait_until(|| ours().matches(":7999").count() == 4);
    watcher.signal(Signal::INT);
    assert_eq!(watcher.ended().code(), Some(0));
    assert!(!ours().contains(":6666"), "{}", ours());
    let said = fs::read_to_string(directory.path().join("ours.err")).unwrap();
    assert_eq!(said, "sockeye ss: 2 messages were not the kernel's, and were dropped\n");
}

#[test]
fn what_it_cannot_tell_is_said_when_it_begins() {
    for (flags, word) in [
        ("-HtE fwmark = 1", "fwmark: "),
        ("-HtE cgroup /", "cgroup: "),
        ("-HtE state established", "state, exclude: "),
        ("-HunE --all-netns fwmark = 1", "fwmark: "),
    ] {
        let namespace = Namespace::new("closing").unwrap();
        let directory = tempfile::tempdir().unwrap();
        let mut watcher = Watcher::start(&namespace, &mut sockeye(flags, directory.path()));
        let said = || fs::read_to_string(directory.path().join("ours.err")).unwrap();
        wait_until(|| said().starts_with(&format!("sockeye ss: {word}")));
        let before = said();
        watcher.signal(Signal::INT);
        assert_eq!(watcher.ended().code(), Some(3), "{flags}: {before}");
        assert_eq!(said().matches(word).count(), 1, "{}", said());
    }
}

#[test]
fn waiting_that_fails_ends_it_with_a_message() {
    let namespace = Namespace::new("closing").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut watcher = Watcher::start(&namespace, &mut sockeye("-HunE", directory.path()));
    // poll(2) takes no more descriptors than that.
    let limit = Rlimit { current: Some(2), maximum: Some(2) };
    prlimit(Some(Pid::from_child(&watcher.0)), Resource::Nofile, limit).unwrap();
    namespace.run(|| drop(UdpSocket::bind("127.0.0.1:0").unwrap())).unwrap();
    assert_eq!(watcher.ended().code(), Some(1));
    let said = fs::read_to_string(directory.path().join("ours.err")).unwrap();
    assert!(said.contains("cannot wait for sockets that close: Invalid argument"), "{said}");
}

#[test]
fn it_ends_when_nobody_reads_any_longer() {
    let namespace = Namespace::new("closing").unwrap();
    let mut command = Command::new(SOCKEYE);
    command.args(["ss", "-HtunE"]).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut watcher = Watcher::start(&namespace, &mut command);
    open_and_close(&namespace);
    let mut line = String::new();
    let mut stdout = BufReader::new(watcher.0.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    assert!(line.starts_with("tcp "), "{line}");
    // No socket closes after that.
    drop(stdout);
    assert_eq!(watcher.ended().code(), Some(0));
    let mut said = String::new();
    watcher.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "");
}

#[test]
fn a_signal_ends_it_while_nobody_reads_what_it_prints() {
    for flags in ["-HunE", "-uE --json"] {
        let namespace = Namespace::new("closing").unwrap();
        let mut command = Command::new(SOCKEYE);
        command.arg("ss").args(flags.split(' ')).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut watcher = Watcher::start(&namespace, &mut command);
        let closed = 5000;
        let work = || (0..closed).for_each(|_| drop(UdpSocket::bind("127.0.0.1:0").unwrap()));
        namespace.run(work).unwrap();
        // It sleeps with a full pipe before it: no more is taken from the kernel.
        let mut stdout = watcher.0.stdout.take().unwrap();
        wait_until(|| rustix::io::ioctl_fionread(&stdout).unwrap() > 35_000);
        thread::sleep(Duration::from_millis(100));
        watcher.signal(Signal::INT);
        assert_eq!(watcher.ended().code(), Some(3), "{flags}");
        let (mut shown, mut said) = (String::new(), String::new());
        stdout.read_to_string(&mut shown).unwrap();
        watcher.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        // Not a socket is lost in silence, and no row is torn.
        let numbers = said.lines().map(|line| {
            let line = line.strip_prefix("sockeye ss: ").unwrap();
            assert!(line.contains(" not written: ") || line.contains(" are missing"), "{said}");
            line.split(' ').next().unwrap().parse::<usize>().unwrap()
        });
        assert_eq!(shown.lines().count() + numbers.sum::<usize>(), closed, "{said}");
        assert!(shown.ends_with('\n') && said.contains(" not written: "), "{said}");
    }
}

#[test]
fn sockets_of_every_namespace_are_told_with_its_name() {
    let namespaces = ["blue", "green"].map(|label| Namespace::new(label).unwrap());
    let directory = tempfile::tempdir().unwrap();
    // Of namespaces that other tests have, nothing at this port.
    let mut command = Command::new(SOCKEYE);
    command.args(["ss", "-tE", "--json", "--all-netns", "sport = :7999"]);
    into_files(&mut command, directory.path(), "ours");
    let mut watcher = Watcher::start(&namespaces[0], &mut command);
    wait_until(|| watcher.row(&namespaces[1]).is_some());
    for namespace in &namespaces {
        open_and_close(namespace);
    }
    let lines = || -> Vec<serde_json::Value> {
        let text = fs::read_to_string(directory.path().join("ours")).unwrap();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    };
    let of = |name: &str| lines().iter().filter(|line| line["netns"] == name).count();
    wait_until(|| namespaces.iter().all(|namespace| of(namespace.name()) == 2));
    // One that comes later is found, and let go when it is gone.
    let late = Namespace::new("late").unwrap();
    wait_until(|| watcher.row(&late).is_some());
    open_and_close(&late);
    wait_until(|| of(late.name()) == 2);
    // Its end of the cable goes with it, and that is when nothing keeps it alive: no socket, no thread.
    sockeye_lab::veth((&namespaces[0], "cable0"), (&late, "cable1")).unwrap();
    let show =
        || namespaces[0].output(Command::new("ip").args(["link", "show", "cable0"])).unwrap();
    assert!(show().status.success());
    drop(late);
    wait_until(|| !show().status.success());
    watcher.signal(Signal::TERM);
    assert!(watcher.ended().success());
    assert!(lines().iter().all(|line| line["local_port"] == 7999));
}
