//! Sources: kinds that bring events in.

mod file_watch;
mod generator;
mod http;
mod manual;
mod replay;
mod schedule;

use graph_model::catalog::KindSpec;

/// The kinds of this room; a new one is a file and a line here.
pub(crate) fn specs() -> Vec<KindSpec> {
    vec![
        file_watch::spec(),
        generator::spec(),
        http::spec(),
        manual::spec(),
        replay::spec(),
        schedule::spec(),
    ]
}
