//! Files of witnesses come back as they were written, and bad ones say where they are bad.

use std::path::Path;
use std::sync::Arc;

use graph_model::catalog::Catalog;
use graph_model::schema::Schema;
use graph_model::validate::{notation, validate};
use graph_model::value::Value;
use smol_str::SmolStr;

use super::super::{Budget, Case, Verdict, Witness, find, replay};
use super::WitnessError;

const FLOW: &str = "in: manual -> lane: queue -> charge: effect(action=charge card)";

fn witness() -> Witness {
    let document = Arc::new(notation::read(FLOW).expect("reads"));
    let report = validate(&document, Catalog::bundled());
    let mut found = report.diagnostics.iter();
    let case = Case {
        document: &document,
        catalog: Catalog::bundled(),
        project: Path::new("."),
        flow: "charges",
        found: found.find(|one| one.code == "DELIV-001").expect("is there"),
    };
    let budget = Budget {
        schedules_max: Budget::SCHEDULES_MAX,
        is_over: &|| false,
    };
    match find(&case, budget) {
        Verdict::Confirmed(witness) => *witness,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_holds_the_witness_to_the_byte() {
    let witness = witness();
    let text = witness.to_text();
    let read = Witness::parse(text.as_bytes()).expect("reads");
    assert_eq!(read.to_text(), text);
    assert_eq!(read.document, witness.document);
    assert_eq!(read.scenario.facts, witness.scenario.facts);
    assert_eq!(read.scenario.faults, witness.scenario.faults);
    let again = replay(&read, Catalog::bundled(), Path::new(".")).expect("plays");
    assert_eq!(again, []);
    // Who looks again finds the same.
    assert_eq!(self::witness().to_text(), text);
}

#[test]
fn a_replay_says_what_differs() {
    let mut witness = witness();
    witness.scenario.faults = [].into();
    let differences = replay(&witness, Catalog::bundled(), Path::new(".")).expect("plays");
    let said: Vec<String> = differences.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].starts_with("the steps differ: trace "), "{said:?}");
    assert_eq!(
        said[1],
        "X1 (deeds done twice) finds nothing at `effects effects.jsonl` any more"
    );
}

#[test]
fn its_file_is_as_the_schema_says() {
    let schema = include_str!("../../../../assets/schema/witness.v1.schema.json");
    let schema = Value::parse(schema.as_bytes(), 1 << 20).expect("is JSON");
    let text = Value::parse(witness().to_text().as_bytes(), 1 << 20).expect("is JSON");
    Schema::new(&schema).check(&text).expect("fits");
    let fields = schema.get("properties").and_then(Value::as_object);
    let described: Vec<&str> = fields
        .into_iter()
        .flat_map(|all| all.keys().map(SmolStr::as_str))
        .collect();
    let written = text.as_object().expect("is an object");
    for field in written.keys() {
        assert!(
            described.contains(&field.as_str()),
            "{field} is not described"
        );
    }
}

#[test]
fn bad_files_say_where() {
    let good = witness().to_text();
    let wrong = |from: &str, to: &str| {
        assert!(good.contains(from), "{from} is not in {good}");
        let text = good.replacen(from, to, 1);
        Witness::parse(text.as_bytes()).expect_err(to).to_string()
    };
    for (from, to, expected) in [
        (
            r#""weir": "witness""#,
            r#""weir": "run""#,
            "no witness: it has no `\"weir\": \"witness\"`; write one with `weir witness`",
        ),
        (
            r#""version": 1"#,
            r#""version": 2"#,
            "written by a newer Weir (format 2, this one reads up to 1); update Weir to replay it",
        ),
        (
            r#""source":"in"}"#,
            r#""source":"out"}"#,
            "`/facts/0/source`: there is no node `out` in its flow",
        ),
        (r#""at_us":"#, r#""at":"#, "`/facts/0/at_us`: is missing"),
        (
            r#""what":"duplicate""#,
            r#""what":"fire""#,
            "`/faults/0/what`: `fire` is no sort of fault; choose among duplicate, replay, lose, delay, late, crash, recycle, clock, partitions, slow",
        ),
        (
            r#""after_us":2000"#,
            r#""after_us":-1"#,
            "`/faults/0/after_us`: expected a whole number from 0",
        ),
        (
            r#""trace": ""#,
            r#""trace": "x"#,
            "`/trace`: expected 64 hexadecimal digits",
        ),
        (
            r#""kind":"node""#,
            r#""kind":"knot""#,
            "`/subject/kind`: expected `node`, `edge`, `port` or `type`",
        ),
    ] {
        assert_eq!(wrong(from, to), expected);
    }
    let strange = wrong(r#""oracle": "X1""#, r#""oracle": "Z9""#);
    assert!(
        strange.starts_with("`/oracle`: `Z9` is no oracle; choose among "),
        "{strange}"
    );
    assert!(matches!(
        Witness::parse(b"{"),
        Err(WitnessError::NotJson(_))
    ));
}
