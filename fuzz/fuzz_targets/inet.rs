//! Answers of `sock_diag`: no bytes panic, and what is decoded twice is the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sockeye_diag::inet;
use sockeye_model::{EcnLayout, Protocol, Socket};
use sockeye_netlink::Messages;

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
});
