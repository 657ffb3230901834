//! Loops that end and loops that do not.

use crate::validate::rules::testing::check;

#[test]
fn storms_are_found_where_nothing_ends_them() {
    check(&[
        // The plainest loop.
        ("in: manual -> lane: queue -> work: map(expr=.done = true) -> lane", "LOOP-001"),
        // What finds no partner is an event of its own each time, so no key holds it up.
        (
            "in: manual -> once: dedupe(key=$event.id) -> .right pairs: join(left_key=.k, right_key=.k)
             other: manual -> .left pairs
             pairs.unmatched -> back: map(expr={k: .right.k}) -> once",
            "LOOP-001",
        ),
        // A window that each event fills gathers nothing.
        (
            "in: manual -> lane: merge -> one: aggregate(group=.k, window=count, count=1, aggregates=[{\"name\": \"n\", \"function\": \"count\"}]) -> lane",
            "LOOP-001",
        ),
        // Of each result two come back, and they make the next one.
        (
            "in: manual -> sum: aggregate(group=.k, window=count, count=2, aggregates=[{\"name\": \"n\", \"function\": \"count\"}]) -> a: map(expr={k: .key}) -> sum
             sum -> b: map(expr={k: .key}) -> sum",
            "LOOP-001",
        ),
        // A node that feeds itself.
        ("in: manual -> lane: topic -> lane", "LOOP-001"),
        // The counter is read but nobody counts.
        (
            "in: manual -> lane: queue -> work: map(expr=.done = true) -> again: filter(when=.turns < 5) -> lane",
            "LOOP-001",
        ),
        // What counts up is another field.
        (
            "in: manual -> lane: queue -> work: map(expr=.rounds = (.rounds // 0) + 1) -> again: filter(when=.turns < 5) -> lane",
            "LOOP-001",
        ),
        // One way round counts, the other sets the counter back.
        (
            "in: manual -> lane: queue -> again: filter(when=.turns < 5) -> count: map(expr=.turns = (.turns // 0) + 1) -> lane
             again.dropped -> reset: map(expr=.turns = 0) -> lane",
            "LOOP-001",
        ),
        // One of two elements does not count.
        (
            "in: manual -> lane: queue -> again: filter(when=.turns < 5) -> cut: split(expr=[{turns: (.turns + 1)}, {turns: .turns}]) -> lane",
            "LOOP-001",
        ),
        // It counts down while the filter waits for it to grow.
        (
            "in: manual -> lane: queue -> count: map(expr=.turns = .turns - 1) -> again: filter(when=.turns < 5) -> lane",
            "LOOP-001",
        ),
        // A split in two, and a filter that holds back some.
        (
            "in: manual -> lane: queue -> halve: split(expr=[., .]) -> some: filter(when=.open) -> lane",
            "LOOP-001",
        ),
        // The id is another one each time.
        (
            "in: manual -> lane: queue -> cut: split(expr=[.]) -> once: dedupe(key=$event.id) -> lane",
            "LOOP-001",
        ),
        // A copy goes round by two wires.
        (
            "in: manual -> lane: topic -> a: map -> lane\nlane -> b: map -> lane",
            "LOOP-001",
        ),
        // The counter ends one way round, and what it stopped goes on by the other.
        (
            "in: manual -> lane: queue -> count: map(expr=.turns = (.turns // 0) + 1) -> again: filter(when=.turns < 5) -> lane
             again.dropped -> lane",
            "LOOP-001",
        ),
        (
            "in: manual -> lane: queue -> done: map(expr=.state = \"done\") -> open: filter(when=.state != \"done\") -> lane
             open.dropped -> same: map(expr=.) -> lane",
            "LOOP-001",
        ),
        // What has been round already is told apart, and goes round all the same.
        (
            "in: manual -> lane: queue -> once: dedupe(key=.id) -> lane\nonce.repeated -> lane",
            "LOOP-001",
        ),
        (
            "in: manual -> lane: queue -> new: version_guard(key=.id, version=.v) -> lane\nnew.stale -> lane",
            "LOOP-001",
        ),
        // Loops that lie apart are told apart.
        (
            "in: manual -> one: topic -> a: map -> one\none -> two: queue -> b: map -> two",
            "LOOP-001 LOOP-001",
        ),
    ]);
}

#[test]
fn loops_that_end_are_silent() {
    check(&[
        // Counted up, bounded above; renamed on the way.
        (
            "in: manual -> lane: queue -> count: map(expr={n: ((.turns // 0) + 1), id: .id}) -> again: filter(when=.n <= 5) -> back: map(expr={turns: .n, id: .id}) -> lane",
            "",
        ),
        // Counted down, bounded below, on the branch of a route.
        (
            "in: manual -> lane: queue -> way: route(routes={\"again\": \".left > 0 and .open\"})
             way.again -> count: map(expr=.left -= 1) -> lane",
            "",
        ),
        // What was done once is refused.
        (
            "in: manual -> lane: queue -> new: filter(when=.done != true) -> work: map(expr=.done = true) -> lane",
            "",
        ),
        // Each way round is refused by another part of the condition.
        (
            "in: manual -> lane: queue -> new: filter(when=.done != true and .state == \"open\") -> way: route(routes={\"a\": \".x > 1\"})
             way.a -> one: map(expr=.done = true) -> lane
             way.otherwise -> two: map(expr=.state = \"shut\") -> lane",
            "",
        ),
        // The same event comes back and is not new.
        ("in: manual -> lane: queue -> once: dedupe(key=$event.id) -> work: map(expr=.n = 1) -> lane", ""),
        ("in: manual -> lane: queue -> once: dedupe(key=[.a, .b]) -> work: map(expr={a: .a, b: .b}) -> lane", ""),
        // A window makes one of many, when it ends.
        (
            "in: manual -> sum: aggregate(group=.k, window=count, count=3, aggregates=[{\"name\": \"n\", \"function\": \"count\"}]) -> a: map(expr={k: .key}) -> sum
             sum -> b: map(expr={k: .key}) -> sum",
            "",
        ),
        // What is sure as soon as enough have come does not wait for the end of its window.
        (
            "in: manual -> n: decide(group=.k, claim=at_least, wait=window, size=1d) -> a: map(expr={k: $event.id}) -> n",
            "LOOP-002",
        ),
        (
            "in: manual -> n: decide(group=.k, claim=at_least, wait=window, size=1d) -> a: map(expr={k: .key}) -> n",
            "",
        ),
        (
            "in: manual -> n: decide(group=.k, claim=absent, wait=window, size=1d) -> a: map(expr={k: $event.id}) -> n",
            "",
        ),
        // End marks have a key of their own, and each may close another group.
        (
            "in: manual -> n: decide(group=(\"all\"), claim=absent, wait=seal, seal_key=.k) -> a: map(expr={k: $event.id}) -> .seal n",
            "LOOP-002",
        ),
        (
            "in: manual -> n: decide(claim=absent, wait=seal, seal_key=.k) -> a: map(expr={k: $event.id}) -> .seal n",
            "LOOP-002",
        ),
        (
            "in: manual -> n: decide(group=.of, claim=absent, wait=seal, seal_key=.k) -> a: map(expr={k: .key}) -> .seal n",
            "",
        ),
        (
            "in: manual -> n: decide(group=(\"all\"), claim=absent, wait=seal) -> a: map(expr={k: $event.id}) -> .seal n",
            "",
        ),
        // Nothing is sure by an end mark where enough have to come.
        (
            "in: manual -> n: decide(claim=at_least, wait=seal, seal_key=.k) -> a: map(expr={k: $event.id}) -> .seal n",
            "",
        ),
        (
            "in: manual -> lane: log(key=.k) -> sum: aggregate(group=.k, window=time, aggregates=[{\"name\": \"n\", \"function\": \"max\", \"of\": \".n\"}]) -> back: map(expr={k: .key, n: .n}) -> lane",
            "",
        ),
        // An inner loop that ends lies in an outer one that ends.
        (
            "in: manual -> lane: queue -> outer: map(expr=.o = (.o // 0) + 1) -> a: filter(when=.o < 3) -> inner: map(expr=.i = (.i // 0) + 1) -> b: filter(when=.i < 3) -> inner
             b.dropped -> reset: map(expr=.i = 0) -> lane",
            "",
        ),
        // Every element counts.
        (
            "in: manual -> lane: queue -> again: filter(when=.turns < 5) -> cut: split(expr=[{turns: (.turns + 1)}, {turns: (.turns + 2)}]) -> lane",
            "",
        ),
        // Disabled, it carries nothing.
        ("in: manual -> out: view", ""),
    ]);
}

#[test]
fn loops_that_only_the_data_ends_are_named() {
    check(&[
        // A state that moves on by what the event says.
        (
            "in: manual -> lane: queue -> step: map(expr=.state = .next) -> open: filter(when=.state != \"done\") -> lane",
            "LOOP-002",
        ),
        // An estimate.
        (
            "in: manual -> lane: queue -> work: function(component=f.wasm) ^gain=0.4 -> lane",
            "LOOP-002",
        ),
        // A function may do anything with the counter.
        (
            "in: manual -> lane: queue -> work: function(component=f.wasm) -> again: filter(when=.turns < 5) -> lane",
            "LOOP-002",
        ),
        // The other way round sets the counter to what nobody knows.
        (
            "in: manual -> lane: queue -> count: map(expr=.turns = (.turns // 0) + 1) -> again: filter(when=.turns < 5) -> out: view
             again.dropped -> less: map(expr=.turns = .left) -> lane",
            "LOOP-002",
        ),
        // The key is another one when it comes back.
        (
            "in: manual -> lane: queue -> next: map(expr={id: .next, next: .then}) -> once: dedupe(key=.id) -> out: view
             once.repeated -> lane",
            "LOOP-002",
        ),
        // What failed may succeed.
        (
            "in: manual -> lane: queue -> mail: effect(action=mail, key=$event.id)\nmail.failed -> lane",
            "LOOP-002",
        ),
        // Another reader may take it.
        (
            "in: manual -> lane: queue -> work: map(expr=.done = true) -> lane\nlane -> out: view",
            "LOOP-002",
        ),
        // The gain is more than one: no hope.
        (
            "in: manual -> lane: queue -> work: function(component=f.wasm) ^gain=1.5 -> lane",
            "LOOP-001",
        ),
        // An estimate does not matter where a counter ends it.
        (
            "in: manual -> lane: queue -> work: map(expr=.n = (.n // 0) + 1) ^gain=0.4 -> again: filter(when=.n < 5) -> lane",
            "",
        ),
    ]);
}
#[test]
fn fan_out_is_held_to_its_budget() {
    check(&[
        // No budget, nothing to be over.
        (
            "in: manual -> a: split(expr=[., ., .]) -> b: split(expr=[., ., .]) -> out: view",
            "",
        ),
        (
            "budget descendants=8\nin: manual -> a: split(expr=[., ., .]) -> b: split(expr=[., ., .]) -> out: view",
            "LOOP-003",
        ),
        (
            "budget descendants=9\nin: manual -> a: split(expr=[., ., .]) -> b: split(expr=[., ., .]) -> out: view",
            "",
        ),
        // Nobody says how many.
        (
            "budget descendants=8\nin: manual -> a: split(expr=.items) -> out: view",
            "~LOOP-003",
        ),
        (
            "budget descendants=8\nin: manual -> a: split(expr=.items) ^gain=4 -> out: view",
            "",
        ),
        (
            "budget descendants=8\nin: manual -> a: function(component=f.wasm) ^gain=9 -> out: view",
            "LOOP-003",
        ),
        // A window makes at most one of one.
        (
            "budget descendants=3\nin: manual -> a: split(expr=[., ., .]) -> sum: aggregate(window=count, count=3, aggregates=[{\"name\": \"n\", \"function\": \"max\", \"of\": \".n\"}]) -> out: view",
            "",
        ),
        // Copies of one queue go to one reader each.
        (
            "budget descendants=1\nin: manual -> lane: queue -> a: view\nlane -> b: view",
            "",
        ),
        (
            "budget descendants=1\nin: manual -> lane: topic -> a: view\nlane -> b: view",
            "LOOP-003",
        ),
        // What fails is no more than what came.
        (
            "budget descendants=1\nin: manual -> m: map -> a: view\nm.failed -> dead: dead_letter",
            "",
        ),
    ]);
}

#[test]
fn retries_multiply_only_where_one_encloses_the_other() {
    check(&[
        // The defaults are fine.
        (
            "in: manual -> lane: queue -> mail: effect(action=mail, key=$event.id)",
            "",
        ),
        (
            "budget retry_factor=10\nin: manual -> lane: queue -> mail: effect(action=mail, key=$event.id)",
            "LOOP-004",
        ),
        // Operators between.
        (
            "in: manual -> lane: log(max_attempts=30) -> m: map -> f: filter(when=.a) -> mail: http_out(url=\"http://a.b/\", key=$event.id, attempts=5)",
            "LOOP-004",
        ),
        (
            "in: manual -> lane: topic(max_attempts=100) -> f: function(component=f.wasm, attempts=5) -> out: view",
            "LOOP-004",
        ),
        // Another channel takes the event over.
        (
            "in: manual -> lane: queue(max_attempts=100) -> next: queue(max_attempts=2) -> mail: effect(action=mail, key=$event.id, attempts=5)",
            "",
        ),
        // Nothing before it retries.
        ("in: manual -> mail: effect(action=mail, attempts=100)", ""),
    ]);
}

#[test]
fn loops_through_stores_are_found() {
    check(&[
        // Through a folder.
        (
            "in: file_watch(folder=pictures) -> small: function(component=f.wasm) -> out: bucket(folder=pictures)",
            "LOOP-005",
        ),
        ("in: file_watch(folder=pictures) -> small: function(component=f.wasm) -> out: bucket(folder=thumbs)", ""),
        // Two tables, one after the other.
        (
            "a: table_changes(table=a) -> m: map(expr={id: .key, n: .after.n}) -> b: table(table=b, key=.id)
             c: table_changes(table=b) -> d: map(expr={id: .key, n: .after.n}) -> e: table(table=a, key=.id)",
            "LOOP-005",
        ),
        ("a: table_changes(table=a) -> b: table(table=b, key=.key)\nc: table_changes(table=b) -> e: view", ""),
        // Its own writes are left out by a column.
        (
            "a: table_changes(table=a) -> others: filter(when=.after.by != \"m\") -> m: map(expr={id: .key, n: (.after.n + 1)}) -> b: table(table=a, key=.id, columns={\"id\": \".id\", \"n\": \".n\", \"by\": \"\\\"m\\\"\"})",
            "",
        ),
        // The column is another one: what it holds is left to others.
        (
            "a: table_changes(table=a) -> others: filter(when=.after.made_by != \"m\") -> m: map(expr={id: .key, n: (.after.n + 1)}) -> b: table(table=a, key=.id, columns={\"id\": \".id\", \"n\": \".n\", \"by\": \"\\\"m\\\"\"})",
            "LOOP-002",
        ),
        // A counter in the row.
        (
            "a: table_changes(table=a) -> again: filter(when=.after.n < 5) -> m: map(expr={id: .key, n: (.after.n + 1)}) -> b: table(table=a, key=.id, columns={\"id\": \".id\", \"n\": \".n\"})",
            "",
        ),
        // Whole payloads are kept.
        (
            "a: table_changes(table=a) -> again: filter(when=.after.data.n < 5) -> m: map(expr={id: .key, n: (.after.data.n + 1)}) -> b: table(table=a, key=.id)",
            "",
        ),
        // Only the data ends it.
        (
            "a: table_changes(table=a) -> open: filter(when=.after.open) -> m: map(expr={id: .key, n: (.after.n + 1), open: .after.next}) -> b: table(table=a, key=.id, columns={\"id\": \".id\", \"n\": \".n\", \"open\": \".open\"})",
            "LOOP-002",
        ),
        // A loop that the wires show is the plainer one.
        (
            "in: manual -> t: topic -> m: map(expr={id: .id}) -> t\nm -> once: dedupe(key=$event.id) -> b: table(table=a, mode=append)\na: table_changes(table=a) -> t",
            "LOOP-001",
        ),
        // What is written is the same after two rounds, and then it is no change.
        (
            "a: table_changes(table=a) -> m: map(expr={id: .key, total: (.after.x + .after.y), x: .after.x, y: .after.y}) -> b: table(table=a, key=.id, columns={\"id\": \".id\", \"x\": \".x\", \"y\": \".y\", \"total\": \".total\"})",
            "",
        ),
        // Two columns swap for ever.
        (
            "a: table_changes(table=a) -> m: map(expr={id: .key, x: .after.y, y: .after.x}) -> b: table(table=a, key=.id, columns={\"id\": \".id\", \"x\": \".x\", \"y\": \".y\"})",
            "LOOP-005",
        ),
        // The time is another one each time; a new row is a change.
        (
            "a: table_changes(table=a) -> m: map(expr={id: .key, at: $now}) -> b: table(table=a, key=.id, columns={\"id\": \".id\", \"at\": \".at\"})",
            "LOOP-005 ORDER-005",
        ),
        (
            "a: table_changes(table=a) -> m: map(expr={id: .key}) -> b: table(table=a, mode=append, columns={\"id\": \".id\"})",
            "LOOP-005",
        ),
        // An old version is not written.
        (
            "a: table_changes(table=a) -> m: map(expr={id: .key, v: .after.v, n: (.after.n + 1)}) -> b: table(table=a, mode=compare_and_set, key=.id, version=.v, columns={\"id\": \".id\", \"v\": \".v\", \"n\": \".n\"})",
            "",
        ),
        (
            "a: table_changes(table=a) -> m: map(expr={id: .key, v: (.after.v + 1), n: .after.n}) -> b: table(table=a, mode=compare_and_set, key=.id, version=.v, columns={\"id\": \".id\", \"v\": \".v\", \"n\": \".n\"})",
            "LOOP-005",
        ),
    ]);
}
