//! The tables and address families that flags choose, as `ss` adds them up.
//!
//! A table brings the families that it has, a family the tables, and each its states, where nothing
//! else was said. `-A` begins anew with the tables, once.

use std::ffi::{OsStr, OsString};

use sockeye_filter::AddressFamily;
use sockeye_model::{State, States};

use crate::args::UsageError;
use crate::states;
use crate::version::Version;

/// A table of sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Table {
    Netlink,
    PacketRaw,
    PacketDgram,
    UnixStream,
    UnixDgram,
    UnixSeqpacket,
    Raw,
    Udp,
    Tcp,
    Mptcp,
    Sctp,
    Dccp,
    VsockStream,
    VsockDgram,
    Tipc,
    Xdp,
}

/// A set of tables, in the order in which `ss` shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tables(u32);

impl Tables {
    const NONE: Tables = Tables(0);
    const NETLINK: Tables = Tables::of(&[Table::Netlink]);
    const PACKET: Tables = Tables::of(&[Table::PacketRaw, Table::PacketDgram]);
    const UNIX: Tables = Tables::of(&[Table::UnixStream, Table::UnixDgram, Table::UnixSeqpacket]);
    const VSOCK: Tables = Tables::of(&[Table::VsockStream, Table::VsockDgram]);
    const INET: Tables =
        Tables::of(&[Table::Raw, Table::Udp, Table::Tcp, Table::Mptcp, Table::Sctp]);
    const DCCP: Tables = Tables::of(&[Table::Dccp]);
    const XDP: Tables = Tables::of(&[Table::Xdp]);

    const fn of(tables: &[Table]) -> Tables {
        let mut bits = 0;
        let mut index = 0;
        while index < tables.len() {
            bits |= 1 << tables[index] as u8;
            index += 1;
        }
        Tables(bits)
    }

    const fn with(self, other: Tables) -> Tables {
        Tables(self.0 | other.0)
    }

    const fn without(self, other: Tables) -> Tables {
        Tables(self.0 & !other.0)
    }

    const fn meets(self, other: Tables) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) const fn has(self, table: Table) -> bool {
        self.meets(Tables::of(&[table]))
    }

    /// All of the version but TIPC's, which are shown on request alone.
    fn all(version: Version) -> Tables {
        [Tables::NETLINK, Tables::PACKET, Tables::UNIX, Tables::VSOCK, Tables::XDP]
            .into_iter()
            .fold(Tables::inet(version), Tables::with)
    }

    fn inet(version: Version) -> Tables {
        if version == Version::V6_1 { Tables::INET.with(Tables::DCCP) } else { Tables::INET }
    }

    /// Those that `-A NAME` means.
    fn named(name: &[u8], version: Version) -> Option<Tables> {
        Some(match name {
            b"all" => Tables::all(version),
            b"inet" => Tables::inet(version),
            b"udp" => Tables::of(&[Table::Udp]),
            b"dccp" if version == Version::V6_1 => Tables::DCCP,
            b"tcp" => Tables::of(&[Table::Tcp]),
            b"mptcp" => Tables::of(&[Table::Mptcp]),
            b"sctp" => Tables::of(&[Table::Sctp]),
            b"raw" => Tables::of(&[Table::Raw]),
            b"unix" => Tables::UNIX,
            b"unix_stream" | b"u_str" => Tables::of(&[Table::UnixStream]),
            b"unix_dgram" | b"u_dgr" => Tables::of(&[Table::UnixDgram]),
            b"unix_seqpacket" | b"u_seq" => Tables::of(&[Table::UnixSeqpacket]),
            b"packet" => Tables::PACKET,
            b"packet_raw" | b"p_raw" => Tables::of(&[Table::PacketRaw]),
            b"packet_dgram" | b"p_dgr" => Tables::of(&[Table::PacketDgram]),
            b"netlink" => Tables::NETLINK,
            b"tipc" => Tables::of(&[Table::Tipc]),
            b"vsock" => Tables::VSOCK,
            b"vsock_stream" | b"v_str" => Tables::of(&[Table::VsockStream]),
            b"vsock_dgram" | b"v_dgr" => Tables::of(&[Table::VsockDgram]),
            b"xdp" => Tables::XDP,
            _ => return None,
        })
    }

    /// Those of an address family.
    fn of_family(family: AddressFamily, version: Version) -> Tables {
        match family {
            AddressFamily::Inet | AddressFamily::Inet6 => Tables::inet(version),
            AddressFamily::Unix => Tables::UNIX,
            AddressFamily::Packet => Tables::PACKET,
            AddressFamily::Netlink => Tables::NETLINK,
            AddressFamily::Vsock => Tables::VSOCK,
            AddressFamily::Tipc => Tables::of(&[Table::Tipc]),
            AddressFamily::Xdp => Tables::XDP,
        }
    }

    /// The states of its sockets that are shown by default.
    fn states(self, version: Version) -> States {
        let closed = Tables::NETLINK
            .with(Tables::PACKET)
            .with(Tables::XDP)
            .with(Tables::of(&[Table::UnixDgram]));
        let established = Tables::of(&[Table::Udp, Table::Raw]);
        let tipc = Tables::of(&[Table::Tipc]);
        let mut states = States::NONE;
        for (tables, theirs) in [
            (closed, States::only(State::Close)),
            (established, States::only(State::Established)),
            (tipc, TIPC_STATES),
            (
                Tables(u32::MAX).without(closed).without(established).without(tipc),
                states::connected_by_default(version),
            ),
        ] {
            if self.meets(tables) {
                states = states.with(theirs);
            }
        }
        states
    }

    /// Those that sockeye does not show yet, in words; `None` for none.
    pub(crate) fn missing(self) -> Option<String> {
        let groups = [
            (Tables::NETLINK, "netlink"),
            (Tables::PACKET, "packet"),
            (Tables::UNIX, "Unix"),
            (Tables::of(&[Table::Raw]), "raw"),
            (Tables::of(&[Table::Mptcp]), "MPTCP"),
            (Tables::of(&[Table::Sctp]), "SCTP"),
            (Tables::DCCP, "DCCP"),
            (Tables::VSOCK, "vsock"),
            (Tables::of(&[Table::Tipc]), "TIPC"),
            (Tables::XDP, "XDP"),
        ];
        let names: Vec<_> = groups
            .into_iter()
            .filter_map(|(tables, name)| self.meets(tables).then_some(name))
            .collect();
        let (last, others) = names.split_last()?;
        Some(match others {
            [] => (*last).to_owned(),
            others => format!("{} and {last}", others.join(", ")),
        })
    }
}

const TIPC_STATES: States = States::only(State::Established)
    .with(States::only(State::Listen))
    .with(States::only(State::Close));

const FAMILIES: [AddressFamily; 8] = [
    AddressFamily::Unix,
    AddressFamily::Inet,
    AddressFamily::Inet6,
    AddressFamily::Netlink,
    AddressFamily::Packet,
    AddressFamily::Tipc,
    AddressFamily::Vsock,
    AddressFamily::Xdp,
];

/// The family that `-f NAME` means.
fn family_named(name: &OsStr) -> Option<AddressFamily> {
    Some(match name.as_encoded_bytes() {
        b"inet" => AddressFamily::Inet,
        b"inet6" => AddressFamily::Inet6,
        b"link" => AddressFamily::Packet,
        b"unix" => AddressFamily::Unix,
        b"netlink" => AddressFamily::Netlink,
        b"tipc" => AddressFamily::Tipc,
        b"vsock" => AddressFamily::Vsock,
        b"xdp" => AddressFamily::Xdp,
        _ => return None,
    })
}

/// What was chosen so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Selection {
    pub(crate) tables: Tables,
    families: Vec<AddressFamily>,
    /// What the tables and families brought.
    pub(crate) states: States,
    /// The family that was named last.
    pub(crate) last_family: Option<AddressFamily>,
    /// Something was chosen.
    named: bool,
    /// `-A` was there.
    queried: bool,
}

impl Selection {
    /// A flag of a table.
    pub(crate) fn table(&mut self, table: Table, version: Version) {
        self.add(Tables::of(&[table]), version);
    }

    fn add(&mut self, tables: Tables, version: Version) {
        self.tables = self.tables.with(tables);
        self.states = self.states.with(tables.states(version));
        self.named = true;
    }

    /// A flag of a family.
    pub(crate) fn family(&mut self, family: AddressFamily, version: Version) {
        let states = match family {
            AddressFamily::Packet | AddressFamily::Netlink | AddressFamily::Xdp => {
                States::only(State::Close)
            }
            AddressFamily::Tipc => TIPC_STATES,
            _ => states::connected_by_default(version),
        };
        self.states = self.states.with(states);
        if !self.families.contains(&family) {
            self.families.push(family);
        }
        self.last_family = Some(family);
        self.named = true;
    }

    /// `-f NAME`.
    pub(crate) fn family_by_name(
        &mut self,
        name: OsString,
        version: Version,
    ) -> Result<(), UsageError> {
        let family = family_named(&name).ok_or(UsageError::Family(name))?;
        self.family(family, version);
        Ok(())
    }

    /// `-A NAME,!NAME`. The first one makes `named` the states of connections, if none are named.
    pub(crate) fn query(
        &mut self,
        list: &OsStr,
        named: &mut States,
        version: Version,
    ) -> Result<(), UsageError> {
        if !self.queried {
            self.tables = Tables::NONE;
            if named.is_empty() {
                *named = states::connected_by_default(version);
            }
            (self.queried, self.named) = (true, true);
        }
        for name in list.as_encoded_bytes().split(|byte| *byte == b',') {
            let (out, name) = match name.strip_prefix(b"!") {
                Some(name) => (true, name),
                None => (false, name),
            };
            let tables = Tables::named(name, version).ok_or_else(|| {
                UsageError::Table(String::from_utf8_lossy(name).into_owned(), version)
            })?;
            if out {
                self.tables = self.tables.without(tables);
            } else {
                self.add(tables, version);
            }
        }
        Ok(())
    }

    /// Fills in what was not said: all tables if none and no family was named, the families of the
    /// tables, the tables of the families.
    pub(crate) fn settle(&mut self, version: Version) {
        if !self.named {
            self.states = states::connected_by_default(version);
            self.tables = Tables::all(version);
        }
        for (tables, theirs) in [
            (Tables::INET.with(Tables::DCCP), &[AddressFamily::Inet, AddressFamily::Inet6][..]),
            (Tables::UNIX, &[AddressFamily::Unix]),
            (Tables::PACKET, &[AddressFamily::Packet]),
            (Tables::NETLINK, &[AddressFamily::Netlink]),
            (Tables::VSOCK, &[AddressFamily::Vsock]),
            (Tables::of(&[Table::Tipc]), &[AddressFamily::Tipc]),
            (Tables::XDP, &[AddressFamily::Xdp]),
        ] {
            if self.tables.meets(tables) && !theirs.iter().any(|family| self.has(*family)) {
                self.families.extend(theirs);
            }
        }
        for family in FAMILIES {
            let tables = Tables::of_family(family, version);
            if self.has(family) && !self.tables.meets(tables) {
                self.tables = self.tables.with(tables);
            }
        }
    }

    /// Whether sockets of a family are shown.
    pub(crate) fn has(&self, family: AddressFamily) -> bool {
        self.families.contains(&family)
    }

    /// Whether it is one table, so that the rows need not tell theirs.
    pub(crate) fn is_one_table(&self) -> bool {
        self.tables.0.count_ones() == 1
    }

    /// What a filter's address does: sockets of its family alone are shown.
    pub(crate) fn narrow(&mut self, family: AddressFamily) {
        self.families = vec![family];
        self.last_family = Some(family);
    }

    /// The tables that are looked into.
    pub(crate) fn shown(&self, version: Version) -> Tables {
        let of_families = FAMILIES
            .into_iter()
            .filter(|family| self.has(*family))
            .fold(Tables::NONE, |tables, family| tables.with(Tables::of_family(family, version)));
        Tables(self.tables.0 & of_families.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSION: Version = Version::V7_1;

    fn queried(list: &str) -> (Selection, States) {
        let (mut selection, mut states) = (Selection::default(), States::NONE);
        selection.query(OsStr::new(list), &mut states, VERSION).expect(list);
        selection.settle(VERSION);
        (selection, states)
    }

    #[test]
    fn a_list_of_tables_begins_anew_and_takes_away() {
        let (selection, states) = queried("tcp");
        assert!(selection.is_one_table() && selection.tables.has(Table::Tcp));
        assert_eq!(states, states::connected_by_default(VERSION));
        let (selection, _) = queried("inet,!tcp,!udp");
        assert_eq!(selection.tables.missing().as_deref(), Some("raw, MPTCP and SCTP"));
        assert!(!selection.tables.has(Table::Tcp));
        let mut selection = Selection::default();
        selection.table(Table::Udp, VERSION);
        selection.query(OsStr::new("tcp"), &mut States::NONE.clone(), VERSION).expect("a list");
        selection.query(OsStr::new("raw"), &mut States::NONE.clone(), VERSION).expect("a list");
        assert_eq!(selection.tables, Tables::of(&[Table::Tcp, Table::Raw]));
    }

    #[test]
    fn a_name_of_no_table_is_refused() {
        let refused = |list: &str, version| {
            Selection::default().query(OsStr::new(list), &mut States::NONE.clone(), version)
        };
        assert!(refused("tcp,bogus", VERSION).is_err());
        assert!(refused("", VERSION).is_err());
        assert!(refused("dccp", VERSION).is_err());
        assert!(refused("dccp", Version::V6_1).is_ok());
    }

    #[test]
    fn families_and_tables_bring_each_other() {
        let mut selection = Selection::default();
        selection.family(AddressFamily::Unix, VERSION);
        selection.table(Table::Tcp, VERSION);
        selection.settle(VERSION);
        assert!(selection.has(AddressFamily::Inet) && selection.has(AddressFamily::Inet6));
        assert_eq!(selection.tables.missing().as_deref(), Some("Unix"));
        selection.narrow(AddressFamily::Vsock);
        assert_eq!(selection.shown(VERSION), Tables::NONE);
    }
}
