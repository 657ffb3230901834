//! What functions make of what is known.

use super::known::{Body, Known};
use super::paths::{each, indexed, stepped, updated};
use super::{Flow, Scope, collected, made_apart, run};
use crate::expr::predicate::keeps_apart;
use crate::expr::tree::{Node, Step, StepPart};
use crate::value::Value;

pub(super) fn call(name: &'static str, args: &[Node], input: &Known, scope: &Scope) -> Flow {
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

impl Flow {
    /// Failing is not the same as having no output.
    fn settled(self) -> Flow {
        Flow {
            may_be_none: false,
            ..self
        }
    }
}
