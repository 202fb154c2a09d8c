//! A network namespace of its own for one test.
//!
//! The calling thread never moves: work that has to happen inside runs on a thread that enters the
//! namespace and ends with the work. A socket belongs to the namespace that it was *made* in, so it can
//! be used from any thread afterwards. Dropping a [`Namespace`] removes its name; the kernel takes it
//! down when the last socket and process in it are gone.

use std::io;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use sockeye_netns::Netns;

use crate::failed;

/// Tells namespaces of one process apart.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// What the names of these namespaces begin with.
const PREFIX: &str = "sk-";

/// Removes, once a process, what tests left behind that were killed.
static SWEEP: Once = Once::new();

/// Removes namespaces whose maker has ended without doing so: `sk-LABEL-PID-N` where no such process
/// is.
fn sweep() {
    for named in sockeye_netns::named().unwrap_or_default() {
        let name = named.name.to_string_lossy();
        let mut parts = name.rsplit('-');
        let (number, pid) = (parts.next(), parts.next());
        let is_number = |part: Option<&str>| part.is_some_and(|p| p.parse::<u32>().is_ok());
        if name.starts_with(PREFIX)
            && is_number(number)
            && is_number(pid)
            && pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists())
        {
            let _ = ip(&format!("netns del {name}"));
        }
    }
}

/// A named network namespace, removed on drop.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    netns: Netns,
}

impl Namespace {
    /// Makes the namespace `sk-LABEL-PID-N`, with its loopback interface up.
    ///
    /// # Errors
    /// Fails without the right to make namespaces and without `ip`.
    pub fn new(label: &str) -> io::Result<Self> {
        SWEEP.call_once(sweep);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{label}-{}-{number}", std::process::id());
        ip(&format!("netns add {name}"))?;
        let netns = match Netns::of_name(&name) {
            Ok(netns) => netns,
            Err(error) => {
                let _ = ip(&format!("netns del {name}"));
                return Err(failed("a namespace just made", error));
            }
        };
        let namespace = Self { name, netns };
        namespace.set_link("lo", true)?;
        Ok(namespace)
    }

    /// The name, as `ip netns` lists it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `work` on a thread inside the namespace and hands back what it returned.
    ///
    /// # Errors
    /// Fails when the namespace cannot be entered.
    ///
    /// # Panics
    /// A panic in `work` goes on in the caller.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> io::Result<T> {
        let inside = || Ok::<T, std::convert::Infallible>(work());
        self.netns.run(inside).map_err(|error| failed("test namespace", error))
    }

    /// Starts a program inside.
    ///
    /// # Errors
    /// Fails when the namespace cannot be entered or the program not be started; the error names it.
    pub fn spawn(&self, command: &mut Command) -> io::Result<Child> {
        self.run(|| command.spawn())?.map_err(|error| failed(described(command), error))
    }

    /// Runs a program inside to its end and collects what it wrote; its standard input is empty.
    ///
    /// # Errors
    /// As [`Namespace::spawn`]. A status other than 0 is no error.
    pub fn output(&self, command: &mut Command) -> io::Result<Output> {
        command.stdin(Stdio::null());
        self.run(|| command.output())?.map_err(|error| failed(described(command), error))
    }

    /// [`Namespace::output`] of a program that was copied just now: it cannot be run while a child that
    /// another thread starts still has the copy open for writing, and is tried again then.
    ///
    /// # Errors
    /// As [`Namespace::output`]; the copy stays busy.
    pub fn output_of_copy(&self, command: &mut Command) -> io::Result<Output> {
        for _ in 0..1000 {
            match self.output(command) {
                Err(error) if error.to_string().contains("Text file busy") => {
                    std::thread::sleep(std::time::Duration::from_millis(10));
                }
                ended => return ended,
            }
        }
        self.output(command)
    }

    /// Runs `ip` on the namespace: `namespace.ip("link set eth0 up")`.
    ///
    /// # Errors
    /// Fails when `ip` does; the error holds its words.
    pub fn ip(&self, arguments: &str) -> io::Result<()> {
        ip(&format!("-n {} {arguments}", self.name))
    }

    /// Gives `device` an address (`10.0.0.1/24`, `fd00::1/64`), usable at once.
    ///
    /// # Errors
    /// As [`Namespace::ip`].
    pub fn add_address(&self, device: &str, address: &str) -> io::Result<()> {
        let at_once = if address.contains(':') { " nodad" } else { "" };
        self.ip(&format!("address add {address} dev {device}{at_once}"))
    }

    /// Enters a permanent neighbour, so that packets to `address` leave without anybody being asked.
    /// With the hardware address of nobody they are lost on arrival: a cable cut in one direction.
    ///
    /// # Errors
    /// As [`Namespace::ip`].
    pub fn set_neighbour(&self, device: &str, address: &str, hardware: &str) -> io::Result<()> {
        self.ip(&format!("neigh replace {address} lladdr {hardware} nud permanent dev {device}"))
    }

    /// Sets a link up or down.
    ///
    /// # Errors
    /// As [`Namespace::ip`].
    pub fn set_link(&self, device: &str, up: bool) -> io::Result<()> {
        self.ip(&format!("link set {device} {}", if up { "up" } else { "down" }))
    }

    /// Writes a setting below `/proc/sys/net`: `namespace.set("ipv4/tcp_fin_timeout", "30")`.
    ///
    /// # Errors
    /// Fails when there is no such setting, or it refuses the value.
    pub fn set(&self, setting: &str, value: &str) -> io::Result<()> {
        let path = Path::new("/proc/sys/net").join(setting);
        self.run(|| std::fs::write(&path, value))?.map_err(|error| failed(path.display(), error))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = ip(&format!("netns del {}", self.name));
    }
}

/// Joins two namespaces by a veth pair and sets both ends up.
///
/// # Errors
/// As [`Namespace::ip`].
pub fn veth(near: (&Namespace, &str), far: (&Namespace, &str)) -> io::Result<()> {
    let ((near, near_device), (far, far_device)) = (near, far);
    near.ip(&format!(
        "link add {near_device} type veth peer name {far_device} netns {}",
        far.name
    ))?;
    near.set_link(near_device, true)?;
    far.set_link(far_device, true)
}

/// Runs `ip` to its end.
fn ip(arguments: &str) -> io::Result<()> {
    let output = Command::new("ip")
        .args(arguments.split(' '))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed("cannot run `ip` (Debian package iproute2)", error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(failed(
        format_args!("`ip {arguments}` (tests need root)"),
        if said.trim().is_empty() { output.status.to_string().into() } else { said },
    ))
}

/// A program and its arguments, for an error.
fn described(command: &Command) -> String {
    let mut text = format!("cannot run `{}", command.get_program().display());
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text.push('`');
    text
}
