//! Where text is put together: a vector, or a [`Line`] before one.
//!
//! Most of what is printed are words of a few bytes. Appended to a vector, each asks whether the
//! vector must grow, and where it begins is read back from memory, where the one before has just left
//! it: to wait for that takes longer than to write the word. A line asks less often, and as long as
//! no reference to it is handed on, it is held in registers. Hence the functions that are inlined
//! always, and the others that take its parts and give its end.

/// Takes text piece by piece.
pub(crate) trait Text {
    /// Appends the first `len` of `piece`. All of them are copied, since a fixed number is copied
    /// faster than a variable one, and those that are too many are covered by what follows.
    fn piece<const N: usize>(&mut self, piece: [u8; N], len: usize);

    /// Appends text of any length.
    fn text(&mut self, text: &[u8]);
}

impl Text for Vec<u8> {
    #[inline]
    fn piece<const N: usize>(&mut self, piece: [u8; N], len: usize) {
        let end = self.len() + len;
        self.extend_from_slice(&piece);
        self.truncate(end);
    }

    #[inline]
    fn text(&mut self, text: &[u8]) {
        self.extend_from_slice(text);
    }
}

/// Room for text; what has no room in it is lost.
#[derive(Debug)]
pub(crate) struct Room<'b> {
    bytes: &'b mut [u8; Room::LEN],
    /// Where the text ends.
    end: usize,
}

impl Room<'_> {
    /// Bytes.
    pub(crate) const LEN: usize = 2048;

    /// Lets a function write here that is not inlined.
    #[inline(always)]
    pub(crate) fn apart(&mut self, write: impl FnOnce(&mut Room<'_>)) {
        self.end = apart(self.bytes, self.end, write);
    }
}

/// Words that were written last, for values that many sockets share.
#[derive(Debug)]
pub(crate) struct Written<K> {
    of: Option<K>,
    text: [u8; Written::<()>::LEN],
    len: usize,
}

impl Written<()> {
    /// The longest words, bytes.
    const LEN: usize = 80;
}

impl<K> Default for Written<K> {
    fn default() -> Self {
        Written { of: None, text: [0; Written::LEN], len: 0 }
    }
}

impl<K: PartialEq> Written<K> {
    /// Appends the words of `values`, which `write` writes unless they are known.
    #[inline(always)]
    pub(crate) fn write<'a>(
        &mut self,
        line: &mut Line<'a>,
        values: K,
        write: impl FnOnce(&mut Line<'a>),
    ) {
        if self.of.as_ref() == Some(&values) {
            return line.room().piece(self.text, self.len);
        }
        let start = line.room.end;
        write(line);
        let words = line.room.bytes.get(start..line.room.end).unwrap_or_default();
        self.of = None;
        if let Some(room) = self.text.get_mut(..words.len()) {
            room.copy_from_slice(words);
            self.len = words.len();
            self.of = Some(values);
        }
    }
}

#[inline(never)]
fn apart(bytes: &mut [u8; Room::LEN], end: usize, write: impl FnOnce(&mut Room<'_>)) -> usize {
    let mut room = Room { bytes, end };
    write(&mut room);
    room.end
}

impl Text for Room<'_> {
    #[inline(always)]
    fn piece<const N: usize>(&mut self, piece: [u8; N], len: usize) {
        if self.end <= Room::LEN - N
            && let Some(room) = self.bytes.get_mut(self.end..self.end + N)
        {
            room.copy_from_slice(&piece);
            self.end += len;
        }
    }

    #[inline(always)]
    fn text(&mut self, text: &[u8]) {
        if let Some(room) = self.bytes.get_mut(self.end..)
            && let Some(room) = room.get_mut(..text.len())
        {
            room.copy_from_slice(text);
            self.end += text.len();
        }
    }
}

/// Text that is appended to a vector when it is finished, or when there is no room for a part more.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    out: &'a mut Vec<u8>,
    room: Room<'a>,
}

impl<'a> Line<'a> {
    /// The longest part, bytes: 20 words, each with a name of at most 22 bytes and a number of at most 29.
    const PART: usize = 20 * (22 + 29);

    /// An empty line that goes to `out`. What is in `bytes` is of no interest.
    #[inline(always)]
    pub(crate) fn new(out: &'a mut Vec<u8>, bytes: &'a mut [u8; Room::LEN]) -> Self {
        Line { out, room: Room { bytes, end: 0 } }
    }

    /// Begins a part: 20 words at most.
    #[inline(always)]
    pub(crate) fn part(&mut self) {
        if self.room.end > Room::LEN - Line::PART {
            append(self.out, self.room.bytes, self.room.end);
            self.room.end = 0;
        }
    }

    /// Room for what is left of the part.
    #[inline(always)]
    pub(crate) fn room(&mut self) -> &mut Room<'a> {
        &mut self.room
    }

    /// Appends a word.
    #[inline(always)]
    pub(crate) fn word(&mut self, word: &str) {
        self.room().text(word.as_bytes());
    }

    /// Appends the line to the vector.
    #[inline(always)]
    pub(crate) fn finish(self) {
        append(self.out, self.room.bytes, self.room.end);
    }
}

#[inline(never)]
fn append(out: &mut Vec<u8>, bytes: &[u8; Room::LEN], end: usize) {
    out.extend_from_slice(bytes.get(..end).unwrap_or(bytes));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_written_once_for_each_value() {
        let (mut out, mut bytes, mut written) = (Vec::new(), [b'?'; Room::LEN], Written::default());
        let mut line = Line::new(&mut out, &mut bytes);
        let long = "x".repeat(Written::LEN + 1);
        let mut count = 0;
        for word in ["one", "one", "", "", "two", &long, &long, "two", "two"] {
            written.write(&mut line, word.to_owned(), |line| {
                count += 1;
                line.word(word);
            });
        }
        line.finish();
        assert_eq!(String::from_utf8(out).unwrap(), format!("oneonetwo{long}{long}twotwo"));
        assert_eq!(count, 6);
    }

    proptest! {
        #[test]
        fn a_line_of_any_length_reaches_the_vector_whole(
            words in prop::collection::vec("[a-z]{0,41}", 0..200),
            lens in prop::collection::vec(0_usize..8, 200),
        ) {
            let (mut out, mut expected) = (b"before".to_vec(), "before".to_owned());
            let mut bytes = [b'?'; Room::LEN];
            let mut line = Line::new(&mut out, &mut bytes);
            for (number, (word, len)) in words.iter().zip(lens).enumerate() {
                if number % 20 == 0 {
                    line.part();
                }
                line.word(word);
                line.room().piece(*b"ABCDEFGH", len);
                expected.push_str(word);
                expected.push_str("ABCDEFGH".get(..len).unwrap());
            }
            line.finish();
            prop_assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
