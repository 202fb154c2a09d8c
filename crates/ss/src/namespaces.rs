//! One network namespace after the other: `-N`, `--netns`, `--all-netns`.

use std::io::{self, Write};

use sockeye_netns::{Place, Places};

use crate::args::Options;
use crate::escape::Escape;
use crate::outcome::Outcome;
use crate::print::Print;
use crate::{There, kill, record, tables};

/// Prints the tables of every place, or closes their sockets.
///
/// # Errors
/// Output that cannot be written. Everything else goes to `outcome`.
pub(crate) fn list<P: Print>(
    there: &mut There<'_>,
    rows: &mut P,
    outcome: &mut Outcome,
) -> io::Result<()> {
    let There { options, filter, places, interrupt, variable } = there;
    // Before a socket is closed: where `dev` names nothing, `not dev` holds of all.
    if options.kill
        && places.len() > 1
        && let Some(nowhere) = filter.survey(places, options)
    {
        outcome.failed(format_args!("{nowhere}; nothing was closed"));
        return Ok(());
    }
    places.visit(outcome, |place, outcome| {
        rows.enter(place);
        let options = match filter.at(place, options) {
            Ok(options) => options,
            Err(error) => {
                outcome.failed(format_args!("{error}"));
                return Ok(());
            }
        };
        match interrupt {
            Some(interrupt) => kill::close(&options, variable, place, interrupt, rows, outcome),
            None => tables::list(&options, variable, place, rows, outcome),
        }
    })?;
    if let Some(nowhere) = filter.nowhere() {
        outcome.failed(format_args!("{nowhere}"));
    }
    Ok(())
}

/// `-D`: writes the answers of the one place that it takes.
///
/// # Errors
/// As [`list`].
pub(crate) fn record(
    options: &Options,
    places: &Places,
    out: &mut dyn Write,
    outcome: &mut Outcome,
) -> io::Result<()> {
    places.iter().try_for_each(|place| record::record(options, place, out, outcome))
}

/// Appends the name of a place as one word, in a column that no `ss` has: without white space and control
/// characters, in a pipe too.
pub(crate) fn write_name(out: &mut Vec<u8>, place: &Place) {
    let mut escaped = Vec::new();
    Escape::Controls.write(&mut escaped, &place.name().unwrap_or_default());
    for byte in escaped {
        match byte {
            b' ' => out.extend_from_slice(b"\\x20"),
            byte => out.push(byte),
        }
    }
}

/// The same in a message.
pub(crate) fn name(place: &Place) -> String {
    String::from_utf8_lossy(&place.name().unwrap_or_default()).into_owned()
}
