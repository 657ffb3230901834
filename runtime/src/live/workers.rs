//! Tasks that move events into lines: from inboxes and from channels.

use std::sync::Arc;
use std::time::Duration;

use graph_model::id::{EdgeId, NodeId};
use tokio::sync::Mutex;

use super::channel::Channel;
use super::env::Env;
use super::gate::Mode;
use super::inbox::Inbox;
use super::line::Line;
use super::listen;
use super::wire::Exits;

/// Events that are moved at once, at most.
const BATCH: usize = 256;

/// Moves events from an inbox into the line that it belongs to.
pub(crate) async fn work_inbox(line: Arc<Line>, inbox: Arc<Inbox>, node: NodeId) {
    loop {
        let changed = line.env.gate.changed();
        let arrived = listen(&inbox.arrived);
        let state = line.lock().await;
        if state.retired {
            return;
        }
        let Some(mut state) = line.work_off(state).await else {
            return;
        };
        let max = match line.env.gate.mode() {
            Mode::Open => BATCH,
            Mode::Held => 0,
            Mode::Paused if inbox.is_empty() => 0,
            Mode::Paused => usize::from(line.env.gate.take_step(&node)),
        };
        let items = inbox.take(max);
        if items.is_empty() {
            drop(state);
            tokio::select! {
                () = arrived => {}
                () = changed => {}
            }
            continue;
        }
        state.ops[0].pending.extend(items);
        if line.env.gate.mode() == Mode::Paused {
            // The step that let the event in is the one that lets it through.
            line.env.gate.step(Some(&node));
        }
        if line.work_off(state).await.is_none() {
            return;
        }
    }
}

/// Shortest pause between two looks at who is idle.
const LOOK_MIN: Duration = Duration::from_millis(1);

/// Tells the operators of a line when no event has come for as long as they wait.
pub(crate) async fn watch_idle(line: Arc<Line>) {
    loop {
        let changed = line.env.gate.changed();
        let state = line.lock().await;
        if state.retired {
            return;
        }
        let Some(mut state) = line.work_off(state).await else {
            return;
        };
        if line.env.gate.mode() != Mode::Open {
            drop(state);
            changed.await;
            line.lock().await.wait_anew(&line.env);
            continue;
        }
        let Some(pause) = state.tell_idle(&line.env) else {
            return;
        };
        if line.work_off(state).await.is_none() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(pause.max(LOOK_MIN)) => {}
            () = changed => {}
        }
    }
}

/// What a consumer of a channel needs to know.
pub(crate) struct Subscription {
    pub channel: Arc<Channel>,
    pub edge: EdgeId,
    /// The partition of a log; which of the competing consumers of a queue.
    pub slot: u32,
    pub line: Arc<Line>,
    /// Number of the wire in the line's exits that leads from the channel.
    pub wire: usize,
}

/// Moves deliveries of a channel into the line of their subscription.
pub(crate) async fn work_subscription(subscription: Subscription) {
    let Subscription {
        channel,
        edge,
        slot,
        line,
        wire,
    } = subscription;
    loop {
        let changed = line.env.gate.changed();
        let arrived = listen(&channel.arrived);
        let state = line.lock().await;
        if state.retired {
            return;
        }
        let Some(mut state) = line.work_off(state).await else {
            return;
        };
        let max = match line.env.gate.mode() {
            Mode::Open => BATCH,
            Mode::Held => 0,
            Mode::Paused if !channel.is_ready(&edge, slot) => 0,
            Mode::Paused => usize::from(line.env.gate.take_step(&channel.id)),
        };
        let (taken, due_us) = match max {
            0 => (Vec::new(), None),
            max => channel.take(&edge, slot, max),
        };
        if taken.is_empty() {
            drop(state);
            let due = Duration::from_micros(due_us.unwrap_or(60_000_000));
            tokio::select! {
                () = arrived => {}
                () = changed => {}
                () = tokio::time::sleep(due) => {}
            }
            continue;
        }
        for (event, share) in taken {
            if let Some((op, item)) = state.exits.send(wire, event, share, slot, &line.env) {
                state.ops[op].pending.push_back(item);
            }
        }
        if line.work_off(state).await.is_none() {
            return;
        }
    }
}

/// The way out of a channel for events that were given up.
pub(crate) struct FailedWay {
    pub channel: Arc<Channel>,
    pub env: Arc<Env>,
    pub state: Mutex<FailedState>,
}

pub(crate) struct FailedState {
    pub retired: bool,
    pub exits: Exits,
    pub wires: Vec<usize>,
}

impl FailedWay {
    pub(crate) fn is_quiet(&self) -> bool {
        let idle = self.state.try_lock();
        idle.is_ok_and(|state| state.retired || state.exits.is_empty())
    }

    /// Leads given-up events away until the flow is rebuilt.
    pub(crate) async fn work(self: Arc<Self>) {
        loop {
            let changed = self.env.gate.changed();
            let arrived = listen(&self.channel.arrived);
            let mut state = self.state.lock().await;
            if state.retired {
                return;
            }
            if let Some(room) = state.exits.flush(&self.env) {
                let waiting = listen(&room);
                if state.exits.flush(&self.env).is_some() {
                    drop(state);
                    tokio::select! {
                        () = waiting => {}
                        () = changed => {}
                    }
                }
                continue;
            }
            let open = self.env.gate.mode() == Mode::Open;
            let Some(event) = open.then(|| self.channel.take_given_up()).flatten() else {
                drop(state);
                tokio::select! {
                    () = arrived => {}
                    () = changed => {}
                }
                continue;
            };
            let state = &mut *state;
            for wire in &state.wires {
                let share = crate::delivery::Share::none();
                state.exits.send(*wire, event.clone(), share, 0, &self.env);
            }
        }
    }
}
