//! What `sockeye kill` prints: a line a socket, and what became of it.

use std::io::{self, BufWriter, StdoutLock, Write};
use std::net::SocketAddr;

use sockeye_diag::Fate;
use sockeye_json::Object;
use sockeye_model::{Context, Endpoint, Kill, KillAnswer, Protocol, Socket};
use sockeye_netns::Place;

/// So many lines are written at once.
const BATCH: usize = 64;

/// What would become of every socket.
pub(super) const WOULD_CLOSE: Kill = Kill { answer: KillAnswer::WouldClose, errno: None };

/// Prints answers. Output that cannot be written ends nothing but the output.
pub(super) struct Answers {
    stdout: BufWriter<StdoutLock<'static>>,
    json: bool,
    /// Whether a line begins with the namespace.
    named: bool,
    line: Vec<u8>,
    /// Lines since the last were written.
    held: usize,
    written: io::Result<()>,
}

impl Answers {
    /// As JSON, or as text, there with the name of the namespace or without.
    pub(super) fn new(json: bool, named: bool) -> Self {
        let stdout = BufWriter::new(io::stdout().lock());
        Answers { stdout, json, named, line: Vec::new(), held: 0, written: Ok(()) }
    }

    /// Prints one.
    pub(super) fn print(&mut self, place: &Place, socket: &Socket, kill: Kill) {
        if self.written.is_ok() {
            self.written = self.write(place, socket, kill);
        }
    }

    /// Writes what is held.
    ///
    /// # Errors
    /// The output could not be written, now or before.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.written?;
        self.stdout.flush()
    }

    fn write(&mut self, place: &Place, socket: &Socket, kill: Kill) -> io::Result<()> {
        let Answers { stdout, line, .. } = self;
        line.clear();
        let netns = place.name();
        if self.json {
            let netns_inode = place.id().map(|id| id.inode);
            let context = Context { netns: netns.as_deref(), netns_inode, ..Context::default() };
            let mut object = Object::open(line);
            object.part(socket).part(&context).part(&kill);
            object.close();
            line.push(b'\n');
        } else {
            if let Some(name) = netns.filter(|_| self.named) {
                write!(line, "{} ", name.escape_ascii())?;
            }
            let protocol = if socket.protocol == Protocol::UDP { "udp" } else { "tcp" };
            let (local, peer) = (address(&socket.local), address(&socket.peer));
            writeln!(line, "{protocol} {local} {peer} {}", words(kill))?;
        }
        stdout.write_all(line)?;
        self.held += 1;
        if self.held == BATCH {
            self.held = 0;
            return stdout.flush();
        }
        Ok(())
    }
}

/// The answer that a fate is.
pub(super) fn answer(fate: Fate) -> Kill {
    let (answer, errno) = match fate {
        Fate::Closed => (KillAnswer::Closed, None),
        Fate::Gone => (KillAnswer::Gone, None),
        Fate::Shadowed(_) => (KillAnswer::Shadowed, None),
        Fate::Refused(errno) => (KillAnswer::Refused, u32::try_from(errno).ok()),
    };
    Kill { answer, errno }
}

fn address(end: &Endpoint) -> SocketAddr {
    SocketAddr::new(end.address, end.port)
}

fn words(kill: Kill) -> String {
    match (kill.answer, kill.errno.and_then(|errno| i32::try_from(errno).ok())) {
        (KillAnswer::WouldClose, _) => "would be closed".to_owned(),
        (KillAnswer::Closed, _) => "closed".to_owned(),
        (KillAnswer::Gone, _) => "gone before".to_owned(),
        (KillAnswer::Shadowed, _) => format!("not closed: {}", sockeye_ss::NOT_FOUND),
        (KillAnswer::Refused, Some(errno)) => {
            format!("not closed: {}", sockeye_ss::refusal(errno))
        }
        (KillAnswer::Refused, None) => "not closed: the kernel refused".to_owned(),
    }
}
