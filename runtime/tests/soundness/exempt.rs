//! Places of which the silence of the rules does not promise that they come to the same, by name and
//! with the reason. Each is a gap that somebody may close.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use graph_model::document::{Document, Edge, Node};
use graph_model::id::NodeId;
use graph_model::value::Value;

/// Why a place may come to something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    /// It keeps every event that comes, and these are results that change with each event: the last
    /// one is always the same, those in between are not. No rule tells the two apart.
    EveryResult,
    /// What comes late, without a partner or once more is led aside. That is a matter of the
    /// schedule, and rules are content when nothing is lost (ORDER-004).
    LedAside,
    /// An answer at the first event of either input. ORDER-006 speaks of what cannot be taken back
    /// only, and no rule looks at the order of two inputs.
    EarlyAnswer,
    /// The first event of a key is taken and the others are left out, and nobody says that the key is
    /// one event's own. No rule asks which one comes first.
    FirstOfKey,
    /// What a join refuses behind a place comes again, and writes there once more. No rule follows failures back
    /// to where they are tried again.
    FailsBehind,
    /// The last number of all is shown, whoever sent it.
    LastNumber,
    /// How many events there were stands beside an answer that is the same without copies.
    CountBeside,
    /// Windows, gaps and partners close by what has come, and how long a channel may take nobody can
    /// declare: `max_delay` is about sources.
    SlowChannel,
    /// A row that comes after the event is too late for it, even by event time; ORDER-007 takes
    /// `as_of` for enough.
    Lookup,
    /// A queue hands each event to one of several wires, whichever takes it first. No rule asks whether
    /// the same is done behind all of them.
    Competing,
    /// Files that came since the last look are read by their names. Rules take them to come in the
    /// order in which they were written.
    ByName,
    /// Which events share a window of so many is a matter of their order. Where a window holds all of
    /// its group it is not, and nobody can say that it does.
    CountWindow,
    /// What is older than what was there is left out on purpose.
    Outdated,
    /// Two changes of one row follow each other through a loop for ever, each bringing back what the
    /// other replaced. The rules look at one change at a time.
    Echo,
    /// The same fact comes by several ways, or round a loop, and its events have one key: the last
    /// one wins. Meetings keep what identified the fact on each way.
    SeveralWays,
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

    /// Why the place of a sink is not judged; nothing when it is.
    pub(crate) fn exempt(&self, sink: &'d NodeId) -> Option<Reason> {
        let node = self.document.nodes.get(sink)?;
        let before = self.before(sink);
        let any = |is: &dyn Fn(&Node) -> bool| {
            let mut nodes = before.iter().filter_map(|id| self.document.nodes.get(*id));
            nodes.any(|node| is(node))
        };
        let is = |node: &Node, field: &str, value: &str| node.config_str(field) == Some(value);
        let mode = node.config_str("mode").unwrap_or("upsert");
        let keeps_all = match node.kind.as_str() {
            "effect" | "http_out" | "export" | "bucket" | "console" => true,
            "view" => node.config.get("key").is_none(),
            "table" => mode == "append",
            _ => false,
        };
        let changes = |node: &Node| match node.kind.as_str() {
            "aggregate" => node.config_str("window").unwrap_or("none") == "none",
            "fold" | "table_changes" | "version_guard" => true,
            _ => false,
        };
        if any(&|node| node.kind == "decide" && is(node, "wait", "no")) {
            return Some(Reason::EarlyAnswer);
        }
        let competing = before.iter().any(|id| {
            let mut wires = self.document.edges.values();
            let from = |edge: &&Arc<Edge>| edge.from.node == **id && edge.from.port == "out";
            let is_queue = self
                .document
                .nodes
                .get(*id)
                .is_some_and(|node| node.kind == "queue");
            is_queue && wires.by_ref().filter(from).count() > 1
        });
        let passes_on = self.document.nodes.iter().any(|(id, node)| {
            let refuses = node.config_str("unique").unwrap_or("none") != "none";
            node.kind == "join" && refuses && self.before(id).contains(sink)
        });
        if passes_on {
            return Some(Reason::FailsBehind);
        }
        if competing {
            return Some(Reason::Competing);
        }
        if any(&|node| node.kind == "file_watch") && any(&|node| node.kind == "bucket") {
            return Some(Reason::ByName);
        }
        if self.leads_aside(&before) {
            return Some(Reason::LedAside);
        }
        let waits = |node: &Node| match node.kind.as_str() {
            "aggregate" => is(node, "window", "time"),
            "decide" => node.config_str("wait").unwrap_or("window") == "window",
            "join" | "resequence" => true,
            _ => false,
        };
        let slow = before.iter().any(|id| {
            let waits = self.document.nodes.get(*id).is_some_and(|node| waits(node));
            waits && self.is_slow(id)
        });
        if slow {
            return Some(Reason::SlowChannel);
        }
        if any(&|node| node.kind == "aggregate" && is(node, "window", "count")) {
            return Some(Reason::CountWindow);
        }
        if any(&|node| {
            let once = node
                .config
                .get("count")
                .and_then(Value::as_i64)
                .unwrap_or(1)
                == 1;
            let fewer = is(node, "claim", "fewer_than") && once;
            node.kind == "decide" && (fewer || is(node, "claim", "absent"))
        }) {
            return Some(Reason::CountBeside);
        }
        if node.kind == "metric" && node.config.get("key").is_none() {
            return Some(Reason::LastNumber);
        }
        let mut types = self.document.types.values();
        let versions = types.any(|ty| ty.stands_for() == Some("version"));
        let picks = |node: &Node| {
            let key = node.config_str("key");
            let own = key.is_some_and(|key| key.contains("$event.id") || is_own(key) && !versions);
            ["effect", "http_out", "dedupe"].contains(&node.kind.as_str()) && key.is_some() && !own
        };
        if any(&picks) {
            return Some(Reason::FirstOfKey);
        }
        if any(&|node| node.kind == "enrich") {
            return Some(Reason::Lookup);
        }
        // To fold results that change is the matter of another promise (PART-006).
        let folds_changes = before.iter().any(|id| {
            let folds = |id: &NodeId| {
                let node = self.document.nodes.get(id);
                node.is_some_and(|node| ["aggregate", "fold"].contains(&node.kind.as_str()))
            };
            let changed = |other: &&&NodeId| {
                let node = self.document.nodes.get(**other);
                *other != id && node.is_some_and(|node| changes(node))
            };
            folds(id) && self.before(id).iter().any(|other| changed(&other))
        });
        if folds_changes || keeps_all && any(&changes) {
            return Some(Reason::EveryResult);
        }
        let last_wins = match node.kind.as_str() {
            // A table that appends takes the same event once.
            "table" | "bucket" | "effect" | "http_out" => true,
            _ => node.config.get("key").is_some(),
        };
        let last_wins = last_wins || any(&|node| node.kind == "dedupe");
        (last_wins && self.meets_itself(&before)).then_some(Reason::SeveralWays)
    }

    /// A node and everything that feeds it.
    fn before(&self, node: &'d NodeId) -> BTreeSet<&'d NodeId> {
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

    /// Whether what comes to a node may come later than its sources say: through channels, or beside
    /// what another source sends.
    fn is_slow(&self, node: &'d NodeId) -> bool {
        let before = self.before(node);
        let of = |kinds: &[&str]| {
            let kinds = before.iter().filter(|id| {
                let node = self.document.nodes.get(**id);
                node.is_some_and(|node| kinds.contains(&node.kind.as_str()))
            });
            kinds.count()
        };
        // A caller may come as late as it likes.
        let sources = ["manual", "replay", "http", "generator", "schedule"];
        of(&[
            "log",
            "queue",
            "topic",
            "repartition",
            "table_changes",
            "file_watch",
        ]) > 0
            || of(&["http"]) > 0
            || of(&sources) > 1
            || self.meets_itself(&before)
    }

    /// Whether one of the nodes leads something aside, wherever to.
    fn leads_aside(&self, nodes: &BTreeSet<&NodeId>) -> bool {
        const ASIDE: [&str; 5] = ["late", "stale", "repeated", "unmatched", "missing"];
        let mut edges = self.document.edges.values();
        edges
            .any(|edge| nodes.contains(&edge.from.node) && ASIDE.contains(&edge.from.port.as_str()))
    }

    /// Whether something reaches one of the nodes by several ways.
    fn meets_itself(&self, nodes: &BTreeSet<&'d NodeId>) -> bool {
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
fn is_own(key: &str) -> bool {
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
