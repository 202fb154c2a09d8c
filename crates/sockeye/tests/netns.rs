//! `--netns` and `--all-netns` as a user meets them: every namespace once, with few descriptors and little
//! memory, and the truth about what was not seen.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

use serde_json::Value;
use sockeye_lab::crowd::{self, Crowd, Plan};
use sockeye_lab::{Fleet, Namespace, measure};
use sockeye_netns::Netns;

const SOCKEYE: &str = env!("CARGO_BIN_EXE_sockeye");
/// Namespaces of a sweep.
const MANY: usize = 500;
/// The most peak resident memory of a sweep, bytes: 20 MB.
const MOST: u64 = 20_000_000;
/// Descriptors that a sweep may have open.
const DESCRIPTORS: usize = 64;

#[test]
fn crowd_holder() {
    crowd::hold_if_asked();
}

fn ss(flags: &str) -> Command {
    let mut command = Command::new(SOCKEYE);
    command.arg("ss").args(flags.split(' '));
    command
}

/// The same, with no more descriptors than that.
fn with_few_descriptors(flags: &str) -> Command {
    let mut command = Command::new("sh");
    let line = format!("ulimit -n {DESCRIPTORS} && exec \"$0\" ss {flags}");
    command.args(["-c", &line, SOCKEYE]);
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn lines(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Other tests make and remove namespaces all the time; that is said, and nothing else may be.
#[track_caller]
fn is_whole(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{}", said(output));
    let unexpected: Vec<String> = said(output)
        .lines()
        .filter(|line| !line.contains("went away"))
        .map(str::to_owned)
        .collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
}

fn listen(port: usize) -> std::io::Result<TcpListener> {
    TcpListener::bind(("0.0.0.0", port.try_into().unwrap()))
}

fn inode_of(name: &str) -> u64 {
    Netns::of_name(name).unwrap().id().inode
}

#[test]
fn five_hundred_namespaces_are_each_shown_once() {
    // Port 2000 in the first of them, 2001 in the second and so on.
    let fleet = Fleet::new("many", MANY, |number| listen(2000 + number)).unwrap();
    let output = with_few_descriptors("-tl --all-netns --json").output().unwrap();
    is_whole(&output);
    let mut seen = BTreeMap::<String, Vec<(u64, u64)>>::new();
    for line in lines(&output) {
        let (port, inode) = (line["local_port"].as_u64().unwrap(), &line["netns_inode"]);
        let name = line["netns"].as_str().unwrap().to_owned();
        seen.entry(name).or_default().push((port, inode.as_u64().unwrap()));
    }
    for (number, name) in fleet.names().iter().enumerate() {
        let expected = vec![(2000 + number as u64, inode_of(name))];
        assert_eq!(seen.get(name), Some(&expected), "{name}");
    }

    let here = Namespace::new("sweeper").unwrap();
    for flags in ["-Htl --all-netns", "-Htlp --all-netns", "-Htanimoe --all-netns"] {
        let peak = measure::peak(&here, with_few_descriptors(flags)).unwrap();
        assert!(peak.status.success(), "{flags}: {}", peak.status);
        assert!(peak.written > 50 * MANY as u64, "{flags} wrote too little: {peak:?}");
        println!("{flags}: {} bytes resident", peak.resident);
        assert!(peak.resident <= MOST, "{flags}: {} bytes, at most {MOST}", peak.resident);
    }
}

#[test]
fn namespaces_that_go_away_meanwhile_are_no_failure() {
    // In a few sweeps at most, one goes away between being found and being visited.
    let went_away = (0..10).any(|_| {
        let mut fleet = Fleet::new("going", 200, |number| listen(2000 + number)).unwrap();
        let names = fleet.names().to_vec();
        let sweep = ss("-tl --all-netns --json")
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // Their listeners go with them.
        for number in (10..200).rev() {
            fleet.remove(number);
        }
        let output = sweep.wait_with_output().unwrap();
        is_whole(&output);
        let shown = lines(&output);
        let times = |name: &str| shown.iter().filter(|line| line["netns"] == name).count();
        for name in &names[..10] {
            assert_eq!(times(name), 1, "{name}");
        }
        let missing = names[10..].iter().any(|name| times(name) == 0);
        missing && said(&output).contains("network namespaces that went away meanwhile: ")
    });
    assert!(went_away);
}

#[test]
fn of_one_namespace_everything_is_its_own() {
    let (blue, here) = (Namespace::new("blue").unwrap(), Namespace::new("here").unwrap());
    // The same index has another name here.
    blue.ip("link add name blue0 index 77 type veth peer name blue1").unwrap();
    here.ip("link add name here0 index 77 type veth peer name here1").unwrap();
    let bound = |device: &'static str| {
        move || {
            let socket = std::net::UdpSocket::bind("0.0.0.0:5300").unwrap();
            socket2::SockRef::from(&socket).bind_device(Some(device.as_bytes())).map(|()| socket)
        }
    };
    let held = (blue.run(bound("blue0")).unwrap(), here.run(bound("here0")).unwrap());
    let pid = std::process::id().to_string();
    for (target, device) in [
        (blue.name().to_owned(), "blue0"),
        (format!("/run/netns/{}", blue.name()), "blue0"),
        (format!("/run/../run/netns/{}", here.name()), "here0"),
    ] {
        let mut command = ss("-Huan");
        let output = here.output(command.args(["--netns", &target])).unwrap();
        is_whole(&output);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains(&format!("0.0.0.0%{device}:5300")), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        let mut command = ss("-Hua --json");
        let output = here.output(command.args(["--netns", &target])).unwrap();
        let line = &lines(&output)[0];
        assert_eq!(line["interface_name"], device);
        assert!(line["netns_inode"].is_u64() && line["netns"].is_string(), "{line}");
    }
    // With -p, all rows wait for their owners, and are printed when the last namespace has been visited.
    for flags in ["-ua --json --all-netns", "-uap --json --all-netns"] {
        let all = here.output(&mut ss(flags)).unwrap();
        for (namespace, device) in [(&blue, "blue0"), (&here, "here0")] {
            let own: Vec<Value> =
                lines(&all).into_iter().filter(|line| line["netns"] == namespace.name()).collect();
            assert_eq!(
                (own.len(), &own[0]["interface_name"]),
                (1, &Value::from(device)),
                "{flags}"
            );
            assert_eq!(own[0]["netns_inode"], inode_of(namespace.name()));
        }
    }
    // Where none is asked for, none is told.
    let plain = here.output(&mut ss("-ua --json")).unwrap();
    assert_eq!((lines(&plain)[0].get("netns"), lines(&plain)[0].get("netns_inode")), (None, None));
    drop(held);
    assert!(ss("-Ht").args(["--netns", &pid]).output().unwrap().status.success());
}

#[test]
fn a_filter_reads_with_the_names_of_each_namespace() {
    let (blue, here) = (Namespace::new("dev").unwrap(), Namespace::new("here").unwrap());
    // The same index has another name here.
    blue.ip("link add name r-blue0 index 77 type veth peer name r-blue1").unwrap();
    here.ip("link add name r-here0 index 77 type veth peer name r-here1").unwrap();
    let bound = |device: &'static str| {
        move || {
            let socket = std::net::UdpSocket::bind("0.0.0.0:5301").unwrap();
            socket2::SockRef::from(&socket).bind_device(Some(device.as_bytes())).map(|()| socket)
        }
    };
    let _held = (blue.run(bound("r-blue0")).unwrap(), here.run(bound("r-here0")).unwrap());
    let run = |flags: &str, filter: &[&str]| here.output(ss(flags).args(filter)).unwrap();
    let names = |output: &Output| -> Vec<String> {
        lines(output).iter().map(|line| line["netns"].as_str().unwrap().to_owned()).collect()
    };
    let at = |name: &str| format!("-ua --json --netns {name}");
    let all = run("-ua --json --all-netns", &["dev", "r-blue0"]);
    is_whole(&all);
    assert_eq!(names(&all), [blue.name()]);
    assert_eq!(names(&run("-ua --json --all-netns", &["dev", "r-here0"])), [here.name()]);
    assert_eq!(names(&run(&at(blue.name()), &["dev", "r-blue0"])), [blue.name()]);
    assert_eq!(names(&run(&at(blue.name()), &["dev", "77"])), [blue.name()]);

    let elsewhere = run(&at(blue.name()), &["dev", "r-here0"]);
    assert_eq!(elsewhere.status.code(), Some(2));
    assert!(said(&elsewhere).contains("no interface has this name"), "{}", said(&elsewhere));
    let nowhere = run("-ua --json --all-netns", &["dev", "r-nowhere0"]);
    assert_eq!((nowhere.status.code(), nowhere.stdout.len()), (Some(1), 0));
    assert!(said(&nowhere).contains("in none of the network namespaces"), "{}", said(&nowhere));
    // Each name is in one of the namespaces, and both in none.
    let either = run("-ua --json --all-netns", &["dev r-blue0 or dev r-here0"]);
    is_whole(&either);
    let mut found = names(&either);
    found.sort_unstable();
    let mut expected = [blue.name(), here.name()];
    expected.sort_unstable();
    assert_eq!(found, expected);
    let one = run("-ua --json --all-netns", &["dev r-blue0 or dev r-nowhere0"]);
    assert_eq!((one.status.code(), names(&one)), (Some(1), vec![blue.name().to_owned()]));
    assert!(said(&one).contains("namespaces: r-nowhere0"), "{}", said(&one));
    // Nothing is closed where a name says nothing.
    let mut kill = Command::new(SOCKEYE);
    kill.args(["kill", "-n", "--all-netns", "-s", "all", "not dev r-nowhere0"]);
    let kill = kill.output().unwrap();
    assert_eq!((kill.status.code(), kill.stdout.len()), (Some(1), 0));
    assert!(said(&kill).contains("r-nowhere0; nothing was closed"), "{}", said(&kill));
    let explained = run("--explain-filter --all-netns", &["dev r-blue0 or dev r-nowhere0"]);
    assert_eq!(explained.status.code(), Some(1));
    let text = String::from_utf8(explained.stdout.clone()).unwrap();
    assert!(text.starts_with("network namespace: ") && text.contains(", the first of "), "{text}");
    assert!(text.contains("not in this network namespace: dev = r-nowhere0\n"), "{text}");
    assert!(said(&explained).contains("namespaces: r-nowhere0"), "{}", said(&explained));
    let explained = run(&format!("--explain-filter --netns {}", blue.name()), &["dev", "r-blue0"]);
    assert_eq!(explained.status.code(), Some(0), "{}", said(&explained));
}

#[test]
fn sockets_are_closed_in_the_namespace_chosen() {
    let namespaces = [0, 1].map(|_| Namespace::new("kill").unwrap());
    let connect = || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (listener.accept().unwrap().0, client, listener)
    };
    let _held = [0, 1].map(|index: usize| namespaces[index].run(connect).unwrap());
    let [first, second] = [0, 1].map(|index: usize| namespaces[index].name());
    let kill = |args: &[&str]| {
        let output = Command::new(SOCKEYE).arg("kill").args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        output
    };
    let established =
        |name: &str| lines(&ss("-t --json --netns").arg(name).output().unwrap()).len();
    // Nothing is closed: namespaces of others are among them.
    let shown = kill(&["-t", "--all-netns", "--dry-run", "--json", "src 127.0.0.1"]);
    let shown = lines(&shown);
    for name in [first, second] {
        assert_eq!(shown.iter().filter(|line| line["netns"] == name).count(), 2);
        assert_eq!(established(name), 2);
    }
    let text = kill(&["-t", "--all-netns", "-n", "src 127.0.0.1"]).stdout;
    assert!(String::from_utf8(text).unwrap().contains(&format!("{first} tcp 127.0.0.1:")));
    let closed = lines(&kill(&["-t", "--netns", first, "--json", "src 127.0.0.1"]));
    assert_eq!(closed.len(), 2);
    assert!(closed.iter().all(|line| line["netns"] == first), "{closed:?}");
    assert_eq!((established(first), established(second)), (0, 2));
    // Of the flags the last counts, as in ss; and what is said names the namespace.
    for last in
        [vec!["--netns", "no-such-name", "--netns", second], vec!["--all-netns", "--netns", second]]
    {
        let shown = lines(&kill(&[&["-tn", "--json", "src 127.0.0.1"], &last[..]].concat()));
        assert!(shown.len() == 2 && shown.iter().all(|line| line["netns"] == second), "{shown:?}");
    }
    let text = kill(&["-tn", "--netns", first, "--all-netns", "src 127.0.0.1"]).stdout;
    assert!(String::from_utf8(text).unwrap().contains(&format!("{second} tcp 127.0.0.1:")));
    let output = ss("-tK --json --netns").args([second, "src 127.0.0.1"]).output().unwrap();
    // The other end goes with the first, and that is said.
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!((lines(&output).is_empty(), established(second)), (false, 0));
}

#[test]
fn what_is_said_of_closing_names_the_namespaces_once() {
    let namespaces = [0, 1].map(|_| Namespace::new("shadow").unwrap());
    // At an address of their own. Sockets that are bound stay so, and in each other's way.
    let bind = || {
        let address: std::net::SocketAddr = "127.77.66.55:5555".parse().unwrap();
        [(); 3].map(|()| {
            let socket =
                socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
            socket.set_reuse_port(true).unwrap();
            socket.bind(&address.into()).unwrap();
            socket
        })
    };
    let _held = [0, 1].map(|index: usize| namespaces[index].run(bind).unwrap());
    let filter = "state unconnected and src 127.77.66.55";
    let output =
        Command::new(SOCKEYE).args(["kill", "-u", "--all-netns", filter]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let about = said(&output);
    let about: Vec<&str> = about.lines().filter(|line| line.contains(" were not closed")).collect();
    let mut names = [0, 1].map(|index: usize| namespaces[index].name());
    names.sort_unstable();
    let expected = format!("sockeye kill: netns {}: 2 of 3 were not closed", names.join(", "));
    assert_eq!(about, [expected]);
}

/// They are looked for once, after the few sockets of all namespaces; each row keeps the names of its
/// own.
#[test]
fn owners_are_those_of_every_namespace() {
    let fleet = Fleet::new("owned", 20, |number| listen(2000 + number)).unwrap();
    let output = ss("-tlp --all-netns --json").output().unwrap();
    is_whole(&output);
    let shown = lines(&output);
    for (number, name) in fleet.names().iter().enumerate() {
        let own: Vec<&Value> = shown.iter().filter(|line| line["netns"] == name.as_str()).collect();
        assert_eq!((own.len(), &own[0]["local_port"]), (1, &Value::from(2000 + number)));
        // A child that another test starts may have it for a moment.
        let owners = own[0]["owners"].as_array().unwrap();
        assert!(owners.iter().any(|owner| owner["pid"] == std::process::id()), "{}", own[0]);
    }
}

#[test]
fn of_all_namespaces_text_has_their_names_first() {
    let (here, blue) = (Namespace::new("text").unwrap(), Namespace::new("textblue").unwrap());
    let _held = (here.run(|| listen(443)).unwrap(), blue.run(|| listen(8443)).unwrap());
    let output = here.output(&mut ss("-tln --all-netns")).unwrap();
    is_whole(&output);
    let text = String::from_utf8(output.stdout).unwrap();
    let mut rows = text.lines();
    assert!(rows.next().unwrap().starts_with("Netns "), "{text}");
    // That of the reader comes first, the others by name.
    let first = rows.next().unwrap();
    assert_eq!(first.split_whitespace().next(), Some(here.name()), "{text}");
    let other = text.lines().find(|row| row.starts_with(blue.name())).unwrap();
    assert!(other.contains(" 0.0.0.0:8443 "), "{other}");
    // Columns stand where they stand in all other rows.
    assert_eq!(first.find("LISTEN"), other.find("LISTEN"));
    let both = here.output(&mut ss("-Htuln --all-netns")).unwrap();
    let text = String::from_utf8(both.stdout).unwrap();
    assert!(text.contains(&format!("{} ", here.name())) && text.contains(" tcp "), "{text}");
}

#[test]
fn what_cannot_be_found_is_named_with_the_way_out() {
    for (arguments, message) in [
        (["-N", "no-such-name"], "`ip netns list`"),
        (["-N", "1"], "`ip netns list`"),
        (["-N", "../netns"], "`ip netns list`"),
        (["--netns", "no-such-name"], "`ip netns list`"),
        (["--netns", ""], "`ip netns list`"),
        (["--netns", "4194305"], "no process 4194305"),
        (["--netns", "/no/such/file"], "/no/such/file: No such file"),
        (["--netns", "/etc/passwd"], "is not a network namespace"),
        (["--netns", "/proc/self/ns/mnt"], "is not a network namespace"),
        (["--netns", "./\x1b[2J"], "\\x1b[2J"),
    ] {
        let output = ss("-tln").args(arguments).output().unwrap();
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains(message) && said.lines().count() == 1, "{arguments:?}: {said}");
        assert!(output.stdout.is_empty());
        assert!(!said.contains('\x1b'));
    }
    for flags in ["-t --all-netns -D -", "-t --netns"] {
        assert_eq!(ss(flags).output().unwrap().status.code(), Some(2), "{flags}");
    }
    let recorded = ss("-t --all-netns").env("TCPDIAG_FILE", "/x").output().unwrap();
    assert_eq!(recorded.status.code(), Some(2));
    assert!(said(&recorded).contains("TCPDIAG_FILE"), "{}", said(&recorded));
}

#[test]
fn without_rights_the_own_namespace_is_shown_and_the_rest_counted() {
    let (here, other) = (Namespace::new("mine").unwrap(), Namespace::new("theirs").unwrap());
    let held = (here.run(|| listen(443)).unwrap(), other.run(|| listen(443)).unwrap());
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let copy = directory.path().join("sockeye");
    fs::copy(SOCKEYE, &copy).unwrap();
    let as_nobody = |flags: &str, namespace: &Namespace| {
        let mut command = Command::new(&copy);
        command.arg("ss").args(flags.split(' ')).uid(65534);
        namespace.output_of_copy(&mut command).unwrap()
    };
    let all = as_nobody("-tl --all-netns --json", &here);
    assert_eq!(all.status.code(), Some(3), "{}", said(&all));
    let names: Vec<Value> = lines(&all).into_iter().map(|line| line["netns"].clone()).collect();
    assert_eq!(names, [here.name()]);
    let about = said(&all);
    assert!(about.contains("may not be entered: ") && about.contains("CAP_SYS_ADMIN"), "{about}");
    // Untold marks, and those gone, not entered and not looked into, each counted in one line.
    assert!(about.lines().count() <= 4, "{about}");
    let one = as_nobody(&format!("-tl --netns {}", other.name()), &here);
    assert_eq!((one.status.code(), one.stdout.is_empty()), (Some(1), true));
    assert!(said(&one).contains("CAP_SYS_ADMIN"), "{}", said(&one));
    // Its own needs no right.
    let own = as_nobody(&format!("-Htln --netns {}", here.name()), &here);
    assert_eq!((own.status.code(), said(&own).as_str()), (Some(0), ""));
    assert!(String::from_utf8_lossy(&own.stdout).contains("0.0.0.0:443"));
    drop(held);
}

/// What a sweep costs beside 100 000 sockets: not judged, as it depends on the machine. Run it by
/// `cargo test --release -p sockeye --test netns -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn a_sweep_beside_a_hundred_thousand_sockets() {
    let fleet = Fleet::new("sweep", MANY, |number| listen(2000 + number)).unwrap();
    let here = Namespace::new("sweeper").unwrap();
    let report = |what: &str| {
        for flags in ["-Htl --all-netns", "-Htan --all-netns", "-Htuan --all-netns"] {
            let times = [(); 3].map(|()| measure::time(&here, &mut ss(flags)).unwrap());
            assert!(times.iter().all(|time| time.status.success()));
            let median = |mut times: [std::time::Duration; 3]| {
                times.sort();
                times[1].as_secs_f64()
            };
            println!(
                "{what}: {flags}: wall {:.2} s, CPU {:.2} s",
                median(times.map(|time| time.wall)),
                median(times.map(|time| time.cpu)),
            );
        }
    };
    report("no other sockets");
    let crowded = Namespace::new("crowded").unwrap();
    let plan = Plan { connections: 50_000, processes: 6, ipv6: false };
    let crowd = Crowd::start(&crowded, plan).unwrap();
    assert_eq!(crowd.sockets().len(), 100_000);
    report("100 000 sockets in one of them");
    drop(fleet);
}
