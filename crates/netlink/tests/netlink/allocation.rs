//! No message costs an allocation, and no answer stays in memory longer than its operation.

use std::io;
use std::ops::ControlFlow;

use sockeye_netlink::scripted::{Reply, Scripted, done};
use sockeye_netlink::{Client, Datagram, DumpOptions, Message, Receive, Request, Sender, Visit};

struct Sum(u64);

impl Visit for Sum {
    fn message(&mut self, message: &Message<'_>) -> ControlFlow<()> {
        let mut attrs = message.attributes_after(4);
        while attrs.next() {
            if attrs.kind() == 2 {
                attrs.nested(|inner| {
                    while inner.next() {
                        self.0 += u64::from(inner.u32().unwrap_or(0));
                    }
                });
            }
        }
        ControlFlow::Continue(())
    }

    fn restart(&mut self) {
        self.0 = 0;
    }
}

/// Sends the same datagram so many times, then `NLMSG_DONE`.
struct Repeat {
    datagram: Vec<u8>,
    end: Vec<u8>,
    times: u32,
    left: u32,
}

impl Repeat {
    fn new(times: u32) -> Self {
        let entry = || {
            let entry = Request::new(20).body(&0u32);
            entry.nested(2, |nest| nest.attr_u32(1, 3)).to_bytes(0, 0)
        };
        let datagram = (0..100).flat_map(|_| entry().expect("short")).collect();
        Self { datagram, end: done(0).to_bytes(0, 0).expect("short"), times, left: times }
    }
}

impl Receive for Repeat {
    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.left = self.times;
        let step = self.datagram.len() / 100;
        for message in self.datagram.chunks_mut(step).chain([&mut self.end[..]]) {
            message[8..12].copy_from_slice(&request[8..12]);
        }
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Datagram> {
        let bytes = if self.left > 0 { &self.datagram } else { &self.end };
        self.left = self.left.saturating_sub(1);
        buffer[..bytes.len()].copy_from_slice(bytes);
        Ok(Datagram { len: bytes.len(), truncated: false, sender: Sender::KERNEL })
    }
}

#[test]
fn ten_thousand_messages_cost_no_more_allocations_than_a_hundred() {
    let allocations = |times| {
        let mut client = Client::new(Repeat::new(times));
        let mut sum = Sum(0);
        let request = Request::new(20).body(&0u32);
        let counted = allocation_counter::measure(|| {
            let options = DumpOptions::default();
            client.dump(&request, options, &mut sum).unwrap();
        });
        assert_eq!(sum.0, 300 * u64::from(times));
        counted.count_total
    };
    let few = allocations(1);
    assert!(few <= 2, "{few} allocations for the request and its copy");
    assert_eq!(allocations(100), few);
}

/// Looks at the client's buffer before each datagram is written to it.
struct Watch {
    inner: Scripted,
    clean: Vec<bool>,
}

impl Receive for Watch {
    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.inner.send(request)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Datagram> {
        self.clean.push(buffer.iter().all(|&byte| byte == 0));
        self.inner.receive(buffer)
    }
}

#[test]
fn the_buffer_is_wiped_after_each_operation() {
    let entry = || Request::new(20).body(&0u32).attr(1, &[0xa5; 300]);
    let reply = || Reply::new().datagram([entry(), entry()]).datagram([done(0)]);
    let failing = Reply::new().datagram([entry()]).errno(libc::ENOBUFS);
    let inner = Scripted::new().reply(reply()).reply(failing).reply(reply());
    let clean = Vec::new();
    let mut client = Client::new(Watch { inner, clean });
    for _ in 0..3 {
        let request = Request::new(20).body(&0u32);
        let _ = client.dump(&request, DumpOptions::default(), &mut Sum(0));
    }
    // Two receives an operation: the first finds nothing of the operation before.
    assert_eq!(client.transport().clean, [true, false, true, false, true, false]);
}
