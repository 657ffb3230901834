//! What rules warn of happens: where a rule fires, some run with faults comes to something else than
//! the reference; where its better flow is silent, none of the runs does.
//!
//! Figures: `cargo test -p runtime --test hazards_show -- --nocapture`.

#![expect(
    clippy::print_stdout,
    reason = "figures, for whoever runs it with --nocapture"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use graph_model::catalog::{Behaviour, Catalog, Family, FieldType, JqRole, KindSpec};
use graph_model::document::{Document, EventType};
use graph_model::event::{Event, EventContext};
use graph_model::expr::Expr;
use graph_model::id::NodeId;
use graph_model::pointer::Pointer;
use graph_model::schema::{Schema, Types};
use graph_model::validate::{notation, rules};
use graph_model::value::{Object, Value};
use runtime::oracle::{Context, Oracle};
use runtime::simulate::{EPOCH_MS, Fact, Fault, Scenario, Simulation, Sort};
use smol_str::{SmolStr, format_smolstr};

/// Runs with faults of each flow.
const SEEDS: u64 = 64;

/// Faults of each run.
const FAULTS: usize = 2;

/// Facts of each source.
const FACTS: usize = 6;

/// Rules, with the faults that show their examples happening.
const SHOWN: &[(&str, &[Sort])] = &[
    ("DELIV-001", &[Sort::Duplicate, Sort::Replay]),
    ("DELIV-002", &[Sort::Duplicate, Sort::Replay]),
    ("ORDER-001", &[Sort::Delay]),
    ("ORDER-002", &[Sort::Delay]),
    ("ORDER-003", &[Sort::Delay, Sort::Partitions]),
    ("PART-001", &[Sort::Partitions]),
    ("PART-002", &[Sort::Partitions]),
    ("PART-009", &[Sort::Delay, Sort::Partitions]),
];

#[test]
fn hazards_happen_where_rules_fire_and_nowhere_else() {
    let mut wrong = Vec::new();
    for (code, sorts) in SHOWN {
        let rule = rules().iter().find(|rule| rule.code == *code);
        let rule = rule.unwrap_or_else(|| panic!("{code} is no rule"));
        let flow = |section: &str| {
            let lines: Vec<&str> = rule.section(section).collect();
            notation::read(&lines.join("\n")).unwrap_or_else(|error| panic!("{code}: {error}"))
        };
        let (bad, good) = (flow("Example"), flow("Use instead"));
        let (happened, stayed) = (differing(bad, sorts), differing(good, sorts));
        println!(
            "{code}: {} of {SEEDS} runs differ, {} of the better flow",
            happened.len(),
            stayed.len()
        );
        if happened.is_empty() {
            wrong.push(format!("{code}: no run of its example shows it"));
        }
        wrong.extend(
            stayed
                .first()
                .map(|difference| format!("{code}: its better flow differs, {difference}")),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Faults that silent flows stand; what a crash or another clock does is no matter of these rules.
const STOOD: &[Sort] = &[
    Sort::Duplicate,
    Sort::Replay,
    Sort::Delay,
    Sort::Late,
    Sort::Partitions,
];

/// Flows that are silent although runs of them differ: one writes down when it wrote, on purpose, and
/// one looks up what is taken not to change.
const EXCEPTIONS: [(&str, &str); 2] = [("ORDER-005", "Near miss"), ("ORDER-007", "Near miss")];

#[test]
fn silent_flows_come_to_the_same_whatever_goes_wrong() {
    let mut wrong = Vec::new();
    let mut played = 0;
    for rule in rules() {
        if !["DELIV", "ORDER", "PART"]
            .iter()
            .any(|family| rule.code.starts_with(family))
        {
            continue;
        }
        for section in ["Use instead", "Near miss"] {
            let lines: Vec<&str> = rule.section(section).collect();
            let Ok(document) = notation::read(&lines.join("\n")) else {
                continue;
            };
            let can = document.nodes.values().all(|node| node.kind != "function");
            if lines.is_empty() || !can || EXCEPTIONS.contains(&(rule.code, section)) {
                continue;
            }
            played += 1;
            let differences = differing(document, STOOD);
            if let Some(first) = differences.first() {
                wrong.push(format!(
                    "{} {section}: {} of {SEEDS}: {first}",
                    rule.code,
                    differences.len()
                ));
            }
        }
    }
    println!(
        "{played} silent flows, {SEEDS} runs each, {} differ",
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// How runs with faults differ from the reference, those that do.
fn differing(document: Document, sorts: &[Sort]) -> Vec<String> {
    let document = Arc::new(document);
    let catalog = Catalog::bundled();
    let scenario = Scenario {
        facts: facts(&document).into(),
        own_events: false,
        ..Scenario::default()
    };
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = Simulation::new(&document, catalog, project, &scenario);
    let mut simulation = made.unwrap_or_else(|problems| panic!("{problems:?}"));
    let facts = simulation.run().facts;
    let mut play = |scenario: &Scenario| {
        simulation
            .reset(scenario)
            .unwrap_or_else(|problems| panic!("{problems:?}"));
        simulation.run()
    };
    let reference = play(&scenario.reference(&facts));
    let context = Context::new(&document, catalog);
    let mut admitted = Fault::admitted(&document, catalog);
    admitted.retain(|admitted| sorts.contains(&admitted.sort));
    let mut differing = Vec::new();
    for seed in 0..SEEDS {
        let mut perturbed = Scenario {
            seed,
            facts: paced(&facts, seed),
            ..scenario.clone()
        };
        perturbed.go_wrong(&admitted, FAULTS, FACTS as u64);
        let outcome = play(&perturbed);
        if !outcome.ended.is_complete() {
            differing.push(format!("seed {seed}: {}", outcome.ended));
            continue;
        }
        if let [first, ..] = &Oracle::D1.judge(&outcome, &reference, &context)[..] {
            differing.push(format!("seed {seed}, {:?}: {first}", perturbed.faults));
        }
    }
    differing
}

/// Facts of every source, each source's a while apart from each other.
fn facts(document: &Document) -> Vec<Fact> {
    let read = read(document);
    let mut facts = Vec::new();
    for (place, (id, node)) in document.nodes.iter().enumerate() {
        let kind = Catalog::bundled().get(&node.kind);
        // What a table brings is what the flow writes there.
        let brings = |kind: &KindSpec| {
            kind.family == Family::Source && !matches!(kind.behaviour, Behaviour::Changes { .. })
        };
        if !kind.is_some_and(brings) {
            continue;
        }
        let ty = node.config_str("event_type");
        let ty = ty.and_then(|ty| document.types.get_key_value(ty));
        for number in 0..FACTS {
            let time_ms = EPOCH_MS + number as i64 * 1_000 + place as i64;
            let context = EventContext {
                id: format_smolstr!("{id}-{number}"),
                source: format_smolstr!("/{id}"),
                ty: ty.map_or_else(|| "fact".into(), |(name, _)| name.as_str().into()),
                time_ms,
                ..EventContext::default()
            };
            let data = match ty {
                Some((_, ty)) => typed(ty, number),
                None => untyped(&read, id, number),
            };
            facts.push(Fact {
                source: id.clone(),
                at_us: number as u64 * 10_000,
                event: Event {
                    context: Arc::new(context),
                    data,
                },
            });
        }
    }
    facts
}

/// The same facts, each source at its own pace: nothing keeps one in step with another.
fn paced(facts: &[Fact], seed: u64) -> Arc<[Fact]> {
    let first = facts.first().map(|fact| fact.source.clone());
    let pace = |fact: &Fact| match &first {
        Some(first) if *first == fact.source => 1 + seed % 3,
        _ => 1,
    };
    let facts = facts.iter().map(|fact| Fact {
        at_us: fact.at_us * pace(fact),
        ..fact.clone()
    });
    facts.collect()
}

/// The payload of a fact: what identifies it is its own, other fields have one of few values.
fn typed(ty: &EventType, number: usize) -> Value {
    let mut payload = Value::Null;
    for (place, field) in Schema::new(&ty.schema).fields().iter().enumerate() {
        let own = [&ty.id, &ty.version];
        let own = own.iter().any(|own| own.as_ref() == Some(&field.pointer));
        let choice = if own {
            number
        } else {
            number % (2 + place % 2)
        };
        let name = field.pointer.last().map_or("value", SmolStr::as_str);
        let value = if field.types.overlaps(Types::STRING) {
            Value::from(format!("{name}{choice}"))
        } else if field.types.overlaps(Types::NUMBER) {
            quantity(number)
        } else if field.types.overlaps(Types::BOOLEAN) {
            Value::Bool(choice == 0)
        } else {
            Value::Null
        };
        field.pointer.set(&mut payload, value);
    }
    for depends in &ty.depends {
        let from = depends.from.iter().map(|field| field.get(&payload));
        let from: Vec<String> = from.flatten().map(Value::to_json).collect();
        for to in &depends.to {
            to.set(&mut payload, Value::from(from.join(" ")));
        }
    }
    payload
}

/// A payload of whatever the flow reads: keys have one of few values, everything else is its own.
fn untyped(read: &BTreeMap<Pointer, bool>, source: &NodeId, number: usize) -> Value {
    let mut payload = Value::from(Object::new());
    let from = Pointer::root().child("from");
    from.set(&mut payload, Value::from(source.as_str()));
    for (place, (field, is_key)) in read.iter().enumerate() {
        let value = if *is_key {
            Value::from(format!("k{}", number % (2 + place % 2)))
        } else {
            quantity(number)
        };
        field.set(&mut payload, value);
    }
    Pointer::root()
        .child("number")
        .set(&mut payload, Value::Int(number as i64));
    payload
}

/// Neither rising nor falling with the number of the fact.
fn quantity(number: usize) -> Value {
    Value::Int(((number * 7 + 3) % 11) as i64)
}

/// Fields that the expressions of a flow read, and whether keys are made of them.
fn read(document: &Document) -> BTreeMap<Pointer, bool> {
    let mut read = BTreeMap::new();
    for node in document.nodes.values() {
        let fields = Catalog::bundled().get(&node.kind);
        for field in fields.iter().flat_map(|kind| &kind.config) {
            let is_key = matches!(field.ty, FieldType::Jq { role: JqRole::Key });
            let mut codes = Vec::new();
            node.config
                .get(&field.name)
                .into_iter()
                .for_each(|value| texts(value, &mut codes));
            for code in codes {
                let Ok(expr) = Expr::compile(code) else {
                    continue;
                };
                for field in &expr.analysis().reads.fields {
                    if !field.is_root() {
                        *read.entry(field.clone()).or_default() |= is_key;
                    }
                }
            }
        }
    }
    read
}

fn texts<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::Str(text) => found.push(text),
        Value::Arr(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Obj(object) => object.values().for_each(|item| texts(item, found)),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => {}
    }
}
