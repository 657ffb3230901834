//! The flow's own dead letters: given-up events that no wire leads away.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use graph_model::event::{Event, extension};

/// Dead letters that are kept at hand; all of them are in the file.
const AT_HAND_MAX: usize = 1_000;

/// Keeps given-up events in a file, and the latest at hand.
pub(crate) struct DeadLetters {
    path: PathBuf,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    file: Option<File>,
    latest: VecDeque<Event>,
}

impl DeadLetters {
    pub(crate) fn new(project: &Path) -> DeadLetters {
        DeadLetters {
            path: project.join(".weir").join("dead-letters.jsonl"),
            held: Mutex::default(),
        }
    }

    /// Keeps the event; an error says why it is only kept in memory.
    pub(crate) fn keep(&self, event: Event) -> Result<(), String> {
        let line = event.to_cloudevent().to_json() + "\n";
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.latest.len() >= AT_HAND_MAX {
            held.latest.pop_front();
        }
        held.latest.push_back(event);
        let file = match &mut held.file {
            Some(file) => Ok(file),
            none => open(&self.path).map(|file| none.insert(file)),
        };
        let written = file.and_then(|file| file.write_all(line.as_bytes()));
        written.map_err(|error| {
            let path = self.path.display();
            format!("a given-up event could not be written to {path} ({error}) and is kept in memory only; make room and watch the dead letters")
        })
    }

    /// The latest dead letters, newest last.
    pub(crate) fn latest(&self, limit: usize) -> Vec<Event> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let skip = held.latest.len().saturating_sub(limit);
        held.latest.iter().skip(skip).cloned().collect()
    }
}

/// The event with the reason why it was given up.
pub(crate) fn with_cause(event: &Event, at: &str, message: &str, attempts: u32) -> Event {
    let mut context = (*event.context).clone();
    let mut set = |name: &str, value: String| {
        context.extensions.insert(name.into(), value.into());
    };
    set(extension::FAILURE, message.to_owned());
    set(extension::FAILED_AT, at.to_owned());
    set(extension::ATTEMPTS, attempts.to_string());
    Event {
        context: context.into(),
        data: event.data.clone(),
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    OpenOptions::new().create(true).append(true).open(path)
}
