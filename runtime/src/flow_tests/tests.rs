//! Tests of flows: what passes, what fails and in which run, and what is no test.

use std::path::Path;
use std::sync::Arc;

use graph_model::catalog::Catalog;
use graph_model::document::{Document, Section};
use graph_model::validate::notation;
use graph_model::value;
use graph_model::value::Value;

use super::{FlowTest, Verdict, run};
use crate::simulate::Sort;

/// A charge behind a queue, which may deliver twice.
const CHARGES: &str =
    "in: manual -> lane: queue -> charge: effect(action=charge) -> seen: view(key=.order)";

fn flow(text: &str, test: Value) -> Arc<Document> {
    let mut document = notation::read(text).expect("the flow reads");
    let tests = [("one".into(), test)].into();
    document.sections.insert(Section::Tests, tests);
    Arc::new(document)
}

fn verdict(text: &str, test: Value) -> Verdict {
    let document = flow(text, test);
    let tests = FlowTest::all(&document);
    let [(_, Ok(test))] = &tests[..] else {
        panic!("{tests:?}");
    };
    run(test, &document, Catalog::bundled(), Path::new("."), &|| {
        false
    })
    .verdict
}

#[test]
fn what_sinks_hold_decides() {
    let given = || value!([{"source": "in", "data": {"order": 1}}, {"source": "in", "data": {"order": 2}, "at": "2s"}]);
    let twice = value!({"given": (given()), "expect": {"charge": [{"order": 2}, {"order": 1}], "seen": {"count": 2}}});
    assert_eq!(verdict(CHARGES, twice), Verdict::Passed);
    let once = value!({"given": (given()), "expect": {"charge": [{"order": 1}], "seen": {"contains": [{"order": 3}]}}});
    let Verdict::Failed {
        seed: 0,
        faults,
        differences,
        ..
    } = verdict(CHARGES, once)
    else {
        panic!("it has to fail in the first run");
    };
    assert_eq!(faults, []);
    let told: Vec<String> = differences
        .iter()
        .map(|one| format!("{} {}", one.node, one.what))
        .collect();
    assert_eq!(
        told,
        [
            r#"charge holds {"order":2}, which is not expected"#,
            r#"seen lacks {"order":3}"#
        ]
    );
}

#[test]
fn what_a_sink_says_is_always_true_is_part_of_every_test() {
    let flow =
        r#"in: manual -> rows: table(table=rows, key=.n, columns={"n": ".n"}) ^invariant=".n < 3""#;
    let given = |n: i64| value!({"given": [{"source": "in", "data": {"n": (n)}}], "expect": {"rows": {"count": 1}}});
    assert_eq!(verdict(flow, given(2)), Verdict::Passed);
    let Verdict::Failed { differences, .. } = verdict(flow, given(3)) else {
        panic!("its invariant is broken");
    };
    let [difference] = &differences[..] else {
        panic!("{differences:?}");
    };
    assert_eq!(difference.node.as_str(), "rows");
    assert_eq!(
        difference.what,
        r#"holds {"n":3,"weir_key":3}, which breaks its invariant `.n < 3`"#
    );
}

#[test]
fn what_may_go_wrong_is_tried_until_something_does() {
    let test = || {
        value!({"given": [{"source": "in", "data": {"order": 1}}], "faults": ["duplicate"],
            "expect": {"charge": [{"order": 1}]}})
    };
    let Verdict::Failed { faults, .. } = verdict(CHARGES, test()) else {
        panic!("a second delivery charges twice");
    };
    assert!(
        faults
            .iter()
            .any(|fault| fault.kind.sort() == Sort::Duplicate)
    );
    let once = "in: manual -> lane: queue -> charge: effect(action=charge, key=.order) -> seen: view(key=.order)";
    assert_eq!(verdict(once, test()), Verdict::Passed);
}

#[test]
fn a_test_that_cannot_be_played_says_why() {
    let of_channel = value!({"expect": {"lane": {"count": 0}}});
    let Verdict::Broken(problems) = verdict(CHARGES, of_channel) else {
        panic!("a channel holds nothing");
    };
    assert_eq!(
        problems[0].message,
        "`lane` is no sink, so a test cannot say what it holds"
    );
}

#[test]
fn what_is_no_test_is_told_with_its_place() {
    let wrong = |test: Value, told: &str| {
        let document = flow(CHARGES, test);
        let (_, read) = FlowTest::all(&document).remove(0);
        let error = read.expect_err("it is no test").to_string();
        assert!(error.starts_with(told), "{error}");
    };
    let charge = || value!({"charge": []});
    wrong(value!([]), "tests/one: write it as an object");
    wrong(
        value!({"expect": {}}),
        "tests/one/expect: name at least one sink",
    );
    wrong(
        value!({"expects": (charge())}),
        "tests/one/expects: a test has no such field; it has title, given, faults, runs, expect",
    );
    wrong(
        value!({"given": [{"source": "in"}, {"source": "out"}], "expect": (charge())}),
        "tests/one/given/1: `source`: there is no node `out`",
    );
    wrong(
        value!({"given": [{"source": "in", "at": 5}], "expect": (charge())}),
        "tests/one/given/0: `at`: write it like `30s`",
    );
    wrong(
        value!({"faults": ["flood"], "expect": (charge())}),
        "tests/one/faults/0: `flood` is no sort of fault",
    );
    wrong(
        value!({"runs": 0, "expect": (charge())}),
        "tests/one/runs: write a number from 1 to 100000",
    );
    wrong(
        value!({"expect": {"charges": []}}),
        "tests/one/expect/charges: there is no node `charges`",
    );
    wrong(
        value!({"expect": {"charge": {"count": (-1)}}}),
        "tests/one/expect/charge: write a list of what it holds",
    );
}
