//! Names the fields that are meant for others.

use std::sync::Arc;

use super::identify::path;
use super::{Placed, fix, new_node, put_before};
use crate::document::EventType;
use crate::edit::Edit;
use crate::id::Id;
use crate::pointer::Pointer;
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::Facts;
use crate::value::Value;

/// Only the fields that the type lists reach the node, or the type has no others.
pub(in crate::validate) fn name_fields(facts: &Facts, node: NodeIx, ty: &Id) -> Vec<Fix> {
    [project(facts, node, ty), close(facts, ty)]
        .into_iter()
        .flatten()
        .collect()
}

fn project(facts: &Facts, node: NodeIx, ty: &Id) -> Option<Fix> {
    let design = &*facts.design;
    // What was changed on the way has fields that the type does not list.
    if facts.input(node)?.payload.ty.as_ref() != Some(ty) {
        return None;
    }
    let fields = facts.schema(ty.as_str())?.fields();
    let listed = fields
        .iter()
        .filter(|field| field.pointer.tokens().len() == 1);
    let names = listed.map(|field| Some(path(&field.pointer)?.trim_start_matches('.').to_owned()));
    let names = names.collect::<Option<Vec<_>>>()?;
    let edges = design.nodes[node].ins.iter().copied();
    let edges: Vec<_> = edges.filter(|edge| !design.edges[*edge].resource).collect();
    if names.is_empty() || edges.is_empty() {
        return None;
    }
    let new = new_node::map(design, format!("{{{}}}", names.join(", ")))?;
    let title = format!(
        "Hand on only the fields of `{ty}` in front of {}",
        design.title(node)
    );
    let optional = fields.iter().any(|field| !field.required);
    let caution = if optional {
        "fields that are missing become null"
    } else {
        ""
    };
    let at = Placed { node, edges };
    Some(put_before(design, at, "listed", new, title, caution))
}

fn close(facts: &Facts, ty: &Id) -> Option<Fix> {
    let design = &*facts.design;
    let mut closed = EventType::clone(design.document.types.get(ty)?);
    let others = Pointer::root().child("additionalProperties");
    others.get(&closed.schema)?;
    others.set(&mut closed.schema, Value::Bool(false));
    let title = format!("Let `{ty}` have no other fields");
    let caution = "events with other fields no longer fit the type";
    Some(fix(design, title, caution, |build| {
        build.edit(Edit::Type(ty.clone(), Some(Arc::new(closed))));
    }))
}
