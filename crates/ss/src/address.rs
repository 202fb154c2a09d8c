//! Addresses as C's `inet_ntop` writes them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use crate::line::Text;

/// Appends an address.
pub(crate) fn write_address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => write_ipv4(out, address),
        IpAddr::V6(address) => write_ipv6(out, address),
    }
}

/// The numbers of an address with the dot behind them, the first byte in the lowest one, and above the
/// lowest four bytes how many bits these are.
static OCTETS: [u64; 256] = {
    let mut octets = [0; 256];
    let mut value = 0;
    while value < 256 {
        let (text, count) = match value {
            0..10 => (0x2e30 | value, 2),
            10..100 => (0x2e_3030 | (value / 10) | ((value % 10) << 8), 3),
            _ => (0x2e30_3030 | (value / 100) | ((value / 10 % 10) << 8) | ((value % 10) << 16), 4),
        };
        octets[value as usize] = text | (8 * count) << 32;
        value += 1;
    }
    octets
};

/// The text of an IPv4 address, with a colon behind it, and its length.
#[inline]
pub(crate) fn ipv4_colon(address: Ipv4Addr) -> ([u8; 16], usize) {
    let octet = |octet: u8| {
        let octet = OCTETS.get(usize::from(octet)).copied().unwrap_or_default();
        (octet & 0xffff_ffff, octet >> 32)
    };
    let pair = |first, second| {
        let ((first, bits), (second, more)) = (octet(first), octet(second));
        // At most eight bytes.
        (first | second << bits, bits + more)
    };
    let [a, b, c, d] = address.octets();
    let ((first, bits), (second, more)) = (pair(a, b), pair(c, d));
    // The last dot becomes a colon.
    let second = second ^ u64::from(b'.' ^ b':') << (more - 8);
    let text = u128::from(first) | u128::from(second) << bits;
    (text.to_le_bytes(), (bits + more) as usize / 8)
}

fn write_ipv4(out: &mut Vec<u8>, address: Ipv4Addr) {
    let (text, len) = ipv4_colon(address);
    out.piece(text, len - 1);
}

fn write_ipv6(out: &mut Vec<u8>, address: Ipv6Addr) {
    let [.., a, b, c, d] = address.octets();
    let ipv4 = Ipv4Addr::new(a, b, c, d);
    let segments = address.segments();
    match segments {
        [0, 0, 0, 0, 0, 0xffff, ..] => {
            out.extend_from_slice(b"::ffff:");
            return write_ipv4(out, ipv4);
        }
        // The deprecated IPv4-compatible form, which the standard library does not know.
        [0, 0, 0, 0, 0, 0, high, _] if high != 0 => {
            out.extend_from_slice(b"::");
            return write_ipv4(out, ipv4);
        }
        _ => {}
    }
    let zeros = longest_zeros(&segments);
    for (index, segment) in segments.into_iter().enumerate() {
        if index == zeros.start && !zeros.is_empty() {
            out.extend_from_slice(b"::");
        } else if !zeros.contains(&index) {
            if index > 0 && index != zeros.end {
                out.push(b':');
            }
            write_segment(out, segment);
        }
    }
}

/// The longest run of zeros, the first of several; empty, at 0, where it is no longer than one.
fn longest_zeros(segments: &[u16; 8]) -> Range<usize> {
    let mut longest = 0..0;
    let mut start = 0;
    for (index, segment) in segments.iter().enumerate() {
        if *segment != 0 {
            start = index + 1;
        } else if index + 1 - start > longest.len().max(1) {
            longest = start..index + 1;
        }
    }
    longest
}

/// Appends a number in hexadecimal.
fn write_segment(out: &mut Vec<u8>, segment: u16) {
    let segment = u32::from(segment);
    // A digit a byte, the first in the lowest one.
    let digits = segment >> 12 | segment & 0xf00 | (segment & 0xf0) << 12 | (segment & 0xf) << 24;
    let letters = ((digits + 0x0606_0606) >> 4) & 0x0101_0101;
    let text = digits + 0x3030_3030 + letters * u32::from(b'a' - b'0' - 10);
    // The last digit is printed even if it is 0.
    let leading_zeros = digits.trailing_zeros().min(24) / 8;
    out.piece((text >> (8 * leading_zeros)).to_le_bytes(), 4 - leading_zeros as usize);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(address: impl Into<IpAddr>) -> String {
        let mut out = Vec::new();
        write_address(&mut out, address.into());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn addresses_are_written_as_inet_ntop_writes_them() {
        for written in [
            "::",
            "::1",
            "::ffff:1.2.3.4",
            "::1.2.3.4",
            "::0.1.0.0",
            "::ffff",
            "::ffff:0:0:0",
            "1::",
            "1:2:3:4:5:6:7:0",
            "0:2:3:4:5:6:7:8",
            "2001:db8::1:0:0:1",
            "2001:db8:0:1:1:1:1:1",
            "fe80::",
            "fe80::abcd:ef09:f:10",
        ] {
            let address: Ipv6Addr = written.parse().unwrap();
            assert_eq!(text(address), written);
        }
        assert_eq!(text([255, 0, 10, 1]), "255.0.10.1");
    }

    proptest! {
        #[test]
        fn ipv4_is_what_the_standard_library_writes(octets: [u8; 4]) {
            let address = Ipv4Addr::from(octets);
            prop_assert_eq!(text(address), address.to_string());
        }

        #[test]
        fn ipv6_is_what_the_standard_library_writes(
            segments: [u16; 8],
            masks in prop::array::uniform8(prop::sample::select(vec![0, 0xf, 0xffff])),
        ) {
            let mut segments = segments;
            for (segment, mask) in segments.iter_mut().zip(masks) {
                *segment &= mask;
            }
            // Not the IPv4-compatible ones.
            prop_assume!(segments[..6] != [0; 6] || segments[6] == 0);
            let address = Ipv6Addr::from(segments);
            prop_assert_eq!(text(address), address.to_string());
        }
    }
}
