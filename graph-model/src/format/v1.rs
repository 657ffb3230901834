//! Version 1 of the file: how each part of a document is spelt.
//!
//! Reading takes known fields out of an object and keeps the rest as `extra`; a known field of the
//! wrong shape is noted and kept too, so that saving never loses what somebody wrote.

use std::collections::BTreeMap;
use std::sync::Arc;

use smol_str::SmolStr;

use crate::document::{
    Acceptance, Adds, Annotations, Assumption, Audience, Dependency, Document, Edge, EventType,
    Measure, Meta, Node, Note as NoteCard, Placement, Principal, Role, RowFilter, Section,
    WhenFull, Zone,
};
use crate::format::{Note, SCHEMA_URI, VERSION};
use crate::id::{Id, PortRef};
use crate::label::{Clause, Label};
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

fn read_annotations(fields: &mut Fields) -> Annotations {
    Annotations {
        audience: fields.nested("audience", read_audience),
        side_audiences: fields
            .entries("side_audiences", |fields| Some(read_audience(fields)))
            .into_iter()
            .map(|(name, audience)| (SmolStr::from(name.as_str()), Arc::unwrap_or_clone(audience)))
            .collect(),
        runs_as: fields.optional_text("runs_as").map(Id::new),
        assumptions: fields
            .entries("assumptions", |fields| {
                Some(Assumption {
                    reason: fields.text("reason"),
                    extra: fields.rest(),
                })
            })
            .into_iter()
            .map(|(name, claim)| (SmolStr::from(name.as_str()), Arc::unwrap_or_clone(claim)))
            .collect(),
        declared: fields.object("declared"),
        accepted: read_accepted(fields),
    }
}

fn read_accepted(fields: &mut Fields) -> BTreeMap<SmolStr, Acceptance> {
    let accepted = fields.entries("accepted", |fields| {
        Some(Acceptance {
            reason: fields.text("reason"),
            by: fields.text("by"),
            until: fields.optional_text("until"),
            extra: fields.rest(),
        })
    });
    let by_code = |(code, acceptance): (Id, _)| {
        let code = SmolStr::from(code.as_str());
        (code, Arc::unwrap_or_clone(acceptance))
    };
    accepted.into_iter().map(by_code).collect()
}

fn write_annotations(out: &mut Object, notes: &Annotations) {
    if let Some(audience) = &notes.audience {
        out.insert("audience", write_audience(audience));
    }
    let sides: Object = notes
        .side_audiences
        .iter()
        .map(|(name, audience)| (name.clone(), write_audience(audience)))
        .collect();
    merge(out, "side_audiences", sides);
    if let Some(principal) = &notes.runs_as {
        out.insert("runs_as", principal.as_str());
    }
    let assumptions: Object = notes
        .assumptions
        .iter()
        .map(|(name, claim)| {
            let mut entry = claim.extra.clone();
            put_text(&mut entry, "reason", &claim.reason);
            (name.clone(), entry)
        })
        .collect();
    merge(out, "assumptions", assumptions);
    put_object(out, "declared", &notes.declared);
    write_accepted(out, &notes.accepted);
}

fn write_accepted(out: &mut Object, accepted: &BTreeMap<SmolStr, Acceptance>) {
    let entry = |(code, acceptance): (&SmolStr, &Acceptance)| {
        let mut entry = acceptance.extra.clone();
        put_text(&mut entry, "reason", &acceptance.reason);
        put_text(&mut entry, "by", &acceptance.by);
        if let Some(until) = &acceptance.until {
            entry.insert("until", until.clone());
        }
        (code.clone(), entry)
    };
    merge(out, "accepted", accepted.iter().map(entry).collect());
}

fn read_audience(fields: &mut Fields) -> Audience {
    Audience {
        roles: fields.texts("roles").into_iter().map(Id::new).collect(),
        rows: fields
            .texts("rows")
            .into_iter()
            .filter_map(|text| {
                if let Some((claim, Ok(field))) = text
                    .split_once('=')
                    .map(|(claim, field)| (claim.trim(), Pointer::parse(field.trim())))
                {
                    Some(RowFilter {
                        claim: claim.into(),
                        field,
                    })
                } else {
                    fields.note(
                        "rows",
                        format!("a row filter is written `claim = /field`, found `{text}`"),
                    );
                    None
                }
            })
            .collect(),
    }
}

fn write_audience(audience: &Audience) -> Object {
    let mut out = Object::new();
    put_ids(&mut out, "roles", &audience.roles);
    let rows: Vec<Value> = audience
        .rows
        .iter()
        .map(|row| format!("{} = {}", row.claim, row.field).into())
        .collect();
    if !rows.is_empty() {
        out.insert("rows", rows);
    }
    out
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "readers of sections share one shape"
)]
fn read_type(fields: &mut Fields) -> Option<EventType> {
    let mut labels = BTreeMap::new();
    for (pointer, clauses) in fields.object("labels") {
        let Ok(at) = Pointer::parse(&pointer) else {
            fields.note("labels", format!("`{pointer}` is not a JSON pointer"));
            continue;
        };
        let mut label = Label::default();
        for clause in clauses.as_array().unwrap_or_default() {
            match Clause::parse(clause.as_str().unwrap_or_default()) {
                Ok(clause) => {
                    label.0.insert(clause);
                }
                Err(error) => fields.note("labels", error.to_string()),
            }
        }
        labels.insert(at, label);
    }
    let measures = fields.entries("measures", read_measure);
    let measures = measures.into_iter().filter_map(|(field, measure)| {
        let field = Pointer::parse(field.as_str()).ok()?;
        Some((field, Arc::unwrap_or_clone(measure)))
    });
    Some(EventType {
        title: fields.text("title"),
        measures: measures.collect(),
        depends: read_dependencies(fields),
        declared: fields.object("declared"),
        accepted: read_accepted(fields),
        schema: fields.take("schema").unwrap_or_default(),
        labels,
        subject: fields.pointer("subject"),
        tenant: fields.pointer("tenant"),
        id: fields.pointer("id"),
        time: fields.pointer("time"),
        version: fields.pointer("version"),
        extra: fields.rest(),
    })
}

/// Entries whose name is no pointer, or whose `adds` is no known word, stay as they are.
fn read_measure(fields: &mut Fields) -> Option<Measure> {
    let field = fields.at.tokens().last().cloned().unwrap_or_default();
    if Pointer::parse(&field).is_err() {
        fields.note("", format!("`{field}` is not a JSON pointer"));
        return None;
    }
    let adds = match fields.optional_text("adds") {
        None => Adds::Unknown,
        Some(word) => Adds::parse(&word).or_else(|| {
            fields.note(
                "adds",
                format!("`{word}` is none of unknown, always, not_over_time, never"),
            );
            None
        })?,
    };
    let unit = fields.text("unit");
    fields.object.is_empty().then_some(Measure { adds, unit })
}

/// Reads `/country, /zip -> /city`; what is written otherwise is noted and dropped with the list kept.
fn read_dependencies(fields: &mut Fields) -> Vec<Dependency> {
    let read = |value: &Value| {
        let lines = value.as_array()?.iter();
        lines.map(|line| parse_dependency(line.as_str()?)).collect()
    };
    fields
        .take_if("depends", "a list of `/from, /from -> /to`", read)
        .unwrap_or_default()
}

fn parse_dependency(line: &str) -> Option<Dependency> {
    let (from, to) = line.split_once("->")?;
    let pointers = |text: &str| {
        let parts = text.split(',').map(|part| Pointer::parse(part.trim()).ok());
        parts.collect::<Option<Vec<_>>>()
    };
    Some(Dependency {
        from: pointers(from)?,
        to: pointers(to)?,
    })
}

fn write_dependency(dependency: &Dependency) -> Value {
    let list = |pointers: &[Pointer]| {
        let texts: Vec<String> = pointers.iter().map(ToString::to_string).collect();
        texts.join(", ")
    };
    format!("{} -> {}", list(&dependency.from), list(&dependency.to)).into()
}

fn write_measure(measure: &Measure) -> Object {
    let mut out = Object::new();
    if measure.adds != Adds::Unknown {
        out.insert("adds", measure.adds.word());
    }
    put_text(&mut out, "unit", &measure.unit);
    out
}

fn write_type(ty: &EventType) -> Object {
    let mut out = ty.extra.clone();
    put_text(&mut out, "title", &ty.title);
    if ty.schema != Value::Null {
        out.insert("schema", ty.schema.clone());
    }
    let labels: Object = ty
        .labels
        .iter()
        .map(|(pointer, label)| {
            (
                pointer.to_string(),
                label.0.iter().map(ToString::to_string).collect::<Value>(),
            )
        })
        .collect();
    merge(&mut out, "labels", labels);
    let measures: Object = ty
        .measures
        .iter()
        .map(|(field, measure)| (field.to_string(), write_measure(measure)))
        .collect();
    merge(&mut out, "measures", measures);
    if !ty.depends.is_empty() {
        let lines: Value = ty.depends.iter().map(write_dependency).collect();
        out.insert("depends", lines);
    }
    put_object(&mut out, "declared", &ty.declared);
    write_accepted(&mut out, &ty.accepted);
    for (name, pointer) in [
        ("subject", &ty.subject),
        ("tenant", &ty.tenant),
        ("id", &ty.id),
        ("time", &ty.time),
        ("version", &ty.version),
    ] {
        if let Some(pointer) = pointer {
            out.insert(name, pointer.to_string());
        }
    }
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

/// An object on its way into typed fields.
struct Fields<'n> {
    object: Object,
    at: Pointer,
    notes: &'n mut Vec<Note>,
}

impl<'n> Fields<'n> {
    fn new(object: Object, at: Pointer, notes: &'n mut Vec<Note>) -> Fields<'n> {
        Fields { object, at, notes }
    }

    fn note(&mut self, field: &str, message: String) {
        self.notes.push(Note {
            at: self.at.child(field),
            message,
        });
    }

    fn take(&mut self, field: &str) -> Option<Value> {
        self.object.remove(field)
    }

    /// Takes the field when it has the right shape, else notes it and leaves it in place.
    fn take_if<T>(
        &mut self,
        field: &str,
        wanted: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.object.get(field)?;
        if let Some(read) = read(value) {
            self.object.remove(field);
            return Some(read);
        }
        let message = format!(
            "`{field}` should be {wanted}, found {}; kept as it is",
            value.type_name()
        );
        self.note(field, message);
        None
    }

    fn optional_text(&mut self, field: &str) -> Option<SmolStr> {
        self.take_if(field, "a text", |value| value.as_str().map(SmolStr::from))
    }

    fn text(&mut self, field: &str) -> SmolStr {
        self.optional_text(field).unwrap_or_default()
    }

    fn flag(&mut self, field: &str) -> bool {
        self.take_if(field, "true or false", Value::as_bool)
            .unwrap_or(false)
    }

    fn whole(&mut self, field: &str) -> Option<i64> {
        self.take_if(field, "a whole number", Value::as_i64)
    }

    fn object(&mut self, field: &str) -> Object {
        self.take_if(field, "an object", |value| value.as_object().cloned())
            .unwrap_or_default()
    }

    fn texts(&mut self, field: &str) -> Vec<SmolStr> {
        let read = |value: &Value| {
            value
                .as_array()?
                .iter()
                .map(|item| item.as_str().map(SmolStr::from))
                .collect()
        };
        self.take_if(field, "a list of texts", read)
            .unwrap_or_default()
    }

    fn pointer(&mut self, field: &str) -> Option<Pointer> {
        self.take_if(field, "a JSON pointer", |value| {
            Pointer::parse(value.as_str()?).ok()
        })
    }

    fn nested<T>(&mut self, field: &str, read: impl FnOnce(&mut Fields) -> T) -> Option<T> {
        let object = self.take_if(field, "an object", |value| value.as_object().cloned())?;
        let mut fields = Fields::new(object, self.at.child(field), self.notes);
        Some(read(&mut fields))
    }

    /// Entries of a section by id. An entry that cannot be read is noted and stays in the file.
    fn entries<T>(
        &mut self,
        field: &str,
        read: impl Fn(&mut Fields) -> Option<T>,
    ) -> BTreeMap<Id, Arc<T>> {
        let section = self.object(field);
        let at = self.at.child(field);
        let (mut entries, mut kept) = (BTreeMap::new(), Object::new());
        for (id, value) in section {
            let here = at.child(id.clone());
            let Value::Obj(object) = &value else {
                let message = format!(
                    "an entry should be an object, found {}; kept as it is",
                    value.type_name()
                );
                self.notes.push(Note { at: here, message });
                kept.insert(id, value);
                continue;
            };
            match read(&mut Fields::new(Object::clone(object), here, self.notes)) {
                Some(entry) => {
                    entries.insert(Id::new(id), Arc::new(entry));
                }
                None => {
                    kept.insert(id, value);
                }
            }
        }
        if !kept.is_empty() {
            self.object.insert(field, kept);
        }
        entries
    }

    fn plain_entries<T>(
        &mut self,
        field: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> BTreeMap<Id, T> {
        let section = self.object(field);
        let mut kept = Object::new();
        let mut entries = BTreeMap::new();
        for (id, value) in section {
            if let Some(entry) = read(&value) {
                entries.insert(Id::new(id), entry);
            } else {
                let at = self.at.child(field).child(id.clone());
                self.notes.push(Note {
                    at,
                    message: format!("cannot read {}; kept as it is", value.to_json()),
                });
                kept.insert(id, value);
            }
        }
        if !kept.is_empty() {
            self.object.insert(field, kept);
        }
        entries
    }

    /// What nobody took.
    fn rest(&mut self) -> Object {
        std::mem::take(&mut self.object)
    }
}

fn put_text(out: &mut Object, field: &str, text: &SmolStr) {
    if !text.is_empty() {
        out.insert(field, text.clone());
    }
}

fn put_flag(out: &mut Object, field: &str, flag: bool) {
    if flag {
        out.insert(field, true);
    }
}

fn put_object(out: &mut Object, field: &str, object: &Object) {
    if !object.is_empty() {
        out.insert(field, object.clone());
    }
}

fn put_texts(out: &mut Object, field: &str, texts: &[SmolStr]) {
    if !texts.is_empty() {
        out.insert(field, texts.iter().cloned().collect::<Value>());
    }
}

fn put_ids(out: &mut Object, field: &str, ids: &[Id]) {
    if !ids.is_empty() {
        out.insert(field, ids.iter().map(Id::as_str).collect::<Value>());
    }
}

fn put_entries<T>(
    out: &mut Object,
    section: &str,
    entries: &BTreeMap<Id, Arc<T>>,
    write: impl Fn(&T) -> Object,
) {
    let entries: Object = entries
        .iter()
        .map(|(id, entry)| (id.as_str(), write(entry)))
        .collect();
    merge(out, section, entries);
}

/// Adds entries to a section that may already hold some which could not be read.
fn merge(out: &mut Object, section: &str, entries: Object) {
    if entries.is_empty() {
        return;
    }
    let mut merged = match out.get(section) {
        Some(Value::Obj(kept)) => Object::clone(kept),
        _ => Object::new(),
    };
    for (id, entry) in entries {
        merged.insert(id, entry);
    }
    out.insert(section, merged);
}
