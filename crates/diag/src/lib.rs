//! Sockets by `NETLINK_SOCK_DIAG`: ask, decode, look up.
//!
//! [`Diag`] asks the kernel for sockets and hands each, decoded, to a visitor ([`Sockets`]). One
//! [`Socket`](sockeye_model::Socket) is reused for all of them: nothing is allocated a socket.
//!
//! ```no_run
//! use std::ops::ControlFlow;
//!
//! use sockeye_diag::{Diag, Extensions, Query, Sockets};
//! use sockeye_model::{Family, Protocol, Socket, States};
//!
//! struct Ports(Vec<u16>);
//!
//! impl Sockets for Ports {
//!     fn socket(&mut self, socket: &Socket) -> ControlFlow<()> {
//!         self.0.push(socket.local.port);
//!         ControlFlow::Continue(())
//!     }
//!     fn restart(&mut self) {
//!         self.0.clear();
//!     }
//! }
//!
//! # fn main() -> Result<(), sockeye_diag::Error> {
//! let query = Query {
//!     family: Family::Inet,
//!     protocol: Protocol::TCP,
//!     states: States::ALL,
//!     extensions: Extensions::NONE,
//!     program: None,
//! };
//! let mut ports = Ports(Vec::new());
//! let report = Diag::open()?.dump(&query, &mut ports)?;
//! println!("{} sockets, complete: {}", report.sockets, !report.interrupted);
//! # Ok(())
//! # }
//! ```
//!
//! A dump is read to its end by `sockeye-netlink`; what is known to be missing or doubtful is in
//! the [`Report`], never silent. No input panics: kernel bytes are checked at every step, and an
//! attribute that is too short costs that field, not the socket.

pub mod bytecode;
mod closing;
mod complete;
mod destroy;
mod dump;
mod error;
mod held;
pub mod inet;
pub mod procnet;
pub mod recording;
mod redact;
mod request;
mod seen;
mod tcp_info;
mod ulp;

pub use closing::{Closing, ClosingSockets};
pub use complete::{Complete, PASSES};
pub use destroy::Fate;
pub use dump::{Diag, Report, Sockets, Walk};
pub use error::Error;
pub use request::{Extensions, Identity, Query};
pub use tcp_info::ecn_layout_of_this_kernel;
