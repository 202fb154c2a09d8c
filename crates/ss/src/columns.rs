//! `ss`'s columns: cells are kept until the widths are known, then written out.
//!
//! One buffer holds the text of the cells, another their lengths, row by row. Everything is written when `ss`
//! would write it ([`Chunks`] keeps account), since the widths depend on where that happens: the
//! longest length of a column outlives the writing, and a cell still open when the writing begins is
//! not counted in it. A cell is cut at 65535 bytes.
//!
//! Memory stays near 5 MiB whatever the number of rows.

use std::io::{self, Write};

use crate::chunks::Chunks;
use crate::number::prefix;
use crate::version::Version;

/// A column, in `ss`'s order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Column {
    Netid,
    State,
    RecvQ,
    SendQ,
    LocalAddress,
    LocalPort,
    PeerAddress,
    PeerPort,
    /// Everything else that is told of a socket. Before it, 7.1 has a column of processes.
    Details,
}

const COUNT: usize = 10;

/// How much is written at a time, bytes: no less, and at most a row more.
const PAGE: usize = 1 << 16;

/// Lengths of a row's cells, bytes; 0 for a hidden column. A cell is cut where it would not fit.
type Lengths = [u16; COUNT];

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
    row: Lengths,
    open: usize,
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
    /// The open cell's column.
    current: usize,
    text: Vec<u8>,
    /// Where the open cell begins in `text`.
    open: usize,
    /// The rows before the open one.
    rows: Vec<Lengths>,
    /// The open row, up to the open cell.
    row: Lengths,
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
            column("Netid", 0, false, hidden.netid),
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
            current: 0,
            text: Vec::new(),
            open: 0,
            rows: Vec::new(),
            row: [0; COUNT],
            chunks: Chunks::default(),
            written: 0,
        }
    }

    /// Moves on to `column`, closing what lies between, and gives the buffer to append to. `None`
    /// for a hidden column.
    #[inline]
    pub(crate) fn enter(&mut self, column: Column) -> io::Result<Option<&mut Vec<u8>>> {
        let index = match column {
            Column::Details => self.details,
            other => other as usize,
        };
        while self.current != index {
            self.next()?;
        }
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
            self.next()?;
        }
        Ok(())
    }

    /// Closes the open cell and opens the next one.
    #[inline]
    fn next(&mut self) -> io::Result<()> {
        let len = self.cut();
        let last = self.current == COUNT - 1;
        if last {
            self.chunks.hold(usize::from(len));
            if self.chunks.full() {
                return self.write_out();
            }
        }
        let layout = self.layout.get_mut(self.current);
        if let (Some(layout), Some(cell)) = (layout, self.row.get_mut(self.current))
            && !layout.hidden
        {
            *cell = len;
            layout.longest = layout.longest.max(usize::from(len));
            self.chunks.close(usize::from(len));
        }
        self.open = self.text.len();
        if last {
            self.rows.push(self.row);
            self.current = 0;
        } else {
            self.current += 1;
        }
        Ok(())
    }

    /// Cuts the open cell where its length would not fit, and gives that length.
    #[inline]
    fn cut(&mut self) -> u16 {
        let len = self.text.len() - self.open;
        u16::try_from(len).unwrap_or_else(|_| {
            self.text.truncate(self.open + usize::from(u16::MAX));
            u16::MAX
        })
    }

    /// Writes what is left, and flushes.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.write_out()?;
        self.out.flush()
    }

    /// The place behind the last row.
    pub(crate) fn mark(&self) -> Mark {
        let mut longest = [0; COUNT];
        for (to, from) in longest.iter_mut().zip(&self.layout) {
            *to = from.longest;
        }
        Mark {
            text: self.text.len(),
            rows: self.rows.len(),
            row: self.row,
            open: self.open,
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
        self.open = mark.open;
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
        self.open = 0;
        self.current = 0;
        self.chunks = Chunks::default();
    }

    /// Chooses the widths and writes all rows.
    fn write_out(&mut self) -> io::Result<()> {
        // The open cell is part of the text, and of no width. Nothing open, nothing begun: nothing
        // to write.
        let len = self.cut();
        let mut closed = self.layout.iter().take(self.current);
        let row_begun = len > 0 || closed.any(|column| !column.hidden);
        self.written += 1;
        if row_begun || !self.rows.is_empty() {
            self.choose_widths();
            self.write_rows(len)?;
        }
        self.forget();
        Ok(())
    }

    /// Writes the rows, and the open one up to its open cell, which has `len` bytes.
    fn write_rows(&mut self, len: u16) -> io::Result<()> {
        if let Some(cell) = self.row.get_mut(self.current) {
            *cell = len;
        }
        let mut first = true;
        let mut visible = [None; COUNT];
        for (index, (shown, column)) in visible.iter_mut().zip(&self.layout).enumerate() {
            if !column.hidden {
                let before = if first { 0 } else { column.delimiter };
                let padded = self.screen.is_some() || self.unpadded != Some(index);
                *shown = Some(Shown {
                    before,
                    pad_before: column.right_aligned,
                    pad_behind: !column.right_aligned && padded,
                    width: column.width,
                });
                first = false;
            }
        }
        let mut page = Vec::with_capacity(2 * PAGE);
        let mut text = self.text.as_slice();
        for row in &self.rows {
            text = lay_out(&mut page, row, &visible, text);
            if page.len() >= PAGE {
                self.out.write_all(&page)?;
                page.clear();
            }
        }
        let open = visible.get(..=self.current).unwrap_or_default();
        if open.iter().any(Option::is_some) {
            lay_out(&mut page, &self.row, open, text);
        }
        self.out.write_all(&page)
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

/// How a visible column is printed.
#[derive(Debug, Clone, Copy)]
struct Shown {
    /// Spaces before the cell.
    before: usize,
    /// To this width, those spaces included, a cell is padded.
    width: usize,
    pad_before: bool,
    pad_behind: bool,
}

/// Appends a row whose cells `text` begins with, and gives the text behind them.
fn lay_out<'t>(
    page: &mut Vec<u8>,
    row: &Lengths,
    columns: &[Option<Shown>],
    mut text: &'t [u8],
) -> &'t [u8] {
    let mut behind = 0;
    for (len, column) in row.iter().zip(columns) {
        let Some(column) = column else { continue };
        let len = usize::from(*len);
        let padding = column.width.saturating_sub(len + column.before);
        let before = if column.pad_before { padding } else { 0 };
        spaces(page, behind + column.before + before);
        text = cell(page, len, text);
        behind = if column.pad_behind { padding } else { 0 };
    }
    spaces(page, behind);
    page.push(b'\n');
    text
}

/// Appends the first `len` bytes of `text`, and gives what is behind them.
#[inline]
fn cell<'t>(page: &mut Vec<u8>, len: usize, text: &'t [u8]) -> &'t [u8] {
    let (cell, behind) = text.split_at_checked(len).unwrap_or((text, &[]));
    match text.first_chunk::<32>() {
        Some(more) if len <= more.len() => prefix(page, *more, len),
        _ => page.extend_from_slice(cell),
    }
    behind
}

#[inline]
fn spaces(page: &mut Vec<u8>, count: usize) {
    const SPACES: [u8; 32] = [b' '; 32];
    if count <= SPACES.len() {
        prefix(page, SPACES, count);
    } else {
        page.resize(page.len() + count, b' ');
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
        assert_eq!(widths, [0, 8, 5, 5, 6, 4, 7, 5, 0, 0]);
        assert_eq!(widths.iter().sum::<usize>(), 40);
    }

    #[test]
    fn columns_that_do_not_fit_go_to_the_next_line() {
        let mut columns = columns(NEW, Some(10));
        row(&mut columns, b"a:", b"");
        row(&mut columns, b"a:", b"");
        columns.choose_widths();
        let widths: Vec<_> = columns.layout.iter().map(|column| column.width).collect();
        assert_eq!(widths, [0, 5, 2, 3, 3, 1, 4, 2, 0, 0]);
    }
}
