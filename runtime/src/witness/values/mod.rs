//! Facts for a flow: of what its event types promise, or of what its expressions read.

mod payload;
mod read;

use std::collections::BTreeSet;
use std::sync::Arc;

use graph_model::catalog::{Behaviour, Catalog, Family};
use graph_model::document::{Document, Node};
use graph_model::event::{Event, EventContext};
use graph_model::pointer::Pointer;
use smol_str::format_smolstr;

use self::payload::Payloads;
pub(super) use self::read::keys_of;
use crate::simulate::{EPOCH_MS, Fact};

/// Between two facts of a source, in the time of the run.
const GAP_US: u64 = 10_000;

/// Two hours, longer than most windows and memories.
const HOURS_MS: i64 = 7_200_000;

/// In which way facts are alike, and in which they differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Hint {
    /// What identifies a fact is its own, other fields have one of few values.
    #[default]
    Mixed,
    /// The keys that matter are equal, all other keys are each fact's own.
    OneGroup,
    /// All facts are about one thing: later facts are newer versions of it.
    OneThing,
    /// One group of a single fact, another one of all others.
    Unequal,
    /// The earlier something happened, the later it comes in.
    Reversed,
    /// Windows lie between what happened and what happened next, and the first fact comes last.
    Apart,
    /// Hours pass from one fact to the next.
    Slow,
    /// Each fact is about another person and another tenant, with values that nobody else has.
    People,
    /// Fields that may be missing are.
    Sparse,
    /// One source comes after another, though what it tells happened in between.
    Crossed,
}

/// Facts that somebody wants.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Of each source.
    pub count: usize,
    pub hint: Hint,
    /// The fields by which events are grouped where it matters.
    pub keys: BTreeSet<Pointer>,
}

/// So many facts of every source, each source's a while apart from each other.
pub fn facts(document: &Document, catalog: &Catalog, count: usize) -> Vec<Fact> {
    let wish = Wish {
        count,
        ..Wish::default()
    };
    wished(document, catalog, &wish)
}

/// Facts of every source, as they are wished for.
pub fn wished(document: &Document, catalog: &Catalog, wish: &Wish) -> Vec<Fact> {
    let payloads = Payloads::of(document, catalog, wish);
    let mut facts = Vec::new();
    for (place, (id, node)) in document.nodes.iter().enumerate() {
        if !brings_facts(node, catalog) {
            continue;
        }
        let ty = node.config_str("event_type");
        let ty = ty.and_then(|ty| document.types.get_key_value(ty));
        let source = facts.len() / wish.count.max(1);
        for number in 0..wish.count {
            let (at_us, after_ms) = moment(wish, source, number);
            let context = EventContext {
                id: format_smolstr!("{id}-{number}"),
                source: format_smolstr!("/{id}"),
                ty: ty.map_or_else(|| "fact".into(), |(name, _)| name.as_str().into()),
                time_ms: EPOCH_MS + after_ms + place as i64,
                ..EventContext::default()
            };
            let data = match ty {
                Some((_, ty)) => payloads.typed(ty, number, context.time_ms),
                None => payloads.untyped(id, source, number),
            };
            facts.push(Fact {
                source: id.clone(),
                at_us,
                event: Event {
                    context: Arc::new(context),
                    data,
                },
            });
        }
    }
    facts
}

/// The same facts, each source at its own pace: nothing keeps one in step with another.
#[must_use]
pub fn paced(facts: &[Fact], seed: u64) -> Arc<[Fact]> {
    let first = facts.first().map(|fact| fact.source.clone());
    let pace = |fact: &Fact| match &first {
        Some(first) if *first == fact.source => 1 + seed % 3,
        _ => 1,
    };
    let facts = facts.iter().map(|fact| Fact {
        at_us: fact.at_us * pace(fact),
        ..fact.clone()
    });
    facts.collect()
}

/// What a table brings is what the flow writes there.
fn brings_facts(node: &Node, catalog: &Catalog) -> bool {
    !node.disabled
        && catalog.get(&node.kind).is_some_and(|kind| {
            kind.family == Family::Source && !matches!(kind.behaviour, Behaviour::Changes { .. })
        })
}

/// When the fact comes in, and how long after the beginning it happened.
fn moment(wish: &Wish, source: usize, number: usize) -> (u64, i64) {
    let (at, happened) = (number as u64 * GAP_US, number as i64);
    match wish.hint {
        Hint::Reversed => (at, (wish.count - number) as i64 * 1_000),
        // The first comes when all others have closed its window.
        Hint::Apart if number == 0 => (wish.count as u64 * GAP_US, 0),
        Hint::Apart => (at, happened * HOURS_MS),
        Hint::Slow => (number as u64 * HOURS_MS as u64 * 1_000, happened * HOURS_MS),
        Hint::Crossed => {
            let turn = if source == 0 { wish.count as u64 } else { 0 };
            (at + turn * GAP_US, happened * 1_000)
        }
        _ => (at, happened * 1_000),
    }
}
