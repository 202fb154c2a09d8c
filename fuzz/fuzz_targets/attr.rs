//! Any bytes as attributes: every reader takes them, and what was read can be built again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sockeye_netlink::{Attributes, Messages, Request};

/// Reads everything, each nest too.
fn exhaust(attrs: &mut Attributes<'_>, depth: u32) {
    while attrs.next() {
        let _ = (attrs.u8(), attrs.u16(), attrs.u32(), attrs.u64(), attrs.i32());
        let _ = (attrs.be16(), attrs.be32(), attrs.value::<[u8; 64]>());
        assert!(attrs.str().len() <= attrs.bytes().len());
        if depth > 0 {
            attrs.nested(|inner| exhaust(inner, depth - 1));
        }
    }
    if let Some(malformed) = attrs.error() {
        let _ = malformed.to_string();
    }
}

/// The attributes as far as they are well-formed.
fn read(bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let mut attrs = Attributes::new(bytes);
    let mut found = Vec::new();
    while attrs.next() {
        found.push((attrs.kind(), attrs.bytes()));
    }
    found
}

fuzz_target!(|bytes: &[u8]| {
    exhaust(&mut Attributes::new(bytes), 4);
    let found = read(bytes);
    let build = |request: Request, (kind, value): &(u16, &[u8])| request.attr(*kind, value);
    let built = found.iter().fold(Request::new(0), build);
    if let Ok(built) = built.to_bytes(0, 0)
        && let Some(Ok(message)) = Messages::new(&built).next()
    {
        assert_eq!(read(message.payload()), found);
    }
});
