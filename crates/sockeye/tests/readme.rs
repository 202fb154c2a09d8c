//! The README's tour: each command line in it is run, and ends well.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::fs;
use std::path::Path;
use std::process::Command;

use sockeye_lab::Population;

/// Command lines of the README's console blocks.
fn tour() -> Vec<String> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let text = fs::read_to_string(readme).unwrap();
    text.lines().filter_map(|line| line.strip_prefix("$ ")).map(str::to_owned).collect()
}

#[test]
fn every_command_line_of_the_tour_runs() {
    let tour = tour();
    assert!(tour.len() >= 10, "the tour is found: {tour:?}");
    let population = Population::new("readme").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_sockeye"));
    let path = format!("{}:{}", binary.parent().unwrap().display(), std::env::var("PATH").unwrap());
    for line in tour {
        let mut shell = Command::new("sh");
        shell.args(["-c", &line]).env("PATH", &path).current_dir(&directory);
        let output = population.near().output(&mut shell).unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        // How sure it is, is said on standard error.
        let name = "sockeye ss: complete: two passes agree\n";
        let expected = if line.contains(" --complete") { name } else { "" };
        assert!(output.status.success() && said == expected, "{line}: {}: {said}", output.status);
        // A recording is the one that prints nothing.
        assert_eq!(output.stdout.is_empty(), line.contains(" -D "), "{line}");
    }
}
