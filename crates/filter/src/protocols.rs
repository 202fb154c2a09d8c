//! Names of the protocols of packet and netlink sockets.
//!
//! Sources: linux/if_ether.h, linux/netlink.h.

use crate::number;

/// `ETH_P_*`, by the kernel's names in lower case.
const ETHERNET: &[(&str, u16)] = &[
    ("loop", 0x0060),
    ("pup", 0x0200),
    ("pupat", 0x0201),
    ("ip", 0x0800),
    ("ipv4", 0x0800),
    ("x25", 0x0805),
    ("arp", 0x0806),
    ("bpq", 0x08ff),
    ("ieeepup", 0x0a00),
    ("ieeepupat", 0x0a01),
    ("dec", 0x6000),
    ("dna_dl", 0x6001),
    ("dna_rc", 0x6002),
    ("dna_rt", 0x6003),
    ("lat", 0x6004),
    ("diag", 0x6005),
    ("cust", 0x6006),
    ("sca", 0x6007),
    ("teb", 0x6558),
    ("rarp", 0x8035),
    ("atalk", 0x809b),
    ("aarp", 0x80f3),
    ("802.1q", 0x8100),
    ("ipx", 0x8137),
    ("ipv6", 0x86dd),
    ("mpls_uc", 0x8847),
    ("mpls_mc", 0x8848),
    ("atmmpoa", 0x884c),
    ("ppp_disc", 0x8863),
    ("ppp_ses", 0x8864),
    ("atmfate", 0x8884),
    ("profinet", 0x8892),
    ("aoe", 0x88a2),
    ("ethercat", 0x88a4),
    ("802.1ad", 0x88a8),
    ("tipc", 0x88ca),
    ("lldp", 0x88cc),
    ("802_3", 0x0001),
    ("ax25", 0x0002),
    ("all", 0x0003),
    ("802_2", 0x0004),
    ("snap", 0x0005),
    ("ddcmp", 0x0006),
    ("wan_ppp", 0x0007),
    ("ppp_mp", 0x0008),
    ("localtalk", 0x0009),
    ("can", 0x000c),
    ("ppptalk", 0x0010),
    ("tr_802_2", 0x0011),
    ("mobitex", 0x0015),
    ("control", 0x0016),
    ("irda", 0x0017),
    ("econet", 0x0018),
];

/// `NETLINK_*`, by the names that iproute2 has for them.
const NETLINK: &[(&str, u32)] = &[
    ("rtnl", 0),
    ("unused", 1),
    ("usersock", 2),
    ("fw", 3),
    ("tcpdiag", 4),
    ("nflog", 5),
    ("xfrm", 6),
    ("selinux", 7),
    ("iscsi", 8),
    ("audit", 9),
    ("fiblookup", 10),
    ("connector", 11),
    ("nft", 12),
    ("ip6fw", 13),
    ("dec-rt", 14),
    ("uevent", 15),
    ("genl", 16),
    ("scsi-trans", 18),
    ("ecryptfs", 19),
    ("rdma", 20),
    ("crypto", 21),
];

/// A protocol of Ethernet frames, by name (case does not matter) or number.
pub(crate) fn ethernet(name: &[u8]) -> Option<u16> {
    let named = ETHERNET.iter().find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name));
    named
        .map(|(_, number)| *number)
        .or_else(|| number::whole(name).and_then(|number| u16::try_from(number).ok()))
}

/// A netlink protocol, by name or number.
pub(crate) fn netlink(name: &[u8]) -> Option<u32> {
    let named = NETLINK.iter().find(|(known, _)| known.as_bytes() == name);
    named.map(|(_, number)| *number).or_else(|| {
        number::whole(name).and_then(|number| u32::try_from(number).ok()).filter(|n| *n < 256)
    })
}
