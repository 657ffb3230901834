//! What becomes of events that meet others: in pairs, or with the row that belongs to them.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::pointer::Pointer;
use crate::validate::design::NodeIx;
use crate::validate::facts::delivery::{Loss, Mode, Order, Part};
use crate::validate::facts::labels::Labels;
use crate::validate::facts::origins::{Base, OriginId};
use crate::validate::facts::payload::Payload;
use crate::validate::facts::placement::Side;
use crate::validate::facts::redelivery::Redelivery;
use crate::validate::facts::tags::TagSet;
use crate::validate::facts::{Facts, Port, owners};

/// The only side of a join to which something comes.
#[derive(Clone, Copy)]
pub(super) enum Sides<'p> {
    Left(&'p Port),
    Right(&'p Port),
}

impl Facts {
    /// Pairs of events with equal keys.
    pub(super) fn join(
        &mut self,
        node: NodeIx,
        keys: (&str, &str),
        left: &Port,
        right: &Port,
    ) -> Port {
        let design = Rc::clone(&self.design);
        let apart = self.apart(node, keys, left, right);
        let told = apart.as_ref().unwrap_or(right);
        let sides = [
            (Pointer::root().child("left"), left, keys.0),
            (Pointer::root().child("right"), told, keys.1),
        ];
        let id = self.identify_by_context(node);
        let named = [left, right]
            .iter()
            .all(|side| self.renews_ids(side).is_none());
        let mut payload = Payload::made(node, None);
        let (mut labels, mut taint) = (Labels::default(), Labels::default());
        let mut matched = TagSet::default();
        let mut of_both = Vec::new();
        for (at, side, key) in &sides {
            if let Some(key) = design.expr(node, key) {
                matched.join(&side.told_by(&key.analysis().reads));
            }
            let origins = &mut *self.origins.borrow_mut();
            payload.embed(at, &side.payload, origins);
            labels.shift(at, &side.labels);
            taint.shift(at, &side.taint);
            // Whoever knows the pair knows both, and the reverse.
            let identity = origins.identities(side.payload.context).first().copied();
            if let Some(identity) = identity {
                origins.decide(vec![id], identity);
                of_both.push(identity);
            }
        }
        if of_both.len() == 2 {
            self.origins.borrow_mut().decide(of_both, id);
        }
        let side = |port, key| Side {
            port,
            key: design.expr(node, key),
        };
        let part = self.matched_part(node, side(left, keys.0), side(right, keys.1));
        let union = |a: &BTreeSet<OriginId>, b: &BTreeSet<OriginId>| a | b;
        let mut port = Port {
            payload: Rc::new(payload),
            labels: Rc::new(labels),
            taint: Rc::new(taint),
            presence: &left.presence | &told.presence,
            named: &left.named | &told.named,
            guards: Rc::new(owners::both(&left.guards, &told.guards)),
            owners: Rc::new(&*left.owners | &*told.owners),
            present: Rc::new(union(&left.present, &told.present)),
            lacking: joined(&left.lacking, &told.lacking),
            copies: left.copies.or(right.copies),
            redelivery: Redelivery::of_all(&[&left.redelivery, &right.redelivery].into_iter()),
            renewers: Rc::new(&*left.renewers | &*right.renewers),
            doubts: left.doubts.or(right.doubts),
            order: Order::Lost(node, Loss::Meeting),
            part,
            // Pairs come again with each version of what is on either side.
            mode: match left.mode {
                Mode::Append => told.mode.clone(),
                ref known => known.clone(),
            },
            multiplied: self.multiplied_by(node, [left, right]),
            losing: left.losing.or(right.losing),
            delay: left.delay.max(right.delay),
            definition: Rc::new(left.definition.with(&right.definition)),
            size: left.size.zip(right.size).map(|(a, b)| a.saturating_add(b)),
        };
        port.presence.join(&matched);
        port.named.join(&matched);
        if apart.is_none() {
            self.equate_keys(node, keys, (left, right), &mut port);
        }
        self.renew(node, named, &mut port);
        port
    }

    /// Pairs of a join to which only one side comes: none has a partner.
    pub(super) fn half(&mut self, node: NodeIx, keys: (&str, &str), sides: Sides<'_>) -> Port {
        let nothing = |other: &Port| Port {
            payload: Rc::new(Payload::made(node, None)),
            labels: Rc::default(),
            taint: Rc::default(),
            presence: TagSet::default(),
            named: TagSet::default(),
            guards: Rc::default(),
            owners: Rc::default(),
            ..other.clone()
        };
        let (Sides::Left(side) | Sides::Right(side)) = sides;
        let other = nothing(side);
        let port = match sides {
            Sides::Left(left) => self.join(node, keys, left, &other),
            Sides::Right(right) => self.join(node, keys, &other, right),
        };
        Port {
            // They leave by their time.
            order: side.order.clone(),
            part: side.part.clone(),
            ..port
        }
    }

    /// What finds no partner leaves in the shape of a pair, with nothing on one side.
    pub(super) fn unmatched(&self, node: NodeIx, sides: [Option<&Port>; 2], pair: &Port) -> Port {
        let mut lacking = (*pair.lacking).clone();
        let mut owners = BTreeSet::new();
        let mixed = match sides {
            [Some(left), Some(right)] => !self.bases(left).is_disjoint(&self.bases(right)),
            _ => false,
        };
        for (number, side) in sides.into_iter().flatten().enumerate() {
            if number == 0 || !mixed {
                owners.extend(&*side.owners);
            }
            let bases = side.payload.bases(&self.origins.borrow());
            lacking.extend(bases.into_iter().map(|base| (base, node)));
        }
        // Only one side is all in one place.
        let placed_by_nothing =
            |part: &Part| matches!(part, Part::Hash { key, .. } if key.is_empty());
        let apart = match sides {
            [Some(left), Some(right)] => {
                placed_by_nothing(&pair.part)
                    && !(placed_by_nothing(&left.part) && placed_by_nothing(&right.part))
            }
            _ => false,
        };
        let part = if apart {
            Part::Mixed { at: node }
        } else {
            pair.part.clone()
        };
        Port {
            part,
            // Its key equals nobody's.
            owners: Rc::new(owners),
            present: Rc::default(),
            lacking: Rc::new(lacking),
            ..pair.clone()
        }
    }

    /// Events with the row of their key.
    pub(super) fn enrich(
        &mut self,
        node: NodeIx,
        keys: (&str, &str),
        into: &str,
        port: &mut Port,
        rows: Option<&Port>,
    ) {
        let design = Rc::clone(&self.design);
        let apart = rows.and_then(|rows| self.apart(node, keys, port, rows));
        let told = apart.as_ref().or(rows);
        let name = design.text(node, into).unwrap_or("row");
        let at = Pointer::root().child(name);
        let mut payload = (*port.payload).clone();
        payload.ty = None;
        let mut labels = port.labels.without(std::slice::from_ref(&at));
        let mut taint = port.taint.without(std::slice::from_ref(&at));
        if let Some(key) = design.expr(node, keys.0) {
            labels.add(at.clone(), &port.told_by(&key.analysis().reads));
        }
        if let Some(rows) = told {
            let found = self.found(node, keys, port, rows);
            port.presence.join(&found);
        }
        {
            let origins = &mut *self.origins.borrow_mut();
            payload.clear(&at, node, origins);
            if let Some(rows) = told {
                payload.embed(&at, &rows.payload, origins);
                labels.shift(&at, &rows.labels);
                taint.shift(&at, &rows.taint);
            }
        }
        port.payload = Rc::new(payload);
        port.labels = Rc::new(labels);
        port.taint = Rc::new(taint);
        if let Some(rows) = rows {
            let events = port.clone();
            if apart.is_none() {
                port.owners = Rc::new(&*port.owners | &*rows.owners);
                self.equate_keys(node, keys, (&events, rows), port);
            }
            port.losing = port.losing.or(rows.losing);
            port.size = port.size.zip(rows.size).map(|(a, b)| a.saturating_add(b));
            let name = design.nodes[node].id.as_str();
            port.definition = Rc::new(port.definition.step("enrich", name, name));
        }
    }
}

impl Facts {
    /// What it tells that there is a row for an event: their keys, and what chose the row.
    fn found(&self, node: NodeIx, keys: (&str, &str), events: &Port, rows: &Port) -> TagSet {
        let of = |field: &str, port: &Port| {
            let key = self.design.expr(node, field);
            key.map_or_else(TagSet::default, |key| port.told_by(&key.analysis().reads))
        };
        let mut told = of(keys.0, events);
        told.join(&of(keys.1, rows));
        told.join(&rows.presence);
        told
    }

    /// Events without a row: that there is none tells of all rows, whosever they are.
    pub(super) fn missing(
        &mut self,
        node: NodeIx,
        keys: (&str, &str),
        events: &Port,
        rows: &Port,
    ) -> Port {
        let apart = self.apart(node, keys, events, rows);
        let nothing = Port {
            labels: Rc::default(),
            presence: TagSet::default(),
            named: TagSet::default(),
            ..rows.clone()
        };
        let own = self.found(node, keys, events, &nothing);
        let mut told = self.found(node, keys, &nothing, apart.as_ref().unwrap_or(rows));
        if apart.is_none() {
            told = self.folded_tags(node, &[], &told, false);
        }
        let mut port = events.clone();
        port.presence.join(&own);
        port.presence.join(&told);
        port
    }
}

/// What some events lack of either side.
fn joined(
    left: &Rc<BTreeMap<Base, NodeIx>>,
    right: &Rc<BTreeMap<Base, NodeIx>>,
) -> Rc<BTreeMap<Base, NodeIx>> {
    let mut joined = Rc::clone(left);
    if !right.is_empty() {
        Rc::make_mut(&mut joined).extend(&**right);
    }
    joined
}
