//! One edit, and taking it back, on documents of several sizes.

use divan::Bencher;
use graph_model::document::{Document, Node};
use graph_model::edit::{History, TransactionBuilder};
use graph_model::id::{NodeId, PortRef};

fn main() {
    divan::main();
}

/// A long chain of maps.
fn chain(nodes: usize) -> Document {
    let mut document = Document::default();
    let mut build = TransactionBuilder::new(&document, "Build");
    let ids: Vec<NodeId> = (0..nodes)
        .map(|number| {
            let id = NodeId::from(format!("map_{number}"));
            build.add_node(&id, Node::new("map").with("expr", "."), Some((0, 0)))
        })
        .collect();
    for pair in ids.windows(2) {
        build.connect(
            PortRef::new(pair[0].clone(), "out"),
            PortRef::new(pair[1].clone(), "in"),
        );
    }
    build.finish().apply(&mut document);
    document
}

#[divan::bench(args = [100, 1_000, 10_000])]
fn change_a_field_and_undo(bencher: Bencher, nodes: usize) {
    let mut document = chain(nodes);
    let mut history = History::saved();
    let middle = NodeId::from(format!("map_{}", nodes / 2));
    bencher.bench_local(|| {
        let mut build = TransactionBuilder::new(&document, "Change");
        build.set_config(&middle, "expr", Some(".x".into()));
        let change = build.finish();
        history.apply(&mut document, change);
        history.undo(&mut document)
    });
}

#[divan::bench(args = [100, 1_000, 10_000])]
fn remove_a_node_and_undo(bencher: Bencher, nodes: usize) {
    let mut document = chain(nodes);
    let mut history = History::saved();
    let middle = [NodeId::from(format!("map_{}", nodes / 2))].into();
    bencher.bench_local(|| {
        let mut build = TransactionBuilder::new(&document, "Remove");
        build.remove_nodes(&middle);
        let change = build.finish();
        history.apply(&mut document, change);
        history.undo(&mut document)
    });
}

#[divan::bench(args = [10_000])]
fn write_the_file(bencher: Bencher, nodes: usize) {
    let document = chain(nodes);
    bencher.bench_local(|| graph_model::format::write(&document));
}
