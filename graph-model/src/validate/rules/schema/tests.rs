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
