//! The system calls that rustix does not offer: socket options at level `SOL_NETLINK`, and
//! `SO_MEMINFO`.
//!
//! This is the only file of the crate with `unsafe` code.

#![allow(unsafe_code, reason = "these options of sockets have no safe wrapper in rustix")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Sets an option at level `SOL_NETLINK` that takes an int.
pub(crate) fn set_netlink_option(
    fd: BorrowedFd<'_>,
    option: i32,
    value: libc::c_int,
) -> io::Result<()> {
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

/// Messages that were dropped on the way into the socket: `SO_MEMINFO[SK_MEMINFO_DROPS]`
/// (linux/sock_diag.h).
pub(crate) fn drops(fd: BorrowedFd<'_>) -> io::Result<u32> {
    /// `SK_MEMINFO_DROPS`.
    const DROPS: usize = 8;
    /// `SK_MEMINFO_VARS`, and room for more.
    const ROOM: usize = 16;
    let mut memory = [0_u32; ROOM];
    let mut len = size_of_val(&memory) as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes, which is the size of the array, and then the number
    // that it wrote to `len`; both live until the call returns, and every bit pattern is a u32. The
    // descriptor is open while it is borrowed.
    let result = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            memory.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // Kernels before 4.12 have no such option, and any that has it tells the drops.
    let told = usize::try_from(len).unwrap_or_default() / size_of::<u32>();
    memory
        .get(DROPS)
        .copied()
        .filter(|_| told > DROPS)
        .ok_or_else(|| io::Error::from_raw_os_error(libc::ENOPROTOOPT))
}
