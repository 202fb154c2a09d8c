//! Programs that start themselves again to do something else.

use std::env;
use std::io;

/// Does what `variable` tells this process to do, and ends it; returns if it tells nothing.
pub(crate) fn perform_if_asked(variable: &str, perform: impl FnOnce(&str) -> io::Result<()>) {
    let Ok(task) = env::var(variable) else { return };
    let status = match perform(&task) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("{variable}=\"{task}\": {error}");
            1
        }
    };
    std::process::exit(status)
}
