//! Another network namespace: `-N`, run in one and looking into another.
//!
//! `ss -N` mounts /sys anew and then finds no control group: it prints `unreachable:ID`, and sockeye the
//! path. So `-e` and `--cgroup` are left out.

use sockeye_lab::holder::{EVERY_WAY, Holder};
use sockeye_lab::{Namespace, Population};

use crate::WIDTHS;
use crate::cases;
use crate::compare::{Comparison, Sink};

fn shows_no_control_group(flags: &&str) -> bool {
    let words = || flags.split(' ');
    let letters = words().filter(|word| word.starts_with('-') && !word.starts_with("--"));
    !letters.flat_map(str::chars).any(|letter| letter == 'e')
        && !words().any(|word| word.starts_with("--cg") || word.starts_with("--ex"))
}

#[test]
fn live_from_another_namespace() {
    let (here, population) =
        (Namespace::new("outside").unwrap(), Population::new("inside").unwrap());
    let name = population.near().name();
    let mut comparison = Comparison::of(&here);
    for sink in [Sink::Pipe, Sink::Terminal(WIDTHS[1]), Sink::Terminal(WIDTHS[4])] {
        comparison.to(sink);
        for flags in cases::still(comparison.version()).filter(shows_no_control_group) {
            comparison.live(&format!("-N {name} {flags}"));
        }
    }
    comparison.to(Sink::Pipe);
    for flags in cases::MOVING.iter().copied().filter(shows_no_control_group) {
        comparison.live_words(&format!("{flags} --net={name}"));
    }
    // Of several, the last counts.
    comparison.live(&format!("-tan -N {} -N {name}", here.name()));
    let longest = comparison.longest();
    assert!(longest > 1000, "{longest} bytes are too few for this test");
    comparison.finish();
}

/// Ports that a namespace hands out to clients have no name there, whatever they have elsewhere.
#[test]
fn ports_are_named_as_the_namespace_hands_them_out() {
    let (here, there) = (Namespace::new("outside").unwrap(), Namespace::new("ports").unwrap());
    there.set("ipv4/ip_local_port_range", "3300 3400").unwrap();
    here.set("ipv4/ip_local_port_range", "5400 5500").unwrap();
    let listen = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let _held = there.run(|| [3306, 5432].map(listen)).unwrap();
    let mut comparison = Comparison::of(&here);
    let flags = format!("-tl -N {}", there.name());
    comparison.live(&flags);
    let text = comparison.sockeye_text(&flags);
    assert!(text.contains("127.0.0.1:3306 ") && text.contains(":postgresql "), "{text}");
    comparison.finish();
}

#[test]
fn owners_in_another_namespace() {
    let (here, there) = (Namespace::new("outside").unwrap(), Namespace::new("owners").unwrap());
    let _holders: Vec<Holder> =
        EVERY_WAY.iter().map(|plan| Holder::start(&there, plan).unwrap()).collect();
    let mut comparison = Comparison::of(&here);
    for flags in ["-tuanp", "-tlnp", "-tuanpT", "-HtanpO"] {
        comparison.live(&format!("{flags} -N {}", there.name()));
    }
    comparison.finish();
}

/// `/proc/net` is that of the first thread, which sockeye does not move.
#[test]
fn proc_files_of_another_namespace() {
    let (here, population) =
        (Namespace::new("outside").unwrap(), Population::new("files").unwrap());
    let mut comparison = Comparison::of(&here);
    comparison.set("PROC_ROOT", "/proc/");
    for flags in cases::PROC.iter().copied().filter(shows_no_control_group) {
        comparison.live(&format!("-N {} {flags}", population.near().name()));
    }
    comparison.finish();
}

#[test]
fn dump_files_of_another_namespace() {
    let (here, population) = (Namespace::new("outside").unwrap(), Population::new("dump").unwrap());
    let mut comparison = Comparison::of(&here);
    comparison.dumped(&format!("-tl -N {}", population.near().name()));
    comparison.finish();
}
