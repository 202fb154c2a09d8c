//! What a kernel does in rare moments, played by a script: sockets told twice, dumps that begin
//! again, refusals, answers that are no sockets.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::ops::ControlFlow;

use sockeye_diag::{Diag, Error, Extensions, Identity, Query, Report, Sockets, Walk};
use sockeye_model::{Cookie, Endpoint, Family, Protocol, Socket, States};
use sockeye_netlink::scripted::{Reply, Scripted, done, error};
use sockeye_netlink::{NLM_F_ACK_TLVS, NLM_F_DUMP_INTR, Request};

const QUERY: Query<'static> = Query {
    family: Family::Inet,
    protocol: Protocol::TCP,
    states: States::ALL,
    extensions: Extensions::NONE,
    program: None,
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
    // Even ENOENT is a failure once sockets came.
    for errno in [12, 2] {
        let (seen, report) = dump([Reply::new().datagram([socket(1)]).datagram([done(errno)])]);
        assert_eq!(seen.cookies, [1]);
        assert!(matches!(report, Err(Error::Dump { .. })));
    }
}

#[test]
fn a_failing_system_call_is_no_missing_module() {
    for reply in [Reply::new().errno(22), Reply::new().send_errno(2), Reply::new().errno(95)] {
        let (_, report) = dump([reply]);
        let failure = report.unwrap_err();
        assert!(!failure.unsupported(), "{failure}");
    }
}

#[test]
fn an_interrupted_dump_is_made_again_if_asked() {
    let flagged = Reply::new().datagram([socket(1).flags(NLM_F_DUMP_INTR), done(0)]);
    let whole = Reply::new().datagram([socket(1), socket(2), done(0)]);
    let mut diag = Diag::new(Scripted::new().reply(flagged).reply(whole));
    diag.set_interrupted_retries(1);
    let mut seen = Seen::default();
    assert!(!diag.dump(&QUERY, &mut seen).unwrap().interrupted);
    assert_eq!((seen.cookies, seen.restarts), (vec![1, 2], 1));
}

#[test]
fn what_the_kernel_adds_to_a_success_is_kept() {
    let warning = done(0).flags(NLM_F_ACK_TLVS).attr_str(1, "be careful");
    let (_, report) = dump([Reply::new().datagram([socket(1), warning])]);
    assert_eq!(report.unwrap().warning.as_deref(), Some("be careful"));
}

/// An IPv6 socket with this cookie.
fn ipv6_socket(cookie: u8) -> Request {
    let mut body = [0; 72];
    body[0] = 10;
    body[44] = cookie;
    Request::new(18).body(&body)
}

fn walk(replies: impl IntoIterator<Item = Reply>) -> (Seen, Result<Walk, Error>) {
    let script = replies.into_iter().fold(Scripted::new(), Scripted::reply);
    let mut seen = Seen::default();
    let walk = Diag::new(script).dump_ipv4_first(&QUERY, &mut seen);
    (seen, walk)
}

#[test]
fn one_walk_tells_ipv4_first_and_no_socket_twice() {
    let reply = Reply::new().datagram([ipv6_socket(1), socket(2), ipv6_socket(3)]).datagram([
        socket(4),
        ipv6_socket(1),
        socket(2),
        done(0),
    ]);
    let (seen, walk) = walk([reply]);
    assert_eq!(seen.cookies, [2, 4, 1, 3]);
    let Walk::Both(report) = walk.unwrap() else { panic!("IPv6 is missing") };
    assert_eq!((report.sockets, report.duplicates, report.stopped), (4, 2, false));
}

#[test]
fn a_walk_that_begins_again_forgets_what_it_held() {
    let long = socket(2).attr(20, &vec![0; 40_000]);
    let first = Reply::new().datagram([ipv6_socket(1), socket(9)]).datagram([long.clone()]);
    let second = Reply::new().datagram([ipv6_socket(3)]).datagram([long]).datagram([done(0)]);
    let (seen, walk) = walk([first, second]);
    assert_eq!((seen.cookies, seen.restarts), (vec![2, 3], 1));
    assert!(matches!(walk.unwrap(), Walk::Both(report) if report.sockets == 2));
}

#[test]
fn a_walk_that_fails_hands_over_no_ipv6() {
    let reply = Reply::new().datagram([ipv6_socket(1), socket(2)]).datagram([done(2)]);
    let (seen, failure) = walk([reply]);
    assert_eq!(seen.cookies, [2]);
    assert!(!failure.unwrap_err().unsupported());
    // What was held is an answer, too.
    let (seen, failure) = walk([Reply::new().datagram([ipv6_socket(1)]).datagram([done(2)])]);
    assert!(seen.cookies.is_empty());
    assert!(!failure.unwrap_err().unsupported());
    let (_, failure) = walk([Reply::new().datagram([error(22)])]);
    assert!(failure.unwrap_err().unsupported());
}

#[test]
fn a_walk_can_be_stopped_in_either_family() {
    struct Limited(Vec<u64>, usize);
    impl Sockets for Limited {
        fn socket(&mut self, socket: &Socket) -> ControlFlow<()> {
            self.0.push(socket.cookie.0);
            if self.0.len() == self.1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
        fn restart(&mut self) {}
    }
    for (most, told) in [(1, vec![2]), (2, vec![2, 4]), (3, vec![2, 4, 1])] {
        let messages = [ipv6_socket(1), socket(2), ipv6_socket(3), socket(4), done(0)];
        let script = Scripted::new().reply(Reply::new().datagram(messages));
        let mut limited = Limited(Vec::new(), most);
        let walk = Diag::new(script).dump_ipv4_first(&QUERY, &mut limited).unwrap();
        assert!(matches!(walk, Walk::Both(report) if report.stopped), "{most}");
        assert_eq!(limited.0, told);
    }
}

#[test]
fn ipv6_sockets_that_are_too_many_are_left_to_another_dump() {
    // 64 MiB and a little more, in messages of 32 KB.
    let large = |cookie| ipv6_socket(cookie).attr(20, &vec![0; 32_000]);
    let reply = (0..2100).fold(Reply::new(), |reply, _| reply.datagram([large(0)]));
    let (seen, walk) = walk([reply.datagram([socket(7), done(0)])]);
    assert_eq!(seen.cookies, [7]);
    assert!(matches!(walk.unwrap(), Walk::Ipv4(report) if report.sockets == 1));
}

#[test]
fn a_recording_cannot_take_back_what_was_written() {
    let record = |before: &[u8]| {
        let long = || socket(9).attr(20, &vec![0; 40_000]);
        let reply = || before.iter().fold(Reply::new(), |r, cookie| r.datagram([socket(*cookie)]));
        let first = reply().datagram([long()]);
        let second = reply().datagram([long(), done(0)]);
        let mut bytes = Vec::new();
        let script = Scripted::new().reply(first).reply(second);
        (Diag::new(script).record(&QUERY, &mut bytes), bytes)
    };
    // One datagram is held until the next one comes.
    let (report, bytes) = record(&[1]);
    assert_eq!(report.unwrap().sockets, 2);
    let mut seen = Seen::default();
    sockeye_diag::recording::read(bytes.as_slice(), &mut seen).unwrap();
    assert_eq!(seen.cookies, [1, 9]);
    let (report, _) = record(&[1, 2]);
    assert!(matches!(report, Err(Error::Write { .. })), "{report:?}");
}

#[test]
fn a_refused_recording_leaves_nothing_behind() {
    for refusal in [error(2), done(2)] {
        let mut bytes = Vec::new();
        let script = Scripted::new().reply(Reply::new().datagram([refusal]));
        let failure = Diag::new(script).record(&QUERY, &mut bytes).unwrap_err();
        assert!(failure.unsupported() && bytes.is_empty(), "{failure}");
    }
    // A dump that fails later leaves what came.
    let mut bytes = Vec::new();
    let reply = Reply::new().datagram([socket(1)]).datagram([done(2)]);
    let failure = Diag::new(Scripted::new().reply(reply)).record(&QUERY, &mut bytes).unwrap_err();
    assert!(!failure.unsupported() && bytes.len() == 88 + 20, "{failure}");
}

#[test]
fn a_recording_that_cannot_be_written_fails() {
    let reply = Reply::new().datagram([socket(1)]).datagram([done(0)]);
    let mut nowhere: &mut [u8] = &mut [];
    let failure = Diag::new(Scripted::new().reply(reply)).record(&QUERY, &mut nowhere).unwrap_err();
    assert!(matches!(failure, Error::Write { .. }), "{failure}");
}

/// The socket that [`socket`] makes, by its ends.
fn unspecified() -> Identity {
    Identity {
        protocol: Protocol::TCP,
        local: Endpoint::UNSPECIFIED,
        peer: Endpoint::UNSPECIFIED,
        interface: 0,
        cookie: None,
    }
}

fn lookup(
    identity: &Identity,
    replies: impl IntoIterator<Item = Reply>,
) -> Result<Option<Cookie>, Error> {
    let script = replies.into_iter().fold(Scripted::new(), Scripted::reply);
    let found = Diag::new(script).lookup(identity, Extensions::NONE)?;
    Ok(found.map(|socket| socket.cookie))
}

#[test]
fn a_lookup_gives_the_socket_with_exactly_these_ends() {
    let answer = || Reply::new().datagram([socket(7)]).datagram([error(0)]);
    assert_eq!(lookup(&unspecified(), [answer()]).unwrap(), Some(Cookie(7)));
    // The kernel answers with what would take the packets: a listener, say.
    let peer = Endpoint { port: 9, ..Endpoint::UNSPECIFIED };
    assert_eq!(lookup(&Identity { peer, ..unspecified() }, [answer()]).unwrap(), None);
}

#[test]
fn a_lookup_takes_no_for_an_answer() {
    let refused = |errno| Reply::new().datagram([error(errno)]);
    // Another cookie; none there, on a kernel that can list such sockets.
    assert_eq!(lookup(&unspecified(), [refused(116)]).unwrap(), None);
    let none = Reply::new().datagram([done(0)]);
    assert_eq!(lookup(&unspecified(), [refused(2), none]).unwrap(), None);
    // On a kernel that cannot, the same errno means something else.
    let failure = lookup(&unspecified(), [refused(2), refused(2)]).unwrap_err();
    assert!(failure.unsupported(), "{failure}");
    assert_eq!(lookup(&unspecified(), [refused(1)]).unwrap_err().errno(), Some(1));
}
