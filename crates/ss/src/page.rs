//! How cells stand in rows: padded where they are, or laid out anew.
//!
//! Cells and gaps are short, and copied in pieces of fixed size, which is faster than to copy just
//! their length: what a piece has too many, the next one covers.

use std::io::{self, Write};

use crate::layout::{COUNT, Lengths, Slot, Slots};

/// How a visible column's cells are laid out anew.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Move {
    index: usize,
    from: Slot,
    to: Slot,
}

impl Move {
    /// What takes the cells of the columns that are shown from one layout to another.
    pub(crate) fn all(from: &Slots, to: &Slots, shown: &[bool; COUNT]) -> Vec<Move> {
        let columns = from.iter().zip(to).zip(shown).enumerate();
        columns
            .filter(|(_, (_, shown))| **shown)
            .map(|(index, ((from, to), _))| Move { index, from: *from, to: *to })
            .collect()
    }
}

/// A page is written when it has this many bytes.
const FULL: usize = 1 << 16;
/// Bytes that are copied at once.
const PIECE: usize = 32;
const SPACES: [u8; PIECE] = [b' '; PIECE];
/// Its first byte is what counts.
const LINE_END: [u8; PIECE] = [b'\n'; PIECE];

/// Appends spaces.
#[inline]
pub(crate) fn spaces(text: &mut Vec<u8>, count: usize) {
    if count > PIECE {
        return text.resize(text.len() + count, b' ');
    }
    let end = text.len() + count;
    text.extend_from_slice(&SPACES);
    text.truncate(end);
}

/// Pads the cell that begins at `cell` and ends with the text, by some spaces.
#[inline]
pub(crate) fn pad(text: &mut Vec<u8>, cell: usize, right_aligned: bool, padding: usize) {
    if right_aligned {
        pad_before(text, cell, padding);
    } else {
        spaces(text, padding);
    }
}

#[inline(never)]
fn pad_before(text: &mut Vec<u8>, cell: usize, padding: usize) {
    let end = text.len();
    text.resize(end + padding, b' ');
    text.copy_within(cell..end, cell + padding);
    if let Some(spaces) = text.get_mut(cell..cell + padding) {
        spaces.fill(b' ');
    }
}

/// Rows that are laid out anew.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// The page, and room behind it.
    bytes: Vec<u8>,
    /// Where the page ends.
    end: usize,
}

impl Page {
    /// Appends the row that `text` begins with, with its cells in other slots, and gives the text behind
    /// it.
    pub(crate) fn row<'t>(&mut self, row: &Lengths, moves: &[Move], text: &'t [u8]) -> &'t [u8] {
        let (text, gap) = self.cells(row, moves, text);
        self.end_row(gap);
        // The end of the line.
        text.get(1..).unwrap_or_default()
    }

    /// Appends the row that the text is, in which the cell of column `open` is the last, and not closed.
    pub(crate) fn open_row(&mut self, row: &Lengths, open: usize, moves: &[Move], text: &[u8]) {
        let count = moves.iter().take_while(|column| column.index < open).count();
        let (closed, rest) = moves.split_at_checked(count).unwrap_or_default();
        let (text, gap) = self.cells(row, closed, text);
        match rest.first() {
            Some(column) if column.index == open => {
                let text = text.get(usize::from(column.from.apart)..).unwrap_or_default();
                let len = row.get(open).map_or(0, |len| usize::from(*len));
                let (before, behind) = column.to.around(len);
                self.end = self.cell(self.end, gap + before, len, text);
                self.end_row(behind);
            }
            _ => self.end_row(gap),
        }
    }

    /// Appends cells. Gives the text behind them, and the spaces that are to follow.
    #[inline]
    fn cells<'t>(
        &mut self,
        row: &Lengths,
        moves: &[Move],
        mut text: &'t [u8],
    ) -> (&'t [u8], usize) {
        // Held in a register until the row ends.
        let mut end = self.end;
        let mut gap = 0;
        for Move { index, from, to } in moves {
            let len = row.get(*index).map_or(0, |len| usize::from(*len));
            let (skipped, skipped_behind) = from.around(len);
            let (before, behind) = to.around(len);
            text = text.get(skipped..).unwrap_or_default();
            end = self.cell(end, gap + before, len, text);
            text = text.get(len + skipped_behind..).unwrap_or_default();
            gap = behind;
        }
        self.end = end;
        (text, gap)
    }

    fn end_row(&mut self, gap: usize) {
        self.end = self.cell(self.end, gap, 1, &LINE_END);
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

    /// Lengths, gaps and widths around the size of a piece.
    fn slot() -> impl Strategy<Value = Slot> {
        (any::<bool>(), 0_u32..120, any::<bool>()).prop_map(|(apart, room, right_aligned)| Slot {
            apart,
            room,
            right_aligned,
        })
    }

    fn slots() -> impl Strategy<Value = Slots> {
        prop::array::uniform(slot())
    }

    fn cell(index: usize, len: u16) -> String {
        LETTERS.iter().cycle().skip(index).take(len.into()).map(|byte| *byte as char).collect()
    }

    /// The first cells of a row, as the slots say.
    fn laid_out(row: &Lengths, slots: &Slots, count: usize) -> String {
        let mut text = String::new();
        for (index, (len, slot)) in row.iter().zip(slots).enumerate().take(count) {
            let (cell, room) = (cell(index, *len), slot.room as usize);
            text.push_str(if slot.apart { " " } else { "" });
            text.push_str(&if slot.right_aligned {
                format!("{cell:>room$}")
            } else {
                format!("{cell:<room$}")
            });
        }
        text
    }

    proptest! {
        #[test]
        fn a_cell_is_padded_where_it_is(len in 0_u16..80, slot in slot()) {
            let mut text = b"before".to_vec();
            text.extend_from_slice(cell(0, len).as_bytes());
            let padding = (slot.room as usize).saturating_sub(len.into());
            pad(&mut text, 6, slot.right_aligned, padding);
            let mut row = [0; COUNT];
            row[0] = len;
            let expected = laid_out(&row, &[Slot { apart: false, ..slot }; COUNT], 1);
            prop_assert_eq!(String::from_utf8(text).unwrap(), format!("before{expected}"));
        }

        #[test]
        fn rows_are_laid_out_anew(
            rows in prop::collection::vec(prop::array::uniform(0_u16..80), 1..20),
            (from, to) in (slots(), slots()),
            open in 0..COUNT,
        ) {
            let (mut page, mut written, mut expected) = (Page::default(), Vec::new(), String::new());
            let moves = Move::all(&from, &to, &[true; COUNT]);
            for row in &rows {
                let mut text = laid_out(row, &from, COUNT) + "\nBEHIND";
                prop_assert_eq!(page.row(row, &moves, text.as_bytes()), b"BEHIND");
                expected += &(laid_out(row, &to, COUNT) + "\n");
                // Of the open row, the open cell is not padded yet.
                text = laid_out(row, &from, open);
                text.push_str(if from[open].apart { " " } else { "" });
                text.push_str(&cell(open, row[open]));
                page.open_row(row, open, &moves, text.as_bytes());
                expected += &(laid_out(row, &to, open + 1) + "\n");
                page.write_full(&mut written).unwrap();
            }
            page.write(&mut written).unwrap();
            prop_assert_eq!(String::from_utf8(written).unwrap(), expected);
        }
    }

    #[test]
    fn a_page_is_written_when_it_is_full() {
        let mut row = [0; COUNT];
        row[0] = 60_000;
        let slots = [Slot::default(); COUNT];
        let moves = Move::all(&slots, &slots, &[true; COUNT]);
        let (mut page, mut written) = (Page::default(), Vec::new());
        for lengths in [0, 120_002, 120_002] {
            page.row(&row, &moves, &[b'x'; 60_001]);
            page.write_full(&mut written).unwrap();
            assert_eq!(written.len(), lengths);
        }
        page.write(&mut written).unwrap();
        assert_eq!(written.len(), 180_003);
    }
}
