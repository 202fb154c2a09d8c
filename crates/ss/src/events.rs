//! `-E`: sockets as they close, each printed at once.
//!
//! It ends with SIGINT or SIGTERM, or when nobody reads its output any longer. What was lost because
//! nobody read in time is said at once, and counts at the end, as does what could not be written any more.
//! What is not watched at all is said when it begins.
//!
//! Of all namespaces, those that come are found when it is looked again, at most once a second. One that
//! is not found any more is let go, since the socket that listens in it would keep it alive.

use std::collections::HashSet;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sockeye_diag::{Closing, ClosingSockets, Error, Sockets};
use sockeye_filter::{Filter, Test};
use sockeye_model::{Family, Protocol};
use sockeye_netns::{Choice, NetnsId, Place, Places};

use crate::args::Options;
use crate::outcome::{Outcome, say};
use crate::print::{Flush, Print};
use crate::sink::{Sink, Wanted};
use crate::stop::Stop;
use crate::{There, namespaces};

/// So many datagrams are taken before it is looked whether to end.
const TURN: u32 = 64;
/// What is still there at the end is printed, at most so many datagrams.
const LAST: u32 = 1 << 16;
/// Namespaces are not looked for more often than that,
const LOOK: Duration = Duration::from_secs(1);
/// and of so many parts of the time, one goes into it.
const SHARE: u32 = 20;

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
    stop: &Stop,
    outcome: &mut Outcome,
) -> io::Result<()> {
    let (options, mut places) = (there.options, there.places.clone());
    report_what_is_not_told(options, outcome);
    if places.len() > 1 {
        allow_many_descriptors();
    }
    let mut watches = Vec::new();
    watch(there, &places, &mut watches, outcome);
    if let Some(nowhere) = there.filter.nowhere() {
        outcome.failed(format_args!("{nowhere}"));
        watches.clear();
    }
    if watches.is_empty() {
        return Ok(());
    }
    outcome.tell(voice.program, voice.stderr);
    let mut following = Following {
        watches,
        entered: None,
        several: options.netns == Choice::All,
        rows,
        wanted: Wanted { ipv4: options.ipv4, ipv6: options.ipv6 },
        stop,
        voice: Voice { program: voice.program, stderr: &mut *voice.stderr },
        lost: 0,
        lost_more: false,
        unwritten: 0,
        malformed: 0,
        foreign: 0,
        error: None,
    };
    let ended = following.run(there, &mut places, outcome);
    following.report(outcome);
    if let Err(error) = ended {
        outcome.failed(format_args!("{error}"));
    }
    following.error.map_or(Ok(()), Err)
}

/// Says which tests the kernel tells too little for.
fn report_what_is_not_told(options: &Options, outcome: &mut Outcome) {
    let tests = |wanted: fn(&Test) -> bool| {
        let filter = options.filter.as_ref();
        filter.is_some_and(|filter| filter.expression().tests().any(|one| wanted(&one.test)))
    };
    if tests(|test| matches!(test, Test::Mark { .. })) {
        outcome.incomplete(format_args!(
            "fwmark: the kernel does not tell the marks of sockets that close; all count as 0"
        ));
    }
    if tests(|test| matches!(test, Test::Cgroup(_))) {
        outcome.incomplete(format_args!(
            "cgroup: the kernel does not tell the control groups of sockets that close; none matches"
        ));
    }
    if options.states_named {
        outcome.incomplete(format_args!(
            "state, exclude: with -E they choose nothing, as what has closed is in no other state"
        ));
    }
}

/// A namespace whose sockets are told as they close.
struct Watch {
    place: Place,
    sockets: ClosingSockets,
    filter: Option<Filter>,
}

/// Opens what tells, in these places.
fn watch(there: &mut There<'_>, places: &Places, watches: &mut Vec<Watch>, outcome: &mut Outcome) {
    let There { options, filter, .. } = there;
    let Ok(()) = places.visit(outcome, |place, outcome| -> Result<(), std::convert::Infallible> {
        let here = match filter.at(place, options) {
            Ok(here) => here,
            Err(error) => {
                outcome.failed(format_args!("{error}"));
                return Ok(());
            }
        };
        let (groups, bytes) = (groups(options), options.event_buffer);
        match place.run(move || open(groups, bytes)) {
            Ok(Ok(sockets)) => {
                watches.push(Watch { place: place.clone(), sockets, filter: here.filter.clone() });
            }
            Ok(Err(error)) => outcome.failed(format_args!("{error}")),
            Err(error) => outcome.failed(format_args!("{error}")),
        }
        Ok(())
    });
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

struct Following<'a, P> {
    watches: Vec<Watch>,
    /// The namespace that the rows are of.
    entered: Option<NetnsId>,
    /// There may be several namespaces.
    several: bool,
    rows: &'a mut P,
    wanted: Wanted,
    stop: &'a Stop,
    voice: Voice<'a>,
    lost: u64,
    /// An unknown number was lost, too.
    lost_more: bool,
    /// Not written, since the output took no more.
    unwritten: u64,
    malformed: u64,
    /// Messages of others, in namespaces that were let go.
    foreign: u64,
    /// The output cannot be written.
    error: Option<io::Error>,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Print what there is.
    Take,
    /// Look for namespaces.
    Look,
    End,
}

impl<P: Print + Flush> Following<'_, P> {
    fn run(
        &mut self,
        there: &mut There<'_>,
        places: &mut Places,
        outcome: &mut Outcome,
    ) -> Result<(), Error> {
        if !self.several
            && let Some(only) = self.watches.first()
        {
            self.rows.enter(&only.place);
        }
        let mut look_at = self.several.then(|| Instant::now() + LOOK);
        let mut idle = false;
        loop {
            match self.next(idle, look_at) {
                Ok(Next::End) => break,
                Ok(Next::Take) => {}
                Ok(Next::Look) => {
                    let began = Instant::now();
                    self.look_again(there, places, outcome)?;
                    look_at = Some(Instant::now() + LOOK.max(began.elapsed() * (SHARE - 1)));
                }
                Err(errno) => {
                    let error = io::Error::from(errno);
                    outcome.failed(format_args!("cannot wait for sockets that close: {error}"));
                    break;
                }
            }
            idle = self.take(TURN)?;
            if self.error.is_some() {
                return Ok(());
            }
        }
        self.take(LAST)?;
        Ok(())
    }

    /// Waits until it is time to end or to look for namespaces, or, if there is nothing to do, for something
    /// to tell.
    fn next(&self, idle: bool, look_at: Option<Instant>) -> Result<Next, Errno> {
        let stdout = io::stdout();
        let mut descriptors = vec![
            PollFd::new(self.stop, PollFlags::IN),
            // Errors alone: a pipe that nobody reads any longer.
            PollFd::new(&stdout, PollFlags::empty()),
        ];
        let sockets = self.watches.iter().map(|watch| watch.sockets.as_fd());
        descriptors.extend(sockets.map(|socket| PollFd::from_borrowed_fd(socket, PollFlags::IN)));
        let left = look_at.map(|at| at.saturating_duration_since(Instant::now()));
        let wait = if idle { left } else { Some(Duration::ZERO) };
        match poll(&mut descriptors, wait.and_then(|wait| Timespec::try_from(wait).ok()).as_ref()) {
            // A signal that ends it makes its descriptor readable: that is seen next time.
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
        let nobody_reads = PollFlags::ERR | PollFlags::HUP;
        Ok(match descriptors.as_slice() {
            [stop, stdout, ..]
                if stop.revents().contains(PollFlags::IN)
                    || stdout.revents().intersects(nobody_reads) =>
            {
                Next::End
            }
            _ if left == Some(Duration::ZERO) => Next::Look,
            _ => Next::Take,
        })
    }

    /// Watches the namespaces that have come, and lets those go that are not found any more.
    fn look_again(
        &mut self,
        there: &mut There<'_>,
        places: &mut Places,
        outcome: &mut Outcome,
    ) -> Result<(), Error> {
        // Where the names of interfaces were asked for last is not to be kept alive.
        self.rows.enter(&Place::here());
        self.entered = None;
        let changes = match places.look_again() {
            Ok(changes) => changes,
            Err(error) => {
                outcome.failed(format_args!("{error}"));
                outcome.tell(self.voice.program, self.voice.stderr);
                return Ok(());
            }
        };
        if !changes.came.is_empty() {
            allow_many_descriptors();
            watch(there, &changes.came, &mut self.watches, outcome);
            outcome.tell(self.voice.program, self.voice.stderr);
        }
        if changes.gone.is_empty() {
            return Ok(());
        }
        let gone: HashSet<NetnsId> = changes.gone.into_iter().collect();
        let is_gone = |watch: &Watch| watch.place.id().is_some_and(|id| gone.contains(&id));
        for index in 0..self.watches.len() {
            if self.watches.get(index).is_some_and(is_gone) {
                self.take_of(index, LAST)?;
            }
        }
        let left = self.watches.extract_if(.., |watch| is_gone(watch));
        self.foreign += left.map(|watch| watch.sockets.foreign()).sum::<u64>();
        Ok(())
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
        let Following { watches, entered, several, rows, wanted, stop, voice, .. } = self;
        let Some(Watch { place, sockets, filter }) = watches.get_mut(index) else {
            return Ok(true);
        };
        for _ in 0..most {
            let more = sockets.next_ready(|closing| match closing {
                Closing::Socket(socket) => {
                    if *several && *entered != place.id() {
                        rows.enter(place);
                        *entered = place.id();
                    }
                    let mut sink = Sink::new(&mut **rows, *wanted, filter.as_ref());
                    let _ = sink.socket(socket);
                    let (shown, failed) = (sink.shown > 0, sink.error.take());
                    let printed = match failed {
                        Some(error) => Err(error),
                        None if shown => rows.flush(),
                        None => Ok(()),
                    };
                    self.unwritten += u64::from(stop.gave_up() && shown);
                    match printed {
                        Ok(()) => ControlFlow::Continue(()),
                        Err(failure) => {
                            self.error = Some(failure);
                            ControlFlow::Break(())
                        }
                    }
                }
                Closing::Lost(number) => {
                    match number {
                        Some(number) => self.lost += number,
                        None => self.lost_more = true,
                    }
                    let number = number.map_or("an unknown number of".to_owned(), |n| n.to_string());
                    let whose = if *several {
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
                    self.malformed += 1;
                    ControlFlow::Continue(())
                }
            })?;
            if self.error.is_some() || !more {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What is missing in the end.
    fn report(&self, outcome: &mut Outcome) {
        let Following { lost, unwritten, malformed, .. } = self;
        if *lost > 0 || self.lost_more {
            let more = if self.lost_more { ", and an unknown number more" } else { "" };
            outcome.incomplete(format_args!("{lost} sockets that closed are missing{more}"));
        }
        if *unwritten > 0 {
            outcome.incomplete(format_args!(
                "{unwritten} sockets that closed were not written: the output took no more when the \
                 signal came"
            ));
        }
        if *malformed > 0 {
            outcome.incomplete(format_args!("{malformed} messages of the kernel make no sense"));
        }
        let watched = self.watches.iter().map(|watch| watch.sockets.foreign());
        let foreign = self.foreign + watched.sum::<u64>();
        if foreign > 0 {
            outcome
                .note(format_args!("{foreign} messages were not the kernel's, and were dropped"));
        }
    }
}
