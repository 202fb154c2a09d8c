//! When `ss` writes: its chain of chunks, kept as an account.
//!
//! `ss` stores each cell in a chain of chunks of 1 MiB, and writes everything when a row ends with
//! five of them in use. There are no chunks here, but what fills them is counted byte by byte:
//!
//! - a chunk has 16 bytes of its own; a cell has 2 bytes of length before it and an even size;
//! - a cell that does not fit moves to a new chunk whole, unless it is the first of its chunk; it
//!   fits when it is *shorter* than the room left.

use crate::layout::{COUNT, Lengths};

/// The account of one filling of the chain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Chunks {
    used: u32,
    /// Bytes left where the open cell begins.
    room: usize,
    /// The open cell is the first of its chunk.
    first: bool,
}

impl Chunks {
    /// A chunk's bytes, without its own and without the first cell's length.
    const ROOM: usize = 1024 * 1024 - 16 - 2;
    /// When a row ends with this many in use, everything is written out.
    const FULL: u32 = 5;

    /// A row ends. Closes its cells, those that are shown; but where the row is the last before
    /// everything is written (true), the last cell stays open.
    pub(crate) fn close_row(&mut self, lengths: &Lengths, shown: &[bool; COUNT]) -> bool {
        let sizes = lengths
            .iter()
            .zip(shown)
            .map(|(len, shown)| if *shown { usize::from(*len).next_multiple_of(2) + 2 } else { 0 });
        let size: usize = sizes.sum();
        // All have room, with a byte to spare: nothing but the room changes.
        if self.used > 0 && self.used < Self::FULL && size + 1 < self.room {
            *self = Chunks { room: self.room - size, first: false, ..*self };
            return false;
        }
        let mut cells = lengths
            .iter()
            .zip(shown)
            .filter(|(_, shown)| **shown)
            .map(|(len, _)| usize::from(*len));
        let last = cells.next_back().unwrap_or(0);
        cells.for_each(|len| self.close(len));
        self.hold(last);
        if self.used >= Self::FULL {
            return true;
        }
        self.close(last);
        false
    }

    fn add(&mut self) {
        *self = Chunks { used: self.used + 1, room: Self::ROOM, first: true };
    }

    /// The open cell is `len` bytes long: it may have to move.
    fn hold(&mut self, len: usize) {
        if self.used == 0 || (len > 0 && len >= self.room && !self.first) {
            self.add();
        }
    }

    /// The open cell ends, and the next one begins behind it.
    fn close(&mut self, len: usize) {
        // Room for the cell, a byte that makes its size even, and the next length.
        if self.used > 0 && len + 1 + 2 < self.room {
            *self = Chunks { room: self.room - len.next_multiple_of(2) - 2, first: false, ..*self };
        } else {
            *self = self.closed_at_the_end(len);
        }
    }

    /// [`Chunks::close`] where a chunk may be needed.
    fn closed_at_the_end(mut self, len: usize) -> Self {
        self.hold(len);
        let room = self.room.saturating_sub(len.next_multiple_of(2));
        match room.checked_sub(2) {
            Some(room) => self = Chunks { room, first: false, ..self },
            None => self.add(),
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Room for one cell more, of `left` bytes, in a chunk that has one already.
    fn with_room(left: usize) -> Chunks {
        Chunks { used: 1, room: left, first: false }
    }

    #[test]
    fn a_cell_fits_when_it_is_shorter_than_the_room() {
        for (len, used) in [(0, 1), (99, 1), (100, 2), (101, 2)] {
            let mut chunks = with_room(100);
            chunks.hold(len);
            assert_eq!(chunks.used, used, "{len} bytes");
        }
    }

    #[test]
    fn a_row_counts_as_its_cells_one_by_one() {
        let shown = [false, false, true, true, false, true, true, true, true, true, true];
        let mut lengths = [0, 0, 5, 6, 0, 11, 4, 12, 0, 1, 0];
        for room in 0..120 {
            for used in 0..=Chunks::FULL {
                for last in [0, 1, 50] {
                    lengths[COUNT - 1] = last;
                    let (mut whole, mut single) =
                        (Chunks { used, ..with_room(room) }, Chunks { used, ..with_room(room) });
                    let full = whole.close_row(&lengths, &shown);
                    for len in [5, 6, 11, 4, 12, 0, 1] {
                        single.close(len);
                    }
                    single.hold(last.into());
                    assert_eq!(full, single.used >= Chunks::FULL);
                    if !full {
                        single.close(last.into());
                    }
                    assert_eq!(whole, single, "{used} chunks, {room} bytes, {last}");
                }
            }
        }
    }

    #[test]
    fn the_first_cell_of_a_chunk_never_moves() {
        let mut chunks = Chunks::default();
        chunks.hold(65_535);
        chunks.hold(Chunks::ROOM);
        assert_eq!(chunks.used, 1);
    }

    #[test]
    fn a_closed_cell_takes_an_even_size_and_the_next_length() {
        for (len, left) in [(0, 98), (1, 96), (2, 96), (95, 2), (96, 2), (97, 0), (98, 0)] {
            let mut chunks = with_room(100);
            chunks.close(len);
            assert_eq!((chunks.used, chunks.room, chunks.first), (1, left, false), "{len} bytes");
        }
        // No room for another length: the next cell begins a chunk.
        let mut chunks = with_room(100);
        chunks.close(99);
        assert_eq!((chunks.used, chunks.room, chunks.first), (2, Chunks::ROOM, true));
    }
}
