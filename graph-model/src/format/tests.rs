//! Files open, lose nothing, and are written in one canonical way.

use expect_test::expect;

use super::*;

const SMALL: &str = r#"{
  "nodes": {
    "orders": {"kind": "http", "config": {"path": "/orders"}, "colour": "red"},
    "ledger": {"kind": "table", "title": "Ledger", "disabled": true,
      "audience": {"roles": ["finance"], "rows": ["user_id = /customer/id"]},
      "accepted": {"DELIV-002": {"reason": "test data only", "by": "Ada", "until": "2027-01-01", "ticket": 7}}}
  },
  "edges": {"e1": {"from": "orders.out", "to": "ledger.in", "when_full": "drop_oldest", "capacity": 10}},
  "types": {"order": {"labels": {"/email": ["role:finance | subject:/customer/id"]}, "subject": "/customer/id",
    "accepted": {"SCHEMA-002": {"reason": "nobody reads it"}}}},
  "layout": {"orders": [10.4, 20], "team": [0, 0, 300, 200]},
  "releases": {"r1": {"anything": [1, 2]}},
  "version": 1,
  "later": {"kept": true}
}"#;

#[test]
fn the_canonical_text_is_stable_and_complete() {
    let opened = open(SMALL.as_bytes()).expect("opens");
    assert_eq!(opened.notes, []);
    let text = write(&opened.document);
    expect![[r#"
        {
          "$schema": "https://weir.dev/schema/flow.v1.schema.json",
          "version": 1,
          "types": {
            "order": {
              "accepted": { "SCHEMA-002": { "reason": "nobody reads it" } },
              "labels": { "/email": ["role:finance | subject:/customer/id"] },
              "subject": "/customer/id"
            }
          },
          "nodes": {
            "ledger": {
              "accepted": {
                "DELIV-002": { "by": "Ada", "reason": "test data only", "ticket": 7, "until": "2027-01-01" }
              },
              "audience": { "roles": ["finance"], "rows": ["user_id = /customer/id"] },
              "disabled": true,
              "kind": "table",
              "title": "Ledger"
            },
            "orders": { "colour": "red", "config": { "path": "/orders" }, "kind": "http" }
          },
          "edges": {
            "e1": { "capacity": 10, "from": "orders.out", "to": "ledger.in", "when_full": "drop_oldest" }
          },
          "releases": {
            "r1": { "anything": [1, 2] }
          },
          "later": {
            "kept": true
          },
          "layout": {
            "orders": [10, 20],
            "team": [0, 0, 300, 200]
          }
        }
    "#]]
    .assert_eq(&text);
    let again = open(text.as_bytes()).expect("opens again");
    assert_eq!(again.document, opened.document);
    assert_eq!(write(&again.document), text);
}

#[test]
fn what_is_odd_is_noted_and_kept() {
    let odd = r#"{"version":1,"title":7,"nodes":{"a":{"kind":"map","config":"none"},"b":5},
        "edges":{"e":{"from":"a","to":"b.in"}},"layout":{"a":["x",1]}}"#;
    let opened = open(odd.as_bytes()).expect("opens");
    let notes: Vec<String> = opened
        .notes
        .iter()
        .map(|note| format!("{}: {}", note.at, note.message))
        .collect();
    assert_eq!(
        notes,
        [
            "/nodes/a/config: `config` should be an object, found string; kept as it is",
            "/nodes/b: an entry should be an object, found number; kept as it is",
            "/edges/e/from: an edge needs `from` as `node.port`, found `a`",
            "/layout/a: cannot read [\"x\",1]; kept as it is",
            "/title: `title` should be a text, found number; kept as it is",
        ]
    );
    let text = write(&opened.document);
    for kept in [
        r#""title": 7"#,
        r#""config": "none""#,
        r#""b": 5"#,
        r#""from": "a""#,
        r#"["x", 1]"#,
    ] {
        assert!(text.contains(kept), "{kept} in {text}");
    }
}

#[test]
fn what_is_no_flow_is_refused_with_its_place() {
    let refused = |bytes: &[u8]| open(bytes).expect_err("must be refused").to_string();
    assert_eq!(
        refused(b"{\n  \"version\": 1,,\n"),
        "not JSON at line 2, column 16: key must be a string"
    );
    assert_eq!(
        refused(b"[]"),
        "not a flow: expected an object with `version` and `nodes`, found a JSON array"
    );
    assert!(refused(b"{}").ends_with("found an object without `version`"));
    assert!(refused(br#"{"version": 2}"#).starts_with("written by a newer Weir (format 2"));
    assert!(open("\u{feff}{\"version\":1}".as_bytes()).is_ok());
}

#[test]
fn the_published_schema_is_current() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../assets/schema/flow.v1.schema.json"
    );
    let wanted = json_schema(crate::catalog::Catalog::bundled()).to_json_pretty() + "\n";
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &wanted).expect("schema can be written");
    }
    let published = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        published == wanted,
        "assets/schema is stale: run the tests with UPDATE=1"
    );
}
