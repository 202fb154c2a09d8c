//! A program's output on a terminal of a given width.
//!
//! The program writes to a pseudo-terminal whose size was set before it started, so it sees what it
//! would see in a window of that many columns. Standard output alone is the terminal: what a program
//! writes to standard error is kept apart.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;

use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, OutputModes, Winsize, tcgetattr, tcsetattr, tcsetwinsize};

use crate::{Namespace, failed};

/// Written behind the program's output: what no program here prints.
const END: &[u8] = b"\0\xff\0end of output\0\xff\0";

/// Runs a program inside `namespace` with its standard output on a terminal of `columns` columns.
///
/// The bytes are those that the program wrote: the terminal does not turn line feeds into pairs.
///
/// # Errors
/// Fails when no terminal can be had or the program not be started.
pub fn output(namespace: &Namespace, mut command: Command, columns: u16) -> io::Result<Output> {
    let (master, slave) = open(columns)?;
    command.stdin(Stdio::null()).stdout(slave.try_clone()?).stderr(Stdio::piped());
    let child = namespace.spawn(&mut command)?;
    // The program's end of the terminal is held open until everything was read: when its last writer
    // has gone, the reader may be told so before the last of what was written.
    let ended = thread::spawn(move || {
        let output = child.wait_with_output()?;
        { &slave }.write_all(END)?;
        Ok::<_, io::Error>((output, slave))
    });
    let mut stdout = Vec::new();
    let mut block = [0; 1 << 16];
    while !stdout.ends_with(END) {
        let read = { &master }.read(&mut block).map_err(|error| failed("the terminal", error))?;
        stdout.extend_from_slice(block.get(..read).unwrap_or_default());
    }
    stdout.truncate(stdout.len() - END.len());
    let (output, _slave) = ended.join().map_err(|_| io::Error::other("waiting panicked"))??;
    Ok(Output { stdout, ..output })
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
