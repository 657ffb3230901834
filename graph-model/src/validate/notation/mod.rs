//! Flows as lines of text, for examples and tests.
//!
//! ```text
//! type order(id=/id): id string, total number? <always EUR>, email string {role:finance | subject:/id}
//! role patients external
//! principal ana(patients): patient_id=p-1
//! grant ana: send lane, write ledger
//! release small: order/total aggregate 5
//! zone sales
//! in: replay(file=o.jsonl, event_type=order) -> once: dedupe(key=.id) -> out: view @finance
//! in.failed -> dead: dead_letter @patients[patient_id = /id]
//! ```
//!
//! A node is written with its kind where it comes first and by its id later. Wires go from the
//! first output to the first input unless a port is named: `a -> .right b` names the input, `a.failed`
//! the output. After the configuration may follow `@roles` (the audience), `%copy=roles` (that of a
//! side copy), `~assumption`, `^name=value` (a declaration; `^name="with spaces"`), `&principal` (whom
//! it runs as), `#zone` and `!CODE` (an accepted hazard). A wire written `->?` drops the oldest event
//! when it is full. Marks of a type that are no pointers are declarations; `depends=/a>/b` says that a
//! field decides another. A field is of one JSON type, of several (`string|null`), or one of some words
//! (`new|paid`); `...` at the end says that others may come, `!` that none do. Config values are JSON,
//! or else text.

mod types;

use std::sync::Arc;

use smol_str::SmolStr;

use self::types::read_type;
use crate::catalog::Catalog;
use crate::document::{
    Acceptance, Assumption, Audience, Document, Edge, Node, Principal, Role, RowFilter, Section,
    WhenFull, Zone,
};
use crate::edit::{Edit, TransactionBuilder};
use crate::id::{Id, NodeId, PortRef};
use crate::pointer::Pointer;
use crate::value::{Object, Value};

/// Longest config value in bytes.
const VALUE_MAX: usize = 1 << 16;

/// Why a text is no flow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct NotationError {
    /// From 1.
    pub line: usize,
    pub message: String,
}

/// Reads a flow. Ports that are not named are those of the bundled catalog.
pub fn read(text: &str) -> Result<Document, NotationError> {
    let mut document = Document::default();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        read_line(line, &mut document).map_err(|message| NotationError {
            line: number + 1,
            message,
        })?;
    }
    Ok(document)
}

fn read_line(line: &str, document: &mut Document) -> Result<(), String> {
    if let Some(rest) = line.strip_prefix("type ") {
        return read_type(rest, document);
    }
    if let Some(rest) = line.strip_prefix("role ") {
        let (id, external) = match rest.split_once(' ') {
            Some((id, "external")) => (id, true),
            Some((_, other)) => return Err(format!("`{other}` is not `external`")),
            None => (rest, false),
        };
        let role = Role {
            external,
            ..Role::default()
        };
        Edit::Role(id.into(), Some(Arc::new(role))).apply(document);
        return Ok(());
    }
    if let Some(rest) = line.strip_prefix("principal ") {
        return read_principal(rest, document);
    }
    if let Some(rest) = line.strip_prefix("grant ") {
        let (id, grants) = rest
            .split_once(':')
            .ok_or("a grant is `who: verb node, …`")?;
        let mut principal = document.principals.get(id).cloned().unwrap_or_default();
        Arc::make_mut(&mut principal).grants =
            grants.split(',').map(|grant| grant.trim().into()).collect();
        Edit::Principal(id.into(), Some(principal)).apply(document);
        return Ok(());
    }
    if let Some(rest) = line.strip_prefix("release ") {
        return read_release(rest, document);
    }
    if let Some(rest) = line.strip_prefix("zone ") {
        Edit::Zone(rest.into(), Some(Arc::new(Zone::default()))).apply(document);
        return Ok(());
    }
    if let Some(rest) = line.strip_prefix("budget ") {
        let (name, value) = rest.split_once('=').ok_or("a budget is `name=value`")?;
        Edit::Entry(
            Section::Budgets,
            name.trim().into(),
            Some(config_value(value)),
        )
        .apply(document);
        return Ok(());
    }
    let mut last: Option<PortRef> = None;
    for part in split(line, "->") {
        let part = part.trim();
        let (part, lossy) = match part.strip_prefix('?') {
            Some(rest) => (rest.trim(), true),
            None => (part, false),
        };
        let (part, named) = match part.strip_prefix('.') {
            Some(rest) => {
                let (input, rest) = rest.split_once(' ').ok_or("a node follows `.input `")?;
                (rest.trim(), Some(SmolStr::from(input)))
            }
            None => (part, None),
        };
        let (id, port) = read_node(part, document)?;
        if let Some(from) = last {
            let kind = document
                .nodes
                .get(&id)
                .and_then(|node| Catalog::bundled().get(&node.kind));
            let input = kind.and_then(|kind| kind.inputs.first());
            let input = named
                .or_else(|| input.map(|port| port.name.clone()))
                .unwrap_or_else(|| "in".into());
            let mut build = TransactionBuilder::new(document, "Connect");
            let mut edge = Edge::new(from, PortRef::new(id.clone(), input));
            if lossy {
                edge.when_full = WhenFull::DropOldest;
            }
            build.add_edge(edge);
            build.finish().apply(document);
        }
        let output = port.or_else(|| {
            let node = document.nodes.get(&id)?;
            let kind = Catalog::bundled().get(&node.kind)?;
            kind.outputs_of(node).first().map(|port| port.name.clone())
        });
        last = Some(PortRef::new(id, output.unwrap_or_else(|| "out".into())));
    }
    Ok(())
}

/// Reads `id: kind(config) …` or `id` or `id.port`.
fn read_node(text: &str, document: &mut Document) -> Result<(NodeId, Option<SmolStr>), String> {
    let named = text.split_once(':').filter(|(id, _)| is_id(id));
    let Some((id, rest)) = named else {
        let (id, port) = match text.split_once('.') {
            Some((id, port)) => (id, Some(SmolStr::from(port))),
            None => (text, None),
        };
        if !is_id(id) {
            return Err(format!("`{text}` is no node"));
        }
        return Ok((id.into(), port));
    };
    let (kind, config, marks) = call(rest.trim())?;
    let mut node = Node::new(kind);
    for entry in split(config, ",") {
        let entry = entry.trim();
        if entry.is_empty() {
            continue;
        }
        let (field, value) = entry
            .split_once('=')
            .ok_or_else(|| format!("`{entry}` is not `field=value`"))?;
        node.config.insert(field.trim(), config_value(value));
    }
    read_marks(marks, &mut node)?;
    let id = NodeId::from(id);
    Edit::Node(id.clone(), Some(Arc::new(node))).apply(document);
    Ok((id, None))
}

/// JSON, or else text.
fn config_value(text: &str) -> Value {
    let text = text.trim();
    Value::parse(text.as_bytes(), VALUE_MAX).unwrap_or_else(|_| text.into())
}

/// Reads `name: type/field aggregate 5`, `… tokenise` or `… role privacy`.
fn read_release(text: &str, document: &mut Document) -> Result<(), String> {
    let wrong = || format!("`{text}` is not `name: type/field aggregate 5`");
    let (name, rest) = text.split_once(':').ok_or_else(wrong)?;
    let words: Vec<&str> = rest.split_whitespace().collect();
    let (ty, field) = words
        .first()
        .and_then(|at| at.split_once('/'))
        .ok_or_else(wrong)?;
    let mut release = Object::new();
    release.insert("type", ty);
    release.insert("field", format!("/{field}"));
    match words[1..] {
        ["aggregate", count] => {
            release.insert("by", "aggregate");
            release.insert("at_least", config_value(count));
        }
        ["tokenise"] => {
            release.insert("by", "tokenise");
        }
        ["role", role] => {
            release.insert("by", "role");
            release.insert("role", role);
        }
        _ => return Err(wrong()),
    }
    Edit::Entry(Section::Releases, name.into(), Some(release.into())).apply(document);
    Ok(())
}

fn read_marks(marks: &str, node: &mut Node) -> Result<(), String> {
    let mut rest = marks.trim();
    while let Some(mark) = rest.chars().next() {
        let quote = rest
            .find("=\"")
            .filter(|quote| mark == '^' && !rest[..*quote].contains(' '));
        let end = if let Some(quote) = quote {
            let text = &rest[quote + 2..];
            text.find('"').map_or(rest.len(), |close| quote + close + 3)
        } else if let Some(open) = rest.find('[').filter(|open| !rest[..*open].contains(' ')) {
            rest[open..]
                .find(']')
                .map_or(rest.len(), |close| open + close + 1)
        } else {
            rest.find(' ').unwrap_or(rest.len())
        };
        let (word, after) = rest.split_at(end);
        let body = &word[mark.len_utf8()..];
        match mark {
            '@' => node.notes.audience = Some(read_audience(body)?),
            '%' => {
                let (copy, roles) = body
                    .split_once('=')
                    .ok_or_else(|| format!("`{word}` is not `%copy=roles`"))?;
                let audience = read_audience(roles)?;
                node.notes.side_audiences.insert(copy.into(), audience);
            }
            '^' => {
                let (name, value) = body
                    .split_once('=')
                    .ok_or_else(|| format!("`{word}` is not `^name=value`"))?;
                node.notes.declared.insert(name, config_value(value));
            }
            '&' => node.notes.runs_as = Some(body.into()),
            '#' => node.zone = Some(body.into()),
            '~' => {
                node.notes
                    .assumptions
                    .insert(body.into(), Assumption::default());
            }
            '!' => {
                node.notes
                    .accepted
                    .insert(body.into(), Acceptance::default());
            }
            _ => return Err(format!("`{word}` is no mark")),
        }
        rest = after.trim_start();
    }
    Ok(())
}

/// Reads `role,role[claim = /field]`.
fn read_audience(text: &str) -> Result<Audience, String> {
    let (roles, rows) = match text.split_once('[') {
        Some((roles, rows)) => (roles, rows.trim_end_matches(']')),
        None => (text, ""),
    };
    let mut audience = Audience {
        roles: roles.split(',').map(Id::from).collect(),
        rows: Vec::new(),
    };
    for row in rows.split(',').filter(|row| !row.trim().is_empty()) {
        let (claim, field) = row
            .split_once('=')
            .ok_or_else(|| format!("`{row}` is not `claim = /field`"))?;
        let field = Pointer::parse(field.trim()).map_err(|error| error.to_string())?;
        audience.rows.push(RowFilter {
            claim: claim.trim().into(),
            field,
        });
    }
    Ok(audience)
}

/// Reads `ana(patients): patient_id=p-1`.
fn read_principal(text: &str, document: &mut Document) -> Result<(), String> {
    let (head, claims) = text.split_once(':').unwrap_or((text, ""));
    let (name, roles, _) = call(head.trim())?;
    let mut principal = Principal {
        roles: roles.split(',').map(|role| Id::from(role.trim())).collect(),
        ..Principal::default()
    };
    for claim in claims.split(',').filter(|claim| !claim.trim().is_empty()) {
        let (name, value) = claim
            .split_once('=')
            .ok_or_else(|| format!("`{claim}` is not `claim=value`"))?;
        principal.claims.insert(name.trim(), value.trim());
    }
    Edit::Principal(name.into(), Some(Arc::new(principal))).apply(document);
    Ok(())
}

/// Parts `name(arguments) rest`.
fn call(text: &str) -> Result<(&str, &str, &str), String> {
    let end = text
        .find(|c: char| c == '(' || c.is_whitespace())
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if !rest.starts_with('(') {
        return Ok((name, "", rest));
    }
    let close = balanced(rest).ok_or_else(|| format!("`{text}` has an open parenthesis"))?;
    Ok((name, &rest[1..close], &rest[close + 1..]))
}

/// Where the bracket that begins the text closes.
fn balanced(text: &str) -> Option<usize> {
    let mut depth = 0;
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            '(' | '[' | '{' if !quoted => depth += 1,
            ')' | ']' | '}' if !quoted => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// Splits where no bracket and no quote is open.
fn split<'t>(text: &'t str, by: &str) -> Vec<&'t str> {
    let mut parts = Vec::new();
    let (mut start, mut depth, mut quoted, mut escaped) = (0, 0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            '(' | '[' | '{' if !quoted => depth += 1,
            ')' | ']' | '}' if !quoted => depth -= 1,
            _ if depth == 0 && !quoted && at >= start && text[at..].starts_with(by) => {
                parts.push(&text[start..at]);
                start = at + by.len();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Adds;

    #[test]
    fn lines_become_a_document() {
        let text = r"
            type order(id=/id, stands_for=version, depends=/id>/email): id string, total number? <always EUR>, email string {role:finance | subject:/id; org}
            role patients external
            principal ana(patients): patient_id=p-1
            zone sales
            grant ana: send lane, call mail
            release small: order/total aggregate 5
            in: replay(file=o.jsonl, event_type=order) ^rate=5 #sales -> size: filter(when=.total > (1 + 2))
            size ->? .in out: view(keep=5) @finance,patients[patient_id = /id] ~ordered !AUTH-001 &ana
            in.failed -> dead: dead_letter
            size.dropped -> out
        ";
        let document = read(text).expect("reads");
        let ends: Vec<String> = document
            .edges
            .values()
            .map(|edge| format!("{} -> {}", edge.from, edge.to))
            .collect();
        assert_eq!(
            ends,
            [
                "in.failed -> dead.in",
                "in.out -> size.in",
                "size.dropped -> out.in",
                "size.out -> out.in"
            ]
        );
        let out = &document.nodes["out"];
        assert_eq!(out.config.get("keep"), Some(&Value::Int(5)));
        let audience = out.notes.audience.as_ref().expect("an audience");
        assert_eq!((audience.roles.len(), audience.rows.len()), (2, 1));
        assert!(out.notes.assumptions.contains_key("ordered"));
        assert!(out.notes.accepted.contains_key("AUTH-001"));
        assert_eq!(
            document.nodes["size"].config_str("when"),
            Some(".total > (1 + 2)")
        );
        assert_eq!(
            document.nodes["in"].notes.declared.get("rate"),
            Some(&Value::Int(5))
        );
        assert_eq!(
            document.nodes["in"].zone.as_ref().map(Id::as_str),
            Some("sales")
        );
        assert_eq!(out.notes.runs_as.as_ref().map(Id::as_str), Some("ana"));
        assert_eq!(
            document
                .edges
                .values()
                .next_back()
                .map(|edge| edge.when_full),
            Some(WhenFull::DropOldest)
        );
        assert_eq!(document.principals["ana"].grants.len(), 2);
        assert_eq!(document.sections[&Section::Releases].len(), 1);
        let order = &document.types["order"];
        let total = &order.measures[&Pointer::root().child("total")];
        assert_eq!((total.adds, &*total.unit), (Adds::Always, "EUR"));
        assert_eq!((order.depends.len(), order.declared.len()), (1, 1));
        assert_eq!(
            order.labels.values().next().map(|label| label.0.len()),
            Some(2)
        );
        assert_eq!(
            order
                .schema
                .get("required")
                .and_then(Value::as_array)
                .map(<[_]>::len),
            Some(2)
        );
        assert!(document.roles["patients"].external);
        assert_eq!(
            document.principals["ana"].claims.get("patient_id"),
            Some(&"p-1".into())
        );
    }

    #[test]
    fn fields_are_of_types_or_words() {
        let text = "type order: id string|null, state new|paid?, ...\ntype small: id string, !";
        let document = read(text).expect("reads");
        let schema = |ty: &str| document.types[ty].schema.to_json();
        assert_eq!(
            schema("order"),
            r#"{"additionalProperties":true,"properties":{"id":{"type":["string","null"]},"state":{"enum":["new","paid"]}},"required":["id"],"type":"object"}"#
        );
        assert!(schema("small").starts_with(r#"{"additionalProperties":false,"#));
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        let error = read("a: map\nb: map(expr").expect_err("open parenthesis");
        assert_eq!(
            error.to_string(),
            "line 2: `map(expr` has an open parenthesis"
        );
    }
}
