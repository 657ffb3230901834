//! What depends on order and what only looks like it, a line for each case.

use crate::validate::rules::delivery::tests::{found, hold};

#[test]
fn channels_and_senders_keep_no_order() {
    hold(
        "ORDER-001 | in: manual -> lane: queue -> once: dedupe -> latest: table(table=latest, key=.k)
        ORDER-001 | in: manual -> news: topic -> latest: table(table=latest, key=.k)
        ORDER-001 | in: http(path=/a) -> latest: table(table=latest, key=.k)
        ORDER-001 | in: http(path=/a) -> named: map(expr={sensor: .k}) -> latest: table(table=latest, key=.sensor)
        ORDER-001 | in: manual -> news: topic -> once: dedupe -> n: LAST -> out: view
        ORDER-001 | in: manual -> news: topic -> once: dedupe -> n: LIST -> out: view
        ORDER-001 | in: manual -> news: topic -> once: dedupe -> n: fold(group=.k, step=.v) -> out: view
        ORDER-001 | in: manual -> news: topic -> n: decide(group=.k, claim=absent, wait=no) -> out: view
        ORDER-001 | in: manual -> lane: queue -> code: function(component=f.wasm) ^state=keyed -> out: view
        ORDER-001 | in: manual -> all: log(key=.k, partitions=3) -> code: function(component=f.wasm) -> latest: table(table=latest, key=.k)
        | in: manual -> lane: queue(group=.k) -> latest: table(table=latest, key=.k)
        | in: manual -> lane: queue(group=.k, concurrency=3) -> latest: table(table=latest, key=[.k, .v])
        | in: manual -> lane: queue -> all: table(table=all, key=$event.id)
        | in: manual -> lane: queue -> all: table(table=all, mode=append)
        | in: manual -> lane: queue -> latest: table(table=latest, key=.k) ~ordered
        | in: manual -> lane: queue -> turn: resequence(key=.k, version=.v) -> n: fold(group=.k, step=$state + .v) -> out: view
        | in: manual -> lane: queue -> once: dedupe -> n: fold(group=.k, step=($state // 0) + .v) ~commutative -> out: view
        | in: manual -> lane: queue -> n: MAX -> latest: table(table=latest, key=.key)
        | in: manual -> lane: queue -> n: decide(group=.k, claim=absent) -> out: view
        | in: manual -> lane: queue -> code: function(component=f.wasm) ^state=cache -> out: view
        | in: manual -> all: log(key=.k, partitions=3) -> code: function(component=f.wasm) ^state=keyed -> out: view",
    );
}

#[test]
fn streams_that_meet_have_no_common_order() {
    hold(
        "ORDER-002 | a: manual -> both: merge -> latest: table(table=latest, key=.k); b: manual -> both
        ORDER-002 | a: manual -> latest: table(table=latest, key=.k); b: manual -> latest
        ORDER-002 | a: manual -> some: filter(when=.v > 1) -> n: fold(group=.k, step=.v) -> out: view; some.dropped -> less: map(expr=.v = 1) -> n
        ORDER-002 | a: manual -> pairs: join(left_key=.k, right_key=.k) -> latest: table(table=latest, key=.left.k); b: manual -> .right pairs
        | a: manual -> both: merge -> all: table(table=all, key=$event.id); b: manual -> both
        | a: manual -> both: merge -> news: version_guard(key=.k, version=.v) -> latest: table(table=latest, key=.k); b: manual -> both
        | a: manual -> both: merge -> n: COUNT -> latest: table(table=latest, key=.key); b: manual -> both
        | a: manual -> same: map(expr=.) -> latest: table(table=latest, key=.k)",
    );
}

#[test]
fn events_overtake_each_other() {
    hold(
        "ORDER-003 | in: manual -> all: log(key=.o, partitions=3) -> latest: table(table=latest, key=.k)
        ORDER-003 | in: manual -> lane: queue(group=.o) -> latest: table(table=latest, key=.k)
        ORDER-003 | in: manual -> by_o: repartition(key=.o) -> named: map(expr={c: .k}) -> latest: table(table=latest, key=.c)
        ORDER-003 | in: manual -> strict: map(expr={k, v: (.v | tonumber)}) -> all: merge -> latest: table(table=latest, key=.k); strict.failed -> mend: map(expr={k, v: 0}) -> all
        ORDER-003 | in: manual -> work: map(expr={k, v: (.v | tonumber)}) -> latest: table(table=latest, key=.k); work.failed -> lane: queue -> once: dedupe -> latest
        PART-001 | in: manual -> by_o: repartition(key=.o) -> n: LAST -> out: view
        | in: manual -> all: log(key=.k, partitions=3) -> latest: table(table=latest, key=.k)
        | in: manual -> all: log(key=.k, partitions=3) -> latest: table(table=latest, key=[.k, .o])
        | in: manual -> all: log(key=.o) -> latest: table(table=latest, key=.k)
        | in: manual -> by_o: repartition(key=.o) -> latest: table(table=latest, key=.k) ~ordered
        | in: manual -> work: map(expr={k, v: (.v | tonumber)}) -> latest: table(table=latest, key=.k); work.failed -> dead: dead_letter",
    );
}

#[test]
fn the_node_is_blamed_that_keeps_another_order() {
    let found = found(
        "in: manual -> by_o: repartition(key=.o) -> named: map(expr={k, o}) -> some: filter(when=.k) \
         -> latest: table(table=latest, key=.k)",
    );
    assert_eq!(
        found[0].message,
        "latest depends on who comes last for `.k`, but by_o keeps order only by `.o`; keep events of one `.k` in order"
    );
    let places: Vec<_> = found[0].path.iter().map(|step| step.place.text()).collect();
    assert_eq!(places, ["by_o.out", "named.out", "some.out", "latest"]);
}

/// Where versions are known, old ones are left out, or put back into their place.
#[test]
fn versions_mend_what_no_channel_can() {
    let head = "type reading(version=/at): k string, at number, v number\nin: http(path=/a, event_type=reading)";
    for (step, fix) in [
        (
            "latest: table(table=latest, key=.k)",
            "Let only newer versions of `.k` pass to latest",
        ),
        (
            "n: fold(group=.k, step=$state + .v) -> out: view",
            "Put the versions of `.k` in order in front of n",
        ),
    ] {
        let flow = format!("{head} -> once: dedupe -> {step}");
        let found = found(&flow);
        assert_eq!(found[0].fixes[0].title, fix);
    }
}
