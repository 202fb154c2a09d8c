//! What can go wrong with a namespace.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

/// Why a namespace could not be found, opened or entered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No namespace has this name.
    #[error(
        "no network namespace is named {name:?}: `ip netns list` shows the names; a process id, or the \
         path of a namespace's file, does as well"
    )]
    NoSuchName {
        /// The name asked for.
        name: OsString,
    },
    /// No process has this id.
    #[error("no process {pid}: it may have ended, or live in another pid namespace")]
    NoProcess {
        /// The process id asked for.
        pid: u32,
    },
    /// The file cannot be opened.
    #[error(
        "cannot open the network namespace {}: {source}{}", path.display(),
        without_right(source, "CAP_SYS_PTRACE shows the namespaces of processes of others")
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// What the kernel answered.
        source: io::Error,
    },
    /// The file is no namespace.
    #[error("{} is not a network namespace: /proc/PID/ns/net is one, or a bind mount of it", path.display())]
    NotANetns {
        /// The file.
        path: PathBuf,
    },
    /// The namespace was found, and is gone, or its file stands for another one now.
    #[error("the network namespace {} is gone", path.display())]
    Gone {
        /// Where it was found.
        path: PathBuf,
    },
    /// The namespace cannot be entered.
    #[error(
        "cannot enter the network namespace {}: {source}{}", path.display(), why_not_entered(source)
    )]
    Enter {
        /// The namespace's file.
        path: PathBuf,
        /// What the kernel answered.
        source: io::Error,
    },
    /// The helper thread could not be started, or has ended.
    #[error("no thread to enter a network namespace: {source}")]
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
    /// A directory or file of /proc, by which namespaces are found, cannot be read.
    #[error("cannot look for network namespaces: {}: {source}", path.display())]
    Search {
        /// The file.
        path: PathBuf,
        /// What the kernel answered.
        source: io::Error,
    },
}

impl Error {
    /// The namespace is there, and the kernel does not let this process in, or look.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Error::Open { source, .. } | Error::Enter { source, .. } => {
                source.kind() == io::ErrorKind::PermissionDenied
            }
            _ => false,
        }
    }
}

/// What setns(2) means by its answer.
fn why_not_entered(source: &io::Error) -> String {
    if source.kind() == io::ErrorKind::InvalidInput {
        return " (it is a namespace of another kind)".to_owned();
    }
    without_right(source, "this needs CAP_SYS_ADMIN: run as root")
}

/// The way out where a right is missing.
fn without_right(source: &io::Error, way_out: &str) -> String {
    if source.kind() == io::ErrorKind::PermissionDenied {
        format!(" ({way_out})")
    } else {
        String::new()
    }
}
