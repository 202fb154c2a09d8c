//! Security contexts of processes and sockets, where the host has SELinux.
//!
//! A context that cannot be read is `None`. Without SELinux there are none: other security modules use
//! the same files for texts of their own, so [`selinux_enabled`] is to be asked first.

use std::fs;
use std::path::Path;

use rustix::fs::{access, getxattr, statfs};
use sockeye_model::Owner;

/// `SELINUX_MAGIC` (include/uapi/linux/magic.h)
const SELINUX_MAGIC: u32 = 0xf97c_ff8c;
/// The longest context read, bytes.
const LONGEST: usize = 4096;

/// Whether SELinux is enabled, as libselinux's `is_selinux_enabled` finds it: its file system is
/// mounted, and it is configured.
#[must_use]
pub fn selinux_enabled() -> bool {
    let mounted = |path| statfs(path).is_ok_and(|fs| fs.f_type as u32 == SELINUX_MAGIC);
    (mounted("/sys/fs/selinux") || mounted("/selinux"))
        && access("/etc/selinux/config", rustix::fs::Access::EXISTS).is_ok()
}

/// The context that a process, or the thread, runs in (`/proc/TID/attr/current`).
#[must_use]
pub fn of_task(owner: &Owner) -> Option<Vec<u8>> {
    let task = owner.tid.unwrap_or(owner.pid);
    until_nul(fs::read(format!("/proc/{task}/attr/current")).ok()?)
}

/// The context of the socket itself (the attribute `security.selinux` of the descriptor's file).
/// `root` is where `/proc` lies.
#[must_use]
pub fn of_socket(root: &Path, owner: &Owner) -> Option<Vec<u8>> {
    let task = owner.tid.unwrap_or(owner.pid);
    let path = root.join(format!("{task}/fd/{}", owner.fd));
    let mut context = [0; LONGEST];
    let length = getxattr(path, "security.selinux", &mut context).ok()?;
    until_nul(context.get(..length)?.to_vec())
}

/// A C string that is not empty.
fn until_nul(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    bytes.truncate(end);
    Some(bytes).filter(|bytes| !bytes.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_end_at_a_nul_and_an_empty_one_is_none() {
        assert_eq!(until_nul(b"kernel\0\n".to_vec()).as_deref(), Some(&b"kernel"[..]));
        assert_eq!(until_nul(b"kernel".to_vec()).as_deref(), Some(&b"kernel"[..]));
        assert_eq!(until_nul(b"\0".to_vec()), None);
    }
}
