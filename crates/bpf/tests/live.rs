//! The programs in this kernel, against sockets that the test opened. They take root.
#![cfg(feature = "programs")]
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sockeye_bpf::{Error, Holding, socket_files};

/// A thread that takes a file table of its own takes a copy of every descriptor of this process, those of
/// other tests among them. So whoever counts descriptors holds this, and so does who makes such a thread.
fn alone() -> MutexGuard<'static, ()> {
    static TABLES: Mutex<()> = Mutex::new(());
    TABLES.lock().unwrap_or_else(PoisonError::into_inner)
}

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
    socket_files::all(|holding| told.push(*holding)).unwrap();
    told
}

/// What `few` tells; `None` on a kernel that cannot (before 6.2), which has to say so.
fn few(inodes: &[u32]) -> Option<Vec<Holding>> {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map(|number| number.parse::<u32>().unwrap_or(0));
    let version = (numbers.next().unwrap(), numbers.next().unwrap());
    match socket_files::few(inodes) {
        Err(Error::Refused { program: "socket_holders", .. }) if version < (6, 2) => None,
        told => Some(told.unwrap()),
    }
}

fn fd(socket: &OwnedFd) -> u32 {
    socket.as_raw_fd().try_into().unwrap()
}

#[test]
fn both_programs_tell_every_descriptor_of_a_socket() {
    let _alone = alone();
    let tcp: OwnedFd = TcpListener::bind("127.0.0.1:0").unwrap().into();
    let udp: OwnedFd = UdpSocket::bind("127.0.0.1:0").unwrap().into();
    let again = tcp.try_clone().unwrap();
    // A file with another kind of inode, of which nothing is to be told.
    let file: OwnedFd = std::fs::File::open("/proc/self/status").unwrap().into();
    let sockets = [&tcp, &udp, &file];
    let mut expected: Vec<_> = [&tcp, &udp, &again].map(|s| (inode(s), fd(s))).into();
    expected.sort_by_key(|(_, fd)| *fd);

    assert_eq!(ours(&all(), &sockets), expected);
    if let Some(few) = few(&sockets.map(inode)) {
        assert_eq!(ours(&few, &sockets), expected);
        assert_eq!(few.len(), expected.len(), "{few:?}");
    }
}

#[test]
fn high_descriptors_are_found_when_references_are_missing() {
    let _alone = alone();
    let low: OwnedFd = TcpListener::bind("127.0.0.1:0").unwrap().into();
    let high = rustix::io::fcntl_dupfd_cloexec(&low, 700).unwrap();
    let expected = [(inode(&low), fd(&low)), (inode(&low), fd(&high))];
    assert_eq!(ours(&all(), &[&low]), expected);
    if let Some(few) = few(&[inode(&low)]) {
        assert_eq!(ours(&few, &[&low]), expected);
    }
}

#[test]
fn a_socket_that_nobody_holds_has_no_descriptors() {
    let _alone = alone();
    let gone = {
        let socket: OwnedFd = UdpSocket::bind("127.0.0.1:0").unwrap().into();
        inode(&socket)
    };
    assert!(all().iter().all(|holding| holding.inode != gone));
    for inodes in [&[gone][..], &[]] {
        assert_eq!(few(inodes).unwrap_or_default(), []);
    }
}

#[test]
fn programs_load_or_say_what_they_need() {
    for (program, loaded) in sockeye_bpf::probe() {
        match loaded {
            Ok(()) => {}
            Err(_) if program.name == "socket_holders" && few(&[]).is_none() => {}
            Err(error) => panic!("{}: {error}", program.name),
        }
    }
}

#[test]
fn a_thread_is_told_with_its_name_and_whether_its_files_are_the_first_ones() {
    let _alone = alone();
    let (ready, wait) = std::sync::mpsc::channel();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::Builder::new().name("of-its-own".into());
    let thread = thread
        .spawn(move || {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_FILES).unwrap();
            ready.send(rustix::thread::gettid()).unwrap();
            let _ = ended.recv();
        })
        .unwrap();
    let tid = wait.recv().unwrap().as_raw_nonzero().get().cast_unsigned();
    let mut told = Vec::new();
    sockeye_bpf::threads(|thread| told.push(*thread)).unwrap();
    drop(end);
    thread.join().unwrap();
    told.retain(|thread| thread.tgid == std::process::id());
    let own = told.iter().find(|thread| thread.tid == tid).unwrap();
    assert!(!own.shares_files && own.comm.starts_with(b"of-its-own\0"), "{own:?}");
    // The test runner's threads, this one among them.
    let me = rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned();
    let shared = told.iter().find(|thread| thread.tid == me).unwrap();
    assert!(shared.shares_files && shared.start_ns < own.start_ns, "{shared:?} {own:?}");
}

#[test]
fn a_table_that_threads_share_counts_once() {
    let _alone = alone();
    // A thread takes a table of its own, and a further one shares that: each tells the low descriptor.
    // The process itself has the socket at a high one alone.
    let low: OwnedFd = TcpListener::bind("127.0.0.1:0").unwrap().into();
    let (sought, number) = (inode(&low), fd(&low));
    let (ready, wait) = std::sync::mpsc::channel();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_FILES).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                ready.send(()).unwrap();
                let _ = ended.recv();
            });
        });
    });
    wait.recv().unwrap();
    let high = rustix::io::fcntl_dupfd_cloexec(&low, 700).unwrap();
    drop(low);
    let (all, few) = (all(), few(&[sought]));
    drop(end);
    thread.join().unwrap();
    let told = |told: &[Holding], own: bool| {
        let told = told.iter().filter(|holding| holding.inode == sought);
        let of = told.filter(move |holding| (holding.tid == holding.tgid) == own);
        of.map(|holding| holding.fd).collect::<Vec<_>>()
    };
    let expected = (vec![fd(&high)], vec![number, number]);
    assert_eq!((told(&all, true), told(&all, false)), expected);
    if let Some(few) = few {
        assert_eq!((told(&few, true), told(&few, false)), expected, "{few:?}");
    }
}

#[test]
fn what_was_opened_by_path_is_told_and_marked() {
    let _alone = alone();
    let socket: OwnedFd = UdpSocket::bind("127.0.0.1:0").unwrap().into();
    let path = format!("/proc/self/fd/{}", socket.as_raw_fd());
    let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC;
    let opened = rustix::fs::open(path, flags, rustix::fs::Mode::empty()).unwrap();
    let high = rustix::io::fcntl_dupfd_cloexec(&opened, 700).unwrap();
    drop(opened);
    let expected = [(fd(&socket), false), (fd(&high), true)];
    let mine = |told: Vec<Holding>| {
        let mine = told.into_iter().filter(|holding| holding.inode == inode(&socket));
        mine.map(|holding| (holding.fd, holding.by_path)).collect::<Vec<_>>()
    };
    assert_eq!(mine(all()), expected);
    if let Some(few) = few(&[inode(&socket)]) {
        assert_eq!(mine(few), expected);
    }
}
