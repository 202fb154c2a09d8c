//! What is built is what is read, and arbitrary bytes never panic.

use proptest::collection::vec;
use proptest::prelude::*;
use sockeye_netlink::{Attributes, Message, Messages, NLA_TYPE_MASK, Request};

/// An attribute as it is built and as it is read.
#[derive(Debug, Clone, PartialEq)]
enum Attribute {
    Bytes(u16, Vec<u8>),
    Nest(u16, Vec<Attribute>),
}

fn attribute() -> impl Strategy<Value = Attribute> {
    let kind = || 0..=NLA_TYPE_MASK;
    let leaf =
        (kind(), vec(any::<u8>(), 0..40)).prop_map(|(kind, value)| Attribute::Bytes(kind, value));
    leaf.prop_recursive(3, 24, 5, move |inner| {
        (kind(), vec(inner, 0..5)).prop_map(|(kind, inner)| Attribute::Nest(kind, inner))
    })
}

fn build(request: Request, attributes: &[Attribute]) -> Request {
    attributes.iter().fold(request, |request, attribute| match attribute {
        Attribute::Bytes(kind, value) => request.attr(*kind, value),
        Attribute::Nest(kind, inner) => request.nested(*kind, |nest| build(nest, inner)),
    })
}

fn read(attrs: &mut Attributes<'_>) -> Vec<Attribute> {
    let mut found = Vec::new();
    while attrs.next() {
        let kind = attrs.kind();
        found.push(if attrs.is_nested() {
            Attribute::Nest(kind, attrs.nested(read))
        } else {
            Attribute::Bytes(kind, attrs.bytes().to_vec())
        });
    }
    found
}

/// Reads everything that there is to read.
fn exhaust(attrs: &mut Attributes<'_>, depth: u32) {
    while attrs.next() {
        let _ = (attrs.u8(), attrs.u16(), attrs.u32(), attrs.u64());
        let _ = (attrs.be16(), attrs.be32(), attrs.i32(), attrs.str());
        if depth > 0 {
            attrs.nested(|inner| exhaust(inner, depth - 1));
        }
    }
}

proptest! {
    #[test]
    fn a_message_is_read_as_it_was_built(
        kind: u16,
        flags: u16,
        seq: u32,
        portid: u32,
        body in vec(any::<u8>(), 0..30),
        attributes in vec(attribute(), 0..8),
    ) {
        let request = build(Request::new(kind).flags(flags).body(body.as_slice()), &attributes);
        let bytes = request.to_bytes(seq, portid).unwrap();
        prop_assert_eq!(bytes.len() % 4, 0);
        let mut messages = Messages::new(&bytes);
        let message = messages.next().unwrap().unwrap();
        prop_assert!(messages.next().is_none());
        prop_assert_eq!(
            (message.kind(), message.flags(), message.seq(), message.portid()),
            (kind, flags, seq, portid)
        );
        prop_assert_eq!(message.header().length as usize, bytes.len());
        prop_assert_eq!(&message.payload()[..body.len()], &body);
        let mut attrs = message.attributes_after(body.len());
        prop_assert_eq!(read(&mut attrs), attributes);
        prop_assert_eq!(attrs.end(), Ok(()));
    }

    #[test]
    fn numbers_and_strings_are_read_as_they_were_built(
        byte: u8, short: u16, long: u32, longest: u64, text in "[^\0]{0,20}",
    ) {
        let request = Request::new(0)
            .attr_u8(1, byte)
            .attr_u16(2, short)
            .attr_u32(3, long)
            .attr_u64(4, longest)
            .attr_be16(5, short)
            .attr_be32(6, long)
            .attr_str(7, &text)
            .attr_flag(8);
        let bytes = request.to_bytes(0, 0).unwrap();
        let message = Messages::new(&bytes).next().unwrap().unwrap();
        let mut attrs = message.attributes_after(0);
        let mut seen = 0;
        while attrs.next() {
            seen += 1;
            match attrs.kind() {
                1 => prop_assert_eq!(attrs.u8(), Some(byte)),
                2 => prop_assert_eq!(attrs.u16(), Some(short)),
                3 => {
                    prop_assert_eq!(attrs.u32(), Some(long));
                    prop_assert_eq!(attrs.i32(), Some(long as i32));
                }
                4 => prop_assert_eq!(attrs.u64(), Some(longest)),
                5 => prop_assert_eq!(attrs.be16(), Some(short)),
                6 => prop_assert_eq!(attrs.be32(), Some(long)),
                7 => prop_assert_eq!(attrs.str(), text.as_bytes()),
                _ => prop_assert!(attrs.bytes().is_empty()),
            }
        }
        prop_assert_eq!(seen, 8);
        prop_assert_eq!(attrs.end(), Ok(()));
    }

    #[test]
    fn messages_in_a_datagram_are_found_where_they_lie(bodies in vec(vec(any::<u8>(), 0..30), 1..10)) {
        let mut datagram = Vec::new();
        let mut offsets = Vec::new();
        for body in &bodies {
            offsets.push(datagram.len());
            datagram.extend(Request::new(20).body(body.as_slice()).to_bytes(0, 0).unwrap());
        }
        let found: Vec<_> = Messages::new(&datagram).collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(found.iter().map(Message::offset).collect::<Vec<_>>(), offsets);
        for (message, body) in found.iter().zip(&bodies) {
            prop_assert_eq!(&message.payload()[..body.len()], body);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        exhaust(&mut Attributes::new(&bytes), 3);
        for message in Messages::new(&bytes).flatten() {
            let _ = (message.body::<[u8; 56]>(), sockeye_netlink::Ack::decode(&message));
            exhaust(&mut message.attributes_after(4), 3);
            exhaust(&mut message.attributes_after(usize::MAX), 3);
        }
    }

    #[test]
    fn one_wrong_byte_never_panics(position: prop::sample::Index, wrong: u8, attributes in vec(attribute(), 1..5)) {
        let mut bytes = build(Request::new(20), &attributes).to_bytes(0, 0).unwrap();
        let position = position.index(bytes.len());
        bytes[position] = wrong;
        for message in Messages::new(&bytes).flatten() {
            exhaust(&mut message.attributes_after(0), 4);
        }
    }
}
