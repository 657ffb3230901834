//! What an operator knows of keys: so many at most, and the one that was heard of longest ago goes first.

use std::collections::BTreeMap;

use graph_model::value::Value;
use rustc_hash::FxHashMap;

/// Knowledge of keys, bounded.
pub(super) struct Keyed<V> {
    capacity: usize,
    held: FxHashMap<Value, Entry<V>>,
    /// Keys by when they were heard of last.
    order: BTreeMap<u64, Value>,
    number: u64,
}

struct Entry<V> {
    number: u64,
    value: V,
}

impl<V> Keyed<V> {
    pub(super) fn new(capacity: usize) -> Keyed<V> {
        Keyed {
            capacity: capacity.max(1),
            held: FxHashMap::default(),
            order: BTreeMap::new(),
            number: 0,
        }
    }

    pub(super) fn get(&self, key: &Value) -> Option<&V> {
        self.held.get(key).map(|entry| &entry.value)
    }

    pub(super) fn get_mut(&mut self, key: &Value) -> Option<&mut V> {
        self.held.get_mut(key).map(|entry| &mut entry.value)
    }

    /// What is known of the key, which is news of it; answers what had to go for it.
    pub(super) fn touch(
        &mut self,
        key: &Value,
        begin: impl FnOnce() -> V,
    ) -> (&mut V, Option<(Value, V)>) {
        let mut gone = None;
        if let Some(entry) = self.held.get(key) {
            self.order.remove(&entry.number);
        } else if self.held.len() >= self.capacity
            && let Some((_, oldest)) = self.order.pop_first()
        {
            gone = self.held.remove(&oldest).map(|entry| (oldest, entry.value));
        }
        self.number += 1;
        let number = self.number;
        self.order.insert(number, key.clone());
        let entry = self.held.entry(key.clone()).or_insert_with(|| Entry {
            number,
            value: begin(),
        });
        entry.number = number;
        (&mut entry.value, gone)
    }
}

#[cfg(test)]
mod tests {
    use graph_model::value;

    use super::*;

    #[test]
    fn the_key_that_was_heard_of_longest_ago_goes() {
        let mut keyed = Keyed::new(2);
        for (key, gone) in [
            ("a", None),
            ("b", None),
            ("a", None),
            ("c", Some((value!("b"), 1))),
            ("b", Some((value!("a"), 2))),
        ] {
            let (count, went) = keyed.touch(&value!(key), || 0);
            *count += 1;
            assert_eq!(went, gone, "{key}");
        }
        assert_eq!(keyed.get(&value!("c")), Some(&1));
        assert_eq!(keyed.get(&value!("a")), None);
    }
}
