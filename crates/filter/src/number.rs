//! Numbers as C's `strtol` reads them with base 0: `0x` for hexadecimal, a leading 0 for octal.

/// The number at the beginning of `text`, and what stands behind it; `None` where there is no digit.
/// White space and a sign may come before the digits. Saturates.
pub(crate) fn leading(text: &[u8]) -> Option<(i64, &[u8])> {
    let space = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
    let start = text.iter().position(|byte| !space(byte))?;
    let text = text.get(start..)?;
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let (base, mut rest) = match text {
        [b'0', b'x' | b'X', digits @ ..] if digits.first().is_some_and(u8::is_ascii_hexdigit) => {
            (16, digits)
        }
        [b'0', ..] => (8, text),
        _ => (10, text),
    };
    let mut number = None;
    while let [first, behind @ ..] = rest
        && let Some(digit) = char::from(*first).to_digit(base)
    {
        let so_far = number.unwrap_or(0_i64);
        number = Some(so_far.saturating_mul(i64::from(base)).saturating_add(i64::from(digit)));
        rest = behind;
    }
    number.map(|number| (if negative { -number } else { number }, rest))
}

/// All of `text` as one number.
pub(crate) fn whole(text: &[u8]) -> Option<i64> {
    leading(text).and_then(|(number, rest)| rest.is_empty().then_some(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases_and_signs_are_those_of_c() {
        for (text, number) in [
            ("22", Some(22)),
            ("0x50", Some(80)),
            ("0X5f", Some(95)),
            ("010", Some(8)),
            ("0", Some(0)),
            ("-5", Some(-5)),
            ("+7", Some(7)),
            (" 7", Some(7)),
            ("", None),
            ("-", None),
            ("x", None),
            ("08", None),
            ("0x", None),
            ("22x", None),
            ("99999999999999999999", Some(i64::MAX)),
        ] {
            assert_eq!(whole(text.as_bytes()), number, "{text:?}");
        }
    }

    #[test]
    fn what_stands_behind_is_handed_back() {
        assert_eq!(leading(b"0x1/2"), Some((1, &b"/2"[..])));
        assert_eq!(leading(b"0x"), Some((0, &b"x"[..])));
        assert_eq!(leading(b"08"), Some((0, &b"8"[..])));
    }
}
