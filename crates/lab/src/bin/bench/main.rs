//! `make bench`: what whole processes of `sockeye ss` cost on many sockets, beside `ss` and the floor,
//! and whether that is within the limits.
//!
//! The programs of a line are run in turns, so that what disturbs the machine disturbs all of them.
//! The table has medians with the least and the greatest value of wall and CPU (user and system) time,
//! output thrown away, and the most resident memory. A line over its limit says FAIL, and so does one
//! of a program that ended with another status than 0, with the reason on standard error; the others
//! are measured all the same. The exit status is 0 when no line failed, else 1.

mod cases;
mod options;

use std::error::Error;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use cases::{CASES, Case, MEMORY, MemoryCase, Scene};
use options::Options;
use sockeye_lab::crowd::{self, Crowd, Plan};
use sockeye_lab::{Namespace, measure};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    crowd::hold_if_asked();
    let Some(options) = Options::parse(&std::env::current_exe()?)? else {
        return Ok(ExitCode::SUCCESS);
    };
    let lines = lines(options.only.as_deref())?;
    let version = Command::new(&options.ss).arg("-V").output()?.stdout;
    println!(
        "{} TCP sockets in one namespace ({} for -tlnp), runs in turns, Linux {}, {}; median (least \
         to most)",
        options.sockets,
        options.sockets / 2,
        std::fs::read_to_string("/proc/sys/kernel/osrelease")?.trim(),
        String::from_utf8_lossy(&version).trim(),
    );
    let mut passed = true;
    // One crowd at a time: `-p` looks at every process of the host.
    for scene in [Scene::Crowd, Scene::Listeners] {
        let times: Vec<&Case> = lines.times.iter().filter(|case| case.scene == scene).collect();
        let memory: &[MemoryCase] = if scene == Scene::Crowd { &lines.memory } else { &[] };
        if times.is_empty() && memory.is_empty() {
            continue;
        }
        let (namespace, crowd) = populate(scene, options.sockets)?;
        if !times.is_empty() {
            println!("\n| what | program | runs | wall, ms | CPU, ms | ratio | limit | |");
            println!("|---|---|---|---|---|---|---|---|");
        }
        for case in times {
            passed &= judged(case.flags, time_line(case, &namespace, &options));
        }
        if !memory.is_empty() {
            println!("\n| what | peak resident memory, MB | written, MB | limit, MB | |");
            println!("|---|---|---|---|---|");
        }
        for case in memory {
            let line = memory_line(case, &namespace, &options, crowd.sockets().len());
            passed &= judged(&memory_name(case), line);
        }
    }
    println!("\n{}", if passed { "all lines passed" } else { "not all lines passed" });
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The lines to be measured.
struct Lines {
    times: Vec<Case>,
    memory: Vec<MemoryCase>,
}

/// Those that `--only` names.
fn lines(only: Option<&str>) -> Result<Lines, String> {
    let pattern = only.unwrap_or_default();
    let exact = CASES.iter().any(|case| case.flags == pattern)
        || MEMORY.iter().any(|case| memory_name(case) == pattern);
    let chosen = |name: &str| if exact { name == pattern } else { name.contains(pattern) };
    let lines = Lines {
        times: CASES.into_iter().filter(|case| chosen(case.flags)).collect(),
        memory: MEMORY.into_iter().filter(|case| chosen(&memory_name(case))).collect(),
    };
    if lines.times.is_empty() && lines.memory.is_empty() {
        let names: Vec<String> = CASES
            .iter()
            .map(|case| case.flags.to_owned())
            .chain(MEMORY.iter().map(memory_name))
            .collect();
        return Err(format!("--only {pattern}: no such line; there are {}", names.join(", ")));
    }
    Ok(lines)
}

fn memory_name(case: &MemoryCase) -> String {
    format!("memory {}", case.flags)
}

fn populate(scene: Scene, sockets: usize) -> Result<(Namespace, Crowd), Box<dyn Error>> {
    let (sockets, processes) = match scene {
        Scene::Crowd => (sockets, 12),
        // Each process of a crowd has its listener.
        Scene::Listeners => (sockets / 2, 6),
    };
    eprintln!("making {sockets} sockets");
    let namespace = Namespace::new("bench")?;
    let plan = Plan { connections: sockets / 2, processes, ipv6: false };
    let crowd = Crowd::start(&namespace, plan)?;
    Ok((namespace, crowd))
}

/// Whether a line passed; says on the table and on standard error why it could not be measured.
fn judged(name: &str, line: Result<bool, Box<dyn Error>>) -> bool {
    line.unwrap_or_else(|error| {
        // A row may have fewer cells than the header.
        println!("| `{name}` | **FAIL**, not measured: {error} |");
        eprintln!("bench: {name}: {error}");
        false
    })
}

/// Measures a line, prints it, and says whether it is within its limits.
fn time_line(
    case: &Case,
    namespace: &Namespace,
    options: &Options,
) -> Result<bool, Box<dyn Error>> {
    let mut sockeye = Program::of_sockeye(&options.sockeye, case.flags);
    let mut ss = Program::new("ss", &options.ss, &words(case.beside));
    let mut floor = case.floor.map(|asked| Program::new("floor", &options.floor, &[asked]));
    let (first, rounds) = if case.slow { (1, options.slow_runs) } else { (0, options.runs) };
    for round in first..=rounds {
        // The program that is measured goes first: if it fails, nobody waits for the slow one.
        for program in [&mut sockeye, &mut ss].into_iter().chain(&mut floor) {
            let time = measure::time(namespace, &mut program.command)?;
            if !time.status.success() {
                return Err(format!("`{}` ended with {}", program.line(), time.status).into());
            }
            if round > 0 {
                program.wall.push(time.wall);
                program.cpu.push(time.cpu);
            }
        }
    }

    let wall = ratio(&sockeye.wall, &ss.wall);
    let mut checks = vec![(format!("wall {wall:.3} of ss"), wall, case.wall)];
    if let Some(floor) = &floor {
        let cpu = ratio(&sockeye.cpu, &floor.cpu);
        checks.push((format!("CPU {cpu:.2} of the floor"), cpu, case.cpu));
    }
    println!("| `{}` | {} | | | |", case.beside, ss.times());
    if let Some(floor) = &floor {
        println!("| `{}` | {} | | | |", case.flags, floor.times());
    }
    let mut passed = true;
    for (number, (text, ratio, limit)) in checks.into_iter().enumerate() {
        let (name, times) = match number {
            0 => (format!("`{}`", case.flags), sockeye.times()),
            // The same program and line as above.
            _ => (String::new(), " | | |".to_owned()),
        };
        let within = limit.is_none_or(|limit| ratio <= limit);
        passed &= within;
        let (limit, verdict) = verdict(limit, within);
        println!("| {name} | {times} | {text} | {limit} | {verdict} |");
    }
    Ok(passed)
}

/// Measures the memory of a line, prints it, and says whether it is within its limit.
fn memory_line(
    case: &MemoryCase,
    namespace: &Namespace,
    options: &Options,
    sockets: usize,
) -> Result<bool, Box<dyn Error>> {
    let program = Program::of_sockeye(&options.sockeye, case.flags);
    let line = program.line();
    let peak = measure::peak(namespace, program.command)?;
    if !peak.status.success() {
        return Err(format!("`{line}` ended with {}", peak.status).into());
    }
    if peak.written < 50 * sockets as u64 {
        return Err(format!("it wrote {} bytes: that is not every socket", peak.written).into());
    }
    let within = peak.resident <= case.resident;
    let (limit, verdict) = verdict(Some(megabytes(case.resident)), within);
    println!(
        "| `{}` | {:.1} | {:.1} | {limit} | {verdict} |",
        case.flags,
        megabytes(peak.resident),
        megabytes(peak.written),
    );
    Ok(within)
}

/// The last two cells of a line.
fn verdict(limit: Option<f64>, within: bool) -> (String, &'static str) {
    match limit {
        None => (String::new(), ""),
        Some(limit) => (limit.to_string(), if within { "pass" } else { "**FAIL**" }),
    }
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// A program and the times of its runs.
struct Program {
    name: &'static str,
    command: Command,
    wall: Vec<Duration>,
    cpu: Vec<Duration>,
}

impl Program {
    fn new(name: &'static str, path: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(path);
        command.args(arguments.iter().filter(|argument| !argument.is_empty()));
        Self { name, command, wall: Vec::new(), cpu: Vec::new() }
    }

    /// `sockeye ss`, asking as 6.1 does: newer releases want bound, inactive sockets too, a walk of
    /// its own.
    fn of_sockeye(path: &Path, flags: &str) -> Self {
        let mut arguments = vec!["ss", "--iproute2", "6.1"];
        arguments.extend(words(flags));
        Self::new("sockeye ss", path, &arguments)
    }

    /// Its command line, without the directory.
    fn line(&self) -> String {
        let path = Path::new(self.command.get_program());
        let mut words = vec![path.file_name().unwrap_or_default().to_string_lossy()];
        words.extend(self.command.get_args().map(|argument| argument.to_string_lossy()));
        words.join(" ")
    }

    /// Its cells of the table: name, runs, wall and CPU time.
    fn times(&self) -> String {
        format!(
            "{} | {} | {} | {}",
            self.name,
            self.wall.len(),
            spread(&self.wall),
            spread(&self.cpu)
        )
    }
}

/// A command line, cut where its spaces are.
fn words(flags: &str) -> Vec<&str> {
    flags.split(' ').collect()
}

/// Of the medians.
fn ratio(times: &[Duration], to: &[Duration]) -> f64 {
    median(times).as_secs_f64() / median(to).as_secs_f64()
}

fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// `177 (175 to 190)`, milliseconds.
fn spread(times: &[Duration]) -> String {
    let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
    format!(
        "{:.0} ({:.0} to {:.0})",
        milliseconds(median(times)),
        milliseconds(times.iter().min().copied().unwrap_or_default()),
        milliseconds(times.iter().max().copied().unwrap_or_default()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(only: Option<&str>) -> Result<Vec<String>, String> {
        let lines = lines(only)?;
        let times = lines.times.iter().map(|case| case.flags.to_owned());
        Ok(times.chain(lines.memory.iter().map(memory_name)).collect())
    }

    #[test]
    fn a_name_is_one_line_and_a_pattern_all_that_contain_it() {
        assert_eq!(names(Some("-Htn")), Ok(vec!["-Htn".to_owned()]));
        assert_eq!(names(Some("memory -Htni")), Ok(vec!["memory -Htni".to_owned()]));
        assert_eq!(names(Some("json")).map(|names| names.len()), Ok(3));
        assert_eq!(names(None).map(|names| names.len()), Ok(CASES.len() + MEMORY.len()));
    }

    #[test]
    fn a_pattern_without_a_line_names_the_lines_that_there_are() {
        let error = names(Some("-x")).unwrap_err();
        assert!(error.starts_with("--only -x: no such line; there are -Htn, -Htni, "), "{error}");
        assert!(error.ends_with("memory --json -tnp"), "{error}");
    }

    #[test]
    fn a_median_is_not_moved_by_one_slow_run() {
        let times = [3, 900, 2, 1, 4].map(Duration::from_millis);
        assert_eq!(median(&times), Duration::from_millis(3));
        assert_eq!(spread(&times), "3 (1 to 900)");
        assert!((ratio(&times, &[Duration::from_millis(6)]) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn a_line_without_a_limit_has_no_verdict() {
        assert_eq!(verdict(None, true), (String::new(), ""));
        assert_eq!(verdict(Some(0.05), true), ("0.05".to_owned(), "pass"));
        assert_eq!(verdict(Some(12.0), false), ("12".to_owned(), "**FAIL**"));
    }
}
