//! The filter of the command line: read, and explained.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::IpAddr;

use sockeye_diag::Diag;
use sockeye_filter::{
    Filter, Live, Names, ParseError, Predicate, Reading, Scope, System, Test, Text, Transport,
};
use sockeye_model::{CgroupId, Family, Protocol};
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
    names: NamesOf,
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
            names: NamesOf {
                system: System::default().port_range(range),
                place: Place::here(),
                one_of_many: places.len() > 1,
                hosts: HashMap::new(),
                unknown: false,
            },
        };
        if let Some(first) = places.iter().next() {
            written.names.place = first.clone();
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

    /// The filter with the names of another place; `None` if these play no part in it.
    pub(crate) fn at(
        &mut self,
        place: &Place,
        filter: Option<&Filter>,
    ) -> Option<Result<Option<Filter>, ParseError>> {
        let is_local = |test: &Predicate| matches!(test.test, Test::Interface(_) | Test::Autobound);
        if !filter?.expression().tests().any(is_local) {
            return None;
        }
        self.names.place = place.clone();
        self.names.unknown = false;
        Some(self.parse())
    }

    /// The filter that was read last has the name of an interface that is not there.
    pub(crate) fn has_unknown_interface(&self) -> bool {
        self.names.unknown
    }
}

/// The names of this host, and of one of its network namespaces.
#[derive(Debug)]
struct NamesOf {
    system: System,
    place: Place,
    /// An interface that is not there may be in another one.
    one_of_many: bool,
    hosts: HashMap<(String, Option<Family>), Vec<IpAddr>>,
    unknown: bool,
}

impl NamesOf {
    /// The index of no interface: they are positive as C's int.
    const NOWHERE: u32 = u32::MAX;
}

impl Names for NamesOf {
    fn interface(&mut self, name: &[u8]) -> Option<u32> {
        let (mut system, asked) = (self.system.clone(), name.to_owned());
        let found = self.place.run(move || system.interface(&asked)).ok().flatten();
        let digits = name.strip_prefix(b"if").unwrap_or(name);
        if found.is_some() || !self.one_of_many || digits.iter().all(u8::is_ascii_digit) {
            return found;
        }
        self.unknown = true;
        Some(NamesOf::NOWHERE)
    }

    fn host(&mut self, name: &str, family: Option<Family>) -> Vec<IpAddr> {
        let known = self.hosts.entry((name.to_owned(), family));
        known.or_insert_with(|| self.system.host(name, family)).clone()
    }

    fn service(&mut self, name: &str, transport: Transport) -> Option<u16> {
        self.system.service(name, transport)
    }

    fn cgroup(&mut self, path: &[u8]) -> io::Result<CgroupId> {
        self.system.cgroup(path)
    }

    fn ephemeral_ports(&mut self) -> (i64, i64) {
        let mut system = self.system.clone();
        match self.place.run(move || system.ephemeral_ports()) {
            Ok(ports) => ports,
            // It is gone, and has no sockets any more.
            Err(_) => self.system.ephemeral_ports(),
        }
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
