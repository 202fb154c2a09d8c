//! The filter of the command line: read, and explained.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};

use sockeye_diag::Diag;
use sockeye_filter::{Filter, Live, ParseError, Reading, Scope, System, Text};
use sockeye_model::Protocol;

use crate::args::Options;
use crate::environment::{Lookup, proc_file};
use crate::outcome::{self, Outcome};

/// Why there is no filter.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0}")]
    Parse(#[from] ParseError),
    #[error("cannot read the filter file {name:?}: {source}")]
    File { name: String, source: io::Error },
    #[error("{name:?}, line {line}: a line of a filter has at most 1022 bytes")]
    Line { name: String, line: usize },
}

impl Error {
    /// The exit status.
    pub(crate) fn status(&self) -> u8 {
        match self {
            Error::Parse(_) | Error::Line { .. } => outcome::USAGE,
            Error::File { .. } => outcome::FAILED,
        }
    }
}

/// How much of a filter file is read, bytes.
const FILE_LIMIT: u64 = 16 << 20;

/// Reads the filter, with the names of the calling thread's namespaces, and narrows what is shown
/// as the filter says.
pub(crate) fn read(options: &mut Options, variable: Lookup<'_>) -> Result<(), Error> {
    let words = options.expression.iter().map(|word| word.as_encoded_bytes());
    let mut text = words.fold(Text::new(), Text::argument);
    if let Some(name) = &options.filter_file {
        let shown = || name.to_string_lossy().into_owned();
        let lines = contents(name).map_err(|source| Error::File { name: shown(), source })?;
        text = text.file(&lines).map_err(|line| Error::Line { name: shown(), line })?;
    }
    let scope = Scope {
        reading: Reading::Ss,
        family: options.selection.last_family,
        services: options.services(),
    };
    let range = proc_file(variable, "PROC_IP_LOCAL_PORT_RANGE", "sys/net/ipv4/ip_local_port_range");
    options.filter = Filter::parse(&text, scope, &mut System::default().port_range(range))?;
    if let Some(family) = options.filter.as_ref().and_then(Filter::family) {
        options.selection.narrow(family);
        options.choose();
    }
    Ok(())
}

/// The bytes of a file; of standard input for any name that begins with `-`, as in `ss`.
fn contents(name: &OsStr) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if name.as_encoded_bytes().starts_with(b"-") {
        io::stdin().lock().take(FILE_LIMIT).read_to_end(&mut bytes)?;
    } else {
        File::open(name)?.take(FILE_LIMIT).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// Says how the filter was read, and what of it runs where.
///
/// # Errors
/// `out` cannot be written. Everything else goes to `outcome`.
pub(crate) fn explain(
    options: &Options,
    out: &mut dyn Write,
    outcome: &mut Outcome,
) -> io::Result<()> {
    let Some(filter) = &options.filter else {
        return out.write_all(b"expression: none, every socket is shown\n");
    };
    let protocol = if options.udp && !options.tcp { Protocol::UDP } else { Protocol::TCP };
    match Diag::open() {
        Ok(mut diag) => {
            out.write_all(Live::new(filter).explain(&mut diag, protocol).as_bytes())?;
        }
        Err(error) => outcome.failed(format_args!("{error}")),
    }
    Ok(())
}
