//! LOOP-001: events come round and nothing ends it.

use std::collections::{BTreeMap, VecDeque};

use rustc_hash::{FxHashMap, FxHashSet};

use crate::catalog::Behaviour;
use crate::expr::{Comparison, Condition, Env, Expr, Op, Operand, Variable, related};
use crate::pointer::Pointer;
use crate::validate::design::{Design, EdgeIx, NodeIx};
use crate::validate::diagnostic::{Found, RuleFindings};
use crate::validate::facts::Facts;
use crate::validate::rules::declare_rule;
use crate::validate::{Step, Subject, fixes};
use crate::value::{Object, Value};

declare_rule! {
    /// Finds loops in which an event makes at least one more event of its kind.
    /// ## Why is this bad
    /// Each turn of this loop makes at least as many events as it took, so it never dies out. It
    /// fills queues and, in a cloud, it is you who pays. Platforms stop some loops after the fact;
    /// the design shows it before.
    /// ## When is this fine
    /// When something outside the design ends it: then accept the hazard and say what.
    /// ## Perturbation
    /// One event more: its descendants never end.
    /// ## Example
    /// in: manual -> lane: queue -> work: map(expr=.done = true) -> out: view
    /// work -> lane
    /// ## Use instead
    /// in: manual -> lane: queue -> work: map(expr=.done = true) -> out: view
    /// ## Near miss
    /// in: manual -> lane: queue -> count: map(expr=.turns = (.turns // 0) + 1) -> again: filter(when=.turns < 5) -> lane
    /// again.dropped -> out: view
    /// ## Source
    /// A. Aiken, J. Widom, J. Hellerstein: Behavior of database production rules, 1992
    code = "LOOP-001", name = "event-storm", severity = Error, since = "0.1.0",
    check = Whole(check),
}

/// Steps over all ways round a loop that are looked at; a larger loop counts as not bounded.
const STEPS_MAX: usize = 4096;

fn check(facts: &Facts, findings: &mut RuleFindings<'_, '_>) {
    let design = &*facts.design;
    for component in facts.components.iter().filter(|nodes| facts.is_loop(nodes)) {
        let inside: FxHashSet<NodeIx> = component.iter().copied().collect();
        let ring = Ring { design, inside };
        let open = ring.open_edges(component);
        let Some(way) = ring.shortest(component, &open) else {
            continue;
        };
        let start = design.edges[way[0]].from;
        let names: Vec<&str> = way
            .iter()
            .map(|edge| design.title(design.edges[*edge].from))
            .collect();
        let mut path: Vec<Step> = way
            .iter()
            .map(|edge| Step {
                place: Subject::Port(design.edges[*edge].edge.from.clone()),
                note: ring.gain(design.edges[*edge].from),
            })
            .collect();
        let id = &design.nodes[start].id;
        path.push(Step::node(id, "gets it again, and so round and round"));
        findings.add(Found::at(Subject::Node(id.clone()), format!(
                "events go round through {} and nothing ends it; limit the rounds or break the loop",
                names.join(", ")
            )).path(path).fixes(fixes::end_loop(facts, &way, &ring)));
    }
}

/// The nodes of one loop.
pub(in crate::validate) struct Ring<'f> {
    design: &'f Design,
    inside: FxHashSet<NodeIx>,
}

/// What is known of one event on its way round.
#[derive(Clone, Default)]
struct Traveller {
    /// Where the followed field is now; `None` when it was lost.
    place: Option<Pointer>,
    grows: bool,
    shrinks: bool,
    /// It still has the context that it started with.
    same_context: bool,
    constants: BTreeMap<Pointer, Value>,
}

impl Ring<'_> {
    /// Wires along which events may come round without end.
    fn open_edges(&self, component: &[NodeIx]) -> FxHashSet<EdgeIx> {
        let mut open = FxHashSet::default();
        for node in component {
            for edge in &self.design.nodes[*node].outs {
                if self.inside.contains(&self.design.edges[*edge].to) && !self.ends(*edge) {
                    open.insert(*edge);
                }
            }
        }
        open
    }

    /// Whether what leaves by this wire cannot come back to it for ever.
    fn ends(&self, edge: EdgeIx) -> bool {
        let view = &self.design.edges[edge];
        let node = view.from;
        let Some(kind) = &self.design.nodes[node].kind else {
            return true;
        };
        let number = |expr: &str| self.design.expr(node, expr);
        match &kind.behaviour {
            // Several events make one, at the earliest when a window ends.
            Behaviour::Aggregate { window, .. } => {
                view.main
                    && self
                        .design
                        .text(node, window)
                        .is_some_and(|kind| kind != "none")
            }
            Behaviour::Filter { predicate } => {
                let Some(expr) = number(predicate) else {
                    return false;
                };
                let condition = &expr.analysis().condition;
                if view.main {
                    return self.condition_ends(edge, condition);
                }
                let negated = match (&condition.conjuncts[..], condition.complete) {
                    ([one], true) => Comparison {
                        op: one.op.negated(),
                        ..one.clone()
                    },
                    _ => return false,
                };
                self.condition_ends(
                    edge,
                    &Condition {
                        conjuncts: vec![negated],
                        ..Condition::default()
                    },
                )
            }
            Behaviour::Route { routes, .. } => {
                let table = self.design.value(node, routes);
                let code = table.and_then(|table| table.get(&view.edge.from.port)?.as_str());
                code.and_then(|code| self.design.compiled(code))
                    .is_some_and(|expr| self.condition_ends(edge, &expr.analysis().condition))
            }
            Behaviour::Dedupe { key, .. } => {
                view.main && number(key).is_some_and(|key| self.key_comes_back(edge, key))
            }
            _ => false,
        }
    }

    /// Whether a condition fails sooner or later for what it let pass itself.
    fn condition_ends(&self, edge: EdgeIx, condition: &Condition) -> bool {
        let never = self.all_ways(edge, None, |traveller| {
            let known = traveller.constants.iter().map(|(field, value)| Comparison {
                left: Operand::Field(field.clone()),
                op: Op::Eq,
                right: Operand::Constant(value.clone()),
            });
            condition.excludes(&Condition {
                conjuncts: known.collect(),
                ..Condition::default()
            })
        });
        never
            || condition.conjuncts.iter().any(|conjunct| {
                let (Operand::Field(field), Operand::Constant(Value::Int(_) | Value::Float(_))) =
                    (&conjunct.left, &conjunct.right)
                else {
                    return false;
                };
                self.all_ways(edge, Some(field), |traveller| {
                    traveller.place.as_ref() == Some(field)
                        && match conjunct.op {
                            Op::Lt | Op::Le => traveller.grows,
                            Op::Gt | Op::Ge => traveller.shrinks,
                            _ => false,
                        }
                })
            })
    }

    /// Whether events come back with the key that they left with, so that a dedupe stops them.
    fn key_comes_back(&self, edge: EdgeIx, key: &Expr) -> bool {
        let Some(parts) = &key.analysis().key else {
            return false;
        };
        parts.parts.iter().all(|part| match part {
            Operand::Field(field) => self.all_ways(edge, Some(field), |traveller| {
                traveller.place.as_ref() == Some(field) && !traveller.grows && !traveller.shrinks
            }),
            Operand::Context(read) if read.variable == Variable::Event => {
                self.all_ways(edge, None, |traveller| traveller.same_context)
            }
            Operand::Context(_) => false,
            Operand::Constant(_) => true,
        })
    }

    /// Whether a field of this name would come back unchanged on every way round from a wire.
    pub(in crate::validate) fn carries(&self, edge: EdgeIx, field: &Pointer) -> bool {
        self.all_ways(edge, Some(field), |traveller| {
            traveller.place.as_ref() == Some(field) && !traveller.grows && !traveller.shrinks
        })
    }

    /// Whether `holds` of every event that left by the wire when it is back where the wire starts.
    fn all_ways(
        &self,
        edge: EdgeIx,
        follow: Option<&Pointer>,
        holds: impl Fn(&Traveller) -> bool,
    ) -> bool {
        let home = self.design.edges[edge].from;
        let start = Traveller {
            place: follow.cloned(),
            same_context: true,
            ..Traveller::default()
        };
        let mut open = vec![(edge, start, vec![home])];
        let (mut steps, mut arrived) = (0, false);
        while let Some((edge, traveller, visited)) = open.pop() {
            steps += 1;
            if steps > STEPS_MAX {
                return false;
            }
            let node = self.design.edges[edge].to;
            if node == home {
                arrived = true;
                if !holds(&traveller) {
                    return false;
                }
                continue;
            }
            if visited.contains(&node) {
                continue; // a smaller loop beside this one, which is looked at for itself
            }
            for next in &self.design.nodes[node].outs {
                if self.inside.contains(&self.design.edges[*next].to) {
                    let mut visited = visited.clone();
                    visited.push(node);
                    open.push((*next, self.passed(*next, traveller.clone()), visited));
                }
            }
        }
        arrived
    }

    /// The event behind the node that the wire leaves.
    fn passed(&self, edge: EdgeIx, mut traveller: Traveller) -> Traveller {
        let view = &self.design.edges[edge];
        let node = view.from;
        let Some(kind) = self.design.nodes[node].kind.as_ref().filter(|_| view.main) else {
            return traveller; // what leaves aside is what came in
        };
        let (expr, elements) = match &kind.behaviour {
            Behaviour::Map { expr } | Behaviour::Mediate { expr, .. } => (expr, false),
            Behaviour::Split { expr } => (expr, true),
            Behaviour::Opaque { .. } | Behaviour::Aggregate { .. } => {
                return Traveller::default();
            }
            Behaviour::Redact { fields, .. } => {
                let fields = self.design.value(node, fields).and_then(Value::as_array);
                for field in fields.unwrap_or_default() {
                    let Some(gone) = field.as_str().and_then(|text| Pointer::parse(text).ok())
                    else {
                        continue;
                    };
                    traveller.place = traveller.place.filter(|place| !related(place, &gone));
                    traveller
                        .constants
                        .retain(|place, _| !related(place, &gone));
                }
                return traveller;
            }
            _ => return traveller,
        };
        let Some(expr) = self.design.expr(node, expr) else {
            return Traveller::default();
        };
        through(expr, elements, &traveller)
    }

    /// What a node does to the number of events.
    fn gain(&self, node: NodeIx) -> String {
        let Some(Behaviour::Split { expr }) = self.design.behaviour(node) else {
            return "sends it on".to_owned();
        };
        let made = self.design.expr(node, expr).and_then(|expr| {
            let made = [Value::Null, Value::from(Object::new())]
                .iter()
                .find_map(|input| expr.eval(input, &Env::empty()).ok())?;
            made.as_array().map(<[Value]>::len)
        });
        match made {
            Some(count) if count > 1 => format!("makes {count} events of one"),
            _ => "may make several events of one".to_owned(),
        }
    }

    /// The shortest way round along these wires.
    fn shortest(&self, component: &[NodeIx], open: &FxHashSet<EdgeIx>) -> Option<Vec<EdgeIx>> {
        // What has no way in or out along open wires is on no loop.
        let mut left: FxHashSet<NodeIx> = component.iter().copied().collect();
        loop {
            let has = |edges: &[EdgeIx], end: fn(&Design, EdgeIx) -> NodeIx| {
                edges
                    .iter()
                    .any(|edge| open.contains(edge) && left.contains(&end(self.design, *edge)))
            };
            let kept: FxHashSet<NodeIx> = component
                .iter()
                .copied()
                .filter(|node| left.contains(node))
                .filter(|node| {
                    let view = &self.design.nodes[*node];
                    has(&view.ins, |design, edge| design.edges[edge].from)
                        && has(&view.outs, |design, edge| design.edges[edge].to)
                })
                .collect();
            if kept.len() == left.len() {
                break;
            }
            left = kept;
        }
        // Some of them may only lie between two loops, so more than one start is tried.
        let starts = component.iter().filter(|node| left.contains(node)).take(64);
        starts
            .filter_map(|start| self.round(*start, open))
            .min_by_key(Vec::len)
    }

    fn round(&self, start: NodeIx, open: &FxHashSet<EdgeIx>) -> Option<Vec<EdgeIx>> {
        let mut came: FxHashMap<NodeIx, EdgeIx> = FxHashMap::default();
        let mut next = VecDeque::from([start]);
        while let Some(node) = next.pop_front() {
            for edge in self.design.nodes[node]
                .outs
                .iter()
                .filter(|edge| open.contains(edge))
            {
                let to = self.design.edges[*edge].to;
                if to == start {
                    let mut way = vec![*edge];
                    let mut at = node;
                    while at != start {
                        let edge = came[&at];
                        way.push(edge);
                        at = self.design.edges[edge].from;
                    }
                    way.reverse();
                    return Some(way);
                }
                if let std::collections::hash_map::Entry::Vacant(e) = came.entry(to) {
                    e.insert(*edge);
                    next.push_back(to);
                }
            }
        }
        None
    }
}

fn through(expr: &Expr, elements: bool, before: &Traveller) -> Traveller {
    let analysis = expr.analysis();
    let mut after = Traveller {
        same_context: before.same_context && !elements,
        ..Traveller::default()
    };
    let rest = analysis.rest.as_ref().filter(|_| !elements);
    let stays = |field: &Pointer| {
        rest.is_some_and(|rest| !rest.except.iter().any(|except| related(except, field)))
    };
    for (field, value) in before.constants.iter().filter(|(field, _)| stays(field)) {
        after.constants.insert(field.clone(), value.clone());
    }
    if let Some(place) = before.place.as_ref().filter(|place| stays(place)) {
        after.place = Some(place.clone());
        after.grows = before.grows;
        after.shrinks = before.shrinks;
    }
    for row in &analysis.outputs {
        let Some(place) = crate::validate::facts::payload::placed(&row.pointer, elements) else {
            continue;
        };
        if let Some(copy) = row.copy.as_ref().filter(|_| row.ctl.is_empty()) {
            if before.place.as_ref() == Some(copy) {
                after.place = Some(place.clone());
                after.grows = before.grows;
                after.shrinks = before.shrinks;
            }
            if let Some(value) = before.constants.get(copy) {
                after.constants.insert(place, value.clone());
            }
            continue;
        }
        let constant =
            row.deps.is_empty() && row.ctl.is_empty() && !row.nondet && row.copy.is_none();
        if constant {
            let inputs = [Value::Null, Value::from(Object::new())];
            let made = inputs
                .iter()
                .find_map(|input| expr.eval(input, &Env::empty()).ok());
            if let Some(value) = made.as_ref().and_then(|made| row.pointer.get(made)) {
                after.constants.insert(place, value.clone());
            }
            continue;
        }
        let Some(field) = &before.place else { continue };
        let mut sources = row.deps.fields.iter().chain(&row.deps.shapes);
        let mut deciders = row.ctl.fields.iter().chain(&row.ctl.shapes);
        let own = |source: &Pointer| source == field || source.is_root();
        let touches = row
            .deps
            .fields
            .iter()
            .chain(&row.deps.shapes)
            .any(|source| source == field);
        if touches
            && sources.all(own)
            && deciders.all(own)
            && row.deps.context.is_empty()
            && !row.nondet
            && !row.deps.fields.iter().any(Pointer::is_root)
            && !field.tokens().iter().any(|token| token == "*")
            && let Some(steps) = steps(expr, field, &row.pointer)
        {
            // A field that is counted up once and copied elsewhere unchanged still counts up.
            after.grows = before.grows && steps.iter().all(|(from, to)| to >= from)
                || !before.shrinks && steps.iter().all(|(from, to)| to > from);
            after.shrinks = before.shrinks && steps.iter().all(|(from, to)| to <= from)
                || !before.grows && steps.iter().all(|(from, to)| to < from);
            after.place = (after.grows || after.shrinks).then_some(place);
        }
    }
    after
}

/// What the expression makes of some numbers in a field that alone decides its output.
fn steps(expr: &Expr, field: &Pointer, output: &Pointer) -> Option<Vec<(f64, f64)>> {
    const SAMPLES: [f64; 6] = [0.0, 1.0, 2.0, 7.5, 100.0, 1e6];
    let mut steps = Vec::new();
    for from in SAMPLES {
        let mut input = Value::from(Object::new());
        field.set(&mut input, Value::Float(from));
        let made = expr.eval(&input, &Env::empty()).ok()?;
        // The first element stands for all of an array.
        let output: Pointer = output
            .tokens()
            .iter()
            .map(|token| {
                if token == "*" {
                    "0".into()
                } else {
                    token.clone()
                }
            })
            .collect();
        steps.push((from, output.get(&made)?.as_f64()?));
    }
    Some(steps)
}
