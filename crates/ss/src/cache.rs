//! A memory of what was looked up, of bounded size.
//!
//! A host may have more peers than fit, and a recording more interfaces than any host: a memory
//! that is full is emptied. What is still asked for comes back at once, at the price of a look-up.

use std::collections::HashMap;
use std::hash::Hash;

/// How many entries are kept: as many as a table of 8192 slots takes. With the longest names that
/// DNS has, 255 bytes each, hosts take less than 3 MB.
const LIMIT: usize = 8192 / 8 * 7;

/// Values by key, at most 7168.
#[derive(Debug)]
pub(crate) struct Cache<K, V> {
    known: HashMap<K, V>,
}

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Cache { known: HashMap::new() }
    }
}

impl<K: Hash + Eq + Copy, V> Cache<K, V> {
    /// The value of `key`, by `look_up` where it is not known.
    pub(crate) fn get(&mut self, key: K, look_up: impl FnOnce() -> V) -> &V {
        if self.known.len() >= LIMIT && !self.known.contains_key(&key) {
            self.known.clear();
        }
        self.known.entry(key).or_insert_with(look_up)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_not_looked_up_again() {
        let mut cache = Cache::default();
        assert_eq!(*cache.get(1, || "one"), "one");
        assert_eq!(*cache.get(1, || unreachable!()), "one");
    }

    #[test]
    fn it_grows_to_its_limit_and_no_further() {
        let mut cache = Cache::default();
        for key in 0..LIMIT {
            assert_eq!(*cache.get(key, || key), key);
        }
        let full = cache.known.capacity();
        // As large as it may be, it still knows what it has.
        assert_eq!(*cache.get(0, || unreachable!()), 0);
        for key in 0..10 * LIMIT {
            assert_eq!(*cache.get(key, || key), key);
            assert!(cache.known.len() <= LIMIT);
        }
        assert_eq!(cache.known.capacity(), full);
    }
}
