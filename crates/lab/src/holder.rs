//! Processes that hold sockets in given ways, and say themselves what they hold.
//!
//! A [`Holder`] is this program, executed again, as in [`crowd`](crate::crowd): a test binary has a
//! test of the name [`HOLDER`] that calls [`hold_if_asked`] and does nothing else. It opens sockets,
//! shares them with threads and with a child, and reports every descriptor: it asks the kernel for
//! the inode number of each that it opened, and `/proc/thread-self` for its own numbers, so the
//! report is no search. It waits for the end of its standard input, and so ends with whoever started
//! it, however that ended. Its child ends with it.
//!
//! A [`Turnover`] is a process that opens, duplicates, shares and closes sockets all the time.

use std::collections::VecDeque;
use std::env;
use std::ffi::CString;
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use rustix::process::{Signal, set_parent_process_death_signal};

use crate::{Namespace, failed};

/// The test that becomes a holder, in a test binary that starts one.
pub const HOLDER: &str = "socket_holder";

/// Says what a holder has to do: a verb, and `KEY=VALUE`s.
const TASK: &str = "SOCKEYE_LAB_HOLDER";
/// The thread that does what a holder has to do: a test harness starts one for it.
pub const WORKER: &[u8] = b"worker";
/// The line after the last of a report.
const READY: &str = "sockeye-lab: ready";
/// Sockets that a [`Turnover`] has open at the same time.
const OPEN_AT_A_TIME: usize = 20;
/// A [`Turnover`] starts a child for one in so many sockets.
const SHARED_ONE_IN: usize = 8;
/// A [`Turnover`] rests so long after each socket.
const REST: Duration = Duration::from_micros(500);

/// How a process holds sockets. All names are of 15 bytes at most, without NUL.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plan<'a> {
    /// The name (`comm`) that the process gives itself.
    pub name: &'a [u8],
    /// How many sockets it opens: a TCP listener, a UDP socket and a TCP connection to the listener
    /// (which are two sockets), and so on. When everything else is done it opens one UDP socket more.
    pub sockets: usize,
    /// The first socket gets a further descriptor at or above each of these numbers.
    pub copies: &'a [u32],
    /// Further threads, by their names. (A test harness has another one besides: [`WORKER`].)
    pub threads: &'a [&'a [u8]],
    /// Threads with a file table of their own, by their names: a copy of the process's, without the
    /// last UDP socket, and with a UDP socket that no other thread has.
    pub tables: &'a [&'a [u8]],
    /// A child of this name, which has the first socket as its standard input and the second one at
    /// the number that it has here.
    pub child: Option<&'a [u8]>,
    /// The process is the first one of a PID namespace of its own.
    pub pid_namespace: bool,
}

/// A descriptor of a thread that is a socket.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Holding {
    /// The process, as `/proc` numbers it.
    pub pid: u32,
    /// The thread; the process's first one has the number of the process.
    pub tid: u32,
    /// The descriptor.
    pub fd: u32,
    /// The socket.
    pub inode: u32,
    /// The thread's name.
    pub name: Vec<u8>,
}

/// A socket that was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Opened {
    /// Its inode number.
    pub inode: u32,
    /// The address to which it is bound.
    pub address: SocketAddr,
}

/// What was reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Of each process the threads in the order in which they were started, of each thread the
    /// descriptors from the lowest up.
    pub holdings: Vec<Holding>,
    /// The sockets.
    pub opened: Vec<Opened>,
}

impl Report {
    /// Takes a line, if it is one of a report.
    fn take(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |text: &str| text.parse::<u32>().ok();
        match words[..] {
            ["holds", pid, tid, fd, inode, name] => {
                if let (Some(pid), Some(tid), Some(fd), Some(inode), Some(name)) =
                    (number(pid), number(tid), number(fd), number(inode), from_hex(name))
                {
                    self.holdings.push(Holding { pid, tid, fd, inode, name });
                }
            }
            ["socket", inode, address] => {
                if let (Some(inode), Ok(address)) = (number(inode), address.parse()) {
                    self.opened.push(Opened { inode, address });
                }
            }
            _ => {}
        }
    }

    /// Adds another process's.
    pub fn extend(&mut self, other: Report) {
        self.holdings.extend(other.holdings);
        self.opened.extend(other.opened);
    }
}

/// A process that holds sockets until it is dropped.
#[derive(Debug)]
pub struct Holder {
    process: Process,
    report: Report,
}

impl Holder {
    /// Starts it; returns when it holds everything.
    ///
    /// # Errors
    /// Fails when the process cannot be started or cannot do as planned; it says why on standard
    /// error.
    pub fn start(namespace: &Namespace, plan: &Plan<'_>) -> io::Result<Self> {
        let process = Process::start(namespace, &plan.to_words(), plan.pid_namespace)?;
        let mut holder = Self { process, report: Report::default() };
        holder.report = holder.process.report_until_ready()?;
        let counted = holder.report.holdings.first().map(|holding| holding.pid);
        if counted != Some(holder.pid()) {
            return Err(failed("a holder numbers itself otherwise than its parent", holder.pid()));
        }
        Ok(holder)
    }

    /// The process, as this process's PID namespace numbers it.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.child.id()
    }

    /// What it, its threads and its child hold, for as long as it lives.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }
}

impl Plan<'_> {
    fn to_words(self) -> String {
        let names = |names: &[&[u8]]| names.iter().map(|name| to_hex(name)).collect::<Vec<_>>();
        let mut words = format!("hold name={} sockets={}", to_hex(self.name), self.sockets);
        let copies: Vec<String> = self.copies.iter().map(ToString::to_string).collect();
        let child: Vec<String> = self.child.iter().map(|name| to_hex(name)).collect();
        for (key, values) in [
            ("copies", copies),
            ("threads", names(self.threads)),
            ("tables", names(self.tables)),
            ("child", child),
        ] {
            if !values.is_empty() {
                let _ = write!(words, " {key}={}", values.join(","));
            }
        }
        words
    }
}

/// A process that opens, duplicates, shares and closes TCP listeners all the time.
#[derive(Debug)]
pub struct Turnover {
    process: Process,
    reader: JoinHandle<io::Result<Report>>,
}

impl Turnover {
    /// Starts it; `longest` ends it in any case.
    ///
    /// # Errors
    /// Fails when the process cannot be started.
    pub fn start(namespace: &Namespace, name: &[u8], longest: Duration) -> io::Result<Self> {
        let words = format!("turn-over name={} seconds={}", to_hex(name), longest.as_secs());
        let mut process = Process::start(namespace, &words, false)?;
        let mut stdout = process.stdout()?;
        let reader = thread::spawn(move || {
            let mut report = Report::default();
            let mut line = String::new();
            while stdout.read_line(&mut line)? > 0 {
                report.take(line.trim_end());
                line.clear();
            }
            Ok(report)
        });
        Ok(Self { process, reader })
    }

    /// Ends it, and gives all that it and its children ever held.
    ///
    /// # Errors
    /// Fails when its report could not be read.
    pub fn end(self) -> io::Result<Report> {
        drop(self.process);
        self.reader.join().map_err(|_| io::Error::other("reading a report panicked"))?
    }
}

/// A process of this program; ends on drop.
#[derive(Debug)]
struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Process {
    fn start(namespace: &Namespace, task: &str, pid_namespace: bool) -> io::Result<Self> {
        let mut command = again(task)?;
        command.stdin(Stdio::piped());
        let mut child = namespace.run(|| {
            if pid_namespace {
                // For the children of the thread that does this work, which ends with it.
                unshare(CloneFlags::CLONE_NEWPID)?;
            }
            command.spawn()
        })??;
        let stdin = child.stdin.take();
        Ok(Self { child, stdin })
    }

    fn stdout(&mut self) -> io::Result<BufReader<ChildStdout>> {
        let stdout = self.child.stdout.take();
        stdout.map(BufReader::new).ok_or_else(|| failed("a holder", "its output was read before"))
    }

    fn report_until_ready(&mut self) -> io::Result<Report> {
        let stdout = self.stdout()?;
        report_until_ready(stdout)?
            .ok_or_else(|| failed("a holder ended before it was ready", "see standard error"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

/// This program as a holder.
fn again(task: &str) -> io::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["--exact", HOLDER, "--nocapture"]).env(TASK, task).stdout(Stdio::piped());
    Ok(command)
}

/// Reads a report; `None` when it is not whole. A test harness has printed its own lines before.
fn report_until_ready(stdout: impl BufRead) -> io::Result<Option<Report>> {
    let mut report = Report::default();
    for line in stdout.lines() {
        let line = line?;
        if line == READY {
            return Ok(Some(report));
        }
        report.take(&line);
    }
    Ok(None)
}

/// Becomes a holder, and never returns, if this process was started as one; else does nothing.
pub fn hold_if_asked() {
    let Ok(task) = env::var(TASK) else { return };
    let status = match perform(&task) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("{TASK}=\"{task}\": {error}");
            1
        }
    };
    std::process::exit(status)
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
    print(&report)?;
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
        let stdout = inheritor.child.stdout.take().map(BufReader::new);
        let stdout = stdout.ok_or_else(|| failed("a holder's child", "no output"))?;
        let report = report_until_ready(stdout)?;
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
    print(&report)?;
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
        for sharer in &sharers {
            holdings.extend(sharer.holdings(&sockets)?);
        }
        if number % SHARED_ONE_IN == 0
            && let Some(inode) = opened.first().map(|opened| opened.inode)
            && let Some(first) = sockets.first()
        {
            let shared = Stdio::from(first.try_clone()?);
            let mut child = Command::new("true").stdin(shared).stdout(Stdio::null()).spawn()?;
            let pid = child.id();
            child.wait()?;
            holdings.push(Holding { pid, tid: pid, fd: 0, inode, name: b"true".to_vec() });
        }
        print(&Report { holdings, opened })?;
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
    let mut add = |socket: OwnedFd, address: SocketAddr| -> io::Result<()> {
        opened.push(Opened { inode: inode(&socket)?, address });
        sockets.push(socket);
        Ok(())
    };
    let any = (Ipv4Addr::LOCALHOST, 0);
    match number % 3 {
        LISTENER => {
            let listener = TcpListener::bind(any)?;
            let address = listener.local_addr()?;
            add(listener.into(), address)
        }
        UDP => {
            let socket = UdpSocket::bind(any)?;
            let address = socket.local_addr()?;
            add(socket.into(), address)
        }
        _ => {
            let listener = TcpListener::bind(any)?;
            let client = TcpStream::connect(listener.local_addr()?)?;
            let (server, _) = listener.accept()?;
            let addresses = (client.local_addr()?, server.local_addr()?);
            add(client.into(), addresses.0)?;
            add(server.into(), addresses.1)
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

fn print(report: &Report) -> io::Result<()> {
    // The test harness has left its line open.
    let mut text = String::from("\n");
    for Opened { inode, address } in &report.opened {
        let _ = writeln!(text, "socket {inode} {address}");
    }
    for Holding { pid, tid, fd, inode, name } in &report.holdings {
        let _ = writeln!(text, "holds {pid} {tid} {fd} {inode} {}", to_hex(name));
    }
    let _ = writeln!(text, "{READY}");
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// A word for any bytes, also for none.
fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold("x".to_owned(), |mut word, byte| {
        let _ = write!(word, "{byte:02x}");
        word
    })
}

fn from_hex(word: &str) -> Option<Vec<u8>> {
    let digits = word.strip_prefix('x')?.as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.chunks(2).map(byte).collect()
}
