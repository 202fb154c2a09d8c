//! Which sockets a dump has shown already.
//!
//! A dump is resumed bucket by bucket at a count, so while sockets open and close beside it the
//! kernel repeats some (net/ipv4/udp_diag.c, inet_diag.c). The cookie tells.
//!
//! Cookies are handed out in runs by CPU (`gen_cookie_next`), so the set is a hash table of pages, a
//! bit for each of 64 cookies: some 50 KiB for 200 000 sockets that were opened one after the other,
//! which stays in the cache, and at most 4 MiB when no two share a page.

use sockeye_model::Cookie;

/// 64 consecutive cookies. Empty where no bit is set.
#[derive(Debug, Clone, Copy, Default)]
struct Page {
    /// The cookies' common upper bits.
    number: u64,
    bits: u64,
}

/// A set of cookies.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// A power of two of slots, at most 7/8 of them in use.
    slots: Vec<Page>,
    used: usize,
}

impl Seen {
    pub(crate) fn clear(&mut self) {
        self.slots.fill(Page::default());
        self.used = 0;
    }

    /// Adds a cookie; false if it was there. Cookie 0 means "none given" and is always new.
    #[inline]
    pub(crate) fn insert(&mut self, Cookie(cookie): Cookie) -> bool {
        if cookie == 0 {
            return true;
        }
        if (self.used + 1) * 8 > self.slots.len() * 7 {
            self.grow();
        }
        let Some(page) = find(&mut self.slots, cookie >> 6) else { return true };
        self.used += usize::from(page.bits == 0);
        let (before, bit) = (page.bits, 1 << (cookie & 63));
        page.bits |= bit;
        before & bit == 0
    }

    fn grow(&mut self) {
        let mut larger = vec![Page::default(); (self.slots.len() * 2).max(256)];
        for page in self.slots.iter().filter(|page| page.bits != 0) {
            if let Some(place) = find(&mut larger, page.number) {
                *place = *page;
            }
        }
        self.slots = larger;
    }
}

/// The page with this number, or the empty one where it belongs. `None` only of a table without
/// slots, since one of them is always empty.
#[inline]
fn find(slots: &mut [Page], number: u64) -> Option<&mut Page> {
    let mask = slots.len().wrapping_sub(1);
    // Fibonacci hashing: pages are consecutive, too.
    let mut at = (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & mask;
    while slots.get(at).is_some_and(|page| page.bits != 0 && page.number != number) {
        at = (at + 1) & mask;
    }
    let page = slots.get_mut(at)?;
    page.number = number;
    Some(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    proptest! {
        #[test]
        fn agrees_with_a_hash_set(
            cookies in prop::collection::vec((0u64..2000, 0u32..60), 0..3000),
        ) {
            let (mut ours, mut theirs) = (Seen::default(), HashSet::new());
            for (cookie, shift) in cookies {
                let cookie = cookie << (shift / 10 * 10);
                prop_assert_eq!(ours.insert(Cookie(cookie)), cookie == 0 || theirs.insert(cookie));
            }
            ours.clear();
            prop_assert!(ours.insert(Cookie(1)));
        }
    }

    #[test]
    fn holds_many_in_the_memory_promised() {
        // Opened one after the other; far apart; and around the largest cookie.
        for (apart, most) in [(1, 64 << 10), (64, 4 << 20), (1 << 40, 4 << 20)] {
            let mut seen = Seen::default();
            let cookie = |index: u64| Cookie(u64::MAX - index.wrapping_mul(apart));
            assert!((0..200_000).all(|index| seen.insert(cookie(index))), "{apart} apart");
            assert!((0..200_000).all(|index| !seen.insert(cookie(index))), "{apart} apart");
            let bytes = seen.slots.len() * size_of::<Page>();
            assert!(bytes <= most, "{apart} apart: {bytes} bytes");
        }
    }
}
