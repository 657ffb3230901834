//! Writes one thing and lets the rest follow from it.

use std::collections::BTreeSet;

use super::{fix, kind_that};
use crate::catalog::{Behaviour, KindSpec, PortRole};
use crate::document::Node;
use crate::edit::TransactionBuilder;
use crate::id::{NodeId, PortRef};
use crate::validate::Fix;
use crate::validate::design::{Design, EdgeIx, NodeIx};
use crate::validate::facts::Facts;
use crate::validate::rules::delivery::dual_write::is_action;
use crate::value::Value;

/// Nodes behind an edge that are looked at; behind more of them nothing is promised.
const LOOKS_MAX: usize = 256;

/// `parts` is where the ways of the events of `source` to the `actions` part. The rest follows from
/// what one of them, a table, stored, or from a log in front of all.
pub(in crate::validate) fn follow_one_write(
    facts: &Facts,
    source: NodeIx,
    parts: NodeIx,
    actions: &[NodeIx],
) -> Vec<Fix> {
    let design = &*facts.design;
    let outbox = actions
        .iter()
        .find_map(|action| outbox(design, parts, *action));
    [outbox, write_to_a_log(design, source, parts)]
        .into_iter()
        .flatten()
        .chain(one_transaction(design, actions))
        .collect()
}

/// What else was done with an event is done with the change of the table that it made.
fn outbox(design: &Design, parts: NodeIx, table: NodeIx) -> Option<Fix> {
    let view = &design.nodes[table];
    let table_kind = view.kind.as_ref()?;
    let Behaviour::Table { .. } = table_kind.behaviour else {
        return None;
    };
    // The row holds the event as it came to the table, and as it goes to the others.
    let main = |node: NodeIx| {
        let outs = design.nodes[node].outs.iter().copied();
        outs.filter(|edge| {
            let edge = &design.edges[*edge];
            edge.role == PortRole::Data && edge.main && !edge.resource
        })
    };
    let beside = !is_action(design, parts) && main(parts).any(|edge| goes_to(design, edge, table));
    if !design.columns(table).is_empty() || !(beside || parts == table) {
        return None;
    }
    let from = if parts == table { None } else { Some(parts) };
    let moved: Vec<EdgeIx> = from
        .into_iter()
        .chain([table])
        .flat_map(main)
        .filter(|edge| !goes_to(design, *edge, table) && leads_to_action(design, *edge))
        .collect();
    if moved.is_empty() {
        return None;
    }
    let behind = Behind::of(design, &moved)?;
    if behind.counts {
        return None;
    }
    let changes = kind_that(design, |does| matches!(does, Behaviour::Changes { .. }))?;
    let map = kind_that(design, |does| matches!(does, Behaviour::Map { .. }))?;
    let Behaviour::Map { expr } = &map.behaviour else {
        return None;
    };
    let (written, heard) = (table_kind.resource.as_ref()?, changes.resource.as_ref()?);
    let (out, taken, made) = (
        &changes.outputs.first()?.name,
        &map.inputs.first()?.name,
        &map.outputs.first()?.name,
    );
    let mut hears = Node::new(changes.id.clone());
    for (from, to) in written.named_by.iter().zip(&heard.named_by) {
        hears = hears.with(to, design.value(table, from)?.clone());
    }
    let row = Node::new(map.id.clone()).with(expr, ".after.data");
    let title = design.title(table);
    let text = format!("Do the rest with each change of {title}");
    let caution = "an event that changes no row is no change";
    Some(fix(design, text, caution, |build| {
        let hears = build.add_node(&"changes".into(), hears, None);
        let row = build.add_node(&"row".into(), row, None);
        build.connect(
            PortRef::new(hears, out.clone()),
            PortRef::new(row.clone(), taken.clone()),
        );
        for edge in moved {
            build.change_edge(&design.edges[edge].id, |edge| {
                edge.from = PortRef::new(row.clone(), made.clone());
            });
        }
        behind.give_keys(build);
    }))
}

fn goes_to(design: &Design, edge: EdgeIx, node: NodeIx) -> bool {
    design.edges[edge].to == node
}

/// Whether something is done for good behind a wire.
fn leads_to_action(design: &Design, edge: EdgeIx) -> bool {
    let mut seen = BTreeSet::new();
    let first = design.edges[edge].to;
    let behind = design.behind(first, &mut seen);
    behind
        .into_iter()
        .chain([first])
        .any(|node| is_action(design, node))
}

/// A log takes the event in one step and delivers it until all is done.
fn write_to_a_log(design: &Design, source: NodeIx, parts: NodeIx) -> Option<Fix> {
    let log = kind_that(design, |does| matches!(does, Behaviour::Log { .. }))?;
    let dedupe = kind_that(design, |does| matches!(does, Behaviour::Dedupe { .. }))?;
    let data = |edge: &&EdgeIx| {
        let edge = &design.edges[**edge];
        !edge.resource && edge.role == PortRole::Data
    };
    let own = source == parts;
    let view = &design.nodes[parts];
    let edges: Vec<EdgeIx> = if own {
        view.outs.iter().filter(data).copied().collect()
    } else {
        view.ins.iter().filter(data).copied().collect()
    };
    let first = &design.edges[*edges.first()?].edge;
    let behind = if own {
        Behind::of(design, &edges)?
    } else {
        Behind::of_node(design, parts)?
    };
    let (from, to) = (first.from.clone(), first.to.clone());
    let ports = |kind: &KindSpec| {
        let (input, output) = (kind.inputs.first()?, kind.outputs.first()?);
        Some((input.name.clone(), output.name.clone()))
    };
    let (log_ports, dedupe_ports) = (ports(log)?, ports(dedupe)?);
    let title = design.title(parts);
    let text = if own {
        format!("Put a log behind {title}")
    } else {
        format!("Put a log in front of {title}")
    };
    let caution = "the log has to outlive a crash, and what is behind it may be done again";
    Some(fix(design, text, caution, |build| {
        let held = build.add_node(&"held".into(), Node::new(log.id.clone()), None);
        let (start, mut end) = (
            PortRef::new(held.clone(), log_ports.0),
            PortRef::new(held, log_ports.1),
        );
        if behind.counts {
            let once = build.add_node(&"once".into(), Node::new(dedupe.id.clone()), None);
            build.connect(end, PortRef::new(once.clone(), dedupe_ports.0));
            end = PortRef::new(once, dedupe_ports.1);
        } else {
            behind.give_keys(build);
        }
        for edge in &edges {
            build.change_edge(&design.edges[*edge].id, |edge| {
                if own {
                    edge.from = end.clone();
                } else {
                    edge.to = start.clone();
                }
            });
        }
        if own {
            build.connect(from, start);
        } else {
            build.connect(end, to);
        }
    }))
}

/// Tables are written together.
fn one_transaction(design: &Design, actions: &[NodeIx]) -> Option<Fix> {
    let tables = actions
        .iter()
        .all(|node| matches!(design.behaviour(*node), Some(Behaviour::Table { .. })));
    let [first, ..] = actions else { return None };
    if !tables {
        return None;
    }
    let titles: Vec<&str> = actions.iter().map(|node| design.title(*node)).collect();
    let text = format!("Write {} in one transaction", titles.join(", "));
    let group = design.declared_text(*first, "atomic");
    let group = group.map_or_else(
        || format!("with_{}", design.nodes[*first].id),
        str::to_owned,
    );
    let caution = "a promise: whoever writes them has to keep it";
    Some(fix(design, text, caution, |build| {
        for node in actions {
            build.change_node(&design.nodes[*node].id, |node| {
                node.notes.declared.insert("atomic", group.as_str());
            });
        }
    }))
}

/// What lies behind some wires, up to the next channel or dedupe.
struct Behind {
    /// Something adds up what comes.
    counts: bool,
    /// Effects without a key, and the fields of their keys.
    unkeyed: Vec<(NodeId, String)>,
}

impl Behind {
    fn of(design: &Design, edges: &[EdgeIx]) -> Option<Behind> {
        let starts = edges.iter().map(|edge| design.edges[*edge].to);
        Behind::look(design, starts.collect())
    }

    fn of_node(design: &Design, node: NodeIx) -> Option<Behind> {
        Behind::look(design, vec![node])
    }

    fn look(design: &Design, mut open: Vec<NodeIx>) -> Option<Behind> {
        let mut behind = Behind {
            counts: false,
            unkeyed: Vec::new(),
        };
        let mut seen: BTreeSet<NodeIx> = open.iter().copied().collect();
        while let Some(node) = open.pop() {
            if seen.len() > LOOKS_MAX {
                return None;
            }
            match design.behaviour(node) {
                Some(
                    Behaviour::Queue { .. }
                    | Behaviour::Topic
                    | Behaviour::Log { .. }
                    | Behaviour::Dedupe { .. },
                ) => continue,
                Some(
                    Behaviour::Aggregate { .. }
                    | Behaviour::Fold { .. }
                    | Behaviour::Decide { .. }
                    | Behaviour::Opaque { .. },
                ) => behind.counts = true,
                Some(Behaviour::Effect { key }) if design.text(node, key).is_none() => {
                    let id = design.nodes[node].id.clone();
                    behind.unkeyed.push((id, key.to_string()));
                }
                _ => {}
            }
            for edge in &design.nodes[node].outs {
                let to = design.edges[*edge].to;
                if !design.edges[*edge].resource && seen.insert(to) {
                    open.push(to);
                }
            }
        }
        behind.unkeyed.sort();
        Some(behind)
    }

    /// Effects recognise what they have done by the id of the event.
    fn give_keys(&self, build: &mut TransactionBuilder<'_>) {
        for (node, field) in &self.unkeyed {
            build.set_config(node, field, Some(Value::from("$event.id")));
        }
    }
}
