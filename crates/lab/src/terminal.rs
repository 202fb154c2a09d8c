//! A program's output on a terminal of a given width.
//!
//! The program writes to a pseudo-terminal whose size was set before it started, so it sees what it
//! would see in a window of that many columns. Standard output alone is the terminal: what a program
//! writes to standard error is kept apart.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, OutputModes, Winsize, tcgetattr, tcsetattr, tcsetwinsize};

use crate::{Namespace, failed};

/// Runs a program inside `namespace` with its standard output on a terminal of `columns` columns.
///
/// The bytes are those that the program wrote: the terminal does not turn line feeds into pairs.
///
/// # Errors
/// Fails when no terminal can be had or the program not be started.
pub fn output(namespace: &Namespace, mut command: Command, columns: u16) -> io::Result<Output> {
    let (mut master, slave) = open(columns)?;
    command.stdin(Stdio::null()).stdout(slave).stderr(Stdio::piped());
    let mut child = namespace.spawn(&mut command)?;
    // Its copy of the terminal would keep the reader below waiting for ever.
    drop(command);

    let mut stdout = Vec::new();
    match master.read_to_end(&mut stdout) {
        // The kernel's end of file on a terminal whose last writer has gone.
        Err(error) if Errno::from_io_error(&error) == Some(Errno::IO) => {}
        Err(error) => return Err(failed("reading from the terminal", error)),
        Ok(_) => {}
    }
    let mut stderr = Vec::new();
    if let Some(mut pipe) = child.stderr.take() {
        pipe.read_to_end(&mut stderr)?;
    }
    Ok(Output { status: child.wait()?, stdout, stderr })
}

/// A pseudo-terminal of that width: the side to read from, the side to write to.
fn open(columns: u16) -> io::Result<(File, File)> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let name = ptsname(&master, Vec::new())?;
    let path = Path::new(name.to_str().map_err(io::Error::other)?);
    let slave = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(OFlags::NOCTTY.bits().cast_signed())
        .open(path)
        .map_err(|error| failed(path.display(), error))?;

    let mut modes = tcgetattr(&slave)?;
    modes.output_modes.remove(OutputModes::OPOST);
    tcsetattr(&slave, OptionalActions::Now, &modes)?;
    tcsetwinsize(&slave, Winsize { ws_row: 50, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })?;
    Ok((File::from(master), slave))
}
