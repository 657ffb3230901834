//! Sources: kinds that bring events in.

mod file_watch;
mod generator;
mod http;
mod manual;
mod pace;
mod records;
mod replay;
mod schedule;
mod stamp;
mod table_changes;
#[cfg(test)]
mod testing;

use std::future::Future;

use crate::kind::Kind;
use crate::rim::Feed;

pub(crate) use file_watch::{Files, FilesRead};
pub(crate) use generator::{Generator, generator};
pub(crate) use http::Listener;
pub(crate) use records::{Record, changed_ms};
pub(crate) use replay::records as replay_records;
pub(crate) use schedule::{Schedule, schedule};
pub(crate) use stamp::Stamp;
pub(crate) use table_changes::Turn;

/// Events that a source hands in at once, at most.
const BATCH_MAX: usize = 256;

/// The kinds of this room; a new one is a file and a line here.
pub(crate) fn kinds() -> Vec<Kind> {
    vec![
        file_watch::kind(),
        generator::kind(),
        http::kind(),
        manual::kind(),
        replay::kind(),
        schedule::kind(),
        table_changes::kind(),
    ]
}

/// Waits for `work`; nothing when the source is told to stop before it is done.
async fn unless_stopped<T>(feed: &Feed, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = feed.line.stopped() => None,
        done = work => Some(done),
    }
}
