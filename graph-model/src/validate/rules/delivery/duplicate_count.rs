//! DELIV-002: what is not safe to repeat is repeated.

use super::{cause_of_copies, repeats, there_and_back, way_of_copies};
use crate::catalog::Behaviour;
use crate::expr::{Expr, Variable};
use crate::validate::design::{Design, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::delivery::Copies;
use crate::validate::facts::origins::Renewal;
use crate::validate::facts::{Facts, Port};
use crate::validate::fixes;
use crate::validate::rules::declare_rule;
use crate::value::Value;

declare_rule! {
    /// Finds counts, sums and updates that come out differently when an event comes twice.
    /// ## Why is this bad
    /// Counting is not safe to repeat; setting to five is. Sources and channels repeat events after
    /// a crash or a lost answer, and the count goes up once more. The error never goes away again.
    /// ## When is this fine
    /// When the number is only a trend: then accept the hazard. When it comes out the same for a
    /// reason that cannot be seen here: then assume `idempotent`, and every run tests that.
    /// ## Perturbation
    /// Duplication: one event delivered twice is counted twice. Replay: a part of the stream that comes
    /// again is counted again.
    /// ## Example
    /// hook: http(path=/hook) -> count: aggregate(group=.repository, aggregates=[{"name": "pushes", "function": "count"}]) -> out: view
    /// ## Use instead
    /// hook: http(path=/hook) -> once: dedupe(key=$event.id) -> count: aggregate(group=.repository, aggregates=[{"name": "pushes", "function": "count"}]) -> out: view
    /// ## Near miss
    /// days: replay(file=days.jsonl) -> latest: aggregate(group=.shop, aggregates=[{"name": "balance", "function": "last", "of": ".balance"}]) -> shops: table(table=shops, key=.key)
    /// days -> all: table(table=days, mode=append)
    /// ## Source
    /// Apache Kafka, Message delivery semantics; J. Gray et al.: Data cube, 1997
    code = "DELIV-002", name = "duplicate-count", severity = Error, since = "0.1.0",
    check = Node(check),
}

/// Functions whose result stays the same when a value comes again.
const SAFE: [&str; 4] = ["min", "max", "first", "count_distinct"];

fn check(facts: &Facts, node: NodeIx, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    let Some((view, behaviour)) = design.acting(node) else {
        return;
    };
    // What a look-up keeps are the rows.
    let arriving = match behaviour {
        Behaviour::Enrich { .. } => facts.input(node).and(facts.second(node)),
        _ => facts.input(node),
    };
    let Some(port) = arriving else { return };
    let Some(by) = port.copies.by() else { return };
    let effect = match behaviour {
        Behaviour::Table { .. } | Behaviour::Bucket { .. } => {
            rows_of_copies(facts, node, behaviour, port)
        }
        Behaviour::Enrich { row_key, .. } if !design.compares_times(node) => design
            .expr(node, row_key)
            .filter(|key| old_takes_over(facts, key, port))
            .map(|_| "takes an old row for the newest"),
        _ => broken_by_copies(design, node, port.copies),
    };
    let back = match effect {
        Some(_) => None,
        None => there_and_back::writer(facts, node, behaviour, port),
    };
    let effect = effect.or(back.map(|_| there_and_back::EFFECT));
    let Some(effect) = effect.filter(|_| !facts.assumed(node, "idempotent")) else {
        return;
    };
    let title = design.title(node);
    let (instead, fix) = match behaviour {
        _ if back.is_some() => (
            "put a dedupe in front of the table",
            back.and_then(|table| fixes::dedupe(facts, table)),
        ),
        Behaviour::Enrich { as_of, .. } => (
            "take the row that held then",
            Some(fixes::take_row_of_then(design, node, as_of)),
        ),
        _ => ("put a dedupe in front", fixes::dedupe(facts, node)),
    };
    let message = format!(
        "{} {}, and {title} {effect}; {instead}",
        design.title(by),
        repeats(design, by)
    );
    let found = Found::node(&view.id, message)
        .path(way_of_copies(facts, by, node, effect.to_owned()))
        .following(cause_of_copies(facts, node))
        .fixes(fix);
    findings.add(found);
}

/// What a copy does to what a node remembers of its events, where that is something. The table of
/// updates: what the last event decides is safe when a part of the stream comes again in order, and
/// what adds up is never.
pub(in crate::validate) fn broken_by_copies(
    design: &Design,
    node: NodeIx,
    copies: Copies,
) -> Option<&'static str> {
    let any = match copies {
        Copies::No => return None,
        Copies::Suffix(_) => false,
        Copies::Any(_) => true,
    };
    if design.assumed(node, "idempotent") {
        return None;
    }
    match design.behaviour(node)? {
        Behaviour::Aggregate {
            aggregates, window, ..
        } => {
            // A window of so many events is full too early.
            if design.text(node, window) == Some("count") {
                return Some("ends a window too early");
            }
            let records = design.value(node, aggregates).and_then(Value::as_array);
            let counts = records.unwrap_or_default().iter().any(|record| {
                let function = record.get("function").and_then(Value::as_str);
                let function = function.unwrap_or("count");
                !SAFE.contains(&function) && (function != "last" || any)
            });
            counts.then_some("counts it again")
        }
        Behaviour::Fold { step, .. } => {
            let step = design.expr(node, step)?;
            let adds = step.variables().contains(&Variable::State);
            (adds || any).then_some("folds it in again")
        }
        Behaviour::Decide { claim, wait, .. } => {
            let claim = design.text(node, claim).unwrap_or("at_least");
            let waits = design.text(node, wait) != Some("no");
            let least = design.value(node, COUNT).and_then(Value::as_i64);
            let counts = claim == "at_least" || claim == "fewer_than" && waits;
            (counts && least.unwrap_or(1) > 1).then_some("counts it again")
        }
        // Whoever says what the code remembers was asked; of code that only may remember, nobody knows
        // that it would tell a copy by its id.
        Behaviour::Opaque { .. } if design.declared_text(node, "state").is_none() => {
            let state = design.code_state(node)?;
            state.decides().then_some("may take it into account again")
        }
        _ => None,
    }
}

/// The field of what decides by a number of events that holds the number.
const COUNT: &str = "count";

/// What a copy does to what a table or a bucket keeps, where that is something.
pub(super) fn rows_of_copies(
    facts: &Facts,
    node: NodeIx,
    behaviour: &Behaviour,
    port: &Port,
) -> Option<&'static str> {
    match behaviour {
        Behaviour::Table { mode, key, .. } => row_of_copy(facts, node, (mode, key), port),
        Behaviour::Bucket { name } => object_of_copy(facts, node, name, port),
        _ => None,
    }
}

/// What a copy does to the rows of a table. Rows that are out of order anyway belong to another
/// hazard.
fn row_of_copy(
    facts: &Facts,
    node: NodeIx,
    (mode, key): (&str, &str),
    port: &Port,
) -> Option<&'static str> {
    let design = &*facts.design;
    let mode = design.text(node, mode);
    if mode == Some("append") {
        // The same event is taken once, by its source and id.
        return (!facts.named(port)).then_some("adds a row for it again");
    }
    let key = design.expr(node, key)?;
    match facts.renews(key, port) {
        Some(Renewal::By(_)) => return Some("adds a row for it again"),
        // The code was not asked whether it keeps the key, as most code does.
        Some(Renewal::Code(_)) => return None,
        None => {}
    }
    let overtakes = mode == Some("upsert") && old_takes_over(facts, key, port);
    overtakes.then_some("puts an old row over a newer one")
}

/// Whether a copy comes behind something newer of its key, where nothing else does.
fn old_takes_over(facts: &Facts, key: &Expr, port: &Port) -> bool {
    let key = facts.key(key, port);
    matches!(port.copies, Copies::Any(_))
        && !facts.identifies(&key, port)
        && facts.in_order(&port.order, &key)
}

/// What a copy does to the objects of a bucket; one with the name of another takes its place.
fn object_of_copy(facts: &Facts, node: NodeIx, name: &str, port: &Port) -> Option<&'static str> {
    let name = facts.design.expr(node, name)?;
    let renewed = matches!(facts.renews(name, port), Some(Renewal::By(_)));
    renewed.then_some("adds an object for it again")
}
