//! Flows with the hazards that they have, after folding.

use crate::catalog::Catalog;
use crate::document::Document;
use crate::validate::{Diagnostic, Fix, Report, Severity, notation, validate};

/// Checks flows, a case a row, and that their fixes end their hazards.
pub(in crate::validate::rules) fn check(cases: &[(&str, &[&str])]) {
    let mut wrong = Vec::new();
    for (flow, wanted) in cases {
        let document = notation::read(flow).unwrap_or_else(|error| panic!("{error}\n{flow}"));
        let report = validate(&document, Catalog::bundled());
        if codes(&report) != *wanted {
            let said: Vec<&str> = (report.diagnostics.iter())
                .map(|found| found.message.as_str())
                .collect();
            wrong.push(format!(
                "wanted {wanted:?}, found {:?}: {said:#?}\n{flow}",
                codes(&report)
            ));
        }
        for found in &report.diagnostics {
            for fix in &found.fixes {
                wrong.extend(
                    trouble(&document, &report, found, fix)
                        .map(|trouble| format!("{}: `{}` {trouble}\n{flow}", found.id, fix.title)),
                );
            }
        }
        wrong.extend(unmended(document).map(|left| format!("first fixes leave {left:?}\n{flow}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn codes(report: &Report) -> Vec<&'static str> {
    report.diagnostics.iter().map(|found| found.code).collect()
}

/// What is wrong with a fix.
fn trouble(before: &Document, report: &Report, found: &Diagnostic, fix: &Fix) -> Option<String> {
    let mut document = before.clone();
    let inverse = fix.transaction.clone().apply(&mut document);
    let after = validate(&document, Catalog::bundled());
    if after.diagnostics.iter().any(|left| left.id == found.id) {
        return Some("does not end it".into());
    }
    let known = |code: &str| {
        let listed = |other: &Diagnostic| {
            let follows = other.consequences.iter().map(|other| other.code);
            follows.chain([other.code]).any(|other| other == code)
        };
        report.diagnostics.iter().any(listed)
    };
    let new = |left: &&Diagnostic| left.severity == Severity::Error && !known(left.code);
    if let Some(new) = after.diagnostics.iter().find(new) {
        return Some(format!("brings {}: {}", new.code, new.message));
    }
    inverse.apply(&mut document);
    (document != *before).then(|| "cannot be undone".into())
}

/// What is left when first fixes were applied, as far as there are any.
fn unmended(mut document: Document) -> Option<Vec<&'static str>> {
    for _ in 0..4 {
        let report = validate(&document, Catalog::bundled());
        let found = report.diagnostics.first()?;
        let Some(fix) = found.fixes.first() else {
            return None;
        };
        fix.transaction.clone().apply(&mut document);
    }
    let report = validate(&document, Catalog::bundled());
    (!report.diagnostics.is_empty()).then(|| codes(&report))
}

const MAX: &str = r#"aggregates=[{"name": "top", "function": "max", "of": ".total"}]"#;

/// Puts the function `max` where a flow says `MAX`.
fn expand(cases: &[(&str, &'static [&'static str])]) {
    let cases: Vec<(String, &[&str])> = (cases.iter())
        .map(|(flow, codes)| (flow.replace("MAX", MAX), *codes))
        .collect();
    let cases: Vec<(&str, &[&str])> = (cases.iter())
        .map(|(flow, codes)| (flow.as_str(), *codes))
        .collect();
    check(&cases);
}

#[test]
fn groups_stay_in_one_place() {
    expand(&[
        // Placed by something that the group does not decide.
        (
            "in: manual -> lane: log(key=.order, partitions=2) -> sum: aggregate(group=.customer, MAX) -> out: view",
            &["PART-001"],
        ),
        (
            "in: manual -> lane: log(key=.order, partitions=2) -> same: map -> f: filter(when=.a) -> sum: aggregate(group=.customer, MAX) -> out: view",
            &["PART-001"],
        ),
        (
            "in: manual -> lane: log(key=.customer, partitions=2) -> m: map(expr={customer: .order, total}) -> sum: aggregate(group=.customer, MAX) -> out: view",
            &["PART-001"],
        ),
        (
            "in: manual -> lane: queue(concurrency=3) -> once: dedupe -> sum: aggregate(group=.customer, MAX) -> out: view",
            &["PART-001"],
        ),
        (
            "in: manual -> lane: log(key=.customer, partitions=2) -> sum: aggregate(MAX) -> out: view",
            &["PART-001"],
        ),
        (
            "in: manual -> lane: log(key=[.customer, .order], partitions=2) -> sum: aggregate(group=.customer, MAX) -> out: view",
            &["PART-001"],
        ),
        (
            "in: manual -> lane: log(key=(.email | ascii_downcase), partitions=2) -> sum: aggregate(group=.customer, MAX) -> out: view",
            &["PART-001"],
        ),
        (
            "in: manual -> lane: log(key=.order, partitions=2) -> g: version_guard(key=.customer, version=.v) -> out: view",
            &["PART-001"],
        ),
        (
            "in: manual -> lane: log(key=.order, partitions=2) -> d: decide(group=.customer) -> out: view",
            &["PART-001"],
        ),
        // One cause is one finding.
        (
            "in: manual -> lane: log(key=.order, partitions=2) -> sum: aggregate(group=.customer, MAX) -> again: aggregate(group=.key, aggregates=[{\"name\": \"n\", \"function\": \"max\", \"of\": \".top\"}]) -> out: view",
            &["PART-001"],
        ),
        // Placed by what the group decides.
        (
            "in: manual -> lane: log(key=.customer, partitions=2) -> sum: aggregate(group=.customer, MAX) -> out: view",
            &[],
        ),
        (
            "in: manual -> lane: log(key=.customer, partitions=2) -> m: map(expr={c: .customer, total}) -> sum: aggregate(group=.c, MAX) -> out: view",
            &[],
        ),
        (
            "in: manual -> lane: log(key=.customer, partitions=2) -> sum: aggregate(group=[.customer, .day], MAX) -> out: view",
            &[],
        ),
        (
            "in: manual -> lane: log(key=(.email | ascii_downcase), partitions=2) -> sum: aggregate(group=.email, MAX) -> out: view",
            &[],
        ),
        (
            "in: manual -> lane: log(key=.order, partitions=1) -> sum: aggregate(group=.customer, MAX) -> out: view",
            &[],
        ),
        (
            "in: manual -> lane: log(key=.order, partitions=2) -> one: repartition(key=.customer, partitions=3) -> sum: aggregate(group=.customer, MAX) -> out: view",
            &[],
        ),
        (
            "in: manual -> lane: log(key=.order, partitions=2) -> t: topic -> once: dedupe -> sum: aggregate(group=.customer, MAX) -> out: view",
            &[],
        ),
        (
            "type order(depends=/customer>/tenant): customer string, tenant string, total number\nin: manual(event_type=order) -> lane: log(key=.tenant, partitions=2) -> sum: aggregate(group=.customer, MAX) -> out: view",
            &[],
        ),
        (
            "in: manual -> lane: log(key=.order, partitions=2) -> sum: aggregate(group=.customer, MAX) !PART-001 -> out: view",
            &[],
        ),
    ]);
}

#[test]
fn streams_that_meet_are_placed_alike() {
    expand(&[
        // In front of a group.
        (
            "a: manual -> la: log(key=.order, partitions=4) -> both: merge -> sum: aggregate(group=.order, MAX) -> out: view\nb: manual -> lb: log(key=.order, partitions=8) -> both",
            &["PART-002"],
        ),
        (
            "a: manual -> la: log(key=.order, partitions=4) -> both: merge -> sum: aggregate(group=.order, MAX) -> out: view\nb: manual -> both",
            &["PART-002"],
        ),
        (
            "a: manual -> la: log(key=.order, partitions=4) -> both: merge -> sum: aggregate(group=.order, MAX) -> out: view\nb: manual -> lb: log(key=.customer, partitions=4) -> both",
            &["PART-002"],
        ),
        (
            "a: manual -> la: log(key=.order, partitions=4) -> both: merge -> sum: aggregate(group=.order, MAX) -> out: view\nb: manual -> lb: log(key=[.order], partitions=4) -> both",
            &["PART-002"],
        ),
        (
            "a: manual -> la: log(key=[.order, .customer], partitions=4) -> both: merge -> sum: aggregate(group=[.order, .customer], MAX) -> out: view\nb: manual -> lb: log(key=[.customer, .order], partitions=4) -> both",
            &["PART-002"],
        ),
        (
            "a: manual -> la: log(key=.order, partitions=4) -> both: merge -> sum: aggregate(group=.order, MAX) -> out: view\nb: manual -> lb: log(key=.order, partitions=4) -> both",
            &[],
        ),
        (
            "a: manual -> la: log(key=(.order | ascii_upcase), partitions=4) -> both: merge -> sum: aggregate(group=(.order | ascii_upcase), MAX) -> out: view\nb: manual -> lb: log(key=(.order | ascii_upcase), partitions=4) -> both",
            &[],
        ),
        (
            "a: manual -> la: log(key=.o, partitions=4) -> ma: map(expr={order: .o, total}) -> both: merge -> sum: aggregate(group=.order, MAX) -> out: view\nb: manual -> lb: log(key=.id, partitions=4) -> mb: map(expr={order: .id, total}) -> both",
            &[],
        ),
        (
            "a: manual -> both: merge -> sum: aggregate(group=.order, MAX) -> out: view\nb: manual -> both",
            &[],
        ),
        // In front of a join.
        (
            "a: manual -> la: log(key=.order, partitions=4) -> j: join(left_key=.order, right_key=.order) -> out: view\nb: manual -> lb: log(key=.order, partitions=8) -> .right j",
            &["PART-002"],
        ),
        (
            "a: manual -> la: log(key=.order, partitions=4) -> j: join(left_key=.order, right_key=.order) -> out: view\nb: manual -> .right j",
            &["PART-002"],
        ),
        (
            "a: manual -> la: log(key=.order, partitions=4) -> j: join(left_key=.order, right_key=.order) -> out: view\nb: manual -> lb: log(key=.parcel, partitions=4) -> .right j",
            &["PART-002"],
        ),
        (
            "a: manual -> la: log(key=.order, partitions=4) -> j: join(left_key=.order, right_key=.order) -> out: view\nb: manual -> lb: log(key=(.order | tostring), partitions=4) -> .right j",
            &["PART-002"],
        ),
        (
            "a: manual -> la: log(key=[.t, .u], partitions=4) -> j: join(left_key=[.t, .u], right_key=[.t, .u]) -> out: view\nb: manual -> lb: log(key=[.u, .t], partitions=4) -> .right j",
            &["PART-002"],
        ),
        (
            "a: manual -> la: log(key=.t, partitions=4) -> j: join(left_key=[.t, .u], right_key=[.t, .u]) -> out: view\nb: manual -> lb: log(key=.u, partitions=4) -> .right j",
            &["PART-002"],
        ),
        (
            "a: manual -> qa: queue(concurrency=2) -> j: join(left_key=.order, right_key=.order) -> out: view\nb: manual -> qb: queue(concurrency=2) -> .right j",
            &["PART-002"],
        ),
        (
            "in: manual -> la: log(key=.customer, partitions=4) -> j: join(left_key=.order, right_key=.order) -> out: view\nla -> .right j",
            &["PART-002"],
        ),
        (
            "type a: id string\ntype b: id integer\na: manual(event_type=a) -> j: join(left_key=.id, right_key=.id) -> out: view\nb: manual(event_type=b) -> .right j",
            &["PART-002"],
        ),
        (
            "a: manual -> la: log(key=.order, partitions=4) -> j: join(left_key=.order, right_key=.of) -> out: view\nb: manual -> lb: log(key=.of, partitions=4) -> .right j",
            &[],
        ),
        (
            "a: manual -> la: log(key=.t, partitions=4) -> j: join(left_key=[.t, .u], right_key=[.tenant, .user]) -> out: view\nb: manual -> lb: log(key=.tenant, partitions=4) -> .right j",
            &[],
        ),
        (
            "a: manual -> la: log(key=.o, partitions=4) -> ma: map(expr={order: .o}) -> j: join(left_key=.order, right_key=.order) -> out: view\nb: manual -> rb: repartition(key=.order, partitions=4) -> .right j",
            &[],
        ),
        (
            "a: manual -> j: join(left_key=.order, right_key=.order) -> out: view\nb: manual -> .right j",
            &[],
        ),
        (
            "type a(depends=/order>/customer): order string, customer string\nin: manual(event_type=a) -> la: log(key=.customer, partitions=4) -> j: join(left_key=.order, right_key=.order) -> out: view\nla -> m: map(expr={order, customer}) -> .right j",
            &[],
        ),
        (
            "type a: id string\ntype b: id integer\na: manual(event_type=a) -> j: join(left_key=.id, right_key=(.id | tostring)) -> out: view\nb: manual(event_type=b) -> .right j",
            &[],
        ),
        // Behind a join: its pairs are where its key is.
        (
            "a: manual -> la: log(key=.o, partitions=4) -> j: join(left_key=.o, right_key=.o) -> sum: aggregate(group=.left.o, aggregates=[{\"name\": \"n\", \"function\": \"max\", \"of\": \".left.n\"}]) -> out: view\nb: manual -> .right j",
            &["PART-002"],
        ),
        (
            "a: manual -> la: log(key=.o, partitions=4) -> j: join(left_key=.o, right_key=.o) -> sum: aggregate(group=.left.c, aggregates=[{\"name\": \"n\", \"function\": \"max\", \"of\": \".left.n\"}]) -> out: view\nb: manual -> lb: log(key=.o, partitions=4) -> .right j",
            &["PART-001"],
        ),
        // In front of a lookup, and of a seal.
        (
            "a: manual -> la: log(key=.c, partitions=4) -> e: enrich(key=.c, row_key=.id) -> out: view\nb: manual -> .rows e",
            &["PART-002"],
        ),
        (
            "a: manual -> la: log(key=.c, partitions=4) -> e: enrich(key=.c, row_key=.id) -> out: view\nb: manual -> rb: repartition(key=.id, partitions=4) -> .rows e",
            &[],
        ),
        (
            "a: manual -> e: enrich(key=.c, row_key=.id) -> out: view\nb: manual -> .rows e",
            &[],
        ),
        (
            "a: manual -> la: log(key=.c, partitions=4) -> d: decide(group=.c, claim=fewer_than, wait=seal) -> out: view\nb: manual -> .seal d",
            &["PART-002"],
        ),
        (
            "a: manual -> la: log(key=.c, partitions=4) -> d: decide(group=.c, seal_key=.of, claim=fewer_than, wait=seal) -> out: view\nb: manual -> lb: log(key=.of, partitions=4) -> .seal d",
            &[],
        ),
    ]);
}

const ORDER: &str =
    "type order(id=/id, stands_for=version): id string, shop string, total number, paid boolean\n";

#[test]
fn versions_are_no_facts() {
    let sum = r#"aggregates=[{"name": "n", "function": "sum", "of": ".total"}]"#;
    let count = r#"aggregates=[{"name": "n", "function": "count"}]"#;
    let average = r#"aggregates=[{"name": "n", "function": "average", "of": ".total"}]"#;
    let row = |flow: &str| {
        let flow = flow.replace("SUM", sum).replace("COUNT", count);
        format!("{ORDER}{}", flow.replace("AVERAGE", average))
    };
    let cases: [(String, &'static [&'static str]); 23] = [
        (
            row("in: manual(event_type=order) -> a: aggregate(group=.shop, SUM) -> out: view"),
            &["PART-006"],
        ),
        (
            row("in: manual(event_type=order) -> a: aggregate(group=.shop, COUNT) -> out: view"),
            &["PART-006"],
        ),
        (
            row("in: manual(event_type=order) -> a: aggregate(group=.shop, AVERAGE) -> out: view"),
            &["PART-006"],
        ),
        (
            row("in: manual(event_type=order) -> a: aggregate(SUM) -> out: view"),
            &["PART-006"],
        ),
        (
            row("in: manual(event_type=order) -> a: aggregate(group=.id, SUM) -> out: view"),
            &["PART-006"],
        ),
        (
            row(
                "in: manual(event_type=order) -> a: aggregate(group=.shop, window=time, SUM) -> out: view",
            ),
            &["PART-006"],
        ),
        (
            row(
                "in: manual(event_type=order) -> m: map(expr={k: .id, s: .shop, total}) -> f: filter(when=.total > 3) -> a: aggregate(group=.s, SUM) -> out: view",
            ),
            &["PART-006"],
        ),
        (
            row(
                "in: manual(event_type=order) -> lane: log(key=.shop, partitions=3) -> once: dedupe -> a: aggregate(group=.shop, SUM) -> out: view",
            ),
            &["PART-006"],
        ),
        (
            row(
                "in: manual(event_type=order) -> e: enrich(key=.shop, row_key=.id) -> a: aggregate(group=.row.region, SUM) -> out: view\nrows: manual -> .rows e",
            ),
            &["PART-006"],
        ),
        (
            row(
                "a: manual(event_type=order) -> both: merge -> s: aggregate(group=.shop, SUM) -> out: view\nb: manual(event_type=order) -> both",
            ),
            &["PART-006"],
        ),
        (
            row(
                "a: manual(event_type=order) -> both: merge -> s: aggregate(group=.shop, SUM) -> out: view\nb: manual -> both",
            ),
            &["PART-006"],
        ),
        (
            row(
                "a: manual(event_type=order) -> j: join(left_key=.id, right_key=.of, unique=both) -> s: aggregate(group=.left.shop, aggregates=[{\"name\": \"n\", \"function\": \"sum\", \"of\": \".left.total\"}]) -> out: view\nb: manual -> .right j",
            ),
            &["PART-006"],
        ),
        (
            row(
                "in: manual -> a: aggregate(group=[.shop, .day], SUM) -> b: aggregate(group=.key[0], aggregates=[{\"name\": \"all\", \"function\": \"sum\", \"of\": \".n\"}]) -> out: view",
            ),
            &["PART-006"],
        ),
        (
            row(
                "in: manual -> f: fold(group=.id, step=(($state // 0) + .total)) -> b: aggregate(aggregates=[{\"name\": \"all\", \"function\": \"sum\", \"of\": \".state\"}]) -> out: view",
            ),
            &["PART-006"],
        ),
        (
            row(
                "type stock(stands_for=snapshot): shop string, total number\nin: manual(event_type=stock) -> a: aggregate(group=.shop, SUM) -> out: view",
            ),
            &["PART-006"],
        ),
        // Facts, history of a thing, the first version of each, safe functions, final results.
        (
            row("in: manual -> a: aggregate(group=.shop, SUM) -> out: view"),
            &[],
        ),
        (
            row("in: manual(event_type=order) -> a: aggregate(group=.id, COUNT) -> out: view"),
            &[],
        ),
        (
            row(
                "in: manual(event_type=order) -> a: aggregate(group=[.shop, .id], AVERAGE) -> out: view",
            ),
            &[],
        ),
        (
            row(
                "in: manual(event_type=order) -> first: dedupe(key=.id) -> a: aggregate(group=.shop, SUM) -> out: view",
            ),
            &[],
        ),
        (
            row(
                "in: manual(event_type=order) -> a: aggregate(group=.shop, aggregates=[{\"name\": \"n\", \"function\": \"count_distinct\", \"of\": \".id\"}]) -> out: view",
            ),
            &[],
        ),
        (
            row(
                "in: manual(event_type=order) -> a: aggregate(group=.shop, aggregates=[{\"name\": \"n\", \"function\": \"max\", \"of\": \".total\"}]) -> out: view",
            ),
            &[],
        ),
        (
            row(
                "in: manual -> a: aggregate(group=[.shop, .day], window=time, SUM) -> b: aggregate(group=.key[0], aggregates=[{\"name\": \"all\", \"function\": \"sum\", \"of\": \".n\"}]) -> out: view",
            ),
            &[],
        ),
        (
            row(
                "in: manual -> a: aggregate(group=.shop, SUM) -> big: aggregate(aggregates=[{\"name\": \"most\", \"function\": \"max\", \"of\": \".n\"}]) -> out: view",
            ),
            &[],
        ),
    ];
    let cases: Vec<(&str, &[&str])> = cases
        .iter()
        .map(|(flow, codes)| (flow.as_str(), *codes))
        .collect();
    check(&cases);
}

#[test]
fn results_are_combined_by_what_can_combine_them() {
    let row = |flow: &str| {
        let mut flow = flow.to_owned();
        for (short, function) in [
            ("AVG", "average"),
            ("SUM", "sum"),
            ("COUNT", "count"),
            ("DISTINCT", "count_distinct"),
            ("MAX", "max"),
        ] {
            // `SUM<.total>` makes a column of that name in small letters.
            while let Some(at) = flow.find(&format!("{short}<")) {
                let end = at + flow[at..].find('>').expect("it closes");
                let of = flow[at + short.len() + 1..end].to_owned();
                let column = format!(
                    r#"[{{"name": "{}", "function": "{function}", "of": "{of}"}}]"#,
                    short.to_lowercase()
                );
                flow.replace_range(at..=end, &format!("aggregates={column}"));
            }
        }
        flow
    };
    let cases: [(String, &'static [&'static str]); 24] = [
        (
            row(
                "in: manual -> a: aggregate(group=.shop, window=time, AVG<.total>) -> b: aggregate(group=.key, AVG<.avg>) -> out: view",
            ),
            &["PART-003"],
        ),
        (
            row(
                "in: manual -> a: aggregate(group=.shop, window=time, AVG<.total>) -> b: aggregate(AVG<.avg>) -> out: view",
            ),
            &["PART-003"],
        ),
        (
            row(
                "in: manual -> a: aggregate(group=.shop, window=time, AVG<.total>) -> b: aggregate(SUM<.avg>) -> out: view",
            ),
            &["PART-003"],
        ),
        (
            row(
                "in: manual -> a: aggregate(group=.shop, window=time, DISTINCT<.customer>) -> b: aggregate(SUM<.distinct>) -> out: view",
            ),
            &["PART-003"],
        ),
        (
            row(
                "in: manual -> a: aggregate(group=[.shop, .day], window=time, AVG<.total>) -> b: aggregate(group=.key[0], AVG<.avg>) -> out: view",
            ),
            &["PART-003"],
        ),
        (
            row(
                "in: manual -> a: aggregate(group=.shop, window=time, AVG<.total>) -> m: map(expr={mean: .avg, shop: .key}) -> f: filter(when=.shop != 1) -> b: aggregate(group=.shop, AVG<.mean>) -> out: view",
            ),
            &["PART-003"],
        ),
        (
            row(
                "in: manual -> a: aggregate(group=.shop, window=time, AVG<.total>) -> m: map(expr=.avg = (.avg * 100 | round)) -> b: aggregate(group=.key, AVG<.avg>) -> out: view",
            ),
            &["PART-003"],
        ),
        (
            row(
                "in: manual -> a: aggregate(group=.shop, window=time, AVG<.total>) -> b: aggregate(group=.key, AVG<.avg // 0>) -> out: view",
            ),
            &["PART-003"],
        ),
        (
            row(
                "in: manual -> a: aggregate(group=.shop, window=time, AVG<.total>) -> lane: log(key=.key, partitions=3) -> once: dedupe -> b: aggregate(group=.key, AVG<.avg>) -> out: view",
            ),
            &["PART-003"],
        ),
        (
            row(
                "in: manual -> a: aggregate(group=.shop, window=time, AVG<.total>) -> both: merge -> b: aggregate(group=.key, AVG<.avg>) -> out: view\nother: manual -> c: aggregate(group=.shop, window=time, AVG<.amount>) -> both",
            ),
            &["PART-003"],
        ),
        (
            row(
                "in: manual -> a: aggregate(group=.shop, window=time, AVG<.total>) -> both: merge -> b: aggregate(AVG<.avg>) -> out: view\nother: manual -> both",
            ),
            &["PART-003"],
        ),
        // Results that come anew are another hazard of the same node.
        (
            row(
                "in: manual -> a: aggregate(group=.shop, AVG<.total>) -> b: aggregate(AVG<.avg>) -> out: view",
            ),
            &["PART-003"],
        ),
        (
            row(
                "in: manual -> a: aggregate(group=.shop, window=time, aggregates=[{\"name\": \"s\", \"function\": \"sum\", \"of\": \".total\"}, {\"name\": \"n\", \"function\": \"count\"}]) -> m: map(expr={mean: (.s / .n)}) -> b: aggregate(AVG<.mean>) -> out: view",
            ),
            &["PART-003"],
        ),
        (
            row(
                "in: manual -> a: aggregate(group=.shop, window=time, aggregates=[{\"name\": \"s\", \"function\": \"sum\", \"of\": \".total\"}, {\"name\": \"n\", \"function\": \"count\"}]) -> b: aggregate(AVG<.s / .n>) -> out: view",
            ),
            &["PART-003"],
        ),
        // What can be combined, and what people ask for.
        (
            row(
                "in: manual -> a: aggregate(group=.shop, window=time, SUM<.total>) -> b: aggregate(SUM<.sum>) -> out: view",
            ),
            &[],
        ),
        (
            row(
                "in: manual -> a: aggregate(group=.shop, window=time, COUNT<.total>) -> b: aggregate(SUM<.count>) -> out: view",
            ),
            &[],
        ),
        (
            row(
                "in: manual -> a: aggregate(group=.shop, window=time, MAX<.total>) -> b: aggregate(MAX<.max>) -> out: view",
            ),
            &[],
        ),
        (
            row(
                "in: manual -> a: aggregate(group=.shop, window=time, SUM<.total>) -> b: aggregate(AVG<.sum>) -> out: view",
            ),
            &[],
        ),
        (
            row(
                "in: manual -> a: aggregate(group=.shop, window=time, AVG<.total>) -> b: aggregate(MAX<.avg>) -> out: view",
            ),
            &[],
        ),
        (
            row(
                "in: manual -> a: aggregate(group=.shop, window=time, AVG<.total>) -> b: aggregate(COUNT<.avg>) -> out: view",
            ),
            &[],
        ),
        (
            row(
                "in: manual -> a: aggregate(group=.shop, window=time, DISTINCT<.customer>) -> b: aggregate(AVG<.distinct>) -> out: view",
            ),
            &[],
        ),
        (
            row(
                "type sale(id=/id): id string, shop string\nin: manual(event_type=sale) -> a: aggregate(group=.shop, window=time, DISTINCT<.id>) -> b: aggregate(SUM<.distinct>) -> out: view",
            ),
            &[],
        ),
        (
            row(
                "in: manual -> a: aggregate(group=.shop, window=time, AVG<.total>) -> m: map(expr={avg: .key, n: .avg}) -> b: aggregate(AVG<.avg>) -> out: view",
            ),
            &[],
        ),
        (
            row(
                "in: manual -> a: aggregate(group=.shop, window=time, AVG<.total>) -> m: map(expr={high: (if .avg > 3 then 1 else 0 end)}) -> b: aggregate(AVG<.high>) -> out: view",
            ),
            &[],
        ),
    ];
    let cases: Vec<(&str, &[&str])> = cases
        .iter()
        .map(|(flow, codes)| (flow.as_str(), *codes))
        .collect();
    check(&cases);
}
