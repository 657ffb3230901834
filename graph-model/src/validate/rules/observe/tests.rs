//! What people can tell and what they cannot.

use crate::validate::rules::testing::check;

/// Flows behind one that begins with orders.
fn orders(table: &[(&str, &str)]) {
    const START: &str = "type order(id=/id): id string, shop string, total number\nin: replay(file=o.jsonl, event_type=order)";
    let table: Vec<(String, &str)> = table
        .iter()
        .map(|(rest, codes)| (format!("{START} {rest}"), *codes))
        .collect();
    check(&table);
}

#[test]
fn failures_have_somebody_who_looks() {
    orders(&[
        // A sketch promises nothing.
        (
            "-> q: queue -> t: table(table=t, key=.id)\nq.failed -> dead: dead_letter",
            "",
        ),
        (
            "-> q: queue -> t: table(table=t, key=.id) ^must_not_lose=true\nq.failed -> dead: dead_letter",
            "OBS-002",
        ),
        (
            "-> q: topic -> m: map -> t: table(table=t, key=.id) ^must_not_lose=true\nm.failed -> x: map -> dead: dead_letter",
            "OBS-002",
        ),
        (
            "-> q: queue ^must_not_lose=true -> t: table(table=t, key=.id)\nq.failed -> dead: table(table=dead, mode=append)",
            "OBS-002",
        ),
        (
            "-> q: queue ^must_not_lose=true -> t: table(table=t, key=.id)\nq.failed -> x: redact(fields=[\"/total\"]) -> dead: export(file=d.jsonl)",
            "OBS-002",
        ),
        (
            "-> v: validate(event_type=order) -> t: table(table=t, key=.id) ^must_not_lose=true\nv.invalid -> bad: export(file=bad.jsonl)",
            "OBS-002",
        ),
        (
            "-> q: queue -> t: table(table=t, key=.id)\nq.failed -> dead: dead_letter ^retention=14d",
            "OBS-002",
        ),
        // Somebody looks at one of two.
        (
            "-> q: queue -> t: table(table=t, key=.id)\nq.failed -> dead: dead_letter ^watched_by=ops\nt.failed -> other: dead_letter",
            "OBS-002",
        ),
        (
            "-> q: queue -> t: table(table=t, key=.id)\nq.failed -> dead: dead_letter ^owner=ops\nt.failed -> other: dead_letter ^watched_by=\"\"",
            "OBS-002",
        ),
        // Somebody is named, may look, or is told.
        (
            "-> q: queue ^must_not_lose=true -> t: table(table=t, key=.id)\nq.failed -> dead: dead_letter ^owner=ops",
            "",
        ),
        (
            "-> q: queue ^must_not_lose=true -> t: table(table=t, key=.id)\nq.failed -> dead: dead_letter ^watched_by=ops\nt.failed -> dead",
            "",
        ),
        (
            "-> q: queue ^must_not_lose=true -> t: table(table=t, key=.id)\nq.failed -> dead: dead_letter\nq.failed -> n: aggregate(aggregates=[{\"name\": \"n\", \"function\": \"max\", \"of\": \".total\"}]) -> m: metric(name=failures, value=.n)",
            "",
        ),
        (
            "-> q: queue ^must_not_lose=true -> t: table(table=t, key=.id)\nq.failed -> look: view",
            "",
        ),
        (
            "-> q: queue ^must_not_lose=true -> t: table(table=t, key=.id)\nq.failed -> dead: table(table=dead, mode=append)\nagain: table_changes(table=dead) -> seen: view",
            "",
        ),
        // What else is kept there is not only failures.
        (
            "-> q: queue ^must_not_lose=true -> t: table(table=t, key=.id)\nq.failed -> all: table(table=all, mode=append)\nin -> all",
            "",
        ),
        // Nobody promised anything of what fails here.
        (
            "-> q: queue -> v: view ^must_not_lose=false\nq.failed -> dead: dead_letter",
            "",
        ),
    ]);
}

#[test]
fn cards_are_whole_or_not_there() {
    let table = |node: &str| {
        format!(
            "role sales\nin: manual -> best: aggregate(group=.shop, window=time, size=1h, aggregates=[{{\"name\": \"best\", \"function\": \"max\", \"of\": \".total\"}}]) -> {node}"
        )
    };
    check(&[
        (table("m: metric(name=best, value=.best, key=.key)"), ""),
        (
            table("m: metric(name=best, value=.best, key=.key) ^freshness=1h"),
            "OBS-003",
        ),
        (
            table("m: metric(name=best, value=.best, key=.key) ^definition=largest"),
            "OBS-003",
        ),
        (table("m: view ^metric=best ^owner=sales"), "OBS-003"),
        (
            table("m: view ^metric=best ^owner=sales ^freshness=1h"),
            "OBS-003",
        ),
        // Others of the flow have a card.
        (
            table(
                "m: view ^metric=best ^owner=sales ^freshness=1h ^definition=largest\nbest -> n: metric(name=other, value=.best)",
            ),
            "OBS-003",
        ),
        (
            table("m: view ^metric=best ^owner=sales ^freshness=1h ^definition=largest"),
            "",
        ),
        // No number that people know by a name.
        (table("m: view ^owner=sales"), ""),
        (table("m: table(table=best, key=.key) ^owner=sales"), ""),
    ]);
}

#[test]
fn cases_can_be_followed_to_what_they_cause() {
    const START: &str = "type order(id=/id, correlation=/case): id string, case string, total number\nin: http(path=/orders, event_type=order) -> q: queue";
    let table = [
        (
            "-> m: map(expr={id}) -> pay: effect(action=pay, key=.id)",
            "OBS-001",
        ),
        (
            "-> m: map(expr=del(.case)) -> pay: effect(action=pay, key=.id)",
            "OBS-001",
        ),
        (
            "-> a: map(expr={id, c: .case}) -> m: map(expr={id}) -> pay: effect(action=pay, key=.id)",
            "OBS-001",
        ),
        (
            "-> m: map(expr={id}) -> once: dedupe(key=.id) -> pay: http_out(url=\"https://x.example/\", key=.id)",
            "OBS-001",
        ),
        (
            "-> f: filter(when=.total > 1) -> m: map(expr={id}) -> pay: effect(action=pay, key=.id)",
            "OBS-001",
        ),
        (
            "-> f: function(component=f.wasm) ^propagates=false -> pay: effect(action=pay, key=$event.id)",
            "OBS-001",
        ),
        (
            "-> f: function(component=f.wasm, output_type=order) -> m: map(expr={id}) -> pay: effect(action=pay, key=.id)",
            "OBS-001",
        ),
        (
            "-> m: map(expr={id, total}) -> n: metric(name=n, value=.total)",
            "OBS-001",
        ),
        // It comes along, or something that is made of it.
        (
            "-> m: map(expr={id, case}) -> pay: effect(action=pay, key=.id)",
            "",
        ),
        (
            "-> m: map(expr={id, c: {d: .case}}) -> n: map(expr=.c + {id}) -> pay: effect(action=pay, key=.id)",
            "",
        ),
        (
            "-> m: map(expr={id, c: (\"case \" + .case)}) -> pay: effect(action=pay, key=.id)",
            "",
        ),
        (
            "-> m: map(expr=.total = 1) -> pay: effect(action=pay, key=.id)",
            "",
        ),
        (
            "-> m: redact(fields=[\"/total\"]) -> pay: effect(action=pay, key=.id)",
            "",
        ),
        // Nothing happens behind it.
        ("-> m: map(expr={id}) -> out: view", ""),
        (
            "-> pay: effect(action=pay, key=.id)\nq -> m: map(expr={id}) -> t: table(table=t, key=.id)",
            "",
        ),
        // A total has many causes.
        (
            "-> once: dedupe(key=.id) -> sum: aggregate(group=.id, window=time, size=1h, aggregates=[{\"name\": \"sum\", \"function\": \"max\", \"of\": \".total\"}]) -> n: metric(name=n, value=.sum)",
            "",
        ),
        (
            "-> f: function(component=f.wasm) ^propagates=true -> pay: effect(action=pay, key=$event.id)",
            "",
        ),
        (
            "-> f: function(component=f.wasm) ^propagates=false -> out: view",
            "",
        ),
        (
            "-> f: function(component=f.wasm) -> pay: effect(action=pay, key=$event.id)",
            "~OBS-001",
        ),
    ];
    let table: Vec<(String, &str)> = table
        .iter()
        .map(|(rest, codes)| (format!("{START} {rest}"), *codes))
        .collect();
    check(&table);
    // Nobody declares a correlation.
    check(&[(
        "type order(id=/id): id string, case string\nin: http(path=/orders, event_type=order) -> m: map(expr={id}) -> pay: effect(action=pay, key=.id)",
        "",
    )]);
}

#[test]
fn windows_end_although_nothing_comes() {
    const MAX: &str = r#"aggregates=[{"name": "max", "function": "max", "of": ".t"}]"#;
    let table = |text: &str| text.replace("MAX", MAX);
    check(&[
        (
            table(
                "in: manual ^silent=true -> w: aggregate(group=.room, window=time, MAX) -> out: view",
            ),
            "OBS-004",
        ),
        (
            table(
                "in: manual ^rate=0 -> m: map(expr={room, t}) -> w: aggregate(group=.room, window=time, MAX) -> out: view",
            ),
            "OBS-004",
        ),
        (
            table(
                "in: manual ^silent=true -> all: merge -> w: aggregate(window=time, MAX) -> out: view\nother: manual ^silent=true -> all",
            ),
            "OBS-004",
        ),
        (
            table(
                "in: manual ^silent=true -> w: decide(group=.room, claim=absent, wait=window, size=1h) -> out: view",
            ),
            "OBS-004",
        ),
        (
            table(
                "in: manual ^silent=true -> q: log(key=.room, partitions=4) -> w: aggregate(group=.room, window=time, MAX) -> out: view",
            ),
            "OBS-004",
        ),
        // Somebody keeps the clock going.
        (
            table("in: manual -> w: aggregate(group=.room, window=time, MAX) -> out: view"),
            "",
        ),
        (
            table(
                "in: manual ^silent=true -> all: merge -> w: aggregate(group=.room, window=time, MAX) -> out: view\nother: manual -> all",
            ),
            "",
        ),
        (
            table(
                "in: manual ^silent=true -> w: decide(group=.room, claim=absent, wait=window, size=1h) -> out: view\nbeat: schedule(every=1h) -> .seal w",
            ),
            "",
        ),
        // It does not wait for a later event only.
        (
            table(
                "in: manual ^silent=true -> w: aggregate(group=.room, window=time, idle=5m, MAX) -> out: view",
            ),
            "",
        ),
        (
            table(
                "in: manual ^silent=true -> w: decide(group=.room, claim=absent, wait=window, size=1h, idle=1h) -> out: view",
            ),
            "",
        ),
        (
            table(
                "in: manual ^silent=true -> w: aggregate(group=.room, window=time, idle=0s, MAX) -> out: view",
            ),
            "OBS-004",
        ),
        // It waits for no time.
        (
            table(
                "in: manual ^silent=true -> w: aggregate(group=.room, window=count, MAX) -> out: view",
            ),
            "",
        ),
        (
            table("in: manual ^silent=true -> w: aggregate(group=.room, MAX) -> out: view"),
            "",
        ),
        (
            table(
                "in: manual ^silent=true -> w: decide(group=.room, claim=at_least, count=3, wait=window, size=1h) -> out: view",
            ),
            "",
        ),
        (
            table("in: manual ^silent=true -> w: aggregate(group=.room, window=time, MAX)"),
            "",
        ),
    ]);
}
