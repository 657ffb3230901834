//! Functions whose code is not there yet, in runs that look for a hazard: a stand-in plays them, so that a
//! flow can be looked at before it is built. Nothing else asks for stand-ins: a flow that runs, or that
//! somebody simulates, needs its code, and code that is there and broken stays a problem.
//!
//! A stand-in sends on what it gets: as often as is declared, in the shape that is declared, and with no field
//! that the function does not read. In the one respect that a hazard is about it does the worst that its
//! declarations allow; [`Act`] tells how. What it does follows from what came to it, so that a run of it is
//! the same each time.

mod shape;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use graph_model::catalog::{Behaviour, Catalog, JqRole};
use graph_model::document::{Document, Node};
use graph_model::event::Event;
use graph_model::expr::{Env, Expr};
use graph_model::id::NodeId;
use graph_model::label::Atom;
use graph_model::pointer::Pointer;
use graph_model::value::Value;
use runtime_protocol::Problem;
use smol_str::{SmolStr, format_smolstr};

use self::shape::Shape;
use super::function;
use crate::bindings::EventBindings;
use crate::kind::{Build, Kind, Make};
use crate::operator::{Context, Operator, Output};
use crate::shared::lock;

/// In which respect a stand-in does its worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Act {
    /// In none: it sends on what it gets.
    #[default]
    HandOn,
    /// Where nothing says what identifies its events: of an event that comes again it makes other keys.
    Renew,
    /// Where state is declared to be in the memory of an instance: an instance that does not know all that
    /// came before it answers nothing.
    Forget,
    /// Where a cache is declared: it answers with what it kept of the first who asked by the same key.
    Recall,
    /// Where a table or view is declared by which it decides: it accepts what it does not find there yet.
    Decide,
}

/// All kinds, with a stand-in that acts so for each component that is not there.
pub(crate) fn kinds(act: Act) -> Vec<Kind> {
    let make: fn(&Build) -> Result<Box<dyn Operator>, Problem> = match act {
        Act::HandOn => |build| make(build, Act::HandOn),
        Act::Renew => |build| make(build, Act::Renew),
        Act::Forget => |build| make(build, Act::Forget),
        Act::Recall => |build| make(build, Act::Recall),
        Act::Decide => |build| make(build, Act::Decide),
    };
    let mut kinds = crate::catalog::kinds();
    for kind in kinds.iter_mut().filter(|kind| kind.spec.id == "function") {
        kind.make = Make::Operator(make);
    }
    kinds
}

/// The functions of a flow whose code is not there.
pub(crate) fn unwritten<'d>(document: &'d Document, project: &Path) -> Vec<&'d NodeId> {
    let nodes = document.nodes.iter();
    let nodes = nodes.filter(|(_, node)| node.kind == "function" && !node.disabled);
    nodes
        .filter(|(_, node)| {
            let component = node.config_str("component");
            component.is_some_and(|component| !project.join(component).exists())
        })
        .map(|(id, _)| id)
        .collect()
}

impl Act {
    /// How a node acts that is asked to: what it does not declare, it does not do.
    pub(crate) fn of(self, node: &Node) -> Act {
        let state = declared(node, "state").and_then(Value::as_str);
        let fresh = node.config.get("fresh").and_then(Value::as_bool) == Some(true);
        let may = match self {
            Act::HandOn | Act::Renew => true,
            Act::Forget => state == Some("instance") && !fresh,
            Act::Recall => state == Some("cache") && !fresh && cache_key(node).is_some(),
            Act::Decide => declared(node, "reads_from").is_some(),
        };
        if may { self } else { Act::HandOn }
    }
}

fn make(build: &Build, act: Act) -> Result<Box<dyn Operator>, Problem> {
    if build.path("component")?.exists() {
        return function::make(build);
    }
    let gain = declared(build.node, "gain").and_then(Value::as_f64);
    let shape = Shape::of(build);
    Ok(Box::new(Sketch {
        node: build.id.clone(),
        gain: gain.unwrap_or(1.0).max(0.0),
        owed: 0.0,
        way: Way::of(build, act.of(build.node), &shape)?,
        shape,
    }))
}

struct Sketch {
    node: NodeId,
    /// Events that it makes of one.
    gain: f64,
    /// What of the next event it has to send already.
    owed: f64,
    shape: Shape,
    way: Way,
}

/// What it takes to act.
enum Way {
    HandOn,
    Renew {
        keys: BTreeSet<Pointer>,
        seen: Arc<Seen>,
    },
    Forget {
        seen: Arc<Seen>,
        known: BTreeSet<SmolStr>,
    },
    Recall {
        key: Expr,
        /// By the type of an event: fields that are for one person or tenant.
        owned: BTreeMap<SmolStr, Vec<Pointer>>,
        kept: BTreeMap<Value, Value>,
    },
    Decide {
        place: NodeId,
        /// By which the place tells things apart.
        key: Option<Expr>,
        seen: Arc<Seen>,
    },
}

/// What stand-ins saw of a run.
#[derive(Default)]
pub(crate) struct Seen {
    /// By node, whichever of its instances got it: how often each event came.
    came: Mutex<BTreeMap<NodeId, BTreeMap<SmolStr, u64>>>,
    /// What was written to the places at which somebody looks.
    written: Mutex<BTreeMap<NodeId, Vec<Event>>>,
    /// Whether there are such places.
    looks: AtomicBool,
}

impl Operator for Sketch {
    fn on_event(&mut self, event: Event, _input: usize, ctx: &Context<'_>, out: &mut Output) {
        let Some(data) = self.way.answer(&self.node, &event, ctx) else {
            return;
        };
        let data = self.shape.fit(&event, data);
        self.owed += self.gain;
        let count = self.owed.floor();
        self.owed -= count;
        for number in 0..count as u64 {
            let id = format_smolstr!("{}/{}.{number}", event.context.id, self.node);
            let mut sent = event.derive(id, data.clone());
            if let Some(ty) = self.shape.ty() {
                Arc::make_mut(&mut sent.context).ty = ty.clone();
            }
            out.emit(0, sent);
        }
    }
}

impl Way {
    fn of(build: &Build, act: Act, shape: &Shape) -> Result<Way, Problem> {
        let seen = || Arc::clone(&build.shared.seen);
        Ok(match act {
            Act::HandOn => Way::HandOn,
            Act::Renew => {
                let mut keys = guarding(build.document);
                keys.retain(|key| shape.id().is_none_or(|id| !id.covers(key)));
                Way::Renew { keys, seen: seen() }
            }
            Act::Forget => Way::Forget {
                seen: seen(),
                known: BTreeSet::new(),
            },
            Act::Recall => {
                let code = cache_key(build.node).unwrap_or_default();
                let variables = JqRole::Key.variables();
                let key = build.shared.expressions.compile(code, variables);
                Way::Recall {
                    key: key.map_err(|error| build.problem(format!("`cache_key`: {error}")))?,
                    owned: owned(build.document),
                    kept: BTreeMap::new(),
                }
            }
            Act::Decide => match looked_at(build) {
                Some((place, key)) => {
                    build.shared.seen.look(&place);
                    Way::Decide {
                        place,
                        key,
                        seen: seen(),
                    }
                }
                None => Way::HandOn,
            },
        })
    }

    /// The payload that it makes of an event; nothing where it has no answer.
    fn answer(&mut self, node: &NodeId, event: &Event, ctx: &Context<'_>) -> Option<Value> {
        match self {
            Way::HandOn => Some(event.data.clone()),
            Way::Renew { keys, seen } => {
                let (times, _) = seen.add(node, &event.context.id);
                let mut data = event.data.clone();
                if times > 0 {
                    for key in keys.iter() {
                        if let Some(held) = key.get(&data).cloned() {
                            key.set(&mut data, another(&held, times));
                        }
                    }
                }
                Some(data)
            }
            Way::Forget { seen, known } => {
                let (_, others) = seen.add(node, &event.context.id);
                known.remove(&event.context.id);
                let knows_all = known.len() == others;
                known.insert(event.context.id.clone());
                knows_all.then(|| event.data.clone())
            }
            Way::Recall { key, owned, kept } => {
                let bindings = EventBindings {
                    event,
                    now_ms: ctx.now_ms,
                };
                let Ok(key) = key.eval(&event.data, &Env::new(&bindings)) else {
                    return Some(event.data.clone());
                };
                let first = kept.entry(key).or_insert_with(|| event.data.clone());
                let mut data = event.data.clone();
                for field in owned.get(&event.context.ty).into_iter().flatten() {
                    if let Some(held) = field.get(first) {
                        field.set(&mut data, held.clone());
                    }
                }
                Some(data)
            }
            Way::Decide { place, key, seen } => {
                let key_of = |event: &Event| {
                    let now_ms = ctx.now_ms;
                    let bindings = EventBindings { event, now_ms };
                    let key = key.as_ref()?.eval(&event.data, &Env::new(&bindings)).ok();
                    key.filter(|key| *key != Value::Null)
                };
                let own = key_of(event);
                let known = seen.holds(place, |held| own.is_none() || key_of(held) == own);
                (!known).then(|| event.data.clone())
            }
        }
    }
}

impl Seen {
    /// A run begins.
    pub(crate) fn clear(&self) {
        lock(&self.came).clear();
        lock(&self.written).values_mut().for_each(Vec::clear);
    }

    /// An event was written to a place.
    pub(crate) fn write(&self, place: &NodeId, event: &Event) {
        if self.looks.load(Ordering::Relaxed)
            && let Some(written) = lock(&self.written).get_mut(place)
        {
            written.push(event.clone());
        }
    }

    /// Takes down that an event came to a node: how often it had come before, and how many others had.
    fn add(&self, node: &NodeId, event: &SmolStr) -> (u64, usize) {
        let mut came = lock(&self.came);
        let here = came.entry(node.clone()).or_default();
        let times = here.entry(event.clone()).or_default();
        let before = *times;
        *times += 1;
        (before, here.len() - 1)
    }

    /// Somebody looks at a place.
    fn look(&self, place: &NodeId) {
        lock(&self.written).entry(place.clone()).or_default();
        self.looks.store(true, Ordering::Relaxed);
    }

    /// Whether a place holds something like that.
    fn holds(&self, place: &NodeId, like: impl Fn(&Event) -> bool) -> bool {
        let written = lock(&self.written);
        written.get(place).is_some_and(|held| held.iter().any(like))
    }
}

/// Another value in the place of one, for each time that it is asked for.
fn another(value: &Value, times: u64) -> Value {
    match value {
        Value::Int(number) => {
            let apart = i64::try_from(times).unwrap_or(i64::MAX);
            Value::Int(number.saturating_add(apart.saturating_mul(1_000_000)))
        }
        other => Value::from(format_smolstr!("{} again {times}", other.to_text())),
    }
}

/// Fields by which somebody in the flow tells copies apart.
fn guarding(document: &Document) -> BTreeSet<Pointer> {
    let catalog = Catalog::bundled();
    let mut keys = BTreeSet::new();
    for node in document.nodes.values().filter(|node| !node.disabled) {
        let Some(kind) = catalog.get(&node.kind) else {
            continue;
        };
        let fields = match &kind.behaviour {
            Behaviour::Dedupe { key, .. }
            | Behaviour::Effect { key }
            | Behaviour::Table { key, .. }
            | Behaviour::Bucket { name: key } => vec![key],
            Behaviour::VersionGuard { key, version } | Behaviour::Resequence { key, version } => {
                vec![key, version]
            }
            _ => continue,
        };
        let codes = fields.into_iter();
        let codes = codes.filter_map(|field| kind.config(node, field)?.as_str());
        let read = codes.filter_map(|code| Expr::compile(code).ok());
        keys.extend(read.flat_map(|expr| expr.analysis().reads.fields.clone()));
    }
    keys.retain(|key| !key.is_root());
    keys
}

/// By type: fields that only some person or tenant may read, but for those that say who that is.
fn owned(document: &Document) -> BTreeMap<SmolStr, Vec<Pointer>> {
    let types = document.types.iter();
    let types = types.map(|(id, ty)| {
        let atoms = |field: &Pointer| {
            let clauses = ty.labels.get(field).into_iter().flat_map(|label| &label.0);
            clauses.flat_map(|clause| &clause.0)
        };
        let all = || ty.labels.keys().flat_map(atoms).filter_map(Atom::pointer);
        let anchors: BTreeSet<&Pointer> = all().chain(&ty.subject).chain(&ty.tenant).collect();
        let fields = ty.labels.keys().filter(|field| {
            let theirs = atoms(field).any(|atom| atom.pointer().is_some());
            theirs && !anchors.contains(field)
        });
        (id.as_str().into(), fields.cloned().collect())
    });
    types.collect()
}

fn declared<'n>(node: &'n Node, name: &str) -> Option<&'n Value> {
    node.notes.declared.get(name)
}

/// The table or view by which a node decides, named by its id or title, and the key of what is there.
fn looked_at(build: &Build) -> Option<(NodeId, Option<Expr>)> {
    let name = declared(build.node, "reads_from")?.as_str()?;
    let document = build.document;
    let mut nodes = document.nodes.iter();
    let titled = || nodes.find(|(id, _)| document.node_title(id) == name);
    let (id, node) = document.nodes.get_key_value(name).or_else(titled)?;
    let kind = Catalog::bundled().get(&node.kind)?;
    let text = |field: &str| kind.config(node, field).and_then(Value::as_str);
    // What is appended is told apart by who sent it, whatever it is about.
    let code = text("key").filter(|_| text("mode") != Some("append"));
    let key = code.and_then(|code| Expr::compile(code).ok());
    Some((id.clone(), key))
}

/// By what a cache is declared to find what it keeps.
pub(crate) fn cache_key(node: &Node) -> Option<&str> {
    let code = declared(node, "cache_key")?.as_str()?;
    Some(code).filter(|code| !code.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use graph_model::value;

    use super::*;
    use crate::operators::testing::event;

    fn sketch(gain: f64, way: Way) -> Sketch {
        Sketch {
            node: "code".into(),
            gain,
            owed: 0.0,
            shape: Shape::any(),
            way,
        }
    }

    fn told(sketch: &mut Sketch, id: &str, data: Value) -> Vec<String> {
        let mut out = Output::default();
        sketch.on_event(event(id, 0, data), 0, &Context::default(), &mut out);
        let sent = out.emitted.into_iter();
        sent.map(|(_, event)| event.data.to_json()).collect()
    }

    #[test]
    fn what_is_declared_is_sent() {
        for (gain, sent) in [
            (1.0, [1, 1, 1, 1]),
            (2.5, [2, 3, 2, 3]),
            (0.25, [0, 0, 0, 1]),
        ] {
            let mut sketch = sketch(gain, Way::HandOn);
            let counts = sent.map(|_| told(&mut sketch, "e1", value!({"n": 1})).len());
            assert_eq!(counts, sent, "{gain}");
        }
    }

    #[test]
    fn copies_have_other_keys() {
        let keys = [Pointer::root().child("id"), Pointer::root().child("n")];
        let mut sketch = sketch(
            1.0,
            Way::Renew {
                keys: keys.into(),
                seen: Arc::default(),
            },
        );
        for (id, wanted) in [
            ("e1", r#"{"id":"a","n":1,"to":"Ana"}"#),
            ("e2", r#"{"id":"a","n":1,"to":"Ana"}"#),
            ("e1", r#"{"id":"a again 1","n":1000001,"to":"Ana"}"#),
            ("e1", r#"{"id":"a again 2","n":2000001,"to":"Ana"}"#),
        ] {
            let data = value!({"id": "a", "n": 1, "to": "Ana"});
            assert_eq!(told(&mut sketch, id, data), [wanted], "{id}");
        }
    }

    #[test]
    fn an_instance_answers_while_it_knows_all_that_came() {
        let seen: Arc<Seen> = Arc::default();
        let instance = || {
            let known = BTreeSet::new();
            let seen = Arc::clone(&seen);
            sketch(1.0, Way::Forget { seen, known })
        };
        let (mut first, mut other) = (instance(), instance());
        for (to_first, id, answers) in [
            (true, "e1", true),
            (true, "e2", true),
            // A copy is not news.
            (true, "e1", true),
            (false, "e3", false),
            (true, "e4", false),
        ] {
            let sketch = if to_first { &mut first } else { &mut other };
            let sent = told(sketch, id, value!({}));
            assert_eq!(!sent.is_empty(), answers, "{id}");
        }
    }

    #[test]
    fn a_decision_rests_on_what_is_written_by_then() {
        let (seen, place) = (Arc::new(Seen::default()), NodeId::from("rows"));
        seen.look(&place);
        let key = Some(Expr::compile(".k").expect("an expression"));
        let mut sketch = sketch(
            1.0,
            Way::Decide {
                place: place.clone(),
                key,
                seen: Arc::clone(&seen),
            },
        );
        for (key, accepted, written) in [
            ("a", true, false),
            ("a", true, true),
            ("a", false, false),
            ("b", true, true),
            ("b", false, false),
        ] {
            let data = value!({"k": (key)});
            let sent = told(&mut sketch, "e", data.clone());
            assert_eq!(!sent.is_empty(), accepted, "{key}");
            if written {
                seen.write(&place, &event("w", 0, data));
            }
        }
        seen.clear();
        assert_eq!(told(&mut sketch, "e", value!({"k": "a"})).len(), 1);
    }

    #[test]
    fn a_cache_answers_with_what_is_for_the_first() {
        let field = |name: &str| Pointer::root().child(name);
        let mut sketch = sketch(
            1.0,
            Way::Recall {
                key: Expr::compile(".page").expect("an expression"),
                owned: [("test".into(), vec![field("account")])].into(),
                kept: BTreeMap::new(),
            },
        );
        for (page, owner, wanted) in [
            ("p", "ana", "of ana"),
            ("p", "bob", "of ana"),
            ("q", "bob", "of bob"),
        ] {
            let account = format!("of {owner}");
            let asked = value!({"page": (page), "owner": (owner), "account": (account)});
            let mut wanted_data = asked.clone();
            field("account").set(&mut wanted_data, wanted.into());
            assert_eq!(told(&mut sketch, "e", asked), [wanted_data.to_json()]);
        }
    }
}
