//! Channels: kinds that hold events between their producers and consumers.

mod log;
mod queue;
mod topic;

use graph_model::catalog::KindSpec;

/// The kinds of this room; a new one is a file and a line here.
pub(crate) fn specs() -> Vec<KindSpec> {
    vec![log::spec(), queue::spec(), topic::spec()]
}

/// Which semantics a channel has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelKind {
    Queue,
    Topic,
    Log,
}
