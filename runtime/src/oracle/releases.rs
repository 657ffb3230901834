//! By which rules of the document a label may be lowered, as they are written there.

use graph_model::document::{Document, Node, Section};
use graph_model::id::Id;
use graph_model::pointer::Pointer;
use graph_model::value::Value;

/// A rule of the section `releases`.
pub(super) struct Release {
    ty: Id,
    field: Pointer,
    by: By,
}

enum By {
    Aggregate(i64),
    Role(Id),
    Tokenise,
}

pub(super) fn releases(document: &Document) -> Vec<Release> {
    let entries = document.sections.get(&Section::Releases);
    let entries = entries.into_iter().flat_map(|entries| entries.values());
    entries.filter_map(read).collect()
}

fn read(entry: &Value) -> Option<Release> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    Some(Release {
        ty: text("type")?.into(),
        field: Pointer::parse(text("field")?).ok()?,
        by: match text("by")? {
            "aggregate" => By::Aggregate(entry.get("at_least")?.as_i64()?),
            "role" => By::Role(text("role")?.into()),
            "tokenise" => By::Tokenise,
            _ => return None,
        },
    })
}

impl Release {
    pub(super) fn is_about(&self, ty: &Id, field: &Pointer) -> bool {
        self.ty == *ty && self.field.covers(field)
    }

    pub(super) fn is_of(&self, ty: &Id) -> bool {
        self.ty == *ty
    }

    /// Over how many people a number has to be.
    pub(super) fn people(&self) -> Option<i64> {
        match self.by {
            By::Aggregate(people) => Some(people),
            By::Role(_) | By::Tokenise => None,
        }
    }

    /// Whether a node that stands something in for the field may do so by this rule.
    pub(super) fn lets(&self, document: &Document, node: &Node, tokens: bool) -> bool {
        match &self.by {
            By::Aggregate(_) => false,
            By::Tokenise => tokens,
            By::Role(role) => {
                let by = node.notes.runs_as.as_ref();
                let by = by.and_then(|by| document.principals.get(by));
                by.is_some_and(|by| by.roles.contains(role))
            }
        }
    }
}
