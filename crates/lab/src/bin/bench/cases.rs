//! What is measured, and what it may cost: the lines of the table.

/// The sockets that a line is measured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scene {
    /// All of `--sockets`, established.
    Crowd,
    /// Half of them, and six listeners, which alone are asked for.
    Listeners,
}

/// A line of times: flags of `sockeye ss` beside flags of `ss`, and beside the floor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// The flags of `sockeye ss`, and the line's name.
    pub(crate) flags: &'static str,
    /// The flags of `ss` that it is compared with.
    pub(crate) beside: &'static str,
    /// What the floor asks for (the argument of `floor`); `None` where there is no
    /// floor, since most of the work is not the dump.
    pub(crate) floor: Option<&'static str>,
    /// On which sockets.
    pub(crate) scene: Scene,
    /// `ss` takes minutes: `--slow-runs` instead of `--runs`, and no round to warm up.
    pub(crate) slow: bool,
    /// Most wall time, as a share of that of `ss`.
    pub(crate) wall: Option<f64>,
    /// Most CPU time, as a multiple of the floor's.
    pub(crate) cpu: Option<f64>,
}

/// A line that all fields but a few share.
const PLAIN: Case = Case {
    flags: "",
    beside: "",
    floor: None,
    scene: Scene::Crowd,
    slow: false,
    wall: None,
    cpu: None,
};

/// The lines of times. The last two have no limit: they are there to be seen.
pub(crate) const CASES: [Case; 8] = [
    Case {
        flags: "-Htn",
        beside: "-Htn",
        floor: Some(""),
        wall: Some(0.5),
        cpu: Some(1.3),
        ..PLAIN
    },
    Case {
        flags: "-Htni",
        beside: "-Htni",
        floor: Some("i"),
        wall: Some(0.25),
        cpu: Some(1.6),
        ..PLAIN
    },
    // `--json` tells everything that is known, whatever else is asked for.
    Case {
        flags: "--json -tn",
        beside: "-Htni",
        floor: Some("a"),
        wall: Some(0.5),
        cpu: Some(2.5),
        ..PLAIN
    },
    Case { flags: "-Htnp", beside: "-Htnp", slow: true, wall: Some(0.02), ..PLAIN },
    Case { flags: "-tlnp", beside: "-tlnp", scene: Scene::Listeners, wall: Some(0.05), ..PLAIN },
    // No socket of the crowd is bound to an interface. `ss` asks for all and tests them itself.
    Case { flags: "-Htn dev lo", beside: "-Htn dev lo", wall: Some(0.3), ..PLAIN },
    Case { flags: "-Htnm", beside: "-Htnm", floor: Some("m"), ..PLAIN },
    Case { flags: "-Htnimoe", beside: "-Htnimoe", floor: Some("im"), ..PLAIN },
];

/// A line of memory: flags of `sockeye ss`, on the crowd.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemoryCase {
    /// The flags.
    pub(crate) flags: &'static str,
    /// Most peak resident memory, bytes.
    pub(crate) resident: u64,
}

/// The lines of memory.
pub(crate) const MEMORY: [MemoryCase; 5] = [
    MemoryCase { flags: "-Htn", resident: WITHOUT_OWNERS },
    MemoryCase { flags: "-Htni", resident: WITHOUT_OWNERS },
    MemoryCase { flags: "--json -tn", resident: WITHOUT_OWNERS },
    MemoryCase { flags: "-Htnp", resident: WITH_OWNERS },
    MemoryCase { flags: "--json -tnp", resident: WITH_OWNERS },
];

/// Most peak resident memory without `-p`, bytes: 12 MB.
const WITHOUT_OWNERS: u64 = 12_000_000;
/// With `-p`: 40 MB.
const WITH_OWNERS: u64 = 40_000_000;
