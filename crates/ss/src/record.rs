//! `-D`: TCP's netlink answers, written as they come.
//!
//! The file holds a dump a family, each with its DONE; of a kernel that only knows
//! `TCPDIAG_GETSOCK`, one dump of both.

use std::fs::File;
use std::io::{self, Write};

use sockeye_diag::{Diag, Error};
use sockeye_model::Protocol;
use sockeye_netlink::Receive;
use sockeye_netns::Place;

use crate::args::Options;
use crate::outcome::Outcome;
use crate::tables::{families, query, report_on};

/// Writes the answers to the file that `-D` names, or to `out`.
///
/// # Errors
/// `out` cannot be written. Everything else goes to `outcome`.
pub(crate) fn record(
    options: &Options,
    place: &Place,
    out: &mut dyn Write,
    outcome: &mut Outcome,
) -> io::Result<()> {
    if !options.expression.is_empty() || options.filter_file.is_some() {
        outcome.note(format_args!("-D writes every answer: the filter plays no part"));
    }
    for (flag, given) in [("-E", options.events), ("-K", options.kill)] {
        if given {
            outcome.note(format_args!(
                "-D writes answers and does nothing else: {flag} plays no part"
            ));
        }
    }
    if options.complete {
        crate::complete::not_of("what -D writes", outcome);
    }
    let path = options.dump.clone().unwrap_or_default();
    let shown = path.to_string_lossy();
    // Any name that begins so, as in `ss`.
    if path.as_encoded_bytes().starts_with(b"-") {
        return record_to(options, place, out, outcome);
    }
    let written =
        File::create(&path).and_then(|mut file| record_to(options, place, &mut file, outcome));
    if let Err(error) = written {
        outcome.failed(format_args!("cannot write {shown:?}: {error}"));
    }
    Ok(())
}

fn record_to(
    options: &Options,
    place: &Place,
    out: &mut dyn Write,
    outcome: &mut Outcome,
) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    let opened = match place.run(Diag::open) {
        Ok(opened) => opened,
        Err(error) => {
            outcome.failed(format_args!("{error}"));
            return Ok(());
        }
    };
    let recorded = opened.and_then(|diag| record_families(options, diag, &mut out, outcome));
    match recorded {
        Ok(()) => out.flush(),
        Err(Error::Write { source }) => Err(source),
        Err(error) => {
            outcome.failed(format_args!("{error}"));
            out.flush()
        }
    }
}

fn record_families<R: Receive>(
    options: &Options,
    mut diag: Diag<R>,
    out: &mut impl Write,
    outcome: &mut Outcome,
) -> Result<(), Error> {
    for (index, family) in families(options).iter().enumerate() {
        let query = query(options, Protocol::TCP, *family);
        match diag.record(&query, out) {
            Ok(report) => report_on(&report, "the kernel", outcome),
            // A kernel before 3.3: both families at once.
            Err(error) if error.unsupported() && index == 0 => {
                report_on(&diag.record_both(&query, out)?, "the kernel", outcome);
                break;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sockeye_netlink::Request;
    use sockeye_netlink::scripted::{Reply, Scripted, done, error};

    /// One message, of a socket or of anything else.
    fn answer() -> Reply {
        Reply::new().datagram([Request::new(20).body(&[2u8; 72])]).datagram([done(0)])
    }

    fn refusal() -> Reply {
        Reply::new().datagram([error(22)])
    }

    fn recorded(replies: impl IntoIterator<Item = Reply>) -> (Result<(), Error>, Vec<u8>) {
        let script = replies.into_iter().fold(Scripted::new(), Scripted::reply);
        let (mut out, mut outcome) = (Vec::new(), Outcome::default());
        let diag = Diag::new(script);
        let result = record_families(&Options::default(), diag, &mut out, &mut outcome);
        (result, out)
    }

    /// Lengths of a message and of a DONE.
    const MESSAGE: usize = 88;
    const DONE: usize = 20;

    #[test]
    fn each_family_has_its_done() {
        let (result, out) = recorded([answer(), answer()]);
        result.unwrap();
        assert_eq!(out.len(), 2 * (MESSAGE + DONE));
        assert_eq!(out[MESSAGE + 4], 3);
        assert_eq!(out[2 * MESSAGE + DONE + 4], 3);
    }

    #[test]
    fn an_old_kernel_is_asked_the_older_way() {
        let (result, out) = recorded([refusal(), answer()]);
        result.unwrap();
        assert_eq!(out.len(), MESSAGE + DONE);
    }

    #[test]
    fn a_family_that_is_missing_is_an_error() {
        let (result, out) = recorded([answer(), refusal()]);
        assert!(result.unwrap_err().unsupported());
        assert_eq!(out.len(), MESSAGE + DONE);
        let (result, out) = recorded([refusal(), refusal()]);
        assert!(result.unwrap_err().unsupported());
        assert!(out.is_empty());
    }
}
