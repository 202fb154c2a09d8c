//! What a holder does, in the process that was started for it.

use std::collections::VecDeque;
use std::env;
use std::ffi::CString;
use std::fmt::Write as _;
use std::io::{self, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use rustix::process::{
    Resource, Rlimit, Signal, getrlimit, set_parent_process_death_signal, setrlimit,
};

use super::report::{Holding, Opened, Report, from_hex, to_hex};
use crate::failed;

/// The test that becomes a holder, in a test binary that starts one.
pub const HOLDER: &str = "socket_holder";
/// The thread that does what a holder has to do: a test harness starts one for it.
pub const WORKER: &[u8] = b"worker";

/// Says what a holder has to do: a verb, and `KEY=VALUE`s.
const TASK: &str = "SOCKEYE_LAB_HOLDER";
/// Sockets that a turnover has open at the same time: each lives for a tenth of a second, which is
/// longer than some searches for its owners, and shorter than others.
const OPEN_AT_A_TIME: usize = 100;
/// A turnover starts a child for one in so many sockets.
const SHARED_ONE_IN: usize = 8;
/// A turnover rests so long after each socket.
const REST: Duration = Duration::from_millis(1);

/// This program as a holder.
pub(super) fn again(task: &str) -> io::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["--exact", HOLDER, "--nocapture"]).env(TASK, task).stdout(Stdio::piped());
    Ok(command)
}

/// Becomes a holder, and never returns, if this process was started as one; else does nothing.
pub fn hold_if_asked() {
    crate::task::perform_if_asked(TASK, perform);
}

/// What a holder has to do, taken apart.
struct Task<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Task<'a> {
    fn values(&self, key: &str) -> impl Iterator<Item = &'a str> {
        let value = self.0.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
        value.into_iter().flat_map(|value| value.split(','))
    }

    fn numbers<T: std::str::FromStr>(&self, key: &str) -> io::Result<Vec<T>> {
        let number = |text: &str| text.parse().map_err(|_| failed(key, text));
        self.values(key).map(number).collect()
    }

    fn names(&self, key: &str) -> io::Result<Vec<Vec<u8>>> {
        self.values(key).map(|text| from_hex(text).ok_or_else(|| failed(key, text))).collect()
    }

    /// Names the process's first thread as was asked, and this one [`WORKER`]. Gives the threads.
    fn take_name(&self) -> io::Result<Vec<Sharer>> {
        let name = self.names("name")?.pop().unwrap_or_default();
        let (pid, tid) = numbers()?;
        // The NUL is for the empty name: what is written has a length.
        std::fs::write(format!("/proc/self/task/{pid}/comm"), [&name[..], b"\0"].concat())?;
        let first = Sharer { pid, tid: pid, name };
        if tid == pid {
            return Ok(vec![first]);
        }
        set_name(WORKER)?;
        Ok(vec![first, Sharer { pid, tid, name: WORKER.to_vec() }])
    }
}

fn perform(task: &str) -> io::Result<()> {
    let (verb, words) = task.split_once(' ').unwrap_or((task, ""));
    let task = Task(words.split(' ').filter_map(|word| word.split_once('=')).collect());
    match verb {
        "hold" => hold(&task),
        "inherit" => inherit(&task),
        "turn-over" => turn_over(&task),
        _ => Err(failed("no such task", verb)),
    }
}

fn hold(task: &Task<'_>) -> io::Result<()> {
    let mut sharers = task.take_name()?;
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    let mut sockets = Vec::new();
    let mut opened = Vec::new();
    for kind in 0..task.numbers("sockets")?.pop().unwrap_or(0_usize) {
        open(kind, &mut sockets, &mut opened)?;
    }
    if let Some(first) = sockets.first() {
        let copies = task.numbers("copies")?.into_iter();
        let copies: Vec<OwnedFd> =
            copies.map(|least| fcntl_dupfd_cloexec(first, least)).collect::<Result<_, _>>()?;
        sockets.extend(copies);
    }
    let early = Arc::new(sockets);

    for name in task.names("threads")? {
        sharers.push(start_thread(name, false, &early)?.0);
    }
    let mut apart = Report::default();
    for name in task.names("tables")? {
        apart.extend(start_thread(name, true, &early)?.1);
    }
    let mut late = Vec::new();
    open(UDP, &mut late, &mut opened)?;

    let mut child = None;
    if let Some(name) = task.names("child")?.pop() {
        child = Some(Inheritor::start(&name, &early)?);
    }

    let mut report = Report { holdings: Vec::new(), opened };
    for sharer in &sharers {
        report.holdings.extend(sharer.holdings(early.iter().chain(&late))?);
    }
    report.extend(apart);
    if let Some(child) = &child {
        report.extend(child.report.clone());
    }
    report.print()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// A thread.
struct Sharer {
    pid: u32,
    tid: u32,
    name: Vec<u8>,
}

impl Sharer {
    /// The calling thread, from now on of this name.
    fn named(name: Vec<u8>) -> io::Result<Sharer> {
        set_name(&name)?;
        let (pid, tid) = numbers()?;
        Ok(Sharer { pid, tid, name })
    }

    /// What it holds, if the calling thread shares its file table, and these are all sockets in it.
    fn holdings<'a>(
        &self,
        sockets: impl IntoIterator<Item = &'a OwnedFd>,
    ) -> io::Result<Vec<Holding>> {
        let mut holdings = Vec::new();
        for socket in sockets {
            let fd = socket.as_raw_fd().cast_unsigned();
            holdings.push(self.holding(fd, inode(socket)?));
        }
        holdings.sort_by_key(|holding| holding.fd);
        Ok(holdings)
    }

    fn holding(&self, fd: u32, inode: u32) -> Holding {
        Holding { pid: self.pid, tid: self.tid, fd, inode, name: self.name.clone() }
    }
}

/// Starts a thread that lives as long as the process does. One with a file table of its own reports
/// what it has there.
fn start_thread(
    name: Vec<u8>,
    own_table: bool,
    early: &Arc<Vec<OwnedFd>>,
) -> io::Result<(Sharer, Report)> {
    let (say, said) = mpsc::channel();
    let early = Arc::clone(early);
    let prepare = move || -> io::Result<(Sharer, Report, Vec<OwnedFd>)> {
        let sharer = Sharer::named(name)?;
        let (mut report, mut own) = (Report::default(), Vec::new());
        if own_table {
            unshare(CloneFlags::CLONE_FILES)?;
            open(UDP, &mut own, &mut report.opened)?;
            report.holdings = sharer.holdings(early.iter().chain(&own))?;
        }
        Ok((sharer, report, own))
    };
    thread::Builder::new().spawn(move || {
        let _own = match prepare() {
            Ok((sharer, report, own)) => {
                let _ = say.send(Ok((sharer, report)));
                own
            }
            Err(error) => {
                let _ = say.send(Err(error));
                Vec::new()
            }
        };
        loop {
            thread::park();
        }
    })?;
    said.recv().map_err(io::Error::other)?
}

/// The child of a holder; ends on drop.
struct Inheritor {
    child: Child,
    report: Report,
}

impl Inheritor {
    fn start(name: &[u8], sockets: &[OwnedFd]) -> io::Result<Self> {
        let mut task = format!("inherit name={}", to_hex(name));
        let (first, second) = (sockets.first(), sockets.get(1));
        if let Some(second) = second {
            let _ = write!(task, " fds={}", second.as_raw_fd());
            fcntl_setfd(second, FdFlags::empty())?;
        }
        let mut command = again(&task)?;
        command.stdin(match first {
            Some(first) => Stdio::from(first.try_clone()?),
            None => Stdio::null(),
        });
        let spawned = command.spawn();
        // The descriptor that became the child's standard input is closed here with it.
        drop(command);
        if let Some(second) = second {
            fcntl_setfd(second, FdFlags::CLOEXEC)?;
        }
        let mut inheritor = Inheritor { child: spawned?, report: Report::default() };
        // It stays open, as that of a holder.
        let stdout = inheritor.child.stdout.as_mut();
        let stdout = stdout.ok_or_else(|| failed("a holder's child", "no output"))?;
        let report = Report::until_ready(BufReader::new(stdout))?;
        inheritor.report = report.ok_or_else(|| failed("a holder's child", "ended too early"))?;
        Ok(inheritor)
    }
}

impl Drop for Inheritor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a holder's child does: its descriptors were made before it.
fn inherit(task: &Task<'_>) -> io::Result<()> {
    // If the parent has ended already, there is nobody to print to, and that ends this.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let sharers = task.take_name()?;
    let mut report = Report::default();
    let inherited = task.numbers::<u32>("fds")?;
    for sharer in &sharers {
        for fd in std::iter::once(0).chain(inherited.iter().copied()) {
            if let Some(inode) = socket_inode(fd)? {
                report.holdings.push(sharer.holding(fd, inode));
            }
        }
    }
    report.print()?;
    loop {
        thread::park();
    }
}

fn turn_over(task: &Task<'_>) -> io::Result<()> {
    let sharers = task.take_name()?;
    let longest = Duration::from_secs(task.numbers("seconds")?.pop().unwrap_or(0));
    let (ended, end) = mpsc::channel::<()>();
    thread::spawn(move || {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        drop(ended);
    });
    let start = Instant::now();
    let mut open_now = VecDeque::new();
    for number in 0.. {
        let (mut sockets, mut opened) = (Vec::new(), Vec::new());
        open(LISTENER, &mut sockets, &mut opened)?;
        let copies: Vec<OwnedFd> =
            sockets.iter().map(OwnedFd::try_clone).collect::<Result<_, _>>()?;
        sockets.extend(copies);
        let mut holdings = Vec::new();
        if number % SHARED_ONE_IN == 0
            && let Some(inode) = opened.first().map(|opened| opened.inode)
            && let Some(first) = sockets.first()
        {
            let shared = first.try_clone()?;
            for sharer in &sharers {
                holdings.extend(sharer.holdings([&shared])?);
            }
            let mut command = Command::new("true");
            let mut child = command.stdin(shared).stdout(Stdio::null()).spawn()?;
            let pid = child.id();
            child.wait()?;
            holdings.push(Holding { pid, tid: pid, fd: 0, inode, name: b"true".to_vec() });
        }
        for sharer in &sharers {
            holdings.extend(sharer.holdings(&sockets)?);
        }
        Report { holdings, opened }.print()?;
        open_now.push_back(sockets);
        if open_now.len() > OPEN_AT_A_TIME {
            open_now.pop_front();
        }
        if end.try_recv() != Err(mpsc::TryRecvError::Empty) || start.elapsed() > longest {
            break;
        }
        thread::sleep(REST);
    }
    Ok(())
}

/// Kinds of sockets, in the order in which [`Plan::sockets`] counts them.
const LISTENER: usize = 0;
const UDP: usize = 1;

/// Opens what comes `number`th.
fn open(number: usize, sockets: &mut Vec<OwnedFd>, opened: &mut Vec<Opened>) -> io::Result<()> {
    let mut add = |socket: OwnedFd, tcp, address, peer| -> io::Result<()> {
        opened.push(Opened { inode: inode(&socket)?, tcp, address, peer });
        sockets.push(socket);
        Ok(())
    };
    let any = (Ipv4Addr::LOCALHOST, 0);
    match number % 3 {
        LISTENER => {
            let listener = TcpListener::bind(any)?;
            let address = listener.local_addr()?;
            add(listener.into(), true, address, None)
        }
        UDP => {
            let socket = UdpSocket::bind(any)?;
            let address = socket.local_addr()?;
            add(socket.into(), false, address, None)
        }
        _ => {
            let listener = TcpListener::bind(any)?;
            let client = TcpStream::connect(listener.local_addr()?)?;
            let (server, _) = listener.accept()?;
            let (near, far) = (client.local_addr()?, server.local_addr()?);
            add(client.into(), true, near, Some(far))?;
            add(server.into(), true, far, Some(near))
        }
    }
}

/// Sockets have inode numbers of 32 bits (`sock_i_ino`).
fn inode(socket: &OwnedFd) -> io::Result<u32> {
    Ok(rustix::fs::fstat(socket)?.st_ino as u32)
}

/// The inode number of a descriptor that was inherited, if it is a socket.
fn socket_inode(fd: u32) -> io::Result<Option<u32>> {
    let link = std::fs::read_link(format!("/proc/thread-self/fd/{fd}"))?;
    let link = link.to_string_lossy();
    let number = link.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'));
    Ok(number.and_then(|number| number.parse().ok()))
}

/// The calling thread's process and itself, as `/proc` numbers them, whatever namespace this is in.
fn numbers() -> io::Result<(u32, u32)> {
    let link = std::fs::read_link("/proc/thread-self")?;
    let link = link.to_string_lossy();
    let numbers = link.split_once("/task/");
    let numbers = numbers.and_then(|(pid, tid)| Some((pid.parse().ok()?, tid.parse().ok()?)));
    numbers.ok_or_else(|| failed("/proc/thread-self", link))
}

fn set_name(name: &[u8]) -> io::Result<()> {
    Ok(rustix::thread::set_name(&CString::new(name)?)?)
}
