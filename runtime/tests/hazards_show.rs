//! What rules warn of happens: where a rule fires, some run with faults comes to something else than
//! the reference; where its better flow is silent, none of the runs does.
//!
//! Figures: `cargo test -p runtime --test hazards_show -- --nocapture`.

#![expect(
    clippy::print_stdout,
    reason = "figures, for whoever runs it with --nocapture"
)]

use std::path::Path;
use std::sync::Arc;

use graph_model::catalog::Catalog;
use graph_model::document::Document;
use graph_model::validate::{notation, rules};
use runtime::oracle::{Context, Oracle};
use runtime::simulate::{Fault, Scenario, Simulation, Sort};
use runtime::witness::values;

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

/// Flows that are silent although runs of them differ: one writes down when it wrote, on purpose, one
/// looks up what is taken not to change, and one looks up the row of the time, which may not have come.
const EXCEPTIONS: [(&str, &str); 3] = [
    ("ORDER-005", "Near miss"),
    ("ORDER-007", "Near miss"),
    ("ORDER-007", "Use instead"),
];

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
        facts: values::facts(&document, catalog, FACTS).into(),
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
            facts: values::paced(&facts, seed),
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
