//! Counts an event once, however many partners it has.

use super::{Placed, comes_back, fix, identify, new_node, put_before};
use crate::catalog::{Behaviour, FieldType};
use crate::expr::Expr;
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::Facts;
use crate::validate::facts::numbers::{Function, columns};
use crate::validate::facts::pairs::Multiplied;

/// One pair of each event in front of an aggregate that groups by `group`, or a promise that there is
/// only one.
pub(in crate::validate) fn count_once(
    facts: &Facts,
    node: NodeIx,
    multiplied: Multiplied,
    group: Option<&Expr>,
) -> Vec<Fix> {
    let fixes = [
        one_pair(facts, node, multiplied, group),
        promise(facts, multiplied),
    ];
    fixes.into_iter().flatten().collect()
}

fn one_pair(
    facts: &Facts,
    node: NodeIx,
    multiplied: Multiplied,
    group: Option<&Expr>,
) -> Option<Fix> {
    let design = &*facts.design;
    let port = facts.input(node)?;
    // What is computed of the partners needs all pairs.
    let needs_all = columns(design, node).into_iter().any(|column| {
        let belongs = |of| facts.belongs(multiplied, &facts.key(of, port));
        !column.of.is_some_and(belongs) && !matches!(column.function, Function::Min | Function::Max)
            || column.of.is_none()
    });
    // One that counts in several groups has a pair for each.
    let in_one_group = |group: &Expr| {
        facts.belongs(multiplied, &facts.key(group, port)) || group.analysis().reads.is_empty()
    };
    if needs_all || comes_back(design, node) || !group.is_none_or(in_one_group) {
        return None;
    }
    let mut identities = facts.identities_of(multiplied.0, multiplied.1).into_iter();
    let id = identities.find_map(|identity| identify::path(&facts.place_of(identity, port)?))?;
    let new = new_node::dedupe(design, id.as_str())?;
    let edges = design.nodes[node].ins.clone();
    let title = format!("Count each `{id}` once in front of {}", design.title(node));
    let caution = "it remembers keys for a time; a pair that comes later counts again";
    let at = Placed { node, edges };
    Some(put_before(design, at, "once", new, title, caution))
}

/// The other side has each key once.
fn promise(facts: &Facts, (join, side): Multiplied) -> Option<Fix> {
    let design = &*facts.design;
    let view = &design.nodes[join];
    let Behaviour::Join { unique, .. } = design.behaviour(join)? else {
        return None;
    };
    let other = if side == 0 { "right" } else { "left" };
    let promised = match design.text(join, unique) {
        Some("none") | None => other,
        _ => "both",
    };
    let FieldType::Choice { options } = &view.kind.as_ref()?.field(unique)?.ty else {
        return None;
    };
    if !options.iter().any(|option| option == promised) {
        return None;
    }
    let title = format!(
        "Promise that a key comes once on the {other} of {}",
        design.title(join)
    );
    let caution = "a second one with the same key fails then";
    Some(fix(design, title, caution, |build| {
        build.set_config(&view.id, unique, Some(promised.into()));
    }))
}
