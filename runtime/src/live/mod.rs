//! The live driver: runs a plan in real time on tokio.
//!
//! A [line](line::Line) handles an event from its head to its last operator in one call, under one
//! lock, in the task of whoever brought the event: a request's, an inbox's, a subscription's. What
//! leaves a line waits in bounded [inboxes](inbox::Inbox) and [channels](channel::Channel); a full
//! one stops the line, and so, step by step, the source. Whatever a task holds stands in shared
//! state whenever it waits, so that a [flow](flow::Flow) can be rebuilt at any time: the gate is
//! closed, everything under way is taken out and put where it belongs in the new flow.

mod channel;
mod dead;
mod env;
mod feed;
pub(crate) mod flow;
mod gate;
mod inbox;
mod line;
mod meters;
mod reply;
mod sink;
mod taps;
mod wire;
mod workers;

use std::pin::Pin;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

pub(crate) use dead::{DeadLetters, with_cause};
pub(crate) use env::{Env, Troubles};
pub(crate) use gate::{Gate, Mode};
pub(crate) use line::partition;
pub(crate) use meters::Meters;
pub(crate) use taps::Taps;
pub(crate) use wire::Item;

/// Resolves at the next notice after this call, so that nothing is missed between looking at what
/// the notice is about and waiting for it.
fn listen(notify: &Notify) -> Pin<Box<Notified<'_>>> {
    let mut notified = Box::pin(notify.notified());
    notified.as_mut().enable();
    notified
}
