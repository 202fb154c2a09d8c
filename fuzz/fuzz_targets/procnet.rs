//! Lines of /proc/net/tcp and its kin: none panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sockeye_diag::procnet;
use sockeye_model::{Family, Protocol};

fuzz_target!(|line: &[u8]| {
    for family in [Family::Inet, Family::Inet6] {
        for protocol in [Protocol::TCP, Protocol::UDP] {
            let _ = procnet::parse(line, family, protocol);
        }
    }
});
