//! OBS-003: a number of which nobody knows what it is.

use crate::catalog::{Behaviour, Observation};
use crate::validate::design::{Design, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::rules::declare_rule;
use crate::validate::rules::delivery::way_from;
use crate::validate::{Step, fixes};

declare_rule! {
    /// Finds numbers whose card lacks an owner, a definition or a freshness, in flows that have such cards.
    /// ## Why is this bad
    /// A number without an owner is wrong for weeks before anybody says so. Without a definition two
    /// people read it in two ways, and both are sure. Without a freshness an old number looks like a
    /// calm day.
    /// ## When is this fine
    /// When nobody decides by the number: then it needs no name and no card.
    /// ## Perturbation
    /// None: nothing that happens changes, only what people know of it.
    /// ## Example
    /// role sales
    /// in: manual -> sum: aggregate(group=.shop, window=time, size=1h, aggregates=[{"name": "best", "function": "max", "of": ".total"}]) -> board: metric(name=best sale, value=.best, key=.key) @sales ^owner=sales
    /// ## Use instead
    /// role sales
    /// in: manual -> sum: aggregate(group=.shop, window=time, size=1h, aggregates=[{"name": "best", "function": "max", "of": ".total"}]) -> board: metric(name=best sale, value=.best, key=.key) @sales ^owner=sales ^definition="largest order of the hour" ^freshness=1h
    /// ## Near miss
    /// role sales
    /// in: manual -> sum: aggregate(group=.shop, window=time, size=1h, aggregates=[{"name": "best", "function": "max", "of": ".total"}]) -> board: metric(name=best sale, value=.best, key=.key) @sales
    /// ## Source
    /// Zhamak Dehghani: Data Mesh Principles and Logical Architecture, 2020 (data products have owners and
    /// service level objectives)
    code = "OBS-003", name = "number-without-card", severity = Info, since = "0.1.0",
    check = Whole(check),
}

/// What people have to know of a number, with the words for it.
pub(in crate::validate) const CARD: [(&str, &str); 3] = [
    ("owner", "no owner"),
    ("definition", "no definition"),
    ("freshness", "no freshness"),
];

fn check(facts: &Facts, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let numbers: Vec<NodeIx> = design
        .active()
        .filter(|(node, ..)| is_number(design, *node))
        .map(|(node, ..)| node)
        .collect();
    // Who has no cards at all does not want them.
    let has_card = |node: &NodeIx| CARD.iter().any(|(name, _)| says(design, *node, name));
    if !numbers.iter().any(has_card) {
        return;
    }
    for &node in &numbers {
        let missing: Vec<(&str, &str)> = CARD
            .into_iter()
            .filter(|(name, _)| !says(design, node, name))
            .collect();
        if missing.is_empty() {
            continue;
        }
        let words: Vec<&str> = missing.iter().map(|(_, words)| *words).collect();
        let what = words.join(" and ");
        let title = design.title(node);
        let message = format!("{title} shows a number that has {what}; fill its card");
        let effect = format!("shows it, with {what}");
        let port = facts.input(node);
        let source = port.and_then(|port| {
            let sources = port.definition.sources.iter();
            sources.min_by_key(|source| &design.nodes[**source].id)
        });
        let path = match source {
            Some(source) => way_from(
                facts,
                *source,
                "sends what the number is made of".to_owned(),
                node,
                effect,
            ),
            None => vec![Step::node(&design.nodes[node].id, effect)],
        };
        let names: Vec<&str> = missing.iter().map(|(name, _)| *name).collect();
        findings.add(
            Found::node(&design.nodes[node].id, message)
                .path(path)
                .fixes(fixes::fill_card(facts, node, &names, &numbers)),
        );
    }
}

/// Whether a node shows a number that people go by.
fn is_number(design: &Design, node: NodeIx) -> bool {
    let metric = matches!(
        design.behaviour(node),
        Some(Behaviour::Observe {
            observation: Observation::Metric
        })
    );
    metric || design.declared_text(node, "metric").is_some()
}

fn says(design: &Design, node: NodeIx, name: &str) -> bool {
    design.declared_text(node, name).is_some()
}
