//! Whether an event that leaves by a wire can come back to it for ever.
//!
//! A condition ends a loop when what it let pass comes back with a constant that it refuses, or with
//! a number that has grown beyond its bound; a dedupe does when the key comes back. What holds on
//! every way round is found by following the field back from where the loop is closed.

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::back::{Origin, Was, before, keeps_context, passes};
use crate::catalog::Behaviour;
use crate::expr::{Comparison, Condition, Expr, Op, Operand, Variable};
use crate::pointer::Pointer;
use crate::validate::design::{Design, EdgeIx, NodeIx};
use crate::value::Value;

/// The wires among which events can go round.
pub(crate) struct Ring<'d> {
    pub design: &'d Design,
    /// Wires of the ring by the node that they lead to.
    ins: FxHashMap<NodeIx, Rc<Vec<EdgeIx>>>,
    /// Steps back that may still be taken; a ring without any counts as not bounded.
    steps: usize,
    /// Fields that were followed, by their numbers.
    places: Vec<Pointer>,
    /// Fields that come back to these wires as they left, on one way round at least.
    unchanged: FxHashSet<(EdgeIx, Place)>,
    /// Fields that do so on every way.
    carried: FxHashSet<(EdgeIx, Place)>,
}

/// Number of a field.
type Place = usize;

/// A field in front of the node that a wire leaves, and what was done to it from there to the end.
type State = (EdgeIx, Place, Change);

/// How a number has changed since it left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Change {
    Not,
    /// Only in its type.
    Number,
    Up,
    Down,
}

impl<'d> Ring<'d> {
    pub(crate) fn new(design: &'d Design, edges: &[EdgeIx], steps: usize) -> Ring<'d> {
        let mut ins: FxHashMap<NodeIx, Vec<EdgeIx>> = FxHashMap::default();
        for edge in edges {
            ins.entry(design.edges[*edge].to).or_default().push(*edge);
        }
        let ins = ins.into_iter();
        Ring {
            design,
            ins: ins.map(|(node, edges)| (node, Rc::new(edges))).collect(),
            steps,
            places: Vec::new(),
            unchanged: FxHashSet::default(),
            carried: FxHashSet::default(),
        }
    }

    /// Whether there is one way round only.
    pub(super) fn is_simple(&self) -> bool {
        self.ins.values().all(|ins| ins.len() == 1)
    }

    pub(super) fn take_step(&mut self) -> Option<()> {
        self.steps = self.steps.checked_sub(1)?;
        Some(())
    }

    pub(super) fn ins_of(&self, node: NodeIx) -> Rc<Vec<EdgeIx>> {
        self.ins.get(&node).cloned().unwrap_or_default()
    }

    pub(super) fn steps_left(&self) -> usize {
        self.steps
    }

    /// Whether what leaves by this wire cannot come back to it for ever.
    pub(super) fn ends(&mut self, edge: EdgeIx) -> bool {
        let design = self.design;
        let view = &design.edges[edge];
        let node = view.from;
        match design.behaviour(node) {
            None => true,
            // Several events make one, at the earliest when a window ends.
            Some(Behaviour::Aggregate { window, .. }) => view.main && design.gathers(node, window),
            Some(Behaviour::Filter { predicate }) => {
                let Some(expr) = design.expr(node, predicate) else {
                    return false;
                };
                let condition = &expr.analysis().condition;
                if view.main {
                    return self.condition_ends(edge, &condition.conjuncts);
                }
                match (&condition.conjuncts[..], condition.complete) {
                    ([one], true) => self.condition_ends(edge, &[negated(one)]),
                    _ => false,
                }
            }
            Some(Behaviour::Route { .. }) => self.branch(edge).is_some_and(|expr| {
                self.condition_ends(edge, &expr.analysis().condition.conjuncts)
            }),
            Some(Behaviour::Dedupe { key, .. }) => view.main && self.key_comes_back(edge, key),
            Some(Behaviour::Decide {
                group,
                seal_key,
                claim,
                wait,
            }) => view.main && self.decides_once(edge, (group, seal_key), (claim, wait)),
            // Only what is newer passes.
            Some(Behaviour::VersionGuard { key, version }) => {
                view.main && self.key_comes_back(edge, key) && self.key_comes_back(edge, version)
            }
            // A row is written only when its version is greater than the one that is there.
            Some(Behaviour::Table { mode, key, version })
                if design.text(node, mode) == Some("compare_and_set") =>
            {
                view.main && self.key_comes_back(edge, key) && self.key_comes_back(edge, version)
            }
            Some(Behaviour::Table { .. }) => view.resource && self.settles(edge),
            Some(_) => false,
        }
    }

    /// What a field of the events on a wire was in what came round to the node that the wire leaves.
    pub(super) fn before(&self, edge: EdgeIx, place: &Pointer) -> Vec<Origin> {
        let origins = before(self.design, edge, place);
        let ins = self.ins_of(self.design.edges[edge].from);
        let comes = |origin: &Origin| {
            let mut ins = ins.iter().map(|back| self.design.edges[*back].input);
            origin.input.is_none_or(|input| ins.any(|own| own == input))
        };
        if origins.len() > 1 && origins.iter().any(comes) {
            return origins.into_iter().filter(comes).collect();
        }
        origins
    }

    /// The predicate behind a named branch of a route.
    pub(super) fn branch(&self, edge: EdgeIx) -> Option<&'d Expr> {
        let view = &self.design.edges[edge];
        let Some(Behaviour::Route { routes, .. }) = self.design.behaviour(view.from) else {
            return None;
        };
        let table = self.design.value(view.from, routes)?;
        self.design
            .compiled(table.get(&view.edge.from.port)?.as_str()?)
    }

    /// Whether a field comes back to the wire as it left, on every way round.
    pub(crate) fn carries(&mut self, edge: EdgeIx, field: &Pointer) -> bool {
        self.all_ways_round(edge, field, |change| change == Change::Not, |_| false)
    }

    /// Whether what passes the filter or the branch of a route once passes it each time.
    pub(super) fn passes_again(&mut self, edge: EdgeIx, expr: &Expr) -> bool {
        if self.carries_all(edge, expr) {
            return true;
        }
        let condition = &expr.analysis().condition;
        condition.complete && self.holds_again(edge, &condition.conjuncts)
    }

    /// Whether what a filter has sent aside once is sent aside each time.
    pub(super) fn is_dropped_again(&mut self, edge: EdgeIx, expr: &Expr) -> bool {
        if self.carries_all(edge, expr) {
            return true;
        }
        let condition = &expr.analysis().condition;
        let [one] = &condition.conjuncts[..] else {
            return false;
        };
        condition.complete && self.holds_again(edge, &[negated(one)])
    }

    /// Whether all of this holds each time of what comes back to the wire, once it did.
    fn holds_again(&mut self, edge: EdgeIx, conjuncts: &[Comparison]) -> bool {
        conjuncts.iter().all(|conjunct| {
            let (Operand::Field(field), Operand::Constant(_)) = (&conjunct.left, &conjunct.right)
            else {
                return false;
            };
            let further = match conjunct.op {
                Op::Lt | Op::Le => Some(Change::Down),
                Op::Gt | Op::Ge => Some(Change::Up),
                _ => None,
            };
            let fails = negated(conjunct);
            self.all_ways_round(
                edge,
                field,
                |change| change == Change::Not || Some(change) == further,
                |constant| refuses(&fails, constant),
            )
        })
    }

    /// Whether everything that the expression reads comes back as it left.
    pub(super) fn carries_all(&mut self, edge: EdgeIx, expr: &Expr) -> bool {
        let reads = &expr.analysis().reads;
        let fields: Vec<Pointer> = reads.fields.iter().chain(&reads.shapes).cloned().collect();
        let context = reads
            .context
            .iter()
            .all(|read| read.variable == Variable::Event);
        context
            && (reads.context.is_empty() || self.carries_context(edge))
            && fields
                .iter()
                .filter(|field| !field.is_root())
                .all(|field| self.carries(edge, field))
            && !reads.fields.contains(&Pointer::root())
    }

    /// Whether a condition fails sooner or later for what it let pass itself.
    fn condition_ends(&mut self, edge: EdgeIx, conjuncts: &[Comparison]) -> bool {
        let bounded = conjuncts.iter().any(|conjunct| {
            let (Operand::Field(field), Operand::Constant(Value::Int(_) | Value::Float(_))) =
                (&conjunct.left, &conjunct.right)
            else {
                return false;
            };
            let wanted = match conjunct.op {
                Op::Lt | Op::Le => Change::Up,
                Op::Gt | Op::Ge => Change::Down,
                _ => return false,
            };
            self.all_ways_round(edge, field, |change| change == wanted, |_| false)
        });
        bounded || self.is_refused(edge, conjuncts)
    }

    /// Whether on every way round a constant is set that the condition refuses.
    fn is_refused(&mut self, edge: EdgeIx, conjuncts: &[Comparison]) -> bool {
        let home = self.design.edges[edge].from;
        let start: Vec<(usize, Pointer)> = conjuncts
            .iter()
            .enumerate()
            .filter_map(
                |(number, conjunct)| match (&conjunct.left, &conjunct.right) {
                    (Operand::Field(field), Operand::Constant(_)) => Some((number, field.clone())),
                    _ => None,
                },
            )
            .collect();
        if let [(number, field)] = &start[..] {
            let conjunct = &conjuncts[*number];
            return self.all_ways_round(edge, field, |_| false, |value| refuses(conjunct, value));
        }
        if start.is_empty() {
            return false;
        }
        let mut seen = FxHashSet::default();
        let mut open = vec![(home, start)];
        while let Some((node, state)) = open.pop() {
            for &back in self.ins_of(node).iter() {
                let Some(left) = self.steps.checked_sub(state.len()) else {
                    return false;
                };
                self.steps = left;
                let mut earlier = Vec::new();
                let mut refused = false;
                for (number, place) in &state {
                    let was = self.before(back, place);
                    let constants: Option<Vec<&Value>> = was
                        .iter()
                        .map(|origin| match &origin.was {
                            Was::Constant(value) => Some(value),
                            _ => None,
                        })
                        .collect();
                    let conjunct = &conjuncts[*number];
                    if constants.is_some_and(|constants| {
                        constants.iter().all(|value| refuses(conjunct, value))
                    }) {
                        refused = true;
                        break;
                    }
                    if let [one] = &was[..]
                        && let Was::Same(field) = &one.was
                        && self.comes_only_by(back, one.input)
                    {
                        earlier.push((*number, field.clone()));
                    }
                }
                if refused {
                    continue;
                }
                if earlier.is_empty() || back == edge {
                    return false;
                }
                let from = self.design.edges[back].from;
                if seen.insert((back, earlier.clone())) {
                    open.push((from, earlier));
                }
            }
        }
        true
    }

    /// Whether events come back with the key that they left with.
    pub(super) fn key_comes_back(&mut self, edge: EdgeIx, key: &str) -> bool {
        let design = self.design;
        let key = design.expr(design.edges[edge].from, key);
        let Some(key) = key.and_then(|key| key.analysis().key.as_ref()) else {
            return false;
        };
        key.parts.iter().all(|part| match part {
            Operand::Field(field) => self.carries(edge, field),
            Operand::Context(read) => {
                read.variable == Variable::Event && self.carries_context(edge)
            }
            Operand::Constant(_) => true,
        })
    }

    /// Whether events come back with the context that they left with.
    pub(crate) fn carries_context(&mut self, edge: EdgeIx) -> bool {
        let home = self.design.edges[edge].from;
        let mut seen = FxHashSet::from_iter([home]);
        let mut open = vec![home];
        while let Some(node) = open.pop() {
            for &back in self.ins_of(node).iter() {
                let Some(left) = self.steps.checked_sub(1) else {
                    return false;
                };
                self.steps = left;
                if !keeps_context(self.design, back) {
                    return false;
                }
                if back != edge && seen.insert(self.design.edges[back].from) {
                    open.push(self.design.edges[back].from);
                }
            }
        }
        true
    }

    /// Whether the field that an event left with is the one that it comes back with, changed as
    /// wanted, or has a constant as wanted, on every way round.
    fn all_ways_round(
        &mut self,
        edge: EdgeIx,
        field: &Pointer,
        wanted: impl Fn(Change) -> bool,
        constant: impl Fn(&Value) -> bool,
    ) -> bool {
        let home = self.design.edges[edge].from;
        let own = self.place(field);
        if self.carried.contains(&(edge, own)) {
            return wanted(Change::Not);
        }
        if self.unchanged.contains(&(edge, own)) && !wanted(Change::Not) {
            return false;
        }
        let mut came: FxHashMap<State, Option<State>> = FxHashMap::default();
        let mut open = vec![(home, own, Change::Not, None::<State>)];
        let mut constants = false;
        while let Some((node, place, change, later)) = open.pop() {
            for &back in self.ins_of(node).iter() {
                let Some(left) = self.steps.checked_sub(1) else {
                    return false;
                };
                self.steps = left;
                let mut earlier: Vec<(Place, Change)> = Vec::new();
                if passes(self.design, back) {
                    earlier.push((place, change));
                } else {
                    for origin in self.before(back, &self.places[place]) {
                        if !self.comes_only_by(back, origin.input) {
                            return false;
                        }
                        let (field, step) = match origin.was {
                            Was::Same(field) => (field, Change::Not),
                            Was::Number(field) => (field, Change::Number),
                            Was::Less(field) => (field, Change::Up),
                            Was::More(field) => (field, Change::Down),
                            // What has changed since is not that constant any more.
                            Was::Constant(value)
                                if constant(&value)
                                    && (change == Change::Not || wanted(change)) =>
                            {
                                constants = true;
                                continue;
                            }
                            Was::Constant(_) | Was::Lost => return false,
                        };
                        let Some(change) = change.then(step) else {
                            return false;
                        };
                        earlier.push((self.place(&field), change));
                    }
                }
                for (earlier, change) in earlier {
                    let state = (back, earlier, change);
                    if came.contains_key(&state) {
                        continue;
                    }
                    came.insert(state, later);
                    if back != edge {
                        let from = self.design.edges[back].from;
                        open.push((from, earlier, change, Some(state)));
                    } else if earlier != own || !wanted(change) {
                        if earlier == own && change == Change::Not {
                            self.note_unchanged(&came, state);
                        }
                        return false;
                    }
                }
            }
        }
        if !constants {
            self.note_carried(came.into_keys());
        }
        true
    }

    /// The number of a field.
    fn place(&mut self, field: &Pointer) -> Place {
        let known = self.places.iter().position(|known| known == field);
        known.unwrap_or_else(|| {
            self.places.push(field.clone());
            self.places.len() - 1
        })
    }

    /// Where a field is in one place on every wire, and nothing changes it, it comes round to each of
    /// the wires.
    fn note_carried(&mut self, states: impl Iterator<Item = State>) {
        let mut places: FxHashMap<EdgeIx, Place> = FxHashMap::default();
        for (edge, place, change) in states {
            let known = places.insert(edge, place);
            if change != Change::Not || known.is_some_and(|known| known != place) {
                return;
            }
        }
        self.carried.extend(places);
    }

    /// What has come round unchanged once has done so for every wire on its way.
    fn note_unchanged(&mut self, came: &FxHashMap<State, Option<State>>, last: State) {
        let mut at = Some(last);
        while let Some(state) = at {
            at = came.get(&state).copied().flatten();
            self.unchanged.insert((state.0, state.1));
        }
    }

    /// Whether nothing in the ring comes to the node that a wire leaves but by this input.
    fn comes_only_by(&self, edge: EdgeIx, input: Option<usize>) -> bool {
        let Some(input) = input else { return true };
        let node = self.design.edges[edge].from;
        let ins = self.ins_of(node);
        !ins.is_empty()
            && ins
                .iter()
                .all(|edge| self.design.edges[*edge].input == input)
    }
}

impl Change {
    fn then(self, other: Change) -> Option<Change> {
        match (self, other) {
            (Change::Not, change) | (change, Change::Not) => Some(change),
            (Change::Up, Change::Up | Change::Number) | (Change::Number, Change::Up) => {
                Some(Change::Up)
            }
            (Change::Down, Change::Down | Change::Number) | (Change::Number, Change::Down) => {
                Some(Change::Down)
            }
            (Change::Number, Change::Number) => Some(Change::Number),
            (Change::Up, Change::Down) | (Change::Down, Change::Up) => None,
        }
    }
}

fn negated(comparison: &Comparison) -> Comparison {
    Comparison {
        op: comparison.op.negated(),
        ..comparison.clone()
    }
}

/// Whether a comparison fails for this value of its field.
fn refuses(comparison: &Comparison, value: &Value) -> bool {
    let known = Comparison {
        left: comparison.left.clone(),
        op: Op::Eq,
        right: Operand::Constant(value.clone()),
    };
    let alone = |comparison: &Comparison| Condition {
        conjuncts: vec![comparison.clone()],
        ..Condition::default()
    };
    alone(comparison).excludes(&alone(&known))
}
