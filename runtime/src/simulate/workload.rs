//! Facts that are made up for a source, by the recipes of the generator.

use std::rc::Rc;
use std::sync::Arc;

use graph_model::document::Node;
use graph_model::id::NodeId;
use graph_model::value::Object;
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use runtime_protocol::Problem;

use super::scenario::Fact;
use super::source::GAP_US;
use super::world::ms_at;
use super::{Shape, Simulation};
use crate::kind::Build;
use crate::sources::generator;

/// The kind whose fields say how events are made up.
const GENERATOR: &str = "generator";

impl Simulation {
    /// The first `count` facts that a generator with this configuration would make in the place of a
    /// source, paced by its `rate`.
    pub fn workload(
        &self,
        source: &NodeId,
        config: &Object,
        count: usize,
    ) -> Result<Vec<Fact>, Problem> {
        let shape: &Rc<Shape> = &self.run.shape;
        let node = Node {
            config: config.clone(),
            ..Node::new(GENERATOR)
        };
        let Some(kind) = self.stage.kinds.get(GENERATOR) else {
            return Err(Problem::at(source, "nothing makes events up here"));
        };
        let mut made = generator(&Build {
            id: source,
            node: &node,
            spec: &kind.spec,
            document: &shape.plan.document,
            project: &self.stage.project,
            world: Arc::clone(&self.stage.world) as Arc<dyn crate::world::World>,
            shared: &self.stage.shared,
        })?;
        let mut chance = Pcg64Mcg::seed_from_u64(made.seed());
        let mut facts = Vec::new();
        let mut at_us = 0;
        for number in 0..made.count().min(count as u64) {
            let event = made.event(number, ms_at(at_us));
            facts.push(Fact {
                source: source.clone(),
                at_us,
                event,
            });
            let next_us = made.next_due_us(number + 1, at_us, || chance.next_u64());
            at_us = next_us.unwrap_or(at_us + GAP_US);
        }
        Ok(facts)
    }
}
