//! Owners: `-p`, `-T`, `-Z` and `-z`, where processes hold sockets in every way that is known.

use sockeye_lab::Namespace;
use sockeye_lab::holder::{EVERY_WAY, HOSTILE_NAMES, Holder, Plan};

use crate::compare::{Comparison, Sink};
use crate::{WIDTHS, named_ss};

/// Whose output stays the same while a few seconds pass.
const STILL: &[&str] = &[
    "-tp",
    "-up",
    "-tlnp",
    "-tanp",
    "-tulnp",
    "-tuanp",
    "-tulnpe",
    "-tanpe",
    "-tanpm",
    "-tlnpi",
    "-tulnpimoe",
    "-Htanp",
    "-tlnp -O",
    "-tlnp -H",
    "-HtuanpO",
    "-tanpmO",
    "-p -t -T",
    "-tanp -T",
    "-T -tan",
    "-tuanpT",
    "-HtuanpTO",
    "-tanpTe",
    "-Tuln",
    "-tanp4",
    "-tanp6",
    "-ptan state established",
    "-tp state listening",
    "-tanp exclude listening",
    "-tuanp --tos --cgroup",
    "--tcp --processes",
    "--tcp --all --threads",
    "--pro --thr -tua",
];

/// Whose output has times in it.
const MOVING: &[&str] = &["-tanpi", "-tanpimoe", "-tanpTimoe", "-HtuanpimoeO", "-tpio"];

fn start(namespace: &Namespace, plans: &[Plan<'_>]) -> Vec<Holder> {
    plans.iter().map(|plan| Holder::start(namespace, plan).unwrap()).collect()
}

/// A process and a child for each hostile name, and one with threads of all of them.
fn start_hostile(namespace: &Namespace) -> Vec<Holder> {
    let plan = |(name, child)| Plan { name, sockets: 3, child: Some(child), ..Plan::default() };
    let names = || HOSTILE_NAMES.iter().copied();
    let plans: Vec<Plan<'_>> = names().zip(names().rev()).map(plan).collect();
    let threads = Plan { name: b"threads", sockets: 2, threads: HOSTILE_NAMES, ..Plan::default() };
    let mut holders = start(namespace, &plans);
    holders.extend(start(namespace, &[threads]));
    holders
}

#[test]
fn owners_in_a_pipe() {
    let namespace = Namespace::new("owners").unwrap();
    let _holders = (start(&namespace, EVERY_WAY), start_hostile(&namespace));
    let mut comparison = Comparison::of(&namespace);
    for flags in STILL {
        comparison.live(flags);
    }
    for flags in MOVING {
        comparison.live_words(flags);
    }
    comparison.finish();
}

#[test]
fn owners_on_terminals() {
    let namespace = Namespace::new("ownerstty").unwrap();
    let _holders = start(&namespace, EVERY_WAY);
    let mut comparison = Comparison::of(&namespace);
    // Each command line at two widths.
    for (number, columns) in WIDTHS.into_iter().enumerate() {
        comparison.to(Sink::Terminal(columns));
        for flags in STILL.iter().skip(number % 3).step_by(3) {
            comparison.live(flags);
        }
    }
    comparison.finish();
}

/// What would be an escape sequence is shown as text, by which the names can still be told apart.
#[test]
fn hostile_names_of_processes_reach_no_terminal() {
    let namespace = Namespace::new("ownerscut").unwrap();
    let _holders = start_hostile(&namespace);
    let mut comparison = Comparison::of(&namespace);
    for columns in [80, 200] {
        comparison.to(Sink::Terminal(columns));
        for flags in ["-tanp", "-tuanpT", "-HtanpO"] {
            let text = comparison.sockeye_bytes(flags);
            let control = |byte: &u8| (*byte < b' ' && *byte != b'\n') || *byte == 0x7f;
            assert_eq!(text.iter().copied().find(control), None, "{}", text.escape_ascii());
            let text = String::from_utf8(text).unwrap();
            assert!(text.contains(r#"("\x1b[31mred\x1b[0m",pid="#), "{text}");
            assert!(text.contains(r#"("\xff\xfe\x80",pid="#), "{text}");
        }
    }
}

/// More than are looked for one by one.
#[test]
fn owners_of_many_sockets() {
    let namespace = Namespace::new("ownersmany").unwrap();
    let plan = Plan { name: b"of many", sockets: 450, copies: &[700], ..Plan::default() };
    let _holders = start(&namespace, &[plan, plan, plan, EVERY_WAY[2], EVERY_WAY[5]]);
    let mut comparison = Comparison::of(&namespace);
    for flags in ["-tuanp", "-tuanpTe", "-HtuanpO", "-tlnp"] {
        comparison.live(flags);
    }
    let longest = comparison.longest();
    assert!(longest > 1700 * 50, "{longest} bytes are too few for this test");
    comparison.finish();
}

/// Another name of `/proc` is read, the name itself leaves the way open. A socket that has no owner
/// without `-T` is left out: where a process may not be looked into, that is said, with status 3.
#[test]
fn owners_by_another_proc_root() {
    let namespace = Namespace::new("ownersroot").unwrap();
    let _holders = (start(&namespace, EVERY_WAY), start_hostile(&namespace));
    for root in ["/proc", "/proc/", "/proc/../proc", "/proc/../proc/"] {
        let mut comparison = Comparison::of(&namespace);
        comparison.set("PROC_ROOT", root);
        for flags in ["-tanp", "-tlnp", "-tlnpe", "-tulnpTe", "-tuanpT", "-HtanpO"] {
            comparison.live(flags);
        }
        comparison.finish();
    }
}

/// On a host without SELinux both refuse.
#[test]
fn contexts_without_selinux() {
    let namespace = Namespace::new("contexts").unwrap();
    let _holders = start(&namespace, &EVERY_WAY[..1]);
    let mut comparison = Comparison::of(&namespace);
    let (_directory, program) = named_ss();
    comparison.run_as(program);
    for flags in ["-tanZ", "-tanz", "-tanpZz", "-tzT", "--context -t", "--contexts -t"] {
        comparison.refused(flags);
    }
    comparison.finish();
}
