//! What the expressions of a flow read, where no event type says what there is.

use std::collections::{BTreeMap, BTreeSet};

use graph_model::catalog::{Catalog, FieldType, JqRole};
use graph_model::document::{Document, Node};
use graph_model::expr::{Comparison, Expr, Op, Operand, Variable};
use graph_model::pointer::Pointer;
use graph_model::value::Value;

use crate::functions::cache_key;
use crate::simulate::EPOCH_MS;

/// What is known of a field that some expression reads.
#[derive(Default)]
pub(crate) struct Read {
    /// Whether keys are made of it.
    pub is_key: bool,
    /// Values for which some condition holds.
    pub wanted: Vec<Value>,
}

/// Fields that the expressions of a flow read.
pub(super) fn read(document: &Document, catalog: &Catalog) -> BTreeMap<Pointer, Read> {
    let mut all: BTreeMap<Pointer, Read> = BTreeMap::new();
    for node in document.nodes.values() {
        for (role, expr) in expressions(node, catalog) {
            let is_key = role == Some(JqRole::Key);
            let asks = role == Some(JqRole::Predicate);
            let analysis = expr.analysis();
            for field in &analysis.reads.fields {
                if !field.is_root() {
                    all.entry(field.clone()).or_default().is_key |= is_key;
                }
            }
            let conditions = analysis.condition.conjuncts.iter();
            // A field alone is a condition only where one is asked for.
            let conditions = conditions
                .filter(|one| !is_key && (asks || !matches!(one.op, Op::Truthy | Op::Falsy)));
            for comparison in conditions {
                if let Some((field, value)) = satisfied(comparison) {
                    let read = all.entry(field.clone()).or_default();
                    if !read.wanted.contains(&value) {
                        read.wanted.push(value);
                    }
                }
            }
        }
    }
    all
}

/// Fields of which a node makes keys, its code too.
pub(crate) fn keys_of(node: &Node, catalog: &Catalog) -> BTreeSet<Pointer> {
    let mut keys = BTreeSet::new();
    for (role, expr) in expressions(node, catalog) {
        if role == Some(JqRole::Key) {
            keys.extend(expr.analysis().reads.fields.iter().cloned());
        }
    }
    let cache = cache_key(node).and_then(|code| Expr::compile(code).ok());
    keys.extend(
        cache
            .iter()
            .flat_map(|key| key.analysis().reads.fields.clone()),
    );
    keys
}

/// The expressions of a node, with what they are for where a field says it.
fn expressions(node: &Node, catalog: &Catalog) -> Vec<(Option<JqRole>, Expr)> {
    let mut all = Vec::new();
    let kind = catalog.get(&node.kind);
    for field in kind.iter().flat_map(|kind| &kind.config) {
        let role = match field.ty {
            FieldType::Jq { role } => Some(role),
            _ => None,
        };
        let Some(value) = node.config.get(&field.name) else {
            continue;
        };
        let mut codes = Vec::new();
        texts(value, &mut codes);
        let compiled = codes
            .into_iter()
            .filter_map(|code| Expr::compile(code).ok());
        all.extend(compiled.map(|expr| (role, expr)));
    }
    all
}

/// A value of the field for which a comparison holds.
fn satisfied(comparison: &Comparison) -> Option<(&Pointer, Value)> {
    let (field, op, value) = match (&comparison.left, &comparison.right) {
        (Operand::Field(field), Operand::Constant(value)) => (field, comparison.op, value),
        (Operand::Constant(value), Operand::Field(field)) => {
            (field, comparison.op.flipped(), value)
        }
        // A little later than the time at which runs begin.
        (Operand::Field(field), Operand::Context(context)) if context.variable == Variable::Now => {
            return (!field.is_root()).then_some((field, Value::Int(EPOCH_MS / 1_000 + 1_800)));
        }
        _ => return None,
    };
    if field.is_root() {
        return None;
    }
    let shifted = |by: i64| match value {
        Value::Int(number) => Some(Value::Int(number.saturating_add(by))),
        Value::Float(number) => Some(Value::Float(number + by as f64)),
        _ => None,
    };
    let value = match op {
        Op::Eq | Op::Le | Op::Ge => value.clone(),
        Op::Gt => shifted(1)?,
        Op::Lt => shifted(-1)?,
        Op::Truthy => Value::Bool(true),
        Op::Falsy => Value::Bool(false),
        Op::Ne => return None,
    };
    Some((field, value))
}

fn texts<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::Str(text) => found.push(text),
        Value::Arr(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Obj(object) => object.values().for_each(|item| texts(item, found)),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => {}
    }
}
