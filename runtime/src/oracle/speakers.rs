//! Nodes that say something else instead of a field, or numbers over many.

use std::sync::Arc;

use graph_model::catalog::{Behaviour, Catalog};
use graph_model::document::{Document, Node};
use graph_model::id::NodeId;
use graph_model::pointer::Pointer;
use graph_model::value::Value;

/// What speaks of a field by leave of the document.
pub(super) struct Speaker {
    pub(super) node: NodeId,
    pub(super) means: Means,
}

pub(super) enum Means {
    /// These fields of what it sends hold tokens.
    Tokens(Vec<Pointer>),
    /// The same, which only some roles may make of secrets.
    Hashes(Vec<Pointer>),
    /// These fields hold numbers over the events of a group.
    Numbers(Vec<Pointer>),
}

impl Speaker {
    /// The node, when it tells numbers over people.
    pub(super) fn counts(&self) -> Option<&NodeId> {
        matches!(&self.means, Means::Numbers(fields) if !fields.is_empty()).then_some(&self.node)
    }
}

/// Nodes that may speak of secrets if a rule lets them.
pub(super) fn speakers(document: &Document, catalog: &Catalog) -> Vec<Speaker> {
    let nodes = document.nodes.iter().filter(|(_, node)| !node.disabled);
    let pointers = |value: Option<&Value>| -> Vec<Pointer> {
        let texts = value.and_then(Value::as_array).unwrap_or_default().iter();
        texts
            .filter_map(|text| Pointer::parse(text.as_str()?).ok())
            .collect()
    };
    let speaker = |(id, node): (&NodeId, &Arc<Node>)| {
        let kind = catalog.get(&node.kind)?;
        let means = match &kind.behaviour {
            Behaviour::Tokenise { fields } => Means::Tokens(pointers(kind.config(node, fields))),
            Behaviour::Redact { fields, .. } => Means::Hashes(pointers(kind.config(node, fields))),
            Behaviour::Aggregate { aggregates, .. } => {
                let columns = kind.config(node, aggregates).and_then(Value::as_array);
                let blurs = columns.unwrap_or_default().iter().filter_map(|column| {
                    let text = |name| column.get(name).and_then(Value::as_str);
                    let function = text("function").unwrap_or("count");
                    BLURS
                        .contains(&function)
                        .then(|| text("name").map(|name| Pointer::root().child(name)))?
                });
                Means::Numbers(blurs.collect())
            }
            _ => return None,
        };
        Some(Speaker {
            node: id.clone(),
            means,
        })
    };
    nodes.filter_map(speaker).collect()
}

/// Functions whose result is nobody's own value.
const BLURS: [&str; 4] = ["count", "sum", "average", "count_distinct"];
