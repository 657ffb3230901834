//! Edits: the only way a document changes. Each has an inverse; transactions are what undo undoes.

mod build;
mod history;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::document::{
    Document, Edge, EventType, Meta, Node, Note, Placement, Principal, Role, Section, Zone,
};
use crate::id::{EdgeId, Id, NodeId};
use crate::value::Value;

pub use build::{Clip, TransactionBuilder};
pub use history::History;

/// The smallest change: one entry of one section is put in place or, with `None`, taken out.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    Meta(Box<Meta>),
    Node(NodeId, Option<Arc<Node>>),
    Edge(EdgeId, Option<Arc<Edge>>),
    Zone(Id, Option<Arc<Zone>>),
    Role(Id, Option<Arc<Role>>),
    Principal(Id, Option<Arc<Principal>>),
    Type(Id, Option<Arc<EventType>>),
    Note(Id, Option<Arc<Note>>),
    Place(Id, Option<Placement>),
    Entry(Section, Id, Option<Value>),
}

/// Edits that happen, and are undone, together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transaction {
    /// What the user did, as an imperative: `Connect orders to validate`.
    pub title: String,
    pub edits: Vec<Edit>,
}

/// What a transaction touched, for those who keep something derived from the document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    pub nodes: BTreeSet<NodeId>,
    pub edges: BTreeSet<EdgeId>,
    /// Zones, roles, principals, types, or kept sections changed.
    pub context: bool,
    pub layout: bool,
}

impl Edit {
    /// Does it; answers the edit that undoes it.
    pub fn apply(self, document: &mut Document) -> Edit {
        match self {
            Edit::Meta(meta) => Edit::Meta(Box::new(std::mem::replace(&mut document.meta, *meta))),
            Edit::Node(id, new) => {
                let old = put(&mut document.nodes, &id, new);
                Edit::Node(id, old)
            }
            Edit::Edge(id, new) => {
                let old = put(&mut document.edges, &id, new);
                Edit::Edge(id, old)
            }
            Edit::Zone(id, new) => {
                let old = put(&mut document.zones, &id, new);
                Edit::Zone(id, old)
            }
            Edit::Role(id, new) => {
                let old = put(&mut document.roles, &id, new);
                Edit::Role(id, old)
            }
            Edit::Principal(id, new) => {
                let old = put(&mut document.principals, &id, new);
                Edit::Principal(id, old)
            }
            Edit::Type(id, new) => {
                let old = put(&mut document.types, &id, new);
                Edit::Type(id, old)
            }
            Edit::Note(id, new) => {
                let old = put(&mut document.notes, &id, new);
                Edit::Note(id, old)
            }
            Edit::Place(id, new) => {
                let old = put(&mut document.layout, &id, new);
                Edit::Place(id, old)
            }
            Edit::Entry(section, id, new) => {
                let entries = document.sections.entry(section).or_default();
                let old = put(entries, &id, new);
                if entries.is_empty() {
                    document.sections.remove(&section);
                }
                Edit::Entry(section, id, old)
            }
        }
    }
}

impl Transaction {
    pub fn new(title: impl Into<String>, edits: Vec<Edit>) -> Transaction {
        Transaction {
            title: title.into(),
            edits,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Does all edits in order; answers the transaction that undoes them.
    pub fn apply(self, document: &mut Document) -> Transaction {
        let mut inverse: Vec<Edit> = self
            .edits
            .into_iter()
            .map(|edit| edit.apply(document))
            .collect();
        inverse.reverse();
        Transaction {
            title: self.title,
            edits: inverse,
        }
    }

    pub fn touched(&self) -> Touched {
        let mut touched = Touched::default();
        for edit in &self.edits {
            match edit {
                Edit::Node(id, _) => {
                    touched.nodes.insert(id.clone());
                }
                Edit::Edge(id, _) => {
                    touched.edges.insert(id.clone());
                }
                Edit::Place(..) | Edit::Note(..) => touched.layout = true,
                Edit::Meta(_) => {}
                Edit::Zone(..)
                | Edit::Role(..)
                | Edit::Principal(..)
                | Edit::Type(..)
                | Edit::Entry(..) => {
                    touched.context = true;
                }
            }
        }
        touched
    }
}

fn put<T>(entries: &mut std::collections::BTreeMap<Id, T>, id: &Id, new: Option<T>) -> Option<T> {
    match new {
        Some(entry) => entries.insert(id.clone(), entry),
        None => entries.remove(id),
    }
}
