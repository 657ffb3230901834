//! Tries a function on an event, beside whatever runs.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use graph_model::document::{Document, EventType, Node};
use graph_model::event::Event;
use graph_model::id::{Id, NodeId};
use graph_model::value::Value;
use runtime_protocol::Problem;
use runtime_protocol::function::Tried;
use smol_str::SmolStr;

use super::node::Sandboxed;
use super::{function, script};
use crate::kind::Build;
use crate::operator::Context;
use crate::shared::Shared;
use crate::world::World;

/// What is tried on what.
pub(crate) struct Trial {
    pub(crate) node: NodeId,
    pub(crate) kind: SmolStr,
    pub(crate) config: Value,
    /// Schemas of the event types that the configuration names.
    pub(crate) types: BTreeMap<Id, Value>,
    pub(crate) event: Event,
}

impl Trial {
    /// Lets a new instance handle the event, with what the node remembers by now; nothing that it sends or
    /// remembers has an effect.
    pub(crate) fn run(
        &self,
        project: &Path,
        world: &Arc<dyn World>,
        shared: &Shared,
    ) -> Result<Tried, Problem> {
        let kinds = super::kinds();
        let kind = kinds.iter().find(|kind| kind.spec.id == self.kind);
        let spec = &kind
            .ok_or_else(|| Problem::at(&self.node, "only functions can be tried on an event"))?
            .spec;
        let node = Node {
            kind: self.kind.clone(),
            config: self.config.as_object().cloned().unwrap_or_default(),
            ..Node::default()
        };
        let types = self.types.iter().map(|(id, schema)| {
            let ty = EventType {
                schema: schema.clone(),
                ..EventType::default()
            };
            (id.clone(), Arc::new(ty))
        });
        let document = Document {
            types: types.collect(),
            ..Document::default()
        };
        let build = Build {
            id: &self.node,
            node: &node,
            spec,
            document: &document,
            project,
            world: Arc::clone(world),
            shared,
        };
        let mut sandboxed: Sandboxed = match &*self.kind {
            script::ID => script::sandboxed(&build, false)?,
            _ => function::sandboxed(&build, false)?,
        };
        let ctx = Context {
            now_ms: world.now_ms(),
            random: world.random(),
            instances: 1,
            ..Context::default()
        };
        let recalled = sandboxed.recall(ctx.instance);
        recalled.map_err(|failure| Problem::at(&self.node, failure.message))?;
        Ok(sandboxed.try_on(&self.event, &ctx))
    }
}
