//! Oracles: judges of a run, which know what was meant by the reference and nothing of the validator.
//!
//! A new oracle is a file here with its `judge`, a `mod` line and a row of the table; what they watch
//! is told in `docs/specs/oracles.md`.

mod again;
mod answers;
mod at_once;
mod authority;
mod backlog;
mod bill;
mod canaries;
mod causality;
mod contracts;
mod definitions;
mod effects;
mod ends;
mod equal;
mod erasure;
mod final_state;
mod finding;
mod flat;
mod forked;
mod groups;
mod groups_of;
mod growth;
mod guards;
mod invariants;
mod keys;
mod lapsed;
mod late;
mod latency;
mod lineage;
mod load;
mod loss;
mod measures;
mod numbers;
mod old_shapes;
mod open;
mod overlapping;
mod overwritten;
mod pairs;
mod places;
mod premature;
mod releases;
mod secrets;
mod size;
mod small_group;
mod speakers;
mod stall;
mod strangers;
mod stuck;
#[cfg(test)]
mod testing;
mod torn;
mod unforgotten;
mod unneeded;
mod versions;
mod viewers;
mod weights;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use graph_model::catalog::{Behaviour, Catalog};
use graph_model::document::Document;
use graph_model::expr::Expr;
use graph_model::id::NodeId;
use graph_model::value::Value;

pub use self::again::{again, judge_again};
use self::authority::Rights;
pub use self::canaries::plant;
use self::ends::{End, Rivals};
pub use self::finding::Finding;
use self::growth::Bounds;
pub use self::invariants::Invariants;
use self::keys::Keyed;
use self::load::Said;
use self::loss::Ways;
use self::numbers::Aggregate;
use self::old_shapes::History;
use self::open::Open;
use self::places::Place;
use self::premature::Denial;
use self::releases::Release;
pub use self::secrets::{Secret, secrets};
use self::speakers::Speaker;
pub use self::unneeded::{Delivered, delivered};
use self::weights::Before;
use crate::simulate::Outcome;

/// Findings of one oracle about one run, at most; a person reads few, and a search needs one.
const FINDINGS_MAX: usize = 16;

/// How an oracle judges a run against the reference of the same facts.
type Judge = fn(&Outcome, &Outcome, &Context) -> Vec<Finding>;

macro_rules! oracles {
    ($($id:ident $name:literal $judge:path,)*) => {
        /// Something that looks at a run from outside and says what is wrong with it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Oracle {
            $($id,)*
        }

        impl Oracle {
            /// All of them, in the order of the table.
            pub const ALL: &[Oracle] = &[$(Oracle::$id,)*];

            /// By which texts and files name it.
            pub fn id(self) -> &'static str {
                match self {
                    $(Oracle::$id => stringify!($id),)*
                }
            }

            /// What it watches, in words.
            pub fn name(self) -> &'static str {
                match self {
                    $(Oracle::$id => $name,)*
                }
            }

            fn judge_of(self) -> Judge {
                match self {
                    $(Oracle::$id => $judge,)*
                }
            }
        }
    };
}

oracles! {
    A1 "who sees what they may not" canaries::judge,
    A2 "what can be told of a secret" secrets::judge,
    A3 "numbers over too few people" small_group::judge,
    A4 "what comes to those who do not need it" unneeded::judge,
    A5 "rights that were lost meanwhile" lapsed::judge,
    B1 "how much follows from one fact" growth::judge,
    C1 "which case a call is about" causality::judge,
    D1 "what stores hold in the end" final_state::judge,
    D2 "numbers and what they are made of" numbers::judge,
    D3 "numbers of one name" definitions::judge,
    D4 "the same facts again" again::judge,
    E1 "what is kept of people for too long" erasure::judge,
    G1 "what blocks the line" stuck::judge,
    I1 "who acts with whose rights" authority::judge,
    L1 "facts that vanish" loss::judge,
    L2 "facts that come too late" late::judge,
    P1 "groups in more than one place" groups::judge,
    P2 "pairs that never meet" pairs::judge,
    R1 "what waits longer and longer" backlog::judge,
    R2 "how much is under way at once" at_once::judge,
    R3 "what is remembered without end" unforgotten::judge,
    R4 "what an event costs" bill::judge,
    R5 "what comes too late to be of use" latency::judge,
    R6 "results that wait for another event" stall::judge,
    S1 "events that a reader cannot make sense of" contracts::judge,
    S2 "events that are too large" size::judge,
    T1 "half of a deed after a crash" torn::judge,
    V1 "what is always true" invariants::judge,
    W1 "writes that undo others" overwritten::judge,
    X1 "deeds done twice" effects::repeated,
    X2 "deeds without a reason" effects::unfounded,
}

/// What oracles know of a flow: made once, for all of its runs.
pub struct Context {
    document: Arc<Document>,
    /// Nodes that remember something for each key.
    keyed: BTreeMap<NodeId, Keyed>,
    joins: BTreeSet<NodeId>,
    /// How many rows a place shows at most.
    keep: BTreeMap<NodeId, usize>,
    /// Keys of the rows that tables write.
    row_keys: BTreeMap<NodeId, Expr>,
    ends: BTreeMap<NodeId, End>,
    /// Ports by which events leave that came too late.
    late: BTreeSet<(NodeId, u16)>,
    /// Those of them that wait for a time, and not for something else to come.
    timed: BTreeSet<NodeId>,
    /// Readers among which queues choose.
    rivals: Vec<Rivals>,
    bounds: Bounds,
    /// Largest events of channels, and slowest of sinks.
    limits: BTreeMap<NodeId, u64>,
    soon: BTreeMap<NodeId, u64>,
    aggregates: BTreeMap<NodeId, Aggregate>,
    /// Aggregates to which their results come back.
    round: BTreeSet<NodeId>,
    /// What stands before a node.
    before: BTreeMap<NodeId, Before>,
    /// Metrics of one name.
    metrics: Vec<Vec<NodeId>>,
    places: Vec<Place>,
    /// By channel: who works on what it hands out.
    workers: BTreeMap<NodeId, BTreeSet<NodeId>>,
    /// Code of which somebody said that it keeps answers.
    caches: BTreeSet<NodeId>,
    open: Open,
    /// Nodes that do something of their own with what they get.
    code: BTreeSet<NodeId>,
    releases: Vec<Release>,
    rights: Rights,
    /// Answers that more events refute.
    denials: BTreeMap<NodeId, Denial>,
    /// Nodes whose windows wait for events of sources that may fall silent.
    patient: BTreeSet<NodeId>,
    history: History,
    /// What the flow says about its load.
    said: Said,
    /// Nodes that remember something for each key, and never forget it.
    remembering: BTreeSet<NodeId>,
    /// What sinks say is always true of them.
    invariants: Invariants,
    /// For how long places keep what comes, in milliseconds.
    keepers: BTreeMap<NodeId, Option<u128>>,
    ways: Ways,
    speakers: Vec<Speaker>,
    /// What the configuration says, and the constants in it.
    texts: String,
    literals: Vec<Value>,
}

impl Context {
    pub fn new(document: &Arc<Document>, catalog: &Catalog) -> Context {
        let mut keyed = keys::keyed(document, catalog);
        // What leads to nobody matters to nobody.
        keyed.retain(|id, _| ends::leads_to_sink(document, catalog, id));
        let nodes = || {
            let nodes = document.nodes.iter().filter(|(_, node)| !node.disabled);
            nodes.filter_map(|(id, node)| Some((id, node, catalog.get(&node.kind)?)))
        };
        let joins = nodes().filter(|(.., kind)| matches!(kind.behaviour, Behaviour::Join { .. }));
        let row_keys = nodes().filter_map(|(id, node, kind)| match &kind.behaviour {
            Behaviour::Table { key, .. } => Some((id.clone(), keys::expr(node, kind, key)?)),
            _ => None,
        });
        let keep = nodes().filter_map(|(id, node, kind)| {
            let keep = kind.config(node, "keep")?.as_i64()?;
            Some((id.clone(), usize::try_from(keep).ok()?))
        });
        let late = nodes().filter_map(|(id, node, kind)| {
            let ports = kind.outputs_of(node);
            let late = ports.iter().position(|port| port.name == "late");
            late.map(|port| (id.clone(), port as u16))
        });
        let texts = canaries::texts(document);
        let aggregates = numbers::aggregates(document, catalog);
        let round = aggregates.keys().filter(|id| {
            let behind = ends::reached_without(document, [*id].into_iter(), None);
            behind.contains(id)
        });
        Context {
            round: round.cloned().collect(),
            aggregates,
            before: weights::before(document, catalog),
            metrics: definitions::metrics(document, catalog),
            places: places::places(document, catalog),
            workers: overlapping::workers(document, catalog),
            caches: answers::caches(document, catalog),
            open: Open::of(document),
            code: unneeded::code(document, catalog),
            denials: premature::denials(document, catalog),
            patient: stall::patient(document, catalog, &keyed),
            keepers: erasure::keepers(document, catalog),
            history: History::of(document, catalog),
            invariants: Invariants::of(document, catalog),
            said: Said::of(document, catalog),
            remembering: unforgotten::remembering(document, catalog),
            ways: loss::ways(document, catalog),
            rights: Rights::of(document, catalog),
            releases: releases::releases(document),
            speakers: speakers::speakers(document, catalog),
            literals: secrets::literals(&texts),
            texts,
            joins: joins.map(|(id, ..)| id.clone()).collect(),
            keep: keep.collect(),
            row_keys: row_keys.collect(),
            ends: ends::ends(document, catalog, &keyed),
            late: late.collect(),
            timed: late::timed(document, catalog),
            rivals: ends::rivals(document, catalog),
            limits: size::limits(document, catalog),
            soon: latency::soon(document, catalog),
            bounds: Bounds::of(document),
            keyed,
            document: Arc::clone(document),
        }
    }

    pub fn document(&self) -> &Document {
        &self.document
    }
}

impl Oracle {
    pub fn parse(id: &str) -> Option<Oracle> {
        let mut all = Oracle::ALL.iter().copied();
        all.find(|oracle| oracle.id() == id)
    }

    /// Whether it looks at how much comes and how long that takes, and not at what is in events.
    pub fn is_of_load(self) -> bool {
        matches!(self, Oracle::R1 | Oracle::R2 | Oracle::R4 | Oracle::R5)
    }

    /// What this one finds wrong with a run.
    pub fn judge(self, run: &Outcome, reference: &Outcome, context: &Context) -> Vec<Finding> {
        let mut findings = self.judge_of()(run, reference, context);
        findings.truncate(FINDINGS_MAX);
        findings
    }
}

/// What all oracles find wrong with a run.
pub fn judge(run: &Outcome, reference: &Outcome, context: &Context) -> Vec<Finding> {
    let all = Oracle::ALL.iter();
    all.flat_map(|oracle| oracle.judge(run, reference, context))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_oracle_is_told_of_in_the_table() {
        let page = include_str!("../../../docs/specs/oracles.md");
        let rows = page.lines().filter_map(|line| line.strip_prefix("| "));
        let ids = rows.filter_map(|row| row.split(' ').next());
        let told: Vec<&str> = ids.filter(|id| *id != "Id").collect();
        let all: Vec<&str> = Oracle::ALL.iter().map(|oracle| oracle.id()).collect();
        assert_eq!(told, all);
        for oracle in Oracle::ALL {
            assert_eq!(Oracle::parse(oracle.id()), Some(*oracle));
        }
    }
}
