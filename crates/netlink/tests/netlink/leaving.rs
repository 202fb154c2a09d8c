//! Dumps that are left before their end, what a recording gets, and what is sent.

use std::io;

use sockeye_netlink::scripted::{Reply, Scripted, done, error};
use sockeye_netlink::{Client, Error, Messages, NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, Request};

use crate::kernel::{
    Collect, client_of, dump, dump_of, entries, entry, expected, first_message, script,
    sequence_numbers, table,
};

// Dumps that are left before their end.

#[test]
fn a_stopped_dump_leaves_the_client_usable() {
    let first = Reply::new().datagram(entries(1..5)).datagram(entries(5..9)).datagram([done(0)]);
    let second = Reply::new().datagram([entry(1), done(0)]);
    let mut client = client_of([first, second]);
    let mut collect = Collect::stopping_after(1);
    let outcome = dump(&mut client, &mut collect).unwrap();
    let wanted = expected(|outcome| {
        outcome.messages = 1;
        outcome.stopped = true;
    });
    assert_eq!(outcome, wanted);
    assert_eq!(collect.numbers, [1]);

    let mut collect = Collect::default();
    assert_eq!(dump(&mut client, &mut collect).unwrap().stale, 5);
    assert_eq!(collect.numbers, [1]);
}

#[test]
fn a_stopped_dump_that_the_kernel_still_runs_is_waited_for() {
    let first = Reply::new().datagram([entry(1)]);
    let second = Reply::new()
        .datagram([entry(2)])
        .answering_earlier(1)
        .datagram([error(libc::EBUSY)])
        .datagram([entry(3)])
        .answering_earlier(1)
        .datagram([done(0)])
        .answering_earlier(1);
    let third = Reply::new().datagram([entry(1), done(0)]);
    let mut client = client_of([first, second, third]);
    dump(&mut client, &mut Collect::stopping_after(1)).unwrap();
    let mut collect = Collect::default();
    let outcome = dump(&mut client, &mut collect).unwrap();
    assert_eq!((outcome.stale, outcome.messages, outcome.restarts), (3, 1, 0));
    assert_eq!((collect.numbers.as_slice(), collect.restarts), (&[1][..], 0));
}

#[test]
fn a_stopped_dump_does_not_disturb_a_request() {
    let first = Reply::new().datagram([entry(1)]);
    let flood = || Request::new(20).attr(1, &[0; 20_000]).attr(1, &[0; 20_000]);
    let second = Reply::new()
        .datagram([entry(2)])
        .answering_earlier(1)
        .datagram([flood()])
        .answering_earlier(1)
        .datagram([error(0)]);
    let mut client = client_of([first, second]);
    dump(&mut client, &mut Collect::stopping_after(1)).unwrap();
    client.request(&table()).unwrap();
}

#[test]
fn a_dump_whose_end_was_seen_leaves_nothing_to_wait_for() {
    let first = Reply::new().datagram([entry(1), entry(2), done(0)]);
    let second = Reply::new().datagram([error(libc::EBUSY)]);
    let mut client = client_of([first, second]);
    dump(&mut client, &mut Collect::stopping_after(1)).unwrap();
    // So this EBUSY is about something else, and no DONE will follow.
    let failure = dump(&mut client, &mut Collect::default()).unwrap_err();
    assert_eq!(failure.errno(), Some(libc::EBUSY));
}

#[test]
fn a_dump_whose_end_came_during_a_request_leaves_nothing_to_wait_for() {
    let first = Reply::new().datagram([entry(1)]).datagram([done(0)]);
    let second = Reply::new().datagram([error(0)]);
    let third = Reply::new().datagram([error(libc::EBUSY)]);
    let mut client = client_of([first, second, third]);
    dump(&mut client, &mut Collect::stopping_after(1)).unwrap();
    client.request(&table()).unwrap();
    let failure = dump(&mut client, &mut Collect::default()).unwrap_err();
    assert_eq!(failure.errno(), Some(libc::EBUSY));
}

#[test]
fn a_socket_that_is_always_busy_is_given_up() {
    let mut asked = 0;
    let script = Scripted::new().answering(move |_| {
        asked += 1;
        if asked == 1 {
            return Reply::new().datagram([entry(1)]);
        }
        Reply::new()
            .datagram([error(libc::EBUSY)])
            .datagram([entry(1)])
            .verbatim()
            .datagram([done(0)])
            .verbatim()
            .datagram([entry(1)])
            .answering_earlier(asked - 1)
    });
    let mut client = Client::new(script);
    dump(&mut client, &mut Collect::stopping_after(1)).unwrap();
    let failure = dump(&mut client, &mut Collect::default()).unwrap_err();
    assert_eq!(failure.errno(), Some(libc::EBUSY));
}

#[test]
fn a_panic_in_the_visitor_leaves_the_client_usable() {
    let first = Reply::new().datagram([entry(1)]).datagram([done(0)]);
    let second = Reply::new().datagram([entry(2), done(0)]);
    let mut client = client_of([first, second]);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        client.get(&table(), |_| std::panic::resume_unwind(Box::new("visitor")))
    }));
    assert!(panicked.is_err());
    let mut collect = Collect::default();
    assert_eq!(dump(&mut client, &mut collect).unwrap().stale, 1);
    assert_eq!(collect.numbers, [2]);
}

// What a recording gets, and what is sent.

#[test]
fn a_recording_gets_each_datagram_as_it_came_and_the_done_too() {
    let reply =
        Reply::new().datagram([entry(1), entry(2)]).datagram([entry(3)]).datagram([done(0)]);
    let (_, collect) = dump_of([reply]);
    let kinds: Vec<Vec<u16>> = collect
        .datagrams
        .iter()
        .map(|bytes| {
            let messages = Messages::new(bytes);
            messages.map(|message| message.unwrap().kind()).collect()
        })
        .collect();
    assert_eq!(kinds, [vec![20, 20], vec![20], vec![NLMSG_DONE]]);
}

#[test]
fn a_dump_request_carries_its_flags_and_a_number_of_its_own() {
    let reply = || Reply::new().datagram([done(0)]);
    let mut client = client_of([reply(), reply()]);
    for _ in 0..2 {
        dump(&mut client, &mut Collect::default()).unwrap();
    }
    let sent = first_message(&client.transport().requests()[0]);
    assert_eq!(sent.flags(), NLM_F_REQUEST | NLM_F_DUMP);
    assert_eq!(sent.payload(), 0u32.to_ne_bytes());
    let numbers = sequence_numbers(&client);
    assert!(numbers[0] != 0 && numbers[0] != numbers[1], "{numbers:?}");
}

#[test]
fn a_client_may_borrow_its_transport_or_hide_its_type() {
    let mut script = script([Reply::new().datagram([error(0)])]);
    Client::new(&mut script).request(&table()).unwrap();
    let boxed: Box<dyn sockeye_netlink::Receive> = Box::new(script);
    let failure = Client::new(boxed).request(&table()).unwrap_err();
    assert!(matches!(failure, Error::Timeout { after: None }));
    let _: io::Error = io::Error::other(failure);
}
