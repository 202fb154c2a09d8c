//! Plain records of what a Linux network stack is doing.
//!
//! Sources (`sockeye-diag` and its neighbours) fill these records, sinks (`sockeye-ss`, JSON,
//! recordings …) show them; neither knows the other. Nothing here opens a file or a socket.
//!
//! What a record has is told by one table ([`field`]): name, meaning, unit, source and since when of
//! each field. JSON, its schema and the documentation are made from it.
//!
//! Three rules hold for every record:
//!
//! - **Absent is absent.** What a kernel did not tell is `None`, never 0: an old kernel's short
//!   struct and a counter that stands at zero are different things.
//! - **The kernel's word stands.** Values keep the kernel's units and numbering; names that this
//!   version does not know are kept as numbers, not dropped.
//! - **No secret is in a record.** A key is represented by its length alone.

pub mod congestion;
pub mod field;
pub mod kill;
pub mod memory;
pub mod name;
pub mod owner;
pub mod socket;
pub mod state;
mod table;
pub mod tcp_info;
pub mod ulp;

pub use congestion::{BbrInfo, CongestionInfo, DctcpInfo, VegasInfo};
pub use field::{Field, Kind, Record, Section, Table};
pub use kill::{Kill, KillAnswer};
pub use memory::{MemInfo, SkMemInfo};
pub use name::Name;
pub use owner::{Context, Owner};
pub use socket::{
    CgroupId, Cookie, Endpoint, Family, Md5Signature, Protocol, Shutdown, SockOpt, Socket, Source,
    Timer, TimerKind,
};
pub use state::{State, States};
pub use tcp_info::{EcnLayout, TcpInfo};
pub use ulp::{MptcpSubflow, TlsCipher, TlsConf, TlsInfo, TlsVersion, Ulp};
