//! What outsiders sent: who may send to a node, and what of their events is still theirs.

use std::rc::Rc;

use crate::catalog::Behaviour;
use crate::label::Atom;
use crate::pointer::Pointer;
use crate::validate::design::{Design, NodeIx};
use crate::validate::facts::labels::{Labels, Sort, Tag, TagKey};
use crate::validate::facts::origins::{Base, Origin};
use crate::validate::facts::payload::Payload;
use crate::validate::facts::{Facts, Port};
use crate::value::Value;

impl Design {
    /// Whether events can be read again from a channel after they have passed.
    pub(crate) fn is_kept(&self, node: NodeIx) -> bool {
        match self.behaviour(node) {
            Some(Behaviour::Log { .. }) => self.declared_ms(node, "retention") != Some(0),
            Some(Behaviour::Topic | Behaviour::Queue { .. }) => {
                self.declared_ms(node, "retention").is_some_and(|ms| ms > 0)
            }
            _ => false,
        }
    }

    /// Roles that may send to a node; `None` when nobody said.
    pub(crate) fn publishers(&self, node: NodeIx) -> Option<Vec<&str>> {
        let roles = self.declared(node, "publishers")?.as_array()?;
        Some(roles.iter().filter_map(Value::as_str).collect())
    }

    pub(crate) fn is_external(&self, role: &str) -> bool {
        let role = self.document.roles.get(role);
        role.is_some_and(|role| role.external)
    }
}

impl Facts {
    /// Whether people of outside may send to a node.
    pub(super) fn is_open(&self, node: NodeIx) -> bool {
        let publishers = self.design.publishers(node);
        publishers.is_some_and(|roles| {
            roles.is_empty() || roles.iter().any(|role| self.design.is_external(role))
        })
    }

    /// Marks what leaves a node as sent by outsiders.
    pub(super) fn let_outsiders_in(&mut self, node: NodeIx, port: &mut Port) {
        let known = self.design.publishers(node).is_some() && !self.is_open(node);
        let principal = self.design.declared_text(node, "principal");
        let principal = principal.and_then(|text| Pointer::parse(text).ok());
        let anchor = principal.map(|field| {
            let origin = self.field(&field, port);
            (Atom::Subject(field), origin)
        });
        let mut tags = Vec::new();
        for sort in [Sort::Unchecked, Sort::Chosen] {
            if known && sort == Sort::Unchecked {
                continue;
            }
            let tag = Tag {
                anchors: anchor.iter().cloned().collect(),
                ..Tag::sent_to(node, sort)
            };
            tags.push(self.tag(TagKey::Sent(node, sort), tag));
        }
        Rc::make_mut(&mut port.taint).add(Pointer::root(), &tags.into_iter().collect());
    }

    /// What is left of what outsiders sent when its shape has been checked.
    pub(super) fn checked(&self, taint: &Labels) -> Labels {
        let unchecked = taint.tags();
        let unchecked = unchecked.filter(|tag| self.tags[*tag as usize].sort == Sort::Unchecked);
        taint.less(&unchecked.collect())
    }

    /// Whether a node hid the field, so that what a type says of it is not about what is there.
    pub(super) fn was_hidden(&self, field: &Pointer, payload: &Payload) -> bool {
        let origins = &mut *self.origins.borrow_mut();
        let origin = payload.field(field, origins);
        let Origin::Field(Base::Made(node), _) = origins.get(origin) else {
            return false;
        };
        matches!(
            self.design.behaviour(*node),
            Some(Behaviour::Redact { .. } | Behaviour::Tokenise { .. })
        )
    }
}
