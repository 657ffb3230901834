//! Makes a field fit to be a key: there in every event, of one type, in one spelling.

use std::sync::Arc;

use super::bring_up::described_at;
use super::identify::path;
use super::{Placed, fix, insert_before, kind_that, new_node};
use crate::catalog::{Behaviour, PortRole};
use crate::document::{EventType, Node};
use crate::edit::Edit;
use crate::id::{Id, PortRef};
use crate::pointer::Pointer;
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::{Facts, Promised};
use crate::validate::rules::schema::Flaw;
use crate::value::Value;

/// The node reads the key in its config field.
pub(in crate::validate) fn settle_key(
    facts: &Facts,
    (node, config): (NodeIx, &str),
    field: &Pointer,
    promised: &Promised,
    flaw: Flaw,
) -> Vec<Fix> {
    let fixes = match flaw {
        Flaw::Missing => [
            set_aside(facts, node, field),
            require(facts, field, promised),
        ],
        Flaw::Types(_) => [compare(facts, node, config, field, "tostring"), None],
        Flaw::Case => [compare(facts, node, config, field, "ascii_downcase"), None],
    };
    fixes.into_iter().flatten().collect()
}

/// Events without the field go where somebody looks at them.
pub(in crate::validate) fn set_aside(facts: &Facts, node: NodeIx, field: &Pointer) -> Option<Fix> {
    let design = &*facts.design;
    let new = new_node::filter(design, format!("{} != null", path(field)?))?;
    let ports = design.kind(&new.kind)?.outputs.iter();
    let rest = ports.filter(|port| port.role == PortRole::Data).nth(1)?;
    let kept = kind_that(design, |does| matches!(does, Behaviour::DeadLetter))?;
    let kept_in = kept.inputs.first()?;
    let edges = design.nodes[node].ins.iter().copied();
    let edges = edges
        .filter(|edge| {
            let port = facts.edge(*edge);
            port.is_some_and(|port| facts.promise(field, port).is_some())
        })
        .collect::<Vec<_>>();
    let first = design.edges[*edges.first()?].input;
    let one_input = edges.iter().all(|edge| {
        let view = &design.edges[*edge];
        view.input == first && !view.resource
    });
    if !one_input {
        return None;
    }
    let title = format!(
        "Set events without `{field}` aside in front of {}",
        design.title(node)
    );
    let caution = "somebody has to look at what is set aside";
    Some(fix(design, title, caution, |build| {
        let wished: Id = "with_key".into();
        let filter = insert_before(design, build, Placed { node, edges }, &wished, new);
        let aside = build.add_node(&"without_key".into(), Node::new(kept.id.clone()), None);
        if let Some(filter) = filter {
            build.connect(
                PortRef::new(filter, rest.name.clone()),
                PortRef::new(aside, kept_in.name.clone()),
            );
        }
    }))
}

/// Every event has the field, and it is not null.
fn require(facts: &Facts, field: &Pointer, promised: &Promised) -> Option<Fix> {
    let design = &*facts.design;
    let mut changed: Vec<(Id, EventType)> = Vec::new();
    for (_, ty, place) in &promised.by {
        let known = changed.iter().position(|(id, _)| id == ty);
        let held = match known {
            Some(at) => changed[at].1.clone(),
            None => EventType::clone(design.document.types.get(ty)?),
        };
        let new = never_null(super::promise_field::with_field(&held, place, None)?, place);
        match known {
            Some(at) => changed[at].1 = new,
            None => changed.push((ty.clone(), new)),
        }
    }
    let names: Vec<&str> = changed.iter().map(|(id, _)| id.as_str()).collect();
    let title = format!("Require `{field}` in {}", names.join(", "));
    let caution = "events without it no longer fit the type";
    Some(fix(design, title, caution, |build| {
        for (id, ty) in changed {
            build.edit(Edit::Type(id, Some(Arc::new(ty))));
        }
    }))
}

/// The type without null among the types of a field.
fn never_null(mut ty: EventType, field: &Pointer) -> EventType {
    let place = described_at(field).child("type");
    let types = place.get(&ty.schema).and_then(Value::as_array);
    if let Some(types) = types {
        let left: Vec<Value> = types
            .iter()
            .filter(|name| name.as_str() != Some("null"))
            .cloned()
            .collect();
        let left = match &left[..] {
            [one] => one.clone(),
            _ => left.into(),
        };
        place.set(&mut ty.schema, left);
    }
    ty
}

/// The key is compared as this filter writes it.
fn compare(
    facts: &Facts,
    node: NodeIx,
    config: &str,
    field: &Pointer,
    filter: &str,
) -> Option<Fix> {
    let design = &*facts.design;
    let (code, own) = (design.text(node, config)?, path(field)?);
    let new = if code.trim() == own {
        format!("{own} | {filter}")
    } else {
        // In a list of fields, each is a word of its own.
        let inside = code.trim().strip_prefix('[')?.strip_suffix(']')?;
        let parts = inside.split(',').map(str::trim);
        let parts: Vec<String> = parts
            .map(|part| {
                if part == own {
                    format!("({own} | {filter})")
                } else {
                    part.to_owned()
                }
            })
            .collect();
        format!("[{}]", parts.join(", "))
    };
    let title = format!("Give {} the key `{new}`", design.title(node));
    let caution = "other nodes that use the field have to write it the same way";
    Some(fix(design, title, caution, |build| {
        build.set_config(&design.nodes[node].id, config, Some(new.into()));
    }))
}
