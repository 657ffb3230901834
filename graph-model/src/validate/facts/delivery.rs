//! How often, in which order and where events arrive.

use std::rc::Rc;

use crate::validate::design::NodeIx;
use crate::validate::facts::origins::OriginId;
use crate::validate::facts::placement::Keyed;

/// Whether copies of one fact may arrive, and which node makes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Copies {
    No,
    /// After a restart a part of the stream comes again, in order.
    Suffix(NodeIx),
    /// At any time.
    Any(NodeIx),
}

/// What is known of the order of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// As they happened.
    Total,
    /// As they happened, among events that agree in all of these.
    PerKey(Rc<[OriginId]>),
    Lost(NodeIx, Loss),
}

/// How the order was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The outside sends in any order.
    Source,
    /// A channel delivers in any order.
    Channel,
    /// Streams meet.
    Meeting,
    /// Several instances work side by side.
    Instances,
    /// What was written since the last look is read by its names.
    Names,
    /// What was given up comes again behind what came after it.
    Retry,
    /// Code may have changed what the order was by.
    Code,
}

/// Which events are handled together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All in one place.
    Single,
    /// Those that agree in all of these. `by` placed them.
    Hash {
        key: Rc<[OriginId]>,
        /// The key in its order.
        form: Rc<Keyed>,
        count: i64,
        by: NodeIx,
    },
    /// Any instance takes any event.
    Any { count: i64, by: NodeIx },
    /// Streams met that are placed differently.
    Mixed { at: NodeIx },
}

/// What one event says of what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Something that happened.
    Append,
    /// The newest version of the thing that these identify; nothing identifies it when empty.
    Upsert(Rc<[OriginId]>),
    /// The state of everything at a time.
    Snapshot,
    /// Streams met that say different things.
    Mixed,
}

/// Where events may vanish without a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Losing {
    /// Somebody declared it of the node.
    Node(NodeIx),
    /// The wire between these drops the oldest when it is full.
    Wire { from: NodeIx, to: NodeIx },
}

impl Order {
    /// Lost here, unless it was lost before.
    pub(crate) fn lost_at(&self, node: NodeIx, loss: Loss) -> Order {
        match self {
            Order::Lost(..) => self.clone(),
            _ => Order::Lost(node, loss),
        }
    }
}

impl Copies {
    pub(crate) fn by(self) -> Option<NodeIx> {
        match self {
            Copies::No => None,
            Copies::Suffix(by) | Copies::Any(by) => Some(by),
        }
    }

    fn rank(self) -> u8 {
        match self {
            Copies::No => 0,
            Copies::Suffix(_) => 1,
            Copies::Any(_) => 2,
        }
    }

    /// At the worst as after a restart: nothing old comes behind something newer.
    pub(crate) fn in_turn(self) -> Copies {
        match self {
            Copies::Any(by) => Copies::Suffix(by),
            other => other,
        }
    }

    /// The worse of both; the first where they are alike.
    pub(crate) fn or(self, other: Copies) -> Copies {
        if other.rank() > self.rank() {
            other
        } else {
            self
        }
    }
}
