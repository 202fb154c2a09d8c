//! How `-E` ends by a signal, also while nobody reads what it prints.
//!
//! A write to a full pipe would wait, and a signal that only notes that it came would not end that. So
//! output is written when there is room for it, and while there is none, the signal is waited for, too.
//! Once it came, output waits no longer than [`GRACE`] in all: what does not fit by then is left off.
//! A second signal ends the process at once.

use std::cell::Cell;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::interrupt;

/// How long output may still wait after the signal.
const GRACE: Duration = Duration::from_millis(500);
/// Where a pipe has room at all, it has room for so many bytes (`PIPE_BUF`, linux/limits.h).
const PIECE: usize = 4096;

/// SIGINT or SIGTERM, once it came.
#[derive(Debug)]
pub(crate) struct Stop {
    /// Readable after the signal.
    signal: OwnedFd,
    /// When output waits no longer.
    deadline: Cell<Option<Instant>>,
    /// Output was left off.
    gave_up: Cell<bool>,
}

impl Stop {
    /// Takes the two signals from now on.
    ///
    /// # Errors
    /// Those of `sigaction(2)` and `socketpair(2)`.
    pub(crate) fn by_signals() -> io::Result<Stop> {
        interrupt::descriptor().map(Stop::when_readable)
    }

    fn when_readable(signal: OwnedFd) -> Stop {
        Stop { signal, deadline: Cell::new(None), gave_up: Cell::new(false) }
    }

    /// True if output had to be left off: nothing more will be written.
    pub(crate) fn gave_up(&self) -> bool {
        self.gave_up.get()
    }

    /// Waits until `out` takes a piece, or fails; false if it does not in time.
    fn room(&self, out: BorrowedFd<'_>) -> io::Result<bool> {
        loop {
            let mut descriptors = [
                PollFd::from_borrowed_fd(out, PollFlags::OUT),
                PollFd::new(&self.signal, PollFlags::IN),
            ];
            let left = self.deadline.get().map(|at| at.saturating_duration_since(Instant::now()));
            let timeout = left.and_then(|left| Timespec::try_from(left).ok());
            // The signal is known by then, and would be told again and again.
            let waited = if timeout.is_some() { &mut descriptors[..1] } else { &mut descriptors };
            match poll(waited, timeout.as_ref()) {
                Ok(0) => return Ok(false),
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(errno.into()),
            }
            let [out, signal] = &descriptors;
            if !out.revents().is_empty() {
                return Ok(true);
            }
            if !signal.revents().is_empty() {
                self.deadline.set(Some(Instant::now() + GRACE));
            }
        }
    }
}

impl AsFd for Stop {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.signal.as_fd()
    }
}

/// Output that waits for room, and for the signal.
pub(crate) struct Patient<'a, D> {
    out: &'a mut dyn Write,
    /// What `out` writes to.
    descriptor: D,
    stop: &'a Stop,
}

impl<'a, D: AsFd> Patient<'a, D> {
    pub(crate) fn new(out: &'a mut dyn Write, descriptor: D, stop: &'a Stop) -> Self {
        Patient { out, descriptor, stop }
    }
}

impl<D: AsFd> Write for Patient<'_, D> {
    /// Takes everything, and writes nothing, once it gave up.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.stop.gave_up() {
            return Ok(bytes.len());
        }
        if !self.stop.room(self.descriptor.as_fd())? {
            self.stop.gave_up.set(true);
            return Ok(bytes.len());
        }
        self.out.write(bytes.get(..PIECE).unwrap_or(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.stop.gave_up() { Ok(()) } else { self.out.flush() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    #[test]
    fn output_that_nobody_reads_is_left_off_after_the_signal() {
        let (mut reader, writer) = io::pipe().unwrap();
        let (mut signal, read) = UnixStream::pair().unwrap();
        let stop = Stop::when_readable(read.into());
        let descriptor = writer.try_clone().unwrap();
        let mut file = File::from(OwnedFd::from(writer));
        let mut patient = Patient::new(&mut file, descriptor, &stop);
        // As much as a pipe holds.
        patient.write_all(&[b'.'; 1 << 16]).unwrap();
        assert!(!stop.gave_up());
        signal.write_all(b".").unwrap();
        let began = Instant::now();
        patient.write_all(&[b'!'; 10_000]).unwrap();
        assert!(stop.gave_up() && began.elapsed() >= GRACE);
        patient.write_all(b"nor this").unwrap();
        assert!(began.elapsed() < 10 * GRACE);
        drop(patient);
        drop(file);
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        assert_eq!(read, [b'.'; 1 << 16]);
    }

    #[test]
    fn output_that_is_read_is_written_after_the_signal_too() {
        let (mut reader, writer) = io::pipe().unwrap();
        let (mut signal, read) = UnixStream::pair().unwrap();
        signal.write_all(b".").unwrap();
        let stop = Stop::when_readable(read.into());
        let descriptor = writer.try_clone().unwrap();
        let mut file = File::from(OwnedFd::from(writer));
        let reads = std::thread::spawn(move || {
            let mut read = Vec::new();
            reader.read_to_end(&mut read).map(|_| read.len())
        });
        let mut patient = Patient::new(&mut file, descriptor, &stop);
        patient.write_all(&[b'.'; 300_000]).unwrap();
        assert!(!stop.gave_up());
        drop(patient);
        drop(file);
        assert_eq!(reads.join().unwrap().unwrap(), 300_000);
    }
}
