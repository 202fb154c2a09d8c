//! The filter parser: no text panics, an error stands within its line, and what a filter is shown as
//! is read as the same filter.
#![no_main]

#[path = "../src/names.rs"]
mod names;

use libfuzzer_sys::fuzz_target;
use sockeye_filter::{Filter, Reading, Scope, Text};

fuzz_target!(|input: &[u8]| {
    // Arguments, and behind the first NUL a file.
    let end = input.iter().position(|byte| *byte == 0).unwrap_or(input.len());
    let (argument, file) = input.split_at(end);
    let Ok(text) = Text::new().argument(argument).file(file.get(1..).unwrap_or_default()) else {
        return;
    };
    for reading in [Reading::Ss, Reading::Precedence] {
        match Filter::parse(&text, Scope::new(reading), &mut names::Fixed) {
            Ok(Some(filter)) => {
                let shown = filter.expression().to_string();
                // A word with a backslash, or with bytes that are no text, is not shown as it was.
                if shown.is_ascii() && !shown.contains(['\\', '"']) && !input.contains(&b'\\') {
                    let again = Text::new().argument(shown.as_bytes());
                    // Parentheses are made visible, so it may nest deeper than was written.
                    if let Ok(again) = Filter::parse(&again, Scope::new(reading), &mut names::Fixed)
                    {
                        assert_eq!(again.as_ref(), Some(&filter), "{shown}");
                    }
                }
            }
            Ok(None) => {}
            Err(error) => {
                let shown = error.to_string();
                assert_eq!(shown.lines().count(), 3, "{shown}");
                assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
            }
        }
    }
});
