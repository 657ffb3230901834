//! What an event type says of the events that a node declares to be of it.

use std::rc::Rc;

use crate::catalog::Behaviour;
use crate::document::EventType;
use crate::id::Id;
use crate::label::Atom;
use crate::pointer::Pointer;
use crate::validate::design::NodeIx;
use crate::validate::facts::delivery::Mode;
use crate::validate::facts::labels::{Sort, Tag, TagKey};
use crate::validate::facts::origins::{Base, Origin, OriginId};
use crate::validate::facts::payload::Payload;
use crate::validate::facts::{Facts, Port, pointers};

impl Facts {
    /// The events that leave a node are of this type, and what it says holds of them.
    pub(super) fn declare(&mut self, node: NodeIx, ty: Option<&str>, port: &mut Port) {
        self.declare_after(0, node, ty, port);
    }

    /// The same where types of other ports of the node have `before` fields with labels.
    pub(super) fn declare_after(
        &mut self,
        before: usize,
        node: NodeIx,
        ty: Option<&str>,
        port: &mut Port,
    ) {
        let design = Rc::clone(&self.design);
        let Some((id, ty)) = ty.and_then(|ty| design.document.types.get_key_value(ty)) else {
            return;
        };
        Rc::make_mut(&mut port.payload).ty = Some(id.clone());
        self.relate_fields(ty, &port.payload);
        match ty.stands_for() {
            Some("version") => {
                let thing = ty.id.iter().map(|field| self.field(field, port));
                port.mode = Mode::Upsert(thing.collect());
            }
            Some("snapshot") => port.mode = Mode::Snapshot,
            Some("fact") => port.mode = Mode::Append,
            _ => {}
        }
        let source = matches!(
            design.behaviour(node),
            Some(Behaviour::Source { .. } | Behaviour::Changes { .. })
        );
        if source || port.size.is_none() {
            port.size = self.declared_size(id);
        }
        self.attach_labels(before, node, id, ty, port);
    }

    /// Which fields identify an event of the type, and which decide others.
    fn relate_fields(&self, ty: &EventType, payload: &Payload) {
        let origins = &mut *self.origins.borrow_mut();
        let unique = pointers(ty.declared.get("unique"));
        let versions = ty.stands_for() == Some("version");
        let fields = unique.iter().chain(ty.id.iter().filter(|_| !versions));
        let identities = fields.map(|field| payload.field(field, origins));
        let mut identities: Vec<OriginId> = identities.collect();
        if let (true, Some(id), Some(version)) = (versions, &ty.id, &ty.version) {
            // The id is that of the thing, whose versions are events of their own.
            let parts = [id, version].map(|field| payload.field(field, origins));
            identities.push(origins.id(Origin::Computed("version".into(), parts.to_vec())));
        }
        for identity in identities {
            origins.identify(payload.context, identity);
            origins.identify(payload.base, identity);
        }
        for dependency in &ty.depends {
            let from = dependency.from.iter();
            let from: Vec<_> = from.map(|field| payload.field(field, origins)).collect();
            for to in &dependency.to {
                let to = payload.field(to, origins);
                origins.decide(from.clone(), to);
            }
        }
    }

    /// Who may read which field, as the type says it.
    fn attach_labels(
        &mut self,
        before: usize,
        node: NodeIx,
        id: &Id,
        ty: &EventType,
        port: &mut Port,
    ) {
        let checks = matches!(
            self.design.behaviour(node),
            Some(Behaviour::Validate { .. })
        );
        let labels = self.labels_of(id);
        // Most clauses speak of no owner, and then it is the subject of the type whom they are about.
        let subject = ty.subject.as_ref().or(ty.tenant.as_ref());
        let subject = subject.map(|field| self.field(field, port));
        let (no_anchors, subject): (Rc<[_]>, Rc<[_]>) =
            (Rc::default(), subject.into_iter().collect());
        for (place, (field, clauses)) in labels.iter().enumerate() {
            if checks && self.was_hidden(field, &port.payload) {
                continue;
            }
            let mut tags = Vec::with_capacity(clauses.len());
            for (number, clause) in clauses.iter().enumerate() {
                let owners = clause.0.iter().filter_map(|atom| match atom {
                    Atom::Subject(owner) | Atom::Tenant(owner) => {
                        Some((atom.clone(), self.field(owner, port)))
                    }
                    Atom::Org | Atom::Role(_) => None,
                });
                let owners: Vec<(Atom, OriginId)> = owners.collect();
                let subjects = owners.iter();
                let subjects = subjects.filter(|(atom, _)| matches!(atom, Atom::Subject(_)));
                let people: Vec<OriginId> = subjects.map(|(_, owner)| *owner).collect();
                let tag = Tag {
                    node,
                    ty: id.clone(),
                    field: field.clone(),
                    clause: Rc::clone(clause),
                    people: match people[..] {
                        [] => Rc::clone(&subject),
                        _ => people.into(),
                    },
                    anchors: match owners[..] {
                        [] => Rc::clone(&no_anchors),
                        _ => owners.into(),
                    },
                    fold: None,
                    sort: Sort::Clause,
                };
                let key = TagKey::Clause(node, (before + place) as u32, number as u32);
                tags.push(self.tag(key, tag));
            }
            let tags = tags.into_iter().collect();
            Rc::make_mut(&mut port.labels).add(field.clone(), &tags);
        }
    }

    /// Events that a node makes have ids of their own.
    pub(in crate::validate::facts) fn identify_by_context(&mut self, node: NodeIx) -> OriginId {
        let base = Base::Made(node);
        let origins = &mut *self.origins.borrow_mut();
        let id = origins.id(Origin::Context(base, Pointer::root().child("id")));
        origins.identify(base, id);
        id
    }
}
