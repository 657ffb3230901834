//! Version 1 of the file: how each part of a document is spelt.
//!
//! Reading takes known fields out of an object and keeps the rest as `extra`; a known field of the
//! wrong shape is noted and kept too, so that saving never loses what somebody wrote.

mod annotations;
mod fields;
mod types;

use self::annotations::{read_annotations, write_annotations};
use self::fields::{
    Fields, merge, put_entries, put_flag, put_ids, put_object, put_text, put_texts,
};
use self::types::{read_type, write_type};
use crate::document::{
    Document, Edge, Meta, Node, Note as NoteCard, Placement, Principal, Role, Section, WhenFull,
    Zone,
};
use crate::format::{Note, SCHEMA_URI, VERSION};
use crate::id::{Id, PortRef};
use crate::pointer::Pointer;
use crate::value::{Object, Value};

/// Order of the file's top-level keys; keys of later versions come last.
pub(super) fn rank(key: &str) -> usize {
    const ORDER: [&str; 18] = [
        "$schema",
        "version",
        "title",
        "description",
        "zones",
        "roles",
        "principals",
        "types",
        "nodes",
        "edges",
        "releases",
        "providers",
        "budgets",
        "workloads",
        "tests",
        "notes",
        "",
        "layout",
    ];
    ORDER.iter().position(|known| *known == key).unwrap_or(16)
}

pub(super) fn read(file: &Object) -> (Document, Vec<Note>) {
    let mut notes = Vec::new();
    let mut top = Fields::new(file.clone(), Pointer::root(), &mut notes);
    let document = Document {
        nodes: top.entries("nodes", read_node),
        edges: top.entries("edges", read_edge),
        zones: top.entries("zones", |fields| {
            Some(Zone {
                title: fields.text("title"),
                purpose: fields.text("purpose"),
                extra: fields.rest(),
            })
        }),
        roles: top.entries("roles", |fields| {
            Some(Role {
                title: fields.text("title"),
                external: fields.flag("external"),
                extra: fields.rest(),
            })
        }),
        principals: top.entries("principals", |fields| {
            Some(Principal {
                title: fields.text("title"),
                roles: fields.texts("roles").into_iter().map(Id::new).collect(),
                claims: fields.object("claims"),
                grants: fields.texts("grants"),
                extra: fields.rest(),
            })
        }),
        types: top.entries("types", read_type),
        notes: top.entries("notes", |fields| {
            Some(NoteCard {
                text: fields.text("text"),
                extra: fields.rest(),
            })
        }),
        layout: top.plain_entries("layout", read_placement),
        sections: Section::ALL
            .into_iter()
            .map(|section| {
                (
                    section,
                    top.plain_entries(section.key(), |value| Some(value.clone())),
                )
            })
            .filter(|(_, entries)| !entries.is_empty())
            .collect(),
        meta: {
            top.take("$schema");
            top.take("version");
            Meta {
                title: top.text("title"),
                description: top.text("description"),
                extra: top.rest(),
            }
        },
    };
    (document, notes)
}

pub(super) fn write(document: &Document) -> Value {
    let mut top = document.meta.extra.clone();
    top.insert("$schema", SCHEMA_URI);
    top.insert("version", VERSION);
    put_text(&mut top, "title", &document.meta.title);
    put_text(&mut top, "description", &document.meta.description);
    put_entries(&mut top, "zones", &document.zones, |zone| {
        let mut out = zone.extra.clone();
        put_text(&mut out, "title", &zone.title);
        put_text(&mut out, "purpose", &zone.purpose);
        out
    });
    put_entries(&mut top, "roles", &document.roles, |role| {
        let mut out = role.extra.clone();
        put_text(&mut out, "title", &role.title);
        put_flag(&mut out, "external", role.external);
        out
    });
    put_entries(&mut top, "principals", &document.principals, |principal| {
        let mut out = principal.extra.clone();
        put_text(&mut out, "title", &principal.title);
        put_ids(&mut out, "roles", &principal.roles);
        put_object(&mut out, "claims", &principal.claims);
        put_texts(&mut out, "grants", &principal.grants);
        out
    });
    put_entries(&mut top, "types", &document.types, write_type);
    put_entries(&mut top, "nodes", &document.nodes, write_node);
    if !top.contains_key("nodes") {
        top.insert("nodes", Object::new());
    }
    put_entries(&mut top, "edges", &document.edges, write_edge);
    for (section, entries) in &document.sections {
        let entries: Object = entries
            .iter()
            .map(|(id, value)| (id.as_str(), value.clone()))
            .collect();
        merge(&mut top, section.key(), entries);
    }
    put_entries(&mut top, "notes", &document.notes, |note| {
        let mut out = note.extra.clone();
        put_text(&mut out, "text", &note.text);
        out
    });
    let layout: Object = document
        .layout
        .iter()
        .map(|(id, place)| (id.as_str(), write_placement(*place)))
        .collect();
    merge(&mut top, "layout", layout);
    Value::from(top)
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "readers of sections share one shape"
)]
fn read_node(fields: &mut Fields) -> Option<Node> {
    Some(Node {
        kind: fields.text("kind"),
        title: fields.text("title"),
        zone: fields.optional_text("zone").map(Id::new),
        config: fields.object("config"),
        disabled: fields.flag("disabled"),
        notes: read_annotations(fields),
        extra: fields.rest(),
    })
}

fn write_node(node: &Node) -> Object {
    let mut out = node.extra.clone();
    put_text(&mut out, "kind", &node.kind);
    put_text(&mut out, "title", &node.title);
    if let Some(zone) = &node.zone {
        out.insert("zone", zone.as_str());
    }
    put_object(&mut out, "config", &node.config);
    put_flag(&mut out, "disabled", node.disabled);
    write_annotations(&mut out, &node.notes);
    out
}

fn read_edge(fields: &mut Fields) -> Option<Edge> {
    let mut end = |name: &str| {
        let text = fields.text(name);
        let port = PortRef::parse(&text);
        if port.is_none() {
            fields.note(
                name,
                format!("an edge needs `{name}` as `node.port`, found `{text}`"),
            );
        }
        port
    };
    let (from, to) = (end("from"), end("to"));
    Some(Edge {
        from: from?,
        to: to?,
        capacity: fields
            .whole("capacity")
            .and_then(|number| u32::try_from(number).ok()),
        when_full: match fields.optional_text("when_full").as_deref() {
            Some("drop_oldest") => WhenFull::DropOldest,
            Some("dead_letter") => WhenFull::DeadLetter,
            _ => WhenFull::Block,
        },
        notes: read_annotations(fields),
        extra: fields.rest(),
    })
}

fn write_edge(edge: &Edge) -> Object {
    let mut out = edge.extra.clone();
    out.insert("from", edge.from.to_string());
    out.insert("to", edge.to.to_string());
    if let Some(capacity) = edge.capacity {
        out.insert("capacity", capacity);
    }
    match edge.when_full {
        WhenFull::Block => None,
        WhenFull::DropOldest => out.insert("when_full", "drop_oldest"),
        WhenFull::DeadLetter => out.insert("when_full", "dead_letter"),
    };
    write_annotations(&mut out, &edge.notes);
    out
}

fn read_placement(value: &Value) -> Option<Placement> {
    let number = |index: usize| {
        let number = value.as_array()?.get(index)?.as_f64()?;
        (number.abs() < 1e7).then_some(number.round() as i32)
    };
    let size = |index: usize| number(index).and_then(|number| u32::try_from(number).ok());
    Some(Placement {
        x: number(0)?,
        y: number(1)?,
        size: size(2).zip(size(3)),
    })
}

fn write_placement(place: Placement) -> Value {
    let mut numbers = vec![Value::from(place.x), Value::from(place.y)];
    if let Some((width, height)) = place.size {
        numbers.extend([Value::from(width), Value::from(height)]);
    }
    Value::from(numbers)
}
