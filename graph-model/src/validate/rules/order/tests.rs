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
        ORDER-001 | in: manual -> lane: queue -> out: view(key=.k)
        ORDER-001 | in: manual -> lane: queue -> files: bucket(name=.k)
        ORDER-001 | in: manual -> files: bucket(folder=a, name=$event.id); heard: file_watch(folder=a, format=json) -> out: view(key=.k)
        ORDER-001 | type order(id=/id): id string, k string; in: http(event_type=order, path=/a) -> first: dedupe(key=.k) -> out: view
        | type order(id=/id): id string, k string; in: http(event_type=order, path=/a) -> first: dedupe(key=.id) -> out: view
        | in: http(path=/a) -> first: dedupe(key=.k) -> out: view
        | in: manual -> lane: queue -> out: view
        | in: manual -> lane: queue(group=.k) -> out: view(key=.k)
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
        ORDER-002 | a: manual -> n: decide(group=.k, claim=absent, wait=no, seal_key=.k) -> out: view; b: manual -> .seal n
        ORDER-002 | a: manual -> m: map(expr=. + {v: 1}) -> both: merge -> all: table(table=all, key=$event.id); a -> both
        ORDER-002 | a: manual -> m: map(expr=. + {v: 1}) -> both: merge -> all: table(table=all, mode=append); a -> both
        ORDER-002 | a: manual -> m: map(expr=. + {v: 1}) -> both: merge -> news: version_guard(key=.k, version=.v) -> out: view; a -> both
        ORDER-002 | a: manual -> latest: table(table=latest, key=(\"all\")); n: decide(group=.k, claim=fewer_than, count=3, wait=seal, seal_key=.k) -> latest; a -> .seal n
        | a: manual -> same: map(expr=.) -> both: merge -> all: table(table=all, key=$event.id); a -> both
        | a: manual -> some: filter(when=.v > 1) -> m: map(expr=. + {v: 1}) -> both: merge -> all: table(table=all, key=$event.id); some.dropped -> both
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
        ORDER-003 | in: manual -> by_k: repartition(key=.k) -> lane: queue(group=.o) -> latest: table(table=latest, key=.k)
        | in: manual -> by_k: repartition(key=.k) -> lane: queue(group=[.k, .o]) -> latest: table(table=latest, key=[.k, .o])
        | in: manual -> all: log(key=.k, partitions=3) -> latest: table(table=latest, key=.k)
        | in: manual -> all: log(key=.k, partitions=3) -> latest: table(table=latest, key=[.k, .o])
        | in: manual -> all: log(key=.o) -> latest: table(table=latest, key=.k)
        | in: manual -> by_o: repartition(key=.o) -> latest: table(table=latest, key=.k) ~ordered
        | in: manual -> work: map(expr={k, v: (.v | tonumber)}) -> latest: table(table=latest, key=.k); work.failed -> dead: dead_letter",
    );
}

/// The last of them is the same in any order, and those before it are not.
#[test]
fn results_that_are_kept_depend_on_the_order_of_what_they_are_made_of() {
    hold(
        "ORDER-001 | in: http(path=/a) -> once: dedupe -> top: MAX -> rows: table(table=rows, mode=append)
        ORDER-001 | in: http(path=/a) -> once: dedupe -> top: MAX -> rows: table(table=rows, key=$event.id)
        ORDER-001 | in: http(path=/a) -> once: dedupe -> top: MAX -> files: bucket(name=$event.id)
        ORDER-001 | in: http(path=/a) -> once: dedupe -> top: MAX -> same: merge -> file: export(file=a.jsonl)
        ORDER-001 | in: http(path=/a) -> once: dedupe -> top: MAX -> mail: effect(action=mail)
        ORDER-001 | in: http(path=/a) -> once: dedupe -> top: MAX -> first: dedupe(key=.key) -> out: view
        ORDER-001 | in: http(path=/a) -> once: dedupe -> top: MAX -> n: fold(group=.key, step=.n) -> out: view
        ORDER-002 | a: manual -> both: merge -> top: MAX -> rows: table(table=rows, mode=append); b: manual -> both
        ORDER-001 | in: http(path=/a) -> once: dedupe -> top: MAX -> high: filter(when=.n > 6) -> out: view(key=.key); high.dropped -> rows: table(table=rows, key=.key)
        ORDER-001 | in: http(path=/a) -> once: dedupe -> top: MAX -> some: filter(when=.n == 6) -> out: view(key=.key)
        ORDER-001 | in: http(path=/a) -> once: dedupe -> top: MAX -> some: map(expr=select(.n < 6)) -> out: view(key=.key)
        ORDER-001 | in: http(path=/a) -> once: dedupe -> top: MAX -> ways: route(routes={\"low\": \".n < 6\"}); ways.low -> out: view(key=.key)
        | in: http(path=/a) -> once: dedupe -> top: MAX -> high: filter(when=.n > 6) -> rows: table(table=rows, key=.key)
        | in: http(path=/a) -> once: dedupe -> top: MAX -> some: filter(when=.key != \"x\") -> rows: table(table=rows, key=.key)
        ORDER-003 | in: manual -> all: log(key=.o, partitions=2) -> once: dedupe(key=$event.id) -> here: repartition(key=(\"all\"), partitions=1) -> top: MAX -> rows: table(table=rows, mode=append)
        | in: manual -> all: log(key=.k, partitions=2) -> once: dedupe(key=$event.id) -> top: MAX -> rows: table(table=rows, mode=append)
        | in: http(path=/a) -> once: dedupe -> top: MAX -> rows: table(table=rows, key=.key)
        | in: http(path=/a) -> once: dedupe -> top: MAX -> out: view
        | in: http(path=/a) -> once: dedupe -> top: MAX(window=time) -> rows: table(table=rows, mode=append)
        | in: http(path=/a) -> once: dedupe -> top: MAX -> mail: effect(action=mail, key=.key)
        | in: http(path=/a) -> once: dedupe -> top: aggregate(group=.k, aggregates=[{\"name\": \"n\"}]) -> rows: table(table=rows, mode=append)
        | in: http(path=/a) -> once: dedupe -> top: MAX ~ordered -> rows: table(table=rows, mode=append)
        | in: manual -> top: MAX -> rows: table(table=rows, mode=append)",
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

#[test]
fn late_facts_are_waited_for_or_kept() {
    hold(
        "ORDER-004 | in: manual ^max_delay=2h -> n: COUNT(window=time) -> out: view
        ORDER-004 | in: manual ^max_delay=2h -> same: map(expr=.) -> lane: log -> once: dedupe -> n: MAX(window=time, lateness=1h) -> out: view
        ORDER-004 | a: manual ^max_delay=10m -> both: merge -> n: MAX(window=time) -> out: view; b: manual -> both
        ORDER-004 | in: manual ^max_delay=2h -> n: decide(group=.k, claim=absent) -> out: view
        ORDER-004 | in: manual ^max_delay=2h -> turn: resequence(key=.k, version=.v) -> out: view
        ORDER-004 | in: manual ^max_delay=2h -> n: COUNT(window=time, lateness=2h, idle=10m) -> out: view
        | in: manual ^max_delay=2h -> n: COUNT(window=time, lateness=2h, idle=2h) -> out: view
        | in: manual ^max_delay=2h -> n: COUNT(window=time, lateness=2h) -> out: view
        | in: manual ^max_delay=2h -> n: COUNT(window=time) -> out: view; n.late -> late: table(table=late, mode=append)
        | in: manual ^max_delay=2h -> n: COUNT(window=time) ~may_lose -> out: view
        | in: manual ^max_delay=2h -> n: COUNT(window=count) -> out: view
        | in: manual ^max_delay=2h -> n: COUNT -> out: view
        | in: manual -> n: COUNT(window=time) -> out: view
        | in: manual ^max_delay=4m -> turn: resequence(key=.k, version=.v) -> out: view
        ORDER-001 | in: manual ^max_delay=2h -> n: decide(group=.k, claim=absent, wait=no) -> out: view
        ORDER-001 | in: manual ^max_delay=2h -> latest: table(table=latest, key=.k)
        | in: manual ^max_delay=0s -> latest: table(table=latest, key=.k)",
    );
}

#[test]
fn the_clock_decides_nothing_that_is_kept() {
    hold(
        "ORDER-005 | in: manual -> due: filter(when=.due < $now) -> rows: table(table=rows)
        ORDER-005 | in: manual -> stamp: map(expr=.at = $now) -> same: map(expr={k, at}) -> files: bucket
        ORDER-005 | in: manual -> ways: route(routes={\"due\": \".due < $now\"}); ways.due -> pay: effect(action=pay)
        STATE-006 | in: manual -> n: fold(group=.k, step=$now) -> rows: table(table=rows, key=.key)
        ORDER-005 | in: manual -> rows: table(table=rows, key=($now | floor))
        ORDER-005 | in: manual -> late: filter(when=.due < $now) -> n: COUNT -> shown: metric(name=late, value=.n)
        ORDER-005 | type job: k string; in: replay(file=a.jsonl, event_type=job) -> n: MAX(window=time) -> rows: table(table=rows, key=[.key, .from])
        ORDER-005 | in: manual -> rows: table(table=a, key=.k); heard: table_changes(table=a) -> once: dedupe -> n: aggregate(group=.key, window=time, size=1h, aggregates=[{\"name\": \"n\"}]) -> kept: table(table=b, mode=append)
        DELIV-004 | in: replay(file=a.jsonl) -> named: map(expr=.id = $now) -> pay: effect(action=pay, key=.id)
        DELIV-004 | in: replay(file=a.jsonl) -> pay: effect(action=pay, key=$now)
        | in: manual -> due: filter(when=.due < $now) -> seen: view
        | in: manual -> due: filter(when=.due < $now) ~nondeterministic -> rows: table(table=rows)
        | in: manual -> rows: table(table=rows, columns={\"k\": \".k\", \"at\": \"$now\"})
        | in: replay(file=a.jsonl) -> once: dedupe(ttl=1h) -> rows: table(table=rows)
        | type job(time=/at): k string, at string; in: replay(file=a.jsonl, event_type=job) -> n: MAX(window=time) -> rows: table(table=rows, key=[.key, .from])
        | type job: k string; in: schedule(event_type=job) -> n: MAX(window=time) -> rows: table(table=rows, key=[.key, .from])",
    );
}

#[test]
fn what_is_done_for_good_waits_for_all_events() {
    hold(
        "ORDER-006 | in: manual -> n: decide(group=.k, claim=absent, wait=no) -> pay: effect(action=pay)
        ORDER-006 | in: manual -> n: decide(group=.k, claim=fewer_than, count=3, wait=no) -> lane: queue -> same: map(expr=.) -> pay: effect(action=pay, key=$event.id)
        ORDER-006 | in: manual ^max_delay=1h -> n: decide(group=.k, claim=absent, wait=no) -> pay: effect(action=pay)
        ORDER-006 | in: manual -> n: decide(group=.k, claim=absent, wait=seal) -> pay: effect(action=pay)
        ORDER-006 | in: manual -> n: decide(group=[.k, .v], claim=absent, wait=seal, seal_key=.k) -> pay: effect(action=pay); end: manual -> .seal n
        ORDER-006 | in: manual -> n: COUNT -> few: filter(when=.n < 3) -> pay: effect(action=pay)
        ORDER-006 | in: manual -> n: SUM -> named: map(expr={total: .n}) -> few: filter(when=.total <= 3) -> pay: effect(action=pay)
        ORDER-006 | in: manual -> n: COUNT -> many: filter(when=.n >= 3) -> out: view; many.dropped -> pay: effect(action=pay)
        ORDER-006 | in: manual -> n: AVERAGE -> good: filter(when=.n > 3) -> pay: effect(action=pay)
        ORDER-006 | in: manual -> n: MIN -> low: route(routes={\"low\": \".n > 3\"}); low.low -> pay: effect(action=pay)
        ORDER-006 | in: manual -> n: COUNT -> few: filter(when=.n < 3) -> rows: table(table=rows, key=.key) ^irrevocable=true
        ORDER-006 | in: manual -> news: topic -> n: decide(group=.k, claim=absent, wait=no) -> pay: effect(action=pay, key=$event.id)
        ORDER-006 | in: manual -> n: decide(group=.k, claim=absent, wait=no) -> ask: function(component=f.wasm, hosts=[\"https://a.example\"])
        ORDER-006 | in: manual -> n: COUNT -> few: filter(when=.n < 3) -> ask: function(component=f.wasm, hosts=[\"https://a.example\"], may_use=[\"http\"])
        | in: manual -> n: decide(group=.k, claim=absent, wait=no) -> ask: function(component=f.wasm, hosts=[\"https://a.example\"]) ^irrevocable=false
        | in: manual -> n: decide(group=.k, claim=absent, wait=no) -> ask: function(component=f.wasm, hosts=[\"https://a.example\"], may_use=[\"state\"])
        | in: manual -> n: decide(group=.k, claim=absent, wait=no) -> work: function(component=f.wasm)
        | in: manual -> n: decide(group=.k, claim=absent, wait=no) -> rows: table(table=rows, key=.key)
        | in: manual -> n: decide(group=.k, claim=absent) -> pay: effect(action=pay)
        | in: manual -> n: decide(group=.k, count=3, wait=no) -> pay: effect(action=pay)
        ORDER-006 | in: manual -> n: decide(group=[.k, .v], claim=absent, wait=seal, seal_key=[.v, .k]) -> pay: effect(action=pay); in -> end: filter(when=.end) -> .seal n
        | in: manual -> n: decide(group=.k, claim=absent, wait=seal) -> pay: effect(action=pay); end: manual -> .seal n
        | in: manual -> n: decide(group=[.k, .v], claim=absent, wait=seal, seal_key=[.k, .v]) -> pay: effect(action=pay); in -> end: filter(when=.end) -> .seal n
        | in: manual -> n: decide(group=[.k, .v], claim=absent, wait=seal, seal_key=[.a, .b]) -> pay: effect(action=pay); in -> end: filter(when=.end) -> m: map(expr={a: .k, b: .v}) -> .seal n
        | in: manual -> n: decide(group=.k, claim=absent, wait=seal, seal_key=.of) -> pay: effect(action=pay); in -> end: filter(when=.end) -> .seal n
        | in: manual -> n: decide(group=.k, claim=absent, wait=no) -> pay: effect(action=pay) ~closed
        | in: manual -> n: COUNT -> many: filter(when=.n >= 3) -> pay: effect(action=pay)
        | in: manual -> n: COUNT(window=time) -> few: filter(when=.n < 3) -> pay: effect(action=pay)
        | in: manual -> n: MIN -> low: filter(when=.n < 3) -> pay: effect(action=pay)
        | in: manual -> n: COUNT -> few: filter(when=.n < 3) -> seen: view
        | in: manual -> n: COUNT -> rows: table(table=rows, key=.key); news: table_changes(table=rows) -> few: filter(when=.after.n < 3) -> pay: effect(action=pay, key=$event.id)",
    );
    let found = found(
        "in: manual -> n: decide(group=.k, claim=absent, wait=no) -> a: effect(action=a)\nn -> b: filter(when=.key) -> c: effect(action=c)",
    );
    let affected = |found: &crate::validate::Diagnostic| {
        let ids: Vec<_> = found.affected.iter().map(ToString::to_string).collect();
        ids.join(" ")
    };
    let early: Vec<_> = found
        .iter()
        .map(|found| (found.code, affected(found)))
        .collect();
    assert_eq!(early, [("ORDER-006", "a c".to_owned())]);
}

#[test]
fn rows_of_then_complete_events_of_then() {
    hold(
        "ORDER-007 | in: manual -> more: enrich(key=.k, row_key=.key) -> out: view; rows: table_changes(table=rows) -> .rows more
        ORDER-007 | type price(id=/sku, stands_for=version): sku string; in: manual -> more: enrich(key=.k, row_key=.sku) -> out: view; rows: manual(event_type=price) -> .rows more
        ORDER-007 | in: manual -> more: enrich(key=.k, row_key=.key) -> out: view; rows: table_changes(table=rows) -> some: filter(when=.after) -> .rows more
        | in: manual -> more: enrich(key=.k, row_key=.key, as_of=true) -> out: view; rows: table_changes(table=rows) -> .rows more
        | in: manual -> more: enrich(key=.k, row_key=.key) ~latest -> out: view; rows: table_changes(table=rows) -> .rows more
        | in: manual -> more: enrich(key=.k, row_key=.code) -> out: view; rows: replay(file=a.jsonl) -> .rows more
        | more: enrich(key=.k, row_key=.key) -> out: view; rows: table_changes(table=rows) -> .rows more
        ORDER-001 | in: manual -> more: enrich(key=.k, row_key=.code) -> out: view; rows: http(path=/a) -> .rows more
        ORDER-001 | in: manual -> more: enrich(key=.k, row_key=.code) -> out: view; rows: manual -> lane: queue -> .rows more
        ORDER-002 | in: manual -> more: enrich(key=.k, row_key=.code) -> out: view; a: manual -> .rows more; b: manual -> .rows more
        | in: manual -> more: enrich(key=.k, row_key=.code, as_of=true) -> out: view; rows: http(path=/a) -> .rows more
        | type rate(id=/code): code string; in: manual -> more: enrich(key=.k, row_key=.code) -> out: view; rows: http(path=/a, event_type=rate) -> .rows more
        | more: enrich(key=.k, row_key=.code) -> out: view; rows: http(path=/a) -> .rows more",
    );
}
