//! Names for numbers: services, hosts, interfaces, control groups.
//!
//! What was looked up is remembered, a failure too. Nothing is looked up before a row needs it.

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sockeye_filter::{Names as _, System, cgroup_mount};
use sockeye_model::{CgroupId, Protocol};
use sockeye_netns::Place;

use crate::address::write_address;
use crate::cache::Cache;
use crate::environment::{Lookup, proc_file};
use crate::escape::Escape;
use crate::interfaces::Interfaces;
use crate::number;

/// Names found so far.
#[derive(Debug)]
pub(crate) struct Names {
    services: Option<Services>,
    hosts: Option<Cache<IpAddr, Option<String>>>,
    interfaces: Interfaces,
    cgroups: Option<HashMap<u64, Vec<u8>>>,
    escape: Escape,
    /// The namespace whose names they are.
    place: Place,
}

impl Names {
    /// Services are looked up unless `numeric`, hosts if `hosts`.
    pub(crate) fn new(numeric: bool, hosts: bool, escape: Escape, variable: Lookup<'_>) -> Names {
        Names {
            services: (!numeric).then(|| Services::new(variable)),
            hosts: hosts.then(Cache::default),
            interfaces: Interfaces::default(),
            cgroups: None,
            escape,
            place: Place::here(),
        }
    }

    /// Names are those of this namespace from now on. Hosts and services are looked up as before: their
    /// files are the host's, and its servers are asked.
    pub(crate) fn enter(&mut self, place: &Place) {
        if self.place.is_here() && place.is_here() {
            return;
        }
        self.interfaces = Interfaces::of(place.clone());
        if let Some(services) = &mut self.services {
            services.enter(place);
        }
        self.place = place.clone();
    }

    /// Appends the name of `port`, or its number; `*` for port 0.
    #[inline]
    pub(crate) fn port(&mut self, out: &mut Vec<u8>, port: u16, protocol: Protocol) {
        if port == 0 {
            return out.push(b'*');
        }
        let name = self.services.as_mut().and_then(|services| services.name(port, protocol));
        match name {
            Some(name) => self.escape.write(out, name.as_bytes()),
            None => number::unsigned(out, port),
        }
    }

    /// Hosts are not looked up.
    pub(crate) fn shows_addresses(&self) -> bool {
        self.hosts.is_none()
    }

    /// Appends the name of a host, or its address. True if that is an address.
    #[inline]
    pub(crate) fn host(&mut self, out: &mut Vec<u8>, address: IpAddr) -> bool {
        if let Some(hosts) = &mut self.hosts {
            // A mapped address is asked for as what it stands for.
            let asked = address.to_canonical();
            if let Some(name) = hosts.get(asked, || host_name(asked)) {
                self.escape.write(out, name.as_bytes());
                return name.contains(':');
            }
        }
        write_address(out, address);
        true
    }

    /// Appends the name of an interface, `ifN` for one that is gone.
    pub(crate) fn interface(&mut self, out: &mut Vec<u8>, index: u32) {
        self.escape.write(out, self.interfaces.name(index));
    }

    /// Appends the path of a control group below its mount point, `unreachable:ID` for one that
    /// cannot be seen.
    pub(crate) fn cgroup(&mut self, out: &mut Vec<u8>, id: CgroupId) {
        let paths = self.cgroups.get_or_insert_with(|| cgroup_paths().unwrap_or_default());
        match paths.get(&id.0) {
            Some(path) => self.escape.write(out, path),
            None => {
                out.extend_from_slice(b"unreachable:");
                number::hex(out, id.0, 1);
            }
        }
    }
}

/// Names of ports, from the system's database of services.
#[derive(Debug)]
struct Services {
    /// Ports that are handed out to clients: whatever the database says, they mean nothing.
    ephemeral: (i64, i64),
    /// The file that tells them.
    range: PathBuf,
    /// By protocol (TCP, UDP) and port; 0 not asked yet, 1 no name, else 2 + an index of `names`.
    known: [Vec<u16>; 2],
    names: Vec<String>,
}

impl Services {
    const NO_NAME: u16 = 1;
    const FIRST: u16 = 2;

    fn new(variable: Lookup<'_>) -> Services {
        let range =
            proc_file(variable, "PROC_IP_LOCAL_PORT_RANGE", "sys/net/ipv4/ip_local_port_range");
        Services {
            ephemeral: ephemeral(&range),
            range,
            known: [Vec::new(), Vec::new()],
            names: Vec::new(),
        }
    }

    /// Takes the range of a namespace, which `/proc/sys` shows to threads that are in it. Of one that is
    /// gone, that of the one before is as good as any.
    fn enter(&mut self, place: &Place) {
        let range = self.range.clone();
        if let Ok(ephemeral) = place.run(move || ephemeral(&range)) {
            self.ephemeral = ephemeral;
        }
    }

    fn name(&mut self, port: u16, protocol: Protocol) -> Option<&str> {
        let (first, last) = self.ephemeral;
        if (first..=last).contains(&i64::from(port)) {
            return None;
        }
        let datagram = protocol == Protocol::UDP;
        let known = self.known.get_mut(usize::from(datagram))?;
        if known.is_empty() {
            known.resize(1 << 16, 0);
        }
        let known = known.get_mut(usize::from(port))?;
        if *known == 0 {
            *known = match service_name(port, datagram) {
                Some(name) if self.names.len() < usize::from(u16::MAX - Self::FIRST) => {
                    self.names.push(name);
                    // Less than 65536, see above.
                    Self::FIRST + (self.names.len() - 1) as u16
                }
                _ => Self::NO_NAME,
            };
        }
        self.names.get(usize::from(known.checked_sub(Self::FIRST)?)).map(String::as_str)
    }
}

/// The range in a file; without one, that of the kernels of old, which `ss` takes then.
fn ephemeral(file: &Path) -> (i64, i64) {
    System::default().port_range(file.to_owned()).ephemeral_ports()
}

fn service_name(port: u16, datagram: bool) -> Option<String> {
    let asked = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
    let datagram = if datagram { libc::NI_DGRAM } else { 0 };
    let (_, service) = dns_lookup::getnameinfo(&asked, libc::NI_NUMERICHOST | datagram).ok()?;
    // A port without a name comes back as its number.
    (service.parse() != Ok(port)).then_some(service)
}

fn host_name(address: IpAddr) -> Option<String> {
    let asked = SocketAddr::new(address, 0);
    let flags = libc::NI_NAMEREQD | libc::NI_NUMERICSERV;
    dns_lookup::getnameinfo(&asked, flags).ok().map(|(host, _)| host)
}

/// The path of every control group that can be seen, by its id, the inode number of its directory.
pub(crate) fn cgroup_paths() -> Option<HashMap<u64, Vec<u8>>> {
    let mount = cgroup_mount().ok()?;
    let root = fs::metadata(&mount).ok()?;
    let mut paths = HashMap::from([(root.ino(), b"/".to_vec())]);
    let mut unread = vec![PathBuf::new()];
    while let Some(parent) = unread.pop() {
        let Ok(entries) = fs::read_dir(mount.join(&parent)) else { continue };
        for entry in entries.flatten() {
            // Of a directory entry, not of what a link points to.
            let Ok(metadata) = entry.metadata() else { continue };
            if !metadata.is_dir() || metadata.dev() != root.dev() {
                continue;
            }
            let path = parent.join(entry.file_name());
            let mut shown = b"/".to_vec();
            shown.extend(path.clone().into_os_string().into_vec());
            paths.insert(metadata.ino(), shown);
            unread.push(path);
        }
    }
    Some(paths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn names(numeric: bool) -> Names {
        Names::new(numeric, false, Escape::Never, &|_| None)
    }

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn ports_without_a_name_are_numbers() {
        let mut numeric = names(true);
        assert_eq!(text(|out| numeric.port(out, 0, Protocol::TCP)), "*");
        assert_eq!(text(|out| numeric.port(out, 22, Protocol::TCP)), "22");
        let mut named = names(false);
        assert_eq!(text(|out| named.port(out, 0, Protocol::UDP)), "*");
        assert_eq!(text(|out| named.port(out, 6, Protocol::UDP)), "6");
    }

    /// Names with these bytes in the file of the ephemeral range.
    fn names_with_range(range: &[u8]) -> Names {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(range).unwrap();
        let path = file.path().to_owned();
        Names::new(false, false, Escape::Never, &|name| {
            (name == "PROC_IP_LOCAL_PORT_RANGE").then(|| path.clone().into())
        })
    }

    #[test]
    fn ephemeral_ports_are_never_looked_up() {
        let port = |names: &mut Names, port| text(|out| names.port(out, port, Protocol::TCP));
        let mut names = names_with_range(b"25\t80\n");
        assert_eq!(port(&mut names, 22), "ssh");
        assert_eq!(port(&mut names, 25), "25");
        assert_eq!(port(&mut names, 80), "80");
        assert_eq!(port(&mut names, 443), "https");
        let mut names = names_with_range(b"26\t79\n");
        assert_eq!(port(&mut names, 25), "smtp");
        assert_eq!(port(&mut names, 80), "http");
    }

    #[test]
    fn without_a_range_it_is_that_of_the_kernels_of_old() {
        for range in ["/nonexistent/port/range", "/dev/null", "/dev/zero"] {
            let variable: Lookup<'_> =
                &|name| (name == "PROC_IP_LOCAL_PORT_RANGE").then(|| range.into());
            assert_eq!(Services::new(variable).ephemeral, (1024, 4999), "{range}");
        }
    }

    #[test]
    fn an_interface_has_its_name() {
        let mut names = names(true);
        assert_eq!(text(|out| names.interface(out, 1)), "lo");
    }

    #[test]
    fn a_control_group_that_cannot_be_seen_keeps_its_id() {
        let mut names = names(true);
        assert_eq!(
            text(|out| names.cgroup(out, CgroupId(u64::MAX))),
            "unreachable:ffffffffffffffff"
        );
    }
}
