//! Every rule keeps the promises of its documentation; reports are stable and readable.

use std::collections::BTreeSet;

use expect_test::expect;

use super::*;
use crate::schema::Schema;
use crate::value::Value;

/// Steps in which applying first fixes has to end.
const FIXES_MAX: usize = 4;

fn read(text: &str) -> Document {
    notation::read(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn check(document: &Document) -> Report {
    validate(document, Catalog::bundled())
}

fn codes(report: &Report) -> Vec<&'static str> {
    report.diagnostics.iter().map(|found| found.code).collect()
}

fn example(rule: &Rule, section: &str) -> Document {
    let lines: Vec<&str> = rule.section(section).collect();
    assert!(!lines.is_empty(), "{} has a section {section}", rule.code);
    read(&lines.join("\n"))
}

#[test]
fn rules_are_documented_by_flows_that_hold() {
    for rule in rules() {
        let fires = check(&example(rule, "Example"));
        assert_eq!(codes(&fires), [rule.code], "the example of {}", rule.code);
        for section in ["Use instead", "Near miss"] {
            let silent = check(&example(rule, section));
            assert_eq!(codes(&silent), [""; 0], "{section} of {}", rule.code);
        }
    }
}

#[test]
fn first_fixes_lead_to_silence_and_can_be_undone() {
    for rule in rules() {
        let mut document = example(rule, "Example");
        for _ in 0..FIXES_MAX {
            let report = check(&document);
            let Some(fix) = report
                .diagnostics
                .iter()
                .find_map(|found| found.fixes.first())
            else {
                break;
            };
            let before = document.clone();
            let inverse = fix.transaction.clone().apply(&mut document);
            assert_ne!(
                before, document,
                "{}: `{}` does something",
                rule.code, fix.title
            );
            let mut undone = document.clone();
            inverse.apply(&mut undone);
            assert_eq!(
                undone, before,
                "{}: `{}` can be undone",
                rule.code, fix.title
            );
        }
        let left = check(&document);
        let without_fix = check(&example(rule, "Example"))
            .diagnostics
            .iter()
            .all(|found| found.fixes.is_empty());
        assert!(
            without_fix || left.diagnostics.is_empty(),
            "{}: {:?}",
            rule.code,
            codes(&left)
        );
    }
}

#[test]
fn every_fix_ends_its_hazard() {
    for rule in rules() {
        let document = example(rule, "Example");
        for fix in check(&document)
            .diagnostics
            .iter()
            .flat_map(|found| &found.fixes)
        {
            let mut fixed = document.clone();
            fix.transaction.clone().apply(&mut fixed);
            let left = codes(&check(&fixed));
            assert!(!left.contains(&rule.code), "{}: {}", rule.code, fix.title);
        }
    }
}

#[test]
fn texts_keep_the_style_of_the_house() {
    let mut seen = BTreeSet::new();
    for rule in rules() {
        assert!(
            seen.insert(rule.code) && seen.insert(rule.name),
            "{} twice",
            rule.code
        );
        let lesson = rule.lesson();
        let sentences = lesson.matches(". ").count() + lesson.matches("? ").count() + 1;
        assert_eq!(sentences, 3, "{}: {lesson}", rule.code);
        assert!(rule.summary().ends_with('.'), "{}", rule.code);
        for found in check(&example(rule, "Example")).diagnostics {
            assert!(!found.path.is_empty(), "{} shows its evidence", rule.code);
            assert!(!found.message.ends_with('.'), "{}", found.message);
            for step in &found.path {
                assert!(
                    !step.note.ends_with('.') && !step.note.is_empty(),
                    "{}",
                    step.note
                );
            }
            for fix in &found.fixes {
                assert!(
                    fix.title.starts_with(|c: char| c.is_ascii_uppercase()),
                    "{}",
                    fix.title
                );
                assert!(!fix.title.ends_with('.') && fix.title == fix.transaction.title);
            }
        }
    }
}

#[test]
fn acceptance_hides_until_its_day() {
    let mut document = read("in: manual -> lane: queue(visibility=soon) !STRUCT-003 -> out: view");
    let mut report = check(&document);
    assert_eq!((codes(&report).len(), report.accepted.len()), (0, 1));
    report.expire("2030-01-01");
    assert_eq!(report.accepted.len(), 1, "it has no last day");
    let lane = document.nodes.get_mut("lane").expect("the queue");
    let acceptance = crate::document::Acceptance {
        reason: "a test".into(),
        until: Some("2027-01-01".into()),
    };
    std::sync::Arc::make_mut(lane)
        .notes
        .accepted
        .insert("STRUCT-003".into(), acceptance);
    let mut report = check(&document);
    report.expire("2026-12-31");
    assert_eq!(report.accepted.len(), 1);
    report.expire("2027-01-01");
    assert_eq!(codes(&report), ["STRUCT-003"]);
}

#[test]
fn declarations_are_checked_too() {
    let document = read("in: manual ^rate=fast -> lane: queue ^must_not_lose=true -> out: view");
    let report = check(&document);
    assert_eq!(codes(&report), ["STRUCT-003"]);
    let found = &report.diagnostics[0];
    assert_eq!(found.message, "in: Rate: expected a number, found string");
    let mut mended = document;
    found.fixes[0].transaction.clone().apply(&mut mended);
    assert_eq!(codes(&check(&mended)), [""; 0]);
}

#[test]
fn reports_read_well() {
    let document = read("in: manual -> lane: queue(visibility=soon) -> out: viewer");
    let report = check(&document);
    expect![[r"
        error[STRUCT-001]: the kind `viewer` of out is not known; replace the node
          --> node out
           |
         1 | out  is of kind `viewer`
           |
           = why: A kind says what a node does with an event. Without it nothing can run here, and
                 nothing can be said about what lies behind. The rest of the flow is still checked.

        error[STRUCT-003]: lane: Visibility timeout: `soon` is no duration; write `250ms`, `30s`, `5m`
          --> node lane
           |
         1 | lane  `visibility` is set to it
           |
           = why: The node cannot read its configuration. The flow does not start until it can. A guess
                 would hide the mistake.
           = fix: Use `30s` for Visibility timeout of lane

        2 errors
    "]].assert_eq(&render::text(&report, &document));
}

#[test]
fn the_published_schema_describes_reports() {
    let document = read(
        "in: manual -> lane: queue(visibility=soon) -> out: viewer\nx: view(keep=0) !STRUCT-003",
    );
    let report = check(&document);
    let text = render::json(&report);
    let value = Value::parse(text.as_bytes(), 1 << 20).expect("JSON");
    let schema = render::json_schema();
    Schema::new(&schema)
        .check(&value)
        .expect("the report has the published shape");
    let mut published = schema.to_json_pretty();
    published.push('\n');
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../assets/schema/check.v1.schema.json"
    );
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &published).expect("the schema can be written");
    }
    let held = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        held == published,
        "assets/schema is stale: run the tests with UPDATE=1"
    );
}
