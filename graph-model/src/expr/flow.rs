//! Runs an expression over what is known of values instead of over values: where each part of a
//! result comes from, and what decides it.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use smol_str::SmolStr;

use super::Variable;
use super::analysis::{Analysis, ContextRead, OutputFlow, Rest, Sources};
use super::ops::Math;
use super::predicate::keeps_apart;
use super::tree::{Node, Pattern, Piece, Slot, Step, StepPart};
use crate::pointer::Pointer;
use crate::value::Value;

/// What an evaluation may do.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    /// What all outputs have in common; nothing when there is no output.
    pub(super) out: Option<Known>,
    /// What decides whether there is an output, and how many.
    pub(super) presence: Sources,
    /// What decides whether it fails.
    pub(super) fails: Sources,
    may_fail: bool,
    pub(super) may_be_none: bool,
    pub(super) may_be_many: bool,
}

/// What is known of a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Known {
    body: Body,
    /// What decides which of several values it is.
    ctl: Sources,
    nondet: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Body {
    Const(Value),
    /// A part of the event or of a variable as it stands there.
    Copy(Place),
    /// An object with these fields, the others as they are in `base`. The field `*` stands for
    /// every element that has no entry of its own.
    Record {
        base: Option<Place>,
        fields: BTreeMap<SmolStr, Known>,
    },
    Array {
        each: Option<Box<Known>>,
        shape: Sources,
    },
    /// Made of these in some way.
    Made {
        of: Sources,
        injective: bool,
    },
    /// A field that is not there.
    Absent,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    /// The event, when there is none.
    variable: Option<Variable>,
    pointer: Pointer,
}

const ANY: &str = "*";

/// Most parts that are told apart in one value.
const PARTS_MAX: usize = 500;

pub(super) fn of(node: &Node) -> Flow {
    run(node, &event(), &Scope::default())
}

/// The stages of a pipe, one after the other.
pub(super) fn of_pipe(stages: &[&Node]) -> Flow {
    let scope = Scope::default();
    stages.iter().fold(Flow::one(event()), |flow, stage| {
        flow.then(|out| run(stage, out, &scope))
    })
}

fn event() -> Known {
    Known::plain(Body::Copy(Place {
        variable: None,
        pointer: Pointer::root(),
    }))
}

/// Variables in scope.
#[derive(Clone)]
struct Scope {
    bound: BTreeMap<Slot, Known>,
    /// Folds within folds are gone through again and again; this is when to stop.
    steps_left: Rc<Cell<u32>>,
}

const STEPS_MAX: u32 = 20_000;

impl Default for Scope {
    fn default() -> Scope {
        Scope {
            bound: BTreeMap::new(),
            steps_left: Rc::new(Cell::new(STEPS_MAX)),
        }
    }
}

impl Scope {
    fn with(&self, slot: Slot, known: Known) -> Scope {
        let mut scope = self.clone();
        scope.bound.insert(slot, known);
        scope
    }
}

impl Place {
    fn below(&self, key: &str) -> Place {
        Place {
            variable: self.variable,
            pointer: self.pointer.child(key),
        }
    }

    /// Whether it is an object or null, whatever the event.
    fn is_object(&self) -> bool {
        matches!(self.variable, Some(Variable::Event | Variable::Viewer)) && self.pointer.is_root()
    }

    fn sources(&self) -> Sources {
        let mut sources = Sources::default();
        match self.variable {
            None => sources.add_field(self.pointer.clone()),
            Some(variable) => {
                sources.context.insert(ContextRead {
                    variable,
                    pointer: self.pointer.clone(),
                });
            }
        }
        sources
    }

    fn shape(&self) -> Sources {
        let mut sources = Sources::default();
        match self.variable {
            None => {
                sources.shapes.insert(self.pointer.clone());
            }
            Some(_) => return self.sources(),
        }
        sources
    }
}

impl Known {
    fn plain(body: Body) -> Known {
        Known {
            body,
            ctl: Sources::default(),
            nondet: false,
        }
    }

    fn constant(value: Value) -> Known {
        Known::plain(Body::Const(value))
    }

    fn made(of: Sources) -> Known {
        Known::plain(Body::Made {
            of,
            injective: false,
        })
    }

    /// Made of all of these.
    fn mixed<'k>(parts: impl IntoIterator<Item = &'k Known>) -> Known {
        let mut all = Known::made(Sources::default());
        for part in parts {
            all.nondet |= part.unsettled();
            if let Body::Made { of, .. } = &mut all.body {
                of.extend(&part.content());
            }
            all.ctl.extend(&part.ctl);
        }
        all
    }

    /// This, or less about it where it has too many parts.
    fn bounded(self) -> Known {
        fn parts(known: &Known) -> usize {
            1 + match &known.body {
                Body::Record { fields, .. } => fields.values().map(parts).sum(),
                Body::Array { each, .. } => each.as_deref().map_or(0, parts),
                _ => 0,
            }
        }
        if parts(&self) > PARTS_MAX {
            Known::mixed([&self])
        } else {
            self
        }
    }

    fn decided_by(mut self, ctl: &Sources) -> Known {
        self.ctl.extend(ctl);
        self
    }

    fn and_nondet(mut self, nondet: bool) -> Known {
        self.nondet |= nondet;
        self
    }

    /// Everything that the value depends on.
    pub(super) fn everything(&self) -> Sources {
        self.content().with(&self.ctl)
    }

    /// What it is made of, without what decides at the top.
    fn content(&self) -> Sources {
        match &self.body {
            Body::Const(_) | Body::Absent => Sources::default(),
            Body::Copy(place) => place.sources(),
            Body::Record { base, fields } => {
                let base = base.as_ref().map(Place::sources).unwrap_or_default();
                fields
                    .values()
                    .fold(base, |all, field| all.with(&field.everything()))
            }
            Body::Array { each, shape } => each
                .iter()
                .fold(shape.clone(), |all, each| all.with(&each.everything())),
            Body::Made { of, .. } => of.clone(),
        }
    }

    /// What decides its type, its keys or its length, and its value when it is a scalar.
    fn shape(&self) -> Sources {
        let shape = match &self.body {
            Body::Const(_) | Body::Absent => Sources::default(),
            Body::Copy(place) => place.shape(),
            Body::Record { base, fields } => {
                let base = base.as_ref().map(Place::shape).unwrap_or_default();
                fields
                    .values()
                    .fold(base, |all, field| all.with(&field.ctl))
            }
            Body::Array { shape, .. } => shape.clone(),
            Body::Made { of, .. } => of.clone(),
        };
        shape.with(&self.ctl)
    }

    fn unsettled(&self) -> bool {
        self.nondet
            || match &self.body {
                Body::Record { fields, .. } => fields.values().any(Known::unsettled),
                Body::Array { each, .. } => each.as_ref().is_some_and(|each| each.unsettled()),
                _ => false,
            }
    }

    fn injective(&self) -> bool {
        match &self.body {
            Body::Copy(_) => true,
            Body::Made { injective, .. } => *injective,
            _ => false,
        }
    }

    /// The field `key`; what is not there is null.
    fn member(&self, key: &str) -> Known {
        let member = match &self.body {
            Body::Const(value) => Known::constant(value.get(key).cloned().unwrap_or_default()),
            Body::Absent => Known::constant(Value::Null),
            Body::Copy(place) => Known::plain(Body::Copy(place.below(key))),
            Body::Record { base, fields } => match (fields.get(key), base) {
                (
                    Some(Known {
                        body: Body::Absent,
                        ctl,
                        ..
                    }),
                    _,
                ) => Known::constant(Value::Null).decided_by(ctl),
                (Some(field), _) => field.clone(),
                (None, base) => {
                    let held = match base {
                        Some(base) => Known::plain(Body::Copy(base.below(key))),
                        None => Known::constant(Value::Null),
                    };
                    match fields.get(ANY) {
                        Some(any) => join(&held, any, &Sources::default()),
                        None => held,
                    }
                }
            },
            Body::Array { .. } | Body::Made { .. } => return Known::mixed([self]),
        };
        member.decided_by(&self.ctl).and_nondet(self.nondet)
    }

    /// Any of its elements; nothing when it has none.
    fn element(&self) -> Option<Known> {
        let element = match &self.body {
            Body::Const(Value::Arr(items)) if items.is_empty() => return None,
            Body::Const(_) => Known::mixed([self]),
            Body::Absent => return None,
            Body::Copy(place) => Known::plain(Body::Copy(place.below(ANY))),
            Body::Record { base, fields } => {
                let base = base
                    .as_ref()
                    .map(|base| Known::plain(Body::Copy(base.below(ANY))));
                let present = fields
                    .values()
                    .filter(|field| field.body != Body::Absent)
                    .cloned();
                let mut all = base.into_iter().chain(present);
                let first = all.next()?;
                all.fold(first, |all, field| join(&all, &field, &Sources::default()))
            }
            Body::Array { each, .. } => (**each.as_ref()?).clone(),
            Body::Made { .. } => return Some(Known::mixed([self])),
        };
        Some(element.decided_by(&self.ctl).and_nondet(self.nondet))
    }

    /// This with another field `key`.
    fn put(self, key: &SmolStr, new: Known) -> Known {
        if key == ANY {
            return Known::mixed([&self, &new]);
        }
        let (base, mut fields) = match self.body {
            Body::Copy(place) => (Some(place), BTreeMap::new()),
            Body::Record { base, fields } => (base, fields),
            Body::Const(Value::Null) | Body::Absent => (None, BTreeMap::new()),
            Body::Const(Value::Obj(object)) => (None, constants(&object)),
            _ => return Known::mixed([&self, &new]),
        };
        fields.insert(key.clone(), new);
        Known {
            body: Body::Record { base, fields },
            ctl: self.ctl,
            nondet: self.nondet,
        }
        .bounded()
    }

    /// This with some of its elements changed.
    fn put_any(self, change: &mut dyn FnMut(&Known) -> Known, all: bool) -> Known {
        let mut change = |held: &Known| {
            let new = change(held);
            if all {
                new
            } else {
                join(held, &new, &Sources::default())
            }
        };
        let body = match self.body {
            Body::Copy(place) => {
                // Which elements there are lies with what was there before.
                let new =
                    change(&Known::plain(Body::Copy(place.below(ANY)))).decided_by(&place.shape());
                let mut new_fields = BTreeMap::new();
                new_fields.insert(SmolStr::new_static(ANY), new);
                Body::Record {
                    base: Some(place),
                    fields: new_fields,
                }
            }
            Body::Record { base, mut fields } => {
                for field in fields
                    .values_mut()
                    .filter(|field| field.body != Body::Absent)
                {
                    *field = change(field);
                }
                if let (Some(base), None) = (&base, fields.get(ANY)) {
                    let new = change(&Known::plain(Body::Copy(base.below(ANY))))
                        .decided_by(&base.shape());
                    fields.insert(ANY.into(), new);
                }
                Body::Record { base, fields }
            }
            Body::Array { each, shape } => Body::Array {
                each: each.map(|each| Box::new(change(&each))),
                shape,
            },
            body => {
                let held = Known {
                    body,
                    ctl: self.ctl,
                    nondet: self.nondet,
                };
                let element = Known::mixed([&held]);
                let new = change(&element);
                return Known::mixed([&held, &new]);
            }
        };
        Known {
            body,
            ctl: self.ctl,
            nondet: self.nondet,
        }
    }
}

fn constants(object: &crate::value::Object) -> BTreeMap<SmolStr, Known> {
    object
        .iter()
        .map(|(key, value)| (key.clone(), Known::constant(value.clone())))
        .collect()
}

/// One or the other, as `ctl` decides.
fn join(left: &Known, right: &Known, ctl: &Sources) -> Known {
    if left == right {
        return left.clone();
    }
    let parts = |known: &Known| match &known.body {
        Body::Copy(place) => Some((Some(place.clone()), BTreeMap::new())),
        Body::Record { base, fields } => Some((base.clone(), fields.clone())),
        Body::Const(Value::Obj(object)) => Some((None, constants(object))),
        _ => None,
    };
    let both_ctl = left.ctl.clone().with(&right.ctl);
    let nondet = left.nondet || right.nondet;
    if let (Some((a, left_fields)), Some((b, right_fields))) = (parts(left), parts(right))
        && a == b
    {
        let mut fields = BTreeMap::new();
        let keys: BTreeSet<_> = left_fields.keys().chain(right_fields.keys()).collect();
        for key in keys {
            let there = |fields: &BTreeMap<SmolStr, Known>| match (fields.get(key), &a) {
                (Some(field), _) => field.clone(),
                (None, _) if fields.contains_key(ANY) => {
                    Known::mixed(fields.get(ANY).into_iter().chain([&a.as_ref().map_or_else(
                        || Known::plain(Body::Absent),
                        |base| Known::plain(Body::Copy(base.below(key))),
                    )]))
                }
                (None, Some(base)) => Known::plain(Body::Copy(base.below(key))),
                (None, None) => Known::plain(Body::Absent),
            };
            let (one, other) = (there(&left_fields), there(&right_fields));
            fields.insert(key.clone(), join(&one, &other, ctl));
        }
        return Known {
            body: Body::Record { base: a, fields },
            ctl: both_ctl,
            nondet,
        };
    }
    if let (Body::Array { each: a, shape: sa }, Body::Array { each: b, shape: sb }) =
        (&left.body, &right.body)
    {
        let each = match (a, b) {
            (Some(a), Some(b)) => Some(Box::new(join(a, b, ctl))),
            (one, other) => one.clone().or_else(|| other.clone()),
        };
        let shape = sa.clone().with(sb).with(ctl);
        return Known {
            body: Body::Array { each, shape },
            ctl: both_ctl,
            nondet,
        };
    }
    Known::mixed([left, right]).decided_by(ctl)
}

impl Flow {
    fn one(out: Known) -> Flow {
        Flow {
            out: Some(out),
            presence: Sources::default(),
            fails: Sources::default(),
            may_fail: false,
            may_be_none: false,
            may_be_many: false,
        }
    }

    fn none() -> Flow {
        Flow {
            out: None,
            may_be_none: true,
            ..Flow::one(Known::constant(Value::Null))
        }
    }

    fn failing(mut self, by: &Sources) -> Flow {
        self.fails.extend(by);
        self.may_fail = true;
        self
    }

    /// Fails where the other one fails, without having its outputs.
    fn failing_as(mut self, other: &Flow) -> Flow {
        self.fails.extend(&other.fails);
        // What is not reached does not fail.
        if other.may_fail {
            self.fails.extend(&other.presence);
        }
        self.may_fail |= other.may_fail;
        self
    }

    /// With what happens before or beside it.
    fn beside(mut self, other: &Flow) -> Flow {
        self.presence.extend(&other.presence);
        self.fails.extend(&other.fails);
        self.may_fail |= other.may_fail;
        self.may_be_none |= other.may_be_none;
        self.may_be_many |= other.may_be_many;
        if other.out.is_none() {
            self.out = None;
        }
        self
    }

    /// What comes of each output.
    fn then(self, next: impl FnOnce(&Known) -> Flow) -> Flow {
        match &self.out {
            Some(out) => next(out).beside(&self),
            None => self,
        }
    }

    fn map(self, change: impl FnOnce(Known) -> Known) -> Flow {
        Flow {
            out: self.out.map(change),
            ..self
        }
    }

    /// One or the other, as `ctl` decides.
    fn or(self, other: &Flow, ctl: &Sources) -> Flow {
        let decides =
            self.may_be_none || self.may_be_many || other.may_be_none || other.may_be_many;
        let mut presence = self.presence.with(&other.presence);
        if decides {
            presence.extend(ctl);
        }
        let mut fails = self.fails.with(&other.fails);
        let may_fail = self.may_fail || other.may_fail;
        if may_fail {
            fails.extend(ctl);
        }
        Flow {
            out: match (&self.out, &other.out) {
                (Some(a), Some(b)) => Some(join(a, b, ctl)),
                (one, two) => one.clone().or_else(|| two.clone()),
            },
            presence,
            fails,
            may_fail,
            may_be_none: self.may_be_none || other.may_be_none,
            may_be_many: self.may_be_many || other.may_be_many,
        }
    }

    /// The content of the output, or nothing.
    fn known(&self) -> Known {
        self.out
            .clone()
            .unwrap_or_else(|| Known::plain(Body::Absent))
    }

    fn everything(&self) -> Sources {
        self.known().everything().with(&self.presence)
    }

    /// At most one of the outputs.
    fn first(self) -> Flow {
        Flow {
            may_be_many: false,
            ..self
        }
    }
}

fn run(node: &Node, input: &Known, scope: &Scope) -> Flow {
    let left = scope.steps_left.get();
    if left == 0 {
        return anything();
    }
    scope.steps_left.set(left - 1);
    // Each case has a function of its own: in one, all their variables together fill the stack.
    match node {
        Node::Id => Flow::one(input.clone()),
        Node::Const(value) => Flow::one(Known::constant(value.clone())),
        Node::Recurse => below(input),
        Node::Text(format, pieces) => text(*format, pieces, input, scope),
        Node::Array(None) => Flow::one(Known::constant(Value::from(Vec::new()))),
        Node::Array(Some(of)) => collected(&run(of, input, scope)),
        Node::Object(entries) => object(entries, input, scope),
        Node::Neg(of) => negated(of, input, scope),
        Node::Pipe(left, right) => run(left, input, scope).then(|out| run(right, out, scope)),
        Node::Bind(of, pattern, body) => {
            run(of, input, scope).then(|out| bound(out, pattern, body, input, scope))
        }
        Node::Comma(left, right) => one_after_other(left, right, input, scope),
        Node::Alt(left, right) => alternative(left, right, input, scope),
        Node::And(left, right) | Node::Or(left, right) => logic(left, right, input, scope),
        Node::Math(op, left, right) => math(*op, left, right, input, scope),
        Node::Cmp(_, left, right) => compared(left, right, input, scope),
        Node::If(branches, otherwise) => branched(branches, otherwise.as_deref(), input, scope),
        Node::Try(body, catch) => tried(body, catch.as_deref(), input, scope),
        Node::Var(slot) => variable(*slot, scope),
        Node::Global(variable) => global(*variable),
        Node::Path(head, steps) => path(head, steps, input, scope),
        Node::Call(name, args) => call(name, args, input, scope),
        Node::Assign(path, of) => run(of, input, scope)
            .then(|new| updated(path, input, input, scope, &mut |_| Flow::one(new.clone()))),
        Node::Update(path, of) => {
            updated(path, input, input, scope, &mut |held| run(of, held, scope))
        }
        Node::UpdateMath(op, path, of) => run(of, input, scope).then(|by| {
            updated(path, input, input, scope, &mut |held| {
                Flow::one(calculated(*op, held, by)).failing(&held.shape().with(&by.shape()))
            })
        }),
        Node::UpdateAlt(path, of) => run(of, input, scope).then(|other| {
            updated(path, input, input, scope, &mut |held| {
                Flow::one(join(held, other, &held.everything()))
            })
        }),
        Node::Reduce(source, pattern, init, update) => {
            fold(source, pattern, init, update, input, scope).1
        }
        Node::Foreach(source, pattern, init, update, extract) => {
            let (inner, end) = fold(source, pattern, init, update, input, scope);
            each_state(end, &inner, extract.as_deref())
        }
        Node::Label(_, _) | Node::Break(_) => unknown(node, input, scope),
    }
}

/// When there is no more time to look closely: anything may come of anything.
fn anything() -> Flow {
    let mut all = Sources::default();
    all.add_field(Pointer::root());
    for variable in Variable::ALL {
        all.context.insert(ContextRead {
            variable,
            pointer: Pointer::root(),
        });
    }
    Flow {
        out: Some(Known::made(all.clone()).and_nondet(true)),
        presence: all.clone(),
        fails: all,
        may_fail: true,
        may_be_none: true,
        may_be_many: true,
    }
}

fn below(input: &Known) -> Flow {
    Flow {
        presence: input.everything(),
        may_be_many: true,
        ..Flow::one(Known::mixed([input]))
    }
}

fn negated(of: &Node, input: &Known, scope: &Scope) -> Flow {
    let of = run(of, input, scope);
    let by = of.known().shape();
    of.map(|of| made_apart(&of)).failing(&by)
}

fn bound(value: &Known, pattern: &Pattern, body: &Node, input: &Known, scope: &Scope) -> Flow {
    let (scope, bound) = bind(pattern, value, input, scope.clone());
    run(body, input, &scope).beside(&bound)
}

fn one_after_other(left: &Node, right: &Node, input: &Known, scope: &Scope) -> Flow {
    let (left, right) = (run(left, input, scope), run(right, input, scope));
    let many = left.out.is_some() && right.out.is_some();
    let none = left.may_be_none && right.may_be_none;
    let flow = left.or(&right, &Sources::default());
    Flow {
        may_be_none: none,
        may_be_many: flow.may_be_many || many,
        ..flow
    }
}

fn alternative(left: &Node, right: &Node, input: &Known, scope: &Scope) -> Flow {
    let left = run(left, input, scope);
    let right = run(right, input, scope);
    if left.out.is_none() {
        let mut flow = right;
        flow.presence.extend(&left.presence);
        return flow.failing_as(&left);
    }
    let ctl = left.everything();
    Flow {
        may_be_none: false,
        ..left
    }
    .or(&right, &ctl)
}

fn logic(left: &Node, right: &Node, input: &Known, scope: &Scope) -> Flow {
    let (left, right) = (run(left, input, scope), run(right, input, scope));
    let known = Known::mixed([&left.known(), &right.known()]);
    let ctl = left.everything();
    let mut flow = Flow::one(known.clone()).beside(&left).beside(&right);
    // Whether the right side runs at all lies with the left one.
    if right.may_be_none || right.may_be_many {
        flow.presence.extend(&ctl);
    }
    if right.may_fail {
        flow.fails.extend(&ctl);
    }
    if left.out.is_some() {
        flow.out = Some(known);
    }
    flow
}

fn math(op: Math, left: &Node, right: &Node, input: &Known, scope: &Scope) -> Flow {
    let (left, right) = (run(left, input, scope), run(right, input, scope));
    let by = left.known().shape().with(&right.known().shape());
    Flow::one(calculated(op, &left.known(), &right.known()))
        .beside(&left)
        .beside(&right)
        .failing(&by)
}

fn compared(left: &Node, right: &Node, input: &Known, scope: &Scope) -> Flow {
    let (left, right) = (run(left, input, scope), run(right, input, scope));
    Flow::one(Known::mixed([&left.known(), &right.known()]))
        .beside(&left)
        .beside(&right)
}

fn branched(
    branches: &[(Node, Node)],
    otherwise: Option<&Node>,
    input: &Known,
    scope: &Scope,
) -> Flow {
    let mut flow = match otherwise {
        Some(otherwise) => run(otherwise, input, scope),
        None => Flow::one(input.clone()),
    };
    for (test, then) in branches.iter().rev() {
        let test = run(test, input, scope);
        if test.out.is_none() {
            flow = test;
            continue;
        }
        let ctl = test.everything();
        let nondet = test.known().unsettled();
        flow = run(then, input, scope)
            .or(&flow, &ctl)
            .map(|out| out.and_nondet(nondet))
            .beside(&test);
    }
    flow
}

fn tried(body: &Node, catch: Option<&Node>, input: &Known, scope: &Scope) -> Flow {
    let body = run(body, input, scope);
    if !body.may_fail {
        return body;
    }
    // A message shows scalars, and of arrays and objects that they are such: their shape.
    let thrown = body.fails.clone();
    let caught = thrown.clone().with(&body.presence);
    let otherwise = match catch {
        Some(catch) => run(catch, &Known::made(thrown), scope),
        None => Flow::none(),
    };
    let empty = body.may_be_none;
    let mut flow = Flow {
        fails: Sources::default(),
        may_fail: false,
        ..body
    }
    .or(&otherwise, &caught);
    flow.may_be_none |= empty;
    flow.presence.extend(&caught);
    flow
}

fn variable(slot: Slot, scope: &Scope) -> Flow {
    Flow::one(
        scope
            .bound
            .get(&slot)
            .cloned()
            .unwrap_or_else(|| Known::constant(Value::Null)),
    )
}

fn global(variable: Variable) -> Flow {
    let place = Place {
        variable: Some(variable),
        pointer: Pointer::root(),
    };
    Flow::one(Known::plain(Body::Copy(place)).and_nondet(variable == Variable::Now))
}

fn each_state(end: Flow, inner: &Scope, extract: Option<&Node>) -> Flow {
    let known = match extract {
        Some(extract) => run(extract, &end.known(), inner).beside(&end),
        None => end,
    };
    Flow {
        presence: known.everything(),
        may_be_none: true,
        may_be_many: true,
        ..known
    }
}

/// Whatever the input and the variables give.
fn unknown(node: &Node, input: &Known, scope: &Scope) -> Flow {
    let mut parts = vec![input.clone()];
    gather(node, scope, &mut parts);
    let known = Known::mixed(&parts);
    let all = known.everything();
    Flow {
        out: Some(known),
        presence: all.clone(),
        fails: all,
        may_fail: true,
        may_be_none: true,
        may_be_many: true,
    }
}

fn gather(node: &Node, scope: &Scope, parts: &mut Vec<Known>) {
    match node {
        Node::Var(slot) => parts.extend(scope.bound.get(slot).cloned()),
        Node::Global(_) => parts.extend(run(node, &Known::constant(Value::Null), scope).out),
        node => node
            .children()
            .into_iter()
            .for_each(|below| gather(below, scope, parts)),
    }
}

/// A result that tells its argument apart from others, where the argument does.
fn made_apart(of: &Known) -> Known {
    let injective = of.injective();
    let mut known = Known::mixed([of]);
    if let Body::Made {
        injective: apart, ..
    } = &mut known.body
    {
        *apart = injective;
    }
    known
}

fn text(format: Option<&'static str>, pieces: &[Piece], input: &Known, scope: &Scope) -> Flow {
    let flows: Vec<_> = pieces
        .iter()
        .filter_map(|piece| match piece {
            Piece::Node(node) => Some(run(node, input, scope)),
            Piece::Plain(_) => None,
        })
        .collect();
    let known: Vec<_> = flows.iter().map(Flow::known).collect();
    let text = match (&known[..], format.is_none_or(keeps_apart)) {
        ([one], true) => made_apart(one),
        _ => Known::mixed(&known),
    };
    let flow = flows.iter().fold(Flow::one(text), Flow::beside);
    if format.is_none_or(keeps_apart) {
        flow
    } else {
        flow.failing(&Known::mixed(&known).everything())
    }
}

fn collected(of: &Flow) -> Flow {
    let array = Body::Array {
        each: of.out.clone().map(Box::new),
        shape: of.presence.clone(),
    };
    Flow::one(Known::plain(array).bounded()).failing_as(of)
}

fn object(entries: &[(Node, Node)], input: &Known, scope: &Scope) -> Flow {
    let mut fields = BTreeMap::new();
    let mut parts = Vec::new();
    let mut plain = true;
    let mut flow = Flow::one(Known::constant(Value::Null));
    for (key, value) in entries {
        let (key, value) = (run(key, input, scope), run(value, input, scope));
        flow = flow.beside(&key).beside(&value);
        match key.known() {
            Known {
                body: Body::Const(Value::Str(name)),
                ..
            } if name != ANY => {
                fields.insert(name, value.known());
            }
            name => {
                plain = false;
                flow = flow.failing(&name.shape());
                parts.push(name);
            }
        }
        parts.push(value.known());
    }
    let known = if plain {
        Known::plain(Body::Record { base: None, fields }).bounded()
    } else {
        Known::mixed(&parts)
    };
    flow.map(|_| known)
}

fn calculated(op: Math, left: &Known, right: &Known) -> Known {
    if op != Math::Add {
        return Known::mixed([left, right]);
    }
    let fields = |known: &Known| match &known.body {
        Body::Record { base: None, fields } if !fields.contains_key(ANY) => Some(fields.clone()),
        Body::Const(Value::Obj(object)) => Some(constants(object)),
        _ => None,
    };
    let ctl = left.ctl.clone().with(&right.ctl);
    let nondet = left.nondet || right.nondet;
    match (&left.body, &right.body) {
        // The fields of the right side replace those of the left one, absent ones leave them.
        (Body::Copy(_) | Body::Record { .. } | Body::Const(Value::Obj(_)), _)
            if fields(right).is_some() =>
        {
            let start = Known {
                ctl,
                nondet,
                ..left.clone()
            };
            fields(right)
                .into_iter()
                .flatten()
                .fold(start, |sum, (key, new)| {
                    let maybe =
                        !matches!(new.body, Body::Const(_) | Body::Copy(_)) || !new.ctl.is_empty();
                    let new = if maybe {
                        join(&sum.member(&key), &new, &new.shape())
                    } else {
                        new
                    };
                    sum.put(&key, new)
                })
        }
        (_, Body::Copy(place)) if fields(left).is_some() => {
            let mut all = BTreeMap::new();
            for (key, old) in fields(left).into_iter().flatten() {
                let over = Known::plain(Body::Copy(place.below(&key)));
                all.insert(key, join(&old, &over, &place.shape()));
            }
            Known {
                body: Body::Record {
                    base: Some(place.clone()),
                    fields: all,
                },
                ctl,
                nondet,
            }
        }
        (Body::Array { each: a, shape: sa }, Body::Array { each: b, shape: sb }) => {
            let each = match (a, b) {
                (Some(a), Some(b)) => Some(Box::new(join(a, b, &Sources::default()))),
                (one, other) => one.clone().or_else(|| other.clone()),
            };
            Known {
                body: Body::Array {
                    each,
                    shape: sa.clone().with(sb),
                },
                ctl,
                nondet,
            }
        }
        _ => Known::mixed([left, right]),
    }
}

fn bind(pattern: &Pattern, value: &Known, input: &Known, scope: Scope) -> (Scope, Flow) {
    match pattern {
        Pattern::Var(slot) => (
            scope.with(*slot, value.clone()),
            Flow::one(Known::constant(Value::Null)),
        ),
        Pattern::Parts(parts) => {
            let outer = scope.clone();
            let start = Flow::one(Known::constant(Value::Null)).failing(&value.shape());
            parts
                .iter()
                .fold((scope, start), |(scope, flow), (key, below)| {
                    let key = run(key, input, &outer);
                    let part = indexed(value, &key.known());
                    let flow = flow.failing(&key.known().shape()).beside(&key);
                    let (scope, inner) = bind(below, &part, input, scope);
                    (scope, flow.beside(&inner))
                })
        }
    }
}

/// `.[key]` of a value.
fn indexed(value: &Known, key: &Known) -> Known {
    match &key.body {
        Body::Const(Value::Str(name)) if name != ANY => value.member(name).decided_by(&key.ctl),
        Body::Const(Value::Int(_) | Value::Float(_)) => {
            // Which element it is, and whether there is one, depends on how many there are.
            let element = value
                .element()
                .unwrap_or_else(|| Known::constant(Value::Null));
            element.decided_by(&value.shape()).decided_by(&key.ctl)
        }
        _ => Known::mixed([value, key]),
    }
}

fn path(head: &Node, steps: &[Step], input: &Known, scope: &Scope) -> Flow {
    steps.iter().fold(run(head, input, scope), |flow, step| {
        flow.then(|value| {
            let by = match (&value.body, &step.part) {
                // A field of what is always an object is found or null.
                (Body::Copy(place), StepPart::Key(_)) if place.is_object() => value.ctl.clone(),
                _ => value.shape(),
            };
            let one = Flow::one(Known::constant(Value::Null));
            // What the terms in a step do, which `?` does not catch.
            let mut terms = one.clone();
            let mut stepped = match &step.part {
                StepPart::Key(key) if key != ANY => one.map(|_| value.member(key)),
                StepPart::Key(key) => {
                    one.map(|_| indexed(value, &Known::constant(Value::Str(key.clone()))))
                }
                StepPart::At(at) => one.map(|_| indexed(value, &Known::constant(Value::Int(*at)))),
                StepPart::Each => each(value),
                StepPart::Index(node) => {
                    let key = run(node, input, scope);
                    let by = key.known().shape();
                    terms = terms.beside(&key);
                    one.map(|_| indexed(value, &key.known())).failing(&by)
                }
                StepPart::Slice(from, to) => {
                    let ends: Vec<_> = from
                        .iter()
                        .chain(to)
                        .map(|end| run(end, input, scope))
                        .collect();
                    let known: Vec<_> = ends.iter().map(Flow::known).collect();
                    let flow = one.map(|_| Known::mixed(known.iter().chain([value])));
                    let by = known
                        .iter()
                        .fold(Sources::default(), |by, end| by.with(&end.shape()));
                    terms = ends.iter().fold(terms, Flow::beside);
                    flow.failing(&by)
                }
            };
            if step.optional {
                // What would fail has no output instead.
                stepped.presence.extend(&by);
                stepped.presence.extend(&std::mem::take(&mut stepped.fails));
                stepped.may_fail = false;
                stepped.may_be_none = true;
                stepped.beside(&terms)
            } else {
                stepped.failing(&by).beside(&terms)
            }
        })
    })
}

/// The elements of a value.
fn each(value: &Known) -> Flow {
    Flow {
        out: value.element(),
        presence: value.shape(),
        fails: value.shape(),
        may_fail: true,
        may_be_none: true,
        may_be_many: true,
    }
}

/// Where a fold ends, and the scope of its body.
fn fold(
    source: &Node,
    pattern: &Pattern,
    init: &Node,
    update: &Node,
    input: &Known,
    scope: &Scope,
) -> (Scope, Flow) {
    let source = run(source, input, scope);
    let init = run(init, input, scope);
    let item = source.known();
    let (inner, bound) = bind(pattern, &item, input, scope.clone());
    let mut state = Known::mixed([&init.known()])
        .decided_by(&source.presence)
        .decided_by(&bound.presence);
    // What goes in only grows, and there are only so many places.
    loop {
        let next = run(update, &state, &inner);
        let seen = Known::mixed([&state, &next.known()]).decided_by(&next.presence);
        if seen == state {
            let end = Flow {
                out: Some(state),
                presence: Sources::default(),
                ..next.clone()
            };
            let mut end = end.beside(&init).failing_as(&source).failing_as(&bound);
            // A fold fails with what fails for one of the elements, whichever there are.
            end.fails.extend(&source.presence);
            if next.may_be_none || next.may_be_many {
                end.presence.extend(&next.presence);
                end.presence.extend(&source.presence);
            }
            end.may_be_none |= bound.may_be_none;
            end.may_be_many |= bound.may_be_many;
            return (inner, end);
        }
        state = seen;
    }
}

/// The value with what the path leads to replaced. Terms in the path see `input`.
fn updated(
    path: &Node,
    value: &Known,
    input: &Known,
    scope: &Scope,
    new: &mut dyn FnMut(&Known) -> Flow,
) -> Flow {
    match path {
        Node::Id => {
            let flow = new(value);
            // Nothing in place of a part removes it; in place of the whole there is no output.
            flow.first()
        }
        Node::Path(head, steps) => match &**head {
            Node::Id => stepped(steps, value, input, scope, new),
            head => updated(head, value, input, scope, &mut |held| {
                stepped(steps, held, input, scope, new)
            }),
        },
        Node::Pipe(left, right) => updated(left, value, input, scope, &mut |held| {
            updated(right, held, held, scope, new)
        }),
        Node::Comma(left, right) => updated(left, value, input, scope, new)
            .then(|value| updated(right, value, input, scope, new)),
        Node::Call("select", args) if args.len() == 1 => {
            let test = run(&args[0], value, scope);
            let changed = new(value).first();
            let ctl = test.everything();
            changed
                .or(&Flow::one(value.clone()), &ctl)
                .failing_as(&test)
        }
        Node::Call("empty", _) => Flow::one(value.clone()),
        _ => {
            let mut known = run(path, value, scope);
            let part = Known::mixed([value, &known.known()]);
            let changed = new(&part);
            let all = Known::mixed([&part, &changed.known()])
                .decided_by(&known.presence)
                .decided_by(&changed.presence);
            known.fails.extend(&value.everything());
            let fails = known.fails.with(&changed.fails);
            Flow {
                may_be_none: true,
                presence: all.everything(),
                ..Flow::one(all)
            }
            .failing(&fails)
        }
    }
}

fn stepped(
    steps: &[Step],
    value: &Known,
    input: &Known,
    scope: &Scope,
    new: &mut dyn FnMut(&Known) -> Flow,
) -> Flow {
    let Some((step, rest)) = steps.split_first() else {
        return new(value);
    };
    let mut beside = Flow::one(Known::constant(Value::Null));
    let mut part = |held: &Known| {
        let flow = stepped(rest, held, input, scope, new);
        beside.fails.extend(&flow.fails);
        beside.may_fail |= flow.may_fail;
        // At the last step, no output removes the part.
        let known = match (flow.out, flow.may_be_none) {
            (None, _) => Known::plain(Body::Absent).decided_by(&flow.presence),
            (Some(out), true) => join(&out, &Known::plain(Body::Absent), &flow.presence),
            (Some(out), false) => out.decided_by(&flow.presence),
        };
        if !rest.is_empty() && known.body == Body::Absent {
            Known::mixed([&known])
        } else {
            known
        }
    };
    let by = value.shape();
    let known = match &step.part {
        StepPart::Key(key) => {
            let new = part(&value.member(key));
            value.clone().put(key, new)
        }
        StepPart::At(_) => weak(value, &mut part, false),
        StepPart::Each => weak(value, &mut part, true),
        StepPart::Index(node) => {
            let key = run(node, input, scope);
            let known = if let Body::Const(Value::Str(name)) = key.known().body {
                let new = part(&value.member(&name));
                value.clone().put(&name, new)
            } else {
                let new = part(&Known::mixed([value]));
                Known::mixed([value, &new, &key.known()])
            };
            beside = beside.failing(&key.everything()).failing_as(&key);
            known.decided_by(&key.presence)
        }
        StepPart::Slice(from, to) => {
            let mut all = part(&Known::mixed([value]));
            for end in from.iter().chain(to) {
                let end = run(end, input, scope);
                beside = beside.failing(&end.everything()).failing_as(&end);
                all = Known::mixed([&all, &end.known()]).decided_by(&end.presence);
            }
            Known::mixed([&all, value])
        }
    };
    // A change that an optional step leaves out depends on the same.
    let known = if step.optional {
        known.decided_by(&by)
    } else {
        known
    };
    beside.map(|_| known).failing(&by)
}

/// Elements changed; where one may go away, those behind it move.
fn weak(value: &Known, part: &mut dyn FnMut(&Known) -> Known, all: bool) -> Known {
    let mut moves = false;
    let mut moving = Sources::default();
    let known = value.clone().put_any(
        &mut |held| {
            let new = part(held);
            if new.body == Body::Absent || !new.ctl.is_empty() {
                moves = true;
                moving.extend(&new.everything());
            }
            new
        },
        all,
    );
    if moves {
        Known::mixed([&known, value]).decided_by(&moving)
    } else {
        known
    }
}

fn call(name: &'static str, args: &[Node], input: &Known, scope: &Scope) -> Flow {
    let shape = input.shape();
    let of_shape = || Known::made(shape.clone()).and_nondet(input.unsettled());
    match (name, args) {
        ("empty", _) => Flow::none(),
        ("error", []) => Flow::none().failing(&input.everything()).settled(),
        ("error", [of]) => {
            let of = run(of, input, scope);
            Flow::none()
                .failing(&of.everything())
                .failing_as(&of)
                .settled()
        }
        ("not", _) => Flow::one(Known::mixed([input])),
        ("select", [test]) => {
            let test = run(test, input, scope);
            let ctl = test.everything();
            let mut flow = Flow::one(input.clone()).beside(&test);
            flow.presence.extend(&ctl);
            flow.may_be_none = true;
            flow
        }
        (
            "values" | "nulls" | "strings" | "numbers" | "booleans" | "arrays" | "objects"
            | "iterables" | "scalars" | "finites",
            [],
        ) => Flow {
            presence: shape,
            may_be_none: true,
            ..Flow::one(input.clone())
        },
        ("map", [of]) => collected(&each(input).then(|item| run(of, item, scope))),
        ("map_values", [of]) => {
            let steps = [Step {
                part: StepPart::Each,
                optional: false,
            }];
            stepped(&steps, input, input, scope, &mut |held| {
                run(of, held, scope)
            })
        }
        ("del", [path]) => {
            let flow = updated(path, input, input, scope, &mut |_| Flow::none());
            Flow {
                may_be_none: flow.out.is_none() || flow.may_be_none,
                ..flow
            }
        }
        (
            "length" | "utf8bytelength" | "keys" | "keys_unsorted" | "abs" | "floor" | "ceil"
            | "round" | "fabs",
            [],
        ) => Flow::one(of_shape()).failing(&shape),
        (
            "type" | "isnumber" | "isstring" | "isarray" | "isobject" | "isboolean" | "isnan"
            | "isinfinite" | "isfinite" | "isnormal",
            [],
        ) => Flow::one(of_shape()),
        ("has", [key]) => {
            let key = run(key, input, scope);
            let by = shape.clone().with(&key.known().shape());
            Flow::one(Known::mixed([&of_shape(), &key.known()]))
                .beside(&key)
                .failing(&by)
        }
        ("first" | "last", []) => {
            let at = Known::constant(Value::Int(0));
            Flow::one(indexed(input, &at)).failing(&shape)
        }
        ("first", [of]) => {
            let of = run(of, input, scope);
            let mut flow = of.clone();
            if of.may_be_many {
                flow = flow.map(|out| Known::mixed([&out]).decided_by(&of.presence));
            }
            flow.first()
        }
        ("any" | "all", _) => {
            let (of, test) = match args {
                [of, test] => (run(of, input, scope), Some(test)),
                [test] => (each(input), Some(test)),
                _ => (each(input), None),
            };
            let items = of.clone();
            let flow = match test {
                Some(test) => of.then(|item| run(test, item, scope)),
                None => of,
            };
            let all = flow.everything().with(&items.presence);
            let nondet = flow.known().unsettled();
            // Which elements are looked at, and may fail, lies with those before.
            let known = Known::made(all.clone()).and_nondet(nondet);
            if flow.may_fail {
                Flow::one(known).failing_as(&flow).failing(&all)
            } else {
                Flow::one(known)
            }
        }
        ("add", [of]) => {
            let of = run(of, input, scope);
            let all = of.everything();
            Flow::one(Known::mixed([&of.known()]).decided_by(&of.presence))
                .failing_as(&of)
                .failing(&all)
        }
        ("sort_by" | "unique_by" | "group_by" | "min_by" | "max_by", [by]) => {
            let items = each(input);
            let keys = items.clone().then(|item| run(by, item, scope));
            let order = keys.everything().with(&items.presence);
            let item = items.out.unwrap_or_else(|| Known::constant(Value::Null));
            let array = |each: Known| {
                Known::plain(Body::Array {
                    each: Some(Box::new(each)),
                    shape: order.clone(),
                })
            };
            let known = match name {
                "group_by" => array(array(item)),
                "min_by" | "max_by" => Known::mixed([&item]).decided_by(&order),
                _ => array(item),
            };
            Flow::one(known).failing(&shape).failing_as(&keys)
        }
        ("reverse", []) => {
            let each = input.element().map(Box::new);
            Flow::one(Known::plain(Body::Array {
                each,
                shape: shape.clone(),
            }))
            .failing(&shape)
        }
        (name, []) if keeps_apart(name) => {
            let flow = Flow::one(made_apart(input));
            if name == "explode" {
                flow.failing(&shape)
            } else {
                flow
            }
        }
        _ => general(name, args, input, scope),
    }
}

impl Flow {
    /// Failing is not the same as having no output.
    fn settled(self) -> Flow {
        Flow {
            may_be_none: false,
            ..self
        }
    }
}

/// A filter of which only its arguments are known: it may look at everything.
fn general(name: &'static str, args: &[Node], input: &Known, scope: &Scope) -> Flow {
    let whole = Known::mixed([input]);
    let mut parts = vec![whole.clone()];
    let mut beside = Flow::one(Known::constant(Value::Null));
    for arg in args {
        let arg = run(arg, &whole, scope);
        parts.push(arg.known().decided_by(&arg.presence));
        beside = Flow {
            out: beside.out.clone(),
            ..beside.beside(&arg)
        };
        beside.out = beside.out.or_else(|| Some(Known::constant(Value::Null)));
    }
    let known = Known::mixed(&parts);
    let all = known.everything();
    let may_be_other = matches!(
        name,
        "match"
            | "capture"
            | "scan"
            | "splits"
            | "path"
            | "paths"
            | "last"
            | "limit"
            | "skip"
            | "nth"
            | "fromjson"
            | "sub"
            | "gsub"
            | "getpath"
            | "setpath"
            | "delpaths"
            | "pick"
            | "walk"
            | "with_entries"
            | "join"
    );
    let mut flow = Flow::one(known).failing(&all).beside(&beside);
    if may_be_other {
        flow.presence.extend(&all);
        flow.may_be_none = true;
        flow.may_be_many = true;
    }
    flow
}

/// Writes the rows for an output.
pub(super) fn emit(out: &Known, presence: &Sources, into: &mut Analysis) {
    rows(out, &Pointer::root(), presence, true, into);
    into.outputs.sort_by(|a, b| a.pointer.cmp(&b.pointer));
}

/// `aligned` while all that lies around is a record over the event at the same place.
fn rows(out: &Known, at: &Pointer, above: &Sources, aligned: bool, into: &mut Analysis) {
    let ctl = above.clone().with(&out.ctl);
    let row = |deps: Sources| OutputFlow {
        pointer: at.clone(),
        deps,
        ctl: ctl.clone(),
        copy: None,
        injective: false,
        nondet: out.unsettled(),
    };
    let same = |place: &Place| aligned && place.variable.is_none() && place.pointer == *at;
    match &out.body {
        Body::Absent => {
            if !ctl.is_empty() {
                into.outputs.push(row(Sources::default()));
            }
        }
        Body::Const(_) => into.outputs.push(row(Sources::default())),
        Body::Copy(place) if same(place) && at.is_root() => {
            into.rest = Some(Rest {
                ctl,
                ..Rest::default()
            });
        }
        Body::Copy(place) => {
            let copy = place.variable.is_none().then(|| place.pointer.clone());
            into.outputs.push(OutputFlow {
                copy,
                injective: true,
                ..row(place.sources())
            });
        }
        Body::Record { base, fields } => {
            let aligned = base.as_ref().is_some_and(same);
            match base {
                Some(_) if aligned && at.is_root() => {
                    into.rest = Some(Rest {
                        ctl: ctl.clone(),
                        ..Rest::default()
                    });
                }
                Some(_) if aligned => {}
                Some(base) => into.outputs.push(row(base.sources())),
                None if fields.is_empty() => into.outputs.push(row(Sources::default())),
                None => {}
            }
            for (key, field) in fields {
                let below = at.child(key.clone());
                let inner = |base: &Option<Place>| {
                    base.as_ref()
                        .is_some_and(|base| base.variable.is_none() && base.pointer == below)
                };
                let deeper = matches!(&field.body, Body::Record { base, .. } if inner(base));
                if let (true, false, Some(rest)) = (aligned, deeper, &mut into.rest) {
                    rest.except.insert(below.clone());
                }
                rows(field, &below, &ctl, aligned, into);
            }
        }
        Body::Array { each, shape } => {
            if !shape.is_empty() || each.is_none() {
                into.outputs.push(row(shape.clone()));
            }
            if let Some(each) = each {
                rows(each, &at.child(ANY), &ctl, false, into);
            }
        }
        Body::Made { of, injective } => {
            into.outputs.push(OutputFlow {
                injective: *injective,
                ..row(of.clone())
            });
        }
    }
}
