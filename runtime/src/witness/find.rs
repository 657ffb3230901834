//! The search: what the template says, then what the run without faults says, then seeds.

use std::collections::BTreeSet;
use std::path::MAIN_SEPARATOR;

use graph_model::id::NodeId;

use super::bench::Bench;
use super::graph::{self, Graph};
use super::places::{Nearness, as_slow_as_declared, singles};
use super::shrink::{self, Shown};
use super::templates::{Template, template};
use super::values::{self, Hint, Wish};
use super::{Budget, Case, Verdict, explain, lineage};
use crate::oracle::{Oracle, plant};
use crate::simulate::{Admitted, Fact, Fault, Outcome, Scenario, Sort};

/// Numbers of partitions and of consumers at once that are tried.
const PARTITIONS: [u32; 4] = [2, 3, 5, 1];
/// Facts that a source brings of its own which are tried, at most.
const OWN_MAX: usize = 24;
/// Facts of a source where many are needed, at most.
const MANY_MAX: usize = 200;
/// Faults of a run with a seed.
const FAULTS: usize = 2;

/// Looks for a run in which a hazard is seen happening.
pub fn find(case: &Case<'_>, budget: Budget<'_>) -> Verdict {
    let assumed = |why: &str| Verdict::Assumed { why: why.into() };
    let Some(template) = template(case.found.code) else {
        return assumed("nothing says how it would be seen");
    };
    if let Some(why) = template.assumed {
        return assumed(why);
    }
    let oracles: Vec<Oracle> = template
        .oracles
        .iter()
        .filter_map(|id| Oracle::parse(id))
        .collect();
    if oracles.is_empty() {
        return assumed("nothing watches for it in a simulation");
    }
    let (document, catalog, project) = (case.document, case.catalog, case.project);
    let made = Bench::new(document, catalog, project, oracles, template.act, budget);
    let bench = match made {
        Ok(bench) => bench,
        Err(problems) => {
            let why: Vec<String> = problems.iter().map(ToString::to_string).collect();
            // Reports mean the same wherever the project lies.
            let project = format!("{}{MAIN_SEPARATOR}", project.display());
            let why = why.join("; ").replace(&project, "");
            return Verdict::Assumed {
                why: format!("the flow cannot be run: {why}"),
            };
        }
    };
    let mut search = Search::new(case, template, bench);
    match search.go() {
        Some(shown) => {
            let tried = search.bench.played;
            Verdict::Confirmed(Box::new(shrink::witness(case, shown, tried, search.bench)))
        }
        None => match explain::unseen(document, project, search.bench.played) {
            Some(why) => Verdict::Assumed { why },
            None => Verdict::NotConfirmed {
                tried: search.bench.played,
            },
        },
    }
}

struct Search<'s> {
    case: &'s Case<'s>,
    template: &'static Template,
    bench: Bench<'s>,
    admitted: Vec<Admitted>,
    blamed: BTreeSet<NodeId>,
    evidence: BTreeSet<NodeId>,
    upstream: BTreeSet<NodeId>,
}

/// Facts with which faults are tried, and the run of them without any.
struct Ground {
    scenario: Scenario,
    clean: Outcome,
}

/// What came of runs without faults.
enum Begun {
    Shown(Box<Shown>),
    /// Nothing to see, so faults are tried with it.
    Ground(Box<Ground>),
    /// There is no time for more.
    Over,
}

impl<'s> Search<'s> {
    fn new(case: &'s Case<'s>, template: &'static Template, mut bench: Bench<'s>) -> Search<'s> {
        let document = case.document;
        let graph = Graph::of(document, case.catalog, &bench.stores);
        let blamed = graph::blamed(case.found, document);
        let reached = graph.downstream(&blamed);
        let stores = bench.stores.iter();
        let written = stores.filter(|(_, store)| store.writers.iter().any(|w| reached.contains(w)));
        bench.matters = written.map(|(name, _)| name.clone()).collect();
        let nodes = reached.iter().map(|node| node.as_str().into());
        bench.matters.extend(nodes);
        let mut admitted = Fault::admitted(document, case.catalog);
        admitted.extend(Fault::refusals(document));
        admitted.retain(|one| template.faults.contains(&one.sort));
        Search {
            case,
            template,
            bench,
            admitted,
            evidence: graph::evidence(case.found, document),
            upstream: graph.upstream(&blamed),
            blamed,
        }
    }

    fn go(&mut self) -> Option<Shown> {
        let mut grounds = Vec::new();
        for facts in self.facts() {
            let scenario = Scenario {
                facts: facts.into(),
                ..self.bench.start()
            };
            match self.begin(scenario) {
                Begun::Shown(shown) => return Some(*shown),
                Begun::Ground(ground) => grounds.push(*ground),
                Begun::Over => break,
            }
        }
        for (turn, ground) in grounds.iter().enumerate() {
            let nearness = Nearness {
                document: self.case.document,
                blamed: &self.blamed,
                evidence: &self.evidence,
                upstream: &self.upstream,
            };
            let faults = singles(
                &self.admitted,
                self.template.faults,
                &nearness,
                &ground.clean,
            );
            let max = if turn == 0 {
                faults.len()
            } else {
                faults.len() / 2
            };
            for fault in faults.into_iter().take(max) {
                let shown = self.attempt(Scenario {
                    faults: [fault].into(),
                    ..ground.scenario.clone()
                });
                if shown.is_some() || self.bench.is_over() {
                    return shown;
                }
            }
        }
        for ground in &grounds {
            let pairs = lineage::pairs(
                self.case.document,
                self.case.catalog,
                &self.admitted,
                self.template.faults,
                &ground.clean,
                &self.blamed,
            );
            for pair in pairs
                .into_iter()
                .take(lineage::PAIRS_MAX / grounds.len().max(1))
            {
                let pair = as_slow_as_declared(pair.to_vec(), self.case.document);
                let shown = self.attempt(Scenario {
                    faults: pair.into(),
                    ..ground.scenario.clone()
                });
                if shown.is_some() || self.bench.is_over() {
                    return shown;
                }
            }
        }
        self.by_seeds(&grounds)
    }

    /// Runs without faults, with each number of partitions.
    fn begin(&mut self, scenario: Scenario) -> Begun {
        if let Some(shown) = self.attempt(scenario.clone()) {
            return Begun::Shown(Box::new(shown));
        }
        let differ = self.admitted.iter().any(|one| one.sort == Sort::Partitions);
        for partitions in PARTITIONS.into_iter().filter(|_| differ) {
            let shown = self.attempt(Scenario {
                partitions: Some(partitions),
                ..scenario.clone()
            });
            if let Some(shown) = shown {
                return Begun::Shown(Box::new(shown));
            }
        }
        if self.bench.is_over() {
            return Begun::Over;
        }
        match self.bench.play(&scenario) {
            Some(clean) => Begun::Ground(Box::new(Ground { scenario, clean })),
            None => Begun::Over,
        }
    }

    fn by_seeds(&mut self, grounds: &[Ground]) -> Option<Shown> {
        let mut seed = 0;
        while !self.bench.is_over() && !grounds.is_empty() {
            let ground = &grounds[seed as usize % grounds.len()];
            seed += 1;
            let events = ground.clean.facts.len() as u64;
            let mut scenario = Scenario {
                seed,
                facts: values::paced(&ground.scenario.facts, seed),
                ..ground.scenario.clone()
            };
            scenario.go_wrong(&self.admitted, FAULTS, events);
            let faults = as_slow_as_declared(scenario.faults.to_vec(), self.case.document);
            scenario.faults = faults.into();
            let shown = self.attempt(scenario);
            if shown.is_some() {
                return shown;
            }
            // Without faults only the pace of the sources differs, and there are few of those.
            if self.admitted.is_empty() && seed >= 8 {
                return None;
            }
        }
        None
    }

    fn attempt(&mut self, scenario: Scenario) -> Option<Shown> {
        if self.bench.is_over() {
            return None;
        }
        let (run, finding) = self.bench.judge(&scenario)?;
        Some(Shown {
            scenario,
            finding,
            hash: run.hash,
        })
    }

    /// Sets of facts, the most telling first; what sources bring of their own is among them.
    fn facts(&mut self) -> Vec<Vec<Fact>> {
        let (document, catalog) = (self.case.document, self.case.catalog);
        let blamed = self.blamed.iter();
        let keys = blamed.filter_map(|id| document.nodes.get(id));
        let keys = keys
            .flat_map(|node| values::keys_of(node, catalog))
            .collect();
        let waits = self.blamed.iter().chain(&self.evidence);
        let waits = waits.filter_map(|id| document.nodes.get(id)?.config.get("count")?.as_i64());
        let many = usize::try_from(waits.max().unwrap_or(0) + 1).unwrap_or(0);
        let wish = |hint: Hint| Wish {
            count: match hint {
                Hint::Many => many.clamp(self.template.facts, MANY_MAX),
                _ => values::many(document, hint).unwrap_or(self.template.facts),
            },
            hint,
            keys: BTreeSet::clone(&keys),
            hot: values::hot_share(document, &self.blamed),
        };
        let hints = self.template.hints.iter();
        let mut sets: Vec<Vec<Fact>> = hints
            .map(|hint| values::wished(document, catalog, &wish(*hint)))
            .collect();
        let mut own = self.bench.own_facts(OWN_MAX);
        if !own.is_empty() {
            let brings: BTreeSet<NodeId> = own.iter().map(|fact| fact.source.clone()).collect();
            let other = sets.first().into_iter().flatten();
            let other = other.filter(|fact| !brings.contains(&fact.source));
            own.extend(other.cloned().collect::<Vec<_>>());
            sets.insert(1.min(sets.len()), own);
        }
        sets.retain(|facts| !facts.is_empty());
        for facts in &mut sets {
            // As they come in, so that their numbers in a run are the same.
            facts.sort_by_key(|fact| fact.at_us);
            if self.template.hints.contains(&Hint::People) {
                *facts = plant(document, facts).to_vec();
            }
        }
        sets
    }
}
