//! Which columns of an aggregate count the people behind its results, or not more than them.
//!
//! Where nobody says of whom events are, each is of somebody else. Then values that an event decides are no
//! more than people, as long as those of one event are told apart from nothing but those of others.

use std::collections::BTreeSet;

use crate::catalog::Behaviour;
use crate::expr::{Variable, related};
use crate::pointer::Pointer;
use crate::validate::design::NodeIx;
use crate::validate::facts::delivery::{Copies, Mode};
use crate::validate::facts::origins::{Base, Origin, OriginId};
use crate::validate::facts::{Facts, Port};
use crate::validate::rules::meet_at;

impl Facts {
    /// The column of an aggregate that counts people, or not more than them.
    pub(crate) fn people_column(&self, node: NodeIx, people: &[OriginId]) -> Option<&str> {
        let Some(Behaviour::Aggregate { aggregates, .. }) = self.design.behaviour(node) else {
            return None;
        };
        let columns = self.columns_of(node, aggregates).into_iter();
        let mut counting = columns.filter(|column| match (column.function, column.of) {
            ("count", None) => self.comes_once_of_each(node, people),
            ("count_distinct", Some(of)) => {
                let port = self.input(node);
                port.is_some_and(|port| self.differs_by_people(&self.key(of, port), people, port))
            }
            _ => false,
        });
        counting.next().map(|column| column.name)
    }

    /// Whether ids of events tell no more than people apart.
    pub(crate) fn ids_count_people(&self, node: NodeIx, people: &[OriginId]) -> bool {
        self.input(node).is_some_and(|port| {
            let id = port.payload.id(&mut self.origins.borrow_mut());
            self.differs_by_people(&[id], people, port)
        })
    }

    /// Where the people stand of whom an event is.
    pub(crate) fn place_of_people(&self, people: &[OriginId], port: &Port) -> Option<Pointer> {
        people
            .iter()
            .find_map(|person| self.place_of_owner(*person, port))
    }

    /// Whether no more events come to a node than there are people.
    pub(crate) fn comes_once_of_each(&self, node: NodeIx, people: &[OriginId]) -> bool {
        let Some(port) = self.input(node) else {
            return false;
        };
        // Copies make no people, and neither do results that come anew.
        port.copies == Copies::No
            && port.mode == Mode::Append
            && self.is_somebodys(node, people, port)
    }

    /// Whether events that come to a node are each of somebody else.
    fn is_somebodys(&self, node: NodeIx, people: &[OriginId], port: &Port) -> bool {
        // Behind a loop the way back would have no end.
        if meet_at(&self.design, node) || self.comes_round_before(node) {
            return false;
        }
        if people.is_empty() {
            self.is_of_one(port.payload.context, &mut BTreeSet::new())
        } else {
            self.identifies(people, port)
        }
    }

    /// Whether there are no more values of a key than people.
    fn differs_by_people(&self, key: &[OriginId], people: &[OriginId], port: &Port) -> bool {
        if !people.is_empty() {
            return self.determines(people, key);
        }
        let mut seen = BTreeSet::new();
        self.renewed(key, port).is_none()
            && key.iter().all(|part| self.is_of_event(*part, &mut seen))
    }

    /// Whether something comes round on its way to a node.
    fn comes_round_before(&self, node: NodeIx) -> bool {
        let (mut open, mut before) = (vec![node], BTreeSet::from([node]));
        while let Some(at) = open.pop() {
            let ins = self.design.nodes[at].ins.iter();
            let from = ins.map(|edge| self.design.edges[*edge].from);
            open.extend(from.filter(|from| before.insert(*from)));
        }
        let mut loops = self.components.iter().filter(|nodes| self.is_loop(nodes));
        loops.any(|nodes| nodes.iter().any(|node| before.contains(node)))
    }

    /// Whether an event from outside, of which nobody says whom it is about, decides a value.
    fn is_of_event(&self, origin: OriginId, seen: &mut BTreeSet<OriginId>) -> bool {
        if !seen.insert(origin) {
            return true;
        }
        match self.origin(origin) {
            Origin::Computed(_, parts) => parts.iter().all(|part| self.is_of_event(*part, seen)),
            Origin::Context(base, _) => self.is_of_one(base, &mut BTreeSet::new()),
            Origin::Field(Base::Met(node), place) => self.is_apart(node, |port| {
                let side = self.field(&place, port);
                side == origin || self.is_of_event(side, seen)
            }),
            Origin::Field(base, place) => {
                let node = base.node();
                match self.design.behaviour(node) {
                    Some(Behaviour::Source { .. }) => self.is_of_nobody(node),
                    Some(Behaviour::Map { .. } | Behaviour::Mediate { .. }) => {
                        self.is_made_of_event(node, &place, seen)
                    }
                    _ => false,
                }
            }
        }
    }

    /// Whether an event decides what a node makes of it at a place.
    fn is_made_of_event(
        &self,
        node: NodeIx,
        place: &Pointer,
        seen: &mut BTreeSet<OriginId>,
    ) -> bool {
        let Some((expr, port)) = self.mapping(node).zip(self.input(node)) else {
            return false;
        };
        let rows = &expr.analysis().outputs;
        let mut rows = rows.iter().filter(|row| related(&row.pointer, place));
        rows.all(|row| {
            let read = [&row.deps, &row.ctl];
            let fields = read.map(|read| read.fields.iter().chain(&read.shapes));
            let mut fields = fields.into_iter().flatten();
            let mut context = read.into_iter().flat_map(|read| &read.context);
            let whole = row.deps.fields.contains(&Pointer::root());
            !row.nondet
                && !whole
                && fields
                    .all(|field| field.is_root() || self.is_of_event(self.field(field, port), seen))
                && context.all(|read| {
                    let part = {
                        let origins = &mut *self.origins.borrow_mut();
                        port.payload.context(&read.pointer, origins)
                    };
                    read.variable == Variable::Event && self.is_of_event(part, seen)
                })
        })
    }

    /// Whether each event of a base goes back to an event from outside of its own, of which nobody says whom
    /// it is about.
    fn is_of_one(&self, base: Base, seen: &mut BTreeSet<Base>) -> bool {
        if !seen.insert(base) {
            return true;
        }
        let node = base.node();
        if let Base::Met(_) = base {
            return self.is_apart(node, |port| self.is_of_one(port.payload.context, seen));
        }
        match self.design.behaviour(node) {
            Some(Behaviour::Source { .. }) => self.is_of_nobody(node),
            // Each result is told by an event that tells no other.
            Some(Behaviour::Aggregate { .. } | Behaviour::Fold { .. }) => {
                self.comes_once_of_each(node, &[])
            }
            _ => false,
        }
    }

    /// Whether something holds of all streams that meet at a node, and none has events of another.
    fn is_apart(&self, node: NodeIx, mut holds: impl FnMut(&Port) -> bool) -> bool {
        let mut sources = BTreeSet::new();
        let ins = self.design.nodes[node].ins.iter();
        let mut sides = ins.filter_map(|edge| self.edge(*edge));
        sides.all(|port| {
            let mut own = port.definition.sources.iter();
            own.all(|source| sources.insert(*source)) && holds(port)
        })
    }

    /// Whether events come from outside, and nobody says of whom they are.
    fn is_of_nobody(&self, source: NodeIx) -> bool {
        let ty = self
            .output(source)
            .and_then(|port| port.payload.ty.as_ref());
        let ty = ty.and_then(|ty| self.design.document.types.get(ty));
        let heard = self.input(source).is_some();
        !heard
            && ty.is_none_or(|ty| {
                // Where all labels speak of owners, it is one of them.
                let mut labels = ty.labels.values();
                let owned = !ty.labels.is_empty()
                    && labels.all(|label| {
                        let mut atoms = label.0.iter().flat_map(|clause| &clause.0);
                        atoms.any(|atom| atom.pointer().is_some())
                    });
                ty.subject.is_none() && ty.tenant.is_none() && !owned
            })
    }
}
