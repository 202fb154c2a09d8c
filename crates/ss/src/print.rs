//! What becomes of the sockets: rows of text, or lines of JSON.

use std::io::{self, Write};

use sockeye_diag::procnet::Line;
use sockeye_model::{Owner, Socket};
use sockeye_netns::Place;

use crate::columns;
use crate::inet::Rows;
use crate::namespaces;

/// Prints sockets, one after the other.
pub(crate) trait Print {
    /// A place in the output.
    type Mark;

    /// What is printed from now on is of this namespace.
    fn enter(&mut self, place: &Place);

    /// Prints a socket that netlink told of. `owners` is `None` where they were not asked for.
    fn socket(&mut self, socket: &Socket, owners: Option<&[Owner]>) -> io::Result<()>;

    /// Prints a line of /proc.
    fn line(&mut self, line: &Line, owners: Option<&[Owner]>) -> io::Result<()>;

    /// The place that the output has come to.
    fn mark(&mut self) -> Self::Mark;

    /// Takes back everything behind the mark. False, and nothing is changed, if some of it has been
    /// written.
    fn set_back(&mut self, mark: &Self::Mark) -> bool;
}

/// Writes what is held, at once.
pub(crate) trait Flush {
    /// Writes all rows so far; what comes later is no narrower.
    fn flush(&mut self) -> io::Result<()>;
}

impl<W: Write> Flush for Rows<W> {
    fn flush(&mut self) -> io::Result<()> {
        self.columns.finish()
    }
}

impl<W: Write> Print for Rows<W> {
    type Mark = columns::Mark;

    fn enter(&mut self, place: &Place) {
        self.names.enter(place);
        if let Some(netns) = &mut self.netns {
            netns.clear();
            namespaces::write_name(netns, place);
        }
    }

    #[inline]
    fn socket(&mut self, socket: &Socket, owners: Option<&[Owner]>) -> io::Result<()> {
        Rows::socket(self, socket, owners)
    }

    fn line(&mut self, line: &Line, owners: Option<&[Owner]>) -> io::Result<()> {
        Rows::line(self, line, owners)
    }

    fn mark(&mut self) -> columns::Mark {
        self.columns.mark()
    }

    fn set_back(&mut self, mark: &columns::Mark) -> bool {
        self.columns.set_back(mark)
    }
}
