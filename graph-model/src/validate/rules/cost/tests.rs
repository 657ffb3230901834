//! Limits that are met and limits that are not.

use crate::validate::rules::testing::check;

#[test]
fn calls_under_way_are_added_up() {
    check(&[
        // Each is below the limit, together they are not.
        (
            "budget concurrency=100\nin: manual ^rate=100 -> a: function(component=f.wasm) ^duration=600ms ^gain=1 -> b: effect(action=b) ^duration=600ms",
            "COST-001",
        ),
        (
            "budget concurrency=120\nin: manual ^rate=100 -> a: function(component=f.wasm) ^duration=600ms ^gain=1 -> b: effect(action=b) ^duration=600ms",
            "",
        ),
        // The peak counts.
        (
            "budget concurrency=100\nin: manual ^rate=10 ^peak=300 -> a: function(component=f.wasm) ^duration=1s -> out: view",
            "COST-001",
        ),
        // Only so many are let in.
        (
            "budget concurrency=100\nin: manual ^rate=10 ^peak=300 -> a: function(component=f.wasm) ^duration=1s ^instances=50 -> out: view",
            "",
        ),
        // Nobody says how many arrive.
        (
            "budget concurrency=100\nin: manual -> a: function(component=f.wasm) ^duration=1s -> out: view",
            "~COST-001",
        ),
        (
            "budget concurrency=100\nin: manual ^rate=200 -> f: filter(when=.a) -> a: function(component=f.wasm) ^duration=1s -> out: view",
            "~COST-001",
        ),
        (
            "budget concurrency=100\nin: manual ^rate=200 -> f: filter(when=.a) ^gain=0.9 -> a: function(component=f.wasm) ^duration=1s -> out: view",
            "COST-001",
        ),
        // However many pass, they are few enough.
        (
            "budget concurrency=100\nin: manual ^rate=90 -> f: filter(when=.a) -> a: function(component=f.wasm) ^duration=1s -> out: view",
            "",
        ),
        // No budget, no question.
        (
            "in: manual ^rate=9000 -> a: function(component=f.wasm) ^duration=10s -> out: view",
            "",
        ),
    ]);
}

#[test]
fn costs_are_added_up() {
    check(&[
        // Nobody says how often an event goes round.
        (
            "budget per_event=0.00001\nin: manual ^price=1 -> work: map(expr=.n = 1) ^price=6 -> once: dedupe(key=$event.id) -> work",
            "~COST-002",
        ),
        (
            "budget per_event=0.00001\nin: manual ^price=1 -> work: map(expr=.n = 1) -> once: dedupe(key=$event.id) -> work",
            "",
        ),
        (
            "budget per_event=0.00001\nin: manual ^price=6 -> a: function(component=f.wasm) ^price=6 -> out: view",
            "COST-002",
        ),
        (
            "budget per_event=0.00001\nin: manual ^price=5 -> a: function(component=f.wasm) ^price=5 -> out: view",
            "",
        ),
        // A topic sends two copies.
        (
            "budget per_event=0.00001\nin: manual -> t: topic -> a: view ^price=6\nt -> b: view ^price=6",
            "COST-002",
        ),
        // A queue sends each event to one of its readers.
        (
            "budget per_event=0.00001\nin: manual -> t: queue -> a: view ^price=6\nt -> b: view ^price=6",
            "",
        ),
        // It depends on what nobody says.
        (
            "budget per_event=0.00001\nin: manual -> a: split(expr=.items) -> b: view ^price=6",
            "~COST-002",
        ),
        (
            "budget per_event=0.00001\nin: manual -> a: split(expr=.items) ^gain=2 -> b: view ^price=6",
            "COST-002",
        ),
        // What fails is not counted.
        (
            "budget per_event=0.00001\nin: manual -> a: map -> b: view ^price=6\na.failed -> c: view ^price=600",
            "",
        ),
    ]);
}

#[test]
fn cold_starts_count_where_they_are_probable() {
    check(&[
        // Two in a row.
        (
            "in: manual ^rate=0.001 -> a: function(component=f.wasm) ^cold_start=600ms ^keep_alive=5m ^gain=1 -> b: function(component=f.wasm) ^cold_start=600ms ^keep_alive=5m -> out: view ^latency=1s",
            "COST-003",
        ),
        (
            "in: manual ^rate=0.001 -> a: function(component=f.wasm) ^cold_start=600ms ^keep_alive=5m -> out: view ^latency=1s",
            "",
        ),
        // The budget says how soon.
        (
            "budget latency=500ms\nin: manual ^rate=0.001 -> a: function(component=f.wasm) ^cold_start=600ms ^keep_alive=5m -> out: view",
            "COST-003",
        ),
        // It is late even when it is warm: that is another matter.
        (
            "in: manual ^rate=0.001 -> a: function(component=f.wasm) ^duration=2s ^cold_start=600ms ^keep_alive=5m -> out: view ^latency=1s",
            "",
        ),
        // Nobody says how often it is called, or how long it stays.
        (
            "in: manual -> a: function(component=f.wasm) ^cold_start=2s ^keep_alive=5m -> out: view ^latency=1s",
            "~COST-003",
        ),
        (
            "in: manual ^rate=0.001 -> a: function(component=f.wasm) ^cold_start=2s -> out: view ^latency=1s",
            "~COST-003",
        ),
    ]);
}

#[test]
fn payloads_grow_and_shrink() {
    let head = "type doc(id=/id, size_max=100 KiB): id string, text string\ntype big(id=/id, size_max=900 KiB): id string, text string\n";
    let flow = |rest: &str| format!("{head}{rest}");
    let cases = [
        (
            flow("in: manual(event_type=big) -> lane: queue ^payload_limit=800KiB"),
            "COST-004",
        ),
        (
            flow("in: manual(event_type=big) -> lane: queue ^payload_limit=900KiB"),
            "",
        ),
        // What is not named in the projection is gone, but what is named may be all of it.
        (
            flow(
                "in: manual(event_type=big) -> m: map(expr={text: .text}) -> lane: queue ^payload_limit=800KiB",
            ),
            "COST-004",
        ),
        // Rows add to events.
        (
            flow(
                "in: manual(event_type=doc) -> e: enrich(key=.id, row_key=.id) -> lane: queue ^payload_limit=800KiB\nrows: manual(event_type=big) -> .rows e",
            ),
            "COST-004",
        ),
        // Code makes other events.
        (
            flow(
                "in: manual(event_type=big) -> f: function(component=f.wasm, output_type=doc) -> lane: queue ^payload_limit=800KiB",
            ),
            "",
        ),
        (
            flow(
                "in: manual(event_type=doc) -> f: function(component=f.wasm) ^growth=9 -> lane: queue ^payload_limit=800KiB",
            ),
            "COST-004",
        ),
        (
            flow(
                "in: manual(event_type=doc) -> f: function(component=f.wasm) -> lane: queue ^payload_limit=800KiB",
            ),
            "~COST-004",
        ),
        // The budget is for all channels.
        (
            flow("budget payload=800KiB\nin: manual(event_type=big) -> lane: topic"),
            "COST-004",
        ),
        (
            flow("budget payload=800KiB\nin: manual(event_type=big) -> out: view"),
            "",
        ),
        // No limit, no question.
        (flow("in: manual(event_type=big) -> lane: queue"), ""),
    ];
    check(&cases);
}

#[test]
fn batches_fit_or_do_not() {
    let head = "type doc(id=/id, size_max=1 MiB): id string, text string\n";
    let flow = |rest: &str| format!("{head}{rest}");
    let cases = [
        (
            flow(
                "in: manual(event_type=doc) -> f: function(component=f.wasm) ^batch=65 ^memory=64MiB",
            ),
            "COST-005",
        ),
        (
            flow(
                "in: manual(event_type=doc) -> f: function(component=f.wasm) ^batch=64 ^memory=64MiB",
            ),
            "",
        ),
        // One event is too large.
        (
            flow("in: manual(event_type=doc) -> f: function(component=f.wasm) ^memory=512KiB"),
            "COST-005",
        ),
        // The batch is not known to be anything but one.
        (
            flow("in: manual(event_type=doc) -> f: function(component=f.wasm) ^memory=64MiB"),
            "",
        ),
        (
            flow(
                "in: manual(event_type=doc) -> g: function(component=f.wasm) -> f: function(component=f.wasm) ^batch=65 ^memory=64MiB",
            ),
            "~COST-005",
        ),
    ];
    check(&cases);
}

#[test]
fn consumers_keep_up_or_do_not() {
    check(&[
        // Nobody says how often an event goes round.
        (
            "in: manual ^rate=5 -> work: map(expr=.n = 1) ^duration=300ms ^instances=2 -> once: dedupe(key=$event.id) -> work\nin -> once",
            "~COST-006",
        ),
        // What a source brings comes beside what it hears.
        (
            "in: manual ^rate=100 -> all: bucket(folder=f, name=.id)\nread: file_watch(folder=f) ^rate=1 ^gain=1 -> a: function(component=f.wasm) ^duration=20ms ^instances=2 -> out: view",
            "COST-006",
        ),
        (
            "in: manual ^rate=99 -> all: bucket(folder=f, name=.id)\nread: file_watch(folder=f) ^rate=1 ^gain=1 -> a: function(component=f.wasm) ^duration=20ms ^instances=2 -> out: view",
            "",
        ),
        // All may come through, to one partition.
        (
            "in: manual ^rate=2000 -> f: filter(when=.open) -> lane: log(key=.shop, partitions=8) ^hot_key=0.7 ^partition_rate=1000 -> out: view",
            "~PART-010",
        ),
        // One at a time.
        ("in: manual ^rate=100 -> lane: queue -> a: function(component=f.wasm) ^duration=20ms -> out: view", "COST-006"),
        ("in: manual ^rate=100 -> lane: queue(concurrency=2) -> a: function(component=f.wasm) ^duration=20ms -> out: view", ""),
        // More workers than partitions do nothing.
        ("in: manual ^rate=100 -> lane: log(key=.id, partitions=2) -> a: function(component=f.wasm) ^instances=50 ^duration=50ms -> out: view", "COST-006"),
        // Two lanes feed it.
        (
            "in: manual ^rate=50 -> one: queue(concurrency=2) -> a: function(component=f.wasm) ^duration=50ms -> out: view
             second: manual ^rate=40 -> two: queue(concurrency=3) -> a",
            "",
        ),
        // Nothing bounds how many run.
        ("in: manual ^rate=100 -> a: function(component=f.wasm) ^duration=5s -> out: view", ""),
        // A peak is not for ever.
        ("in: manual ^rate=10 ^peak=1000 -> lane: queue -> a: function(component=f.wasm) ^duration=50ms -> out: view", ""),
        // Nobody says what the filter lets pass.
        ("in: manual ^rate=100 -> lane: queue -> f: filter(when=.a) -> a: function(component=f.wasm) ^duration=50ms -> out: view", "~COST-006"),
        ("in: manual ^rate=100 -> lane: queue -> f: filter(when=.a) ^gain=0.1 -> a: function(component=f.wasm) ^duration=50ms -> out: view", ""),
        // What comes round comes on top: 10 / (1 - 0.5) a second.
        (
            "in: manual ^rate=10 -> lane: queue -> a: function(component=f.wasm) ^duration=60ms ^gain=0.5 -> lane",
            "COST-006 LOOP-002",
        ),
        ("in: manual ^rate=10 -> lane: queue -> a: function(component=f.wasm) ^duration=40ms ^gain=0.5 -> lane", "LOOP-002"),
    ]);
}

/// What stays on its way for ever is given up.
#[test]
fn a_small_loop_that_never_settles_is_a_storm() {
    let flow = "in: manual ^rate=1200 -> lane: log(key=.shop, partitions=8) -> lane";
    check(&[(flow, "LOOP-001")]);
}
