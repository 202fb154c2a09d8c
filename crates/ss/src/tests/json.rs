//! `--json` of recordings and of /proc: to the schema, and true to the record.

use std::ffi::OsString;
use std::fs;
use std::fs::File;
use std::ops::ControlFlow;

use serde_json::{Value, json};
use sockeye_diag::{Sockets, recording};
use sockeye_lab::schema::violations;
use sockeye_model::field::Word;
use sockeye_model::{Socket, State, TcpInfo};

use super::{PIPE, file, run, screen};

/// Lines, each held to the schema.
fn lines(stdout: Vec<u8>) -> Vec<Value> {
    let text = String::from_utf8(stdout).unwrap();
    let schema = sockeye_json::schema("socket", "", Socket::SECTIONS);
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let parsed = text.lines().map(|line| {
        let value: Value = serde_json::from_str(line).unwrap();
        assert_eq!(violations(&schema, &value), Vec::<String>::new(), "{line}");
        value
    });
    parsed.collect()
}

fn replayed(recording: &str, flags: &str) -> Vec<Value> {
    let printed = run(flags, &[("TCPDIAG_FILE", file(recording).into())], PIPE);
    assert_eq!((printed.status, printed.stderr.as_str()), (0, ""), "{recording}");
    lines(printed.stdout)
}

struct All(Vec<Socket>);

impl Sockets for All {
    fn socket(&mut self, socket: &Socket) -> ControlFlow<()> {
        self.0.push(socket.clone());
        ControlFlow::Continue(())
    }

    fn restart(&mut self) {
        self.0.clear();
    }
}

#[test]
fn every_recording_conforms_and_says_what_the_sockets_are() {
    let mut seen = 0;
    for entry in fs::read_dir(file("")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.ends_with(".bin") {
            continue;
        }
        let mut sockets = All(Vec::new());
        recording::read(File::open(file(&name)).unwrap(), &mut sockets).unwrap();
        let lines = replayed(&name, "-t --json");
        assert_eq!(lines.len(), sockets.0.len(), "{name}");
        for (line, socket) in lines.iter().zip(&sockets.0) {
            seen += 1;
            assert_eq!(line["cookie"], format!("{:#x}", socket.cookie.0));
            assert_eq!(line["local_address"], socket.local.address.to_string());
            assert_eq!(line["state"].as_str(), socket.state.name());
            assert_eq!(line["inode"], socket.inode);
            let number = |name: &str| line.get(name).and_then(Value::as_u64);
            let queue =
                if socket.state == State::Listen { "accept_queue" } else { "recv_queue_bytes" };
            assert_eq!(number(queue), Some(socket.rqueue.into()));
            let skmem = socket.skmem.as_ref();
            assert_eq!(number("skmem_rcvbuf_bytes"), skmem.map(|mem| mem.rcvbuf.into()));
            assert_eq!(number("skmem_drops"), skmem.and_then(|mem| mem.drops).map(u64::from));
            let info = socket.tcp_info.as_ref();
            assert_eq!(number("rtt_us"), info.and_then(TcpInfo::rtt_us).map(u64::from));
            assert_eq!(number("snd_wnd"), info.and_then(TcpInfo::snd_wnd).map(u64::from));
            let rate = info.and_then(TcpInfo::pacing_rate_bytes_per_second);
            assert_eq!(number("pacing_rate_bytes_per_second"), rate);
        }
    }
    assert!(seen > 300, "sockets are found: {seen}");
}

#[test]
fn parts_that_few_sockets_have_are_shown() {
    let first = |recording| replayed(recording, "-t --json").remove(0);
    let dctcp = first("linux_6_12_dctcp.bin");
    assert_eq!(dctcp["congestion"], "dctcp");
    assert!(dctcp["dctcp_alpha"].is_u64() && dctcp.get("vegas_rtt_us").is_none());
    assert!(first("linux_6_1_vegas.bin")["vegas_rtt_us"].is_u64());
    let tls = first("linux_6_12_tls.bin");
    assert_eq!((&tls["ulp"], &tls["tls_version"]), (&json!("tls"), &json!("1.2")));
    let mptcp = first("linux_6_12_mptcp.bin");
    assert!(mptcp["mptcp_map_seq"].as_str().unwrap().starts_with("0x"));
    assert!(mptcp["mptcp_flags"].as_array().unwrap().contains(&json!("connected")));
}

#[test]
fn a_key_is_in_no_line() {
    let recording = file("md5.bin").into();
    let printed = run("-t --json", &[("TCPDIAG_FILE", recording)], PIPE).stdout;
    let text = String::from_utf8(printed.clone()).unwrap();
    assert!(!text.contains("secret") && !text.contains("-key"));
    let signatures = &lines(printed)[0]["md5_signatures"];
    assert_eq!(
        signatures[0],
        json!({"address": "192.0.2.1", "prefix_len": 32, "key_len_bytes": 12})
    );
}

#[test]
fn flags_of_the_text_change_nothing() {
    let recording = || [("TCPDIAG_FILE", OsString::from(file("mixed.bin")))];
    let plain = run("-t --json", &recording(), PIPE).stdout;
    assert!(plain.starts_with(b"{") && plain.ends_with(b"}\n"));
    for flags in ["-tnimoeHOQ --tos --cgroup --json", "-tr --json --iproute2 6.1"] {
        assert_eq!(run(flags, &recording(), PIPE).stdout, plain, "{flags}");
    }
    assert_eq!(run("-t --json", &recording(), screen(80)).stdout, plain, "on a terminal");
    assert_eq!(run("-t --json", &[("TCPDIAG_FILE", file("empty.bin").into())], PIPE).stdout, b"");
}

#[test]
fn a_recording_is_not_mixed_with_this_host() {
    // Bound to interfaces and in control groups of the host that made it.
    let lines = replayed("linux_6_12_mptcp.bin", "-t --json");
    assert!(lines.iter().any(|line| line.get("interface_index").is_some()));
    assert!(lines.iter().all(|line| line.get("interface_name").is_none()));
    assert!(lines.iter().any(|line| line.get("cgroup_id").is_some()));
    assert!(lines.iter().all(|line| line.get("cgroup_path").is_none()));
}

#[test]
fn proc_tells_what_it_knows_and_nothing_else() {
    let variables = [
        ("PROC_NET_TCP", file("proc_net_tcp").into()),
        ("PROC_NET_TCP6", file("proc_net_tcp6").into()),
        ("PROC_NET_UDP", file("proc_net_udp").into()),
        ("PROC_NET_UDP6", file("nonexistent").into()),
    ];
    let printed = run("-tua --json", &variables, PIPE);
    assert_eq!((printed.status, printed.stderr.as_str()), (0, ""));
    let lines = lines(printed.stdout);
    let of = |state: &'static str| lines.iter().filter(move |line| line["state"] == state);
    for line in &lines {
        assert!(line.get("cookie").is_none() && line.get("mem_rmem_bytes").is_none(), "{line}");
    }
    assert!(
        of("listen").count() > 0 && of("time_wait").count() > 0 && of("established").count() > 0
    );
    for line in of("listen") {
        assert!(
            line["accept_queue"].is_u64() && line.get("accept_queue_limit").is_none(),
            "{line}"
        );
        assert!(line.get("snd_cwnd").is_none(), "{line}");
    }
    for line in of("time_wait") {
        assert!(line.get("uid").is_none() && line.get("rto_us").is_none(), "{line}");
    }
    let established = of("established").find(|line| line["protocol"] == "tcp").unwrap();
    assert!(established["rto_us"].is_u64() && established["snd_cwnd"].is_u64(), "{established}");
    let mut udp = lines.iter().filter(|line| line["protocol"] == "udp").peekable();
    assert!(udp.peek().is_some());
    for line in udp {
        assert!(line["skmem_drops"].is_u64() && line.get("rto_us").is_none(), "{line}");
    }
}
