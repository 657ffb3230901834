//! Places the two streams that a node brings together by the same key, the same way.

use smol_str::SmolStr;

use super::{Placed, fix, insert_before, new_node};
use crate::catalog::Behaviour;
use crate::document::Node;
use crate::edit::TransactionBuilder;
use crate::schema::Types;
use crate::validate::Fix;
use crate::validate::design::{Design, EdgeIx, NodeIx};
use crate::validate::facts::delivery::Part;
use crate::validate::facts::placement::Side;
use crate::validate::facts::{Facts, Port};

/// Partitions where neither side has any.
const PARTITIONS: i64 = 4;

/// Repartitions the side that is not placed by the key as the other one is, or both; gives a channel
/// as many partitions as the other has; brings both to one place. `fields` hold the keys.
pub(in crate::validate) fn co_partition(
    facts: &Facts,
    node: NodeIx,
    fields: (&str, &str),
) -> Vec<Fix> {
    let design = &*facts.design;
    let (Some(left), Some(right)) = (facts.input(node), facts.second(node)) else {
        return Vec::new();
    };
    let sides = [left, right];
    let keys = keys(design, node, fields);
    let ready = [0, 1].map(|side| {
        let key = design.compiled(&keys[side]);
        let port = sides[side];
        facts.placed_by(Side { port, key })
    });
    let title = design.title(node);
    let mut fixes = Vec::new();
    let mut placed = |side: usize, count: i64| {
        let to = format!("in front of {title}");
        let key = &keys[side];
        let feeder = feeders(design, node, side);
        let title = format!("Repartition {feeder} by `{key}` in {count} partitions {to}");
        fixes.extend(repartition(
            design,
            node,
            title,
            &[(side, Some(key.clone()), count)],
        ));
    };
    match ready {
        // The smaller side moves.
        [true, true] if count(left) < count(right) => placed(0, count(right)),
        [true, _] => placed(1, count(left)),
        [false, true] => placed(0, count(right)),
        [false, false] => {
            let count = count(left).max(count(right));
            let count = if count > 1 { count } else { PARTITIONS };
            let title = format!("Repartition both sides by their keys in front of {title}");
            let both = [0, 1].map(|side| (side, Some(keys[side].clone()), count));
            fixes.extend(repartition(design, node, title, &both));
        }
    }
    if ready == [true, true] {
        let (few, many) = if count(left) < count(right) {
            (left, right)
        } else {
            (right, left)
        };
        fixes.extend(as_many(design, few, count(many)));
    }
    let alone = [0, 1].map(|side| sides[side].part == Part::Single);
    if let Some(other) = alone
        .iter()
        .position(|alone| !alone)
        .filter(|_| alone[0] != alone[1])
    {
        let feeder = feeders(design, node, other);
        let title = format!("Bring {feeder} to one place in front of {title}");
        fixes.extend(repartition(design, node, title, &[(other, None, 1)]));
    }
    fixes
}

/// The side that has numbers is compared as text.
pub(in crate::validate) fn compare_as_text(
    facts: &Facts,
    node: NodeIx,
    fields: (&str, &str),
    types: (Types, Types),
) -> Vec<Fix> {
    let design = &*facts.design;
    let (side, field) = if types.0 == Types::STRING && types.1 != Types::STRING {
        (1, fields.1)
    } else if types.1 == Types::STRING {
        (0, fields.0)
    } else {
        return Vec::new();
    };
    let keys = keys(design, node, fields);
    let key: SmolStr = format!("{} | tostring", keys[side]).into();
    let title = format!("Compare `{}` as text at {}", keys[side], design.title(node));
    let (Some(left), Some(right)) = (facts.input(node), facts.second(node)) else {
        return Vec::new();
    };
    let count = count(left).max(count(right));
    let other = 1 - side;
    let stays = facts.placed_by(Side {
        port: [left, right][other],
        key: design.compiled(&keys[other]),
    });
    let caution = "a number is equal to a text only when both are written alike";
    vec![fix(design, title, caution, |build| {
        build.set_config(&design.nodes[node].id, field, Some(key.as_str().into()));
        let mut moved = vec![(side, &key)];
        if !stays {
            moved.push((other, &keys[other]));
        }
        for (side, key) in moved.into_iter().filter(|_| count > 1) {
            if let Some(new) = new_node::repartition(design, Some(key), count) {
                place(design, build, node, side, new);
            }
        }
    })]
}

fn keys(design: &Design, node: NodeIx, fields: (&str, &str)) -> [SmolStr; 2] {
    let left = design.text(node, fields.0).unwrap_or("null");
    let right = design.text(node, fields.1).unwrap_or(left);
    [left.into(), right.into()]
}

fn count(port: &Port) -> i64 {
    match &port.part {
        Part::Hash { count, .. } | Part::Any { count, .. } => *count,
        Part::Single | Part::Mixed { .. } => 1,
    }
}

fn edges(design: &Design, node: NodeIx, side: usize) -> Vec<EdgeIx> {
    let ins = design.nodes[node].ins.iter().copied();
    ins.filter(|edge| design.edges[*edge].input == side)
        .collect()
}

fn feeders(design: &Design, node: NodeIx, side: usize) -> String {
    let edges = edges(design, node, side);
    let titles: Vec<&str> = edges
        .iter()
        .map(|edge| design.title(design.edges[*edge].from))
        .collect();
    titles.join(", ")
}

/// Repartitions sides by a key, or into one place.
fn repartition(
    design: &Design,
    node: NodeIx,
    title: String,
    sides: &[(usize, Option<SmolStr>, i64)],
) -> Option<Fix> {
    let added = sides.iter().map(|(side, key, count)| {
        let new = new_node::repartition(design, key.as_deref(), *count)?;
        Some((*side, new))
    });
    let added: Vec<(usize, Node)> = added.collect::<Option<_>>()?;
    Some(fix(design, title, "", |build| {
        for (side, new) in added {
            place(design, build, node, side, new);
        }
    }))
}

/// In front of one side of a node.
fn place(
    design: &Design,
    build: &mut TransactionBuilder<'_>,
    node: NodeIx,
    side: usize,
    new: Node,
) {
    let edges = edges(design, node, side);
    let at = Placed { node, edges };
    insert_before(design, build, at, &"together".into(), new);
}

/// The channel that places a stream gets as many partitions as the other.
fn as_many(design: &Design, port: &Port, count: i64) -> Option<Fix> {
    let Part::Hash { by, .. } = port.part else {
        return None;
    };
    let (Behaviour::Log { partitions, .. } | Behaviour::Repartition { partitions, .. }) =
        design.behaviour(by)?
    else {
        return None;
    };
    let title = format!("Give {} {count} partitions", design.title(by));
    let caution = "keys that are there already move to other partitions";
    Some(fix(design, title, caution, |build| {
        build.set_config(&design.nodes[by].id, partitions, Some(count.into()));
    }))
}
