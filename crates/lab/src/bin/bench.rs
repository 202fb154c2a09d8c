//! `make bench`: whole-process time of `ss`, `sockeye ss` and the floor, on many sockets.
//!
//! In a namespace with `--sockets` established TCP sockets, each program is run `--runs` times, in turns,
//! so that what disturbs the machine disturbs all of them. The table has medians with the least and the
//! greatest value, wall and CPU (user and system) time, output thrown away.

use std::error::Error;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use sockeye_lab::crowd::{self, Crowd, Plan};
use sockeye_lab::{Namespace, measure};

const USAGE: &str = "usage: bench [--sockets N] [--runs N] [--sockeye PATH] [--ss PATH]
  --sockets N     TCP sockets in the namespace, two a connection (default 200000)
  --runs N        runs of each program (default 11)
  --sockeye PATH  the program to measure (default: beside this one)
  --ss PATH       the program to compare with (default: the installed ss)";

/// What is measured: flags of `ss`, and the extensions that the floor asks for with them.
const CASES: [(&str, &str); 4] = [("-Htn", ""), ("-Htni", "i"), ("-Htnm", "m"), ("-Htnimoe", "im")];

struct Options {
    sockets: usize,
    runs: usize,
    sockeye: PathBuf,
    ss: PathBuf,
}

fn main() -> Result<(), Box<dyn Error>> {
    crowd::hold_if_asked();
    let beside = std::env::current_exe()?;
    let options = options(beside.with_file_name("sockeye"))?;
    let floor = beside.with_file_name("floor");
    for (program, way_out) in [
        (&options.sockeye, "build it with `cargo build --release -p sockeye`"),
        (&floor, "build it with `cargo build --release -p sockeye-lab`"),
    ] {
        if !program.exists() {
            return Err(format!("{} is missing: {way_out}", program.display()).into());
        }
    }

    let namespace = Namespace::new("bench")?;
    eprintln!("making {} sockets", options.sockets);
    let plan = Plan { connections: options.sockets / 2, processes: 12, ipv6: false };
    let crowd = Crowd::start(&namespace, plan)?;
    let version = Command::new(&options.ss).arg("-V").output()?.stdout;
    println!(
        "{} TCP sockets in one namespace, {} runs in turns, Linux {}, {}; median (least to most), ms\n",
        crowd.sockets().len(),
        options.runs,
        std::fs::read_to_string("/proc/sys/kernel/osrelease")?.trim(),
        String::from_utf8_lossy(&version).trim(),
    );
    println!("| flags | program | wall | CPU | wall, to ss | CPU, to the floor |");
    println!("|---|---|---|---|---|---|");
    for (flags, extensions) in CASES {
        let mut programs = [
            Program::new("ss", &options.ss, &[flags]),
            // As 6.1 asks: newer releases want bound, inactive sockets too, a walk of its own.
            Program::new("sockeye ss", &options.sockeye, &["ss", "--iproute2", "6.1", flags]),
            Program::new("floor", &floor, &[extensions]),
        ];
        // The first round warms caches and is not counted.
        for round in 0..=options.runs {
            for program in &mut programs {
                let time = measure::time(&namespace, &mut program.command)?;
                if !time.status.success() {
                    return Err(format!("{} {flags}: {}", program.name, time.status).into());
                }
                if round > 0 {
                    program.wall.push(time.wall);
                    program.cpu.push(time.cpu);
                }
            }
        }
        let (ss, floor) = (programs[0].medians(), programs[2].medians());
        for program in &programs {
            let own = program.medians();
            println!(
                "| `{flags}` | {} | {} | {} | {:.2} | {:.2} |",
                program.name,
                spread(&program.wall),
                spread(&program.cpu),
                own.0.as_secs_f64() / ss.0.as_secs_f64(),
                own.1.as_secs_f64() / floor.1.as_secs_f64(),
            );
        }
    }
    Ok(())
}

/// A program and the times of its runs.
struct Program {
    name: &'static str,
    command: Command,
    wall: Vec<Duration>,
    cpu: Vec<Duration>,
}

impl Program {
    fn new(name: &'static str, path: &PathBuf, arguments: &[&str]) -> Self {
        let mut command = Command::new(path);
        command.args(arguments.iter().filter(|argument| !argument.is_empty()));
        Self { name, command, wall: Vec::new(), cpu: Vec::new() }
    }

    /// Of wall and CPU time.
    fn medians(&self) -> (Duration, Duration) {
        (median(&self.wall), median(&self.cpu))
    }
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

fn options(sockeye: PathBuf) -> Result<Options, Box<dyn Error>> {
    let mut options = Options { sockets: 200_000, runs: 11, sockeye, ss: "ss".into() };
    let mut arguments = std::env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        let name = argument.to_string_lossy().into_owned();
        if name == "-h" || name == "--help" {
            println!("{USAGE}");
            std::process::exit(0);
        }
        let value: OsString = arguments.next().ok_or(format!("{name} takes a value\n{USAGE}"))?;
        let number = || {
            let text = value.to_string_lossy();
            text.parse()
                .ok()
                .filter(|number: &usize| *number > 0)
                .ok_or(format!("{name} {text}: not a number above 0"))
        };
        match name.as_str() {
            "--sockets" => options.sockets = number()?,
            "--runs" => options.runs = number()?,
            "--sockeye" => options.sockeye = value.into(),
            "--ss" => options.ss = value.into(),
            _ => return Err(format!("unknown option {name}\n{USAGE}").into()),
        }
    }
    Ok(options)
}
