//! Flows and what is found in them.

use crate::catalog::Catalog;
use crate::validate::rules::testing::check;
use crate::validate::{Checker, notation, validate};

#[test]
fn pairs_may_have_one_side_only() {
    let flow = |reader: &str| {
        format!(
            "type order(id=/order): order string, total number
             type payment(id=/order): order string, paid number
             orders: manual(event_type=order) -> pairs: join(left_key=.order, right_key=.order)
             payments: manual(event_type=payment) -> .right pairs
             {reader}"
        )
    };
    check(&[
        (
            flow("pairs.unmatched -> open: dedupe(key=.left.order) -> out: view"),
            "SCHEMA-004",
        ),
        (
            flow(
                "pairs.unmatched -> m: map(expr={order: .left.order}) -> open: dedupe(key=.order) -> out: view",
            ),
            "SCHEMA-004",
        ),
        (
            flow("pairs.unmatched -> m: map(expr={dear: (.left.total | floor)}) -> out: view"),
            "SCHEMA-001",
        ),
        (
            flow(
                "pairs.unmatched -> half: filter(when=.left != null) -> open: dedupe(key=.left.order) -> out: view",
            ),
            "",
        ),
        (
            flow(
                "pairs.unmatched -> half: filter(when=.left.order != null) -> open: dedupe(key=.left.order) -> out: view",
            ),
            "",
        ),
        (
            flow("pairs.unmatched -> open: dedupe(key=(.left.order // .right.order)) -> out: view"),
            "",
        ),
        (
            flow("pairs -> open: dedupe(key=.left.order) -> out: view"),
            "",
        ),
    ]);
}

#[test]
fn keys_are_there_in_one_form() {
    let lane = |ty: &str, key: &str| {
        format!(
            "type order(id=/order): order string, {ty}\nin: replay(file=a.jsonl, event_type=order) -> lane: log(key={key}, partitions=4) -> out: console"
        )
    };
    let grouped = |ty: &str, rest: &str| {
        format!("type order(id=/order): order string, {ty}\nin: manual(event_type=order) -> {rest}")
    };
    check(&[
        (lane("customer string", ".customer"), ""),
        (lane("customer string?", ".customer"), "SCHEMA-004"),
        (lane("customer string|null", ".customer"), "SCHEMA-004"),
        (lane("customer string|integer", ".customer"), "SCHEMA-004"),
        (lane("customer number|integer", ".customer"), ""),
        (
            lane("customer string|integer", "(.customer | tostring)"),
            "",
        ),
        (lane("customer string|integer", "\"c-\\(.customer)\""), ""),
        (
            lane("customer string|integer, shop string", "[.shop, .customer]"),
            "SCHEMA-004",
        ),
        (lane("customer string?", "(.customer // .order)"), ""),
        (lane("customer string?", "$event.id"), ""),
        (lane("customer string?", ".order"), ""),
        // What a type does not list is not said to be missing.
        (lane("customer string?", ".client"), ""),
        // A field under another name is the same field.
        (
            grouped(
                "customer string?",
                "m: map(expr={c: .customer}) -> n: map(expr=.) -> once: dedupe(key=.c) -> out: console",
            ),
            "SCHEMA-004",
        ),
        (
            grouped(
                "customer string?",
                "m: map(expr={c: (.customer // \"nobody\")}) -> once: dedupe(key=.c) -> out: console",
            ),
            "",
        ),
        (
            grouped(
                "customer string?",
                "m: filter(when=.customer != null) -> n: map(expr={c: .customer}) -> once: dedupe(key=.c) -> out: console",
            ),
            "",
        ),
        (
            grouped(
                "customer string?",
                "own: guard(field=/customer, claim=customer) -> once: dedupe(key=.customer) -> out: console",
            ),
            "",
        ),
        // One cause is one finding, however many nodes use the field.
        (
            grouped(
                "customer string?",
                "lane: log(key=.customer, partitions=4) -> n: aggregate(group=.customer, aggregates=[{\"name\": \"n\", \"function\": \"max\", \"of\": \".order\"}]) -> out: table(table=t, key=.key)",
            ),
            "SCHEMA-004",
        ),
    ]);
    check(&[
        // Nobody has said what the events are.
        (
            "in: manual -> once: dedupe(key=.customer) -> out: console",
            "",
        ),
        (
            "type order(caseless=[\"/mail\"]): mail string\nin: manual(event_type=order) -> once: dedupe(key=.mail) -> out: console",
            "SCHEMA-004",
        ),
        (
            "type order(caseless=[\"/mail\"]): mail string\nin: manual(event_type=order) -> once: dedupe(key=(.mail | ascii_downcase)) -> out: console",
            "",
        ),
        (
            "type order: mail string\nin: manual(event_type=order) -> once: dedupe(key=.mail) -> out: console",
            "",
        ),
    ]);
}

#[test]
fn readers_fail_on_nothing_that_the_type_allows() {
    let read = |ty: &str, rest: &str| {
        format!("type order(id=/order): order string, {ty}\nin: manual(event_type=order) -> {rest}")
    };
    let map =
        |ty: &str, code: &str| read(ty, &format!("m: map(expr={{v: {code}}}) -> out: console"));
    check(&[
        (map("code integer", "(.code | ascii_upcase)"), "SCHEMA-001"),
        (
            map("code string|integer", "(.code | ascii_upcase)"),
            "SCHEMA-001",
        ),
        (map("code string", "(.code | ascii_upcase)"), ""),
        (
            map("code string|integer", "(.code | tostring | ascii_upcase)"),
            "",
        ),
        (map("name string|null", "\"to \\(.name)\""), "SCHEMA-001"),
        (map("name string|null", "\"to \\(.name // \"you\")\""), ""),
        (
            map("a string?, b string?", "(.a // .b | ascii_upcase)"),
            "SCHEMA-001 SCHEMA-001",
        ),
        (map("a string?, b string", "(.a // .b | ascii_upcase)"), ""),
        (map("n number", "(.n + 1)"), ""),
        (map("n number?", "(.n + 1)"), "SCHEMA-001"),
        (map("n number?", "((.n // 0) * 100 | round)"), ""),
        (
            read("n number?", "out: metric(name=n, value=.n)"),
            "SCHEMA-001",
        ),
        (
            read("n string", "out: metric(name=n, value=.n)"),
            "SCHEMA-001",
        ),
        (read("n number", "out: metric(name=n, value=.n)"), ""),
        (
            read(
                "n number?",
                "some: filter(when=.n != null) -> out: metric(name=n, value=.n)",
            ),
            "",
        ),
        (
            read(
                "n string?",
                "out: table(table=t, key=.order, columns={\"n\": \".n | length + 1 | tostring | ascii_upcase\"})",
            ),
            "",
        ),
        (
            read(
                "n string",
                "out: table(table=t, key=.order, columns={\"n\": \".n + 1\"})",
            ),
            "SCHEMA-001",
        ),
        (read("n string?", "out: view(key=.n)"), "SCHEMA-004"),
        (
            read("n string?", "out: bucket(folder=f, name=.n)"),
            "SCHEMA-004",
        ),
    ]);
}

#[test]
fn routers_have_a_way_for_what_may_come() {
    let by = |ty: &str, routes: &str| {
        format!(
            "type order(id=/order): order string, {ty}\nin: manual(event_type=order) -> way: route(routes={{{routes}}})\nway.a -> x: view\nway.b -> y: view"
        )
    };
    let round = |kind: &str| {
        format!(
            r#"type order(id=/order): order string, kind sale|refund|gift, total number
            in: manual(event_type=order) -> dear: filter(when=.total > 3) -> way: route(routes={{"a": ".total > 2", "b": ".kind == \"refund\""}})
            way.a -> again: map(expr={{order, kind: "{kind}", total: 1}}) -> way
            way.b -> x: view"#
        )
    };
    let sorted = r#""a": ".kind == \"sale\"", "b": ".kind == \"refund\"""#;
    let paired = |made: &str, kinds: &str| {
        let flow = by(&format!("kind {kinds}"), sorted);
        flow.replace(
            ") -> way",
            &format!(") -> .left both: join(left_key=.order, right_key=.of) -> m: {made} -> way"),
        ) + "\ntype note(id=/of): of string, kind string\nother: manual(event_type=note) -> .right both"
    };
    check(&[
        (by("kind sale|refund", sorted), ""),
        (by("kind sale|refund|gift", sorted), "SCHEMA-006"),
        (by("kind sale|refund?", sorted), "SCHEMA-006"),
        (by("kind string", sorted), ""),
        (
            by(
                "kind sale|refund|gift",
                r#""a": ".kind == \"sale\"", "b": ".kind == \"refund\" or .kind == \"gift\"""#,
            ),
            "",
        ),
        (
            by(
                "kind string",
                r#""a": ".kind == \"sale\"", "b": ".kind != \"sale\"""#,
            ),
            "",
        ),
        (
            by("kind string", r#""a": ".kind == \"sale\"", "b": "true""#),
            "",
        ),
        (
            by("paid boolean", r#""a": ".paid", "b": ".paid | not""#),
            "",
        ),
        (
            by(
                "paid boolean, sent boolean",
                r#""a": ".paid", "b": ".sent""#,
            ),
            "SCHEMA-006",
        ),
        (
            by("total number", r#""a": ".total < 10", "b": ".total >= 10""#),
            "",
        ),
        (
            by("total number", r#""a": ".total < 10", "b": ".total > 10""#),
            "",
        ),
        (
            by("total number", r#""a": ".total < 10", "b": ".total >= 12""#),
            "",
        ),
        (
            by(
                "paid boolean, total number",
                r#""a": ".paid and .total < 10", "b": ".total >= 10""#,
            ),
            "SCHEMA-006",
        ),
        (
            by(
                "paid boolean, total number",
                r#""a": ".paid or .total < 10", "b": ".total > 9""#,
            ),
            "",
        ),
        // What comes in the context is not declared, and neither is this field.
        (
            by(
                "kind sale|refund",
                r#""a": "$event.type == \"x\"", "b": "$event.type == \"y\"""#,
            ),
            "",
        ),
        (
            by(
                "kind sale|refund",
                r#""a": ".sort == \"x\"", "b": ".sort == \"y\"""#,
            ),
            "",
        ),
        // What a filter keeps away does not come.
        (
            by("kind sale|refund|gift", sorted).replace(
                ") -> way",
                ") -> m: map(expr=.) -> f: filter(when=.kind != \"gift\") -> way",
            ),
            "",
        ),
        (
            by("sort sale|refund|gift", sorted).replace(
                ") -> way",
                ") -> m: map(expr={kind: .sort}) -> lane: topic -> way",
            ),
            "SCHEMA-006",
        ),
        // What meets others on the way, or is kept for a while, comes all the same.
        (
            paired("map(expr={kind: .left.kind})", "sale|refund|gift"),
            "SCHEMA-006",
        ),
        (paired("map(expr={kind: .left.kind})", "sale|refund"), ""),
        (
            paired("map(expr={kind: .right.kind})", "sale|refund|gift"),
            "",
        ),
        (
            by("kind sale|refund|gift", sorted).replace(
                ") -> way",
                ") -> row: enrich(key=.order, row_key=.order) -> way",
            ) + "\nother: manual(event_type=order) -> .rows row",
            "SCHEMA-006",
        ),
        (
            by("kind sale|refund|gift", sorted).replace(
                ") -> way",
                ") -> n: aggregate(group=.kind, aggregates=[{\"name\": \"n\", \"function\": \"count\"}]) -> m: map(expr={kind: .key}) -> way",
            ),
            "SCHEMA-006",
        ),
        (
            by("kind sale|refund|gift", sorted).replace(
                ") -> way",
                ") -> f: fold(group=.order, step=(.kind // $state)) -> m: map(expr={kind: .state}) -> way",
            ),
            "SCHEMA-006",
        ),
        (
            by("kind sale|refund|gift", sorted).replace(
                ") -> way",
                ") -> f: fold(group=.order, step=($state // 0) + 1) -> m: map(expr={kind: .state}) -> way",
            ),
            "",
        ),
        (
            by("kind sale|refund|gift", sorted).replace(
                ") -> way",
                ") -> d: decide(group=.kind, claim=at_least, count=2) -> m: map(expr={kind: .key}) -> way",
            ),
            "SCHEMA-006",
        ),
        (
            by("kind sale|refund|gift", sorted).replace(
                ") -> way",
                ") -> rows: table(table=t, key=.order, columns={\"kind\": \".kind\"})\nchanges: table_changes(table=t) -> m: map(expr={kind: .after.kind}) -> way",
            ),
            "SCHEMA-006",
        ),
        (
            by("kind sale|refund|gift", sorted).replace(
                ") -> way",
                ") -> all: bucket(folder=f, name=.order)\nread: file_watch(folder=f) -> way",
            ),
            "SCHEMA-006",
        ),
        // What was made on a way round comes a second time.
        (round("gift"), "SCHEMA-006"),
        (round("refund"), ""),
        (
            by("kind sale|refund|gift", sorted).replace("event_type=order", ""),
            "",
        ),
        (
            by("kind sale|refund|gift", sorted) + "\nway.otherwise -> z: view",
            "",
        ),
    ]);
}

#[test]
fn new_types_go_with_what_is_kept() {
    let kept = |old: &str, marks: &str, new: &str| {
        format!(
            "type old(id=/order): {old}\ntype order(id=/order, {marks}): {new}\nin: manual(event_type=order) -> lane: log(key=.order, partitions=4) -> out: view"
        )
    };
    let history = r#"history=["old"]"#;
    let mode = |mode: &str| format!(r#"history=["old"], compatibility={mode}"#);
    let (thin, thick) = ("order string", "order string, total number");
    check(&[
        (kept(thin, history, thin), ""),
        (kept(thin, history, thick), "SCHEMA-002"),
        (kept(thick, history, thin), ""),
        (kept(thin, &mode("none"), thick), ""),
        (kept(thin, &mode("forward"), thick), ""),
        (kept(thick, &mode("forward"), thin), "SCHEMA-002"),
        (kept(thick, &mode("full"), thin), "SCHEMA-002"),
        (kept(thin, &mode("full"), thick), "SCHEMA-002"),
        (
            kept(
                thick,
                &mode("full"),
                "order string, total number, note string?",
            ),
            "",
        ),
        (
            kept("order string, total string", history, thick),
            "SCHEMA-002",
        ),
        (kept("order string, total integer", history, thick), ""),
        (
            kept("order string, total number?", history, thick),
            "SCHEMA-002",
        ),
        (
            kept(
                "order string, kind a|b",
                history,
                "order string, kind a|b|c",
            ),
            "",
        ),
        (
            kept("order string, kind a|b", history, "order string, kind a|c"),
            "SCHEMA-002",
        ),
        (kept(thick, history, "order string, !"), "SCHEMA-002"),
        (kept(thin, r#"unique=["/order"]"#, thick), ""),
        // What is not described cannot be compared.
        (kept(thin, r#"history=["older"]"#, thick), "~SCHEMA-002"),
        (
            kept(thin, r#"history=["old"]"#, thin)
                .replace("(id=/order): order string", ": x object, ..."),
            "SCHEMA-002",
        ),
        // A queue keeps nothing, and neither does a log that says so.
        (
            kept(thin, history, thick).replace("log(key=.order, partitions=4)", "queue"),
            "",
        ),
        (
            kept(thin, history, thick).replace("partitions=4)", "partitions=4) ^retention=0s"),
            "",
        ),
        (
            kept(thin, history, thick)
                .replace("log(key=.order, partitions=4)", "queue ^retention=7d"),
            "SCHEMA-002",
        ),
        (
            kept(thin, history, thick)
                .replace("manual(", "replay(file=a.jsonl, ")
                .replace("-> lane: log(key=.order, partitions=4) ", ""),
            "SCHEMA-002",
        ),
        // One place that keeps them is enough.
        (
            kept(thin, history, thick)
                .replace("-> out", "-> next: log(key=.order, partitions=4) -> out"),
            "SCHEMA-002",
        ),
        // A mediator has to do what it is there for.
        (
            kept(thin, history, thick).replace(
                "-> out",
                "-> up: mediate(expr=.total //= 0, target=order) -> out",
            ),
            "",
        ),
        (
            kept(thin, history, thick)
                .replace("-> out", "-> up: mediate(expr=., target=order) -> out"),
            "SCHEMA-002",
        ),
        // Each type that a field of old may have counts.
        (
            kept(
                "order string, at string|integer",
                history,
                "order string, at string, total number",
            )
            .replace(
                "-> out",
                "-> up: mediate(expr=.total //= 0, target=order) -> out",
            ),
            "SCHEMA-002",
        ),
        (
            kept(
                "order string, at string|integer",
                history,
                "order string, at string, total number",
            )
            .replace(
                "-> out",
                "-> up: mediate(expr=.total //= 0 | .at |= tostring, target=order) -> out",
            ),
            "",
        ),
        (
            kept(thin, history, thick)
                .replace("-> out", "-> ok: validate(event_type=order) -> out"),
            "",
        ),
        // What came before an older type counts as well.
        (
            format!(
                "type oldest: order string, note string\n{}",
                kept(thin, history, thin).replace("type old(", "type old(history=[\"oldest\"], ")
            ),
            "",
        ),
        (
            format!(
                "type oldest: note string\n{}",
                kept(thin, history, thin).replace("type old(", "type old(history=[\"oldest\"], ")
            ),
            "SCHEMA-002",
        ),
    ]);
}

#[test]
fn one_name_has_one_meaning_where_streams_meet() {
    let meet = |(a_marks, a): (&str, &str), (b_marks, b): (&str, &str), rest: &str| {
        format!(
            "type one(id=/id{a_marks}): id string, {a}\ntype two(id=/id{b_marks}): id string, {b}\na: manual(event_type=one) -> all: {rest}\nb: manual(event_type=two) -> all"
        )
    };
    let plain = |a, b| meet(("", a), ("", b), "merge -> out: view");
    let space = |a, b| {
        let marks = |name: &str| format!(r#", spaces={{"/who":"{name}"}}"#);
        meet(
            (&marks(a), "who string"),
            (&marks(b), "who string"),
            "merge -> out: view",
        )
    };
    let clock = |a, b| {
        let marks = |name: &str| format!(r#", clocks={{"/at":"{name}"}}"#);
        meet(
            (&marks(a), "at string"),
            (&marks(b), "at string"),
            "queue -> out: view",
        )
    };
    let (euro, cent) = ("v number <always EUR>", "v number <always cent>");
    check(&[
        (plain(euro, cent), "SCHEMA-005"),
        (plain(euro, euro), ""),
        // A third stream says nothing of it.
        (
            plain(euro, cent).replace("b: manual", "other: manual -> all\nb: manual"),
            "SCHEMA-005",
        ),
        (plain(euro, "v number"), ""),
        (plain(euro, "w number <always cent>"), ""),
        (plain("kind a|b", "kind b|c"), ""),
        (plain("kind a|b", "kind A|B"), "SCHEMA-005"),
        (plain("kind a|b", "kind string"), ""),
        (space("crm", "billing"), "SCHEMA-005"),
        (space("crm", "crm"), ""),
        (clock("UTC", "Europe/Berlin"), "SCHEMA-005"),
        (clock("UTC", "UTC"), ""),
        (meet(("", euro), ("", cent), "console"), ""),
        (
            plain(euro, cent).replace(
                "b: manual(event_type=two) ->",
                "b: manual(event_type=two) -> m: map(expr={id, v: (.v / 100)}) ->",
            ),
            "",
        ),
        (
            plain(euro, cent).replace(
                "b: manual(event_type=two) ->",
                "b: manual(event_type=two) -> m: map(expr={id, v}) ->",
            ),
            "SCHEMA-005",
        ),
        (
            plain(euro, "w number <always cent>").replace(
                "b: manual(event_type=two) ->",
                "b: manual(event_type=two) -> m: map(expr={id, v: .w}) -> n: map(expr=.) ->",
            ),
            "SCHEMA-005",
        ),
    ]);
    // What is written is what is read.
    let kept = |to: &str, read: &str| {
        format!(
            "type one(id=/id): id string, v number <always EUR>\ntype two(id=/id): id string, v number <always cent>\na: manual(event_type=one) -> {to}\n{read} -> out: console"
        )
    };
    let (bucket, cents) = (
        "all: bucket(folder=f, name=.id)",
        "b: file_watch(folder=f, event_type=two)",
    );
    check(&[
        (kept(bucket, cents), "SCHEMA-005"),
        (kept(bucket, "b: file_watch(folder=f, event_type=one)"), ""),
        (kept(bucket, "b: file_watch(folder=f)"), ""),
        (kept(bucket, &cents.replace("=f,", "=g,")), ""),
        (
            kept(&format!("m: map(expr=.v |= . * 100) -> {bucket}"), cents),
            "",
        ),
        // What is checked against another type, or adapted to it, is taken for that.
        (
            kept(
                "check: validate(event_type=two) -> all: console",
                "b: manual",
            ),
            "SCHEMA-005",
        ),
        (
            kept(
                "check: validate(event_type=one) -> all: console",
                "b: manual",
            ),
            "",
        ),
        (
            kept(
                "adapt: mediate(expr={id, v}, target=two) -> all: console",
                "b: manual",
            ),
            "SCHEMA-005",
        ),
        (
            kept(
                "adapt: mediate(expr={id, v: (.v * 100)}, target=two) -> all: console",
                "b: manual",
            ),
            "",
        ),
    ]);
    let keys = |a: &str, b: &str| {
        format!(
            r#"
            type one(id=/id, spaces={{"/who":"crm"}}): id string, who string
            type two(id=/id, spaces={{"/person":"{a}"}}): id string, person string
            a: manual(event_type=one) -> both: join(left_key=.who, right_key={b}) -> out: view
            b: manual(event_type=two) -> .right both
            "#
        )
    };
    check(&[
        (keys("billing", ".person"), "SCHEMA-005"),
        (keys("crm", ".person"), ""),
        (keys("billing", ".id"), ""),
    ]);
}

#[test]
fn insides_are_read_at_home() {
    let read = |marks: &str, rest: &str| {
        format!(
            "zone a\nzone b\nzone c\ntype order(id=/order{marks}): order string, total number\ntype told(id=/order, owner=a, contract=true): order string\nin: manual(event_type=order) #a -> news: topic {rest}"
        )
    };
    let both = "-> x: view #b\nnews -> y: view #c";
    check(&[
        (read(", owner=a", both), "SCHEMA-003"),
        (read(", owner=a, contract=true", both), ""),
        (read(", owner=a, contract=false", both), "SCHEMA-003"),
        (read("", both), ""),
        (read(", owner=nobody", both), ""),
        (read(", owner=a", "-> x: view #b\nnews -> y: view #b"), ""),
        (read(", owner=a", "-> x: view #b\nnews -> y: view #a"), ""),
        (read(", owner=a", "-> x: view #b\nnews -> y: view"), ""),
        (read(", owner=b", both), ""),
        (
            read(
                ", owner=a",
                "-> say: mediate(expr={order}, target=told) -> lane: topic #a -> x: view #b\nlane -> y: view #c",
            ),
            "",
        ),
        (
            read(
                ", owner=a",
                "-> m: map(expr=.) -> lane: queue #b -> x: filter(when=.total > 1) #b -> y: view\nnews -> z: aggregate(group=.order, window=time, aggregates=[{\"name\": \"n\", \"function\": \"max\", \"of\": \".total\"}]) #c -> w: view",
            ),
            "SCHEMA-003",
        ),
        // What is made of it at home is no longer the inside.
        (
            read(
                ", owner=a",
                "-> m: map(expr={order}) #a -> lane: topic -> x: view #b\nlane -> y: view #c",
            ),
            "",
        ),
    ]);
}

#[test]
fn open_events_do_not_cross_borders_as_a_whole() {
    let shown = |fields: &str, rest: &str| {
        format!(
            "role partners external\nrole clerks\nzone a\nzone b\ntype order(id=/order): order string, {fields}\ntype some(id=/order): order string, !\nin: manual(event_type=order) {rest}"
        )
    };
    check(&[
        (shown("...", "-> out: view @partners"), "SCHEMA-007"),
        (shown("...", "-> out: view @clerks"), ""),
        (shown("...", "-> out: view"), ""),
        (shown("note string", "-> out: view @partners"), ""),
        (shown("!", "-> out: view @partners"), ""),
        (
            shown(
                "...",
                "-> m: map(expr=.x = 1) -> lane: queue -> out: view @clerks,partners",
            ),
            "SCHEMA-007",
        ),
        (
            shown("...", "-> m: map(expr={order}) -> out: view @partners"),
            "",
        ),
        (
            shown(
                "...",
                "-> r: redact(fields=[\"/note\"]) -> out: view @partners",
            ),
            "SCHEMA-007",
        ),
        (
            shown(
                "...",
                "-> v: validate(event_type=some) -> r: redact(fields=[\"/note\"]) -> out: view @partners",
            ),
            "",
        ),
        (
            shown(
                "...",
                "-> v: validate(event_type=order) -> out: view @partners",
            ),
            "SCHEMA-007",
        ),
        (
            shown(
                "...",
                "-> m: mediate(expr=., target=some) -> out: view @partners",
            ),
            "",
        ),
        (
            shown(
                "...",
                "-> n: aggregate(group=.order, window=time, aggregates=[{\"name\": \"n\"}]) -> out: view @partners",
            ),
            "",
        ),
        (
            shown(
                "...",
                "-> out: table(table=t, key=.order, columns={\"order\": \".order\"}) @partners",
            ),
            "",
        ),
        (
            shown("...", "#a -> lane: topic #a -> out: view #b"),
            "SCHEMA-007",
        ),
        (shown("...", "#a -> lane: topic #a -> out: view #a"), ""),
        (
            shown(
                "...",
                "#a -> lane: topic #a -> own: map(expr={order}) #b -> out: view #b",
            ),
            "",
        ),
        // Only where the border is crossed.
        (
            shown("...", "#a -> lane: queue #b -> out: view #b"),
            "SCHEMA-007",
        ),
        (shown("...", "-> lane: queue #b -> out: view #b"), ""),
    ]);
}

#[test]
fn edits_far_ahead_and_behind_are_followed() {
    let routed = |made: &str| {
        format!(
            "type order(id=/order): order string, kind a|b\nin: manual(event_type=order) -> m: map(expr={{k: (if .kind == \"a\" then \"a\" else \"{made}\" end)}}) -> lane: topic -> way: route(routes={{\"x\": \".k == \\\"a\\\"\", \"y\": \".k == \\\"b\\\"\"}})\nway.x -> p: view\nway.y -> q: view"
        )
    };
    let kept = |made: &str| {
        format!(
            "type old(id=/order): order string\ntype order(id=/order, history=[\"old\"]): order string, total number\nin: manual(event_type=order) -> lane: log(key=.order, partitions=4) -> m: map(expr=.) -> n: map(expr=.) -> up: mediate(expr={made}, target=order) -> out: view"
        )
    };
    let open = |ty: &str| {
        format!(
            "role partners external\ntype order(id=/order): order string, note string, ...\ntype small(id=/order): order string, note string, !\nin: manual(event_type=order) -> known: validate(event_type={ty}) -> r: redact(fields=[\"/note\"]) -> lane: topic -> out: view @partners"
        )
    };
    for (good, bad) in [
        (routed("b"), routed("c")),
        (kept(".total //= 0"), kept(".")),
        (open("small"), open("order")),
    ] {
        let [good, bad] = [good, bad].map(|flow| notation::read(&flow).expect("a flow"));
        let fresh = [&good, &bad].map(|flow| validate(flow, Catalog::bundled()));
        assert_ne!(fresh[0], fresh[1]);
        let mut checker = Checker::new(&good, Catalog::bundled());
        checker.update(&bad);
        assert_eq!(checker.report(), fresh[1]);
        checker.update(&good);
        assert_eq!(checker.report(), fresh[0]);
    }
}
