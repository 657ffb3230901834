//! I1: nobody acts with rights that are not theirs, by what they sent.

use std::collections::{BTreeMap, BTreeSet};

use graph_model::catalog::{Behaviour, Catalog, Delivery};
use graph_model::document::Document;
use graph_model::expr::{Expr, Variable};
use graph_model::id::NodeId;
use graph_model::pointer::Pointer;
use graph_model::value::{Object, Value};
use rustc_hash::FxHashMap;
use smol_str::{SmolStr, format_smolstr};

use super::ends::{reached_through_stores, reached_without};
use super::lineage::{key, steps};
use super::{Context, Finding, Oracle};
use crate::simulate::{Outcome, Step, What};

/// What nodes do with rights that their callers may not have, and who calls.
#[derive(Default)]
pub(super) struct Rights {
    /// The field that says on what a node acts, where nothing is looked up before.
    acts_on: BTreeMap<NodeId, Pointer>,
    /// Fields that must be checked before a node gets them.
    sensitive: BTreeMap<NodeId, Vec<Pointer>>,
    /// The field in which a source puts who called.
    callers: BTreeMap<NodeId, Pointer>,
    /// Sources to which anybody may send.
    open: BTreeSet<NodeId>,
    /// Nodes that let pass only what has the shape of its type.
    checks: BTreeSet<NodeId>,
    /// Nodes that get what nodes made which say how many events or values there were.
    counted: BTreeSet<NodeId>,
}

impl Rights {
    pub(super) fn of(document: &Document, catalog: &Catalog) -> Rights {
        let mut rights = Rights::default();
        let (mut asks, mut count) = (Vec::new(), Vec::new());
        for (id, node) in document.nodes.iter().filter(|(_, node)| !node.disabled) {
            let declared = &node.notes.declared;
            let pointer = |name: &str| Pointer::parse(declared.get(name)?.as_str()?).ok();
            let Some(kind) = catalog.get(&node.kind) else {
                continue;
            };
            match &kind.behaviour {
                Behaviour::Validate { .. } => {
                    rights.checks.insert(id.clone());
                }
                Behaviour::Enrich { .. } | Behaviour::Join { .. } => asks.push(id),
                Behaviour::Aggregate { aggregates, .. }
                    if counts(kind.config(node, aggregates)) =>
                {
                    count.push(id);
                }
                Behaviour::Decide { .. } | Behaviour::Opaque { .. } => count.push(id),
                Behaviour::Fold { step, .. } if counts_up(kind.config(node, step)) => {
                    count.push(id);
                }
                Behaviour::Source {
                    delivery: Delivery::CallerRetries,
                    ..
                } if declared.get("publishers").is_none() => {
                    rights.open.insert(id.clone());
                }
                _ => {}
            }
            // Which event brings a result about says nothing of whom it is for.
            if let Behaviour::Aggregate { .. } | Behaviour::Decide { .. } | Behaviour::Fold { .. } =
                kind.behaviour
            {
                asks.push(id);
            }
            rights
                .callers
                .extend(pointer("principal").map(|at| (id.clone(), at)));
            rights
                .acts_on
                .extend(pointer("acts_on").map(|at| (id.clone(), at)));
            let fields = declared.get("sensitive").and_then(Value::as_array);
            let fields: Vec<Pointer> = fields
                .unwrap_or_default()
                .iter()
                .filter_map(|field| Pointer::parse(field.as_str()?).ok())
                .collect();
            if !fields.is_empty() {
                rights.sensitive.insert(id.clone(), fields);
            }
        }
        // Whose a thing is may have been looked up.
        let asked = reached_without(document, asks.into_iter(), None);
        rights.acts_on.retain(|id, _| !asked.contains(id));
        let counted = reached_through_stores(document, catalog, count.into_iter());
        rights.counted = counted.into_iter().cloned().collect();
        rights
    }
}

/// Finds deeds on what is somebody else's, and unchecked values from outside in sensitive places.
pub(super) fn judge(run: &Outcome, _reference: &Outcome, context: &Context) -> Vec<Finding> {
    let rights = &context.rights;
    if rights.acts_on.is_empty() && rights.sensitive.is_empty() {
        return Vec::new();
    }
    // What waited for another event leaves because of that one, and is still its own.
    let facts = run.facts.iter().map(|fact| key(&fact.event));
    let by_name: FxHashMap<_, u32> = facts.zip(0..).collect();
    let own = |step: &Step, event| by_name.get(&key(event)).copied().or(step.fact);
    let passed = steps(run, What::Emitted).filter(|(step, _)| step.port == 0);
    let checked: BTreeSet<Option<u32>> = passed
        .filter(|(step, _)| rights.checks.contains(&step.node))
        .map(|(step, event)| own(step, event))
        .collect();
    let mut told: BTreeSet<(&NodeId, &Pointer)> = BTreeSet::new();
    let mut findings = Vec::new();
    for (step, event) in steps(run, What::Handled) {
        let number = own(step, event);
        let Some(fact) = number.and_then(|fact| run.facts.get(fact as usize)) else {
            continue;
        };
        let sent = |value: &Value| holds(&fact.event.data, value);
        let mut found = |field, observed: Value, expected: SmolStr| {
            if told.insert((&step.node, field)) {
                findings.push(Finding {
                    fact: number,
                    ..Finding::new(Oracle::I1, step.node.as_str(), observed, expected)
                });
            }
        };
        if let Some(field) = rights.acts_on.get(&step.node)
            && let Some(caller) = rights.callers.get(&fact.source)
            && let Some(caller) = caller.get(&fact.event.data)
            && let Some(thing) = field.get(&event.data)
            && thing != caller
            && sent(thing)
            // On what the flow says itself nobody chose to act.
            && !context.literals.contains(thing)
        {
            let mut observed = Object::with_capacity(2);
            observed.insert("acts_on", thing.clone());
            observed.insert("for", caller.clone());
            found(field, observed.into(), "only what is the caller's".into());
        }
        if rights.open.contains(&fact.source) && !checked.contains(&number) {
            for field in rights.sensitive.get(&step.node).into_iter().flatten() {
                // Who called is not for the caller to say, and what the flow says itself nobody chose.
                let caller = rights.callers.get(&fact.source);
                let caller = caller.and_then(|at| at.get(&fact.event.data));
                let said = |value: &Value| context.literals.contains(value);
                let chosen = |value: &&Value| sent(value) && Some(*value) != caller && !said(value);
                // How many there are nobody sends, even where somebody sent the same number.
                let counted = rights.counted.contains(&step.node);
                let tells = |value: &&Value| !(counted && is_small(value));
                if let Some(value) = field.get(&event.data).filter(chosen).filter(tells) {
                    let mut observed = Object::with_capacity(2);
                    observed.insert("field", field.to_string());
                    observed.insert("value", value.clone());
                    let by = format_smolstr!("nothing that `{}` took unchecked", fact.source);
                    found(field, observed.into(), by);
                }
            }
        }
    }
    findings
}

/// Whether some columns of an aggregate count.
fn counts(aggregates: Option<&Value>) -> bool {
    let records = aggregates.and_then(Value::as_array).unwrap_or_default();
    records.iter().any(|record| {
        let function = record.get("function").and_then(Value::as_str);
        matches!(function, None | Some("count" | "count_distinct"))
    })
}

/// Whether the step of a fold makes something of its state alone, and of nothing that came.
fn counts_up(step: Option<&Value>) -> bool {
    let code = step.and_then(Value::as_str);
    let step = code.and_then(|code| Expr::compile_with(code, &[Variable::State]).ok());
    step.is_some_and(|step| step.analysis().reads.fields.is_empty())
}

/// Whether it may be how many there are, or made of that.
fn is_small(value: &Value) -> bool {
    let number = value.as_f64();
    number.is_some_and(|number| number.fract() == 0.0 && number.abs() < 1_000.0)
}

/// Whether a payload holds a text or a number.
fn holds(payload: &Value, wanted: &Value) -> bool {
    match payload {
        Value::Arr(items) => items.iter().any(|item| holds(item, wanted)),
        Value::Obj(object) => object.values().any(|item| holds(item, wanted)),
        Value::Str(_) | Value::Int(_) | Value::Float(_) => payload == wanted,
        Value::Null | Value::Bool(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;

    fn check(flow: &str, facts: &str, wanted: &str) {
        let found = Trial::new(flow, facts).judge(Oracle::I1);
        assert_eq!(found, wanted, "{flow}");
    }

    #[test]
    fn callers_act_on_what_is_theirs() {
        let flow = |own: &str, on: &str| {
            format!(
                "type pay(id=/id): id string, user string, account string
                 in: http(path=/pay, event_type=pay) ^principal=/user -> lane: queue -> {own} move: effect(action=transfer, key=.id) ^acts_on={on}"
            )
        };
        let facts = r#"in {"id":"1","user":"ana","account":"bob"}"#;
        check(
            &flow("", "/account"),
            facts,
            r#"I1 at `move`: {"acts_on":"bob","for":"ana"} instead of "only what is the caller's""#,
        );
        check(
            &flow("own: filter(when=.account == .user) ->", "/account"),
            facts,
            "",
        );
        check(&flow("", "/user"), facts, "");
        check(
            &flow(
                "fixed: map(expr={id, user, account: \"bob\"}) ->",
                "/account",
            ),
            facts,
            "",
        );
    }

    #[test]
    fn a_window_is_not_whose_event_closes_it() {
        let flow = "type pay(id=/id): id string, user string, note string
             in: http(path=/pay, event_type=pay) ^principal=/user -> few: decide(group=.user, claim=fewer_than, count=2, wait=window, size=1ms) -> move: effect(action=transfer, key=$event.id) ^acts_on=/key";
        let facts = r#"in {"id":"1","user":"ana","note":""}
            in {"id":"2","user":"bob","note":"ana"}"#;
        check(flow, facts, "");
    }

    #[test]
    fn small_numbers_behind_a_count_are_nobodys_choice() {
        let flow = |function: &str| {
            format!(
                r#"type order(id=/id): id string, total number
                 in: http(path=/in, event_type=order) -> n: aggregate(aggregates=[{{"name": "n", "function": "{function}", "of": ".total"}}]) -> twice: map(expr={{double: (.n * 2)}}) -> out: effect(action=pay, key=$event.id) ^sensitive=["/double"]"#
            )
        };
        let facts = r#"in {"id":"1","total":2}"#;
        check(&flow("count"), facts, "");
        let folded = |step: &str| {
            format!(
                r#"type order(id=/id): id string, total number
                 in: http(path=/in, event_type=order) -> n: fold(group=("all"), step={step}) -> out: effect(action=pay, key=$event.id) ^sensitive=["/state"]"#
            )
        };
        check(&folded("($state // 1) + 1"), facts, "");
        check(
            &folded("($state // 0) + .total"),
            facts,
            r#"I1 at `out`: {"field":"/state","value":2} instead of "nothing that `in` took unchecked""#,
        );
        let told = r#"I1 at `out`: {"field":"/double","value":4} instead of "nothing that `in` took unchecked""#;
        let sum = r#"in {"id":"1","total":2}
            in {"id":"2","total":0}
            in {"id":"3","total":4}"#;
        check(&flow("count"), sum, "");
        let kept = r#"type order(id=/id): id string, total number
             in: http(path=/in, event_type=order) -> n: aggregate(aggregates=[{"name": "n", "function": "count"}]) -> rows: table(table=t, key=("all"), columns={"n": ".n"})
             heard: table_changes(table=t) -> out: effect(action=pay, key=$event.id) ^sensitive=["/after/n"]"#;
        check(kept, sum, "");
        check(
            &flow("min"),
            "in {\"id\":\"4\",\"total\":2}\nin {\"id\":\"5\",\"total\":4}",
            told,
        );
    }

    #[test]
    fn what_waits_is_its_own() {
        let flow = |check: &str, on: &str| {
            format!(
                r#"type pay(id=/id, version=/rev): id string, rev integer, user string
                 in: http(path=/pay, event_type=pay) ^principal=/user -> {check} turn: resequence(key=.id, version=.rev) -> move: effect(action=transfer, key=$event.id) ^acts_on=/user ^sensitive=["{on}"]"#
            )
        };
        let facts = r#"in {"id":"1","rev":2,"user":"bob"}
            in {"id":"1","rev":1,"user":"ana"}
            in {"id":"1","rev":4,"user":"bob"}"#;
        let check = |check: &str| Trial::new(&flow(check, "/rev"), facts).judge(Oracle::I1);
        let told = check("");
        assert!(
            told.starts_with(r#"I1 at `move`: {"field":"/rev""#),
            "{told}"
        );
        assert_eq!(check("safe: validate(event_type=pay) ->"), "");
    }

    #[test]
    fn what_strangers_sent_is_checked_first() {
        let flow = |way: &str| {
            format!(
                r#"type upload(id=/id): id string, path string
                 in: http(path=/in, event_type=upload) -> {way} keep: effect(action=copy, key=.id) ^sensitive=["/path"]"#
            )
        };
        let facts = r#"in {"id":"1","path":"../../etc"}"#;
        check(
            &flow(""),
            facts,
            r#"I1 at `keep`: {"field":"/path","value":"../../etc"} instead of "nothing that `in` took unchecked""#,
        );
        check(&flow("safe: validate(event_type=upload) ->"), facts, "");
        check(
            &flow("fixed: map(expr={id, note: .path, path: \"inbox\"}) ->"),
            facts,
            "",
        );
    }
}
