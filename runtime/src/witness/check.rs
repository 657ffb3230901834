//! Plays what showed a hazard on another state of its flow: does it still happen?

use std::path::Path;
use std::sync::Arc;

use graph_model::catalog::Catalog;
use graph_model::document::Document;
use runtime_protocol::Problem;

use super::bench::Bench;
use super::templates::{self, template};
use super::{Budget, Verdict, Witness, digest, places};
use crate::simulate::{Admitted, Fact, Fault, Place, Scenario, Sort};

/// Numbers of partitions and of consumers at once that are tried.
const PARTITIONS: [u32; 4] = [2, 3, 5, 1];
/// Faults of a run with a seed.
const FAULTS: usize = 2;

/// Plays the facts of a witness on the flow: with its own faults where their places are still there,
/// then with each fault of the same sorts that the flow admits now, then with seeds.
pub fn check(
    witness: &Witness,
    document: &Arc<Document>,
    catalog: &Catalog,
    project: &Path,
    budget: Budget<'_>,
) -> Result<Verdict, Vec<Problem>> {
    let held = &witness.finding;
    let facts = witness.scenario.facts.iter();
    let facts = facts.filter(|fact| document.nodes.contains_key(&fact.source));
    let facts: Arc<[Fact]> = facts.cloned().collect();
    if facts.is_empty() {
        let message = "the sources of the run are not there any more; look for another one";
        return Err(vec![Problem::new(message)]);
    }
    let (oracles, act) = (vec![held.oracle], templates::act(&witness.code));
    let mut bench = Bench::new(document, catalog, project, oracles, act, budget)?;
    let known = |node: &str| document.nodes.contains_key(node);
    if bench.stores.contains_key(&held.at) || held.at.split('/').next().is_some_and(known) {
        bench.matters = [held.at.clone()].into();
    }
    let ground = Scenario {
        facts,
        seed: witness.scenario.seed,
        ..bench.start()
    };
    for scenario in scenarios(witness, document, catalog, &ground) {
        if bench.is_over() {
            break;
        }
        if let Some((run, finding)) = bench.judge(&scenario) {
            return Ok(Verdict::Confirmed(Box::new(Witness {
                document: Arc::clone(document),
                digest: digest(document),
                scenario,
                finding,
                hash: run.hash,
                tried: bench.played,
                ..witness.clone()
            })));
        }
    }
    Ok(Verdict::NotConfirmed {
        tried: bench.played,
    })
}

/// What is tried, the most telling first.
fn scenarios(
    witness: &Witness,
    document: &Arc<Document>,
    catalog: &Catalog,
    ground: &Scenario,
) -> impl Iterator<Item = Scenario> + use<> {
    let mut admitted = Fault::admitted(document, catalog);
    admitted.extend(Fault::refusals(document));
    let sorts = sorts(witness);
    admitted.retain(|one| sorts.contains(&one.sort));
    let there = |place: &Place| match place {
        Place::Node(node) => document.nodes.contains_key(node),
        Place::Edge(edge) => document.edges.contains_key(edge),
    };
    let own = witness.scenario.faults.iter();
    let own: Vec<Fault> = own.filter(|fault| there(&fault.place)).cloned().collect();
    let with = |faults: Vec<Fault>, partitions| Scenario {
        faults: faults.into(),
        partitions,
        ..ground.clone()
    };
    let mut all = vec![
        with(own, witness.scenario.partitions),
        with(Vec::new(), None),
    ];
    if sorts.contains(&Sort::Partitions) {
        all.extend(PARTITIONS.map(|count| with(Vec::new(), Some(count))));
    }
    let events = ground.facts.len() as u64;
    for Admitted { sort, place } in &admitted {
        for kind in places::kinds(*sort) {
            for nth in 0..events {
                let fault = Fault {
                    kind: *kind,
                    place: place.clone(),
                    nth,
                };
                all.push(with(
                    places::as_slow_as_declared(vec![fault], document),
                    None,
                ));
            }
        }
    }
    let (ground, document) = (ground.clone(), Arc::clone(document));
    let seeds = (1..=u64::from(Budget::SCHEDULES_MAX)).map(move |seed| {
        let mut scenario = Scenario {
            seed,
            ..ground.clone()
        };
        scenario.go_wrong(&admitted, FAULTS, events);
        let faults = places::as_slow_as_declared(scenario.faults.to_vec(), &document);
        scenario.faults = faults.into();
        scenario
    });
    all.into_iter().chain(seeds)
}

/// Sorts of faults that have to do with the hazard.
fn sorts(witness: &Witness) -> Vec<Sort> {
    let template = template(&witness.code).map(|template| template.faults);
    let own = witness
        .scenario
        .faults
        .iter()
        .map(|fault| fault.kind.sort());
    template
        .unwrap_or_default()
        .iter()
        .copied()
        .chain(own)
        .collect()
}
