//! SIGINT and SIGTERM, which end work between two steps of it.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether SIGINT or SIGTERM has come. A second one ends the process at once.
#[derive(Debug)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Notes the two signals from now on.
    ///
    /// # Errors
    /// Those of `sigaction(2)`.
    pub fn noted() -> io::Result<Interrupt> {
        let came = Arc::new(AtomicBool::new(false));
        for signal in [libc::SIGINT, libc::SIGTERM] {
            // In this order: the first signal finds the flag unset.
            signal_hook::flag::register_conditional_default(signal, Arc::clone(&came))?;
            signal_hook::flag::register(signal, Arc::clone(&came))?;
        }
        Ok(Interrupt(came))
    }

    /// One has come.
    #[must_use]
    pub fn came(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A descriptor that is readable after one of them.
///
/// # Errors
/// Those of `sigaction(2)` and `socketpair(2)`.
pub(crate) fn descriptor() -> io::Result<OwnedFd> {
    let (read, write) = UnixStream::pair()?;
    Interrupt::noted()?;
    for signal in [libc::SIGINT, libc::SIGTERM] {
        signal_hook::low_level::pipe::register(signal, write.try_clone()?)?;
    }
    Ok(read.into())
}
