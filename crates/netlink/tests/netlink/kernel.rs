//! A small table behind a scripted kernel, and a visitor that keeps what it is given.

use std::ops::ControlFlow;

use sockeye_netlink::scripted::{Reply, Scripted};
use sockeye_netlink::{
    Client, DumpOptions, Error, Message, Messages, NLM_F_DUMP_INTR, NLM_F_MULTI, Outcome, Request,
    Visit,
};

#[derive(Debug, Default)]
pub(crate) struct Collect {
    /// The first four bytes of each message since the last restart.
    pub(crate) numbers: Vec<u32>,
    /// Each datagram since the last restart.
    pub(crate) datagrams: Vec<Vec<u8>>,
    pub(crate) restarts: u32,
    /// Messages that it was given, those that a restart forgot too.
    pub(crate) handed: u32,
    /// Datagrams that it was given, likewise.
    pub(crate) handed_datagrams: u32,
    /// Stops at the message that makes it so many.
    pub(crate) enough: Option<usize>,
}

impl Collect {
    pub(crate) fn stopping_after(messages: usize) -> Self {
        Self { enough: Some(messages), ..Self::default() }
    }
}

impl Visit for Collect {
    fn message(&mut self, message: &Message<'_>) -> ControlFlow<()> {
        self.handed += 1;
        self.numbers.push(message.body().expect("messages of these tests have a body"));
        if self.enough.is_some_and(|enough| self.numbers.len() >= enough) {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn restart(&mut self) {
        self.numbers.clear();
        self.datagrams.clear();
        self.restarts += 1;
    }

    fn datagram(&mut self, bytes: &[u8]) {
        self.handed_datagrams += 1;
        self.datagrams.push(bytes.to_vec());
    }
}

pub(crate) fn entry(number: u32) -> Request {
    Request::new(20).flags(NLM_F_MULTI).body(&number)
}

pub(crate) fn entries(numbers: impl IntoIterator<Item = u32>) -> Vec<Request> {
    numbers.into_iter().map(entry).collect()
}

pub(crate) fn interrupted(message: Request) -> Request {
    message.flags(NLM_F_DUMP_INTR)
}

/// An entry that does not fit a buffer of 512 bytes.
pub(crate) fn large_entry(number: u32) -> Request {
    entry(number).attr(1, &[7; 600])
}

pub(crate) fn table() -> Request {
    Request::new(20).body(&0u32)
}

pub(crate) fn dump(client: &mut Client<Scripted>, visitor: &mut Collect) -> Result<Outcome, Error> {
    client.dump(&table(), DumpOptions::default(), visitor)
}

/// What one dump came to, with the kernel answering `replies` in turn.
pub(crate) fn dump_of(
    replies: impl IntoIterator<Item = Reply>,
) -> (Result<Outcome, Error>, Collect) {
    let mut client = client_of(replies);
    let mut collect = Collect::default();
    let outcome = dump(&mut client, &mut collect);
    (outcome, collect)
}

pub(crate) fn client_of(replies: impl IntoIterator<Item = Reply>) -> Client<Scripted> {
    Client::new(script(replies))
}

pub(crate) fn script(replies: impl IntoIterator<Item = Reply>) -> Scripted {
    replies.into_iter().fold(Scripted::new(), Scripted::reply)
}

pub(crate) fn first_message(bytes: &[u8]) -> Message<'_> {
    Messages::new(bytes).next().expect("a message").expect("well-formed")
}

pub(crate) fn sequence_numbers(client: &Client<Scripted>) -> Vec<u32> {
    let requests = client.transport().requests().iter();
    requests.map(|bytes| first_message(bytes).seq()).collect()
}

pub(crate) fn expected(change: impl FnOnce(&mut Outcome)) -> Outcome {
    let mut outcome = Outcome::default();
    change(&mut outcome);
    outcome
}

/// A message with `payload` bytes of zeroes, padded.
pub(crate) fn short(kind: u16, payload: u8) -> Vec<u8> {
    let mut bytes = Request::new(kind).body(&0u32).to_bytes(0, 0).expect("short");
    bytes[0] = 16 + payload;
    bytes
}
