//! Rows as they are written: cells laid out side by side, and written some rows at a time.
//!
//! Cells and gaps are short, and copied in pieces of fixed size, which is faster than to copy just
//! their length: what a piece has too many, the next one covers.

use std::io::{self, Write};

use crate::columns::COUNT;

/// Lengths of a row's cells, bytes; 0 for a hidden column.
pub(crate) type Lengths = [u16; COUNT];

/// How a visible column is printed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown {
    pub(crate) index: usize,
    /// Spaces before the cell.
    pub(crate) before: usize,
    /// What a cell is padded to, those spaces included.
    pub(crate) width: usize,
    pub(crate) pad_before: bool,
    pub(crate) pad_behind: bool,
}

/// A page is written when it has this many bytes.
const FULL: usize = 1 << 16;
/// Bytes that are copied at once.
const PIECE: usize = 32;
const SPACES: [u8; PIECE] = [b' '; PIECE];

/// Rows to be written.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// The page, and room behind it.
    bytes: Vec<u8>,
    /// Where the page ends.
    end: usize,
}

impl Page {
    /// Appends a row of these columns, whose cells `text` begins with, and gives the text behind
    /// them.
    pub(crate) fn row<'t>(
        &mut self,
        row: &Lengths,
        columns: &[Shown],
        mut text: &'t [u8],
    ) -> &'t [u8] {
        let mut gap = 0;
        for column in columns {
            let len = row.get(column.index).map_or(0, |len| usize::from(*len));
            let padding = column.width.saturating_sub(len + column.before);
            gap += column.before + if column.pad_before { padding } else { 0 };
            self.cell(gap, len, text);
            text = text.get(len..).unwrap_or_default();
            gap = if column.pad_behind { padding } else { 0 };
        }
        self.cell(gap, 1, b"\n                               ");
        text
    }

    /// Appends a gap and the first `len` bytes of `text`.
    #[inline(always)]
    fn cell(&mut self, gap: usize, len: usize, text: &[u8]) {
        if let Some(piece) = text.first_chunk::<PIECE>()
            && let Some(room) = self.bytes.get_mut(self.end..self.end + 2 * PIECE)
            && let Some(spaces) = room.first_chunk_mut()
            && gap < PIECE
            && len <= PIECE
        {
            *spaces = SPACES;
            if let Some(room) = room.get_mut(gap..gap + PIECE) {
                room.copy_from_slice(piece);
            }
            self.end += gap + len;
        } else {
            self.long(gap, text.get(..len).unwrap_or(text));
        }
    }

    /// Appends a gap and a cell of any length.
    fn long(&mut self, gap: usize, cell: &[u8]) {
        let (start, end) = (self.end + gap, self.end + gap + cell.len());
        if self.bytes.len() < end + 2 * PIECE {
            self.bytes.resize((end + 2 * PIECE).next_power_of_two(), 0);
        }
        if let Some(spaces) = self.bytes.get_mut(self.end..start) {
            spaces.fill(b' ');
        }
        if let Some(room) = self.bytes.get_mut(start..end) {
            room.copy_from_slice(cell);
        }
        self.end = end;
    }

    /// Writes the page if it is full.
    pub(crate) fn write_full(&mut self, out: &mut impl Write) -> io::Result<()> {
        if self.end >= FULL { self.write(out) } else { Ok(()) }
    }

    /// Writes the page and begins another one.
    pub(crate) fn write(&mut self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(self.bytes.get(..self.end).unwrap_or_default())?;
        self.end = 0;
        Ok(())
    }
}
