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
/// Its first byte is what counts.
const LINE_END: [u8; PIECE] = [b'\n'; PIECE];

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
        // Held in a register until the row ends.
        let mut end = self.end;
        let mut gap = 0;
        for column in columns {
            let len = row.get(column.index).map_or(0, |len| usize::from(*len));
            let padding = column.width.saturating_sub(len + column.before);
            gap += column.before + if column.pad_before { padding } else { 0 };
            end = self.cell(end, gap, len, text);
            text = text.get(len..).unwrap_or_default();
            gap = if column.pad_behind { padding } else { 0 };
        }
        self.end = self.cell(end, gap, 1, &LINE_END);
        text
    }

    /// Writes a gap and the first `len` bytes of `text` at `at`, and gives the place behind them.
    #[inline(always)]
    fn cell(&mut self, at: usize, gap: usize, len: usize, text: &[u8]) -> usize {
        if let Some(piece) = text.first_chunk::<PIECE>()
            && let Some(room) = self.bytes.get_mut(at..)
            && let Some(room) = room.first_chunk_mut::<{ 2 * PIECE }>()
            && let Some(spaces) = room.first_chunk_mut()
            && gap < PIECE
            && len <= PIECE
        {
            *spaces = SPACES;
            if let Some(room) = room.get_mut(gap..gap + PIECE) {
                room.copy_from_slice(piece);
            }
            at + gap + len
        } else {
            self.long(at, gap, text.get(..len).unwrap_or(text))
        }
    }

    /// The same of a cell of any length.
    #[inline(never)]
    fn long(&mut self, at: usize, gap: usize, cell: &[u8]) -> usize {
        let (start, end) = (at + gap, at + gap + cell.len());
        if self.bytes.len() < end + 2 * PIECE {
            self.bytes.resize((end + 2 * PIECE).next_power_of_two(), 0);
        }
        if let Some(spaces) = self.bytes.get_mut(at..start) {
            spaces.fill(b' ');
        }
        if let Some(room) = self.bytes.get_mut(start..end) {
            room.copy_from_slice(cell);
        }
        end
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz";

    /// A column: its length in the row, and how it is printed.
    fn column() -> impl Strategy<Value = (usize, usize, usize, bool, bool)> {
        // Lengths, gaps and widths around the size of a piece.
        (0_usize..80, 0_usize..2, 0_usize..120, any::<bool>(), any::<bool>())
    }

    proptest! {
        #[test]
        fn rows_are_laid_out_as_their_columns_say(
            rows in prop::collection::vec(prop::collection::vec(column(), 1..COUNT), 1..20),
        ) {
            let (mut page, mut written, mut expected) = (Page::default(), Vec::new(), String::new());
            for columns in &rows {
                let (mut row, mut shown, mut text) = ([0; COUNT], Vec::new(), Vec::new());
                for (index, (len, before, width, pad_before, pad_behind)) in columns.iter().enumerate() {
                    row[index] = *len as u16;
                    let pad_behind = *pad_behind && !pad_before;
                    shown.push(Shown {
                        index, before: *before, width: *width, pad_before: *pad_before, pad_behind,
                    });
                    let cell: Vec<u8> = LETTERS.iter().cycle().skip(index).take(*len).copied().collect();
                    let cell_text = std::str::from_utf8(&cell).unwrap();
                    let width = width.saturating_sub(*before);
                    expected.push_str(&" ".repeat(*before));
                    expected.push_str(&match (pad_before, pad_behind) {
                        (true, _) => format!("{cell_text:>width$}"),
                        (false, true) => format!("{cell_text:<width$}"),
                        (false, false) => cell_text.to_owned(),
                    });
                    text.extend(cell);
                }
                expected.push('\n');
                // What is behind the row is not the row's.
                text.extend_from_slice(b"BEHIND");
                prop_assert_eq!(page.row(&row, &shown, &text), b"BEHIND");
                page.write_full(&mut written).unwrap();
            }
            page.write(&mut written).unwrap();
            prop_assert_eq!(String::from_utf8(written).unwrap(), expected);
        }
    }

    #[test]
    fn a_page_is_written_when_it_is_full() {
        let columns =
            [Shown { index: 0, before: 0, width: 0, pad_before: false, pad_behind: false }];
        let row = [60_000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let (mut page, mut written) = (Page::default(), Vec::new());
        for lengths in [0, 120_002, 120_002] {
            page.row(&row, &columns, &[b'x'; 60_000]);
            page.write_full(&mut written).unwrap();
            assert_eq!(written.len(), lengths);
        }
        page.write(&mut written).unwrap();
        assert_eq!(written.len(), 180_003);
    }
}
