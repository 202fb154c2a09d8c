//! Exit statuses, messages, and what happens when something is wrong.

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::{TcpListener, UdpSocket};

use super::{PIPE, Run, file, run, screen};

fn replayed(line: &str, recording: &[u8]) -> Run {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(recording).unwrap();
    run(line, &[("TCPDIAG_FILE", file.path().into())], PIPE)
}

#[test]
fn wrong_usage_is_said_and_is_status_2() {
    let wrong = run("-t --nonsense", &[], PIPE);
    assert_eq!(wrong.status, 2);
    assert_eq!(wrong.stderr, "ss: --nonsense is no flag of iproute2-7.1's ss: see --help\n");
    assert!(wrong.stdout.is_empty());
}

#[test]
fn help_and_version_go_to_standard_output() {
    let help = run("-h", &[], PIPE);
    assert_eq!((help.status, help.stderr.as_str()), (0, ""));
    assert!(help.stdout.starts_with(b"ss: the host's TCP and UDP sockets"));
    let version = run("-V --iproute2 6.1", &[], PIPE);
    let expected = format!("ss {}, as iproute2-6.1 prints\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(String::from_utf8(version.stdout).unwrap(), expected);
}

#[test]
fn sockets_of_this_machine_are_listed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    for (line, port) in [
        ("-tlnH", listener.local_addr().unwrap().port()),
        ("-uanH", datagrams.local_addr().unwrap().port()),
        ("-tuanH", listener.local_addr().unwrap().port()),
        ("-tunH4 state listening", listener.local_addr().unwrap().port()),
    ] {
        let listed = run(line, &[], PIPE);
        let text = String::from_utf8(listed.stdout).unwrap();
        assert!(text.contains(&format!("127.0.0.1:{port} ")), "{line}: {text}");
        assert_eq!((listed.status, listed.stderr.as_str()), (0, ""), "{line}");
    }
}

#[test]
fn a_family_that_was_not_asked_for_is_not_shown() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = format!("127.0.0.1:{} ", listener.local_addr().unwrap().port());
    let shown = |line| String::from_utf8(run(line, &[], PIPE).stdout).unwrap().contains(&port);
    assert!(shown("-tln4"));
    assert!(!shown("-tln6"));
    // Of both, the last is asked for.
    assert!(!shown("-tln -4 -6"));
    assert!(shown("-tln -6 -4"));
}

#[test]
fn what_is_not_shown_yet_is_said_and_is_status_3() {
    let plain = run("-nH", &[], PIPE);
    assert_eq!(plain.status, 3);
    assert!(plain.stderr.contains("netlink, packet, Unix, raw"), "{}", plain.stderr);
    assert_eq!(plain.stderr.lines().count(), 1);
}

#[test]
fn a_file_of_garbage_is_named_with_the_offset() {
    let states = std::fs::read(file("states.bin")).unwrap();
    let mut garbage = states[..88].to_vec();
    garbage.extend([7; 40]);
    let printed = replayed("-tnH", &garbage);
    assert_eq!(printed.status, 1);
    assert!(printed.stderr.contains("88"), "{}", printed.stderr);
    // What came before it is shown.
    assert_eq!(printed.stdout.iter().filter(|byte| **byte == b'\n').count(), 1);

    let cut = replayed("-tnH", &states[..100]);
    assert_eq!(cut.status, 1);
    assert!(!cut.stderr.is_empty());
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let missing = run("-tn", &[("TCPDIAG_FILE", "/nonexistent/recording".into())], PIPE);
    assert_eq!(missing.status, 1);
    assert!(missing.stderr.contains("/nonexistent/recording"), "{}", missing.stderr);
    let missing = run("-tn", &[("PROC_ROOT", "/nonexistent".into())], PIPE);
    assert_eq!(missing.status, 1);
    assert!(missing.stderr.contains("/nonexistent/net/tcp"), "{}", missing.stderr);
}

#[test]
fn a_recording_is_written_and_read_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let path = tempfile::NamedTempFile::new().unwrap();
    let line = format!("-tlD {}", path.path().display());
    let recorded = run(&line, &[], PIPE);
    assert_eq!((recorded.status, recorded.stderr.as_str()), (0, ""));
    assert!(recorded.stdout.is_empty());
    let read = run("-tnlH", &[("TCPDIAG_FILE", path.path().into())], PIPE);
    let text = String::from_utf8(read.stdout).unwrap();
    let port = listener.local_addr().unwrap().port();
    assert!(text.contains(&format!("127.0.0.1:{port} ")), "{text}");
    // A name that begins so is standard output.
    let recorded = run("-tlD -", &[], PIPE);
    assert_eq!(recorded.stdout.len() % 4, 0);
    assert!(recorded.stdout.len() > 100);
    let refused = run("-tlD /nonexistent/file", &[], PIPE);
    assert_eq!(refused.status, 1);
    assert!(refused.stderr.contains("/nonexistent/file"), "{}", refused.stderr);
}

#[test]
fn a_control_character_never_reaches_a_terminal() {
    // The congestion control of the recording is renamed.
    let mut recording = std::fs::read(file("tcp_options.bin")).unwrap();
    let names: Vec<usize> =
        (0..recording.len() - 4).filter(|at| recording[*at..].starts_with(b"bbr\0")).collect();
    assert!(!names.is_empty());
    for name in names {
        recording[name..name + 3].copy_from_slice(b"\x1b[2");
    }
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&recording).unwrap();
    let variables = [("TCPDIAG_FILE", OsString::from(file.path()))];
    let terminal = run("-tni", &variables, screen(80));
    assert!(!terminal.stdout.contains(&0x1b));
    assert!(String::from_utf8(terminal.stdout).unwrap().contains(r" \x1b[2"));
    let pipe = run("-tni", &variables, PIPE);
    assert!(pipe.stdout.contains(&0x1b));
}

/// Fails at the first byte.
struct Closed(io::ErrorKind);

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_closed_pipe_ends_quietly_and_a_full_disk_does_not() {
    for line in ["-tan", "-ta --json", "-h", "-V", "-tD -"] {
        let into = |kind| {
            let (args, mut stderr) = (line.split(' ').map(OsString::from), Vec::new());
            let status =
                crate::run_with("ss", args, &|_| None, PIPE, &mut Closed(kind), &mut stderr);
            (status, String::from_utf8(stderr).unwrap())
        };
        assert_eq!(into(io::ErrorKind::BrokenPipe), (0, String::new()), "{line}");
        let (status, said) = into(io::ErrorKind::StorageFull);
        assert_eq!(status, 1, "{line}");
        assert!(said.starts_with("ss: cannot write the output: "), "{said}");
    }
}
