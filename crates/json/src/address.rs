//! Addresses: dotted IPv4, IPv6 as RFC 5952 writes it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::number::nibbles;

/// Each octet's digits, and how many they are.
static OCTETS: [([u8; 4], u8); 256] = octets();

const fn octets() -> [([u8; 4], u8); 256] {
    let mut table = [([0; 4], 0); 256];
    let mut octet = 0;
    while octet < 256 {
        // Digits, each less than 10.
        let [hundreds, tens, ones] =
            [b'0' + (octet / 100) as u8, b'0' + (octet / 10 % 10) as u8, b'0' + (octet % 10) as u8];
        table[octet] = match octet {
            0..10 => ([ones, 0, 0, 0], 1),
            10..100 => ([tens, ones, 0, 0], 2),
            _ => ([hundreds, tens, ones, 0], 3),
        };
        octet += 1;
    }
    table
}

/// Appends an address.
#[inline]
pub(crate) fn write(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => ipv4(out, address),
        IpAddr::V6(address) => ipv6(out, address),
    }
}

fn ipv4(out: &mut Vec<u8>, address: Ipv4Addr) {
    for octet in address.octets() {
        let (mut digits, count) = OCTETS[usize::from(octet)];
        let count = usize::from(count);
        if let Some(behind) = digits.get_mut(count) {
            *behind = b'.';
        }
        out.extend_from_slice(&digits);
        // One more than the digits, for the dot.
        out.truncate(out.len() - (digits.len() - count - 1));
    }
    out.pop();
}

fn ipv6(out: &mut Vec<u8>, address: Ipv6Addr) {
    if let Some(mapped) = address.to_ipv4_mapped() {
        out.extend_from_slice(b"::ffff:");
        return ipv4(out, mapped);
    }
    let segments = address.segments();
    let (start, end) = longest_zeros(&segments);
    for (index, segment) in segments.into_iter().enumerate() {
        if (start..end).contains(&index) {
            if index == start {
                out.extend_from_slice(b"::");
            }
            continue;
        }
        if index > 0 && index != end {
            out.push(b':');
        }
        nibbles(out, segment.into());
    }
}

/// The first of the longest runs of zeros that are two at least: its start and end. Past the last
/// segment where there is none.
fn longest_zeros(segments: &[u16; 8]) -> (usize, usize) {
    let none = (segments.len() + 1, segments.len() + 1);
    let (mut longest, mut length, mut start) = (none, 1, 0);
    for (index, segment) in segments.iter().enumerate() {
        if *segment != 0 {
            start = index + 1;
        } else if index + 1 - start > length {
            length = index + 1 - start;
            longest = (start, index + 1);
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(address: IpAddr) -> String {
        let mut out = Vec::new();
        write(&mut out, address);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_octet() {
        for octet in 0..=255 {
            let address = IpAddr::from([octet, 255 - octet, 0, octet / 2]);
            assert_eq!(written(address), address.to_string());
        }
    }

    #[test]
    fn zeros_are_left_out_once() {
        for text in [
            "::",
            "::1",
            "1::",
            "::ffff:10.0.0.1",
            "2001:db8::1:0:0:1",
            "2001:db8:0:1:1:1:1:1",
            "2001:0:0:1::1",
            "0:1::",
            "1:0:0:2:3:4:5:6",
            "0:1:2:3:4:5:6:0",
            "fe80::1234",
        ] {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(written(address), address.to_string());
        }
    }

    proptest! {
        /// As the standard library writes them.
        #[test]
        fn any_address(segments: [u16; 8], zeros: u8) {
            let mut segments = segments;
            for (index, segment) in segments.iter_mut().enumerate() {
                if zeros >> index & 1 != 0 {
                    *segment = 0;
                }
            }
            let address = Ipv6Addr::from(segments);
            prop_assert_eq!(written(address.into()), address.to_string());
        }
    }
}
