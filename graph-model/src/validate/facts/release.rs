//! Rules of the document by which labels may be lowered.

use crate::document::{Document, Section};
use crate::id::Id;
use crate::pointer::Pointer;
use crate::validate::facts::labels::Tag;
use crate::value::Value;

/// One rule of the section `releases`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Release {
    pub ty: Id,
    pub field: Pointer,
    pub by: By,
}

/// What lowers the label.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum By {
    /// An aggregate over at least so many people.
    Aggregate { at_least: i64 },
    /// A node that runs as somebody with the role.
    Role(Id),
    /// A token instead of the value.
    Tokenise,
}

/// All rules that can be read, in the order of their ids.
pub(crate) fn releases(document: &Document) -> Vec<Release> {
    let entries = document.sections.get(&Section::Releases);
    let entries = entries.into_iter().flat_map(|entries| entries.values());
    entries.filter_map(read).collect()
}

fn read(value: &Value) -> Option<Release> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let by = match text("by")? {
        "aggregate" => By::Aggregate {
            at_least: value.get("at_least").and_then(Value::as_i64)?,
        },
        "role" => By::Role(text("role")?.into()),
        "tokenise" => By::Tokenise,
        _ => return None,
    };
    Some(Release {
        ty: text("type")?.into(),
        field: Pointer::parse(text("field")?).ok()?,
        by,
    })
}

impl Release {
    /// Whether the rule is about the field that a tag is on, and lowers it by this means.
    pub(crate) fn lets_go(&self, tag: &Tag, by: &str) -> bool {
        let means = match self.by {
            By::Aggregate { .. } => "aggregate",
            By::Role(_) => "role",
            By::Tokenise => "tokenise",
        };
        // Whoever may declassify may do so by any means.
        (means == by || means == "role") && self.is_about(tag)
    }

    pub(crate) fn is_about(&self, tag: &Tag) -> bool {
        self.ty == tag.ty && self.field.covers(&tag.field)
    }

    /// Whether whoever runs the node may use the rule.
    pub(crate) fn allows(&self, document: &Document, runs_as: Option<&Id>) -> bool {
        let By::Role(role) = &self.by else {
            return true;
        };
        runs_as
            .and_then(|principal| document.principals.get(principal))
            .is_some_and(|principal| principal.roles.contains(role))
    }
}
