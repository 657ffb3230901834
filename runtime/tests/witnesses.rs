//! Hazards are seen happening: the example of each rule and the flawed samples, with the run that shows
//! it, how long it took to find, and how small it could be made.
//!
//! Figures: `cargo test -p runtime --test witnesses -- --nocapture`.

#![expect(
    clippy::print_stdout,
    reason = "figures, for whoever runs it with --nocapture"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use graph_model::catalog::Catalog;
use graph_model::document::Document;
use graph_model::format;
use graph_model::validate::{Diagnostic, notation, rules, validate};
use runtime::witness::{Budget, Case, Verdict, Witness, find, replay};

/// The hazards that have to be perfect first.
const STARRED: [&str; 15] = [
    "AUTH-001",
    "AUTH-002",
    "AUTH-003",
    "AUTH-009",
    "DELIV-001",
    "DELIV-002",
    "LOOP-001",
    "ORDER-001",
    "PART-001",
    "PART-002",
    "PART-003",
    "PART-005",
    "PART-006",
    "PART-009",
    "SCHEMA-001",
];
/// The hazards that no run of their example shows, and only those.
const UNSEEN: [&str; 16] = [
    "AUTH-011",
    "COST-005",
    "LOOP-004",
    "OBS-002",
    "OBS-003",
    "PART-004",
    "SCHEMA-003",
    "STATE-008",
    "STRUCT-001",
    "STRUCT-002",
    "STRUCT-003",
    "STRUCT-004",
    "STRUCT-005",
    "STRUCT-006",
    "STRUCT-007",
    "STRUCT-008",
];
/// Facts of a witness of those, at most.
const FACTS_MAX: usize = 3;
/// How many of the others, where a run can show them, are confirmed in percent.
const OTHERS_PERCENT: usize = 85;
/// Time to find one, in a build that is not optimised and beside other tests.
const TIME_MAX: Duration = Duration::from_secs(20);

/// A flow that has hazards.
struct Flow {
    name: String,
    project: PathBuf,
    document: Arc<Document>,
}

#[test]
fn starred_hazards_are_seen_in_examples_and_samples() {
    let (mut wrong, mut unseen) = (Vec::new(), BTreeSet::new());
    let (mut seen, mut open, mut assumed, mut starred) = (0, 0, 0, 0);
    for flow in examples().into_iter().chain(samples()) {
        let report = validate(&flow.document, Catalog::bundled());
        let code = flow.name.split(' ').next().unwrap_or_default();
        let is_example = rules().iter().any(|rule| rule.code == code);
        for found in &report.diagnostics {
            if is_example && found.code != code {
                continue;
            }
            let (verdict, took) = look(&flow, found);
            println!("{}", row(&flow, found, &verdict, took));
            match &verdict {
                Verdict::Confirmed(witness) => {
                    seen += 1;
                    wrong.extend(flaws(&flow, witness));
                }
                Verdict::NotConfirmed { .. } => open += 1,
                Verdict::Assumed { .. } => assumed += 1,
            }
            if is_example && !matches!(verdict, Verdict::Confirmed(_)) {
                unseen.insert(found.code);
            }
            if !STARRED.contains(&found.code) {
                continue;
            }
            starred += 1;
            let at = format!("{} {} at {}", flow.name, found.code, found.subject.text());
            match &verdict {
                Verdict::Confirmed(witness) if witness.scenario.facts.len() > FACTS_MAX => {
                    wrong.push(format!("{at}: {} facts", witness.scenario.facts.len()));
                }
                Verdict::Confirmed(_) if took > TIME_MAX => wrong.push(format!("{at}: {took:?}")),
                Verdict::Confirmed(_) => {}
                other => wrong.push(format!("{at}: {}", other.line())),
            }
        }
    }
    println!("{seen} confirmed, {open} not confirmed, {assumed} assumed; {starred} starred");
    let (others, all) = (seen - starred, seen - starred + open);
    if others * 100 < all * OTHERS_PERCENT {
        wrong.push(format!("only {others} of {all} others are confirmed"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    if std::env::var("WEIR_CODE").is_err() {
        assert_eq!(unseen, BTreeSet::from(UNSEEN));
    }
}

/// Flows as people sketch them: nobody has written the code yet.
#[test]
fn sketches_show_what_their_code_may_do() {
    const TYPES: &str =
        "type ask(id=/id): id string, page string, org string, plan string {tenant:/org}
        type bill(id=/bill): bill string, cents integer";
    for (flow, code, oracle) in [
        (
            "calls: http(path=/calls) -> lane: log(partitions=4, key=.who) -> limit: function(component=limit.wasm, ports=[\"ok\",\"refused\"]) ^state=instance -> few: map(expr={who}) -> rows: table(table=calls, key=.who)",
            "STATE-001",
            "D1",
        ),
        (
            "in: manual -> lane: queue -> make: function(component=make.wasm) -> stored: table(table=bills, key=.bill, mode=upsert)
             make -> pay: effect(action=pay, key=.bill)",
            "DELIV-004",
            "X1",
        ),
        (
            "in: manual(event_type=ask) -> lane: queue -> show: function(component=show.wasm) ^state=cache ^cache_key=.page ^reads=[\"/page\",\"/org\",\"/plan\"] -> all: queue",
            "STATE-002",
            "A1",
        ),
        (
            "orders: http(path=/orders) -> decide: function(component=pay.wasm) ^reads_from=paid -> done: topic -> paid: table(table=paid, key=.account)",
            "STATE-005",
            "D1",
        ),
        (
            "in: manual -> lane: topic(visibility=5s) -> one: map(expr=.) -> work: function(component=work.wasm) ^duration=6s -> out: view",
            "DELIV-008",
            "X1",
        ),
    ] {
        let flow = Flow {
            name: code.into(),
            project: PathBuf::from(env!("CARGO_MANIFEST_DIR")),
            document: Arc::new(notation::read(&format!("{TYPES}\n{flow}")).expect("a flow")),
        };
        let report = validate(&flow.document, Catalog::bundled());
        let found = report.diagnostics.iter().find(|found| found.code == code);
        let found = found.unwrap_or_else(|| panic!("{code}: {:?}", report.diagnostics));
        match look(&flow, found).0 {
            Verdict::Confirmed(witness) => {
                assert_eq!(witness.finding.oracle.id(), oracle, "{code}");
                let said = &witness.explanation[1];
                assert!(said.contains("has no code yet"), "{code}: {said}");
                assert_eq!(flaws(&flow, &witness), [""; 0]);
            }
            other => panic!("{code}: {}", other.line()),
        }
    }
}

#[test]
fn code_that_is_there_and_broken_is_a_problem() {
    let flow = "in: manual -> limit: function(component=Cargo.toml) ^state=instance -> out: view";
    let flow = Flow {
        name: "broken".into(),
        project: PathBuf::from(env!("CARGO_MANIFEST_DIR")),
        document: Arc::new(notation::read(flow).expect("a flow")),
    };
    let report = validate(&flow.document, Catalog::bundled());
    let verdict = look(&flow, &report.diagnostics[0]).0;
    assert!(
        verdict.line().starts_with(
            "assumed, the flow cannot be run: limit: `component`: not a WebAssembly file"
        ),
        "{}",
        verdict.line()
    );
}

/// Better flows in which it is seen all the same: a lookup of the row of the time misses what has not
/// come yet.
const EXCEPTIONS: [&str; 1] = ["ORDER-007"];

/// A finding of the example is looked for in the better flow, where it should not be seen.
#[test]
fn what_is_not_there_is_not_seen() {
    let mut wrong = Vec::new();
    let mut silent = 0;
    for (bad, good) in section("Example").into_iter().zip(section("Use instead")) {
        let (Some(bad), Some(good)) = (bad, good) else {
            continue;
        };
        let code = bad.name.split(' ').next().unwrap_or_default();
        let report = validate(&bad.document, Catalog::bundled());
        let found = report.diagnostics.iter().find(|found| found.code == code);
        let clean = validate(&good.document, Catalog::bundled());
        let silent_flow = clean.diagnostics.is_empty() && !EXCEPTIONS.contains(&code);
        let (Some(found), true) = (found, silent_flow) else {
            continue;
        };
        match look(&good, found).0 {
            Verdict::Confirmed(witness) => wrong.push(format!(
                "{code}: {}, {} {}",
                witness.by(),
                witness.finding,
                witness.explanation.join(" ")
            )),
            Verdict::NotConfirmed { .. } => silent += 1,
            Verdict::Assumed { .. } => {}
        }
    }
    println!("{silent} better flows do not show what their twin has");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with a witness, whatever it is of.
fn flaws(flow: &Flow, witness: &Witness) -> Vec<String> {
    let at = |what: String| format!("{} {}: {what}", flow.name, witness.code);
    let text = witness.to_text();
    let read = match Witness::parse(text.as_bytes()) {
        Ok(read) => read,
        Err(error) => return vec![at(error.to_string())],
    };
    let mut flaws = Vec::new();
    if read.to_text() != text {
        flaws.push(at("its file is another one once it was read".into()));
    }
    match replay(&read, Catalog::bundled(), &flow.project) {
        Ok(differences) => flaws.extend(differences.iter().map(|one| at(one.to_string()))),
        Err(problems) => flaws.extend(problems.iter().map(|one| at(one.to_string()))),
    }
    flaws
}

fn look(flow: &Flow, found: &Diagnostic) -> (Verdict, Duration) {
    let case = Case {
        document: &flow.document,
        catalog: Catalog::bundled(),
        project: &flow.project,
        flow: &flow.name,
        found,
    };
    let began = Instant::now();
    let budget = Budget {
        schedules_max: Budget::SCHEDULES_MAX,
        is_over: &|| false,
    };
    let verdict = find(&case, budget);
    (verdict, began.elapsed())
}

fn row(flow: &Flow, found: &Diagnostic, verdict: &Verdict, took: Duration) -> String {
    let star = if STARRED.contains(&found.code) {
        "*"
    } else {
        " "
    };
    let head = format!(
        "{star} {:<28} {:<10} {:<18} {:>5} ms",
        flow.name,
        found.code,
        found.subject.text(),
        took.as_millis()
    );
    match verdict {
        Verdict::Confirmed(witness) => format!(
            "{head}  {} runs, {} facts, {} faults, {} of {} nodes: {} | {}",
            witness.tried,
            witness.scenario.facts.len(),
            witness.scenario.faults.len(),
            witness.document.nodes.len(),
            flow.document.nodes.len(),
            witness.finding.oracle.id(),
            witness.explanation.join(" "),
        ),
        other => format!("{head}  {}", other.line()),
    }
}

fn examples() -> Vec<Flow> {
    section("Example").into_iter().flatten().collect()
}

/// The flow of a section of each rule, where it has one.
fn section(title: &str) -> Vec<Option<Flow>> {
    let only = std::env::var("WEIR_CODE").ok();
    let all = rules().iter();
    all.filter(|rule| only.as_deref().is_none_or(|only| rule.code == only))
        .map(|rule| {
            let lines: Vec<&str> = rule.section(title).collect();
            let document = notation::read(&lines.join("\n")).ok()?;
            (!document.nodes.is_empty()).then(|| Flow {
                name: format!("{} {}", rule.code, title.to_lowercase()),
                project: PathBuf::from(env!("CARGO_MANIFEST_DIR")),
                document: Arc::new(document),
            })
        })
        .collect()
}

fn samples() -> Vec<Flow> {
    if std::env::var("WEIR_CODE").is_ok() {
        return Vec::new();
    }
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples");
    let mut folders: Vec<PathBuf> = fs::read_dir(samples)
        .expect("there are samples")
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    folders.sort();
    let mut flows = Vec::new();
    for project in folders {
        let name = project
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let Ok(text) = fs::read(project.join(format!("{name}-flawed.flow.json"))) else {
            continue;
        };
        let opened = format::open(&text).expect("samples are flows");
        flows.push(Flow {
            name,
            project,
            document: Arc::new(opened.document),
        });
    }
    flows
}
