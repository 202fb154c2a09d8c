//! Why no owners can be told.

use std::io;
use std::path::PathBuf;

/// The owners of sockets could not be looked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A directory of `/proc` cannot be read, and not because its process has ended or is another
    /// user's.
    #[error("{path}: {source}", path = .path.display())]
    Proc {
        /// The directory.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// There are no processes in `/proc`, not even this one: it is not mounted.
    #[error("/proc has no processes: is it mounted?")]
    NoProcesses,
    /// BPF was to be used, and cannot be ([`Way::Bpf`](crate::Way::Bpf)).
    #[error(transparent)]
    Bpf(#[from] sockeye_bpf::Error),
    /// BPF was to be used, and would number processes otherwise than the reader's `/proc`.
    #[error("BPF numbers processes as in the initial PID namespace, which is not that of {}", .0.display())]
    PidNamespace(PathBuf),
}
