//! Payloads of whatever a node reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use graph_model::catalog::{FieldType, JqRole, KindSpec};
use graph_model::document::Node;
use graph_model::event::{Event, EventContext};
use graph_model::expr::{Expr, Variable};
use graph_model::id::Id;
use graph_model::pointer::Pointer;
use graph_model::value::{Object, Value};
use rand_pcg::Pcg64Mcg;
use smol_str::format_smolstr;

use super::below;
use crate::simulate::{EPOCH_MS, Fact};

/// The fields that a node reads, and whether they are keys.
pub(super) struct Payloads(BTreeMap<Pointer, bool>);

impl Payloads {
    pub(super) fn of(node: &Node, kind: &KindSpec) -> Payloads {
        let mut read = BTreeMap::new();
        for field in &kind.config {
            let is_key = matches!(field.ty, FieldType::Jq { role: JqRole::Key });
            let mut codes = Vec::new();
            if let Some(value) = node.config.get(&field.name) {
                texts(value, &mut codes);
            }
            let exprs = codes
                .into_iter()
                .filter_map(|code| Expr::compile_with(code, &Variable::ALL).ok());
            for expr in exprs {
                for place in &expr.analysis().reads.fields {
                    let whole = place.tokens().iter().any(|token| token == "*");
                    if !place.is_root() && !whole {
                        *read.entry(place.clone()).or_default() |= is_key;
                    }
                }
            }
        }
        Payloads(read)
    }

    /// One to so many facts, one after the other. Keys have one of two values; other fields are
    /// numbers in most cases, and texts in some.
    pub(super) fn facts(&self, chance: &mut Pcg64Mcg, most: usize) -> Vec<Fact> {
        let texts: Vec<bool> = self.0.iter().map(|_| below(chance, 5) == 0).collect();
        let count = 2 + below(chance, most - 1);
        let facts = (0..count).map(|number| {
            let mut data = Value::from(Object::new());
            for ((place, is_key), is_text) in self.0.iter().zip(&texts) {
                let value = match (is_key, is_text) {
                    (true, _) => Value::from(format!("k{}", below(chance, 2))),
                    (false, true) => Value::from(format!("t{}", below(chance, 3))),
                    (false, false) => Value::Int(below(chance, 9) as i64 - 2),
                };
                place.set(&mut data, value);
            }
            let context = EventContext {
                id: format_smolstr!("f{number}"),
                source: "/facts".into(),
                ty: "fact".into(),
                time_ms: EPOCH_MS + number as i64 * 1_000,
                ..EventContext::default()
            };
            Fact {
                source: Id::new("facts"),
                at_us: number as u64 * 10_000,
                event: Event {
                    context: Arc::new(context),
                    data,
                },
            }
        });
        facts.collect()
    }
}

fn texts<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::Str(text) => found.push(text),
        Value::Arr(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Obj(object) => object.values().for_each(|item| texts(item, found)),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => {}
    }
}
