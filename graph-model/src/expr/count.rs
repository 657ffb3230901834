//! How many elements the array has that an expression answers, as far as its text says it.

use super::tree::{Node, Step, StepPart};
use crate::value::Value;

/// Elements of an array, at least and at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Elements {
    pub least: u64,
    /// None when only the data says it.
    pub most: Option<u64>,
}

impl Elements {
    const ONE: Elements = Elements {
        least: 1,
        most: Some(1),
    };
    const NONE: Elements = Elements {
        least: 0,
        most: Some(0),
    };
    const ANY: Elements = Elements {
        least: 0,
        most: None,
    };

    fn times(self, other: Elements) -> Elements {
        let most = match (self.most, other.most) {
            (Some(0), _) | (_, Some(0)) => Some(0),
            (Some(a), Some(b)) => Some(a.saturating_mul(b)),
            _ => None,
        };
        Elements {
            least: self.least.saturating_mul(other.least),
            most,
        }
    }

    fn plus(self, other: Elements) -> Elements {
        Elements {
            least: self.least.saturating_add(other.least),
            most: self.most.zip(other.most).map(|(a, b)| a.saturating_add(b)),
        }
    }

    fn or(self, other: Elements) -> Elements {
        Elements {
            least: self.least.min(other.least),
            most: self.most.zip(other.most).map(|(a, b)| a.max(b)),
        }
    }

    fn or_none(self) -> Elements {
        Elements { least: 0, ..self }
    }
}

/// Elements of the array that the expression answers; `None` when its text does not make the array.
pub(super) fn elements(node: &Node) -> Option<Elements> {
    match node {
        Node::Array(None) => Some(Elements::NONE),
        Node::Const(Value::Arr(items)) => {
            let count = items.len() as u64;
            Some(Elements {
                least: count,
                most: Some(count),
            })
        }
        Node::Array(Some(of)) => Some(outputs(of)),
        Node::Pipe(_, last) | Node::Bind(_, _, last) => elements(last),
        Node::If(branches, Some(otherwise)) => {
            let mut all = elements(otherwise)?;
            for (_, then) in branches {
                all = all.or(elements(then)?);
            }
            Some(all)
        }
        Node::Math(super::ops::Math::Add, a, b) => Some(elements(a)?.plus(elements(b)?)),
        _ => None,
    }
}

/// How many outputs there are, when it does not fail.
fn outputs(node: &Node) -> Elements {
    let product = |nodes: &[&Node]| {
        nodes
            .iter()
            .fold(Elements::ONE, |all, node| all.times(outputs(node)))
    };
    match node {
        Node::Comma(a, b) => outputs(a).plus(outputs(b)),
        Node::Array(_) => Elements::ONE,
        Node::Alt(a, b) => {
            // Outputs that are null or false are left out.
            let (a, b) = (outputs(a), outputs(b));
            let most = a.or(b).most;
            let least = u64::from(a.least > 0 && b.least > 0);
            Elements { least, most }
        }
        Node::If(branches, otherwise) => {
            let mut all = otherwise.as_deref().map_or(Elements::ONE, outputs);
            let mut tests = Elements::ONE;
            for (test, then) in branches {
                tests = tests.times(outputs(test));
                all = all.or(outputs(then));
            }
            tests.times(all)
        }
        Node::Path(head, steps) => steps.iter().fold(outputs(head), |all, step| {
            let taken = step_outputs(step);
            all.times(if step.optional {
                taken.or_none()
            } else {
                taken
            })
        }),
        Node::Try(body, catch) => {
            let catch = catch.as_deref().map_or(Elements::NONE, outputs);
            outputs(body).plus(catch).or_none()
        }
        Node::Bind(source, super::tree::Pattern::Var(_), body) => product(&[source, body]),
        Node::Pipe(a, b) => product(&[a, b]),
        Node::And(a, b) | Node::Or(a, b) => {
            let mut all = product(&[a, b]);
            all.least = all.least.min(outputs(a).least);
            all
        }
        Node::Id
        | Node::Const(_)
        | Node::Var(_)
        | Node::Global(_)
        | Node::Object(_)
        | Node::Neg(_)
        | Node::Math(..)
        | Node::Cmp(..)
        | Node::Text(..) => product(&node.children()),
        Node::Call(name, args) => call(name, &args.iter().collect::<Vec<_>>()),
        _ => Elements::ANY,
    }
}

fn step_outputs(step: &Step) -> Elements {
    match &step.part {
        StepPart::Key(_) | StepPart::At(_) | StepPart::Slice(None, None) => Elements::ONE,
        StepPart::Index(node) => outputs(node),
        StepPart::Each | StepPart::Slice(..) => Elements::ANY,
    }
}

/// Of filters that answer once for each combination of what their arguments answer.
fn call(name: &str, args: &[&Node]) -> Elements {
    match (name, args) {
        ("empty" | "error", _) => Elements::NONE,
        ("select", [test]) => outputs(test).or_none(),
        (
            "not" | "length" | "tostring" | "tonumber" | "tojson" | "floor" | "ceil" | "round"
            | "abs" | "type" | "keys" | "sort" | "unique" | "reverse" | "add" | "min" | "max"
            | "trim" | "ltrim" | "rtrim" | "ascii_downcase" | "ascii_upcase" | "first" | "last"
            | "todate" | "fromdate" | "todateiso8601" | "fromdateiso8601" | "to_entries"
            | "from_entries" | "flatten",
            [],
        )
        | (
            "map" | "map_values" | "sort_by" | "group_by" | "unique_by" | "min_by" | "max_by",
            [_],
        ) => Elements::ONE,
        (
            "startswith" | "endswith" | "ltrimstr" | "rtrimstr" | "split" | "has" | "contains",
            [of],
        ) => outputs(of),
        _ => Elements::ANY,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Expr;

    #[test]
    fn written_arrays_have_as_many_elements_as_they_show() {
        let table = [
            ("[]", "0..0"),
            ("[., .]", "2..2"),
            ("[.a, {b: .c, d: (.e * 2)}, 3]", "3..3"),
            ("[.a, (.b | select(.c))]", "1..2"),
            ("[.items[]]", "0.."),
            ("[.items[] | select(.a)]", "0.."),
            ("[.a, empty]", "1..1"),
            ("[.a?]", "0..1"),
            ("[(.a, .b) | {x: (., 1)}]", "4..4"),
            ("if .a then [., .] else [.] end", "1..2"),
            ("[.] + [.]", "2..2"),
            (".job as $job | [{a: $job}, {b: $job}]", "2..2"),
            ("[.a // .b]", "1..1"),
            ("[.a | length, tostring]", "2..2"),
            ("[reduce .a[] as $x (0; . + $x)]", "0.."),
            (".items", "?"),
            (".", "?"),
        ];
        for (code, expected) in table {
            let expr = Expr::compile(code).expect("it compiles");
            let found = match expr.analysis().elements {
                None => "?".to_owned(),
                Some(elements) => {
                    let most = elements.most.map_or(String::new(), |most| most.to_string());
                    format!("{}..{most}", elements.least)
                }
            };
            assert_eq!(found, expected, "{code}");
        }
    }
}
