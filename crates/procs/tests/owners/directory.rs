//! Another directory in `/proc`'s place.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::Path;

use sockeye_model::{Name, Owner};
use sockeye_procs::{Error, Search, Sought, Way};

use crate::expected::of;

/// Adds a process, or a thread, with these descriptors.
fn add(directory: &Path, comm: Option<&[u8]>, descriptors: &[(&str, &str)]) {
    fs::create_dir_all(directory.join("fd")).unwrap();
    if let Some(comm) = comm {
        fs::write(directory.join("comm"), comm).unwrap();
    }
    for (descriptor, target) in descriptors {
        symlink(target, directory.join("fd").join(descriptor)).unwrap();
    }
}

fn owner(pid: u32, tid: Option<u32>, fd: u32, comm: &[u8]) -> Owner {
    Owner { pid, tid, fd, comm: Name::new(comm) }
}

#[test]
fn only_links_to_sockets_count() {
    let root = tempfile::tempdir().unwrap();
    let links = [
        ("0", "/dev/null"),
        ("1", "pipe:[70]"),
        ("2", "socket:[70]"),
        ("3", "socket:[71"),
        ("4", "socket:[]"),
        ("5", "socket:[4294967296]"),
        ("6", "socket:[-1]"),
        ("7", "socket:[71] (deleted)"),
        ("8", "anon_inode:[eventpoll]"),
        ("9", "a name that is longer than any that a socket's link has, and ends with socket:[71]"),
        ("ten", "socket:[71]"),
        ("4294967296", "socket:[71]"),
        ("11", "socket:[4294967295]"),
    ];
    add(&root.path().join("10"), Some(b"only\n"), &links);
    // No process: not a number, or a file.
    add(&root.path().join("self"), Some(b"self\n"), &[("2", "socket:[70]")]);
    add(&root.path().join("-1"), Some(b"-1\n"), &[("2", "socket:[70]")]);
    fs::write(root.path().join("11"), b"").unwrap();
    // A process that has just ended, and one that ends while it is looked at.
    fs::create_dir(root.path().join("12")).unwrap();
    add(&root.path().join("13"), None, &[("2", "socket:[72]")]);

    for way in [Way::Any, Way::Proc] {
        let search = Search::new().root(root.path()).way(way);
        let found = search.run(Sought::All).unwrap();
        assert_eq!(of(&found, 70), [owner(10, None, 2, b"only")]);
        assert_eq!(of(&found, 71), []);
        assert_eq!(of(&found, 72), [owner(13, None, 2, b"")]);
        assert_eq!(of(&found, u32::MAX), [owner(10, None, 11, b"only")]);
        assert_eq!(found.unseen(), 0);

        let found = search.run(Sought::Sockets(&[72])).unwrap();
        assert_eq!(of(&found, 70), []);
        assert_eq!(of(&found, 72), [owner(13, None, 2, b"")]);
    }
}

#[test]
fn threads_are_looked_for_when_asked() {
    let root = tempfile::tempdir().unwrap();
    add(&root.path().join("10"), Some(b"first\n"), &[("2", "socket:[70]")]);
    for (tid, name) in [("10", "first\n"), ("11", "second\n"), ("none", "")] {
        add(&root.path().join("10/task").join(tid), Some(name.as_bytes()), &[]);
    }
    // `/proc` shows a thread below its own number, too, though it does not list it.
    let threads = Search::new().root(root.path()).threads(true);
    assert_eq!(of(&threads.run(Sought::All).unwrap(), 70), [owner(10, Some(10), 2, b"first")]);
    let thread = root.path().join("11");
    add(&thread, Some(b"second\n"), &[("5", "socket:[71]")]);
    let found = threads.run(Sought::All).unwrap();
    assert!(of(&found, 71).contains(&owner(10, Some(11), 5, b"second")));
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let root = tempfile::tempdir().unwrap();
    let missing = root.path().join("missing");
    for way in [Way::Any, Way::Proc] {
        let error = Search::new().root(&missing).way(way).run(Sought::All).unwrap_err();
        let Error::Proc { path, source } = &error else { panic!("{error:?}") };
        assert_eq!((path, source.kind()), (&missing, ErrorKind::NotFound));
        assert!(error.to_string().starts_with(&missing.display().to_string()), "{error}");
    }
    let error = Search::new().root(&missing).way(Way::Bpf).run(Sought::All).unwrap_err();
    assert!(matches!(&error, Error::PidNamespace(path) if *path == missing), "{error:?}");
}
