//! The owners of sockets, against processes that say themselves what they hold. These tests take root.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod agreement;
mod directory;
mod expected;
mod readers;

/// This program as a process that holds sockets.
#[test]
fn socket_holder() {
    sockeye_lab::holder::hold_if_asked();
}
