//! What oracles say of the flows in the pages of the rules: they see hazards happen where rules warn of
//! them, and nothing where no rule warns.
//!
//! Figures: `cargo test -p runtime --test oracles_show -- --nocapture`; `WEIR_RUNS=500` for more runs.

#![expect(
    clippy::print_stdout,
    reason = "figures, for whoever runs it with --nocapture"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use graph_model::catalog::Catalog;
use graph_model::document::Document;
use graph_model::validate::{notation, rules, validate};
use runtime::oracle::{self, Context, Finding, Oracle};
use runtime::simulate::{
    Fault, FaultKind, Limits, Outcome, Place, Record, Scenario, Simulation, Sort,
};
use runtime::witness::values::{self, Hint, Wish};

/// Facts of each source, and faults of each run.
const FACTS: usize = 5;
const FAULTS: usize = 2;

/// Flows that are silent although oracles see something: a clock that is kept on purpose, rows that
/// are looked up, and a log whose one partition is taken for granted.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("AUTH-015", "Near miss"),
    ("ORDER-005", "Near miss"),
    ("ORDER-007", "Near miss"),
    ("ORDER-007", "Use instead"),
    ("STATE-006", "Near miss"),
];

/// Ways in which facts are alike, by turns.
const HINTS: [Hint; 6] = [
    Hint::Mixed,
    Hint::OneGroup,
    Hint::People,
    Hint::OneThing,
    Hint::Unequal,
    Hint::Sparse,
];

/// How many of them suit any flow; the others break promises that a type may have made.
const SUIT_ANY: usize = 3;

/// Faults that silent flows stand; what a crash or another clock does is no matter of most rules.
const STOOD: &[Sort] = &[
    Sort::Duplicate,
    Sort::Replay,
    Sort::Delay,
    Sort::Late,
    Sort::Partitions,
];

fn runs() -> u64 {
    let wished = std::env::var("WEIR_RUNS").ok();
    wished.and_then(|runs| runs.parse().ok()).unwrap_or(24)
}

#[test]
fn oracles_see_what_rules_warn_of() {
    let mut wrong = Vec::new();
    let (mut silent, mut spent) = (0, Vec::new());
    for rule in rules() {
        for section in ["Example", "Use instead", "Near miss"] {
            let lines: Vec<&str> = rule.section(section).collect();
            let Ok(document) = notation::read(&lines.join("\n")) else {
                continue;
            };
            if lines.is_empty() || document.nodes.values().any(|node| node.kind == "function") {
                continue;
            }
            let report = validate(&document, Catalog::bundled());
            let codes: BTreeSet<&str> = report.diagnostics.iter().map(|found| found.code).collect();
            let Some(seen) = look(document, !codes.is_empty()) else {
                continue;
            };
            spent.extend(seen.spent);
            let fired: Vec<String> = seen
                .fired
                .iter()
                .map(|(oracle, (count, (seed, first)))| {
                    format!("{} {count} {seed} {first}\n", oracle.id())
                })
                .collect();
            println!("{} {section} {codes:?}: {}", rule.code, fired.join(", "));
            if codes.is_empty() && !EXCEPTIONS.contains(&(rule.code, section)) {
                silent += 1;
                wrong.extend(seen.fired.values().map(|(count, (seed, first))| {
                    format!(
                        "{} {section}, {count} runs, seed {seed}: {first}",
                        rule.code
                    )
                }));
            }
        }
    }
    spent.sort_unstable();
    let share = |percent| {
        spent
            .get(spent.len() * percent / 100)
            .copied()
            .unwrap_or_default()
    };
    let (median, most) = (share(50), share(95));
    println!("{silent} silent flows; a verdict takes {median:?}, 95 of 100 at most {most:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What oracles said of the runs of a flow.
struct Seen {
    fired: BTreeMap<Oracle, (u32, (u64, Finding))>,
    /// On each verdict.
    spent: Vec<Duration>,
}

/// Lets all oracles look at runs of a flow; nothing when it cannot run.
fn look(document: Document, everything: bool) -> Option<Seen> {
    let document = Arc::new(document);
    let catalog = Catalog::bundled();
    let scenario = Scenario {
        own_events: false,
        record: Record::Events,
        limits: Limits {
            steps_max: 40_000,
            ..Limits::default()
        },
        ..Scenario::default()
    };
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut simulation = Simulation::new(&document, catalog, project, &scenario).ok()?;
    let mut play = |scenario: &Scenario| -> Outcome {
        simulation
            .reset(scenario)
            .unwrap_or_else(|problems| panic!("{problems:?}"));
        simulation.run()
    };
    let context = Context::new(&document, catalog);
    let mut admitted = Fault::admitted(&document, catalog);
    if !everything {
        admitted.retain(|admitted| STOOD.contains(&admitted.sort));
    }
    let mut seen = Seen {
        fired: BTreeMap::new(),
        spent: Vec::new(),
    };
    let hints = &HINTS[..if everything { HINTS.len() } else { SUIT_ANY }];
    for (number, hint) in hints.iter().copied().enumerate() {
        let wish = Wish {
            count: FACTS,
            hint,
            ..Wish::default()
        };
        let facts = values::wished(&document, catalog, &wish);
        let facts = oracle::plant(&document, &facts);
        let scenario = Scenario {
            facts: Arc::clone(&facts),
            ..scenario.clone()
        };
        let reference = play(&scenario.reference(&facts));
        for seed in (0..runs()).filter(|seed| *seed as usize % hints.len() == number) {
            let mut perturbed = Scenario {
                seed,
                facts: values::paced(&facts, seed),
                ..scenario.clone()
            };
            perturbed.go_wrong(&admitted, FAULTS, FACTS as u64);
            if everything && seed % 2 == 0 {
                refuse(&mut perturbed, &document);
            }
            let outcome = play(&perturbed);
            let began = Instant::now();
            let found = oracle::judge(&outcome, &reference, &context);
            seen.spent.push(began.elapsed());
            for finding in found {
                seen.note(seed, finding);
            }
            if !outcome.ended.is_complete() {
                // One storm is enough.
                return Some(seen);
            }
        }
        let run = play(&scenario);
        for secret in oracle::secrets(&context, &run.facts) {
            let other = play(&Scenario {
                facts: secret.change(&run.facts),
                replay: Some(Arc::new(secret.released(&run, &context))),
                ..scenario.clone()
            });
            for finding in secret.judge(&run, &other, &context) {
                seen.note(0, finding);
            }
        }
        let other = play(&oracle::again(&scenario));
        for finding in oracle::judge_again(&run, &other, &context) {
            seen.note(0, finding);
        }
    }
    Some(seen)
}

/// Lets one node after the other meet an event that it can never handle.
fn refuse(scenario: &mut Scenario, document: &Document) {
    let nodes = document.nodes.keys();
    let nodes = nodes.skip(scenario.seed as usize / 2 % document.nodes.len());
    let refused = nodes.take(1).map(|node| Fault {
        kind: FaultKind::Refuse,
        place: Place::Node(node.clone()),
        nth: 1,
    });
    scenario.faults = scenario.faults.iter().cloned().chain(refused).collect();
}

impl Seen {
    fn note(&mut self, seed: u64, finding: Finding) {
        let held = self.fired.entry(finding.oracle);
        held.or_insert((0, (seed, finding))).0 += 1;
    }
}
