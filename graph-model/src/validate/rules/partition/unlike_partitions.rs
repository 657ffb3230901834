//! PART-002: streams whose events are placed differently are brought together by key.

use super::{Keeper, keeper_of, pairing};
use crate::catalog::Behaviour;
use crate::validate::design::{Design, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::delivery::Part;
use crate::validate::facts::placement::Side;
use crate::validate::facts::{Facts, Port};
use crate::validate::rules::declare_rule;
use crate::validate::rules::delivery::{meeting, placing};
use crate::validate::{Step, Subject, fixes};

declare_rule! {
    /// Finds joins, lookups and groups over streams that are not placed by the same key, the same way.
    /// ## Why is this bad
    /// Events are matched only inside one partition. Streams with another key, or another number of
    /// partitions, bring what belongs together to different places. Half of the matches never
    /// happen, and no error says so.
    /// ## When is this fine
    /// When the streams have no group in common.
    /// ## Perturbation
    /// Other partitioning: with one partition and with several, what meets differs.
    /// ## Example
    /// a: manual -> la: log(key=.order, partitions=4) -> both: join(left_key=.order, right_key=.order) -> out: view
    /// b: manual -> lb: log(key=.order, partitions=8) -> .right both
    /// ## Use instead
    /// a: manual -> la: log(key=.order, partitions=4) -> both: join(left_key=.order, right_key=.order) -> out: view
    /// b: manual -> lb: log(key=.order, partitions=4) -> .right both
    /// ## Near miss
    /// a: manual -> la: log(key=.tenant, partitions=4) -> both: join(left_key=[.tenant, .order], right_key=[.t, .id]) -> out: view
    /// b: manual -> lb: log(key=.t, partitions=4) -> m: map(expr={id: .parcel.order, t}) -> .right both
    /// ## Source
    /// Kafka Streams, join co-partitioning requirements
    code = "PART-002", name = "unlike-partitions", severity = Error, since = "0.1.0",
    check = Node(check),
}

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((view, behaviour)) = design.acting(node) else {
        return;
    };
    // Where no events come, seals alone are answered.
    let seals = || {
        matches!(behaviour, Behaviour::Decide { .. })
            .then(|| facts.second(node))
            .flatten()
    };
    let Some(port) = facts.input(node).or_else(seals) else {
        return;
    };
    let title = design.title(node);
    if let (Some(keeper), Part::Mixed { at }) = (keeper_of(facts, node), &port.part) {
        let place = design.title(*at);
        let Keeper { does, key, .. } = keeper;
        let message = format!(
            "the streams that meet at {place} are placed differently, so {title} misses what belongs together; repartition in front of it"
        );
        let effect = format!("{does} as if they were together");
        findings.add(
            Found::node(&view.id, message)
                .path(meeting(facts, *at, node, effect))
                .fixes(fixes::bring_together(facts, node, key, None)),
        );
        return;
    }
    let (Some(fields), Some(second)) = (pairing(behaviour), facts.second(node)) else {
        return;
    };
    let (left, right) = (
        Side {
            port,
            key: design.expr(node, fields.0),
        },
        Side {
            port: second,
            // Seals are read as events are, unless something else is said.
            key: design
                .expr(node, fields.1)
                .or_else(|| design.expr(node, fields.0)),
        },
    );
    let texts = keys(design, node, fields);
    if let Some((one, other)) = facts.unlike_types(left, right) {
        let notes = [format!("has {one} there"), format!("has {other} there")];
        let message = format!(
            "{title} compares `{}`, which is {one}, with `{}`, which is {other}, so nothing ever matches; compare them as text",
            texts.0, texts.1
        );
        findings.add(
            Found::node(&view.id, message)
                .path(side_by_side(facts, node, texts, notes))
                .fixes(fixes::compare_as_text(facts, node, fields, (one, other))),
        );
        return;
    }
    if facts.together(left, right) {
        return;
    }
    let notes = [placed(design, port), placed(design, second)];
    let [a, b] = [0, 1].map(|side| feeders(design, node, side));
    let message = format!(
        "{title} brings {a} and {b} together by key, but {a} {} and {b} {}, so what belongs together seldom meets; place both by the key, in as many partitions",
        notes[0], notes[1]
    );
    findings.add(
        Found::node(&view.id, message)
            .path(side_by_side(facts, node, texts, notes))
            .fixes(fixes::co_partition(facts, node, fields)),
    );
}

/// What leads to an input of a node.
fn feeders(design: &Design, node: NodeIx, input: usize) -> String {
    let ins = design.nodes[node]
        .ins
        .iter()
        .map(|edge| &design.edges[*edge]);
    let titles: Vec<&str> = ins
        .filter(|edge| edge.input == input)
        .map(|edge| design.title(edge.from))
        .collect();
    titles.join(" and ")
}

/// The keys of both sides as they are written.
fn keys<'d>(design: &'d Design, node: NodeIx, fields: (&str, &str)) -> (&'d str, &'d str) {
    let left = design.text(node, fields.0).unwrap_or("null");
    (left, design.text(node, fields.1).unwrap_or(left))
}

/// How the events of a stream are placed.
fn placed(design: &Design, port: &Port) -> String {
    match &port.part {
        Part::Single => "is in one place".to_owned(),
        Part::Hash { count, by, .. } => {
            format!("is placed {} in {count} partitions", placing(design, *by))
        }
        Part::Any { count, .. } => format!("goes to any of {count} instances"),
        Part::Mixed { .. } => "is placed in several ways".to_owned(),
    }
}

/// Both sides with what tells them apart, and where they should meet.
fn side_by_side(facts: &Facts, node: NodeIx, keys: (&str, &str), notes: [String; 2]) -> Vec<Step> {
    let design = &*facts.design;
    let mut steps = Vec::new();
    for (input, (note, key)) in notes.into_iter().zip([keys.0, keys.1]).enumerate() {
        for edge in &design.nodes[node].ins {
            let view = &design.edges[*edge];
            if view.input == input {
                steps.push(Step {
                    place: Subject::Port(view.edge.from.clone()),
                    note: format!("{note}, and is compared by `{key}`"),
                });
            }
        }
    }
    let effect = "looks for equal keys within one place only";
    steps.push(Step::node(&design.nodes[node].id, effect));
    steps
}
