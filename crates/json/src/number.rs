//! Numbers in decimal and hexadecimal.

/// What `eight` takes, and one more than it can.
const EIGHT_DIGITS: u64 = 100_000_000;

/// Appends `value` in decimal.
#[inline]
pub(crate) fn unsigned(out: &mut Vec<u8>, value: u64) {
    // Most counters of most sockets stand at 0.
    if value < 10 {
        // Less than 10, which fits.
        out.push(b'0' + value as u8);
    } else {
        long(out, value);
    }
}

#[inline(never)]
fn long(out: &mut Vec<u8>, value: u64) {
    if value < EIGHT_DIGITS {
        let digits = eight(value);
        let zeros = (digits.trailing_zeros() / 8).min(7);
        // A constant length to copy, and what is too much cut off.
        out.extend_from_slice(&ascii(digits >> (8 * zeros)));
        out.truncate(out.len() - zeros as usize);
    } else {
        long(out, value / EIGHT_DIGITS);
        out.extend_from_slice(&ascii(eight(value % EIGHT_DIGITS)));
    }
}

fn ascii(digits: u64) -> [u8; 8] {
    (digits | 0x3030_3030_3030_3030).to_le_bytes()
}

/// The eight digits of a number below 10^8, one a byte, the first in the lowest. All lanes are
/// divided at once: by 10^4, by 100, by 10, each as a multiplication that is exact in its range.
fn eight(value: u64) -> u64 {
    let four = (value / 10_000) | ((value % 10_000) << 32);
    let hundreds = (four * 10_486) >> 20 & 0x0000_007f_0000_007f;
    let two = hundreds | (four - hundreds * 100) << 16;
    let tens = (two * 103) >> 10 & 0x000f_000f_000f_000f;
    tens | (two - tens * 10) << 8
}

/// Appends `value` in hexadecimal, with `0x` before it.
pub(crate) fn hex(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(b"0x");
    nibbles(out, value);
}

/// Appends `value` in hexadecimal.
pub(crate) fn nibbles(out: &mut Vec<u8>, value: u64) {
    let digits = (64 - value.leading_zeros()).div_ceil(4).max(1);
    for place in (0..digits).rev() {
        out.push(nibble(value >> (4 * place)));
    }
}

/// The lowest four bits.
pub(crate) fn nibble(value: u64) -> u8 {
    // Less than 16, which fits.
    let digit = (value & 0xf) as u8;
    if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = b"before".to_vec();
        write(&mut out);
        String::from_utf8(out).unwrap().strip_prefix("before").unwrap().to_owned()
    }

    #[test]
    fn every_length_and_the_edges_between() {
        let mut value = 1_u64;
        loop {
            for near in [value - 1, value, value + 1, value * 9 / 5] {
                assert_eq!(text(|out| unsigned(out, near)), near.to_string());
            }
            match value.checked_mul(10) {
                Some(next) if next < u64::MAX / 2 => value = next,
                _ => break,
            }
        }
        for value in (0..20_000).chain([u64::MAX, u64::MAX - 1]) {
            assert_eq!(text(|out| unsigned(out, value)), value.to_string());
        }
    }

    /// All values of the lanes: the products may not carry into a neighbour.
    #[test]
    fn every_four_digits_in_either_half() {
        for half in 0..10_000 {
            for value in [half, half * 10_000, half * 10_001] {
                assert_eq!(ascii(eight(value)), *format!("{value:08}").as_bytes());
            }
        }
    }

    #[test]
    fn hexadecimal() {
        for (value, written) in
            [(0, "0x0"), (0x1f, "0x1f"), (u64::MAX, "0xffffffffffffffff"), (1 << 32, "0x100000000")]
        {
            assert_eq!(text(|out| hex(out, value)), written);
        }
    }

    proptest! {
        #[test]
        fn any_number(value: u64, shift in 0_u32..64) {
            let value = value >> shift;
            prop_assert_eq!(text(|out| unsigned(out, value)), value.to_string());
            prop_assert_eq!(text(|out| hex(out, value)), format!("{value:#x}"));
        }
    }
}
