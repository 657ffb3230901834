//! What folds make of the events of a group.

use std::rc::Rc;

use crate::expr::Expr;
use crate::pointer::Pointer;
use crate::validate::design::NodeIx;
use crate::validate::facts::delivery::{Copies, Mode, Order};
use crate::validate::facts::groups::parts_of;
use crate::validate::facts::labels::Labels;
use crate::validate::facts::payload::Payload;
use crate::validate::facts::tags::TagSet;
use crate::validate::facts::{Facts, Port, numbers};
use crate::validate::rules::{broken_by_copies, decides_early};

impl Facts {
    /// Results of a window are sent once; others change with each event.
    pub(super) fn aggregate(
        &mut self,
        node: NodeIx,
        group: &str,
        aggregates: &str,
        port: &mut Port,
    ) {
        let design = Rc::clone(&self.design);
        let windowed = numbers::windowed(&design, node);
        let (broken, copied) = (self.miscounts(node, port), port.copies != Copies::No);
        let columns = self.columns_of(node, aggregates).into_iter();
        let results = columns.map(|column| {
            let (labels, taint) = column.of.map_or_else(Default::default, |of| {
                let reads = &of.analysis().reads;
                (port.told_by(reads), port.taint.of(reads))
            });
            GroupResult {
                at: Pointer::root().child(column.name),
                labels,
                taint,
                blurs: column.blurs(),
            }
        });
        let results = results.collect();
        let (group, text) = (design.expr(node, group), design.text(node, group));
        let by = self.folding(node, group, port);
        self.grouped(node, group, port, results);
        if windowed {
            port.mode = Mode::Append;
        }
        let text = text.unwrap_or("null");
        port.definition = Rc::new(port.definition.step("aggregate", &by, text));
        self.answer(node, broken, copied && !windowed, port);
        port.doubts.running = (!windowed).then_some(node);
    }

    /// The state of a group, as the step makes it of each event.
    pub(super) fn fold(&mut self, node: NodeIx, group: &str, step: &str, port: &mut Port) {
        let design = Rc::clone(&self.design);
        let (broken, copied) = (self.miscounts(node, port), port.copies != Copies::No);
        let (labels, taint) = match design.expr(node, step) {
            Some(step) => {
                let reads = &step.analysis().reads;
                (port.told_by(reads), port.taint.of(reads))
            }
            None => (port.labels.all(), port.taint.all()),
        };
        let state = GroupResult {
            at: Pointer::root().child("state"),
            labels,
            taint,
            blurs: false,
        };
        self.grouped(node, design.expr(node, group), port, vec![state]);
        let name = design.nodes[node].id.as_str();
        port.definition = Rc::new(port.definition.step("fold", name, name));
        self.answer(node, broken, copied, port);
        port.doubts.running = None;
    }

    /// Whether something holds of all events of a group.
    pub(super) fn decide(
        &mut self,
        node: NodeIx,
        (group, seal_key): (&str, &str),
        input: &Port,
        seal: Option<&Port>,
    ) -> Port {
        let design = Rc::clone(&self.design);
        let mut port = input.clone();
        let broken = self.miscounts(node, input);
        // How many came says what chose them.
        let told = ["holds", "count"].map(|name| GroupResult {
            at: Pointer::root().child(name),
            labels: port.presence.clone(),
            taint: TagSet::default(),
            blurs: false,
        });
        self.grouped(node, design.expr(node, group), &mut port, told.into());
        port.mode = Mode::Append;
        if let Some(seal) = seal {
            port.losing = port.losing.or(seal.losing);
            let key = design.expr(node, seal_key);
            if let Some(key) = key.or_else(|| design.expr(node, group)) {
                self.sealed(node, key, seal, &mut port);
            }
        }
        let name = design.nodes[node].id.as_str();
        port.definition = Rc::new(port.definition.step("decide", name, name));
        // It answers once for a group, and with the same id when it answers again.
        self.answer(node, broken, false, &mut port);
        port.doubts.running = None;
        if port.doubts.hasty.is_none() && decides_early(self, node, input, seal).is_some() {
            port.doubts.hasty = Some(node);
        }
        port
    }

    /// Answers that end marks bring about: their key may be that of the mark alone.
    fn sealed(&mut self, node: NodeIx, key: &Expr, seal: &Port, port: &mut Port) {
        let parts = self.key(key, seal);
        let tags = &seal.told_by(&key.analysis().reads) | &seal.presence;
        let tags = self.folded_tags(node, &parts, &tags, false);
        port.presence.join(&tags);
        port.named.join(&tags);
        let labels = Rc::make_mut(&mut port.labels);
        for name in ["key", "count", "holds"] {
            labels.add(Pointer::root().child(name), &tags);
        }
        let taint = seal.taint.of(&key.analysis().reads);
        Rc::make_mut(&mut port.taint).add(Pointer::root().child("key"), &taint);
    }

    /// Whether copies spoil what a node makes of groups.
    fn miscounts(&self, node: NodeIx, port: &Port) -> bool {
        broken_by_copies(&self.design, node, port.copies).is_some()
    }

    /// Results of groups, with the key of their group in `key`.
    fn grouped(
        &mut self,
        node: NodeIx,
        group: Option<&Expr>,
        port: &mut Port,
        results: Vec<GroupResult>,
    ) {
        let at = Pointer::root().child("key");
        let mut key = Vec::new();
        let (mut labels, mut taint) = (Labels::default(), Labels::default());
        let mut chosen = TagSet::default();
        if let Some(group) = group {
            key = self.key(group, port);
            chosen = port.told_by(&group.analysis().reads);
            labels.add(at.clone(), &self.folded_tags(node, &key, &chosen, false));
            taint.add(at.clone(), &port.taint.of(&group.analysis().reads));
        }
        // Results are named after their group.
        port.named = self.folded_tags(node, &key, &chosen, false);
        let blurs = results.iter().all(|result| result.blurs);
        for result in results {
            // Which events it is of says what they were grouped by.
            let tags = &result.labels | &chosen;
            let tags = self.folded_tags(node, &key, &tags, result.blurs);
            labels.add(result.at.clone(), &tags);
            taint.add(result.at, &result.taint);
        }
        let presence = &port.presence | &chosen;
        port.presence = self.folded_tags(node, &key, &presence, blurs);
        port.part = self.kept_part(node, group, &key, port);
        self.identify_by_context(node);
        let origins = &mut *self.origins.borrow_mut();
        let (mut payload, whole) = Payload::of_group(node, &key, origins);
        if let Some(group) = group {
            for (place, field) in parts_of(group) {
                let origin = port.payload.field(&field, origins);
                payload.set(at.join(&place), origin);
            }
        }
        port.payload = Rc::new(payload);
        port.labels = Rc::new(labels);
        port.taint = Rc::new(taint);
        port.guards = Rc::default();
        if !port.multiplied.is_empty() {
            port.multiplied = Rc::default();
        }
        port.size = None;
        port.mode = Mode::Upsert([whole].into());
        // The results of a group leave the one place that folds it.
        port.order = Order::PerKey([whole].into());
    }
}

/// One field of the results of groups.
struct GroupResult {
    at: Pointer,
    labels: TagSet,
    taint: TagSet,
    /// No single value can be read from it.
    blurs: bool,
}
