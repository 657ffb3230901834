//! What a node leaves in a resource, and what the changes of a table bring.

use std::rc::Rc;

use crate::catalog::{Behaviour, Delivery};
use crate::pointer::Pointer;
use crate::validate::design::NodeIx;
use crate::validate::facts::definition::Definition;
use crate::validate::facts::delivery::{Copies, Mode, Order, Part};
use crate::validate::facts::labels::Labels;
use crate::validate::facts::payload::Payload;
use crate::validate::facts::transfer::copies::once;
use crate::validate::facts::{Facts, Port};

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
            return Some(Rc::clone(input));
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
                labels.add(at.clone(), &port.labels.of(&analysis.reads));
                taint.add(at, &port.taint.of(&analysis.reads));
            }
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
                if side == "after" {
                    payload.embed(&at, &stored.payload, &mut self.origins.borrow_mut());
                }
                Rc::make_mut(&mut port.labels).shift(&at, &stored.labels);
                Rc::make_mut(&mut port.taint).shift(&at, &stored.taint);
            }
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
            port.presence = stored.presence.clone();
            if stored.copies != Copies::No {
                // What is written again after something newer changes the row there and back.
                self.renew(node, false, &mut port);
            }
            port.owners = Rc::clone(&stored.owners);
            port.losing = stored.losing;
        }
        self.declare(node, design.text(node, ty), &mut port);
        port
    }
}
