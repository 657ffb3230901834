//! The events on their way. Each has a number, and what holds events holds their numbers.

use std::ops::{Index, IndexMut};

use super::lazy::Lazy;
use super::queue::Place;

/// An event on its way.
#[derive(Clone)]
pub(super) struct Load {
    pub(super) event: Lazy,
    /// When the fact came in from which it follows.
    pub(super) came_us: u64,
    /// When it left the node before.
    pub(super) since_us: u64,
    /// The delivery that it is part of.
    pub(super) delivery: Option<Place>,
    /// Number of the input port of the operator that it waits for.
    pub(super) input: u16,
}

impl Load {
    /// The same for another event.
    pub(super) fn clone_without_event(&self) -> Load {
        Load {
            event: Lazy::Gone,
            ..*self
        }
    }
}

/// Number of an event on its way. When it is through, another one gets it.
#[derive(Clone, Copy)]
pub(super) struct LoadId(u32);

#[derive(Default)]
pub(super) struct Loads {
    held: Vec<Load>,
    free: Vec<LoadId>,
}

impl Loads {
    #[inline(always)]
    pub(super) fn add(&mut self, load: Load) -> LoadId {
        if let Some(id) = self.free.pop() {
            self[id] = load;
            return id;
        }
        self.held.push(load);
        LoadId(self.held.len() as u32 - 1)
    }

    /// The same event once more.
    pub(super) fn copy(&mut self, id: LoadId) -> LoadId {
        let copy = self[id].clone();
        self.add(copy)
    }

    /// The event is through.
    #[inline]
    pub(super) fn remove(&mut self, id: LoadId) -> Lazy {
        self.free.push(id);
        self[id].event.take()
    }
}

impl Index<LoadId> for Loads {
    type Output = Load;

    fn index(&self, id: LoadId) -> &Load {
        &self.held[id.0 as usize]
    }
}

impl IndexMut<LoadId> for Loads {
    fn index_mut(&mut self, id: LoadId) -> &mut Load {
        &mut self.held[id.0 as usize]
    }
}
