//! Testing a socket in user space.
//!
//! In [`Reading::Precedence`] a test means what it means in the kernel (`inet_diag_bc_run`,
//! net/ipv4/inet_diag.c): an address matches its own family, and an IPv4 address a mapped one, too.
//! In [`Reading::Ss`] it means what `ss` tests again after the kernel: bits are compared whatever
//! the family, so that `src 0.0.0.0` matches `::`. Of a live dump the kernel's test holds as well;
//! of a recording this one alone.

use std::net::IpAddr;

use sockeye_model::{Endpoint, Family, Socket};

use crate::expression::{ANY_PORT, End, Expression, Host, Interface, Join, Prefix, Test};
use crate::{Filter, Reading, states};

impl Filter {
    /// Whether a socket is one of those that the filter wants. What the kernel did not tell (a mark
    /// without CAP_NET_ADMIN, the control group of a socket in TIME-WAIT) counts as 0.
    #[inline]
    #[must_use]
    pub fn matches(&self, socket: &Socket) -> bool {
        self.holds(&self.expression, socket)
    }

    /// As deep as the expression, which the parser bounds.
    fn holds(&self, expression: &Expression, socket: &Socket) -> bool {
        match expression {
            Expression::And(parts) => parts.iter().all(|part| self.holds(part, socket)),
            Expression::Or(parts) => parts.iter().any(|part| self.holds(part, socket)),
            Expression::LeftToRight(parts) => {
                let mut so_far = None;
                for (join, part) in parts {
                    so_far = Some(match (join, so_far) {
                        (_, None) => self.holds(part, socket),
                        (Join::And, Some(so_far)) => so_far && self.holds(part, socket),
                        (Join::Or, Some(so_far)) => so_far || self.holds(part, socket),
                    });
                }
                so_far.unwrap_or(true)
            }
            Expression::Not(part) => !self.holds(part, socket),
            Expression::Test(predicate) => self.test(&predicate.test, socket),
        }
    }

    fn test(&self, test: &Test, socket: &Socket) -> bool {
        match test {
            Test::Host(end, host) => self.is_host(host, socket.family, end.of(socket)),
            Test::PortAtLeast(end, port) => i32::from(end.of(socket).port) >= *port,
            Test::PortAtMost(end, port) => i32::from(end.of(socket).port) <= *port,
            Test::Interface(Interface::Index(index)) => {
                socket.interface.map_or(0, Into::into) == *index
            }
            Test::Interface(Interface::Elsewhere) => false,
            Test::Mark { mark, mask } => socket.mark.unwrap_or(0) & mask == *mark,
            Test::Cgroup(id) => socket.cgroup_id.map_or(0, |id| id.0) == id.0,
            Test::Autobound => {
                let (first, last) = self.ephemeral;
                (first..=last).contains(&i64::from(socket.local.port))
            }
            Test::State(wanted) => states::hold(*wanted, socket.protocol, socket.state),
        }
    }

    fn is_host(&self, host: &Host, family: Family, end: &Endpoint) -> bool {
        let Host::Inet { port, addresses } = host else { return false };
        if *port != ANY_PORT && *port != i32::from(end.port) {
            return false;
        }
        let bytes = bytes(end.address);
        match self.reading {
            Reading::Ss => {
                // The first says for all whether addresses count.
                addresses.first().is_none_or(|first| first.length == 0)
                    || addresses.iter().any(|prefix| by_bits(prefix, family, &bytes))
            }
            Reading::Precedence => {
                addresses.is_empty()
                    || addresses.iter().any(|prefix| by_family(prefix, family, &bytes))
            }
        }
    }
}

impl End {
    #[inline]
    pub(crate) fn of(self, socket: &Socket) -> &Endpoint {
        match self {
            End::Source => &socket.local,
            End::Destination => &socket.peer,
        }
    }
}

/// An address as both families have it on the wire: IPv4 in the first four bytes.
fn bytes(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&address.octets());
            bytes
        }
        IpAddr::V6(address) => address.octets(),
    }
}

fn by_family(prefix: &Prefix, family: Family, address: &[u8; 16]) -> bool {
    match prefix.family {
        None => first_bits_equal(&prefix.bytes, address, prefix.length),
        Some(wanted) if wanted == family => first_bits_equal(&prefix.bytes, address, prefix.length),
        Some(Family::Inet) => is_mapped(prefix, address),
        Some(Family::Inet6) => false,
    }
}

fn by_bits(prefix: &Prefix, family: Family, address: &[u8; 16]) -> bool {
    first_bits_equal(&prefix.bytes, address, prefix.length)
        || prefix.family == Some(Family::Inet)
            && family == Family::Inet6
            && is_mapped(prefix, address)
}

/// Whether the IPv4 address in an IPv6 one (RFC 4291, 2.5.5.2) has the prefix.
fn is_mapped(prefix: &Prefix, address: &[u8; 16]) -> bool {
    let [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d] = *address else { return false };
    let mut mapped = [0; 16];
    mapped[..4].copy_from_slice(&[a, b, c, d]);
    first_bits_equal(&prefix.bytes, &mapped, prefix.length)
}

pub(crate) fn first_bits_equal(one: &[u8; 16], other: &[u8; 16], bits: u8) -> bool {
    let different = u128::from_be_bytes(*one) ^ u128::from_be_bytes(*other);
    different.leading_zeros() >= u32::from(bits).min(128)
}
