//! How long operators take, for a thousand small events: alone, and as the chain of a flow.

use std::path::Path;
use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use graph_model::document::{Document, Node};
use graph_model::event::{Event, EventContext};
use graph_model::value;
use graph_model::value::Value;
use runtime::catalog::kinds;
use runtime::delivery::Share;
use runtime::kind::{Build, Make};
use runtime::operator::{Context, Operator, Output};
use runtime::shared::Shared;
use runtime::world::SystemWorld;
use smol_str::{SmolStr, format_smolstr};

fn main() {
    divan::main();
}

const EVENTS: u64 = 1000;

#[divan::bench(args = ["map", "filter", "aggregate", "aggregate, updating", "dedupe", "redact"])]
fn alone(bencher: Bencher, name: &str) {
    run(bencher, &[name]);
}

#[divan::bench]
fn chain(bencher: Bencher) {
    run(bencher, &["map", "filter", "aggregate"]);
}

fn run(bencher: Bencher, chain: &[&str]) {
    bencher
        .counter(ItemsCount::new(EVENTS))
        .with_inputs(|| {
            let operators: Vec<_> = chain.iter().map(|name| operator(name)).collect();
            (operators, events())
        })
        .bench_local_values(|(mut operators, events)| {
            let share = Share::none();
            let ctx = Context {
                instances: 1,
                share: Some(&share),
                ..Context::default()
            };
            let mut out = Output::default();
            for event in events {
                let mut event = Some(event);
                for operator in &mut operators {
                    let Some(held) = event.take() else { break };
                    operator.on_event(held, 0, &ctx, &mut out);
                    // What left by the first port goes on.
                    let left = out.emitted.pop().filter(|(port, _)| *port == 0);
                    event = left.map(|(_, event)| event);
                }
            }
            assert!(out.failed.is_empty());
            operators
        });
}

fn operator(name: &str) -> Box<dyn Operator> {
    let total = value!([
        {"name": "count", "function": "count"},
        {"name": "sum", "function": "sum", "of": ".value"},
        {"name": "max", "function": "max", "of": ".value"},
    ]);
    let config = match name {
        "map" => value!({"expr": ".v2 = .value * 1.1 | .big = (.value >= 90)"}),
        "filter" => value!({"when": ".value >= 50"}),
        "aggregate" => {
            value!({"group": ".key", "window": "count", "count": 100, "aggregates": total})
        }
        "aggregate, updating" => value!({"group": ".key", "aggregates": total}),
        "dedupe" => value!({}),
        "redact" => value!({"fields": ["/key", "/t0"], "how": "mask"}),
        other => panic!("{other} has no configuration here"),
    };
    let kind = name.split(',').next().expect("a name");
    let kind = kinds()
        .into_iter()
        .find(|held| held.spec.id == kind)
        .expect("the kind is there");
    let Value::Obj(config) = config else {
        panic!("a configuration is an object");
    };
    let node = Node {
        config: Arc::unwrap_or_clone(config),
        ..Node::new(kind.spec.id.clone())
    };
    let Make::Operator(make) = kind.make else {
        panic!("the kind is an operator");
    };
    make(&Build {
        id: &"node".into(),
        node: &node,
        spec: &kind.spec,
        document: &Document::default(),
        project: Path::new("."),
        world: Arc::new(SystemWorld::new()),
        shared: &Shared::default(),
    })
    .unwrap_or_else(|problem| panic!("{}", problem.message))
}

fn events() -> Vec<Event> {
    let event = |number: u64| Event {
        context: Arc::new(EventContext {
            id: format_smolstr!("{number}"),
            source: SmolStr::new_static("bench"),
            ..EventContext::default()
        }),
        data: value!({
            "id": number,
            "key": (format!("k{}", number % 100)),
            "value": ((number * 7919 % 10_000) as f64 / 100.0),
            "t0": number,
        }),
    };
    (0..EVENTS).map(event).collect()
}
