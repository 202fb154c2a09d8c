//! `-E`: sockets as they close, each printed at once.
//!
//! It ends with SIGINT or SIGTERM, or when nobody reads its output any longer. What was lost because
//! nobody read in time is said at once, and counts at the end.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sockeye_diag::{Closing, ClosingSockets, Error, Sockets};
use sockeye_filter::Filter;
use sockeye_model::{Family, Protocol};
use sockeye_netns::Place;

use crate::args::Options;
use crate::outcome::{Outcome, say};
use crate::print::{Flush, Print};
use crate::sink::{Sink, Wanted};
use crate::{There, namespaces};

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
    there: &mut There<'_>,
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
    let options = there.options;
    let watches = watch(there, outcome)?;
    if watches.is_empty() {
        return Ok(());
    }
    if let [only] = watches.as_slice() {
        rows.enter(&only.place);
    }
    let wanted = Wanted { ipv4: options.ipv4, ipv6: options.ipv6 };
    let mut following = Following {
        watches,
        rows,
        wanted,
        voice: Voice { program: voice.program, stderr: &mut *voice.stderr },
        lost: 0,
        lost_more: false,
        malformed: 0,
        error: None,
    };
    let ended = following.run(&stop);
    let Following { watches, lost, lost_more, malformed, error, .. } = following;
    if lost > 0 || lost_more {
        let more = if lost_more { ", and an unknown number more" } else { "" };
        outcome.incomplete(format_args!("{lost} sockets that closed are missing{more}"));
    }
    if malformed > 0 {
        outcome.incomplete(format_args!("{malformed} messages of the kernel make no sense"));
    }
    let foreign: u64 = watches.iter().map(|watch| watch.sockets.foreign()).sum();
    if foreign > 0 {
        outcome.note(format_args!("{foreign} messages were not the kernel's, and were dropped"));
    }
    if let Err(error) = ended {
        outcome.failed(format_args!("{error}"));
    }
    error.map_or(Ok(()), Err)
}

/// A namespace whose sockets are told as they close.
struct Watch {
    place: Place,
    sockets: ClosingSockets,
    filter: Option<Filter>,
}

/// Opens what tells, in every place.
fn watch(there: &mut There<'_>, outcome: &mut Outcome) -> io::Result<Vec<Watch>> {
    let There { options, filter, places, variable } = there;
    if places.len() > 1 {
        allow_many_descriptors();
    }
    let bytes = variable(BUFFER_VARIABLE).and_then(|bytes| bytes.to_str()?.parse().ok());
    let mut watches = Vec::new();
    namespaces::visit(places, outcome, |place, outcome| {
        let here = match filter.at(place, options) {
            Ok(here) => here,
            Err(error) => {
                outcome.failed(format_args!("{error}"));
                return Ok(());
            }
        };
        let groups = groups(options);
        match place.run(move || open(groups, bytes)) {
            Ok(Ok(sockets)) => {
                watches.push(Watch { place: place.clone(), sockets, filter: here.filter.clone() });
            }
            Ok(Err(error)) => outcome.failed(format_args!("{error}")),
            Err(error) => outcome.failed(format_args!("{error}")),
        }
        Ok(())
    })?;
    if let Some(nowhere) = filter.nowhere() {
        outcome.failed(format_args!("{nowhere}"));
        watches.clear();
    }
    Ok(watches)
}

/// Every namespace takes a descriptor.
fn allow_many_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    // Where it stays as it is, the namespaces that do not fit are said.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

fn groups(options: &Options) -> Vec<(Protocol, Family)> {
    let mut watched = Vec::new();
    for (protocol, shown) in [(Protocol::TCP, options.tcp), (Protocol::UDP, options.udp)] {
        for (family, wanted) in [(Family::Inet, options.ipv4), (Family::Inet6, options.ipv6)] {
            if shown && wanted {
                watched.push((protocol, family));
            }
        }
    }
    watched
}

fn open(groups: Vec<(Protocol, Family)>, buffer: Option<usize>) -> Result<ClosingSockets, Error> {
    let sockets = ClosingSockets::open(groups)?;
    if let Some(bytes) = buffer {
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
    watches: Vec<Watch>,
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
        let mut descriptors = vec![
            PollFd::new(stop, PollFlags::IN),
            // Errors alone: a pipe that nobody reads any longer.
            PollFd::new(&stdout, PollFlags::empty()),
        ];
        let sockets = self.watches.iter().map(|watch| watch.sockets.as_fd());
        descriptors.extend(sockets.map(|socket| PollFd::from_borrowed_fd(socket, PollFlags::IN)));
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        // A signal ends the waiting too: its descriptor is looked at next time.
        let _ = poll(&mut descriptors, if idle { None } else { Some(&at_once) });
        let left = PollFlags::ERR | PollFlags::HUP;
        matches!(
            descriptors.as_slice(),
            [stop, stdout, ..] if stop.revents().contains(PollFlags::IN)
                || stdout.revents().intersects(left)
        )
    }

    /// Prints what there is, of so many datagrams of each namespace at most. True if there is no more.
    fn take(&mut self, most: u32) -> Result<bool, Error> {
        let mut idle = true;
        for index in 0..self.watches.len() {
            idle &= self.take_of(index, most)?;
        }
        Ok(idle)
    }

    /// The same of one of them.
    fn take_of(&mut self, index: usize, most: u32) -> Result<bool, Error> {
        let several = self.watches.len() > 1;
        let Following { watches, rows, wanted, voice, lost, lost_more, malformed, error } = self;
        let Some(Watch { place, sockets, filter }) = watches.get_mut(index) else {
            return Ok(true);
        };
        if several {
            rows.enter(place);
        }
        for _ in 0..most {
            let more = sockets.next_ready(|closing| match closing {
                Closing::Socket(socket) => {
                    let mut sink = Sink::new(&mut **rows, *wanted, filter.as_ref());
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
                    let whose = if several {
                        format!("netns {}: ", namespaces::name(place))
                    } else {
                        String::new()
                    };
                    say(
                        voice.program,
                        &format_args!(
                            "{whose}lost {number} sockets that closed: they came faster than they were \
                             read"
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
