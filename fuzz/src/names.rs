//! Names that are the same on every host, and ask nobody.

use std::io;
use std::net::IpAddr;

use sockeye_filter::{Names, Transport};
use sockeye_model::{CgroupId, Family};

pub struct Fixed;

impl Names for Fixed {
    fn interface(&mut self, name: &[u8]) -> Option<u32> {
        (name == b"lo").then_some(1)
    }
    fn host(&mut self, name: &str, family: Option<Family>) -> Vec<IpAddr> {
        // What looks like a number is asked of nobody.
        assert!(!name.contains([':', '%', '/', '\0']), "{name}");
        assert!(!name.rsplit('.').next().is_some_and(|last| last.parse::<u64>().is_ok()), "{name}");
        let both = [IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])];
        let known = name.starts_with('h');
        let wanted = |address: &&IpAddr| {
            known && family.is_none_or(|f| (f == Family::Inet) == address.is_ipv4())
        };
        both.iter().filter(wanted).copied().collect()
    }
    fn service(&mut self, name: &str, _: Transport) -> Option<u16> {
        assert!(name.contains(|c: char| c.is_ascii_alphabetic()), "{name}");
        (name == "ssh").then_some(22)
    }
    fn cgroup(&mut self, path: &[u8]) -> io::Result<CgroupId> {
        Ok(CgroupId(path.len() as u64))
    }
    fn ephemeral_ports(&mut self) -> (i64, i64) {
        (32768, 60999)
    }
}
