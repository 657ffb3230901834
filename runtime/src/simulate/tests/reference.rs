//! Runs against their reference.

use super::*;

/// The contents after these faults, and those of the reference.
fn both(lines: &str, scenario: &Scenario, store: &str) -> (String, String) {
    let mut simulation = simulation(&flow(lines), scenario);
    let run = simulation.run();
    let reference = scenario.reference(&run.facts);
    simulation.reset(&reference).expect("plays");
    let wanted = simulation.run();
    assert_eq!(wanted.ended, Ended::Idle);
    (shown(&run, store), shown(&wanted, store))
}

#[test]
fn the_reference_shows_what_a_race_did() {
    // The last one to come wins, and comes first.
    let lines = |mode: &str| {
        format!(
            r#"in: manual
               hold: queue {{"concurrency": 2}}
               out: table {{"table": "t", "key": ".k", "columns": {{"n": ".n"}}, {mode}}}
               in.out -> hold.in
               hold.out -> out.in"#
        )
    };
    let mut scenario = given(&[r#"{"k":1,"n":1,"v":1}"#, r#"{"k":1,"n":2,"v":2}"#]);
    scenario.faults = [Fault {
        kind: FaultKind::Delay { by_us: 50_000 },
        place: Place::Edge("e4".into()),
        nth: 0,
    }]
    .into();
    let store = "table data.sqlite/t";
    let (run, wanted) = both(&lines(r#""mode": "upsert""#), &scenario, store);
    assert_eq!(wanted, r#"[{"n":2,"weir_key":1}]"#);
    assert_eq!(run, r#"[{"n":1,"weir_key":1}]"#);
    let guarded = lines(r#""mode": "compare_and_set", "version": ".v""#);
    let (run, wanted) = both(&guarded, &scenario, store);
    assert_eq!(run, wanted);
}

#[test]
fn facts_come_by_their_own_time_in_the_reference() {
    let mut scenario = given(&["1", "2", "3"]);
    let reversed = scenario.facts.iter().rev().enumerate();
    scenario.facts = reversed
        .map(|(number, fact)| Fact {
            at_us: number as u64 * 1_000,
            ..fact.clone()
        })
        .collect();
    let lines = "in: manual\nout: console\nin.out -> out.in";
    let (run, wanted) = both(lines, &scenario, "console out");
    assert_eq!((run.as_str(), wanted.as_str()), ("[3,2,1]", "[1,2,3]"));
}
