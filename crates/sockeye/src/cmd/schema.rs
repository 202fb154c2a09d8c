//! `sockeye schema`: what the fields of `--json` are, as documentation or as a JSON Schema.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use sockeye_json::{documentation, schema};
use sockeye_model::{Kill, Section, Socket};

/// What `sockeye schema` takes.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Options {
    /// The record
    record: Record,
    /// How it is told
    #[arg(long, default_value = "markdown")]
    format: Format,
}

/// The records that have a table.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Record {
    /// A socket, as `sockeye ss --json` prints it
    Socket,
    /// A socket that was to be closed, as `sockeye kill --json` prints it
    Kill,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// Documentation
    Markdown,
    /// JSON Schema, draft 2020-12
    JsonSchema,
}

/// What documentation and schema begin with, and the tables.
struct Subject {
    title: &'static str,
    documentation: &'static str,
    schema: &'static str,
    sections: &'static [Section],
}

impl Record {
    fn subject(self) -> Subject {
        match self {
            Record::Socket => Subject {
                title: "socket",
                documentation: SOCKET,
                schema: "A line of `sockeye ss --json`: one socket. A field that is not known is \
                         absent. A name that is not known to this version is the kernel's number, \
                         as a string.",
                sections: Socket::SECTIONS,
            },
            Record::Kill => Subject {
                title: "kill",
                documentation: KILL,
                schema: "A line of `sockeye kill --json`: one socket that was to be closed, as it was \
                         listed before, and what became of it. A field that is not known is absent. A \
                         name that is not known to this version is the kernel's number, as a string.",
                sections: Kill::SECTIONS,
            },
        }
    }
}

const SOCKET: &str = "\
A line of `sockeye ss --json` is one socket, as one flat JSON object. This page is what
`sockeye schema socket` prints; `sockeye schema socket --format json-schema` prints
[a JSON Schema](socket.schema.json) of the same. Both are made from the table that the program
writes its lines by.

- Names of fields never change within a major version. New ones may come.
- **What is not known is absent**, never 0 or null: the kernel is too old for it, the socket is not
  of that kind, or the reader lacks the right. A value 0 was told.
- A field that is `always` there is never absent where its chapter applies.
- Numbers are whole, 64 bits at most. Identifiers of 64 bits are hexadecimal strings (`\"0x1f\"`), as
  many readers of JSON keep no more than 53 bits of a number.
- A *name* is one of those listed, or the kernel's number as a string (`\"14\"`) where this version
  knows no name.
- *Text* comes from outside. Control characters are escaped as JSON demands, DEL and C1 too. Of what
  is not UTF-8, stray bytes are written `\\xNN` and each backslash is doubled; the key
  `FIELD_escaped`, true, stands behind it.
- Source is the kernel's name: a field of `struct inet_diag_msg`, an attribute of it
  (linux/inet_diag.h), or a field of the struct that stands in one.";

const KILL: &str = "\
A line of `sockeye kill --json` is one socket, as it was listed before it was closed, and what became of
it, as one flat JSON object. This page is what `sockeye schema kill` prints; `sockeye schema kill --format
json-schema` prints [a JSON Schema](kill.schema.json) of the same. The fields of a socket, and what holds
of all fields, are those of [socket](socket.md).";

/// Prints the schema of a record.
pub(crate) fn run(options: &Options) -> ExitCode {
    let Subject { title, documentation: about, schema: what, sections } = options.record.subject();
    let text = match options.format {
        Format::Markdown => documentation(title, about, sections),
        Format::JsonSchema => schema(title, what, sections),
    };
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        // Who reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            // Where standard error is closed, nobody listens.
            let _ = writeln!(io::stderr(), "sockeye schema: cannot write the output: {error}");
            ExitCode::FAILURE
        }
    }
}
