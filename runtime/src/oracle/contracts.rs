//! S1: whoever gets an event that its type allows can make sense of it.

use graph_model::event::extension;
use graph_model::id::NodeId;
use graph_model::value::{Object, Value};
use rustc_hash::FxHashSet;
use smol_str::SmolStr;

use super::lineage::steps;
use super::viewers::type_of;
use super::{Context, Finding, Oracle, old_shapes};
use crate::simulate::{Outcome, Step, What};

/// Finds events of a declared type that a node failed on, or made nonsense of.
pub(super) fn judge(run: &Outcome, _reference: &Outcome, context: &Context) -> Vec<Finding> {
    let document = &*context.document;
    if document.types.is_empty() {
        return Vec::new();
    }
    let typed = |step: &Step| {
        let fact = run.facts.get(step.fact? as usize)?;
        type_of(document, fact).map(|_| fact)
    };
    // The same of another event says no more.
    let mut told: FxHashSet<(SmolStr, SmolStr)> = FxHashSet::default();
    // Whatever handed the event out hears of the failure, too.
    let channels: FxHashSet<&NodeId> = steps(run, What::Delivered)
        .map(|(step, _)| &step.node)
        .collect();
    let by_others: FxHashSet<&SmolStr> = steps(run, What::GivenUp)
        .filter(|(step, _)| !channels.contains(&step.node))
        .filter_map(|(_, event)| event.context.extensions.get(extension::FAILURE))
        .collect();
    // Results of all events are named after no group.
    let named: FxHashSet<&SmolStr> = steps(run, What::Emitted)
        .map(|(_, event)| &event.context.id)
        .filter(|id| id.contains("null"))
        .collect();
    let mut made: FxHashSet<(Option<u32>, SmolStr)> = FxHashSet::default();
    let mut findings = Vec::new();
    for (step, event) in steps(run, What::GivenUp).chain(steps(run, What::Emitted)) {
        let Some(fact) = typed(step) else { continue };
        let extensions = &event.context.extensions;
        let failed = extensions.get(extension::FAILED_AT);
        let (at, what, why) = match failed.zip(extensions.get(extension::FAILURE)) {
            // Failures of an expression name its field.
            Some((at, why)) if why.starts_with('`') && !why.contains(UNIQUE) => {
                if channels.contains(&step.node) && by_others.contains(why) {
                    continue;
                }
                (at.clone(), "failure", why.clone())
            }
            Some(_) => continue,
            None => match nonsense(&event.data, &named)
                .filter(|_| nonsense(&fact.event.data, &named).is_none())
            {
                // Whoever hands it on did not make it.
                Some(text) if made.insert((step.fact, text.clone())) => {
                    (step.node.as_str().into(), "text", text)
                }
                _ => continue,
            },
        };
        // What another event brought is not of this one's type.
        let before = context.before.get(at.as_str()).copied().unwrap_or_default();
        if !before.is_plain() || !told.insert((at.clone(), why.clone())) {
            continue;
        }
        let mut observed = Object::with_capacity(2);
        observed.insert("event", fact.event.data.clone());
        observed.insert(what, why);
        findings.push(Finding {
            fact: step.fact,
            ..Finding::new(Oracle::S1, at, observed, "sense")
        });
    }
    findings.extend(old_shapes::judge(run, context));
    findings
}

/// Part of what joins say of a key that was promised to come once; that is no matter of its type.
const UNIQUE: &str = "came before";

/// A text in which somebody put nothing, and that is no name which the flow gave to an event.
fn nonsense(value: &Value, named: &FxHashSet<&SmolStr>) -> Option<SmolStr> {
    let says_nothing = |text: &str| {
        text.contains("null") && !named.iter().any(|name| text.contains(name.as_str()))
    };
    match value {
        Value::Str(text) => says_nothing(text).then(|| text.as_str().into()),
        Value::Arr(items) => items.iter().find_map(|item| nonsense(item, named)),
        Value::Obj(object) => object.values().find_map(|item| nonsense(item, named)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;

    #[test]
    fn a_reader_that_needs_more_than_was_promised_is_told() {
        let judge = |rest: &str| {
            let flow = format!(
                "type greeting: name string?, mood string?\nin: manual(event_type=greeting) -> {rest}"
            );
            let facts = r#"in {"name":"Ana","mood":"good"}
                in {"mood":"bad"}"#;
            Trial::new(&flow, facts).judge(Oracle::S1)
        };
        assert_eq!(
            judge(r#"greet: map(expr={text: "Hello, \(.name)!"}) -> out: view"#),
            r#"S1 at `greet`: {"event":{"mood":"bad"},"text":"Hello, null!"} instead of "sense""#
        );
        assert_eq!(
            judge(r#"greet: map(expr={text: "Hello, \(.name)!"}) -> once: dedupe -> out: view"#),
            r#"S1 at `greet`: {"event":{"mood":"bad"},"text":"Hello, null!"} instead of "sense""#,
            "who hands it on did not make it"
        );
        assert_eq!(
            judge(r#"greet: map(expr={text: "Hello, \(.name // "you")!"}) -> out: view"#),
            ""
        );
        assert_eq!(
            judge(
                r#"n: aggregate(aggregates=[{"name": "n"}]) -> named: map(expr={id: $event.id}) -> out: view"#
            ),
            "",
            "named after no group"
        );
        assert_eq!(
            judge("loud: map(expr={text: (.name | ascii_upcase)}) -> out: view"),
            r#"S1 at `loud`: {"event":{"mood":"bad"},"failure":"`expr`: null is not a text"} instead of "sense""#
        );
        assert_eq!(
            judge(
                "lane: log(key=.mood) -> loud: map(expr={text: (.name | ascii_upcase)}) -> out: view"
            ),
            r#"S1 at `loud`: {"event":{"mood":"bad"},"failure":"`expr`: null is not a text"} instead of "sense""#
        );
        assert_eq!(
            judge(
                "named: filter(when=.name != null) -> loud: map(expr={text: (.name | ascii_upcase)}) -> out: view"
            ),
            ""
        );
    }
}
