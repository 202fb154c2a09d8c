//! The programs in this kernel, against sockets that the test opened. They take root.
#![cfg(feature = "programs")]
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use sockeye_bpf::{Holding, SocketFiles};

/// Inode numbers as both programs and sock_diag tell them: 32 bits.
fn inode(socket: &OwnedFd) -> u32 {
    let path = format!("/proc/self/fd/{}", socket.as_raw_fd());
    std::fs::metadata(path).unwrap().ino() as u32
}

/// Ours among those: inode and descriptor, in the order told.
fn ours(told: &[Holding], sockets: &[&OwnedFd]) -> Vec<(u32, u32)> {
    let inodes: Vec<u32> = sockets.iter().map(|socket| inode(socket)).collect();
    told.iter()
        .filter(|holding| holding.tgid == std::process::id() && inodes.contains(&holding.inode))
        .inspect(|holding| {
            assert_eq!(holding.tid, holding.tgid, "threads here share the first one's table");
            let name = std::fs::read_to_string("/proc/self/comm").unwrap();
            let name = name.trim_end_matches('\n').as_bytes();
            assert_eq!(&holding.comm[..name.len()], name);
            assert!(holding.comm[name.len()..].iter().all(|byte| *byte == 0));
        })
        .map(|holding| (holding.inode, holding.fd))
        .collect()
}

fn all() -> Vec<Holding> {
    let mut told = Vec::new();
    SocketFiles::all(|holding| told.push(*holding)).unwrap();
    told
}

fn fd(socket: &OwnedFd) -> u32 {
    socket.as_raw_fd().try_into().unwrap()
}

#[test]
fn both_programs_tell_every_descriptor_of_a_socket() {
    let tcp: OwnedFd = TcpListener::bind("127.0.0.1:0").unwrap().into();
    let udp: OwnedFd = UdpSocket::bind("127.0.0.1:0").unwrap().into();
    let again = tcp.try_clone().unwrap();
    // A file with another kind of inode, of which nothing is to be told.
    let file: OwnedFd = std::fs::File::open("/proc/self/status").unwrap().into();
    let sockets = [&tcp, &udp, &file];
    let mut expected: Vec<_> = [&tcp, &udp, &again].map(|s| (inode(s), fd(s))).into();
    expected.sort_by_key(|(_, fd)| *fd);

    assert_eq!(ours(&all(), &sockets), expected);
    let few = SocketFiles::of(&sockets.map(inode)).unwrap();
    assert_eq!(ours(&few, &sockets), expected);
    assert_eq!(few.len(), expected.len(), "{few:?}");
}

#[test]
fn high_descriptors_are_found_when_references_are_missing() {
    let low: OwnedFd = TcpListener::bind("127.0.0.1:0").unwrap().into();
    let high = rustix::io::fcntl_dupfd_cloexec(&low, 700).unwrap();
    let few = SocketFiles::of(&[inode(&low)]).unwrap();
    assert_eq!(ours(&few, &[&low]), [(inode(&low), fd(&low)), (inode(&low), fd(&high))]);
}

#[test]
fn a_socket_that_nobody_holds_has_no_descriptors() {
    let gone = {
        let socket: OwnedFd = UdpSocket::bind("127.0.0.1:0").unwrap().into();
        inode(&socket)
    };
    assert_eq!(SocketFiles::of(&[gone]).unwrap(), []);
    assert_eq!(SocketFiles::of(&[]).unwrap(), []);
}

#[test]
fn every_program_loads_on_a_kernel_as_new_as_this() {
    for (program, loaded) in sockeye_bpf::probe() {
        assert!(loaded.is_ok(), "{}: {}", program.name, loaded.unwrap_err());
    }
}
