//! Whose an event is: where the owners of whom labels speak can be found, and who compared them.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use smol_str::SmolStr;

use crate::expr::{Condition, Op, Operand, Sources, Variable};
use crate::pointer::Pointer;
use crate::validate::design::NodeIx;
use crate::validate::facts::labels::Tag;
use crate::validate::facts::origins::{Base, Origin, OriginId, Origins};
use crate::validate::facts::payload::Payload;
use crate::validate::facts::tags::TagSet;
use crate::validate::facts::{Facts, Port};

pub(crate) type Guards = BTreeMap<(OriginId, SmolStr), Option<NodeIx>>;
pub(crate) type Owners = BTreeSet<(OriginId, OriginId)>;

/// Whether the id of the event is read, or its whole context.
pub(crate) fn reads_id(sources: &Sources) -> bool {
    sources.context.iter().any(|read| {
        let id = read.pointer.is_root() || read.pointer.tokens()[0] == "id";
        read.variable == Variable::Event && id
    })
}

impl Port {
    /// Labels of everything that is read here: of fields, and of what the id is made of.
    pub(crate) fn told_by(&self, sources: &Sources) -> TagSet {
        let mut tags = self.labels.of(sources);
        if !self.named.is_empty() && reads_id(sources) {
            tags.join(&self.named);
        }
        tags
    }

    /// The owner, and whatever equals it in each event here.
    pub(crate) fn equals_of(&self, owner: OriginId) -> impl Iterator<Item = OriginId> {
        let others = self
            .owners
            .range((owner, OriginId::MIN)..=(owner, OriginId::MAX));
        std::iter::once(owner).chain(others.map(|(_, other)| *other))
    }

    /// Comparisons of the owner with the viewer that lie upstream, with the store since then.
    pub(crate) fn guards_of(&self, owner: OriginId) -> impl Iterator<Item = Option<NodeIx>> {
        let equals: Vec<OriginId> = self.equals_of(owner).collect();
        let guards = self.guards.iter();
        let of_owner = guards.filter(move |((guarded, _), _)| equals.contains(guarded));
        of_owner.map(|(_, since)| *since)
    }

    /// Owners of whom the labels and what chose the events speak.
    pub(super) fn anchors(&self, tags: &[Tag]) -> BTreeSet<OriginId> {
        let labels = self.labels.tags().chain(self.taint.tags());
        let all = labels.chain(&self.presence);
        let anchors = all.flat_map(|tag| &*tags[tag as usize].anchors);
        anchors.map(|(_, owner)| *owner).collect()
    }
}

impl Facts {
    /// A field that holds the owner, or what equals it.
    pub(crate) fn place_of_owner(&self, owner: OriginId, port: &Port) -> Option<Pointer> {
        port.equals_of(owner)
            .find_map(|equal| self.place_of(equal, port))
    }

    /// Whether the field holds the owner.
    pub(crate) fn holds_owner(&self, field: &Pointer, owner: OriginId, port: &Port) -> bool {
        let held = self.field(field, port);
        port.equals_of(owner).any(|equal| equal == held)
    }

    /// Owners that the field is compared for.
    pub(super) fn compare(&self, field: &Pointer, claim: &SmolStr, port: &mut Port) {
        let held = self.field(field, port);
        let mut guards = (*port.guards).clone();
        guards.insert((held, claim.clone()), None);
        for (owner, equal) in &*port.owners {
            if *equal == held {
                guards.insert((*owner, claim.clone()), None);
            }
        }
        port.guards = Rc::new(guards);
    }

    /// Notes that two values are the same in each event.
    pub(super) fn equate(&self, one: OriginId, other: OriginId, port: &mut Port) {
        let anchors = port.anchors(&self.tags);
        let mut owners = (*port.owners).clone();
        for owner in anchors {
            let equals: Vec<OriginId> = port.equals_of(owner).collect();
            if equals.contains(&one) && !equals.contains(&other) {
                owners.insert((owner, other));
            }
            if equals.contains(&other) && !equals.contains(&one) {
                owners.insert((owner, one));
            }
        }
        if owners != *port.owners {
            port.owners = Rc::new(owners);
        }
    }

    /// Notes what a condition says to be the same.
    pub(super) fn equate_all(&self, condition: &Condition, port: &mut Port) {
        for conjunct in &condition.conjuncts {
            if let (Operand::Field(one), Op::Eq, Operand::Field(other)) =
                (&conjunct.left, conjunct.op, &conjunct.right)
            {
                let (one, other) = (self.field(one, port), self.field(other, port));
                self.equate(one, other, port);
            }
        }
    }
}

impl Facts {
    /// Notes that the keys of two streams are the same in each pair of their events.
    pub(super) fn equate_keys(
        &self,
        node: NodeIx,
        keys: (&str, &str),
        sides: (&Port, &Port),
        port: &mut Port,
    ) {
        let parts = |field: &str, side: &Port| -> Option<Vec<Option<OriginId>>> {
            let key = self.design.expr(node, field)?.analysis().key.as_ref()?;
            let parts = key.parts.iter().map(|part| match part {
                Operand::Field(field) => Some(self.field(field, side)),
                _ => None,
            });
            key.injective.then(|| parts.collect())
        };
        let (Some(left), Some(right)) = (parts(keys.0, sides.0), parts(keys.1, sides.1)) else {
            return;
        };
        if left.len() == right.len() {
            for pair in left.into_iter().zip(right) {
                if let (Some(left), Some(right)) = pair {
                    self.equate(left, right, port);
                }
            }
        }
    }

    /// Owners of what was stored, for whoever reads it at the same places.
    pub(super) fn same_places(&self, stored: &Port, payload: &Payload) -> Rc<Owners> {
        let mut owners = Owners::new();
        let origins = &mut *self.origins.borrow_mut();
        for owner in stored.anchors(&self.tags) {
            for equal in stored.equals_of(owner) {
                for place in stored.payload.places_of(equal, origins) {
                    owners.insert((owner, payload.field(&place, origins)));
                }
            }
        }
        Rc::new(owners)
    }
}

/// Comparisons on either of two sides whose events are paired.
pub(super) fn both(left: &Guards, right: &Guards) -> Guards {
    let mut both = left.clone();
    for (guard, since) in right {
        let held = both.entry(guard.clone()).or_insert(*since);
        // The one that was put later counts.
        *held = held.and(*since);
    }
    both
}

/// What is known of owners where streams meet at a node. Streams that do not speak of an owner have no
/// say.
pub(super) fn meet(
    node: NodeIx,
    tags: &[Tag],
    sides: &[&Port],
    payload: &Payload,
    origins: &mut Origins,
) -> (Rc<Owners>, Rc<Guards>) {
    let anchors: Vec<BTreeSet<OriginId>> = sides.iter().map(|side| side.anchors(tags)).collect();
    let all: BTreeSet<OriginId> = anchors.iter().flatten().copied().collect();
    let mut owners = Owners::new();
    for owner in all {
        let speaking: Vec<&Port> = sides
            .iter()
            .zip(&anchors)
            .filter(|(_, anchors)| anchors.contains(&owner))
            .map(|(side, _)| *side)
            .collect();
        let equals = |side: &Port, origin| side.equals_of(owner).any(|equal| equal == origin);
        for equal in speaking[0].equals_of(owner) {
            for place in speaking[0].payload.places_of(equal, origins) {
                let everywhere = speaking.iter().all(|side| {
                    let held = side.payload.field(&place, origins);
                    equals(side, held)
                });
                let held = payload.field(&place, origins);
                if everywhere && held != owner {
                    owners.insert((owner, held));
                }
            }
        }
    }
    let mut guards = Guards::new();
    for (guard, since) in sides.iter().flat_map(|side| &*side.guards) {
        let holds = match origins.get(guard.0) {
            // What was compared behind this node on an earlier round is another event's value than
            // the one that is there now.
            Origin::Field(Base::Met(at), place) if *at == node => {
                let place = place.clone();
                payload.field(&place, origins) == guard.0
                    && sides.iter().zip(&anchors).all(|(side, anchors)| {
                        let held = side.payload.field(&place, origins);
                        let mut owners = anchors.iter();
                        let owns =
                            owners.any(|owner| side.equals_of(*owner).any(|equal| equal == held));
                        !owns || side.guards.contains_key(&(held, guard.1.clone()))
                    })
            }
            _ => sides.iter().zip(&anchors).all(|(side, anchors)| {
                side.guards.contains_key(guard)
                    || !anchors.contains(&guard.0)
                        && side.payload.place_of(guard.0, origins).is_none()
            }),
        };
        if holds {
            let held = guards.entry(guard.clone()).or_insert(*since);
            *held = held.or(*since);
        }
    }
    (Rc::new(owners), Rc::new(guards))
}
