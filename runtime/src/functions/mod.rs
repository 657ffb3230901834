//! Functions: code of users, run in a sandbox.

mod costs;
mod fields;
mod function;
pub mod host;
mod loaded;
mod logs;
mod memory;
mod network;
mod node;
mod requests;
mod script;
mod secrets;
mod shapes;
mod sketch;
mod states;
#[cfg(test)]
pub(crate) mod testing;
mod trial;
mod typescript;
mod watch;

use crate::kind::Kind;

pub(crate) use costs::Costs;
pub(crate) use loaded::Functions;
pub(crate) use logs::Logs;
pub(crate) use network::Network;
pub(crate) use sketch::{Act, Seen, cache_key, kinds as sketched_kinds, unwritten};
pub(crate) use states::States;
pub(crate) use trial::Trial;

/// The kinds of this room; a new one is a file and a line here.
pub(crate) fn kinds() -> Vec<Kind> {
    vec![function::kind(), script::kind()]
}
