//! Test networks: what sockeye's live tests and benchmarks are run against.
//!
//! Everything here happens in network namespaces that the test made, never in the host's own, and is
//! taken down on drop, after a panic too. Tests need root and Debian's `iproute2` (`ip`, `ss`).
//!
//! - [`Namespace`]: a network of its own, with veth pairs, addresses and neighbours;
//! - [`Fleet`]: hundreds of them;
//! - [`Population`]: one socket of each kind that a test can make, in each TCP state;
//! - [`crowd`]: many thousand connections, held by several processes, and churn beside them;
//! - [`reuseport`]: sockets in one bucket of the kernel's table, and churn in it;
//! - [`holder`]: processes that hold sockets in given ways, and say what they hold;
//! - [`Recording`] and [`synthetic`]: netlink messages in the form that `TCPDIAG_FILE` names, recorded
//!   from the kernel or built for what this kernel cannot produce;
//! - [`terminal`]: a program's output on a terminal of a given width;
//! - [`schema`]: whether JSON conforms to a schema;
//! - [`measure`]: a program's time and peak memory.

pub mod crowd;
mod fleet;
pub mod holder;
pub mod measure;
mod namespace;
mod population;
mod recording;
pub mod reuseport;
pub mod schema;
pub mod synthetic;
mod task;
pub mod terminal;

pub use fleet::Fleet;
pub use namespace::{Namespace, veth};
pub use population::Population;
pub use recording::Recording;

use std::io;

/// An I/O error that also says what was being done.
fn failed(what: impl std::fmt::Display, error: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("{what}: {error}"))
}
