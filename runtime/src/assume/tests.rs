//! False claims fall, true ones stand.

use std::path::Path;

use graph_model::catalog::Catalog;
use graph_model::validate::notation;

use super::*;

const CASES: usize = 1_000;

fn verdict(node: &str, claim: &str) -> Verdict {
    let text = format!("in: manual -> n: {node} ~{claim}");
    let document = notation::read(&text).expect("a flow");
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (id, claim) = claims(&document).next().expect("it is claimed");
    refute(&document, (id, claim), Catalog::bundled(), project, CASES)
}

#[test]
fn false_claims_are_refuted() {
    for (claim, node) in [
        ("commutative", "fold(group=.k, step=($state // []) + [.v])"),
        ("commutative", "fold(group=.k, step=.v)"),
        ("commutative", "fold(group=.k, step=($state // 0) * 2 + .v)"),
        (
            "commutative",
            "aggregate(group=.k, aggregates=[{\"name\": \"x\", \"function\": \"last\", \"of\": \".v\"}])",
        ),
        (
            "commutative",
            "aggregate(group=.k, aggregates=[{\"name\": \"x\", \"function\": \"list\", \"of\": \".v\"}])",
        ),
        (
            "ordered",
            "table(table=latest, key=.k, columns={\"v\": \".v\"})",
        ),
        ("idempotent", "fold(group=.k, step=($state // 0) + 1)"),
        ("idempotent", "fold(step=($state // 0) + .v)"),
        (
            "idempotent",
            "aggregate(group=.k, aggregates=[{\"name\": \"x\", \"function\": \"sum\", \"of\": \".v\"}])",
        ),
        ("idempotent", "aggregate(aggregates=[{\"name\": \"x\"}])"),
        (
            "partial",
            "aggregate(group=.k, aggregates=[{\"name\": \"x\", \"function\": \"average\", \"of\": \".v\"}])",
        ),
        (
            "partial",
            "aggregate(group=.k, aggregates=[{\"name\": \"x\", \"function\": \"count_distinct\", \"of\": \".v\"}])",
        ),
        (
            "partial",
            "aggregate(group=.k, aggregates=[{\"name\": \"x\", \"function\": \"median\", \"of\": \".v\"}])",
        ),
    ] {
        let verdict = verdict(node, claim);
        let Verdict::Refuted(case) = verdict else {
            panic!("{claim} of {node}: {verdict:?}");
        };
        assert!(case.cases <= CASES);
        assert!(case.to_string().contains("instead of"), "{case}");
    }
}

#[test]
fn true_claims_stand() {
    for (claim, node) in [
        ("commutative", "fold(group=.k, step=($state // 0) + 1)"),
        ("commutative", "fold(group=.k, step=([$state, .v] | max))"),
        (
            "commutative",
            "aggregate(group=.k, aggregates=[{\"name\": \"x\", \"function\": \"sum\", \"of\": \".w\"}])",
        ),
        ("ordered", "table(table=all, mode=append)"),
        (
            "ordered",
            "table(table=latest, key=[.k, .v], columns={\"v\": \".v\"})",
        ),
        ("idempotent", "fold(group=.k, step=([$state, .v] | max))"),
        (
            "idempotent",
            "aggregate(group=.k, aggregates=[{\"name\": \"x\", \"function\": \"max\", \"of\": \".v\"}])",
        ),
        ("idempotent", "table(table=all, mode=append)"),
        (
            "partial",
            "aggregate(group=.k, aggregates=[{\"name\": \"n\"}, {\"name\": \"x\", \"function\": \"min\", \"of\": \".v\"}])",
        ),
    ] {
        let verdict = verdict(node, claim);
        assert!(
            matches!(verdict, Verdict::Stands { cases } if cases > CASES / 4),
            "{claim} of {node}: {verdict:?}"
        );
    }
}

#[test]
fn what_no_run_can_tell_is_not_tested() {
    assert!(matches!(
        verdict("effect(action=pay)", "idempotent"),
        Verdict::Untested(_)
    ));
    let document = notation::read("in: manual -> n: merge ~closed").expect("a flow");
    assert_eq!(claims(&document).count(), 0);
}
