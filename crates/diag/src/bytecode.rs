//! Programs that the kernel runs on each socket of a dump (`INET_DIAG_REQ_BYTECODE`).
//!
//! A [`Program`] is put together from tests by [`Program::all`], [`Program::any`] and
//! [`Program::inverted`], so it always passes the kernel's audit ([`audit`]): jumps lead forward to
//! the beginning of an instruction, or just behind the end, which accepts, or four bytes further,
//! which rejects. Only its length is bounded ([`Program::to_bytes`]). [`run`] does what the kernel
//! does.
//!
//! Sources: linux/inet_diag.h; `inet_diag_bc_audit` and `inet_diag_bc_run` (net/ipv4/inet_diag.c).

mod audit;
mod run;

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use sockeye_model::Family;

pub use audit::{AuditError, audit};
pub use run::{Entry, run};

/// What an instruction does (`INET_DIAG_BC_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Code {
    /// Nothing (0).
    Nop = 0,
    /// Goes on elsewhere (1).
    Jmp = 1,
    /// Tests that the local port is not less (2).
    SGe = 2,
    /// Tests that the local port is not more (3).
    SLe = 3,
    /// Tests that the peer's port is not less (4).
    DGe = 4,
    /// Tests that the peer's port is not more (5).
    DLe = 5,
    /// Tests that the local port was not chosen by bind(2) (6).
    Auto = 6,
    /// Tests the local address and port (7).
    SCond = 7,
    /// Tests the peer's address and port (8).
    DCond = 8,
    /// Tests the interface (9, since Linux 4.8).
    DevCond = 9,
    /// Tests the mark (10, since 4.9). Refused without CAP_NET_ADMIN.
    MarkCond = 10,
    /// Tests that the local port is this one (11, since 4.16).
    SEq = 11,
    /// Tests that the peer's port is this one (12, since 4.16).
    DEq = 12,
    /// Tests the control group (13, since 5.8, with CONFIG_SOCK_CGROUP_DATA).
    CgroupCond = 13,
}

impl Code {
    /// All, by number.
    pub const ALL: [Code; 14] = [
        Code::Nop,
        Code::Jmp,
        Code::SGe,
        Code::SLe,
        Code::DGe,
        Code::DLe,
        Code::Auto,
        Code::SCond,
        Code::DCond,
        Code::DevCond,
        Code::MarkCond,
        Code::SEq,
        Code::DEq,
        Code::CgroupCond,
    ];

    /// The code with this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Code> {
        Code::ALL.get(usize::from(number)).copied()
    }

    /// The kernel's name, without `INET_DIAG_BC_`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Code::Nop => "NOP",
            Code::Jmp => "JMP",
            Code::SGe => "S_GE",
            Code::SLe => "S_LE",
            Code::DGe => "D_GE",
            Code::DLe => "D_LE",
            Code::Auto => "AUTO",
            Code::SCond => "S_COND",
            Code::DCond => "D_COND",
            Code::DevCond => "DEV_COND",
            Code::MarkCond => "MARK_COND",
            Code::SEq => "S_EQ",
            Code::DEq => "D_EQ",
            Code::CgroupCond => "CGROUP_COND",
        }
    }

    /// The first kernel that has it; `None` where every kernel with netlink dumps does.
    #[must_use]
    pub const fn since(self) -> Option<&'static str> {
        match self {
            Code::DevCond => Some("4.8"),
            Code::MarkCond => Some("4.9"),
            Code::SEq | Code::DEq => Some("4.16"),
            Code::CgroupCond => Some("5.8"),
            _ => None,
        }
    }
}

/// A test of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// `S_GE`
    SourcePortAtLeast(u16),
    /// `S_LE`
    SourcePortAtMost(u16),
    /// `S_EQ`
    SourcePort(u16),
    /// `D_GE`
    DestinationPortAtLeast(u16),
    /// `D_LE`
    DestinationPortAtMost(u16),
    /// `D_EQ`
    DestinationPort(u16),
    /// `S_COND`
    Source(HostCondition),
    /// `D_COND`
    Destination(HostCondition),
    /// `DEV_COND`: index of the interface that the socket is bound to, 0 for none.
    Interface(u32),
    /// `MARK_COND`
    Mark {
        /// The bits of the mark.
        mark: u32,
        /// Which of its bits count.
        mask: u32,
    },
    /// `CGROUP_COND`: id of the control group that made the socket.
    Cgroup(u64),
    /// `AUTO`
    Autobound,
    /// `JMP` to the end that rejects.
    Never,
}

/// struct inet_diag_hostcond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostCondition {
    /// `None` (`AF_UNSPEC`) for any. An IPv4 address matches mapped ones of IPv6, too.
    pub family: Option<Family>,
    /// In host order; -1 for any.
    pub port: i32,
    /// An IPv4 address stands in the first four bytes. Without a family it plays no part.
    pub address: [u8; 16],
    /// How many bits of the address count; no more than it has.
    pub prefix_len: u8,
}

impl HostCondition {
    fn address_len(&self) -> usize {
        match self.family {
            None => 0,
            Some(Family::Inet) => 4,
            Some(Family::Inet6) => 16,
        }
    }
}

impl Condition {
    /// The code that tests this.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Condition::SourcePortAtLeast(_) => Code::SGe,
            Condition::SourcePortAtMost(_) => Code::SLe,
            Condition::SourcePort(_) => Code::SEq,
            Condition::DestinationPortAtLeast(_) => Code::DGe,
            Condition::DestinationPortAtMost(_) => Code::DLe,
            Condition::DestinationPort(_) => Code::DEq,
            Condition::Source(_) => Code::SCond,
            Condition::Destination(_) => Code::DCond,
            Condition::Interface(_) => Code::DevCond,
            Condition::Mark { .. } => Code::MarkCond,
            Condition::Cgroup(_) => Code::CgroupCond,
            Condition::Autobound => Code::Auto,
            Condition::Never => Code::Jmp,
        }
    }

    /// Length of the instruction, bytes: at most 28.
    fn len(&self) -> u8 {
        match self {
            Condition::Autobound | Condition::Never => 4,
            Condition::SourcePortAtLeast(_)
            | Condition::SourcePortAtMost(_)
            | Condition::SourcePort(_)
            | Condition::DestinationPortAtLeast(_)
            | Condition::DestinationPortAtMost(_)
            | Condition::DestinationPort(_)
            | Condition::Interface(_) => 8,
            Condition::Mark { .. } | Condition::Cgroup(_) => 12,
            Condition::Source(host) | Condition::Destination(host) => 12 + host.address_len() as u8,
        }
    }

    /// What stands behind the instruction's head.
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            // A second struct inet_diag_bc_op, whose `no` is the port.
            Condition::SourcePortAtLeast(port)
            | Condition::SourcePortAtMost(port)
            | Condition::SourcePort(port)
            | Condition::DestinationPortAtLeast(port)
            | Condition::DestinationPortAtMost(port)
            | Condition::DestinationPort(port) => {
                out.extend([0; 2]);
                out.extend(port.to_ne_bytes());
            }
            Condition::Source(host) | Condition::Destination(host) => {
                let length = host.address_len();
                let family = host.family.map_or(0, Family::number);
                out.extend([family, host.prefix_len.min(length as u8 * 8), 0, 0]);
                out.extend(host.port.to_ne_bytes());
                out.extend(host.address.get(..length).unwrap_or_default());
            }
            Condition::Interface(index) => out.extend(index.to_ne_bytes()),
            Condition::Mark { mark, mask } => {
                out.extend(mark.to_ne_bytes());
                out.extend(mask.to_ne_bytes());
            }
            Condition::Cgroup(id) => out.extend(id.to_ne_bytes()),
            Condition::Autobound | Condition::Never => {}
        }
    }
}

/// A test, or an unconditional jump, and where to go on if it fails; if not, behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Instruction {
    condition: Condition,
    /// Number of the instruction, always a later one. The number behind the last accepts, the one
    /// behind that rejects.
    no: usize,
}

/// A program. It is never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    instructions: Vec<Instruction>,
}

impl Program {
    /// The longest program, bytes: with its head it has to fit into an attribute, and a jump over
    /// it into 16 bits.
    pub const LONGEST: usize = 65528;

    /// One test.
    #[must_use]
    pub fn test(condition: Condition) -> Program {
        Program { instructions: vec![Instruction { condition, no: 2 }] }
    }

    /// Accepts what all of these accept; `None` without any.
    #[must_use]
    pub fn all(programs: impl IntoIterator<Item = Program>) -> Option<Program> {
        let parts: Vec<_> = programs.into_iter().collect();
        let total: usize = parts.iter().map(Program::len).sum();
        let mut instructions = Vec::with_capacity(total);
        for part in parts {
            let (start, len) = (instructions.len(), part.len());
            instructions.extend(part.instructions.into_iter().map(|instruction| Instruction {
                no: if instruction.no > len { total + 1 } else { start + instruction.no },
                ..instruction
            }));
        }
        (total > 0).then_some(Program { instructions })
    }

    /// Accepts what at least one of these accepts; `None` without any.
    #[must_use]
    pub fn any(programs: impl IntoIterator<Item = Program>) -> Option<Program> {
        let parts: Vec<_> = programs.into_iter().collect();
        let count = parts.len();
        // A jump to the end stands behind each but the last.
        let total = parts.iter().map(Program::len).sum::<usize>() + count.saturating_sub(1);
        let mut instructions = Vec::with_capacity(total);
        for (number, part) in parts.into_iter().enumerate() {
            let start = instructions.len();
            // Where one rejects, the next begins, behind the jump; and where the last does, it is
            // the end that rejects.
            instructions.extend(
                part.instructions
                    .into_iter()
                    .map(|instruction| Instruction { no: start + instruction.no, ..instruction }),
            );
            if number + 1 < count {
                instructions.push(Instruction { condition: Condition::Never, no: total });
            }
        }
        (total > 0).then_some(Program { instructions })
    }

    /// Accepts what this one does not.
    #[must_use]
    pub fn inverted(mut self) -> Program {
        // What accepted comes to a jump to the end that rejects; what rejected, behind it.
        let len = self.len();
        self.instructions.push(Instruction { condition: Condition::Never, no: len + 2 });
        self
    }

    fn len(&self) -> usize {
        self.instructions.len()
    }

    /// The codes that it uses.
    pub fn codes(&self) -> impl Iterator<Item = Code> + '_ {
        self.instructions.iter().map(|instruction| instruction.condition.code())
    }

    /// As the kernel takes it; `None` where it is longer than [`Program::LONGEST`].
    #[must_use]
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let offsets = self.offsets();
        let end = offsets.last().copied().filter(|end| *end <= Program::LONGEST + 4)?;
        let mut bytes = Vec::with_capacity(end);
        for (instruction, offset) in self.instructions.iter().zip(&offsets) {
            let target = offsets.get(instruction.no).copied().unwrap_or(end);
            let no = u16::try_from(target.checked_sub(*offset)?).ok()?;
            bytes.extend([instruction.condition.code() as u8, instruction.condition.len()]);
            bytes.extend(no.to_ne_bytes());
            instruction.condition.write(&mut bytes);
        }
        Some(bytes)
    }

    /// Where each instruction stands, the end, and four bytes behind it.
    fn offsets(&self) -> Vec<usize> {
        let mut offsets = vec![0];
        let mut end = 0;
        for instruction in &self.instructions {
            end += usize::from(instruction.condition.len());
            offsets.push(end);
        }
        offsets.push(end + 4);
        offsets
    }
}

/// One instruction a line: where it stands, what it tests, and where it goes on if that fails.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offsets = self.offsets();
        for (number, (instruction, offset)) in self.instructions.iter().zip(&offsets).enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            let Instruction { condition, no } = instruction;
            let target = match no.checked_sub(self.len()) {
                Some(0) => "accept".to_owned(),
                Some(_) => "reject".to_owned(),
                None => offsets.get(*no).map(usize::to_string).unwrap_or_default(),
            };
            let name = condition.code().name();
            match condition {
                Condition::Never => write!(f, "{offset:5}  {name} {target}")?,
                Condition::Autobound => write!(f, "{offset:5}  {name} else {target}")?,
                _ => write!(f, "{offset:5}  {name} {condition} else {target}")?,
            }
        }
        Ok(())
    }
}

/// What is compared with.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::SourcePortAtLeast(port)
            | Condition::SourcePortAtMost(port)
            | Condition::SourcePort(port)
            | Condition::DestinationPortAtLeast(port)
            | Condition::DestinationPortAtMost(port)
            | Condition::DestinationPort(port) => write!(f, "{port}"),
            Condition::Source(host) | Condition::Destination(host) => write!(f, "{host}"),
            Condition::Interface(index) => write!(f, "{index}"),
            Condition::Mark { mark, mask } => write!(f, "{mark:#x}/{mask:#x}"),
            Condition::Cgroup(id) => write!(f, "{id:#x}"),
            Condition::Autobound | Condition::Never => Ok(()),
        }
    }
}

impl fmt::Display for HostCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.prefix_len;
        match self.family {
            None => f.write_str("*")?,
            Some(Family::Inet) => {
                let [a, b, c, d, ..] = self.address;
                write!(f, "{}/{length}", Ipv4Addr::new(a, b, c, d))?;
            }
            Some(Family::Inet6) => write!(f, "[{}]/{length}", Ipv6Addr::from(self.address))?,
        }
        match self.port {
            -1 => f.write_str(":*"),
            port => write!(f, ":{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn program(condition: Condition) -> Program {
        Program::test(condition)
    }

    const LOOPBACK: HostCondition = HostCondition {
        family: Some(Family::Inet),
        port: 22,
        address: [127, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        prefix_len: 8,
    };

    /// `src 127.0.0.0/8:22 or not dport >= 1024`, as `ss` sends it.
    #[test]
    fn bytes_are_those_of_ss() {
        let joined = Program::any([
            program(Condition::Source(LOOPBACK)),
            program(Condition::DestinationPortAtLeast(1024)).inverted(),
        ]);
        let bytes = joined.and_then(|program| program.to_bytes()).unwrap_or_default();
        #[rustfmt::skip]
        let expected = [
            7, 16, 20, 0,  2, 8, 0, 0,  22, 0, 0, 0,  127, 0, 0, 0,
            1, 4, 16, 0,
            4, 8, 12, 0,  0, 0, 0, 4,
            1, 4, 8, 0,
        ];
        if cfg!(target_endian = "little") {
            assert_eq!(bytes, expected);
        }
    }

    #[test]
    fn a_program_is_shown_by_instruction() {
        let joined = Program::any([
            program(Condition::Source(LOOPBACK)),
            program(Condition::DestinationPortAtLeast(1024)).inverted(),
            program(Condition::Autobound),
        ]);
        let shown = joined.map(|program| program.to_string()).unwrap_or_default();
        assert_eq!(
            shown,
            "    0  S_COND 127.0.0.0/8:22 else 20\n   \
             16  JMP accept\n   \
             20  D_GE 1024 else 32\n   \
             28  JMP 36\n   \
             32  JMP accept\n   \
             36  AUTO else reject"
        );
    }

    #[test]
    fn what_is_too_long_is_no_program() {
        let tests = |count| Program::all((0..count).map(|_| program(Condition::Interface(1))));
        let longest = tests(Program::LONGEST / 8).and_then(|program| program.to_bytes());
        let longest = longest.expect("it fits");
        assert_eq!(longest.len(), Program::LONGEST);
        assert_eq!(audit(&longest, false), Ok(()));
        assert_eq!(tests(Program::LONGEST / 8 + 1).and_then(|program| program.to_bytes()), None);
    }

    /// What a program is made of, so that its meaning can be told without it.
    #[derive(Debug, Clone)]
    enum Tree {
        Port(u16),
        And(Vec<Tree>),
        Or(Vec<Tree>),
        Not(Box<Tree>),
    }

    fn tree() -> impl Strategy<Value = Tree> {
        (0..8_u16).prop_map(Tree::Port).prop_recursive(5, 40, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 1..4).prop_map(Tree::And),
                proptest::collection::vec(inner.clone(), 1..4).prop_map(Tree::Or),
                inner.prop_map(|tree| Tree::Not(Box::new(tree))),
            ]
        })
    }

    impl Tree {
        fn program(&self) -> Option<Program> {
            Some(match self {
                Tree::Port(port) => program(Condition::SourcePortAtLeast(*port)),
                Tree::And(parts) => Program::all(parts.iter().filter_map(Tree::program))?,
                Tree::Or(parts) => Program::any(parts.iter().filter_map(Tree::program))?,
                Tree::Not(part) => part.program()?.inverted(),
            })
        }

        fn holds(&self, port: u16) -> bool {
            match self {
                Tree::Port(least) => port >= *least,
                Tree::And(parts) => parts.iter().all(|part| part.holds(port)),
                Tree::Or(parts) => parts.iter().any(|part| part.holds(port)),
                Tree::Not(part) => !part.holds(port),
            }
        }
    }

    proptest! {
        #[test]
        fn programs_pass_the_audit_and_mean_what_they_are_made_of(tree in tree()) {
            let bytes = tree.program().and_then(|program| program.to_bytes()).unwrap_or_default();
            prop_assert_eq!(audit(&bytes, false), Ok(()));
            for port in 0..9 {
                let entry = Entry { sport: port, ..Entry::default() };
                prop_assert_eq!(run(&bytes, &entry), tree.holds(port), "{}", port);
            }
        }
    }
}
