//! Recordings, printed by both versions, beside what `ss` printed of them.
//!
//! `tests/recordings/README.md` tells how the files were made.

use std::ffi::OsString;
use std::fs;
use std::io::Write;

use rstest::rstest;

use super::{PIPE, Run, file, run, screen};
use crate::version::Version;

fn check(case: &str, version: Version, printed: &Run) {
    let expected = fs::read(file(&format!("{case}.{}.txt", version.number()))).unwrap();
    assert_eq!(
        String::from_utf8_lossy(&printed.stdout),
        String::from_utf8_lossy(&expected),
        "{case}, iproute2 {}",
        version.number()
    );
    assert_eq!((printed.status, printed.stderr.as_str()), (0, ""));
}

fn check_recording(case: &str, recording: &str, flags: &str, columns: u16) {
    for version in Version::ALL {
        let recording = file(&format!("{recording}.bin")).into_os_string();
        let line = format!("--iproute2 {} {flags}", version.number());
        let printed = run(&line, &[("TCPDIAG_FILE", recording)], screen(columns));
        check(case, version, &printed);
    }
}

#[rstest]
#[case::timers("timers", "timers", "-tno", 0)]
#[case::tcp_info_every_field("tcp_info_every_field", "tcp_info_every_field", "-tnoi", 0)]
#[case::tcp_info_scaled("tcp_info_every_field_scaled", "tcp_info_every_field", "-ti", 0)]
#[case::tcp_info_usual("tcp_info_usual", "tcp_info_usual", "-tai", 0)]
#[case::tcp_info_oneline("tcp_info_usual_oneline", "tcp_info_usual", "-taiemO", 0)]
#[case::tcp_info_of_104_bytes("tcp_info_of_104_bytes", "tcp_info_of_104_bytes", "-tni", 0)]
#[case::tcp_info_lengths("tcp_info_of_every_length", "tcp_info_of_every_length", "-tniO", 0)]
#[case::tcp_options("tcp_options", "tcp_options", "-tnoi", 0)]
#[case::hidden_values("hidden_values", "hidden_values", "-tni", 0)]
#[case::rates("rates", "rates", "-ti", 0)]
#[case::rates_numeric("rates_numeric", "rates", "-tni", 0)]
#[case::congestion_vegas("congestion_vegas", "congestion_vegas", "-ti", 0)]
#[case::congestion_dctcp("congestion_dctcp", "congestion_dctcp", "-tni", 0)]
#[case::congestion_bbr("congestion_bbr", "congestion_bbr", "-ti", 0)]
#[case::tls("tls", "tls", "-tniO", 0)]
#[case::mptcp_subflow("mptcp_subflow", "mptcp_subflow", "-tniO", 0)]
#[case::md5("md5", "md5", "-tniHO", 0)]
#[case::memory("memory", "memory", "-tnm", 0)]
#[case::addresses("addresses", "addresses", "-tn", 0)]
#[case::states("states", "states", "-tan", 0)]
#[case::one_state("one_state", "states", "-tn state listening", 0)]
#[case::states_excluded("states_excluded", "states", "-tn exclude established", 0)]
#[case::details("details", "details", "-tne --tos --cgroup --inet-sockopt", 0)]
#[case::details_oneline("details_oneline", "details", "-tneO --tos --cgroup --inet-sockopt", 0)]
#[case::no_rows("no_rows", "empty", "-tn", 0)]
#[case::no_rows_no_header("no_rows_no_header", "empty", "-tnH", 0)]
#[case::no_header("no_header", "addresses", "-tnH", 0)]
#[case::terminal_60("terminal_60", "mixed", "-tn", 60)]
#[case::terminal_100_details("terminal_100_details", "mixed", "-tne", 100)]
#[case::terminal_132_info("terminal_132_info", "mixed", "-tni", 132)]
#[case::terminal_250("terminal_250", "mixed", "-tneO", 250)]
#[case::terminal_20_no_header("terminal_20_no_header", "mixed", "-tnH", 20)]
#[case::terminal_of_one_column("terminal_of_one_column", "addresses", "-tn", 1)]
fn a_recording_prints_as_ss_prints_it(
    #[case] case: &str,
    #[case] recording: &str,
    #[case] flags: &str,
    #[case] columns: u16,
) {
    check_recording(case, recording, flags, columns);
}

/// What kernels 6.1 and 6.12 told of connections that not every kernel can have.
#[rstest]
#[case::dctcp_6_1("linux_6_1_dctcp", "-tnio")]
#[case::dctcp_6_12("linux_6_12_dctcp", "-tnio")]
#[case::vegas_6_1("linux_6_1_vegas", "-tni")]
#[case::vegas_6_12("linux_6_12_vegas", "-tni")]
#[case::congestion("linux_6_12_congestion", "-tni")]
#[case::tls_6_1("linux_6_1_tls", "-tniO")]
#[case::tls_6_12("linux_6_12_tls", "-tniO")]
#[case::mptcp_6_1("linux_6_1_mptcp", "-tniO")]
#[case::mptcp_6_12("linux_6_12_mptcp", "-tniO")]
#[case::losses_6_1("linux_6_1_losses", "-tnio")]
#[case::losses_6_12("linux_6_12_losses", "-tnio")]
#[case::md5("linux_6_12_md5", "-tniHO")]
#[case::states("linux_6_12_states", "-tano")]
#[case::time_wait("linux_6_12_time_wait", "-tanoe")]
#[case::marks("linux_6_12_marks", "-tnm --tos --inet-sockopt")]
fn what_a_real_kernel_told_prints_as_ss_prints_it(#[case] name: &str, #[case] flags: &str) {
    check_recording(name, name, flags, 0);
}

#[rstest]
#[case("proc_tcp", "-tan")]
#[case("proc_tcp_info", "-tanoi")]
#[case("proc_tcp_details", "-taneimO")]
#[case("proc_udp", "-uanmeio")]
fn a_file_of_proc_prints_as_ss_prints_it(#[case] case: &str, #[case] flags: &str) {
    for version in Version::ALL {
        let variables = [
            ("PROC_NET_TCP", file("proc_net_tcp").into()),
            ("PROC_NET_TCP6", file("proc_net_tcp6").into()),
            ("PROC_NET_UDP", file("proc_net_udp").into()),
            ("PROC_NET_UDP6", file("nonexistent").into()),
        ];
        let line = format!("--iproute2 {} {flags}", version.number());
        check(case, version, &run(&line, &variables, PIPE));
    }
}

#[test]
fn a_key_is_never_printed() {
    let recording = file("md5.bin").into_os_string();
    let bytes = fs::read(&recording).unwrap();
    assert!(bytes.windows(12).any(|window| window == b"not-a-secret"));
    let printed = run("-tni", &[("TCPDIAG_FILE", recording)], PIPE);
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert_eq!(printed.matches("=<redacted>").count(), 3);
    assert!(!printed.contains("secret") && !printed.contains("-key"));
}

/// Widths are chosen anew whenever five chunks are full. The rows are alike, but for a wide one at
/// the end: the row with which the columns grow is where `ss` printed the last time before.
#[rstest]
#[case("-Htn", Version::V6_1, 65_535)]
#[case("-Htn", Version::V7_1, 67_649)]
#[case("-tni", Version::V6_1, 63_548)]
#[case("-tni", Version::V7_1, 65_534)]
fn widths_change_in_the_row_in_which_they_change_in_ss(
    #[case] flags: &str,
    #[case] version: Version,
    #[case] row: usize,
) {
    // A message of these recordings has 88 bytes, the DONE at the end 20.
    let narrow = &fs::read(file("states.bin")).unwrap()[..88];
    let addresses = fs::read(file("addresses.bin")).unwrap();
    let wide_and_done = &addresses[addresses.len() - 108..];
    let mut recording = tempfile::NamedTempFile::new().unwrap();
    recording.write_all(&narrow.repeat(69_999)).unwrap();
    recording.write_all(wide_and_done).unwrap();
    recording.flush().unwrap();

    let variables = [("TCPDIAG_FILE", OsString::from(recording.path()))];
    let line = format!("--iproute2 {} {flags}", version.number());
    let printed = run(&line, &variables, PIPE);
    let lengths: Vec<usize> = printed
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| line.starts_with(b"ESTAB"))
        .map(<[u8]>::len)
        .collect();
    assert_eq!(lengths.len(), 70_000);
    let changes: Vec<usize> =
        (1..lengths.len()).filter(|row| lengths[*row] != lengths[*row - 1]).collect();
    assert_eq!(changes, [row]);
}
