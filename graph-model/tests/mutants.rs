//! Checks of the checker: good flows, each with mutations that bring one hazard, in many disguises.
//!
//! A file of `tests/mutants` holds bases. A base is a silent flow with `mutate CODE: old => new` lines
//! (several `;;`-separated replacements make one mutation; `\n` is a new line). The documentation of
//! each rule is a base too: `Use instead` is silent, `Example` its mutation, and `Near miss` is silent.
//! Figures: `cargo test -p graph-model --test mutants -- --nocapture`.

#![expect(
    clippy::print_stdout,
    reason = "figures, for whoever runs it with --nocapture"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use graph_model::catalog::Catalog;
use graph_model::document::{Document, Edge, Node};
use graph_model::id::{Id, PortRef};
use graph_model::validate::{Report, Severity, notation, rules, validate};
use graph_model::value::Value;
use smol_str::SmolStr;

/// Disguises of each base and mutation.
const DISGUISES: u64 = 16;

/// Steps in which applying first fixes has to end.
const FIXES_MAX: usize = 4;

/// Codes that have to be perfect first, and those that come next.
const FIRST: [&str; 15] = [
    "AUTH-001",
    "AUTH-002",
    "AUTH-003",
    "AUTH-009",
    "PART-001",
    "PART-002",
    "PART-003",
    "PART-005",
    "PART-006",
    "PART-009",
    "DELIV-001",
    "DELIV-002",
    "ORDER-001",
    "SCHEMA-001",
    "LOOP-001",
];
const SECOND: [&str; 7] = [
    "AUTH-005",
    "AUTH-006",
    "DELIV-006",
    "ORDER-004",
    "ORDER-006",
    "LOOP-005",
    "STATE-001",
];

/// A silent flow, and flows that are like it but for one hazard.
struct Base {
    place: String,
    flow: String,
    mutants: Vec<Mutant>,
}

struct Mutant {
    code: String,
    /// What was changed.
    change: String,
    flow: String,
}

/// How a flow is written differently without being another one.
#[derive(Clone, Copy)]
struct Disguise {
    seed: u64,
}

#[derive(Default)]
struct Score {
    mutants: usize,
    reported: usize,
    with_others: usize,
}

fn bases() -> Vec<Base> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/mutants");
    let mut files: Vec<PathBuf> = fs::read_dir(root)
        .expect("there are bases")
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    files.sort();
    let mut bases = Vec::new();
    for file in files {
        let name = file
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let text = fs::read_to_string(&file).expect("the file can be read");
        for part in text.split("\nbase ").skip(1) {
            let (title, body) = part.split_once('\n').expect("a base has lines");
            bases.push(read_base(format!("{name}: {title}"), body));
        }
    }
    // What is no flow yet has no good twin to compare with.
    let flows = rules()
        .iter()
        .filter(|rule| !rule.code.starts_with("STRUCT"));
    for rule in flows {
        let section = |title: &str| rule.section(title).collect::<Vec<_>>().join("\n");
        let silent = |title: &str, mutants| Base {
            place: format!("{title} of {}", rule.code),
            flow: section(title),
            mutants,
        };
        let mutant = Mutant {
            code: rule.code.to_owned(),
            change: "its example".to_owned(),
            flow: section("Example"),
        };
        bases.push(silent("Use instead", vec![mutant]));
        bases.push(silent("Near miss", Vec::new()));
    }
    bases
}

fn read_base(place: String, body: &str) -> Base {
    let (mutations, lines): (Vec<&str>, Vec<&str>) = body
        .lines()
        .filter(|line| !line.starts_with('#'))
        .partition(|line| line.starts_with("mutate "));
    let flow = lines.join("\n");
    let mutants = mutations.into_iter().map(|line| {
        let (code, changes) = line["mutate ".len()..]
            .split_once(": ")
            .expect("`mutate CODE: old => new`");
        let mut mutated = flow.clone();
        for change in changes.split(";;") {
            let (old, new) = change.split_once("=>").expect("`old => new`");
            let (old, new) = (old.trim(), new.trim().replace("\\n", "\n"));
            assert!(mutated.contains(old), "{place}: `{old}` is not there");
            mutated = mutated.replacen(old, &new, 1);
        }
        Mutant {
            code: code.to_owned(),
            change: changes.to_owned(),
            flow: mutated,
        }
    });
    let mutants = mutants.collect();
    Base {
        place,
        flow,
        mutants,
    }
}

impl Disguise {
    /// A number below `limit` that depends on the seed and on what it is for.
    fn pick(self, what: u64, limit: u64) -> u64 {
        let mut state = self
            .seed
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .wrapping_add(what.wrapping_mul(0xD1B5_4A32_D192_ED03));
        state ^= state >> 31;
        state = state.wrapping_mul(0xBF58_476D_1CE4_E5B9);
        state ^= state >> 27;
        state % limit
    }

    fn wear(self, flow: &str) -> Document {
        let read =
            |text: &str| notation::read(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        if self.seed == 0 {
            return read(flow);
        }
        let mut document = read(&self.rename(flow));
        self.pad(&mut document);
        if self.pick(7, 2) == 1 {
            let aside = read("aside: generator -> aside_lane: queue -> aside_out: console");
            document.nodes.extend(aside.nodes);
            document.edges.extend(aside.edges);
        }
        document
    }

    /// Puts identity maps on some wires.
    fn pad(self, document: &mut Document) {
        let edges: Vec<_> = document
            .edges
            .iter()
            .map(|(id, edge)| (id.clone(), edge.clone()))
            .collect();
        for (number, (id, edge)) in edges.into_iter().enumerate() {
            if self.pick(1_000 + number as u64, 3) > 0 {
                continue;
            }
            let pad = Id::new(format!("pad{number}"));
            let map = Node::new("map").with("expr", ".");
            document.nodes.insert(pad.clone(), map.into());
            let mut first = (*edge).clone();
            first.to = PortRef::new(pad.clone(), "in");
            document.edges.insert(id, first.into());
            let second = Edge::new(PortRef::new(pad.clone(), "out"), edge.to.clone());
            document
                .edges
                .insert(Id::new(format!("pad{number}_on")), second.into());
        }
    }

    /// Gives the fields of event types other names.
    fn rename(self, flow: &str) -> String {
        let fields: BTreeSet<&str> = flow
            .lines()
            .filter_map(|line| line.trim().strip_prefix("type "))
            .filter_map(|line| line.split_once(": "))
            .flat_map(|(_, fields)| fields.split(", "))
            .filter_map(|field| field.trim().split(' ').next())
            .collect();
        let mut out = String::new();
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let mut rest = flow;
        while let Some(start) = rest.find(word) {
            let end = rest[start..]
                .find(|c| !word(c))
                .map_or(rest.len(), |length| start + length);
            let (before, name, after) = (&rest[..start], &rest[start..end], &rest[end..]);
            out.push_str(before);
            // `id=/id` names a mark, `subject:/id` a reader: only what follows is a field.
            let is_field =
                fields.contains(name) && !after.starts_with('=') && !after.starts_with(":/");
            if is_field {
                let number = name.bytes().fold(self.seed, |sum, byte| {
                    sum.wrapping_mul(31).wrapping_add(u64::from(byte))
                });
                write!(out, "q{}", number % 1_000_003).expect("a string takes all text");
            } else {
                out.push_str(name);
            }
            rest = after;
        }
        out.push_str(rest);
        out
    }
}

fn disguises() -> impl Iterator<Item = Disguise> {
    (0..DISGUISES).map(|seed| Disguise { seed })
}

fn check(document: &Document) -> Report {
    validate(document, Catalog::bundled())
}

fn said(report: &Report) -> Vec<String> {
    let found = report.diagnostics.iter();
    found
        .map(|found| format!("{}: {}", found.id, found.message))
        .collect()
}

#[test]
fn good_flows_are_silent_in_every_disguise() {
    let (mut designs, mut warnings, mut problems) = (0, 0, Vec::new());
    for base in bases() {
        for disguise in disguises() {
            let report = check(&disguise.wear(&base.flow));
            designs += 1;
            warnings += report.count(Severity::Warning);
            if report.count(Severity::Error) > 0 {
                problems.push(format!("{}: {:?}", base.place, said(&report)));
                break;
            }
        }
    }
    println!("{designs} good flows, {warnings} warnings");
    assert_eq!(problems, [""; 0], "\n{}", problems.join("\n"));
    assert!(
        warnings * 5 <= designs,
        "{warnings} warnings in {designs} good flows"
    );
}

#[test]
fn mutants_are_found_and_nothing_else_is() {
    let mut scores: BTreeMap<String, Score> = BTreeMap::new();
    let mut problems = Vec::new();
    let mut repaired = (0, 0);
    for base in bases() {
        for mutation in &base.mutants {
            let mut told = false;
            for disguise in disguises() {
                let document = disguise.wear(&mutation.flow);
                let report = check(&document);
                let codes: BTreeSet<&str> =
                    report.diagnostics.iter().map(|found| found.code).collect();
                let score = scores.entry(mutation.code.clone()).or_default();
                score.mutants += 1;
                let reported = codes.contains(&*mutation.code);
                let others = codes.len() > usize::from(reported);
                score.reported += usize::from(reported);
                score.with_others += usize::from(others);
                if (!reported || others) && !told {
                    told = true;
                    problems.push(format!(
                        "{}, {} by {}, disguise {}: {:?}",
                        base.place,
                        mutation.code,
                        mutation.change,
                        disguise.seed,
                        said(&report)
                    ));
                }
                let mendable = report
                    .diagnostics
                    .iter()
                    .any(|found| found.code == mutation.code && !found.fixes.is_empty());
                if reported && mendable && disguise.seed < 2 {
                    match repair(document) {
                        Ok(warnings) => repaired = (repaired.0 + 1, repaired.1 + warnings),
                        Err(left) => problems.push(format!(
                            "{}, {} by {}: not mended: {left:?}",
                            base.place, mutation.code, mutation.change
                        )),
                    }
                }
            }
        }
    }
    println!("{}", problems.join("\n"));
    let mut failed = Vec::new();
    println!("code        mutants  reported  with others");
    for (code, score) in &scores {
        let share = score.reported as f64 / score.mutants as f64;
        println!(
            "{code:<10} {:>8} {:>8.1}% {:>12}",
            score.mutants,
            share * 100.0,
            score.with_others
        );
        let wanted = match &**code {
            code if FIRST.contains(&code) => 0.99,
            code if SECOND.contains(&code) => 0.97,
            _ => 0.90,
        };
        if share < wanted || FIRST.contains(&&**code) && score.with_others > 0 {
            failed.push(code.clone());
        }
    }
    println!("{} repaired mutants, {} warnings", repaired.0, repaired.1);
    assert!(
        failed.is_empty() && repaired.1 * 5 <= repaired.0,
        "{failed:?}\n{}",
        problems.join("\n")
    );
    let unmended = problems.iter().filter(|line| line.contains("not mended"));
    let unmended: Vec<&String> = unmended.collect();
    assert!(unmended.is_empty(), "{unmended:#?}");
}

/// Applies first fixes; how many warnings are left, or what is left when that is an error.
fn repair(mut document: Document) -> Result<usize, Vec<String>> {
    let original = document.clone();
    let mut inverses = Vec::new();
    for _ in 0..FIXES_MAX {
        let report = check(&document);
        let fix = report
            .diagnostics
            .into_iter()
            .find_map(|found| found.fixes.into_iter().next());
        let Some(fix) = fix else { break };
        inverses.push(fix.transaction.apply(&mut document));
    }
    let report = check(&document);
    let mendable = report
        .diagnostics
        .iter()
        .any(|found| found.severity == Severity::Error || !found.fixes.is_empty());
    for inverse in inverses.into_iter().rev() {
        inverse.apply(&mut document);
    }
    assert_eq!(document, original, "undo restores the flow");
    if mendable {
        return Err(said(&report));
    }
    Ok(report.count(Severity::Warning))
}

/// A flow so many times side by side, each with places of its own outside.
fn side_by_side(document: &Document, copies: usize) -> Document {
    let mut out = document.clone();
    out.nodes.clear();
    out.edges.clear();
    out.layout.clear();
    for copy in 0..copies {
        let id = |id: &Id| Id::new(format!("{id}_{copy}"));
        for (name, node) in &document.nodes {
            let mut node: Node = (**node).clone();
            let kind = Catalog::bundled().get(&node.kind).expect("a known kind");
            let named = kind.resource.iter().flat_map(|resource| &resource.named_by);
            for field in named.map(SmolStr::as_str).chain(["path", "name"]) {
                if let Some(Value::Str(text)) = kind.config(&node, field)
                    && !text.contains(['.', '$'])
                {
                    let own = format!("{text}_{copy}");
                    node.config.insert(field.to_owned(), own);
                }
            }
            for said in ["metric", "atomic"] {
                if let Some(text) = node.notes.declared.get(said).and_then(Value::as_str) {
                    let own = format!("{text}_{copy}");
                    node.notes.declared.insert(said, own);
                }
            }
            for said in ["reads_from", "compensates"] {
                if let Some(other) = node.notes.declared.get(said).and_then(Value::as_str) {
                    let own = format!("{other}_{copy}");
                    node.notes.declared.insert(said, own);
                }
            }
            out.nodes.insert(id(name), node.into());
        }
        for (name, edge) in &document.edges {
            let mut edge = (**edge).clone();
            edge.from = PortRef::new(id(&edge.from.node), edge.from.port);
            edge.to = PortRef::new(id(&edge.to.node), edge.to.port);
            out.edges.insert(id(name), edge.into());
        }
    }
    out
}

#[test]
fn copies_side_by_side_multiply_verdicts_and_change_none() {
    let count = |report: &Report| {
        let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
        for found in &report.diagnostics {
            *codes.entry(found.code).or_default() += 1;
        }
        codes
    };
    for base in bases() {
        // Budgets and grants are about the whole, which grows.
        if base.flow.contains("budget ") || base.flow.contains("grant ") {
            continue;
        }
        let flows = base.mutants.iter().map(|mutant| &mutant.flow);
        for flow in std::iter::once(&base.flow).chain(flows) {
            let document = Disguise { seed: 0 }.wear(flow);
            let one = count(&check(&document));
            let many = count(&check(&side_by_side(&document, 200)));
            let wanted = one.into_iter().map(|(code, count)| (code, 200 * count));
            assert_eq!(many, wanted.collect(), "{}\n{flow}", base.place);
        }
    }
}

#[test]
fn all_codes_have_mutants_beside_their_documentation() {
    let covered: BTreeSet<String> = bases()
        .into_iter()
        .filter(|base| !base.place.starts_with("Use instead"))
        .flat_map(|base| base.mutants)
        .map(|mutant| mutant.code)
        .collect();
    // What is no flow yet has no good twin.
    let codes = rules().iter().map(|rule| rule.code);
    for code in codes.filter(|code| !code.starts_with("STRUCT")) {
        assert!(covered.contains(code), "{code} has no mutation");
    }
}
