//! How fast many namespaces are visited.
//!
//! The kernel has one hash of TCP connections for all namespaces. A dump walks all of it, whichever
//! namespace it asks about: a millisecond on an idle host, some 40 while 100 000 connections live
//! elsewhere. So a sweep of hundreds rests as long as it worked, and takes half of one processor at
//! most.

use std::thread;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Up to so many namespaces are visited at once.
const FEW: usize = 16;
/// The longest rest.
const LONGEST: Duration = Duration::from_secs(1);

/// Rests between visits.
#[derive(Debug)]
pub struct Pace {
    /// Visits that are not followed by a rest.
    free: usize,
    /// CPU time of the calling thread when the visit began.
    began: Option<Duration>,
}

impl Pace {
    pub(crate) fn of(places: usize) -> Pace {
        Pace { free: if places <= FEW { places } else { 0 }, began: None }
    }

    /// Has the calling thread sleep for as long as it has worked since the last rest, if there are many
    /// places. To be called before each visit; time spent waiting is no work.
    pub fn rest(&mut self) {
        if self.free > 0 {
            self.free -= 1;
            return;
        }
        if let Some(rest) = self.due(cpu_time()) {
            thread::sleep(rest);
        }
    }

    /// The rest that is due when this much CPU time has been used.
    fn due(&mut self, now: Duration) -> Option<Duration> {
        let began = self.began.replace(now)?;
        Some(now.saturating_sub(began).min(LONGEST))
    }
}

/// CPU time of the calling thread.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    // Neither is negative.
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn the_rest_is_as_long_as_the_work() {
        let mut pace = Pace::of(500);
        let at = Duration::from_millis;
        assert_eq!(pace.due(at(70)), None);
        assert_eq!(pace.due(at(110)), Some(at(40)));
        assert_eq!(pace.due(at(111)), Some(at(1)));
        assert_eq!(pace.due(at(9111)), Some(LONGEST));
    }

    #[test]
    fn few_are_visited_without_a_rest() {
        let mut pace = Pace::of(FEW);
        for _ in 0..FEW {
            pace.rest();
        }
        assert_eq!((pace.free, pace.began), (0, None));
    }

    #[test]
    fn a_thread_that_works_rests() {
        let mut pace = Pace::of(FEW + 1);
        pace.rest();
        let (start, before) = (Instant::now(), cpu_time());
        while cpu_time() - before < Duration::from_millis(20) {}
        pace.rest();
        assert!(start.elapsed() >= Duration::from_millis(40), "{:?}", start.elapsed());
    }
}
