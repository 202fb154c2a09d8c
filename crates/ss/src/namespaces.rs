//! One network namespace after the other: `-N`, `--netns`, `--all-netns`.
//!
//! Of all namespaces, one that cannot be shown keeps none of the others from being shown. What went
//! away meanwhile is no loss, and what may not be entered is: both are counted, and said once.

use std::io::{self, Write};

use sockeye_netns::{Error, Place, Places};

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
    let There { options, filter, places, variable } = there;
    // Before a socket is closed: where `dev` names nothing, `not dev` holds of all.
    if options.kill
        && places.len() > 1
        && let Some(nowhere) = filter.survey(places, options)
    {
        outcome.failed(format_args!("{nowhere}; nothing was closed"));
        return Ok(());
    }
    visit(places, outcome, |place, outcome| {
        rows.enter(place);
        let options = match filter.at(place, options) {
            Ok(options) => options,
            Err(error) => {
                outcome.failed(format_args!("{error}"));
                return Ok(());
            }
        };
        if options.kill {
            kill::close(&options, variable, place, rows, outcome)
        } else {
            tables::list(&options, variable, place, rows, outcome)
        }
    })?;
    if let Some(nowhere) = filter.nowhere() {
        outcome.failed(format_args!("{nowhere}"));
    }
    Ok(())
}

/// Has something done at every place that can be entered, and reports on the others.
///
/// # Errors
/// The first one of `each`, which ends the visits.
pub(crate) fn visit(
    places: &Places,
    outcome: &mut Outcome,
    mut each: impl FnMut(&Place, &mut Outcome) -> io::Result<()>,
) -> io::Result<()> {
    let several = places.len() > 1;
    let mut missed = Missed::default();
    let mut pace = places.pace();
    for place in places {
        pace.rest();
        if several {
            outcome.enter(Some(name(place)));
        }
        match place.enter() {
            Ok(()) => each(place, outcome)?,
            Err(Error::Gone { .. }) if several => missed.gone += 1,
            Err(error) if several && error.is_refusal() => missed.refused += 1,
            Err(error) => outcome.failed(format_args!("{error}")),
        }
    }
    outcome.enter(None);
    missed.report(places, outcome);
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

pub(crate) fn name(place: &Place) -> String {
    String::from_utf8_lossy(&place.name().unwrap_or_default()).into_owned()
}

/// Namespaces that were found, and not shown.
#[derive(Debug, Default)]
struct Missed {
    gone: u64,
    refused: u64,
}

impl Missed {
    fn report(&self, places: &Places, outcome: &mut Outcome) {
        if self.gone > 0 {
            let count = self.gone;
            outcome.note(format_args!("network namespaces that went away meanwhile: {count}"));
        }
        if self.refused > 0 {
            let (count, all) = (self.refused, places.len());
            outcome.incomplete(format_args!(
                "network namespaces that may not be entered: {count} of {all}; that needs \
                 CAP_SYS_ADMIN: run as root"
            ));
        }
        if !places.unseen().is_nothing() {
            outcome.incomplete(format_args!("{}", places.unseen()));
        }
    }
}
