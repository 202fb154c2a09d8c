//! What becomes of the sockets: rows of text, or lines of JSON.

use std::io::{self, Write};

use sockeye_diag::procnet::Line;
use sockeye_model::Socket;

use crate::columns;
use crate::inet::Rows;

/// Prints sockets, one after the other.
pub(crate) trait Print {
    /// A place in the output.
    type Mark;

    /// Prints a socket that netlink told of.
    fn socket(&mut self, socket: &Socket) -> io::Result<()>;

    /// Prints a line of /proc.
    fn line(&mut self, line: &Line) -> io::Result<()>;

    /// The place that the output has come to.
    fn mark(&self) -> Self::Mark;

    /// Takes back everything behind the mark. False, and nothing is changed, if some of it has been
    /// written.
    fn set_back(&mut self, mark: &Self::Mark) -> bool;
}

impl<W: Write> Print for Rows<W> {
    type Mark = columns::Mark;

    #[inline]
    fn socket(&mut self, socket: &Socket) -> io::Result<()> {
        Rows::socket(self, socket)
    }

    fn line(&mut self, line: &Line) -> io::Result<()> {
        Rows::line(self, line)
    }

    fn mark(&self) -> columns::Mark {
        self.columns.mark()
    }

    fn set_back(&mut self, mark: &columns::Mark) -> bool {
        self.columns.set_back(mark)
    }
}
