//! Events that are not made before something looks at them: most of a made-up load only waits, takes
//! time and is counted.

use std::collections::VecDeque;

use graph_model::event::Event;

use super::super::run::Run;
use super::super::shape::{Model, Shape};
use super::super::world::ms_at;
use super::loads::LoadId;
use crate::plan::NodeIndex;

/// An event, or what it will be made from.
#[derive(Clone)]
pub(super) enum Lazy {
    Made(Event),
    /// The event of a generator with this number.
    Due {
        source: NodeIndex,
        number: u64,
    },
    /// It has gone elsewhere.
    Gone,
}

impl Lazy {
    /// Leaves it here no longer.
    pub(super) fn take(&mut self) -> Lazy {
        std::mem::replace(self, Lazy::Gone)
    }

    /// At least what it weighs; `heaviest` says what sources make up.
    pub(super) fn weight(&self, heaviest: &[u64], weigh: impl FnOnce(&Event) -> u64) -> u64 {
        match self {
            Lazy::Made(event) => weigh(event),
            Lazy::Due { source, .. } => heaviest[*source],
            Lazy::Gone => 0,
        }
    }

    /// The event, which came in at `came_us`.
    pub(super) fn make(self, run: &mut Run, came_us: u64) -> Option<Event> {
        match self {
            Lazy::Made(event) => Some(event),
            Lazy::Due { source, number } => {
                let generator = run.sources[source].generator.as_mut()?;
                Some(generator.event(number, ms_at(came_us)))
            }
            Lazy::Gone => None,
        }
    }
}

/// The newest events that a view shows; older ones nobody ever sees.
pub(super) struct Newest {
    keep: usize,
    /// With what each weighs.
    loads: VecDeque<(u64, LoadId)>,
    bytes: u64,
}

impl Newest {
    /// Of a sink that shows the newest events, whatever is in them.
    pub(super) fn of(shape: &Shape, node: NodeIndex) -> Option<Newest> {
        let Model::Sink { store, .. } = &shape.nodes[node].model else {
            return None;
        };
        Some(Newest {
            keep: store.shows_newest()?,
            loads: VecDeque::new(),
            bytes: 0,
        })
    }

    /// Shows one more. Answers with the one that it shows no longer.
    pub(super) fn show(&mut self, weight: u64, load: LoadId) -> Option<LoadId> {
        self.bytes += weight;
        self.loads.push_back((weight, load));
        if self.loads.len() <= self.keep {
            return None;
        }
        let (weight, oldest) = self.loads.pop_front()?;
        self.bytes -= weight;
        Some(oldest)
    }

    /// At least what they weigh.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Oldest first.
    pub(super) fn into_loads(self) -> impl Iterator<Item = LoadId> {
        self.loads.into_iter().map(|(_, load)| load)
    }
}
