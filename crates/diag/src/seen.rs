//! Which sockets a dump has shown already.
//!
//! A dump is resumed bucket by bucket at a count, so while sockets open and close beside it the
//! kernel repeats some (net/ipv4/udp_diag.c, inet_diag.c). The cookie tells. The set is a flat
//! table of cookies, 8 bytes each and at most 7/8 full: 200 000 sockets take 2 MiB.

use sockeye_model::Cookie;

/// A set of cookies.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// A power of two of slots; 0 is an empty one.
    slots: Vec<u64>,
    len: usize,
}

impl Seen {
    pub(crate) fn clear(&mut self) {
        self.slots.fill(0);
        self.len = 0;
    }

    /// Adds a cookie; false if it was there. Cookie 0 means "none given" and is always new.
    pub(crate) fn insert(&mut self, Cookie(cookie): Cookie) -> bool {
        if cookie == 0 {
            return true;
        }
        if (self.len + 1) * 8 > self.slots.len() * 7 {
            self.grow();
        }
        let fresh = put(&mut self.slots, cookie);
        self.len += usize::from(fresh);
        fresh
    }

    fn grow(&mut self) {
        let mut larger = vec![0; (self.slots.len() * 2).max(256)];
        for cookie in self.slots.iter().filter(|slot| **slot != 0) {
            put(&mut larger, *cookie);
        }
        self.slots = larger;
    }
}

/// Puts a cookie into a table that has an empty slot; false if it was there.
fn put(slots: &mut [u64], cookie: u64) -> bool {
    let mask = slots.len().wrapping_sub(1);
    // Cookies are consecutive numbers in batches by CPU; Fibonacci hashing spreads them.
    let mut at = (cookie.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) as usize & mask;
    while let Some(slot) = slots.get_mut(at) {
        if *slot == cookie {
            return false;
        }
        if *slot == 0 {
            *slot = cookie;
            return true;
        }
        at = (at + 1) & mask;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    proptest! {
        #[test]
        fn agrees_with_a_hash_set(cookies in prop::collection::vec(0u64..2000, 0..3000)) {
            let (mut ours, mut theirs) = (Seen::default(), HashSet::new());
            for cookie in cookies {
                prop_assert_eq!(ours.insert(Cookie(cookie)), cookie == 0 || theirs.insert(cookie));
            }
            ours.clear();
            prop_assert!(ours.insert(Cookie(1)));
        }
    }

    #[test]
    fn holds_many_in_the_memory_promised() {
        let mut seen = Seen::default();
        for cookie in 1..=200_000 {
            assert!(seen.insert(Cookie(cookie)));
        }
        for cookie in 1..=200_000 {
            assert!(!seen.insert(Cookie(cookie)));
        }
        assert_eq!(seen.slots.len() * 8, 2 << 20);
    }
}
