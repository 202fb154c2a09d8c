//! Testing a socket allocates nothing.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use allocation_counter::measure;
use sockeye_filter::{Filter, Reading, Scope, System, Text};
use sockeye_model::{Protocol, Socket};

#[test]
fn a_socket_is_tested_without_allocation() {
    let text = b"( src 10.0.0.0/8 or dst [fe80::/10]:22 ) and not ( sport >= 1024 or dev lo ) \
                 or fwmark 1/3 or autobound";
    for reading in [Reading::Ss, Reading::Precedence] {
        let scope = Scope::new(reading);
        let parsed = Filter::parse(&Text::new().argument(text), scope, &mut System::default());
        let filter = parsed.unwrap().unwrap();
        let mut socket = Socket::new(Protocol::TCP);
        let mut matched = 0;
        let allocated = measure(|| {
            for port in 0..=u16::MAX {
                socket.local.port = port;
                matched += u32::from(filter.matches(&socket));
            }
        });
        assert!((1..65536).contains(&matched), "{matched} ports say nothing");
        assert_eq!(allocated.count_total, 0);
    }
}
