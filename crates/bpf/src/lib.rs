//! All BPF programs of sockeye: C beside its loader, and what this kernel allows of them.
//!
//! [`socket_files`] tells which descriptors of which processes are sockets, [`threads`] which threads
//! there are. The programs are built
//! with the feature `programs` (on by default), which takes clang; without it, and where the kernel
//! or the reader's rights refuse them, every use gives an [`Error`] that says so, and [`probe`] tells
//! it of each program beforehand.
//!
//! Nothing is left in the kernel: an iterator runs while it is read, and is gone when its function
//! returns.

mod error;
#[cfg(feature = "programs")]
mod load;
#[cfg(not(feature = "programs"))]
#[path = "absent.rs"]
mod load;
mod probe;
mod record;
pub mod socket_files;
mod threads;

pub use error::Error;
pub use probe::{PROGRAMS, Program, probe};
pub use record::{Holding, Thread};
pub use threads::threads;

/// True if the programs were built in.
pub const BUILT_IN: bool = cfg!(feature = "programs");
