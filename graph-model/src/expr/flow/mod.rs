//! Runs an expression over what is known of values instead of over values: where each part of a
//! result comes from, and what decides it.

mod calls;
mod emit;
mod known;
mod paths;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use self::calls::call;
use self::known::{ANY, Body, Known, Place, constants, join};
use self::paths::{indexed, path, updated};
use super::Variable;
use super::analysis::{ContextRead, Sources};
use super::ops::Math;
use super::predicate::keeps_apart;
use super::tree::{Node, Pattern, Piece, Slot};
use crate::pointer::Pointer;
use crate::value::Value;

pub(super) use emit::emit;

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

pub(super) fn of(node: &Node) -> Flow {
    run(node, &event(), &Scope::default())
}

/// The same where nothing is there that `//` has something else for.
pub(super) fn of_last_resorts(node: &Node) -> Flow {
    let scope = Scope {
        last_resorts: true,
        ..Scope::default()
    };
    run(node, &event(), &scope)
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
    /// Whether of `.a // .b` only the last is looked at.
    last_resorts: bool,
    /// Folds within folds are gone through again and again; this is when to stop.
    steps_left: Rc<Cell<u32>>,
}

const STEPS_MAX: u32 = 20_000;

impl Default for Scope {
    fn default() -> Scope {
        Scope {
            bound: BTreeMap::new(),
            last_resorts: false,
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
    if scope.last_resorts {
        return run(right, input, scope);
    }
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
