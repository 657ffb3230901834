//! Whether a wire may go from one port to another, and in plain words why not.

use std::collections::BTreeSet;

use graph_model::catalog::{Behaviour, Catalog, FieldType, PortRole};
use graph_model::document::{Document, Node};
use graph_model::expr::Expr;
use graph_model::id::{EdgeId, Id, NodeId, PortRef};
use graph_model::pointer::Pointer;
use graph_model::schema::{Declared, Schema};
use graph_model::value::Value;

/// Nodes that are walked through to learn the type of an event.
const WALK_MAX: usize = 200;

/// Why a wire should not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) reason: String,
    /// The person may know better: it can be drawn anyway.
    pub(super) doubtful: bool,
}

impl Refusal {
    pub(super) fn never(reason: impl Into<String>) -> Refusal {
        Refusal {
            reason: reason.into(),
            doubtful: false,
        }
    }
}

/// Why an output should not feed an input; `moving` is a wire that makes room.
pub(super) fn refusal(
    document: &Document,
    catalog: &Catalog,
    from: &PortRef,
    to: &PortRef,
    moving: Option<&EdgeId>,
) -> Option<Refusal> {
    if from.node == to.node {
        return Some(Refusal::never("a node cannot feed itself"));
    }
    let twin = document
        .edges
        .iter()
        .any(|(id, edge)| Some(id) != moving && edge.from == *from && edge.to == *to);
    if twin {
        return Some(Refusal::never("these two are joined already"));
    }
    let target = document.nodes.get(&to.node)?;
    let kind = catalog.get(&target.kind)?;
    let port = kind
        .inputs_of(target)
        .into_iter()
        .find(|port| port.name == to.port)?;
    if port.role == PortRole::Reply && kind.config(target, "respond") != Some(&Value::str("reply"))
    {
        return Some(Refusal::never(format!(
            "{} does not wait for a reply; set its field Respond to `reply` first",
            document.node_title(&to.node)
        )));
    }
    let ty = event_type(document, catalog, from)?;
    let schema = Schema::new(&document.types.get(&ty)?.schema);
    let missing = reads(catalog, target)
        .into_iter()
        .find(|read| schema.declared(read) == Declared::NotListed)?;
    let field = format!(".{}", missing.tokens().join("."));
    let title = &document.types[&ty].title;
    let name = if title.is_empty() {
        ty.as_str()
    } else {
        title.as_str()
    };
    Some(Refusal {
        reason: format!(
            "{} reads {field}, which events of type {name} do not have; hold Shift to connect anyway",
            document.node_title(&to.node)
        ),
        doubtful: true,
    })
}

/// The declared type of the events that leave a port, as far as every node on the way keeps it.
fn event_type(document: &Document, catalog: &Catalog, port: &PortRef) -> Option<Id> {
    let mut seen: BTreeSet<NodeId> = BTreeSet::new();
    let mut waiting = vec![port.clone()];
    let mut found: Option<Id> = None;
    while let Some(port) = waiting.pop() {
        if !seen.insert(port.node.clone()) {
            continue;
        }
        if seen.len() > WALK_MAX {
            return None;
        }
        let node = document.nodes.get(&port.node)?;
        let kind = catalog.get(&node.kind)?;
        let ordinary = kind
            .outputs_of(node)
            .iter()
            .any(|output| output.name == port.port && output.role == PortRole::Data);
        if !ordinary {
            return None;
        }
        let declared = match &kind.behaviour {
            Behaviour::Source { ty, .. }
            | Behaviour::Changes { ty }
            | Behaviour::Mediate { target: ty, .. } => Some(Id::new(node.config_str(ty)?)),
            Behaviour::Opaque { ty, types, .. } => {
                let types = types.as_ref().and_then(|types| node.config.get(types));
                let own = types.and_then(|types| types.get(&port.port));
                let all = ty.as_ref().and_then(|ty| node.config_str(ty));
                Some(Id::new(own.and_then(Value::as_str).or(all)?))
            }
            Behaviour::Queue { .. }
            | Behaviour::Topic
            | Behaviour::Log { .. }
            | Behaviour::Filter { .. }
            | Behaviour::Route { .. }
            | Behaviour::Merge
            | Behaviour::Repartition { .. }
            | Behaviour::Dedupe { .. }
            | Behaviour::Guard { .. } => None,
            _ => return None,
        };
        match declared {
            Some(ty) if found.as_ref().is_some_and(|found| *found != ty) => return None,
            Some(ty) => found = Some(ty),
            None => waiting.extend(
                document
                    .edges
                    .values()
                    .filter(|edge| edge.to.node == port.node)
                    .map(|edge| edge.from.clone()),
            ),
        }
    }
    found
}

/// Fields of the event that the node's configuration reads.
fn reads(catalog: &Catalog, node: &Node) -> Vec<Pointer> {
    let Some(kind) = catalog.get(&node.kind) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for field in &kind.config {
        let value = node.config.get(&field.name);
        match (&field.ty, value) {
            (FieldType::Jq { .. }, Some(Value::Str(code))) => found.extend(read_by(code)),
            (FieldType::JqTable { .. }, Some(Value::Obj(table))) => {
                found.extend(table.values().filter_map(Value::as_str).flat_map(read_by));
            }
            (FieldType::Pointer, Some(Value::Str(pointer))) => {
                found.extend(Pointer::parse(pointer).ok());
            }
            _ => {}
        }
    }
    found.retain(|pointer| !pointer.is_root());
    found
}

fn read_by(code: &str) -> Vec<Pointer> {
    Expr::compile(code)
        .map(|expr| expr.analysis().reads.fields.iter().cloned().collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use graph_model::format;

    use super::*;

    #[test]
    fn wires_that_cannot_be_are_refused_with_a_reason() {
        let flow = r#"{"version":1,
            "types":{"greeting":{"title":"Greeting","schema":{"type":"object",
                "properties":{"name":{"type":"string"}}}}},
            "nodes":{
                "hello":{"kind":"http","config":{"event_type":"greeting"}},
                "asked":{"kind":"http","config":{"respond":"reply"}},
                "any":{"kind":"merge"},
                "named":{"kind":"filter","config":{"when":".name != null"}},
                "dear":{"kind":"filter","title":"Dear ones","config":{"when":".total > 10"}},
                "wall":{"kind":"view"}},
            "edges":{
                "a":{"from":"hello.out","to":"any.in"},
                "b":{"from":"any.out","to":"wall.in"}}}"#;
        let document = format::open(flow.as_bytes()).expect("reads").document;
        let catalog = Catalog::bundled();
        let wall = EdgeId::from("b");
        for (from, to, moving, expected) in [
            ("hello.out", "named.in", None, None),
            ("any.out", "any.in", None, Some("a node cannot feed itself")),
            (
                "any.out",
                "wall.in",
                None,
                Some("these two are joined already"),
            ),
            ("any.out", "wall.in", Some(&wall), None),
            ("named.out", "asked.reply", None, None),
            (
                "named.out",
                "hello.reply",
                None,
                Some("hello does not wait for a reply; set its field Respond to `reply` first"),
            ),
            (
                "any.out",
                "dear.in",
                None,
                Some(
                    "Dear ones reads .total, which events of type Greeting do not have; \
                     hold Shift to connect anyway",
                ),
            ),
            ("asked.out", "dear.in", None, None),
            ("named.failed", "dear.in", None, None),
        ] {
            let port = |text: &str| PortRef::parse(text).expect("port");
            let refused = refusal(&document, catalog, &port(from), &port(to), moving);
            assert_eq!(
                refused.as_ref().map(|refusal| refusal.reason.as_str()),
                expected,
                "{from} {to}"
            );
        }
    }
}
