//! Designs as lines of text, as the notation reads them.

use std::fmt::Write;

use graph_model::catalog::Catalog;
use graph_model::document::{Audience, Document, Node, Section, WhenFull};
use graph_model::id::Id;
use graph_model::pointer::Pointer;
use graph_model::value::{Object, Value};

/// The text of a design, without what changes nothing in a run.
pub(crate) fn write(document: &Document) -> String {
    let mut text = String::new();
    if document.types.values().any(|ty| !ty.labels.is_empty()) {
        text.push_str(&people(document));
    }
    for (id, ty) in &document.types {
        let used = document.nodes.values().any(|node| {
            let fields = ["event_type", "target"];
            fields
                .iter()
                .any(|field| node.config_str(field) == Some(id.as_str()))
        });
        let known = document.types.values().any(|ty| {
            let history = ty.declared.get("history").and_then(Value::as_array);
            let mut history = history.unwrap_or_default().iter();
            history.any(|held| held.as_str() == Some(id.as_str()))
        });
        if used || known {
            writeln!(text, "type {id}{}", self::ty(ty)).expect("a string takes all text");
        }
    }
    for (id, node) in &document.nodes {
        writeln!(text, "{id}: {}", self::node(node)).expect("a string takes all text");
    }
    for edge in document.edges.values() {
        let arrow = if edge.when_full == WhenFull::DropOldest {
            "->?"
        } else {
            "->"
        };
        let (from, to) = (&edge.from, &edge.to);
        writeln!(
            text,
            "{}.{} {arrow} .{} {}",
            from.node, from.port, to.port, to.node
        )
        .expect("a string takes all text");
    }
    text
}

/// Roles, people and releases.
fn people(document: &Document) -> String {
    let mut lines = Vec::new();
    for (id, role) in &document.roles {
        let external = if role.external { " external" } else { "" };
        lines.push(format!("role {id}{external}"));
    }
    for (id, held) in &document.principals {
        let roles: Vec<&str> = held.roles.iter().map(Id::as_str).collect();
        let claims = held.claims.iter();
        let claims: Vec<String> = claims
            .map(|(name, value)| format!("{name}={}", plain(value)))
            .collect();
        lines.push(format!(
            "principal {id}({}): {}",
            roles.join(","),
            claims.join(", ")
        ));
    }
    let releases = document.sections.get(&Section::Releases);
    for (id, held) in releases.into_iter().flatten() {
        let text = |name: &str| held.get(name).map(plain).unwrap_or_default();
        let by = match text("by").as_str() {
            "aggregate" => format!("aggregate {}", text("at_least")),
            "role" => format!("role {}", text("role")),
            other => other.to_owned(),
        };
        lines.push(format!(
            "release {id}: {}{} {by}",
            text("type"),
            text("field")
        ));
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn node(node: &Node) -> String {
    let config: Vec<String> = node
        .config
        .iter()
        .map(|(name, value)| format!("{name}={}", plain(value)))
        .collect();
    let mut text = format!("{}({})", node.kind, config.join(", "));
    if let Some(audience) = &node.notes.audience {
        text.push_str(&format!(" @{}", self::audience(audience)));
    }
    for (copy, audience) in &node.notes.side_audiences {
        text.push_str(&format!(" %{copy}={}", self::audience(audience)));
    }
    if let Some(by) = &node.notes.runs_as {
        text.push_str(&format!(" &{by}"));
    }
    for what in node.notes.assumptions.keys() {
        text.push_str(&format!(" ~{what}"));
    }
    for (name, value) in node.notes.declared.iter() {
        text.push_str(&format!(" ^{name}={}", plain(value)));
    }
    let known = Catalog::bundled().get(&node.kind).is_some();
    debug_assert!(known, "{} is in the catalog", node.kind);
    text
}

fn audience(audience: &Audience) -> String {
    let roles: Vec<&str> = audience.roles.iter().map(Id::as_str).collect();
    let rows = audience.rows.iter();
    let rows: Vec<String> = rows
        .map(|row| format!("{} = {}", row.claim, row.field))
        .collect();
    let rows = if rows.is_empty() {
        String::new()
    } else {
        format!("[{}]", rows.join(","))
    };
    format!("{}{rows}", roles.join(","))
}

/// Texts that are no JSON stand for themselves.
fn plain(value: &Value) -> String {
    match value {
        Value::Str(text) if Value::parse(text.as_bytes(), 1 << 16).is_err() => text.to_string(),
        other => other.to_json(),
    }
}

fn ty(ty: &graph_model::document::EventType) -> String {
    let mut marks = Vec::new();
    let pointers = [
        ("id", &ty.id),
        ("time", &ty.time),
        ("version", &ty.version),
        ("subject", &ty.subject),
        ("tenant", &ty.tenant),
    ];
    for (name, pointer) in pointers {
        marks.extend(pointer.iter().map(|pointer| format!("{name}={pointer}")));
    }
    for depends in &ty.depends {
        for (from, to) in depends.from.iter().zip(&depends.to) {
            marks.push(format!("depends={from}>{to}"));
        }
    }
    for (name, value) in ty.declared.iter() {
        marks.push(format!("{name}={}", plain(value)));
    }
    let required = ty
        .schema
        .get("required")
        .and_then(Value::as_array)
        .unwrap_or_default();
    let fields = ty.schema.get("properties").and_then(Value::as_object);
    let fields = fields.into_iter().flat_map(Object::iter);
    let fields: Vec<String> = fields
        .map(|(name, schema)| {
            let optional = !required.iter().any(|held| held.as_str() == Some(name));
            let sort = schema.get("type").map(|ty| match ty {
                Value::Arr(all) => {
                    let all: Vec<&str> = all.iter().filter_map(Value::as_str).collect();
                    all.join("|")
                }
                one => plain(one),
            });
            let words = schema.get("enum").and_then(Value::as_array).map(|all| {
                let all: Vec<&str> = all.iter().filter_map(Value::as_str).collect();
                all.join("|")
            });
            let sort = sort.or(words).unwrap_or_default();
            let at = Pointer::root().child(name.clone());
            let measure = ty
                .measures
                .get(&at)
                .map(|measure| format!(" <{} {}>", measure.adds.word(), measure.unit));
            let label = ty.labels.get(&at).map(|label| {
                let clauses: Vec<String> = label.0.iter().map(ToString::to_string).collect();
                format!(" {{{}}}", clauses.join("; "))
            });
            let optional = if optional { "?" } else { "" };
            let marks = [measure, label].map(Option::unwrap_or_default).concat();
            format!("{name} {sort}{optional}{marks}")
        })
        .collect();
    let marks = if marks.is_empty() {
        String::new()
    } else {
        format!("({})", marks.join(", "))
    };
    format!("{marks}: {}", fields.join(", "))
}
