//! LOOP-003: one event becomes more than the flow is meant for.

use rustc_hash::FxHashSet;

use super::number;
use crate::validate::design::{EdgeIx, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::facts::gain::times;
use crate::validate::facts::rates::{Aftermath, Bound};
use crate::validate::rules::declare_rule;
use crate::validate::{Step, Subject, fixes};

declare_rule! {
    /// Finds sources of which one event may be multiplied beyond the budget `descendants`.
    /// ## Why is this bad
    /// Each step looks harmless: twenty lines of an order, fifty listeners of a line. Together they
    /// make a thousand calls of one click, all at the same moment. Limits, bills and people feel the
    /// product, not the steps.
    /// ## When is this fine
    /// When so many are what the flow is for: then raise the budget, so that the next step counts.
    /// ## Perturbation
    /// The largest event that its type allows: the descendants of one event are counted.
    /// ## Example
    /// budget descendants=10
    /// in: manual -> lines: split(expr=[.a, .b, .c, .d]) -> told: topic -> one: view
    /// told -> two: view
    /// told -> three: view
    /// ## Use instead
    /// budget descendants=12
    /// in: manual -> lines: split(expr=[.a, .b, .c, .d]) -> told: topic -> one: view
    /// told -> two: view
    /// told -> three: view
    /// ## Near miss
    /// budget descendants=10
    /// in: manual -> lines: split(expr=[.a, .b, .c, .d]) -> way: route(routes={"one": ".x > 1", "two": ".x < 0"})
    /// way.one -> pair: split(expr=[., .]) -> first: view
    /// way.two -> second: view
    /// way.otherwise -> third: view
    /// ## Source
    /// AWS: Amazon SNS endpoints and quotas (12,500,000 subscriptions for each topic: the platform does
    /// not bound the product), and this design's own budget
    code = "LOOP-003", name = "fan-out-over-budget", severity = Warning, since = "0.1.0",
    check = Whole(check),
}

/// A budget can be set up to here.
const COUNTED: f64 = 1e9;

fn check(facts: &Facts, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some(budget) = design.budget_number("descendants") else {
        return;
    };
    // An event that goes nowhere is still one event.
    let aftermath = facts.aftermath(Bound::Most, &|_, total| total.max(1.0));
    let mut named = FxHashSet::default();
    let mut sources: Vec<(NodeIx, f64)> = design
        .sources()
        .map(|source| (source, aftermath.of_source(facts, source)))
        .filter(|(_, descendants)| *descendants > budget)
        .collect();
    sources.sort_by(|a, b| b.1.total_cmp(&a.1));
    for (source, descendants) in sources {
        let way = widest(facts, &aftermath, source);
        let by = |step: &&Spread| !step.factor.is_finite();
        if let Some(unknown) = way.iter().find(by) {
            if named.insert(unknown.node) {
                let reason = format!(
                    "nobody says how many events {} makes of one; declare its gain",
                    design.title(unknown.node)
                );
                let subject = Subject::Node(design.nodes[unknown.node].id.clone());
                findings.unchecked(subject, reason);
            }
            continue;
        }
        let most = way.iter().map(|step| step.factor).fold(1.0, f64::max);
        let Some(widest) = way.iter().find(|step| step.factor >= most) else {
            continue;
        };
        if !named.insert(widest.node) {
            continue;
        }
        let message = format!(
            "one event of {} may become {}, more than the {} that the budget allows; \
             gather them, or filter before they are multiplied",
            design.title(source),
            number(descendants),
            number(budget)
        );
        let subject = Subject::Node(design.nodes[widest.node].id.clone());
        let gathered = descendants / widest.gain.max(1.0) <= budget;
        let whole = gathered.then(|| fixes::send_whole(design, widest.node));
        let most = descendants.ceil();
        let raised = (most < COUNTED).then(|| {
            fixes::raise_budget(design, "descendants", (most as i64).into(), &number(most))
        });
        findings.add(
            Found::at(subject, message)
                .path(evidence(facts, &way, descendants))
                .fixes(whole.flatten())
                .fixes(raised),
        );
    }
}

/// What a node on the way does to the number of events.
struct Spread {
    node: NodeIx,
    edge: EdgeIx,
    /// Events of one that came.
    gain: f64,
    wires: usize,
    factor: f64,
}

/// The way on which most becomes of an event.
fn widest(facts: &Facts, aftermath: &Aftermath, source: NodeIx) -> Vec<Spread> {
    let design = &*facts.design;
    let mut way = Vec::new();
    let (mut node, mut input, mut seen) = (source, 0, FxHashSet::default());
    while seen.insert(node) {
        let outs = design.nodes[node].outs.iter().copied();
        let ports = facts.outlets(outs.filter(|edge| !design.is_failure(*edge)));
        let widest = ports
            .into_iter()
            .map(|port| {
                let values = port
                    .wires
                    .iter()
                    .map(|edge| aftermath.by_wire(facts, *edge));
                let value: f64 = values.sum();
                let gain = if node == source {
                    1.0
                } else {
                    port.gains[input].most
                };
                (times(gain, value), gain, port)
            })
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let Some((_, gain, port)) = widest else { break };
        let by_value = |a: &&EdgeIx, b: &&EdgeIx| {
            let value = |edge: &EdgeIx| aftermath.by_wire(facts, *edge);
            value(a).total_cmp(&value(b))
        };
        let Some(&edge) = port.wires.iter().rev().max_by(by_value) else {
            break;
        };
        let wires = if port.competing { 1 } else { port.wires.len() };
        way.push(Spread {
            node,
            edge,
            gain,
            wires,
            factor: gain * wires as f64,
        });
        let view = &design.edges[edge];
        (node, input) = (view.to, view.input.min(1));
    }
    way
}

fn evidence(facts: &Facts, way: &[Spread], descendants: f64) -> Vec<Step> {
    let design = &*facts.design;
    let mut steps = Vec::new();
    for (at, step) in way.iter().enumerate() {
        let mut notes = Vec::new();
        if at == 0 {
            notes.push("sends one event".to_owned());
        } else if step.gain > 1.0 {
            notes.push(format!("makes {} of one", number(step.gain)));
        }
        if step.wires > 1 {
            notes.push(format!("sends each to {} places", step.wires));
        }
        if !notes.is_empty() {
            steps.push(Step {
                place: Subject::Port(design.edges[step.edge].edge.from.clone()),
                note: notes.join(" and "),
            });
        }
    }
    if let Some(last) = way.last() {
        let end = &design.nodes[design.edges[last.edge].to].id;
        let note = format!("and others like it get {} in all", number(descendants));
        steps.push(Step::node(end, note));
    }
    steps
}
