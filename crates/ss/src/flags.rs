//! Every flag: how it is written, what it does, what the help says of it.
//!
//! The command line is parsed, and the help made, from the one table [`FLAGS`].

use crate::version::Version;

/// A flag.
#[derive(Debug)]
pub(crate) struct Flag {
    /// What it does.
    pub(crate) does: Does,
    /// One letter, if it has one.
    pub(crate) short: Option<char>,
    /// Its words; the help shows the first.
    pub(crate) long: &'static [&'static str],
    /// What the help calls its value; `None` for a switch.
    pub(crate) value: Option<&'static str>,
    /// The versions that have it.
    pub(crate) versions: &'static [Version],
    /// What the help says.
    pub(crate) doc: &'static str,
}

/// What a flag does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Does {
    Help,
    ShowVersion,
    Iproute2,
    Numeric,
    Resolve,
    All,
    Listening,
    BoundInactive,
    Options,
    Extended,
    Memory,
    Processes,
    Threads,
    ProcessContexts,
    Contexts,
    Info,
    Tos,
    Cgroup,
    Sockopt,
    Ipv4,
    Ipv6,
    Tcp,
    Udp,
    NoHeader,
    NoQueues,
    Oneline,
    Json,
    Complete,
    Kill,
    Events,
    Dump,
    Net,
    Netns,
    AllNetns,
    Family,
    Query,
    FilterFile,
    ExplainFilter,
    /// Part of `ss`, and not here yet.
    Later,
}

const ALL: &[Version] = &Version::ALL;
const OLD: &[Version] = &[Version::V6_1];
const NEW: &[Version] = &[Version::V7_1];

const fn switch(does: Does, short: char, long: &'static [&'static str], doc: &'static str) -> Flag {
    Flag { does, short: Some(short), long, value: None, versions: ALL, doc }
}

const fn word(does: Does, long: &'static [&'static str], doc: &'static str) -> Flag {
    Flag { does, short: None, long, value: None, versions: ALL, doc }
}

/// All flags, in the order of the help.
pub(crate) static FLAGS: &[Flag] = &[
    switch(Does::Tcp, 't', &["tcp"], "TCP sockets"),
    switch(Does::Udp, 'u', &["udp"], "UDP sockets"),
    switch(Does::Ipv4, '4', &["ipv4"], "IPv4 only; of several such flags, the last counts"),
    switch(Does::Ipv6, '6', &["ipv6"], "IPv6 only"),
    Flag {
        value: Some("FAMILY"),
        ..switch(
            Does::Family,
            'f',
            &["family"],
            "sockets of an address family: inet, inet6 (link, unix, netlink, tipc, vsock, xdp: not here yet)",
        )
    },
    Flag {
        value: Some("TABLES"),
        ..switch(
            Does::Query,
            'A',
            &["query", "socket"],
            "tables by name, with commas between: tcp, udp, inet, all, and more that are not here yet; !tcp takes one away",
        )
    },
    Flag {
        value: Some("FILE"),
        ..switch(
            Does::FilterFile,
            'F',
            &["filter"],
            "more of the filter, from FILE (- for standard input); lines that begin with # or 0 are left out",
        )
    },
    word(
        Does::ExplainFilter,
        &["explain-filter"],
        "how the filter is read, and what of it the kernel tests; no sockets",
    ),
    switch(Does::All, 'a', &["all"], "sockets in every state"),
    switch(Does::Listening, 'l', &["listening"], "listening and unconnected sockets"),
    Flag {
        versions: NEW,
        ..switch(
            Does::BoundInactive,
            'B',
            &["bound-inactive"],
            "TCP sockets that are bound, and neither connected nor listening",
        )
    },
    switch(Does::Numeric, 'n', &["numeric"], "ports as numbers, rates in plain bits a second"),
    switch(Does::Resolve, 'r', &["resolve"], "names of hosts in place of their addresses"),
    switch(Does::Options, 'o', &["options"], "the timer that runs for a socket"),
    switch(Does::Extended, 'e', &["extended"], "owner, inode, cookie and more; the timer too"),
    switch(Does::Memory, 'm', &["memory"], "memory that a socket holds, and its limits"),
    switch(Does::Info, 'i', &["info"], "what TCP knows of a connection"),
    word(Does::Tos, &["tos"], "type of service, traffic class, class id"),
    word(Does::Cgroup, &["cgroup"], "the control group that made the socket"),
    word(Does::Sockopt, &["inet-sockopt"], "options that are set on the socket"),
    switch(
        Does::Processes,
        'p',
        &["processes"],
        "processes that hold the socket, each with its descriptors",
    ),
    switch(Does::Threads, 'T', &["threads"], "with -p, every thread of the processes"),
    switch(Does::ProcessContexts, 'Z', &["context"], "with -p, the processes' SELinux contexts"),
    switch(Does::Contexts, 'z', &["contexts"], "with -p, the sockets' SELinux contexts, too"),
    switch(Does::NoHeader, 'H', &["no-header"], "no header"),
    Flag {
        versions: NEW,
        ..switch(Does::NoQueues, 'Q', &["no-queues"], "no columns for the queues")
    },
    switch(Does::Oneline, 'O', &["oneline"], "one line a socket, whatever is shown of it"),
    word(
        Does::Json,
        &["json"],
        "one JSON object a line with everything known of a socket, whatever else is asked for; sockeye schema socket tells its fields",
    ),
    word(
        Does::Complete,
        &["complete"],
        "list again until two passes agree, 8 times at most, and say how sure the result is",
    ),
    switch(
        Does::Kill,
        'K',
        &["kill"],
        "close the sockets by force, and show those that were closed; CAP_NET_ADMIN",
    ),
    switch(Does::Events, 'E', &["events"], "sockets as they close, until SIGINT or SIGTERM"),
    Flag {
        value: Some("FILE"),
        ..switch(
            Does::Dump,
            'D',
            &["diag"],
            "write TCP's netlink answers to FILE (- for standard output) as they came, keys of MD5 signatures blanked, and print nothing",
        )
    },
    Flag {
        value: Some("NAME"),
        ..switch(
            Does::Net,
            'N',
            &["net"],
            "the sockets of the network namespace that ip netns knows by this name; of this flag and the next two, the last counts",
        )
    },
    Flag {
        value: Some("TARGET"),
        ..word(
            Does::Netns,
            &["netns"],
            "the same of a namespace by its name, a process id, a container, or a path (with a slash)",
        )
    },
    word(
        Does::AllNetns,
        &["all-netns"],
        "the sockets of every network namespace that can be found, with its name in the first column",
    ),
    Flag {
        value: Some("VERSION"),
        ..word(
            Does::Iproute2,
            &["iproute2"],
            "print what the ss of this iproute2 prints: 6.1, or 7.1 (default; also $SOCKEYE_IPROUTE2)",
        )
    },
    switch(Does::ShowVersion, 'V', &["version"], "the version"),
    switch(Does::Help, 'h', &["help"], "this text"),
    // What ss has and sockeye does not have yet.
    Flag { long: &[], ..switch(Does::ShowVersion, 'v', &[], "") },
    switch(Does::Later, 'x', &["unix"], "Unix sockets"),
    switch(Does::Later, 'w', &["raw"], "raw sockets"),
    switch(Does::Later, '0', &["packet"], "packet sockets"),
    switch(Does::Later, 'S', &["sctp"], "SCTP sockets"),
    switch(Does::Later, 'M', &["mptcp"], "MPTCP sockets"),
    Flag { versions: OLD, ..switch(Does::Later, 'd', &["dccp"], "DCCP sockets") },
    word(Does::Later, &["vsock"], "vsock sockets"),
    word(Does::Later, &["tipc"], "TIPC sockets"),
    word(Does::Later, &["tipcinfo"], "TIPC's own numbers"),
    word(Does::Later, &["xdp"], "XDP sockets"),
    switch(Does::Later, 's', &["summary"], "counts of sockets"),
    switch(Does::Later, 'b', &["bpf"], "socket filters"),
    Flag { versions: NEW, ..word(Does::Later, &["bpf-maps"], "BPF storage of sockets") },
    Flag {
        value: Some("ID"),
        versions: NEW,
        ..word(Does::Later, &["bpf-map-id"], "BPF storage of sockets, of one map")
    },
];

impl Flag {
    /// True if `version` has it.
    pub(crate) fn is_in(&self, version: Version) -> bool {
        self.versions.contains(&version)
    }

    /// True if no `ss` has it.
    pub(crate) fn is_our_own(&self) -> bool {
        matches!(
            self.does,
            Does::Iproute2
                | Does::Json
                | Does::Netns
                | Does::AllNetns
                | Does::ExplainFilter
                | Does::Complete
        )
    }

    /// How it is written, the letter first.
    pub(crate) fn spelling(&self) -> String {
        let short = self.short.map(|letter| format!("-{letter}"));
        let long = self.long.first().map(|word| format!("--{word}"));
        match (short, long) {
            (Some(short), Some(long)) => format!("{short}, {long}"),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_flags_are_written_alike() {
        for version in Version::ALL {
            let flags = || FLAGS.iter().filter(|flag| flag.is_in(version));
            let letters: Vec<_> = flags().filter_map(|flag| flag.short).collect();
            let words: Vec<_> = flags().flat_map(|flag| flag.long).collect();
            assert_eq!(letters.iter().collect::<HashSet<_>>().len(), letters.len());
            assert_eq!(words.iter().collect::<HashSet<_>>().len(), words.len());
        }
    }

    /// The letters that the `ss` of each version takes.
    #[test]
    fn every_letter_of_ss_is_there() {
        for (version, letters) in [
            (Version::V6_1, "dhaletuwxnro460spTbEfmMiADFvVzZNKHSO"),
            (Version::V7_1, "halBetuwxnro460spTbEfmMiADFvVzZNKHQSO"),
        ] {
            let ours: HashSet<_> = FLAGS
                .iter()
                .filter(|flag| flag.is_in(version))
                .filter_map(|flag| flag.short)
                .collect();
            assert_eq!(ours, letters.chars().collect());
        }
    }
}
