//! Lets one number be computed once, or gives two numbers two names.

use std::borrow::Cow;

use super::behind::is_main;
use super::fix;
use crate::catalog::Behaviour;
use crate::validate::Fix;
use crate::validate::design::{EdgeIx, NodeIx};
use crate::validate::facts::Facts;
use crate::validate::rules::auth::{self, Place, Seen};
use crate::validate::rules::partition::two_definitions::Shown;

/// Shows at the second place what is shown at the first, or names the second by what it differs in.
pub(in crate::validate) fn share_definition(
    facts: &Facts,
    first: &Shown<'_>,
    second: &Shown<'_>,
    difference: &str,
) -> Vec<Fix> {
    let rename = rename(facts, second, difference);
    repoint(facts, first, second)
        .into_iter()
        .chain(rename)
        .collect()
}

fn repoint(facts: &Facts, first: &Shown<'_>, second: &Shown<'_>) -> Option<Fix> {
    let design = &*facts.design;
    let (from, to) = (&design.nodes[first.node], &design.nodes[second.node]);
    let drawn = |node: NodeIx| -> Vec<EdgeIx> {
        let ins = design.nodes[node].ins.iter().copied();
        ins.filter(|edge| !design.edges[*edge].resource).collect()
    };
    let (feeders, fed) = (drawn(first.node), drawn(second.node));
    let port = facts.input(first.node)?;
    let readers = to.node.notes.audience.as_ref();
    let place = Place {
        seen: Seen::Shown,
        side: None,
        audience: readers,
        shown: Cow::Borrowed(&*port.labels),
    };
    let shows_more = !auth::leaks(facts, port, &place).is_empty();
    let main = feeders.iter().all(|edge| is_main(design, *edge));
    if from.node.kind != to.node.kind || first.group != second.group || shows_more || !main {
        return None;
    }
    let into = design.edges[*fed.first()?].edge.to.clone();
    let title = format!(
        "Show at {} what {} shows",
        design.title(second.node),
        design.title(first.node)
    );
    let caution = "what was computed only for this place is shown nowhere then";
    Some(fix(design, title, caution, |build| {
        for edge in &fed {
            build.remove_edge(&design.edges[*edge].id);
        }
        for edge in &feeders {
            build.connect(design.edges[*edge].edge.from.clone(), into.clone());
        }
        let config = from.node.config.clone();
        if config != to.node.config {
            build.change_node(&to.id, |held| held.config = config);
        }
    }))
}

fn rename(facts: &Facts, shown: &Shown<'_>, difference: &str) -> Option<Fix> {
    let design = &*facts.design;
    let view = &design.nodes[shown.node];
    let plain: String = difference.chars().filter(|c| *c != '`').collect();
    let name = format!("{} ({plain})", shown.name);
    let title = format!("Call the number at {} `{name}`", design.title(shown.node));
    let observes = matches!(design.behaviour(shown.node)?, Behaviour::Observe { .. });
    let by_config = observes
        && view.node.notes.declared.get("metric").is_none()
        && design.text(shown.node, "name") == Some(shown.name.as_str());
    Some(fix(design, title, "", |build| {
        build.change_node(&view.id, |held| {
            if by_config {
                held.config.insert("name", name);
            } else {
                held.notes.declared.insert("metric", name);
            }
        });
    }))
}
