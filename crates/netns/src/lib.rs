//! Network namespaces: find one or all, name them, and open sockets inside them.
//!
//! A socket belongs for life to the namespace in which it was opened, and can then be used from
//! any thread. So nothing here moves the calling thread: a helper thread is started, moved with
//! setns(2), and hands back what it made. A process that is asked about many namespaces never has a
//! thread of its own in the wrong one.
//!
//! ```no_run
//! # fn main() -> Result<(), sockeye_netns::Error> {
//! let blue = sockeye_netns::Netns::find("blue")?;
//! let listener = blue.run(|| std::net::TcpListener::bind("127.0.0.1:0"))?;
//! # drop(listener);
//! # Ok(())
//! # }
//! ```
//!
//! A command that a user may point at one namespace, or at all, takes a [`Choice`]. Its [`Places`] are
//! visited one after the other by one helper thread, with one namespace open at a time:
//!
//! ```no_run
//! # fn main() -> Result<(), sockeye_netns::Error> {
//! let places = sockeye_netns::Choice::All.places()?;
//! let mut pace = places.pace();
//! for place in &places {
//!     pace.rest();
//!     let listener = place.run(|| std::net::TcpListener::bind("127.0.0.1:0"))?;
//! #   drop(listener);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`host`] tells what namespaces there are, and how much of the host could not be seen.

mod choice;
mod container;
mod error;
mod host;
mod list;
mod mounts;
mod name;
mod pace;
mod place;
mod visit;
mod worker;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

pub use choice::Choice;
pub use error::Error;
pub use host::{Host, Known, Limit, Unseen, host};
pub use list::{Named, named};
pub use name::Name;
pub use pace::Pace;
pub use place::{Changes, Place, Places};
pub use visit::Report;

/// Where ip(8) keeps the namespaces that it named (`NETNS_RUN_DIR` of iproute2).
pub const NAMED_DIRECTORY: &str = "/run/netns";

/// What tells two namespaces apart: device and inode number of the file in nsfs (namespaces(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NetnsId {
    /// Device of the nsfs mount.
    pub device: u64,
    /// Inode number, as `readlink /proc/PID/ns/net` shows it.
    pub inode: u64,
}

impl NetnsId {
    /// What the file at `path` is known by, whatever it is.
    fn of(path: impl AsRef<Path>) -> io::Result<NetnsId> {
        fs::metadata(path).map(|metadata| NetnsId::from(&metadata))
    }
}

impl From<&fs::Metadata> for NetnsId {
    fn from(metadata: &fs::Metadata) -> Self {
        NetnsId { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// An open network namespace. It lives at least as long as this value.
#[derive(Debug)]
pub struct Netns {
    file: File,
    path: PathBuf,
    id: NetnsId,
}

impl Netns {
    /// The namespace of the calling thread.
    ///
    /// # Errors
    /// [`Error::Open`] when /proc is not mounted.
    pub fn current() -> Result<Netns, Error> {
        Netns::open("/proc/thread-self/ns/net")
    }

    /// The namespace of a process.
    ///
    /// # Errors
    /// [`Error::NoProcess`] when there is none with this pid, [`Error::Open`] without the right to
    /// look (CAP_SYS_PTRACE for processes of others).
    pub fn of_process(pid: u32) -> Result<Netns, Error> {
        match Netns::open(format!("/proc/{pid}/ns/net")) {
            Err(Error::Open { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Err(Error::NoProcess { pid })
            }
            other => other,
        }
    }

    /// The namespace that ip(8) knows under this name.
    ///
    /// # Errors
    /// [`Error::NoSuchName`], or [`Error::Open`] when its file cannot be opened.
    pub fn of_name(name: impl AsRef<OsStr>) -> Result<Netns, Error> {
        let name = name.as_ref();
        // A name with a slash, or a dot name, would leave the directory.
        if name.is_empty() || name.as_bytes().contains(&b'/') || name == "." || name == ".." {
            return Err(Error::NoSuchName { name: name.to_owned() });
        }
        match Netns::open(Path::new(NAMED_DIRECTORY).join(name)) {
            Err(Error::Open { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Err(Error::NoSuchName { name: name.to_owned() })
            }
            other => other,
        }
    }

    /// The namespace that a user means by `NAME|PID|PATH`: what has a slash is a path, then a name
    /// of ip(8) counts before a process or thread id, and that before a container, by the name that
    /// [`host`] gives it.
    ///
    /// # Errors
    /// As [`Netns::open`], [`Netns::of_name`] and [`Netns::of_process`].
    pub fn find(target: impl AsRef<OsStr>) -> Result<Netns, Error> {
        let target = target.as_ref();
        if target.as_bytes().contains(&b'/') {
            return Netns::open(target);
        }
        let unknown = match Netns::of_name(target) {
            Err(error @ Error::NoSuchName { .. }) => error,
            named => return named,
        };
        // The id of a container may be all decimal, but then it is too long, or begins with a zero.
        let digits = target.as_bytes().iter().all(u8::is_ascii_digit);
        let pid = target.to_str().filter(|target| digits && !target.starts_with('0'));
        match pid.map(str::parse) {
            Some(Ok(pid)) => Netns::of_process(pid),
            _ => host::of_container(target).unwrap_or(Err(unknown)),
        }
    }

    /// The namespace that a file stands for, a bind mount or a link in /proc.
    ///
    /// # Errors
    /// [`Error::Open`], or [`Error::NotANetns`] for a file that is no namespace, or one of another kind
    /// (mount, pid …).
    pub fn open(path: impl Into<PathBuf>) -> Result<Netns, Error> {
        let path = path.into();
        let open = || {
            // A FIFO must not keep us waiting for somebody who writes to it.
            let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
            let file = File::options().read(true).custom_flags(flags).open(&path)?;
            let id = NetnsId::from(&file.metadata()?);
            Ok((file, id))
        };
        match open() {
            Ok((file, id)) if is_nsfs(&file) && !is_of_another_kind(&file) => {
                Ok(Netns { file, path, id })
            }
            Ok(_) => Err(Error::NotANetns { path }),
            Err(source) => Err(Error::Open { path, source }),
        }
    }

    /// What tells this namespace from others.
    #[must_use]
    pub fn id(&self) -> NetnsId {
        self.id
    }

    /// Where it was found.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `work` on a helper thread inside the namespace and hands back its result. What `work`
    /// opens stays in the namespace, wherever it is used later.
    ///
    /// # Errors
    /// [`Error::Enter`] without CAP_SYS_ADMIN, [`Error::Work`] with what `work` itself failed with.
    pub fn run<T, E>(&self, work: impl FnOnce() -> Result<T, E> + Send) -> Result<T, Error>
    where
        T: Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
    {
        std::thread::scope(|scope| {
            let helper = std::thread::Builder::new()
                .name("netns".into())
                .spawn_scoped(scope, || {
                    self.enter()?;
                    work().map_err(|e| Error::Work { path: self.path.clone(), source: e.into() })
                })
                .map_err(|source| Error::Thread { source })?;
            match helper.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// Moves the calling thread, which has to be one that does nothing else.
    fn enter(&self) -> Result<(), Error> {
        move_into_link_name_space(self.as_fd(), Some(LinkNameSpaceType::Network))
            .map_err(|errno| Error::Enter { path: self.path.clone(), source: errno.into() })
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// True for files of nsfs: what setns(2) takes.
fn is_nsfs(file: &File) -> bool {
    // `NSFS_MAGIC`, linux/magic.h.
    const NSFS_MAGIC: rustix::fs::FsWord = 0x6e73_6673;
    rustix::fs::fstatfs(file).is_ok_and(|fs| fs.f_type == NSFS_MAGIC)
}

/// True for a namespace that is none of the network. Where /proc is not mounted, that shows when it
/// is entered.
fn is_of_another_kind(file: &File) -> bool {
    let link = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()));
    link.is_ok_and(|link| {
        let link = link.as_os_str().as_bytes();
        // A bind mount shows as its path.
        !link.starts_with(b"/") && !link.starts_with(b"net:[")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_namespace_is_that_of_this_process() -> Result<(), Error> {
        let current = Netns::current()?;
        assert_eq!(current.id(), Netns::of_process(std::process::id())?.id());
        assert_eq!(current.id(), Netns::find(std::process::id().to_string())?.id());
        assert_eq!(current.id(), Netns::find("/proc/self/ns/net")?.id());
        Ok(())
    }

    #[test]
    fn what_is_not_there_is_named() {
        let error = Netns::find("no-such-namespace").unwrap_err().to_string();
        assert!(error.contains("no-such-namespace") && error.contains("ip netns"), "{error}");
        // The largest pid of a 64-bit kernel is 4194304.
        assert!(matches!(Netns::find("4194305"), Err(Error::NoProcess { pid: 4_194_305 })));
        assert!(matches!(Netns::find("+1"), Err(Error::NoSuchName { .. })));
        assert!(matches!(Netns::of_name("../self"), Err(Error::NoSuchName { .. })));
        assert!(matches!(Netns::open("/etc/passwd"), Err(Error::NotANetns { .. })));
        assert!(matches!(Netns::open("/no/such/file"), Err(Error::Open { .. })));
    }

    #[test]
    fn a_fifo_is_refused_at_once() {
        let path = std::env::temp_dir().join(format!("sockeye-netns-fifo-{}", std::process::id()));
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let refused = Netns::open(&path);
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(refused, Err(Error::NotANetns { .. })), "{refused:?}");
    }

    #[test]
    fn work_runs_in_the_namespace_and_leaves_this_thread_where_it_was() -> Result<(), Error> {
        let before = Netns::current()?;
        let inside = before.run(Netns::current)?;
        assert_eq!(inside.id(), before.id());
        assert_eq!(Netns::current()?.id(), before.id());
        let failed = before.run(|| Err::<(), _>("cannot")).unwrap_err();
        assert!(matches!(failed, Error::Work { .. }), "{failed}");
        Ok(())
    }

    #[test]
    fn a_namespace_of_another_kind_is_refused() {
        for kind in ["mnt", "uts", "user", "pid"] {
            let refused = Netns::open(format!("/proc/self/ns/{kind}")).unwrap_err();
            assert!(matches!(refused, Error::NotANetns { .. }), "{kind}: {refused}");
        }
    }
}
