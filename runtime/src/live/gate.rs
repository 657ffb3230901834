//! The gate in front of every event: open, paused, or held while the flow is rebuilt.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use graph_model::id::NodeId;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::listen;

/// Whether nodes may handle events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Open,
    /// One event for each step that was asked for.
    Paused,
    /// None at all: the flow is being rebuilt.
    Held,
}

#[derive(Default)]
pub(crate) struct Gate {
    mode: AtomicU8,
    steps: Mutex<Steps>,
    changed: Notify,
}

/// Steps that were asked for and not taken yet.
#[derive(Default)]
struct Steps {
    anywhere: u32,
    at: BTreeMap<NodeId, u32>,
}

impl Gate {
    pub(crate) fn mode(&self) -> Mode {
        match self.mode.load(Ordering::Acquire) {
            0 => Mode::Open,
            1 => Mode::Paused,
            _ => Mode::Held,
        }
    }

    pub(crate) fn set(&self, mode: Mode) {
        if mode == Mode::Open {
            *self.steps() = Steps::default();
        }
        let number = match mode {
            Mode::Open => 0,
            Mode::Paused => 1,
            Mode::Held => 2,
        };
        self.mode.store(number, Ordering::Release);
        self.changed.notify_waiters();
    }

    /// Lets one event through while paused: at this node, or wherever one is next.
    pub(crate) fn step(&self, node: Option<&NodeId>) {
        let mut steps = self.steps();
        match node {
            Some(node) => *steps.at.entry(node.clone()).or_default() += 1,
            None => steps.anywhere += 1,
        }
        drop(steps);
        self.changed.notify_waiters();
    }

    /// Takes one of the steps asked for, if there is one for this node.
    pub(crate) fn take_step(&self, node: &NodeId) -> bool {
        let mut steps = self.steps();
        if let Some(count) = steps.at.get_mut(node) {
            *count -= 1;
            if *count == 0 {
                steps.at.remove(node);
            }
            return true;
        }
        let any = steps.anywhere > 0;
        steps.anywhere -= u32::from(any);
        any
    }

    /// Resolves at the next change after this call.
    pub(crate) fn changed(&self) -> Pin<Box<Notified<'_>>> {
        listen(&self.changed)
    }

    fn steps(&self) -> MutexGuard<'_, Steps> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_for_one_node_or_for_whichever_is_next() {
        let gate = Gate::default();
        gate.set(Mode::Paused);
        assert!(!gate.take_step(&"a".into()));
        gate.step(Some(&"a".into()));
        gate.step(None);
        assert!(gate.take_step(&"b".into()), "the one for anybody");
        assert!(!gate.take_step(&"b".into()));
        assert!(gate.take_step(&"a".into()));
        gate.step(None);
        gate.set(Mode::Open);
        gate.set(Mode::Paused);
        assert!(!gate.take_step(&"a".into()), "resuming forgets steps");
    }
}
