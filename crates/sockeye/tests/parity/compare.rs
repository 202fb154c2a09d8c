//! Runs a command line in both programs and says where their outputs part.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use sockeye_lab::{Namespace, Recording, terminal};
use tempfile::NamedTempFile;

/// Rounds in which `ss` has to agree with itself before a case counts as moving.
const ROUNDS: usize = 12;
/// Differences that are shown; the others are counted.
const SHOWN: usize = 12;

/// Where standard output goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sink {
    Pipe,
    /// A terminal of that many columns.
    Terminal(u16),
}

/// Compares in one namespace, and remembers what differed.
pub(crate) struct Comparison<'a> {
    namespace: &'a Namespace,
    sink: Sink,
    variables: Vec<(String, String)>,
    version: &'static str,
    sockeye: Option<Command>,
    compared: usize,
    longest: usize,
    differences: Vec<String>,
}

impl<'a> Comparison<'a> {
    pub(crate) fn of(namespace: &'a Namespace) -> Self {
        Self {
            namespace,
            sink: Sink::Pipe,
            variables: Vec::new(),
            version: installed_version(),
            sockeye: None,
            compared: 0,
            longest: 0,
            differences: Vec::new(),
        }
    }

    /// Goes on with another kind of standard output.
    pub(crate) fn to(&mut self, sink: Sink) {
        self.sink = sink;
    }

    /// Sets an environment variable for both.
    pub(crate) fn set(&mut self, variable: &str, value: &str) {
        self.variables.push((variable.to_owned(), value.to_owned()));
    }

    /// Runs `program` where it would run `sockeye ss`.
    pub(crate) fn run_as(&mut self, program: Command) {
        self.sockeye = Some(program);
    }

    /// Has both read a recording instead of asking the kernel, as long as the file lives.
    pub(crate) fn replay(&mut self, recording: &Recording) -> NamedTempFile {
        let file = NamedTempFile::new().unwrap();
        recording.write(file.path()).unwrap();
        self.set("TCPDIAG_FILE", &file.path().to_string_lossy());
        file
    }

    /// The version that is compared with.
    pub(crate) fn version(&self) -> &'static str {
        self.version
    }

    /// The length of the longest output so far, bytes.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// Compares what the kernel says now: `ss`, sockeye, and `ss` again, until both of `ss` agree.
    pub(crate) fn live(&mut self, flags: &str) {
        for _ in 0..ROUNDS {
            let before = self.ss(flags);
            let ours = self.sockeye(flags);
            let after = self.ss(flags);
            if before == after {
                self.judge(flags, &before, ours);
                return;
            }
        }
        self.differences
            .push(format!("ss {flags}: `ss` does not agree with itself in {ROUNDS} rounds"));
    }

    /// As [`Comparison::live`], where numbers move: what is said must be the same, not how much it is.
    /// A word may come and go between two runs (a time of 0 is not printed), but not in all rounds.
    pub(crate) fn live_words(&mut self, flags: &str) {
        for round in 1..=ROUNDS {
            let before = words(&self.ss(flags));
            let mut ours = self.sockeye(flags);
            let after = words(&self.ss(flags));
            ours.stdout = words(&ours.stdout);
            if before == after && ours.stdout == before || round == ROUNDS {
                self.judge(flags, &before, ours);
                return;
            }
        }
    }

    /// Compares what both make of the recording.
    pub(crate) fn replayed(&mut self, flags: &str) {
        let theirs = self.ss(flags);
        let ours = self.sockeye(flags);
        self.judge(flags, &theirs, ours);
    }

    /// Compares the files that `-D` writes, without what names the asker.
    pub(crate) fn dumped(&mut self, flags: &str) {
        for way in ["-D", "--diag"] {
            let path = NamedTempFile::new().unwrap();
            let to_file = format!("{flags} {way} {}", path.path().display());
            for flags in [to_file, format!("{flags} {way} -")] {
                let written = |output: Vec<u8>| match std::fs::read(path.path()).unwrap() {
                    file if file.is_empty() => anonymous(&output),
                    file => anonymous(&file),
                };
                // As in `live`: a full listener may drop another SYN, which its memory counts.
                for round in 1..=ROUNDS {
                    let before = written(self.ss(&flags));
                    reset(path.path());
                    let mut ours = self.sockeye(&flags);
                    ours.stdout = written(ours.stdout);
                    reset(path.path());
                    let after = written(self.ss(&flags));
                    reset(path.path());
                    if before == after || round == ROUNDS {
                        self.judge(&flags, &before, ours);
                        break;
                    }
                }
            }
        }
    }

    /// Compares what both say, and their status, where both refuse.
    pub(crate) fn refused(&mut self, flags: &str) {
        let outcome = |output: Output| {
            let (said, status) = (String::from_utf8(output.stderr).unwrap(), output.status);
            (String::from_utf8(output.stdout).unwrap(), said, status.code())
        };
        let theirs = outcome(self.run(Command::new("ss"), flags));
        let ours = outcome(self.sockeye(flags));
        assert_ne!(theirs.2, Some(0), "the installed `ss {flags}` does not refuse: {theirs:?}");
        self.compared += 1;
        if theirs != ours {
            self.differences
                .push(format!("ss {flags}\n  ss:      {theirs:?}\n  sockeye: {ours:?}"));
        }
    }

    /// What sockeye alone prints.
    pub(crate) fn sockeye_text(&self, flags: &str) -> String {
        String::from_utf8(self.sockeye_bytes(flags)).unwrap()
    }

    /// What sockeye alone prints, whatever it is.
    pub(crate) fn sockeye_bytes(&self, flags: &str) -> Vec<u8> {
        self.sockeye(flags).stdout
    }

    /// Fails with all differences there were.
    pub(crate) fn finish(self) {
        assert!(self.compared > 0 || !self.differences.is_empty(), "nothing was compared");
        if self.differences.is_empty() {
            return;
        }
        let shown: Vec<&str> = self.differences.iter().take(SHOWN).map(String::as_str).collect();
        panic!(
            "{} differ, {} agree; the first of them:\n\n{}\n",
            self.differences.len(),
            self.compared - self.differences.len().min(self.compared),
            shown.join("\n\n")
        );
    }

    fn judge(&mut self, flags: &str, theirs: &[u8], ours: Output) {
        self.compared += 1;
        self.longest = self.longest.max(theirs.len());
        let mut title = format!("ss {flags} ({:?})", self.sink);
        for (variable, value) in &self.variables {
            let _ = write!(title, " {variable}={value}");
        }
        let difference = if ours.status.success() {
            first_difference(theirs, &ours.stdout)
        } else {
            Some(format!("sockeye ended with {}", ours.status))
        };
        if let Some(difference) = difference {
            let said = String::from_utf8_lossy(&ours.stderr);
            let said = said.lines().take(3).collect::<Vec<_>>().join("\n  ");
            self.differences
                .push(format!("{title}\n  {difference}\n  {said}").trim_end().to_owned());
        }
    }

    fn ss(&self, flags: &str) -> Vec<u8> {
        let output = self.run(Command::new("ss"), flags);
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().next().unwrap_or_default();
        assert!(output.status.success(), "the installed `ss {flags}` refuses: {said}");
        output.stdout
    }

    fn sockeye(&self, flags: &str) -> Output {
        let mut command = match &self.sockeye {
            Some(command) => Command::new(command.get_program()),
            None => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_sockeye"));
                command.arg("ss");
                command
            }
        };
        command.env("SOCKEYE_IPROUTE2", self.version);
        self.run(command, flags)
    }

    fn run(&self, mut command: Command, flags: &str) -> Output {
        command.args(flags.split(' '));
        for variable in [
            "COLUMNS",
            "TCPDIAG_FILE",
            "PROC_ROOT",
            "PROC_NET_TCP",
            "PROC_NET_TCP6",
            "PROC_NET_UDP",
        ] {
            command.env_remove(variable);
        }
        command.envs(self.variables.iter().map(|(variable, value)| (variable, value)));
        match self.sink {
            Sink::Pipe => self.namespace.output(&mut command).unwrap(),
            Sink::Terminal(columns) => terminal::output(self.namespace, command, columns).unwrap(),
        }
    }
}

/// The installed `ss`'s version, as sockeye is told to follow it.
fn installed_version() -> &'static str {
    let output = Command::new("ss")
        .arg("-V")
        .output()
        .expect("parity is with the installed `ss`: install Debian's package iproute2");
    let text = String::from_utf8_lossy(&output.stdout);
    match text.trim().rsplit_once("iproute2-").map_or("", |(_, version)| version) {
        version if version.starts_with("6.1.") => "6.1",
        version if version.starts_with("7.") => "7.1",
        _ => panic!("sockeye follows iproute2 6.1 and 7.1, and `ss -V` says {text}"),
    }
}

/// Empties a file.
fn reset(path: &Path) {
    std::fs::write(path, b"").unwrap();
}

/// Text whose numbers are all `#`, in columns of no particular width.
fn words(text: &[u8]) -> Vec<u8> {
    let mut words = Vec::with_capacity(text.len());
    for byte in text {
        let kept = match byte {
            b'0'..=b'9' | b'.' => b'#',
            b' ' => b' ',
            other => *other,
        };
        if !(matches!(kept, b'#' | b' ') && words.last() == Some(&kept)) {
            words.push(kept);
        }
    }
    words
}

/// Netlink messages with the sequence numbers and port ids blanked.
fn anonymous(dump: &[u8]) -> Vec<u8> {
    let mut bytes = dump.to_vec();
    let mut start = 0;
    while let Some(header) = bytes.get_mut(start..start + 16) {
        header[8..16].fill(0);
        let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]);
        start += (length as usize).next_multiple_of(4).max(16);
    }
    bytes
}

/// The first line in which two outputs differ, as both have it.
fn first_difference(theirs: &[u8], ours: &[u8]) -> Option<String> {
    if theirs == ours {
        return None;
    }
    let mut their_lines = theirs.split_inclusive(|byte| *byte == b'\n');
    let mut our_lines = ours.split_inclusive(|byte| *byte == b'\n');
    for number in 1.. {
        let (their_line, our_line) = (their_lines.next(), our_lines.next());
        if their_line == our_line {
            continue;
        }
        let (theirs, ours) = (their_line.unwrap_or_default(), our_line.unwrap_or_default());
        let column = theirs.iter().zip(ours).take_while(|(a, b)| a == b).count();
        let byte =
            |line: &[u8]| line.get(column).map_or("none".to_owned(), |byte| format!("{byte:#04x}"));
        return Some(format!(
            "line {number}, column {}: ss has {}, sockeye has {}\n  ss:      {}\n  sockeye: {}\n           {}^",
            column + 1,
            byte(theirs),
            byte(ours),
            window(theirs, column),
            window(ours, column),
            " ".repeat(escaped(around(theirs, column, column)).chars().count()),
        ));
    }
    None
}

/// What stands around the column, so that a long line can be read.
fn window(line: &[u8], column: usize) -> String {
    escaped(around(line, column, column + 80))
}

/// From somewhat before `column` to `end`.
fn around(line: &[u8], column: usize, end: usize) -> &[u8] {
    line.get(column.saturating_sub(100)..end.min(line.len())).unwrap_or_default()
}

fn escaped(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
