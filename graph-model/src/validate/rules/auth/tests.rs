//! Flows with and without the hazards of access, a line each, and what their fixes do.

use std::collections::BTreeSet;

use crate::catalog::Catalog;
use crate::document::Document;
use crate::validate::{Report, Severity, notation, validate};

/// Steps in which applying first fixes has to end.
const FIXES_MAX: usize = 4;

/// Claims of patients, and pay of employees.
const HEAD: &str = r#"
    role finance
    role adjusters
    role support
    role patients external
    role partners external
    principal ana(patients): patient_id=p-1
    principal vera(adjusters)
    principal acme(partners)
    type claim(id=/id, subject=/patient_id): id string {org | subject:/patient_id}, patient_id string {org | subject:/patient_id}, amount number {role:finance | role:adjusters | subject:/patient_id}, diagnosis string {role:adjusters | subject:/patient_id}
    type pay(subject=/employee): employee string {org}, team string {org}, salary number {role:finance}
    release totals: pay/salary aggregate 5
    in: manual(event_type=claim)
    paid: manual(event_type=pay)
"#;

fn read(flow: &str) -> Document {
    let text = format!("{HEAD}{flow}");
    notation::read(&text).unwrap_or_else(|error| panic!("{error}\n{flow}"))
}

fn check(document: &Document) -> Report {
    validate(document, Catalog::bundled())
}

/// Codes in the order of the report, with a `+` for each that follows.
fn codes(report: &Report) -> String {
    let codes: Vec<&str> = report.diagnostics.iter().map(|found| found.code).collect();
    codes.join(" ")
}

fn errors(report: &Report) -> BTreeSet<String> {
    let errors = report.diagnostics.iter();
    errors
        .filter(|found| found.severity == Severity::Error)
        .map(|found| found.id.to_string())
        .collect()
}

/// Each flow has just these hazards; each fix ends its own and brings no error, and first fixes lead
/// to silence.
fn all(cases: &[(&str, &str)]) {
    for (flow, wanted) in cases {
        let document = read(flow);
        let report = check(&document);
        assert_eq!(codes(&report), *wanted, "{flow}");
        for found in &report.diagnostics {
            for fix in &found.fixes {
                let mut fixed = document.clone();
                let back = fix.transaction.clone().apply(&mut fixed);
                let left = check(&fixed);
                let same = left.diagnostics.iter().any(|left| left.id == found.id);
                assert!(!same, "{flow}\n`{}` leaves {}", fix.title, found.id);
                let new = &errors(&left) - &errors(&report);
                assert!(new.is_empty(), "{flow}\n`{}` brings {new:?}", fix.title);
                back.apply(&mut fixed);
                assert_eq!(fixed, document, "{flow}\n`{}` can be undone", fix.title);
            }
        }
        let mut fixed = document;
        let mut steps = Vec::new();
        for _ in 0..FIXES_MAX {
            let report = check(&fixed);
            let Some(found) = report.diagnostics.first() else {
                break;
            };
            let fix = found.fixes.first();
            let fix = fix.unwrap_or_else(|| panic!("{flow}\n{} can be mended", found.id));
            steps.push(fix.title.clone());
            fix.transaction.clone().apply(&mut fixed);
        }
        assert_eq!(codes(&check(&fixed)), "", "{flow}\n{steps:?}");
    }
}

#[test]
fn fields_are_shown_to_those_who_may_read_them() {
    all(&[
        // A copy under another name, something computed, a condition around something.
        (
            "in -> a: map(expr={x: .diagnosis}) -> out: view @finance",
            "AUTH-001",
        ),
        (
            "in -> a: map(expr={x: (.diagnosis | length)}) -> out: view @finance",
            "AUTH-001",
        ),
        (
            "in -> a: map(expr={x: (if .diagnosis == \"c\" then 1 else 2 end)}) -> out: view @finance",
            "AUTH-001",
        ),
        (
            "in -> a: split(expr=[.diagnosis]) -> out: view @finance",
            "AUTH-001",
        ),
        (
            "in -> out: table(table=t, columns={\"d\": \".diagnosis\"}) @finance",
            "AUTH-001",
        ),
        (
            "in -> out: table(table=t, key=.diagnosis, columns={\"d\": \".amount\"}) @finance",
            "AUTH-001",
        ),
        ("in -> out: view @finance,adjusters", "AUTH-001"),
        (
            "in -> out: effect(action=mail, key=.id) @partners",
            "AUTH-001",
        ),
        (
            "in -> a: function(component=f.wasm) -> out: view @finance",
            "AUTH-001",
        ),
        (
            "in -> a: map(expr={n: 1, d: .diagnosis}) -> b: merge -> out: view @finance\nin -> c: map(expr={n: 1}) -> b",
            "AUTH-001",
        ),
        (
            "in -> a: aggregate(group=.id, aggregates=[{\"name\": \"d\", \"function\": \"last\", \"of\": \".diagnosis\"}]) -> out: view @finance",
            "AUTH-001",
        ),
        ("paid -> out: view", "AUTH-001"),
        // Gone, never there, or shown to others.
        (
            "in -> a: map(expr=del(.diagnosis)) -> out: view @finance",
            "",
        ),
        (
            "in -> a: map(expr=.diagnosis = null) -> out: view @finance",
            "",
        ),
        (
            "in -> a: redact(fields=[\"/diagnosis\"], how=mask) -> out: view @finance",
            "",
        ),
        (
            "in -> out: table(table=t, columns={\"a\": \".amount\"}) @finance",
            "",
        ),
        ("in -> out: view @adjusters", ""),
        (
            "in -> out: http_out(url=\"https://example.org\", body={amount}, key=.id) @finance",
            "",
        ),
        (
            "in -> a: function(component=f.wasm) ^reads=[\"/amount\"] -> out: view @finance",
            "",
        ),
        (
            "in -> a: map(expr={x: .id}) -> b: queue -> c: map(expr={y: .x}) -> out: view",
            "",
        ),
    ]);
}

#[test]
fn one_redaction_serves_all_who_may_not_see() {
    let document = read(
        "in -> all: topic -> a: map(expr={id, diagnosis}) -> desk: view @adjusters\n\
         all -> b: merge -> c: view @finance\n\
         b -> d: view @support\n\
         b -> e: table(table=t) @finance",
    );
    let report = check(&document);
    let titles: BTreeSet<&str> = report
        .diagnostics
        .iter()
        .map(|found| found.fixes[0].title.as_str())
        .collect();
    assert_eq!(codes(&report), "AUTH-001 AUTH-001 AUTH-001");
    let wanted = [
        "Redact `/amount` and `/diagnosis` before d",
        "Redact `/diagnosis` before b",
    ];
    assert_eq!(titles, wanted.into());
}

#[test]
fn owners_are_compared_with_viewers() {
    all(&[
        ("in -> out: view @patients", "AUTH-002"),
        (
            "in -> a: map(expr={who: .patient_id, amount}) -> out: view @patients",
            "AUTH-002",
        ),
        (
            "in -> a: queue -> b: map(expr=.) -> out: view @patients[patient_id = /id]",
            "AUTH-002",
        ),
        (
            "in -> a: guard(field=/id, claim=patient_id) -> out: view @patients",
            "AUTH-002",
        ),
        (
            "in -> a: guard(field=/patient_id, claim=patient_id) -> b: merge -> out: view @patients\nin -> b",
            "AUTH-002",
        ),
        (
            "in -> a: aggregate(group=.patient_id, aggregates=[{\"name\": \"sum\", \"function\": \"sum\", \"of\": \".amount\"}]) -> out: view @patients",
            "AUTH-002",
        ),
        ("in -> out: export(file=o.jsonl) @patients", "AUTH-002"),
        // Compared in front, behind a rename, or on the rows; of several streams; in parts of a key.
        (
            "in -> a: guard(field=/patient_id, claim=patient_id) -> out: view @patients",
            "",
        ),
        (
            "in -> a: guard(field=/patient_id, claim=patient_id) -> b: map(expr={amount}) -> out: view @patients",
            "",
        ),
        (
            "in -> a: map(expr={who: .patient_id, amount}) -> b: guard(field=/who, claim=patient_id) -> out: view @patients",
            "",
        ),
        ("in -> out: view @patients[patient_id = /patient_id]", ""),
        (
            "in -> b: merge -> out: view @patients[patient_id = /patient_id]\nin2: manual(event_type=claim) -> b",
            "",
        ),
        (
            "in -> b: merge -> g: guard(field=/patient_id, claim=patient_id) -> out: view @patients\nin2: manual(event_type=claim) -> b",
            "",
        ),
        (
            "in -> g: guard(field=/patient_id, claim=patient_id) -> b: merge -> out: view @patients\nin2: manual(event_type=claim) -> h: guard(field=/patient_id, claim=patient_id) -> b",
            "",
        ),
        (
            "in -> g: guard(field=/patient_id, claim=patient_id) -> a: map(expr={amount}) -> b: merge -> out: view @patients\nfree: manual -> b",
            "",
        ),
        (
            "in -> a: aggregate(group=[.patient_id, .id], aggregates=[{\"name\": \"sum\", \"function\": \"sum\", \"of\": \".amount\"}]) -> out: view @patients[patient_id = /key/0]",
            "",
        ),
        (
            "in -> a: aggregate(group={who: .patient_id, what: .id}, aggregates=[{\"name\": \"sum\", \"function\": \"sum\", \"of\": \".amount\"}]) -> out: view @patients[patient_id = /key/who]",
            "",
        ),
        (
            "in -> b: merge -> c: map(expr={who: .patient_id, amount}) -> d: merge -> out: view @patients[patient_id = /who]\nin2: manual(event_type=claim) -> b\nin3: manual(event_type=claim) -> e: map(expr={who: .patient_id, amount}) -> d",
            "",
        ),
    ]);
}

#[test]
fn owners_are_not_lost() {
    all(&[
        (
            "in -> a: map(expr={amount}) -> out: view @patients",
            "AUTH-003",
        ),
        (
            "in -> a: map(expr=del(.patient_id)) -> b: queue -> out: view @patients[patient_id = /patient_id]",
            "AUTH-003",
        ),
        (
            "in -> a: map(expr=.patient_id = \"x\") -> g: guard(field=/patient_id, claim=patient_id) -> out: view @patients",
            "AUTH-003",
        ),
        (
            "in -> a: redact(fields=[\"/patient_id\", \"/diagnosis\"]) -> out: view @patients",
            "AUTH-003",
        ),
        (
            "in -> a: split(expr=[.amount, .amount]) -> out: view @patients",
            "AUTH-003",
        ),
        (
            "in -> a: split(expr=[{amount}]) -> out: view @patients",
            "AUTH-003",
        ),
        (
            "in -> a: aggregate(group=.id, aggregates=[{\"name\": \"sum\", \"function\": \"sum\", \"of\": \".amount\"}]) -> b: map(expr={sum}) -> out: view @patients",
            "AUTH-003",
        ),
        (
            "in -> a: aggregate(aggregates=[{\"name\": \"sum\", \"function\": \"sum\", \"of\": \".amount\"}]) -> out: view @patients",
            "AUTH-003",
        ),
        (
            "in -> a: map(expr={amount}) -> b: map(expr={sum: .amount}) -> out: view @patients",
            "AUTH-003",
        ),
        (
            "in -> a: function(component=f.wasm, output_type=claim) -> out: view @patients[patient_id = /patient_id]",
            "AUTH-003",
        ),
        (
            "in -> a: map(expr={who: .patient_id, amount}) -> out: view @patients[patient_id = /patient_id]\nin -> out",
            "AUTH-003",
        ),
        // Renamed, moved, or never needed.
        (
            "in -> a: map(expr={deep: {who: .patient_id}, amount}) -> out: view @patients[patient_id = /deep/who]",
            "",
        ),
        (
            "in -> a: split(expr=[{amount, patient_id}]) -> out: view @patients[patient_id = /patient_id]",
            "",
        ),
        ("in -> a: map(expr={amount}) -> out: view @finance", ""),
        (
            "in -> a: redact(fields=[\"/diagnosis\"]) -> out: view @patients[patient_id = /patient_id]",
            "",
        ),
        (
            "in -> a: map(expr=.note = 1) -> out: view @patients[patient_id = /patient_id]",
            "",
        ),
    ]);
}

#[test]
fn the_step_that_loses_an_owner_is_named() {
    let document = read(
        "in -> keep: map(expr={who: .patient_id, amount}) -> lane: queue -> drop: map(expr={amount}) -> out: view @patients",
    );
    let found = &check(&document).diagnostics[0];
    assert_eq!(found.subject.text(), "drop");
    let notes: Vec<&str> = found.path.iter().map(|step| step.note.as_str()).collect();
    let wanted = [
        "`/amount` of claim is for role:adjusters | role:finance | subject:/patient_id",
        "passes through keep",
        "passes through lane",
        "leaves out the owner (`/patient_id`)",
        "shows it to patients, and nothing says whose it is",
    ];
    assert_eq!(notes, wanted);
    assert_eq!(
        found.fixes[0].title,
        "Carry the owner through drop and compare `/who` at out"
    );
}

#[test]
fn copies_beside_the_way_are_as_safe_as_the_way() {
    all(&[
        (
            "in -> lane: topic %dead_letter=support -> out: view @adjusters",
            "AUTH-009",
        ),
        (
            "in -> lane: topic %trace=support -> out: view @adjusters",
            "AUTH-009",
        ),
        (
            "in -> lane: queue -> out: view @adjusters %log=support",
            "AUTH-009",
        ),
        (
            "in -> lane: queue %replay=finance -> out: view @adjusters",
            "AUTH-009",
        ),
        (
            "in -> a: map(expr={d: .diagnosis}) -> out: view @adjusters\na.failed -> dead: dead_letter @support",
            "AUTH-009",
        ),
        (
            "in -> out: table(table=t, columns={\"a\": \".amount\"}) @finance\nout.failed -> dead: dead_letter @finance",
            "AUTH-009",
        ),
        (
            "in -> lane: queue -> out: view @adjusters\nlane.failed -> dead: dead_letter",
            "AUTH-009",
        ),
        (
            "in -> lane: queue -> out: view @adjusters\nlane.failed -> dead: dead_letter @adjusters,patients",
            "AUTH-009",
        ),
        (
            "in -> lane: queue %dead_letter=support -> out: view @adjusters\nlane.failed -> a: redact(fields=[\"/diagnosis\", \"/amount\"]) -> dead: dead_letter @support",
            "",
        ),
        (
            "in -> a: redact(fields=[\"/diagnosis\", \"/amount\"]) -> lane: topic %dead_letter=support %trace=support -> out: view @support",
            "",
        ),
        (
            "in -> lane: queue %log=adjusters %replay=adjusters -> out: view @adjusters",
            "",
        ),
        (
            "in -> lane: queue %operators=support -> out: view @adjusters\nlane.failed -> dead: dead_letter @adjusters",
            "",
        ),
    ]);
}

#[test]
fn stores_are_not_opened_wider_than_what_they_hold() {
    all(&[
        (
            "in -> lane: log %readers=finance -> out: view @adjusters",
            "AUTH-004",
        ),
        (
            "in -> lane: topic @finance -> out: view @adjusters",
            "AUTH-004",
        ),
        (
            "in -> t: table(table=t) @adjusters %readers=support",
            "AUTH-004",
        ),
        (
            "in -> lane: queue %readers=patients -> out: view @adjusters",
            "AUTH-004",
        ),
        (
            "in -> lane: log %readers=adjusters -> out: view @adjusters",
            "",
        ),
        (
            "in -> lane: queue %readers=patients[patient_id = /patient_id] -> out: view @adjusters",
            "",
        ),
        (
            "in -> a: redact(fields=[\"/diagnosis\"]) -> lane: log %readers=finance -> out: view @finance",
            "",
        ),
    ]);
}

#[test]
fn ways_do_not_tell_secrets() {
    all(&[
        (
            "paid -> a: filter(when=.salary > 100) -> b: map(expr={team}) -> out: view",
            "AUTH-005",
        ),
        (
            "paid -> a: filter(when=.salary > 100)\na.dropped -> b: map(expr={team}) -> out: view",
            "AUTH-005",
        ),
        (
            "paid -> a: route(routes={\"a\": \".salary > 100\", \"b\": \".team == 1\"})\na.b -> b: map(expr={team}) -> out: view",
            "AUTH-005",
        ),
        (
            "paid -> a: route(routes={\"a\": \".salary > 100\"})\na.otherwise -> b: map(expr={team}) -> out: view @support",
            "AUTH-005",
        ),
        (
            "paid -> a: filter(when=.salary > 100) -> b: redact(fields=[\"/salary\"]) -> c: queue -> out: export(file=o.jsonl) @support",
            "AUTH-005",
        ),
        (
            "paid -> a: filter(when=.salary > 100) -> b: aggregate(group=.team, aggregates=[{\"name\": \"n\", \"function\": \"count\"}]) -> out: view @support",
            "AUTH-005",
        ),
        (
            "paid -> a: filter(when=.salary > 100) -> b: map(expr={team}) -> lane: topic @support -> out: view @finance",
            "AUTH-005",
        ),
        // The payload tells it too; the choice is by what may be known, or is made later.
        (
            "paid -> a: filter(when=.salary > 100) -> out: view @support",
            "AUTH-001",
        ),
        (
            "paid -> a: filter(when=.team == 1) -> b: map(expr={team}) -> out: view @support",
            "",
        ),
        (
            "paid -> a: filter(when=.salary > 100) -> b: map(expr={team}) -> out: view @finance",
            "",
        ),
        (
            "paid -> a: map(expr={team}) -> out: view @support\npaid -> b: filter(when=.salary > 100) -> top: view @finance",
            "",
        ),
        (
            "paid -> a: route(routes={\"a\": \".team == 1\", \"b\": \".salary > 100\"})\na.a -> b: map(expr={team}) -> out: view @support",
            "",
        ),
        (
            "in -> a: filter(when=.amount > 3) -> g: guard(field=/patient_id, claim=patient_id) -> b: map(expr={id}) -> out: view @patients",
            "",
        ),
    ]);
}

#[test]
fn numbers_are_over_enough_people() {
    const SUM: &str = "{\"name\": \"sum\", \"function\": \"sum\", \"of\": \".salary\"}";
    const PEOPLE: &str =
        "{\"name\": \"n\", \"function\": \"count_distinct\", \"of\": \".employee\"}";
    const EVENTS: &str = "{\"name\": \"n\", \"function\": \"count\"}";
    let sums = |group: &str, more: &str, then: &str| {
        let more = if more.is_empty() {
            String::new()
        } else {
            format!(", {more}")
        };
        format!("paid -> a: aggregate({group}aggregates=[{SUM}{more}]) -> {then}")
    };
    let cases = [
        (sums("group=.team, ", "", "out: view @support"), "AUTH-006"),
        (sums("", "", "out: view @partners"), "AUTH-006"),
        (
            sums(
                "group=.team, ",
                PEOPLE,
                "b: filter(when=.n >= 4) -> out: view @support",
            ),
            "AUTH-006",
        ),
        (
            sums(
                "group=.team, ",
                EVENTS,
                "b: filter(when=.n >= 5) -> out: view @support",
            ),
            "AUTH-006",
        ),
        (
            sums(
                "group=.team, ",
                PEOPLE,
                "b: filter(when=.n >= 5) -> c: merge -> out: view @support\na -> c",
            ),
            "AUTH-006",
        ),
        (
            sums("group=.employee, ", "", "out: view @support"),
            "AUTH-006",
        ),
        (
            sums(
                "group=.team, ",
                PEOPLE,
                "b: filter(when=.sum >= 5) -> out: view @support",
            ),
            "AUTH-006",
        ),
        (
            sums(
                "group=.team, ",
                "",
                "lane: log(key=.key) %readers=support -> out: view @finance",
            ),
            "AUTH-006",
        ),
        (
            sums(
                "group=.team, ",
                PEOPLE,
                "b: filter(when=.n >= 5) -> out: view @support",
            ),
            "",
        ),
        (
            sums(
                "group=.team, ",
                PEOPLE,
                "b: filter(when=5 <= .n and .key != \"x\") -> c: map(expr={sum}) -> out: view @support",
            ),
            "",
        ),
        (
            sums(
                "group=.team, ",
                PEOPLE,
                "b: map(expr={total: .sum, people: .n}) -> c: filter(when=.people > 9) -> out: view @support",
            ),
            "",
        ),
        (
            sums(
                "group=.team, ",
                PEOPLE,
                "b: route(routes={\"big\": \".n >= 5\"})\nb.big -> out: view @support",
            ),
            "",
        ),
        (
            sums(
                "group=.team, ",
                PEOPLE,
                "b: map(expr=select(.n >= 5) | {sum}) -> out: view @support",
            ),
            "",
        ),
        (sums("group=.team, ", "", "out: view @finance"), ""),
    ];
    let cases: Vec<(&str, &str)> = cases
        .iter()
        .map(|(flow, codes)| (&**flow, *codes))
        .collect();
    all(&cases);
}

#[test]
fn redactions_are_not_passed_by() {
    all(&[
        (
            "in -> a: redact(fields=[\"/diagnosis\"]) -> out: view @finance\nin -> out",
            "AUTH-013",
        ),
        (
            "in -> lane: queue -> a: redact(fields=[\"/diagnosis\"]) -> out: view @finance\nlane -> b: map(expr={why: .diagnosis}) -> other: view @finance",
            "AUTH-013",
        ),
        (
            "in -> a: redact(fields=[\"/diagnosis\"], how=hash, secret=KEY) -> out: view @finance",
            "AUTH-013",
        ),
        (
            "in -> a: redact(fields=[\"/diagnosis\"], how=hash, secret=KEY) -> b: map(expr={d: .diagnosis}) -> out: view @finance",
            "AUTH-013",
        ),
        // Nobody hid it from these people.
        (
            "in -> lane: queue -> a: redact(fields=[\"/diagnosis\", \"/amount\"]) -> out: view @support\nlane -> other: view @finance",
            "AUTH-001",
        ),
        (
            "in -> a: redact(fields=[\"/diagnosis\"], how=hash, secret=KEY) -> out: view @adjusters",
            "",
        ),
        (
            "in -> lane: queue -> a: redact(fields=[\"/diagnosis\"]) -> out: view @finance\nlane -> b: redact(fields=[\"/diagnosis\"]) -> other: view @finance",
            "",
        ),
    ]);
}
