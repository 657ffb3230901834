//! Inboxes: where events wait in front of a sink, or of an operator where lines meet.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use graph_model::document::WhenFull;
use graph_model::id::EdgeId;
use tokio::sync::Notify;

use super::wire::Item;

/// Events that wait for one instance of a node. Each edge has a bound of its own.
pub(crate) struct Inbox {
    state: Mutex<State>,
    /// Told when an event arrives.
    pub arrived: Notify,
    /// Told when there is room again.
    pub room: Arc<Notify>,
}

#[derive(Default)]
struct State {
    items: VecDeque<(usize, Item)>,
    lanes: Vec<Lane>,
}

struct Lane {
    edge: EdgeId,
    waiting: u32,
    capacity: u32,
    when_full: WhenFull,
}

/// What became of an event that was put into an inbox.
pub(crate) enum Put {
    Taken,
    /// Another event was dropped for it.
    InsteadOfOldest,
    /// No room: the sender waits.
    Full(Item),
    /// No room: the event is given up.
    Refused(Item),
}

impl Inbox {
    pub(crate) fn new() -> Inbox {
        Inbox {
            state: Mutex::default(),
            arrived: Notify::new(),
            room: Arc::new(Notify::new()),
        }
    }

    /// Adds an edge; answers its number.
    pub(crate) fn add_lane(&self, edge: EdgeId, capacity: u32, when_full: WhenFull) -> usize {
        let lanes = &mut self.state().lanes;
        lanes.push(Lane {
            edge,
            waiting: 0,
            capacity,
            when_full,
        });
        lanes.len() - 1
    }

    pub(crate) fn put(&self, lane: usize, item: Item) -> Put {
        let mut state = self.state();
        let held = &mut state.lanes[lane];
        let mut dropped = None;
        if held.waiting >= held.capacity {
            match held.when_full {
                WhenFull::Block => return Put::Full(item),
                WhenFull::DeadLetter => return Put::Refused(item),
                WhenFull::DropOldest => {
                    held.waiting -= 1;
                    let oldest = state.items.iter().position(|(other, _)| *other == lane);
                    dropped = oldest.and_then(|at| state.items.remove(at));
                }
            }
        }
        state.lanes[lane].waiting += 1;
        state.items.push_back((lane, item));
        drop(state);
        self.arrived.notify_one();
        if dropped.is_some() {
            Put::InsteadOfOldest
        } else {
            Put::Taken
        }
    }

    /// Puts an event in whatever the bound says, as when a flow is rebuilt around it.
    pub(crate) fn force(&self, lane: usize, item: Item) {
        let mut state = self.state();
        state.lanes[lane].waiting += 1;
        state.items.push_back((lane, item));
        drop(state);
        self.arrived.notify_one();
    }

    /// Takes out at most `max` events, oldest first.
    pub(crate) fn take(&self, max: usize) -> Vec<Item> {
        let mut state = self.state();
        let count = state.items.len().min(max);
        let taken: Vec<(usize, Item)> = state.items.drain(..count).collect();
        for (lane, _) in &taken {
            state.lanes[*lane].waiting -= 1;
        }
        drop(state);
        if count > 0 {
            self.room.notify_waiters();
        }
        taken.into_iter().map(|(_, item)| item).collect()
    }

    /// Takes out everything, with the edges that it came by.
    pub(crate) fn clear(&self) -> Vec<(EdgeId, Item)> {
        let mut state = self.state();
        let items = std::mem::take(&mut state.items);
        for lane in &mut state.lanes {
            lane.waiting = 0;
        }
        let edge = |lane: usize| state.lanes[lane].edge.clone();
        items
            .into_iter()
            .map(|(lane, item)| (edge(lane), item))
            .collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.state().items.is_empty()
    }

    /// Events that wait, by edge.
    pub(crate) fn waiting(&self) -> Vec<(EdgeId, u64)> {
        let state = self.state();
        let lanes = state.lanes.iter();
        lanes
            .map(|lane| (lane.edge.clone(), lane.waiting.into()))
            .collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
