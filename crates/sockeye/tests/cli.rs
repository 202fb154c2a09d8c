//! The binary as a user meets it: names, wrong usage, closed pipes, bad files, no rights.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::fs;
use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use sockeye_lab::{Namespace, Recording, synthetic, terminal};

const SOCKEYE: &str = env!("CARGO_BIN_EXE_sockeye");

fn output(program: impl AsRef<Path>, arguments: &[&str]) -> Output {
    Command::new(program.as_ref()).args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn ends(output: &Output, status: i32, message: &str) {
    let said = said(output);
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert!(said.contains(message), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn a_program_named_ss_is_ss() {
    let directory = tempfile::tempdir().unwrap();
    let ss = directory.path().join("ss");
    symlink(SOCKEYE, &ss).unwrap();
    let file = directory.path().join("recording");
    synthetic::varied(1, 5).write(&file).unwrap();
    let shown = |command: &mut Command| {
        command.arg("-tani").env("TCPDIAG_FILE", &file).output().unwrap().stdout
    };
    let as_ss = shown(&mut Command::new(&ss));
    assert!(!as_ss.is_empty());
    assert_eq!(as_ss, shown(Command::new(SOCKEYE).arg("ss")));
    let refused = output(&ss, &["--nonsense"]);
    ends(&refused, 2, "--nonsense");
    assert!(said(&refused).starts_with("ss: "), "it speaks by its name: {}", said(&refused));
}

#[test]
fn wrong_usage_says_what_is_wrong_and_ends_with_2() {
    for (arguments, message) in [
        (&[][..], "Usage"),
        (&["sss"], "sss"),
        (&["ss", "--nonsense"], "--nonsense"),
        (&["ss", "-tY"], "-Y"),
        (&["ss", "-D"], "-D"),
        (&["ss", "--tcp=1"], "--tcp"),
        (&["ss", "state"], "state"),
        (&["ss", "state", "nowhere"], "nowhere"),
        (&["ss", "--iproute2", "5.0"], "5.0"),
        (&["ss", "dst", ">", "10.0.0.1"], "addresses have no order"),
        (&["ss", "-x"], "-x"),
        (&["ss", "-KE"], "-K with -E"),
    ] {
        let output = output(SOCKEYE, arguments);
        ends(&output, 2, message);
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn help_and_version_go_to_standard_output() {
    for (arguments, text) in [
        (&["--help"][..], "Exit status"),
        (&["--version"], env!("CARGO_PKG_VERSION")),
        (&["ss", "-h"], "--iproute2"),
        (&["ss", "--help"], "established"),
        (&["ss", "-V"], "iproute2-7.1"),
        (&["ss", "--iproute2", "6.1", "-V"], "iproute2-6.1"),
    ] {
        let output = output(SOCKEYE, arguments);
        ends(&output, 0, "");
        assert!(String::from_utf8_lossy(&output.stdout).contains(text), "{arguments:?}");
    }
}

#[test]
fn the_arguments_of_ss_are_its_own() {
    // Not clap's: behind `--` there are no flags.
    ends(&output(SOCKEYE, &["ss", "--", "-t"]), 2, "-t");
    ends(&output(SOCKEYE, &["ss", "-t", "--", "state", "established"]), 0, "");
}

#[test]
fn what_is_not_shown_is_told() {
    ends(&output(SOCKEYE, &["ss"]), 3, "netlink");
    ends(&output(SOCKEYE, &["ss", "-4"]), 3, "raw");
    ends(&output(SOCKEYE, &["ss", "--json"]), 3, "netlink");
}

#[test]
fn a_garbage_recording_is_refused_with_the_offset() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("recording");
    let show =
        || Command::new(SOCKEYE).args(["ss", "-Htn"]).env("TCPDIAG_FILE", &file).output().unwrap();
    ends(&show(), 1, "recording");
    fs::write(&file, "this is no recording at all").unwrap();
    ends(&show(), 1, "offset 0");
    fs::write(&file, "").unwrap();
    ends(&show(), 1, "offset 0");

    let whole = synthetic::varied(1, 5).to_bytes();
    fs::write(&file, &whole).unwrap();
    let shown = show();
    ends(&shown, 0, "");
    // Cut before its end, it shows what is there and says what is not.
    fs::write(&file, &whole[..whole.len() - 30]).unwrap();
    let cut = show();
    ends(&cut, 1, &format!("offset {}", whole.len() - 30));
    let rows = |output: &Output| output.stdout.iter().filter(|byte| **byte == b'\n').count();
    assert_eq!((rows(&shown), rows(&cut)), (5, 4));
    let mut garbage = whole;
    garbage.truncate(100);
    garbage.extend([0xff; 100]);
    fs::write(&file, garbage).unwrap();
    ends(&show(), 1, "offset");
}

#[test]
fn files_that_cannot_be_written_are_named() {
    ends(&output(SOCKEYE, &["ss", "-t", "-D", "/no/such/directory/file"]), 1, "/no/such/directory");
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = Command::new(SOCKEYE).args(["ss", "-tan"]).stdout(full).output().unwrap();
    ends(&output, 1, "No space left");
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("recording");
    // More than a pipe holds.
    synthetic::crowded(20_000).write(&file).unwrap();
    let mut child = Command::new(SOCKEYE)
        .args(["ss", "-tn"])
        .env("TCPDIAG_FILE", &file)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    ends(&output, 0, "");
    assert_eq!(said(&output), "");
}

#[test]
fn an_empty_namespace_shows_the_header_alone() {
    let namespace = Namespace::new("empty").unwrap();
    let output = namespace.output(Command::new(SOCKEYE).args(["ss", "-tuan"])).unwrap();
    ends(&output, 0, "");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(text.lines().count(), 1, "{text}");
    let output = namespace.output(Command::new(SOCKEYE).args(["ss", "-Htuan"])).unwrap();
    assert!(output.stdout.is_empty());
}

#[test]
fn it_runs_without_rights_and_says_what_it_could_not_see() {
    let namespace = Namespace::new("nobody").unwrap();
    let _held = namespace.run(|| {
        (TcpListener::bind("127.0.0.1:443").unwrap(), UdpSocket::bind("[::1]:53").unwrap())
    });
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let copy = directory.path().join("sockeye");
    fs::copy(SOCKEYE, &copy).unwrap();
    let as_nobody = |arguments: &[&str]| {
        let mut command = Command::new(&copy);
        command.arg("ss").args(arguments);
        std::os::unix::process::CommandExt::uid(&mut command, 65534);
        namespace.output_of_copy(&mut command).unwrap()
    };
    let text = |output: &Output| String::from_utf8(output.stdout.clone()).unwrap();
    let whole = namespace.output(Command::new(SOCKEYE).args(["ss", "-Htuan"])).unwrap();
    let output = as_nobody(&["-Htuan"]);
    ends(&output, 0, "");
    assert_eq!((said(&output).as_str(), text(&output)), ("", text(&whole)));
    assert_eq!(text(&whole).lines().count(), 2);
    // Marks are not told to everyone.
    ends(&as_nobody(&["-tane"]), 0, "CAP_NET_ADMIN");
    let json = as_nobody(&["-tua", "--json"]);
    ends(&json, 0, "did not tell mark and md5_signatures: that needs CAP_NET_ADMIN");
    assert_eq!(text(&json).lines().count(), 2);
    assert!(!text(&json).contains("\"mark\""), "{}", text(&json));
    let root = namespace.output(Command::new(SOCKEYE).args(["ss", "-tane"])).unwrap();
    assert_eq!(said(&root), "");
}

#[test]
fn messages_do_not_reach_a_terminal_raw() {
    let output = output(SOCKEYE, &["ss", "--\x1b[2J"]);
    ends(&output, 2, "x1b[2J");
    assert!(!output.stderr.contains(&0x1b));
}

#[test]
fn a_file_without_end_is_refused() {
    for variable in ["PROC_NET_TCP", "TCPDIAG_FILE"] {
        let mut command = Command::new(SOCKEYE);
        ends(
            &command.args(["ss", "-t"]).env(variable, "/dev/zero").output().unwrap(),
            1,
            "/dev/zero",
        );
    }
}

#[test]
fn names_from_outside_do_not_reach_a_terminal_raw() {
    let namespace = Namespace::new("escape").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("recording");
    let mut recording = Recording::new();
    // TCPI_OPT_WSCALE and the like stay 0; the congestion control's name clears the screen.
    let message = synthetic::Message::v4().attribute(2, &[0; 232]).attribute(4, b"\x1b[2Jevil\0");
    recording.push(&message.to_bytes());
    recording.write(&file).unwrap();
    let mut command = Command::new(SOCKEYE);
    command.args(["ss", "-tin"]).env("TCPDIAG_FILE", &file);
    let output = terminal::output(&namespace, command, 100).unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("evil") && !text.contains('\x1b'), "{text:?}");
}
