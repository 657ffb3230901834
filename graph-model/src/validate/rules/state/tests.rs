//! What is remembered and what is not.

use crate::validate::rules::testing::check;

#[test]
fn memory_of_instances_is_found() {
    check(&[
        // One instance, too, is ended and started again.
        (
            "in: manual -> f: function(component=f.wasm) ^state=instance -> out: view",
            "STATE-001",
        ),
        // The answer takes some steps before somebody sees it.
        (
            "in: manual -> f: function(component=f.wasm) ^state=instance -> m: map(expr={a: .b}) -> t: topic -> out: table(table=a, mode=append)",
            "STATE-001",
        ),
        (
            "in: manual -> f: function(component=f.wasm) ^state=instance -> mail: effect(action=mail, key=$event.id)",
            "STATE-001",
        ),
        // Nobody sees it yet.
        (
            "in: manual -> f: function(component=f.wasm) ^state=instance",
            "STATE-001",
        ),
        // Memory that is no state, shared state, no state, or nothing said.
        (
            "in: manual -> f: function(component=f.wasm) ^state=cache -> out: view",
            "",
        ),
        (
            "in: manual -> f: function(component=f.wasm) ^state=none ^instances=9 -> out: view",
            "",
        ),
        (
            "in: manual -> f: function(component=f.wasm) ^instances=9 -> out: view",
            "",
        ),
        (
            "in: manual -> f: function(component=f.wasm) ^state=keyed ^state_ttl=1d -> out: view",
            "",
        ),
        // Operators keep their state where it belongs.
        (
            "in: manual -> sum: aggregate(group=.a, aggregates=[{\"name\": \"n\", \"function\": \"count\"}]) -> out: view",
            "",
        ),
    ]);
}

#[test]
fn caches_name_whose_data_they_keep() {
    let page = "type ask(id=/id): id string, page string, owner string, account string {subject:/owner}, text string\n\
                in: manual(event_type=ask) -> ";
    let flow = |rest: &str| format!("{page}{rest}");
    let cases = [
        (
            flow(
                "m: map(expr={who: .owner, what: .account, page: .page}) -> f: function(component=f.wasm) ^state=cache ^cache_key=.page",
            ),
            "STATE-002",
        ),
        (
            flow(
                "m: map(expr={who: .owner, what: .account, page: .page}) -> f: function(component=f.wasm) ^state=cache ^cache_key=[.page,.who]",
            ),
            "",
        ),
        // Nothing of anybody arrives.
        (
            flow(
                "m: map(expr={page: .page, text: .text}) -> f: function(component=f.wasm) ^state=cache ^cache_key=.page",
            ),
            "",
        ),
        // It looks at nothing of anybody, and so need not get it.
        (
            flow("f: function(component=f.wasm) ^state=cache ^cache_key=.page ^reads=[\"/text\"]"),
            "AUTH-012",
        ),
        (
            flow(
                "f: function(component=f.wasm) ^state=cache ^cache_key=.page ^reads=[\"/account\"]",
            ),
            "STATE-002",
        ),
        // Nobody says how it looks things up.
        (
            flow("f: function(component=f.wasm) ^state=cache"),
            "~STATE-002",
        ),
        // The id of the event is of one person only.
        (
            flow("f: function(component=f.wasm) ^state=cache ^cache_key=.id"),
            "",
        ),
        // A constant key is the worst.
        (
            flow("f: function(component=f.wasm) ^state=cache ^cache_key=\"all\""),
            "STATE-002",
        ),
    ];
    check(&cases);
}

#[test]
fn connections_are_added_up() {
    check(&[
        // Two functions share a store; each of them alone would fit.
        (
            "in: manual -> a: function(component=f.wasm) ^instances=30 ^pool=2 -> rows: table(table=rows, mode=append) ~ordered ^connections=100
             in -> b: function(component=f.wasm) ^instances=30 ^pool=2 -> rows",
            "STATE-003",
        ),
        ("in: manual -> a: function(component=f.wasm) ^instances=50 ^pool=2 -> rows: table(table=rows, mode=append) ^connections=100", ""),
        // Who only looks into it opens connections too.
        (
            "in: manual -> a: function(component=f.wasm) ^instances=60 ^pool=2 ^reads_from=rows -> out: view
             other: manual -> rows: table(table=rows, mode=append) ^connections=100",
            "STATE-003",
        ),
        // The peak needs few of the instances that are allowed.
        (
            "in: manual ^peak=20 -> a: function(component=f.wasm) ^instances=200 ^pool=5 ^duration=500ms -> rows: table(table=rows, mode=append) ^connections=100",
            "",
        ),
        // Without a bound the peak says how many there are.
        (
            "in: manual ^rate=5 ^peak=100 -> a: function(component=f.wasm) ^pool=5 ^duration=500ms -> rows: table(table=rows, mode=append) ^connections=100",
            "STATE-003",
        ),
        // Parts of one event come at once.
        (
            "in: manual ^rate=1 -> s: split(expr=[., .]) -> a: function(component=f.wasm) ^pool=5 ^duration=5ms -> rows: table(table=rows, mode=append) ^connections=9",
            "STATE-003",
        ),
        (
            "in: manual ^rate=1 -> s: split(expr=[., .]) -> a: function(component=f.wasm) ^pool=5 ^duration=5ms -> rows: table(table=rows, mode=append) ^connections=10",
            "",
        ),
        // All groups of a window come at once, and a queue hands out one at a time.
        (
            "in: manual ^rate=1 -> n: aggregate(group=.k, window=time, size=1h, aggregates=[{\"name\": \"n\"}]) -> a: function(component=f.wasm) ^pool=5 ^duration=5ms -> rows: table(table=rows, mode=append) ~ordered ^connections=10",
            "~STATE-003",
        ),
        (
            "in: manual ^rate=1 -> n: aggregate(group=.k, window=time, size=1h, aggregates=[{\"name\": \"n\"}]) -> lane: queue -> a: function(component=f.wasm) ^pool=5 ^duration=5ms -> rows: table(table=rows, mode=append) ~ordered ^connections=10",
            "",
        ),
        // Events of two sources meet, each of which alone needs one instance.
        (
            "a: manual ^rate=1 -> f: function(component=f.wasm) ^pool=5 ^duration=300ms -> rows: table(table=rows, mode=append) ~ordered ^connections=9
             b: manual ^rate=1 -> f",
            "STATE-003",
        ),
        (
            "a: manual ^rate=1 -> f: function(component=f.wasm) ^pool=5 ^duration=300ms -> rows: table(table=rows, mode=append) ~ordered ^connections=10
             b: manual ^rate=1 -> f",
            "",
        ),
        // So many only when all come through.
        (
            "in: manual ^rate=100 -> f: filter(when=.a) -> a: function(component=f.wasm) ^pool=5 ^duration=100ms -> rows: table(table=rows, mode=append) ^connections=9",
            "~STATE-003",
        ),
        // Nobody says how many instances there are.
        ("in: manual -> a: function(component=f.wasm) ^pool=5 -> rows: table(table=rows, mode=append) ^connections=100", "~STATE-003"),
        // Another channel takes over in between.
        (
            "in: manual -> a: function(component=f.wasm) ^instances=200 ^pool=5 -> lane: queue -> rows: table(table=rows, mode=append) ^connections=100",
            "",
        ),
    ]);
}

#[test]
fn state_has_a_bound() {
    let order =
        "type order(id=/id): id string, shop string, total number\nin: manual(event_type=order) ";
    let flow = |rest: &str| format!("{order}{rest}");
    let cases = [
        (
            flow("^rate=5 -> f: fold(group=.id, initial={}, step={n: 1}) -> out: view"),
            "STATE-004",
        ),
        (
            flow(
                "^rate=5 -> m: map(expr={key: .id}) -> f: fold(group=.key, initial={}, step={n: 1}) -> out: view",
            ),
            "STATE-004",
        ),
        // Parts have the name of the whole.
        (
            flow(
                "^rate=5 -> s: split(expr=[{id, shop, n: 1}, {id, shop, n: 2}]) -> f: fold(group=[.shop, .id], initial={}, step={n: 1}) -> out: view",
            ),
            "STATE-004",
        ),
        // It may be all of them.
        (
            flow(
                "^rate=5 -> some: filter(when=.total > 3) -> f: fold(group=.id, initial={}, step={n: 1}) -> out: view",
            ),
            "STATE-004",
        ),
        // Few events: there is room for years.
        (
            flow("^rate=0.01 -> f: fold(group=.id, initial={}, step={n: 1}) -> out: view"),
            "",
        ),
        (
            flow("-> f: fold(group=.id, initial={}, step={n: 1}) -> out: view"),
            "",
        ),
        // The key does not tell events apart.
        (
            flow("^rate=5 -> f: fold(group=.shop, initial={}, step={n: 1}) -> out: view"),
            "",
        ),
        // More keys than room.
        (
            flow(
                "-> f: fold(group=.shop, groups=100, initial={}, step={n: 1}) ^keys=101 -> out: view",
            ),
            "STATE-004",
        ),
        (
            flow(
                "-> f: fold(group=.shop, groups=100, initial={}, step={n: 1}) ^keys=100 -> out: view",
            ),
            "",
        ),
        // Code may send what tells all events apart.
        (
            flow(
                "^rate=5 -> c: function(component=c.wasm) ^gain=1 -> f: fold(group=.id, initial={}, step={n: 1}) -> out: view",
            ),
            "~STATE-004",
        ),
        (
            flow(
                "^rate=5 -> c: function(component=c.wasm) ^gain=1 -> f: fold(group=.id, initial={}, step={n: 1}) ^keys=50 -> out: view",
            ),
            "",
        ),
        (
            flow(
                "^rate=0.01 -> c: function(component=c.wasm) ^gain=1 -> f: fold(group=.id, initial={}, step={n: 1}) -> out: view",
            ),
            "",
        ),
        // Code that keeps something for every event.
        (
            flow("-> f: function(component=f.wasm) ^state=keyed ^cache_key=.id -> out: view"),
            "STATE-004",
        ),
        (
            flow(
                "-> f: function(component=f.wasm) ^state=keyed ^cache_key=.id ^state_ttl=1d -> out: view",
            ),
            "",
        ),
        (
            flow("-> f: function(component=f.wasm) ^state=keyed ^cache_key=.shop -> out: view"),
            "",
        ),
    ];
    check(&cases);
}

#[test]
fn decisions_rest_on_what_is_true() {
    check(&[
        (
            "in: manual -> d: function(component=f.wasm) ^reads_from=rows -> m: map -> kept: log -> rows: table(table=rows, mode=append)",
            "STATE-005",
        ),
        // By its title.
        (
            "in: manual -> d: function(component=f.wasm) ^reads_from=rows -> kept: topic -> rows: view",
            "STATE-005",
        ),
        // It writes the table before it takes the next event.
        (
            "in: manual -> d: function(component=f.wasm) ^reads_from=rows -> rows: table(table=rows, mode=append)",
            "",
        ),
        // What it reads does not come from it.
        (
            "in: manual -> d: function(component=f.wasm) ^reads_from=rows -> kept: queue -> out: view\nother: manual -> rows: table(table=rows, mode=append)",
            "",
        ),
        // Only what failed gets there.
        (
            "in: manual -> d: function(component=f.wasm) ^reads_from=rows -> out: view\nd.failed -> kept: queue -> rows: table(table=rows, mode=append)",
            "",
        ),
    ]);
}

#[test]
fn replays_come_out_alike() {
    check(&[
        (
            "in: manual -> f: fold(group=.a, initial={}, step={at: ($now | floor)}) -> out: view",
            "STATE-006",
        ),
        (
            "in: manual -> f: fold(group=.a, initial={}, step={at: .time}) -> out: view",
            "",
        ),
        // Only what is replayed has to be the same.
        (
            "in: manual -> f: function(component=f.wasm) ^reads_from=rows -> out: view\nother: manual -> rows: table(table=rows, mode=append)",
            "",
        ),
        (
            "in: manual -> f: function(component=f.wasm) ^replayed=true ^reads_from=rows -> out: view\nother: manual -> rows: table(table=rows, mode=append)",
            "STATE-006",
        ),
        // The mail is sent again.
        (
            "in: manual -> f: function(component=f.wasm) ^replayed=true -> m: map -> mail: effect(action=mail)",
            "STATE-006",
        ),
        (
            "in: manual -> f: function(component=f.wasm) ^replayed=true -> m: map -> mail: effect(action=mail, key=$event.id)",
            "",
        ),
    ]);
}

#[test]
fn master_data_has_one_owner() {
    let head = "type customer(id=/id, master=true, owner=crm): id string\nzone crm\nzone shop\n";
    let flow = |rest: &str| format!("{head}{rest}");
    let cases = [
        (
            flow(
                "in: manual(event_type=customer) #shop -> m: filter(when=.id) #shop -> t: table(table=a, mode=append) #shop",
            ),
            "STATE-007",
        ),
        // Made elsewhere, kept elsewhere, a copy, or in no zone at all.
        (
            flow("in: manual(event_type=customer) #crm -> t: table(table=a, mode=append) #crm"),
            "",
        ),
        (
            flow("in: manual(event_type=customer) #crm -> t: table(table=a, mode=append) #shop"),
            "",
        ),
        (
            flow("in: manual(event_type=customer) -> t: table(table=a, mode=append)"),
            "",
        ),
        (
            flow("in: manual(event_type=customer) #shop -> t: table(table=a, mode=append)"),
            "",
        ),
        // What is shown is not kept.
        (
            flow("in: manual(event_type=customer) #shop -> t: view #shop"),
            "",
        ),
        // Code at home makes its own version of it.
        (
            flow(
                "in: manual(event_type=customer) #crm -> f: function(component=f.wasm, output_type=customer) #shop -> t: table(table=a, mode=append) #shop",
            ),
            "STATE-007",
        ),
    ];
    check(&cases);
}

#[test]
fn rebuilds_find_what_they_need() {
    check(&[
        (
            "in: manual -> l: log ^retention=7d -> f: function(component=f.wasm) ^replayed=true -> out: view",
            "STATE-008",
        ),
        (
            "in: manual -> l: log ^compacted=true -> m: map -> f: function(component=f.wasm) ^replayed=true -> out: view",
            "STATE-008",
        ),
        // Everything is kept, nothing is rebuilt, or a rebuild begins at a snapshot.
        (
            "in: manual -> l: log -> f: function(component=f.wasm) ^replayed=true -> out: view",
            "",
        ),
        (
            "in: manual -> l: log ^retention=7d -> f: function(component=f.wasm) -> out: view",
            "",
        ),
        (
            "in: manual -> l: log ^retention=7d -> f: function(component=f.wasm) ^replayed=true ^snapshots=true -> out: view",
            "",
        ),
        // It remembers no longer than the log.
        (
            "in: manual -> l: log ^retention=7d -> f: function(component=f.wasm) ^replayed=true ^state_ttl=1d -> out: view",
            "",
        ),
        (
            "in: manual -> l: log ^retention=7d -> f: function(component=f.wasm) ^replayed=true ^state_ttl=30d -> out: view",
            "STATE-008",
        ),
    ]);
}

#[test]
fn steps_have_a_way_back() {
    check(&[
        // Something lies between the steps.
        (
            "in: manual -> lane: queue -> a: effect(action=a, key=$event.id) -> m: map -> q: queue -> b: effect(action=b, key=$event.id) ^can_refuse=true",
            "STATE-009",
        ),
        // Two earlier steps, none of them taken back.
        (
            "in: manual -> lane: queue -> a: effect(action=a, key=$event.id) -> b: effect(action=b, key=$event.id) -> c: effect(action=c, key=$event.id) ^can_refuse=true",
            "STATE-009 STATE-009",
        ),
        // The compensation is there, but nothing leads to it.
        (
            "in: manual -> lane: queue -> a: effect(action=a, key=$event.id) -> b: effect(action=b, key=$event.id) ^can_refuse=true
             other: manual -> undo: effect(action=undo, key=$event.id) ^compensates=a",
            "STATE-009",
        ),
        // Side by side there is no earlier one.
        ("in: manual -> lane: queue -> a: effect(action=a, key=$event.id)\nlane -> b: effect(action=b, key=$event.id) ^can_refuse=true", ""),
        // Nobody says that it may refuse.
        ("in: manual -> lane: queue -> a: effect(action=a, key=$event.id) -> b: effect(action=b, key=$event.id)", ""),
        // Only when the first one failed comes the second.
        ("in: manual -> lane: queue -> a: effect(action=a, key=$event.id)\na.failed -> b: effect(action=b, key=$event.id) ^can_refuse=true", ""),
        // A table is no effect.
        ("in: manual -> lane: queue -> a: table(table=a, mode=append) -> b: effect(action=b, key=$event.id) ^can_refuse=true", ""),
    ]);
}

#[test]
fn code_cannot_do_what_it_is_not_granted() {
    let lane = |rest: &str| format!("in: manual -> lane: queue -> {rest}");
    let cases = [
        // What is gone after each event is no memory.
        (
            "in: manual -> f: function(component=f.wasm, fresh=true) ^state=instance -> out: view".to_owned(),
            "",
        ),
        // Memory of an instance needs nothing of the engine.
        (
            r#"in: manual -> f: function(component=f.wasm, may_use=["output"]) ^state=instance -> out: view"#.to_owned(),
            "STATE-001",
        ),
        // Whoever may remember is taken at that word, in whatever order and however often events come.
        (
            lane(r#"f: function(component=f.wasm, may_use=["output", "state"]) -> out: view"#),
            "DELIV-002 ORDER-001",
        ),
        (
            lane(r#"f: function(component=f.wasm, may_use=["output", "state"]) ^state=none -> out: view"#),
            "",
        ),
        (
            lane(r#"f: function(component=f.wasm, may_use=["output", "state"]) ^state=cache -> out: view"#),
            "",
        ),
        (
            lane("f: function(component=f.wasm) ^state=keyed -> out: view"),
            "ORDER-001",
        ),
        (
            lane(r#"f: function(component=f.wasm, may_use=["output"]) ^state=keyed -> out: view"#),
            "",
        ),
        (
            lane(r#"f: function(component=f.wasm, may_use=["output"]) -> out: view"#),
            "",
        ),
        (lane("f: function(component=f.wasm) -> out: view"), ""),
        // Keys that nothing could make anew are those of the event.
        (
            lane("f: function(component=f.wasm) -> pay: effect(action=pay, key=.payment)"),
            "DELIV-004",
        ),
        (
            lane(r#"f: function(component=f.wasm, may_use=["output"]) -> pay: effect(action=pay, key=.payment)"#),
            "DELIV-004",
        ),
        (
            lane(r#"f: function(component=f.wasm, fresh=true, may_use=["output", "clock"]) -> pay: effect(action=pay, key=.payment)"#),
            "DELIV-004",
        ),
        (
            lane(r#"f: function(component=f.wasm, fresh=true, may_use=["output", "config"]) -> pay: effect(action=pay, key=.payment)"#),
            "",
        ),
        (
            lane(r#"f: script(script=return, fresh=true, may_use=["output", "config"]) -> pay: effect(action=pay, key=.payment)"#),
            "",
        ),
        (
            lane(r#"f: function(component=f.wasm, fresh=true, may_use=["output", "http"], hosts=["https://a.example"]) -> pay: effect(action=pay, key=.payment)"#),
            "DELIV-004",
        ),
        // What something in front makes anew for each copy stays another one.
        (
            lane(r#"m: map(expr={payment: $now}) -> f: function(component=f.wasm, fresh=true, may_use=["output"]) -> pay: effect(action=pay, key=.payment)"#),
            "DELIV-004 ORDER-005",
        ),
        // Requests go out again with the event; nobody else sees that they tell copies apart.
        (
            lane(r#"f: function(component=f.wasm, hosts=["https://a.example"]) -> out: view"#),
            "DELIV-001",
        ),
        (
            lane(r#"f: function(component=f.wasm, hosts=["https://a.example"]) ~idempotent -> out: view"#),
            "",
        ),
        (
            lane(r#"once: dedupe -> f: function(component=f.wasm, hosts=["https://a.example"]) -> out: view"#),
            "",
        ),
        (
            r#"in: manual -> lane: queue ^exactly_once=true -> f: function(component=f.wasm, hosts=["https://a.example"]) -> out: view"#.to_owned(),
            "DELIV-001",
        ),
    ];
    check(&cases);
}
