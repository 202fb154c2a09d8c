//! Parity: `sockeye ss` prints, byte for byte, what the installed `ss` prints.
//!
//! Each command line of [`cases`] runs in both programs, in a namespace that holds a socket of each kind:
//! live where nothing moves, on a recorded dump where times do, into a pipe and on terminals of several
//! widths. What this kernel cannot show comes from hand-made recordings.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod cases;
mod compare;
mod filters;
mod namespaces;
mod owners;

use std::process::Command;

use compare::{Comparison, Sink};
use sockeye_lab::{Namespace, Population, Recording, synthetic};

/// This program as a process that holds sockets.
#[test]
fn socket_holder() {
    sockeye_lab::holder::hold_if_asked();
}

/// Narrower than any row, common, and wider than most.
const WIDTHS: [u16; 6] = [40, 80, 100, 132, 200, 400];

#[test]
fn at_least_sixty_flag_combinations_are_compared() {
    assert!(cases::STILL.len() + cases::MOVING.len() >= 60);
}

#[test]
fn live_in_a_pipe() {
    let population = Population::new("pipe").unwrap();
    let mut comparison = Comparison::of(population.near());
    for flags in cases::still(comparison.version()) {
        comparison.live(flags);
    }
    comparison.finish();
}

/// Asks for all that the flags show: a recording has it whether it is asked for or not.
#[test]
fn live_but_for_the_numbers_that_move() {
    let population = Population::new("words").unwrap();
    let mut comparison = Comparison::of(population.near());
    for flags in cases::MOVING {
        comparison.live_words(flags);
    }
    comparison.finish();
}

#[test]
fn live_seen_from_the_other_end() {
    let population = Population::new("far").unwrap();
    let mut comparison = Comparison::of(population.far());
    for flags in cases::still(comparison.version()) {
        comparison.live(flags);
    }
    comparison.finish();
}

#[test]
fn live_without_any_socket() {
    let namespace = Namespace::new("empty").unwrap();
    let mut comparison = Comparison::of(&namespace);
    for flags in cases::still(comparison.version()).chain(cases::MOVING.iter().copied()) {
        comparison.live(flags);
    }
    for columns in WIDTHS {
        comparison.to(Sink::Terminal(columns));
        for flags in cases::still(comparison.version()) {
            comparison.live(flags);
        }
    }
    comparison.finish();
}

#[test]
fn live_on_terminals() {
    for columns in WIDTHS {
        let population = Population::new("terminal").unwrap();
        let mut comparison = Comparison::of(population.near());
        comparison.to(Sink::Terminal(columns));
        for flags in cases::still(comparison.version()) {
            comparison.live(flags);
        }
        comparison.finish();
    }
}

#[test]
fn columns_in_the_environment() {
    let population = Population::new("columns").unwrap();
    for columns in ["0", "60", "150", "nonsense"] {
        let mut comparison = Comparison::of(population.near());
        comparison.set("COLUMNS", columns);
        for sink in [Sink::Pipe, Sink::Terminal(100)] {
            comparison.to(sink);
            for flags in ["-tan", "-tuan", "-HtanO", "-tln"] {
                comparison.live(flags);
            }
        }
        comparison.finish();
    }
}

#[test]
fn proc_files_instead_of_netlink() {
    let population = Population::new("proc").unwrap();
    for variables in [&["PROC_NET_TCP", "PROC_NET_UDP"][..], &["PROC_ROOT"], &["PROC_NET_TCP6"]] {
        let mut comparison = Comparison::of(population.near());
        for variable in variables {
            comparison.set(
                variable,
                match *variable {
                    "PROC_ROOT" => "/proc",
                    "PROC_NET_TCP" => "/proc/net/tcp",
                    "PROC_NET_TCP6" => "/proc/net/tcp6",
                    _ => "/proc/net/udp",
                },
            );
        }
        for flags in cases::PROC {
            comparison.live(flags);
        }
        comparison.finish();
    }
}

#[test]
fn recorded_dump() {
    let population = Population::new("recorded").unwrap();
    replay_everywhere(population.near(), &Recording::of(population.near()).unwrap());
    replay_everywhere(population.near(), &Recording::of(population.far()).unwrap());
}

#[test]
fn what_this_kernel_cannot_show() {
    let namespace = Namespace::new("catalogue").unwrap();
    replay_everywhere(&namespace, &synthetic::catalogue());
}

#[test]
fn arbitrary_well_formed_messages() {
    let namespace = Namespace::new("varied").unwrap();
    for seed in 1..=20 {
        let mut comparison = Comparison::of(&namespace);
        let _file = comparison.replay(&synthetic::varied(seed, 300));
        for sink in [Sink::Pipe, Sink::Terminal(80), Sink::Terminal(200)] {
            comparison.to(sink);
            for flags in ["-tan", "-tanimoe --tos --cgroup --inet-sockopt", "-HtanimoeO"] {
                comparison.replayed(flags);
            }
        }
        comparison.finish();
    }
}

#[test]
fn arbitrary_command_lines() {
    let population = Population::new("lines").unwrap();
    let recorded = Recording::of(population.near()).unwrap();
    let mut comparison = Comparison::of(population.near());
    for number in 0..150 {
        comparison.live_words(&cases::arbitrary(number));
    }
    let _file = comparison.replay(&recorded);
    for sink in [Sink::Pipe, Sink::Terminal(90), Sink::Terminal(250)] {
        comparison.to(sink);
        for number in 0..150 {
            comparison.replayed(&cases::arbitrary(number));
        }
    }
    comparison.finish();
}

/// More output than is held back to find the columns' widths (5 MiB), which grow from part to part.
#[test]
fn output_of_several_mebibytes() {
    let namespace = Namespace::new("large").unwrap();
    let mut comparison = Comparison::of(&namespace);
    let _file = comparison.replay(&synthetic::crowded(100_000));
    for sink in [Sink::Pipe, Sink::Terminal(80), Sink::Terminal(200)] {
        comparison.to(sink);
        for flags in ["-tan", "-Htn", "-tanie", "-tanO", "-taniO"] {
            comparison.replayed(flags);
        }
    }
    let longest = comparison.longest();
    assert!(longest > 15 << 20, "{longest} bytes are too few for this test");
    comparison.finish();
}

/// sockeye by the name `ss`, as long as the directory lives.
fn named_ss() -> (tempfile::TempDir, Command) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ss");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_sockeye"), &path).unwrap();
    (directory, Command::new(path))
}

#[test]
fn a_program_named_ss_takes_its_flags() {
    let population = Population::new("named").unwrap();
    let mut comparison = Comparison::of(population.near());
    let (_directory, program) = named_ss();
    comparison.run_as(program);
    for flags in ["-tan", "-u", "--tcp state established -n"] {
        comparison.live(flags);
    }
    comparison.finish();
}

/// `-D`: the same messages, but for the sequence number and port id of whoever asked.
#[test]
fn dump_files() {
    let population = Population::new("dump").unwrap();
    let mut comparison = Comparison::of(population.near());
    // Little in a listener's message moves.
    for flags in ["-tl", "-tln4", "-tl6", "-t state listening", "-tlm", "-tl --tos"] {
        comparison.dumped(flags);
    }
    comparison.finish();
}

/// An interface may be called ESC[31m: a pipe gets the name as it is, a terminal never.
#[test]
fn a_hostile_interface_name_reaches_pipes_alone() {
    let namespace = Namespace::new("hostile").unwrap();
    namespace.ip("link add name \x1b[31m index 77 type veth peer name plain0").unwrap();
    let mut recording = Recording::new();
    for message in [synthetic::Message::v4(), synthetic::Message::v6()] {
        recording.push(&message.with(|message| message.interface = 77).to_bytes());
    }
    let mut comparison = Comparison::of(&namespace);
    let _file = comparison.replay(&recording);
    comparison.replayed("-tan");
    comparison.to(Sink::Terminal(120));
    let text = comparison.sockeye_text("-tan");
    assert!(text.contains("127.0.0.1%") && text.contains("[31m:40000"), "{text:?}");
    assert!(!text.contains('\x1b'), "{text:?}");
    comparison.finish();
}

/// Keys of TCP-MD5 are the one thing that `ss` prints and sockeye does not.
#[test]
fn md5_keys_stay_secret() {
    let namespace = Namespace::new("md5").unwrap();
    let mut comparison = Comparison::of(&namespace);
    let _file = comparison.replay(&synthetic::md5_signed("hush-hush"));
    let text = comparison.sockeye_text("-tani");
    assert!(text.contains("md5keys:192.0.2.0/24=") && text.contains(",2001:db8::/64="), "{text}");
    assert!(!text.contains("hush"), "{text}");
}

fn replay_everywhere(namespace: &Namespace, recording: &Recording) {
    let mut comparison = Comparison::of(namespace);
    let _file = comparison.replay(recording);
    let flags = cases::still(comparison.version()).chain(cases::MOVING.iter().copied());
    for flags in flags.filter(|flags| cases::shows_tcp_alone(flags)) {
        comparison.replayed(flags);
    }
    for columns in WIDTHS {
        comparison.to(Sink::Terminal(columns));
        for flags in cases::MOVING {
            comparison.replayed(flags);
        }
    }
    comparison.finish();
}
