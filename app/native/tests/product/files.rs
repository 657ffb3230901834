//! Commands that work on files: new, fmt, check, schema.

use std::fs;

use crate::harness::done;

#[test]
fn a_flow_is_made_formatted_and_checked() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    let run = |arguments: &[&str]| done(home, arguments);

    let made = run(&["new", "till", "--sample", "orders"]);
    assert_eq!((made.code, made.answer.trim()), (0, "till/till.flow.json"));
    assert!(made.rest.contains("weir open till"), "{}", made.rest);
    assert!(home.join("till/data/orders.jsonl").exists());
    let again = run(&["new", "till"]);
    assert!(
        again.code == 2 && again.rest.contains("not empty"),
        "{again:?}"
    );
    let unknown = run(&["new", "shop", "--sample", "shop"]);
    assert!(unknown.code == 2 && unknown.rest.contains("choose from hello"));

    let path = home.join("till/till.flow.json");
    let canonical = fs::read_to_string(&path).expect("read");
    assert_eq!(run(&["fmt", "--check", "till"]).code, 0);
    fs::write(&path, canonical.replace("\n  ", "\n      ")).expect("written");
    let odd = run(&["fmt", "--check", "till"]);
    assert_eq!((odd.code, odd.answer.trim()), (1, "till/till.flow.json"));
    assert_eq!(run(&["fmt", "till"]).code, 0);
    assert_eq!(fs::read_to_string(&path).expect("read"), canonical);

    let clean = run(&["check", "till"]);
    assert_eq!((clean.code, &*clean.answer, &*clean.rest), (0, "", ""));
    let json: serde_json::Value =
        serde_json::from_str(&run(&["check", "till", "--json"]).answer).expect("JSON");
    assert_eq!(json["diagnostics"], serde_json::json!([]));
    fs::write(&path, canonical.replace("\"replay\"", "\"repaly\"")).expect("written");
    let flawed = run(&["check", "till"]);
    assert_eq!(flawed.code, 1, "a kind that is not known is an error");
    assert!(flawed.answer.contains("orders_in"), "{}", flawed.answer);
}

#[test]
fn samples_and_schemas_are_listed() {
    let home = tempfile::tempdir().expect("a folder");
    let list = done(home.path(), &["new", "--list"]);
    assert!(list.answer.starts_with("hello "), "{}", list.answer);
    for of in ["flow", "check", "run", "witness"] {
        let schema = done(home.path(), &["schema", of]).answer;
        let schema: serde_json::Value = serde_json::from_str(&schema).expect("JSON");
        let wanted = format!("https://weir.dev/schema/{of}.v1.schema.json");
        assert_eq!(schema["$id"], wanted);
    }
}
