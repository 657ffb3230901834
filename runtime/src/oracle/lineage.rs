//! What a run did, fact by fact.

use graph_model::event::Event;
use graph_model::id::NodeId;
use rustc_hash::FxHashMap;
use smol_str::SmolStr;

use crate::simulate::{Fact, Outcome, Step, What};

/// Steps of one sort with their events; none when whole events were not recorded.
pub(super) fn steps(run: &Outcome, what: What) -> impl Iterator<Item = (&Step, &Event)> {
    let steps = run.trace.iter().filter(move |step| step.what == what);
    steps.filter_map(|step| Some((step, step.whole.as_ref()?)))
}

/// What identifies an event and its copies.
pub(super) fn key(event: &Event) -> (SmolStr, SmolStr) {
    (event.context.source.clone(), event.context.id.clone())
}

/// For each fact of a run, its number in another run.
pub(super) fn twins(run: &Outcome, other: &Outcome) -> Vec<Option<u32>> {
    let name = |fact: &Fact| (fact.source.clone(), key(&fact.event));
    let mut known: FxHashMap<(NodeId, (SmolStr, SmolStr)), u32> = FxHashMap::default();
    for (number, fact) in other.facts.iter().enumerate() {
        known.entry(name(fact)).or_insert(number as u32);
    }
    let facts = run.facts.iter();
    facts.map(|fact| known.get(&name(fact)).copied()).collect()
}

/// The number in the other run of the fact of a step.
pub(super) fn twin(twins: &[Option<u32>], fact: Option<u32>) -> Option<u32> {
    twins.get(fact? as usize).copied().flatten()
}

/// How people call a fact.
pub(super) fn name(run: &Outcome, fact: u32) -> SmolStr {
    let fact = run.facts.get(fact as usize);
    fact.map_or_else(SmolStr::default, |fact| fact.event.context.id.clone())
}
