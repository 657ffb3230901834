//! A flow on the bench: plays scenarios against their reference, and lets oracles judge them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use graph_model::catalog::Catalog;
use graph_model::document::Document;
use graph_model::id::NodeId;
use runtime_protocol::Problem;
use smol_str::SmolStr;

use super::Budget;
use crate::functions::{Act, sketched_kinds};
use crate::oracle::{Context, Finding, Oracle, again, delivered, judge_again, secrets};
use crate::simulate::{Fact, Limits, Outcome, Record, Scenario, Simulation};

/// Where runs of a search are cut off: what does not end within it does not end.
const LIMITS: Limits = Limits {
    steps_max: 2_000,
    duration_us: 7 * 24 * 3_600_000_000,
    in_flight_max: 2_000,
    bytes_max: 16 << 20,
};

/// The same where it is seen how much is too much.
const LOAD_LIMITS: Limits = Limits {
    steps_max: 40_000,
    in_flight_max: 8_000,
    bytes_max: 64 << 20,
    ..LIMITS
};

/// Secrets of one run that are changed in another one.
const SECRETS_MAX: usize = 8;

pub(super) struct Bench<'b> {
    simulation: Simulation,
    context: Context,
    limits: Limits,
    oracles: Vec<Oracle>,
    /// What code that is not there does.
    act: Act,
    /// Nodes and stores at which a finding is one of the hazard.
    pub(super) matters: BTreeSet<SmolStr>,
    pub(super) stores: BTreeMap<SmolStr, Meets>,
    /// The last reference, with its facts.
    reference: Option<(Arc<[Fact]>, Arc<Outcome>)>,
    budget: Budget<'b>,
    pub(super) played: u32,
}

/// Who has to do with a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Meets {
    pub writers: Vec<NodeId>,
    /// Sources that hear of what is written.
    pub hearers: Vec<NodeId>,
}

impl<'b> Bench<'b> {
    /// Fails where the flow cannot be run.
    pub(super) fn new(
        document: &Arc<Document>,
        catalog: &Catalog,
        project: &Path,
        oracles: Vec<Oracle>,
        act: Act,
        budget: Budget<'b>,
    ) -> Result<Bench<'b>, Vec<Problem>> {
        let of_load = !oracles.is_empty() && oracles.iter().all(|oracle| oracle.is_of_load());
        let limits = if of_load { LOAD_LIMITS } else { LIMITS };
        let start = start(limits);
        let kinds = sketched_kinds(act);
        let mut simulation = Simulation::with_kinds(kinds, document, catalog, project, &start)?;
        let mut stores: BTreeMap<SmolStr, Meets> = BTreeMap::new();
        for (writer, name) in simulation.run().sinks.iter() {
            let store = stores.entry(name.clone()).or_default();
            store.writers.push(writer.clone());
        }
        for (name, hearer) in simulation.hearers() {
            stores.entry(name).or_default().hearers.push(hearer);
        }
        Ok(Bench {
            simulation,
            context: Context::new(document, catalog),
            limits,
            oracles,
            act,
            matters: BTreeSet::new(),
            stores,
            reference: None,
            budget,
            played: 0,
        })
    }

    /// A bench for a part of the flow, with the same judges.
    pub(super) fn of(
        &self,
        part: &Arc<Document>,
        catalog: &Catalog,
        project: &Path,
    ) -> Result<Bench<'b>, Vec<Problem>> {
        let oracles = self.oracles.clone();
        let mut bench = Bench::new(part, catalog, project, oracles, self.act, self.budget)?;
        bench.matters.clone_from(&self.matters);
        Ok(bench)
    }

    /// A scenario in which nothing goes wrong, with no facts yet.
    pub(super) fn start(&self) -> Scenario {
        start(self.limits)
    }

    pub(super) fn is_over(&self) -> bool {
        self.played >= self.budget.schedules_max || self.time_is_over()
    }

    pub(super) fn time_is_over(&self) -> bool {
        (self.budget.is_over)()
    }

    /// The facts that sources bring of their own, when they have any.
    pub(super) fn own_facts(&mut self, max: usize) -> Vec<Fact> {
        let scenario = Scenario {
            own_events: true,
            limits: Limits {
                // Whoever makes events up goes on for ever.
                duration_us: 10_000_000,
                ..self.limits
            },
            record: Record::Off,
            ..self.start()
        };
        let mut facts = self.play(&scenario).map_or(Vec::new(), |run| run.facts);
        facts.truncate(max);
        facts
    }

    pub(super) fn play(&mut self, scenario: &Scenario) -> Option<Outcome> {
        self.simulation.reset(scenario).ok()?;
        Some(self.simulation.run())
    }

    /// What the facts of a scenario should come to.
    pub(super) fn reference(&mut self, scenario: &Scenario) -> Option<Arc<Outcome>> {
        if let Some((facts, known)) = &self.reference
            && Arc::ptr_eq(facts, &scenario.facts)
        {
            return Some(Arc::clone(known));
        }
        let reference = scenario.reference(&scenario.facts);
        let outcome = Arc::new(self.play(&reference)?);
        self.reference = Some((Arc::clone(&scenario.facts), Arc::clone(&outcome)));
        Some(outcome)
    }

    /// Plays a scenario and says what is wrong with it, of what matters. Counts.
    pub(super) fn judge(&mut self, scenario: &Scenario) -> Option<(Outcome, Finding)> {
        let reference = self.reference(scenario)?;
        self.played += 1;
        let run = self.play(scenario)?;
        let finding = self.first_finding(scenario, &run, &reference)?;
        Some((run, finding))
    }

    fn first_finding(
        &mut self,
        scenario: &Scenario,
        run: &Outcome,
        reference: &Outcome,
    ) -> Option<Finding> {
        for oracle in self.oracles.clone() {
            let found = self.found_by(oracle, scenario, run, reference);
            if let Some(found) = found.into_iter().next() {
                return Some(found);
            }
        }
        None
    }

    /// What the oracles find of what matters, the first oracle's first.
    pub(super) fn findings(
        &mut self,
        scenario: &Scenario,
        run: &Outcome,
        reference: &Outcome,
    ) -> Vec<Finding> {
        let oracles = self.oracles.clone().into_iter();
        oracles
            .flat_map(|oracle| self.found_by(oracle, scenario, run, reference))
            .collect()
    }

    fn found_by(
        &mut self,
        oracle: Oracle,
        scenario: &Scenario,
        run: &Outcome,
        reference: &Outcome,
    ) -> Vec<Finding> {
        let mut findings = match oracle {
            Oracle::A2 => self.told(scenario, run),
            Oracle::A4 => self.unneeded(scenario, run),
            Oracle::D4 => self.repeated(scenario, run),
            _ => oracle.judge(run, reference, &self.context),
        };
        findings.retain(|found| self.is_about(found));
        findings
    }

    /// What can be told of a secret: a second run differs in nothing else.
    fn told(&mut self, scenario: &Scenario, run: &Outcome) -> Vec<Finding> {
        for secret in secrets(&self.context, &run.facts)
            .into_iter()
            .take(SECRETS_MAX)
        {
            let other = Scenario {
                facts: secret.change(&scenario.facts),
                replay: Some(Arc::new(secret.released(run, &self.context))),
                ..scenario.clone()
            };
            let Some(other) = self.play(&other) else {
                continue;
            };
            let findings = secret.judge(run, &other, &self.context);
            if findings.iter().any(|found| self.is_about(found)) {
                return findings;
            }
        }
        Vec::new()
    }

    /// What code gets and does not need: a second run does without.
    fn unneeded(&mut self, scenario: &Scenario, run: &Outcome) -> Vec<Finding> {
        let mut delivered = delivered(&self.context, run);
        delivered.retain(|one| self.matters.is_empty() || self.matters.contains(one.node.as_str()));
        let mut findings = Vec::new();
        for one in delivered.into_iter().take(SECRETS_MAX) {
            let without = Scenario {
                facts: one.without(self.context.document(), &scenario.facts),
                ..scenario.clone()
            };
            let without = self.play(&without);
            findings.extend(without.and_then(|without| one.judge(run, &without)));
        }
        findings
    }

    /// What another run of the same facts does not agree on.
    fn repeated(&mut self, scenario: &Scenario, run: &Outcome) -> Vec<Finding> {
        let again = self.play(&again(scenario));
        again.map_or_else(Vec::new, |again| judge_again(run, &again, &self.context))
    }

    fn is_about(&self, found: &Finding) -> bool {
        let place = found.at.split('/').next().unwrap_or_default();
        self.matters.is_empty() || self.matters.contains(&found.at) || self.matters.contains(place)
    }
}

fn start(limits: Limits) -> Scenario {
    Scenario {
        own_events: false,
        limits,
        record: Record::Events,
        ..Scenario::default()
    }
}
