//! Flows with the hazards that they have, after folding.

use crate::catalog::Catalog;
use crate::document::Document;
use crate::validate::{Diagnostic, Fix, Report, Severity, notation, validate};

/// Checks flows, and that their fixes end their hazards. A line is a case: the codes that are found,
/// `|`, and a flow whose lines are parted by `;;` and follow those of `head`.
pub(in crate::validate::rules) fn check(head: &str, cases: &str) {
    let mut wrong = Vec::new();
    for case in cases.lines().map(str::trim).filter(|case| !case.is_empty()) {
        let (codes, flow) = case.split_once('|').expect("codes, then a flow");
        let wanted: Vec<&str> = codes.split_whitespace().collect();
        let flow = with_columns(&format!("{head}\n{}", flow.replace(";;", "\n")));
        let document = notation::read(&flow).unwrap_or_else(|error| panic!("{error}\n{flow}"));
        let report = validate(&document, Catalog::bundled());
        if found(&report) != wanted {
            let said = report.diagnostics.iter().map(|found| &found.message);
            let said: Vec<&String> = said.collect();
            wrong.push(format!("{case}\nhas {:?}: {said:#?}", found(&report)));
        }
        for hazard in &report.diagnostics {
            for fix in &hazard.fixes {
                if let Some(trouble) = trouble(&document, &report, hazard, fix) {
                    wrong.push(format!("{case}\n`{}` {trouble}", fix.title));
                }
            }
        }
        if let Some(left) = unmended(document) {
            wrong.push(format!("{case}\nfirst fixes leave {left:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn found(report: &Report) -> Vec<&'static str> {
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
        let fix = report.diagnostics.first()?.fixes.first()?;
        fix.transaction.clone().apply(&mut document);
    }
    let report = validate(&document, Catalog::bundled());
    (!report.diagnostics.is_empty()).then(|| found(&report))
}

/// Writes out columns: `SUM<.total>` is one of that name in small letters.
fn with_columns(flow: &str) -> String {
    let mut flow = flow.to_owned();
    let functions = [
        ("AVG", "average"),
        ("SUM", "sum"),
        ("COUNT", "count"),
        ("DISTINCT", "count_distinct"),
        ("MAX", "max"),
        ("LAST", "last"),
    ];
    for (short, function) in functions {
        while let Some(at) = flow.find(&format!("{short}<")) {
            let end = at + flow[at..].find('>').expect("it closes");
            let of = flow[at + short.len() + 1..end].to_owned();
            let name = short.to_lowercase();
            let column =
                format!(r#"[{{"name": "{name}", "function": "{function}", "of": "{of}"}}]"#);
            flow.replace_range(at..=end, &format!("aggregates={column}"));
        }
    }
    flow
}

#[test]
fn groups_stay_in_one_place() {
    check(
        "type order(depends=/customer>/tenant): customer string, tenant string, total number",
        r"
        PART-001 | in: manual -> lane: log(key=.order, partitions=2) -> a: aggregate(group=.customer, MAX<.total>) -> out: view
        PART-001 | in: manual -> lane: log(key=.order, partitions=2) -> same: map -> f: filter(when=.a) -> a: aggregate(group=.customer, MAX<.total>) -> out: view
        PART-001 | in: manual -> lane: log(key=.customer, partitions=2) -> m: map(expr={customer: .order, total}) -> a: aggregate(group=.customer, MAX<.total>) -> out: view
        PART-001 | in: manual -> lane: queue(concurrency=3) -> a: aggregate(group=.customer, MAX<.total>) -> out: view
        PART-001 | in: manual -> lane: log(key=.customer, partitions=2) -> a: aggregate(MAX<.total>) -> out: view
        PART-001 | in: manual -> lane: log(key=[.customer, .order], partitions=2) -> a: aggregate(group=.customer, MAX<.total>) -> out: view
        PART-001 | in: manual -> lane: log(key=(.email | ascii_downcase), partitions=2) -> a: aggregate(group=.customer, MAX<.total>) -> out: view
        PART-001 | in: manual -> lane: log(key=.order, partitions=2) -> g: version_guard(key=.customer, version=.v) -> out: view
        PART-001 | in: manual -> lane: log(key=.order, partitions=2) -> d: decide(group=.customer) -> out: view
        PART-001 | type item(id=/id, version=/rev, stands_for=version): id string, rev integer, shop string ;; in: manual(event_type=item) -> lane: repartition(key=.shop, partitions=2) -> d: dedupe(key=.id) -> out: view
                 | type item(id=/id, version=/rev, stands_for=version): id string, rev integer, shop string ;; in: manual(event_type=item) -> lane: repartition(key=.id, partitions=2) -> d: dedupe(key=.id) -> out: view
                 | type item(id=/id): id string, shop string ;; in: manual(event_type=item) -> lane: log(key=.shop, partitions=2) -> d: dedupe(key=.id) -> out: view
                 | in: manual -> lane: log(key=.shop, partitions=2) -> d: dedupe(key=.id) -> out: view
        PART-001 | in: manual -> lane: log(key=.order, partitions=2) -> a: aggregate(group=.customer, MAX<.total>) -> b: aggregate(group=.key, MAX<.max>) -> out: view
                 | in: manual -> lane: log(key=.customer, partitions=2) -> a: aggregate(group=.customer, MAX<.total>) -> out: view
                 | in: manual -> lane: log(key=.customer, partitions=2) -> m: map(expr={c: .customer, total}) -> a: aggregate(group=.c, MAX<.total>) -> out: view
                 | in: manual -> lane: log(key=.customer, partitions=2) -> a: aggregate(group=[.customer, .day], MAX<.total>) -> out: view
                 | in: manual -> lane: log(key=(.email | ascii_downcase), partitions=2) -> a: aggregate(group=.email, MAX<.total>) -> out: view
                 | in: manual -> lane: log(key=.order, partitions=1) -> a: aggregate(group=.customer, MAX<.total>) -> out: view
                 | in: manual -> lane: log(key=.order, partitions=2) -> one: repartition(key=.customer, partitions=3) -> a: aggregate(group=.customer, MAX<.total>) -> out: view
                 | in: manual -> lane: log(key=.order, partitions=2) -> t: topic -> once: dedupe -> a: aggregate(group=.customer, MAX<.total>) -> out: view
                 | in: manual(event_type=order) -> lane: log(key=.tenant, partitions=2) -> a: aggregate(group=.customer, MAX<.total>) -> out: view
                 | in: manual -> lane: log(key=.order, partitions=2) -> a: aggregate(group=.customer, MAX<.total>) !PART-001 -> out: view
        ",
    );
}

#[test]
fn streams_that_meet_are_placed_alike() {
    check(
        "",
        r"
        PART-002 | a: manual -> la: log(key=.order, partitions=4) -> both: merge -> sum: aggregate(group=.order, MAX<.total>) -> out: view ;; b: manual -> lb: log(key=.order, partitions=8) -> both
        PART-002 | a: manual -> la: log(key=.order, partitions=4) -> both: merge -> sum: aggregate(group=.order, MAX<.total>) -> out: view ;; b: manual -> both
        PART-002 | a: manual -> la: log(key=.order, partitions=4) -> both: merge -> sum: aggregate(group=.order, MAX<.total>) -> out: view ;; b: manual -> lb: log(key=.customer, partitions=4) -> both
        PART-002 | a: manual -> la: log(key=.order, partitions=4) -> both: merge -> sum: aggregate(group=.order, MAX<.total>) -> out: view ;; b: manual -> lb: log(key=[.order], partitions=4) -> both
        PART-002 | a: manual -> la: log(key=[.order, .customer], partitions=4) -> both: merge -> sum: aggregate(group=[.order, .customer], MAX<.total>) -> out: view ;; b: manual -> lb: log(key=[.customer, .order], partitions=4) -> both
                 | a: manual -> la: log(key=.order, partitions=4) -> both: merge -> sum: aggregate(group=.order, MAX<.total>) -> out: view ;; b: manual -> lb: log(key=.order, partitions=4) -> both
                 | a: manual -> la: log(key=(.order | ascii_upcase), partitions=4) -> both: merge -> sum: aggregate(group=(.order | ascii_upcase), MAX<.total>) -> out: view ;; b: manual -> lb: log(key=(.order | ascii_upcase), partitions=4) -> both
                 | a: manual -> la: log(key=.o, partitions=4) -> ma: map(expr={order: .o, total}) -> both: merge -> sum: aggregate(group=.order, MAX<.total>) -> out: view ;; b: manual -> lb: log(key=.id, partitions=4) -> mb: map(expr={order: .id, total}) -> both
                 | a: manual -> both: merge -> sum: aggregate(group=.order, MAX<.total>) -> out: view ;; b: manual -> both
        ",
    );
}

#[test]
fn streams_that_are_joined_are_placed_alike() {
    check(
        "type texts: id string\ntype numbers: id integer\ntype item(depends=/order>/customer): order string, customer string",
        r"
        PART-002 | a: manual -> la: log(key=.order, partitions=4) -> j: join(left_key=.order, right_key=.order) -> out: view ;; b: manual -> lb: log(key=.order, partitions=8) -> .right j
        PART-002 | a: manual -> la: log(key=.order, partitions=4) -> j: join(left_key=.order, right_key=.order) -> out: view ;; b: manual -> .right j
        PART-002 | a: manual -> la: log(key=.order, partitions=4) -> j: join(left_key=.order, right_key=.order) -> out: view ;; b: manual -> lb: log(key=.parcel, partitions=4) -> .right j
        PART-002 | a: manual -> la: log(key=.order, partitions=4) -> j: join(left_key=.order, right_key=.order) -> out: view ;; b: manual -> lb: log(key=(.order | tostring), partitions=4) -> .right j
        PART-002 | a: manual -> la: log(key=[.t, .u], partitions=4) -> j: join(left_key=[.t, .u], right_key=[.t, .u]) -> out: view ;; b: manual -> lb: log(key=[.u, .t], partitions=4) -> .right j
        PART-002 | a: manual -> la: log(key=.t, partitions=4) -> j: join(left_key=[.t, .u], right_key=[.t, .u]) -> out: view ;; b: manual -> lb: log(key=.u, partitions=4) -> .right j
        PART-002 | a: manual -> qa: queue(concurrency=2) -> j: join(left_key=.order, right_key=.order) -> out: view ;; b: manual -> qb: queue(concurrency=2) -> .right j
        PART-002 | in: manual -> la: log(key=.customer, partitions=4) -> j: join(left_key=.order, right_key=.order) -> out: view ;; la -> .right j
        PART-002 | a: manual(event_type=texts) -> j: join(left_key=.id, right_key=.id) -> out: view ;; b: manual(event_type=numbers) -> .right j
        PART-002 | a: manual(event_type=numbers) -> j: join(left_key=.id, right_key=.id | tostring) -> out: view ;; b: manual(event_type=numbers) -> .right j
        PART-002 | a: manual(event_type=texts) -> j: join(left_key=[.id, .t], right_key=[.id, .t]) -> out: view ;; b: manual(event_type=numbers) -> .right j
        PART-002 | a: manual(event_type=numbers) -> la: log(key=.id, partitions=3) -> j: join(left_key=.id, right_key=.id) -> out: view ;; b: manual(event_type=texts) -> .right j
        PART-002 | a: manual -> la: log(key=.o, partitions=4) -> j: join(left_key=.o, right_key=.o) -> sum: aggregate(group=.left.o, MAX<.left.n>) -> out: view ;; b: manual -> .right j
        PART-002 | a: manual -> la: repartition(key=(1), partitions=4) -> j: join(left_key=(1), right_key=.k) -> out: view ;; b: manual -> lb: log(key=.k, partitions=4) -> .right j ;; j.unmatched -> n: aggregate(MAX<.right.n>) -> alone: view
        PART-001 | a: manual -> la: log(key=.o, partitions=4) -> j: join(left_key=.o, right_key=.o) -> sum: aggregate(group=.left.c, MAX<.left.n>) -> out: view ;; b: manual -> lb: log(key=.o, partitions=4) -> .right j
                 | a: manual -> la: log(key=.order, partitions=4) -> j: join(left_key=.order, right_key=.of) -> out: view ;; b: manual -> lb: log(key=.of, partitions=4) -> .right j
                 | a: manual -> la: log(key=.t, partitions=4) -> j: join(left_key=[.t, .u], right_key=[.tenant, .user]) -> out: view ;; b: manual -> lb: log(key=.tenant, partitions=4) -> .right j
                 | a: manual -> la: log(key=.o, partitions=4) -> ma: map(expr={order: .o}) -> j: join(left_key=.order, right_key=.order) -> out: view ;; b: manual -> rb: repartition(key=.order, partitions=4) -> .right j
                 | a: manual -> j: join(left_key=.order, right_key=.order) -> out: view ;; b: manual -> .right j
                 | in: manual(event_type=item) -> la: log(key=.customer, partitions=4) -> j: join(left_key=.order, right_key=.order) -> out: view ;; la -> m: map(expr={order, customer}) -> .right j
                 | a: manual(event_type=texts) -> j: join(left_key=.id, right_key=(.id | tostring)) -> out: view ;; b: manual(event_type=numbers) -> .right j
        ",
    );
}

#[test]
fn rows_and_seals_are_where_events_are() {
    check(
        "",
        r"
        PART-002 | a: manual -> la: log(key=.c, partitions=4) -> e: enrich(key=.c, row_key=.id) -> out: view ;; b: manual -> .rows e
        PART-002 | a: manual -> la: log(key=.c, partitions=4) -> d: decide(group=.c, claim=fewer_than, wait=seal) -> out: view ;; b: manual -> .seal d
                 | a: manual -> la: log(key=.c, partitions=4) -> e: enrich(key=.c, row_key=.id) -> out: view ;; b: manual -> rb: repartition(key=.id, partitions=4) -> .rows e
                 | a: manual -> e: enrich(key=.c, row_key=.id) -> out: view ;; b: manual -> .rows e
                 | a: manual -> la: log(key=.c, partitions=4) -> d: decide(group=.c, seal_key=.of, claim=fewer_than, wait=seal) -> out: view ;; b: manual -> lb: log(key=.of, partitions=4) -> .seal d
        ",
    );
}

#[test]
fn versions_are_no_facts() {
    check(
        "type order(id=/id, stands_for=version): id string, shop string, total number\n\
         type stock(stands_for=snapshot): shop string, total number",
        r#"
        PART-006 | in: manual(event_type=order) -> a: aggregate(group=.shop, SUM<.total>) -> out: view
        PART-006 | in: manual(event_type=order) -> a: aggregate(group=.shop, aggregates=[{"name": "n"}]) -> out: view
        PART-006 | in: manual(event_type=order) -> a: aggregate(group=.shop, AVG<.total>) -> out: view
        PART-006 | in: manual(event_type=order) -> a: aggregate(SUM<.total>) -> out: view
        PART-006 | in: manual(event_type=order) -> a: aggregate(group=.id, SUM<.total>) -> out: view
        PART-006 | in: manual(event_type=order) -> a: aggregate(group=.shop, window=time, SUM<.total>) -> out: view
        PART-006 | in: manual(event_type=order) -> m: map(expr={k: .id, s: .shop, total}) -> f: filter(when=.total > 3) -> a: aggregate(group=.s, SUM<.total>) -> out: view
        PART-006 | in: manual(event_type=order) -> lane: log(key=.shop, partitions=3) -> once: dedupe -> a: aggregate(group=.shop, SUM<.total>) -> out: view
        PART-006 | in: manual(event_type=order) -> e: enrich(key=.shop, row_key=.id) -> a: aggregate(group=.row.region, SUM<.total>) -> out: view ;; rows: manual -> .rows e
        PART-006 | a: manual(event_type=order) -> both: merge -> s: aggregate(group=.shop, SUM<.total>) -> out: view ;; b: manual(event_type=order) -> both
        PART-006 | a: manual(event_type=order) -> both: merge -> s: aggregate(group=.shop, SUM<.total>) -> out: view ;; b: manual -> both
        PART-006 | a: manual(event_type=order) -> j: join(left_key=.id, right_key=.of, unique=both) -> s: aggregate(group=.left.shop, SUM<.left.total>) -> out: view ;; b: manual -> .right j
        PART-006 | in: manual -> a: aggregate(group=[.shop, .day], SUM<.total>) -> b: aggregate(group=.key[0], SUM<.sum>) -> out: view
        PART-006 | in: manual -> f: fold(group=.id, step=(($state // 0) + .total)) -> b: aggregate(SUM<.state>) -> out: view
        PART-006 | in: manual(event_type=stock) -> a: aggregate(group=.shop, SUM<.total>) -> out: view
                 | in: manual -> a: aggregate(group=.shop, SUM<.total>) -> out: view
                 | in: manual(event_type=order) -> a: aggregate(group=.id, COUNT<.total>) -> out: view
                 | in: manual(event_type=order) -> a: aggregate(group=[.shop, .id], AVG<.total>) -> out: view
                 | in: manual(event_type=order) -> first: dedupe(key=.id) -> a: aggregate(group=.shop, SUM<.total>) -> out: view
                 | in: manual(event_type=order) -> a: aggregate(group=.shop, DISTINCT<.id>) -> out: view
                 | in: manual(event_type=order) -> a: aggregate(group=.shop, MAX<.total>) -> out: view
                 | in: manual -> a: aggregate(group=[.shop, .day], window=time, SUM<.total>) -> b: aggregate(group=.key[0], SUM<.sum>) -> out: view
                 | in: manual -> a: aggregate(group=.shop, SUM<.total>) -> big: aggregate(MAX<.sum>) -> out: view
        "#,
    );
}

#[test]
fn changes_of_rows_add_up_as_differences() {
    check(
        "in: manual -> rows: table(table=t, key=.id, columns={\"shop\": \".shop\", \"total\": \".total\", \"tax\": \".tax\"})\n\
         ch: table_changes(table=t) -> once: dedupe",
        r#"
        PART-006 | once -> a: aggregate(group=.after.shop, SUM<.after.total>) -> out: view
        PART-006 | once -> a: aggregate(group=.after.shop, SUM<.after.total + .after.tax>) -> out: view
        PART-006 | once -> a: aggregate(group=.after.shop, aggregates=[{"name": "n"}]) -> out: view
        PART-006 | once -> m: map(expr={id: .key, shop: .after.shop, total: .after.total}) -> f: filter(when=.total > 3) -> a: aggregate(group=.shop, SUM<.total>) -> out: view
        PART-006 | once -> f: filter(when=.op != "delete") -> a: aggregate(group=.after.shop, SUM<.after.total>) -> out: view
        PART-006 | once -> a: aggregate(group=.after.shop, SUM<.after.total - .before.tax>) -> out: view
        PART-006 | once -> m: map(expr={s: .after.shop, d: ((.after.total // 0) - (.before.tax // 0))}) -> a: aggregate(group=.s, SUM<.d>) -> out: view
                 | once -> a: aggregate(group=.after.shop, SUM<(.after.total // 0) - (.before.total // 0)>) -> out: view
                 | once -> m: map(expr={s: .after.shop, d: (.after.total - (.before.total // 0))}) -> a: aggregate(group=.s, SUM<.d>) -> out: view
                 | once -> m: map(expr={s: .after.shop, new: .after.total, old: .before.total}) -> a: aggregate(group=.s, SUM<.new - .old>) -> out: view
                 | once -> m: map(expr=.d = (if .before == null then .after.total elif .after == null then -.before.total else .after.total - .before.total end)) -> a: aggregate(group=.after.shop, SUM<.d>) -> out: view
                 | once -> a: aggregate(group=.after.shop, SUM<(.after.total * 2) - (.before.total * 2)>) -> out: view
                 | once -> a: aggregate(group=.after.shop, SUM<.after.total + .after.tax - .before.tax - .before.total>) -> out: view
                 | once -> f: filter(when=.op == "insert") -> a: aggregate(group=.after.shop, SUM<.after.total>) -> out: view
                 | once -> f: filter(when=(.before == null and .after.total > 3)) -> a: aggregate(group=.after.shop, SUM<.after.total>) -> out: view
                 | once -> a: aggregate(group=.key, aggregates=[{"name": "n"}]) -> out: view
        "#,
    );
}

#[test]
fn results_are_combined_by_what_can_combine_them() {
    check(
        "type sale(id=/id): id string, shop string",
        r#"
        PART-003 | in: manual -> a: aggregate(group=.shop, window=time, AVG<.total>) -> b: aggregate(group=.key, AVG<.avg>) -> out: view
        PART-003 | in: manual -> a: aggregate(group=.shop, window=time, AVG<.total>) -> b: aggregate(AVG<.avg>) -> out: view
        PART-003 | in: manual -> a: aggregate(group=.shop, window=time, AVG<.total>) -> b: aggregate(SUM<.avg>) -> out: view
        PART-003 | in: manual -> a: aggregate(group=.shop, window=time, DISTINCT<.customer>) -> b: aggregate(SUM<.distinct>) -> out: view
        PART-003 | in: manual -> a: aggregate(group=[.shop, .day], window=time, AVG<.total>) -> b: aggregate(group=.key[0], AVG<.avg>) -> out: view
        PART-003 | in: manual -> a: aggregate(group=.shop, window=time, AVG<.total>) -> m: map(expr={mean: .avg, shop: .key}) -> f: filter(when=.shop != 1) -> b: aggregate(group=.shop, AVG<.mean>) -> out: view
        PART-003 | in: manual -> a: aggregate(group=.shop, window=time, AVG<.total>) -> m: map(expr=.avg = (.avg * 100 | round)) -> b: aggregate(group=.key, AVG<.avg>) -> out: view
        PART-003 | in: manual -> a: aggregate(group=.shop, window=time, AVG<.total>) -> b: aggregate(group=.key, AVG<.avg // 0>) -> out: view
        PART-003 | in: manual -> a: aggregate(group=.shop, window=time, AVG<.total>) -> lane: log(key=.key, partitions=3) -> once: dedupe -> b: aggregate(group=.key, AVG<.avg>) -> out: view
        PART-003 | in: manual -> a: aggregate(group=.shop, window=time, AVG<.total>) -> both: merge -> b: aggregate(group=.key, AVG<.avg>) -> out: view ;; other: manual -> c: aggregate(group=.shop, window=time, AVG<.amount>) -> both
        PART-003 | in: manual -> a: aggregate(group=.shop, window=time, AVG<.total>) -> both: merge -> b: aggregate(AVG<.avg>) -> out: view ;; other: manual -> both
        PART-003 | in: manual -> a: aggregate(group=.shop, AVG<.total>) -> b: aggregate(AVG<.avg>) -> out: view
        PART-003 | in: manual -> a: aggregate(group=.shop, window=time, aggregates=[{"name": "s", "function": "sum", "of": ".total"}, {"name": "n", "function": "count"}]) -> m: map(expr={mean: (.s / .n)}) -> b: aggregate(AVG<.mean>) -> out: view
        PART-003 | in: manual -> a: aggregate(group=.shop, window=time, aggregates=[{"name": "s", "function": "sum", "of": ".total"}, {"name": "n", "function": "count"}]) -> b: aggregate(AVG<.s / .n>) -> out: view
                 | in: manual -> a: aggregate(group=.shop, window=time, SUM<.total>) -> b: aggregate(SUM<.sum>) -> out: view
                 | in: manual -> a: aggregate(group=.shop, window=time, COUNT<.total>) -> b: aggregate(SUM<.count>) -> out: view
                 | in: manual -> a: aggregate(group=.shop, window=time, MAX<.total>) -> b: aggregate(MAX<.max>) -> out: view
                 | in: manual -> a: aggregate(group=.shop, window=time, SUM<.total>) -> b: aggregate(AVG<.sum>) -> out: view
                 | in: manual -> a: aggregate(group=.shop, window=time, AVG<.total>) -> b: aggregate(MAX<.avg>) -> out: view
                 | in: manual -> a: aggregate(group=.shop, window=time, AVG<.total>) -> b: aggregate(COUNT<.avg>) -> out: view
                 | in: manual -> a: aggregate(group=.shop, window=time, DISTINCT<.customer>) -> b: aggregate(AVG<.distinct>) -> out: view
                 | in: manual(event_type=sale) -> a: aggregate(group=.shop, window=time, DISTINCT<.id>) -> b: aggregate(SUM<.distinct>) -> out: view
                 | in: manual -> a: aggregate(group=.shop, window=time, AVG<.total>) -> m: map(expr={avg: .key, n: .avg}) -> b: aggregate(AVG<.avg>) -> out: view
                 | in: manual -> a: aggregate(group=.shop, window=time, AVG<.total>) -> m: map(expr={high: (if .avg > 3 then 1 else 0 end)}) -> b: aggregate(AVG<.high>) -> out: view
        "#,
    );
}

#[test]
fn a_number_has_one_definition() {
    check(
        "role sales\nrole finance",
        r#"
        PART-005 | in: manual -> a: aggregate(group=.shop, MAX<.total>) -> x: view ^metric=best ;; in -> paid: filter(when=.paid) -> b: aggregate(group=.shop, MAX<.total>) -> y: view ^metric=best
        PART-005 | in: manual -> a: aggregate(group=.shop, MAX<.total>) -> x: view ^metric=best ;; in -> b: aggregate(group=.shop, MAX<.net>) -> y: view ^metric=Best
        PART-005 | in: manual -> a: aggregate(group=.shop, MAX<.total>) -> x: view ^metric=best ;; in -> b: aggregate(group=.shop, DISTINCT<.total>) -> y: view ^metric=best
        PART-005 | in: manual -> a: aggregate(group=.shop, window=time, size=1h, MAX<.total>) -> x: view ^metric=best ;; in -> b: aggregate(group=.shop, window=time, size=1d, MAX<.total>) -> y: view ^metric=best
        PART-005 | in: manual -> a: aggregate(group=.shop, MAX<.total>) -> x: view ^metric=best ;; other: manual -> b: aggregate(group=.shop, MAX<.total>) -> y: view ^metric=best
        PART-005 | in: manual -> a: aggregate(group=.shop, MAX<.total>) -> x: view ^metric=best ;; in -> once: dedupe(key=.id) -> b: aggregate(group=.shop, MAX<.total>) -> y: view ^metric=best
        PART-005 | in: manual -> a: aggregate(group=.shop, MAX<.total>) -> x: view ^metric=best ;; a -> big: filter(when=.max > 3) -> y: view ^metric=best
        PART-005 | in: manual -> r: route(routes={"eu": ".eu"}) ;; in -> a: aggregate(group=.shop, MAX<.total>) -> x: view ^metric=best ;; r.eu -> b: aggregate(group=.shop, MAX<.total>) -> y: view ^metric=best
        PART-005 | in: manual -> f: filter(when=.paid) -> a: aggregate(group=.shop, MAX<.total>) -> x: view ^metric=best @sales ;; f.dropped -> b: aggregate(group=.shop, MAX<.total>) -> y: view ^metric=best @finance
        PART-005 | in: manual -> a: aggregate(group=.shop, MAX<.total>) -> x: view @sales ;; in -> paid: filter(when=.paid) -> b: aggregate(group=.shop, MAX<.total>) -> y: view @sales,finance
        PART-005 | in: manual -> a: aggregate(group=.shop, window=time, MAX<.total>) -> x: view @sales ;; in -> b: aggregate(group=.shop, MAX<.total>) -> m: map(expr={shop: .key, max}) -> y: view @sales
        PART-005 | in: manual -> a: aggregate(group=.shop, MAX<.total>) -> x: metric(name=best, value=.max, key=.key) ;; in -> paid: filter(when=.paid) -> b: aggregate(group=.shop, MAX<.total>) -> y: metric(name=best, value=.max, key=.key)
        PART-005 | in: manual -> a: aggregate(group=.shop, MAX<.total>) -> x: metric(name=best, value=.max, key=.key) ;; a -> y: metric(name=best, value=(.max * 1.22), key=.key)
        PART-005 | in: manual -> a: aggregate(group=.shop, MAX<.total>) -> x: metric(name=best, value=.max, key=.key) ;; in -> paid: filter(when=.paid) -> b: aggregate(group=.shop, MAX<.total>) -> m: map(expr={shop: .key, top: .max}) -> y: view ^metric=best
                 | in: manual -> a: aggregate(group=.shop, MAX<.total>) -> x: view ^metric=best ;; a -> y: view ^metric=best
                 | in: manual -> a: aggregate(group=.shop, MAX<.total>) -> x: metric(name=best, value=.max, key=.key) ;; in -> b: aggregate(group=.shop, aggregates=[{"name": "top", "function": "max", "of": ".total"}]) -> m: map(expr={shop: .key, most: .top}) -> y: metric(name=best, value=.most, key=.shop)
                 | in: manual -> a: aggregate(group=.shop, MAX<.total>) -> x: metric(name=best, value=.max, key=.key) ;; a -> y: metric(name=best_gross, value=(.max * 1.22), key=.key)
                 | in: manual -> p: filter(when=.paid) -> a: aggregate(group=.shop, MAX<.total>) -> x: view ^metric=best ;; in -> m: map(expr={shop, total, ok: .paid}) -> q: filter(when=.ok) -> b: aggregate(group=.shop, MAX<.total>) -> y: view ^metric=best
                 | in: manual -> a: aggregate(group=.shop, MAX<.total>) -> x: view ^metric=best ;; in -> b: aggregate(group=.region, MAX<.total>) -> y: view ^metric=best
                 | in: manual -> a: aggregate(group=.shop, MAX<.total>) -> x: view ^metric=best ;; in -> b: aggregate(group=.shop, aggregates=[{"name": "top", "function": "max", "of": ".total"}]) -> y: view ^metric=best
                 | in: manual -> r: route(routes={"eu": ".eu"}) ;; r.eu -> a: aggregate(group=.shop, MAX<.total>) -> x: view ^metric=best ;; r.eu -> m: map -> b: aggregate(group=.shop, MAX<.total>) -> y: view ^metric=best
                 | in: manual -> a: aggregate(group=.shop, MAX<.total>) -> x: view ^metric=best ;; in -> paid: filter(when=.paid) -> b: aggregate(group=.shop, MAX<.total>) -> y: view ^metric=best_paid
                 | in: manual -> a: aggregate(group=.shop, MAX<.total>) -> x: view @sales ;; in -> paid: filter(when=.paid) -> b: aggregate(group=.shop, MAX<.total>) -> y: view @finance
                 | in: manual -> r: route(routes={"eu": ".eu", "us": ".us"}) ;; r.eu -> a: aggregate(group=.shop, MAX<.total>) -> x: view @sales ;; r.us -> b: aggregate(group=.shop, MAX<.total>) -> y: view @sales
                 | in: manual -> a: aggregate(group=.shop, MAX<.total>) -> x: view @sales ;; in -> b: aggregate(group=.shop, MAX<.net>) -> y: view @sales
                 | in: manual -> a: aggregate(group=.shop, MAX<.total>) -> x: view ;; in -> paid: filter(when=.paid) -> b: aggregate(group=.shop, MAX<.total>) -> y: view
        "#,
    );
}

/// What is put in front of a node on a loop would get the versions that the node sends itself.
#[test]
fn versions_that_come_round_end_with_their_loop() {
    let flow = with_columns(
        "in: manual -> a: aggregate(group=.k, SUM<.v>) ~ordered -> b: aggregate(group=.x, window=time, SUM<.sum>) -> out: view\nb.late -> a",
    );
    let mut document = notation::read(&flow).expect("it reads");
    let before = validate(&document, Catalog::bundled());
    assert_eq!(found(&before), ["LOOP-001", "PART-006", "PART-006"]);
    for hazard in &before.diagnostics {
        for fix in &hazard.fixes {
            assert_eq!(trouble(&document, &before, hazard, fix), None);
        }
    }
    let ends = &before.diagnostics[0].fixes[0];
    ends.transaction.clone().apply(&mut document);
    let after = validate(&document, Catalog::bundled());
    assert_eq!(found(&after), ["PART-006"], "that of b, by what a sends");
    let first = after.diagnostics[0].fixes[0].transaction.clone();
    first.apply(&mut document);
    assert_eq!(found(&validate(&document, Catalog::bundled())), [""; 0]);
}

#[test]
fn a_row_has_one_owner() {
    check(
        "type order(id=/id, version=/v): id string, v integer, status string",
        r#"
        PART-009 | a: manual -> x: table(table=t, key=.id) ;; b: manual -> y: table(table=t, key=.id)
        PART-009 | a: manual -> x: table(table=t, key=.id, columns={"s": ".s", "n": ".n"}) ;; b: manual -> y: table(table=t, key=.of, columns={"s": ".s", "m": ".m"})
        PART-009 | a: replay(file=a.jsonl) -> x: table(table=t, key=.id, columns={"s": ".s"}) ;; a -> m: map(expr={id, s: .t}) -> y: table(table=t, key=.id, columns={"s": ".s"})
        PART-009 | a: replay(file=a.jsonl) -> x: table(table=t, key=.id) ;; a -> y: table(database=./data.sqlite, table=t, key=.id)
        PART-009 | a: replay(file=a.jsonl) -> x: table(table=t) ;; a -> y: table(table=t)
        PART-009 | a: manual(event_type=order) -> x: table(table=t, key=.id, mode=compare_and_set, version=.v) ;; b: manual(event_type=order) -> y: table(table=t, key=.id)
        PART-009 | a: manual(event_type=order) -> x: table(table=t, key=.id) ;; b: manual(event_type=order) -> y: table(table=t, key=.id)
        PART-009 | a: manual -> f: filter(when=.k == 1) -> x: table(table=t, key=.id) ;; b: manual -> g: filter(when=.n == 2) -> y: table(table=t, key=.id)
        PART-009 PART-009 | a: manual -> x: table(table=t, key=.id) ;; b: manual -> y: table(table=t, key=.id) ;; c: manual -> z: table(table=t, key=.id)
        ORDER-001 PART-009 | in: manual -> q: queue(concurrency=3) -> f: function(component=f.wasm) ^reads_from=stock -> y: table(table=stock, key=.id)
        PART-009 | in: manual -> f: function(component=f.wasm) ^reads_from=y ^instances=3 -> m: map -> y: table(table=stock, key=.id)
                 | a: manual -> x: table(table=t, key=.id, columns={"s": ".s"}) ;; b: manual -> y: table(table=t, key=.id, columns={"n": ".n"})
                 | a: manual -> x: table(table=t, key=.id) ;; b: manual -> y: table(table=u, key=.id)
                 | a: manual -> x: table(table=t, key=.id) ;; b: manual -> y: table(database=other.sqlite, table=t, key=.id)
                 | a: manual -> x: table(table=t, key=.id, mode=append) ;; b: manual -> y: table(table=t, key=.id, mode=append)
                 | a: manual -> x: table(table=t) ;; b: manual -> y: table(table=t)
                 | a: manual -> x: table(table=t, key=.id, mode=compare_and_set, version=.v) ;; b: manual -> y: table(table=t, key=.id, mode=compare_and_set, version=.v)
                 | a: manual -> x: table(table=t, key="a-\(.id)") ;; b: manual -> y: table(table=t, key="b-\(.id)")
                 | a: manual -> x: table(table=t, key=["eu", .id]) ;; b: manual -> y: table(table=t, key=["us", .id])
                 | a: manual -> r: route(routes={"eu": ".eu"}) ;; r.eu -> x: table(table=t, key=.id) ;; r.otherwise -> y: table(table=t, key=.id)
                 | a: manual -> f: filter(when=.n < 5) -> x: table(table=t, key=.id) ;; b: manual -> g: filter(when=.n >= 5) -> y: table(table=t, key=.id)
        ORDER-002 | a: manual -> x: table(table=t, key=.id) ;; b: manual -> x
                 | in: manual -> f: function(component=f.wasm) ^reads_from=stock -> y: table(table=stock, key=.id)
        "#,
    );
}

#[test]
fn what_the_key_does_not_decide_keeps_no_versions_apart() {
    check(
        "type order(id=/id, stands_for=version, depends=/id>/shop): id string, shop string, region string, n integer",
        r#"
        PART-009 | a: manual(event_type=order) -> f: filter(when=.region == "eu") -> x: table(table=t, key=.id) ;; a -> g: filter(when=.region == "us") -> y: table(table=t, key=.id)
        PART-009 | a: manual(event_type=order) -> f: filter(when=.n < 5) -> x: table(table=t, key=.id) ;; f.dropped -> y: table(table=t, key=.id)
        PART-009 | a: manual(event_type=order) -> r: route(routes={"eu": ".region == \"eu\" and .n > 1"}) ;; r.eu -> x: table(table=t, key=.id) ;; r.otherwise -> m: map(expr={nr: .id}) -> y: table(table=t, key=.nr)
        PART-009 | in: manual -> n: aggregate(group=.shop, MAX<.n>) -> f: filter(when=.max > 5) -> x: table(table=t, key=.key) ;; f.dropped -> y: table(table=t, key=.key)
                 | a: manual(event_type=order) -> f: filter(when=.region == "eu") -> x: table(table=t, key=[.region, .id]) ;; a -> g: filter(when=.region == "us") -> y: table(table=t, key=[.region, .id])
                 | a: manual(event_type=order) -> f: filter(when=.shop == "a") -> x: table(table=t, key=.id) ;; f.dropped -> y: table(table=t, key=.id)
                 | a: manual(event_type=order) -> r: route(routes={"a": ".shop == \"a\""}) ;; r.a -> x: table(table=t, key=.id) ;; r.otherwise -> m: map(expr={nr: .id}) -> y: table(table=t, key=.nr)
                 | a: manual(event_type=order) -> f: filter(when=.region == "eu") -> x: table(table=t, key=.id, columns={"eu": ".n"}) ;; f.dropped -> y: table(table=t, key=.id, columns={"us": ".n"})
        "#,
    );
}

#[test]
fn keys_stay_where_their_state_is() {
    check(
        "",
        r"
        PART-004 | in: manual -> lane: log(key=.c, partitions=4) ^partitions_max=8 -> a: aggregate(group=.c, MAX<.total>) -> out: view
        PART-004 | in: manual -> lane: log(key=.c) ^partitions_max=8 -> m: map -> once: dedupe -> out: view
        PART-004 | a: manual -> lane: log(key=.c, partitions=4) ^partitions_max=8 -> j: join(left_key=.c, right_key=.c) -> out: view ;; b: manual -> lb: log(key=.c, partitions=4) -> .right j
        PART-004 | in: manual -> lane: log(key=.c, partitions=4) ^partitions_max=8 -> t: table(table=t, key=.c)
        PART-004 | in: manual -> lane: log(key=.c, partitions=4) ^partitions_max=8 -> f: function(component=f.wasm) ^state=keyed -> out: view
                 | in: manual -> lane: log(key=.c, partitions=8) ^partitions_max=8 -> a: aggregate(group=.c, MAX<.total>) -> out: view
                 | in: manual -> lane: log(key=.c, partitions=4) -> a: aggregate(group=.c, MAX<.total>) -> out: view
                 | in: manual -> lane: log(key=.c, partitions=4) ^partitions_max=8 -> m: map -> out: view
                 | in: manual -> lane: log(key=.c, partitions=4) ^partitions_max=8 -> r: repartition(key=.c, partitions=4) -> a: aggregate(group=.c, MAX<.total>) -> out: view
                 | in: manual -> lane: log(key=.c, partitions=4) ^partitions_max=8 -> t: table(table=t)
        ",
    );
}

#[test]
fn levels_are_not_added_up() {
    check(
        "type report(time=/at): shop string, at string, stock number <not_over_time pieces>, price number <never EUR>, sold number <always EUR>",
        r"
        PART-008 | in: manual(event_type=report) -> a: aggregate(group=.shop, SUM<.stock>) -> out: view
        PART-008 | in: manual(event_type=report) -> a: aggregate(group=.at, SUM<.price>) -> out: view
        PART-008 | in: manual(event_type=report) -> m: map(expr={s: .shop, n: .stock}) -> a: aggregate(group=.s, SUM<.n>) -> out: view
        PART-008 | in: manual(event_type=report) -> a: aggregate(group=.shop, window=time, SUM<.stock>) -> out: view
        PART-008 | in: manual(event_type=report) -> a: aggregate(group=.shop, SUM<.stock // 0>) -> out: view
        PART-008 | in: manual(event_type=report) -> both: merge -> a: aggregate(group=.shop, SUM<.stock>) -> out: view ;; b: manual(event_type=report) -> both
        PART-008 | in: manual(event_type=report) -> a: aggregate(group=.shop, window=time, size=1d, LAST<.stock>) -> b: aggregate(SUM<.last>) -> out: view
                 | in: manual(event_type=report) -> a: aggregate(group=.at, SUM<.stock>) -> out: view
                 | in: manual(event_type=report) -> a: aggregate(group=[.shop, .at], SUM<.stock>) -> out: view
                 | in: manual(event_type=report) -> m: map(expr={day: .at[0:10], stock}) -> a: aggregate(group=.day, SUM<.stock>) -> out: view
                 | in: manual(event_type=report) -> a: aggregate(group=$event.time, SUM<.stock>) -> out: view
                 | in: manual(event_type=report) -> a: aggregate(group=.shop, SUM<.sold>) -> out: view
                 | in: manual(event_type=report) -> a: aggregate(group=.shop, AVG<.price>) -> out: view
                 | in: manual(event_type=report) -> a: aggregate(group=.shop, MAX<.stock>) -> out: view
                 | in: manual(event_type=report) -> m: map(expr={shop, worth: (.stock * .price)}) -> a: aggregate(group=.shop, SUM<.worth>) -> out: view
                 | in: manual(event_type=report) -> a: aggregate(group=.shop, window=time, size=1d, LAST<.stock>) -> b: aggregate(window=time, size=1d, SUM<.last>) -> out: view
                 | in: manual(event_type=report) -> a: aggregate(group=.shop, window=time, size=1d, LAST<.stock>) -> b: aggregate(group=.from, SUM<.last>) -> out: view
        ",
    );
}

#[test]
fn keys_are_many_and_none_is_hot() {
    check(
        "",
        r"
        PART-010 | in: manual ^rate=2000 -> lane: log(key=.shop, partitions=8) ^hot_key=0.7 ^partition_rate=1000 -> out: view
        PART-010 | in: manual ^rate=100 ^peak=2000 -> m: map -> lane: log(key=.shop, partitions=8) ^hot_key=0.7 ^partition_rate=1000 -> out: view
        PART-010 | a: manual ^rate=800 -> both: merge -> lane: log(key=.shop, partitions=8) ^hot_key=0.7 ^partition_rate=1000 -> out: view ;; b: manual ^rate=800 -> both
        PART-010 | in: manual -> lane: log(key=.shop, partitions=8) ^keys=3 -> out: view
                 | in: manual ^rate=2000 -> lane: log(key=.shop, partitions=8) ^hot_key=0.3 ^partition_rate=1000 -> out: view
                 | in: manual -> lane: log(key=.shop, partitions=8) ^hot_key=0.7 ^partition_rate=1000 -> out: view
                 | in: manual ^rate=2000 -> lane: log(key=.shop, partitions=8) ^hot_key=0.7 -> out: view
                 | in: manual -> lane: log(key=.shop, partitions=8) ^keys=8 -> out: view
        ",
    );
}

#[test]
fn joins_do_not_multiply_what_is_added_up() {
    check(
        "type order(id=/id): id string, shop string, total number\ntype parcel(id=/nr): nr string, order string, grams number\n\
         orders: manual(event_type=order)\nparcels: manual(event_type=parcel)",
        r"
        PART-007 | orders -> j: join(left_key=.id, right_key=.order) -> a: aggregate(group=.left.shop, SUM<.left.total>) -> out: view ;; parcels -> .right j
        PART-007 | orders -> j: join(left_key=.id, right_key=.order) -> a: aggregate(group=.right.carrier, SUM<.left.total>) -> out: view ;; parcels -> .right j
        PART-007 | orders -> j: join(left_key=.id, right_key=.order, unique=left) -> m: map(expr={shop: .left.shop, net: (.left.total * 0.8)}) -> f: filter(when=.net > 3) -> a: aggregate(group=.shop, SUM<.net>) -> out: view ;; parcels -> .right j
        PART-007 | parcels -> j: join(left_key=.order, right_key=.id) -> a: aggregate(group=.right.shop, SUM<.right.total>) -> out: view ;; orders -> .right j
        PART-007 | orders -> j: join(left_key=.shop, right_key=.shop, unique=right) -> a: aggregate(SUM<.right.rent>) -> out: view ;; shops: manual -> .right j
        PART-007 | orders -> j: join(left_key=.id, right_key=.order) -> k: join(left_key=.left.shop, right_key=.shop, unique=right) -> a: aggregate(SUM<.left.left.total>) -> out: view ;; parcels -> .right j ;; shops: manual -> .right k
        PART-007 | orders -> j: join(left_key=.id, right_key=.order) -> once: dedupe(key=.right.nr) -> a: aggregate(group=.left.shop, SUM<.left.total>) -> out: view ;; parcels -> .right j
                 | orders -> j: join(left_key=.id, right_key=.order) -> a: aggregate(group=.left.shop, SUM<.right.grams>) -> out: view ;; parcels -> .right j
                 | orders -> j: join(left_key=.id, right_key=.order, unique=right) -> a: aggregate(group=.left.shop, SUM<.left.total>) -> out: view ;; parcels -> .right j
                 | orders -> j: join(left_key=.id, right_key=.nr) -> a: aggregate(group=.left.shop, SUM<.left.total>) -> out: view ;; parcels -> .right j
                 | orders -> j: join(left_key=.id, right_key=.order) -> once: dedupe(key=.left.id) -> a: aggregate(group=.left.shop, SUM<.left.total>) -> out: view ;; parcels -> .right j
                 | orders -> j: join(left_key=.id, right_key=.order) -> a: aggregate(group=.left.shop, MAX<.left.total>) -> out: view ;; parcels -> .right j
                 | orders -> j: join(left_key=.id, right_key=.order) -> a: aggregate(group=.left.shop, SUM<.left.total * .right.grams>) -> out: view ;; parcels -> .right j
                 | orders -> j: join(left_key=.id, right_key=.order) -> g: aggregate(group=.left.id, window=time, MAX<.left.total>) -> a: aggregate(SUM<.max>) -> out: view ;; parcels -> .right j
                 | orders -> e: enrich(key=.shop, row_key=.shop) -> a: aggregate(group=.row.region, SUM<.total>) -> out: view ;; shops: manual -> .rows e
        ",
    );
}

#[test]
fn parts_of_windows_are_combined_behind() {
    use crate::catalog::Catalog;
    use crate::validate::{notation, render, validate};
    const IN: &str = "type order(id=/id): id string, shop string, total number\nin: manual(event_type=order) -> lane: log(key=.id, partitions=4) -> once: dedupe(key=.id) ->";
    let combined = |rest: &str| {
        let document = notation::read(&format!("{IN} {rest}")).expect("a flow");
        let report = validate(&document, Catalog::bundled());
        assert_eq!(report.diagnostics[0].code, "PART-001", "{rest}");
        let fixes = report.diagnostics[0].fixes.clone().into_iter();
        let fix = fixes
            .into_iter()
            .find(|fix| fix.title.starts_with("Combine"))?;
        let mut mended = document;
        fix.transaction.apply(&mut mended);
        let report = validate(&mended, Catalog::bundled());
        Some(render::text(&report, &mended))
    };
    let column = |function: &str| {
        format!(
            r#"aggregates=[{{"name": "n"}}, {{"name": "x", "function": "{function}", "of": ".total"}}]"#
        )
    };
    for function in ["sum", "min", "max", "count"] {
        let by_shop = format!(
            "a: aggregate(group=.shop, window=time, size=1h, {}) -> out: view",
            column(function)
        );
        let all = by_shop.replace("group=.shop, ", "");
        for rest in [by_shop, all] {
            assert_eq!(
                combined(&rest).as_deref(),
                Some("no hazards found\n"),
                "{rest}"
            );
        }
    }
    for rest in [
        format!(
            "a: aggregate(group=.shop, window=time, size=1h, {}) -> out: view",
            column("average")
        ),
        format!(
            "a: aggregate(group=.shop, window=time, size=1h, {}) -> out: view",
            column("count_distinct")
        ),
        format!(
            "a: aggregate(group=.shop, window=count, count=9, {}) -> out: view",
            column("sum")
        ),
        format!("a: aggregate(group=.shop, {}) -> out: view", column("sum")),
    ] {
        assert_eq!(combined(&rest), None, "{rest}");
    }
}
