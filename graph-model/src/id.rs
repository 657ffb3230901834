//! Readable, stable identifiers of everything a document names.

use std::borrow::Borrow;
use std::fmt;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// An id in a document, such as `orders_in`: what wires, rules and people refer to.
///
/// Any text opens, so that a foreign file loses nothing; [`Id::well_formed`] says whether it is one
/// that Weir would write itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Id(SmolStr);

/// Id of a node.
pub type NodeId = Id;
/// Id of an edge.
pub type EdgeId = Id;

impl Id {
    pub fn new(text: impl Into<SmolStr>) -> Id {
        Id(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Lower-case letters, digits, `_` and `-`, starting with a letter, at most 64 characters.
    pub fn well_formed(&self) -> bool {
        self.0.len() <= 64
            && self.0.starts_with(|first: char| first.is_ascii_lowercase())
            && self
                .0
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-')
    }

    /// The id that a title suggests: `Orders in` becomes `orders_in`.
    pub fn from_title(title: &str) -> Id {
        let mut slug = String::new();
        for c in title.chars() {
            if c.is_ascii_alphanumeric() {
                slug.push(c.to_ascii_lowercase());
            } else if !slug.is_empty() && !slug.ends_with('_') {
                slug.push('_');
            }
        }
        let slug = slug.trim_matches(|c: char| c == '_' || c.is_ascii_digit());
        Id::new(if slug.is_empty() {
            "node"
        } else {
            &slug[..slug.len().min(48)]
        })
    }

    /// This id, or the first of `id_2`, `id_3`, … that is free.
    pub fn unused(&self, taken: impl Fn(&Id) -> bool) -> Id {
        if !taken(self) {
            return self.clone();
        }
        let stem = self
            .0
            .trim_end_matches(|c: char| c.is_ascii_digit())
            .trim_end_matches('_');
        (2..u32::MAX)
            .map(|count| Id::new(format!("{stem}_{count}")))
            .find(|candidate| !taken(candidate))
            .expect("a document holds fewer ids than there are numbers")
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Id {
    fn from(text: &str) -> Id {
        Id::new(text)
    }
}

impl From<SmolStr> for Id {
    fn from(text: SmolStr) -> Id {
        Id(text)
    }
}

impl From<String> for Id {
    fn from(text: String) -> Id {
        Id::new(text)
    }
}

impl Borrow<str> for Id {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for Id {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for Id {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

/// One port of one node, written `node.port`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRef {
    pub node: NodeId,
    pub port: SmolStr,
}

impl PortRef {
    pub fn new(node: impl Into<NodeId>, port: impl Into<SmolStr>) -> PortRef {
        PortRef {
            node: node.into(),
            port: port.into(),
        }
    }

    /// Reads `node.port`.
    pub fn parse(text: &str) -> Option<PortRef> {
        let (node, port) = text.split_once('.')?;
        (!node.is_empty() && !port.is_empty()).then(|| PortRef::new(node, port))
    }
}

impl fmt::Display for PortRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.node, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_become_ids() {
        for (title, id) in [
            ("Orders in", "orders_in"),
            ("  Größe (cm)! ", "gr_e_cm"),
            ("3rd party", "rd_party"),
            ("数", "node"),
        ] {
            assert_eq!(Id::from_title(title), id);
            assert!(Id::from_title(title).well_formed());
        }
    }

    #[test]
    fn taken_ids_are_counted_up() {
        let taken = ["map", "map_2", "a_7"].map(Id::from);
        let unused = |id: &str| Id::from(id).unused(|id| taken.contains(id));
        assert_eq!(unused("map"), "map_3");
        assert_eq!(unused("a_7"), "a_2");
        assert_eq!(unused("free"), "free");
    }
}
