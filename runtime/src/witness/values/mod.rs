//! Facts for a flow: of what its event types promise, or of what its expressions read.

mod load;
mod payload;
mod read;

use std::collections::BTreeSet;
use std::sync::Arc;

use graph_model::catalog::{Behaviour, Catalog, Family};
use graph_model::document::{Document, EventType, Node};
use graph_model::event::{Event, EventContext};
use graph_model::pointer::Pointer;
use graph_model::units;
use smol_str::format_smolstr;

use self::load::Tempo;
pub(super) use self::load::{hot_share, many};
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
    /// One group, of as many facts as somebody waits for, and one more.
    Many,
    /// One group of a single fact, another one of all others.
    Unequal,
    /// One group in two windows: a single fact in the first, all others in the next.
    Windows,
    /// The earlier something happened, the later it comes in.
    Reversed,
    /// Windows lie between what happened and what happened next, and the first fact comes last where its
    /// source may be that late.
    Apart,
    /// Hours pass from one fact to the next.
    Slow,
    /// Each fact is about another person and another tenant, with values that nobody else has.
    People,
    /// Facts have a field more than their type lists, where it lets fields be added.
    Added,
    /// Fields that may be missing are.
    Sparse,
    /// Facts are of the type that theirs was before.
    Old,
    /// Facts are as large as their type allows.
    Large,
    /// One source comes after another, though what it tells happened in between.
    Crossed,
    /// Facts come as often as their sources say, for a while.
    Steady,
    /// Facts come as often as their sources say of their peak.
    Peak,
    /// As at the peak, with as large a part of one group as is declared.
    Hot,
    /// All facts come at one moment.
    Burst,
}

/// Facts that somebody wants.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Of each source.
    pub count: usize,
    pub hint: Hint,
    /// The fields by which events are grouped where it matters.
    pub keys: BTreeSet<Pointer>,
    /// Which part of the events is of one group, where that is wished for.
    pub hot: f64,
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
    let mut source = 0;
    for (place, (id, node)) in document.nodes.iter().enumerate() {
        let Some(brings) = brings(document, catalog, node) else {
            continue;
        };
        let ty = node.config_str("event_type");
        let ty = ty.and_then(|ty| document.types.get_key_value(ty));
        let tempo = Tempo::of(document, node, wish);
        for number in 0..tempo.count {
            let (at_us, after_ms) = match tempo.gap_us {
                Some(gap_us) => {
                    let at_us = (number as f64 * gap_us) as u64;
                    (at_us, (at_us / 1_000) as i64)
                }
                None => moment(wish, source, number, late_ms(node)),
            };
            let context = EventContext {
                id: format_smolstr!("{id}-{number}"),
                source: format_smolstr!("/{id}"),
                ty: ty.map_or_else(|| "fact".into(), |(name, _)| name.as_str().into()),
                time_ms: EPOCH_MS + after_ms + place as i64,
                ..EventContext::default()
            };
            let data = match ty {
                Some((_, ty)) => {
                    let was = was(document, ty).filter(|_| wish.hint == Hint::Old);
                    payloads.typed(was.unwrap_or(ty), number, context.time_ms)
                }
                None => payloads.untyped(id, source, number),
            };
            let data = match brings {
                Brings::Events => data,
                Brings::Changes => payloads.change(data, number),
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
        source += 1;
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

/// What a source brings from outside.
#[derive(Clone, Copy)]
enum Brings {
    Events,
    /// Changes of rows that nothing in the flow writes.
    Changes,
}

fn brings(document: &Document, catalog: &Catalog, node: &Node) -> Option<Brings> {
    let kind = catalog.get(&node.kind)?;
    if node.disabled || kind.family != Family::Source {
        return None;
    }
    if !matches!(kind.behaviour, Behaviour::Changes { .. }) {
        return Some(Brings::Events);
    }
    // What a table brings that the flow writes follows from its other facts.
    let writes = |other: &Node| {
        catalog.get(&other.kind).is_some_and(|kind| {
            matches!(kind.behaviour, Behaviour::Table { .. })
                && other.config_str("table") == node.config_str("table")
        })
    };
    let mut nodes = document.nodes.values();
    (!nodes.any(|other| writes(other))).then_some(Brings::Changes)
}

/// The type that a type was before, as it is declared.
fn was<'d>(document: &'d Document, ty: &EventType) -> Option<&'d EventType> {
    let history = ty.declared.get("history")?.as_array()?;
    let was = document.types.get(history.first()?.as_str()?);
    was.map(|was| &**was)
}

/// By how much facts of a source may be late, as it is declared.
fn late_ms(node: &Node) -> Option<i64> {
    let declared = node.notes.declared.get("max_delay")?.as_str()?;
    i64::try_from(units::parse_duration(declared)?.as_millis()).ok()
}

/// When the fact comes in, and how long after the beginning it happened.
fn moment(wish: &Wish, source: usize, number: usize, late_ms: Option<i64>) -> (u64, i64) {
    let (at, happened) = (number as u64 * GAP_US, number as i64);
    let late = late_ms.map(|late_ms| late_ms / (wish.count as i64 - 1).max(1));
    match (wish.hint, late) {
        (Hint::Reversed, Some(step_ms)) => (at, (wish.count - 1 - number) as i64 * step_ms),
        // The first comes when all others have closed its window.
        (Hint::Apart, Some(_)) if number == 0 => (wish.count as u64 * GAP_US, 0),
        (Hint::Apart, Some(step_ms)) => (at, happened * step_ms),
        (Hint::Apart, None) => (at, happened * HOURS_MS),
        (Hint::Windows, _) => (at, happened * 1_000 + if number > 0 { HOURS_MS } else { 0 }),
        (Hint::Slow, _) => (number as u64 * HOURS_MS as u64 * 1_000, happened * HOURS_MS),
        (Hint::Crossed, _) => {
            let turn = if source == 0 { wish.count as u64 } else { 0 };
            (at + turn * GAP_US, happened * 1_000)
        }
        _ => (at, happened * 1_000),
    }
}
