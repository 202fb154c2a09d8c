//! Names to numbers: hosts, services, interfaces, control groups.
//!
//! A filter is parsed over the trait [`Names`], so that a test decides what there is. [`System`]
//! asks this host, in the calling thread's namespaces.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::net::IpAddr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use dns_lookup::AddrInfoHints;
use rustix::fs::{Mode, OFlags};
use sockeye_model::{CgroupId, Family};
use sockeye_netlink::{Client, Protocol, Request};

/// linux/rtnetlink.h
const RTM_GETLINK: u16 = 18;
/// linux/if_link.h
const IFLA_IFNAME: u16 = 3;
/// linux/if_link.h, since 5.5
const IFLA_ALT_IFNAME: u16 = 53;
/// Length of struct ifinfomsg (linux/rtnetlink.h), bytes.
const IFINFOMSG_LEN: usize = 16;
/// Names of that many bytes, with their NUL, do not fit (linux/if.h).
const IFNAMSIZ: usize = 16;
/// linux/magic.h
const CGROUP2_SUPER_MAGIC: u64 = 0x6367_7270;
/// Where the kernel tells which ports it hands out.
const PORT_RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";
/// What a kernel of old handed out, which `ss` takes where the file is missing.
const OLD_PORT_RANGE: (i64, i64) = (1024, 4999);
/// How much of that file is read, bytes: more than it has.
const PORT_RANGE_LIMIT: u64 = 4096;

/// Which of a service's ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// TCP's.
    Tcp,
    /// UDP's.
    Udp,
}

/// What finds the numbers of names.
pub trait Names {
    /// Index of the interface of this name, or this alternative name.
    fn interface(&mut self, name: &[u8]) -> Option<u32>;
    /// Whether an interface of this name, which is not here, may be in another network namespace for which
    /// the filter is read as well.
    fn is_elsewhere(&mut self, _name: &[u8]) -> bool {
        false
    }
    /// Addresses of a host, of one family or of both, IPv4 first.
    fn host(&mut self, name: &str, family: Option<Family>) -> Vec<IpAddr>;
    /// Port of a service.
    fn service(&mut self, name: &str, transport: Transport) -> Option<u16>;
    /// Id of the control group at this path: a path of the file system, or one below the place
    /// where cgroup v2 is mounted.
    ///
    /// # Errors
    /// Why there is none.
    fn cgroup(&mut self, path: &[u8]) -> io::Result<CgroupId>;
    /// First and last of the ports that the kernel hands out.
    fn ephemeral_ports(&mut self) -> (i64, i64);
}

/// The names of this host.
#[derive(Debug, Clone)]
pub struct System {
    port_range: PathBuf,
}

impl Default for System {
    fn default() -> Self {
        System { port_range: PORT_RANGE.into() }
    }
}

impl System {
    /// Reads the range of ports that the kernel hands out from another file than
    /// /proc/sys/net/ipv4/ip_local_port_range.
    #[must_use]
    pub fn port_range(self, port_range: PathBuf) -> System {
        System { port_range }
    }
}

impl Names for System {
    fn interface(&mut self, name: &[u8]) -> Option<u32> {
        let mut client = Client::open(Protocol::ROUTE).ok()?;
        let mut ask = |attribute| {
            let request =
                Request::new(RTM_GETLINK).body(&[0_u8; IFINFOMSG_LEN]).attr_str(attribute, name);
            let mut index = None;
            let answer = client.get(&request, |link| {
                // struct ifinfomsg: the index stands at offset 4.
                let ifinfomsg = link.payload();
                let bytes = ifinfomsg.get(4..).and_then(<[u8]>::first_chunk);
                index = bytes.map(|bytes| u32::from_ne_bytes(*bytes));
            });
            answer.ok().and(index)
        };
        let first = if name.len() < IFNAMSIZ { IFLA_IFNAME } else { IFLA_ALT_IFNAME };
        ask(first).or_else(|| ask(IFLA_ALT_IFNAME))
    }

    fn host(&mut self, name: &str, family: Option<Family>) -> Vec<IpAddr> {
        if !is_host_name(name) {
            return Vec::new();
        }
        let families = match family {
            Some(Family::Inet) => &[libc::AF_INET][..],
            Some(Family::Inet6) => &[libc::AF_INET6],
            None => &[libc::AF_INET, libc::AF_INET6],
        };
        let mut addresses = Vec::new();
        for family in families {
            let hints = AddrInfoHints {
                address: *family,
                socktype: libc::SOCK_STREAM,
                ..AddrInfoHints::default()
            };
            let found = dns_lookup::getaddrinfo(Some(name), None, Some(hints));
            for info in found.into_iter().flatten().flatten() {
                if !addresses.contains(&info.sockaddr.ip()) {
                    addresses.push(info.sockaddr.ip());
                }
            }
        }
        addresses
    }

    fn service(&mut self, name: &str, transport: Transport) -> Option<u16> {
        if !is_service_name(name) {
            return None;
        }
        let socktype = match transport {
            Transport::Tcp => libc::SOCK_STREAM,
            Transport::Udp => libc::SOCK_DGRAM,
        };
        let hints = AddrInfoHints { socktype, ..AddrInfoHints::default() };
        let found = dns_lookup::getaddrinfo(None, Some(name), Some(hints)).ok()?;
        found.flatten().next().map(|info| info.sockaddr.port())
    }

    fn cgroup(&mut self, path: &[u8]) -> io::Result<CgroupId> {
        let written = Path::new(OsStr::from_bytes(path));
        if let Ok(id) = control_group(written) {
            return Ok(id);
        }
        let below = written.components().filter(|part| *part != Component::RootDir);
        if below.clone().any(|part| part == Component::ParentDir) {
            return Err(io::Error::other("`..` leads out of the control groups"));
        }
        control_group(&cgroup_mount()?.join(below.collect::<PathBuf>()))
    }

    fn ephemeral_ports(&mut self) -> (i64, i64) {
        let mut text = String::new();
        let range = File::open(&self.port_range).ok().and_then(|file| {
            file.take(PORT_RANGE_LIMIT).read_to_string(&mut text).ok()?;
            let mut numbers = text.split_ascii_whitespace().map(str::parse);
            Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
        });
        range.unwrap_or(OLD_PORT_RANGE)
    }
}

/// Whether a text may name a service: it has a letter (RFC 6335, 5.1). One without may be a number to
/// `getaddrinfo`, which keeps the low 16 bits of it.
pub(crate) fn is_service_name(name: &str) -> bool {
    name.bytes().any(|byte| byte.is_ascii_alphabetic()) && !name.contains('\0')
}

/// Whether a text may name a host: `getaddrinfo` must not take it for an address in one of the ways in
/// which they can be written (`inet_aton`: one to four numbers of C; IPv6, with the name of a scope). No
/// host's name has a number for its last label (RFC 1123, 2.1), nor a colon in it.
pub(crate) fn is_host_name(name: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.') || !c.is_ascii();
    let labels = name.strip_suffix('.').unwrap_or(name);
    let last = labels.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    // No label begins with a hyphen, and a number of C may.
    let last = last.trim_start_matches('-');
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let hexadecimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    name.chars().all(|c| allowed(c) && !c.is_whitespace() && !c.is_control())
        && !digits(last)
        && !last.strip_prefix("0x").is_some_and(hexadecimal)
}

/// The id of the control group that a directory is.
fn control_group(path: &Path) -> io::Result<CgroupId> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(path, flags, Mode::empty())?;
    let found = rustix::fs::fstatfs(&directory)?.f_type;
    if u64::try_from(found) != Ok(CGROUP2_SUPER_MAGIC) {
        return Err(io::Error::other("the directory is not one of cgroup v2"));
    }
    Ok(CgroupId(rustix::fs::fstat(&directory)?.st_ino))
}

/// Where cgroup v2 is mounted, by the first line of /proc/mounts that names it.
///
/// # Errors
/// /proc/mounts cannot be read, or has none.
pub fn cgroup_mount() -> io::Result<PathBuf> {
    let mount = mount_of_cgroup2(&fs::read("/proc/mounts")?);
    mount.ok_or_else(|| io::Error::other("cgroup v2 is not mounted"))
}

fn mount_of_cgroup2(mounts: &[u8]) -> Option<PathBuf> {
    mounts.split(|byte| *byte == b'\n').find_map(|line| {
        let mut words = line.split(|byte| *byte == b' ');
        let path = words.nth(1)?;
        (words.next()? == b"cgroup2").then(|| OsString::from_vec(unescaped(path)).into())
    })
}

/// A path as the kernel writes it (`mangle`, fs/proc_namespace.c): white space, `#` and backslashes are
/// three octal digits behind a backslash.
fn unescaped(path: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(path.len());
    let mut rest = path;
    loop {
        match rest {
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', behind @ ..] => {
                plain.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = behind;
            }
            [byte, behind @ ..] => {
                plain.push(*byte);
                rest = behind;
            }
            [] => return plain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_loopback_interface_is_found() {
        let mut system = System::default();
        assert_eq!(system.interface(b"lo"), Some(1));
        assert_eq!(system.interface(b"no-such-if0"), None);
        assert_eq!(system.interface(b"no-such-interface-of-long-name"), None);
        assert_eq!(system.interface(b""), None);
    }

    #[test]
    fn services_and_hosts_are_found() {
        let mut system = System::default();
        assert_eq!(system.service("ssh", Transport::Tcp), Some(22));
        assert_eq!(system.service("domain", Transport::Udp), Some(53));
        assert_eq!(system.service("no-such-service", Transport::Tcp), None);
        // Everything else may be asked of a server far away.
        let four = system.host("localhost", Some(Family::Inet));
        assert_eq!(four, [IpAddr::from([127, 0, 0, 1])]);
    }

    #[test]
    fn a_number_is_no_name() {
        let mut system = System::default();
        for port in
            ["4294967375", "65615", "22", "022", " 22", "+22", "-22", "\t22", "", "99999999999999"]
        {
            assert_eq!(system.service(port, Transport::Tcp), None, "{port:?}");
        }
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0X7F.1",
            "0177.0.0.1",
            "127.0.0.1.",
            "",
            "127.0.0.1 x",
            "localhost\t",
            "::1",
            "fe80::1%lo",
            "::ffff:127.0.0.1",
            "a/b",
            "0x",
        ] {
            assert_eq!(system.host(host, None), Vec::<IpAddr>::new(), "{host:?}");
        }
        for host in
            ["localhost", "a.example", "3com.example", "x7", "b\u{fc}cher.example.", "my_host-1"]
        {
            assert!(is_host_name(host), "{host:?}");
        }
        assert!(is_service_name("3com-tsmux") && is_service_name("9p"));
    }

    proptest! {
        /// Whatever looks like a number, in all ways of C, with anything around it that C skips.
        #[test]
        fn nothing_that_looks_like_a_number_is_looked_up(
            text in "[ \t\n\u{b}]{0,2}[+-]?(0|0x|0X)?[0-9]{1,24}[.]?",
        ) {
            prop_assert!(!is_host_name(&text));
            let mut system = System::default();
            prop_assert!(system.host(&text, None).is_empty());
            // What C does not take for a number to the base of 10 has to be a service's name.
            let number = text.trim_end_matches('.').to_ascii_lowercase();
            if !number.contains('x') {
                prop_assert_eq!(system.service(&text, Transport::Tcp), None);
                prop_assert_eq!(system.service(&text, Transport::Udp), None);
            }
        }

        #[test]
        fn no_dotted_numbers_are_a_host(
            parts in proptest::collection::vec("(0x[0-9a-fA-F]{0,9}|0[0-7]{0,12}|[0-9]{1,11})", 1..5),
        ) {
            prop_assert!(!is_host_name(&parts.join(".")));
        }
    }

    #[test]
    fn a_range_of_ports_may_lie_elsewhere() {
        let missing = System::default().port_range("/nonexistent".into()).ephemeral_ports();
        assert_eq!(missing, (1024, 4999));
        let (first, last) = System::default().ephemeral_ports();
        assert!(1024 <= first && first < last && last <= 65535);
    }

    #[test]
    fn a_mount_may_have_any_name() {
        let mounts = b"proc /proc proc rw 0 0\ncgroup /v1 cgroup rw 0 0\nnone /a\\040b\\134c cgroup2 rw 0 0\n";
        assert_eq!(mount_of_cgroup2(mounts), Some(PathBuf::from(r"/a b\c")));
        assert_eq!(mount_of_cgroup2(b"cgroup2 /x cgroup"), None);
        assert_eq!(unescaped(br"\04 \400 \"), br"\04 \400 \");
    }

    #[test]
    fn a_path_is_looked_up_below_the_mount_and_as_it_is() {
        let mut system = System::default();
        assert!(system.cgroup(b"/no/such/group").is_err());
        // No path leads out of the mount, or to something else that is a directory.
        for path in
            ["..", "../..", "../memory", "/../..", "/a/../..", "/proc/../proc", "/tmp/../tmp"]
        {
            assert!(system.cgroup(path.as_bytes()).is_err(), "{path}");
        }
        let Ok(mount) = cgroup_mount() else { return };
        let root = system.cgroup(b"/").expect("the root");
        assert_eq!(system.cgroup(mount.as_os_str().as_bytes()).expect("the mount"), root);
    }
}
