//! A2: who may not read a field cannot tell from anything they see which of two values it had.
//!
//! It needs a second run: the same scenario with one secret [changed](Secret::change), in which nodes
//! that a release rule lets speak of the field say what they [said](Secret::released) in the first.
//! Whatever they let go is then the same in both, with all that follows from it; what differs all the
//! same took another way.

use std::collections::BTreeMap;
use std::sync::Arc;

use graph_model::document::Document;
use graph_model::id::Id;
use graph_model::pointer::Pointer;
use graph_model::schema::Schema;
use graph_model::value::{Object, Value};
use smol_str::format_smolstr;

use super::groups_of::people;
use super::lineage::{key, steps};
use super::places::Item;
use super::releases::Release;
use super::speakers::Means;
use super::viewers::{Owners, Viewer, type_of};
use super::{Context, Finding, Oracle};
use crate::simulate::{Fact, Outcome, Replay, What};

/// A field of one fact, and another value that it might have had.
#[derive(Clone, Debug, PartialEq)]
pub struct Secret {
    /// Its number among the facts.
    pub fact: usize,
    pub field: Pointer,
    pub instead: Value,
}

/// Values that are tried for one field.
const TRIED_MAX: usize = 4;

/// Secrets of some facts: of each labelled field, the first fact that has it, with other values that it
/// might have.
pub fn secrets(context: &Context, facts: &[Fact]) -> Vec<Secret> {
    let document = &*context.document;
    let mut secrets = Vec::new();
    for (ty, declared) in &document.types {
        for field in declared.labels.keys() {
            let of_type = |fact: &Fact| type_of(document, fact) == Some(ty);
            let values = |(number, fact): (usize, &'_ Fact)| {
                let value = field.get(&fact.event.data)?.clone();
                Some((number, value)).filter(|_| of_type(fact))
            };
            let held: Vec<(usize, Value)> = facts.iter().enumerate().filter_map(values).collect();
            let Some((fact, value)) = held.first() else {
                continue;
            };
            let schema = schema_words(&declared.schema, field);
            let whole = Schema::new(&declared.schema);
            // What the type does not allow nobody hides.
            let allowed = |instead: &Value| {
                let mut changed = facts[*fact].event.data.clone();
                field.set(&mut changed, instead.clone());
                whole.check(&changed).is_ok() || whole.check(&facts[*fact].event.data).is_err()
            };
            let said = context.literals.iter();
            let said = said.filter(|said| said.type_name() == value.type_name());
            let near = said.flat_map(|said| match said {
                Value::Int(number) => vec![
                    Value::Int(number.saturating_add(1)),
                    Value::Int(number.saturating_sub(1)),
                ],
                other => vec![other.clone()],
            });
            let others = held.iter().map(|(_, other)| other.clone());
            let mut tried: Vec<Value> = Vec::new();
            let fresh = fresh(value).filter(|_| schema.is_empty());
            for instead in schema
                .iter()
                .cloned()
                .chain(fresh)
                .chain(near)
                .chain(others)
            {
                let other = instead != *value && !tried.contains(&instead);
                if other && tried.len() < TRIED_MAX && allowed(&instead) {
                    tried.push(instead);
                }
            }
            secrets.extend(tried.into_iter().map(|instead| Secret {
                fact: *fact,
                field: field.clone(),
                instead,
            }));
        }
    }
    secrets
}

/// The words that a field may have.
fn schema_words(schema: &Value, field: &Pointer) -> Vec<Value> {
    let mut schema = Some(schema);
    for token in field.tokens() {
        schema = schema.and_then(|schema| schema.get("properties")?.get(token));
    }
    let words = schema.and_then(|schema| schema.get("enum")?.as_array());
    words.unwrap_or_default().to_vec()
}

fn fresh(value: &Value) -> Option<Value> {
    Some(match value {
        Value::Bool(held) => Value::Bool(!held),
        Value::Int(held) => Value::Int(held.saturating_mul(2).saturating_add(100_003)),
        Value::Float(held) => Value::Float(held * 2.0 + 100_003.5),
        Value::Str(held) => Value::from(format!("{held}-changed")),
        Value::Null | Value::Arr(_) | Value::Obj(_) => return None,
    })
}

/// Constants of the expressions of a flow: where the way of an event may turn.
pub(super) fn literals(texts: &str) -> Vec<Value> {
    let mut found = Vec::new();
    for (number, part) in texts.split("\\\"").enumerate() {
        if number % 2 == 1 && part.len() < 40 {
            found.push(Value::from(part));
            continue;
        }
        let digits = part.split(|c: char| !(c.is_ascii_digit() || c == '.'));
        found.extend(digits.filter_map(|digits| digits.parse().ok().map(Value::Int)));
    }
    found.sort_unstable();
    found.dedup();
    found
}

impl Secret {
    /// The facts with the other value.
    pub fn change(&self, facts: &[Fact]) -> Arc<[Fact]> {
        let mut facts = facts.to_vec();
        if let Some(fact) = facts.get_mut(self.fact) {
            self.field.set(&mut fact.event.data, self.instead.clone());
        }
        facts.into()
    }

    fn ty<'d>(&self, document: &'d Document, run: &Outcome) -> Option<&'d Id> {
        type_of(document, run.facts.get(self.fact)?)
    }

    /// The fact as it was, where the other value is the one that it has.
    pub fn reversed(&self, facts: &[Fact]) -> Option<Secret> {
        let held = self.field.get(&facts.get(self.fact)?.event.data)?.clone();
        Some(Secret {
            instead: held,
            ..self.clone()
        })
    }

    /// Whether it says of whom the fact is, so that numbers are over others when it changes.
    pub fn is_person(&self, run: &Outcome, context: &Context) -> bool {
        let ty = self.ty(&context.document, run);
        ty.is_some_and(|ty| context.document.types[ty].subject.as_ref() == Some(&self.field))
    }

    /// What was let go of the secret in the first run by leave of the document, to be said in the
    /// second again.
    pub fn released(&self, run: &Outcome, context: &Context) -> Replay {
        let document = &*context.document;
        let mut replay = Replay::default();
        let Some(ty) = self.ty(document, run) else {
            return replay;
        };
        let rules = || {
            let rules = context.releases.iter();
            rules.filter(|rule| rule.is_about(ty, &self.field))
        };
        // A number over enough people tells how many they are, whoever may know who.
        let is_subject = self.is_person(run, context);
        let counting = || {
            let rules = context.releases.iter();
            rules.filter(|rule| rule.is_about(ty, &self.field) || is_subject && rule.is_of(ty))
        };
        for speaker in &context.speakers {
            let node = &document.nodes[&speaker.node];
            let (fields, tokens) = match &speaker.means {
                Means::Tokens(fields) => (fields, true),
                Means::Hashes(fields) => (fields, false),
                Means::Numbers(fields) => {
                    let Some(least) = counting().filter_map(Release::people).min() else {
                        continue;
                    };
                    for (step, behind) in people(run, &speaker.node, context) {
                        let Some(event) = &step.whole else { continue };
                        let enough = behind.people.len() as i64 >= least;
                        let let_go = if enough { &fields[..] } else { &[] };
                        replay.add(&speaker.node, event, let_go);
                    }
                    continue;
                }
            };
            if !rules().any(|rule| rule.lets(document, node, tokens)) {
                continue;
            }
            let sent = steps(run, What::Emitted).filter(|(step, _)| step.node == speaker.node);
            for (step, event) in sent {
                match step.fact {
                    Some(fact) => replay.add_for(fact, &speaker.node, event, fields),
                    None => replay.add(&speaker.node, event, fields),
                }
            }
        }
        replay
    }

    /// What viewers who may not read the field can tell from two runs that differ in it alone.
    pub fn judge(&self, run: &Outcome, other: &Outcome, context: &Context) -> Vec<Finding> {
        let document = &*context.document;
        let (Some(ty), Some(fact)) = (self.ty(document, run), run.facts.get(self.fact)) else {
            return Vec::new();
        };
        let Some(label) = document.types[ty].labels.get(&self.field) else {
            return Vec::new();
        };
        let owners = Owners::of(document, &run.facts);
        let mut changed = fact.event.data.clone();
        self.field.set(&mut changed, self.instead.clone());
        // Whom the change makes an owner is another question.
        let is_low = |viewer: &&Viewer| {
            label.0.iter().any(|clause| {
                !viewer.satisfies(clause, &fact.event.data, &owners)
                    && !viewer.satisfies(clause, &changed, &owners)
            })
        };
        let held = self.field.get(&fact.event.data);
        let owns = owners.is_one(&self.instead) || held.is_some_and(|held| owners.is_one(held));
        let mut findings = Vec::new();
        for place in &context.places {
            // Who sees what is theirs knows that it is.
            if owns && place.compares() {
                continue;
            }
            let low: Vec<&Viewer> = place.viewers.iter().filter(is_low).collect();
            if low.is_empty() {
                continue;
            }
            let (first, second) = (place.items(run), place.items(other));
            // Nor does who sees what is named like themselves learn anything of that name.
            let named = |value: &Value| {
                let mut items = first.iter().chain(&second);
                items.any(|item| place.is_named(item, value))
            };
            if held.is_some_and(named) || named(&self.instead) {
                continue;
            }
            for viewer in low {
                let first: Vec<&Item<'_>> = place.seen(&first, viewer, &owners).collect();
                let second: Vec<&Item<'_>> = place.seen(&second, viewer, &owners).collect();
                let mut seen: BTreeMap<&Value, i64> = BTreeMap::new();
                for item in &first {
                    *seen.entry(&item.value).or_default() += 1;
                }
                for item in &second {
                    *seen.entry(&item.value).or_default() -= 1;
                }
                let (mut one, mut two) = (
                    seen.iter()
                        .find(|(_, more)| **more > 0)
                        .map(|(value, _)| *value),
                    seen.iter()
                        .find(|(_, more)| **more < 0)
                        .map(|(value, _)| *value),
                );
                if !place.watched {
                    // Nobody is told by another event that comes there, only by another value.
                    let more = first.iter().filter(|item| seen[&item.value] > 0);
                    let less = || second.iter().filter(|item| seen[&item.value] < 0);
                    let mut pairs = more.flat_map(|item| less().map(move |other| (item, other)));
                    let pair = pairs.find(|(item, other)| is_same(item, other));
                    (one, two) = pair
                        .map(|(item, other)| (&item.value, &other.value))
                        .unzip();
                }
                if one.is_none() && two.is_none() {
                    continue;
                }
                let told = |side: Option<&Value>| side.cloned().unwrap_or_default();
                let mut observed = Object::with_capacity(3);
                observed.insert("field", format!("{ty}{}", self.field));
                observed.insert("seen_by", viewer.name());
                observed.insert("with_the_one", told(one));
                observed.insert("with_the_other", told(two));
                findings.push(Finding {
                    fact: Some(self.fact as u32),
                    ..Finding::new(
                        Oracle::A2,
                        place.title.clone(),
                        observed,
                        format_smolstr!("the same, whatever `{}` is", self.field),
                    )
                });
                break;
            }
        }
        findings
    }
}

/// Whether two runs show the same thing: an event, what follows from a fact, or a row.
fn is_same(item: &Item<'_>, other: &Item<'_>) -> bool {
    let row = |item: &Item<'_>| item.value.get("weir_key").cloned();
    item.step.fact.is_some() && item.step.fact == other.step.fact
        || key(item.event) == key(other.event)
        || row(item).is_some_and(|row_of| row(other) == Some(row_of))
}

/// A2 has no verdict on one run.
pub(super) fn judge(_run: &Outcome, _reference: &Outcome, _context: &Context) -> Vec<Finding> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Trial, shown};
    use super::*;
    use crate::simulate::Scenario;

    const TYPES: &str = "role support
        role payroll
        type pay(id=/id, subject=/id): id string, salary integer {role:payroll}, grade low|high {role:payroll}";
    const FACTS: &str = r#"in {"id":"ana","salary":50,"grade":"low"}
        in {"id":"bob","salary":70,"grade":"low"}
        in {"id":"cy","salary":90,"grade":"high"}"#;

    /// What A2 finds with the first secret that somebody can tell something of.
    fn judge(flow: &str) -> String {
        let trial = Trial::new(&format!("{TYPES}\n{flow}"), FACTS);
        let context = trial.context();
        let run = trial.play(&trial.scenario);
        for secret in secrets(&context, &run.facts) {
            let other = trial.play(&Scenario {
                facts: secret.change(&run.facts),
                replay: Some(Arc::new(secret.released(&run, &context))),
                ..trial.scenario.clone()
            });
            let found = shown(&secret.judge(&run, &other, &context));
            if !found.is_empty() {
                return found;
            }
        }
        String::new()
    }

    fn check(flow: &str, wanted: &str) {
        let found = judge(flow);
        if wanted.is_empty() {
            assert_eq!(found, "", "{flow}");
        } else {
            assert!(found.starts_with(wanted), "{found} of {flow}");
        }
    }

    #[test]
    fn secrets_are_not_told_by_the_way_an_event_takes() {
        let flow = |when: &str, shows: &str| {
            format!(
                "in: manual(event_type=pay) -> rich: filter(when={when}) -> few: map(expr={shows}) -> out: view @support"
            )
        };
        check(&flow(".salary > 60", "{id}"), "A2 at `out`");
        check(&flow(".grade == \"high\"", "{id}"), "A2 at `out`");
        check(&flow(".id != \"zoe\"", "{id}"), "");
        check(
            &flow(".id != \"zoe\"", "{id, half: (.salary / 2)}"),
            "A2 at `out`",
        );
        check(
            &flow(".id != \"zoe\"", "{id, salary}").replace("support", "payroll"),
            "",
        );
    }

    #[test]
    fn nobody_watches_what_comes_where_nobody_was_let_in() {
        let flow = |way: &str, out: &str| {
            format!("in: manual(event_type=pay) -> {way} -> out: table(table=t, key=.id){out}")
        };
        let rich = "rich: filter(when=.salary > 60) -> few: map(expr={id})";
        check(&flow(rich, ""), "");
        check(&flow(rich, " @support"), "A2 at `out`");
        check(
            &flow("half: map(expr={id, half: (.salary / 2)})", ""),
            "A2 at `out`",
        );
    }

    #[test]
    fn numbers_over_enough_people_may_be_told() {
        let flow = |rule: &str, least: u32| {
            format!(
                r#"{rule}
                in: manual(event_type=pay) -> sums: aggregate(aggregates=[{{"name": "total", "function": "sum", "of": ".salary"}}, {{"name": "people", "function": "count_distinct", "of": ".id"}}]) -> many: filter(when=.people >= {least}) -> out: view @support"#
            )
        };
        check(&flow("release few: pay/salary aggregate 3", 3), "");
        check(
            &flow("release few: pay/salary aggregate 3", 1),
            "A2 at `out`",
        );
        check(&flow("", 3), "A2 at `out`");
    }

    #[test]
    fn how_many_people_a_number_is_over_may_be_told() {
        let flow = |rule: &str| {
            let types = "role support
                role payroll
                type pay(id=/id, subject=/who): id string, who string {role:payroll}, salary integer {role:payroll}";
            format!(
                r#"{types}
                {rule}
                in: manual(event_type=pay) -> sums: aggregate(window=count, count=3, aggregates=[{{"name": "total", "function": "sum", "of": ".salary"}}, {{"name": "people", "function": "count_distinct", "of": ".who"}}]) -> many: filter(when=.people >= 2) -> out: view @support"#
            )
        };
        let facts = r#"in {"id":"1","who":"ana","salary":50}
            in {"id":"2","who":"bob","salary":70}
            in {"id":"3","who":"bob","salary":90}"#;
        let told = |flow: &str| {
            let trial = Trial::new(flow, facts);
            let context = trial.context();
            let run = trial.play(&trial.scenario);
            let all = secrets(&context, &run.facts).into_iter();
            let mut found = all
                .filter(|secret| secret.field.to_string() == "/who")
                .map(|secret| {
                    let other = trial.play(&Scenario {
                        facts: secret.change(&run.facts),
                        replay: Some(Arc::new(secret.released(&run, &context))),
                        ..trial.scenario.clone()
                    });
                    shown(&secret.judge(&run, &other, &context))
                });
            found.find(|found| !found.is_empty()).unwrap_or_default()
        };
        assert!(told(&flow("")).starts_with("A2 at `out`"));
        assert_eq!(told(&flow("release few: pay/salary aggregate 2")), "");
    }

    #[test]
    fn tokens_may_be_told_where_a_rule_says_so() {
        let flow = |rule: &str| {
            format!(
                r#"{rule}
                in: manual(event_type=pay) -> hide: tokenise(fields=["/salary", "/grade"], secret=CARGO_PKG_NAME) -> out: view @support"#
            )
        };
        let rules = "release a: pay/salary tokenise\nrelease b: pay/grade tokenise";
        check(&flow(rules), "");
        check(&flow(""), "A2 at `out`");
    }
}
