//! Events that meet others of the same stream: what has the same origin may have another value.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::validate::design::NodeIx;
use crate::validate::facts::delivery::Mode;
use crate::validate::facts::labels::Labels;
use crate::validate::facts::origins::{Base, OriginId};
use crate::validate::facts::payload::Payload;
use crate::validate::facts::tags::TagSet;
use crate::validate::facts::{Facts, Port};

impl Facts {
    /// What is known of events that meet `others` by equal keys, where the same origins stand for values of
    /// two events. Their owners are still those of the others only where the keys say so.
    pub(super) fn apart(
        &mut self,
        node: NodeIx,
        (other_key, own_key): (&str, &str),
        others: &Port,
        own: &Port,
    ) -> Option<Port> {
        if self.bases(others).is_disjoint(&self.bases(own)) {
            return None;
        }
        let key = |field: &str, port: &Port| -> Vec<OriginId> {
            let key = self.design.expr(node, field);
            key.map(|key| self.key(key, port)).unwrap_or_default()
        };
        let (theirs, mut same) = (key(other_key, others), key(own_key, own));
        if theirs != same {
            same.clear();
        } else if self.identifies(&same, own) {
            // Each event meets itself alone.
            return None;
        }
        let folded = |facts: &mut Facts, tags: &TagSet| facts.folded_tags(node, &same, tags, false);
        let mut labels = Labels::default();
        for (at, tags) in own.labels.iter() {
            let tags = folded(self, tags);
            labels.add(at.clone(), &tags);
        }
        let mode = match &own.mode {
            Mode::Upsert(_) => Mode::Upsert([].into()),
            other => other.clone(),
        };
        Some(Port {
            payload: Rc::new(Payload::made(node, None)),
            labels: Rc::new(labels),
            presence: folded(self, &own.presence),
            named: folded(self, &own.named),
            guards: Rc::default(),
            owners: Rc::default(),
            present: Rc::default(),
            lacking: Rc::default(),
            mode,
            ..own.clone()
        })
    }

    /// Whose fields the events hold, are owned by, or were compared by.
    pub(super) fn bases(&self, port: &Port) -> BTreeSet<Base> {
        let origins = self.origins.borrow();
        let mut bases: BTreeSet<Base> = port.payload.bases(&origins).into_iter().collect();
        let owners = port.anchors(&self.tags).into_iter();
        let guarded = port.guards.keys().map(|(owner, _)| *owner);
        bases.extend(
            owners
                .chain(guarded)
                .filter_map(|owner| origins.base(owner)),
        );
        bases
    }
}
