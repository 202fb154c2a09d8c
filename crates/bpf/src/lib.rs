//! All BPF programs of sockeye: C beside its loader, and what this kernel allows of them.
//!
//! [`SocketFiles`] tells which descriptors of which processes are sockets. The programs are built
//! with the feature `programs` (on by default), which takes clang; without it, and where the kernel
//! or the reader's rights refuse them, every use gives an [`Error`] that says so, and [`probe`] tells
//! it of each program beforehand.
//!
//! A program attaches to nothing that others run: an iterator runs when it is read, and is gone with
//! the [`SocketFiles`] that loaded it.

mod error;
mod holding;
#[cfg(feature = "programs")]
mod load;
#[cfg(not(feature = "programs"))]
#[path = "absent.rs"]
mod load;
mod probe;
mod socket_files;

pub use error::Error;
pub use holding::Holding;
pub use probe::{PROGRAMS, Program, probe};
pub use socket_files::{FEW, SocketFiles};

/// True if the programs were built in.
pub const BUILT_IN: bool = cfg!(feature = "programs");
