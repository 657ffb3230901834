//! Facts for a design: what its event types promise, with few and skewed keys, two tenants, versions,
//! and as late as the sources say.

use std::collections::BTreeMap;
use std::sync::Arc;

use graph_model::catalog::{Behaviour, Catalog, Family};
use graph_model::document::{Document, EventType, Node};
use graph_model::event::{Event, EventContext};
use graph_model::id::{Id, NodeId};
use graph_model::pointer::Pointer;
use graph_model::schema::{Schema, Types};
use graph_model::value;
use graph_model::value::{Object, Value};
use runtime::simulate::{EPOCH_MS, Fact};
use smol_str::format_smolstr;

use crate::chance::Chance;

/// Facts of each source, on average.
const EACH: usize = 5;

/// Facts of all sources, by their time.
pub(crate) fn facts(document: &Document, seed: u64) -> Vec<Fact> {
    let mut chance = Chance::new(seed ^ 0xfac7);
    let sources: Vec<(&NodeId, &Arc<Node>)> = document
        .nodes
        .iter()
        .filter(|(_, node)| brings_facts(node))
        .collect();
    let mut maker = Maker::default();
    let mut time_ms = 0;
    let mut facts = Vec::new();
    if sources.is_empty() {
        return facts;
    }
    for number in 0..sources.len() * EACH {
        time_ms += 1 + chance.weighted(&[(0, 2), (900, 4), (40_000, 2), (1_500_000, 1)]);
        let (id, node) = *chance.pick(&sources);
        let event = maker.event(&mut chance, document, (id, node), number, time_ms);
        let late_ms = match max_delay_ms(node) {
            0 => 0,
            most if chance.percent(40) => chance.below(most) as i64,
            _ => 0,
        };
        facts.push(Fact {
            source: id.clone(),
            at_us: (time_ms + late_ms) as u64 * 1_000,
            event,
        });
    }
    facts
}

/// Facts that each source sends as evenly and as often as it says.
pub(crate) fn steady(document: &Document, seed: u64) -> Vec<Fact> {
    /// Of all sources.
    const FACTS: f64 = 150.0;
    let mut chance = Chance::new(seed ^ 0x10ad);
    let mut maker = Maker::default();
    let sources = document.nodes.iter().filter(|(_, node)| brings_facts(node));
    let rates: Vec<(&NodeId, &Arc<Node>, f64)> = sources
        .map(|(id, node)| (id, node, rate_of(node)))
        .collect();
    let all: f64 = rates.iter().map(|(.., rate)| rate).sum();
    let mut facts = Vec::new();
    for (id, node, rate) in &rates {
        let count = (FACTS * rate / all).ceil() as usize;
        for number in 0..count {
            let at_us = (number as f64 / rate * 1e6) as u64;
            let time_ms = at_us as i64 / 1_000;
            let event = maker.event(&mut chance, document, (id, node), number, time_ms);
            facts.push(Fact {
                source: (*id).clone(),
                at_us,
                event,
            });
        }
    }
    facts.sort_by_key(|fact| fact.at_us);
    facts
}

/// Facts a second, as the source says.
fn rate_of(node: &Node) -> f64 {
    let declared = node.notes.declared.get("rate").and_then(Value::as_f64);
    declared.unwrap_or(1.0)
}

/// The same, each source a part of its gap later.
pub(crate) fn phased(facts: &[Fact], seed: u64) -> Arc<[Fact]> {
    let mut chance = Chance::new(seed ^ 0x9ace);
    let mut phases: BTreeMap<NodeId, u64> = BTreeMap::new();
    let mut phased: Vec<Fact> = Vec::new();
    for fact in facts {
        let next = || {
            let mut others = facts.iter().filter(|other| other.source == fact.source);
            others.find(|other| other.at_us > fact.at_us)
        };
        let phase_us = *phases.entry(fact.source.clone()).or_insert_with(|| {
            let gap_us = next().map_or(1, |next| next.at_us - fact.at_us);
            chance.below(gap_us as usize) as u64
        });
        phased.push(Fact {
            at_us: fact.at_us + phase_us,
            ..fact.clone()
        });
    }
    phased.into()
}

/// The same facts in the same order for each source, and each source at a pace of its own.
pub(crate) fn paced(facts: &[Fact], seed: u64) -> Arc<[Fact]> {
    let mut chance = Chance::new(seed ^ 0x9ace);
    let way = chance.below(3);
    let mut paces: BTreeMap<NodeId, u64> = BTreeMap::new();
    let mut paced: Vec<Fact> = Vec::new();
    for fact in facts {
        let pace = *paces
            .entry(fact.source.clone())
            .or_insert_with(|| 1 + chance.below(3) as u64);
        let at_us = match way {
            // As it happened.
            0 => fact.at_us,
            // As fast as it goes.
            1 => fact.at_us / 1_000 * pace,
            // One source lags behind another.
            _ => fact.at_us * pace,
        };
        paced.push(Fact {
            at_us,
            ..fact.clone()
        });
    }
    paced.into()
}

/// Whether a fact has a shape that its source may send in this design.
pub(crate) fn may_come(document: &Document, fact: &Fact) -> bool {
    let ty = document.nodes.get(&fact.source);
    let ty = ty.and_then(|node| document.types.get(node.config_str("event_type")?));
    ty.is_none_or(|ty| {
        Schema::new(&ty.schema).check(&fact.event.data).is_ok()
            || ty.declared.get("history").is_some() && is_kept(document, &fact.source)
    })
}

/// Whether all that a source sends is kept in logs first.
fn is_kept(document: &Document, source: &NodeId) -> bool {
    let mut edges = document.edges.values();
    edges.all(|edge| {
        let to = document.nodes.get(&edge.to.node);
        edge.from.node != *source || to.is_some_and(|to| to.kind == "log")
    })
}

/// The shape that an event of a type has, where it is one of old: a log kept it since.
fn old_shape<'d>(
    chance: &mut Chance,
    document: &'d Document,
    source: &NodeId,
    ty: &EventType,
) -> Option<&'d EventType> {
    let history = ty.declared.get("history").and_then(Value::as_array);
    let older = history.unwrap_or_default().first()?.as_str()?;
    let kept = is_kept(document, source);
    let older = document.types.get(older).filter(|_| kept)?;
    chance.percent(40).then_some(older)
}

pub(crate) fn brings_facts(node: &Node) -> bool {
    let kind = Catalog::bundled().get(&node.kind);
    kind.is_some_and(|kind| {
        kind.family == Family::Source && !matches!(kind.behaviour, Behaviour::Changes { .. })
    })
}

/// The longest that a fact of a source may be under way, as declared.
pub(crate) fn max_delay_ms(node: &Node) -> usize {
    let declared = node.notes.declared.get("max_delay").and_then(Value::as_str);
    let declared = declared.and_then(graph_model::units::parse_duration);
    declared.map_or(0, |most| most.as_millis() as usize)
}

/// Remembers what identifies facts and counts versions.
#[derive(Default)]
struct Maker {
    ids: BTreeMap<Id, usize>,
    versions: BTreeMap<(Id, usize), i64>,
}

impl Maker {
    fn event(
        &mut self,
        chance: &mut Chance,
        document: &Document,
        (id, node): (&NodeId, &Node),
        number: usize,
        time_ms: i64,
    ) -> Event {
        let ty = node.config_str("event_type");
        let ty = ty.and_then(|ty| document.types.get_key_value(ty));
        let context = EventContext {
            id: format_smolstr!("{id}-{number}"),
            source: format_smolstr!("/{id}"),
            ty: ty.map_or_else(|| "fact".into(), |(name, _)| name.as_str().into()),
            time_ms: EPOCH_MS + time_ms,
            ..EventContext::default()
        };
        let data = match ty {
            Some((name, ty)) => {
                let old = old_shape(chance, document, id, ty);
                self.typed(chance, name, ty, old, context.time_ms)
            }
            None => self.untyped(chance),
        };
        Event {
            context: Arc::new(context),
            data,
        }
    }

    fn typed(
        &mut self,
        chance: &mut Chance,
        name: &Id,
        ty: &EventType,
        old: Option<&EventType>,
        time_ms: i64,
    ) -> Value {
        let versions = ty.stands_for() == Some("version") && ty.id.is_some();
        let count = self.ids.entry(name.clone()).or_default();
        *count += 1;
        let number = if versions { chance.skewed(3) } else { *count };
        let version = self.versions.entry((name.clone(), number)).or_default();
        *version += 1;
        let schema = Schema::new(&old.unwrap_or(ty).schema);
        let unique: Vec<Pointer> = {
            let declared = ty.declared.get("unique").and_then(Value::as_array);
            let declared = declared.unwrap_or_default().iter();
            declared
                .filter_map(|text| Pointer::parse(text.as_str()?).ok())
                .collect()
        };
        let mut payload = Value::from(Object::new());
        for held in schema.fields() {
            let field = &held.pointer;
            if field.tokens().iter().any(|token| token == "*") {
                continue;
            }
            let last = field.last().map_or("value", |name| name.as_str());
            let value = if ty.id.as_ref() == Some(field) {
                Value::from(format!("{}{number}", &name.as_str()[..1]))
            } else if ty.version.as_ref() == Some(field) {
                Value::Int(*version)
            } else if ty.time.as_ref() == Some(field) {
                let time = jiff::Timestamp::from_millisecond(time_ms);
                Value::from(time.map_or_else(|_| String::new(), |time| time.to_string()))
            } else if unique.contains(field) {
                Value::from(format!("{last}{}", self.ids[name]))
            } else if !held.required && chance.percent(30) {
                continue;
            } else if let Some(values) = schema.values(field) {
                chance.pick(values).clone()
            } else {
                ordinary(chance, last, held.types)
            };
            field.set(&mut payload, value);
        }
        // What one dependency decides may decide something else.
        for _ in &ty.depends {
            for depends in &ty.depends {
                let from = depends.from.iter().map(|field| field.get(&payload));
                let from: Vec<String> = from.flatten().map(Value::to_json).collect();
                let sum: usize = from.concat().bytes().map(usize::from).sum();
                for to in &depends.to {
                    let last = to.last().map_or("value", |name| name.as_str());
                    let letter = &last[..1];
                    to.set(
                        &mut payload,
                        Value::from(format!("{letter}{}", 1 + sum % 2)),
                    );
                }
            }
        }
        payload
    }

    fn untyped(&mut self, chance: &mut Chance) -> Value {
        let count = self.ids.entry(Id::new("")).or_default();
        *count += 1;
        value!({
            "id": (format!("u{count}")),
            "k": (format!("k{}", chance.skewed(4))),
            "v": (chance.below(10) as i64),
            "w": (chance.below(10) as i64),
        })
    }
}

/// A value of one of several types; a text may look like a number of the other.
fn one_of(chance: &mut Chance, name: &str, types: Types) -> Value {
    if types.overlaps(Types::NULL) && chance.percent(30) {
        return Value::Null;
    }
    let number = chance.below(3) as i64;
    match (types.overlaps(Types::STRING), types.overlaps(Types::NUMBER)) {
        (true, true) if chance.percent(50) => Value::from(number.to_string()),
        (_, true) => Value::Int(number),
        _ => ordinary(chance, name, Types::STRING),
    }
}

/// One of few values, the first ones oftener.
fn ordinary(chance: &mut Chance, name: &str, types: Types) -> Value {
    let several = [Types::STRING, Types::NUMBER, Types::NULL];
    if several
        .into_iter()
        .filter(|one| types.overlaps(*one))
        .count()
        > 1
    {
        return one_of(chance, name, types);
    }
    if types.overlaps(Types::STRING) {
        let few = if name == "tenant" { 2 } else { 4 };
        let letter = &name[..1];
        Value::from(format!("{letter}{}", 1 + chance.skewed(few)))
    } else if types.overlaps(Types::NUMBER) || types.overlaps(Types::INTEGER) {
        Value::Int(chance.below(11) as i64)
    } else if types.overlaps(Types::BOOLEAN) {
        Value::Bool(chance.percent(30))
    } else if types.overlaps(Types::ARRAY) {
        let items = (0..chance.below(3)).map(|_| {
            let sku = format!("s{}", 1 + chance.skewed(3));
            value!({"sku": sku, "qty": (1 + chance.below(3) as i64)})
        });
        Value::from(items.collect::<Vec<Value>>())
    } else {
        Value::Null
    }
}
