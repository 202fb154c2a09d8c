//! `ss`'s columns: cells are padded as they are closed, and laid out anew where that was too early.
//!
//! Everything is written when `ss` would write it ([`Chunks`] keeps account), since the widths depend on
//! where that happens: the longest length of a column outlives the writing, and a cell still open when
//! the writing begins is not counted in it. A cell is cut at 65535 bytes.
//!
//! So the widths are not known before. But they seldom grow, and a cell is padded at once to the widths
//! that are known so far. The lengths of the cells are kept, and how they were padded; rows that turn out
//! to have been padded otherwise than they should are laid out anew when they are written. On a screen,
//! where a width depends on all others, all rows are.
//!
//! Memory stays near 5 MiB whatever the number of rows, or 6 where there is much padding.

use std::io::{self, Write};

use crate::chunks::Chunks;
use crate::layout::{COUNT, Column, Grid, Hidden, LAST, Layouts, Lengths, Slot, Slots, layouts};
use crate::line::Text;
use crate::page::{Move, Page, pad, spaces};
use crate::version::Version;

/// Cells are padded at once as long as the text is shorter, bytes. It stays below with five chunks of cells,
/// unless there is much padding.
const PADDED: usize = 6 << 20;

/// A place between two rows, to which the columns can be set back.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    text: usize,
    cell: usize,
    rows: usize,
    row: usize,
    lengths: Lengths,
    current: usize,
    earlier: usize,
    padded: bool,
    chunks: Chunks,
    longest: [usize; COUNT],
    written: u64,
}

/// Rows that were laid out alike.
#[derive(Debug)]
struct Earlier {
    /// How many rows there are up to these, and where their text ends.
    rows: usize,
    text: usize,
    slots: Slots,
}

/// The columns, and the rows not yet written.
#[derive(Debug)]
pub(crate) struct Columns<W> {
    out: W,
    layout: Layouts,
    grid: Grid,
    /// Where the details are printed.
    details: usize,
    /// Which columns are not hidden.
    shown: [bool; COUNT],
    /// Where rows begin: behind the namespace's column, which most often is hidden.
    first: usize,
    text: Vec<u8>,
    /// Lengths of the cells of the rows before the open one.
    rows: Vec<Lengths>,
    /// Where the open row begins in `text`.
    row: usize,
    /// Where the open cell begins, behind the space before it.
    cell: usize,
    /// Spaces that stand before the open cell already, to align it.
    padding: usize,
    /// Lengths of the open row's cells before the open one.
    lengths: Lengths,
    /// The open cell's column.
    current: usize,
    /// Whether cells are padded for now.
    padded: bool,
    /// Rows that were laid out otherwise than those of now.
    earlier: Vec<Earlier>,
    chunks: Chunks,
    /// How often everything was written out.
    written: u64,
}

impl<W: Write> Columns<W> {
    /// Columns that are written to `out`. `screen` is its width, `None` for a compact layout.
    pub(crate) fn new(out: W, version: Version, hidden: Hidden, screen: Option<u32>) -> Self {
        let (layout, grid, details) = layouts(version, hidden, screen);
        let shown = layout.each_ref().map(|column| !column.hidden);
        let mut columns = Columns {
            out,
            layout,
            grid,
            details,
            shown,
            first: Column::Netid as usize,
            text: Vec::new(),
            rows: Vec::new(),
            row: 0,
            cell: 0,
            padding: 0,
            lengths: [0; COUNT],
            current: 0,
            padded: false,
            earlier: Vec::new(),
            chunks: Chunks::default(),
            written: 0,
        };
        columns.forget();
        columns
    }

    /// Shows the namespace in the first column, from the first row on.
    pub(crate) fn show_netns(&mut self) {
        if let (Some(column), Some(shown)) = (self.layout.first_mut(), self.shown.first_mut()) {
            column.hidden = false;
            *shown = true;
        }
        self.first = Column::Netns as usize;
        self.forget();
    }

    /// Moves on to `column`, closing what lies between, and gives the buffer to append to. `None`
    /// for a hidden column.
    #[inline(always)]
    pub(crate) fn enter(&mut self, column: Column) -> io::Result<Option<&mut Vec<u8>>> {
        let index = match column {
            Column::Details => self.details,
            other => other as usize,
        };
        if self.current > index {
            self.end_row()?;
        }
        self.move_on(index);
        let hidden = self.layout.get(index).is_none_or(|layout| layout.hidden);
        Ok(if hidden { None } else { Some(&mut self.text) })
    }

    /// Prints the header, as a row.
    pub(crate) fn header(&mut self) -> io::Result<()> {
        while self.current < LAST {
            if let Some(column) = self.layout.get(self.current)
                && !column.hidden
            {
                self.text.extend_from_slice(column.header);
            }
            self.move_on(self.current + 1);
        }
        Ok(())
    }

    /// Closes the cells before the one at `index`, which is in the open row, and opens that.
    #[inline]
    fn move_on(&mut self, index: usize) {
        while self.current < index {
            self.close();
            self.current += 1;
            self.open();
        }
    }

    #[inline]
    fn open(&mut self) {
        if let Some(column) = self.layout.get(self.current)
            && column.slot.apart
        {
            self.text.push(b' ');
        }
        self.cell = self.text.len();
        self.padding = 0;
    }

    /// Moves on to `column` and appends a short text, all of the cell, whose first `len` bytes count. Where
    /// it is right-aligned, this is faster than to move it behind its padding later.
    #[inline(always)]
    pub(crate) fn short_cell(
        &mut self,
        column: Column,
        text: [u8; 16],
        len: usize,
    ) -> io::Result<()> {
        if self.enter(column)?.is_none() {
            return Ok(());
        }
        if let Some(column) = self.layout.get(self.current)
            && column.slot.right_aligned
        {
            self.padding = (column.slot.room as usize).saturating_sub(len);
            spaces(&mut self.text, self.padding);
            self.cell += self.padding;
        }
        self.text.piece(text, len);
        Ok(())
    }

    /// Closes the open cell: it counts in the widths from now on.
    #[inline]
    fn close(&mut self) {
        let (Some(column), Some(length)) =
            (self.layout.get(self.current), self.lengths.get_mut(self.current))
        else {
            return;
        };
        let len = self.text.len() - self.cell;
        // At most 65535, else it has grown, and is cut.
        *length = len as u16;
        let slot = if len <= column.longest { column.slot } else { self.grow() };
        let wanted = slot.room as usize;
        if len + self.padding < wanted {
            pad(&mut self.text, self.cell, slot.right_aligned, wanted - len - self.padding);
        }
    }

    /// The open cell is the longest of its column so far. Gives how it is laid out.
    #[cold]
    fn grow(&mut self) -> Slot {
        self.cut();
        let len = self.text.len() - self.cell;
        self.keep();
        if let (Some(column), Some(length)) =
            (self.layout.get_mut(self.current), self.lengths.get_mut(self.current))
        {
            column.longest = column.longest.max(len);
            *length = len as u16;
        }
        // The columns before this one stay as they are, so the row is laid out alike.
        self.choose_slots();
        self.layout.get(self.current).map_or_else(Slot::default, |column| column.slot)
    }

    /// Cuts the open cell.
    #[inline]
    fn cut(&mut self) {
        self.text.truncate(self.cell + usize::from(u16::MAX));
    }

    /// Remembers how the rows up to the open one are laid out, before that changes.
    fn keep(&mut self) {
        let rows = self.rows.len();
        if self.earlier.last().map_or(0, |earlier| earlier.rows) < rows {
            self.earlier.push(Earlier { rows, text: self.row, slots: self.slots() });
        }
    }

    fn slots(&self) -> Slots {
        self.layout.each_ref().map(|column| column.slot)
    }

    /// Closes the open row and opens the next one.
    fn end_row(&mut self) -> io::Result<()> {
        self.move_on(LAST);
        self.cut();
        if let Some(length) = self.lengths.last_mut() {
            *length = (self.text.len() - self.cell) as u16;
        }
        if self.chunks.close_row(&self.lengths, &self.shown) {
            return self.write_out();
        }
        self.close();
        self.text.push(b'\n');
        self.rows.push(self.lengths);
        self.begin_row();
        if self.text.len() > PADDED && self.padded {
            self.keep();
            self.padded = false;
            self.choose_slots();
        }
        Ok(())
    }

    fn begin_row(&mut self) {
        self.row = self.text.len();
        self.current = self.first;
        self.open();
    }

    /// Writes what is left, and flushes.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.cut();
        self.write_out()?;
        self.out.flush()
    }

    /// The place behind the last row.
    pub(crate) fn mark(&mut self) -> Mark {
        self.cut();
        Mark {
            text: self.text.len(),
            cell: self.cell,
            rows: self.rows.len(),
            row: self.row,
            lengths: self.lengths,
            current: self.current,
            earlier: self.earlier.len(),
            padded: self.padded,
            chunks: self.chunks,
            longest: self.layout.each_ref().map(|column| column.longest),
            written: self.written,
        }
    }

    /// Forgets the rows behind `mark`. False if some of them were written already: then all that
    /// were not are forgotten.
    pub(crate) fn set_back(&mut self, mark: &Mark) -> bool {
        if self.written != mark.written {
            self.forget();
            return false;
        }
        self.text.truncate(mark.text);
        self.cell = mark.cell;
        self.rows.truncate(mark.rows);
        self.row = mark.row;
        self.lengths = mark.lengths;
        self.current = mark.current;
        self.padding = 0;
        self.earlier.truncate(mark.earlier);
        self.padded = mark.padded;
        self.chunks = mark.chunks;
        for (column, longest) in self.layout.iter_mut().zip(mark.longest) {
            column.longest = longest;
        }
        self.choose_slots();
        true
    }

    /// Forgets the rows, not the widths.
    fn forget(&mut self) {
        self.text.clear();
        self.rows.clear();
        self.earlier.clear();
        self.chunks = Chunks::default();
        self.padded = self.grid.is_compact();
        self.choose_slots();
        self.begin_row();
    }

    /// Writes all rows; of the open one, the cells up to the open one, which is of no width.
    fn write_out(&mut self) -> io::Result<()> {
        let open = self.text.len() - self.cell;
        // Nothing open, nothing begun: nothing to write.
        let begun = open > 0 || self.layout.iter().take(self.current).any(|column| !column.hidden);
        self.written += 1;
        // It is aligned when the width is known.
        self.text.drain(self.cell - self.padding..self.cell);
        if begun || !self.rows.is_empty() {
            if let Some(length) = self.lengths.get_mut(self.current) {
                *length = open as u16;
            }
            self.write_rows()?;
        }
        self.forget();
        Ok(())
    }

    fn write_rows(&mut self) -> io::Result<()> {
        let slots = self.slots();
        let chosen = self.grid.slots(&self.layout);
        let mut page = Page::default();
        let (mut rows, mut text) = (self.rows.as_slice(), self.text.as_slice());
        let (mut number, mut at) = (0, 0);
        let now = Earlier { rows: self.rows.len(), text: self.row, slots };
        for alike in self.earlier.iter().chain([&now]) {
            let (these, behind) = rows.split_at_checked(alike.rows - number).unwrap_or_default();
            let (mut lines, rest) = text.split_at_checked(alike.text - at).unwrap_or_default();
            if alike.slots == chosen {
                page.write(&mut self.out)?;
                self.out.write_all(lines)?;
            } else {
                let moves = Move::all(&alike.slots, &chosen, &self.shown);
                for row in these {
                    lines = page.row(row, &moves, lines);
                    page.write_full(&mut self.out)?;
                }
            }
            (rows, text, number, at) = (behind, rest, alike.rows, alike.text);
        }
        if self.shown.iter().take(self.current + 1).any(|shown| *shown) {
            let moves = Move::all(&slots, &chosen, &self.shown);
            page.open_row(&self.lengths, self.current, &moves, text);
        }
        page.write(&mut self.out)
    }

    /// Chooses how cells are laid out from now on.
    fn choose_slots(&mut self) {
        let slots =
            if self.padded { self.grid.slots(&self.layout) } else { [Slot::default(); COUNT] };
        for (column, slot) in self.layout.iter_mut().zip(slots) {
            column.slot = slot;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NEW: Version = Version::V7_1;

    fn columns(version: Version, screen: Option<u32>) -> Columns<Vec<u8>> {
        let hidden = Hidden { netid: true, process: true, ..Hidden::default() };
        Columns::new(Vec::new(), version, hidden, screen)
    }

    fn row(columns: &mut Columns<Vec<u8>>, address: &[u8], details: &[u8]) {
        for (column, cell) in [
            (Column::Netid, b"tcp".as_slice()),
            (Column::State, b"ESTAB"),
            (Column::RecvQ, b"0"),
            (Column::SendQ, b"0"),
            (Column::LocalAddress, address),
            (Column::LocalPort, b"1"),
            (Column::PeerAddress, b"*:"),
            (Column::PeerPort, b"*"),
            (Column::Details, details),
        ] {
            if let Some(out) = columns.enter(column).unwrap() {
                out.extend_from_slice(cell);
            }
        }
    }

    fn printed(mut columns: Columns<Vec<u8>>) -> Vec<String> {
        columns.finish().unwrap();
        String::from_utf8(columns.out).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn the_open_cell_is_not_measured() {
        for (version, rows) in [
            (Version::V6_1, ["ESTAB 0 0 ab:1 *:* short", "ESTAB 0 0  c:1 *:* a longer one"]),
            (NEW, ["ESTAB 0 0 ab:1 *:* short", "ESTAB 0 0  c:1 *:* a longer one"]),
        ] {
            let mut columns = columns(version, None);
            row(&mut columns, b"ab:", b" short");
            row(&mut columns, b"c:", b" a longer one");
            assert_eq!(printed(columns), rows);
        }
    }

    /// The same rows as an author without hurry would lay them out.
    fn laid_out(rows: &[(String, String)]) -> Vec<String> {
        let longest = |cell: fn(&(String, String)) -> &String, count: usize| {
            rows.iter().take(count).map(|row| cell(row).len()).max().unwrap_or(0)
        };
        // The last row's details are not measured.
        let (address, details) =
            (longest(|row| &row.0, rows.len()), longest(|row| &row.1, rows.len() - 1));
        rows.iter()
            .map(|row| format!("ESTAB 0 0 {:>address$}1 *:*{:<details$}", row.0, row.1))
            .collect()
    }

    #[test]
    fn widths_that_grow_widen_the_rows_before() {
        let cell = |text: &str, len: usize| text.repeat(len);
        let lengths =
            [(3, 9), (3, 9), (5, 2), (2, 40), (90, 3), (7, 100), (7, 1), (91, 30), (1, 1)];
        let rows: Vec<_> = lengths
            .iter()
            .map(|(address, details)| (cell("a", *address), cell("d", *details)))
            .collect();
        for count in 1..=rows.len() {
            let mut columns = columns(NEW, None);
            for (address, details) in &rows[..count] {
                row(&mut columns, address.as_bytes(), details.as_bytes());
            }
            assert_eq!(printed(columns), laid_out(&rows[..count]));
        }
    }

    /// Cells as long as those around which things change, and what is done with them: 0 prints the row,
    /// 1 sets a mark behind it, 2 goes back to the mark.
    fn steps() -> impl Strategy<Value = Vec<(usize, usize, u8)>> {
        let len = || prop_oneof![0..40_usize, 0..120_usize];
        prop::collection::vec((len(), len(), 0..3_u8), 0..30)
    }

    proptest! {
        #[test]
        fn rows_are_the_same_however_they_come_about(
            steps in steps(),
            new: bool,
            screen in prop::option::of(1..200_u32),
        ) {
            let version = if new { NEW } else { Version::V6_1 };
            let mut there = columns(version, screen);
            let mut mark = there.mark();
            let (mut kept, mut kept_at_mark) = (Vec::new(), 0);
            for (address, details, step) in steps {
                if step == 2 {
                    prop_assert!(there.set_back(&mark));
                    kept.truncate(kept_at_mark);
                }
                let (address, details) = ("a".repeat(address), "d".repeat(details));
                row(&mut there, address.as_bytes(), details.as_bytes());
                kept.push((address, details));
                if step == 1 {
                    (mark, kept_at_mark) = (there.mark(), kept.len());
                }
            }
            // All of them laid out at the end, and none of them gone back on.
            let mut late = columns(version, screen);
            late.padded = false;
            late.choose_slots();
            for (address, details) in &kept {
                row(&mut late, address.as_bytes(), details.as_bytes());
            }
            let rows = printed(there);
            if screen.is_none() && new && !kept.is_empty() {
                prop_assert_eq!(&rows, &laid_out(&kept));
            }
            prop_assert_eq!(rows, printed(late));
        }
    }

    #[test]
    fn much_padding_does_not_take_much_memory() {
        let mut columns = columns(NEW, None);
        let mut rows = vec![("a".repeat(60_000), "d".repeat(500))];
        rows.extend((0..2000).map(|number| (format!("{number}:"), " details".to_owned())));
        for (address, details) in &rows {
            row(&mut columns, address.as_bytes(), details.as_bytes());
            assert!(columns.text.len() < PADDED + 70_000);
        }
        assert!(!columns.padded);
        assert_eq!(printed(columns), laid_out(&rows));
    }

    #[test]
    fn a_cell_is_cut_at_65535_bytes() {
        let mut columns = columns(NEW, None);
        row(&mut columns, b"a:", &vec![b'x'; 70_000]);
        row(&mut columns, b"a:", b"");
        let rows = printed(columns);
        assert_eq!(rows[0].len(), "ESTAB 0 0 a:1 *:*".len() + 65_535);
    }

    #[test]
    fn rows_behind_a_mark_can_be_forgotten() {
        let mut whole = columns(NEW, None);
        row(&mut whole, b"a:", b" one");
        let mark = whole.mark();
        for _ in 0..10 {
            row(&mut whole, b"a long address:", b" two");
        }
        assert!(whole.set_back(&mark));
        row(&mut whole, b"b:", b" three");
        assert_eq!(printed(whole), ["ESTAB 0 0 a:1 *:* one", "ESTAB 0 0 b:1 *:* three"]);
    }

    #[test]
    fn rows_behind_a_cut_one_can_be_forgotten() {
        let mut columns = columns(NEW, None);
        row(&mut columns, b"a:", &vec![b'x'; 70_000]);
        let mark = columns.mark();
        row(&mut columns, b"b:", b" two");
        assert!(columns.set_back(&mark));
        row(&mut columns, b"c:", b" three");
        let rows = printed(columns);
        assert_eq!(rows[0].len(), "ESTAB 0 0 a:1 *:*".len() + 65_535);
        assert_eq!(rows[1].trim_end(), "ESTAB 0 0 c:1 *:* three");
    }

    #[test]
    fn rows_that_were_written_cannot_be_forgotten() {
        let mut torn = columns(NEW, None);
        let mark = torn.mark();
        for _ in 0..100_000 {
            row(&mut torn, b"192.0.2.1:", b" details of it");
        }
        let written = torn.out.len();
        assert!(written > 1 << 20);
        assert!(!torn.set_back(&mark));
        row(&mut torn, b"b:", b" last");
        torn.finish().unwrap();
        let behind = String::from_utf8(torn.out.split_off(written)).unwrap();
        assert_eq!(behind.lines().count(), 1);
        assert!(behind.trim_end().ends_with(" last"));
    }

    #[test]
    fn memory_stays_near_five_chunks() {
        let mut columns = columns(NEW, None);
        for _ in 0..200_000 {
            row(&mut columns, b"192.0.2.1:", b" details of it");
            assert!(columns.text.len() + size_of_val(columns.rows.as_slice()) < 6 << 20);
        }
    }

    #[test]
    fn a_namespace_stands_before_everything_else() {
        for (version, hidden) in [(Version::V6_1, false), (NEW, true)] {
            let hidden = Hidden { netid: hidden, process: true, ..Hidden::default() };
            let mut columns = Columns::new(Vec::new(), version, hidden, None);
            columns.show_netns();
            columns.header().unwrap();
            for netns in ["a", "blue"] {
                let out = columns.enter(Column::Netns).unwrap().unwrap();
                out.extend_from_slice(netns.as_bytes());
                row(&mut columns, b"a:", b"");
            }
            let rows = printed(columns);
            let netid = |text: &str| if hidden.netid { String::new() } else { format!("{text} ") };
            assert!(rows[0].starts_with(&format!("Netns {}State ", netid("Netid"))), "{rows:?}");
            assert!(rows[1].starts_with(&format!("a     {}ESTAB ", netid("tcp  "))), "{rows:?}");
            assert!(rows[2].starts_with(&format!("blue  {}ESTAB ", netid("tcp  "))), "{rows:?}");
        }
    }
}
