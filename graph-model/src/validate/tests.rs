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

/// Each turn puts what came round on both sides of a pair.
#[test]
fn what_is_put_into_itself_is_followed_so_deep() {
    let document = read(
        "role finance
        role support
        type order(id=/id): id string, total number {role:finance}
        in: http(path=/a, event_type=order) -> a: join(left_key=.id, right_key=.id) -> b: join(left_key=.id, right_key=.id) -> out: view @support
        in -> .right a
        in -> .right b
        b -> a
        b -> .right a
        a -> .right b",
    );
    let report = check(&document);
    let shown = report
        .diagnostics
        .iter()
        .find(|found| found.code == "AUTH-001");
    let message = shown.map(|found| found.message.as_str());
    assert!(
        message.is_some_and(|message| message.contains(" more to support, ")),
        "{message:?}"
    );
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
        ..Default::default()
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
         1 | out is of kind `viewer`
           |
           = why: A kind says what a node does with an event. Without it nothing can run here, and
                  nothing can be said about what lies behind. The rest of the flow is still checked.

        error[STRUCT-003]: lane: Visibility timeout: `soon` is no duration; write `250ms`, `30s`, `5m`
          --> node lane
           |
         1 | lane: `visibility` is set to it
           |
           = why: The node cannot read its configuration. The flow does not start until it can. A guess
                  would hide the mistake.
           = fix: Use `30s` for Visibility timeout of lane

        2 errors
        weir explain CODE says more on STRUCT-001, STRUCT-003
    "]].assert_eq(&render::text(&report, &document));
}

/// A report in which there is something of everything that a report can hold.
fn full_report(document: &Document) -> Report {
    let mut report = check(document);
    let found = &mut report.diagnostics[0];
    found.assumed = Some("the code of out may do anything".into());
    found.affected = vec!["lane".into(), "out".into()];
    found.consequences = vec![Consequence {
        code: "STRUCT-003",
        subject: Subject::Node("x".into()),
        message: "x does not start".into(),
    }];
    let (_, why) = &mut report.accepted[0];
    (why.reason, why.by) = ("nobody looks yet".into(), "Ada".into());
    why.until = Some("2099-01-31".into());
    report.unchecked = (1..=10)
        .map(|number| Unchecked {
            code: "SCHEMA-001",
            subject: Subject::Node(format!("n{number}").into()),
            reason: "`orders` declares no schema; add one".into(),
        })
        .collect();
    report
}

const FULL: &str =
    "in: manual -> lane: queue(visibility=soon) -> out: viewer\nx: view(keep=0) !STRUCT-003";

#[test]
fn text_tells_everything_that_a_report_holds() {
    let document = read(FULL);
    let report = full_report(&document);
    expect![[r"
        error[STRUCT-001]: the kind `viewer` of out is not known; replace the node
          --> node out
           |
         1 | out is of kind `viewer`
           |
           = seen at: lane, out
           = assumed: the code of out may do anything
           = also: STRUCT-003 x does not start
           = why: A kind says what a node does with an event. Without it nothing can run here, and
                  nothing can be said about what lies behind. The rest of the flow is still checked.

        error[STRUCT-003]: lane: Visibility timeout: `soon` is no duration; write `250ms`, `30s`, `5m`
          --> node lane
           |
         1 | lane: `visibility` is set to it
           |
           = why: The node cannot read its configuration. The flow does not start until it can. A guess
                  would hide the mistake.
           = fix: Use `30s` for Visibility timeout of lane

        accepted error[STRUCT-003]: x: Keep: 0 is not between 1 and 1000000 (nobody looks yet; by Ada;
                 until 2099-01-31)
        not checked: SCHEMA-001 at node n1: `orders` declares no schema; add one
        not checked: SCHEMA-001 at node n2: `orders` declares no schema; add one
        not checked: SCHEMA-001 at node n3: `orders` declares no schema; add one
        not checked: SCHEMA-001 at node n4: `orders` declares no schema; add one
        not checked: SCHEMA-001 at node n5: `orders` declares no schema; add one
        not checked: SCHEMA-001 at node n6: `orders` declares no schema; add one
        not checked: SCHEMA-001 at node n7: `orders` declares no schema; add one
        not checked: SCHEMA-001 at node n8: `orders` declares no schema; add one
        not checked: 2 more, which `--format json` lists

        2 errors, 1 accepted, 10 not checked
        weir explain CODE says more on STRUCT-001, STRUCT-003
    "]].assert_eq(&render::text(&report, &document));
    let silent = Report::default();
    assert_eq!(render::text(&silent, &document), "no hazards found\n");
}

#[test]
fn lines_keep_their_width_and_code_stays_whole() {
    let document = read(FULL);
    let mut report = full_report(&document);
    let code = "`.a  | select(.b == 1 and .c == 2)`";
    let long = format!(
        "is {} {code} {}",
        "wide ".repeat(15),
        "and so on ".repeat(12)
    );
    report.diagnostics[0].path[0].note.clone_from(&long);
    report.diagnostics[0].assumed = Some(long);
    let text = render::text(&report, &document);
    assert_eq!(text.matches(code).count(), 2, "{text}");
    let evidence = text.lines().filter(|line| !line.starts_with("error["));
    for line in evidence {
        assert!(line.chars().count() <= 96, "{line}");
    }
}

#[test]
fn flows_in_files_are_told_with_their_lines() {
    let document = read("in: manual -> out: viewer");
    let text = crate::format::write(&document);
    let report = check(&document);
    let other = Report::default();
    let flow = render::Checked {
        file: "flows/shop.flow.json",
        path: "shop.flow.json",
        text: &text,
        document: &document,
        report: &report,
        known: None,
        confirmed: None,
    };
    let clean = render::Checked {
        report: &other,
        ..flow
    };
    let told = render::text_all(&[flow, clean]);
    let line = text
        .lines()
        .position(|line| line.contains("\"out\": {"))
        .expect("it")
        + 1;
    assert!(
        told.contains(&format!("\n  --> shop.flow.json:{line}:5 node out\n")),
        "{told}"
    );
    let end = "\n1 error in 2 flows\nweir explain STRUCT-001 says more\n";
    assert!(told.ends_with(end), "{told}");
    let json = render::json_all(&[flow, clean]);
    let json = Value::parse(json.as_bytes(), 1 << 20).expect("JSON");
    Schema::new(&render::json_schema())
        .check(&json)
        .expect("the published shape");
    let one = &json
        .get("diagnostics")
        .and_then(Value::as_array)
        .expect("a list")[0];
    assert_eq!(
        one.get("file").and_then(Value::as_str),
        Some("flows/shop.flow.json")
    );
    assert_eq!(
        one.get("line").and_then(Value::as_i64),
        i64::try_from(line).ok()
    );
}

#[test]
fn hops_are_sentences() {
    let mut document = read("in: manual -> pay: map(expr=.) -> out: view");
    let edge = document.edges.keys().next().expect("a wire").clone();
    let pay = document.nodes.get_mut("pay").expect("a node");
    std::sync::Arc::make_mut(pay).title = "Pay out".into();
    let port = |node: &str, port: &str| Subject::Port(crate::id::PortRef::new(node, port));
    for (place, note, wanted) in [
        (
            Subject::Node("pay".into()),
            "counts it again",
            "Pay out counts it again",
        ),
        (
            port("pay", "out"),
            "delivers in any order",
            "Pay out delivers in any order",
        ),
        (
            port("pay", "failed"),
            "`/a` is secret",
            "Pay out (failed): `/a` is secret",
        ),
        (
            port("pay", "out"),
            "passes through Pay out",
            "the event passes through Pay out",
        ),
        (
            Subject::Node("out".into()),
            "an older event may win",
            "out: an older event may win",
        ),
        (
            Subject::Edge(edge),
            "carries each event",
            "the wire from in to Pay out carries each event",
        ),
        (
            Subject::Type("order".into()),
            "has no `/id`",
            "the type `order` has no `/id`",
        ),
    ] {
        let step = Step {
            place,
            note: note.to_owned(),
        };
        assert_eq!(step.sentence(&document), wanted);
    }
}

#[test]
fn pages_of_rules_say_the_same_everywhere() {
    for rule in rules() {
        let page = render::Page::of(rule);
        let (text, markdown) = (page.text(), page.markdown());
        let json = Value::parse(page.json().as_bytes(), 1 << 20).expect("JSON");
        let sections = json
            .get("sections")
            .and_then(Value::as_array)
            .expect("a list");
        for section in sections {
            let part = |key: &str| section.get(key).and_then(Value::as_str).expect("a text");
            let title = part("title");
            assert!(
                text.contains(&format!("\n{title}\n\n")),
                "{}: {title}",
                rule.code
            );
            assert!(markdown.contains(&format!("\n## {title}\n\n{}\n", part("markdown"))));
        }
        for wanted in [
            "Why is this bad",
            "When is this fine",
            "Example",
            "Use instead",
            "Near miss",
        ] {
            assert!(text.contains(wanted), "{}: {wanted}", rule.code);
        }
        assert!(
            text.contains("Weir says: "),
            "{} shows what is found",
            rule.code
        );
        assert!(
            render::Family::of(rule.code).is_some(),
            "{} has a family",
            rule.code
        );
    }
    let list = render::list(rules(), None);
    for rule in rules() {
        assert_eq!(list.matches(rule.code).count(), 1, "{}", rule.code);
    }
    let order = render::Family::of("ORDER-001");
    let some = render::list(rules(), order);
    assert!(
        some.contains("ORDER-001") && !some.contains("AUTH"),
        "{some}"
    );
}

#[test]
fn the_published_schema_describes_reports() {
    let report = full_report(&read(FULL));
    let text = render::json(&report);
    let value = Value::parse(text.as_bytes(), 1 << 20).expect("JSON");
    let schema = render::json_schema();
    Schema::new(&schema)
        .check(&value)
        .expect("the report has the published shape");
    let unchecked = value.get("unchecked").and_then(Value::as_array);
    assert_eq!(unchecked.map(<[Value]>::len), Some(10));
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
