//! What a kernel does in rare moments, played by a script: sockets told twice, dumps that begin
//! again, refusals, answers that are no sockets.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::ops::ControlFlow;

use sockeye_diag::{Diag, Error, Extensions, Identity, Query, Report, Sockets};
use sockeye_model::{Cookie, Endpoint, Family, Protocol, Socket, States};
use sockeye_netlink::scripted::{Reply, Scripted, done, error};
use sockeye_netlink::{NLM_F_DUMP_INTR, Request};

const QUERY: Query = Query {
    family: Family::Inet,
    protocol: Protocol::TCP,
    states: States::ALL,
    extensions: Extensions::NONE,
};

#[derive(Default)]
struct Seen {
    cookies: Vec<u64>,
    restarts: u32,
}

impl Sockets for Seen {
    fn socket(&mut self, socket: &Socket) -> ControlFlow<()> {
        self.cookies.push(socket.cookie.0);
        ControlFlow::Continue(())
    }
    fn restart(&mut self) {
        self.cookies.clear();
        self.restarts += 1;
    }
}

/// struct inet_diag_msg of an IPv4 socket with this cookie.
fn socket(cookie: u8) -> Request {
    let mut body = [0; 72];
    body[0] = 2;
    body[44] = cookie;
    Request::new(20).body(&body)
}

fn dump(replies: impl IntoIterator<Item = Reply>) -> (Seen, Result<Report, Error>) {
    let script = replies.into_iter().fold(Scripted::new(), Scripted::reply);
    let mut seen = Seen::default();
    let report = Diag::new(script).dump(&QUERY, &mut seen);
    (seen, report)
}

#[test]
fn a_socket_that_the_kernel_tells_twice_is_handed_over_once() {
    let reply = Reply::new().datagram([socket(1), socket(2), socket(1)]).datagram([
        socket(2),
        socket(3),
        done(0),
    ]);
    let (seen, report) = dump([reply]);
    let report = report.unwrap();
    assert_eq!(seen.cookies, [1, 2, 3]);
    assert_eq!((report.sockets, report.duplicates), (3, 2));
}

#[test]
fn sockets_without_a_cookie_are_never_duplicates() {
    let (seen, report) = dump([Reply::new().datagram([socket(0), socket(0), done(0)])]);
    assert_eq!(seen.cookies.len(), 2);
    assert_eq!(report.unwrap().duplicates, 0);
}

#[test]
fn each_dump_begins_with_an_empty_memory() {
    let reply = || Reply::new().datagram([socket(1), done(0)]);
    let script = Scripted::new().reply(reply()).reply(reply());
    let mut diag = Diag::new(script);
    for _ in 0..2 {
        let mut seen = Seen::default();
        assert_eq!(diag.dump(&QUERY, &mut seen).unwrap().duplicates, 0);
        assert_eq!(seen.cookies, [1]);
    }
}

#[test]
fn a_dump_that_begins_again_is_counted_from_its_beginning() {
    // A datagram longer than the buffer of 32 KiB.
    let long = socket(2).attr(20, &vec![0; 40_000]);
    let first = Reply::new().datagram([socket(1), socket(1)]).datagram([long.clone()]);
    let second = Reply::new().datagram([socket(1), socket(1)]).datagram([long]).datagram([done(0)]);
    let (seen, report) = dump([first, second]);
    let report = report.unwrap();
    assert_eq!((seen.cookies, seen.restarts), (vec![1, 2], 1));
    assert_eq!((report.sockets, report.duplicates), (2, 1));
}

#[test]
fn an_interruption_is_reported() {
    let reply = Reply::new().datagram([socket(1).flags(NLM_F_DUMP_INTR), done(0)]);
    let (seen, report) = dump([reply]);
    assert!(report.unwrap().interrupted);
    assert_eq!(seen.cookies, [1], "and the data is kept");
}

#[test]
fn answers_that_are_no_sockets_are_counted_and_the_rest_is_kept() {
    let unix = Request::new(20).body(&[1u8; 72]);
    let short = Request::new(20).body(&[2u8; 12]);
    let odd = socket(2).attr(15, &[1]);
    let (seen, report) = dump([Reply::new().datagram([unix, socket(1), short, odd, done(0)])]);
    let report = report.unwrap();
    assert_eq!(seen.cookies, [1, 2]);
    assert_eq!((report.sockets, report.malformed), (2, 3));
    let example = report.malformed_example.unwrap();
    assert!(example.contains("family 1"), "the first is kept: {example}");
}

#[test]
fn a_missing_module_is_told_from_a_failure() {
    for (errno, unsupported) in [(2, true), (22, true), (95, true), (12, false), (1, false)] {
        for reply in [Reply::new().datagram([error(errno)]), Reply::new().datagram([done(errno)])] {
            let (_, report) = dump([reply]);
            let failure = report.unwrap_err();
            assert_eq!(failure.errno(), Some(errno));
            assert_eq!(failure.unsupported(), unsupported, "{failure}");
            assert!(failure.to_string().contains("IPv4 TCP sockets"), "{failure}");
        }
    }
}

#[test]
fn a_dump_may_fail_at_its_end() {
    let (seen, report) = dump([Reply::new().datagram([socket(1)]).datagram([done(12)])]);
    assert_eq!(seen.cookies, [1]);
    assert!(matches!(report, Err(Error::Dump { .. })));
}

#[test]
fn a_recording_cannot_take_back_what_was_written() {
    let long = socket(2).attr(20, &vec![0; 40_000]);
    let first = Reply::new().datagram([socket(1)]).datagram([long.clone()]);
    let second = Reply::new().datagram([socket(1)]).datagram([long, done(0)]);
    let mut diag = Diag::new(Scripted::new().reply(first).reply(second));
    let failure = diag.record(&QUERY, &mut Vec::new()).unwrap_err();
    assert!(matches!(failure, Error::Write { .. }), "{failure}");
}

#[test]
fn a_recording_that_cannot_be_written_fails() {
    let reply = Reply::new().datagram([socket(1)]).datagram([done(0)]);
    let mut nowhere: &mut [u8] = &mut [];
    let failure = Diag::new(Scripted::new().reply(reply)).record(&QUERY, &mut nowhere).unwrap_err();
    assert!(matches!(failure, Error::Write { .. }), "{failure}");
}

#[test]
fn a_lookup_asks_for_one_socket_and_takes_no_for_an_answer() {
    let endpoint = Endpoint { address: std::net::Ipv4Addr::LOCALHOST.into(), port: 1 };
    let identity = Identity {
        protocol: Protocol::TCP,
        local: endpoint,
        peer: endpoint,
        interface: 0,
        cookie: None,
    };
    let answered =
        |reply| Diag::new(Scripted::new().reply(reply)).lookup(&identity, Extensions::NONE);
    let found = answered(Reply::new().datagram([socket(7)]).datagram([error(0)])).unwrap().unwrap();
    assert_eq!(found.cookie, Cookie(7));
    for errno in [2, 116] {
        assert_eq!(answered(Reply::new().datagram([error(errno)])).unwrap(), None);
    }
    let failure = answered(Reply::new().datagram([error(1)])).unwrap_err();
    assert_eq!(failure.errno(), Some(1));
}
