//! Any datagram: its messages lie within it, and a client takes it as a kernel's answer.

#![no_main]

use std::ops::ControlFlow;

use libfuzzer_sys::fuzz_target;
use sockeye_netlink::scripted::{Reply, Scripted, done};
use sockeye_netlink::{Ack, Client, DumpOptions, Message, Messages, Request, Visit};

struct Exhaust;

impl Visit for Exhaust {
    fn message(&mut self, message: &Message<'_>) -> ControlFlow<()> {
        let _ = message.body::<[u8; 72]>();
        let mut attrs = message.attributes_after(72);
        while attrs.next() {
            let _ = attrs.bytes();
        }
        ControlFlow::Continue(())
    }

    fn restart(&mut self) {}
}

fuzz_target!(|datagram: &[u8]| {
    let mut end = 0;
    for message in Messages::new(datagram).map_while(Result::ok) {
        assert!(message.offset() >= end, "messages overlap");
        end = message.offset() + 16 + message.payload().len();
        assert!(end <= datagram.len(), "a message leaves its datagram");
        if let Ok(ack) = Ack::decode(&message) {
            assert!(ack.errno >= 0);
            if let Err(refusal) = ack.into_result() {
                let _ = refusal.to_string();
            }
        }
    }
    let reply = || Reply::new().bytes(datagram).datagram([done(0)]);
    let script = Scripted::new().reply(reply()).reply(reply()).reply(reply());
    let mut client = Client::with_buffer_len(script, 512);
    let options = DumpOptions { interrupted_retries: 1 };
    let request = Request::new(20);
    let first = client.dump(&request, options, &mut Exhaust);
    let second = client.get(&request, |_| ());
    for failure in [first.err(), second.err()].into_iter().flatten() {
        let _ = failure.to_string();
    }
});
