//! Reads expressions as forms filled with fields: what two of them have in common but the names, and
//! what they add, subtract and divide.

use smol_str::{SmolStr, format_smolstr};

use super::analysis::{ContextRead, Operand, related};
use super::ops::Math;
use super::tree::{Node, Piece, StepPart};
use super::{Expr, Variable};
use crate::pointer::Pointer;
use crate::value::Value;

/// An expression with its fields taken out. The same shape of equal parts has equal values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// `_` stands for a part: `[_,_]` for `[.tenant, .id]`.
    pub shape: SmolStr,
    /// Fields and parts of `$event`, in their order.
    pub parts: Vec<Operand>,
}

/// Something that is added or subtracted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    pub plus: bool,
    pub form: Form,
}

impl Expr {
    /// The expression as a form; nothing when it does more than to put fields together, compute with
    /// numbers and call filters without arguments.
    ///
    /// ```
    /// use graph_model::expr::Expr;
    ///
    /// let form = |code| Expr::compile(code).ok()?.form().cloned();
    /// assert_eq!(form("[.tenant, .id]").map(|form| form.shape), Some("[_,_]".into()));
    /// assert_eq!(form(".order | tostring").map(|form| form.shape), Some("(_|tostring)".into()));
    /// assert_eq!(form(".items[0]"), None);
    /// ```
    pub fn form(&self) -> Option<&Form> {
        let known = self.compiled.form.get_or_init(|| form(&self.compiled.node));
        known.as_ref()
    }

    /// What is added and subtracted for the output at `place`. What is absent counts as zero, and
    /// the ways of an `if` may leave out what is absent for them.
    pub fn sum(&self, place: &Pointer) -> Option<Vec<Term>> {
        let (node, changed) = made_at(&self.compiled.node, place)?;
        let mut sum = Vec::new();
        terms(node, true, &mut sum)?;
        let untouched = |term: &Term| term.form.untouched_by(&changed);
        sum.iter().all(untouched).then_some(sum)
    }

    /// What is divided by what for the output at `place`; a way of an `if` may answer something known
    /// instead, as for no divisor.
    pub fn ratio(&self, place: &Pointer) -> Option<(Form, Form)> {
        let (node, changed) = made_at(&self.compiled.node, place)?;
        let (over, under) = quotient(node)?;
        let (over, under) = (form(over)?, form(under)?);
        (over.untouched_by(&changed) && under.untouched_by(&changed)).then_some((over, under))
    }
}

impl Form {
    /// It takes its parts as they are, alone or side by side.
    pub fn is_plain(&self) -> bool {
        !self.shape.contains(['|', '(', '"'])
    }

    /// The parts that it puts side by side, and whether each stands there as text; nothing where it does
    /// more than that.
    pub fn side_by_side(&self) -> Option<Vec<(&Operand, bool)>> {
        let listed = self
            .shape
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let places = listed.unwrap_or(&self.shape).split(',');
        let as_text = places.map(|place| match place {
            "_" => Some(false),
            "(_|tostring)" | "(_|ascii_downcase)" | "(_|ascii_upcase)" => Some(true),
            _ => None,
        });
        let as_text = as_text.collect::<Option<Vec<bool>>>()?;
        (as_text.len() == self.parts.len()).then(|| self.parts.iter().zip(as_text).collect())
    }

    /// Whether its value is a list.
    pub fn is_list(&self) -> bool {
        self.shape.starts_with('[')
    }

    fn untouched_by(&self, changed: &[Pointer]) -> bool {
        self.parts.iter().all(|part| match part {
            Operand::Field(field) => !changed.iter().any(|changed| related(changed, field)),
            Operand::Context(_) | Operand::Constant(_) => true,
        })
    }
}

fn form(node: &Node) -> Option<Form> {
    let mut parts = Vec::new();
    let shape = shape(node, &mut parts)?;
    Some(Form { shape, parts })
}

fn shape(node: &Node, parts: &mut Vec<Operand>) -> Option<SmolStr> {
    if let Some(field) = field(node) {
        parts.push(Operand::Field(field));
        return Some("_".into());
    }
    if let Some(read) = context(node) {
        parts.push(Operand::Context(read));
        return Some("_".into());
    }
    Some(match node {
        Node::Const(value) => value.to_json().into(),
        Node::Array(None) => "[]".into(),
        Node::Array(Some(items)) => format_smolstr!("[{}]", shape(items, parts)?),
        Node::Comma(left, right) => {
            format_smolstr!("{},{}", shape(left, parts)?, shape(right, parts)?)
        }
        Node::Object(entries) => {
            // Objects go in the order of their keys.
            let mut named = Vec::with_capacity(entries.len());
            for (name, value) in entries {
                let Node::Const(Value::Str(name)) = name else {
                    return None;
                };
                named.push((name, value));
            }
            named.sort_by_key(|(name, _)| *name);
            let mut text = String::from("{");
            for (name, value) in named {
                text.push_str(name);
                text.push(':');
                text.push_str(&shape(value, parts)?);
                text.push(',');
            }
            text.push('}');
            text.into()
        }
        Node::Text(format, pieces) => {
            let mut text = format!("{}\"", format.unwrap_or_default());
            for piece in pieces {
                match piece {
                    Piece::Plain(plain) => text.push_str(plain),
                    Piece::Node(node) => {
                        text.push_str("\\(");
                        text.push_str(&shape(node, parts)?);
                        text.push(')');
                    }
                }
            }
            text.push('"');
            text.into()
        }
        Node::Neg(of) => format_smolstr!("(-{})", shape(of, parts)?),
        Node::Math(math, left, right) => {
            let sign = match math {
                Math::Add => '+',
                Math::Sub => '-',
                Math::Mul => '*',
                Math::Div => '/',
                Math::Rem => '%',
            };
            format_smolstr!("({}{sign}{})", shape(left, parts)?, shape(right, parts)?)
        }
        Node::Alt(of, otherwise) => {
            format_smolstr!("({}//{})", shape(of, parts)?, shape(otherwise, parts)?)
        }
        Node::Pipe(of, then) => match &**then {
            Node::Call(name, args) if args.is_empty() => {
                format_smolstr!("({}|{name})", shape(of, parts)?)
            }
            _ => return None,
        },
        _ => return None,
    })
}

/// A field by its path; optional steps are steps.
fn field(node: &Node) -> Option<Pointer> {
    let (head, steps) = match node {
        Node::Id => return Some(Pointer::root()),
        Node::Try(of, None) => return field(of),
        Node::Path(head, steps) => (head, steps),
        _ => return None,
    };
    let below = steps.iter().map(|step| match &step.part {
        StepPart::Key(key) if key != "*" => Some(key.clone()),
        _ => None,
    });
    let below = below.collect::<Option<Pointer>>()?;
    Some(field(head)?.join(&below))
}

fn context(node: &Node) -> Option<ContextRead> {
    match node {
        Node::Global(Variable::Event) => Some(ContextRead {
            variable: Variable::Event,
            pointer: Pointer::root(),
        }),
        Node::Path(head, steps) => {
            let read = context(head)?;
            let below = steps.iter().map(|step| match &step.part {
                StepPart::Key(key) => Some(key.clone()),
                _ => None,
            });
            let below = below.collect::<Option<Pointer>>()?;
            Some(ContextRead {
                pointer: read.pointer.join(&below),
                ..read
            })
        }
        _ => None,
    }
}

/// The part of an expression that makes what is at a place of its output, from the input, of which
/// these fields were changed before.
fn made_at<'n>(node: &'n Node, place: &Pointer) -> Option<(&'n Node, Vec<Pointer>)> {
    let mut stages = Vec::new();
    let mut at = node;
    while let Node::Pipe(stage, next) = at {
        if place.is_root() && keeps_number(next) {
            break;
        }
        stages.push(&**stage);
        at = next;
    }
    stages.push(at);
    let mut made = None;
    while let Some(stage) = stages.pop() {
        if let Some(found) = makes(stage, place) {
            made = Some(found);
            break;
        }
        if changed_by(stage).is_none_or(|changed| changed.iter().any(|at| related(at, place))) {
            return None;
        }
    }
    let mut changed = Vec::new();
    for stage in stages {
        changed.extend(changed_by(stage)?);
    }
    made.map(|made| (made, changed))
}

/// What a stage puts at the place, when it puts something there.
fn makes<'n>(stage: &'n Node, place: &Pointer) -> Option<&'n Node> {
    if place.is_root() {
        let passes = matches!(stage, Node::Id | Node::Call("select", _));
        return (!passes).then_some(stage);
    }
    match stage {
        Node::Assign(path, value) => (field(path)? == *place).then_some(&**value),
        Node::Object(entries) => {
            let (first, below) = place.tokens().split_first()?;
            let below: Pointer = below.iter().cloned().collect();
            let named = |(name, _): &&(Node, Node)| matches!(name, Node::Const(Value::Str(name)) if name == first);
            let (_, value) = entries.iter().find(named)?;
            if below.is_root() {
                Some(value)
            } else {
                makes(value, &below)
            }
        }
        Node::Math(Math::Add, _, added) => makes(added, place),
        _ => None,
    }
}

/// Fields that a stage changes while all others stay; nothing when that is not known.
fn changed_by(stage: &Node) -> Option<Vec<Pointer>> {
    match stage {
        Node::Id | Node::Call("select", _) => Some(Vec::new()),
        Node::Assign(path, _)
        | Node::Update(path, _)
        | Node::UpdateMath(_, path, _)
        | Node::UpdateAlt(path, _) => field(path).map(|field| vec![field]),
        Node::Call("del", args) => args.iter().map(field).collect(),
        Node::Math(Math::Add, before, added) if matches!(&**before, Node::Id) => {
            let Node::Object(entries) = &**added else {
                return None;
            };
            let name = |(name, _): &(Node, Node)| match name {
                Node::Const(Value::Str(name)) => Some(Pointer::root().child(name.clone())),
                _ => None,
            };
            entries.iter().map(name).collect()
        }
        _ => None,
    }
}

/// Filters that leave the meaning of a number as it is.
fn keeps_number(node: &Node) -> bool {
    matches!(node, Node::Call("tonumber" | "round" | "floor" | "ceil", args) if args.is_empty())
}

fn terms(node: &Node, plus: bool, into: &mut Vec<Term>) -> Option<()> {
    match node {
        Node::Math(Math::Add, left, right) => {
            terms(left, plus, into)?;
            terms(right, plus, into)
        }
        Node::Math(Math::Sub, left, right) => {
            terms(left, plus, into)?;
            terms(right, !plus, into)
        }
        Node::Neg(of) => terms(of, !plus, into),
        Node::Alt(of, otherwise) if is_nothing(otherwise) => terms(of, plus, into),
        Node::Pipe(of, then) if keeps_number(then) => terms(of, plus, into),
        Node::Try(of, None) if field(of).is_none() => terms(of, plus, into),
        Node::If(ways, otherwise) => {
            let mut all: Vec<Term> = Vec::new();
            let ways = ways.iter().map(|(_, then)| then);
            for way in ways.chain(otherwise.as_deref()) {
                if matches!(way, Node::Call("empty", _)) {
                    continue;
                }
                let mut own = Vec::new();
                terms(way, plus, &mut own)?;
                // What is left out is left out of the whole, and nothing changes its sign.
                for term in own {
                    let turned = |held: &Term| held.form == term.form && held.plus != term.plus;
                    if all.iter().any(turned) {
                        return None;
                    }
                    if !all.contains(&term) {
                        all.push(term);
                    }
                }
            }
            into.extend(all);
            Some(())
        }
        node if is_nothing(node) => Some(()),
        node => {
            into.push(Term {
                plus,
                form: form(node)?,
            });
            Some(())
        }
    }
}

fn is_nothing(node: &Node) -> bool {
    match node {
        Node::Const(value) => *value == Value::Null || value.as_f64() == Some(0.0),
        _ => false,
    }
}

fn quotient(node: &Node) -> Option<(&Node, &Node)> {
    match node {
        Node::Math(Math::Div, over, under) => Some((over, under)),
        Node::Pipe(of, then) if keeps_number(then) => quotient(of),
        Node::Math(Math::Mul, of, by) if matches!(&**by, Node::Const(_)) => quotient(of),
        Node::Alt(of, otherwise) if matches!(&**otherwise, Node::Const(_)) => quotient(of),
        Node::Try(of, _) => quotient(of),
        Node::If(ways, otherwise) => {
            let ways = ways.iter().map(|(_, then)| then);
            let mut open = ways
                .chain(otherwise.as_deref())
                .filter(|way| !matches!(way, Node::Const(_) | Node::Call("empty", _)));
            let found = quotient(open.next()?)?;
            open.next().is_none().then_some(found)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(code: &str) -> Expr {
        Expr::compile(code).expect("the expression compiles")
    }

    fn shown(form: &Form) -> String {
        let parts = form.parts.iter().map(|part| match part {
            Operand::Field(field) => field.to_string(),
            Operand::Context(read) => read.to_string(),
            Operand::Constant(value) => value.to_json(),
        });
        format!("{} of {}", form.shape, parts.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn expressions_of_one_shape_have_one_form() {
        for (code, wanted) in [
            (".a.b", "_ of /a/b"),
            ("[.tenant, .id]", "[_,_] of /tenant /id"),
            ("[.id, .tenant]", "[_,_] of /id /tenant"),
            ("{b: .x, a: .y}", "{a:_,b:_,} of /y /x"),
            (r#""\(.t)-\(.i)""#, r#""\(_)-\(_)" of /t /i"#),
            (".a | tostring", "(_|tostring) of /a"),
            (".a // \"none\"", "(_//\"none\") of /a"),
            (".price * .count", "(_*_) of /price /count"),
            ("$event.id", "_ of $event/id"),
        ] {
            let expr = compile(code);
            let form = expr.form().expect(code);
            assert_eq!(shown(form), wanted, "{code}");
        }
        for code in [
            ".a[0]",
            ".a[]",
            "if .a then .b else .c end",
            ".a | test(\"x\")",
        ] {
            assert_eq!(compile(code).form(), None, "{code}");
        }
        assert!(compile("[.a, {b: .c}]").form().is_some_and(Form::is_plain));
        assert!(
            compile(".a | tostring")
                .form()
                .is_some_and(|form| !form.is_plain())
        );
    }

    #[test]
    fn sums_are_read_at_their_place() {
        for (code, place, wanted) in [
            (".a - .b", "", "+ _ of /a; - _ of /b"),
            ("(.a // 0) - (.b // 0)", "", "+ _ of /a; - _ of /b"),
            ("{d: (.a - .b), k: .k}", "/d", "+ _ of /a; - _ of /b"),
            (".d = .a - .b", "/d", "+ _ of /a; - _ of /b"),
            (
                "select(.a) | . + {d: (.a - (.b // 0))}",
                "/d",
                "+ _ of /a; - _ of /b",
            ),
            (".d = .a - .b | del(.b)", "/d", "+ _ of /a; - _ of /b"),
            (".e = 1 | .d = .a - .b", "/d", "+ _ of /a; - _ of /b"),
            (
                "if .b == null then .a elif .a == null then -.b else .a - .b end",
                "",
                "+ _ of /a; - _ of /b",
            ),
            ("(.a - .b) | round", "", "+ _ of /a; - _ of /b"),
            (
                ".a.p * .a.n - .b.p * .b.n",
                "",
                "+ (_*_) of /a/p /a/n; - (_*_) of /b/p /b/n",
            ),
            (".a", "", "+ _ of /a"),
            ("{d: {e: (.a - .b)}}", "/d/e", "+ _ of /a; - _ of /b"),
        ] {
            let place = Pointer::parse(place).expect("a pointer");
            let sum = compile(code).sum(&place).expect(code);
            let sum = sum.iter().map(|term| {
                let sign = if term.plus { '+' } else { '-' };
                format!("{sign} {}", shown(&term.form))
            });
            assert_eq!(sum.collect::<Vec<_>>().join("; "), wanted, "{code}");
        }
        for (code, place) in [
            (".a = 1 | .d = .a - .b", "/d"),
            ("{e: 1}", "/d"),
            (".d |= . - 1", "/d"),
            (".x | .d = .a - .b", "/d"),
            ("if .c then .a - .b else .b - .a end", ""),
            ("map(.a - .b)", ""),
        ] {
            let place = Pointer::parse(place).expect("a pointer");
            assert_eq!(compile(code).sum(&place), None, "{code}");
        }
    }

    #[test]
    fn ratios_are_read_at_their_place() {
        for (code, place) in [
            (".s / .n", ""),
            ("{r: (.s / .n)}", "/r"),
            (".r = (if .n == 0 then null else .s / .n end)", "/r"),
            ("(.s / .n * 100) | round", ""),
        ] {
            let place = Pointer::parse(place).expect("a pointer");
            let (over, under) = compile(code).ratio(&place).expect(code);
            assert_eq!(
                (shown(&over), shown(&under)),
                ("_ of /s".into(), "_ of /n".into()),
                "{code}"
            );
        }
        assert_eq!(compile(".s * .n").ratio(&Pointer::root()), None);
    }
}
