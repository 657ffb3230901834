//! Fields that nodes send as they sent them in another run.

use std::collections::BTreeMap;
use std::sync::Arc;

use graph_model::event::Event;
use graph_model::id::NodeId;
use graph_model::pointer::Pointer;
use graph_model::value::Value;
use rustc_hash::FxHashMap;
use smol_str::SmolStr;

/// What some nodes said in another run and say again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replay {
    /// By node and event, one after the other where an event passes a node several times.
    said: BTreeMap<(NodeId, SmolStr), Vec<Said>>,
    /// By node and fact: an event may have another id because of what it is about.
    for_fact: BTreeMap<(NodeId, u32), Vec<Said>>,
}

/// Fields with what they held.
type Said = Arc<[(Pointer, Value)]>;

/// How often nodes spoke of each event, and of what followed from each fact.
#[derive(Default)]
pub(super) struct Spoken {
    of_event: FxHashMap<(NodeId, SmolStr), usize>,
    of_fact: FxHashMap<(NodeId, u32), usize>,
}

impl Replay {
    /// Lets a node say again what these fields of an event that it sent held; none of them keep it from
    /// that for this event.
    pub fn add(&mut self, node: &NodeId, event: &Event, fields: &[Pointer]) {
        let said = self.said.entry((node.clone(), event.context.id.clone()));
        said.or_default().push(held(event, fields));
    }

    /// The same of events that follow from a fact, whatever their ids are.
    pub fn add_for(&mut self, fact: u32, node: &NodeId, event: &Event, fields: &[Pointer]) {
        self.add(node, event, fields);
        let said = self.for_fact.entry((node.clone(), fact));
        said.or_default().push(held(event, fields));
    }

    pub fn is_empty(&self) -> bool {
        self.said.is_empty()
    }

    pub(super) fn apply(
        &self,
        node: &NodeId,
        fact: Option<u32>,
        event: &mut Event,
        spoken: &mut Spoken,
    ) {
        let key = (node.clone(), event.context.id.clone());
        let mut said = None;
        if let Some(times) = self.said.get(&key) {
            said = next(times, spoken.of_event.entry(key).or_default());
        }
        if let Some(fact) = fact.map(|fact| (node.clone(), fact))
            && let Some(times) = self.for_fact.get(&fact)
        {
            let of_fact = next(times, spoken.of_fact.entry(fact).or_default());
            said = said.or(of_fact);
        }
        for (field, value) in said.into_iter().flat_map(|said| &**said) {
            field.set(&mut event.data, value.clone());
        }
    }
}

fn held(event: &Event, fields: &[Pointer]) -> Said {
    let held = fields.iter().filter_map(|field| {
        let value = field.get(&event.data)?;
        Some((field.clone(), value.clone()))
    });
    held.collect()
}

fn next<'s>(times: &'s [Said], spoken: &mut usize) -> Option<&'s Said> {
    let said = times.get(*spoken);
    *spoken += 1;
    said
}
