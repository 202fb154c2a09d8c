//! Loads the programs into the kernel, by libbpf.
//!
//! libbpf's warnings are kept for the error, and reach no terminal.

use std::fmt::Display;
use std::io::{self, Read};
use std::sync::{Mutex, Once, PoisonError};

use libbpf_rs::{Iter, Link, MapCore, MapFlags, MapMut, Object, ObjectBuilder, PrintLevel};

use crate::Error;
use crate::record::Record;

/// The kernel fills one buffer of 32 KiB a read (`bpf_seq_read`).
const BUFFER: usize = 32 * 1024;

/// The program's name, and the object that clang made of it.
pub(crate) struct Image(&'static str, &'static Aligned<[u8]>);

/// libelf wants its headers aligned.
#[repr(C, align(16))]
struct Aligned<T: ?Sized>(T);

macro_rules! image {
    ($name:literal) => {
        Image($name, &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".bpf.o"))))
    };
}

/// `programs/socket_files.bpf.c`
pub(crate) static SOCKET_FILES: Image = image!("socket_files");
/// `programs/socket_holders.bpf.c`
pub(crate) static SOCKET_HOLDERS: Image = image!("socket_holders");
/// `programs/threads.bpf.c`
pub(crate) static THREADS: Image = image!("threads");

/// A program in the kernel, which is gone with it.
pub(crate) struct Loaded {
    program: &'static str,
    object: Object,
}

impl Loaded {
    /// Loads an object, which has one program, of the same name.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub(crate) fn new(Image(program, object): &Image) -> Result<Loaded, Error> {
        let warnings = Warnings::heard();
        let open = ObjectBuilder::default().open_memory(&object.0);
        match open.and_then(libbpf_rs::OpenObject::load) {
            Ok(object) => Ok(Loaded { program, object }),
            Err(error) => Err(refused(program, &error, warnings.first())),
        }
    }

    /// Runs the program, an iterator, and hands over each record.
    ///
    /// # Errors
    /// [`Error::Refused`] before the first record, else [`Error::Read`], [`Error::Torn`].
    pub(crate) fn each<T: Record<SIZE>, const SIZE: usize>(
        &self,
        mut each: impl FnMut(&T),
    ) -> Result<(), Error> {
        let program = self.program;
        let (mut records, _link) = self.iterate()?;
        let mut buffer = vec![0; BUFFER];
        loop {
            let length = match records.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(length) => length,
                // EAGAIN comes after a million objects without a record. It goes on where it was.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
                    ) =>
                {
                    continue;
                }
                Err(source) => return Err(Error::Read { program, source }),
            };
            let (whole, rest) = buffer.get(..length).unwrap_or_default().as_chunks::<SIZE>();
            if !rest.is_empty() {
                return Err(Error::Torn { program, length: rest.len() });
            }
            whole.iter().map(T::from_bytes).for_each(|record| each(&record));
        }
    }

    fn iterate(&self) -> Result<(Iter, Link), Error> {
        let warnings = Warnings::heard();
        let Some(program) = self.object.progs_mut().find(|program| program.name() == self.program)
        else {
            return Err(self.lacks("program", self.program));
        };
        let iterator = program.attach().and_then(|link| Ok((Iter::new(&link)?, link)));
        iterator.map_err(|error| refused(self.program, &error, warnings.first()))
    }

    /// Writes an element of a map.
    ///
    /// # Errors
    /// [`Error::Refused`]: the map is full.
    pub(crate) fn put(&mut self, map: &str, key: &[u8], value: &[u8]) -> Result<(), Error> {
        let program = self.program;
        let put = self.map(map)?.update(key, value, MapFlags::ANY);
        put.map_err(|error| refused(program, &error, None))
    }

    /// Reads an element of a map; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub(crate) fn get(&mut self, map: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let program = self.program;
        let value = self.map(map)?.lookup(key, MapFlags::ANY);
        value.map_err(|error| refused(program, &error, None))
    }

    fn map(&mut self, name: &str) -> Result<MapMut<'_>, Error> {
        let lacks = self.lacks("map", name);
        self.object.maps_mut().find(|map| map.name() == name).ok_or(lacks)
    }

    fn lacks(&self, kind: &str, name: &str) -> Error {
        let source = io::Error::new(io::ErrorKind::NotFound, format!("no {kind} {name} in it"));
        Error::Refused { program: self.program, source, said: None }
    }
}

fn refused(program: &'static str, error: &libbpf_rs::Error, said: Option<String>) -> Error {
    Error::Refused { program, source: cause(error), said }
}

/// The system call's error under libbpf-rs's words, where there is one.
fn cause(error: &libbpf_rs::Error) -> io::Error {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        let io = error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error);
        if let Some(errno) = io {
            return io::Error::from_raw_os_error(errno);
        }
        next = error.source();
    }
    io::Error::other(error.to_string())
}

/// libbpf's warnings. It has one listener for the whole process, so threads that load programs at the
/// same time may find each other's.
struct Warnings;

static WARNING: Mutex<Option<String>> = Mutex::new(None);

impl Warnings {
    /// From now on.
    fn heard() -> Warnings {
        static LISTEN: Once = Once::new();
        LISTEN.call_once(|| {
            libbpf_rs::set_print(Some((PrintLevel::Warn, |_, text| keep(text.trim()))));
        });
        *WARNING.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Warnings
    }

    fn first(&self) -> Option<String> {
        WARNING.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The first warning names the cause; what comes after it are consequences.
fn keep(text: impl Display) {
    let mut first = WARNING.lock().unwrap_or_else(PoisonError::into_inner);
    if first.is_none() {
        *first = Some(text.to_string());
    }
}
