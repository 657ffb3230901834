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
        // It looks at nothing of anybody.
        (
            flow("f: function(component=f.wasm) ^state=cache ^cache_key=.page ^reads=[\"/text\"]"),
            "",
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
    let cases: Vec<(&str, &str)> = cases
        .iter()
        .map(|(flow, codes)| (flow.as_str(), *codes))
        .collect();
    check(&cases);
}
