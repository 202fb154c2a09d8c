//! What the columns look like, and how wide they are.

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

/// The last column.
pub(crate) const LAST: usize = COUNT - 1;

/// Lengths of a row's cells, bytes; 0 for a hidden column.
pub(crate) type Lengths = [u16; COUNT];

/// How a cell is laid out. By default, nothing is around it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Slot {
    /// There is a space before it.
    pub(crate) apart: bool,
    /// What it is padded to, behind that space.
    pub(crate) room: u32,
    /// The padding stands before it.
    pub(crate) right_aligned: bool,
}

pub(crate) type Slots = [Slot; COUNT];

impl Slot {
    /// Spaces before and behind a cell of this length.
    #[inline(always)]
    pub(crate) fn around(&self, len: usize) -> (usize, usize) {
        let padding = (self.room as usize).saturating_sub(len);
        let apart = usize::from(self.apart);
        if self.right_aligned { (apart + padding, 0) } else { (apart, padding) }
    }
}

/// One column's looks and widths.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) header: &'static [u8],
    /// A space before the cell, unless it begins the row.
    pub(crate) apart: bool,
    pub(crate) right_aligned: bool,
    pub(crate) hidden: bool,
    /// The longest cell so far, bytes.
    pub(crate) longest: usize,
    /// How cells are laid out for now.
    pub(crate) slot: Slot,
}

pub(crate) type Layouts = [Layout; COUNT];

/// Which columns are hidden.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Hidden {
    pub(crate) netid: bool,
    pub(crate) state: bool,
    pub(crate) queues: bool,
    pub(crate) process: bool,
}

/// The columns of a release, the rule of their widths, and the one that takes the details.
pub(crate) fn layouts(
    version: Version,
    hidden: Hidden,
    screen: Option<u32>,
) -> (Layouts, Grid, usize) {
    let column = |header: &'static str, apart, right_aligned, hidden| Layout {
        header: header.as_bytes(),
        apart,
        right_aligned,
        hidden,
        longest: 0,
        slot: Slot::default(),
    };
    // 6.1 prints the details under that header; the column behind them is always empty.
    let process_apart = version.has_process_column();
    let layout = [
        column("Netns", false, false, true),
        column("Netid", true, false, hidden.netid),
        column("State", true, false, hidden.state),
        column("Recv-Q", true, false, hidden.queues),
        column("Send-Q", true, false, hidden.queues),
        column("Local Address:", true, true, false),
        column("Port", false, false, false),
        column("Peer Address:", true, true, false),
        column("Port", false, false, false),
        column("Process", false, false, process_apart && hidden.process),
        column("", false, false, false),
    ];
    let details = if process_apart { LAST } else { LAST - 1 };
    let before_details = || layout.iter().take(details).rposition(|column| !column.hidden);
    let unpadded = if process_apart { before_details() } else { None };
    (layout, Grid { screen, unpadded }, details)
}

/// What decides the widths.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grid {
    /// Columns of the screen; `None` for a compact layout.
    screen: Option<u32>,
    /// In a compact layout, cells of this column are not padded.
    unpadded: Option<usize>,
}

impl Grid {
    /// A width depends on its column alone.
    pub(crate) fn is_compact(self) -> bool {
        self.screen.is_none()
    }

    /// How cells are laid out in columns as wide as their longest cells want.
    pub(crate) fn slots(self, layouts: &Layouts) -> Slots {
        let widths = self.widths(layouts);
        let mut slots = [Slot::default(); COUNT];
        let mut first = true;
        for (index, column) in layouts.iter().enumerate() {
            if column.hidden {
                continue;
            }
            if let (Some(slot), Some(width)) = (slots.get_mut(index), widths.get(index)) {
                let apart = column.apart && !first;
                let padded =
                    column.right_aligned || self.screen.is_some() || self.unpadded != Some(index);
                // At most the screen's, or 65536.
                let room = width.saturating_sub(usize::from(apart)) as u32;
                *slot = Slot {
                    apart,
                    room: if padded { room } else { 0 },
                    right_aligned: column.right_aligned,
                };
            }
            first = false;
        }
        slots
    }

    /// Widths from the longest cells, the spaces before them included; 0: no padding. On a screen, columns
    /// that do not fit on one line are broken into as few lines as possible, and the space left on each
    /// is spread over its columns.
    fn widths(self, layouts: &Layouts) -> [usize; COUNT] {
        let screen = self.screen.map_or(i32::MAX as usize, |columns| columns as usize);
        let mut widths = [0; COUNT];
        let mut first = true;
        for (width, column) in widths.iter_mut().zip(layouts) {
            if !column.hidden {
                let before = usize::from(!first && column.longest > 0 && column.apart);
                *width = (column.longest + before).min(screen);
                first &= *width == 0;
            }
        }
        if self.screen.is_some() {
            spread(&mut widths, screen);
        }
        widths
    }
}

fn spread(widths: &mut [usize; COUNT], screen: usize) {
    let mut shown: Vec<&mut usize> = widths.iter_mut().filter(|width| **width > 0).collect();
    let mut line = shown.as_mut_slice();
    while !line.is_empty() {
        let mut len = 0;
        let fitting = line
            .iter()
            .take_while(|width| {
                len += ***width;
                len <= screen
            })
            .count()
            // A column is no wider than the screen.
            .max(1);
        let (now, later) = line.split_at_mut(fitting.min(line.len()));
        let used: usize = now.iter().map(|width| **width).sum();
        let left = screen.saturating_sub(used);
        let (each, mut odd) = (left / now.len(), left % now.len());
        for width in now.iter_mut().rev() {
            **width += each;
            if odd > 0 {
                **width += 1;
                odd -= 1;
            }
        }
        line = later;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The widths of columns with cells of these lengths, where there is no Netid.
    fn widths(screen: u32) -> [usize; COUNT] {
        let hidden = Hidden { netid: true, process: true, ..Hidden::default() };
        let (mut layouts, grid, _) = layouts(Version::V7_1, hidden, Some(screen));
        let row = ["", "", "ESTAB", "0", "0", "a:", "1", "*:", "*", "", ""];
        for (layout, cell) in layouts.iter_mut().zip(row) {
            layout.longest = cell.len();
        }
        grid.widths(&layouts)
    }

    #[test]
    fn space_on_a_screen_is_spread_from_the_right() {
        let widths = widths(40);
        // 17 columns of text and 23 to spare: three for each of seven, one more for the last two.
        assert_eq!(widths, [0, 0, 8, 5, 5, 6, 4, 7, 5, 0, 0]);
        assert_eq!(widths.iter().sum::<usize>(), 40);
    }

    #[test]
    fn columns_that_do_not_fit_go_to_the_next_line() {
        assert_eq!(widths(10), [0, 0, 5, 2, 3, 3, 1, 4, 2, 0, 0]);
    }
}
