//! The functions on the way of a socket from the kernel's datagram to its row, each over the same
//! input: what `functions` times and `instructions` counts.
//!
//! Each takes an input made before, so that making it is not measured, and panics when it did not find
//! all of it there: what fails early would look fast.

use std::ffi::OsString;
use std::hint::black_box;
use std::io::{self, Write};
use std::ops::ControlFlow;

use sockeye_diag::{Diag, Extensions, Query, Sockets, inet};
use sockeye_lab::synthetic::{Detail, typical};
use sockeye_model::{Family, Protocol, Socket, States};
use sockeye_netlink::Messages;
use sockeye_netlink::scripted::{Reply, Scripted, done};
use sockeye_ss::{Screen, run_with};
use tempfile::NamedTempFile;

/// Sockets of each input: some ten datagrams.
pub(crate) const SOCKETS: u32 = 1000;
/// Length of struct `inet_diag_msg`.
const INET_DIAG_MSG_LEN: usize = 72;
/// The kernel's datagrams of a dump are at most so long, bytes.
const DATAGRAM_LEN: usize = 32 * 1024;

/// Messages, one after the other.
pub(crate) fn messages(detail: Detail) -> Vec<u8> {
    typical(SOCKETS, detail).to_bytes()
}

/// `netlink`: every message's header, and its length.
pub(crate) fn walk_messages(bytes: &[u8]) {
    let sockets = Messages::new(black_box(bytes)).flatten().filter(|message| message.kind() == 20);
    // The recording's last message is its DONE.
    assert_eq!(sockets.count(), SOCKETS as usize);
}

/// `netlink`: every attribute of every message.
pub(crate) fn walk_attributes(bytes: &[u8]) {
    let mut attributes_seen = 0;
    for message in Messages::new(black_box(bytes)).flatten() {
        let mut attributes = message.attributes_after(INET_DIAG_MSG_LEN);
        while attributes.next() {
            black_box((attributes.kind(), attributes.bytes()));
            attributes_seen += 1;
        }
    }
    assert!(attributes_seen >= 3 * SOCKETS);
}

/// `diag`: every message into one record.
pub(crate) fn decode(bytes: &[u8]) {
    let mut socket = Socket::new(Protocol::TCP);
    let mut sockets = 0;
    for message in Messages::new(black_box(bytes)).flatten() {
        if let Ok(None) = inet::decode(&message, None, &mut socket) {
            black_box(&socket);
            sockets += 1;
        }
    }
    assert_eq!(sockets, SOCKETS);
}

/// A kernel that answers with these sockets, in datagrams of the usual length.
pub(crate) fn kernel(detail: Detail) -> Diag<Scripted> {
    let mut reply = Reply::new();
    let mut datagram = Vec::new();
    let bytes = messages(detail);
    let mut rest = &bytes[..];
    while let Some(length) = rest.first_chunk().map(|length| u32::from_ne_bytes(*length) as usize) {
        let (message, behind) = rest.split_at(length.min(rest.len()));
        if datagram.len() + message.len() > DATAGRAM_LEN || behind.is_empty() {
            reply = reply.bytes(std::mem::take(&mut datagram));
        }
        datagram.extend_from_slice(message);
        rest = behind;
    }
    Diag::new(Scripted::new().reply(reply.datagram([done(0)])))
}

/// `diag`: a whole dump: received, checked, decoded, told apart by its cookies.
pub(crate) fn dump(diag: &mut Diag<Scripted>) {
    struct Sink;
    impl Sockets for Sink {
        fn socket(&mut self, socket: &Socket) -> ControlFlow<()> {
            black_box(socket);
            ControlFlow::Continue(())
        }
        fn restart(&mut self) {}
    }
    let query = Query {
        family: Family::Inet,
        protocol: Protocol::TCP,
        states: States::ALL,
        extensions: Extensions::ALL,
        program: None,
    };
    let report = diag.dump(&query, &mut Sink);
    assert_eq!(report.map(|report| report.sockets).ok(), Some(SOCKETS.into()));
}

/// A recording, and the flags to show it with.
pub(crate) struct Replay {
    file: NamedTempFile,
    flags: &'static str,
}

impl Replay {
    /// Of a dump as `flags` would ask for.
    pub(crate) fn new(flags: &'static str, detail: Detail) -> io::Result<Self> {
        let file = NamedTempFile::new()?;
        typical(SOCKETS, detail).write(file.path())?;
        Ok(Self { file, flags })
    }
}

/// `ss`: a recording into rows.
pub(crate) fn rows(replay: &Replay) {
    let path = replay.file.path().as_os_str();
    let variable = |name: &str| (name == "TCPDIAG_FILE").then(|| path.to_owned());
    let arguments = ["--iproute2", "6.1"].into_iter().chain(replay.flags.split(' '));
    let mut out = Counter(0);
    let status = run_with(
        "ss",
        arguments.map(OsString::from),
        &variable,
        Screen::default(),
        &mut out,
        &mut io::stderr(),
    );
    assert_eq!(status, 0);
    assert!(out.0 > 50 * u64::from(SOCKETS));
}

/// Counts what is written.
struct Counter(u64);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += black_box(bytes).len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
