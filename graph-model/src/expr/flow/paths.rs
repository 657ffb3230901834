//! Paths into values, and what changes below them.

use super::known::{ANY, Body, Known, join};
use super::{Flow, Scope, run};
use crate::expr::analysis::Sources;
use crate::expr::tree::{Node, Step, StepPart};
use crate::value::Value;

/// `.[key]` of a value.
pub(super) fn indexed(value: &Known, key: &Known) -> Known {
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

pub(super) fn path(head: &Node, steps: &[Step], input: &Known, scope: &Scope) -> Flow {
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
pub(super) fn each(value: &Known) -> Flow {
    Flow {
        out: value.element(),
        presence: value.shape(),
        fails: value.shape(),
        may_fail: true,
        may_be_none: true,
        may_be_many: true,
    }
}

/// The value with what the path leads to replaced. Terms in the path see `input`.
pub(super) fn updated(
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

pub(super) fn stepped(
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
