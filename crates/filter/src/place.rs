//! The names of one network namespace.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;

use sockeye_model::{CgroupId, Family};
use sockeye_netns::Place;

use crate::names::{Names, System, Transport};

/// The names of this host, interfaces and ports of one of its network namespaces.
///
/// Where there are several namespaces, a name that no interface has in one of them may be that of an
/// interface in another: it is taken for an interface that no socket is bound to.
#[derive(Debug)]
pub struct NamesAt {
    system: System,
    place: Place,
    one_of_many: bool,
    hosts: HashMap<(String, Option<Family>), Vec<IpAddr>>,
    lacks_interface: bool,
}

/// The index of no interface: they are positive as C's int (`dev_new_index`).
const NOWHERE: u32 = u32::MAX;

impl NamesAt {
    /// The names of the calling thread's namespace at first. `one_of_many`: others will follow.
    #[must_use]
    pub fn new(system: System, one_of_many: bool) -> NamesAt {
        let (place, hosts) = (Place::here(), HashMap::new());
        NamesAt { system, place, one_of_many, hosts, lacks_interface: false }
    }

    /// Goes to a namespace. What is parsed from now on has its names.
    pub fn enter(&mut self, place: &Place) {
        self.place = place.clone();
        self.lacks_interface = false;
    }

    /// An interface was asked for that is not here.
    #[must_use]
    pub fn lack_interface(&self) -> bool {
        self.lacks_interface
    }
}

impl Names for NamesAt {
    fn interface(&mut self, name: &[u8]) -> Option<u32> {
        let (mut system, asked) = (self.system.clone(), name.to_owned());
        let found = self.place.run(move || system.interface(&asked)).ok().flatten();
        // `3` and `if3` are indices where no interface is called so.
        let digits = name.strip_prefix(b"if").unwrap_or(name);
        if found.is_some() || !self.one_of_many || digits.iter().all(u8::is_ascii_digit) {
            return found;
        }
        self.lacks_interface = true;
        Some(NOWHERE)
    }

    fn host(&mut self, name: &str, family: Option<Family>) -> Vec<IpAddr> {
        let known = self.hosts.entry((name.to_owned(), family));
        known.or_insert_with(|| self.system.host(name, family)).clone()
    }

    fn service(&mut self, name: &str, transport: Transport) -> Option<u16> {
        self.system.service(name, transport)
    }

    fn cgroup(&mut self, path: &[u8]) -> io::Result<CgroupId> {
        self.system.cgroup(path)
    }

    fn ephemeral_ports(&mut self) -> (i64, i64) {
        let mut system = self.system.clone();
        match self.place.run(move || system.ephemeral_ports()) {
            Ok(ports) => ports,
            // It is gone, and has no sockets any more.
            Err(_) => self.system.ephemeral_ports(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_that_is_elsewhere_is_no_error_where_there_are_several() {
        let mut single = NamesAt::new(System::default(), false);
        assert_eq!(single.interface(b"no-such-if0"), None);
        assert!(!single.lack_interface());
        let mut several = NamesAt::new(System::default(), true);
        assert_eq!(several.interface(b"no-such-if0"), Some(NOWHERE));
        assert!(several.lack_interface());
        several.enter(&Place::here());
        assert!(!several.lack_interface());
        // Indices.
        assert_eq!(several.interface(b"if4711"), None);
        assert_eq!(several.interface(b"4711"), None);
        assert_eq!(several.interface(b"lo"), Some(1));
    }
}
