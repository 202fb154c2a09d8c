//! Prints sockets with their owners.
//!
//! The first sockets wait for theirs. If they are few in the end, only their owners are looked for; if
//! they become many, those of all sockets are, once, and whatever comes is printed at once.

use std::io;

use sockeye_diag::procnet::Line;
use sockeye_model::{Owner, Socket};
use sockeye_netns::Place;
use sockeye_procs::{FEW, HAS_BPF, Limit, Owners, Search, Sought};

use crate::outcome::Outcome;
use crate::print::Print;

/// Gives `rows` the owners of the sockets that it is to print.
pub(crate) struct Owned<'a, P: Print> {
    rows: &'a mut P,
    search: Search,
    /// `None` as long as sockets wait.
    owners: Option<Owners>,
    waiting: Vec<Waiting>,
    /// Namespaces, each with the number of sockets that waited when it was entered.
    places: Vec<(usize, Place)>,
    /// The last mark that was taken while sockets waited: how many did, and the place in `rows` that
    /// this became. One is enough, since of one dump after the other only the last can begin again.
    marked: (usize, Option<P::Mark>),
    /// Those of one socket.
    found: Vec<Owner>,
    /// Sockets with an inode that were shown without owners.
    without: u64,
    failure: Option<sockeye_procs::Error>,
}

enum Waiting {
    Socket(Socket),
    Line(Line),
}

/// A place in the output.
pub(crate) enum Mark<M> {
    /// Behind so many sockets that wait.
    Waiting(usize),
    Printed(M),
}

impl<'a, P: Print> Owned<'a, P> {
    pub(crate) fn new(rows: &'a mut P, search: Search) -> Self {
        Owned {
            rows,
            search,
            owners: None,
            waiting: Vec::new(),
            places: Vec::new(),
            marked: (0, None),
            found: Vec::new(),
            without: 0,
            failure: None,
        }
    }

    /// Prints what still waits, and says what was not to be seen.
    ///
    /// # Errors
    /// Output that cannot be written.
    pub(crate) fn finish(mut self, outcome: &mut Outcome) -> io::Result<()> {
        if self.owners.is_none() {
            let inodes = self.waiting.iter().map(Waiting::inode).filter(|inode| *inode != 0);
            let inodes: Vec<u32> = inodes.collect();
            self.look(Sought::Sockets(&inodes))?;
        }
        if let Some(error) = &self.failure {
            outcome.failed(format_args!("owners are not shown: {error}"));
        }
        let owners = self.owners.unwrap_or_default();
        let (unseen, limit, without) = (owners.unseen(), owners.limited(), self.without);
        if without > 0 && (unseen > 0 || limit.is_some()) {
            let way_out = match limit {
                Some(Limit::PidNamespace) => {
                    "those outside this PID namespace are not seen at all: look from the initial one"
                }
                Some(Limit::Hidepid) => {
                    "/proc is mounted with hidepid and leaves out others: CAP_SYS_PTRACE shows them, or \
                     CAP_BPF and CAP_PERFMON"
                }
                None => {
                    "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH show their descriptors, or CAP_BPF and \
                     CAP_PERFMON"
                }
            };
            outcome.incomplete(format_args!(
                "sockets shown without owner: {without}; processes that may not be looked into: \
                 {unseen}; {way_out}"
            ));
        }
        if !HAS_BPF {
            outcome.note(format_args!(
                "this build has no BPF programs: owners were found by reading all of /proc"
            ));
        }
        Ok(())
    }

    /// Looks for owners, and prints what waited for them.
    fn look(&mut self, sought: Sought<'_>) -> io::Result<()> {
        let owners = match self.search.run(sought) {
            Ok(owners) => owners,
            Err(error) => {
                self.failure = Some(error);
                Owners::default()
            }
        };
        self.owners = Some(owners);
        let mut places = std::mem::take(&mut self.places).into_iter().peekable();
        for (index, waiting) in std::mem::take(&mut self.waiting).iter().enumerate() {
            while let Some((_, place)) = places.next_if(|(first, _)| *first <= index) {
                self.rows.enter(&place);
            }
            if index == self.marked.0 {
                self.marked.1 = Some(self.rows.mark());
            }
            match waiting {
                Waiting::Socket(socket) => self.print_socket(socket)?,
                Waiting::Line(line) => self.print_line(line)?,
            }
        }
        places.for_each(|(_, place)| self.rows.enter(&place));
        Ok(())
    }

    /// Has a socket wait; or, when there are many, prints it with those before it.
    fn wait(&mut self, waiting: Waiting) -> io::Result<()> {
        self.waiting.push(waiting);
        if self.waiting.len() <= FEW { Ok(()) } else { self.look(Sought::All) }
    }

    fn find(&mut self, inode: u32) {
        self.found.clear();
        if inode == 0 {
            return;
        }
        self.found.extend(self.owners.iter().flat_map(|owners| owners.of(inode)));
        if self.found.is_empty() {
            self.without += 1;
        }
    }

    fn print_socket(&mut self, socket: &Socket) -> io::Result<()> {
        self.find(socket.inode);
        let known = self.failure.is_none().then_some(self.found.as_slice());
        self.rows.socket(socket, known)
    }

    fn print_line(&mut self, line: &Line) -> io::Result<()> {
        self.find(line.socket.inode);
        let known = self.failure.is_none().then_some(self.found.as_slice());
        self.rows.line(line, known)
    }
}

impl Waiting {
    fn inode(&self) -> u32 {
        match self {
            Waiting::Socket(socket) => socket.inode,
            Waiting::Line(line) => line.socket.inode,
        }
    }
}

impl<P: Print> Print for Owned<'_, P> {
    type Mark = Mark<P::Mark>;

    fn enter(&mut self, place: &Place) {
        match self.owners {
            Some(_) => self.rows.enter(place),
            None => {
                // Of several without a socket between them, the last counts.
                self.places.pop_if(|(first, _)| *first == self.waiting.len());
                self.places.push((self.waiting.len(), place.clone()));
            }
        }
    }

    fn socket(&mut self, socket: &Socket, _: Option<&[Owner]>) -> io::Result<()> {
        match self.owners {
            None => self.wait(Waiting::Socket(socket.clone())),
            Some(_) => self.print_socket(socket),
        }
    }

    fn line(&mut self, line: &Line, _: Option<&[Owner]>) -> io::Result<()> {
        match self.owners {
            None => self.wait(Waiting::Line(line.clone())),
            Some(_) => self.print_line(line),
        }
    }

    fn mark(&mut self) -> Mark<P::Mark> {
        if self.owners.is_some() {
            return Mark::Printed(self.rows.mark());
        }
        self.marked = (self.waiting.len(), None);
        Mark::Waiting(self.waiting.len())
    }

    fn set_back(&mut self, mark: &Mark<P::Mark>) -> bool {
        match mark {
            Mark::Printed(mark) => self.rows.set_back(mark),
            Mark::Waiting(length) if self.owners.is_none() => {
                self.waiting.truncate(*length);
                true
            }
            Mark::Waiting(length) => match &self.marked {
                (marked, Some(mark)) if marked == length => self.rows.set_back(mark),
                _ => false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sockeye_model::Protocol;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    /// What was printed: inode numbers, and the descriptors of their owners.
    #[derive(Default)]
    struct Printed(Vec<(u32, Vec<u32>)>);

    impl Print for Printed {
        type Mark = usize;

        fn enter(&mut self, _: &Place) {}

        fn socket(&mut self, socket: &Socket, owners: Option<&[Owner]>) -> io::Result<()> {
            // Absent where they could not be looked for.
            let owners = owners
                .map_or(vec![u32::MAX], |owners| owners.iter().map(|owner| owner.fd).collect());
            self.0.push((socket.inode, owners));
            Ok(())
        }

        fn line(&mut self, line: &Line, owners: Option<&[Owner]>) -> io::Result<()> {
            self.socket(&line.socket, owners)
        }

        fn mark(&mut self) -> usize {
            self.0.len()
        }

        fn set_back(&mut self, mark: &usize) -> bool {
            self.0.truncate(*mark);
            true
        }
    }

    fn socket(inode: u32) -> Socket {
        Socket { inode, ..Socket::new(Protocol::TCP) }
    }

    /// A directory like /proc: process 10 holds socket 7 by 3 and 4, and socket 8 by 5.
    fn proc() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let files = root.path().join("10/fd");
        std::fs::create_dir_all(&files).unwrap();
        std::fs::write(root.path().join("10/comm"), "nginx\n").unwrap();
        for (fd, inode) in [(3, 7), (4, 7), (5, 8)] {
            symlink(format!("socket:[{inode}]"), files.join(fd.to_string())).unwrap();
        }
        root
    }

    fn owned<'a>(printed: &'a mut Printed, root: &Path) -> Owned<'a, Printed> {
        Owned::new(printed, Search::new().root(root))
    }

    #[test]
    fn few_sockets_wait_for_their_owners() {
        let (mut printed, root) = (Printed::default(), proc());
        let mut rows = owned(&mut printed, root.path());
        for inode in [8, 0, 9, 7] {
            rows.socket(&socket(inode), None).unwrap();
        }
        let mut outcome = Outcome::default();
        rows.finish(&mut outcome).unwrap();
        let mut seven = printed.0.pop().unwrap();
        // The order of a directory that is not /proc is its file system's.
        seven.1.sort_unstable();
        assert_eq!(seven, (7, vec![3, 4]));
        assert_eq!(printed.0, [(8, vec![5]), (0, vec![]), (9, vec![])]);
        assert_eq!(outcome.finish("ss", &mut Vec::new()), crate::outcome::DONE);
    }

    #[test]
    fn many_sockets_are_printed_as_they_come() {
        let (mut printed, root) = (Printed::default(), proc());
        let mut rows = owned(&mut printed, root.path());
        for number in 0..FEW {
            rows.socket(&socket(if number == 0 { 8 } else { 0 }), None).unwrap();
        }
        assert!(rows.owners.is_none() && rows.rows.0.is_empty());
        rows.socket(&socket(0), None).unwrap();
        assert_eq!(rows.rows.0.len(), FEW + 1);
        rows.socket(&socket(8), None).unwrap();
        assert_eq!((&rows.rows.0[0], &rows.rows.0[FEW + 1]), (&(8, vec![5]), &(8, vec![5])));
    }

    #[test]
    fn a_dump_that_begins_again_is_taken_back_whether_it_waits_or_not() {
        let (mut printed, root) = (Printed::default(), proc());
        let mut rows = owned(&mut printed, root.path());
        rows.socket(&socket(1), None).unwrap();
        let mark = rows.mark();
        rows.socket(&socket(2), None).unwrap();
        assert!(rows.set_back(&mark));
        let mark = rows.mark();
        for _ in 0..=FEW {
            rows.socket(&socket(3), None).unwrap();
        }
        assert!(rows.set_back(&mark));
        rows.socket(&socket(4), None).unwrap();
        let mark = rows.mark();
        rows.socket(&socket(5), None).unwrap();
        assert!(rows.set_back(&mark));
        rows.finish(&mut Outcome::default()).unwrap();
        let inodes: Vec<u32> = printed.0.iter().map(|(inode, _)| *inode).collect();
        assert_eq!(inodes, [1, 4]);
    }

    #[test]
    fn a_proc_that_cannot_be_read_is_named_and_the_rows_are_shown() {
        let mut printed = Printed::default();
        let mut rows = owned(&mut printed, Path::new("/nonexistent/proc"));
        rows.socket(&socket(7), None).unwrap();
        let (mut outcome, mut said) = (Outcome::default(), Vec::new());
        rows.finish(&mut outcome).unwrap();
        assert_eq!(printed.0, [(7, vec![u32::MAX])]);
        assert_eq!(outcome.finish("ss", &mut said), crate::outcome::FAILED);
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains("owners are not shown: /nonexistent/proc: "), "{said}");
    }
}
