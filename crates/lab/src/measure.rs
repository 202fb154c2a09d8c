//! What a program costs: wall time, CPU time, peak memory.

use std::fs::{self, File};
use std::io::{self, Read};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};

use crate::{Namespace, failed};

/// What one run took.
#[derive(Clone, Copy, Debug)]
pub struct Time {
    /// From before its start until it was gone.
    pub wall: Duration,
    /// User and system time of the whole process.
    pub cpu: Duration,
    /// How it ended.
    pub status: ExitStatus,
}

/// Runs a program inside `namespace`, its output thrown away, and takes its time.
///
/// The CPU time is that of all children that ended meanwhile: run nothing else beside it.
///
/// # Errors
/// Fails when the program cannot be started.
pub fn time(namespace: &Namespace, command: &mut Command) -> io::Result<Time> {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    namespace.run(|| {
        let before = children_cpu()?;
        let start = Instant::now();
        let status = command.status()?;
        Ok(Time { wall: start.elapsed(), cpu: children_cpu()?.saturating_sub(before), status })
    })?
}

/// User and system time of all children that have ended.
fn children_cpu() -> io::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let microseconds =
        usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(microseconds.unsigned_abs()))
}

/// The most memory that a run had.
#[derive(Clone, Copy, Debug)]
pub struct Peak {
    /// Peak resident set (`VmHWM`), bytes.
    pub resident: u64,
    /// Length of what it wrote to standard output, bytes.
    pub written: u64,
    /// How it ended.
    pub status: ExitStatus,
}

/// Runs a program inside `namespace`, reads its output, and watches its peak resident memory.
///
/// `ru_maxrss` of an ended child would count the memory of the process that it was forked from.
/// `VmHWM` in `/proc/PID/status` is that of the program alone, but goes with it. So the output is read
/// through the smallest pipe there is, and the peak after each read: the last sample is taken when all
/// but the last page or two of the output are through, while the program still has to write those.
///
/// # Errors
/// Fails when the program cannot be started, or writes nothing.
pub fn peak(namespace: &Namespace, mut command: Command) -> io::Result<Peak> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    fcntl_setpipe_size(&writer, 4096)?;
    command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::inherit());
    let mut child = namespace.spawn(&mut command)?;
    // Its copy of the pipe would keep the reader below waiting for ever.
    drop(command);

    let path = format!("/proc/{}/status", child.id());
    let mut reader = File::from(reader);
    let mut buffer = [0; 4096];
    let (mut resident, mut written) = (0, 0);
    loop {
        let length = reader.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        written += length as u64;
        if let Some(bytes) = high_water(&path) {
            resident = resident.max(bytes);
        }
    }
    let status = child.wait()?;
    if resident == 0 {
        let why = format_args!("the program was gone before its memory could be read: {status}");
        return Err(failed(&path, why));
    }
    Ok(Peak { resident, written, status })
}

/// `VmHWM` in bytes, as long as the process has memory.
fn high_water(path: &str) -> Option<u64> {
    let status = fs::read_to_string(path).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
