//! What the kernel makes of a program (`inet_diag_bc_run`).

use sockeye_model::Family;

use super::Code;

/// What the kernel knows of a socket while it runs a program (struct inet_diag_entry).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The address family.
    pub family: Family,
    /// Local address; that of IPv4 in the first four bytes.
    pub source: [u8; 16],
    /// The peer's address.
    pub destination: [u8; 16],
    /// Local port, in host order.
    pub sport: u16,
    /// The peer's port.
    pub dport: u16,
    /// Index of the interface that the socket is bound to, 0 for none.
    pub interface: u32,
    /// bind(2) chose the port (`SOCK_BINDPORT_LOCK`).
    pub port_locked: bool,
    /// The mark.
    pub mark: u32,
    /// Id of the control group; 0 of sockets in TIME-WAIT and SYN-RECV.
    pub cgroup: u64,
}

impl Default for Entry {
    fn default() -> Self {
        Entry {
            family: Family::Inet,
            source: [0; 16],
            destination: [0; 16],
            sport: 0,
            dport: 0,
            interface: 0,
            port_locked: false,
            mark: 0,
            cgroup: 0,
        }
    }
}

/// Whether a program accepts a socket. One that would not pass the audit accepts none.
#[must_use]
pub fn run(program: &[u8], entry: &Entry) -> bool {
    let mut offset = 0;
    while offset < program.len() {
        let rest = program.get(offset..).unwrap_or_default();
        let [number, yes, no @ ..] = rest else { return false };
        let Some(code) = Code::from_number(*number) else { return false };
        let Some(holds) = holds(code, rest.get(4..).unwrap_or_default(), entry) else {
            return false;
        };
        let no = no.first_chunk().map_or(0, |bytes| u16::from_ne_bytes(*bytes));
        let by = if holds { usize::from(*yes) } else { usize::from(no) };
        if by == 0 {
            return false;
        }
        offset += by;
    }
    offset == program.len()
}

/// Whether a test holds; `None` where its operand is cut.
fn holds(code: Code, operand: &[u8], entry: &Entry) -> Option<bool> {
    let word = |at: usize| operand.get(at..)?.first_chunk().map(|b| u32::from_ne_bytes(*b));
    let port = || operand.get(2..)?.first_chunk().map(|b| u16::from_ne_bytes(*b));
    Some(match code {
        Code::Nop => true,
        Code::Jmp => false,
        Code::SGe => entry.sport >= port()?,
        Code::SLe => entry.sport <= port()?,
        Code::SEq => entry.sport == port()?,
        Code::DGe => entry.dport >= port()?,
        Code::DLe => entry.dport <= port()?,
        Code::DEq => entry.dport == port()?,
        Code::Auto => !entry.port_locked,
        Code::SCond => is_host(operand, entry.family, &entry.source, entry.sport)?,
        Code::DCond => is_host(operand, entry.family, &entry.destination, entry.dport)?,
        Code::DevCond => entry.interface == word(0)?,
        Code::MarkCond => entry.mark & word(4)? == word(0)?,
        Code::CgroupCond => {
            operand.first_chunk().map(|bytes| u64::from_ne_bytes(*bytes))? == entry.cgroup
        }
    })
}

fn is_host(operand: &[u8], family: Family, address: &[u8; 16], port: u16) -> Option<bool> {
    let [wanted_family, length, _, _, rest @ ..] = operand else { return None };
    let (wanted_port, wanted) = rest.split_first_chunk()?;
    let wanted_port = i32::from_ne_bytes(*wanted_port);
    if wanted_port != -1 && wanted_port != i32::from(port) {
        return Some(false);
    }
    if *wanted_family == 0 || *wanted_family == family.number() {
        return bits_equal(address, wanted, *length);
    }
    match (address, family) {
        ([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, mapped @ ..], Family::Inet6)
            if *wanted_family == Family::Inet.number() =>
        {
            bits_equal(mapped, wanted, *length)
        }
        _ => Some(false),
    }
}

/// Whether the first bits are equal (`bitstring_match`).
fn bits_equal(one: &[u8], other: &[u8], bits: u8) -> Option<bool> {
    let (bytes, bits) = (usize::from(bits / 8), bits % 8);
    if one.get(..bytes)? != other.get(..bytes)? {
        return Some(false);
    }
    if bits == 0 {
        return Some(true);
    }
    Some((one.get(bytes)? ^ other.get(bytes)?) >> (8 - bits) == 0)
}
