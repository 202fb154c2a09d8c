//! `--netns` and `--all-netns`, which every command takes that looks at a network.

use std::ffi::OsString;
use std::fmt::Display;

use clap::Args;
use sockeye_netns::{Choice, Error, Place, Places};

/// Which network namespaces a command looks at; to be flattened into its options.
#[derive(Debug, Args)]
pub(crate) struct Namespaces {
    /// Another network namespace: a name of ip netns, a process id, a container, or a path
    #[arg(long, value_name = "NAME|PID|PATH", conflicts_with = "all_netns")]
    netns: Option<OsString>,
    /// Every network namespace that can be found, one after the other
    #[arg(long)]
    all_netns: bool,
}

impl Namespaces {
    /// What was chosen.
    pub(crate) fn choice(&self) -> Choice {
        match (&self.netns, self.all_netns) {
            (_, true) => Choice::All,
            (Some(target), false) => Choice::One(target.clone()),
            (None, false) => Choice::Here,
        }
    }
}

/// What came of the visits.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Visits {
    /// Namespaces that work was done in.
    pub(crate) done: u64,
    /// Some could not be visited, though they are there; or not be found.
    pub(crate) incomplete: bool,
    /// The one that was asked for cannot be visited.
    pub(crate) failed: bool,
}

/// Has something done at every place that can be entered, and says what is missing.
pub(crate) fn visit(
    places: &Places,
    mut say: impl FnMut(&dyn Display),
    mut each: impl FnMut(&Place),
) -> Visits {
    let mut visits = Visits::default();
    let (mut gone, mut refused) = (0_u64, 0_u64);
    let mut pace = places.pace();
    for place in places {
        pace.rest();
        match place.enter() {
            Ok(()) => {
                each(place);
                visits.done += 1;
            }
            Err(Error::Gone { .. }) if places.len() > 1 => gone += 1,
            Err(error) if places.len() > 1 && error.is_refusal() => refused += 1,
            Err(error) => {
                say(&error);
                visits.failed = true;
            }
        }
    }
    if gone > 0 {
        say(&format_args!("network namespaces that went away meanwhile: {gone}"));
    }
    if refused > 0 {
        let all = places.len();
        say(&format_args!(
            "network namespaces that may not be entered: {refused} of {all}; that needs CAP_SYS_ADMIN: \
             run as root"
        ));
    }
    if !places.unseen().is_nothing() {
        say(&places.unseen());
    }
    visits.incomplete = refused > 0 || !places.unseen().is_nothing();
    visits
}
