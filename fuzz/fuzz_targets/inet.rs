//! Answers of `sock_diag`: no bytes panic, what is decoded twice is the same, and a recording of them
//! has the same sockets without the keys.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sockeye_diag::{Diag, Extensions, Query, inet};
use sockeye_model::{EcnLayout, Family, Protocol, Socket, States};
use sockeye_netlink::Messages;
use sockeye_netlink::scripted::{Reply, Scripted, done};

/// `SOCK_DIAG_BY_FAMILY`.
const ANSWER: u16 = 20;

const QUERY: Query<'static> = Query {
    family: Family::Inet,
    protocol: Protocol::TCP,
    states: States::ALL,
    extensions: Extensions::ALL,
    program: None,
};

fuzz_target!(|datagram: &[u8]| {
    let mut used = Socket::new(Protocol::TCP);
    for message in Messages::new(datagram).flatten() {
        let mut fresh = Socket::new(Protocol::TCP);
        used.protocol = Protocol::TCP;
        let layout = Some(EcnLayout::Bits);
        let one = inet::decode(&message, layout, &mut used);
        let two = inet::decode(&message, layout, &mut fresh);
        assert_eq!(one, two);
        if one.is_ok() {
            assert_eq!(used, fresh, "the record before shows through");
            let _ = format!("{used:?}");
        }
    }

    // What is recorded decodes as what came. A datagram that begins with another kind of message may
    // be no answer, and is not recorded then.
    if !Messages::new(datagram).flatten().next().is_some_and(|first| first.kind() == ANSWER) {
        return;
    }
    let reply = Reply::new().bytes(datagram).datagram([done(0)]);
    let mut recorded = Vec::new();
    if Diag::new(Scripted::new().reply(reply)).record(&QUERY, &mut recorded).is_ok() {
        let (mut before, mut after) = (Socket::new(Protocol::TCP), Socket::new(Protocol::TCP));
        for (came, kept) in
            Messages::new(datagram).flatten().zip(Messages::new(&recorded).flatten())
        {
            let came = inet::decode(&came, None, &mut before);
            assert_eq!(came, inet::decode(&kept, None, &mut after));
            assert!(came.is_err() || before == after, "blanking keys changed a socket");
        }
    }
});
