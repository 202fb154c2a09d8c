//! Messages that are not ours, and bytes that are no message.

use rstest::rstest;
use sockeye_netlink::scripted::{Reply, done, error};
use sockeye_netlink::{Error, NLMSG_NOOP, Part, Request, Sender};

use crate::kernel::{Collect, client_of, dump, dump_of, entry, expected, short};
const STRANGER: Sender = Sender { portid: 4711, groups: 0 };

// Messages that are not ours.

#[test]
fn strangers_are_dropped_and_counted() {
    let reply = Reply::new()
        .datagram([entry(666), done(0)])
        .sent_by(STRANGER)
        .datagram([entry(1)])
        .bytes([]) // not the end of file: it has a sender
        .sent_by(STRANGER)
        .bytes(*b"garbage")
        .sent_by(STRANGER)
        .bytes(vec![0; 40_000]) // no truncation of ours
        .sent_by(STRANGER)
        .datagram([done(0)]);
    let (outcome, collect) = dump_of([reply]);
    let wanted = expected(|outcome| {
        outcome.messages = 1;
        outcome.foreign = 4;
    });
    assert_eq!(outcome.unwrap(), wanted);
    assert_eq!(collect.numbers, [1]);
    assert_eq!(collect.datagrams.len(), 2);
}

#[test]
fn messages_of_another_sequence_number_are_dropped_and_counted() {
    let reply = Reply::new()
        .datagram([entry(666), done(libc::EIO)])
        .verbatim()
        .datagram([entry(1)])
        .datagram([error(libc::EPERM)])
        .verbatim()
        .datagram([done(0)]);
    let (outcome, collect) = dump_of([reply]);
    let wanted = expected(|outcome| {
        outcome.messages = 1;
        outcome.stale = 3;
    });
    assert_eq!(outcome.unwrap(), wanted);
    assert_eq!(collect.numbers, [1]);
    assert_eq!(collect.datagrams.len(), 2);
}

#[test]
fn a_multicast_message_is_no_answer_even_with_our_sequence_number() {
    let group = Sender { portid: 0, groups: 1 };
    let reply =
        Reply::new().datagram([entry(666), done(0)]).sent_by(group).datagram([entry(1), done(0)]);
    let (outcome, collect) = dump_of([reply]);
    assert_eq!(outcome.unwrap().stale, 2);
    assert_eq!(collect.numbers, [1]);
}

#[test]
fn noop_is_skipped() {
    let noop = || Request::new(NLMSG_NOOP);
    let reply = Reply::new().datagram([noop(), entry(1), noop(), done(0)]);
    let (outcome, collect) = dump_of([reply]);
    assert_eq!(outcome.unwrap(), expected(|outcome| outcome.messages = 1));
    assert_eq!(collect.numbers, [1]);
}

// Malformed bytes.

#[rstest]
#[case::shorter_than_its_header(15, Part::MessageLength, 16, 15)]
#[case::zero(0, Part::MessageLength, 16, 0)]
#[case::longer_than_the_datagram(24, Part::MessageLength, 20, 24)]
#[case::as_long_as_can_be(u32::MAX, Part::MessageLength, 20, u32::MAX as usize)]
fn a_wrong_message_length_is_named(
    #[case] length: u32,
    #[case] part: Part,
    #[case] wanted: usize,
    #[case] found: usize,
) {
    let mut bad = entry(2).to_bytes(0, 0).unwrap();
    bad[..4].copy_from_slice(&length.to_ne_bytes());
    let mut bytes = entry(1).to_bytes(0, 0).unwrap();
    bytes.extend(bad);
    let (outcome, collect) = dump_of([Reply::new().bytes(bytes)]);
    let Err(Error::Format(malformed)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(malformed.part, part);
    assert_eq!((malformed.message, malformed.offset), (1, 20));
    assert_eq!((malformed.wanted, malformed.found), (wanted, found));
    assert!(malformed.to_string().starts_with("message 1, byte 20: nlmsg_len is"));
    assert_eq!(collect.numbers, [1]);
}

#[test]
fn a_tail_too_short_for_a_header_is_named() {
    let mut bytes = entry(1).to_bytes(0, 0).unwrap();
    bytes.extend([0; 12]);
    let (outcome, _) = dump_of([Reply::new().bytes(bytes)]);
    let Err(Error::Format(malformed)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(
        (malformed.part, malformed.offset, malformed.wanted, malformed.found),
        (Part::MessageHeader, 20, 16, 12)
    );
}

#[test]
fn a_message_of_unaligned_length_before_another_is_named() {
    let mut bytes = short(20, 4);
    bytes.extend([9; 4]);
    bytes[0] += 1; // 21 bytes, 3 of padding
    bytes.extend(entry(2).to_bytes(0, 0).unwrap());
    let (outcome, _) = dump_of([Reply::new().datagram([entry(1)]).bytes(bytes)]);
    let Err(Error::Format(malformed)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(
        (malformed.part, malformed.offset, malformed.wanted, malformed.found),
        (Part::MessageAlignment, 0, 24, 21)
    );
    let said = malformed.to_string();
    assert!(said.contains("nlmsg_len is 21, no multiple of 4"), "{said}");
}

#[test]
fn the_last_message_may_have_an_unaligned_length() {
    for padding in 0..4 {
        let mut last = entry(2).to_bytes(0, 0).unwrap();
        last[0] = 21;
        last.resize(21 + padding, 0);
        let (outcome, collect) = dump_of([Reply::new().bytes(last).datagram([done(0)])]);
        assert_eq!(outcome.unwrap().messages, 1);
        assert_eq!(collect.numbers, [2]);
    }
}

#[test]
fn after_malformed_bytes_the_client_is_usable() {
    let second =
        Reply::new().datagram([done(0)]).answering_earlier(1).datagram([entry(1), done(0)]);
    let mut client = client_of([Reply::new().bytes([1, 2, 3]), second]);
    dump(&mut client, &mut Collect::default()).unwrap_err();
    assert_eq!(dump(&mut client, &mut Collect::default()).unwrap().messages, 1);
}
