//! Whether a group holds the history of one thing.

use std::collections::BTreeSet;

use graph_model::pointer::Pointer;
use graph_model::value::Value;

use super::Context;
use super::viewers::type_of;
use crate::simulate::Outcome;

fn parts(key: &Value) -> &[Value] {
    key.as_array().unwrap_or(std::slice::from_ref(key))
}

/// Whether whoever knows the group knows the thing: it is a part of it, or the type of a fact says that it is
/// decided by that.
pub(super) fn decides(
    run: &Outcome,
    context: &Context,
    group: &Value,
    key: &Value,
    fact: Option<u32>,
) -> bool {
    if parts(group).contains(key) {
        return true;
    }
    let fact = fact.and_then(|fact| run.facts.get(fact as usize));
    let Some((fact, ty)) = fact.and_then(|fact| Some((fact, type_of(&context.document, fact)?)))
    else {
        return false;
    };
    let held = |field: &Pointer| field.get(&fact.event.data);
    let mut known: BTreeSet<&Value> = parts(group).iter().collect();
    let depends = &context.document.types[ty].depends;
    // What one dependency decides may decide something else.
    for _ in depends {
        for depends in depends {
            let mut from = depends.from.iter().map(held);
            if from.all(|value| value.is_some_and(|value| known.contains(value))) {
                known.extend(depends.to.iter().filter_map(held));
            }
        }
    }
    parts(key).iter().all(|part| known.contains(part))
}

#[cfg(test)]
mod tests {
    use super::super::Oracle;
    use super::super::testing::Trial;

    #[test]
    fn who_groups_by_what_decides_the_row_asks_for_its_history() {
        let judge = |depends: &str| {
            let flow = format!(
                r#"type offer({depends}): shop string, customer string, price number
                in: manual(event_type=offer) -> rows: table(table=offers, key=.shop, columns={{"n": ".price", "s": ".customer"}}, mode=upsert)
                changes: table_changes(table=offers) -> mean: aggregate(group=.after.s, aggregates=[{{"name": "n", "function": "average", "of": ".after.n"}}]) -> out: view"#
            );
            let facts = r#"in {"shop":"s1","customer":"c1","price":10}
                in {"shop":"s1","customer":"c1","price":12}"#;
            Trial::new(&flow, facts).judge(Oracle::D2)
        };
        assert_eq!(judge("depends=/customer>/shop"), "");
        assert_eq!(
            judge("depends=/shop>/customer"),
            r#"D2 at `mean`: {"column":"n","counts":"s1","times":2} instead of {"times":1}"#
        );
    }
}
