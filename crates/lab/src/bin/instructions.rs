//! `make instructions`: holds the instruction counts of the hot path to the committed figures.
//!
//! `instructions check FIGURES OUTPUT` compares what the bench of that name printed (gungraun's JSON,
//! an object a line) with the committed figures. It fails when a function takes more than 10 % more
//! than its figure, and when one of the two lacks a function that the other has. A fall is reported and
//! is no failure. `instructions accept FIGURES OUTPUT` writes the figures anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode};

use serde_json::Value;

const USAGE: &str = "usage: instructions check|accept FIGURES OUTPUT";
/// How much more than its figure a function may take, percent.
const MOST_RISE: f64 = 10.0;
/// A change that is worth a word, percent.
const NOTEWORTHY: f64 = 1.0;
/// What to do about a figure that is no longer true.
const WAY_OUT: &str = "If that is meant, run `make instructions-accept` and commit the file.";

/// What the figures' file begins with.
const HEADER: &str = "\
# Instructions that each function on the hot path takes for 1000 sockets (benches/hot_path), counted
# by valgrind's callgrind in the release profile. `make instructions` fails when one rises by more than
# 10 %; `make instructions-accept` writes this file. Counts differ by some percent between compilers.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match &arguments[..] {
        [verb, file, output] if verb == "check" => check(file.as_ref(), output.as_ref()),
        [verb, file, output] if verb == "accept" => accept(file.as_ref(), output.as_ref()),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn check(file: &Path, output: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("{}: {error}. {WAY_OUT}", file.display()))?;
    let committed = Figures::parse(&text).map_err(|why| format!("{}: {why}", file.display()))?;
    let report = compare(&committed, &Figures::counted(output)?);
    print!("{}", report.table);
    for note in &report.notes {
        println!("note: {note}");
    }
    if report.failures.is_empty() {
        return Ok(());
    }
    Err(format!("{}\nThe figures are in {}. {WAY_OUT}", report.failures.join("\n"), file.display()))
}

fn accept(file: &Path, output: &Path) -> Result<(), String> {
    let figures = Figures::counted(output)?;
    std::fs::write(file, figures.to_string())
        .map_err(|error| format!("{}: {error}", file.display()))?;
    println!("{} has the figures of {} functions now", file.display(), figures.counts.len());
    Ok(())
}

/// Instruction counts by function, and the compiler that they belong to.
#[derive(Debug, PartialEq, Eq)]
struct Figures {
    compiler: String,
    counts: BTreeMap<String, u64>,
}

impl Figures {
    /// Of what the bench has counted, and of this machine's compiler.
    fn counted(output: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(output)
            .map_err(|error| format!("{}: {error}", output.display()))?;
        let counts = counted(&text).map_err(|why| format!("{}: {why}", output.display()))?;
        if counts.is_empty() {
            return Err(format!("{}: nothing was counted", output.display()));
        }
        Ok(Self { compiler: compiler()?, counts })
    }

    /// Reads the figures' file: comments, and lines `name = "text"` or `name = number` (TOML).
    fn parse(text: &str) -> Result<Self, String> {
        let mut figures = Self { compiler: String::new(), counts: BTreeMap::new() };
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, value) = line
                .split_once('=')
                .map(|(name, value)| (name.trim(), value.trim()))
                .ok_or_else(|| format!("line {number}: not `name = figure`"))?;
            if name == "compiler" {
                figures.compiler = value.trim_matches('"').to_owned();
                continue;
            }
            let count = value
                .parse()
                .map_err(|error| format!("line {number}: the figure of {name}: {error}"))?;
            if figures.counts.insert(name.to_owned(), count).is_some() {
                return Err(format!("line {number}: a second figure of {name}"));
            }
        }
        Ok(figures)
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{HEADER}compiler = \"{}\"", self.compiler)?;
        self.counts.iter().try_for_each(|(name, count)| writeln!(f, "{name} = {count}"))
    }
}

/// `rustc 1.95.0 (f2d3ce0bd 2026-03-21)`.
fn compiler() -> Result<String, String> {
    let output = Command::new("rustc")
        .arg("--version")
        .output()
        .map_err(|error| format!("rustc --version: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The functions of gungraun's output: `function.id`, and `Ir` of the run.
fn counted(output: &str) -> Result<BTreeMap<String, u64>, String> {
    let mut counts = BTreeMap::new();
    for line in output.lines().filter(|line| !line.trim().is_empty()) {
        let summary: Value =
            serde_json::from_str(line).map_err(|error| format!("not gungraun's JSON: {error}"))?;
        let word = |name: &str| summary.get(name).and_then(Value::as_str);
        let count =
            summary.pointer("/profiles/0/data/total/metrics/Ir/values/new").and_then(Value::as_u64);
        let (Some(function), Some(count)) = (word("function_name"), count) else {
            return Err(format!("no function or no count in gungraun's JSON: {line}"));
        };
        let name = match word("id") {
            Some(id) => format!("{function}.{id}"),
            None => function.to_owned(),
        };
        counts.insert(name, count);
    }
    Ok(counts)
}

/// What a comparison shows.
#[derive(Debug, Default)]
struct Report {
    table: String,
    notes: Vec<String>,
    failures: Vec<String>,
}

fn compare(committed: &Figures, now: &Figures) -> Report {
    let mut report = Report::default();
    let _ = writeln!(
        report.table,
        "{:28} {:>12} {:>12} {:>9}",
        "", "instructions", "committed", "change"
    );
    for (name, count) in &now.counts {
        let Some(figure) = committed.counts.get(name) else {
            report.failures.push(format!("{name} has no committed figure; it takes {count}."));
            continue;
        };
        let change = 100.0 * (*count as f64 / (*figure).max(1) as f64 - 1.0);
        let _ = writeln!(report.table, "{name:28} {count:>12} {figure:>12} {change:>+8.1}%");
        if change > MOST_RISE {
            report.failures.push(format!(
                "{name} takes {count} instructions for 1000 sockets, {change:.1} % more than the \
                 committed {figure}; {MOST_RISE} % are allowed."
            ));
        } else if change < -NOTEWORTHY {
            report.notes.push(format!(
                "{name} takes {:.1} % less than committed: `make instructions-accept` keeps it so",
                -change
            ));
        }
    }
    for name in committed.counts.keys().filter(|name| !now.counts.contains_key(*name)) {
        report.failures.push(format!("{name} has a committed figure, but was not counted."));
    }
    if committed.compiler != now.compiler {
        report.notes.push(format!(
            "the figures were made with {}, this is {}: a change may be the compiler's",
            committed.compiler, now.compiler
        ));
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(counts: &[(&str, u64)]) -> Figures {
        Figures {
            compiler: "rustc 1.95.0".to_owned(),
            counts: counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect(),
        }
    }

    #[test]
    fn a_rise_above_ten_percent_fails_and_says_what_to_look_at() {
        let report =
            compare(&figures(&[("decode.bare", 1000)]), &figures(&[("decode.bare", 1101)]));
        assert_eq!(
            report.failures,
            [
                "decode.bare takes 1101 instructions for 1000 sockets, 10.1 % more than the committed \
              1000; 10 % are allowed."
            ]
        );
    }

    #[test]
    fn a_small_rise_passes_and_a_fall_is_told() {
        let committed = figures(&[("a", 1000), ("b", 1000)]);
        let report = compare(&committed, &figures(&[("a", 1099), ("b", 800)]));
        assert!(report.failures.is_empty(), "{report:?}");
        assert_eq!(
            report.notes,
            ["b takes 20.0 % less than committed: `make instructions-accept` keeps it so"]
        );
    }

    #[test]
    fn functions_on_one_side_alone_fail() {
        let report = compare(&figures(&[("gone", 1)]), &figures(&[("new", 2)]));
        assert_eq!(
            report.failures,
            [
                "new has no committed figure; it takes 2.",
                "gone has a committed figure, but was not counted."
            ]
        );
    }

    #[test]
    fn another_compiler_is_told() {
        let now = Figures { compiler: "rustc 1.96.0".to_owned(), ..figures(&[("a", 1)]) };
        let report = compare(&figures(&[("a", 1)]), &now);
        assert!(report.failures.is_empty());
        assert_eq!(
            report.notes,
            ["the figures were made with rustc 1.95.0, this is rustc 1.96.0: a change may be the \
              compiler's"]
        );
    }

    #[test]
    fn figures_are_read_as_they_were_written() {
        let written = figures(&[("decode.bare", 482_942), ("rows.tn", 5_286_626)]);
        assert_eq!(Figures::parse(&written.to_string()), Ok(written));
    }

    #[test]
    fn a_line_that_is_no_figure_is_named() {
        for (text, error) in [
            ("a = 1\nb", "line 2: not `name = figure`"),
            ("a = 1\na = 1", "line 2: a second figure of a"),
            ("a = x", "line 1: the figure of a: invalid digit found in string"),
        ] {
            assert_eq!(Figures::parse(text), Err(error.to_owned()));
        }
    }

    #[test]
    fn counts_are_found_in_the_benchs_output() {
        let line = |id: &str, count: u64| {
            format!(
                r#"{{"function_name":"decode","id":{id},"profiles":[{{"data":{{"total":{{"metrics":{{"Ir":{{"values":{{"new":{count},"old":7}}}}}}}}}}}}]}}"#
            )
        };
        let output = format!("{}\n{}\n", line("\"bare\"", 5), line("null", 6));
        assert_eq!(counted(&output), Ok(figures(&[("decode", 6), ("decode.bare", 5)]).counts));
        assert!(counted("{}").is_err());
        assert!(counted("no json").is_err());
    }
}
