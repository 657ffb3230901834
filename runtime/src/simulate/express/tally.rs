//! What a node of a plain run counts by itself, to say it in the end.

use super::super::latency::Latencies;
use super::super::run::Run;
use super::lazy::Lazy;
use super::loads::Load;
use super::{NotPlain, Plainly};
use crate::plan::NodeIndex;

/// Of events that a node took in hand.
#[derive(Default)]
pub(super) struct Tally {
    received: u64,
    latencies: Latencies,
}

impl Tally {
    /// An event more.
    #[inline]
    pub(super) fn count(&mut self, run: &mut Run, load: &Load) -> Plainly {
        self.received += 1;
        self.latencies.add(run.now_us - load.came_us);
        run.steps += 1;
        let is_huge = matches!(&load.event, Lazy::Made(event) if run.is_huge(event));
        if is_huge || run.steps >= run.limits.steps_max {
            return Err(NotPlain);
        }
        Ok(())
    }

    pub(super) fn tell(&self, node: NodeIndex, run: &mut Run) {
        run.meters[node].received += self.received;
        run.latencies[node].add_all(&self.latencies);
    }
}
