//! COST-002: one event from outside costs more than it may.

use std::collections::BTreeSet;

use crate::catalog::Behaviour;
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::facts::rates::Bound;
use crate::validate::rules::declare_rule;
use crate::validate::rules::loops::number;
use crate::validate::{Fix, Step, Subject, fixes};

declare_rule! {
    /// Finds sources of which one event costs more, with all that follows from it, than the budget
    /// `per_event`.
    /// ## Why is this bad
    /// Each hop is billed, and each copy of an event pays again. Chatter grows with success: twice the
    /// customers, twice the bill. By then the flow is in use and hard to change.
    /// ## When is this fine
    /// When an event earns more than it costs: then raise the budget, so that the next step counts.
    /// ## Perturbation
    /// A thousand events: the bill of the run over their number.
    /// ## Example
    /// budget per_event=0.00002
    /// in: manual -> lines: split(expr=[.a, .b, .c, .d]) -> price: function(component=price.wasm) ^price=4 ^gain=1 -> store: table(table=lines, mode=append) ^price=1.25
    /// ## Use instead
    /// budget per_event=0.00002
    /// in: manual -> price: function(component=price.wasm) ^price=4 ^gain=1 -> store: table(table=lines, mode=append) ^price=1.25
    /// ## Near miss
    /// budget per_event=0.00002
    /// in: manual -> way: route(routes={"large": ".total > 100"})
    /// way.large -> first: function(component=price.wasm) ^price=15 -> one: view
    /// way.otherwise -> second: function(component=price.wasm) ^price=15 -> two: view
    /// ## Source
    /// The prices that were declared; as an example AWS Price List API, us-east-1, read 2026-09-24 (functions
    /// 0.20 a million calls beside their time)
    code = "COST-002", name = "cost-over-budget", severity = Warning, since = "0.1.0",
    check = Whole(check),
}

/// Budgets are proposed with nine digits.
const ROUNDED: f64 = 1e9;

/// Prices are for so many events.
const PRICED: f64 = 1e6;

fn check(facts: &Facts, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some(budget) = design.budget_number("per_event") else {
        return;
    };
    let price = |node: NodeIx| design.declared_number(node, "price").unwrap_or(0.0) / PRICED;
    let sum = |node: NodeIx, total: f64| price(node) + total;
    let (least, most) = (
        facts.aftermath(Bound::Least, &sum),
        facts.aftermath(Bound::Most, &sum),
    );
    for source in design.sources() {
        let cost = price(source) + least.of_source(facts, source);
        if cost <= budget {
            let is_paid = |node: &NodeIx| {
                let mut behind = BTreeSet::from([*node]);
                design.behind(*node, &mut behind);
                behind.into_iter().any(|node| price(node) > 0.0)
            };
            if let Some(node) = most.comes_round(design, source).filter(is_paid) {
                let title = design.title(node);
                let reason = format!(
                    "nobody says how often an event comes round to {title}; declare the gain of what ends it"
                );
                let subject = Subject::Node(design.nodes[node].id.clone());
                findings.unchecked(subject, reason);
                continue;
            }
            if price(source) + most.of_source(facts, source) > budget
                && let Some(by) = facts.doubt_behind(source)
            {
                let reason = format!(
                    "nobody says how many events {} makes of one; declare its gain",
                    design.title(by)
                );
                findings.unchecked(Subject::Node(design.nodes[by].id.clone()), reason);
            }
            continue;
        }
        let visits = facts.visits(source);
        let mut shares: Vec<(NodeIx, f64, f64)> = design
            .active()
            .map(|(node, _, _)| (node, visits[node], visits[node] * price(node)))
            .filter(|(_, _, cost)| *cost > 0.0)
            .collect();
        shares.sort_by(|a, b| b.2.total_cmp(&a.2));
        let id = &design.nodes[source].id;
        let mut path = vec![Step::node(id, "sends one event")];
        path.extend(shares.iter().take(4).map(|(node, visits, cost)| {
            let note = format!(
                "gets {} for it, which costs {}",
                number(*visits),
                money(*cost)
            );
            Step::node(&design.nodes[*node].id, note)
        }));
        let title = design.title(source);
        let message = format!(
            "one event of {title} costs {} with all that follows, and the budget allows {}; gather, or \
             filter earlier",
            money(cost),
            money(budget)
        );
        let whole = gathering(facts, &shares, cost, budget);
        let needed = (cost * ROUNDED).ceil() / ROUNDED;
        let needed = if needed < cost { cost } else { needed };
        let raised = fixes::raise_budget(design, "per_event", needed.into(), &money(needed));
        findings.add(
            Found::node(id, message)
                .path(path)
                .fixes(whole)
                .fixes([raised]),
        );
    }
}

/// A list that goes on as one event, where that is cheap enough.
fn gathering(facts: &Facts, shares: &[(NodeIx, f64, f64)], cost: f64, budget: f64) -> Option<Fix> {
    let design = &*facts.design;
    let mut splits: Vec<NodeIx> = design
        .active()
        .filter(|(_, _, does)| matches!(does, Behaviour::Split { .. }))
        .map(|(node, ..)| node)
        .collect();
    splits.sort_by_key(|node| &design.nodes[*node].id);
    splits.into_iter().find_map(|split| {
        let edge = *design.nodes[split]
            .outs
            .iter()
            .find(|edge| design.edges[**edge].main)?;
        let gain = facts.gain(edge, 0).least;
        let mut seen = BTreeSet::new();
        design.behind(split, &mut seen);
        let behind = shares.iter().filter(|(node, ..)| seen.contains(node));
        let behind: f64 = behind.map(|(.., cost)| cost).sum();
        let left = cost - behind + behind / gain.max(1.0);
        (left <= budget)
            .then(|| fixes::send_whole(design, split))
            .flatten()
    })
}

/// `0.000021`: enough digits to tell amounts apart.
fn money(amount: f64) -> String {
    if amount >= 0.01 {
        return number(amount);
    }
    let text = format!("{amount:.9}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
