//! Processes that hold sockets in given ways, and say themselves what they hold.
//!
//! A [`Holder`] is this program, executed again, as in [`crowd`](crate::crowd): a test binary has a
//! test of the name [`HOLDER`] that calls [`hold_if_asked`] and does nothing else. It opens sockets,
//! shares them with threads and with a child, and reports every descriptor: it asks the kernel for
//! the inode number of each that it opened, and `/proc/thread-self` for its own numbers, so the
//! report is no search. It waits for the end of its standard input, and so ends with whoever started
//! it, however that ended. Its child ends with it.
//!
//! A [`Turnover`] is a process that opens, duplicates, shares and closes sockets all the time.

mod plan;
mod report;
mod task;

use std::io::{self, BufRead, BufReader};
use std::process::{Child, ChildStdin, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};

pub use plan::{EVERY_WAY, HOSTILE_NAMES, Plan};
pub use report::{Holding, Opened, Report};
pub use task::{HOLDER, WORKER, hold_if_asked};

use crate::{Namespace, failed};
use report::to_hex;

/// A process that holds sockets until it is dropped.
#[derive(Debug)]
pub struct Holder {
    process: Process,
    report: Report,
}

impl Holder {
    /// Starts it; returns when it holds everything.
    ///
    /// # Errors
    /// Fails when the process cannot be started or cannot do as planned; it says why on standard
    /// error.
    pub fn start(namespace: &Namespace, plan: &Plan<'_>) -> io::Result<Self> {
        let process = Process::start(namespace, &plan.to_words(), plan.pid_namespace)?;
        let mut holder = Self { process, report: Report::default() };
        holder.report = holder.process.report_until_ready()?;
        let counted = holder.report.holdings.first().map(|holding| holding.pid);
        if counted != Some(holder.pid()) {
            return Err(failed("a holder numbers itself otherwise than its parent", holder.pid()));
        }
        Ok(holder)
    }

    /// The process, as this process's PID namespace numbers it.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.child.id()
    }

    /// What it, its threads and its child hold, for as long as it lives.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }
}

/// A process that opens, duplicates, shares and closes TCP listeners all the time.
#[derive(Debug)]
pub struct Turnover {
    process: Process,
    reader: JoinHandle<io::Result<Report>>,
}

impl Turnover {
    /// Starts it; `longest` ends it in any case.
    ///
    /// # Errors
    /// Fails when the process cannot be started.
    pub fn start(namespace: &Namespace, name: &[u8], longest: Duration) -> io::Result<Self> {
        let words = format!("turn-over name={} seconds={}", to_hex(name), longest.as_secs());
        let mut process = Process::start(namespace, &words, false)?;
        let stdout = process.child.stdout.take();
        let stdout = stdout.ok_or_else(|| failed("a turnover", "it has no output"))?;
        let mut stdout = BufReader::new(stdout);
        let reader = thread::spawn(move || {
            let mut report = Report::default();
            let mut line = String::new();
            while stdout.read_line(&mut line)? > 0 {
                report.take(&line);
                line.clear();
            }
            Ok(report)
        });
        Ok(Self { process, reader })
    }

    /// Ends it, and gives all that it and its children ever held.
    ///
    /// # Errors
    /// Fails when its report could not be read.
    pub fn end(self) -> io::Result<Report> {
        drop(self.process);
        self.reader.join().map_err(|_| io::Error::other("reading a report panicked"))?
    }
}

/// A process of this program; ends on drop.
#[derive(Debug)]
struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Process {
    fn start(namespace: &Namespace, task: &str, pid_namespace: bool) -> io::Result<Self> {
        let mut command = task::again(task)?;
        command.stdin(Stdio::piped());
        let mut child = namespace.run(|| {
            if pid_namespace {
                // For the children of the thread that does this work, which ends with it.
                unshare(CloneFlags::CLONE_NEWPID)?;
            }
            command.spawn()
        })??;
        let stdin = child.stdin.take();
        Ok(Self { child, stdin })
    }

    fn report_until_ready(&mut self) -> io::Result<Report> {
        // It stays open: a test harness has something to say when a test runs for a minute, and ends
        // its process when nobody is there to read that.
        let stdout = self.child.stdout.as_mut();
        let stdout = stdout.ok_or_else(|| failed("a holder", "its output was read before"))?;
        Report::until_ready(BufReader::new(stdout))?
            .ok_or_else(|| failed("a holder ended before it was ready", "see standard error"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}
