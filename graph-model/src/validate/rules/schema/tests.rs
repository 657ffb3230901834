//! Flows and what is found in them.

use crate::validate::rules::testing::check;

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
fn routers_have_a_way_for_what_may_come() {
    let by = |ty: &str, routes: &str| {
        format!(
            "type order(id=/order): order string, {ty}\nin: manual(event_type=order) -> way: route(routes={{{routes}}})\nway.a -> x: view\nway.b -> y: view"
        )
    };
    let sorted = r#""a": ".kind == \"sale\"", "b": ".kind == \"refund\"""#;
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
