//! Blanks the keys in bytes that are to be kept.
//!
//! With CAP_NET_ADMIN the kernel adds the keys of TCP-MD5 signatures to every dump, asked or not
//! (`tcp_diag_get_aux`, net/ipv4/tcp_diag.c). A recording must not carry them away.

use sockeye_netlink::Messages;

use crate::inet::{INET_DIAG_MD5SIG, MD5SIG_KEY_OFFSET, MD5SIG_LEN, MESSAGE_LEN};

/// Overwrites every key of `INET_DIAG_MD5SIG` in a datagram with zeros; lengths stay. Bytes that
/// cannot be followed stay as they are: nothing decodes them either.
pub(crate) fn md5_keys(datagram: &mut [u8]) {
    let mut keys = Vec::new();
    for message in Messages::new(datagram).flatten() {
        let mut attrs = message.attributes_after(MESSAGE_LEN);
        while attrs.next() {
            if attrs.kind() == INET_DIAG_MD5SIG {
                // Elements, the last one perhaps cut short.
                let end = attrs.offset() + attrs.bytes().len();
                let elements = (attrs.offset()..end).step_by(MD5SIG_LEN);
                keys.extend(elements.map(|element| {
                    (element + MD5SIG_KEY_OFFSET).min(end)..(element + MD5SIG_LEN).min(end)
                }));
            }
        }
    }
    for key in keys {
        if let Some(key) = datagram.get_mut(key) {
            key.fill(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sockeye_netlink::Request;

    #[test]
    fn every_key_is_blanked_and_nothing_else() {
        // Two signatures and a third that is cut within its key, between two other attributes.
        let mut sigs = vec![b'.'; 2 * 100 + 50];
        for start in [20, 120, 220] {
            let end = (start + 80).min(sigs.len());
            sigs[start..end].fill(b'K');
        }
        let message = Request::new(20)
            .body(&[0x11u8; MESSAGE_LEN])
            .attr(4, b"KKKK")
            .attr(INET_DIAG_MD5SIG, &sigs)
            .attr_u8(8, b'K');
        let mut datagram = message.to_bytes(1, 0).unwrap();
        datagram.extend(message.to_bytes(1, 0).unwrap());
        let before = datagram.clone();
        md5_keys(&mut datagram);
        assert_eq!(datagram.len(), before.len());
        let left = datagram.iter().filter(|byte| **byte == b'K').count();
        assert_eq!(left, 2 * (4 + 1), "what is no key stays");
        let changed = before.iter().zip(&datagram).filter(|(a, b)| a != b).count();
        assert_eq!(changed, 2 * (80 + 80 + 30));
    }

    #[test]
    fn garbage_is_left_alone() {
        let mut bytes = [0xff; 64];
        md5_keys(&mut bytes);
        assert_eq!(bytes, [0xff; 64]);
    }
}
