//! OBS-001: nobody can say what caused what.

use std::collections::{BTreeSet, VecDeque};

use rustc_hash::FxHashMap;

use crate::catalog::{Behaviour, Observation};
use crate::expr::related;
use crate::id::Id;
use crate::pointer::Pointer;
use crate::validate::design::{Design, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::rules::declare_rule;
use crate::validate::rules::delivery::way_from;
use crate::validate::{Step, Subject, fixes};
use crate::value::Value;

declare_rule! {
    /// Finds nodes that drop the correlation which a type declares, or break the chain of causes, in
    /// front of calls and numbers.
    /// ## Why is this bad
    /// The customer asks which click made this charge, and the answer ends one step before it. Each
    /// system has its own log, and nothing in them says which lines belong together. Time stamps are
    /// compared by hand until somebody gives up.
    /// ## When is this fine
    /// When nobody asks for the single case behind a call or a number: then let the type declare no
    /// correlation.
    /// ## Perturbation
    /// Two cases at the same time: from what was called, nobody can tell which is which.
    /// ## Example
    /// type order(id=/id, correlation=/case): id string, case string, total number
    /// in: http(path=/orders, event_type=order) -> lane: queue -> bill: map(expr={order: .id, amount: .total}) -> charge: effect(action=charge, key=.order)
    /// ## Use instead
    /// type order(id=/id, correlation=/case): id string, case string, total number
    /// in: http(path=/orders, event_type=order) -> lane: queue -> bill: map(expr={order: .id, amount: .total, case}) -> charge: effect(action=charge, key=.order)
    /// ## Near miss
    /// type order(id=/id, correlation=/case): id string, case string, total number
    /// in: http(path=/orders, event_type=order) -> lane: queue -> bill: map(expr={order: .id, why: {trace: .case}}) -> again: map(expr={order, cause: .why.trace}) -> charge: effect(action=charge, key=.order)
    /// lane -> short: map(expr={total}) -> seen: view
    /// ## Source
    /// W3C Trace Context, 2021: a participant must pass on the context of the requests that it gets
    code = "OBS-001", name = "causality-lost", severity = Warning, since = "0.1.0",
    check = Whole(check),
}

/// Nodes that are looked at behind one break.
const SEARCH_MAX: usize = 512;

fn check(facts: &Facts, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    broken_chains(facts, findings);
    let types: FxHashMap<&Id, Pointer> = design
        .document
        .types
        .iter()
        .filter_map(|(id, ty)| Some((id, correlation(ty.declared.get("correlation"))?)))
        .collect();
    if types.is_empty() {
        return;
    }
    let mut starts: Vec<(NodeIx, Pointer)> = Vec::new();
    for (node, _, behaviour) in design.active() {
        let begins = matches!(
            behaviour,
            Behaviour::Source { .. } | Behaviour::Opaque { .. }
        );
        let ty = facts.output(node).and_then(|port| port.payload.ty.as_ref());
        if let Some(field) = ty.and_then(|ty| types.get(ty)).filter(|_| begins) {
            starts.push((node, field.clone()));
        }
    }
    starts.sort_by_key(|(node, _)| &design.nodes[*node].id);
    let mut told = BTreeSet::new();
    for (start, field) in &starts {
        follow(facts, *start, field, &mut told, findings);
    }
}

/// The field that says which events belong together.
fn correlation(declared: Option<&Value>) -> Option<Pointer> {
    let field = Pointer::parse(declared?.as_str()?).ok()?;
    (!field.is_root()).then_some(field)
}

/// Goes with the field of a source as far as it is carried.
fn follow(
    facts: &Facts,
    start: NodeIx,
    field: &Pointer,
    told: &mut BTreeSet<NodeIx>,
    findings: &mut RuleFindings<'_, '_>,
) {
    let design = &*facts.design;
    let mut open = VecDeque::from([(start, field.clone())]);
    let mut seen = BTreeSet::from([start]);
    while let Some((node, at)) = open.pop_front() {
        for &edge in &design.nodes[node].outs {
            let view = &design.edges[edge];
            // What stores keep, and what is many events in one, has no single cause.
            if view.resource || !seen.insert(view.to) {
                continue;
            }
            let Some((held, behaviour)) = design.acting(view.to) else {
                continue;
            };
            if matches!(behaviour, Behaviour::Opaque { .. }) {
                ask(facts, view.to, findings);
                continue;
            }
            let folds = matches!(
                behaviour,
                Behaviour::Aggregate { .. } | Behaviour::Fold { .. } | Behaviour::Decide { .. }
            );
            let Some(kept) = fixes::carried(facts, view.to, &at, edge) else {
                continue;
            };
            if kept.is_kept() {
                open.push_back((view.to, kept.at));
                continue;
            }
            let ends = ends_behind(design, view.to);
            let (Some(&end), false) = (ends.first(), folds) else {
                continue;
            };
            if !drops(design, view.to, behaviour, &at) || !told.insert(view.to) {
                continue;
            }
            let (title, shows) = (design.title(view.to), design.title(end));
            let message = format!(
                "{title} drops `{at}`, by which events of one case are found, so nobody can say what caused {shows}; carry it on"
            );
            let cause = format!("sends `{field}`, which says what belongs together");
            let mut path = way_from(facts, start, cause, view.to, format!("drops `{at}`"));
            let note = "gets events of which nobody can say what caused them";
            path.push(Step::node(&design.nodes[end].id, note));
            let labelled = facts
                .input(view.to)
                .is_some_and(|port| !port.labels.at(&at).is_empty());
            let fix = (!labelled).then(|| fixes::carry_field(design, view.to, &at, kept));
            findings.add(
                Found::node(&held.id, message)
                    .path(path)
                    .fixes(fix.flatten())
                    .affecting(ends.iter().map(|end| design.nodes[*end].id.clone())),
            );
        }
    }
}

/// Whether nothing of a field is in what a node makes, as far as that can be told.
fn drops(design: &Design, node: NodeIx, behaviour: &Behaviour, at: &Pointer) -> bool {
    let (Behaviour::Map { expr } | Behaviour::Mediate { expr, .. } | Behaviour::Split { expr }) =
        behaviour
    else {
        return false;
    };
    let Some(expr) = design.expr(node, expr) else {
        return false;
    };
    let analysis = expr.analysis();
    let mut rows = analysis.outputs.iter();
    !analysis.whole && !rows.any(|row| row.deps.fields.iter().any(|read| related(read, at)))
}

/// Calls and numbers behind a node, by their ids.
fn ends_behind(design: &Design, node: NodeIx) -> Vec<NodeIx> {
    let (mut open, mut seen) = (vec![node], BTreeSet::new());
    let mut ends = Vec::new();
    while let Some(at) = open.pop() {
        if !seen.insert(at) || seen.len() > SEARCH_MAX {
            continue;
        }
        let end = matches!(
            design.acting(at),
            Some((
                _,
                Behaviour::Effect { .. }
                    | Behaviour::Observe {
                        observation: Observation::Metric
                    }
            ))
        );
        if end {
            ends.push(at);
        }
        let outs = design.nodes[at].outs.iter().copied();
        let ordinary = outs.filter(|edge| !design.is_failure(*edge));
        open.extend(ordinary.map(|edge| design.edges[edge].to));
    }
    ends.sort_by_key(|end| &design.nodes[*end].id);
    ends
}

/// Asks whether code keeps the correlation, where that matters and nobody says it.
fn ask(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let known = design.declared(node, "propagates").is_some()
        || facts
            .output(node)
            .and_then(|port| port.payload.ty.as_ref())
            .is_some();
    if known || ends_behind(design, node).is_empty() {
        return;
    }
    let reason = format!(
        "nobody says whether {} keeps the correlation; declare it",
        design.title(node)
    );
    findings.unchecked(Subject::Node(design.nodes[node].id.clone()), reason);
}

/// Nodes of which somebody says that the correlation ends there.
fn broken_chains(facts: &Facts, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    for (node, view, _) in design.active() {
        let said = design.declared(node, "propagates").and_then(Value::as_bool);
        if said != Some(false) {
            continue;
        }
        let ends = ends_behind(design, node);
        let Some(&end) = ends.first() else { continue };
        let title = design.title(node);
        let what = if end == node {
            "what it does"
        } else {
            design.title(end)
        };
        let message = format!(
            "{title} hands no correlation on, so nobody can say what caused {what}; hand it on"
        );
        let mut path = vec![Step::node(
            &view.id,
            "sends events without the correlation of those that caused them",
        )];
        if end != node {
            let note = "gets events of which nobody can say what caused them";
            path.push(Step::node(&design.nodes[end].id, note));
        }
        findings.add(
            Found::node(&view.id, message)
                .detail("chain")
                .path(path)
                .fixes([fixes::hand_on_correlation(design, node)])
                .affecting(ends.iter().map(|end| design.nodes[*end].id.clone())),
        );
    }
}
