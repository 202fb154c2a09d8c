//! `--netns` and `--all-netns`, which every command takes that looks at a network.

use std::ffi::OsString;

use clap::Args;
use sockeye_netns::Choice;

/// Which network namespaces a command looks at; to be flattened into its options.
/// The last of the flags counts, as in `ss`.
#[derive(Debug, Args)]
pub(crate) struct Namespaces {
    /// Another network namespace: a name of ip netns, a process id, a container, or a path
    #[arg(long, value_name = "NAME|PID|PATH", overrides_with_all = ["netns", "all_netns"])]
    netns: Option<OsString>,
    /// Every network namespace that can be found, one after the other
    #[arg(long, overrides_with_all = ["netns", "all_netns"])]
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
