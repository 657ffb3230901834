//! What lies before a place, and what the silence of the rules does not promise there, with the reason.
//! Each is a gap that somebody may close.

use std::collections::{BTreeMap, BTreeSet};

use graph_model::document::{Document, Node};
use graph_model::id::NodeId;
use runtime::simulate::{Outcome, Sort};

use crate::facts::brings_facts;

/// Where ways to a node are not counted any further.
const WAYS_MAX: usize = 1_000;

/// Why a promise does not hold of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    /// What is older than what was there is left out on purpose.
    Outdated,
    /// Two changes of one row follow each other through a loop for ever, each bringing back what the
    /// other replaced. The rules look at one change at a time.
    Echo,
    /// What remembers events lets pass again what was refused behind it, or it would be lost; where it ends
    /// a loop the event goes round again with each try. No rule asks what may be refused there.
    Forgets,
    /// What is refused beside a loop is tried again, and goes round with each try: as often as the tries of
    /// each round multiplied. LOOP-004 looks at the tries of calls, and not of rounds.
    Tries,
    /// What a lookup finds no row for is no loss.
    Lookup,
    /// Nothing comes round, so it ends, but pairs of pairs are more than is worth playing.
    Many,
}

/// Wires against the stream, through stores as well.
pub(crate) struct Upstream<'d> {
    document: &'d Document,
    feeds: BTreeMap<&'d NodeId, Vec<(&'d NodeId, &'d str)>>,
}

impl<'d> Upstream<'d> {
    pub(crate) fn of(document: &'d Document) -> Upstream<'d> {
        let mut feeds: BTreeMap<&NodeId, Vec<(&NodeId, &str)>> = BTreeMap::new();
        for edge in document.edges.values() {
            let from = (&edge.from.node, edge.from.port.as_str());
            feeds.entry(&edge.to.node).or_default().push(from);
        }
        for (source, node) in &document.nodes {
            let field = match node.kind.as_str() {
                "table_changes" => "table",
                "file_watch" => "folder",
                _ => continue,
            };
            let writes = document.nodes.iter().filter(|(_, other)| {
                ["table", "bucket"].contains(&other.kind.as_str())
                    && other.config_str(field) == node.config_str(field)
            });
            let writes = writes.map(|(id, _)| (id, "out"));
            feeds.entry(source).or_default().extend(writes);
        }
        Upstream { document, feeds }
    }

    /// Why what does not come to a sink is no loss there.
    pub(crate) fn may_miss(&self, sink: &NodeId) -> Option<Reason> {
        let before = self.before(self.document.nodes.get_key_value(sink)?.0);
        let mut nodes = before.iter().filter_map(|id| self.document.nodes.get(*id));
        nodes.find_map(|node| match node.kind.as_str() {
            "enrich" => Some(Reason::Lookup),
            "version_guard" => Some(Reason::Outdated),
            "table" if node.config_str("mode") == Some("compare_and_set") => Some(Reason::Outdated),
            _ => None,
        })
    }

    /// Why a loop may not end although each round alone would.
    pub(crate) fn may_echo(&self) -> Option<Reason> {
        let echoes = self.document.nodes.iter().any(|(id, node)| {
            let before = self.feeds.get(id).into_iter().flatten();
            let comes_back = before
                .clone()
                .any(|(from, _)| self.before(from).contains(id));
            node.kind == "table" && node.config_str("mode") != Some("append") && comes_back
        });
        echoes.then_some(Reason::Echo)
    }

    /// Why a loop did not end in a run although a memory of what came ends it.
    pub(crate) fn forgets(&self, run: &Outcome) -> Option<Reason> {
        let refused = |id: &NodeId| {
            let count = run.counters.nodes.get(id);
            count.is_some_and(|count| count.failed > 0)
        };
        let forgets = self.document.nodes.iter().any(|(id, node)| {
            let feeds = self.feeds.get(id).into_iter().flatten();
            let mut before = feeds.map(|(from, _)| self.before(from));
            // So does what waits until so many have come.
            let remembers = ["dedupe", "version_guard"].contains(&node.kind.as_str())
                || node.config_str("window") == Some("count");
            remembers && before.any(|before| before.contains(id)) && {
                let mut nodes = self.document.nodes.keys();
                nodes.any(|other| refused(other) && self.before(other).contains(id))
            }
        });
        forgets.then_some(Reason::Forgets)
    }

    /// Why a run was cut off although each loop ends: a channel in it tried again what was refused behind it.
    pub(crate) fn tries(&self, run: &Outcome) -> Option<Reason> {
        let tries = self.document.nodes.iter().any(|(id, node)| {
            let feeds = self.feeds.get(id).into_iter().flatten();
            let mut before = feeds.map(|(from, _)| self.before(from));
            let in_a_loop = before.any(|before| before.contains(id));
            ["queue", "log", "topic"].contains(&node.kind.as_str()) && in_a_loop && {
                let mut refused = run.counters.nodes.iter();
                refused.any(|(other, count)| {
                    let known = self.document.nodes.get_key_value(other);
                    count.failed > 0
                        && known.is_some_and(|(other, _)| self.before(other).contains(id))
                })
            }
        });
        (tries && run.faults.contains_key(&Sort::Refuse)).then_some(Reason::Tries)
    }

    /// Why a run was cut off although there is no loop.
    pub(crate) fn multiplies(&self) -> Option<Reason> {
        let comes_round = self.document.nodes.keys().any(|id| {
            let mut feeds = self.feeds.get(id).into_iter().flatten();
            feeds.any(|(from, _)| self.before(from).contains(id))
        });
        (!comes_round).then_some(Reason::Many)
    }

    /// A node and everything that feeds it.
    pub(crate) fn before(&self, node: &'d NodeId) -> BTreeSet<&'d NodeId> {
        let (mut open, mut seen) = (vec![node], BTreeSet::from([node]));
        while let Some(at) = open.pop() {
            for (from, _) in self.feeds.get(at).into_iter().flatten() {
                if seen.insert(from) {
                    open.push(from);
                }
            }
        }
        seen
    }

    /// By how many ways events of sources come to a node. What comes round in a loop comes by one more.
    pub(crate) fn ways_to(&self, node: &NodeId) -> usize {
        let (mut open, mut ways) = (vec![vec![node]], 0);
        while let Some(way) = open.pop() {
            let at = way[way.len() - 1];
            let known = self.document.nodes.get(at);
            ways += usize::from(known.is_some_and(|node| brings_facts(node)));
            if ways >= WAYS_MAX || open.len() >= WAYS_MAX {
                return WAYS_MAX;
            }
            for (from, _) in self.feeds.get(at).into_iter().flatten() {
                if way.contains(from) {
                    ways += 1;
                } else {
                    open.push(way.iter().copied().chain([*from]).collect());
                }
            }
        }
        ways
    }

    /// Whether something reaches one of the nodes by several ways.
    pub(crate) fn meets_itself(&self, nodes: &BTreeSet<&'d NodeId>) -> bool {
        nodes.iter().any(|node| {
            let feeds = self.feeds.get(*node).into_iter().flatten();
            let mut seen = BTreeSet::new();
            for (from, _) in feeds {
                let before = self.before(from);
                if before.contains(*node) || !seen.is_disjoint(&before) {
                    return true;
                }
                seen.extend(before);
            }
            false
        })
    }
}

/// Whether a key is the field with the id of a fact.
pub(crate) fn is_own(key: &str) -> bool {
    key.rsplit_once('.').is_some_and(|(_, field)| field == "id")
}

/// The name of the place that a sink writes to, as outcomes have it.
pub(crate) fn place_of(id: &NodeId, node: &Node) -> Option<String> {
    let text = |field: &str, otherwise: &str| {
        let held = node.config_str(field).unwrap_or(otherwise);
        held.to_owned()
    };
    Some(match node.kind.as_str() {
        "table" => format!("table data.sqlite/{}", text("table", "")),
        "bucket" => format!("folder {}", text("folder", "objects")),
        "effect" => format!("effects {}", text("journal", "effects.jsonl")),
        "http_out" => format!("calls {}", text("url", "")),
        "export" => format!("file {}", text("file", "")),
        "dead_letter" => format!("file {}", text("file", "dead-letters.jsonl")),
        "view" | "metric" | "console" => format!("{} {id}", node.kind),
        _ => return None,
    })
}
