//! Rows that somebody looks at: the newest events, or the newest event of each key.

use std::collections::BTreeMap;
use std::sync::Mutex;

use graph_model::event::Event;
use graph_model::value::Value;
use rustc_hash::FxHashMap;

use crate::shared::lock;

/// A bounded list of events, newest last. At the bound the oldest go first.
pub struct Rows {
    held: Mutex<Held>,
}

struct Held {
    keep: usize,
    /// By the order of their coming.
    events: BTreeMap<u64, (Option<Value>, Event)>,
    by_key: FxHashMap<Value, u64>,
    next: u64,
}

impl Rows {
    /// Rows that hold at most `keep` events.
    pub(crate) fn new(keep: usize) -> Rows {
        Rows {
            held: Mutex::new(Held {
                keep,
                events: BTreeMap::new(),
                by_key: FxHashMap::default(),
                next: 0,
            }),
        }
    }

    /// The newest `limit` rows, newest last.
    pub fn rows(&self, limit: usize) -> Vec<Event> {
        let held = lock(&self.held);
        let skipped = held.events.len().saturating_sub(limit);
        let newest = held.events.values().skip(skipped);
        newest.map(|(_, event)| event.clone()).collect()
    }

    /// Adds events; those with the key of an older row take its place as the newest.
    pub(crate) fn add(&self, events: impl IntoIterator<Item = (Option<Value>, Event)>) {
        let mut held = lock(&self.held);
        for (key, event) in events {
            let number = held.next;
            held.next += 1;
            if let Some(key) = &key
                && let Some(older) = held.by_key.insert(key.clone(), number)
            {
                held.events.remove(&older);
            }
            held.events.insert(number, (key, event));
            held.trim();
        }
    }

    /// Changes the bound.
    pub(crate) fn keep(&self, keep: usize) {
        let mut held = lock(&self.held);
        held.keep = keep;
        held.trim();
    }
}

impl Held {
    fn trim(&mut self) {
        while self.events.len() > self.keep {
            if let Some((_, (Some(key), _))) = self.events.pop_first() {
                self.by_key.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use graph_model::event::EventContext;
    use graph_model::value;

    use super::*;

    #[test]
    fn the_newest_of_each_key_is_kept_and_the_oldest_go_first() {
        let rows = Rows::new(2);
        let event = |n: i64| Event {
            context: EventContext::default().into(),
            data: Value::from(n),
        };
        let shown = |limit| -> Vec<_> {
            let rows = rows.rows(limit);
            rows.iter()
                .filter_map(|event| event.data.as_i64())
                .collect()
        };
        let keyed = |key: Value, n| (Some(key), event(n));
        rows.add([
            keyed(value!("a"), 1),
            keyed(value!("b"), 2),
            keyed(value!("a"), 3),
        ]);
        assert_eq!(shown(9), [2, 3]);
        rows.add([keyed(value!("c"), 4), (None, event(5)), (None, event(6))]);
        assert_eq!(shown(9), [5, 6]);
        assert_eq!(shown(1), [6]);
        rows.add([keyed(value!("a"), 7)]);
        rows.keep(1);
        assert_eq!(shown(9), [7]);
        let held = lock(&rows.held);
        assert_eq!(
            (held.events.len(), held.by_key.len()),
            (1, 1),
            "nothing is left behind"
        );
    }
}
