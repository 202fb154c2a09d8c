//! What the kernel asks of a program before it runs it (`inet_diag_bc_audit`).
//!
//! A copy of its rules for tests: the kernel's word is the one that counts.

use super::Code;

/// What is wrong with a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// It has less than one instruction.
    #[error("the program has {0} bytes, less than an instruction")]
    Empty(usize),
    /// No kernel has the code.
    #[error("offset {offset}: no instruction has code {code}")]
    Code {
        /// Where, in bytes.
        offset: usize,
        /// The code found.
        code: u8,
    },
    /// What is compared with does not fit, or cannot be.
    #[error("offset {offset}: the operand of {name} is wrong", name = code.name())]
    Operand {
        /// Where, in bytes.
        offset: usize,
        /// The instruction.
        code: Code,
    },
    /// A jump leads nowhere.
    #[error("offset {offset}: a jump by {by} bytes leads to no instruction")]
    Jump {
        /// Where, in bytes.
        offset: usize,
        /// How far it leads.
        by: u16,
    },
    /// Marks are told to those with CAP_NET_ADMIN alone.
    #[error("offset {0}: MARK_COND needs CAP_NET_ADMIN")]
    NotPermitted(usize),
}

/// Judges a program as the kernel does; `net_admin` for an asker with CAP_NET_ADMIN.
///
/// # Errors
/// The first thing that is wrong. The kernel answers EPERM to [`AuditError::NotPermitted`], and
/// EINVAL to the others.
pub fn audit(program: &[u8], net_admin: bool) -> Result<(), AuditError> {
    if program.len() < 4 {
        return Err(AuditError::Empty(program.len()));
    }
    let mut offset = 0;
    while offset < program.len() {
        let rest = program.get(offset..).unwrap_or_default();
        let [number, yes, no @ ..] = rest else { return Err(AuditError::Empty(rest.len())) };
        let no = no.first_chunk().map_or(0, |bytes| u16::from_ne_bytes(*bytes));
        let code = Code::from_number(*number);
        let code = code.ok_or(AuditError::Code { offset, code: *number })?;
        if code == Code::MarkCond && !net_admin {
            return Err(AuditError::NotPermitted(offset));
        }
        let least = operand(code, rest).ok_or(AuditError::Operand { offset, code })?;
        let jump = |by: u16| {
            let fits = usize::from(by) >= least && usize::from(by) <= rest.len() + 4 && by & 3 == 0;
            fits.then_some(usize::from(by)).ok_or(AuditError::Jump { offset, by })
        };
        if code != Code::Nop {
            let length = jump(no)?;
            if length < rest.len() && !is_instruction(program, offset + length) {
                return Err(AuditError::Jump { offset, by: no });
            }
        }
        offset += jump(u16::from(*yes))?;
    }
    // A success that leads behind the end is no end.
    if offset == program.len() { Ok(()) } else { Err(AuditError::Jump { offset, by: 0 }) }
}

/// Length of an instruction with its operand; `None` where that does not fit.
fn operand(code: Code, rest: &[u8]) -> Option<usize> {
    let least = match code {
        Code::Nop | Code::Jmp | Code::Auto => 4,
        Code::SGe | Code::SLe | Code::DGe | Code::DLe | Code::SEq | Code::DEq | Code::DevCond => 8,
        Code::MarkCond | Code::CgroupCond => 12,
        Code::SCond | Code::DCond => {
            let length = match rest.get(4)? {
                0 => 0,
                2 => 4,
                10 => 16,
                _ => return None,
            };
            if usize::from(*rest.get(5)?) > 8 * length {
                return None;
            }
            12 + length
        }
    };
    (rest.len() >= least).then_some(least)
}

/// Whether an instruction begins at `target`, when the program is walked from its beginning
/// (`valid_cc`).
fn is_instruction(program: &[u8], target: usize) -> bool {
    let mut offset = 0;
    while offset < target {
        let Some(yes) = program.get(offset + 1) else { return false };
        if *yes < 4 || yes & 3 != 0 {
            return false;
        }
        offset += usize::from(*yes);
    }
    offset == target
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_refuses_is_refused() {
        let head = |code: u8, yes: u8, no: u16| {
            let [low, high] = no.to_ne_bytes();
            [code, yes, low, high]
        };
        let jump = |by| Err(AuditError::Jump { offset: 0, by });
        assert_eq!(audit(&[], true), Err(AuditError::Empty(0)));
        assert_eq!(audit(&head(14, 4, 8), true), Err(AuditError::Code { offset: 0, code: 14 }));
        assert_eq!(audit(&head(6, 4, 8), true), Ok(()));
        assert_eq!(audit(&head(0, 4, 3), true), Ok(()), "no jump of NOP is looked at");
        assert_eq!(audit(&head(6, 4, 12), true), jump(12), "too far");
        assert_eq!(audit(&head(6, 4, 6), true), jump(6), "between instructions");
        assert_eq!(audit(&head(6, 0, 8), true), jump(0), "a loop");
        assert_eq!(audit(&head(6, 8, 8), true), Err(AuditError::Jump { offset: 8, by: 0 }));
        let truncated = AuditError::Operand { offset: 0, code: Code::SGe };
        assert_eq!(audit(&head(2, 8, 12), true), Err(truncated));
        let mut mark = head(10, 12, 16).to_vec();
        mark.extend([0; 8]);
        assert_eq!(audit(&mark, true), Ok(()));
        assert_eq!(audit(&mark, false), Err(AuditError::NotPermitted(0)));
        // A prefix of 33 bits of IPv4, and a jump into an operand.
        let mut host = head(7, 16, 20).to_vec();
        host.extend([2, 33, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let wrong = AuditError::Operand { offset: 0, code: Code::SCond };
        assert_eq!(audit(&host, true), Err(wrong));
        let into = [head(1, 4, 8), head(2, 8, 12), head(0, 0, 0)].concat();
        assert_eq!(audit(&into, true), jump(8));
    }
}
