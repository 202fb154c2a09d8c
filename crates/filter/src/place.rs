//! The names of one network namespace.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::io;
use std::net::IpAddr;

use sockeye_model::{CgroupId, Family};
use sockeye_netns::Place;

use crate::error::shown;
use crate::names::{Names, System, Transport};

/// The names of this host, interfaces and ports of one of its network namespaces. What was looked up is
/// remembered: of interfaces until another namespace is entered.
///
/// Where there are several namespaces, a name that no interface has in one of them may be that of an
/// interface in another.
#[derive(Debug)]
pub struct NamesAt {
    system: System,
    place: Place,
    one_of_many: bool,
    hosts: HashMap<(String, Option<Family>), Vec<IpAddr>>,
    services: HashMap<(String, Transport), Option<u16>>,
    interfaces: HashMap<Vec<u8>, Option<u32>>,
    /// Names of interfaces of any namespace.
    found: HashSet<Vec<u8>>,
    /// Names that no interface had in one of them.
    lacking: BTreeSet<Vec<u8>>,
}

/// Names of a filter that no interface has in any of the network namespaces that were entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nowhere(Vec<String>);

impl fmt::Display for Nowhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.join(", ");
        write!(
            f,
            "the filter names an interface that is in none of the network namespaces: {names}"
        )
    }
}

impl NamesAt {
    /// The names of the calling thread's namespace at first. `one_of_many`: others will follow.
    #[must_use]
    pub fn new(system: System, one_of_many: bool) -> NamesAt {
        NamesAt {
            system,
            place: Place::here(),
            one_of_many,
            hosts: HashMap::new(),
            services: HashMap::new(),
            interfaces: HashMap::new(),
            found: HashSet::new(),
            lacking: BTreeSet::new(),
        }
    }

    /// Goes to a namespace. What is parsed from now on has its names.
    pub fn enter(&mut self, place: &Place) {
        self.place = place.clone();
        self.interfaces.clear();
    }

    /// The interfaces that were asked for and are in none of the namespaces so far.
    #[must_use]
    pub fn nowhere(&self) -> Option<Nowhere> {
        let names = self.lacking.iter().filter(|name| !self.found.contains(*name));
        let names: Vec<_> = names.map(|name| shown(name)).collect();
        (!names.is_empty()).then_some(Nowhere(names))
    }
}

impl Names for NamesAt {
    fn interface(&mut self, name: &[u8]) -> Option<u32> {
        if let Some(known) = self.interfaces.get(name) {
            return *known;
        }
        let (mut system, asked) = (self.system.clone(), name.to_owned());
        let found = self.place.run(move || system.interface(&asked)).ok().flatten();
        self.interfaces.insert(name.to_owned(), found);
        if found.is_some() {
            self.found.insert(name.to_owned());
        }
        found
    }

    fn is_elsewhere(&mut self, name: &[u8]) -> bool {
        if self.one_of_many {
            self.lacking.insert(name.to_owned());
        }
        self.one_of_many
    }

    fn host(&mut self, name: &str, family: Option<Family>) -> Vec<IpAddr> {
        let known = self.hosts.entry((name.to_owned(), family));
        known.or_insert_with(|| self.system.host(name, family)).clone()
    }

    fn service(&mut self, name: &str, transport: Transport) -> Option<u16> {
        let known = self.services.entry((name.to_owned(), transport));
        *known.or_insert_with(|| self.system.service(name, transport))
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
    use crate::{Filter, Interface, Reading, Scope, Test, Text};

    fn interfaces(names: &mut NamesAt, text: &str) -> Result<Vec<Interface>, String> {
        let text = Text::new().argument(text.as_bytes());
        let filter = Filter::parse(&text, Scope::new(Reading::Precedence), names);
        let filter = filter.map_err(|error| error.message().to_owned())?.ok_or("nothing")?;
        let tests = filter.expression().tests().map(|predicate| predicate.test.clone());
        Ok(tests
            .filter_map(|test| match test {
                Test::Interface(interface) => Some(interface),
                _ => None,
            })
            .collect())
    }

    #[test]
    fn an_interface_that_is_elsewhere_is_no_error_where_there_are_several() {
        let mut single = NamesAt::new(System::default(), false);
        assert_eq!(
            interfaces(&mut single, "dev no-such-if0"),
            Err("no interface has this name".into())
        );
        assert_eq!(single.nowhere(), None);
        let mut several = NamesAt::new(System::default(), true);
        assert_eq!(interfaces(&mut several, "dev no-such-if0"), Ok(vec![Interface::Elsewhere]));
        // Indices, however they are written.
        let indices = [4711, 4711, 0x3e7, 1].map(Interface::Index);
        let text = "dev if4711 or dev 4711 or dev 0x3e7 or dev lo";
        assert_eq!(interfaces(&mut several, text), Ok(indices.to_vec()));
    }

    #[test]
    fn of_several_names_those_that_are_nowhere_are_told() {
        let mut names = NamesAt::new(System::default(), true);
        let _ = interfaces(&mut names, "dev a-here or dev b-there or dev lo");
        // As another namespace may answer: each name is found in one of them, and none in all.
        for (found, lacking) in [("a-here", "b-there"), ("b-there", "a-here")] {
            names.enter(&Place::here());
            names.interfaces.insert(found.into(), Some(7));
            names.found.insert(found.into());
            let text = format!("dev {found} or dev {lacking}");
            let expected = vec![Interface::Index(7), Interface::Elsewhere];
            assert_eq!(interfaces(&mut names, &text), Ok(expected));
        }
        assert_eq!(names.nowhere(), None);
        let _ = interfaces(&mut names, "dev c-nowhere and dev lo");
        let nowhere = names.nowhere().map(|nowhere| nowhere.to_string()).unwrap_or_default();
        assert!(nowhere.ends_with("in none of the network namespaces: c-nowhere"), "{nowhere}");
    }
}
