//! A3: a number that is let go because it is over many people is over many people.

use std::collections::{BTreeMap, BTreeSet};

use graph_model::value::{Object, Value};
use smol_str::{SmolStr, format_smolstr};

use super::groups_of::people;
use super::viewers::{Owners, type_of};
use super::{Context, Finding, Oracle};
use crate::simulate::Outcome;

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
    // Results over too few, by the event that tells them.
    let mut few: BTreeMap<SmolStr, BTreeSet<Value>> = BTreeMap::new();
    for speaker in &context.speakers {
        let Some(node) = speaker.counts() else {
            continue;
        };
        for (step, people) in people(run, node, context) {
            if (people.len() as i64) < most {
                few.insert(step.event.clone(), people);
            }
        }
    }
    if few.is_empty() {
        return Vec::new();
    }
    let owners = Owners::of(document, &run.facts);
    let mut findings = Vec::new();
    for place in &context.places {
        let items = place.items(run);
        if !items
            .iter()
            .any(|item| few.contains_key(&item.event.context.id))
        {
            continue;
        }
        'rules: for (rule, least) in &rules {
            for viewer in &place.viewers {
                for item in place.seen(&items, viewer, &owners) {
                    let Some(people) = few.get(&item.event.context.id) else {
                        continue;
                    };
                    if people.len() as i64 >= *least {
                        continue;
                    }
                    let refused = run.facts.iter().any(|fact| {
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
                    observed.insert("people", people.len() as i64);
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
}
