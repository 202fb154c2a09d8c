//! One thread that enters namespaces, one after the other.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

use crate::{Error, Known, Netns, NetnsId};

/// What the thread is to do. It is handed the namespace that the thread has entered last.
type Job = Box<dyn FnOnce(&mut Option<NetnsId>) + Send>;

/// A thread that does work inside namespaces. It enters one when it gets work for it, and stays until
/// it gets some for another.
#[derive(Debug)]
pub(crate) struct Worker {
    /// `None` when it is to end.
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    /// Where it started.
    home: Arc<Netns>,
}

impl Worker {
    /// Starts the thread, in the namespace of the calling one.
    pub(crate) fn start() -> Result<Worker, Error> {
        let home = Arc::new(Netns::current()?);
        let (jobs, queue) = mpsc::channel::<Job>();
        let thread = thread::Builder::new()
            .name("netns".into())
            .spawn(move || {
                let mut entered = None;
                for job in queue {
                    job(&mut entered);
                }
            })
            .map_err(|source| Error::Thread { source })?;
        Ok(Worker { jobs: Some(jobs), thread: Some(thread), home })
    }

    /// Has `work` done inside a namespace, and waits for it.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        known: Arc<Known>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        self.wait_for(move |entered| enter(&known, entered).map(|()| work()))
    }

    /// Leaves the namespace that it has entered, and so no longer keeps that alive.
    pub(crate) fn go_home(&self) -> Result<(), Error> {
        let home = Arc::clone(&self.home);
        self.wait_for(move |entered| if entered.take().is_some() { home.enter() } else { Ok(()) })
    }

    fn wait_for<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Option<NetnsId>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = mpsc::channel();
        let job: Job = Box::new(move |entered| {
            // Nobody waits for it where the caller has panicked.
            let _ = answer.send(work(entered));
        });
        let sent = self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        let ended = || Error::Thread { source: io::Error::other("it has ended by a panic") };
        if !sent {
            return Err(ended());
        }
        answered.recv().unwrap_or_else(|_| Err(ended()))
    }
}

/// Moves this thread, unless it is there.
fn enter(known: &Known, entered: &mut Option<NetnsId>) -> Result<(), Error> {
    if *entered != Some(known.id) {
        known.open()?.enter()?;
        *entered = Some(known.id);
    }
    Ok(())
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It would keep its namespace alive.
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Name, Netns};

    fn current() -> Result<Arc<Known>, Error> {
        let current = Netns::current()?;
        let path = format!("/proc/{}/ns/net", std::process::id());
        Ok(Arc::new(Known::new(current.id(), Name::Pid(std::process::id()), path.into())))
    }

    #[test]
    fn all_work_is_done_by_one_thread() -> Result<(), Error> {
        let (worker, known) = (Worker::start()?, current()?);
        let thread = || thread::current().id();
        let first = worker.run(Arc::clone(&known), thread)?;
        assert_ne!(first, thread());
        assert_eq!(worker.run(known, thread)?, first);
        Ok(())
    }

    #[test]
    fn what_panics_ends_the_thread_and_not_the_caller() -> Result<(), Error> {
        let (worker, known) = (Worker::start()?, current()?);
        for _ in 0..2 {
            let ended = worker.run(Arc::clone(&known), || panic!("on purpose"));
            assert!(matches!(ended, Err(Error::Thread { .. })), "{ended:?}");
        }
        Ok(())
    }
}
