//! `ss`'s columns: cells are kept until the widths are known, then written out.
//!
//! One buffer holds the text of the cells, another their lengths, row by row. Everything is written
//! when `ss` would write it ([`Chunks`] keeps account), since the widths depend on where that
//! happens: the longest length of a column outlives the writing, and a cell still open when the
//! writing begins is not counted in it. A cell is cut at 65535 bytes.
//!
//! A row's cells are measured when it ends, all at once.
//!
//! Memory stays near 5 MiB whatever the number of rows.

use std::io::{self, Write};

use crate::chunks::Chunks;
use crate::page::{Lengths, Page, Shown};
use crate::version::Version;

/// A column, in `ss`'s order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Column {
    /// The namespace; not to be entered where it is hidden, since rows then begin behind it.
    Netns,
    Netid,
    State,
    RecvQ,
    SendQ,
    LocalAddress,
    LocalPort,
    PeerAddress,
    PeerPort,
    /// Who holds the socket.
    Process,
    /// Everything else that is told of a socket. In 6.1, it follows in the same column.
    Details,
}

pub(crate) const COUNT: usize = 11;

/// One column's looks and widths.
#[derive(Debug, Clone)]
struct Layout {
    header: &'static [u8],
    /// Spaces before the cell, unless it begins the row.
    delimiter: usize,
    right_aligned: bool,
    hidden: bool,
    /// The longest cell so far, bytes.
    longest: usize,
    /// Width on the screen, delimiter included. 0: no padding.
    width: usize,
}

/// Which columns are hidden.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Hidden {
    pub(crate) netid: bool,
    pub(crate) state: bool,
    pub(crate) queues: bool,
    pub(crate) process: bool,
}

/// A place between two rows, to which the columns can be set back.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    text: usize,
    rows: usize,
    row: usize,
    ends: [usize; COUNT],
    current: usize,
    chunks: Chunks,
    longest: [usize; COUNT],
    written: u64,
}

/// The columns, and the rows not yet written.
#[derive(Debug)]
pub(crate) struct Columns<W> {
    out: W,
    layout: [Layout; COUNT],
    /// Columns of the screen; `None` for a compact layout.
    screen: Option<u32>,
    /// In a compact layout, cells of this column are not padded.
    unpadded: Option<usize>,
    /// Where the details are printed.
    details: usize,
    /// Where rows begin: behind the namespace's column, which most often is hidden.
    first: usize,
    text: Vec<u8>,
    /// The rows before the open one.
    rows: Vec<Lengths>,
    /// Where the open row begins in `text`.
    row: usize,
    /// Where its cells before the open one end.
    ends: [usize; COUNT],
    /// The open cell's column.
    current: usize,
    chunks: Chunks,
    /// How often everything was written out.
    written: u64,
}

impl<W: Write> Columns<W> {
    /// Columns that are written to `out`. `screen` is its width, `None` for a compact layout.
    pub(crate) fn new(out: W, version: Version, hidden: Hidden, screen: Option<u32>) -> Self {
        let column = |header: &'static str, delimiter, right_aligned, hidden| Layout {
            header: header.as_bytes(),
            delimiter,
            right_aligned,
            hidden,
            longest: 0,
            width: 0,
        };
        // 6.1 prints the details under that header; the column behind them is always empty.
        let process_apart = version.has_process_column();
        let layout = [
            column("Netns", 0, false, true),
            column("Netid", 1, false, hidden.netid),
            column("State", 1, false, hidden.state),
            column("Recv-Q", 1, false, hidden.queues),
            column("Send-Q", 1, false, hidden.queues),
            column("Local Address:", 1, true, false),
            column("Port", 0, false, false),
            column("Peer Address:", 1, true, false),
            column("Port", 0, false, false),
            column("Process", 0, false, process_apart && hidden.process),
            column("", 0, false, false),
        ];
        let details = if process_apart { COUNT - 1 } else { COUNT - 2 };
        let before_details = || layout.iter().take(details).rposition(|column| !column.hidden);
        let unpadded = if process_apart { before_details() } else { None };
        Columns {
            out,
            layout,
            screen,
            unpadded,
            details,
            first: Column::Netid as usize,
            text: Vec::new(),
            rows: Vec::new(),
            row: 0,
            ends: [0; COUNT],
            current: Column::Netid as usize,
            chunks: Chunks::default(),
            written: 0,
        }
    }

    /// Shows the namespace in the first column, from the first row on.
    pub(crate) fn show_netns(&mut self) {
        if let Some(column) = self.layout.first_mut() {
            column.hidden = false;
        }
        self.first = Column::Netns as usize;
        self.current = self.first;
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
        while self.current < COUNT - 1 {
            if let Some(column) = self.layout.get(self.current)
                && !column.hidden
            {
                self.text.extend_from_slice(column.header);
            }
            self.move_on(self.current + 1);
        }
        Ok(())
    }

    /// Closes the cells before the one at `index`, which is in the open row.
    #[inline]
    fn move_on(&mut self, index: usize) {
        while self.current < index {
            if let Some(end) = self.ends.get_mut(self.current) {
                *end = self.text.len();
            }
            self.current += 1;
        }
    }

    /// Closes the open row and opens the next one.
    fn end_row(&mut self) -> io::Result<()> {
        self.move_on(COUNT - 1);
        let (mut row, len) = self.measure();
        self.chunks.hold(usize::from(len));
        if self.chunks.full() {
            return self.write_out(row, len);
        }
        if let (Some(layout), Some(cell)) = (self.layout.last_mut(), row.last_mut())
            && !layout.hidden
        {
            *cell = len;
            layout.longest = layout.longest.max(usize::from(len));
            self.chunks.close(usize::from(len));
        }
        self.rows.push(row);
        self.row = self.text.len();
        self.current = self.first;
        Ok(())
    }

    /// Lengths of the closed cells of the open row, which count in the widths and the account from
    /// now on, and that of its open cell.
    fn measure(&mut self) -> (Lengths, u16) {
        self.cut();
        let (mut lengths, mut start) = ([0; COUNT], self.row);
        // Held in registers until the row is measured.
        let mut chunks = self.chunks;
        let closed = self.layout.iter_mut().zip(&self.ends).take(self.current);
        for (length, (layout, end)) in lengths.iter_mut().zip(closed).skip(self.first) {
            let len = end - start;
            start = *end;
            if !layout.hidden {
                layout.longest = layout.longest.max(len);
                chunks.close(len);
                // At most 65535, see above.
                *length = len as u16;
            }
        }
        self.chunks = chunks;
        (lengths, (self.text.len() - start) as u16)
    }

    /// Cuts the cells of the open row that are longer than 65535 bytes.
    #[inline]
    fn cut(&mut self) {
        if self.text.len() - self.row > usize::from(u16::MAX) {
            self.cut_long_cells();
        }
    }

    #[cold]
    fn cut_long_cells(&mut self) {
        let mut start = self.row;
        for index in self.first..=self.current {
            let closed = index < self.current;
            let end = self.ends.get(index).copied().filter(|_| closed).unwrap_or(self.text.len());
            let surplus = (end - start).saturating_sub(usize::from(u16::MAX));
            start = end - surplus;
            self.text.drain(start..end);
            for later in self.ends.get_mut(index..self.current).unwrap_or_default() {
                *later -= surplus;
            }
        }
    }

    /// Writes what is left, and flushes.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        let (row, len) = self.measure();
        self.write_out(row, len)?;
        self.out.flush()
    }

    /// The place behind the last row.
    pub(crate) fn mark(&mut self) -> Mark {
        self.cut();
        let mut longest = [0; COUNT];
        for (to, from) in longest.iter_mut().zip(&self.layout) {
            *to = from.longest;
        }
        Mark {
            text: self.text.len(),
            rows: self.rows.len(),
            row: self.row,
            ends: self.ends,
            current: self.current,
            chunks: self.chunks,
            longest,
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
        self.rows.truncate(mark.rows);
        self.row = mark.row;
        self.ends = mark.ends;
        self.current = mark.current;
        self.chunks = mark.chunks;
        for (column, longest) in self.layout.iter_mut().zip(mark.longest) {
            column.longest = longest;
        }
        true
    }

    /// Forgets the rows, not the widths.
    fn forget(&mut self) {
        self.text.clear();
        self.rows.clear();
        self.row = 0;
        self.current = self.first;
        self.chunks = Chunks::default();
    }

    /// Chooses the widths and writes all rows: of the open one, the cells up to the open one, which
    /// has `len` bytes and is of no width.
    fn write_out(&mut self, mut open: Lengths, len: u16) -> io::Result<()> {
        // Nothing open, nothing begun: nothing to write.
        let begun = len > 0 || self.layout.iter().take(self.current).any(|column| !column.hidden);
        self.written += 1;
        if begun || !self.rows.is_empty() {
            self.choose_widths();
            if let Some(cell) = open.get_mut(self.current) {
                *cell = len;
            }
            self.write_rows(&open)?;
        }
        self.forget();
        Ok(())
    }

    fn write_rows(&mut self, open: &Lengths) -> io::Result<()> {
        let visible: Vec<Shown> = self
            .layout
            .iter()
            .enumerate()
            .filter(|(_, column)| !column.hidden)
            .enumerate()
            .map(|(place, (index, column))| {
                let before = if place == 0 { 0 } else { column.delimiter };
                let padded = self.screen.is_some() || self.unpadded != Some(index);
                Shown {
                    index,
                    before,
                    width: column.width,
                    pad_before: column.right_aligned,
                    pad_behind: !column.right_aligned && padded,
                }
            })
            .collect();
        // Nothing is printed of a column whose cells are all empty, unless it is set apart. That does
        // not count the open cell.
        let filled = |column: &Shown| {
            column.before > 0
                || self.layout.get(column.index).is_some_and(|column| column.longest > 0)
        };
        let filled: Vec<Shown> = visible.iter().copied().filter(filled).collect();
        let mut page = Page::default();
        let mut text = self.text.as_slice();
        for row in &self.rows {
            text = page.row(row, &filled, text);
            page.write_full(&mut self.out)?;
        }
        let begun = visible.iter().take_while(|column| column.index <= self.current).count();
        if let Some(columns @ [_, ..]) = visible.get(..begun) {
            page.row(open, columns, text);
        }
        page.write(&mut self.out)
    }

    /// Widths from the longest cells. On a screen, columns that do not fit on one line are broken
    /// into as few lines as possible, and the space left on each is spread over its columns.
    fn choose_widths(&mut self) {
        let screen = self.screen.map_or(i32::MAX as usize, |columns| columns as usize);
        let mut first = true;
        for column in self.layout.iter_mut().filter(|column| !column.hidden) {
            let delimiter = if !first && column.longest > 0 { column.delimiter } else { 0 };
            column.width = (column.longest + delimiter).min(screen);
            first &= column.width == 0;
        }
        if self.screen.is_some() {
            self.spread(screen);
        }
    }

    fn spread(&mut self, screen: usize) {
        let mut shown: Vec<&mut Layout> =
            self.layout.iter_mut().filter(|column| column.width > 0).collect();
        let mut line = shown.as_mut_slice();
        while !line.is_empty() {
            let mut len = 0;
            let fitting = line
                .iter()
                .take_while(|column| {
                    len += column.width;
                    len <= screen
                })
                .count()
                // A column is no wider than the screen.
                .max(1);
            let (now, later) = line.split_at_mut(fitting.min(line.len()));
            let used: usize = now.iter().map(|column| column.width).sum();
            let left = screen.saturating_sub(used);
            let (each, mut odd) = (left / now.len(), left % now.len());
            for column in now.iter_mut().rev() {
                column.width += each;
                if odd > 0 {
                    column.width += 1;
                    odd -= 1;
                }
            }
            line = later;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn space_on_a_screen_is_spread_from_the_right() {
        let mut columns = columns(NEW, Some(40));
        row(&mut columns, b"a:", b"");
        row(&mut columns, b"a:", b"");
        let widths: Vec<_> = columns.layout.iter().map(|column| column.width).collect();
        assert_eq!(widths, [0; COUNT]);
        columns.choose_widths();
        let widths: Vec<_> = columns.layout.iter().map(|column| column.width).collect();
        // 17 columns of text and 23 to spare: three for each of seven, one more for the last two.
        assert_eq!(widths, [0, 0, 8, 5, 5, 6, 4, 7, 5, 0, 0]);
        assert_eq!(widths.iter().sum::<usize>(), 40);
    }

    #[test]
    fn columns_that_do_not_fit_go_to_the_next_line() {
        let mut columns = columns(NEW, Some(10));
        row(&mut columns, b"a:", b"");
        row(&mut columns, b"a:", b"");
        columns.choose_widths();
        let widths: Vec<_> = columns.layout.iter().map(|column| column.width).collect();
        assert_eq!(widths, [0, 0, 5, 2, 3, 3, 1, 4, 2, 0, 0]);
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
