//! How answers end: `NLMSG_DONE`, `NLMSG_ERROR`, and what they carry.

use rstest::rstest;
use sockeye_netlink::scripted::{Reply, done, error};
use sockeye_netlink::{
    Client, Error, NLM_F_ACK, NLM_F_ACK_TLVS, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, Outcome,
    Part, Request,
};

use crate::kernel::{
    client_of, dump_of, entries, entry, expected, first_message, large_entry, script, short, table,
};

// The end of a dump.

#[test]
fn only_done_ends_a_dump_however_short_its_datagrams() {
    let reply = Reply::new()
        .datagram([entry(1)])
        .datagram(entries(2..10))
        .datagram([entry(10)])
        .datagram([done(0)]);
    let (outcome, collect) = dump_of([reply]);
    assert_eq!(collect.numbers, (1..=10).collect::<Vec<_>>());
    assert_eq!(outcome.unwrap(), expected(|outcome| outcome.messages = 10));
}

#[test]
fn done_may_share_a_datagram_with_messages() {
    let reply = Reply::new().datagram([entry(1), entry(2), done(0)]);
    let (outcome, collect) = dump_of([reply]);
    assert_eq!(outcome.unwrap().messages, 2);
    assert_eq!(collect.numbers, [1, 2]);
}

#[test]
fn an_empty_table_is_a_done_alone() {
    let (outcome, _) = dump_of([Reply::new().datagram([done(0)])]);
    assert_eq!(outcome.unwrap(), Outcome::default());
}

#[test]
fn done_may_carry_an_error_with_its_explanation() {
    let end =
        done(libc::EINVAL).flags(NLM_F_ACK_TLVS).attr_str(1, "Invalid filter").attr_u32(2, 20);
    let (outcome, collect) = dump_of([Reply::new().datagram([entry(1)]).datagram([end])]);
    assert_eq!(collect.numbers, [1]);
    let failure = outcome.unwrap_err();
    assert_eq!(failure.errno(), Some(libc::EINVAL));
    let text = failure.to_string();
    assert!(text.contains("failed before its end"), "{text}");
    assert!(text.contains("Invalid filter; at byte 20 of the request"), "{text}");
}

#[rstest]
#[case::a_count_of_bytes(Request::new(NLMSG_DONE).body(&124i32))]
#[case::nothing(Request::new(NLMSG_DONE))]
fn done_without_a_negative_errno_is_success(#[case] end: Request) {
    let (outcome, _) = dump_of([Reply::new().datagram([entry(1)]).datagram([end])]);
    assert_eq!(outcome.unwrap().messages, 1);
}

#[test]
fn done_may_carry_a_warning() {
    let end = done(0).flags(NLM_F_ACK_TLVS).attr_str(1, "deprecated");
    let (outcome, _) = dump_of([Reply::new().datagram([end])]);
    let warning = outcome.unwrap().warning.expect("a warning");
    assert_eq!(warning.message.as_deref(), Some("deprecated"));
}

#[test]
fn a_short_done_is_named() {
    let (outcome, _) = dump_of([Reply::new().bytes(short(NLMSG_DONE, 2))]);
    let Err(Error::Format(malformed)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(
        (malformed.part, malformed.offset, malformed.wanted, malformed.found),
        (Part::Body, 16, 4, 2)
    );
}

// Refusals and acknowledgements.

#[test]
fn a_refusal_says_everything_that_the_kernel_said() {
    let refusal = error(libc::EINVAL)
        .flags(NLM_F_ACK_TLVS)
        .attr_str(1, "Attribute is\x1b[2Jmissing")
        .attr_u32(2, 36)
        .attr_u32(5, 9)
        .attr_u32(6, 28)
        .attr(3, b"cookie of a later kernel");
    let (outcome, _) = dump_of([Reply::new().datagram([refusal])]);
    let failure = outcome.unwrap_err();
    let ext_ack = failure.ext_ack().expect("extended");
    assert_eq!(ext_ack.offset, Some(36));
    assert_eq!(ext_ack.missing_attribute, Some(9));
    assert_eq!(ext_ack.missing_nest, Some(28));
    assert_eq!(
        failure.to_string(),
        "the kernel refused the request: Invalid argument (os error 22): \
         Attribute is\\u{1b}[2Jmissing; attribute 9 is missing in the nest at byte 28 of the \
         request; at byte 36 of the request"
    );
}

#[test]
fn an_uncapped_refusal_repeats_the_request_before_its_attributes() {
    let request = Request::new(20).body(&[0u8; 5]).to_bytes(0, 0).unwrap();
    let refusal = Request::new(NLMSG_ERROR)
        .flags(NLM_F_ACK_TLVS)
        .body(&-libc::EPERM)
        .body(request.as_slice())
        .attr_str(1, "not you");
    let (outcome, _) = dump_of([Reply::new().datagram([refusal])]);
    let failure = outcome.unwrap_err();
    assert_eq!(failure.errno(), Some(libc::EPERM));
    let message = failure.ext_ack().and_then(|ext_ack| ext_ack.message.clone());
    assert_eq!(message.as_deref(), Some("not you"));
}

#[test]
fn an_errno_survives_malformed_attributes_behind_it() {
    let refusal = error(libc::EPERM).flags(NLM_F_ACK_TLVS).body(&[3u8, 0, 1, 0]);
    let (outcome, _) = dump_of([Reply::new().datagram([refusal])]);
    let failure = outcome.unwrap_err();
    assert_eq!((failure.errno(), failure.ext_ack()), (Some(libc::EPERM), None));
}

#[rstest]
#[case::smallest(i32::MIN, i32::MAX)]
#[case::positive(7, 0)]
fn an_odd_errno_does_no_harm(#[case] stated: i32, #[case] errno: i32) {
    let refusal = Request::new(NLMSG_ERROR).body(&stated).body(&[0u8; 16]);
    let (outcome, _) = dump_of([Reply::new().datagram([refusal])]);
    assert_eq!(outcome.err().and_then(|failure| failure.errno()).unwrap_or(0), errno);
}

#[test]
fn an_acknowledgement_ends_a_dump_that_is_none() {
    let (outcome, _) = dump_of([Reply::new().datagram([error(0)])]);
    assert_eq!(outcome.unwrap().messages, 0);
}

#[test]
fn a_request_waits_for_its_acknowledgement() {
    let reply = Reply::new()
        .datagram([entry(1)])
        .datagram([error(0)])
        .answering_earlier(1)
        .datagram([error(0)]);
    let mut client = client_of([Reply::new(), reply]);
    assert!(matches!(client.request(&table()), Err(Error::Timeout { .. })));
    client.request(&table()).unwrap();
    assert_eq!(client.transport().unread(), 0);
    let sent = first_message(&client.transport().requests()[1]);
    assert_eq!(sent.flags(), NLM_F_REQUEST | NLM_F_ACK);
}

#[test]
fn a_refused_request_is_an_error() {
    let mut client = client_of([Reply::new().datagram([error(libc::EPERM)])]);
    let failure = client.request(&table()).unwrap_err();
    assert_eq!(failure.errno(), Some(libc::EPERM));
    assert!(failure.to_string().contains("run as root"), "{failure}");
}

#[test]
fn get_hands_over_the_answer_and_takes_the_acknowledgement() {
    let reply = Reply::new().datagram([entry(7)]).datagram([error(0)]);
    let mut client = client_of([reply]);
    let mut answers = Vec::new();
    let outcome =
        client.get(&table(), |message| answers.push(message.body::<u32>().unwrap())).unwrap();
    assert_eq!((answers.as_slice(), outcome.messages), (&[7][..], 1));
    assert_eq!(client.transport().unread(), 0);
    let sent = first_message(&client.transport().requests()[0]);
    assert_eq!(sent.flags(), NLM_F_REQUEST | NLM_F_ACK);
}

#[test]
fn get_is_refused_instead_of_an_answer() {
    let mut client = client_of([Reply::new().datagram([error(libc::ENOENT)])]);
    let failure = client.get(&table(), |_| panic!("no answer came")).unwrap_err();
    assert_eq!(failure.errno(), Some(libc::ENOENT));
}

#[test]
fn get_asks_again_when_the_answer_does_not_fit() {
    let reply = || Reply::new().datagram([large_entry(7)]).datagram([error(0)]);
    let mut client = Client::with_buffer_len(script([reply(), reply()]), 512);
    let mut answers = Vec::new();
    let outcome =
        client.get(&table(), |message| answers.push(message.body::<u32>().unwrap())).unwrap();
    assert_eq!(answers, [7]);
    assert_eq!((outcome.restarts, outcome.stale), (1, 1));
}
