//! IPv6 sockets of a walk over both families, held back until the IPv4 ones have been told.
//!
//! They are held as the kernel sent them, which takes less room than records and less time than to
//! decode them twice, and without the keys of MD5 signatures.

use std::ops::ControlFlow;

use sockeye_model::Family;
use sockeye_netlink::{Message, Messages, Visit};
use zerocopy::IntoBytes;

use crate::redact;

/// Hands the messages of a dump on, those of IPv6 sockets last.
pub(crate) struct Ipv6Last<'a, V> {
    visitor: &'a mut V,
    /// Messages, each padded to 4 bytes.
    held: Vec<u8>,
    /// The most that is held, bytes.
    limit: usize,
    /// There was more, and nothing is held any longer.
    overflown: bool,
}

impl<'a, V: Visit> Ipv6Last<'a, V> {
    pub(crate) fn new(visitor: &'a mut V, limit: usize) -> Self {
        Ipv6Last { visitor, held: Vec::new(), limit, overflown: false }
    }

    /// Something is held, or was.
    pub(crate) fn has_held(&self) -> bool {
        self.overflown || !self.held.is_empty()
    }

    /// Hands over what is held. False if that was too much, and has been dropped.
    pub(crate) fn hand_over(self) -> (bool, ControlFlow<()>) {
        let mut messages = Messages::new(&self.held).flatten();
        let handed = messages.try_for_each(|message| self.visitor.message(&message));
        (!self.overflown, handed)
    }

    fn hold(&mut self, message: &Message<'_>) {
        if self.overflown {
            return;
        }
        let start = self.held.len();
        if start + message.header().as_bytes().len() + message.payload().len() > self.limit {
            self.held = Vec::new();
            self.overflown = true;
            return;
        }
        self.held.extend_from_slice(message.header().as_bytes());
        self.held.extend_from_slice(message.payload());
        self.held.resize(self.held.len().next_multiple_of(4), 0);
        redact::md5_keys(self.held.get_mut(start..).unwrap_or_default());
    }
}

impl<V: Visit> Visit for Ipv6Last<'_, V> {
    fn message(&mut self, message: &Message<'_>) -> ControlFlow<()> {
        // `idiag_family`.
        if message.payload().first() == Some(&Family::Inet6.number()) {
            self.hold(message);
            return ControlFlow::Continue(());
        }
        self.visitor.message(message)
    }

    fn restart(&mut self) {
        self.held.clear();
        self.overflown = false;
        self.visitor.restart();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sockeye_netlink::Request;

    /// What is handed on: the second bytes of the messages.
    #[derive(Default)]
    struct Told(Vec<u8>);

    impl Visit for Told {
        fn message(&mut self, message: &Message<'_>) -> ControlFlow<()> {
            self.0.extend(message.payload().get(1));
            if message.payload().get(1) == Some(&99) {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        }

        fn restart(&mut self) {
            self.0.clear();
        }
    }

    /// A message of this family that is known by a number, 24 bytes long.
    fn visit(visitor: &mut impl Visit, family: u8, number: u8) {
        let bytes =
            Request::new(18).body(&[family, number, 0, 0, 0, 0, 0, 0]).to_bytes(1, 0).unwrap();
        let message = Messages::new(&bytes).next().unwrap().unwrap();
        assert!(visitor.message(&message).is_continue());
    }

    #[test]
    fn ipv6_comes_last_and_each_family_in_its_order() {
        let mut told = Told::default();
        let mut walk = Ipv6Last::new(&mut told, 1000);
        for (family, number) in [(10, 1), (2, 2), (10, 3), (10, 4), (2, 5), (7, 6)] {
            visit(&mut walk, family, number);
        }
        assert!(walk.has_held());
        assert_eq!(walk.hand_over(), (true, ControlFlow::Continue(())));
        assert_eq!(told.0, [2, 5, 6, 1, 3, 4]);
    }

    #[test]
    fn what_is_too_much_is_dropped_whole() {
        for (limit, whole, numbers) in [(48, true, vec![5, 1, 2]), (47, false, vec![5])] {
            let mut told = Told::default();
            let mut walk = Ipv6Last::new(&mut told, limit);
            for (family, number) in [(10, 1), (10, 2), (2, 5)] {
                visit(&mut walk, family, number);
            }
            assert!(walk.has_held());
            assert_eq!(walk.hand_over().0, whole, "{limit}");
            assert_eq!(told.0, numbers);
        }
    }

    #[test]
    fn a_restart_forgets_what_is_held() {
        let mut told = Told::default();
        let mut walk = Ipv6Last::new(&mut told, 30);
        for (family, number) in [(10, 1), (10, 2), (2, 3)] {
            visit(&mut walk, family, number);
        }
        walk.restart();
        assert!(!walk.has_held());
        visit(&mut walk, 10, 4);
        assert!(walk.hand_over().0);
        assert_eq!(told.0, [4]);
    }

    #[test]
    fn who_has_enough_gets_no_more() {
        let mut told = Told::default();
        let mut walk = Ipv6Last::new(&mut told, 1000);
        for number in [1, 99, 2] {
            visit(&mut walk, 10, number);
        }
        assert_eq!(walk.hand_over(), (true, ControlFlow::Break(())));
        assert_eq!(told.0, [1, 99]);
    }
}
