//! Where facts end: sinks, and nodes that make one event of several.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use graph_model::catalog::{Access, Behaviour, Catalog, Family};
use graph_model::document::{Document, Edge};
use graph_model::id::NodeId;
use graph_model::value::Value;
use rustc_hash::FxHashMap;

use super::Context;
use super::keys::Keyed;
use crate::simulate::{Outcome, Sort, Step, What};

/// How a fact ends at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// It is a sink; otherwise it folds.
    pub(super) is_sink: bool,
    /// Nothing may be missing there.
    pub(super) needs_all: bool,
    /// What it does outlasts the process.
    pub(super) lasts: bool,
}

/// Ends that facts can be followed to. What stands behind a fold, or hears of a table or of files that
/// others write, is none: which fact brings a result about there is chance, and whoever looks at a file
/// sees the last that was put there.
pub(super) fn ends(
    document: &Document,
    catalog: &Catalog,
    keyed: &BTreeMap<NodeId, Keyed>,
) -> BTreeMap<NodeId, End> {
    let behaviour = |id: &NodeId| {
        let node = document.nodes.get(id).filter(|node| !node.disabled)?;
        Some((node, &catalog.get(&node.kind)?.behaviour))
    };
    let folds = |id: &NodeId| keyed.get(id).is_some_and(|keyed| keyed.folds);
    let begin = document
        .nodes
        .keys()
        .filter(|id| folds(id) || hears(document, catalog, id));
    let behind = reached(document, begin);
    let mut ends = BTreeMap::new();
    for id in document.nodes.keys().filter(|id| !behind.contains(*id)) {
        let Some((node, does)) = behaviour(id) else {
            continue;
        };
        let lasts = matches!(
            does,
            Behaviour::Table { .. } | Behaviour::Effect { .. } | Behaviour::Bucket { .. }
        );
        let is_sink = lasts || matches!(does, Behaviour::Observe { .. } | Behaviour::DeadLetter);
        if !is_sink && !folds(id) {
            continue;
        }
        let declared = node.notes.declared.get("must_not_lose");
        let may_lose = node.notes.assumptions.contains_key("may_lose");
        let needs_all = declared.and_then(Value::as_bool).unwrap_or(lasts) && !may_lose;
        ends.insert(
            id.clone(),
            End {
                is_sink,
                needs_all,
                lasts,
            },
        );
    }
    // A fold needs all that something behind it needs. Rows that are looked up go nowhere themselves.
    let is_row = |edge: &Edge| {
        let rows = document.nodes.get(&edge.to.node).and_then(|node| {
            let kind = catalog.get(&node.kind)?;
            let looks_up = matches!(kind.behaviour, Behaviour::Enrich { .. });
            kind.inputs.get(1).filter(|_| looks_up)
        });
        rows.is_some_and(|rows| rows.name == edge.to.port)
    };
    let asked = |id: &NodeId| {
        let behind = reached_along(document, [id].into_iter(), |edge| !is_row(edge));
        behind.iter().any(|behind| {
            behaviour(behind).is_some_and(|(node, does)| {
                let declared = node.notes.declared.get("must_not_lose");
                let lasts = matches!(does, Behaviour::Table { .. } | Behaviour::Effect { .. });
                let may_lose = node.notes.assumptions.contains_key("may_lose");
                declared.and_then(Value::as_bool).unwrap_or(lasts) && !may_lose
            })
        })
    };
    for (id, end) in &mut ends {
        end.needs_all |= !end.is_sink && asked(id);
    }
    ends
}

/// Whether a node hears of what another node here writes.
fn hears(document: &Document, catalog: &Catalog, id: &NodeId) -> bool {
    !writers(document, catalog, id).is_empty()
}

/// The nodes of which a node hears what they write.
fn writers<'d>(document: &'d Document, catalog: &Catalog, id: &NodeId) -> Vec<&'d NodeId> {
    let resource = |id: &NodeId| {
        let node = document.nodes.get(id).filter(|node| !node.disabled)?;
        let kind = catalog.get(&node.kind)?;
        let held = kind.resource.as_ref()?;
        let names = held.named_by.iter().map(|field| kind.config(node, field));
        Some((&held.sort, held.access, names.collect::<Vec<_>>()))
    };
    let Some((sort, Access::Hears, names)) = resource(id) else {
        return Vec::new();
    };
    let writes = |other: &&NodeId| {
        resource(other).is_some_and(|(of, access, named)| {
            access != Access::Hears && of == sort && named == names
        })
    };
    document.nodes.keys().filter(writes).collect()
}

/// Nodes to which wires lead from some nodes, and stores that one writes and another hears of.
pub(super) fn reached_through_stores<'d>(
    document: &'d Document,
    catalog: &Catalog,
    from: impl Iterator<Item = &'d NodeId>,
) -> BTreeSet<&'d NodeId> {
    let mut begin: BTreeSet<&NodeId> = from.collect();
    loop {
        let behind = reached(document, begin.iter().copied());
        let known = |id: &NodeId| begin.contains(id) || behind.contains(id);
        let hear = document.nodes.keys().filter(|id| !known(id));
        let hear = hear.filter(|id| writers(document, catalog, id).into_iter().any(known));
        let hear: Vec<&NodeId> = hear.collect();
        if hear.is_empty() {
            return behind;
        }
        begin.extend(hear);
    }
}

/// Nodes to which wires lead from some nodes.
fn reached<'d>(
    document: &'d Document,
    from: impl Iterator<Item = &'d NodeId>,
) -> BTreeSet<&'d NodeId> {
    reached_without(document, from, None)
}

/// The same, not through one of them.
pub(super) fn reached_without<'d>(
    document: &'d Document,
    from: impl Iterator<Item = &'d NodeId>,
    without: Option<&NodeId>,
) -> BTreeSet<&'d NodeId> {
    reached_along(document, from, |edge| Some(&edge.to.node) != without)
}

/// The same along some wires.
fn reached_along<'d>(
    document: &'d Document,
    from: impl Iterator<Item = &'d NodeId>,
    goes: impl Fn(&Edge) -> bool,
) -> BTreeSet<&'d NodeId> {
    let mut reached = BTreeSet::new();
    let mut next: VecDeque<&NodeId> = from.collect();
    while let Some(node) = next.pop_front() {
        for edge in document.edges.values() {
            let to = &edge.to.node;
            if edge.from.node == *node && goes(edge) && reached.insert(to) {
                next.push_back(to);
            }
        }
    }
    reached
}

/// Whether what a node sends comes to a sink.
pub(super) fn leads_to_sink(document: &Document, catalog: &Catalog, from: &NodeId) -> bool {
    let is_sink = |id: &&NodeId| {
        let node = document.nodes.get(*id);
        let kind = node.and_then(|node| catalog.get(&node.kind));
        kind.is_some_and(|kind| kind.family == Family::Sink)
    };
    reached(document, [from].into_iter()).iter().any(is_sink)
}

/// For each fact of a run, the ends that it came to.
pub(super) fn reached_by<'o>(
    run: &'o Outcome,
    ends: &BTreeMap<NodeId, End>,
) -> Vec<Vec<&'o NodeId>> {
    let mut reached: Vec<Vec<&NodeId>> = vec![Vec::new(); run.facts.len()];
    for step in &run.trace {
        let Some(of) = step.fact.and_then(|fact| reached.get_mut(fact as usize)) else {
            continue;
        };
        let wanted = match step.what {
            What::Written => true,
            What::Handled => false,
            _ => continue,
        };
        if ends
            .get(&step.node)
            .is_some_and(|end| end.is_sink == wanted)
            && !of.contains(&&step.node)
        {
            of.push(&step.node);
        }
    }
    reached
}

/// What goes wrong so that an event is not there any more.
const TAKES_AWAY: [Sort; 3] = [Sort::Crash, Sort::Recycle, Sort::Lose];

/// What became of a fact that did not come where it should have.
#[derive(Default)]
pub(super) struct Trail<'o> {
    /// Where it was last.
    pub(super) last: Option<&'o NodeId>,
    /// It was given up, and told so or kept.
    pub(super) given_up: bool,
    /// An operator let it go, or led it another way than in the reference, or a queue did.
    pub(super) decided: bool,
}

/// Those among whom a queue chooses who gets an event.
pub(super) struct Rivals {
    queue: NodeId,
    readers: BTreeSet<NodeId>,
    /// Some of them are channels, which take events without a word.
    silent: bool,
}

/// Queues with several readers.
pub(super) fn rivals(document: &Document, catalog: &Catalog) -> Vec<Rivals> {
    let kind = |id: &NodeId| catalog.get(&document.nodes.get(id)?.kind);
    let is_channel = |id: &NodeId| kind(id).is_some_and(|kind| kind.family == Family::Channel);
    let queues = document.nodes.iter().filter_map(|(id, node)| {
        let kind = kind(id).filter(|kind| matches!(kind.behaviour, Behaviour::Queue { .. }))?;
        let out = kind.outputs_of(node).first()?.name.clone();
        let edges = document.edges.values();
        let edges = edges.filter(|edge| edge.from.node == *id && edge.from.port == out);
        let readers: BTreeSet<NodeId> = edges.map(|edge| edge.to.node.clone()).collect();
        Some(Rivals {
            queue: id.clone(),
            silent: readers.iter().any(is_channel),
            readers,
        })
    });
    queues.filter(|rivals| rivals.readers.len() > 1).collect()
}

/// Whether an event came to a node: to one that handles it, or to a channel that hands it out.
fn comes(step: &Step) -> bool {
    matches!(step.what, What::Handled | What::Delivered)
}

/// Follows a fact; `meant` is the same fact in the reference.
pub(super) fn trail<'o>(
    run: &'o Outcome,
    fact: u32,
    reference: &Outcome,
    meant: u32,
    context: &Context,
) -> Trail<'o> {
    let mut trail = Trail::default();
    // Handled, sent on, taken away.
    let mut nodes: FxHashMap<&NodeId, (u32, u32, bool)> = FxHashMap::default();
    let mut ways: BTreeSet<(&NodeId, u16)> = BTreeSet::new();
    let mut order: BTreeMap<&NodeId, Vec<u16>> = BTreeMap::new();
    let mut acked: BTreeSet<&NodeId> = BTreeSet::new();
    let mut came: BTreeSet<&NodeId> = BTreeSet::new();
    for step in run.trace.iter().filter(|step| step.fact == Some(fact)) {
        trail.last = Some(&step.node);
        if comes(step) {
            came.insert(&step.node);
        }
        let at = nodes.entry(&step.node).or_default();
        match step.what {
            What::Handled => at.0 += 1,
            What::Emitted | What::Unled => {
                at.1 += 1;
                // That it is late for a result no operator decides.
                if !(step.what == What::Unled
                    && context.late.contains(&(step.node.clone(), step.port)))
                {
                    ways.insert((&step.node, step.port));
                    order.entry(&step.node).or_default().push(step.port);
                }
            }
            What::Written => at.1 += 1,
            What::GivenUp => trail.given_up = true,
            What::Acked => {
                acked.insert(&step.node);
            }
            What::Fault => at.2 |= TAKES_AWAY.iter().any(|sort| *sort as u16 == step.port),
            _ => {}
        }
    }
    let of_reference = || {
        reference
            .trace
            .iter()
            .filter(|step| step.fact == Some(meant))
    };
    let leaves = |step: &Step| matches!(step.what, What::Emitted | What::Unled);
    let left = |node: &NodeId, port: u16| {
        of_reference().any(|step| leaves(step) && step.node == *node && step.port == port)
    };
    trail.decided |= ways.iter().any(|(node, port)| !left(node, *port));
    // What comes several times may leave by all ways in the end, and in another order.
    trail.decided |= order.iter().any(|(node, ports)| {
        let meant = of_reference().filter(|step| leaves(step) && step.node == **node);
        let mut both = ports.iter().zip(meant.map(|step| step.port));
        both.any(|(port, meant)| *port != meant)
    });
    trail.decided |= context.rivals.iter().any(|rivals| {
        let readers = rivals.readers.iter();
        let got: BTreeSet<&NodeId> = readers.filter(|node| came.contains(*node)).collect();
        if got.is_empty() {
            let taken = nodes.values().any(|(.., taken)| *taken);
            return rivals.silent && !taken && acked.contains(&rivals.queue);
        }
        let meant = of_reference().filter(|step| comes(step));
        let meant = meant.map(|step| &step.node);
        got != meant
            .filter(|node| rivals.readers.contains(*node))
            .collect()
    });
    trail.decided |= of_reference().any(|step| {
        step.what == What::Emitted
            && nodes
                .get(&step.node)
                .is_some_and(|(handled, sent, taken)| *handled > 0 && *sent == 0 && !taken)
    });
    trail
}
