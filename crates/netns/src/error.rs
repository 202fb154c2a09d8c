//! What can go wrong with a namespace.

use std::io;
use std::path::PathBuf;

/// Why a namespace could not be found, opened or entered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No namespace has this name.
    #[error("no network namespace is named {name:?}: `ip netns list` shows the names")]
    NoSuchName {
        /// The name asked for.
        name: String,
    },
    /// No process has this id.
    #[error("no process {pid}: it may have ended, or live in another pid namespace")]
    NoProcess {
        /// The process id asked for.
        pid: u32,
    },
    /// The file cannot be opened.
    #[error("cannot open the network namespace {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the kernel answered.
        source: io::Error,
    },
    /// The file is no namespace.
    #[error("{} is not a network namespace", path.display())]
    NotANetns {
        /// The file.
        path: PathBuf,
    },
    /// The namespace cannot be entered.
    #[error("cannot enter the network namespace {}: {source} (this needs CAP_SYS_ADMIN: run as root)", path.display())]
    Enter {
        /// The namespace's file.
        path: PathBuf,
        /// What the kernel answered.
        source: io::Error,
    },
    /// The helper thread could not be started.
    #[error("cannot start a thread for a network namespace: {source}")]
    Thread {
        /// What the system answered.
        source: io::Error,
    },
    /// What was to be done inside the namespace failed.
    #[error("in the network namespace {}: {source}", path.display())]
    Work {
        /// The namespace's file.
        path: PathBuf,
        /// What failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
