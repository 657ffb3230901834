//! Enrich: adds to an event the row of its key.

use std::sync::Arc;

use graph_model::catalog::{Behaviour, Family, FieldSpec, FieldType, JqRole, KindSpec, PortSpec};
use graph_model::event::Event;
use graph_model::schema::Types;
use graph_model::value::Value;
use runtime_protocol::Problem;
use smol_str::{SmolStr, format_smolstr};

use crate::kind::{Build, Kind, Make};
use crate::operator::{Context, Failure, Operator, Output};
use crate::operators::expression::Expression;
use crate::operators::keyed::Keyed;

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Operator(make),
    }
}

fn make(build: &Build) -> Result<Box<dyn Operator>, Problem> {
    let as_of = build.flag("as_of");
    Ok(Box::new(Enrich {
        key: Expression::of_field(build, "key")?,
        row_key: Expression::of_field(build, "row_key")?,
        into: build.text("into")?,
        as_of,
        versions: if as_of {
            build.whole("versions")?.max(1) as usize
        } else {
            1
        },
        rows: Keyed::new(build.whole("capacity")? as usize),
    }))
}

struct Enrich {
    key: Expression,
    row_key: Expression,
    into: SmolStr,
    as_of: bool,
    /// Versions of a row that are kept.
    versions: usize,
    rows: Keyed<Versions>,
}

/// Versions of a row by their event time, and of the same time in the order in which they came.
/// A row that was taken away is null.
type Versions = Vec<(i64, Value)>;

impl Operator for Enrich {
    fn on_event(&mut self, event: Event, input: usize, ctx: &Context<'_>, out: &mut Output) {
        if input == ROWS {
            return match self.row_key.key(&event, ctx) {
                Ok(key) => self.keep(&key, event),
                Err(failure) => out.fail(event, failure),
            };
        }
        match self.enriched(&event, ctx) {
            Ok(Some(data)) => out.emit(OUT, event.with_data(data)),
            Ok(None) => out.emit(MISSING, event),
            Err(failure) => out.fail(event, failure),
        }
    }
}

/// Number of the second input.
const ROWS: usize = 1;
const OUT: u16 = 0;
const MISSING: u16 = 1;

impl Enrich {
    fn keep(&mut self, key: &Value, row: Event) {
        let time = row.context.time_ms;
        let (versions, _) = self.rows.touch(key, Vec::new);
        if !self.as_of {
            versions.clear();
        }
        let place = versions.partition_point(|(held, _)| *held <= time);
        versions.insert(place, (time, row.data));
        if versions.len() > self.versions {
            versions.remove(0);
        }
    }

    /// The payload with its row; nothing when there is none.
    fn enriched(&self, event: &Event, ctx: &Context<'_>) -> Result<Option<Value>, Failure> {
        let key = self.key.value(event, ctx)?;
        let Value::Obj(object) = &event.data else {
            let found = Types::of(&event.data);
            return Err(Failure::invalid(format_smolstr!(
                "the payload is {found}, so there is no place for `{}`; make an object of it before",
                self.into
            )));
        };
        let Some(row) = self.row(&key, event.context.time_ms) else {
            return Ok(None);
        };
        let mut object = Arc::clone(object);
        Arc::make_mut(&mut object).insert(self.into.clone(), row.clone());
        Ok(Some(Value::Obj(object)))
    }

    fn row(&self, key: &Value, time: i64) -> Option<&Value> {
        let versions = self.rows.get(key)?;
        let version = if self.as_of {
            let after = versions.partition_point(|(held, _)| *held <= time);
            versions[..after].last()
        } else {
            versions.last()
        };
        let (_, row) = version?;
        Some(row).filter(|row| **row != Value::Null)
    }
}

fn spec() -> KindSpec {
    KindSpec {
        id: "enrich".into(),
        family: Family::Operator,
        title: "Enrich".into(),
        summary: "Adds to an event the row of its key.".into(),
        doc: "Remembers the events of `rows` by their key, and puts the payload of one into a field of each event of `in` with the same key; what the field held before is gone. The event keeps its id and context. An event for whose key there is no row, or whose key is null, goes to `missing`, or nowhere when nothing is wired there: nothing waits for a row. A row whose payload is null takes the row of its key away.\n\nBy default the row that came last counts, whenever it was made: an event that comes after a change gets the row after it, even if it happened before. With `as_of`, the latest row made not after the event counts, by event time; rows may come in any order, but one that comes after the event is too late for it. Of each key the latest `versions` are kept; an event from before them is `missing`.\n\nAn event whose payload is no object fails, and so does a row without a key. Rows are kept for each partition and do not outlive the run, so send all of them again after a restart. When there are `capacity` keys, the one whose row changed longest ago is forgotten.".into(),
        icon: "enrich".into(),
        inputs: vec![PortSpec::data("in", "Events to add to"), PortSpec::data("rows", "Rows, and their changes")],
        outputs: vec![PortSpec::data("out", "Events with their row"), PortSpec::data("missing", "Events without a row"), PortSpec::failed("Events that could not be added to, and rows without a key")],
        config: vec![FieldSpec::new("key", "Key", FieldType::Jq { role: JqRole::Key }, "The key of the row that an event needs, such as `.customerId`").required(), FieldSpec::new("row_key", "Key of a row", FieldType::Jq { role: JqRole::Key }, "The key that a row has, such as `.id`").required(), FieldSpec::new("into", "Into", FieldType::Text, "Field of the event that gets the row").default_to("row"), FieldSpec::new("as_of", "As of the event", FieldType::Bool, "Takes the row that held when the event happened, not the one that came last").default_to(false), FieldSpec::new("versions", "Versions", FieldType::Integer { min: 1, max: 100_000 }, "Versions of a row that are kept with `as_of`; the oldest is forgotten first").default_to(16).advanced(), FieldSpec::new("capacity", "Capacity", FieldType::Integer { min: 1, max: 100_000_000 }, "Keys whose rows are kept at most; the one whose row changed longest ago is forgotten first").default_to(1_000_000).advanced()],
        behaviour: Behaviour::Enrich { key: "key".into(), row_key: "row_key".into(), into: "into".into(), as_of: "as_of".into() },
        resource: None,
        since: "0.1.0".into(),
    }
}

#[cfg(test)]
mod tests {
    use graph_model::value;

    use super::*;
    use crate::delivery::Share;
    use crate::operators::testing::{Bench, event};

    const IN: usize = 0;

    fn bench(more: &[(&str, Value)]) -> Bench {
        let mut config = value!({"key": ".c", "row_key": ".id", "into": "who"});
        if let Value::Obj(config) = &mut config {
            let config = Arc::make_mut(config);
            for (field, value) in more {
                config.insert(*field, value.clone());
            }
        }
        Bench::new("enrich", config)
    }

    fn row(id: &str, name: &str) -> Value {
        value!({"id": id, "name": name})
    }

    #[test]
    fn an_event_gets_the_row_that_came_last() {
        let mut bench = bench(&[]);
        let ada = r#"out {"c":"a","who":{"id":"a","name":"Ada"}}"#;
        let older = r#"out {"c":"a","who":{"id":"a","name":"A."}}"#;
        for (input, time_ms, data, lines) in [
            (IN, 0, value!({"c": "a"}), &[r#"missing {"c":"a"}"#][..]),
            (ROWS, 9, row("a", "Ada"), &[]),
            (ROWS, 9, row("b", "Bob"), &[]),
            (IN, 5, value!({"c": "a"}), &[ada]), // even if it happened before
            (IN, 5, value!({"c": "a", "who": 1}), &[ada]),
            (ROWS, 4, row("a", "A."), &[]),
            (IN, 9, value!({"c": "a"}), &[older]),
            (IN, 9, value!({"c": null}), &[r#"missing {"c":null}"#]),
        ] {
            assert_eq!(bench.feed_input(input, time_ms, data), lines);
        }
    }

    #[test]
    fn as_of_takes_the_row_that_held_when_the_event_happened() {
        let mut bench = bench(&[("as_of", value!(true)), ("versions", value!(2))]);
        for (time_ms, name) in [(30, "new"), (10, "old"), (30, "newest")] {
            assert_eq!(bench.feed_input(ROWS, time_ms, row("a", name)), [""; 0]);
        }
        for (time_ms, name) in [(29, None), (30, Some("newest")), (99, Some("newest"))] {
            let line = match name {
                Some(name) => format!(r#"out {{"c":"a","who":{{"id":"a","name":"{name}"}}}}"#),
                None => r#"missing {"c":"a"}"#.to_owned(), // `old` was one version too many
            };
            assert_eq!(
                bench.feed_at(time_ms, value!({"c": "a"})),
                [line],
                "{time_ms}"
            );
        }
        bench.feed_input(ROWS, 40, row("a", "later"));
        let lines = bench.feed_at(39, value!({"c": "a"}));
        assert_eq!(lines, [r#"out {"c":"a","who":{"id":"a","name":"newest"}}"#]);
    }

    #[test]
    fn a_row_of_null_takes_the_row_away() {
        let mut bench = bench(&[("row_key", value!("$event.source"))]);
        let data = value!({"c": "bench"});
        bench.feed_input(ROWS, 0, value!(1));
        assert_eq!(bench.feed(data.clone()), [r#"out {"c":"bench","who":1}"#]);
        bench.feed_input(ROWS, 0, Value::Null);
        assert_eq!(bench.feed(data), [r#"missing {"c":"bench"}"#]);
    }

    #[test]
    fn the_row_that_changed_longest_ago_is_forgotten() {
        let mut bench = bench(&[("capacity", value!(2))]);
        for id in ["a", "b", "a", "c"] {
            bench.feed_input(ROWS, 0, row(id, ""));
        }
        for (key, port) in [("a", "out"), ("b", "missing"), ("c", "out")] {
            let lines = bench.feed(value!({"c": key}));
            assert!(lines[0].starts_with(port), "{lines:?}");
        }
    }

    #[test]
    fn the_event_stays_who_it_is_and_fails_as_it_came() {
        let mut bench = bench(&[]);
        bench.feed_input(ROWS, 0, row("a", "Ada"));
        let came = event("e1", 7, value!({"c": "a"}));
        let output = bench.handle(came.clone(), &Share::none());
        assert_eq!(output.emitted[0].1.context, came.context);
        assert_eq!(came.data, value!({"c": "a"}), "a copy elsewhere has no row");
        for (input, data, line) in [
            (
                IN,
                value!([]),
                "failed Invalid: `key`: cannot index an array with \"c\"",
            ),
            (
                IN,
                value!(null),
                "failed Invalid: the payload is null, so there is no place for `who`; make an object of it before",
            ),
            (
                ROWS,
                value!({"name": "Ada"}),
                "failed Invalid: `row_key`: the key is null; events without one pass elsewhere",
            ),
        ] {
            assert_eq!(bench.feed_input(input, 0, data), [line]);
        }
    }
}
