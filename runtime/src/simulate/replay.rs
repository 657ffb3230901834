//! Fields that nodes send as they sent them in another run.

use std::collections::BTreeMap;
use std::sync::Arc;

use graph_model::event::Event;
use graph_model::id::NodeId;
use graph_model::pointer::Pointer;
use graph_model::value::Value;
use smol_str::SmolStr;

/// What some nodes said in another run and say again, by node and event.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replay {
    said: BTreeMap<(NodeId, SmolStr), Arc<[(Pointer, Value)]>>,
}

impl Replay {
    /// Lets a node say again what these fields of an event that it sent held.
    pub fn add(&mut self, node: &NodeId, event: &Event, fields: &[Pointer]) {
        let held = fields.iter().filter_map(|field| {
            let value = field.get(&event.data)?;
            Some((field.clone(), value.clone()))
        });
        self.said
            .insert((node.clone(), event.context.id.clone()), held.collect());
    }

    pub fn is_empty(&self) -> bool {
        self.said.is_empty()
    }

    pub(super) fn apply(&self, node: &NodeId, event: &mut Event) {
        let said = self.said.get(&(node.clone(), event.context.id.clone()));
        for (field, value) in said.iter().flat_map(|said| &***said) {
            field.set(&mut event.data, value.clone());
        }
    }
}
