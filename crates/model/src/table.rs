//! The table of a [`Socket`]: every field that its faces show, in order.
//!
//! Parts that are structs of their own have their tables beside them; [`Socket::SECTIONS`] has all.

use std::num::NonZeroU32;

use crate::field::{Flags, Id, Section, Table, Word, fields, flag_values, word_values};
use crate::{
    BbrInfo, Context, DctcpInfo, Family, Md5Signature, MemInfo, MptcpSubflow, Name, Protocol,
    SkMemInfo, SockOpt, Socket, Source, State, TcpInfo, TimerKind, TlsInfo, Ulp, VegasInfo,
};

impl Socket {
    /// The parts of a socket's record, with [`Context`]'s. Together they are one flat object: no name
    /// comes twice.
    pub const SECTIONS: &'static [Section] = &[
        Section { title: "Every socket", when: "", fields: Socket::FIELDS },
        Section {
            title: "Memory",
            when: "All sockets but those in TIME-WAIT and SYN-RECV.",
            fields: MemInfo::FIELDS,
        },
        Section {
            title: "Memory, in detail",
            when: "All sockets but those in TIME-WAIT and SYN-RECV.",
            fields: SkMemInfo::FIELDS,
        },
        Section {
            title: "TCP",
            when: "TCP sockets, but for those in TIME-WAIT, SYN-RECV and close. Where the kernel's \
                   `struct tcp_info` ends before a field, as an older kernel's does, the field is \
                   absent.",
            fields: TcpInfo::FIELDS,
        },
        Section {
            title: "Congestion control: Vegas",
            when: "Sockets whose congestion control sends `struct tcpvegas_info`: Vegas, Illinois, \
                   NV, Westwood, YeAH.",
            fields: VegasInfo::FIELDS,
        },
        Section {
            title: "Congestion control: DCTCP",
            when: "Sockets whose congestion control is DCTCP (RFC 8257).",
            fields: DctcpInfo::FIELDS,
        },
        Section {
            title: "Congestion control: BBR",
            when: "Sockets whose congestion control is BBR.",
            fields: BbrInfo::FIELDS,
        },
        Section {
            title: "Upper-layer protocol",
            when: "TCP sockets with an upper-layer protocol.",
            fields: Ulp::FIELDS,
        },
        Section {
            title: "Kernel TLS",
            when: "TCP sockets with the upper-layer protocol `tls`.",
            fields: TlsInfo::FIELDS,
        },
        Section {
            title: "MPTCP subflows",
            when: "TCP sockets that are one path of an MPTCP connection (RFC 8684).",
            fields: MptcpSubflow::FIELDS,
        },
        Section {
            title: "Beside the kernel's answer",
            when: "What is looked up elsewhere.",
            fields: <Context<'static>>::FIELDS,
        },
    ];
}

fields! {
    Socket, Socket {
        family, protocol, state, local, peer, interface, cookie, timer, rqueue, wqueue, uid, inode,
        mem, skmem, tcp_info, congestion, congestion_info, tos, tclass, class_id, mark, cgroup_id,
        v6only, shutdown, sockopt, ulp, md5, source,
    } => {
        /// Address family.
        family: Family = *family, "", "idiag_family", "2.6.14";
        /// Transport protocol.
        protocol: Protocol = *protocol, "", "sdiag_protocol (of the request)", "3.3";
        /// State of the socket; other protocols borrow TCP's states, close is an unconnected UDP socket.
        state: State = *state, "", "idiag_state", "2.6.14";
        /// Local address; unspecified (0.0.0.0, ::) for any.
        local_address: std::net::IpAddr = local.address, "", "idiag_src", "2.6.14";
        /// Local port; 0 for none.
        local_port: u16 = local.port, "", "idiag_sport", "2.6.14";
        /// The peer's address; unspecified when not connected.
        peer_address: std::net::IpAddr = peer.address, "", "idiag_dst", "2.6.14";
        /// The peer's port; 0 when not connected.
        peer_port: u16 = peer.port, "", "idiag_dport", "2.6.14";
        /// Index of the interface that the socket is bound to; absent when it is bound to none.
        interface_index: Option<u32> = interface.map(NonZeroU32::get), "", "idiag_if", "2.6.14";
        /// Identifies the socket as long as the host runs; not told by /proc/net.
        cookie: Option<Id> = matches!(source, Source::Netlink).then_some(Id(cookie.0)), "", "idiag_cookie", "2.6.14";
        /// Timer that runs for the socket.
        timer: TimerKind = timer.kind, "", "idiag_timer", "2.6.14";
        /// Time until the timer fires; absent when none runs.
        timer_expires_ms: Option<u32> = (timer.kind != TimerKind::Off).then_some(timer.expires_ms), "ms", "idiag_expires", "2.6.14";
        /// Retransmissions or probes without an answer; absent when no timer runs.
        timer_retransmits: Option<u8> = (timer.kind != TimerKind::Off).then_some(timer.retransmits), "count", "idiag_retrans", "2.6.14";
        /// Bytes received and not yet read (TCP), or the memory of datagrams that wait to be read, overhead included (UDP); of all sockets but listeners.
        recv_queue_bytes: Option<u32> = (*state != State::Listen).then_some(*rqueue), "bytes", "idiag_rqueue", "2.6.14";
        /// Bytes written and not yet acknowledged, sent or not (TCP), or the memory of datagrams not yet transmitted, overhead included (UDP); of all sockets but listeners, and UDP sockets that have closed, of which the kernel tells -1.
        send_queue_bytes: Option<u32> = (*state != State::Listen && *wqueue != u32::MAX).then_some(*wqueue), "bytes", "idiag_wqueue", "2.6.14";
        /// Connections that wait to be accepted; of listeners.
        accept_queue: Option<u32> = (*state == State::Listen).then_some(*rqueue), "connections", "idiag_rqueue", "2.6.14";
        /// Limit of the accept queue; of listeners, and not told by /proc/net.
        accept_queue_limit: Option<u32> =
            (*state == State::Listen && matches!(source, Source::Netlink)).then_some(*wqueue),
            "connections", "idiag_wqueue", "2.6.14";
        /// User id of the owner, as the reader's user namespace counts; absent where the kernel tells 0 for want of an owner (inode 0: TIME-WAIT, SYN-RECV, connections not yet accepted, orphans of older kernels).
        uid: Option<u32> = (*uid != 0 || *inode != 0).then_some(*uid), "", "idiag_uid", "2.6.14";
        /// Inode number of the socket; 0 when no file refers to it (TIME-WAIT, SYN-RECV, connections not yet accepted, orphans).
        inode: u32 = *inode, "", "idiag_inode", "2.6.14";
        /// Type of service of IPv4: DSCP and ECN.
        tos: Option<u8> = *tos, "", "INET_DIAG_TOS", "3.3";
        /// Traffic class of IPv6: DSCP and ECN.
        tclass: Option<u8> = *tclass, "", "INET_DIAG_TCLASS", "3.3";
        /// net_cls class of the control group, or else the socket's priority.
        class_id: Option<u32> = *class_id, "", "INET_DIAG_CLASS_ID", "4.14";
        /// Firewall mark (SO_MARK); told with CAP_NET_ADMIN alone.
        mark: Option<u32> = *mark, "", "INET_DIAG_MARK", "4.9";
        /// Id of the control group (v2) that made the socket: the inode number of its directory.
        cgroup_id: Option<Id> = cgroup_id.map(|id| Id(id.0)), "", "INET_DIAG_CGROUP_ID", "5.8";
        /// An IPv6 socket that refuses IPv4; told of listeners and unconnected sockets.
        v6only: Option<bool> = *v6only, "", "INET_DIAG_SKV6ONLY", "4.3";
        /// Directions that were shut down.
        shutdown: Option<crate::Shutdown> = *shutdown, "", "INET_DIAG_SHUTDOWN", "3.8";
        /// Options that are set on the socket.
        socket_options: Option<SockOpt> = *sockopt, "", "INET_DIAG_SOCKOPT", "5.10";
        /// Name of the congestion control.
        congestion: Option<&[u8]> = congestion.as_ref().map(Name::as_bytes), "", "INET_DIAG_CONG", "2.6.14";
        /// Peers whose segments are signed with MD5 (RFC 2385); told with CAP_NET_ADMIN alone, and absent when there are none.
        md5_signatures: Option<&[Md5Signature]> = (!md5.is_empty()).then_some(md5.as_slice()), "", "INET_DIAG_MD5SIG", "4.14";
    }
    then { mem, skmem, tcp_info, congestion_info, ulp }
}

fields! {
    Md5Signature, Md5Signature { address, prefix_len, key_len } => {
        /// The peer's address.
        address: std::net::IpAddr = *address, "", "tcpm_addr", "4.14";
        /// How many bits of the address count.
        prefix_len: u8 = *prefix_len, "bits", "tcpm_prefixlen", "4.14";
        /// Length of the key; the key itself is never told.
        key_len_bytes: u16 = *key_len, "bytes", "tcpm_keylen", "4.14";
    }
}

impl Word for Family {
    const NAMES: &'static [&'static str] = &["inet", "inet6"];
    #[inline]
    fn name(self) -> Option<&'static str> {
        Some(match self {
            Family::Inet => "inet",
            Family::Inet6 => "inet6",
        })
    }
    #[inline]
    fn number(self) -> u64 {
        Family::number(self).into()
    }
}

impl Word for Protocol {
    const NAMES: &'static [&'static str] = &["tcp", "udp", "udplite", "mptcp"];
    #[inline]
    fn name(self) -> Option<&'static str> {
        Some(match self {
            Protocol::TCP => "tcp",
            Protocol::UDP => "udp",
            Protocol::UDPLITE => "udplite",
            Protocol::MPTCP => "mptcp",
            _ => return None,
        })
    }
    #[inline]
    fn number(self) -> u64 {
        self.0.into()
    }
}

impl Word for TimerKind {
    const NAMES: &'static [&'static str] =
        &["off", "retransmit", "keepalive", "time_wait", "probe0", "delayed_ack"];
    #[inline]
    fn name(self) -> Option<&'static str> {
        Some(match self {
            TimerKind::Off => "off",
            TimerKind::Retransmit => "retransmit",
            TimerKind::Keepalive => "keepalive",
            TimerKind::TimeWait => "time_wait",
            TimerKind::Probe0 => "probe0",
            TimerKind::DelayedAck => "delayed_ack",
            TimerKind::Unknown(_) => return None,
        })
    }
    #[inline]
    fn number(self) -> u64 {
        match self {
            TimerKind::Off => 0,
            TimerKind::Retransmit => 1,
            TimerKind::Keepalive => 2,
            TimerKind::TimeWait => 3,
            TimerKind::Probe0 => 4,
            TimerKind::DelayedAck => 5,
            TimerKind::Unknown(number) => number.into(),
        }
    }
}

word_values!(Family, Protocol, TimerKind);

impl Flags for crate::Shutdown {
    const NAMES: &'static [&'static str] = &["receive", "send"];
    #[inline]
    fn bits(self) -> u32 {
        self.0.into()
    }
}

impl Flags for SockOpt {
    const NAMES: &'static [&'static str] = &SockOpt::NAMES;
    #[inline]
    fn bits(self) -> u32 {
        u16::from_le_bytes(self.0).into()
    }
}

flag_values!(crate::Shutdown, SockOpt);
