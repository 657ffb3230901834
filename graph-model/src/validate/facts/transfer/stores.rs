//! What a node leaves in a resource, and what the changes of a table bring.

use std::rc::Rc;

use crate::catalog::{Behaviour, Delivery, FieldType, JqRole};
use crate::pointer::Pointer;
use crate::validate::design::NodeIx;
use crate::validate::facts::definition::Definition;
use crate::validate::facts::delivery::{Copies, Mode, Order, Part};
use crate::validate::facts::labels::Labels;
use crate::validate::facts::payload::Payload;
use crate::validate::facts::tags::TagSet;
use crate::validate::facts::transfer::copies::once;
use crate::validate::facts::{Facts, Port};

/// What is to be known of the keys of rows.
#[derive(Default)]
struct RowKey {
    labels: TagSet,
    taint: TagSet,
    /// What it tells of others that there was a row with the key.
    told: TagSet,
}

/// The column that tells the rows of a table apart.
const ROW_KEY: &str = "weir_key";

/// The column with the id of an event where a table keeps all.
const ROW_ID: &str = "weir_id";

impl Facts {
    /// What a node leaves in the resource that it writes.
    pub(in crate::validate::facts) fn stored(
        &mut self,
        node: NodeIx,
        input: Option<&Rc<Port>>,
    ) -> Option<Rc<Port>> {
        let design = Rc::clone(&self.design);
        let (view, behaviour) = design.acting(node)?;
        let input = input?;
        let Behaviour::Table { key, mode, .. } = behaviour else {
            // Files bear the names that they are kept by.
            let kind = view.kind.as_ref()?;
            let names = kind.config.iter().filter(|field| {
                let key = FieldType::Jq { role: JqRole::Key };
                matches!(behaviour, Behaviour::Bucket { .. }) && field.ty == key
            });
            let mut stored = Rc::clone(input);
            for name in names.filter_map(|field| design.expr(node, &field.name)) {
                let tags = input.told_by(&name.analysis().reads);
                if !tags.is_empty() {
                    Rc::make_mut(&mut stored).named.join(&tags);
                }
            }
            return Some(stored);
        };
        let mut port = (**input).clone();
        let once_only = match design.text(node, mode) {
            // A row takes the place of no newer one, and what was appended once is not again.
            Some("compare_and_set") => true,
            Some("append") => self.named(&port),
            // Where each event has a row of its own it is the same row again.
            _ => design
                .expr(node, key)
                .is_some_and(|key| self.identifies(&self.key(key, &port), &port)),
        };
        if once_only {
            once(&mut port);
        }
        let columns = design.columns(node);
        let mut labels = Labels::default();
        let mut taint = Labels::default();
        let mut payload = Payload::made(node, None);
        {
            let origins = &mut *self.origins.borrow_mut();
            if columns.is_empty() {
                let at = Pointer::root().child("data");
                payload.embed(&at, &port.payload, origins);
                labels.shift(&at, &port.labels);
                taint.shift(&at, &port.taint);
            }
            for (name, expr) in &columns {
                let at = Pointer::root().child((*name).clone());
                let Some(expr) = expr else { continue };
                let analysis = expr.analysis();
                let copy = analysis
                    .outputs
                    .iter()
                    .find_map(|row| row.copy.as_ref().filter(|_| row.pointer.is_root()));
                if let Some(copy) = copy {
                    let origin = port.payload.field(copy, origins);
                    payload.set(at.clone(), origin);
                }
                labels.add(at.clone(), &port.told_by(&analysis.reads));
                taint.add(at, &port.taint.of(&analysis.reads));
            }
        }
        if !design.overwrites(node) {
            labels.add(Pointer::root().child(ROW_ID), &port.named);
        }
        if let (true, Some(expr)) = (design.overwrites(node), design.expr(node, key)) {
            let key = self.key(expr, &port);
            port.mode = Mode::Upsert(key.clone().into());
            port.order = Order::PerKey(key.into());
        }
        let name = view.id.as_str();
        port.definition = Rc::new(Definition::of_source(node).step("table", name, name));
        port.payload = Rc::new(payload);
        port.labels = Rc::new(labels);
        port.taint = Rc::new(taint);
        port.guards = Rc::default();
        port.part = Part::Single;
        Some(Rc::new(port))
    }

    /// What the keys are made of by which others write the rows whose changes a node hears.
    fn key_of_rows(&mut self, node: NodeIx, mode: &Mode) -> RowKey {
        let design = Rc::clone(&self.design);
        let mut made = RowKey::default();
        let ins = design.nodes[node].ins.iter();
        for edge in ins.filter(|edge| design.edges[**edge].resource) {
            let writer = design.edges[*edge].from;
            if let Some(Behaviour::Table { key, .. }) = design.behaviour(writer)
                && let Some((key, port)) = design.expr(writer, key).zip(self.input(writer))
            {
                let labels = port.told_by(&key.analysis().reads);
                made.taint.join(&port.taint.of(&key.analysis().reads));
                let parts = self.key(key, port);
                let unique = self.identifies(&parts, port);
                made.labels.join(&labels);
                if !unique {
                    let key = match mode {
                        Mode::Upsert(key) => key,
                        _ => &parts[..],
                    };
                    made.told.join(&self.folded_tags(node, key, &labels, false));
                }
            }
        }
        made
    }

    /// What it tells that a row has changed: that some of it is not what it was.
    fn told_by_change(&mut self, node: NodeIx, stored: &Port) -> TagSet {
        match &stored.mode {
            Mode::Upsert(key) => self.folded_tags(node, key, &stored.labels.all(), false),
            _ => TagSet::default(),
        }
    }

    /// Labels of the row that was there before: whose it is, the row after it says only where all that have
    /// the key are of one owner.
    fn labels_before(&mut self, node: NodeIx, stored: &Port) -> Rc<Labels> {
        let Mode::Upsert(key) = &stored.mode else {
            return Rc::clone(&stored.labels);
        };
        let labels = stored.labels.iter().map(|(at, tags)| {
            let tags = self.folded_tags(node, key, tags, false);
            (at.clone(), tags)
        });
        Rc::new(labels.collect())
    }

    /// The changes of a table: `{op, key, before, after}`.
    pub(super) fn changes(&mut self, node: NodeIx, ty: &str, stored: Option<&Port>) -> Port {
        let design = Rc::clone(&self.design);
        let mut port = self.source(node, "", Delivery::Resumable, true);
        let key = Pointer::root().child("key");
        let version = self.field(&key, &port);
        port.mode = Mode::Upsert([version].into());
        port.order = Order::PerKey([version].into());
        // A change has the time at which it was written.
        port.doubts.read_time = Some(node);
        if let Some(stored) = stored {
            let mut payload = (*port.payload).clone();
            for side in ["before", "after"] {
                let at = Pointer::root().child(side);
                // The row before is another event's row: only what comes after is the one that was
                // written.
                let labels = if side == "after" {
                    payload.embed(&at, &stored.payload, &mut self.origins.borrow_mut());
                    Rc::clone(&stored.labels)
                } else {
                    self.labels_before(node, stored)
                };
                Rc::make_mut(&mut port.labels).shift(&at, &labels);
                Rc::make_mut(&mut port.taint).shift(&at, &stored.taint);
            }
            let RowKey {
                labels,
                taint,
                told,
            } = self.key_of_rows(node, &stored.mode);
            // Rows tell their key in a column of its own as well.
            let row_key = Pointer::root().child("after").child(ROW_KEY);
            for at in [&key, &row_key] {
                Rc::make_mut(&mut port.labels).add(at.clone(), &labels);
                Rc::make_mut(&mut port.taint).add(at.clone(), &taint);
            }
            // Whether there was such a row is told by what was done.
            for name in ["op", "before"] {
                Rc::make_mut(&mut port.labels).add(Pointer::root().child(name), &told);
            }
            port.named = &stored.named | &labels;
            if let Mode::Upsert(by) = &stored.mode {
                let origins = &mut *self.origins.borrow_mut();
                match &by[..] {
                    [single] => payload.set(key, *single),
                    parts => {
                        for part in parts {
                            origins.decide(vec![version], *part);
                        }
                        origins.decide(parts.to_vec(), version);
                    }
                }
                port.mode = Mode::Upsert(Rc::clone(by));
                port.order = Order::PerKey(Rc::clone(by));
            }
            port.payload = Rc::new(payload);
            port.presence = &stored.presence | &self.told_by_change(node, stored);
            if stored.copies != Copies::No {
                // What is written again after something newer changes the row there and back.
                self.renew(node, false, &mut port);
            }
            port.owners = Rc::clone(&stored.owners);
            port.losing = stored.losing;
            // Each result that is kept in a row before the last is a change of its own.
            port.doubts.running = stored.doubts.running;
            port.doubts.hasty = stored.doubts.hasty;
        }
        self.declare(node, design.text(node, ty), &mut port);
        port
    }
}
