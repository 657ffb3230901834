//! What functions remember beyond a run: in a file of the project, or for as long as a simulation.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use graph_model::id::NodeId;
use rusqlite::{Connection, params};

use super::host::{StateChange, StateWrite};
use super::memory::{self, Memory, Remembered};
use crate::operator::Failure;
use crate::shared::lock;

/// The file, inside the project.
const FILE: &str = ".weir/state.sqlite";
/// Longest wait for another program that writes to the file.
const BUSY: Duration = Duration::from_secs(2);

/// The memories of all functions that keep theirs.
#[derive(Default)]
pub(crate) struct States {
    /// By node and instance.
    held: Mutex<BTreeMap<(NodeId, u32), Arc<Mutex<Memory>>>>,
    /// Without it, memories are as long-lived as this.
    file: Option<Mutex<File>>,
}

impl States {
    /// Memories that are kept in a project.
    pub(crate) fn in_project(project: &Path) -> States {
        States {
            held: Mutex::default(),
            file: Some(Mutex::new(File {
                path: project.join(FILE),
                open: None,
            })),
        }
    }

    /// Forgets what is not in a file.
    pub(crate) fn clear(&self) {
        lock(&self.held).clear();
    }

    /// The memory of an instance, with all that it has kept.
    pub(super) fn of(&self, node: &NodeId, instance: u32) -> Result<Arc<Mutex<Memory>>, Failure> {
        let mut held = lock(&self.held);
        let place = (node.clone(), instance);
        if let Some(memory) = held.get(&place) {
            return Ok(Arc::clone(memory));
        }
        let mut memory = Memory::default();
        if let Some(file) = &self.file {
            for (key, remembered) in lock(file).read(node, instance)? {
                memory.put(key, remembered);
            }
        }
        let memory = Arc::new(Mutex::new(memory));
        held.insert(place, Arc::clone(&memory));
        Ok(memory)
    }

    /// Writes what an instance will remember: all or nothing.
    pub(super) fn write(
        &self,
        node: &NodeId,
        instance: u32,
        writes: &[StateWrite],
        now_ms: i64,
    ) -> Result<(), Failure> {
        match &self.file {
            Some(file) if !writes.is_empty() => lock(file).write(node, instance, writes, now_ms),
            _ => Ok(()),
        }
    }
}

struct File {
    path: PathBuf,
    open: Option<Connection>,
}

impl File {
    fn connection(&mut self) -> rusqlite::Result<&mut Connection> {
        if self.open.is_none() {
            if let Some(folder) = self.path.parent() {
                // What keeps the folder from being made keeps the file from being opened, too.
                let _ignored = std::fs::create_dir_all(folder);
            }
            let connection = Connection::open(&self.path)?;
            connection.busy_timeout(BUSY)?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            connection.execute(
                "CREATE TABLE IF NOT EXISTS function_state (
                    node TEXT NOT NULL, instance INTEGER NOT NULL, key TEXT NOT NULL,
                    value BLOB NOT NULL, ends_ms INTEGER, PRIMARY KEY (node, instance, key)
                ) WITHOUT ROWID",
                [],
            )?;
            self.open = Some(connection);
        }
        Ok(self.open.as_mut().expect("was just opened"))
    }

    fn read(&mut self, node: &NodeId, instance: u32) -> Result<Vec<(String, Remembered)>, Failure> {
        // Most functions remember nothing, and need no file.
        if self.open.is_none() && !self.path.exists() {
            return Ok(Vec::new());
        }
        let mut read = || {
            let connection = self.connection()?;
            let mut rows = connection.prepare(
                "SELECT key, value, ends_ms FROM function_state WHERE node = ?1 AND instance = ?2",
            )?;
            let rows = rows.query_map(params![node.as_str(), instance], |row| {
                let remembered = Remembered {
                    value: row.get(1)?,
                    ends_ms: row.get(2)?,
                };
                Ok((row.get(0)?, remembered))
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|error| self.failure(&error))
    }

    fn write(
        &mut self,
        node: &NodeId,
        instance: u32,
        writes: &[StateWrite],
        now_ms: i64,
    ) -> Result<(), Failure> {
        let mut write = || {
            let transaction = self.connection()?.transaction()?;
            for StateWrite { key, change } in writes {
                match change {
                    StateChange::Put { value, ttl_millis } => {
                        let ends_ms = ttl_millis.map(|ttl| memory::end(now_ms, ttl));
                        transaction.execute(
                            "INSERT OR REPLACE INTO function_state VALUES (?1, ?2, ?3, ?4, ?5)",
                            params![node.as_str(), instance, key, value, ends_ms],
                        )?;
                    }
                    StateChange::Delete => {
                        transaction.execute(
                            "DELETE FROM function_state
                             WHERE node = ?1 AND instance = ?2 AND key = ?3",
                            params![node.as_str(), instance, key],
                        )?;
                    }
                }
            }
            // What has ended is of no use to anybody.
            transaction.execute(
                "DELETE FROM function_state WHERE node = ?1 AND instance = ?2 AND ends_ms <= ?3",
                params![node.as_str(), instance, now_ms],
            )?;
            transaction.commit()
        };
        write().map_err(|error| self.failure(&error))
    }

    fn failure(&self, error: &rusqlite::Error) -> Failure {
        let path = self.path.display();
        Failure::transient(format!(
            "what the function remembers cannot be kept in {path}: {error}; free the file, or turn `keep_state` off"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &str, value: &str, ttl_millis: Option<u64>) -> StateWrite {
        StateWrite {
            key: key.into(),
            change: StateChange::Put {
                value: value.as_bytes().to_vec(),
                ttl_millis,
            },
        }
    }

    #[test]
    fn what_is_kept_is_there_for_the_next_engine() {
        let project = tempfile::tempdir().expect("a folder");
        let node = NodeId::from("n");
        let write = |states: &States, writes: &[StateWrite], now_ms| {
            states.write(&node, 0, writes, now_ms).expect("is kept");
        };
        let states = States::in_project(project.path());
        write(
            &states,
            &[
                put("a", "1", None),
                put("b", "2", Some(100)),
                put("c", "3", None),
            ],
            0,
        );
        let gone = StateWrite {
            key: "c".into(),
            change: StateChange::Delete,
        };
        write(&states, &[gone, put("d", "4", Some(100))], 200);

        let states = States::in_project(project.path());
        let memory = states.of(&node, 0).expect("is read");
        let mut memory = lock(&memory);
        let get = |memory: &Memory, key: &str| memory.get(key).map(<[u8]>::to_vec);
        assert_eq!(get(&memory, "a"), Some(b"1".to_vec()));
        assert_eq!((get(&memory, "b"), get(&memory, "c")), (None, None));
        assert_eq!(get(&memory, "d"), Some(b"4".to_vec()));
        memory.forget(300);
        assert_eq!(get(&memory, "d"), None);
        let other = states.of(&node, 1).expect("is read");
        assert_eq!(get(&lock(&other), "a"), None);
    }

    #[test]
    fn a_file_that_is_none_is_told() {
        let project = tempfile::tempdir().expect("a folder");
        std::fs::write(project.path().join(".weir"), "in the way").expect("a file");
        let states = States::in_project(project.path());
        let failure = states.write(&"n".into(), 0, &[put("a", "1", None)], 0);
        let message = failure.expect_err("cannot be opened").message;
        assert!(message.contains("turn `keep_state` off"), "{message}");
    }
}
