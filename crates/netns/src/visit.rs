//! One namespace after the other, and what is said of those that were not visited.
//!
//! One that cannot be visited keeps none of the others from it. What went away meanwhile is no loss, and
//! what may not be entered is: both are counted, and said once.

use std::fmt::Arguments;

use crate::{Error, Place, Places};

/// Where it is said what came of the visits.
pub trait Report {
    /// What is said from now on is about this namespace; or about none in particular.
    fn enter(&mut self, place: Option<&Place>);

    /// Something to know that takes nothing away.
    fn note(&mut self, text: Arguments<'_>);

    /// Something that is missing.
    fn incomplete(&mut self, text: Arguments<'_>);

    /// Something that failed.
    fn failed(&mut self, text: Arguments<'_>);
}

impl Places {
    /// Has something done at every place that can be entered, and reports on the others.
    ///
    /// # Errors
    /// The first one of `each`, which ends the visits.
    pub fn visit<R: Report, E>(
        &self,
        report: &mut R,
        mut each: impl FnMut(&Place, &mut R) -> Result<(), E>,
    ) -> Result<(), E> {
        let several = self.are_several();
        let (mut gone, mut refused) = (0_u64, 0_u64);
        let mut pace = self.pace();
        for place in self {
            pace.rest();
            if several {
                report.enter(Some(place));
            }
            match place.enter() {
                Ok(()) => each(place, report)?,
                Err(Error::Gone { .. }) if several => gone += 1,
                Err(error) if several && error.is_refusal() => refused += 1,
                Err(error) => report.failed(format_args!("{error}")),
            }
        }
        report.enter(None);
        if gone > 0 {
            report.note(format_args!("network namespaces that went away meanwhile: {gone}"));
        }
        if refused > 0 {
            let all = self.len();
            report.incomplete(format_args!(
                "network namespaces that may not be entered: {refused} of {all}; that needs \
                 CAP_SYS_ADMIN: run as root"
            ));
        }
        if !self.unseen().is_nothing() {
            report.incomplete(format_args!("{}", self.unseen()));
        }
        Ok(())
    }
}
