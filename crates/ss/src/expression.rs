//! The filter of the command line: read, and explained.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};

use sockeye_diag::Diag;
use sockeye_filter::{
    Asked, Filter, Live, NamesAt, Nowhere, ParseError, Reading, Scope, System, Text,
};
use sockeye_model::{Protocol, States};
use sockeye_netns::{Place, Places};

use crate::args::Options;
use crate::environment::{Lookup, proc_file};
use crate::outcome::{self, Outcome};
use crate::{There, namespaces};

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

/// The longest filter file, bytes.
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

    /// The names of interfaces that are in none of the places for which it was read so far.
    pub(crate) fn nowhere(&self) -> Option<Nowhere> {
        self.names.nowhere()
    }

    /// Reads it at all places, if it reads otherwise at each, and does no more there. Where one cannot be
    /// entered, nothing is learnt.
    pub(crate) fn survey(&mut self, places: &Places, options: &Options) -> Option<Nowhere> {
        if !options.filter.as_ref().is_some_and(Filter::depends_on_namespace) {
            return None;
        }
        for place in places {
            if place.enter().is_ok() {
                // What is wrong is said when the place is visited for its sockets.
                let _ = self.at(place, options);
            }
        }
        self.nowhere()
    }
}

/// The bytes of a file; of standard input for any name that begins with `-`, as in `ss`.
fn contents(name: &OsStr) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = FILE_LIMIT + 1;
    if name.as_encoded_bytes().starts_with(b"-") {
        io::stdin().lock().take(most).read_to_end(&mut bytes)?;
    } else {
        File::open(name)?.take(most).read_to_end(&mut bytes)?;
    }
    if bytes.len() as u64 > FILE_LIMIT {
        let limit = FILE_LIMIT >> 20;
        return Err(io::Error::other(format!("it is longer than {limit} MiB")));
    }
    Ok(bytes)
}

/// Says how the filter was read, and what of it runs where: of several places, at the first.
///
/// # Errors
/// `out` cannot be written. Everything else goes to `outcome`.
pub(crate) fn explain(
    mut there: There<'_>,
    out: &mut dyn Write,
    outcome: &mut Outcome,
) -> io::Result<()> {
    let places = there.places;
    let Some(place) = places.iter().next() else { return Ok(()) };
    if places.len() > 1 {
        if let Some(nowhere) = there.filter.survey(places, there.options) {
            outcome.failed(format_args!("{nowhere}"));
        }
        let (name, count) = (namespaces::name(place).escape_debug().to_string(), places.len());
        writeln!(out, "network namespace: {name}, the first of {count}")?;
    }
    let options = match there.filter.at(place, there.options) {
        Ok(options) => options,
        Err(error) => {
            outcome.failed(format_args!("{error}"));
            return Ok(());
        }
    };
    let shown = [(Protocol::TCP, options.tcp), (Protocol::UDP, options.udp)];
    let mut live = None;
    let mut elsewhere = Vec::new();
    for (protocol, _) in shown.into_iter().filter(|(_, shown)| *shown) {
        match without_kernel(&options, protocol, there.variable) {
            Some(why) => elsewhere.push((protocol, why)),
            None => live = Some(protocol),
        }
    }
    match (&options.filter, live) {
        (None, _) => out.write_all(b"expression: none\n")?,
        (Some(filter), None) => {
            let why = elsewhere.pop().map_or("no table is left to look into", |(_, why)| why);
            elsewhere.clear();
            out.write_all(filter.explain_without_kernel(why).as_bytes())?;
        }
        (Some(filter), Some(protocol)) => match place.run(Diag::open) {
            Ok(Ok(mut diag)) => {
                out.write_all(Live::new(filter).explain(&mut diag, protocol).as_bytes())?;
            }
            Ok(Err(error)) => outcome.failed(format_args!("{error}")),
            Err(error) => outcome.failed(format_args!("{error}")),
        },
    }
    for (protocol, why) in elsewhere {
        let table = if protocol == Protocol::UDP { "UDP" } else { "TCP" };
        writeln!(out, "{table} sockets: user space alone, {why}")?;
    }
    // Sockets that close are told in whatever state they are, and a recording is printed whole.
    let states = if options.events { States::ALL } else { options.states };
    let (tcp, udp, ipv4, ipv6) = (options.tcp, options.udp, options.ipv4, options.ipv6);
    writeln!(out, "sockets: {}", Asked { tcp, udp, ipv4, ipv6, states })
}

/// Why the kernel runs no program on the sockets of a table.
fn without_kernel(
    options: &Options,
    protocol: Protocol,
    variable: Lookup<'_>,
) -> Option<&'static str> {
    if options.dump.is_some() {
        return Some("as -D writes every answer, and the filter plays no part");
    }
    if options.events {
        return Some("as it tells all sockets that close (-E)");
    }
    let file = if protocol == Protocol::UDP { "PROC_NET_UDP" } else { "PROC_NET_TCP" };
    if protocol == Protocol::TCP && variable("TCPDIAG_FILE").is_some() {
        Some("as a recording tells the sockets (TCPDIAG_FILE)")
    } else if variable(file).is_some() || variable("PROC_ROOT").is_some() {
        Some("as files of /proc tell the sockets (PROC_ROOT, PROC_NET_TCP, PROC_NET_UDP)")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_whole_or_not_at_all() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(FILE_LIMIT).unwrap();
        assert_eq!(contents(file.path().as_os_str()).unwrap().len() as u64, FILE_LIMIT);
        file.as_file().set_len(FILE_LIMIT + 1).unwrap();
        let refused = contents(file.path().as_os_str()).unwrap_err();
        assert!(refused.to_string().contains("longer than 16 MiB"), "{refused}");
    }
}
