//! What a schedule may decide: when a run and its reference differ in it, they may come to different
//! results, and no promise is broken. Each of these is looked for in what happened, so that all other
//! runs of the same design are judged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use graph_model::catalog::Catalog;
use graph_model::document::{Document, Edge, Node};
use graph_model::id::NodeId;
use graph_model::value::Value;
use runtime::oracle::Finding;
use runtime::simulate::{Outcome, Sort, Step, What};
use smol_str::SmolStr;

use crate::exempt::{Upstream, is_own, place_of};

/// What differed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Excuse {
    /// Other events came too late for a window or a gap. How long a channel takes nobody can declare:
    /// `max_delay` is about sources.
    Late,
    /// Events that are read from a store have the time at which they are read, and windows go by that;
    /// ORDER-005 asks for another where results are kept.
    ReadTime,
    /// Other events found no partner in time.
    Alone,
    /// Other events had been there before, and were led aside.
    LedAside,
    /// Other events were older than what was there, and were left out on purpose.
    Outdated,
    /// Other rows were there when an event asked for them, as rows and events run at their own pace.
    Rows,
    /// Other events were refused; what was refused comes again to all that had it.
    Refused,
    /// Another event came first, or first to one of several places, and nobody says that the key for which one passes is not its own. Where
    /// the event type does, ORDER-001 asks for the order.
    FirstOfKey,
    /// Events came in another order to a window of so many. Where it holds all of its group that is the
    /// same, and nobody can say that it does.
    CountWindow,
    /// More copies came to an answer that is the same without them, and beside which stands how many.
    CountBeside,
    /// Others came last, where the last number of all is shown.
    LastNumber,
    /// Results changed in another order, on their way to people who see each of them.
    EveryResult,
    /// What came round took the place of what it was made of, or the other way round. Rules take a fact
    /// that comes round for the same one.
    CameRound,
    /// A queue handed events to others of several wires. No rule asks whether the same is done behind
    /// all of them.
    Competing,
}

/// What happened on the way to places, in runs that were recorded with whole events.
pub(crate) struct Evidence<'r> {
    run: &'r Outcome,
    reference: &'r Outcome,
    document: &'r Document,
    upstream: Upstream<'r>,
}

impl<'r> Evidence<'r> {
    pub(crate) fn new(
        run: &'r Outcome,
        reference: &'r Outcome,
        document: &'r Document,
    ) -> Evidence<'r> {
        Evidence {
            run,
            reference,
            document,
            upstream: Upstream::of(document),
        }
    }

    /// Why the runs may differ where a finding is.
    pub(crate) fn excuse(&self, found: &Finding) -> Option<Excuse> {
        let sinks = self.document.nodes.iter().filter(|(id, node)| {
            place_of(id, node).is_some_and(|place| found.at == place) || found.at == id.as_str()
        });
        let sinks: BTreeMap<&NodeId, &Node> = sinks.map(|(id, node)| (id, &**node)).collect();
        let shown = sinks.values().any(|sink| match sink.kind.as_str() {
            "console" | "export" => true,
            "view" => sink.config.get("key").is_none(),
            _ => false,
        });
        let before = sinks.keys().map(|sink| self.upstream.before(sink));
        let before: BTreeSet<&NodeId> = before.flatten().collect();
        let of_node = before.iter().find_map(|id| {
            let node = self.document.nodes.get(*id)?;
            self.at(id, node)
                .or_else(|| self.led_aside(id, node, &before))
                .or_else(|| shown.then(|| self.shown(id, node, &sinks)).flatten())
                .or_else(|| self.came_round(id, &sinks))
                .or_else(|| {
                    (!sinks.contains_key(id))
                        .then(|| self.first(id, node))
                        .flatten()
                })
        });
        of_node.or_else(|| self.refused_beside(&before))
    }

    /// What a node decided by what had come until then.
    fn at(&self, id: &NodeId, node: &Node) -> Option<Excuse> {
        let is = |field: &str, value: &str| node.config_str(field) == Some(value);
        match node.kind.as_str() {
            "aggregate" | "decide" | "join" | "enrich" if self.other_times(id) => {
                Some(Excuse::ReadTime)
            }
            "aggregate" | "decide" | "resequence" if self.differs(id, "late") => Some(Excuse::Late),
            "aggregate" if is("window", "count") && self.other_order(id) => {
                Some(Excuse::CountWindow)
            }
            "decide" if !is("claim", "at_least") && self.other_count(id) => {
                Some(Excuse::CountBeside)
            }
            "join" if self.differs(id, "unmatched") => Some(Excuse::Alone),
            "enrich" if rows(self.run, id) != rows(self.reference, id) => Some(Excuse::Rows),
            "version_guard" | "table" if self.differs(id, "stale") || self.came_again(id) => {
                Some(Excuse::Outdated)
            }
            "metric" if node.config.get("key").is_none() && self.other_sequence(id) => {
                Some(Excuse::LastNumber)
            }
            "queue" if self.hands_out_otherwise(id) => Some(Excuse::Competing),
            _ => None,
        }
    }

    /// What was led aside, and on to one of these.
    fn led_aside(&self, id: &NodeId, node: &Node, to: &BTreeSet<&NodeId>) -> Option<Excuse> {
        let mut edges = self.document.edges.values();
        let leads = edges.any(|edge| {
            let from = &edge.from;
            from.node == *id && from.port == "repeated" && to.contains(&edge.to.node)
        });
        let aside = node.kind == "dedupe" && leads && self.differs(id, "repeated");
        aside.then_some(Excuse::LedAside)
    }

    /// Events that come round on their way to a place, with what was made of them.
    fn came_round(&self, id: &NodeId, sinks: &BTreeMap<&NodeId, &Node>) -> Option<Excuse> {
        let (id, _) = self.document.nodes.get_key_value(id)?;
        let comes_back = |edge: &Arc<Edge>| {
            edge.to.node == *id && self.upstream.before(&edge.from.node).contains(id)
        };
        let round = self.document.edges.values().any(comes_back);
        let otherwise = || sinks.keys().any(|sink| self.other_sequence(sink));
        (round && otherwise()).then_some(Excuse::CameRound)
    }

    /// Results before the last, where people see them.
    fn shown(&self, id: &NodeId, node: &Node, sinks: &BTreeMap<&NodeId, &Node>) -> Option<Excuse> {
        let running = node.config_str("window").unwrap_or("none") == "none";
        let shown_otherwise = || sinks.keys().any(|sink| self.other_sequence(sink));
        let otherwise = match node.kind.as_str() {
            "aggregate" => running && (self.other_order(id) || shown_otherwise()),
            "table_changes" => self.wrote_otherwise(node) || shown_otherwise(),
            "fold" => shown_otherwise(),
            // Which of the parts of a result comes last.
            "split" | "function" => {
                shown_otherwise() && sinks.keys().all(|sink| self.same_events(sink))
            }
            _ => false,
        };
        otherwise.then_some(Excuse::EveryResult)
    }

    /// Which event passed for all with its key, where nobody says that the key is its own.
    fn first(&self, id: &NodeId, node: &Node) -> Option<Excuse> {
        if !["dedupe", "effect", "http_out"].contains(&node.kind.as_str()) {
            return None;
        }
        let mut types = self.document.types.values();
        let versions = types.any(|ty| ty.stands_for() == Some("version"));
        let key = node.config_str("key");
        let own = key.is_none_or(|key| key.contains("$event.id") || is_own(key) && !versions);
        let (id, _) = self.document.nodes.get_key_value(id)?;
        let shared = !own || self.upstream.meets_itself(&self.upstream.before(id));
        let otherwise = || self.other_order(id) || self.in_several_places(id);
        (shared && otherwise()).then_some(Excuse::FirstOfKey)
    }

    /// Whether other events left by a port, or some more often.
    fn differs(&self, node: &NodeId, port: &str) -> bool {
        self.left(self.run, node, port) != self.left(self.reference, node, port)
    }

    /// Whether something behind a node broke down, and what came again for that was old to the node.
    fn came_again(&self, node: &NodeId) -> bool {
        let stale = self.port(node, "stale");
        let aside = |step: &Step| {
            let leaves = matches!(step.what, What::Emitted | What::Unled);
            leaves && step.node == *node && Some(step.port) == stale
        };
        let mut broken = BTreeSet::new();
        self.run.trace.iter().any(|step| {
            if step.what == What::Fault && step.port == Sort::Crash as u16 {
                broken.insert(&step.event);
            }
            aside(step) && broken.contains(&step.event)
        })
    }

    /// The number of a port.
    fn port(&self, node: &NodeId, name: &str) -> Option<u16> {
        let held = &self.document.nodes[node];
        let kind = Catalog::bundled().get(&held.kind)?;
        let ports = kind.outputs_of(held);
        let number = ports.iter().position(|port| port.name == name)?;
        u16::try_from(number).ok()
    }

    fn left(&self, run: &'r Outcome, node: &NodeId, port: &str) -> BTreeMap<&'r SmolStr, usize> {
        let number = self.port(node, port);
        let steps = run.trace.iter().filter(|step| {
            matches!(step.what, What::Emitted | What::Unled)
                && step.node == *node
                && Some(step.port) == number
        });
        let mut left = BTreeMap::new();
        for step in steps {
            *left.entry(&step.event).or_default() += 1;
        }
        left
    }

    /// Whether events came in another order, each counted when it came first.
    fn other_order(&self, node: &NodeId) -> bool {
        arrived(self.run, node) != arrived(self.reference, node)
    }

    /// Whether several instances handled events.
    fn in_several_places(&self, node: &NodeId) -> bool {
        let mut places = handled(self.run, node).map(|step| step.instance);
        let first = places.next();
        places.any(|place| Some(place) != first)
    }

    /// Whether events or copies of them came in another order.
    fn other_sequence(&self, node: &NodeId) -> bool {
        let all = |run: &'r Outcome| {
            let events = handled(run, node);
            let events =
                events.map(|step| (&step.event, step.whole.as_ref().map(|event| &event.data)));
            events.collect::<Vec<_>>()
        };
        all(self.run) != all(self.reference)
    }

    /// Whether the same events came, in whatever order and however often.
    fn same_events(&self, node: &NodeId) -> bool {
        let all = |run: &'r Outcome| arrived(run, node).into_iter().collect::<BTreeSet<_>>();
        all(self.run) == all(self.reference)
    }

    /// Whether some events had other times.
    fn other_times(&self, node: &NodeId) -> bool {
        let times = |run: &'r Outcome| {
            let events = handled(run, node).filter_map(|step| step.whole.as_ref());
            let events = events.map(|event| (&event.context.id, event.context.time_ms));
            events.collect::<BTreeMap<_, _>>()
        };
        let (run, reference) = (times(self.run), times(self.reference));
        run.iter()
            .any(|(id, time)| reference.get(id).is_some_and(|other| other != time))
    }

    /// Whether another number of events came.
    fn other_count(&self, node: &NodeId) -> bool {
        let count = |run: &Outcome| run.counters.nodes.get(node).map(|count| count.received);
        count(self.run) != count(self.reference)
    }

    /// Whether those who write what a source hears of wrote other events, or in another order.
    fn wrote_otherwise(&self, source: &Node) -> bool {
        let mut writers = self.document.nodes.iter().filter(|(_, node)| {
            node.kind == "table" && node.config_str("table") == source.config_str("table")
        });
        writers.any(|(id, _)| self.other_order(id) || self.other_count(id))
    }

    /// Whether a queue with several wires handed out other events by one of them.
    fn hands_out_otherwise(&self, queue: &NodeId) -> bool {
        let wires = self.document.edges.values();
        let wires: Vec<&NodeId> = wires
            .filter(|edge| edge.from.node == *queue && edge.from.port == "out")
            .map(|edge| &edge.to.node)
            .collect();
        // Channels handle nothing, but hand out what they got.
        let got = |run: &'r Outcome, node: &NodeId| {
            let steps = run.trace.iter().filter(|step| step.node == *node);
            let got = steps.filter(|step| matches!(step.what, What::Handled | What::Delivered));
            got.map(|step| &step.event).collect::<BTreeSet<_>>()
        };
        let otherwise = |node: &&NodeId| got(self.run, node) != got(self.reference, node);
        wires.len() > 1 && wires.iter().any(otherwise)
    }

    /// Whether a node that shares deliveries with one of these refused other events, or some again.
    fn refused_beside(&self, before: &BTreeSet<&NodeId>) -> Option<Excuse> {
        let refused = |run: &'r Outcome, node: &NodeId| {
            let steps = run.trace.iter();
            let steps = steps.filter(|step| step.what == What::GivenUp && step.node == *node);
            let given_up: BTreeSet<&SmolStr> = steps.map(|step| &step.event).collect();
            let count = run.counters.nodes.get(node).map(|count| count.failed);
            (given_up, self.left(run, node, "failed"), count)
        };
        let failed = |node: &NodeId| {
            let (run, reference) = (refused(self.run, node), refused(self.reference, node));
            // What is refused because of others may be taken when it comes again.
            let is_join = self.document.nodes[node].kind == "join";
            run != reference || is_join && run.2 > Some(0)
        };
        let mut nodes = self.document.nodes.keys();
        let shares = |id: &NodeId| {
            let known = self.document.nodes.get_key_value(id);
            known.is_some_and(|(id, _)| !self.upstream.before(id).is_disjoint(before))
        };
        nodes
            .any(|id| failed(id) && shares(id))
            .then_some(Excuse::Refused)
    }
}

fn handled<'r>(run: &'r Outcome, node: &NodeId) -> impl Iterator<Item = &'r Step> {
    let steps = run.trace.iter();
    steps.filter(move |step| step.what == What::Handled && step.node == *node)
}

/// Events in the order in which they came first.
fn arrived<'r>(run: &'r Outcome, node: &NodeId) -> Vec<(&'r SmolStr, Option<&'r Value>)> {
    let mut seen = BTreeSet::new();
    let events = handled(run, node).map(|step| {
        let data = step.whole.as_ref().map(|event| &event.data);
        (&step.event, data)
    });
    events.filter(|event| seen.insert(*event)).collect()
}

/// For each event that asks for a row: the rows that had come by then, whenever it asked.
fn rows<'r>(run: &'r Outcome, node: &NodeId) -> BTreeSet<(&'r SmolStr, Vec<&'r SmolStr>)> {
    let mut there = BTreeSet::new();
    let mut asked = BTreeSet::new();
    for step in handled(run, node) {
        if step.port == 1 {
            there.insert(&step.event);
        } else {
            asked.insert((&step.event, there.iter().copied().collect()));
        }
    }
    asked
}
