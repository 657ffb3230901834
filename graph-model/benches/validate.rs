//! How long the validator takes on generated flows: facts, a fresh look, an edit, a giant loop.

use std::fmt::Write;
use std::sync::Arc;

use divan::{Bencher, black_box};
use graph_model::catalog::Catalog;
use graph_model::document::Document;
use graph_model::validate::{Checker, notation, validate};
use graph_model::value::Value;
use mimalloc::MiMalloc;

/// The one that the product uses.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() {
    divan::main();
}

/// Event type with 24 fields, each with a label.
fn head() -> String {
    let mut text = String::from(
        "role finance\nrole support\nrole patients external\n\
         type claim(id=/id): id string {org | subject:/owner}, owner string {org | subject:/owner}, \
         amount number {role:finance | subject:/owner}, note string {role:support}, turns integer? {org}",
    );
    for field in 5..24 {
        let role = ["finance", "support"][field % 2];
        write!(text, ", f{field} string {{role:{role} | org}}").expect("a string takes all text");
    }
    text.push('\n');
    text
}

/// Lanes of ten nodes each; every second lane meets its neighbour.
fn lanes(nodes: usize) -> Document {
    let mut text = head();
    for lane in 0..nodes / 10 {
        write!(
            text,
            "s{lane}: replay(file=in.jsonl, event_type=claim) -> \
             l{lane}: log(key=.owner, partitions=4) -> once{lane}: dedupe(key=.id) -> \
             m{lane}: map(expr=.amount = .amount * {lane}) -> q{lane}: queue(group=.owner) -> \
             f{lane}: filter(when=.amount > {lane}) -> d{lane}: dedupe(key=.id) -> \
             a{lane}: aggregate(group=.owner, aggregates=[{{\"name\": \"sum\", \"function\": \"sum\", \"of\": \".amount\"}}]) -> \
             t{lane}: table(table=sums{lane}, key=.key, columns={{\"owner\": \".key\"}})\n\
             f{lane}.dropped -> v{lane}: table(table=small{lane}, key=.id, columns={{\"id\": \".id\"}})\n"
        )
        .expect("a string takes all text");
        if lane % 2 == 1 {
            writeln!(text, "f{}.dropped -> v{lane}", lane - 1).expect("a string takes all text");
        }
    }
    notation::read(&text).expect("the generated flow reads")
}

/// One loop through most nodes, with shortcuts.
fn ring(nodes: usize) -> Document {
    let mut text = head();
    text.push_str("in: replay(file=in.jsonl, event_type=claim) -> n0: queue\n");
    for node in 1..nodes - 1 {
        let kind = match node % 4 {
            0 => "queue(group=.owner)".to_owned(),
            1 => format!("map(expr=.amount = .amount + {node})"),
            2 => "filter(when=.turns < 5)".to_owned(),
            _ => "log(key=.owner, partitions=4)".to_owned(),
        };
        writeln!(text, "n{} -> n{node}: {kind}", node - 1).expect("a string takes all text");
        if node % 8 == 0 {
            writeln!(text, "n{node} -> n{}", node - 6).expect("a string takes all text");
        }
    }
    writeln!(text, "n{} -> n0", nodes - 2).expect("a string takes all text");
    notation::read(&text).expect("the generated flow reads")
}

/// Facts at every port of a document that was read before.
#[divan::bench(args = [Shape::Lanes, Shape::Ring])]
fn solve(bencher: Bencher, shape: Shape) {
    let document = match shape {
        Shape::Lanes => lanes(10_000),
        Shape::Ring => ring(10_000),
    };
    let mut checker = Some(Checker::new(&document, Catalog::bundled()));
    bencher.bench_local(|| checker = checker.take().map(Checker::solve));
}

#[derive(Clone, Copy, Debug)]
enum Shape {
    Lanes,
    Ring,
}

/// Facts alone, from the document on.
#[divan::bench(args = [10_000])]
fn facts(bencher: Bencher, nodes: usize) {
    let document = lanes(nodes);
    bencher.bench_local(|| Checker::new(black_box(&document), Catalog::bundled()));
}

/// Facts and all rules.
#[divan::bench(args = [1_000, 10_000])]
fn whole(bencher: Bencher, nodes: usize) {
    let document = lanes(nodes);
    assert_eq!(document.nodes.len(), nodes);
    let report = validate(&document, Catalog::bundled());
    assert_eq!(report.diagnostics, [], "the lanes are a good design");
    bencher.bench_local(|| validate(black_box(&document), Catalog::bundled()));
}

#[divan::bench(args = [10_000])]
fn one_giant_loop(bencher: Bencher, nodes: usize) {
    let document = ring(nodes);
    bencher.bench_local(|| validate(black_box(&document), Catalog::bundled()));
}

/// The same edit at a node that has most of its lane behind it, done and undone.
#[divan::bench(args = ["config", "title", "wire"])]
fn one_edit(bencher: Bencher, what: &str) {
    let document = lanes(10_000);
    let mut edited = document.clone();
    if what == "wire" {
        let first = edited.edges.keys().next().cloned();
        edited.edges.remove(&first.expect("there are wires"));
    } else {
        let node = edited.nodes.get_mut("m500").expect("a node");
        let node = Arc::make_mut(node);
        if what == "title" {
            node.title = "Another title".into();
        } else {
            let other = Value::from(".amount = .amount + 1");
            node.config.insert("expr", other);
        }
    }
    let mut checker = Checker::new(&document, Catalog::bundled());
    assert_eq!(
        checker.report().diagnostics,
        [],
        "the lanes are a good design"
    );
    let mut turn = false;
    bencher.bench_local(|| {
        turn = !turn;
        checker.update(if turn { &edited } else { &document });
        black_box(checker.report())
    });
}
