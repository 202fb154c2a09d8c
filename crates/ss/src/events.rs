//! `-E`: sockets as they close, each printed at once.
//!
//! It ends with SIGINT or SIGTERM, or when nobody reads its output any longer. What was lost because
//! nobody read in time is said at once, and counts at the end.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sockeye_diag::{Closing, ClosingSockets, Error, Sockets};
use sockeye_model::{Family, Protocol};

use crate::args::Options;
use crate::environment::Lookup;
use crate::outcome::{Outcome, say};
use crate::print::{Flush, Print};
use crate::sink::{Sink, Wanted};

/// Size of the receive buffer in place of the usual one, bytes.
const BUFFER_VARIABLE: &str = "SOCKEYE_EVENT_BUFFER";
/// So many datagrams are taken before it is looked whether to end.
const TURN: u32 = 64;
/// What is still there at the end is printed, at most so many datagrams.
const LAST: u32 = 1 << 16;

/// Where messages go at once.
pub(crate) struct Voice<'a> {
    pub(crate) program: &'a str,
    pub(crate) stderr: &'a mut dyn Write,
}

/// Prints sockets as they close.
///
/// # Errors
/// Output that cannot be written. Everything else goes to `outcome`.
pub(crate) fn follow<P: Print + Flush>(
    options: &Options,
    variable: Lookup<'_>,
    rows: &mut P,
    voice: Voice<'_>,
    outcome: &mut Outcome,
) -> io::Result<()> {
    let stop = match stop_by_signals() {
        Ok(stop) => stop,
        Err(error) => {
            outcome.failed(format_args!("cannot wait for signals: {error}"));
            return Ok(());
        }
    };
    let sockets = match open(options, variable) {
        Ok(sockets) => sockets,
        Err(error) => {
            outcome.failed(format_args!("{error}"));
            return Ok(());
        }
    };
    let wanted = Wanted { ipv4: options.ipv4, ipv6: options.ipv6 };
    let mut following = Following {
        sockets,
        rows,
        wanted,
        voice: Voice { program: voice.program, stderr: &mut *voice.stderr },
        lost: 0,
        lost_more: false,
        malformed: 0,
        error: None,
    };
    let ended = following.run(&stop);
    let Following { sockets, lost, lost_more, malformed, error, .. } = following;
    if lost > 0 || lost_more {
        let more = if lost_more { ", and an unknown number more" } else { "" };
        outcome.incomplete(format_args!("{lost} sockets that closed are missing{more}"));
    }
    if malformed > 0 {
        outcome.incomplete(format_args!("{malformed} messages of the kernel make no sense"));
    }
    let foreign = sockets.foreign();
    if foreign > 0 {
        outcome.note(format_args!("{foreign} messages were not the kernel's, and were dropped"));
    }
    if let Err(error) = ended {
        outcome.failed(format_args!("{error}"));
    }
    error.map_or(Ok(()), Err)
}

fn open(options: &Options, variable: Lookup<'_>) -> Result<ClosingSockets, Error> {
    let mut watched = Vec::new();
    for (protocol, shown) in [(Protocol::TCP, options.tcp), (Protocol::UDP, options.udp)] {
        for (family, wanted) in [(Family::Inet, options.ipv4), (Family::Inet6, options.ipv6)] {
            if shown && wanted {
                watched.push((protocol, family));
            }
        }
    }
    let sockets = ClosingSockets::open(watched)?;
    let bytes = variable(BUFFER_VARIABLE).and_then(|bytes| bytes.to_str()?.parse().ok());
    if let Some(bytes) = bytes {
        sockets.set_receive_buffer(bytes)?;
    }
    Ok(sockets)
}

/// A descriptor that is readable after SIGINT or SIGTERM.
fn stop_by_signals() -> io::Result<OwnedFd> {
    let (read, write) = UnixStream::pair()?;
    for signal in [libc::SIGINT, libc::SIGTERM] {
        signal_hook::low_level::pipe::register(signal, write.try_clone()?)?;
    }
    Ok(read.into())
}

struct Following<'a, P> {
    sockets: ClosingSockets,
    rows: &'a mut P,
    wanted: Wanted,
    voice: Voice<'a>,
    lost: u64,
    /// An unknown number was lost, too.
    lost_more: bool,
    malformed: u64,
    /// The output cannot be written.
    error: Option<io::Error>,
}

impl<P: Print + Flush> Following<'_, P> {
    fn run(&mut self, stop: &OwnedFd) -> Result<(), Error> {
        let mut idle = false;
        while !self.ends(stop, idle) {
            idle = self.take(TURN)?;
            if self.error.is_some() {
                return Ok(());
            }
        }
        self.take(LAST)?;
        Ok(())
    }

    /// Whether it is time to end. Waits for that, or for something to tell, if there is nothing to do.
    fn ends(&self, stop: &OwnedFd, idle: bool) -> bool {
        let stdout = io::stdout();
        let mut descriptors = [
            PollFd::new(stop, PollFlags::IN),
            // Errors alone: a pipe that nobody reads any longer.
            PollFd::new(&stdout, PollFlags::empty()),
            PollFd::from_borrowed_fd(self.sockets.as_fd(), PollFlags::IN),
        ];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        // A signal ends the waiting too: its descriptor is looked at next time.
        let _ = poll(&mut descriptors, if idle { None } else { Some(&at_once) });
        let [stop, stdout, _] = descriptors;
        let left = PollFlags::ERR | PollFlags::HUP;
        stop.revents().contains(PollFlags::IN) || stdout.revents().intersects(left)
    }

    /// Prints what there is, of so many datagrams at most. True if there is no more.
    fn take(&mut self, most: u32) -> Result<bool, Error> {
        let Following { sockets, rows, wanted, voice, lost, lost_more, malformed, error } = self;
        for _ in 0..most {
            let more = sockets.next_ready(|closing| match closing {
                Closing::Socket(socket) => {
                    let mut sink = Sink::new(&mut **rows, *wanted);
                    let _ = sink.socket(socket);
                    let printed = match sink.error.take() {
                        Some(error) => Err(error),
                        None if sink.shown > 0 => rows.flush(),
                        None => Ok(()),
                    };
                    match printed {
                        Ok(()) => ControlFlow::Continue(()),
                        Err(failure) => {
                            *error = Some(failure);
                            ControlFlow::Break(())
                        }
                    }
                }
                Closing::Lost(number) => {
                    match number {
                        Some(number) => *lost += number,
                        None => *lost_more = true,
                    }
                    let number = number.map_or("an unknown number of".to_owned(), |n| n.to_string());
                    say(
                        voice.program,
                        &format_args!(
                            "lost {number} sockets that closed: they came faster than they were read"
                        ),
                        voice.stderr,
                    );
                    ControlFlow::Continue(())
                }
                _ => {
                    *malformed += 1;
                    ControlFlow::Continue(())
                }
            })?;
            if error.is_some() || !more {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
