//! Names of network interfaces, as rtnetlink tells them: whatever their bytes, and of the
//! namespace whose sockets are listed, wherever /sys belongs to.

use sockeye_netlink::{Client, Error, Protocol, Receive, Request, Socket};

use sockeye_netns::Place;

use crate::cache::Cache;

/// linux/rtnetlink.h
const RTM_GETLINK: u16 = 18;
/// linux/if_link.h
const IFLA_IFNAME: u16 = 3;
/// Length of struct ifinfomsg (linux/rtnetlink.h), bytes.
const IFINFOMSG_LEN: usize = 16;

/// Names by index. The connection is opened when the first is asked for, in the namespace whose names
/// they are.
#[derive(Debug)]
pub(crate) struct Interfaces<R: Receive = Socket> {
    names: Cache<u32, Name>,
    kernel: Kernel<R>,
    place: Place,
}

/// What an interface is called.
#[derive(Debug)]
enum Name {
    Found(Vec<u8>),
    /// `ifN`, as it is gone.
    Unknown(Vec<u8>),
}

/// The connection.
#[derive(Debug)]
enum Kernel<R: Receive> {
    NotAskedYet,
    /// Boxed, as most runs name no interface.
    Open(Box<Client<R>>),
    /// It cannot be opened: no name is known.
    Closed,
}

impl Default for Interfaces {
    fn default() -> Self {
        Interfaces::of(Place::here())
    }
}

impl Interfaces {
    /// The interfaces of a namespace.
    pub(crate) fn of(place: Place) -> Interfaces {
        Interfaces { names: Cache::default(), kernel: Kernel::NotAskedYet, place }
    }

    /// The name of the interface with this index, `ifN` where there is none.
    pub(crate) fn name(&mut self, index: u32) -> &[u8] {
        self.open();
        self.known_name(index)
    }

    /// The name of the interface with this index, `None` where there is none.
    pub(crate) fn found(&mut self, index: u32) -> Option<&[u8]> {
        self.open();
        match self.known(index) {
            Name::Found(name) => Some(name),
            Name::Unknown(_) => None,
        }
    }

    fn open(&mut self) {
        if matches!(self.kernel, Kernel::NotAskedYet) {
            let client = self.place.run(|| Client::open(Protocol::ROUTE));
            self.kernel = match client {
                Ok(Ok(client)) => Kernel::Open(Box::new(client)),
                Ok(Err(_)) | Err(_) => Kernel::Closed,
            };
        }
    }
}

impl<R: Receive> Interfaces<R> {
    fn known_name(&mut self, index: u32) -> &[u8] {
        let (Name::Found(name) | Name::Unknown(name)) = self.known(index);
        name
    }

    fn known(&mut self, index: u32) -> &Name {
        let Interfaces { names, kernel, .. } = self;
        names.get(index, || {
            let name = match kernel {
                Kernel::Open(client) => ask(client, index),
                Kernel::NotAskedYet | Kernel::Closed => None,
            };
            let unknown = || Name::Unknown(format!("if{index}").into_bytes());
            name.map_or_else(unknown, Name::Found)
        })
    }
}

/// The bytes of a name; `None` for an interface that is not there, and where the kernel does not
/// answer.
fn ask<R: Receive>(client: &mut Client<R>, index: u32) -> Option<Vec<u8>> {
    // struct ifinfomsg: the index stands at offset 4, and all else is 0 in a request.
    let mut ifinfomsg = [0; IFINFOMSG_LEN];
    ifinfomsg[4..8].copy_from_slice(&index.to_ne_bytes());
    let request = Request::new(RTM_GETLINK).body(&ifinfomsg);
    let mut name = None;
    let mut get = || {
        client.get(&request, |link| {
            let mut attributes = link.attributes_after(IFINFOMSG_LEN);
            while attributes.next() {
                if attributes.kind() == IFLA_IFNAME {
                    name = Some(attributes.str().to_vec());
                }
            }
        })
    };
    let answer = match get() {
        // Lost on the way, which says nothing about the interface.
        Err(Error::Overrun) => get(),
        answer => answer,
    };
    answer.ok()?;
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use sockeye_netlink::scripted::{Reply, Scripted, error};

    const ENODEV: i32 = 19;
    const ENOBUFS: i32 = 105;

    /// Interfaces of a kernel that answers these requests.
    fn scripted(replies: impl IntoIterator<Item = Reply>) -> Interfaces<Scripted> {
        let script = replies.into_iter().fold(Scripted::new(), Scripted::reply);
        let kernel = Kernel::Open(Box::new(Client::new(script)));
        Interfaces { names: Cache::default(), kernel, place: Place::here() }
    }

    fn link(name: &[u8]) -> Reply {
        // RTM_NEWLINK, with another attribute before the name.
        let link = Request::new(16).body(&[0u8; IFINFOMSG_LEN]).attr_u32(13, 1000);
        Reply::new().datagram([link.attr_str(IFLA_IFNAME, name), error(0)])
    }

    #[test]
    fn a_name_need_not_be_utf_8_and_is_asked_for_once() {
        let mut interfaces = scripted([link(b"caf\xe9"), link(b"eth\x1b[2J")]);
        for _ in 0..2 {
            assert_eq!(interfaces.known_name(2), b"caf\xe9");
            assert_eq!(interfaces.known_name(3), b"eth\x1b[2J");
        }
    }

    #[test]
    fn an_answer_that_was_lost_is_asked_for_again() {
        let lost = Reply::new().errno(ENOBUFS);
        let mut interfaces = scripted([lost.clone(), link(b"eth0"), lost.clone(), lost]);
        assert_eq!(interfaces.known_name(2), b"eth0");
        assert_eq!(interfaces.known_name(3), b"if3");
    }

    #[test]
    fn an_interface_without_a_name_keeps_its_number() {
        // Refused, not answered at all, and answered without a name.
        let nameless = Request::new(16).body(&[0u8; IFINFOMSG_LEN]);
        let mut interfaces = scripted([
            Reply::new().datagram([error(ENODEV)]),
            Reply::new(),
            Reply::new().datagram([nameless, error(0)]),
            link(b"eth0"),
        ]);
        assert_eq!(interfaces.known_name(7), b"if7");
        assert_eq!(interfaces.known_name(8), b"if8");
        assert_eq!(interfaces.known_name(9), b"if9");
        assert_eq!(interfaces.known_name(10), b"eth0");
        let mut unreachable: Interfaces =
            Interfaces { names: Cache::default(), kernel: Kernel::Closed, place: Place::here() };
        assert_eq!(unreachable.name(1), b"if1");
    }

    #[test]
    fn this_kernel_tells_names() {
        let mut interfaces = Interfaces::default();
        assert_eq!(interfaces.name(1), b"lo");
        assert_eq!(interfaces.name(2_000_000_000), b"if2000000000");
        assert_eq!(interfaces.found(1), Some(&b"lo"[..]));
        assert_eq!(interfaces.found(2_000_000_000), None);
    }
}
