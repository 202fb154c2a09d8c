//! The filter compiler: whatever the filter and the instructions that may be used, a program passes the
//! kernel's audit. And arbitrary programs that pass it end.
#![no_main]

#[path = "../src/names.rs"]
mod names;

use libfuzzer_sys::fuzz_target;
use sockeye_diag::bytecode::{Code, Entry, audit, run};
use sockeye_filter::{Codes, Filter, Reading, Scope, Text};

fuzz_target!(|input: &[u8]| {
    let _ = audit(input, false);
    if audit(input, true).is_ok() {
        let _ = run(input, &Entry::default());
    }
    let Some((used, text)) = input.split_first() else { return };
    let optional = [Code::DevCond, Code::MarkCond, Code::SEq, Code::DEq, Code::CgroupCond];
    let refused = (0..).zip(optional).filter(|(bit, _)| used >> bit & 1 != 0);
    let codes = refused.fold(Codes::ALL, |codes, (_, code)| codes.without(code));
    let text = Text::new().argument(text);
    for reading in [Reading::Ss, Reading::Precedence] {
        let parsed = Filter::parse(&text, Scope::new(reading), &mut names::Fixed);
        let Ok(Some(filter)) = parsed else { continue };
        let compiled = filter.compile(codes);
        let Some(program) = compiled.program else { continue };
        assert!(!compiled.too_long);
        assert!(program.codes().all(|code| codes.contains(code)));
        let bytes = program.to_bytes().expect("a program that is handed out fits");
        assert_eq!(audit(&bytes, true), Ok(()), "{program}");
        let _ = (run(&bytes, &Entry::default()), program.to_string());
    }
});
