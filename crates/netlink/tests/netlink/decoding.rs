//! Attributes that are not as a decoder expects them.

use sockeye_netlink::{Attributes, FormatError, Messages, Part, Request};

/// The bytes of these attributes alone.
fn attributes(request: Request) -> Vec<u8> {
    request.to_bytes(0, 0).expect("short").split_off(16)
}

fn error_of(mut attrs: Attributes<'_>) -> FormatError {
    while attrs.next() {
        attrs.u32();
    }
    attrs.end().expect_err("malformed")
}

#[test]
fn a_short_value_loses_only_its_own_field() {
    let bytes = attributes(Request::new(0).attr_u32(1, 10).attr(2, &[7; 3]).attr_u32(3, 30));
    let mut attrs = Attributes::new(&bytes);
    let mut values = Vec::new();
    while attrs.next() {
        values.push(attrs.u32());
    }
    assert_eq!(values, [Some(10), None, Some(30)]);
    let malformed = attrs.error().unwrap();
    assert_eq!(
        (malformed.part, malformed.offset, malformed.wanted, malformed.found),
        (Part::AttributeValue(2), 12, 4, 3)
    );
    assert_eq!(
        malformed.to_string(),
        "message 0, byte 12: the value of attribute 2 needs 4 bytes, 3 are there"
    );
}

#[test]
fn a_longer_value_is_a_newer_kernel() {
    let bytes = attributes(Request::new(0).attr(1, &[1, 0, 0, 0, 9, 9, 9, 9, 9]));
    let mut attrs = Attributes::new(&bytes);
    assert!(attrs.next());
    assert_eq!((attrs.u8(), attrs.value::<[u8; 2]>()), (Some(1), Some([1, 0])));
    assert_eq!(attrs.bytes().len(), 9);
    assert_eq!(attrs.end(), Ok(()));
}

#[test]
fn the_first_error_is_the_one_that_is_remembered() {
    let bytes = attributes(Request::new(0).attr(1, &[0; 1]).attr(2, &[0; 2]));
    assert_eq!(error_of(Attributes::new(&bytes)).part, Part::AttributeValue(1));
}

#[test]
fn an_error_inside_a_nest_reaches_the_decoder_with_its_place() {
    let message = Request::new(20)
        .body(&[0u8; 8])
        .attr_u32(1, 0)
        .nested(2, |nest| nest.attr_u8(3, 1).attr(4, &[0; 2]));
    let bytes = [Request::new(19), message]
        .iter()
        .flat_map(|message| message.to_bytes(0, 0).unwrap())
        .collect::<Vec<_>>();
    let message = Messages::new(&bytes).nth(1).unwrap().unwrap();
    let mut attrs = message.attributes_after(8);
    while attrs.next() {
        if attrs.kind() == 2 {
            attrs.nested(|inner| while inner.next() && inner.u16().is_none() {});
        }
    }
    let malformed = attrs.end().unwrap_err();
    assert_eq!(malformed.part, Part::AttributeValue(3));
    // 16 of the first message, 16 + 8 to the attributes, 8 of the first one, two headers.
    assert_eq!((malformed.message, malformed.offset), (1, 16 + 24 + 8 + 4 + 4));
}

#[test]
fn wrong_lengths_end_the_walk_and_are_named() {
    let cases: [(&[u8], Part, usize, usize); 5] = [
        (&[3, 0, 1, 0], Part::AttributeLength(1), 4, 3),
        (&[0, 0, 0, 0], Part::AttributeLength(0), 4, 0),
        (&[9, 0, 1, 0, 5, 5, 5, 5], Part::AttributeLength(1), 8, 9),
        (&[255, 255, 2, 0x80], Part::AttributeLength(2), 4, 65535),
        (&[4, 0, 1], Part::AttributeHeader, 4, 3),
    ];
    for (tail, part, wanted, found) in cases {
        let mut bytes = attributes(Request::new(0).attr_u32(1, 0));
        bytes.extend_from_slice(tail);
        let malformed = error_of(Attributes::new(&bytes));
        assert_eq!((malformed.part, malformed.offset), (part, 8), "{tail:?}");
        assert_eq!((malformed.wanted, malformed.found), (wanted, found), "{tail:?}");
    }
}

#[test]
fn the_last_attribute_may_lack_its_padding() {
    let bytes = [5, 0, 1, 0, 77];
    let mut attrs = Attributes::new(&bytes);
    assert!(attrs.next());
    assert_eq!(attrs.u8(), Some(77));
    assert!(!attrs.next());
    assert_eq!(attrs.end(), Ok(()));
}

#[test]
fn strings_are_cut_at_their_first_nul_and_never_changed() {
    let request = Request::new(0).attr_str(1, b"l\xff1").attr(2, b"no nul").attr(3, b"a\0b");
    let bytes = attributes(request);
    let mut attrs = Attributes::new(&bytes);
    let mut strings = Vec::new();
    while attrs.next() {
        strings.push(attrs.str());
    }
    assert_eq!(strings, [&b"l\xff1"[..], b"no nul", b"a"]);
}

#[test]
fn the_flags_of_a_type_are_no_part_of_it() {
    let bytes = attributes(Request::new(0).nested(5, |nest| nest).attr(0x4006, &[0, 1]));
    let mut attrs = Attributes::new(&bytes);
    assert!(attrs.next());
    assert_eq!((attrs.kind(), attrs.is_nested()), (5, true));
    assert!(attrs.next());
    assert_eq!((attrs.kind(), attrs.is_nested(), attrs.be16()), (6, false, Some(1)));
}

#[test]
fn a_payload_without_its_body_has_no_attributes() {
    let bytes = Request::new(20).body(&0u32).to_bytes(0, 0).unwrap();
    let message = Messages::new(&bytes).next().unwrap().unwrap();
    let mut attrs = message.attributes_after(72);
    assert!(!attrs.next());
    assert_eq!(attrs.end(), Ok(()));
    let malformed = message.body::<[u8; 72]>().unwrap_err();
    assert_eq!((malformed.part, malformed.wanted, malformed.found), (Part::Body, 72, 4));
}

#[test]
fn an_attribute_as_long_as_can_be_is_built_and_one_byte_more_is_not() {
    let longest = usize::from(u16::MAX) - 4;
    let bytes = attributes(Request::new(0).attr(1, &vec![1; longest]).attr_u8(2, 9));
    let mut attrs = Attributes::new(&bytes);
    assert!(attrs.next());
    assert_eq!(attrs.bytes().len(), longest);
    assert!(attrs.next());
    assert_eq!(attrs.u8(), Some(9));

    let failure = Request::new(0).attr(1, &vec![1; longest + 1]).to_bytes(0, 0).unwrap_err();
    assert_eq!(failure.to_string(), "attribute 1 has 65532 bytes, at most 65531 fit");
    let inner = Request::new(0).nested(7, |nest| nest.attr(1, &vec![1; longest + 1]));
    assert_eq!(inner.to_bytes(0, 0).unwrap_err(), failure);
    let terminated = Request::new(0).attr_str(1, vec![b'a'; longest]);
    assert!(terminated.to_bytes(0, 0).is_err());
}
