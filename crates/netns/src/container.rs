//! The container that a process belongs to, by the paths of its control groups.
//!
//! Container engines name the control groups of a container after its id of 64 hexadecimal digits:
//! `docker-ID.scope`, `libpod-ID.scope` (Podman), `cri-containerd-ID.scope`, `crio-ID.scope` below systemd,
//! `…/docker/ID`, `…/kubepods/…/ID` without it. LXC has `lxc.payload.NAME`, or `lxc/NAME`;
//! systemd-nspawn and machined have `machine-NAME.scope` and `systemd-nspawn@NAME.service`. An engine's
//! own process that watches a container (`libpod-conmon-ID.scope`, `lxc.monitor.NAME`) is not in it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// How much of /proc/PID/cgroup is read, bytes: a dozen hierarchies with the longest of names.
const LIMIT: u64 = 1 << 16;
/// Digits of an id.
const ID: usize = 64;
/// As many of them as are shown, as `docker ps` does.
const SHORT: usize = 12;

/// The container of a process of this number; `None` for one that is in none, or is gone.
pub(crate) fn of_process(proc: &Path, pid: u32) -> Option<String> {
    let mut text = Vec::new();
    let file = File::open(proc.join(format!("{pid}/cgroup"))).ok()?;
    file.take(LIMIT).read_to_end(&mut text).ok()?;
    in_groups(&String::from_utf8_lossy(&text))
}

/// The container by the lines of /proc/PID/cgroup, `NUMBER:CONTROLLERS:PATH`.
fn in_groups(text: &str) -> Option<String> {
    text.lines().filter_map(|line| line.splitn(3, ':').nth(2)).find_map(in_path)
}

/// The innermost container of a path.
fn in_path(path: &str) -> Option<String> {
    let mut groups = path.split('/').rev().peekable();
    while let Some(group) = groups.next() {
        if group.contains("conmon") || group.starts_with("lxc.monitor") {
            return None;
        }
        let parent = groups.peek().copied().unwrap_or_default();
        if let Some(name) = by_id(group).or_else(|| by_name(group, parent)) {
            return Some(name);
        }
    }
    None
}

/// The first digits of the id in a group's name.
fn by_id(group: &str) -> Option<String> {
    let is_id = |word: &&str| {
        word.len() == ID && word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let id = group.split(|character: char| !character.is_ascii_alphanumeric()).find(is_id)?;
    id.get(..SHORT).map(str::to_owned)
}

/// The name of a machine or LXC container whose group this is.
fn by_name(group: &str, parent: &str) -> Option<String> {
    let machine = || group.strip_prefix("machine-")?.strip_suffix(".scope").map(unescaped);
    let nspawn = || group.strip_prefix("systemd-nspawn@")?.strip_suffix(".service").map(unescaped);
    let lxc = || group.strip_prefix("lxc.payload.").map(str::to_owned);
    let older = || ["lxc", "lxc.payload"].contains(&parent).then(|| group.to_owned());
    machine().or_else(nspawn).or_else(lxc).or_else(older).filter(|name| !name.is_empty())
}

/// A name without the `\xNN` of systemd (`unit_name_escape`).
fn unescaped(name: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = name;
    while let Some((before, behind)) = rest.split_once("\\x") {
        bytes.extend_from_slice(before.as_bytes());
        let code = behind.get(..2).and_then(|code| u8::from_str_radix(code, 16).ok());
        match code {
            Some(byte) => {
                bytes.push(byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            None => {
                bytes.extend_from_slice(b"\\x");
                rest = behind;
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_engine_has_its_pattern() {
        let id = "0123456789abcdef".repeat(4);
        for path in [
            format!("/system.slice/docker-{id}.scope"),
            format!("/docker/{id}"),
            format!("/docker/{id}/init.scope"),
            format!("/machine.slice/libpod-{id}.scope/container"),
            format!("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{id}.scope"),
            format!(
                "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice/cri-containerd-{id}.scope"
            ),
            format!("/kubepods/besteffort/pod0f3c1a52-6a3d-4f0e-8c1e-2b7b9d1f6a11/{id}"),
            format!("/kubepods.slice/kubepods-pod1.slice/crio-{id}.scope"),
            format!("/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:{id}"),
        ] {
            assert_eq!(in_path(&path).as_deref(), Some("0123456789ab"), "{path}");
        }
        for (path, name) in [
            ("/lxc.payload.web", "web"),
            ("/lxc.payload/web/init.scope", "web"),
            ("/lxc/web", "web"),
            ("/machine.slice/machine-db.scope", "db"),
            ("/machine.slice/machine-db\\x2d1.scope/payload", "db-1"),
            ("/machine.slice/systemd-nspawn@a\\x40b.service/payload", "a@b"),
        ] {
            assert_eq!(in_path(path).as_deref(), Some(name), "{path}");
        }
    }

    #[test]
    fn the_innermost_container_counts() {
        let (outer, inner) = ("a".repeat(64), "b".repeat(64));
        let path = format!("/docker/{outer}/docker/{inner}/init.scope");
        assert_eq!(in_path(&path).as_deref(), Some("bbbbbbbbbbbb"));
        let lines = format!("9:name=systemd:/\n4:memory:/docker/{inner}\n0::/\n");
        assert_eq!(in_groups(&lines).as_deref(), Some("bbbbbbbbbbbb"));
    }

    #[test]
    fn what_is_no_container_has_no_name() {
        let id = "c".repeat(64);
        for path in [
            "/".to_owned(),
            "/user.slice/user-0.slice/session-1.scope".to_owned(),
            "/system.slice/ssh.service".to_owned(),
            "/kubepods/besteffort/pod0f3c1a52-6a3d-4f0e-8c1e-2b7b9d1f6a11".to_owned(),
            format!("/machine.slice/libpod-conmon-{id}.scope"),
            format!("/x/{id}0"),
            format!("/x/{}", id.to_uppercase()),
            "/lxc.monitor.web".to_owned(),
            "/machine.slice/machine-.scope".to_owned(),
        ] {
            assert_eq!(in_path(&path), None, "{path}");
        }
        assert_eq!(in_groups("no line of that file"), None);
    }

    #[test]
    fn an_escape_that_is_none_stays() {
        for (name, plain) in
            [("a\\x2db", "a-b"), ("a\\xzz", "a\\xzz"), ("a\\x2", "a\\x2"), ("\\x", "\\x")]
        {
            assert_eq!(unescaped(name), plain);
        }
    }
}
