//! Reads tests as a flow keeps them.

use graph_model::document::{Document, Section};
use graph_model::id::{Id, NodeId};
use graph_model::value::Value;

use super::{BadTest, Expected, FlowTest};
use crate::simulate::{Fact, Sort};

/// Runs of a test with faults that says nothing of their number.
const RUNS: u64 = 32;

/// Things that one sink is expected to hold at most; count them beyond.
const THINGS_MAX: usize = 1_000;

/// Runs of one test at most.
const RUNS_MAX: u64 = 100_000;

const FIELDS: [&str; 5] = ["title", "given", "faults", "runs", "expect"];

impl FlowTest {
    /// All tests of a flow by their ids, those that cannot be read too.
    pub fn all(document: &Document) -> Vec<(Id, Result<FlowTest, BadTest>)> {
        let tests = document.sections.get(&Section::Tests);
        let tests = tests.into_iter().flatten();
        tests
            .map(|(id, test)| (id.clone(), FlowTest::read(document, id, test)))
            .collect()
    }

    fn read(document: &Document, id: &Id, test: &Value) -> Result<FlowTest, BadTest> {
        let bad = |place: String, what: String| BadTest {
            test: id.clone(),
            place,
            what,
        };
        let at = |place: &str, what: &str| bad(place.into(), what.into());
        let fields = test.as_object();
        let fields = fields.ok_or_else(|| at("", "write it as an object"))?;
        if let Some(other) = fields.keys().find(|key| !FIELDS.contains(&key.as_str())) {
            let names = FIELDS.join(", ");
            return Err(bad(
                format!("/{other}"),
                format!("a test has no such field; it has {names}"),
            ));
        }
        let list = |name: &str| match test.get(name) {
            None => Ok(&[][..]),
            Some(list) => {
                let items = list.as_array();
                items.ok_or_else(|| bad(format!("/{name}"), "write it as a list".into()))
            }
        };
        let given = list("given")?.iter().enumerate().map(|(number, fact)| {
            Fact::read(document, fact, number).map_err(|what| bad(format!("/given/{number}"), what))
        });
        let given: Vec<Fact> = given.collect::<Result<_, _>>()?;
        let faults = list("faults")?.iter().enumerate().map(|(number, sort)| {
            let sort = sort.as_str().unwrap_or_default();
            sort.parse()
                .map_err(|what| bad(format!("/faults/{number}"), what))
        });
        let faults: Vec<Sort> = faults.collect::<Result<_, _>>()?;
        let runs = match test.get("runs") {
            None if faults.is_empty() => 1,
            None => RUNS,
            Some(runs) => {
                let runs = runs.as_i64().and_then(|runs| u64::try_from(runs).ok());
                let runs = runs.filter(|runs| (1..=RUNS_MAX).contains(runs));
                let range = format!("write a number from 1 to {RUNS_MAX}");
                runs.ok_or_else(|| bad("/runs".into(), range))?
            }
        };
        let expect = test.get("expect").and_then(Value::as_object);
        let expect = expect.filter(|expect| !expect.is_empty());
        let expect = expect.ok_or_else(|| {
            at(
                "/expect",
                "name at least one sink and what it should hold, such as `{\"totals\": [{\"sum\": 3}]}`",
            )
        })?;
        let expected = expect.iter().map(|(node, wanted)| {
            let place = format!("/expect/{node}");
            let node = NodeId::from(node.as_str());
            if !document.nodes.contains_key(&node) {
                return Err(bad(place, format!("there is no node `{node}`")));
            }
            let wanted = expected(wanted).ok_or_else(|| {
                bad(
                    place,
                    format!(
                        "write a list of what it holds, `{{\"contains\": […]}}` or `{{\"count\": 0}}`; lists have {THINGS_MAX} things at most"
                    ),
                )
            })?;
            Ok((node, wanted))
        });
        Ok(FlowTest {
            title: test
                .get("title")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .into(),
            given,
            faults,
            runs,
            expected: expected.collect::<Result<_, _>>()?,
        })
    }
}

fn expected(wanted: &Value) -> Option<Expected> {
    let few = |things: &Value| {
        let things = things.as_array()?;
        (things.len() <= THINGS_MAX).then(|| things.to_vec())
    };
    if wanted.as_array().is_some() {
        return few(wanted).map(Expected::Exactly);
    }
    let wanted = wanted.as_object().filter(|wanted| wanted.len() == 1)?;
    if let Some(things) = wanted.get("contains") {
        return few(things).map(Expected::Contains);
    }
    let count = wanted.get("count")?.as_i64()?;
    Some(Expected::Count(u64::try_from(count).ok()?))
}
