//! Why a BPF program did not run.

use std::io;

/// A BPF program could not be loaded or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// This build has no BPF programs.
    #[error("this build has no BPF programs: it was made without the feature `programs`")]
    NotBuiltIn,
    /// The kernel, or libbpf on its behalf, refused the program.
    #[error("the kernel does not take the BPF program {program}: {source}{}", .said.as_deref().map(|said| format!(" ({said})")).unwrap_or_default())]
    Refused {
        /// The program's name.
        program: &'static str,
        /// The reason; [`io::ErrorKind::PermissionDenied`] without CAP_BPF and CAP_PERFMON.
        source: io::Error,
        /// libbpf's last warning.
        said: Option<String>,
    },
    /// What a program told could not be read.
    #[error("reading what the BPF program {program} tells: {source}")]
    Read {
        /// The program's name.
        program: &'static str,
        /// The reason.
        source: io::Error,
    },
    /// File tables were replaced during every walk.
    #[error("file tables grew while the BPF program socket_holders walked them")]
    Moving,
    /// A program told a part of a record.
    #[error("the BPF program {program} told {length} bytes, which are no whole records")]
    Torn {
        /// The program's name.
        program: &'static str,
        /// What was left over, bytes.
        length: usize,
    },
}
