//! The system calls that rustix does not offer: socket options at level `SOL_NETLINK`.
//!
//! This is the only file of the crate with `unsafe` code.

#![allow(unsafe_code, reason = "setsockopt(2) for SOL_NETLINK has no safe wrapper in rustix")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Sets a boolean option at level `SOL_NETLINK`.
pub(crate) fn set_netlink_option(fd: BorrowedFd<'_>, option: i32, on: bool) -> io::Result<()> {
    let value = libc::c_int::from(on);
    // SAFETY: `value` lives until the call returns and the length is its own; the kernel copies
    // it and writes nothing. The descriptor is open while it is borrowed.
    let result = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_NETLINK,
            option,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
