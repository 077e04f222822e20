//! Finding pods by keys that the pods themselves hold.

use std::hash::{BuildHasher, Hash};

use hashbrown::{DefaultHashBuilder, HashTable};

/// The place of a pod in the state's slab.
pub(crate) type Slot = u32;

/// Finds slots by the hash of a key, without a second copy of the key: 8 bytes an entry, which
/// matters for the IDs of 300,000 containers. The caller compares keys.
#[derive(Debug, Default)]
pub(crate) struct Index {
    entries: HashTable<Entry>,
    hasher: DefaultHashBuilder,
}

/// Half of the key's hash is kept, for when the table grows: the key is out of reach then.
#[derive(Clone, Copy, Debug)]
struct Entry {
    half_hash: u32,
    slot: Slot,
}

impl Index {
    /// Makes a slot findable by a key. A slot may have many keys and a key many slots.
    pub(crate) fn insert<K: Hash + ?Sized>(&mut self, key: &K, slot: Slot) {
        let entry = Entry { half_hash: self.half_hash(key), slot };
        self.entries.insert_unique(spread(entry.half_hash), entry, |e| spread(e.half_hash));
    }

    /// Takes back one such insertion.
    pub(crate) fn remove<K: Hash + ?Sized>(&mut self, key: &K, slot: Slot) {
        let half_hash = self.half_hash(key);
        let found = self.entries.find_entry(spread(half_hash), |entry| {
            entry.half_hash == half_hash && entry.slot == slot
        });
        if let Ok(entry) = found {
            entry.remove();
        }
    }

    /// The slots that were inserted under this key, and perhaps others whose hash is the same.
    pub(crate) fn candidates<K: Hash + ?Sized>(&self, key: &K) -> impl Iterator<Item = Slot> {
        let half_hash = self.half_hash(key);
        self.entries
            .iter_hash(spread(half_hash))
            .filter(move |entry| entry.half_hash == half_hash)
            .map(|entry| entry.slot)
    }

    #[expect(clippy::cast_possible_truncation, reason = "half of it is wanted")]
    fn half_hash<K: Hash + ?Sized>(&self, key: &K) -> u32 {
        self.hasher.hash_one(key) as u32
    }
}

/// The table uses the low bits for the place and the highest for a tag: both get some.
fn spread(half_hash: u32) -> u64 {
    u64::from(half_hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_found_by_any_of_their_keys_until_removed() {
        let mut index = Index::default();
        for slot in 0..5000 {
            index.insert(&format!("key {slot}"), slot);
            index.insert("shared", slot);
        }
        for slot in 0..5000 {
            assert!(index.candidates(&format!("key {slot}")).any(|found| found == slot));
            index.remove("shared", slot);
        }
        assert_eq!(index.candidates("shared").count(), 0);
    }
}
