//! How long the validator takes on generated flows of 1,000 and 10,000 nodes.

use std::fmt::Write;

use divan::{Bencher, black_box};
use graph_model::catalog::Catalog;
use graph_model::document::Document;
use graph_model::validate::{notation, validate};

fn main() {
    divan::main();
}

/// Lanes of ten nodes each, with labels, keys and a loop; every second lane meets its neighbour.
fn generated(nodes: usize) -> Document {
    let mut text = String::from(
        "role finance\nrole support\nrole patients external\n\
         type claim(id=/id): id string {org | subject:/owner}, owner string {org | subject:/owner}, \
         amount number {role:finance | subject:/owner}, note string {role:support}, turns integer?\n",
    );
    for lane in 0..nodes / 10 {
        write!(
            text,
            "s{lane}: replay(file=in.jsonl, event_type=claim) -> \
             l{lane}: log(key=.owner, partitions=4) -> once{lane}: dedupe(key=.id) -> \
             m{lane}: map(expr=.amount = .amount * {lane}) -> q{lane}: queue(group=.owner) -> \
             f{lane}: filter(when=.amount > {lane}) -> d{lane}: dedupe(key=.id) -> \
             a{lane}: aggregate(group=.owner, aggregates=[{{\"name\": \"sum\", \"function\": \"sum\", \"of\": \".amount\"}}]) -> \
             t{lane}: table(table=sums, key=.key, columns={{\"owner\": \".key\"}})\n\
             f{lane}.dropped -> v{lane}: view @finance\n"
        )
        .expect("a string takes all text");
        if lane % 2 == 1 {
            writeln!(text, "f{}.dropped -> v{lane}", lane - 1).expect("a string takes all text");
        }
    }
    notation::read(&text).expect("the generated flow reads")
}

#[divan::bench(args = [1_000, 10_000])]
fn whole(bencher: Bencher, nodes: usize) {
    let document = generated(nodes);
    assert_eq!(document.nodes.len(), nodes);
    bencher.bench(|| validate(black_box(&document), Catalog::bundled()));
}
