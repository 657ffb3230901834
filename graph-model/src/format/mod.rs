//! The file format: bytes to document and back, losing nothing.
//!
//! A readable file always opens. What a field should not hold stays where it was and is named in a
//! note; only bytes that are no flow, or a file from a newer Weir, are refused.

mod migrate;
mod schema;
mod v1;

use crate::document::Document;
use crate::pointer::Pointer;
use crate::value::{ParseError, Value};

pub use schema::json_schema;

/// The version that this Weir writes.
pub const VERSION: i64 = 1;
/// Largest file that is read.
pub const SIZE_MAX: usize = 64 << 20;
/// Address of the published JSON Schema, as written into every file.
pub const SCHEMA_URI: &str = "https://weir.dev/schema/flow.v1.schema.json";

/// A document as it was found in a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Opened {
    pub document: Document,
    /// What was odd, in the order of the file's fields.
    pub notes: Vec<Note>,
    /// The version in the file, when it was older than [`VERSION`].
    pub migrated_from: Option<i64>,
}

/// Something in the file that is kept but not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Where in the file.
    pub at: Pointer,
    pub message: String,
}

/// Why bytes are not a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error("{0}")]
    NotJson(#[from] ParseError),
    #[error("not a flow: expected an object with `version` and `nodes`, found {found}")]
    NotAFlow { found: String },
    #[error(
        "written by a newer Weir (format {version}, this one reads up to {VERSION}); update Weir to open it"
    )]
    Newer { version: i64 },
}

/// Reads a document.
///
/// ```
/// let opened = graph_model::format::open(br#"{"version":1,"nodes":{"in":{"kind":"manual"}}}"#)?;
/// assert!(opened.document.nodes.contains_key("in") && opened.notes.is_empty());
/// # Ok::<(), graph_model::format::OpenError>(())
/// ```
pub fn open(bytes: &[u8]) -> Result<Opened, OpenError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let value = Value::parse(bytes, SIZE_MAX)?;
    let Value::Obj(object) = &value else {
        return Err(OpenError::NotAFlow {
            found: format!("a JSON {}", value.type_name()),
        });
    };
    let version = match object.get("version") {
        Some(version) => version.as_i64().ok_or_else(|| OpenError::NotAFlow {
            found: format!("`version` = {}", version.to_json()),
        })?,
        None => {
            return Err(OpenError::NotAFlow {
                found: "an object without `version`".into(),
            });
        }
    };
    if version > VERSION {
        return Err(OpenError::Newer { version });
    }
    if version < 1 {
        return Err(OpenError::NotAFlow {
            found: format!("`version` = {version}"),
        });
    }
    let current = migrate::to_current(object.clone(), version);
    let (document, notes) = v1::read(&current);
    Ok(Opened {
        document,
        notes,
        migrated_from: (version < VERSION).then_some(version),
    })
}

/// The canonical text of a document: the same document is always the same bytes.
pub fn write(document: &Document) -> String {
    let mut text = String::new();
    layout_value(&mut text, &v1::write(document), 0, true);
    text.push('\n');
    text
}

// Indented by two spaces; what fits is kept on one line, so that one entry is one line of a diff.
fn layout_value(text: &mut String, value: &Value, depth: usize, top: bool) {
    const LINE_MAX: usize = 100;
    let compact = || spaced(value);
    match value {
        Value::Obj(object) if !object.is_empty() => {
            if !top && depth > 1 && depth * 2 + compact().chars().count() <= LINE_MAX {
                text.push_str(&compact());
                return;
            }
            text.push('{');
            let mut entries: Vec<_> = object.iter().collect();
            if top {
                // What says how to read the file comes first.
                entries.sort_by_key(|(key, _)| v1::rank(key));
            }
            for (index, (key, entry)) in entries.into_iter().enumerate() {
                break_line(text, index, depth + 1);
                text.push_str(&Value::Str(key.clone()).to_json());
                text.push_str(": ");
                layout_value(text, entry, depth + 1, false);
            }
            text.push('\n');
            text.push_str(&"  ".repeat(depth));
            text.push('}');
        }
        Value::Arr(items) if !items.is_empty() => {
            if depth * 2 + compact().chars().count() <= LINE_MAX {
                text.push_str(&compact());
                return;
            }
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                break_line(text, index, depth + 1);
                layout_value(text, item, depth + 1, false);
            }
            text.push('\n');
            text.push_str(&"  ".repeat(depth));
            text.push(']');
        }
        other => text.push_str(&other.to_json()),
    }
}

fn break_line(text: &mut String, index: usize, depth: usize) {
    text.push_str(if index == 0 { "\n" } else { ",\n" });
    text.push_str(&"  ".repeat(depth));
}

fn spaced(value: &Value) -> String {
    match value {
        Value::Obj(object) if !object.is_empty() => {
            let entries: Vec<String> = object
                .iter()
                .map(|(key, entry)| {
                    format!("{}: {}", Value::Str(key.clone()).to_json(), spaced(entry))
                })
                .collect();
            format!("{{ {} }}", entries.join(", "))
        }
        Value::Arr(items) => {
            let items: Vec<String> = items.iter().map(spaced).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.to_json(),
    }
}

#[cfg(test)]
mod tests;
