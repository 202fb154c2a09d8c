//! Names from outside, as the inside of a JSON string.

use crate::number::nibble;

/// Appends `name`, and tells whether it had to be escaped because it is not UTF-8: then stray bytes
/// are `\xNN` and backslashes are doubled, in the text that a reader of the JSON sees.
#[inline]
pub(crate) fn write(out: &mut Vec<u8>, name: &[u8]) -> bool {
    let plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    if name.iter().all(plain) {
        out.extend_from_slice(name);
        return false;
    }
    match std::str::from_utf8(name) {
        Ok(text) => {
            text.chars().for_each(|character| push(out, character));
            false
        }
        Err(_) => {
            stray(out, name);
            true
        }
    }
}

fn stray(out: &mut Vec<u8>, name: &[u8]) {
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character == '\\' {
                push(out, '\\');
            }
            push(out, character);
        }
        for byte in chunk.invalid() {
            out.extend_from_slice(br"\\x");
            out.push(nibble(u64::from(byte >> 4)));
            out.push(nibble(u64::from(*byte)));
        }
    }
}

fn push(out: &mut Vec<u8>, character: char) {
    match character {
        '"' => out.extend_from_slice(br#"\""#),
        '\\' => out.extend_from_slice(br"\\"),
        '\n' => out.extend_from_slice(br"\n"),
        '\r' => out.extend_from_slice(br"\r"),
        '\t' => out.extend_from_slice(br"\t"),
        // C0, DEL and C1, all below 256.
        control if control.is_control() => {
            let code = u64::from(u32::from(control));
            out.extend_from_slice(br"\u00");
            out.push(nibble(code >> 4));
            out.push(nibble(code));
        }
        other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(name: &[u8]) -> (String, bool) {
        let mut out = Vec::new();
        let escaped = write(&mut out, name);
        (String::from_utf8(out).unwrap(), escaped)
    }

    /// What a reader of the JSON has, and the bytes that it stands for.
    fn read(name: &[u8]) -> Vec<u8> {
        let (inside, escaped) = written(name);
        let text: String = serde_json::from_str(&format!("\"{inside}\"")).unwrap();
        if !escaped {
            return text.into_bytes();
        }
        let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
        while let [first, tail @ ..] = rest {
            (bytes, rest) = match (first, tail) {
                (b'\\', [b'\\', tail @ ..]) => ([bytes, vec![b'\\']].concat(), tail),
                (b'\\', [b'x', high, low, tail @ ..]) => {
                    let digits = String::from_utf8(vec![*high, *low]).unwrap();
                    let byte = u8::from_str_radix(&digits, 16).unwrap();
                    ([bytes, vec![byte]].concat(), tail)
                }
                (b'\\', _) => panic!("{text:?}"),
                (byte, tail) => ([bytes, vec![*byte]].concat(), tail),
            };
        }
        bytes
    }

    #[test]
    fn text_stays_text() {
        assert_eq!(written(b"eth0"), ("eth0".to_owned(), false));
        assert_eq!(written("käse".as_bytes()), ("käse".to_owned(), false));
        assert_eq!(written(br#"a"b\x41"#), (r#"a\"b\\x41"#.to_owned(), false));
    }

    #[test]
    fn control_characters_are_escaped_to_c1() {
        assert_eq!(
            written("\x1b[2J\x7f\u{80}\u{9f}\u{a0}\n\t\r\0".as_bytes()),
            ("\\u001b[2J\\u007f\\u0080\\u009f\u{a0}\\n\\t\\r\\u0000".to_owned(), false)
        );
    }

    #[test]
    fn stray_bytes_are_marked_and_backslashes_doubled() {
        assert_eq!(written(b"a\xff\x9b"), (r"a\\xff\\x9b".to_owned(), true));
        assert_eq!(written(b"\\xff\xff"), (r"\\\\xff\\xff".to_owned(), true));
        assert_eq!(read(b"\\xff\xff\\"), b"\\xff\xff\\");
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(name: Vec<u8>) {
            prop_assert_eq!(read(&name), name.clone());
            let (inside, _) = written(&name);
            prop_assert!(!inside.chars().any(char::is_control), "{inside:?}");
        }

        #[test]
        fn any_text_comes_back(name: String) {
            prop_assert_eq!(read(name.as_bytes()), name.as_bytes());
            prop_assert!(!written(name.as_bytes()).1);
        }
    }
}
