//! Exact counts of everything that happens, kept by id, so that they outlive a rebuilt flow.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use graph_model::id::{EdgeId, NodeId};
use runtime_protocol::{EdgeCount, NodeCount};

#[derive(Debug, Default)]
pub(crate) struct NodeMeter {
    pub received: AtomicU64,
    pub sent: AtomicU64,
    pub failed: AtomicU64,
    pub retried: AtomicU64,
    pub dead: AtomicU64,
    pub refused: AtomicU64,
    pub busy_us: AtomicU64,
}

#[derive(Debug)]
pub(crate) struct EdgeMeter {
    pub id: EdgeId,
    pub passed: AtomicU64,
    pub dropped: AtomicU64,
    /// Whether somebody looks at its events.
    pub tapped: AtomicBool,
}

/// The meters of one run.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    nodes: Mutex<BTreeMap<NodeId, Arc<NodeMeter>>>,
    edges: Mutex<BTreeMap<EdgeId, Arc<EdgeMeter>>>,
}

impl Meters {
    pub(crate) fn node(&self, id: &NodeId) -> Arc<NodeMeter> {
        Arc::clone(lock(&self.nodes).entry(id.clone()).or_default())
    }

    pub(crate) fn edge(&self, id: &EdgeId) -> Arc<EdgeMeter> {
        let mut edges = lock(&self.edges);
        let meter = edges.entry(id.clone()).or_insert_with(|| {
            Arc::new(EdgeMeter {
                id: id.clone(),
                passed: AtomicU64::new(0),
                dropped: AtomicU64::new(0),
                tapped: AtomicBool::new(false),
            })
        });
        Arc::clone(meter)
    }
}

impl NodeMeter {
    /// The counts, without what the node holds.
    pub(crate) fn count(&self) -> NodeCount {
        NodeCount {
            received: self.received.load(Relaxed),
            sent: self.sent.load(Relaxed),
            failed: self.failed.load(Relaxed),
            retried: self.retried.load(Relaxed),
            dead: self.dead.load(Relaxed),
            refused: self.refused.load(Relaxed),
            held: 0,
            busy_us: self.busy_us.load(Relaxed),
        }
    }
}

impl EdgeMeter {
    /// The counts, without what waits on the edge.
    pub(crate) fn count(&self) -> EdgeCount {
        EdgeCount {
            passed: self.passed.load(Relaxed),
            waiting: 0,
            dropped: self.dropped.load(Relaxed),
        }
    }
}

/// Adds without the cost of an atomic when there is nothing to add.
pub(crate) fn add(meter: &AtomicU64, count: u64) {
    if count > 0 {
        meter.fetch_add(count, Relaxed);
    }
}

fn lock<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}
