//! Dumps made again until two agree, over a scripted kernel: what agrees, what is asked for one by one,
//! and in which order all of it is handed over.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::cell::RefCell;
use std::io;
use std::ops::ControlFlow;
use std::rc::Rc;

use sockeye_diag::{Complete, Diag, Error, Extensions, Query, Sockets};
use sockeye_model::{Family, Protocol, Socket, States};
use sockeye_netlink::scripted::{Reply, Scripted, done, error};
use sockeye_netlink::{Datagram, NLM_F_DUMP_INTR, Receive, Request};

const QUERY: Query<'static> = Query {
    family: Family::Inet,
    protocol: Protocol::TCP,
    states: States(1 << 1),
    extensions: Extensions::NONE,
    program: None,
};

#[derive(Default)]
struct Seen(Vec<u64>);

impl Sockets for Seen {
    fn socket(&mut self, socket: &Socket) -> ControlFlow<()> {
        self.0.push(socket.cookie.0);
        if socket.cookie.0 == 99 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
    fn restart(&mut self) {
        self.0.clear();
    }
}

/// struct inet_diag_msg: state, the last byte of the local address, the peer's port and the cookie.
fn message(state: u8, address: u8, peer: u8, cookie: u8) -> Request {
    let mut body = [0; 72];
    (body[0], body[1], body[7], body[11], body[44]) = (2, state, peer, address, cookie);
    Request::new(20).body(&body)
}

/// A connection with this cookie, whose address tells it from others.
fn connection(cookie: u8) -> Request {
    message(1, cookie, 80, cookie)
}

/// A socket of a group at one address.
fn of_group(cookie: u8) -> Request {
    message(1, 1, 0, cookie)
}

fn pass(sockets: impl IntoIterator<Item = Request>) -> Reply {
    Reply::new().datagram(sockets.into_iter().chain([done(0)]))
}

fn connections(cookies: &[u8]) -> Reply {
    pass(cookies.iter().map(|cookie| connection(*cookie)))
}

fn nobody() -> Reply {
    Reply::new().datagram([error(2)])
}

fn found(message: Request) -> Reply {
    Reply::new().datagram([message]).datagram([error(0)])
}

/// At most three passes.
fn complete(replies: impl IntoIterator<Item = Reply>) -> (Vec<u64>, Result<Complete, Error>) {
    let script = replies.into_iter().fold(Scripted::new(), Scripted::reply);
    let mut seen = Seen::default();
    let complete = Diag::new(script).dump_complete(&QUERY, 3, &mut seen);
    (seen.0, complete)
}

/// A scripted kernel that remembers the sizes of the buffers it was given.
struct Sizes(Scripted, Rc<RefCell<Vec<usize>>>);

impl Receive for Sizes {
    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.0.send(request)
    }
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Datagram> {
        self.1.borrow_mut().push(buffer.len());
        self.0.receive(buffer)
    }
}

#[test]
fn datagrams_end_elsewhere_in_each_pass() {
    let sizes = Rc::<RefCell<Vec<usize>>>::default();
    let replies = [connections(&[1]), connections(&[2]), connections(&[2, 3]), nobody(), nobody()];
    let script = replies.into_iter().chain([nobody()]).fold(Scripted::new(), Scripted::reply);
    let mut diag = Diag::new(Sizes(script, Rc::clone(&sizes)));
    diag.dump_complete(&QUERY, 3, &mut Seen::default()).unwrap();
    assert_eq!(sizes.borrow()[..3], [8192, 9692, 11_192]);
}

#[test]
fn two_passes_that_agree_are_enough() {
    let (cookies, complete) = complete([connections(&[1, 2, 3]), connections(&[3, 1, 2])]);
    let complete = complete.unwrap();
    assert_eq!(cookies, [3, 1, 2]);
    assert_eq!((complete.passes, complete.agreed, complete.report.sockets), (2, true, 3));
    let (cookies, complete) = self::complete([connections(&[]), connections(&[])]);
    assert!(cookies.is_empty() && complete.unwrap().agreed);
}

#[test]
fn what_one_pass_missed_another_one_tells() {
    let replies = [connections(&[1, 3]), connections(&[1, 2, 3]), connections(&[1, 2, 3])];
    let (cookies, complete) = complete(replies);
    assert_eq!((cookies, complete.unwrap().agreed), (vec![1, 2, 3], true));
}

#[test]
fn a_connection_that_the_last_pass_did_not_tell_is_asked_for() {
    let passes = [connections(&[1, 2, 3]), connections(&[1, 3, 4]), connections(&[1, 5, 3])];
    let answers = [found(connection(2)), nobody(), nobody(), nobody()];
    let (cookies, complete) = complete(passes.into_iter().chain(answers));
    let complete = complete.unwrap();
    // 2 was missed twice and lives; 4 has gone.
    assert_eq!(cookies, [1, 5, 2, 3]);
    assert_eq!((complete.passes, complete.agreed), (3, false));
    assert_eq!((complete.gone, complete.doubtful), (1, 0));
}

#[test]
fn a_connection_in_another_state_or_with_another_cookie_has_gone() {
    for answer in [message(6, 2, 80, 2), message(1, 2, 80, 7)] {
        let passes = [connections(&[1, 2]), connections(&[1, 3]), connections(&[1, 3, 4])];
        let (cookies, complete) = complete(passes.into_iter().chain([found(answer)]));
        assert_eq!(cookies, [1, 3, 4]);
        assert_eq!(complete.unwrap().gone, 1);
    }
}

#[test]
fn of_a_group_at_one_address_none_is_given_up() {
    let group = |cookies: &[u8]| pass(cookies.iter().map(|cookie| of_group(*cookie)));
    let passes = [group(&[1, 2, 3]), group(&[1, 3]), group(&[1, 3, 4])];
    let (cookies, complete) = complete(passes.into_iter().chain([found(of_group(1))]));
    let complete = complete.unwrap();
    assert_eq!(cookies, [1, 2, 3, 4]);
    assert_eq!((complete.gone, complete.doubtful), (0, 1));
}

#[test]
fn a_pass_that_is_flagged_or_repeats_a_socket_agrees_with_none() {
    let flagged = pass([connection(1).flags(NLM_F_DUMP_INTR)]);
    let (cookies, complete) = complete([connections(&[1]), flagged, connections(&[1])]);
    let complete = complete.unwrap();
    assert_eq!((cookies, complete.agreed, complete.passes), (vec![1], false, 3));
    let replies = [connections(&[1, 2]), connections(&[1, 2, 1]), connections(&[1, 2])];
    let (cookies, complete) = self::complete(replies);
    let complete = complete.unwrap();
    assert_eq!((cookies, complete.agreed, complete.report.duplicates), (vec![1, 2], false, 1));
}

#[test]
fn a_pass_that_begins_again_is_counted_from_its_beginning() {
    // A datagram longer than the buffer of 32 KiB.
    let long = connection(2).attr(20, &vec![0; 40_000]);
    let first = Reply::new().datagram([connection(9)]).datagram([long.clone()]);
    let again = Reply::new().datagram([connection(1)]).datagram([long]).datagram([done(0)]);
    let (cookies, complete) = complete([first, again, connections(&[1, 2])]);
    let complete = complete.unwrap();
    assert_eq!((cookies, complete.agreed), (vec![1, 2], true));
}

#[test]
fn sockets_without_a_cookie_are_told_once_and_never_agreed_upon() {
    let passes = || connections(&[0, 0, 1]);
    let (cookies, complete) = complete([passes(), passes(), passes(), nobody(), nobody()]);
    let complete = complete.unwrap();
    assert_eq!((cookies.len(), complete.agreed), (3, false));
}

#[test]
fn a_later_pass_that_fails_is_an_error_and_the_earlier_ones_are_handed_over() {
    let cut = Reply::new().datagram([connection(8)]).errno(5);
    let (cookies, complete) = complete([connections(&[1, 2]), cut]);
    assert_eq!(cookies, [1, 2]);
    assert_eq!(complete.unwrap_err().errno(), Some(5));
    let (cookies, complete) = self::complete([nobody()]);
    assert!(cookies.is_empty() && complete.unwrap_err().unsupported());
}

#[test]
fn a_visitor_may_stop() {
    let (cookies, complete) = complete([connections(&[1, 99, 2]), connections(&[1, 99, 2])]);
    assert_eq!(cookies, [1, 99]);
    assert!(complete.unwrap().report.stopped);
}

#[test]
fn answers_that_are_no_sockets_are_counted_once() {
    let with_garbage = || pass([connection(1), Request::new(20).body(&[2u8; 12])]);
    let (cookies, complete) = complete([with_garbage(), with_garbage()]);
    assert_eq!((cookies, complete.unwrap().report.malformed), (vec![1], 1));
}
