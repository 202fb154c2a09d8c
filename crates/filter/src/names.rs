//! Names to numbers: hosts, services, interfaces, control groups.
//!
//! A filter is parsed over the trait [`Names`], so that a test decides what there is. [`System`]
//! asks this host, in the calling thread's namespaces.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use dns_lookup::AddrInfoHints;
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
        let is_cgroup = rustix::fs::statfs(written)
            .is_ok_and(|found| u64::try_from(found.f_type) == Ok(CGROUP2_SUPER_MAGIC));
        let directory = if is_cgroup {
            written.to_owned()
        } else {
            let mount = cgroup_mount()?;
            let below = path.iter().position(|byte| *byte != b'/').unwrap_or(path.len());
            mount.join(OsStr::from_bytes(path.get(below..).unwrap_or_default()))
        };
        let found = fs::metadata(directory)?;
        if !found.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(CgroupId(found.ino()))
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

/// Where cgroup v2 is mounted, by the first line of /proc/mounts that names it.
fn cgroup_mount() -> io::Result<PathBuf> {
    let mounts = fs::read("/proc/mounts")?;
    let mount = mounts.split(|byte| *byte == b'\n').find_map(|line| {
        let mut words = line.split(|byte| *byte == b' ');
        let path = words.nth(1)?;
        (words.next()? == b"cgroup2").then(|| Path::new(OsStr::from_bytes(path)).to_owned())
    });
    mount.ok_or_else(|| io::Error::other("cgroup v2 is not mounted"))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let four = system.host("localhost", Some(Family::Inet));
        assert_eq!(four, [IpAddr::from([127, 0, 0, 1])]);
        assert!(system.host("no such host", None).is_empty());
    }

    #[test]
    fn a_range_of_ports_may_lie_elsewhere() {
        let missing = System::default().port_range("/nonexistent".into()).ephemeral_ports();
        assert_eq!(missing, (1024, 4999));
        let (first, last) = System::default().ephemeral_ports();
        assert!(1024 <= first && first < last && last <= 65535);
    }

    #[test]
    fn a_path_is_looked_up_below_the_mount_and_as_it_is() {
        let mut system = System::default();
        assert!(system.cgroup(b"/no/such/group").is_err());
        let Ok(mount) = cgroup_mount() else { return };
        let root = system.cgroup(b"/").expect("the root");
        assert_eq!(system.cgroup(mount.as_os_str().as_bytes()).expect("the mount"), root);
    }
}
