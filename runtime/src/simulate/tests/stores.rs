//! What sinks leave behind.

use expect_test::{Expect, expect};

use super::*;

fn check(sink: &str, payloads: &[&str], store: &str, wanted: &Expect) {
    let lines = format!(
        "in: manual
         out: {sink}
         dead: view
         in.out -> out.in"
    );
    let outcome = play(&lines, &given(payloads));
    let dead = outcome.dead_letters.len();
    let mut told = shown(&outcome, store);
    if dead > 0 {
        told += &format!(" and {dead} given up");
    }
    wanted.assert_eq(&told);
}

#[test]
fn tables_keep_a_row_for_each_key() {
    let config = r#"table {"table": "T", "key": ".k", "columns": {"n": ".n"}}"#;
    let payloads = [
        r#"{"k":"a","n":1}"#,
        r#"{"k":"b","n":[true]}"#,
        r#"{"k":"a","n":2.0}"#,
        r#"{"n":3}"#,
    ];
    check(
        config,
        &payloads,
        "table data.sqlite/t",
        &expect![[r#"[{"n":2,"weir_key":"a"},{"n":"[true]","weir_key":"b"}] and 1 given up"#]],
    );
}

#[test]
fn appended_rows_come_once_for_each_event() {
    let config = r#"table {"table": "t", "mode": "append"}"#;
    check(
        config,
        &["1", r#"{"b":1}"#],
        "table data.sqlite/t",
        &expect![[
            r#"[{"data":"1","weir_id":"f0","weir_source":"/in"},{"data":"{\"b\":1}","weir_id":"f1","weir_source":"/in"}]"#
        ]],
    );
}

#[test]
fn compare_and_set_takes_greater_versions_alone() {
    let outcome = play(
        r#"in: manual
           out: table {"table": "t", "mode": "compare_and_set", "key": ".k", "version": ".v", "columns": {"n": ".n"}}
           late: view
           in.out -> out.in
           out.stale -> late.in"#,
        &given(&[
            r#"{"k":1,"v":2,"n":"b"}"#,
            r#"{"k":1,"v":1,"n":"a"}"#,
            r#"{"k":1,"v":3,"n":"c"}"#,
        ]),
    );
    assert_eq!(
        shown(&outcome, "table data.sqlite/t"),
        r#"[{"n":"c","weir_key":1,"weir_version":3}]"#
    );
    assert_eq!(shown(&outcome, "view late"), r#"[{"k":1,"n":"a","v":1}]"#);
}

#[test]
fn the_others_keep_what_they_are_given() {
    let order = [r#"{"k":1,"n":2}"#, r#"{"k":2,"n":3}"#, r#"{"k":1,"n":4}"#];
    let table: &[(&str, &str, Expect)] = &[
        (
            r#"view {"key": ".k"}"#,
            "view out",
            expect![[r#"[{"k":2,"n":3},{"k":1,"n":4}]"#]],
        ),
        (
            r#"view {"keep": 1}"#,
            "view out",
            expect![[r#"[{"k":1,"n":4}]"#]],
        ),
        (
            r#"metric {"name": "m", "value": ".n"}"#,
            "metric out",
            expect![[r#"[{"name":"m","value":4}]"#]],
        ),
        (
            r#"console {"format": ".n"}"#,
            "console out",
            expect!["[2,3,4]"],
        ),
        (
            r#"export {"file": "o.jsonl"}"#,
            "file o.jsonl",
            expect![[r#"[{"k":1,"n":2},{"k":2,"n":3},{"k":1,"n":4}]"#]],
        ),
        (
            r#"bucket {"name": ".k"}"#,
            "folder objects",
            expect![[r#"{"1":{"k":1,"n":4},"2":{"k":2,"n":3}}"#]],
        ),
        (
            r#"effect {"action": "charge", "key": ".k"}"#,
            "effects effects.jsonl",
            expect![[
                r#"[{"action":"charge","data":{"k":1,"n":2},"event":"f0","key":1},{"action":"charge","data":{"k":2,"n":3},"event":"f1","key":2}]"#
            ]],
        ),
        (
            r#"http_out {"url": "http://x.test/a", "body": ".n"}"#,
            "calls http://x.test/a",
            expect![[
                r#"[{"action":"POST http://x.test/a","data":2,"event":"f0","key":null},{"action":"POST http://x.test/a","data":3,"event":"f1","key":null},{"action":"POST http://x.test/a","data":4,"event":"f2","key":null}]"#
            ]],
        ),
    ];
    for (sink, store, wanted) in table {
        check(sink, &order, store, wanted);
    }
    let outcome = play(
        "in: manual\nout: dead_letter\nin.out -> out.in",
        &given(&order[..1]),
    );
    assert!(shown(&outcome, "file dead-letters.jsonl").contains(r#""id":"f0""#));
}

#[test]
fn sources_hear_of_what_is_written() {
    let outcome = play(
        r#"in: manual
           rows: table {"table": "t", "key": ".k", "columns": {"n": ".n"}}
           changes: table_changes {"table": "T"}
           seen: view
           in.out -> rows.in
           changes.out -> seen.in"#,
        &given(&[r#"{"k":1,"n":1}"#, r#"{"k":1,"n":1}"#, r#"{"k":1,"n":2}"#]),
    );
    expect![[r#"[{"after":{"n":1,"weir_key":1},"before":null,"key":1,"op":"insert"},{"after":{"n":2,"weir_key":1},"before":{"n":1,"weir_key":1},"key":1,"op":"update"}]"#]]
        .assert_eq(&shown(&outcome, "view seen"));
    assert_eq!(outcome.facts.len(), 3, "changes are no facts from outside");
    let outcome = play(
        r#"in: manual
           objects: bucket {"folder": "box", "name": ".k"}
           folder: file_watch {"folder": "box"}
           seen: view
           in.out -> objects.in
           folder.out -> seen.in"#,
        &given(&[r#"{"k":1}"#, r#"{"k":2}"#]),
    );
    assert_eq!(shown(&outcome, "view seen"), r#"[{"k":1},{"k":2}]"#);
}
