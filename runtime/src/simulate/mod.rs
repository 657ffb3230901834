//! The simulation driver: runs a plan on virtual time, from one seed, in one thread.
//!
//! The operators, the plan and the channels are those of the live driver. Sources and sinks, which
//! have to do with the world, have models. The same scenario brings the same steps, to the byte, on
//! any machine.
//!
//! A [`Simulation`] is made once for a flow and plays any number of [scenarios](Scenario): what comes
//! in, [what goes wrong](Fault), and how far it goes.

mod agenda;
mod arrive;
mod channel;
mod deliver;
mod desk;
mod express;
mod fault;
mod feed;
mod given;
mod handle;
mod hold;
mod latency;
mod limits;
mod line;
mod load;
mod meter;
mod offer;
mod outcome;
mod replay;
mod run;
mod scenario;
mod service;
mod shape;
mod sink;
mod source;
mod stores;
mod strike;
#[cfg(test)]
mod tests;
mod trace;
mod wires;
mod workload;
mod world;

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use graph_model::catalog::Catalog;
use graph_model::document::Document;
use graph_model::id::NodeId;
use runtime_protocol::{Counters, Problem};
use smol_str::SmolStr;

pub use self::fault::{Admitted, Fault, FaultKind, Place, Point, Sort};
pub use self::latency::Latencies;
pub use self::load::{Call, Load};
pub use self::outcome::{Ended, Limit, Outcome};
pub use self::replay::Replay;
pub use self::scenario::{Fact, Limits, Record, Scenario};
pub use self::stores::{Content, Deeds, Done, Row};
pub use self::trace::{Step, TraceHash, What};
pub use self::world::EPOCH_MS;

use self::run::Run;
use self::shape::{Shape, Stage};
use crate::kind::Kind;
use crate::plan::Role;

/// A flow that plays scenarios.
pub struct Simulation {
    stage: Arc<Stage>,
    document: Arc<Document>,
    /// By the number of partitions and consumers that replaces what the flow says.
    shapes: BTreeMap<Option<u32>, Rc<Shape>>,
    scenario: Scenario,
    run: Run,
}

impl Simulation {
    /// Prepares a flow and its first scenario, or says everything that stands in the way. Files that
    /// sources read are read now, from the folder of the `project`; nothing is ever written.
    pub fn new(
        document: &Arc<Document>,
        catalog: &Catalog,
        project: &Path,
        scenario: &Scenario,
    ) -> Result<Simulation, Vec<Problem>> {
        let kinds = crate::catalog::kinds();
        Simulation::with_kinds(kinds, document, catalog, project, scenario)
    }

    /// The same with these kinds, so that tests can see what a broken operator does.
    pub fn with_kinds(
        kinds: Vec<Kind>,
        document: &Arc<Document>,
        catalog: &Catalog,
        project: &Path,
        scenario: &Scenario,
    ) -> Result<Simulation, Vec<Problem>> {
        let stage = Arc::new(Stage::new(kinds, catalog, project.to_path_buf()));
        let shape = Rc::new(stage.shape(document, scenario.partitions)?);
        Ok(Simulation {
            document: Arc::clone(document),
            shapes: [(scenario.partitions, Rc::clone(&shape))].into(),
            run: Run::new(&stage, &shape, scenario),
            scenario: scenario.clone(),
            stage,
        })
    }

    /// Begins another scenario; the flow is prepared again only for a number of partitions that it
    /// has not played with.
    pub fn reset(&mut self, scenario: &Scenario) -> Result<(), Vec<Problem>> {
        let known = self.shapes.get(&scenario.partitions).map(Rc::clone);
        let shape = if let Some(shape) = known {
            shape
        } else {
            let shape = Rc::new(self.stage.shape(&self.document, scenario.partitions)?);
            self.shapes.insert(scenario.partitions, Rc::clone(&shape));
            shape
        };
        self.scenario = scenario.clone();
        self.begin(&shape);
        Ok(())
    }

    fn begin(&mut self, shape: &Rc<Shape>) {
        self.stage.shared.states.clear();
        self.stage.shared.seen.clear();
        self.run = Run::new(&self.stage, shape, &self.scenario);
    }

    /// Does the next thing; answers whether there was one.
    pub fn step(&mut self) -> bool {
        self.run.step()
    }

    /// Plays to the end; a plain run on the shorter way.
    pub fn run(&mut self) -> Outcome {
        if self.run.is_plain() && express::play(&mut self.run).is_err() {
            let shape = Rc::clone(&self.run.shape);
            self.begin(&shape);
        }
        while self.step() {}
        self.outcome()
    }

    /// Virtual time since the beginning of the run.
    pub fn now_us(&self) -> u64 {
        self.run.now_us
    }

    /// Sources with the names of the stores that they hear of.
    pub fn hearers(&self) -> Vec<(SmolStr, NodeId)> {
        let shape = &self.run.shape;
        let places = shape.places.iter().zip(&shape.hearers);
        let hearers = places.flat_map(|(place, hearers)| {
            let nodes = hearers.iter().map(|node| &shape.plan.nodes[*node]);
            nodes.map(|node| (place.name.clone(), node.id.clone()))
        });
        hearers.collect()
    }

    /// What the run came to. Contents and trace are handed over, so ask once, at its end.
    pub fn outcome(&mut self) -> Outcome {
        let run = &mut self.run;
        let plan = &run.shape.plan;
        let (hash, trace) = run.trace.finish();
        let places = run.shape.places.iter().map(|place| place.name.clone());
        let contents = std::mem::take(&mut run.contents);
        let nodes = || plan.nodes.iter().map(|node| node.id.clone());
        let edges = plan.edges.iter().map(|edge| edge.id.clone());
        let latencies = nodes().zip(std::mem::take(&mut run.latencies));
        let backlogs = nodes().zip(run.waiting_max.iter().copied());
        let is_channel = |node: &usize| matches!(plan.nodes[*node].role, Role::Channel(_));
        let backlogs = (0..plan.nodes.len()).zip(backlogs);
        let backlogs = backlogs.filter(|(node, _)| is_channel(node));
        Outcome {
            ended: run.ended.clone().unwrap_or(Ended::Idle),
            at_us: run.now_us,
            steps: run.steps,
            stores: places.zip(contents).collect(),
            sinks: Arc::clone(&run.shape.sinks),
            dead_letters: std::mem::take(&mut run.dead),
            counters: Counters {
                at_ms: run.now_us / 1_000,
                edges: edges.zip(run.passed.iter().copied()).collect(),
                nodes: nodes().zip(run.meters()).collect(),
                ..Counters::default()
            },
            latencies: latencies
                .filter(|(_, held)| held.per_mille(0).is_some())
                .collect(),
            loads: run.loads(),
            backlogs: backlogs.map(|(_, held)| held).collect(),
            facts_came: run.facts_came,
            facts: run.facts_that_came(),
            faults: run.strikes.counted.clone(),
            lost: run.lost,
            notes: std::mem::take(&mut run.notes),
            hash,
            trace,
        }
    }
}
