//! The whole of `sockeye ss` on a recording: no flags and no bytes panic, wrong usage prints nothing,
//! and no control character of the recording reaches a terminal.
#![no_main]

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;

use libfuzzer_sys::fuzz_target;
use sockeye_ss::{Screen, run_with};

// First a line of flags, then the recording.
fuzz_target!(|input: &[u8]| {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (flags, recording) = input.split_at(end);
    let mut args: Vec<OsString> =
        flags.split(|byte| *byte == b' ').map(|word| OsString::from_vec(word.to_vec())).collect();
    if args.iter().any(|arg| leaves_the_recording(arg.as_encoded_bytes())) {
        return;
    }
    args.push("-tn".into());
    let file = format!("/dev/shm/sockeye-fuzz-{}", std::process::id());
    fs::write(&file, recording.get(1..).unwrap_or_default()).expect("/dev/shm can be written");
    let variable = |name: &str| (name == "TCPDIAG_FILE").then(|| OsString::from(&file));
    for screen in [Screen::default(), Screen { terminal: true, columns: 80 }] {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let status = run_with("ss", args.clone(), &variable, screen, &mut stdout, &mut stderr);
        assert!(status <= 3);
        assert!(status != 2 || stdout.is_empty());
        assert_eq!(status == 0, stderr.is_empty(), "{}", String::from_utf8_lossy(&stderr));
        if screen.terminal {
            let raw = |byte: &u8| byte.is_ascii_control() && !b"\n\t".contains(byte);
            assert!(!stdout.iter().any(raw), "{}", stdout.escape_ascii());
        }
    }
    let _ = fs::remove_file(&file);
});

/// `-D` writes files and `-F` reads them, `-r` asks DNS, `-E` waits for signals, `-K` closes sockets,
/// `--complete` is said not to apply, and the host's own UDP sockets are no input, nor are its names and
/// namespaces. Long flags may be abbreviated.
fn leaves_the_recording(arg: &[u8]) -> bool {
    match arg {
        b"--complete" | b"--all-netns" => true,
        [b'-', b'-', b'e', b'v', ..] => true,
        [b'-', b'-', first, ..] => b"drufqskn".contains(first) || arg.starts_with(b"--expl"),
        [b'-', cluster @ ..] => cluster.iter().any(|flag| b"DruFAEKN".contains(flag)),
        // The words of a filter that name nothing.
        operand => operand
            .split(|byte| byte.is_ascii_whitespace())
            .any(|word| word.iter().any(|byte| !(0x21..0x41).contains(byte)) && !is_known(word)),
    }
}

fn is_known(word: &[u8]) -> bool {
    const WORDS: &str = "src dst sport dport fwmark autobound and or not state exclude established \
                         listening all connected [::1] [::]:22 inet:* inet6:* | ||";
    WORDS.split_ascii_whitespace().any(|known| known.as_bytes() == word)
}
