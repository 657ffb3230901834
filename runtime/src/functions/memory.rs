//! What an instance of a function remembers between events, bounded.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;
use smol_str::format_smolstr;

use super::host::{StateChange, StateWrite};
use crate::operator::Failure;

/// Bytes of keys and values that an instance remembers at most.
const MEMORY_BYTES_MAX: usize = 64 << 20;

/// What an instance of a function remembers.
#[derive(Clone, Default)]
pub(super) struct Memory {
    entries: FxHashMap<String, Remembered>,
    /// Keys by the time at which they are forgotten.
    ends: BTreeSet<(i64, String)>,
    bytes: usize,
}

/// What stands under a key.
#[derive(Clone)]
pub(super) struct Remembered {
    pub(super) value: Vec<u8>,
    /// When it is forgotten.
    pub(super) ends_ms: Option<i64>,
}

impl Memory {
    /// Whether there is room for all changes.
    pub(super) fn check(&self, writes: &[StateWrite]) -> Result<(), Failure> {
        let mut bytes = self.bytes;
        for StateWrite { key, change } in writes {
            if let Some(held) = self.entries.get(key) {
                bytes -= key.len() + held.value.len();
            }
            if let StateChange::Put { value, .. } = change {
                bytes += key.len() + value.len();
            }
        }
        if bytes > MEMORY_BYTES_MAX && bytes > self.bytes {
            return Err(Failure::transient(format_smolstr!(
                "the function would remember {bytes} bytes, limit {MEMORY_BYTES_MAX}; let it forget what is old"
            )));
        }
        Ok(())
    }

    /// Takes the changes.
    pub(super) fn write(&mut self, writes: Vec<StateWrite>, now_ms: i64) {
        for StateWrite { key, change } in writes {
            self.remove(&key);
            if let StateChange::Put { value, ttl_millis } = change {
                let ends_ms = ttl_millis.map(|ttl| end(now_ms, ttl));
                self.put(key, Remembered { value, ends_ms });
            }
        }
    }

    /// Remembers something under a key that is free.
    pub(super) fn put(&mut self, key: String, remembered: Remembered) {
        if let Some(ends_ms) = remembered.ends_ms {
            self.ends.insert((ends_ms, key.clone()));
        }
        self.bytes += key.len() + remembered.value.len();
        self.entries.insert(key, remembered);
    }

    pub(super) fn get(&self, key: &str) -> Option<&[u8]> {
        self.entries.get(key).map(|held| held.value.as_slice())
    }

    /// Lets go of what was to be kept until now.
    pub(super) fn forget(&mut self, now_ms: i64) {
        while let Some((ends_ms, key)) = self.ends.first()
            && *ends_ms <= now_ms
        {
            let key = key.clone();
            self.remove(&key);
        }
    }

    fn remove(&mut self, key: &str) {
        if let Some(held) = self.entries.remove(key) {
            self.bytes -= key.len() + held.value.len();
            if let Some(ends_ms) = held.ends_ms {
                self.ends.remove(&(ends_ms, key.to_owned()));
            }
        }
    }
}

/// When something that is remembered for so long is forgotten.
pub(super) fn end(now_ms: i64, ttl_millis: u64) -> i64 {
    now_ms.saturating_add(i64::try_from(ttl_millis).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_forgets_in_time() {
        let put = |key: &str, bytes, ttl_millis| StateWrite {
            key: key.into(),
            change: StateChange::Put {
                value: vec![0; bytes],
                ttl_millis,
            },
        };
        let mut memory = Memory::default();
        let writes = vec![put("a", 9, Some(100)), put("b", 4, None)];
        memory.check(&writes).expect("there is room");
        memory.write(writes, 0);
        memory.write(vec![put("a", 1, Some(200))], 50);
        memory.forget(249);
        assert_eq!((memory.bytes, memory.entries.len()), (7, 2));
        memory.forget(250);
        assert_eq!((memory.bytes, memory.ends.len()), (5, 0));
        let large = [put("c", MEMORY_BYTES_MAX, None)];
        assert!(memory.check(&large).is_err());
    }
}
