//! `sockeye ss --json` of live sockets: to the committed schema, and what the text says.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use sockeye_lab::schema::violations;
use sockeye_lab::{Namespace, Population};

fn ss(namespace: &Namespace, flags: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sockeye"));
    let output = namespace.output(command.arg("ss").args(flags)).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{flags:?}: {}: {said}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// Lines, each held to the schema.
fn lines(text: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema/socket.schema.json");
    let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let parsed = text.lines().map(|line| {
        assert!(!line.chars().any(char::is_control), "{line}");
        let value: Value = serde_json::from_str(line).unwrap();
        assert_eq!(violations(&schema, &value), Vec::<String>::new(), "{line}");
        // No key twice, and written in one way.
        assert_eq!(value.to_string(), line);
        value
    });
    parsed.collect()
}

/// Rows of the text by what `-e` says of the cookie.
fn rows(text: &str) -> BTreeMap<String, &str> {
    let cookie = |row: &str| {
        let (_, rest) = row.split_once(" sk:")?;
        Some(format!("0x{}", rest.split(' ').next()?))
    };
    text.lines().filter_map(|row| Some((cookie(row)?, row))).collect()
}

/// What a row says in words that can be looked for.
fn words(line: &Value) -> Vec<String> {
    let number = |name: &str| line.get(name).and_then(Value::as_u64);
    let mut words = vec![format!(" ino:{} ", number("inode").unwrap())];
    let named = [
        (" mss:", "snd_mss"),
        (" pmtu:", "pmtu"),
        (" rcvmss:", "rcv_mss"),
        (" bytes_received:", "bytes_received"),
        (" uid:", "uid"),
    ];
    for (word, field) in named {
        // The text leaves out what is 0.
        if let Some(value) = number(field).filter(|value| *value != 0) {
            words.push(format!("{word}{value}"));
        }
    }
    if let Some(mark) = number("mark").filter(|mark| *mark != 0) {
        words.push(format!(" fwmark:0x{mark:x}"));
    }
    if let Some(rcvbuf) = number("skmem_rcvbuf_bytes") {
        let sndbuf = number("skmem_sndbuf_bytes").unwrap();
        words.extend([format!(",rb{rcvbuf},"), format!(",tb{sndbuf},")]);
    }
    if let Some(name) = line.get("interface_name") {
        words.push(format!("%{}:", name.as_str().unwrap()));
    }
    if let Some(path) = line.get("cgroup_path") {
        words.push(format!(" cgroup:{}", path.as_str().unwrap()));
    }
    let port = number("local_port").unwrap();
    words.push(if port == 0 { ":*".to_owned() } else { format!(":{port} ") });
    words
}

#[test]
fn every_live_socket_conforms_and_says_what_the_text_says() {
    let population = Population::new("json").unwrap();
    let near = population.near();
    let before = ss(near, &["-tuanOimeH"]);
    let told = lines(&ss(near, &["-tua", "--json"]));
    let after = ss(near, &["-tuanOimeH"]);
    let (before, after) = (rows(&before), rows(&after));
    let mut compared = 0;
    for line in &told {
        let cookie = line["cookie"].as_str().unwrap();
        let (Some(before), Some(after)) = (before.get(cookie), after.get(cookie)) else { continue };
        compared += 1;
        for word in words(line) {
            assert!(before.contains(&word) || after.contains(&word), "{word:?}: {line}\n{after}");
        }
    }
    assert!(compared >= 40 && compared + 5 >= before.len(), "{compared} of {}", before.len());

    let all = |name: &str| -> BTreeSet<&str> {
        told.iter().filter_map(|line| line.get(name)?.as_str()).collect()
    };
    assert_eq!(all("family"), BTreeSet::from(["inet", "inet6"]));
    assert_eq!(all("protocol"), BTreeSet::from(["tcp", "udp"]));
    let states = all("state");
    for state in [
        "close",
        "close_wait",
        "closing",
        "established",
        "fin_wait1",
        "fin_wait2",
        "last_ack",
        "listen",
        "syn_recv",
        "syn_sent",
        "time_wait",
    ] {
        assert!(states.contains(state), "{state}: {states:?}");
    }
    for timer in ["off", "retransmit", "keepalive", "time_wait", "probe0"] {
        assert!(all("timer").contains(timer), "{timer}");
    }
    for line in &told {
        let listens = line["state"] == "listen";
        assert_eq!(line.get("accept_queue_limit").is_some(), listens, "{line}");
        assert_eq!(line.get("send_queue_bytes").is_some(), !listens, "{line}");
        // A socket of TIME-WAIT shows as FIN-WAIT-2 first; its timer tells.
        let mini = line["timer"] == "time_wait" || line["state"] == "syn_recv";
        assert_eq!(line.get("skmem_drops").is_some(), !mini, "{line}");
        assert!(mini || line.get("mark").is_some(), "{line}");
        assert!(line.get("uid").is_some() || line["inode"] == 0, "{line}");
        assert!(!mini || line.get("uid").is_none(), "{line}");
        // Of a bound socket that neither listens nor is connected, the kernel tells no tcp_info.
        let tcp = line["protocol"] == "tcp" && !mini && line["state"] != "close";
        assert_eq!(line.get("snd_cwnd").is_some(), tcp, "{line}");
        assert!(line.get("owners").is_none(), "{line}");
    }
}

#[test]
fn states_and_families_choose_as_always() {
    let population = Population::new("jsonsets").unwrap();
    let of = |flags: &[&str]| lines(&ss(population.near(), flags));
    let listeners = of(&["-tl", "--json"]);
    assert!(!listeners.is_empty());
    assert!(listeners.iter().all(|line| line["state"] == "listen"));
    let six = of(&["-ta6", "--json"]);
    assert!(!six.is_empty() && six.iter().all(|line| line["family"] == "inet6"));
    let four = of(&["-ta4", "--json"]);
    assert!(!four.is_empty() && four.iter().all(|line| line["family"] == "inet"));
    assert_eq!(of(&["-ta", "--json"]).len(), four.len() + six.len());
    let waiting = of(&["-t", "--json", "state", "time-wait"]);
    assert!(!waiting.is_empty() && waiting.iter().all(|line| line["state"] == "time_wait"));
}
