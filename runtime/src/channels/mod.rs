//! Channels: kinds that hold events between their producers and consumers.

mod log;
mod queue;
mod topic;

use crate::kind::Kind;

/// The kinds of this room; a new one is a file and a line here.
pub(crate) fn kinds() -> Vec<Kind> {
    vec![log::kind(), queue::kind(), topic::kind()]
}

/// Which semantics a channel has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelKind {
    Queue,
    Topic,
    Log,
}
