//! What is lost on the way is noticed: truncation, failing system calls, interrupted dumps.

use std::io;
use std::time::Duration;

use rstest::rstest;
use sockeye_netlink::scripted::{Reply, Scripted, done, error};
use sockeye_netlink::{
    Client, Datagram, DumpOptions, Error, NLMSG_ERROR, NLMSG_OVERRUN, Receive, Request,
    RequestTooLong,
};

use crate::kernel::{
    Collect, client_of, dump, dump_of, entry, expected, interrupted, large_entry, script,
    sequence_numbers, table,
};

// Truncation.

#[test]
fn a_truncated_datagram_makes_the_buffer_grow_and_the_dump_begin_again() {
    let first = Reply::new()
        .datagram([entry(1)])
        .datagram([entry(2), large_entry(3)])
        .datagram([entry(4)])
        .datagram([done(0)]);
    let second = Reply::new()
        .datagram([entry(1)])
        .datagram([entry(2), large_entry(3)])
        .datagram([entry(4), done(0)]);
    let mut client = Client::with_buffer_len(script([first, second]), 512);
    let mut collect = Collect::default();
    let outcome = dump(&mut client, &mut collect).unwrap();
    assert_eq!(collect.numbers, [1, 2, 3, 4]);
    assert_eq!(collect.restarts, 1);
    assert_eq!(collect.datagrams.len(), 3);
    // The rest of the first dump, its DONE included, belongs to no one.
    let wanted = expected(|outcome| {
        outcome.messages = 4;
        outcome.restarts = 1;
        outcome.stale = 2;
    });
    assert_eq!(outcome, wanted);
    let numbers = sequence_numbers(&client);
    assert_ne!(numbers[0], numbers[1]);
}

#[test]
fn the_done_may_be_lost_with_the_end_of_a_truncated_datagram() {
    let reply = || Reply::new().datagram([large_entry(1), done(0)]);
    let mut client = Client::with_buffer_len(script([reply(), reply()]), 512);
    let mut collect = Collect::default();
    assert_eq!(dump(&mut client, &mut collect).unwrap().restarts, 1);
    assert_eq!(collect.numbers, [1]);
}

#[test]
fn the_kernel_may_still_be_busy_with_the_truncated_dump() {
    let first = Reply::new().datagram([large_entry(1)]).datagram([entry(2)]);
    let second = Reply::new()
        .datagram([error(libc::EBUSY)])
        .datagram([entry(3)])
        .answering_earlier(1)
        .datagram([entry(4), done(0)])
        .answering_earlier(1);
    let third = Reply::new().datagram([entry(1), entry(2), done(0)]);
    let mut client = Client::with_buffer_len(script([first, second, third]), 512);
    let mut collect = Collect::default();
    let outcome = dump(&mut client, &mut collect).unwrap();
    assert_eq!(collect.numbers, [1, 2]);
    assert_eq!(collect.datagrams.len(), 1);
    let wanted = expected(|outcome| {
        outcome.messages = 2;
        outcome.restarts = 1;
        outcome.stale = 4;
    });
    assert_eq!(outcome, wanted);
    assert_eq!(client.transport().requests().len(), 3);
}

/// A transport that cannot tell how long a truncated datagram was.
struct Flagging(Scripted);

impl Receive for Flagging {
    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.0.send(request)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Datagram> {
        let datagram = self.0.receive(buffer)?;
        Ok(Datagram { len: datagram.len.min(buffer.len()), ..datagram })
    }
}

#[test]
fn the_flag_of_truncation_is_enough() {
    let reply = || Reply::new().datagram([entry(1), large_entry(2), done(0)]);
    let transport = Flagging(script([reply(), reply()]));
    let mut client = Client::with_buffer_len(transport, 512);
    let mut collect = Collect::default();
    let outcome = client.dump(&table(), DumpOptions::default(), &mut collect).unwrap();
    assert_eq!((outcome.restarts, collect.numbers.as_slice()), (1, &[1, 2][..]));
}

#[test]
fn the_buffer_grows_as_often_as_needed() {
    let reply = |length| Reply::new().datagram([entry(1).attr(1, &vec![0; length])]);
    let replies = [reply(600), reply(5000), reply(60_000).datagram([done(0)])];
    let last = reply(60_000).datagram([done(0)]);
    let mut client = Client::with_buffer_len(script(replies).reply(last), 512);
    let outcome = dump(&mut client, &mut Collect::default()).unwrap();
    assert_eq!((outcome.restarts, outcome.messages), (3, 1));
}

#[test]
fn a_datagram_beyond_16_mib_is_an_error_with_its_size() {
    let size = 16 * 1024 * 1024 + 1;
    let (outcome, _) = dump_of([Reply::new().bytes(vec![0; size])]);
    assert!(
        matches!(outcome, Err(Error::Truncated { size: found, .. }) if found == size),
        "{outcome:?}"
    );
}

#[test]
fn a_change_is_not_sent_twice_because_of_truncation() {
    let flood = Request::new(20).attr(1, &[0; 20_000]).attr(1, &[0; 20_000]);
    let mut client = client_of([Reply::new().datagram([flood])]);
    let failure = client.request(&table()).unwrap_err();
    assert!(matches!(failure, Error::Truncated { .. }), "{failure:?}");
    assert_eq!(client.transport().requests().len(), 1);
}

#[test]
fn the_acknowledgement_of_a_long_request_fits() {
    let request = table().attr(1, &[1; 60_000]);
    let mut client = Client::new(Scripted::new().answering(|request| {
        Reply::new().datagram([Request::new(NLMSG_ERROR).body(&-libc::EPERM).body(request)])
    }));
    let failure = client.request(&request).unwrap_err();
    assert_eq!(failure.errno(), Some(libc::EPERM));
}

// Failing system calls.

#[test]
fn interrupted_system_calls_are_made_again() {
    let reply = Reply::new()
        .errno(libc::EINTR)
        .datagram([entry(1)])
        .errno(libc::EINTR)
        .errno(libc::EINTR)
        .datagram([done(0)]);
    let (outcome, collect) = dump_of([Reply::new().send_errno(libc::EINTR), reply]);
    assert_eq!(outcome.unwrap(), expected(|outcome| outcome.messages = 1));
    assert_eq!(collect.numbers, [1]);
}

#[rstest]
#[case::eagain(Reply::new().errno(libc::EAGAIN))]
#[case::silence(Reply::new())]
fn no_answer_is_a_timeout_that_names_itself(#[case] reply: Reply) {
    let script = script([reply]).timeout_of(Duration::from_millis(250));
    let failure = dump(&mut Client::new(script), &mut Collect::default()).unwrap_err();
    assert!(failure.to_string().contains("did not answer within 250ms"), "{failure}");
}

#[test]
fn after_a_timeout_the_late_answer_is_not_taken_for_the_next_one() {
    let late = Reply::new()
        .datagram([entry(1), done(0)])
        .answering_earlier(1)
        .datagram([entry(2), done(0)]);
    let mut client = client_of([Reply::new(), late]);
    dump(&mut client, &mut Collect::default()).unwrap_err();
    let mut collect = Collect::default();
    assert_eq!(dump(&mut client, &mut collect).unwrap().stale, 2);
    assert_eq!(collect.numbers, [2]);
}

#[test]
fn an_overrun_is_an_error_and_the_client_is_usable_after_it() {
    let first = Reply::new()
        .datagram([entry(1)])
        .errno(libc::ENOBUFS)
        .datagram([entry(3)])
        .datagram([done(0)]);
    let second = Reply::new().datagram([entry(1), done(0)]);
    let mut client = client_of([first, second]);
    let failure = dump(&mut client, &mut Collect::default()).unwrap_err();
    assert!(matches!(failure, Error::Overrun), "{failure:?}");
    // A congested socket gets no answer until it was read to empty: the client does that.
    let mut collect = Collect::default();
    assert_eq!(dump(&mut client, &mut collect).unwrap().messages, 1);
    assert_eq!(collect.numbers, [1]);
}

#[test]
fn a_dump_that_ran_out_of_memory_goes_on_when_its_refusal_is_read() {
    let second = Reply::new()
        .datagram([error(libc::EBUSY)])
        .datagram([entry(2), done(0)])
        .answering_earlier(1);
    let third = Reply::new().datagram([entry(1), entry(2), done(0)]);
    let first = Reply::new().datagram([entry(1)]).errno(libc::ENOMEM);
    let mut client = client_of([first, second, third]);
    let failure = dump(&mut client, &mut Collect::default()).unwrap_err();
    assert_eq!(failure.errno(), Some(libc::ENOMEM));
    let mut collect = Collect::default();
    dump(&mut client, &mut collect).unwrap();
    assert_eq!(collect.numbers, [1, 2]);
}

#[test]
fn an_overrun_message_is_an_overrun() {
    let reply = Reply::new().datagram([entry(1), Request::new(NLMSG_OVERRUN)]);
    let (outcome, _) = dump_of([reply]);
    assert!(matches!(outcome, Err(Error::Overrun)), "{outcome:?}");
}

#[test]
fn any_other_errno_is_an_error() {
    let (outcome, _) = dump_of([Reply::new().datagram([entry(1)]).errno(libc::EIO)]);
    let failure = outcome.unwrap_err();
    assert_eq!(failure.errno(), Some(libc::EIO));
    assert!(failure.to_string().starts_with("cannot receive"), "{failure}");
}

#[test]
fn a_request_that_cannot_be_sent_is_an_error() {
    let (outcome, _) = dump_of([Reply::new().send_errno(libc::EPERM)]);
    let failure = outcome.unwrap_err();
    assert_eq!(failure.errno(), Some(libc::EPERM));
    assert!(failure.to_string().starts_with("cannot send"), "{failure}");
}

#[test]
fn a_request_that_is_too_long_is_not_sent() {
    let request = table().nested(5, |nest| nest.attr(1, &[0; 40_000]).attr(2, &[0; 40_000]));
    let mut client = client_of([]);
    let failure = client.request(&request).unwrap_err();
    let Error::RequestTooLong(RequestTooLong::Attribute { kind: 5, .. }) = failure else {
        panic!("{failure:?}")
    };
    assert!(client.transport().requests().is_empty());
}

#[test]
fn the_end_of_file_closes_the_client() {
    let reply = Reply::new().datagram([entry(1)]).end_of_file();
    let mut client = client_of([reply]);
    let failure = dump(&mut client, &mut Collect::default()).unwrap_err();
    assert!(matches!(failure, Error::Closed), "{failure:?}");
    let failure = client.request(&table()).unwrap_err();
    assert!(matches!(failure, Error::Closed), "{failure:?}");
    assert_eq!(client.transport().requests().len(), 1);
}

// Interrupted dumps.

#[rstest]
#[case::on_a_message(Reply::new().datagram([entry(1), interrupted(entry(2))]).datagram([done(0)]))]
#[case::on_done(Reply::new().datagram([entry(1), entry(2)]).datagram([interrupted(done(0))]))]
fn an_interrupted_dump_keeps_its_data_and_says_so(#[case] reply: Reply) {
    let (outcome, collect) = dump_of([reply]);
    let wanted = expected(|outcome| {
        outcome.messages = 2;
        outcome.interrupted = true;
    });
    assert_eq!(outcome.unwrap(), wanted);
    assert_eq!((collect.numbers.as_slice(), collect.restarts), (&[1, 2][..], 0));
}

#[rstest]
#[case::is_clean_at_last(3, 2, false)]
#[case::runs_out_of_retries(1, 1, true)]
fn an_interrupted_dump_that_is_made_again(
    #[case] allowed: u32,
    #[case] retries: u32,
    #[case] still_interrupted: bool,
) {
    let replies = (0..3).map(|pass| {
        let second = entry(10 * pass + 2);
        let second = if pass < 2 { interrupted(second) } else { second };
        Reply::new()
            .datagram([entry(10 * pass + 1), second])
            .datagram([entry(10 * pass + 3)])
            .datagram([done(0)])
    });
    let mut client = client_of(replies);
    let mut collect = Collect::default();
    let options = DumpOptions { interrupted_retries: allowed };
    let outcome = client.dump(&table(), options, &mut collect).unwrap();
    let wanted = expected(|outcome| {
        outcome.messages = 3;
        outcome.retries = retries;
        outcome.interrupted = still_interrupted;
    });
    assert_eq!(outcome, wanted);
    assert_eq!(collect.restarts, retries);
    assert_eq!(collect.datagrams.len(), 3);
    // Of a pass that is made again, nothing is handed over after its first flag.
    assert_eq!((collect.handed, collect.handed_datagrams), (retries + 3, retries + 3));
    let base = 10 * retries;
    assert_eq!(collect.numbers, [base + 1, base + 2, base + 3]);
}
