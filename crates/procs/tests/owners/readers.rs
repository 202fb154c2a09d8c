//! Readers that may not see everything, or count processes otherwise: this program again, as such a
//! reader. Each proves to the test that it looked.

use std::env;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use rustix::process::Uid;
use sockeye_lab::Namespace;
use sockeye_lab::holder::{Holder, Plan};
use sockeye_model::Owner;
use sockeye_procs::{Error, HAS_BPF, Limit, Search, Sought, Way};

use crate::expected::of;

/// For the program that is a reader: the socket of which a holder has a descriptor.
const SOCKET: &str = "SOCKEYE_PROCS_SOCKET";
/// What a reader prints when it has looked.
const LOOKED: &str = "it looked at everything";
/// The user `nobody`.
const NOBODY: u32 = 65534;

/// Runs `reader`, a test of this program, by `command` and with the rights and namespaces that this
/// leads to.
#[track_caller]
fn has_looked(mut command: Command, reader: &str, socket: u32) {
    command.args(["--exact", reader, "--nocapture"]).env(SOCKET, socket.to_string());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains(LOOKED), "{text}\n{said}");
}

fn this_program() -> std::path::PathBuf {
    env::current_exe().unwrap()
}

/// The socket that is asked for, if this process is a reader.
fn asked() -> Option<u32> {
    env::var(SOCKET).ok().map(|socket| socket.parse().unwrap())
}

fn inode(listener: &TcpListener) -> u32 {
    let path = format!("/proc/self/fd/{}", listener.as_raw_fd());
    std::fs::metadata(path).unwrap().ino() as u32
}

fn holder(namespace: &Namespace) -> (Holder, u32) {
    let plan = Plan { name: b"of root", sockets: 1, ..Plan::default() };
    let holder = Holder::start(namespace, &plan).unwrap();
    let socket = holder.report().opened[0].inode;
    (holder, socket)
}

#[test]
fn a_process_of_another_user_is_counted_and_its_sockets_have_no_owner() {
    let namespace = Namespace::new("rights").unwrap();
    let (_holder, socket) = holder(&namespace);
    has_looked(Command::new(this_program()), "readers::looks_without_rights", socket);
}

#[test]
fn looks_without_rights() {
    let Some(socket) = asked() else { return };
    let own = TcpListener::bind("127.0.0.1:0").unwrap();
    // Of this thread alone, which is the one that looks; its capabilities go with it.
    rustix::thread::set_thread_uid(Uid::from_raw(NOBODY)).unwrap();

    for threads in [false, true] {
        for way in [Way::Proc, Way::Any] {
            for sought in [Sought::All, Sought::Sockets(&[socket, inode(&own)])] {
                let found = Search::new().threads(threads).way(way).run(sought).unwrap();
                // The holder and the test's process; each process counts once, not each thread.
                let processes = std::fs::read_dir("/proc").unwrap().count() as u64;
                assert!((2..=processes).contains(&found.unseen()), "{}", found.unseen());
                assert_eq!(of(&found, socket), []);
                let own = of(&found, inode(&own));
                assert_is_this_process(&own, std::process::id(), threads);
            }
        }
    }
    if HAS_BPF {
        for sought in [Sought::All, Sought::Sockets(&[socket])] {
            let error = Search::new().way(Way::Bpf).run(sought).unwrap_err();
            assert!(matches!(error, Error::Bpf(_)), "{error:?}");
            let text = error.to_string();
            assert!(text.contains("socket_files") && text.contains("not permitted"), "{text}");
        }
    }
    println!("\n{LOOKED}");
}

#[test]
fn in_another_pid_namespace_processes_have_the_numbers_of_its_proc() {
    let namespace = Namespace::new("inside").unwrap();
    let (_holder, socket) = holder(&namespace);
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--mount-proc", "--kill-child", "--"]).arg(this_program());
    has_looked(command, "readers::looks_from_another_pid_namespace", socket);
}

#[test]
fn with_the_proc_of_another_pid_namespace_processes_have_its_numbers() {
    let namespace = Namespace::new("outside").unwrap();
    let (_holder, socket) = holder(&namespace);
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child", "--"]).arg(this_program());
    has_looked(command, "readers::looks_with_the_outer_proc", socket);
}

/// `/proc` was mounted in it, too: the holder is not to be seen.
#[test]
fn looks_from_another_pid_namespace() {
    let Some(socket) = asked() else { return };
    assert_eq!(std::process::id(), 1);
    looks_by_proc_alone(1, socket, false);
}

/// `/proc` is that of the namespace where the holder is.
#[test]
fn looks_with_the_outer_proc() {
    let Some(socket) = asked() else { return };
    assert_eq!(std::process::id(), 1);
    let link = std::fs::read_link("/proc/self").unwrap();
    let number = link.to_str().unwrap().parse().unwrap();
    assert_ne!(number, 1);
    looks_by_proc_alone(number, socket, true);
}

/// This process has a first thread, and the test's.
fn assert_is_this_process(owners: &[Owner], pid: u32, threads: bool) {
    assert_eq!(owners.len(), 1 + usize::from(threads), "{owners:?}");
    assert!(owners.iter().all(|owner| owner.pid == pid), "{owners:?}");
    assert_eq!(owners.last().unwrap().tid, threads.then_some(pid), "{owners:?}");
}

fn looks_by_proc_alone(this_process: u32, socket: u32, sees_holder: bool) {
    let own = TcpListener::bind("127.0.0.1:0").unwrap();
    for sought in [Sought::All, Sought::Sockets(&[socket, inode(&own)])] {
        let error = Search::new().way(Way::Bpf).run(sought).unwrap_err();
        assert!(matches!(error, Error::PidNamespace(_)), "{error:?}");
        assert!(error.to_string().contains("/proc"), "{error}");
        for way in [Way::Any, Way::Proc] {
            for threads in [false, true] {
                let found = Search::new().way(way).threads(threads).run(sought).unwrap();
                let limit = (!sees_holder).then_some(Limit::PidNamespace);
                assert_eq!(found.limited(), limit);
                let own = of(&found, inode(&own));
                assert_is_this_process(&own, this_process, threads);
                assert_eq!(of(&found, socket).is_empty(), !sees_holder);
            }
        }
    }
    println!("\n{LOOKED}");
}

/// A link longer than PATH_MAX cannot be read. It leads to no socket, and hides none.
#[test]
fn a_file_whose_path_is_too_long_costs_nothing() {
    use rustix::fs::{Mode, OFlags, mkdirat, openat};
    let root = tempfile::tempdir().unwrap();
    let name = "d".repeat(250);
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut deepest = rustix::fs::open(root.path(), flags, Mode::empty()).unwrap();
    for _ in 0..20 {
        mkdirat(&deepest, &name, Mode::RWXU).unwrap();
        deepest = openat(&deepest, &name, flags, Mode::empty()).unwrap();
    }
    let link = format!("/proc/self/fd/{}", deepest.as_raw_fd());
    let error = std::fs::read_link(link).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidFilename);

    let own = TcpListener::bind("127.0.0.1:0").unwrap();
    let found = Search::new().way(Way::Proc).run(Sought::Sockets(&[inode(&own)])).unwrap();
    let mut owners = of(&found, inode(&own));
    // A process that another test starts has a copy of every descriptor until it runs its program.
    owners.retain(|owner| owner.pid == std::process::id());
    assert_is_this_process(&owners, std::process::id(), false);
}
