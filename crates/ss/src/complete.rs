//! `--complete`: how sure a result is that was listed until two passes agreed.

use sockeye_diag::Complete;

use crate::outcome::Outcome;

/// What the dumps of a run came to.
#[derive(Debug, Default)]
pub(crate) struct Sureness {
    dumps: u32,
    agreed: u32,
}

impl Sureness {
    /// Takes a dump into account; says so if its passes did not agree.
    pub(crate) fn take(&mut self, what: &str, complete: &Complete, outcome: &mut Outcome) {
        self.dumps += 1;
        let Complete { passes, agreed, gone, doubtful, .. } = complete;
        // Who wanted no more sockets cares for no others.
        if *agreed || complete.report.stopped {
            self.agreed += 1;
            return;
        }
        outcome.incomplete(format_args!(
            "{what}: {passes} passes did not agree, sockets come and go; what any of them told is \
             shown, but for {gone} that have gone since; {doubtful} of it may have gone, and what came \
             meanwhile may be missing"
        ));
    }

    /// Says that all is there, if it is.
    pub(crate) fn report(&self, outcome: &mut Outcome) {
        if self.dumps > 0 && self.agreed == self.dumps {
            outcome.note(format_args!("complete: two passes agree"));
        }
    }
}

/// Says that `--complete` does not apply to `source`.
pub(crate) fn not_of(source: &str, outcome: &mut Outcome) {
    outcome.note(format_args!("--complete does not apply to {source}, which is read once"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{DONE, INCOMPLETE};

    fn said(dumps: &[bool]) -> (u8, String) {
        let (mut sureness, mut outcome, mut said) =
            (Sureness::default(), Outcome::default(), Vec::new());
        for agreed in dumps {
            let mut complete = Complete::default();
            (complete.passes, complete.agreed, complete.gone) = (8, *agreed, 5);
            sureness.take("IPv4 TCP sockets", &complete, &mut outcome);
        }
        sureness.report(&mut outcome);
        let status = outcome.finish("ss", &mut said);
        (status, String::from_utf8(said).unwrap())
    }

    #[test]
    fn it_is_complete_when_every_dump_is() {
        assert_eq!(said(&[true, true]), (DONE, "ss: complete: two passes agree\n".to_owned()));
        let (status, said_of_one) = said(&[true, false]);
        assert_eq!(status, INCOMPLETE);
        assert!(said_of_one.starts_with("ss: IPv4 TCP sockets: 8 passes did not agree"));
        assert!(!said_of_one.contains("two passes agree") && said_of_one.contains(" 5 that"));
        // Nothing was listed by netlink.
        assert_eq!(said(&[]), (DONE, String::new()));
    }
}
