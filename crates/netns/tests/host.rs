//! The namespaces of a host: whatever holds one, it is found once, and named by the rules.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::ffi::OsString;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use sockeye_lab::Namespace;
use sockeye_netns::{Choice, Error, Known, Name, Netns, NetnsId, Place, host};

const LONGEST: Duration = Duration::from_secs(20);

/// A process that waits; ended on drop.
struct Waiting(Child);

impl Waiting {
    /// Started by the program that these words are, which enters a namespace or makes one.
    fn start(words: &[&str]) -> Waiting {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(["sleep", "120"]).stdin(Stdio::null());
        Waiting(command.spawn().unwrap())
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }

    /// One in a namespace without a name.
    fn apart() -> (Waiting, NetnsId) {
        let waiting = Waiting::start(&["unshare", "--net"]);
        let current = Netns::current().unwrap().id();
        let start = Instant::now();
        loop {
            let id = Netns::of_process(waiting.pid()).unwrap().id();
            if id != current {
                return (waiting, id);
            }
            assert!(start.elapsed() < LONGEST, "it does not move");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// One in the namespace of another.
    fn beside(other: u32, id: NetnsId) -> Waiting {
        let waiting = Waiting::start(&["nsenter", &format!("--net=/proc/{other}/ns/net")]);
        let start = Instant::now();
        while Netns::of_process(waiting.pid()).unwrap().id() != id {
            assert!(start.elapsed() < LONGEST, "it does not move");
            std::thread::sleep(Duration::from_millis(5));
        }
        waiting
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A namespace that a bind mount alone holds.
struct Mounted {
    directory: tempfile::TempDir,
}

impl Mounted {
    fn new() -> Mounted {
        let mounted = Mounted { directory: tempfile::tempdir().unwrap() };
        std::fs::write(mounted.path(), "").unwrap();
        let option = format!("--net={}", mounted.path().display());
        assert!(Command::new("unshare").args([&option, "true"]).status().unwrap().success());
        mounted
    }

    /// With a space in it, which /proc/self/mountinfo escapes.
    fn path(&self) -> PathBuf {
        self.directory.path().join("a namespace")
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path()).status();
    }
}

/// A control group that is called as an engine calls that of a container; removed on drop, when its
/// processes are gone.
struct Group {
    path: PathBuf,
    id: String,
}

impl Group {
    /// `None` where no control group can be made.
    ///
    /// Digits of its id are decimal, as may happen; it must not be taken for that of a process.
    fn new() -> Option<Group> {
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
        let mount = mounts.lines().find_map(|line| {
            let mut words = line.split(' ').skip(1);
            let (path, kind) = (words.next()?, words.next()?);
            (kind == "cgroup2").then(|| Path::new(path).to_owned())
        })?;
        let id = format!("{:08}", std::process::id()).repeat(8);
        let path = mount.join(format!("docker-{id}.scope"));
        std::fs::create_dir(&path).ok()?;
        Some(Group { path, id })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let start = Instant::now();
        while std::fs::remove_dir(&self.path).is_err() && start.elapsed() < LONGEST {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[track_caller]
fn found(id: NetnsId) -> Known {
    let mut all: Vec<Known> = host().unwrap().namespaces;
    all.retain(|known| known.id == id);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn id_of(path: impl Into<PathBuf>) -> NetnsId {
    Netns::open(path).unwrap().id()
}

fn id_of_named(namespace: &Namespace) -> NetnsId {
    Netns::of_name(namespace.name()).unwrap().id()
}

/// The place of all that is this namespace.
fn place(id: NetnsId) -> Place {
    let places = Choice::All.places().unwrap();
    places.iter().find(|place| place.id() == Some(id)).unwrap().clone()
}

fn ip_netns(words: &[&str]) {
    assert!(Command::new("ip").arg("netns").args(words).status().unwrap().success(), "{words:?}");
}

#[test]
fn a_name_of_ip_counts_before_all_others() {
    let namespace = Namespace::new("host").unwrap();
    let id = id_of_named(&namespace);
    let held = [(), ()].map(|()| namespace.spawn(Command::new("sleep").arg("120")).unwrap());
    let held = held.map(Waiting);
    // The same by a second name, which is behind the first in their order.
    let second = format!("{}-0", namespace.name());
    ip_netns(&["attach", &second, &held[0].pid().to_string()]);
    let (known, same) = (found(id), Netns::of_name(&second).unwrap().id());
    ip_netns(&["del", &second]);
    assert_eq!(same, id);
    assert_eq!(known.name, Name::Named(OsString::from(namespace.name())));
    assert_eq!(known.open().unwrap().id(), id);
}

#[test]
fn without_a_name_it_is_a_process() {
    let (waiting, id) = Waiting::apart();
    let pid = waiting.pid();
    assert_eq!(found(id).name, Name::Pid(pid));
    for target in [pid.to_string(), format!("/proc/{pid}/ns/net")] {
        assert_eq!(Netns::find(&target).unwrap().id(), id, "{target}");
    }
    // Of two the lower, and the other one when that is gone.
    let second = Waiting::beside(pid, id);
    let known = found(id);
    assert_eq!(known.name, Name::Pid(pid.min(second.pid())));
    drop(waiting);
    assert_eq!(known.open().unwrap().id(), id);
    assert_eq!(found(id).name, Name::Pid(second.pid()));
    drop(second);
    assert!(matches!(known.open(), Err(Error::Gone { .. })));
    assert!(matches!(Netns::find(pid.to_string()), Err(Error::NoProcess { .. })));
}

#[test]
fn without_a_process_it_is_where_it_is_mounted() {
    let mounted = Mounted::new();
    let id = id_of(mounted.path());
    let known = found(id);
    assert_eq!(known.name, Name::Path(mounted.path()));
    assert_eq!(known.open().unwrap().id(), id);
    assert_eq!(place(id).run(|| Netns::current().unwrap().id()).unwrap(), id);
}

#[test]
fn a_thread_alone_is_enough() {
    let namespace = Namespace::new("thread").unwrap();
    let id = id_of_named(&namespace);
    let (there, arrived) = mpsc::channel();
    let (end, ended) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let (namespace, ended) = (&namespace, ended);
        scope.spawn(move || {
            let inside = namespace.run(move || {
                there.send(std::fs::read_link("/proc/thread-self").unwrap()).unwrap();
                let _ = ended.recv();
            });
            inside.unwrap();
        });
        // Ends the thread also when an assertion fails.
        let _end = end;
        let task = arrived.recv().unwrap();
        let tid: u32 = task.file_name().unwrap().to_str().unwrap().parse().unwrap();
        assert_ne!(tid, std::process::id());
        ip_netns(&["del", namespace.name()]);
        let known = found(id);
        assert_eq!(known.name, Name::Pid(tid));
        assert_eq!(known.open().unwrap().id(), id);
        assert_eq!(Netns::find(tid.to_string()).unwrap().id(), id);
    });
}

#[test]
fn a_container_counts_before_its_processes() {
    // Where no control group can be made, the names of paths are tested alone.
    let Some(group) = Group::new() else { return };
    let ((one, one_id), (two, two_id)) = (Waiting::apart(), Waiting::apart());
    for waiting in [&one, &two] {
        std::fs::write(group.path.join("cgroup.procs"), waiting.pid().to_string()).unwrap();
    }
    let mut both = [(one.pid(), one_id), (two.pid(), two_id)];
    both.sort_unstable();
    let [(low_pid, low), (high_pid, high)] = both;
    let name = group.id.get(..12).unwrap();
    assert_eq!(found(low).name, Name::Container(name.to_owned()));
    assert_eq!(Netns::find(name).unwrap().id(), low);
    for target in [low_pid.to_string(), name.to_owned(), format!("/proc/{low_pid}/ns/net")] {
        let chosen = Choice::One(target.into()).places().unwrap();
        assert_eq!(chosen.iter().next().unwrap().name().unwrap(), name.as_bytes());
    }
    // A second namespace of the same container is told apart.
    assert_eq!(found(high).name, Name::Pid(high_pid));
    drop((one, two));
}

#[test]
fn every_place_is_visited_by_one_thread_and_none_is_moved() {
    let namespaces = [(); 3].map(|()| Namespace::new("places").unwrap());
    let (before, first) = (id_of("/proc/thread-self/ns/net"), id_of("/proc/self/ns/net"));
    let places = Choice::All.places().unwrap();
    assert!(places.len() > 3);
    let mut threads = Vec::new();
    for place in &places {
        let inside = place.run(|| {
            let listener = TcpListener::bind("0.0.0.0:0").unwrap();
            (std::thread::current().id(), Netns::current().unwrap().id(), listener)
        });
        match inside {
            Ok((thread, inside, _listener)) => {
                assert_eq!(Some(inside), place.id(), "{place:?}");
                threads.push(thread);
            }
            // Another test's.
            Err(Error::Gone { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        assert_eq!(id_of("/proc/thread-self/ns/net"), before);
        assert_eq!(id_of("/proc/self/ns/net"), first);
    }
    assert_eq!(threads.remove(0), std::thread::current().id());
    threads.dedup();
    assert_eq!(threads.len(), 1);
    for namespace in &namespaces {
        let id = id_of_named(namespace);
        assert_eq!(places.iter().filter(|place| place.id() == Some(id)).count(), 1);
    }
    let names: Vec<Name> = host().unwrap().namespaces.into_iter().map(|known| known.name).collect();
    assert!(names[1..].is_sorted(), "{names:?}");
}

#[test]
fn one_that_went_away_meanwhile_is_gone_and_the_others_are_not() {
    let (gone, stays) = (Namespace::new("gone").unwrap(), Namespace::new("stays").unwrap());
    let (place, other) = (place(id_of_named(&gone)), place(id_of_named(&stays)));
    drop(gone);
    for _ in 0..2 {
        let error = place.enter().unwrap_err();
        assert!(matches!(error, Error::Gone { .. }), "{error}");
        other.enter().unwrap();
    }
}

#[test]
fn one_that_was_asked_for_is_entered_or_the_error_says_why_not() {
    let namespace = Namespace::new("one").unwrap();
    let id = id_of_named(&namespace);
    for choice in [
        Choice::Named(namespace.name().into()),
        Choice::One(namespace.name().into()),
        Choice::One(format!("/run/netns/{}", namespace.name()).into()),
    ] {
        let places = choice.places().unwrap();
        let place = places.iter().next().unwrap();
        assert_eq!((places.len(), place.id(), place.is_here()), (1, Some(id), false));
        assert_eq!(place.name().unwrap(), namespace.name().as_bytes());
        assert!(places.unseen().is_nothing());
    }
    let here = Choice::One(std::process::id().to_string().into()).places().unwrap();
    assert!(here.iter().next().unwrap().is_here());
    for (choice, words) in [
        (Choice::Named("1".into()), "`ip netns list`"),
        (Choice::One("no-such".into()), "`ip netns list`"),
        (Choice::One("4194305".into()), "no process 4194305"),
        (Choice::One("/no/such/file".into()), "/no/such/file: No such file"),
        (Choice::One("/proc/self/ns/mnt".into()), "/proc/PID/ns/net is one"),
        (Choice::One("/etc/passwd".into()), "/proc/PID/ns/net is one"),
    ] {
        let error = choice.places().unwrap_err().to_string();
        assert!(error.contains(words), "{choice:?}: {error}");
    }
}

/// A bind mount does not tell its kind: the kernel does.
#[test]
fn a_mounted_namespace_of_another_kind_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("uts");
    std::fs::write(&path, "").unwrap();
    let run = |words: &[&str]| Command::new(words[0]).args(&words[1..]).arg(&path).status();
    assert!(run(&["mount", "--bind", "/proc/self/ns/uts"]).unwrap().success());
    let places = Choice::One(path.clone().into()).places().map(|_| ());
    assert!(run(&["umount"]).unwrap().success());
    let error = places.unwrap_err().to_string();
    assert!(error.contains("a namespace of another kind"), "{error}");
}

#[test]
fn those_that_came_and_those_that_are_gone_are_told() {
    let mut places = Choice::All.places().unwrap();
    let blue = Namespace::new("came").unwrap();
    let id = Netns::of_name(blue.name()).unwrap().id();
    let is_blue = |place: &&Place| place.id() == Some(id);
    let changes = places.look_again().unwrap();
    let place = changes.came.iter().find(is_blue).unwrap();
    assert_eq!(place.run(Netns::current).unwrap().unwrap().id(), id);
    assert!(places.look_again().unwrap().came.iter().find(is_blue).is_none());
    place.enter().unwrap();
    // The helper thread was there last, and does not keep it.
    drop(blue);
    assert!(!places.look_again().unwrap().gone.contains(&id), "one look proves nothing");
    assert!(places.look_again().unwrap().gone.contains(&id));
    assert!(places.iter().find(is_blue).is_none());

    let changes = Choice::Here.places().unwrap().look_again().unwrap();
    assert!(changes.came.is_empty() && changes.gone.is_empty());
}
