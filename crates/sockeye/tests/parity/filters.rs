//! Filters: what `sockeye ss` shows of them is what the installed `ss` shows.

use std::fs;
use std::path::Path;

use sockeye_lab::{Namespace, Population, Recording, synthetic};

use crate::compare::{Comparison, Sink};

/// Expressions over a [`Population`]: one of each test, spelling and operator, and what joins them.
const EXPRESSIONS: &[&str] = &[
    // Ports.
    "sport = :22",
    "sport = 22",
    "sport == :6001",
    "sport eq :6001",
    "sport :6001",
    "sport 6001",
    "dport = :6001",
    "dport != :6001",
    "dport ne 6001",
    "dport neq 6001",
    "sport < 1024",
    "sport lt :1024",
    "sport <= 1024",
    "sport le 80",
    "sport leq 80",
    "sport > 6000",
    "sport gt 6000",
    "sport >= 6001",
    "sport ge :6001",
    "sport geq :6001",
    "dport >= 0",
    "dport > 0",
    "sport = ssh",
    "sport = :ssh",
    "dport = :http",
    "sport = :domain",
    "sport = 0x16",
    "sport = 026",
    "sport = *",
    "sport = :*",
    "sport = [22]",
    "sport = :99999",
    "sport >= :99999",
    "sport <= :99999",
    "dport > *",
    "sport = :-1",
    "sport = :-5",
    // Addresses.
    "src 127.0.0.1",
    "src = 127.0.0.1",
    "src == 127.0.0.1:6001",
    "dst 127.0.0.1",
    "dst 127.0.0.1:6001",
    "dst 127.0.0.0/8",
    "dst 127/8",
    "src 127.0.0.0/30",
    "src 10.77.0.0/255.255.255.0",
    "src 10.77.0.1:*",
    "src 10.77.0.1:",
    "dst 10.77.0.0/24:7000",
    "src 0.0.0.0",
    "src 0.0.0.0/0",
    "src ::/0",
    "src [::]",
    "src [::]:22",
    "src [::1]",
    "src [::1]:6002",
    "src ::1:6002",
    "dst fd77::/16",
    "dst [fd77::/16]",
    "src fd77:1234:5678:9abc:def0:1234:5678:9abc:50051",
    "src fe80::/10",
    "dst [::ffff:127.0.0.1]",
    "dst ::ffff:0:0/96",
    "src [::ffff:127.0.0.9]:6003",
    "src *",
    "src *:22",
    "src :22",
    "src any",
    "src all",
    "src default",
    "src any:22",
    "src 127.1",
    "src localhost:5432",
    "dst inet:127.0.0.1",
    "dst inet:any",
    "src inet6:any",
    "src inet6:[::1]",
    "sport = inet:22",
    "sport = inet6:22",
    "src inet:*:22",
    // Tables that have none of these addresses.
    "src link:*",
    "src link:ip:near0",
    "src netlink:*",
    "dst netlink:rtnl:kernel",
    "src vsock:*:*",
    "src vsock:2:1024",
    // Everything else.
    "dev lo",
    "dev = near0",
    "dev == near0",
    "dev != lo",
    "dev ne near0",
    "dev 1",
    "dev 0",
    "dev if1",
    "fwmark 0x1234",
    "fwmark = 4660",
    "fwmark != 0",
    "fwmark ne 0x1",
    "fwmark 0/0",
    "fwmark 0x4/0xf",
    "fwmark 0xfe/0xff",
    "fwmark 0xffffffff",
    "fwmark 0x1234/0xf",
    "fwmark 037/0xff",
    "fwmark 1rest",
    "autobound",
    "not autobound",
    // What joins them.
    "sport = :22 and src 0.0.0.0",
    "sport = :22 & src 0.0.0.0",
    "sport = :22 && src 0.0.0.0",
    "sport = :22 src 0.0.0.0",
    "sport = :22 or sport = :80",
    "sport = :22 | sport = :80",
    "sport = :22 || sport = :80 || sport = :53",
    "not sport = :22",
    "! sport = :22",
    "not ! sport = :22",
    "not src 0.0.0.0",
    "not src [::]",
    "not dst 127.0.0.0/8",
    "not src inet:127.0.0.1",
    "( sport = :22 )",
    "( ( sport = :22 or sport = :80 ) )",
    "sport = :22 or sport = :80 and src 0.0.0.0",
    "sport = :22 or ( sport = :80 and src 0.0.0.0 )",
    "src 0.0.0.0 and sport = :80 or sport = :22",
    "not sport = :22 and sport < :100",
    "not ( sport = :22 or sport = :80 ) and sport < :100",
    "not ( src 0.0.0.0 and not ( sport = :22 ) )",
    "autobound and dport = :6001 or sport = :6001",
    "dev lo and src 0.0.0.0",
    "dev lo or src 0.0.0.0",
    "not dev lo and src [::]",
    "not ( dev lo or src 0.0.0.0 )",
    "dev 0 and not src 0.0.0.0",
    "dev 0 and src 127.0.0.0/8",
    "dev 0 and src [::ffff:127.0.0.9]",
    "dev 0 and src ::/8 and sport = 22",
    "dev lo and autobound",
    "dev 0 and not autobound and sport >= :99999",
    "dev 0 and sport <= :99999",
    "dev near0 or fwmark 0x1234 or sport = :8083",
    "fwmark 0xfe and sport = :8083 or dport = :6010",
    "src 127.0.0.1 and dst 127.0.0.1 and ( sport = :6001 or dport = :6001 )",
];

/// Flags that choose tables, families and states beside a filter.
const CHOICES: &[&str] = &[
    "-A tcp",
    "-A tcp -a",
    "-A udp -a",
    "-a -A udp",
    "-A tcp,udp -an",
    "-A tcp -A udp -an",
    "-t -A udp -an",
    "-A udp -t -an",
    "-A udp -l",
    "-A tcp,udp,!tcp -an",
    "-A tcp,udp,!udp -a",
    "--query tcp -n",
    "--socket udp -an",
    "--query=tcp,udp",
    "-f inet -A tcp",
    "-f inet6 -t -a",
    "-f inet -t -an",
    "-f inet -f inet6 -tan",
    "-f inet6 -f inet -tan",
    "--family inet -t",
    "--family=inet6 -u -a",
    "-4 -f inet6 -tan",
    "-f inet -tan dport = :6001",
    "-f inet6 -tan dport = :6002",
    "-6tan src [::1] or sport = :22",
    "-4tan sport = :22",
    "-4 -6 -tan sport = :22",
    "-tan4 src inet6:any",
    "-tn state established dport = :6001",
    "-tn state listening sport = :22",
    "-tn exclude listening src 127.0.0.0/8",
    "-t state connected ( dport = :http )",
    "-tln sport = :22",
    "-uln sport >= :4900",
    "-tlnm dev lo",
    "-tan --tos fwmark 0x1234",
    "-HtanO sport = :22",
    "-tam sport = :22",
    "-tr sport = :22",
    "-uanemo dst :443",
    "-tan -- sport = :22",
    "sport = :22 -tan",
    "dport = :6001 -t or sport = :6001 -n",
];

#[test]
fn at_least_a_hundred_and_fifty_filters_and_flags_are_compared() {
    assert!(EXPRESSIONS.len() + CHOICES.len() >= 150);
}

#[test]
fn filters_live() {
    // A population keeps its states for less than a minute.
    for expressions in EXPRESSIONS.chunks(40) {
        let population = Population::new("filters").unwrap();
        let mut comparison = Comparison::of(population.near());
        for expression in expressions {
            comparison.live(&format!("-tuan {expression}"));
        }
        comparison.finish();
    }
}

#[test]
fn filters_seen_from_the_other_end() {
    let population = Population::new("filters").unwrap();
    let mut comparison = Comparison::of(population.far());
    for expression in EXPRESSIONS.iter().step_by(2).filter(|text| !text.contains("near0")) {
        comparison.live(&format!("-tuan {expression}"));
    }
    comparison.finish();
}

#[test]
fn choices_of_tables_and_families_live() {
    let population = Population::new("choices").unwrap();
    let mut comparison = Comparison::of(population.near());
    for flags in CHOICES {
        comparison.live(flags);
    }
    comparison.to(Sink::Terminal(90));
    for flags in CHOICES.iter().step_by(3) {
        comparison.live(flags);
    }
    comparison.finish();
}

/// Of a recording, user space alone tests.
#[test]
fn filters_of_recordings() {
    let population = Population::new("filters").unwrap();
    let near = Recording::of(population.near()).unwrap();
    for recording in [near, synthetic::catalogue(), synthetic::varied(7, 300)] {
        let mut comparison = Comparison::of(population.near());
        let _file = comparison.replay(&recording);
        for expression in EXPRESSIONS {
            comparison.replayed(&format!("-tan {expression}"));
        }
        comparison.to(Sink::Terminal(120));
        for expression in EXPRESSIONS.iter().step_by(5) {
            comparison.replayed(&format!("-tanie {expression}"));
        }
        comparison.finish();
    }
}

/// A filter of arbitrary tests, joined anyhow; always the same for the same `number`.
fn arbitrary(number: u64) -> String {
    // A family that is named would stay, and the addresses behind it have another.
    let tests: Vec<_> = EXPRESSIONS
        .iter()
        .filter(|text| !["inet", "link:", "vsock:"].iter().any(|family| text.contains(family)))
        .collect();
    let mut seed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut below = |limit: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap_or(0) % limit
    };
    let mut text = tests[below(tests.len())].to_string();
    for _ in 0..=below(4) {
        let next = tests[below(tests.len())];
        text = match below(6) {
            0 => format!("{text} and {next}"),
            1 => format!("{text} or {next}"),
            2 => format!("not {text} or {next}"),
            3 => format!("( {text} ) and not ( {next} )"),
            4 => format!("{next} or ( {text} )"),
            _ => format!("not ( {text} {next} )"),
        };
    }
    text
}

#[test]
fn arbitrary_filters() {
    for numbers in [0..60, 60..120] {
        let population = Population::new("arbitrary").unwrap();
        let recorded = Recording::of(population.near()).unwrap();
        let mut comparison = Comparison::of(population.near());
        for number in numbers.clone() {
            comparison.live(&format!("-tuan {}", arbitrary(number)));
        }
        let _file = comparison.replay(&recorded);
        for number in numbers {
            comparison.replayed(&format!("-tan {}", arbitrary(number)));
        }
        comparison.finish();
    }
}

#[test]
fn filters_of_proc_files() {
    let population = Population::new("filters").unwrap();
    let mut comparison = Comparison::of(population.near());
    comparison.set("PROC_ROOT", "/proc");
    for expression in EXPRESSIONS.iter().step_by(2) {
        comparison.live(&format!("-tuan {expression}"));
    }
    comparison.finish();
}

#[test]
fn control_groups() {
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    let mount = mounts.lines().find_map(|line| {
        let mut words = line.split(' ').skip(1);
        let path = words.next()?;
        (words.next()? == "cgroup2").then_some(path)
    });
    let Some(mount) = mount else { return };
    let population = Population::new("groups").unwrap();
    let mut comparison = Comparison::of(population.near());
    for expression in [
        format!("cgroup {mount}"),
        format!("cgroup = {mount}/"),
        format!("cgroup != {mount}"),
        format!("not cgroup {mount} or sport = :22"),
        format!("cgroup {mount} and dev lo"),
    ] {
        comparison.live(&format!("-tuan {expression}"));
    }
    comparison.finish();
}

/// The recording of iproute2's own cases: four IPv4 sockets, and behind the end that the reader takes
/// for it, three of IPv6.
fn own_recording() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/ss1.dump");
    path.to_string_lossy().into_owned()
}

#[test]
fn filters_of_the_recording_of_iproute2() {
    let namespace = Namespace::new("own").unwrap();
    let mut comparison = Comparison::of(&namespace);
    comparison.set("TCPDIAG_FILE", &own_recording());
    for flags in ["-tan", "-Htna", "-tanO"] {
        for expression in EXPRESSIONS.iter().filter(|text| !text.contains("near0")) {
            comparison.replayed(&format!("{flags} {expression}"));
        }
    }
    comparison.finish();
}

/// iproute2's own cases (testsuite/tests/ss/ssfilter.t), with what they expect.
#[test]
fn the_cases_of_iproute2() {
    const DPORT: &str = "ESTAB 0      0      10.0.0.1:36266 10.0.0.1:22";
    const LISTENER: &str = "LISTEN 0      128    0.0.0.0:22 0.0.0.0:*";
    const SECOND: &str = "ESTAB 0      0      10.0.0.1:22 10.0.0.2:50312";
    let namespace = Namespace::new("own").unwrap();
    let mut comparison = Comparison::of(&namespace);
    comparison.set("TCPDIAG_FILE", &own_recording());
    for (expression, row) in [
        ("dport = 22", DPORT),
        ("dport 22", DPORT),
        ("( dport = 22 )", DPORT),
        ("src = 0.0.0.0", LISTENER),
        ("src 0.0.0.0", LISTENER),
        ("src 0.0.0.0 sport = 22", LISTENER),
        ("src 0.0.0.0 and sport = 22", LISTENER),
        ("src 10.0.0.1 and sport = 22 and dport = 50312", SECOND),
        ("src 10.0.0.1 and sport = 22 and ( dport = 50312 )", SECOND),
        ("src 10.0.0.1 and ( sport = 22 and dport = 50312 )", SECOND),
        ("( src 10.0.0.1 and sport = 22 ) and dport = 50312", SECOND),
        ("( src 0.0.0.0 or src 10.0.0.1 ) and dst 10.0.0.2", SECOND),
    ] {
        let text = comparison.sockeye_text(&format!("-Htna {expression}"));
        assert_eq!(text.trim_end(), row, "{expression}");
        comparison.replayed(&format!("-Htna {expression}"));
    }
    comparison.finish();
}
