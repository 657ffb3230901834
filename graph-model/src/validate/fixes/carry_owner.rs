//! Carries the owner of what is shown through all steps that lose it.

use std::collections::{BTreeMap, VecDeque};

use smol_str::SmolStr;

use super::compare_owner::claim;
use super::identify::path;
use super::{change_audience, fix};
use crate::catalog::{Behaviour, FieldType, JqRole};
use crate::document::RowFilter;
use crate::expr::Expr;
use crate::pointer::Pointer;
use crate::validate::Fix;
use crate::validate::design::{EdgeIx, NodeIx};
use crate::validate::facts::groups::parts_of;
use crate::validate::facts::origins::OriginId;
use crate::validate::facts::payload::placed;
use crate::validate::facts::tags::{TagId, TagSet};
use crate::validate::facts::{Facts, pointers};
use crate::validate::rules::auth::{Leak, Place, behind, places, refusal};
use crate::value::{Object, Value};

/// Nodes that one search looks at.
const NODES_MAX: usize = 256;

/// One change for all steps that lose the owner, and a comparison where it is shown. `None` when
/// that is not possible, or would show the owner to somebody who may not read it.
pub(in crate::validate) fn carry_owner(
    facts: &Facts,
    to: NodeIx,
    leaks: &[Leak],
    owner: OriginId,
    place: &Place<'_>,
) -> Option<Fix> {
    let design = &*facts.design;
    let audience = place.audience?;
    let roots: TagSet = leaks.iter().map(|leak| facts.root(leak.tag)).collect();
    let mut carried = BTreeMap::new();
    let mut last = None;
    for root in &roots {
        let way = Way::of(facts, root, to, owner)?;
        let end = way.end.clone();
        // All that is shown has to have its owner in one place.
        if *last.get_or_insert(end.clone()) != end {
            return None;
        }
        for (node, change) in way.changes {
            let held = carried.entry(node).or_insert(change.clone());
            if *held != change {
                return None;
            }
        }
    }
    let (field, compared) = last?;
    if carried.is_empty() || shows_too_much(facts, to, owner, carried.keys().copied()) {
        return None;
    }
    let row = RowFilter {
        claim: claim(facts, audience, &field),
        field: field.clone(),
    };
    let compared = compared || audience.rows.iter().any(|row| row.field == field);
    let titles: Vec<&str> = carried.keys().map(|node| design.title(*node)).collect();
    let mut title = format!("Carry the owner through {}", titles.join(" and "));
    if !compared {
        title.push_str(&format!(" and compare `{field}` at {}", design.title(to)));
    }
    let caution = "viewers without this claim see nothing";
    Some(fix(design, title, caution, |build| {
        for (node, change) in carried {
            let id = &design.nodes[node].id;
            build.set_config(id, &change.field, Some(change.value));
        }
        if !compared {
            change_audience(design, build, to, place.side, |held| held.rows.push(row));
        }
    }))
}

/// What a step has to have in a config field so that it keeps the owner.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    pub field: SmolStr,
    pub value: Value,
}

/// The owner on the ways of one tag.
struct Way {
    changes: BTreeMap<NodeIx, Change>,
    /// Where the owner stands in the end, and whether somebody has compared it.
    end: (Pointer, bool),
}

impl Way {
    fn of(facts: &Facts, root: TagId, to: NodeIx, owner: OriginId) -> Option<Way> {
        let order = order(facts, root, to)?;
        let source = facts.tags[root as usize].node;
        let mut changes = BTreeMap::new();
        let mut behind: BTreeMap<NodeIx, (Pointer, bool)> = BTreeMap::new();
        for node in order {
            if node == source {
                let start = facts.place_of_owner(owner, facts.output(node)?)?;
                behind.insert(node, (start, false));
                continue;
            }
            let mut before: Option<(Pointer, bool, EdgeIx)> = None;
            for edge in carrying(facts, node, root) {
                let view = &facts.design.edges[edge];
                let (mut at, compared) = behind.get(&view.from)?.clone();
                if view.resource {
                    let kept = stored(facts, view.from, &at)?;
                    changes.extend(kept.change.map(|change| (view.from, change)));
                    at = kept.at;
                }
                match &mut before {
                    None => before = Some((at, compared, edge)),
                    // Streams that meet must have the owner in one place.
                    Some((held, all, _)) if *held == at => *all &= compared,
                    Some(_) => return None,
                }
            }
            let (at, compared, edge) = before?;
            if node == to {
                return Some(Way {
                    changes,
                    end: (at, compared),
                });
            }
            let step = step(facts, node, &at, edge)?;
            changes.extend(step.change.map(|change| (node, change)));
            let guarded = guards(facts, node).is_some_and(|field| field == at);
            behind.insert(node, (step.at, compared || guarded));
        }
        None
    }
}

/// Wires by which a tag, or what was folded of it, comes to a node.
fn carrying(facts: &Facts, node: NodeIx, root: TagId) -> Vec<EdgeIx> {
    let ins = facts.design.nodes[node].ins.iter().copied();
    ins.filter(|edge| {
        let port = facts.edge(*edge);
        port.is_some_and(|port| {
            let mut tags = port.labels.tags();
            tags.any(|tag| facts.root(tag) == root)
        })
    })
    .collect()
}

/// The nodes on the ways of a tag, feeders first; none when events come round.
fn order(facts: &Facts, root: TagId, to: NodeIx) -> Option<Vec<NodeIx>> {
    let mut waits: BTreeMap<NodeIx, usize> = BTreeMap::new();
    let mut open = VecDeque::from([to]);
    let mut feeds: BTreeMap<NodeIx, Vec<NodeIx>> = BTreeMap::new();
    let source = facts.tags[root as usize].node;
    while let Some(node) = open.pop_front() {
        if waits.contains_key(&node) {
            continue;
        }
        if waits.len() >= NODES_MAX {
            return None;
        }
        let ins = if node == source {
            Vec::new()
        } else {
            carrying(facts, node, root)
        };
        waits.insert(node, ins.len());
        for edge in ins {
            let from = facts.design.edges[edge].from;
            feeds.entry(from).or_default().push(node);
            open.push_back(from);
        }
    }
    let mut ready: VecDeque<NodeIx> = waits
        .iter()
        .filter(|(_, waits)| **waits == 0)
        .map(|(node, _)| *node)
        .collect();
    let mut order = Vec::new();
    while let Some(node) = ready.pop_front() {
        order.push(node);
        for next in feeds.get(&node).into_iter().flatten() {
            let left = waits.get_mut(next)?;
            *left -= 1;
            if *left == 0 {
                ready.push_back(*next);
            }
        }
    }
    (order.len() == waits.len()).then_some(order)
}

/// What a step makes of a field, with the change that makes it keep it.
pub(in crate::validate) struct Kept {
    pub at: Pointer,
    pub(super) change: Option<Change>,
}

impl Kept {
    /// Whether it is there without a change.
    pub(in crate::validate) fn is_kept(&self) -> bool {
        self.change.is_none()
    }
}

/// What a step makes of a field that comes by a wire; `None` where that is not known.
pub(in crate::validate) fn carried(
    facts: &Facts,
    node: NodeIx,
    at: &Pointer,
    by: EdgeIx,
) -> Option<Kept> {
    step(facts, node, at, by)
}

fn step(facts: &Facts, node: NodeIx, at: &Pointer, by: EdgeIx) -> Option<Kept> {
    let design = &*facts.design;
    let same = |at: Pointer| Some(Kept { at, change: None });
    let root = Pointer::root();
    let (_, behaviour) = design.acting(node)?;
    match behaviour {
        Behaviour::Redact { fields, .. } | Behaviour::Tokenise { fields } => {
            let hidden = pointers(design.value(node, fields));
            let kept: Vec<&Pointer> = hidden.iter().filter(|field| *field != at).collect();
            if kept
                .iter()
                .any(|field| field.covers(at) || at.covers(field))
                || kept.is_empty()
            {
                return None;
            }
            if kept.len() == hidden.len() {
                return same(at.clone());
            }
            let value: Value = kept.iter().map(ToString::to_string).collect();
            Some(Kept {
                at: at.clone(),
                change: Some(Change {
                    field: fields.clone(),
                    value,
                }),
            })
        }
        Behaviour::Map { expr } | Behaviour::Mediate { expr, .. } => {
            mapped(design.expr(node, expr)?, expr, at, false)
        }
        Behaviour::Split { expr } => mapped(design.expr(node, expr)?, expr, at, true),
        Behaviour::Aggregate { group, .. }
        | Behaviour::Fold { group, .. }
        | Behaviour::Decide { group, .. } => grouped(design.expr(node, group), group, at),
        Behaviour::Join { .. } => {
            let side = if design.edges[by].input == 0 {
                "left"
            } else {
                "right"
            };
            same(root.child(side).join(at))
        }
        Behaviour::Enrich { into, .. } => {
            let row = root.child(design.text(node, into).unwrap_or("row"));
            if design.edges[by].input == 1 {
                return same(row.join(at));
            }
            (!row.covers(at)).then(|| at.clone()).and_then(same)
        }
        Behaviour::Changes { .. } => same(root.child("after").join(at)),
        Behaviour::Opaque { .. } | Behaviour::Bucket { .. } | Behaviour::DeadLetter => None,
        _ => same(at.clone()),
    }
}

/// What a store keeps for those who hear of it.
fn stored(facts: &Facts, node: NodeIx, at: &Pointer) -> Option<Kept> {
    let design = &*facts.design;
    if !matches!(design.behaviour(node), Some(Behaviour::Table { .. })) {
        return Some(Kept {
            at: at.clone(),
            change: None,
        });
    }
    let kind = design.nodes[node].kind.as_ref()?;
    let table = kind.config.iter().find(|field| {
        matches!(
            field.ty,
            FieldType::JqTable {
                role: JqRole::Value
            }
        )
    })?;
    let columns = design.columns(node);
    if columns.is_empty() {
        return Some(Kept {
            at: Pointer::root().child("data").join(at),
            change: None,
        });
    }
    let holding = columns.iter().find(|(_, expr)| {
        let rows = expr.iter().flat_map(|expr| &expr.analysis().outputs);
        let mut whole = rows.filter(|row| row.pointer.is_root());
        whole.any(|row| row.copy.as_ref() == Some(at))
    });
    if let Some((name, _)) = holding {
        return Some(Kept {
            at: Pointer::root().child((*name).clone()),
            change: None,
        });
    }
    let name = at.last()?.clone();
    let mut held = design.value(node, &table.name)?.as_object()?.clone();
    if held.contains_key(&name) {
        return None;
    }
    held.insert(name.clone(), path(at)?);
    Some(Kept {
        at: Pointer::root().child(name),
        change: Some(Change {
            field: table.name.clone(),
            value: Object::into(held),
        }),
    })
}

fn mapped(expr: &Expr, field: &SmolStr, at: &Pointer, elements: bool) -> Option<Kept> {
    if let Some(at) = copied(expr, at, elements) {
        return Some(Kept { at, change: None });
    }
    let name = at.last()?;
    let place = Pointer::root().child(name.clone());
    let taken = expr.analysis().outputs.iter().any(|row| {
        let at = placed(&row.pointer, elements);
        at.is_some_and(|at| !at.is_root() && (at.covers(&place) || place.covers(&at)))
    });
    let from = path(at)?;
    let short = from == format!(".{name}");
    let entry = if short {
        name.to_string()
    } else {
        format!("{name}: {from}")
    };
    let code = expr.code().trim();
    let inside = code
        .strip_suffix('}')
        .filter(|inside| !elements && code.starts_with('{') && !inside.trim_end().ends_with('{'));
    let candidates = [
        inside.map(|inside| format!("{}, {entry}}}", inside.trim_end())),
        (!elements).then(|| format!("({code}) + {{{entry}}}")),
        elements.then(|| {
            let objects = expr.analysis().outputs.iter().all(|row| {
                let whole = placed(&row.pointer, true).is_some_and(|at| at.is_root());
                !whole || row.copy.as_ref().is_some_and(Pointer::is_root)
            });
            let element = if objects {
                "."
            } else {
                "(if type == \"object\" then . else {value: .} end)"
            };
            format!("{from} as $owner | {code} | map({element} + {{{name}: $owner}})")
        }),
    ];
    if taken {
        return None;
    }
    let code = candidates.into_iter().flatten().find(|code| {
        let made = Expr::compile(code).ok();
        made.is_some_and(|made| copied(&made, at, elements).as_ref() == Some(&place))
    })?;
    Some(Kept {
        at: place,
        change: Some(Change {
            field: field.clone(),
            value: code.into(),
        }),
    })
}

/// Where the expression puts a copy of the field.
fn copied(expr: &Expr, at: &Pointer, elements: bool) -> Option<Pointer> {
    let analysis = expr.analysis();
    let plain = |pointer: &Pointer| !pointer.tokens().iter().any(|token| token == "*");
    for row in &analysis.outputs {
        let Some(below) = row.copy.as_ref().and_then(|copy| copy.strip_from(at)) else {
            continue;
        };
        if elements && row.pointer.is_root() {
            continue;
        }
        if let Some(place) = placed(&row.pointer, elements).filter(plain) {
            return Some(place.join(&below));
        }
    }
    let rest = analysis.rest.as_ref().filter(|_| !elements)?;
    let mut except = rest.except.iter();
    let changed = except.any(|field| crate::expr::related(field, at));
    (!changed).then(|| at.clone())
}

/// Groups by the owner too.
fn grouped(group: Option<&Expr>, field: &SmolStr, at: &Pointer) -> Option<Kept> {
    let key = Pointer::root().child("key");
    let owner = path(at)?;
    let Some(group) = group else {
        return Some(Kept {
            at: key,
            change: Some(Change {
                field: field.clone(),
                value: owner.into(),
            }),
        });
    };
    if group.code().trim() == owner {
        return Some(Kept {
            at: key,
            change: None,
        });
    }
    let part = parts_of(group).into_iter().find(|(_, of)| of == at);
    if let Some((place, _)) = part {
        return Some(Kept {
            at: key.join(&place),
            change: None,
        });
    }
    Some(Kept {
        at: key.child("1"),
        change: Some(Change {
            field: field.clone(),
            value: format!("[{}, {owner}]", group.code().trim()).into(),
        }),
    })
}

/// The field that a guard compares.
fn guards(facts: &Facts, node: NodeIx) -> Option<Pointer> {
    let Some(Behaviour::Guard { field, .. }) = facts.design.behaviour(node) else {
        return None;
    };
    Pointer::parse(facts.design.text(node, field)?).ok()
}

/// Whether somebody behind the changed steps may not read the owner that comes along.
fn shows_too_much(
    facts: &Facts,
    to: NodeIx,
    owner: OriginId,
    changed: impl Iterator<Item = NodeIx>,
) -> bool {
    for step in changed {
        let Some(port) = facts.input(step) else {
            continue;
        };
        let Some(at) = facts.place_of_owner(owner, port) else {
            continue;
        };
        let tags = port.labels.at(&at);
        for node in behind(facts, step) {
            let Some(port) = facts.input(node) else {
                continue;
            };
            for place in places(facts, node, port) {
                let mut tags = tags.iter();
                let refused = tags.any(|tag| {
                    let own = facts.tags[tag as usize].anchors.iter();
                    let compared = node == to && own.clone().any(|anchor| anchor.1 == owner);
                    !compared && refusal(facts, port, tag, place.audience).is_some()
                });
                if refused {
                    return true;
                }
            }
        }
    }
    false
}
