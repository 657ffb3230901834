//! What an expression reads, and which of it reaches which part of the output.

use std::collections::BTreeSet;

use super::Variable;
use super::ops::Cmp;
use super::tree::Node;
use crate::pointer::Pointer;
use crate::value::Value;

/// What an expression does with an event, without running it: a sound over-approximation.
///
/// A field that is named nowhere in the flow of an output never changes that output. In pointers
/// to the input and the output `*` stands for every element of an array or an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Analysis {
    /// Everything that is read, in whatever way.
    pub reads: Sources,
    /// Parts of the output and where they come from. What holds for a pointer holds for all below
    /// it, together with the rows for what lies below.
    pub outputs: Vec<OutputFlow>,
    /// Everything else of the input stays at its place in the output.
    pub rest: Option<Rest>,
    /// Nothing more precise is known than that any input may reach anything.
    pub whole: bool,
    /// What decides whether there is an output, and how many.
    pub emptiness: Sources,
    /// What decides whether the evaluation fails.
    pub failure: Sources,
    pub multiplicity: Multiplicity,
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
    let mut context = BTreeSet::new();
    for variable in variables {
        context.insert(ContextRead {
            variable: *variable,
            pointer: Pointer::root(),
        });
    }
    let all = Sources {
        fields: BTreeSet::from([Pointer::root()]),
        shapes: BTreeSet::new(),
        context,
    };
    let nondet = node.any(&|node| matches!(node, Node::Global(Variable::Now)));
    Analysis {
        reads: all.clone(),
        outputs: vec![OutputFlow {
            pointer: Pointer::root(),
            deps: all.clone(),
            ctl: Sources::default(),
            copy: None,
            injective: false,
            nondet,
        }],
        rest: None,
        whole: true,
        emptiness: all.clone(),
        failure: all.clone(),
        multiplicity: Multiplicity {
            may_be_none: true,
            may_be_many: true,
        },
        condition: Condition {
            fields: all,
            conjuncts: Vec::new(),
            complete: false,
        },
        guard: Condition::default(),
        key: None,
        variables: variables.to_vec(),
    }
}
