//! Filters as a user meets them: errors that mark the word, files, explanations, rights.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

use sockeye_lab::{Namespace, Population};

const SOCKEYE: &str = env!("CARGO_BIN_EXE_sockeye");

fn ss(arguments: &[&str]) -> Output {
    Command::new(SOCKEYE).arg("ss").args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn shown(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn an_error_marks_the_word() {
    let refused = ss(&["-t", "dport", "=", ":22", "or", "src != 10.0.0.1"]);
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(
        said(&refused),
        "sockeye ss: an address is expected here; write `not src X` for `src != X`\n  \
         dport = :22 or src != 10.0.0.1\n                     ^^\n"
    );
    assert!(refused.stdout.is_empty());
}

#[test]
fn a_hostile_filter_reaches_no_terminal() {
    let refused = ss(&["-t", "src", "\x1b[2J\n\x07"]);
    assert_eq!(refused.status.code(), Some(2));
    let said = said(&refused);
    assert_eq!(said.lines().count(), 3, "{said}");
    assert!(!said.chars().any(|c| c.is_control() && c != '\n'), "{said:?}");
}

#[test]
fn a_hundred_thousand_parentheses_are_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("filter");
    fs::write(&file, "( ( ( ( ( ( ( (\n".repeat(12_500)).unwrap();
    let refused = ss(&["-tF", file.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(said(&refused).contains("more than 256 levels"), "{}", said(&refused));
}

#[test]
fn a_file_goes_on_where_the_command_line_ends() {
    let population = Population::new("file").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("filter");
    fs::write(&file, "# ports\nsport = :22 or\n0 is left out\nsport = :80\n").unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(SOCKEYE);
        command.args(["ss", "-Htln"]).args(arguments);
        shown(&population.near().output(&mut command).unwrap())
    };
    let file = file.to_str().unwrap();
    let direct = run(&["sport = :53 or sport = :22 or sport = :80"]);
    assert_eq!(direct.lines().count(), 6, "{direct}");
    assert_eq!(run(&["-F", file, "sport = :53 or"]), direct);
    assert_eq!(run(&[&format!("--filter={file}")]).lines().count(), 4);

    let mut child = Command::new(SOCKEYE)
        .args(["ss", "--explain-filter", "-F", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"sport = :22\n").unwrap();
    let explained = shown(&child.wait_with_output().unwrap());
    assert!(explained.starts_with("expression: sport = :22\n"), "{explained}");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let failed = ss(&["-t", "-F", "/nonexistent/filter"]);
    assert_eq!(failed.status.code(), Some(1));
    assert!(said(&failed).contains("/nonexistent/filter"), "{}", said(&failed));
    let empty = ss(&["-tl", "-F", "/dev/null"]);
    assert_eq!(empty.status.code(), Some(0), "{}", said(&empty));
}

#[test]
fn what_runs_where_is_explained() {
    let explained = ss(&["--explain-filter", "dst 10/8 or not dev lo and fwmark 1"]);
    assert_eq!(explained.status.code(), Some(0), "{}", said(&explained));
    assert_eq!(
        shown(&explained),
        "expression: ( dst = 10/8 or not dev = lo ) and fwmark = 1\n\
         reading: from left to right, as ss reads\n\
         kernel: a program of 76 bytes\n      \
         0  D_COND 10.0.0.0/8:* else 20\n     \
         16  JMP 48\n     \
         20  D_COND [a00::]/8:* else 52\n     \
         48  JMP 64\n     \
         52  DEV_COND 1 else 64\n     \
         60  JMP reject\n     \
         64  MARK_COND 0x1/0xffffffff else reject\n\
         user space: all of it once more\n\
         sockets: TCP and UDP, IPv4 and IPv6, in every state but syn-recv, time-wait, closed, listening\n"
    );
    let nothing = ss(&["--explain-filter", "-tl4"]);
    assert_eq!(shown(&nothing), "expression: none\nsockets: TCP, IPv4, in closed, listening\n");
    let narrowed = shown(&ss(&["--explain-filter", "-tua", "src inet6:*"]));
    assert!(narrowed.ends_with("sockets: TCP and UDP, IPv6, in every state\n"), "{narrowed}");
    assert_eq!(ss(&["--explain", "-t"]).status.code(), Some(2), "it is no flag of ss");
}

#[test]
fn where_no_kernel_runs_a_program_that_is_explained() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("recording");
    let name = file.to_str().unwrap();
    let explained = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = Command::new(SOCKEYE);
        command.args(["ss", "--explain-filter", "sport = :22"]).args(arguments);
        let output = command.envs(variables.iter().copied()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        shown(&output)
    };
    for (arguments, variables, why) in [
        (&["-t", "-D", name][..], &[][..], "kernel: nothing, as -D writes every answer"),
        (&["-E"], &[], "kernel: nothing, as it tells all sockets that close (-E)"),
        (&["-t"], &[("TCPDIAG_FILE", name)], "kernel: nothing, as a recording tells"),
        (&["-t"], &[("PROC_NET_TCP", name)], "kernel: nothing, as files of /proc"),
        (&[], &[("PROC_ROOT", "/proc")], "kernel: nothing, as files of /proc"),
        (&[], &[("TCPDIAG_FILE", name)], "\nTCP sockets: user space alone, as a recording"),
        (&["-u"], &[("TCPDIAG_FILE", name)], "kernel: a program of 8 bytes"),
    ] {
        let text = explained(arguments, variables);
        assert!(text.contains(why), "{arguments:?} {variables:?}: {text}");
    }
    assert!(!file.exists(), "nothing is recorded");
}

#[test]
fn a_filter_file_is_not_cut() {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len((16 << 20) + 1).unwrap();
    let refused = ss(&["-tF", file.path().to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("longer than 16 MiB"), "{}", said(&refused));
}

/// Without CAP_NET_ADMIN no mark is told, and no program may test one.
#[test]
fn without_rights_a_mark_is_not_found_and_that_is_said() {
    let namespace = Namespace::new("rights").unwrap();
    // Others may not look into the directory where it was built.
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
    let program = directory.path().join("sockeye");
    fs::copy(SOCKEYE, &program).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command.arg("ss").args(arguments).uid(65534);
        namespace.output_of_copy(&mut command).unwrap()
    };
    let listed = run(&["-tan", "fwmark 1 or sport = :22"]);
    assert_eq!(listed.status.code(), Some(3), "{}", said(&listed));
    assert!(said(&listed).contains("CAP_NET_ADMIN"), "{}", said(&listed));
    let explained = shown(&run(&["--explain-filter", "fwmark 1 and sport = :22"]));
    assert!(explained.contains("0  S_EQ 22 else reject"), "{explained}");
    assert!(explained.contains("fwmark = 1: the kernel refuses MARK_COND"), "{explained}");
    assert!(explained.contains("it needs CAP_NET_ADMIN"), "{explained}");
}

#[test]
fn a_choice_without_tables_is_wrong_usage() {
    for (arguments, message) in [
        (&["-A", "tcp,!tcp"][..], "no table"),
        (&["-A", "nonsense"], "nonsense"),
        (&["-f", "nonsense"], "nonsense"),
        (&["-f", "unix"], "Unix sockets are not available"),
        (&["-F", "a", "-F", "b"], "twice"),
    ] {
        let refused = ss(arguments);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        assert!(said(&refused).contains(message), "{}", said(&refused));
    }
}

#[test]
fn a_recording_is_made_of_every_answer() {
    let namespace = Namespace::new("whole").unwrap();
    let mut command = Command::new(SOCKEYE);
    command.args(["ss", "-tl", "-D", "/dev/null", "sport = :22"]);
    let output = namespace.output(&mut command).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(said(&output).contains("the filter plays no part"), "{}", said(&output));
}
