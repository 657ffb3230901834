//! A3: a number that is let go because it is over many people is over many people.

use std::collections::BTreeMap;

use graph_model::id::NodeId;
use graph_model::value::{Object, Value};
use smol_str::{SmolStr, format_smolstr};

use super::groups_of::{Behind, people};
use super::numbers::Column;
use super::releases::Release;
use super::viewers::{Owners, type_of};
use super::{Context, Finding, Oracle};
use crate::simulate::{Outcome, Step};

/// Finds results over too few people that are shown to those who may not read what they are made of.
pub(super) fn judge(run: &Outcome, _reference: &Outcome, context: &Context) -> Vec<Finding> {
    let document = &*context.document;
    let rules: Vec<_> = context
        .releases
        .iter()
        .filter_map(|rule| Some((rule, rule.people()?)))
        .collect();
    if rules.is_empty() {
        return Vec::new();
    }
    let most = rules.iter().map(|(_, people)| *people).max().unwrap_or(0);
    // Results over too few, by the event that tells them, and the node that made them.
    let mut few: BTreeMap<SmolStr, Few<'_>> = BTreeMap::new();
    for speaker in &context.speakers {
        let Some(node) = speaker.counts() else {
            continue;
        };
        for (step, behind) in people(run, node, context) {
            if (behind.people.len() as i64) < most {
                few.insert(step.event.clone(), Few { step, node, behind });
            }
        }
    }
    if few.is_empty() {
        return Vec::new();
    }
    let owners = Owners::of(document, &run.facts);
    let mut findings = Vec::new();
    for place in &context.places {
        if place.is_of_keys() {
            // No number is seen there.
            continue;
        }
        let items = place.items(run);
        if !items
            .iter()
            .any(|item| few.contains_key(&item.event.context.id))
        {
            continue;
        }
        'rules: for (rule, least) in &rules {
            let mut made: BTreeMap<&NodeId, Vec<SmolStr>> = BTreeMap::new();
            for viewer in &place.viewers {
                for item in place.seen(&items, viewer, &owners) {
                    let Some(Few { step, node, behind }) = few.get(&item.event.context.id) else {
                        continue;
                    };
                    let people = behind.people.len() as i64;
                    if people >= *least {
                        continue;
                    }
                    let made = made.entry(node);
                    let columns = made.or_insert_with(|| folds(run, context, node, rule));
                    let mut told = columns.iter();
                    let result = step.whole.as_ref().map(|event| &event.data);
                    if !told.any(|column| {
                        let number = result.and_then(|result| result.get(column));
                        number.is_some_and(|number| holds(&item.value, number))
                    }) {
                        continue;
                    }
                    // What the number is not over, it tells nothing of.
                    let facts = behind.facts.iter();
                    let mut facts = facts.filter_map(|fact| run.facts.get(*fact as usize));
                    let refused = facts.any(|fact| {
                        let Some(ty) = type_of(document, fact) else {
                            return false;
                        };
                        let labels = document.types[ty].labels.iter();
                        let about = labels.filter(|(field, _)| rule.is_about(ty, field));
                        let mut clauses = about.flat_map(|(_, label)| &label.0);
                        clauses.any(|clause| !viewer.satisfies(clause, &fact.event.data, &owners))
                    });
                    if !refused {
                        continue;
                    }
                    let mut observed = Object::with_capacity(3);
                    observed.insert("people", people);
                    observed.insert("seen_by", viewer.name());
                    observed.insert("value", item.value.clone());
                    findings.push(Finding {
                        fact: item.step.fact,
                        ..Finding::new(
                            Oracle::A3,
                            place.title.clone(),
                            observed,
                            format_smolstr!("over at least {least} people"),
                        )
                    });
                    continue 'rules;
                }
            }
        }
    }
    findings
}

/// A result over too few.
struct Few<'o> {
    step: &'o Step,
    node: &'o NodeId,
    behind: Behind,
}

/// Whether a number is among what is seen.
fn holds(seen: &Value, number: &Value) -> bool {
    match seen {
        Value::Arr(items) => items.iter().any(|item| holds(item, number)),
        Value::Obj(object) => object.values().any(|item| holds(item, number)),
        leaf => leaf == number,
    }
}

/// The columns of a node that are made of the field that a rule is about.
fn folds(run: &Outcome, context: &Context, node: &NodeId, rule: &Release) -> Vec<SmolStr> {
    let Some(aggregate) = context.aggregates.get(node) else {
        return Vec::new();
    };
    let parts = aggregate.parts(node, run, context);
    let made = |column: &&Column| {
        parts.iter().any(|part| {
            let fact = part.step.fact.and_then(|fact| run.facts.get(fact as usize));
            let Some((fact, ty)) =
                fact.and_then(|fact| Some((fact, type_of(&context.document, fact)?)))
            else {
                return false;
            };
            let labels = &context.document.types[ty].labels;
            let about = labels.keys().filter(|field| rule.is_about(ty, field));
            let held: Vec<&Value> = about
                .filter_map(|field| field.get(&fact.event.data))
                .collect();
            held.contains(&&column.value(part))
        })
    };
    let columns = aggregate.columns.iter().filter(made);
    columns.map(|column| column.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;

    #[test]
    fn a_sum_over_one_person_is_told() {
        let judge = |least: u32, who: &str| {
            let flow = format!(
                r#"role support
                role payroll
                type pay(id=/id, subject=/id): id string, shop string, salary integer {{role:payroll}}
                release few: pay/salary aggregate 2
                in: manual(event_type=pay) -> sums: aggregate(group=.shop, aggregates=[{{"name": "total", "function": "sum", "of": ".salary"}}, {{"name": "people", "function": "count_distinct", "of": ".id"}}]) -> many: filter(when=.people >= {least}) -> out: view @{who}"#
            );
            let facts = r#"in {"id":"ana","shop":"a","salary":50}
                in {"id":"bob","shop":"a","salary":70}"#;
            Trial::new(&flow, facts).judge(Oracle::A3)
        };
        assert_eq!(
            judge(1, "support"),
            r#"A3 at `out`: {"people":1,"seen_by":"support 1","value":{"key":"a","people":1,"total":50}} instead of "over at least 2 people""#
        );
        assert_eq!(judge(2, "support"), "");
        assert_eq!(judge(1, "payroll"), "");
    }

    #[test]
    fn a_number_of_something_else_may_be_over_one() {
        let flow = r#"role support
            role payroll
            type pay(id=/id, subject=/id): id string, shop string, salary integer {role:payroll}
            release few: pay/salary aggregate 2
            in: manual(event_type=pay) -> count: aggregate(group=.shop, aggregates=[{"name": "n", "function": "count"}]) -> out: view @support"#;
        let facts = r#"in {"id":"ana","shop":"a","salary":50}"#;
        assert_eq!(Trial::new(flow, facts).judge(Oracle::A3), "");
    }
}
