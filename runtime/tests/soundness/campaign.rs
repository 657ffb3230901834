//! Draws designs, makes them silent, attacks them, and counts what was met on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use graph_model::catalog::Catalog;
use graph_model::document::Document;
use runtime::simulate::{EPOCH_MS, Sort};
use smol_str::SmolStr;

use crate::attack::attack;
use crate::excuse::Excuse;
use crate::exempt::{Reason, place_of};
use crate::family::{Family, UNSPOKEN};
use crate::generate;
use crate::machine::Machine;
use crate::repair::{Rejected, repair};
use crate::shrink::{Case, shrink};
use crate::unjudged::{Gap, unjudged};
use crate::write::write;

/// How much is to be done.
#[derive(Clone, Copy)]
pub(crate) struct Campaign {
    pub(crate) seeds: (u64, u64),
    /// Runs of each silent design.
    pub(crate) runs: u64,
    /// Violations after which it is enough.
    pub(crate) enough: usize,
    /// Whether violations are made small before they are told.
    pub(crate) shrink: bool,
}

/// What was met.
#[derive(Default)]
pub(crate) struct Figures {
    pub(crate) family: &'static str,
    pub(crate) drawn: u64,
    pub(crate) silent: u64,
    /// Nodes of silent designs.
    pub(crate) nodes: u64,
    pub(crate) runs: u64,
    /// By sort: silent designs that it took place in, and how often it did.
    pub(crate) faults: BTreeMap<Sort, (u64, u64)>,
    /// Silent designs with each kind.
    pub(crate) kinds: BTreeMap<SmolStr, u64>,
    /// Designs in which each rule spoke on the way.
    pub(crate) codes: BTreeMap<&'static str, u64>,
    pub(crate) with_loops: u64,
    pub(crate) with_feedback: u64,
    pub(crate) rejected: BTreeMap<String, u64>,
    /// Seeds of silent designs that never end although nothing goes wrong, with the reason why nobody
    /// promised otherwise; they are not among those that were attacked.
    pub(crate) endless: Vec<(u64, Reason)>,
    /// Places of silent designs.
    pub(crate) places: u64,
    /// Runs in which the schedule decided something, by what it was.
    pub(crate) excused: BTreeMap<Excuse, u64>,
    /// Nodes of silent designs that are not judged, by the reason.
    pub(crate) gaps: BTreeMap<Gap, u64>,
    /// Texts about what went wrong, with the seeds.
    pub(crate) violations: Vec<String>,
    pub(crate) took: Duration,
}

pub(crate) fn conduct(campaign: Campaign, machine: &Machine, family: &Family) -> Figures {
    let start = Instant::now();
    let mut figures = Figures {
        family: family.name,
        ..Figures::default()
    };
    let (first, count) = campaign.seeds;
    for seed in first..first + count {
        one(seed, campaign, machine, family, &mut figures);
        if figures.violations.len() >= campaign.enough {
            break;
        }
    }
    figures.took = start.elapsed();
    figures
}

fn one(seed: u64, campaign: Campaign, machine: &Machine, family: &Family, figures: &mut Figures) {
    figures.drawn += 1;
    let repaired = repair(generate::design(family.theme, seed), family, machine);
    for (code, count) in repaired.codes {
        *figures.codes.entry(code).or_default() += count;
    }
    let document = match repaired.document {
        Ok(document) => Arc::new(document),
        Err(Rejected::NoFix(code)) => {
            *figures
                .rejected
                .entry(format!("no fix of {code}"))
                .or_default() += 1;
            return;
        }
        Err(Rejected::TooMany) => {
            *figures
                .rejected
                .entry("too many steps".to_owned())
                .or_default() += 1;
            return;
        }
    };
    if let Some(code) = family.asks(&document) {
        *figures
            .rejected
            .entry(format!("{code} is not told enough"))
            .or_default() += 1;
        return;
    }
    let family = &family.of(seed);
    let facts = family.facts(&document, seed);
    let attacked = attack(&document, &facts, machine, family, campaign.runs);
    if let Some(refused) = attacked.refused {
        *figures.rejected.entry(refused).or_default() += 1;
        return;
    }
    if let Some(reason) = attacked.endless {
        figures.endless.push((seed, reason));
        return;
    }
    figures.silent += 1;
    figures.nodes += document.nodes.len() as u64;
    figures.runs += attacked.runs;
    figures.with_loops += u64::from(loops(&document));
    figures.with_feedback += u64::from(document.nodes.values().any(|node| hears(&document, node)));
    let kinds: BTreeSet<&SmolStr> = document.nodes.values().map(|node| &node.kind).collect();
    for kind in kinds {
        *figures.kinds.entry(kind.clone()).or_default() += 1;
    }
    let places = document.nodes.iter();
    let places =
        places.filter(|(id, node)| node.kind != "dead_letter" && place_of(id, node).is_some());
    figures.places += places.count() as u64;
    for (excuse, count) in attacked.excused {
        *figures.excused.entry(excuse).or_default() += count;
    }
    for (_, gap) in unjudged(&document, family) {
        *figures.gaps.entry(gap).or_default() += 1;
    }
    for (sort, count) in attacked.faults {
        let held = figures.faults.entry(sort).or_default();
        *held = (held.0 + 1, held.1 + count);
    }
    if let Some(violation) = attacked.violation {
        let case = Case {
            document: Arc::unwrap_or_clone(document),
            facts,
            violation,
        };
        let case = if campaign.shrink {
            shrink(case, machine, family)
        } else {
            case
        };
        figures.violations.push(told(seed, family, &case));
    }
}

/// A violation for people: everything that it takes to see it again.
fn told(seed: u64, family: &Family, case: &Case) -> String {
    let scenario = &case.violation.scenario;
    let mut text = format!("seed {seed}, {}: {}\n", family.name, case.violation.what);
    text.push_str(&write(&case.document));
    for fact in scenario.facts.iter() {
        let context = &fact.event.context;
        text.push_str(&format!(
            "fact {} at {} ms, happened at {} ms: {}\n",
            fact.source,
            fact.at_us / 1_000,
            context.time_ms - EPOCH_MS,
            fact.event.data.to_json()
        ));
    }
    for fault in scenario.faults.iter() {
        text.push_str(&format!(
            "{:?} at {}, {}\n",
            fault.kind, fault.place, fault.nth
        ));
    }
    if let Some(count) = scenario.partitions {
        text.push_str(&format!("{count} partitions\n"));
    }
    text
}

/// Whether wires lead back to where they come from.
fn loops(document: &Document) -> bool {
    document.nodes.keys().any(|start| {
        let (mut open, mut seen) = (vec![start], BTreeSet::new());
        while let Some(at) = open.pop() {
            for edge in document.edges.values().filter(|edge| edge.from.node == *at) {
                if edge.to.node == *start {
                    return true;
                }
                if seen.insert(&edge.to.node) {
                    open.push(&edge.to.node);
                }
            }
        }
        false
    })
}

/// Whether a source hears of what the flow itself writes.
fn hears(document: &Document, source: &graph_model::document::Node) -> bool {
    let named = |kind: &str, field: &str| {
        let mut nodes = document.nodes.values();
        let name = source.config_str(field);
        name.is_some() && nodes.any(|node| node.kind == kind && node.config_str(field) == name)
    };
    match source.kind.as_str() {
        "table_changes" => named("table", "table"),
        "file_watch" => named("bucket", "folder"),
        _ => false,
    }
}

impl Figures {
    /// What was hardly tried, so that the absence of violations says little.
    pub(crate) fn vacuous(&self, family: &Family) -> Vec<String> {
        let mut missed = Vec::new();
        let mut miss = |what: String| missed.push(format!("{}: {what}", self.family));
        let left_out = |kind: &str| generate::LEFT_OUT.iter().any(|(held, _)| *held == kind);
        // How much comes is a matter of few kinds.
        for kind in Catalog::bundled().iter().filter(|_| !family.is_of_load()) {
            if !left_out(&kind.id) && !self.kinds.contains_key(&kind.id) {
                miss(format!("no silent design has a `{}`", kind.id));
            }
        }
        for code in family.codes.iter().filter(|_| family.all_speak) {
            if !UNSPOKEN.contains(code) && !self.codes.contains_key(code) {
                miss(format!("{code} never spoke"));
            }
        }
        for sort in family.sorts {
            let (designs, _) = self.faults.get(sort).copied().unwrap_or_default();
            if designs as f64 <= 0.05 * self.silent as f64 {
                miss(format!("`{}` took place in {designs} designs", sort.name()));
            }
        }
        if self.silent * 4 < self.drawn {
            miss(format!(
                "{} of {} designs became silent",
                self.silent, self.drawn
            ));
        }
        missed
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = |count: u64| 100.0 * count as f64 / self.silent.max(1) as f64;
        writeln!(
            f,
            "{}: {} designs, {} silent ({:.0} %) of {:.1} nodes, {:.0} % with loops, {:.0} % heard \
             their own stores; {} runs, {} endless, {} violations, {:.1} s",
            self.family,
            self.drawn,
            self.silent,
            100.0 * self.silent as f64 / self.drawn.max(1) as f64,
            self.nodes as f64 / self.silent.max(1) as f64,
            share(self.with_loops),
            share(self.with_feedback),
            self.runs,
            self.endless.len(),
            self.violations.len(),
            self.took.as_secs_f64(),
        )?;
        for (sort, (designs, times)) in &self.faults {
            writeln!(
                f,
                "  {}: {times} times, in {:.0} %",
                sort.name(),
                share(*designs)
            )?;
        }
        if !self.endless.is_empty() {
            writeln!(f, "  endless {:?}", self.endless)?;
        }
        let excused: u64 = self.excused.values().sum();
        writeln!(
            f,
            "  {} places; in {:.1} % of runs the schedule decides {:?}",
            self.places,
            100.0 * excused as f64 / self.runs.max(1) as f64,
            self.excused
        )?;
        if !self.gaps.is_empty() {
            writeln!(f, "  {} nodes, not judged {:?}", self.nodes, self.gaps)?;
        }
        writeln!(f, "  kinds {:?}", self.kinds)?;
        writeln!(f, "  rules {:?}", self.codes)?;
        write!(f, "  rejected {:?}", self.rejected)
    }
}
