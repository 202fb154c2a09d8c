//! Whose is it: from a socket to every process and descriptor that holds it.
//!
//! A [`Search`] looks for the owners of all sockets, or of a few ([`Sought`]), and gives [`Owners`].
//! It asks a BPF iterator where the kernel allows one, else it reads the descriptors of every process
//! in `/proc`; both give the same answer, in the same order.
//!
//! - A process that ends meanwhile, or a descriptor that is closed, is left out and costs nothing.
//! - A process whose descriptors the reader may not see is counted ([`Owners::unseen`]); where `/proc`
//!   leaves out processes, [`Owners::limited`] says so.
//! - Threads share the descriptors of their process; they are told only if asked for
//!   ([`Search::threads`]). A thread that has a file table of its own is then told with that.
//! - A socket may be held otherwise, too: by a message on its way (`SCM_RIGHTS`), by an io_uring, by
//!   the kernel itself. Then there is no descriptor, and no owner is told.

mod by_bpf;
mod by_proc;
pub mod context;
mod error;
mod owners;
mod search;

pub use error::Error;
pub use owners::{Limit, Owners};
pub use search::{Search, Sought, Way};
pub use sockeye_bpf::BUILT_IN as HAS_BPF;
pub use sockeye_bpf::socket_files::FEW;
