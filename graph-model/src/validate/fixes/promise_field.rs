//! Makes sure of a field that somebody needs.

use std::sync::Arc;

use super::{Placed, fix, insert_before, kind_that, title_of};
use crate::catalog::Behaviour;
use crate::document::{EventType, Node};
use crate::edit::Edit;
use crate::id::Id;
use crate::pointer::Pointer;
use crate::schema::Types;
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::{Facts, Promised};
use crate::value;
use crate::value::{Object, Value};

/// The field is required in the event types of its senders, or a mediator in front of the reader
/// makes it. `types` are what the reader takes.
pub(in crate::validate) fn promise_field(
    facts: &Facts,
    node: NodeIx,
    field: &Pointer,
    types: Types,
    promised: &Promised,
) -> Vec<Fix> {
    let design = &*facts.design;
    let fits = promised.types.without(types) == Types::NONE;
    let mut fixes = Vec::new();
    if fits {
        let mut edits: Vec<(Id, EventType)> = Vec::new();
        for (_, ty, place) in &promised.by {
            let known = edits.iter().position(|(id, _)| id == ty);
            let changed = match known {
                Some(at) => Some(edits[at].1.clone()),
                None => design.document.types.get(ty).map(|ty| EventType::clone(ty)),
            };
            let required =
                changed.and_then(|changed| with_field(&changed, place, None).map(|new| (ty, new)));
            if let Some((ty, new)) = required {
                match known {
                    Some(at) => edits[at].1 = new,
                    None => edits.push((ty.clone(), new)),
                }
            }
        }
        let names: Vec<&str> = edits.iter().map(|(id, _)| id.as_str()).collect();
        if !edits.is_empty() {
            let title = format!("Require `{field}` in {}", names.join(", "));
            let caution = "events without it no longer fit the type";
            fixes.push(fix(design, title, caution, |build| {
                for (id, ty) in edits {
                    build.edit(Edit::Type(id, Some(Arc::new(ty))));
                }
            }));
        }
    }
    fixes.extend(mediate(facts, node, field, types, promised));
    fixes
}

/// A mediator that fills the field in, or makes a number of it.
fn mediate(
    facts: &Facts,
    node: NodeIx,
    field: &Pointer,
    types: Types,
    promised: &Promised,
) -> Option<Fix> {
    let design = &*facts.design;
    let kind = kind_that(design, |does| matches!(does, Behaviour::Mediate { .. }))?;
    let Behaviour::Mediate { expr, target } = &kind.behaviour else {
        return None;
    };
    // The shape at the reader has to be known as a whole to be made anew.
    let ty = facts.input(node)?.payload.ty.clone()?;
    let wanted = match promised.types & types.without(Types::NULL) {
        Types::NONE => types,
        wanted => wanted,
    };
    // Values of another type are made one of the wanted type, and not only what is missing.
    let converts = promised.types.without(wanted | Types::NULL) != Types::NONE;
    let path = super::identify::path(field)?;
    let (code, default) = match (wanted.has(Types::STRING), wanted.overlaps(Types::NUMBER)) {
        (true, _) if converts => (
            format!("{path} = ({path} // \"unknown\" | tostring)"),
            "string",
        ),
        (true, _) => (format!("{path} //= \"unknown\""), "string"),
        (_, true) if converts => (format!("{path} = (({path} | tonumber?) // 0)"), "number"),
        (_, true) => (format!("{path} //= 0"), "number"),
        _ => return None,
    };
    let declared = design.document.types.get(&ty)?;
    let mut adapted = with_field(declared, field, Some(default))?;
    adapted.title = format!("{}, adapted", title_of(declared, &ty)).into();
    let id = Id::new(format!("{ty}_adapted")).unused(|id| design.document.types.contains_key(id));
    let new = Node::new(kind.id.clone())
        .with(expr, code)
        .with(target, id.as_str());
    let edges = design.nodes[node].ins.clone();
    let title = format!(
        "Put a mediator for `{field}` in front of {}",
        design.title(node)
    );
    let caution = if converts {
        "a made-up value takes the place of one of another type"
    } else {
        "a made-up value takes the place of the missing one"
    };
    Some(fix(design, title, caution, |build| {
        build.edit(Edit::Type(id, Some(Arc::new(adapted))));
        insert_before(design, build, Placed { node, edges }, &"adapt".into(), new);
    }))
}

/// The type with the field required, and of another JSON type where one is given.
pub(super) fn with_field(
    ty: &EventType,
    field: &Pointer,
    shape: Option<&str>,
) -> Option<EventType> {
    let (name, above) = field.tokens().split_last()?;
    let mut place = Pointer::root();
    for token in above {
        place = place.child("properties").child(token.clone());
    }
    let mut ty = ty.clone();
    let object = place.get(&ty.schema)?.as_object()?;
    let mut required: Vec<Value> = object
        .get("required")
        .and_then(Value::as_array)
        .unwrap_or_default()
        .to_vec();
    if !required.iter().any(|held| held.as_str() == Some(name)) {
        required.push(name.as_str().into());
    }
    let properties = object.get("properties").and_then(Value::as_object);
    let mut properties = properties.cloned().unwrap_or_else(Object::new);
    match shape {
        Some(shape) => {
            properties.insert(name.clone(), value!({"type": shape}));
        }
        None if !properties.contains_key(name) => return None,
        None => {}
    }
    let mut schema = std::mem::take(&mut ty.schema);
    place.child("required").set(&mut schema, required.into());
    place
        .child("properties")
        .set(&mut schema, properties.into());
    ty.schema = schema;
    // Nested objects have to be there as well.
    match field.parent().filter(|parent| !parent.is_root()) {
        Some(parent) => with_field(&ty, &parent, None),
        None => Some(ty),
    }
}
