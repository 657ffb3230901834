//! What is a hazard of delivery and what only looks like one, a line for each case.

use crate::catalog::Catalog;
use crate::validate::rules::partition::tests::check;
use crate::validate::{Diagnostic, notation, validate};

/// What is found in a flow, without what only follows from it.
pub(in crate::validate::rules) fn found(flow: &str) -> Vec<Diagnostic> {
    let document = notation::read(flow).unwrap_or_else(|error| panic!("{error}\n{flow}"));
    validate(&document, Catalog::bundled()).diagnostics
}

/// A name comes before those that it begins with.
const FUNCTIONS: [&str; 9] = [
    "count_distinct",
    "count",
    "sum",
    "average",
    "list",
    "min",
    "max",
    "first",
    "last",
];

/// Lines of `CODE CODE | flow`, where `; ` ends the lines of a flow: nothing else is found in it, and
/// the fixes mend it. A word such as `SUM` is an aggregate of `.v` by `.k`.
pub(in crate::validate::rules) fn hold(cases: &str) {
    let mut cases = cases.replace("; ", " ;; ");
    for function in FUNCTIONS {
        let folding = format!(
            r#"aggregate(group=.k, aggregates=[{{"name": "n", "function": "{function}", "of": ".v"}}]"#
        );
        let word = function.to_uppercase();
        cases = cases.replace(&format!(" {word}("), &format!(" {folding}, "));
        cases = cases.replace(&format!(" {word}"), &format!(" {folding})"));
    }
    check("", &cases);
}

#[test]
fn effects_are_not_repeated() {
    hold(
        "DELIV-001 | in: http(path=/a) -> pay: effect(action=pay)
        DELIV-001 | in: replay(file=a.jsonl) -> pay: http_out(url=https://a.example)
        DELIV-001 | in: manual -> news: topic -> pay: effect(action=pay)
        DELIV-001 | in: manual -> lane: queue(group=.k) -> same: map(expr=.) -> pay: effect(action=pay)
        DELIV-001 | in: manual -> all: log(key=.k) -> some: filter(when=.v > 1) -> pay: effect(action=pay)
        DELIV-001 | in: http(path=/a) -> once: dedupe -> both: merge -> pay: effect(action=pay); in -> both
        DELIV-001 | in: manual -> once: dedupe -> lane: queue -> pay: effect(action=pay)
        DELIV-001 | in: http(path=/a) -> top: MAX ~ordered -> mail: effect(action=mail)
        | in: manual -> pay: effect(action=pay)
        | in: http(path=/a) -> pay: effect(action=pay, key=.order)
        | in: http(path=/a) -> named: map(expr={order: .id}) -> pay: effect(action=pay, key=.order)
        | in: http(path=/a) -> pay: effect(action=pay) ~idempotent
        | in: manual -> lane: queue -> once: dedupe -> same: map(expr=.a = 1) -> pay: effect(action=pay)
        | in: manual -> lane: queue -> put: http_out(url=https://a.example, method=PUT)
        | in: manual -> lane: queue -> news: version_guard(key=.k, version=.v) -> pay: effect(action=pay)
        | in: manual -> lane: queue -> turn: resequence(key=.k, version=.v) -> pay: effect(action=pay)",
    );
}

/// Rows that are written again change there and back.
#[test]
fn rows_before_a_change_are_not_kept_where_they_come_again() {
    hold(
        r#"DELIV-002 | in: replay(file=a.jsonl) -> t: table(table=t, key=.k, columns={"v": ".v"}, mode=upsert); c: table_changes(table=t) -> out: view(key=[.key, .after.v])
        DELIV-002 | in: replay(file=a.jsonl) -> t: table(table=t, key=.k, columns={"v": ".v"}, mode=upsert); c: table_changes(table=t) -> u: table(table=u, key=.after.v, columns={"was": ".before.v"}, mode=upsert) ~ordered
        DELIV-002 | in: replay(file=a.jsonl) -> t: table(table=t, key=.k, columns={"v": ".v"}, mode=upsert); c: table_changes(table=t) -> m: aggregate(group=.key, aggregates=[{"name": "most", "function": "max", "of": ".before.v"}]) -> out: view
        | in: replay(file=a.jsonl) -> t: table(table=t, key=.k, columns={"v": ".v"}, mode=upsert); c: table_changes(table=t) -> out: view(key=.key)
        | in: replay(file=a.jsonl) -> t: table(table=t, key=.k, columns={"v": ".v"}, mode=upsert); c: table_changes(table=t) -> few: map(expr={k: .key, v: .after.v}) -> out: view(key=[.k, .v])
        | in: manual -> t: table(table=t, key=.k, columns={"v": ".v"}, mode=upsert); c: table_changes(table=t) -> out: view(key=[.key, .after.v])"#,
    );
}

#[test]
fn what_adds_up_is_not_repeated() {
    hold(
        "DELIV-002 | in: http(path=/a) -> n: COUNT -> out: view
        DELIV-002 | in: replay(file=a.jsonl) -> n: COUNT -> out: view
        DELIV-002 | in: replay(file=a.jsonl) -> n: SUM -> out: view
        DELIV-002 | in: replay(file=a.jsonl) -> n: AVERAGE -> out: view
        DELIV-002 | in: replay(file=a.jsonl) -> n: LIST -> out: view
        DELIV-002 | in: replay(file=a.jsonl) -> n: MAX(window=count) -> out: view
        DELIV-002 | in: manual -> lane: queue -> same: map(expr={k, v}) -> some: filter(when=.v > 1) -> n: SUM -> out: view
        | in: manual -> n: COUNT -> out: view
        | in: replay(file=a.jsonl) -> n: MIN -> out: view
        | in: replay(file=a.jsonl) -> n: FIRST -> out: view
        | in: replay(file=a.jsonl) -> n: COUNT_DISTINCT -> out: view
        | in: replay(file=a.jsonl) -> n: LAST -> out: view
        DELIV-002 | in: replay(file=a.jsonl) -> n: fold(group=.k, step=($state // 0) + .v) -> out: view
        | in: replay(file=a.jsonl) -> n: fold(group=.k, step=.v) -> out: view
        | in: replay(file=a.jsonl) -> n: fold(group=.k, step=($state // 0) + .v) ~idempotent -> out: view
        DELIV-002 | in: replay(file=a.jsonl) -> n: decide(group=.k, count=3) -> out: view
        DELIV-002 | in: replay(file=a.jsonl) -> n: decide(group=.k, claim=fewer_than, count=3) -> out: view
        | in: replay(file=a.jsonl) -> n: decide(group=.k) -> out: view
        | in: replay(file=a.jsonl) -> n: decide(group=.k, claim=absent, count=3) -> out: view
        | in: replay(file=a.jsonl) -> rows: table(table=rows, key=.k)
        | in: replay(file=a.jsonl) -> rows: table(table=rows, mode=append)
        | in: manual -> lane: queue -> rows: table(table=rows, mode=append)",
    );
}

/// What stays the same when an event comes again is sent again, with a new id.
#[test]
fn results_come_again_too() {
    hold(
        "DELIV-002 | in: replay(file=a.jsonl) -> top: MAX -> rows: table(table=rows, mode=append)
        DELIV-004 | in: replay(file=a.jsonl) -> top: MAX -> rows: table(table=rows, key=$event.id)
        | in: http(path=/a) -> top: MAX -> rows: table(table=rows, key=.key)
        | in: replay(file=a.jsonl) -> top: MAX(window=time) -> rows: table(table=rows, mode=append)
        | in: replay(file=a.jsonl) -> once: dedupe -> top: MAX -> rows: table(table=rows, mode=append)",
    );
}

#[test]
fn keys_come_with_the_event() {
    hold(
        "DELIV-004 | in: http(path=/a) -> code: function(component=f.wasm) -> pay: effect(action=pay, key=.order)
        DELIV-004 | in: http(path=/a) -> code: function(component=f.wasm) -> named: map(expr={o: .order}) -> once: dedupe(key=.o) -> pay: effect(action=pay)
        DELIV-004 | in: manual -> lane: queue -> code: function(component=f.wasm) -> news: version_guard(key=.k, version=.v) -> pay: effect(action=pay)
        DELIV-004 | in: http(path=/a) -> top: MAX ~ordered -> mail: effect(action=mail, key=$event.id)
        DELIV-004 | in: http(path=/a) -> top: MAX ~ordered -> each: split(expr=[.]) -> mail: effect(action=mail, key=$event.id)
        DELIV-004 | in: replay(file=a.jsonl) -> rows: table(table=a, key=.k); heard: table_changes(table=a) -> mail: effect(action=mail, key=$event.id)
        | in: replay(file=a.jsonl) -> rows: table(table=a, key=$event.id); heard: table_changes(table=a) -> mail: effect(action=mail, key=$event.id)
        | in: replay(file=a.jsonl) -> rows: table(table=a, key=.k, mode=compare_and_set, version=.v); heard: table_changes(table=a) -> mail: effect(action=mail, key=$event.id)
        DELIV-004 | in: replay(file=a.jsonl) -> top: MAX -> files: bucket(name=.key); other: manual -> mail: effect(action=mail, key=$event.id); top -> mail
        | in: manual -> code: function(component=f.wasm) -> lane: queue -> pay: effect(action=pay, key=.order)
        | in: http(path=/a) -> once: dedupe -> code: function(component=f.wasm) -> lane: queue -> pay: effect(action=pay, key=.order)
        | in: http(path=/a) -> code: function(component=f.wasm) -> once: dedupe -> lane: queue -> pay: effect(action=pay, key=.order)
        DELIV-004 | in: http(path=/a) -> pay: effect(action=pay, key=$event.id)
        DELIV-004 | in: http(path=/a) -> same: map(expr=.a = 1) -> some: filter(when=.v > 1) -> pay: effect(action=pay, key=$event.id)
        DELIV-004 | in: http(path=/a) -> lane: queue -> pay: http_out(url=https://a.example, key=[$event.id])
        DELIV-004 | type order(id=/order): order string; in: http(path=/a, event_type=order) -> pay: effect(action=pay, key=$event.id)
        | in: http(path=/a, id_header=X-Id) -> pay: effect(action=pay, key=$event.id)
        | in: http(path=/a) -> pay: effect(action=pay, key=[$event.id, .order])
        | in: http(path=/a) -> pay: effect(action=pay, key=$event.id) ~idempotent
        | in: http(path=/a) -> once: dedupe(key=.order) -> pay: effect(action=pay, key=$event.id)
        | in: http(path=/a) -> rows: table(table=rows, key=$event.id)
        | in: http(path=/a) -> once: dedupe -> pay: effect(action=pay)
        | in: replay(file=a.jsonl) -> pay: effect(action=pay, key=$event.id)
        | in: http(path=/a) -> code: function(component=f.wasm) -> pay: effect(action=pay, key=$event.id)
        | type order(id=/order): order string; in: http(path=/a) -> code: function(component=f.wasm, output_type=order) -> pay: effect(action=pay, key=.order)
        | in: replay(file=a.jsonl) -> code: function(component=f.wasm) -> rows: table(table=rows, key=.order)
        | in: http(path=/a) -> top: MAX ~ordered -> mail: effect(action=mail, key=[.key, .n])
        DELIV-001 DELIV-004 | in: http(path=/a) -> code: function(component=f.wasm) -> once: dedupe(key=.o) -> lane: queue -> pay: effect(action=pay)",
    );
}

#[test]
fn what_follows_from_a_lost_identity_is_listed_under_it() {
    let found = found(
        "in: http(path=/a) -> code: function(component=f.wasm) -> once: dedupe(key=.o) -> pay: effect(action=pay)\n\
         once -> n: decide(count=2) -> out: view",
    );
    let [lost] = &found[..] else {
        panic!("{found:?}")
    };
    let listed: Vec<_> = lost.consequences.iter().map(|one| one.code).collect();
    assert_eq!(lost.subject.text(), "code");
    assert_eq!(listed, ["DELIV-001", "DELIV-002"]);
    let places: Vec<_> = lost.path.iter().map(|step| step.place.text()).collect();
    assert_eq!(places, ["in.out", "code.ok", "once"]);
}

#[test]
fn claims_hold_up_to_the_sink() {
    hold(
        "DELIV-009 | in: manual -> lane: queue ^exactly_once=true -> same: map(expr=.) -> lines: export(file=a.jsonl)
        DELIV-009 | in: manual -> all: log -> lines: export(file=a.jsonl) ^exactly_once=true
        DELIV-001 | in: manual -> all: log(transactional=true) ^exactly_once=true -> pay: effect(action=pay)
        | in: manual -> lines: export(file=a.jsonl) ^exactly_once=true
        | in: manual -> all: log -> lines: export(file=a.jsonl)
        | in: manual -> all: log ^exactly_once=true -> pay: effect(action=pay, key=$event.id)
        | in: manual -> all: log ^exactly_once=true -> pay: effect(action=pay) ~idempotent
        | in: manual -> all: log ^exactly_once=true -> seen: view",
    );
    let charged = found("in: manual -> all: log ^exactly_once=true -> pay: effect(action=pay)");
    assert_eq!(charged[0].consequences[0].code, "DELIV-009");
}

/// What a transaction takes back comes once, but not what is sent twice, nor what is read again.
#[test]
fn transactions_drop_what_is_delivered_again() {
    hold(
        "| in: manual -> lane: queue -> all: log(transactional=true) -> once: dedupe -> n: COUNT -> out: view
        DELIV-002 | in: manual -> lane: queue -> all: log(transactional=true) -> n: COUNT -> out: view
        DELIV-002 | in: http(path=/a) -> all: log(transactional=true) -> n: COUNT -> out: view
        | in: manual -> work: function(component=f.wasm) -> all: log(transactional=true) -> pay: effect(action=pay, key=.o)
        | in: replay(file=a.jsonl) -> work: function(component=f.wasm) -> all: log(transactional=true) -> pay: effect(action=pay, key=.o)
        DELIV-004 | in: http(path=/a) -> work: function(component=f.wasm) -> all: log(transactional=true) -> pay: effect(action=pay, key=.o)",
    );
}

#[test]
fn stores_recognise_what_they_have() {
    hold(
        "| in: manual -> lane: queue -> rows: table(table=rows, key=.k, mode=compare_and_set, version=.v)
        | in: http(path=/a) -> files: bucket
        ORDER-001 | in: http(path=/a) -> files: bucket(name=.k)
        DELIV-004 | in: replay(file=a.jsonl) -> top: MAX -> files: bucket
        DELIV-001 | in: manual -> rows: table(table=rows, key=.k); news: table_changes(table=rows) -> mail: effect(action=mail)
        | in: manual -> rows: table(table=rows, key=.k); news: table_changes(table=rows) -> mail: effect(action=mail, key=$event.id)",
    );
}

#[test]
fn nothing_vanishes_on_the_way() {
    hold(
        "DELIV-003 | in: manual ->? pay: effect(action=pay)
        DELIV-003 | in: manual ->? same: map(expr=.) -> rows: table(table=rows)
        DELIV-003 | in: manual ^may_lose=true -> same: map(expr=.) -> files: bucket
        DELIV-003 | in: manual -> code: function(component=f.wasm) ^may_lose=true -> rows: table(table=rows)
        DELIV-003 | in: manual ->? lane: queue ^must_not_lose=true -> seen: view
        DELIV-003 | in: manual ->? seen: view ^must_not_lose=true
        DELIV-003 | in: manual -> turn: resequence(key=.k, version=.v) -> rows: table(table=rows, key=.k) ^must_not_lose=true
        DELIV-003 | a: manual -> pairs: join(left_key=.k, right_key=.k) -> lane: queue -> rows: table(table=rows, key=$event.id) ^must_not_lose=true; b: manual -> .right pairs
        | in: manual -> turn: resequence(key=.k, version=.v) -> rows: table(table=rows, key=.k)
        | in: manual -> rows: table(table=rows) ^must_not_lose=true -> turn: resequence(key=.k, version=.v) -> seen: view
        | in: manual -> news: version_guard(key=.k, version=.v) -> rows: table(table=rows, key=.k) ^must_not_lose=true
        DELIV-003 | in: manual ->? rows: table(table=rows); news: table_changes(table=rows) -> pay: effect(action=pay, key=$event.id)
        DELIV-003 | a: manual ->? both: merge -> rows: table(table=rows); b: manual -> both
        | in: manual ->? seen: view
        | in: manual ->? rows: table(table=rows) ~may_lose
        | in: manual ->? rows: table(table=rows) ^must_not_lose=false
        | in: manual -> rows: table(table=rows); in ->? n: COUNT -> out: view
        | in: manual -> code: function(component=f.wasm) -> rows: table(table=rows) ^must_not_lose=true",
    );
    let found = found(
        "in: replay(file=a.jsonl) ->? same: map(expr=.) -> rows: table(table=rows)\nsame -> files: bucket",
    );
    let [lost] = &found[..] else {
        panic!("{found:?}")
    };
    let affected: Vec<_> = lost.affected.iter().map(crate::id::Id::as_str).collect();
    assert_eq!(
        (lost.subject.word(), affected),
        ("edge", vec!["files", "rows"])
    );
}

#[test]
fn a_dedupe_remembers_as_long_and_as_widely_as_copies_come() {
    hold(
        "DELIV-005 | in: manual -> lane: queue(visibility=1h) -> once: dedupe(ttl=1h) -> pay: effect(action=pay)
        DELIV-005 | in: http(path=/a) ^max_delay=2d -> once: dedupe -> pay: effect(action=pay)
        DELIV-005 | in: manual -> all: log ^retention=30d -> same: map(expr=.) -> once: dedupe(ttl=7d) -> n: COUNT -> out: view
        DELIV-005 | in: manual -> lane: queue(concurrency=3) -> once: dedupe -> pay: effect(action=pay)
        DELIV-005 | in: http(path=/a) -> lane: queue(group=$event.id, concurrency=3) -> once: dedupe -> pay: effect(action=pay); in -> once
        DELIV-005 | in: http(path=/a) -> lane: queue(concurrency=3) -> once: dedupe -> pay: effect(action=pay); more: manual -> once
        DELIV-005 | in: http(path=/a) -> code: function(component=f.wasm) -> all: log(key=.k, partitions=3) -> once: dedupe(key=$event.id) -> pay: effect(action=pay)
        DELIV-005 DELIV-005 | in: manual -> lane: queue(concurrency=3) -> once: dedupe(ttl=1s) -> pay: effect(action=pay)
        | in: manual -> lane: queue(visibility=1h) -> once: dedupe -> pay: effect(action=pay)
        | in: manual ^max_delay=2d -> once: dedupe -> pay: effect(action=pay)
        | in: manual -> all: log(key=.k, partitions=3) -> once: dedupe(key=.o) -> pay: effect(action=pay)
        | in: manual -> code: function(component=f.wasm) -> all: log(key=.k, partitions=3) -> once: dedupe(key=$event.id) -> pay: effect(action=pay)
        | in: manual -> lane: queue(concurrency=3) -> there: repartition(key=$event.id) -> once: dedupe -> pay: effect(action=pay)
        | in: manual -> all: log ^retention=30d -> once: dedupe(ttl=31d) -> next: queue -> twice: dedupe(ttl=1h) -> pay: effect(action=pay)",
    );
}

#[test]
fn no_event_stops_the_others_for_long() {
    hold(
        "DELIV-007 | in: manual -> lane: queue(group=.k, max_attempts=200) -> rows: table(table=rows)
        DELIV-007 | in: manual -> all: log(max_attempts=1000) -> rows: table(table=rows)
        DELIV-007 | in: manual -> all: log(max_attempts=70, backoff=1m) -> rows: table(table=rows); all.failed -> bad: dead_letter
        | in: manual -> all: log(max_attempts=20) -> rows: table(table=rows)
        | in: manual -> all: log(max_attempts=1000, backoff=0s) -> rows: table(table=rows)
        | in: manual -> lane: queue(max_attempts=1000) -> rows: table(table=rows)
        | in: manual -> news: topic(max_attempts=1000) -> rows: table(table=rows)",
    );
}

#[test]
fn workers_have_the_time_that_they_need() {
    hold(
        "DELIV-008 | in: manual -> lane: queue -> rows: table(table=rows) ^duration=40s
        DELIV-008 | in: manual -> news: topic(visibility=10s) -> a: map(expr=.) ^duration=6s -> b: map(expr=.) ^duration=6s -> rows: table(table=rows)
        DELIV-008 | in: manual -> lane: queue -> rows: table(table=rows) ^duration=4s ^batch=10 ^partial_ack=true
        DELIV-008 | in: manual -> lane: queue ^partial_ack=false -> rows: table(table=rows) ^duration=1s ^batch=10
        DELIV-008 | in: manual -> lane: queue -> work: function(component=f.wasm) ^duration=40s -> rows: table(table=rows) ^duration=1s
        | in: manual -> lane: queue -> rows: table(table=rows) ^duration=30s
        | in: manual -> lane: queue -> rows: table(table=rows) ^duration=1s ^batch=10
        | in: manual -> all: log -> rows: table(table=rows) ^duration=2h
        | in: manual -> rows: table(table=rows) ^duration=40s
        | in: manual -> lane: queue(visibility=1m) -> a: map(expr=.) ^duration=25s -> b: map(expr=.) ^duration=25s -> rows: table(table=rows)",
    );
}

#[test]
fn lengths_of_time_are_short_to_read() {
    let said = [0, 250, 30_000, 127_500, 604_800_000, 59_583_500, 90_061_000].map(super::in_words);
    assert_eq!(said, ["0s", "250ms", "30s", "2.1m", "7d", "16.6h", "1d"]);
}

#[test]
fn one_event_changes_one_thing() {
    hold(
        "DELIV-006 | in: manual -> rows: table(table=rows); in -> pay: effect(action=pay)
        DELIV-006 | in: manual -> rows: table(table=rows) -> pay: effect(action=pay)
        DELIV-006 | in: manual -> same: map(expr=.) -> rows: table(table=rows); same -> some: filter(when=.v > 1) -> lane: queue -> out: view
        DELIV-006 | in: generator -> a: filter(when=.v > 1) -> rows: table(table=rows); in -> b: filter(when=.v < 9) -> files: bucket
        DELIV-006 | in: manual -> rows: table(table=rows) ^atomic=x; in -> more: table(table=more) ^atomic=x; in -> files: bucket
        DELIV-006 | a: manual -> both: merge -> rows: table(table=rows, key=$event.id); b: manual -> both; both -> files: bucket
        | in: manual -> rows: table(table=rows); in -> seen: view
        | in: manual -> rows: table(table=rows) ^atomic=x; in -> more: table(table=more) ^atomic=x
        | in: manual -> a: filter(when=.v > 1) -> rows: table(table=rows); in -> b: filter(when=.v <= 1) -> files: bucket
        | in: manual -> a: filter(when=.v > 1) -> rows: table(table=rows); a.dropped -> files: bucket
        | in: manual -> rows: table(table=rows); rows.failed -> files: bucket
        | in: manual -> rows: table(table=rows, mode=compare_and_set, key=.k, version=.v); rows.stale -> pay: effect(action=pay)
        | in: manual -> lane: queue -> rows: table(table=rows); lane -> files: bucket
        | in: replay(file=a.jsonl) -> rows: table(table=rows); in -> pay: effect(action=pay, key=$event.id)
        | in: manual -> rows: table(table=rows); in -> n: COUNT -> sums: table(table=sums, key=.key)
        | in: manual -> rows: table(table=rows); news: table_changes(table=rows) -> pay: effect(action=pay, key=$event.id)",
    );
}

/// Each offer ends in a flow without errors.
#[test]
fn the_rest_follows_from_one_write() {
    for (flow, offers) in [
        (
            "in: manual -> rows: table(table=rows)\nin -> pay: effect(action=pay)",
            2,
        ),
        (
            "in: manual -> rows: table(table=rows, key=.k) -> pay: effect(action=pay)",
            2,
        ),
        (
            "in: manual -> rows: table(table=rows, key=.k) -> pay: effect(action=pay)\nrows.stale -> pay",
            2,
        ),
        (
            "in: manual -> some: filter(when=.v) -> rows: table(table=rows)\nsome -> code: function(component=f.wasm) -> pay: effect(action=pay)",
            1,
        ),
        (
            "in: manual -> rows: table(table=rows, columns={\"a\": \".a\"})\nin -> more: table(table=more)",
            3,
        ),
        (
            "a: manual -> both: merge -> rows: table(table=rows)\nb: manual -> both -> files: bucket",
            2,
        ),
        (
            "in: manual -> rows: table(table=rows)\nin -> files: bucket\nin -> n: decide(count=2) -> mail: effect(action=mail)",
            1,
        ),
    ] {
        let document = notation::read(flow).expect("it reads");
        let found = found(flow);
        assert_eq!(found.len(), 1, "{flow}");
        assert_eq!(found[0].fixes.len(), offers, "{flow}: {:?}", found[0].fixes);
        for fix in &found[0].fixes {
            let mut fixed = document.clone();
            fix.transaction.clone().apply(&mut fixed);
            let left = validate(&fixed, Catalog::bundled()).diagnostics;
            assert!(left.is_empty(), "{flow}\n{}: {left:?}", fix.title);
        }
    }
}
