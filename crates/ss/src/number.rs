//! Numbers as C's `printf` writes them, without `format!` on the way.
//!
//! `ss` prints durations and rates with `%g`, `%.3g`, `%.1f` and `%.0f`: the exact value of the
//! double, rounded to the decimals asked for, a tie to the even digit. Most values are settled by
//! one multiplication whose error is known to be too small to matter; the rest goes to the
//! standard library's exact conversion.

use crate::line::{Line, Text};

/// The first number with more than eight digits.
const NINE_DIGITS: u64 = 100_000_000;

/// The eight decimal digits of `value`, leading zeros included, as numbers from 0 to 9: the first
/// in the lowest byte. `value` must be less than [`NINE_DIGITS`].
#[inline]
fn eight_digits(value: u64) -> u64 {
    // Halves of the value, then quarters, then digits, side by side in one word: each step splits
    // all of them at once, by a multiplication with a shifted reciprocal that is exact in its range.
    let halves = (value / 10_000) | (value % 10_000) << 32;
    let hundreds = ((halves * 10_486) >> 20) & 0x7f_0000_007f;
    let quarters = hundreds | (halves - 100 * hundreds) << 16;
    let tens = ((quarters * 103) >> 10) & 0x0f_000f_000f_000f;
    tens | (quarters - 10 * tens) << 8
}

/// `'0'` in every byte.
const ZEROS: u64 = 0x3030_3030_3030_3030;

/// The numbers below 1000 in decimal: up to three digits, the first in the lowest byte, and in the
/// highest byte how many there are.
static SMALL: [u32; 1000] = {
    let mut small = [0; 1000];
    let mut value = 0;
    while value < small.len() {
        let (hundreds, tens, ones) = (value / 100, value / 10 % 10, value % 10);
        let text = match value {
            0..10 => 0x0100_0030 | ones,
            10..100 => 0x0200_3030 | tens | ones << 8,
            _ => 0x0330_3030 | hundreds | tens << 8 | ones << 16,
        };
        small[value] = text as u32;
        value += 1;
    }
    small
};

/// The same with leading zeros, without how many there are.
static PADDED: [u32; 1000] = {
    let mut padded = [0; 1000];
    let mut value = 0;
    while value < padded.len() {
        let (hundreds, tens, ones) = (value / 100, value / 10 % 10, value % 10);
        padded[value] = (0x30_3030 | hundreds | tens << 8 | ones << 16) as u32;
        value += 1;
    }
    padded
};

/// The digits of `value` below 1000, the first in the lowest byte, and how many there are.
#[inline]
fn small(value: impl Into<u32>) -> (u32, u32) {
    let small = SMALL.get(value.into() as usize).copied().unwrap_or_default();
    (small & 0xff_ffff, small >> 24)
}

/// The three digits of `value` below 1000, leading zeros included, the first in the lowest byte.
#[inline]
fn three_digits(value: u32) -> u32 {
    PADDED.get(value as usize).copied().unwrap_or_default()
}

/// Appends `value` in decimal (`%llu`).
#[inline(always)]
pub(crate) fn unsigned(out: &mut impl Text, value: impl Into<u64>) {
    let value = value.into();
    match usize::try_from(value).ok().and_then(|value| SMALL.get(value)) {
        Some(small) => out.piece(small.to_le_bytes(), (*small >> 24) as usize),
        None if value < 1_000_000 => four_to_six_digits(out, value as u32),
        None => seven_digits_or_more(out, value),
    }
}

/// The same where it has four, five or six digits.
#[inline(always)]
fn four_to_six_digits(out: &mut impl Text, value: u32) {
    let (first, count) = small(value / 1000);
    let text = u64::from(first) | u64::from(three_digits(value % 1000)) << (8 * count);
    out.piece(text.to_le_bytes(), count as usize + 3);
}

/// The same where it has seven digits or more.
#[inline(never)]
fn seven_digits_or_more(out: &mut impl Text, value: u64) {
    let (high, low) = (value / NINE_DIGITS, value % NINE_DIGITS);
    if high == 0 {
        return eight_digits_or_less(out, low);
    }
    if high < NINE_DIGITS {
        eight_digits_or_less(out, high);
    } else {
        eight_digits_or_less(out, high / NINE_DIGITS);
        out.piece((eight_digits(high % NINE_DIGITS) | ZEROS).to_le_bytes(), 8);
    }
    out.piece((eight_digits(low) | ZEROS).to_le_bytes(), 8);
}

/// The same where it has eight digits or less, and is not 0.
#[inline]
fn eight_digits_or_less(out: &mut impl Text, value: u64) {
    let digits = eight_digits(value);
    let leading_zeros = digits.trailing_zeros() / 8;
    let text = (digits | ZEROS) >> (8 * leading_zeros);
    out.piece(text.to_le_bytes(), 8 - leading_zeros as usize);
}

/// Appends `value` in decimal (`%d`).
#[inline]
pub(crate) fn signed(out: &mut impl Text, value: i32) {
    if value < 0 {
        out.piece([b'-'], 1);
    }
    unsigned(out, value.unsigned_abs());
}

/// Appends `value` in hexadecimal, with at least `width` digits (`%llx`, `%04x`).
pub(crate) fn hex(out: &mut impl Text, value: impl Into<u64>, width: u32) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let value = value.into();
    let significant = (u64::BITS - value.leading_zeros()).div_ceil(4).max(1);
    for place in (0..significant.max(width)).rev() {
        let digit = value.checked_shr(4 * place).unwrap_or(0) & 0xf;
        out.piece([DIGITS.get(digit as usize).copied().unwrap_or(b'0')], 1);
    }
}

/// Appends `value` in hexadecimal after `0x`, but 0 as `0` (`%#x`).
pub(crate) fn prefixed_hex(out: &mut impl Text, value: u32) {
    if value != 0 {
        out.text(b"0x");
    }
    hex(out, value, 1);
}

/// Appends a name of at most 32 bytes and a number (`%llu`) to a line.
#[inline(always)]
pub(crate) fn named(line: &mut Line<'_>, name: &str, value: u64) {
    let room = line.room();
    room.text(name.as_bytes());
    match usize::try_from(value).ok().and_then(|value| SMALL.get(value)) {
        Some(small) => room.piece(small.to_le_bytes(), (*small >> 24) as usize),
        None if value < 1_000_000 => {
            room.apart(|room| four_to_six_digits(room, value as u32));
        }
        None => room.apart(|room| seven_digits_or_more(room, value)),
    }
}

/// The same of a signed number (`%d`).
#[inline(always)]
pub(crate) fn named_signed(line: &mut Line<'_>, name: &str, value: i32) {
    if value < 0 {
        line.word(name);
    }
    named(line, if value < 0 { "-" } else { name }, value.unsigned_abs().into());
}

/// Appends a name and [`thousandths`].
#[inline(always)]
pub(crate) fn named_thousandths(line: &mut Line<'_>, name: &str, value: u32) {
    line.word(name);
    line.room().apart(|room| thousandths(room, value));
}

/// Appends a name and [`general`].
#[inline(always)]
pub(crate) fn named_general(line: &mut Line<'_>, name: &str, value: f64, precision: u32) {
    line.word(name);
    line.room().apart(|room| general(room, value, precision));
}

/// Appends a name and [`whole`], which has 32 digits at most.
#[inline(always)]
pub(crate) fn named_whole(line: &mut Line<'_>, name: &str, value: f64) {
    line.word(name);
    line.room().apart(|room| whole(room, value));
}

/// Appends a name and [`tenths`], which have 32 digits at most.
#[inline(always)]
pub(crate) fn named_tenths(line: &mut Line<'_>, name: &str, value: f64) {
    line.word(name);
    line.room().apart(|room| tenths(room, value));
}

/// Appends `value / 1000` (`%g` of the quotient as a double).
pub(crate) fn thousandths(out: &mut impl Text, value: u32) {
    if value >= 1_000_000 {
        return general(out, f64::from(value) / 1000.0, 6);
    }
    // At most six digits: all of them are printed, and no rounding happens.
    let (whole, count) = small(value / 1000);
    let mut text = u64::from(whole);
    let mut len = count;
    let fraction = value % 1000;
    if fraction != 0 {
        // Three digits, and of those none that is a 0 at the end.
        let digits = three_digits(fraction);
        text |= u64::from(u32::from(b'.') | digits << 8) << (8 * count);
        len += 1 + (u32::BITS - (digits & 0x0f_0f0f).leading_zeros()).div_ceil(8);
    }
    out.piece(text.to_le_bytes(), len as usize);
}

/// Powers of ten that a double holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// How near to a tie a scaled value may lie before the exact conversion decides. The scaled values
/// are below 10^8 and wrong by one rounding, 10^-8 at most.
const DOUBT: f64 = 1e-6;

/// The nearest integer to a `scaled` value below 10^8, `None` when that is too near to call.
#[inline]
fn nearest(scaled: f64) -> Option<u64> {
    let whole = scaled as u64;
    let fraction = scaled - whole as f64;
    if (fraction - 0.5).abs() < DOUBT {
        return None;
    }
    Some(whole + u64::from(fraction > 0.5))
}

/// Appends `value` with `precision` significant digits at most (`%.*g`). The value must be finite
/// and not negative, the precision between 1 and 6.
pub(crate) fn general(out: &mut impl Text, value: f64, precision: u32) {
    if value == 0.0 {
        return out.piece([b'0'], 1);
    }
    let (digits, exponent) =
        fast_digits(value, precision).unwrap_or_else(|| exact_digits(value, precision));
    place(out, digits, exponent, precision);
}

/// The first `precision` digits of `value` as a number, and the power of ten of the first of them.
fn fast_digits(value: f64, precision: u32) -> Option<(u64, i32)> {
    let exponent = POWERS.partition_point(|power| *power <= value).checked_sub(1)?;
    // The next power is needed as a bound.
    POWERS.get(exponent + 1)?;
    let wanted = precision as usize - 1;
    let scaled = if exponent <= wanted {
        value * POWERS.get(wanted - exponent)?
    } else {
        value / POWERS.get(exponent - wanted)?
    };
    let digits = nearest(scaled)?;
    // At most 22, which fits.
    let exponent = exponent as i32;
    if digits >= 10_u64.pow(precision) {
        Some((digits / 10, exponent + 1))
    } else {
        Some((digits, exponent))
    }
}

/// The same from the standard library, which rounds exactly.
fn exact_digits(value: f64, precision: u32) -> (u64, i32) {
    let text = format!("{value:.*e}", precision as usize - 1);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = mantissa
        .bytes()
        .filter(u8::is_ascii_digit)
        .fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
    (digits, exponent.parse().unwrap_or(0))
}

/// Writes `precision` digits, the first of which counts `10^exponent`, as `%g` lays them out.
fn place(out: &mut impl Text, digits: u64, exponent: i32, precision: u32) {
    // From the left; without the zeros at the end, there are `count`.
    let digits = eight_digits(digits * 10_u64.pow(8 - precision));
    let count = (u64::BITS - digits.leading_zeros()).div_ceil(8);
    let text = digits | ZEROS;
    let digits_from = |first: u32| text.checked_shr(8 * first).unwrap_or(0).to_le_bytes();

    if exponent < -4 || exponent >= precision as i32 {
        out.piece(digits_from(0), 1);
        if count > 1 {
            out.piece([b'.'], 1);
            out.piece(digits_from(1), count as usize - 1);
        }
        out.piece([b'e'], 1);
        out.piece([if exponent < 0 { b'-' } else { b'+' }], 1);
        if exponent.unsigned_abs() < 10 {
            out.piece([b'0'], 1);
        }
        unsigned(out, exponent.unsigned_abs());
    } else if exponent < 0 {
        // At most four places from the point to the first digit.
        out.piece(*b"0.000", 1 + exponent.unsigned_abs() as usize);
        out.piece(digits_from(0), count as usize);
    } else {
        let before = exponent.unsigned_abs() + 1;
        out.piece(digits_from(0), before as usize);
        if count > before {
            out.piece([b'.'], 1);
            out.piece(digits_from(before), (count - before) as usize);
        }
    }
}

/// Appends `value` without decimals (`%.0f`). It must not be negative.
pub(crate) fn whole(out: &mut impl Text, value: f64) {
    // From here on, doubles have no fraction; below, the sum has none, and a tie went to the even
    // digit.
    const INTEGERS: f64 = 4_503_599_627_370_496.0;
    let rounded = if value < INTEGERS { (value + INTEGERS) - INTEGERS } else { value };
    if rounded < 1e19 {
        unsigned(out, rounded as u64);
    } else {
        out.text(format!("{rounded:.0}").as_bytes());
    }
}

/// Appends `value` with one decimal (`%.1f`). It must not be negative.
pub(crate) fn tenths(out: &mut impl Text, value: f64) {
    let scaled = value * 10.0;
    match (scaled < 1e8).then(|| nearest(scaled)).flatten() {
        Some(tenths) => {
            unsigned(out, tenths / 10);
            // Less than 10, which fits.
            out.text(&[b'.', b'0' + (tenths % 10) as u8]);
        }
        None => out.text(format!("{value:.1}").as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Room;
    use proptest::prelude::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    /// `%.*g` by way of the standard library's exact conversion.
    fn expected(value: f64, precision: u32) -> String {
        let (digits, exponent) = exact_digits(value, precision);
        text(|out| place(out, digits, exponent, precision))
    }

    #[test]
    fn general_prints_what_c_prints() {
        // Each pair as C's printf gave it.
        for (value, precision, c) in [
            (0.0, 6, "0"),
            (0.001, 6, "0.001"),
            (0.0001, 6, "0.0001"),
            (0.00001, 6, "1e-05"),
            (0.000_123_456_789, 6, "0.000123457"),
            (204.8, 6, "204.8"),
            (1_000_000.0, 6, "1e+06"),
            (999_999.5, 6, "1e+06"),
            (999_999.4, 6, "999999"),
            (4_294_967.295, 6, "4.29497e+06"),
            (1.953_125, 6, "1.95312"),
            (999.999, 3, "1e+03"),
            (999.4, 3, "999"),
            (1.005, 3, "1"),
            (12.5, 3, "12.5"),
            (0.5, 3, "0.5"),
            (2.5, 1, "2"),
            (1e25, 3, "1e+25"),
        ] {
            assert_eq!(text(|out| general(out, value, precision)), c, "{value} {precision}");
        }
    }

    #[test]
    fn other_forms_print_what_c_prints() {
        assert_eq!(text(|out| whole(out, 0.5)), "0");
        assert_eq!(text(|out| whole(out, 1.5)), "2");
        assert_eq!(text(|out| whole(out, 147_573_952_589_676_412_928.0)), "147573952589676412928");
        assert_eq!(text(|out| tenths(out, 0.25)), "0.2");
        assert_eq!(text(|out| tenths(out, 0.35)), "0.3");
        assert_eq!(text(|out| tenths(out, 102.325_581)), "102.3");
        assert_eq!(text(|out| tenths(out, 1e20)), "100000000000000000000.0");
        assert_eq!(text(|out| hex(out, 0x1a2_u32, 4)), "01a2");
        assert_eq!(text(|out| hex(out, 0_u32, 1)), "0");
        assert_eq!(text(|out| hex(out, u64::MAX, 4)), "ffffffffffffffff");
        assert_eq!(text(|out| prefixed_hex(out, 0)), "0");
        assert_eq!(text(|out| prefixed_hex(out, 0x10)), "0x10");
        assert_eq!(text(|out| signed(out, i32::MIN)), "-2147483648");
        assert_eq!(text(|out| unsigned(out, u64::MAX)), "18446744073709551615");
    }

    /// The same into a line.
    fn line(write: impl FnOnce(&mut Line<'_>)) -> String {
        let (mut out, mut room) = (Vec::new(), [b'?'; Room::LEN]);
        let mut line = Line::new(&mut out, &mut room);
        write(&mut line);
        line.finish();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_longest_rate_has_room() {
        // cwnd * mss * 8e6 of the greatest numbers.
        let rate = f64::from(u32::MAX) * f64::from(u32::MAX) * 8e6;
        let written = line(|line| named_whole(line, " send ", rate));
        assert_eq!(written, format!(" send {rate:.0}"));
    }

    proptest! {
        #[test]
        fn a_line_has_what_a_vector_has(value: u64, bits in 0_u32..64, quotient in 0.0_f64..1e21) {
            let value = value >> bits;
            let low = value as u32;
            let name = " name:";
            for (named, plain) in [
                (line(|line| named(line, name, value)), value.to_string()),
                (
                    line(|line| named_signed(line, name, low.cast_signed())),
                    low.cast_signed().to_string(),
                ),
                (
                    line(|line| named_thousandths(line, name, low)),
                    text(|out| thousandths(out, low)),
                ),
                (
                    line(|line| named_general(line, name, quotient, 3)),
                    text(|out| general(out, quotient, 3)),
                ),
                (line(|line| named_whole(line, name, quotient)), format!("{quotient:.0}")),
                (line(|line| named_tenths(line, name, quotient)), format!("{quotient:.1}")),
            ] {
                prop_assert_eq!(named, format!("{name}{plain}"));
            }
        }

        #[test]
        fn integers_agree_with_the_standard_library(value: u64, bits in 0_u32..64, small in 0_u32..1_000_000) {
            for value in [value >> bits, small.into()] {
                prop_assert_eq!(text(|out| unsigned(out, value)), value.to_string());
            }
        }

        #[test]
        fn fast_digits_agree_with_exact_ones(bits: u64, precision in 1_u32..=6) {
            let value = f64::from_bits(bits & !(1 << 63));
            prop_assume!(value.is_finite() && value != 0.0);
            prop_assert_eq!(text(|out| general(out, value, precision)), expected(value, precision));
        }

        #[test]
        fn rates_agree_with_exact_ones(value in 0.001_f64..1e13, precision in 1_u32..=6) {
            prop_assert_eq!(text(|out| general(out, value, precision)), expected(value, precision));
        }

        #[test]
        fn thousandths_are_the_quotients_digits(value: u32, small in 0_u32..2_000_000) {
            for value in [value, small] {
                let quotient = f64::from(value) / 1000.0;
                prop_assert_eq!(text(|out| thousandths(out, value)), text(|out| general(out, quotient, 6)));
            }
        }

        #[test]
        fn fixed_forms_agree_with_the_standard_library(value in 0.0_f64..1e21, ratio in 0.0_f64..200.0) {
            prop_assert_eq!(text(|out| whole(out, value)), format!("{value:.0}"));
            prop_assert_eq!(text(|out| tenths(out, value)), format!("{value:.1}"));
            prop_assert_eq!(text(|out| tenths(out, ratio)), format!("{ratio:.1}"));
        }
    }
}
