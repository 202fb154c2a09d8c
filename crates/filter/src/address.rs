//! Addresses and ports, as they are written in a filter.
//!
//! `[PREFIX:]ADDRESS[/LENGTH][:PORT]`, where the prefix names the address family. A family that was
//! named stays chosen for the addresses behind it, as in `ss`.

use std::net::{IpAddr, Ipv6Addr};

use sockeye_model::Family;

use crate::expression::{ANY_PORT, Host, Interface, Prefix};
use crate::names::{Names, Transport, is_host_name, is_service_name};
use crate::protocols;
use crate::{AddressFamily, Reading, Services, number};

/// Why a word is no address: what was expected, or what is wrong.
pub(crate) type Refused = String;

/// What an address is read with.
pub(crate) struct Reader<'a> {
    pub(crate) reading: Reading,
    pub(crate) family: Option<AddressFamily>,
    pub(crate) services: Services,
    pub(crate) names: &'a mut dyn Names,
}

const PREFIXES: [(&[u8], AddressFamily); 6] = [
    (b"unix:", AddressFamily::Unix),
    (b"link:", AddressFamily::Packet),
    (b"netlink:", AddressFamily::Netlink),
    (b"vsock:", AddressFamily::Vsock),
    (b"inet:", AddressFamily::Inet),
    (b"inet6:", AddressFamily::Inet6),
];

impl Reader<'_> {
    /// Reads what stands behind `src` or `dst`; behind `sport` or `dport` where `port_only`.
    pub(crate) fn host(&mut self, word: &[u8], port_only: bool) -> Result<Host, Refused> {
        let named = PREFIXES.iter().find(|(prefix, _)| word.starts_with(prefix));
        let (word, family) = match named {
            Some((prefix, family)) => (word.get(prefix.len()..).unwrap_or_default(), Some(*family)),
            // A family that was chosen by a flag, or by an address before this one.
            None => (word, self.family),
        };
        let host = match family {
            Some(AddressFamily::Unix) => Host::Unix(word.to_vec()),
            Some(AddressFamily::Packet) => self.link(word, port_only)?,
            Some(AddressFamily::Netlink) => netlink(word, port_only)?,
            Some(AddressFamily::Vsock) => vsock(word, port_only)?,
            Some(AddressFamily::Inet) => {
                self.inet(word, port_only, Some(Family::Inet), named.is_some())?
            }
            Some(AddressFamily::Inet6) => {
                self.inet(word, port_only, Some(Family::Inet6), named.is_some())?
            }
            Some(AddressFamily::Tipc | AddressFamily::Xdp) => {
                return Err("addresses of this family cannot be written here".to_owned());
            }
            None => self.inet(word, port_only, None, false)?,
        };
        self.family = if self.reading == Reading::Ss { family } else { self.family };
        Ok(host)
    }

    fn inet(
        &mut self,
        word: &[u8],
        port_only: bool,
        family: Option<Family>,
        named: bool,
    ) -> Result<Host, Refused> {
        let (address, port) = split(word)?;
        // Behind `sport`, all of it is the port.
        let port = if port_only { Some(address_as_port(word)) } else { port };
        let port = match port {
            Some(port) => self.port(port.strip_prefix(b":").unwrap_or(port))?,
            None => ANY_PORT,
        };
        // In `ss` the family of a port alone narrows the tables, not the test.
        let any = match (named, self.reading) {
            (true, Reading::Precedence) => Prefix { family, ..Prefix::ANY },
            _ => Prefix::ANY,
        };
        if port_only || matches!(address, [] | [b'*', ..]) {
            return Ok(Host::Inet { port, addresses: vec![any] });
        }
        if let Some(prefix) = prefix(address, family) {
            return Ok(Host::Inet { port, addresses: vec![prefix] });
        }
        let addresses = match std::str::from_utf8(address) {
            Ok(name) if is_host_name(name) => self.names.host(name, family),
            _ => Vec::new(),
        };
        if addresses.is_empty() {
            let kind = match family {
                None => "an address, a prefix or the name of a host",
                Some(Family::Inet) => "an IPv4 address, a prefix or the name of a host",
                Some(Family::Inet6) => "an IPv6 address, a prefix or the name of a host",
            };
            return Err(format!("{kind} is expected here"));
        }
        let addresses = addresses.into_iter().map(whole).collect();
        Ok(Host::Inet { port, addresses })
    }

    /// A port by number or name; any for `*` and for nothing.
    fn port(&mut self, port: &[u8]) -> Result<i32, Refused> {
        if matches!(port, [] | [b'*', ..]) {
            return Ok(ANY_PORT);
        }
        if let Some(number) = number::whole(port) {
            let port = i32::try_from(number).ok();
            let known =
                port.filter(|port| self.reading == Reading::Ss || (0..=65535).contains(port));
            return known.ok_or_else(|| "a port from 0 to 65535 is expected here".to_owned());
        }
        let name = std::str::from_utf8(port).ok().filter(|name| is_service_name(name));
        let mut found = |wanted, transport| {
            name.filter(|_| wanted).and_then(|name| self.names.service(name, transport))
        };
        let udp = found(self.services.udp, Transport::Udp);
        let tcp = found(self.services.tcp, Transport::Tcp);
        match (udp, tcp) {
            (Some(udp), Some(tcp)) if udp != tcp => {
                Err(format!("this service has port {udp} for UDP and {tcp} for TCP: write which"))
            }
            (Some(port), _) | (None, Some(port)) => Ok(port.into()),
            (None, None) => Err("a port, or the name of a service, is expected here".to_owned()),
        }
    }

    /// `link:[PROTOCOL][:INTERFACE]`
    fn link(&mut self, word: &[u8], port_only: bool) -> Result<Host, Refused> {
        let (name, port) = split_at_colon(word, port_only);
        let interface = match port {
            None | Some([] | b"*") => None,
            Some(port) => Some(
                number::whole(port)
                    .and_then(|index| u32::try_from(index).ok())
                    .or_else(|| self.names.interface(port))
                    .map(Interface::Index)
                    .or_else(|| self.names.is_elsewhere(port).then_some(Interface::Elsewhere))
                    .ok_or("an interface, by name or index, is expected here")?,
            ),
        };
        let protocol = match name {
            [] | b"*" => None,
            name => Some(
                protocols::ethernet(name)
                    .ok_or("a protocol of Ethernet frames is expected here")?,
            ),
        };
        Ok(Host::Link { protocol, interface })
    }
}

/// `netlink:[PROTOCOL][:PORTID]`
fn netlink(word: &[u8], port_only: bool) -> Result<Host, Refused> {
    let (name, port) = split_at_colon(word, port_only);
    let port = match port {
        None | Some([] | b"*") => None,
        Some(b"kernel") => Some(0),
        Some(port) => Some(
            number::whole(port)
                .and_then(|port| i32::try_from(port).ok())
                .ok_or("a port id, or `kernel`, is expected here")?
                .cast_unsigned(),
        ),
    };
    let protocol = match name {
        [] | b"*" => None,
        name => Some(protocols::netlink(name).ok_or("a netlink protocol is expected here")?),
    };
    Ok(Host::Netlink { protocol, port })
}

/// `vsock:[CID][:PORT]`
fn vsock(word: &[u8], port_only: bool) -> Result<Host, Refused> {
    let (name, port) = split_at_colon(word, port_only);
    let number = |text: &[u8], what: &str| {
        number::whole(text)
            .and_then(|number| u32::try_from(number).ok())
            .ok_or_else(|| format!("{what} is expected here"))
    };
    let port = match port {
        None | Some(b"*") => None,
        Some(port) => Some(number(port, "a vsock port")?),
    };
    let cid = match name {
        [] | b"*" => None,
        name => Some(number(name, "a context id")?),
    };
    Ok(Host::Vsock { cid, port })
}

/// What stands before the first colon, and behind it. All of it is the port where `port_only`.
fn split_at_colon(word: &[u8], port_only: bool) -> (&[u8], Option<&[u8]>) {
    if port_only {
        return (&[], Some(word.strip_prefix(b":").unwrap_or(word)));
    }
    match word.iter().position(|byte| *byte == b':') {
        Some(at) => (word.get(..at).unwrap_or_default(), word.get(at + 1..)),
        None => (word, None),
    }
}

/// Address and port of `[ADDRESS]:PORT`, `*:PORT`, `ADDRESS:PORT`. The port may have its colon
/// before it.
fn split(word: &[u8]) -> Result<(&[u8], Option<&[u8]>), Refused> {
    if let Some(inner) = word.strip_prefix(b"[") {
        let end = inner.iter().position(|byte| *byte == b']');
        let end = end.ok_or("a `]` is missing here")?;
        return Ok((inner.get(..end).unwrap_or_default(), inner.get(end + 1..)));
    }
    if let Some(port) = word.strip_prefix(b"*") {
        return Ok((b"*", Some(port)));
    }
    // The colons of an IPv6 prefix stand before its slash.
    let from = word.iter().position(|byte| *byte == b'/').unwrap_or(0);
    let colon = word.iter().rposition(|byte| *byte == b':').filter(|at| *at >= from);
    Ok(match colon {
        Some(at) => (word.get(..at).unwrap_or_default(), word.get(at..)),
        None => (word, None),
    })
}

/// The port of a word that is nothing else; brackets around it are allowed.
fn address_as_port(word: &[u8]) -> &[u8] {
    match word.strip_prefix(b"[") {
        Some(inner) => inner.split(|byte| *byte == b']').next().unwrap_or_default(),
        None => word,
    }
}

/// An address with all its bits.
fn whole(address: IpAddr) -> Prefix {
    match address {
        IpAddr::V4(address) => ipv4(address.octets(), 32),
        IpAddr::V6(address) => {
            Prefix { family: Some(Family::Inet6), bytes: address.octets(), length: 128 }
        }
    }
}

fn ipv4([a, b, c, d]: [u8; 4], length: u8) -> Prefix {
    let bytes = [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    Prefix { family: Some(Family::Inet), bytes, length }
}

/// `ADDRESS`, `ADDRESS/LENGTH`, `ADDRESS/MASK`, `any`, `all` or `default`; `None` for anything else.
fn prefix(word: &[u8], family: Option<Family>) -> Option<Prefix> {
    let (address, length) = match word.iter().position(|byte| *byte == b'/') {
        Some(at) => (word.get(..at)?, Some(word.get(at + 1..)?)),
        None => (word, None),
    };
    if matches!(address, b"any" | b"all" | b"default") {
        return length.is_none().then_some(Prefix { family, ..Prefix::ANY });
    }
    if address.contains(&b':') {
        let parsed: Ipv6Addr = std::str::from_utf8(address).ok()?.parse().ok()?;
        let length = length.map_or(Some(128), prefix_length).filter(|length| *length <= 128)?;
        return (family != Some(Family::Inet)).then_some(Prefix {
            family: Some(Family::Inet6),
            bytes: parsed.octets(),
            length,
        });
    }
    let octets = ipv4_octets(address)?;
    let length = length.map_or(Some(32), prefix_length).filter(|length| *length <= 32)?;
    (family != Some(Family::Inet6)).then(|| ipv4(octets, length))
}

/// One to four numbers; the others are 0, so that `10/8` is a prefix.
fn ipv4_octets(address: &[u8]) -> Option<[u8; 4]> {
    let mut octets = [0; 4];
    let mut parts = address.split(|byte| *byte == b'.');
    for octet in &mut octets {
        let Some(part) = parts.next() else { break };
        *octet = u8::try_from(number::whole(part)?).ok()?;
    }
    parts.next().is_none().then_some(octets)
}

/// A number, or a mask of IPv4 whose ones stand together.
fn prefix_length(text: &[u8]) -> Option<u8> {
    if let Some(number) = number::whole(text) {
        return u8::try_from(number).ok();
    }
    let mask = u32::from_be_bytes(ipv4_octets(text)?);
    (mask.leading_ones() + mask.trailing_zeros() >= 32).then(|| mask.leading_ones() as u8)
}
