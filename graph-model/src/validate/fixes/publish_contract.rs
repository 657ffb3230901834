//! Publishes a contract at the border of a zone, and keeps what is inside.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{fix, kind_that, title_of};
use crate::catalog::{Behaviour, PortRole};
use crate::document::{EventType, Node};
use crate::edit::Edit;
use crate::id::{Id, PortRef};
use crate::validate::Fix;
use crate::validate::design::EdgeIx;
use crate::validate::facts::Facts;
use crate::value::Value;

/// Wherever events of the type leave its zone, a mediator makes the contract of them.
pub(in crate::validate) fn publish_contract(facts: &Facts, ty: &Id) -> Option<Fix> {
    let design = &*facts.design;
    let held = design.document.types.get(ty)?;
    let owner = Id::from(held.declared.get("owner")?.as_str()?);
    let kind = kind_that(design, |does| matches!(does, Behaviour::Mediate { .. }))?;
    let Behaviour::Mediate { expr, target } = &kind.behaviour else {
        return None;
    };
    let input = kind.inputs.first()?;
    let output = kind
        .outputs
        .iter()
        .find(|port| port.role == PortRole::Data)?;
    let mut leaving: BTreeMap<PortRef, Vec<EdgeIx>> = BTreeMap::new();
    for (number, view) in design.edges.iter().enumerate() {
        let zone = |node: usize| design.nodes[node].node.zone.as_ref();
        let inside = zone(view.from).is_none_or(|zone| *zone == owner);
        let outside = zone(view.to).is_some_and(|zone| *zone != owner);
        let adapts = matches!(design.behaviour(view.to), Some(Behaviour::Mediate { .. }));
        let of_type = || {
            let port = facts.edge(number);
            port.is_some_and(|port| port.payload.ty.as_ref() == Some(ty))
        };
        if inside && outside && !adapts && !view.resource && of_type() {
            let from = view.edge.from.clone();
            leaving.entry(from).or_default().push(number);
        }
    }
    if leaving.is_empty() {
        return None;
    }
    let wished = Id::new(format!("{ty}_contract"));
    let contract = wished.unused(|id| design.document.types.contains_key(id));
    // Who may read what stays said by the type inside: labels go with the values.
    let mut published = EventType {
        labels: BTreeMap::new(),
        ..EventType::clone(held)
    };
    published.title = format!("{}, for others", title_of(held, ty)).into();
    published.declared.insert("contract", Value::Bool(true));
    published.declared.remove("history");
    let title = format!("Publish the contract `{contract}` of `{ty}` to other zones");
    let caution = "it has all fields at first: take out what others need not know";
    Some(fix(design, title, caution, |build| {
        build.edit(Edit::Type(contract.clone(), Some(Arc::new(published))));
        for (from, edges) in leaving {
            let mut new = Node::new(kind.id.clone())
                .with(expr, ".")
                .with(target, contract.as_str());
            new.zone = Some(owner.clone());
            let id = build.add_node(&"publish".into(), new, None);
            for edge in edges {
                build.change_edge(&design.edges[edge].id, |edge| {
                    edge.from = PortRef::new(id.clone(), output.name.clone());
                });
            }
            build.connect(from, PortRef::new(id, input.name.clone()));
        }
    }))
}
