//! The filter of the command line: read, and explained.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};

use sockeye_diag::Diag;
use sockeye_filter::{Filter, Live, NamesAt, ParseError, Reading, Scope, System, Text};
use sockeye_model::Protocol;
use sockeye_netns::{Place, Places};

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

/// The filter as it was written, to be read with the names of each namespace.
#[derive(Debug)]
pub(crate) struct Written {
    text: Text,
    scope: Scope,
    names: NamesAt,
}

impl Written {
    /// Reads the filter, with the names of the first place, and narrows what is shown as the filter says.
    pub(crate) fn read(
        options: &mut Options,
        places: &Places,
        variable: Lookup<'_>,
    ) -> Result<Written, Error> {
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
        let range =
            proc_file(variable, "PROC_IP_LOCAL_PORT_RANGE", "sys/net/ipv4/ip_local_port_range");
        let mut written = Written {
            text,
            scope,
            names: NamesAt::new(System::default().port_range(range), places.len() > 1),
        };
        if let Some(first) = places.iter().next() {
            written.names.enter(first);
        }
        options.filter = written.parse()?;
        if let Some(family) = options.filter.as_ref().and_then(Filter::family) {
            options.selection.narrow(family);
            options.choose();
        }
        Ok(written)
    }

    fn parse(&mut self) -> Result<Option<Filter>, ParseError> {
        Filter::parse(&self.text, self.scope, &mut self.names)
    }

    /// The options with the filter as it reads with the names of a place.
    pub(crate) fn at<'o>(
        &mut self,
        place: &Place,
        options: &'o Options,
    ) -> Result<Cow<'o, Options>, ParseError> {
        if !options.filter.as_ref().is_some_and(Filter::depends_on_namespace) {
            return Ok(Cow::Borrowed(options));
        }
        self.names.enter(place);
        Ok(Cow::Owned(Options { filter: self.parse()?, ..options.clone() }))
    }

    /// The filter that was read last has the name of an interface that is not there.
    pub(crate) fn has_unknown_interface(&self) -> bool {
        self.names.lack_interface()
    }
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
    places: &Places,
    out: &mut dyn Write,
    outcome: &mut Outcome,
) -> io::Result<()> {
    let Some(filter) = &options.filter else {
        return out.write_all(b"expression: none, every socket is shown\n");
    };
    let protocol = if options.udp && !options.tcp { Protocol::UDP } else { Protocol::TCP };
    let opened = places.iter().next().map(|place| place.run(Diag::open));
    match opened {
        Some(Ok(Ok(mut diag))) => {
            out.write_all(Live::new(filter).explain(&mut diag, protocol).as_bytes())?;
        }
        Some(Ok(Err(error))) => outcome.failed(format_args!("{error}")),
        Some(Err(error)) => outcome.failed(format_args!("{error}")),
        None => {}
    }
    Ok(())
}
