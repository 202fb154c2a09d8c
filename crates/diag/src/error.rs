//! Why sockets could not be had.

use std::io;

use rustix::io::Errno;

/// A request for sockets that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The netlink socket could not be opened.
    #[error("cannot open a sock_diag netlink socket: {source}")]
    Open {
        /// What netlink answered.
        source: sockeye_netlink::Error,
    },
    /// The kernel refused, or the answer could not be read to its end.
    #[error("the dump of {what} failed: {source}")]
    Dump {
        /// What was asked for.
        what: &'static str,
        /// What netlink answered.
        source: sockeye_netlink::Error,
    },
    /// The kernel has nothing that answers: neither the module nor the request is known.
    #[error(
        "the kernel cannot list {what} by netlink ({}): its diag module is missing \
         (modprobe tcp_diag udp_diag, or CONFIG_INET_DIAG and CONFIG_INET_UDP_DIAG)",
        in_words(source)
    )]
    Unsupported {
        /// What was asked for.
        what: &'static str,
        /// What netlink answered.
        source: sockeye_netlink::Error,
    },
    /// Closing sockets cannot be watched, or no longer.
    #[error("cannot watch sockets as they close: {source}")]
    Watch {
        /// What netlink answered.
        source: sockeye_netlink::Error,
    },
    /// What the kernel sent could not be written on.
    #[error("cannot write the recording: {source}")]
    Write {
        /// What the system answered.
        source: io::Error,
    },
}

impl Error {
    /// The kernel's error number, where there is one.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        match self {
            Error::Open { source }
            | Error::Dump { source, .. }
            | Error::Unsupported { source, .. }
            | Error::Watch { source } => source.errno(),
            Error::Write { source } => source.raw_os_error(),
        }
    }

    /// True when this kernel cannot answer such a request at all, so that another way may be tried.
    #[must_use]
    pub fn unsupported(&self) -> bool {
        match self {
            Error::Unsupported { .. } => true,
            // No netlink, or no sock_diag in it.
            Error::Open { source } => {
                [Errno::PROTONOSUPPORT, Errno::AFNOSUPPORT].iter().any(|e| is(source, *e))
            }
            Error::Dump { .. } | Error::Watch { .. } | Error::Write { .. } => false,
        }
    }

    /// Sorts a failed request: is it beyond this kernel, or did it fail? A kernel that lacks the
    /// handler says so before its first answer: in an ERROR, or in the DONE of an empty dump
    /// (`__inet_diag_dump`).
    pub(crate) fn of_request(
        what: &'static str,
        source: sockeye_netlink::Error,
        answered: bool,
    ) -> Error {
        // ENOENT: no handler (inet_diag_lock_handler); EINVAL: the message type is unknown
        // (sock_diag_rcv_msg before 3.3); EOPNOTSUPP: a family without sock_diag.
        let refused = matches!(source, sockeye_netlink::Error::Kernel(_))
            && [Errno::NOENT, Errno::INVAL, Errno::OPNOTSUPP].iter().any(|e| is(&source, *e));
        if refused && !answered {
            Error::Unsupported { what, source }
        } else {
            Error::Dump { what, source }
        }
    }
}

/// The errno alone: what netlink says around it would mislead here.
fn in_words(error: &sockeye_netlink::Error) -> String {
    error
        .errno()
        .map_or_else(|| error.to_string(), |errno| io::Error::from_raw_os_error(errno).to_string())
}

pub(crate) fn is(error: &sockeye_netlink::Error, errno: Errno) -> bool {
    error.errno() == Some(errno.raw_os_error())
}
