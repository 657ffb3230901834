//! Channels in a simulation: who is told what, and when readers look.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};

use graph_model::event::Event;
use graph_model::id::EdgeId;
use smol_str::SmolStr;

use super::run::{Item, Mark, Root, Sender};
use super::shape::ChannelShape;
use super::world::VirtualWorld;
use crate::channels::{ChannelState, GivenUp, Spot, Ticket};
use crate::delivery::Settle;
use crate::operator::Failure;
use crate::plan::NodeIndex;
use crate::shared::lock;
use crate::world::World;

/// A channel in a run.
pub(super) struct ChannelRun {
    pub post: Arc<Post>,
    /// Events that leave by its failed port.
    pub given_up: VecDeque<Item>,
    pub leading: bool,
    /// Who waits for room.
    pub blocked: Vec<Sender>,
}

/// What deliveries of a channel reach when they are settled.
pub(super) struct Post {
    pub(super) node: NodeIndex,
    pub(super) state: Mutex<ChannelState<Mark>>,
    pub(super) office: Arc<Office>,
}

/// Where everything that is settled is noted down until the driver looks.
pub(super) struct Office {
    notes: Mutex<Vec<Note>>,
    any: AtomicBool,
    pub(super) world: Arc<VirtualWorld>,
}

/// Why a delivery fails whose handling ends with the node.
pub(super) const BROKE_DOWN: &str = "what handled it broke down";

pub(super) enum Note {
    Delivery {
        channel: NodeIndex,
        sub: usize,
        slot: usize,
        event: SmolStr,
        root: Root,
        failed: bool,
        given_up: Option<Box<GivenUp<Mark>>>,
    },
    /// What read an event again broke down before it had done so.
    Unread {
        sub: usize,
        slot: usize,
        number: u64,
    },
    /// An event of a transactional log can be read, or was never there.
    Decided { channel: NodeIndex },
    Source {
        node: NodeIndex,
        event: Event,
        root: Root,
        outcome: Result<(), Failure>,
    },
}

/// A reader of one subscription: a partition, or one of the competing consumers.
#[derive(Clone, Default)]
pub(super) struct Reader {
    /// Whether it looks soon.
    pub(super) due: bool,
    /// When a look of its own accord is noted.
    pub(super) timer_us: u64,
    /// Deliveries go on no earlier.
    pub(super) held_until_us: u64,
    /// The last events that it got, of which it may read some again.
    pub(super) history: VecDeque<(Event, Root)>,
    /// How many came before those.
    pub(super) forgotten: u64,
}

impl Reader {
    /// How many events it got.
    pub(super) fn got(&self) -> u64 {
        self.forgotten + self.history.len() as u64
    }
}

/// Tells a channel what became of a delivery.
pub(super) struct Ack {
    pub(super) post: Arc<Post>,
    pub(super) reader: EdgeId,
    pub(super) sub: usize,
    pub(super) slot: usize,
    pub(super) ticket: Ticket,
    pub(super) event: SmolStr,
    pub(super) root: Root,
}

/// Tells a source what became of an event that it handed in.
pub(super) struct Told {
    pub office: Arc<Office>,
    pub node: NodeIndex,
    pub event: Event,
    pub root: Root,
}

/// Takes part in the delivery of a copy, which nobody waits for.
pub(super) struct Copy;

/// Takes part in the delivery of an event that a reader reads again.
pub(super) struct Reread {
    pub office: Arc<Office>,
    pub sub: usize,
    pub slot: usize,
    /// Its number among all that the reader got.
    pub number: u64,
}

impl Office {
    pub(super) fn new(world: &Arc<VirtualWorld>) -> Office {
        Office {
            notes: Mutex::default(),
            any: AtomicBool::new(false),
            world: Arc::clone(world),
        }
    }

    fn note(&self, note: Note) {
        lock(&self.notes).push(note);
        self.any.store(true, Relaxed);
    }

    /// Whether anything was noted.
    pub(super) fn any(&self) -> bool {
        self.any.load(Relaxed)
    }

    /// Moves what was noted into `notes`, which is empty; answers whether there was anything.
    pub(super) fn read(&self, notes: &mut Vec<Note>) -> bool {
        debug_assert!(notes.is_empty(), "it was worked off");
        let any = self.any();
        if any {
            self.any.store(false, Relaxed);
            std::mem::swap(&mut *lock(&self.notes), notes);
        }
        any
    }
}

impl ChannelRun {
    pub(super) fn new(node: NodeIndex, shape: &ChannelShape, office: &Arc<Office>) -> ChannelRun {
        let mut state = ChannelState::new(shape.kind, shape.partitions, shape.terms.clone());
        let nobody = state.set_readers(&shape.readers, &std::collections::BTreeMap::new());
        debug_assert!(nobody.is_empty(), "it was empty");
        ChannelRun {
            post: Arc::new(Post {
                node,
                state: Mutex::new(state),
                office: Arc::clone(office),
            }),
            given_up: VecDeque::new(),
            leading: false,
            blocked: Vec::new(),
        }
    }

    pub(super) fn held(&self) -> usize {
        self.post.state().held() + self.given_up.len()
    }
}

impl Post {
    pub(super) fn state(&self) -> MutexGuard<'_, ChannelState<Mark>> {
        lock(&self.state)
    }
}

impl Settle for Ack {
    fn settle(&self, outcome: Result<(), Failure>) -> bool {
        let office = &self.post.office;
        let now_us = office.world.elapsed_us();
        let failed = outcome.is_err();
        let mut state = self.post.state();
        let settled = state.settle(&self.reader, self.slot as u32, self.ticket, outcome, now_us);
        drop(state);
        office.note(Note::Delivery {
            channel: self.post.node,
            sub: self.sub,
            slot: self.slot,
            event: self.event.clone(),
            root: self.root,
            failed,
            given_up: settled.given_up.map(Box::new),
        });
        settled.counts
    }
}

impl Settle for Told {
    fn settle(&self, outcome: Result<(), Failure>) -> bool {
        self.office.note(Note::Source {
            node: self.node,
            event: self.event.clone(),
            root: self.root,
            outcome,
        });
        true
    }
}

impl Settle for Reread {
    fn settle(&self, outcome: Result<(), Failure>) -> bool {
        let broke_down = |failure: Failure| failure.message == BROKE_DOWN;
        if outcome.err().is_some_and(broke_down) {
            self.office.note(Note::Unread {
                sub: self.sub,
                slot: self.slot,
                number: self.number,
            });
        }
        true
    }
}

impl Settle for Copy {
    fn settle(&self, _outcome: Result<(), Failure>) -> bool {
        true
    }
}

impl Post {
    pub(super) fn decide(&self, spot: Spot, well: bool) {
        self.state().decide(spot, well);
        self.office.note(Note::Decided { channel: self.node });
    }
}
