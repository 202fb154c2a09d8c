//! Netlink's protocols: which part of the kernel a socket speaks with.

use std::fmt;

/// A netlink protocol (`NETLINK_*` in `linux/netlink.h`): which part of the kernel answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Protocol(pub i32);

impl Protocol {
    /// `NETLINK_ROUTE`: links, addresses, routes, neighbours, rules, queueing disciplines.
    pub const ROUTE: Self = Self(libc::NETLINK_ROUTE);
    /// `NETLINK_USERSOCK`: between processes.
    pub const USERSOCK: Self = Self(libc::NETLINK_USERSOCK);
    /// `NETLINK_SOCK_DIAG`: sockets.
    pub const SOCK_DIAG: Self = Self(libc::NETLINK_SOCK_DIAG);
    /// `NETLINK_XFRM`: IPsec.
    pub const XFRM: Self = Self(libc::NETLINK_XFRM);
    /// `NETLINK_AUDIT`: audit records.
    pub const AUDIT: Self = Self(libc::NETLINK_AUDIT);
    /// `NETLINK_NETFILTER`: netfilter, connection tracking.
    pub const NETFILTER: Self = Self(libc::NETLINK_NETFILTER);
    /// `NETLINK_KOBJECT_UEVENT`: device events.
    pub const KOBJECT_UEVENT: Self = Self(libc::NETLINK_KOBJECT_UEVENT);
    /// `NETLINK_GENERIC`: the families that have a name instead of a number.
    pub const GENERIC: Self = Self(libc::NETLINK_GENERIC);
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match *self {
            Self::ROUTE => "NETLINK_ROUTE",
            Self::USERSOCK => "NETLINK_USERSOCK",
            Self::SOCK_DIAG => "NETLINK_SOCK_DIAG",
            Self::XFRM => "NETLINK_XFRM",
            Self::AUDIT => "NETLINK_AUDIT",
            Self::NETFILTER => "NETLINK_NETFILTER",
            Self::KOBJECT_UEVENT => "NETLINK_KOBJECT_UEVENT",
            Self::GENERIC => "NETLINK_GENERIC",
            Self(number) => return write!(f, "netlink protocol {number}"),
        };
        f.write_str(name)
    }
}
