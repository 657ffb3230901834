//! Where a run is cut off, and which node is to blame.

use std::sync::Arc;

use graph_model::event::Event;
use graph_model::id::NodeId;
use graph_model::value::Value;
use rustc_hash::FxHashSet;

use super::channel::ChannelRun;
use super::outcome::{Ended, Limit};
use super::run::{Parked, Run};
use super::shape::Owner;
use crate::plan::NodeIndex;

/// Limits that cost more to look at are looked at after so many tasks.
pub(super) const LOOK_EVERY: u64 = 256;
/// What waits is weighed after so many tasks, and after some for each event that waits.
pub(super) const WEIGH_EVERY: u64 = 4_096;

impl Run {
    pub(super) fn look_at_limits(&mut self) {
        if !self.agenda.noted().is_multiple_of(LOOK_EVERY) || self.ended.is_some() {
            return;
        }
        // Nobody may go on for ever, even without handling anything.
        let tasks = self.limits.steps_max.saturating_mul(16);
        if self.agenda.noted() > tasks.saturating_add(100_000) {
            return self.cut_off(Limit::Steps(self.limits.steps_max));
        }
        let in_flight = self.in_flight();
        if in_flight > self.limits.in_flight_max {
            return self.cut_off(Limit::InFlight(self.limits.in_flight_max));
        }
        let mut bytes = self.grown() + self.trace.weight();
        if self.agenda.noted() >= self.weigh_at {
            self.weigh_at = self.agenda.noted() + WEIGH_EVERY.max(in_flight.saturating_mul(4));
            bytes += self.waiting(weight).iter().sum::<u64>();
        }
        if bytes > self.limits.bytes_max {
            self.cut_off(Limit::Bytes(self.limits.bytes_max));
        }
    }

    /// Whether a single event is as large as all may be together. It is asked at every step: what doubles
    /// on each way round fills memory in few.
    pub(super) fn is_huge(&self, event: &Event) -> bool {
        let bytes_max = usize::try_from(self.limits.bytes_max).unwrap_or(usize::MAX);
        event.data.weighs_more_than(bytes_max)
    }

    /// Ends the run, and says which node it is about.
    pub(super) fn cut_off(&mut self, limit: Limit) {
        let shares: Vec<u64> = match limit {
            Limit::Steps(_) => self.meters.iter().map(|meter| meter.received).collect(),
            Limit::InFlight(_) => self.waiting(|_, _| 1),
            Limit::Bytes(_) => {
                let waiting = self.waiting(weight);
                let pairs = self.grown.iter().zip(waiting);
                pairs.map(|(grown, waiting)| grown + waiting).collect()
            }
        };
        let most = shares.iter().enumerate();
        let most = most.max_by_key(|(node, share)| (**share, usize::MAX - node));
        let most = most.filter(|(_, share)| **share > 0);
        let node: Option<NodeId> = most.map(|(node, _)| self.shape.plan.nodes[node].id.clone());
        self.ended = Some(Ended::Limit { limit, node });
    }

    /// A node holds so many bytes more, or fewer.
    pub(super) fn grow(&mut self, node: NodeIndex, bytes: isize) {
        let grown = &mut self.grown[node];
        *grown = grown.saturating_add_signed(bytes as i64);
    }

    /// Bytes that all nodes hold for good.
    pub(super) fn grown(&self) -> u64 {
        self.grown.iter().sum()
    }

    fn in_flight(&self) -> u64 {
        let inboxes = self.inboxes.iter().map(|inbox| inbox.items.len());
        let channels = self.channels.iter().flatten().map(ChannelRun::held);
        let lines = self.lines.iter().flatten().flatten();
        let lines = lines.map(|line| line.waiting());
        let desks = self.desks.iter().map(Vec::len);
        let parked = self.parked.len() - self.free.len();
        inboxes
            .chain(channels)
            .chain(lines)
            .chain(desks)
            .sum::<usize>() as u64
            + parked as u64
    }

    /// What waits at each node, by what each event counts for; payloads that were counted are known.
    fn waiting(&self, count: impl Fn(&Event, &mut FxHashSet<usize>) -> u64) -> Vec<u64> {
        let plan = &self.shape.plan;
        let mut all = vec![0; plan.nodes.len()];
        let mut known = FxHashSet::default();
        let mut add = |node: NodeIndex, event: &Event| all[node] += count(event, &mut known);
        for (inbox, held) in self.shape.inboxes.iter().zip(&self.inboxes) {
            let node = match inbox.owner {
                Owner::Sink(node) => node,
                Owner::Line { line, .. } => plan.lines[line].nodes[0],
            };
            held.items
                .iter()
                .for_each(|held| add(node, &held.item.event));
        }
        for (node, channel) in self.channels.iter().enumerate() {
            let Some(channel) = channel else { continue };
            channel.post.state().each(&mut |event| add(node, event));
            let given_up = channel.given_up.iter();
            given_up.for_each(|item| add(node, &item.event));
        }
        for (line, instances) in plan.lines.iter().zip(&self.lines) {
            for held in instances.iter().flatten() {
                for (node, op) in line.nodes.iter().zip(&held.ops) {
                    op.pending.iter().for_each(|item| add(*node, &item.event));
                }
                if let Some(busy) = &held.busy {
                    add(line.nodes[busy.op], &busy.begun.item.event);
                }
                for parcel in &held.outbox {
                    add(plan.edges[parcel.edge].to, &parcel.item.event);
                }
            }
        }
        for parcel in self.outboxes.iter().flatten() {
            add(plan.edges[parcel.edge].to, &parcel.item.event);
        }
        for (node, desks) in self.desks.iter().enumerate() {
            for desk in desks {
                add(node, desk.event());
            }
        }
        for parked in self.parked.iter().flatten() {
            match parked {
                Parked::Deliver { sub, item, .. } => {
                    add(self.shape.subs[*sub].channel, &item.event);
                }
                Parked::Parcel(parcel) => add(plan.edges[parcel.edge].to, &parcel.item.event),
                Parked::Arrive { node, event, .. } => add(*node, event),
                Parked::Resume { .. } => {}
            }
        }
        all
    }
}

/// What an event takes in memory; of a payload that several share, once.
pub(super) fn weight(event: &Event, known: &mut FxHashSet<usize>) -> u64 {
    let shared = match &event.data {
        Value::Arr(items) => Some(Arc::as_ptr(items).addr()),
        Value::Obj(object) => Some(Arc::as_ptr(object).addr()),
        _ => None,
    };
    if shared.is_some_and(|shared| !known.insert(shared)) {
        return 0;
    }
    event.data.weight() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_that_many_share_is_weighed_once() {
        let event = |data: &str| Event {
            context: Arc::default(),
            data: Value::parse(data.as_bytes(), 1_000).expect("JSON"),
        };
        let mut known = FxHashSet::default();
        let (one, other) = (event("[1, 2]"), event("[1, 2]"));
        let mut weight = |event: &Event| weight(event, &mut known);
        let once = weight(&one);
        assert!(once > 0);
        assert_eq!([weight(&one.clone()), weight(&other)], [0, once]);
        assert_eq!(
            weight(&event("1")),
            weight(&event("1")),
            "nothing is shared"
        );
    }
}
