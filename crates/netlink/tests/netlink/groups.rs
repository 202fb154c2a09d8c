//! Multicast groups of this host's kernel: of any number, and what is none. No event is waited for.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use sockeye_netlink::{Multicast, Protocol};

/// `RTNLGRP_BRVLAN`, the first that `bind` does not reach.
const RTNLGRP_BRVLAN: u32 = 33;
/// `RTNLGRP_NEXTHOP`, the last that it does.
const RTNLGRP_NEXTHOP: u32 = 32;

#[test]
fn groups_of_any_number_are_joined() {
    let groups = [RTNLGRP_NEXTHOP, RTNLGRP_BRVLAN];
    let mut multicast = Multicast::open(Protocol::ROUTE, groups).unwrap();
    assert!(multicast.set_receive_buffer(1 << 16).unwrap() >= 1 << 16);
    // The kernel's view: a line of /proc/net/netlink has the groups up to 32 as a bitmap.
    let portid = multicast.socket().portid().unwrap().to_string();
    let table = std::fs::read_to_string("/proc/thread-self/net/netlink").unwrap();
    let row = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let row = row.into_iter().find(|row| row[1] == "0" && row[2] == portid).unwrap();
    assert_eq!(row[3], "80000000");
    while multicast.next_ready().unwrap().is_some() {}
    assert_eq!(multicast.foreign(), 0);
}

#[test]
fn a_group_that_the_protocol_does_not_have_is_refused() {
    for group in [0, 100_000, u32::MAX] {
        let refused = Multicast::open(Protocol::ROUTE, [group]).unwrap_err();
        assert_eq!(refused.errno(), Some(libc::EINVAL), "{group}: {refused}");
        assert!(refused.to_string().contains("multicast group"), "{refused}");
    }
}

#[test]
fn waiting_ends_when_it_is_told_to() {
    let multicast = Multicast::open(Protocol::ROUTE, [RTNLGRP_BRVLAN]).unwrap();
    let (stop, stopper) = UnixStream::pair().unwrap();
    let stop = OwnedFd::from(stop);
    assert!(!multicast.wait(stop.as_fd(), Some(Duration::from_millis(1))).unwrap());
    drop(stopper);
    assert!(!multicast.wait(stop.as_fd(), None).unwrap());
}
