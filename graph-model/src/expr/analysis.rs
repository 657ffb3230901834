//! What an expression reads, and which of it reaches which part of the output.

use std::collections::BTreeSet;
use std::fmt;

use super::ops::Cmp;
use super::tree::Node;
use super::{Elements, Variable, count, flow, predicate};
use crate::pointer::Pointer;
use crate::value::Value;

/// What an expression does with an event, without running it: a sound over-approximation.
///
/// A field that is named nowhere in the flow of an output never changes that output. In pointers
/// to the input and the output `*` stands for every element of an array or an object. The bounds
/// of an evaluation are left out: whether one is exceeded may depend on anything.
///
/// ```
/// use graph_model::expr::Expr;
///
/// let expr = Expr::compile("select(.paid) | {id, total: (.price * .count), by: $event.source}")?;
/// assert_eq!(
///     expr.analysis().to_string(),
///     "/by <- $event/source if /paid injective\n\
///      /id = /id if /paid\n\
///      /total <- /count /price if /paid\n\
///      empty by /paid\n\
///      fails by #. #/count #/price\n\
///      outputs 0..1\n\
///      guard /paid\n"
/// );
/// # Ok::<(), graph_model::expr::ExprError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Analysis {
    /// Everything that is read, in whatever way.
    pub reads: Sources,
    /// Fields for whose lack `//` has something else, wherever they are read.
    pub stood_in: BTreeSet<Pointer>,
    /// Parts of the output and where they come from. What holds for a pointer holds for all below
    /// it, together with the rows for what lies below.
    pub outputs: Vec<OutputFlow>,
    /// Everything else of the input stays at its place in the output.
    pub rest: Option<Rest>,
    /// The result is an array, and this of the input stays at its place in each element.
    pub rest_of_each: Option<Rest>,
    /// Nothing more precise is known than that any input may reach anything.
    pub whole: bool,
    /// What decides whether there is an output, and how many.
    pub emptiness: Sources,
    /// What decides whether the evaluation fails.
    pub failure: Sources,
    pub multiplicity: Multiplicity,
    /// How many elements the result has, when the text makes it an array.
    pub elements: Option<Elements>,
    /// The expression read as a predicate.
    pub condition: Condition,
    /// What holds of the event whenever there is an output, from `select` before anything else.
    pub guard: Condition,
    /// The expression read as a key, when it is a field or made of fields.
    pub key: Option<Key>,
    pub variables: Vec<Variable>,
}

/// Places that a value depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sources {
    /// Fields of the event, each with all that lies below it; the root is the whole event.
    pub fields: BTreeSet<Pointer>,
    /// Fields of which only the shape counts: type, scalar value, keys or length, not what lies
    /// below.
    pub shapes: BTreeSet<Pointer>,
    /// Parts of variables.
    pub context: BTreeSet<ContextRead>,
}

/// A part of a variable, such as `$event.type`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContextRead {
    pub variable: Variable,
    pub pointer: Pointer,
}

/// Where a part of the output comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFlow {
    /// The place in the output.
    pub pointer: Pointer,
    /// What the value is made of.
    pub deps: Sources,
    /// What decides which value it is, in conditions around it.
    pub ctl: Sources,
    /// The field that it is a verbatim copy of, with all that lies below it.
    pub copy: Option<Pointer>,
    /// Different fields give different values, as long as fields keep their JSON type.
    pub injective: bool,
    /// The value may differ from one evaluation to the next for the same event.
    pub nondet: bool,
}

/// What passes through unchanged: the whole input but these places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rest {
    /// Fields that are removed or have rows of their own.
    pub except: BTreeSet<Pointer>,
    /// What decides whether the rest passes.
    pub ctl: Sources,
}

/// How many outputs there may be for one event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Multiplicity {
    pub may_be_none: bool,
    pub may_be_many: bool,
}

/// A predicate as far as it is a conjunction of comparisons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// What decides the predicate.
    pub fields: Sources,
    /// Each holds whenever the predicate holds.
    pub conjuncts: Vec<Comparison>,
    /// The predicate holds whenever all conjuncts hold.
    pub complete: bool,
}

/// A comparison of a field with something known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Comparison {
    pub left: Operand,
    pub op: Op,
    pub right: Operand,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operand {
    Field(Pointer),
    Context(ContextRead),
    Constant(Value),
}

/// How two operands compare, in the order of jq over all types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    /// The left one is neither `false` nor `null`; the right one is `true`.
    Truthy,
    /// The left one is `false` or `null`; the right one is `true`.
    Falsy,
}

/// A key as what it is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Fields and parts of variables, in their order.
    pub parts: Vec<Operand>,
    /// Different parts give different keys, as long as fields keep their JSON type.
    pub injective: bool,
}

impl From<Cmp> for Op {
    fn from(op: Cmp) -> Op {
        match op {
            Cmp::Lt => Op::Lt,
            Cmp::Le => Op::Le,
            Cmp::Gt => Op::Gt,
            Cmp::Ge => Op::Ge,
            Cmp::Eq => Op::Eq,
            Cmp::Ne => Op::Ne,
        }
    }
}

pub(super) fn analyse(node: &Node, variables: &[Variable]) -> Analysis {
    let flow = flow::of(node);
    let condition = predicate::condition(node);
    let (mut guard, rest) = predicate::guard(node);
    guard.complete &= match &rest[..] {
        [all] if std::ptr::eq(*all, node) => !flow.may_be_none,
        rest => !flow::of_pipe(rest).may_be_none,
    };
    let mut fields = flow.presence.clone();
    if let Some(out) = &flow.out {
        fields.extend(&out.everything());
    }
    let mut analysis = Analysis {
        emptiness: if flow.may_be_none || flow.may_be_many {
            flow.presence.clone()
        } else {
            Sources::default()
        },
        failure: flow.fails.clone(),
        multiplicity: Multiplicity {
            may_be_none: flow.may_be_none,
            may_be_many: flow.may_be_many,
        },
        elements: count::elements(node),
        condition: Condition {
            fields,
            ..condition
        },
        guard,
        key: predicate::key(node),
        variables: variables.to_vec(),
        ..Analysis::default()
    };
    if let Some(out) = &flow.out {
        flow::emit(out, &flow.presence, &mut analysis);
    }
    analysis.whole = analysis.outputs.iter().any(|row| {
        row.pointer.is_root() && row.copy.is_none() && row.deps.fields.contains(&Pointer::root())
    });
    let mut reads = analysis.emptiness.clone();
    reads.extend(&analysis.failure);
    for row in &analysis.outputs {
        reads.extend(&row.deps);
        reads.extend(&row.ctl);
    }
    if let Some(rest) = &analysis.rest {
        reads.extend(&rest.ctl);
    }
    analysis.stood_in = stood_in(node, &reads);
    analysis.reads = reads;
    analysis
}

fn stood_in(node: &Node, reads: &Sources) -> BTreeSet<Pointer> {
    let mut has_alternatives = false;
    node.walk(&mut |node| has_alternatives |= matches!(node, Node::Alt(..)));
    if !has_alternatives {
        return BTreeSet::new();
    }
    let flow = flow::of_last_resorts(node);
    let mut needed = flow.presence.clone();
    needed.extend(&flow.fails);
    if let Some(out) = &flow.out {
        needed.extend(&out.everything());
    }
    let stands_alone = |field: &Pointer| {
        let mut shapes = needed.shapes.iter();
        let of_fields = needed.fields.iter().any(|other| related(other, field));
        of_fields || shapes.any(|shape| covers(field, shape))
    };
    let read = reads.fields.iter().filter(|field| !stands_alone(field));
    read.cloned().collect()
}

impl Analysis {
    /// What may change the output at `pointer`, in value or in presence, whenever there is one.
    pub fn reaching(&self, pointer: &Pointer) -> Sources {
        let mut all = Sources::default();
        for row in &self.outputs {
            if !related(&row.pointer, pointer) {
                continue;
            }
            all.extend(&row.ctl);
            match (&row.copy, tail(&row.pointer, pointer)) {
                (Some(copy), Some(below)) => all.add_field(copy.join(&below)),
                _ => all.extend(&row.deps),
            }
        }
        if let Some(rest) = &self.rest {
            all.extend(&rest.ctl);
            if !rest.except.iter().any(|except| covers(except, pointer)) {
                all.add_field(pointer.clone());
            }
        }
        all
    }
}

impl Sources {
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.shapes.is_empty() && self.context.is_empty()
    }

    /// Whether another value at `changed` may make a difference. What may come or go as well
    /// changes the shape of what it lies in.
    pub fn touched_by(&self, changed: &Pointer, comes_or_goes: bool) -> bool {
        if self.fields.is_empty() && self.shapes.is_empty() {
            return false;
        }
        let parent = if comes_or_goes {
            changed.parent()
        } else {
            None
        };
        self.fields.iter().any(|field| related(field, changed))
            || self.shapes.iter().any(|shape| {
                covers(changed, shape)
                    || parent.as_ref().is_some_and(|parent| covers(parent, shape))
            })
    }

    pub fn extend(&mut self, other: &Sources) {
        self.fields.extend(other.fields.iter().cloned());
        self.shapes.extend(other.shapes.iter().cloned());
        self.context.extend(other.context.iter().cloned());
    }

    pub(super) fn with(mut self, other: &Sources) -> Sources {
        self.extend(other);
        self
    }

    pub(super) fn add_field(&mut self, field: Pointer) {
        self.fields.insert(field);
    }
}

/// Whether one of two pointers lies at or above the other, `*` standing for any token.
pub(crate) fn related(a: &Pointer, b: &Pointer) -> bool {
    a.tokens().iter().zip(b.tokens()).all(|(a, b)| {
        let (a, b) = (a.as_bytes(), b.as_bytes());
        a == b || a == b"*" || b == b"*"
    })
}

/// Whether `above` lies at or above `below`, `*` standing for any token.
pub(crate) fn covers(above: &Pointer, below: &Pointer) -> bool {
    above.tokens().len() <= below.tokens().len() && related(above, below)
}

/// What is left of `below` under `above`, `*` standing for any token.
pub(crate) fn tail(above: &Pointer, below: &Pointer) -> Option<Pointer> {
    covers(above, below).then(|| {
        below.tokens()[above.tokens().len()..]
            .iter()
            .cloned()
            .collect()
    })
}

impl Condition {
    /// Whether the two can never hold of the same event. A `false` answer means unknown.
    pub fn excludes(&self, other: &Condition) -> bool {
        let all: Vec<_> = self.conjuncts.iter().chain(&other.conjuncts).collect();
        all.iter().any(|one| one.never())
            || all
                .iter()
                .any(|one| all.iter().any(|other| one.excludes(other)))
    }

    /// Whether it can never hold. A `false` answer means unknown.
    pub fn is_unsatisfiable(&self) -> bool {
        self.excludes(&Condition::default())
    }
}

impl Comparison {
    fn never(&self) -> bool {
        match (&self.left, &self.right) {
            (Operand::Constant(left), Operand::Constant(right)) => !self.op.holds(left, right),
            _ => false,
        }
    }

    fn excludes(&self, other: &Comparison) -> bool {
        if self.left != other.left {
            return false;
        }
        let (Operand::Constant(a), Operand::Constant(b)) = (&self.right, &other.right) else {
            let opposite = matches!(
                (self.op, other.op),
                (Op::Eq, Op::Ne) | (Op::Ge, Op::Lt) | (Op::Le, Op::Gt)
            );
            return self.right == other.right && opposite;
        };
        let order = super::ops::order(a, b);
        match (self.op, other.op) {
            // A known value must hold for the other comparison too.
            (Op::Eq, op) => !op.holds(a, b),
            (Op::Gt, Op::Lt | Op::Le) | (Op::Ge, Op::Lt) => order.is_ge(),
            (Op::Ge, Op::Le) => order.is_gt(),
            (Op::Truthy, Op::Falsy) => true,
            // `false` is the last of what is not true, `true` the first of what is.
            (Op::Falsy, Op::Gt) => *b >= Value::Bool(false),
            (Op::Falsy, Op::Ge) => *b >= Value::Bool(true),
            (Op::Truthy, Op::Lt) => *b <= Value::Bool(true),
            (Op::Truthy, Op::Le) => *b <= Value::Bool(false),
            _ => false,
        }
    }
}

impl Op {
    fn holds(self, left: &Value, right: &Value) -> bool {
        match self {
            Op::Eq => Cmp::Eq.holds(left, right),
            Op::Ne => Cmp::Ne.holds(left, right),
            Op::Lt => Cmp::Lt.holds(left, right),
            Op::Le => Cmp::Le.holds(left, right),
            Op::Gt => Cmp::Gt.holds(left, right),
            Op::Ge => Cmp::Ge.holds(left, right),
            Op::Truthy => left.truthy(),
            Op::Falsy => !left.truthy(),
        }
    }

    /// The comparison that holds where this one does not.
    #[must_use]
    pub fn negated(self) -> Op {
        match self {
            Op::Eq => Op::Ne,
            Op::Ne => Op::Eq,
            Op::Lt => Op::Ge,
            Op::Le => Op::Gt,
            Op::Gt => Op::Le,
            Op::Ge => Op::Lt,
            Op::Truthy => Op::Falsy,
            Op::Falsy => Op::Truthy,
        }
    }

    /// The comparison with its sides exchanged.
    #[must_use]
    pub fn flipped(self) -> Op {
        match self {
            Op::Lt => Op::Gt,
            Op::Le => Op::Ge,
            Op::Gt => Op::Lt,
            Op::Ge => Op::Le,
            same => same,
        }
    }
}

impl fmt::Display for Analysis {
    /// A line for each row; `<-` made of, `=` copied from, `if` decided by, `#` only the shape.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.outputs {
            write!(f, "{}", Shown(&row.pointer))?;
            match &row.copy {
                Some(copy) => write!(f, " = {}", Shown(copy))?,
                None if row.deps.is_empty() => f.write_str(" const")?,
                None => write!(f, " <-{}", row.deps)?,
            }
            if !row.ctl.is_empty() {
                write!(f, " if{}", row.ctl)?;
            }
            if row.injective && row.copy.is_none() {
                f.write_str(" injective")?;
            }
            if row.nondet {
                f.write_str(" nondet")?;
            }
            writeln!(f)?;
        }
        if let Some(rest) = &self.rest {
            f.write_str("rest")?;
            if !rest.except.is_empty() {
                f.write_str(" except")?;
                rest.except
                    .iter()
                    .try_for_each(|pointer| write!(f, " {}", Shown(pointer)))?;
            }
            if !rest.ctl.is_empty() {
                write!(f, " if{}", rest.ctl)?;
            }
            writeln!(f)?;
        }
        if self.whole {
            writeln!(f, "whole")?;
        }
        for (title, sources) in [("empty by", &self.emptiness), ("fails by", &self.failure)] {
            if !sources.is_empty() {
                writeln!(f, "{title}{sources}")?;
            }
        }
        if self.multiplicity != Multiplicity::default() {
            writeln!(f, "outputs {}", self.multiplicity)?;
        }
        for (title, condition) in [("where", &self.condition), ("guard", &self.guard)] {
            if !condition.conjuncts.is_empty() {
                writeln!(f, "{title} {condition}")?;
            }
        }
        if let Some(key) = &self.key {
            f.write_str("key")?;
            key.parts.iter().try_for_each(|part| write!(f, " {part}"))?;
            writeln!(f, "{}", if key.injective { " injective" } else { "" })?;
        }
        Ok(())
    }
}

/// A pointer, or `.` for the root, whose text is empty.
struct Shown<'p>(&'p Pointer);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_root() {
            f.write_str(".")
        } else {
            self.0.fmt(f)
        }
    }
}

impl fmt::Display for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fields
            .iter()
            .try_for_each(|field| write!(f, " {}", Shown(field)))?;
        self.shapes
            .iter()
            .try_for_each(|shape| write!(f, " #{}", Shown(shape)))?;
        self.context
            .iter()
            .try_for_each(|read| write!(f, " {read}"))
    }
}

impl fmt::Display for ContextRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.variable.name(), self.pointer)
    }
}

impl fmt::Display for Multiplicity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.may_be_none, self.may_be_many) {
            (false, false) => "1",
            (true, false) => "0..1",
            (false, true) => "1..",
            (true, true) => "0..",
        })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, conjunct) in self.conjuncts.iter().enumerate() {
            write!(f, "{}{conjunct}", if at == 0 { "" } else { " and " })?;
        }
        f.write_str(if self.complete { "" } else { " and more" })
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let op = match self.op {
            Op::Eq => "==",
            Op::Ne => "!=",
            Op::Lt => "<",
            Op::Le => "<=",
            Op::Gt => ">",
            Op::Ge => ">=",
            Op::Truthy => return write!(f, "{}", self.left),
            Op::Falsy => return write!(f, "not {}", self.left),
        };
        write!(f, "{} {op} {}", self.left, self.right)
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operand::Field(pointer) => Shown(pointer).fmt(f),
            Operand::Context(read) => read.fmt(f),
            Operand::Constant(value) => value.fmt(f),
        }
    }
}
