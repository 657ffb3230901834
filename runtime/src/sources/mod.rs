//! Sources: kinds that bring events in.

mod file_watch;
mod generator;
mod http;
mod manual;
mod replay;
mod schedule;

use crate::kind::Kind;

/// The kinds of this room; a new one is a file and a line here.
pub(crate) fn kinds() -> Vec<Kind> {
    vec![
        file_watch::kind(),
        generator::kind(),
        http::kind(),
        manual::kind(),
        replay::kind(),
        schedule::kind(),
    ]
}
