//! Files named by `TCPDIAG_FILE`: no bytes panic, and an error names an offset within the file.
#![no_main]

use std::ops::ControlFlow;

use libfuzzer_sys::fuzz_target;
use sockeye_diag::Sockets;
use sockeye_diag::recording::{self, RecordingError};
use sockeye_model::Socket;

struct Count(u64);

impl Sockets for Count {
    fn socket(&mut self, _: &Socket) -> ControlFlow<()> {
        self.0 += 1;
        ControlFlow::Continue(())
    }
    fn restart(&mut self) {
        unreachable!("a file has no second pass");
    }
}

fuzz_target!(|file: &[u8]| {
    let mut count = Count(0);
    match recording::read(file, &mut count) {
        Ok(report) => assert_eq!(report.sockets, count.0),
        Err(RecordingError::End { offset, end, .. }) => {
            assert!(offset <= end && end == file.len() as u64);
        }
        Err(RecordingError::Length { offset, .. } | RecordingError::Kind { offset, .. }) => {
            assert!(offset < file.len() as u64);
        }
        Err(_) => {}
    }
});
