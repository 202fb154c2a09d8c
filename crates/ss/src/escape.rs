//! Names from outside, printed as they are or so that a terminal does not obey them.
//!
//! An interface, a control group or a host may be named `ESC[2J`. Like `ss`, this library prints
//! names unchanged to a pipe; on a terminal, control characters and what is not UTF-8 become
//! `\xNN`.

/// How names are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Escape {
    /// Byte for byte.
    #[default]
    Never,
    /// Control characters (C0, DEL and C1) and stray bytes as `\xNN`.
    Controls,
}

impl Escape {
    /// Whether `name` is printed byte for byte.
    #[inline]
    pub(crate) fn passes(self, name: &[u8]) -> bool {
        let plain = |byte: &u8| (b' '..=b'~').contains(byte);
        self == Escape::Never || name.iter().all(plain)
    }

    /// Appends `name`.
    pub(crate) fn write(self, out: &mut Vec<u8>, name: &[u8]) {
        if self.passes(name) {
            return out.extend_from_slice(name);
        }
        for chunk in name.utf8_chunks() {
            let mut utf8 = [0; 4];
            for character in chunk.valid().chars() {
                let bytes = character.encode_utf8(&mut utf8).as_bytes();
                if character.is_control() {
                    hex(out, bytes);
                } else {
                    out.extend_from_slice(bytes);
                }
            }
            hex(out, chunk.invalid());
        }
    }
}

fn hex(out: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        out.extend_from_slice(b"\\x");
        crate::number::hex(out, *byte, 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(escape: Escape, name: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        escape.write(&mut out, name);
        out
    }

    #[test]
    fn a_pipe_gets_the_bytes() {
        assert_eq!(written(Escape::Never, b"a\x1b[2J\xff"), b"a\x1b[2J\xff");
    }

    #[test]
    fn a_terminal_gets_no_control_character() {
        assert_eq!(written(Escape::Controls, b"a\x1b[2J\n\x7f"), br"a\x1b[2J\x0a\x7f");
        assert_eq!(written(Escape::Controls, "ä\u{9b}".as_bytes()), "ä\\xc2\\x9b".as_bytes());
        assert_eq!(written(Escape::Controls, b"\x9b\xc3"), br"\x9b\xc3");
    }
}
