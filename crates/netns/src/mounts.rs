//! Where network namespaces are mounted, as `unshare --net=FILE`, ip(8) and Docker do it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use crate::Error;

/// The mount points of network namespaces in this process's mount namespace, in the order of the
/// mounts (/proc/self/mountinfo, proc_pid_mountinfo(5)). One may have been covered by another mount.
pub(crate) fn of_netns() -> Result<Vec<PathBuf>, Error> {
    let path = PathBuf::from("/proc/self/mountinfo");
    match fs::read(&path) {
        Ok(text) => Ok(text.split(|byte| *byte == b'\n').filter_map(mount_point).collect()),
        Err(source) => Err(Error::Search { path, source }),
    }
}

/// `NUMBER NUMBER MAJOR:MINOR ROOT MOUNT-POINT OPTIONS… - TYPE …`, where the root of nsfs is
/// `net:[INODE]`.
fn mount_point(line: &[u8]) -> Option<PathBuf> {
    let mut words = line.split(|byte| *byte == b' ');
    let root = words.nth(3)?;
    let point = words.next()?;
    let kind = words.skip_while(|word| *word != b"-").nth(1)?;
    (kind == b"nsfs" && root.starts_with(b"net:[")).then(|| OsString::from_vec(plain(point)).into())
}

/// A path without the escapes of `mangle_path` (fs/seq_file.c): `\040` for a space.
fn plain(path: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((first, behind)) = rest.split_first() {
        let code = behind
            .get(..3)
            .filter(|_| *first == b'\\')
            .and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 8).ok());
        match code {
            Some(byte) => {
                bytes.push(byte);
                rest = behind.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mounted_network_namespace_has_its_path() {
        for (line, path) in [
            (
                "43 42 0:4 net:[4026532177] /run/netns/blue rw shared:2 - nsfs nsfs rw",
                Some("/run/netns/blue"),
            ),
            ("43 42 0:4 net:[1] /run/a\\040b\\134c rw - nsfs nsfs rw", Some("/run/a b\\c")),
            ("43 42 0:4 net:[1] /x rw shared:2 master:1 - nsfs nsfs rw", Some("/x")),
            ("43 42 0:4 mnt:[4026532177] /run/mnt rw shared:2 - nsfs nsfs rw", None),
            ("24 30 0:22 / /proc rw,nosuid - proc proc rw", None),
            ("24 30 0:22 net:[1] /tmp/x rw - tmpfs nsfs rw", None),
            ("43 42 0:4 net:[1] /x", None),
            ("", None),
        ] {
            assert_eq!(mount_point(line.as_bytes()), path.map(PathBuf::from), "{line}");
        }
    }

    #[test]
    fn an_escape_that_is_none_stays() {
        for (path, expected) in
            [("a\\", "a\\"), ("\\04", "\\04"), ("\\999", "\\999"), ("\\101", "A")]
        {
            assert_eq!(plain(path.as_bytes()), expected.as_bytes());
        }
    }
}
