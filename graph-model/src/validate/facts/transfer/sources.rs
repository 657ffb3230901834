//! What sources bring into a flow.

use std::rc::Rc;

use crate::catalog::Delivery;
use crate::validate::design::NodeIx;
use crate::validate::facts::definition::Definition;
use crate::validate::facts::delivery::{Copies, Losing, Loss, Mode, Order, Part};
use crate::validate::facts::payload::Payload;
use crate::validate::facts::redelivery::Redelivery;
use crate::validate::facts::tags::TagSet;
use crate::validate::facts::unsettled::Doubts;
use crate::validate::facts::{Facts, Port};

impl Facts {
    /// What is known of events before anybody in the flow has touched them.
    pub(super) fn source(
        &mut self,
        node: NodeIx,
        ty: &str,
        delivery: Delivery,
        keyed: bool,
    ) -> Port {
        let design = Rc::clone(&self.design);
        let mut port = Port {
            payload: Rc::new(Payload::made(node, None)),
            labels: Rc::default(),
            taint: Rc::default(),
            presence: TagSet::default(),
            named: TagSet::default(),
            guards: Rc::default(),
            owners: Rc::default(),
            present: Rc::default(),
            lacking: Rc::default(),
            copies: match delivery {
                Delivery::CallerRetries => Copies::Any(node),
                Delivery::Resumable => Copies::Suffix(node),
                Delivery::Once => Copies::No,
            },
            redelivery: Redelivery {
                horizon: design
                    .declared_ms(node, "max_delay")
                    .filter(|_| delivery != Delivery::Once)
                    .map(|ms| (ms, node)),
                called_again: (delivery == Delivery::CallerRetries).then_some(node),
                ..Redelivery::default()
            },
            renewers: Rc::default(),
            doubts: Doubts {
                read_time: self.reads_late(node, ty, delivery).then_some(node),
                ..Doubts::default()
            },
            // What may come late may come behind what happened after it.
            order: match (delivery, design.declared_ms(node, "max_delay")) {
                (Delivery::CallerRetries, _) | (_, Some(1..)) => Order::Lost(node, Loss::Source),
                (Delivery::Resumable | Delivery::Once, _) => Order::Total,
            },
            part: Part::Single,
            mode: Mode::Append,
            multiplied: Rc::default(),
            losing: design
                .declared_flag(node, "may_lose")
                .then_some(Losing::Node(node)),
            delay: design.declared_ms(node, "max_delay").map(|ms| (ms, node)),
            definition: Rc::new(Definition::of_source(node)),
            size: None,
        };
        let called = delivery == Delivery::CallerRetries;
        if called || self.is_open(node) {
            self.let_outsiders_in(node, &mut port);
        }
        if keyed {
            self.identify_by_context(node);
        }
        self.declare(node, design.text(node, ty), &mut port);
        port
    }

    /// Whether a source reads events that were made before, and their type names no time.
    fn reads_late(&self, node: NodeIx, ty: &str, delivery: Delivery) -> bool {
        let ty = self.design.text(node, ty);
        let ty = ty.and_then(|ty| self.design.document.types.get(ty));
        delivery == Delivery::Resumable && ty.is_some_and(|ty| ty.time.is_none())
    }

    /// A source gets what others wrote where it listens.
    pub(super) fn hear(&mut self, node: NodeIx, stored: &Port, port: &mut Port) {
        Rc::make_mut(&mut port.labels).join(&stored.labels);
        Rc::make_mut(&mut port.taint).join(&stored.taint);
        port.presence = stored.presence.clone();
        port.named = stored.named.clone();
        if port.payload.ty.is_none() && stored.payload.ty.is_none() {
            // What is read is what was written, as an event of its own.
            port.payload = Rc::new(stored.payload.read_at(node));
            port.present = Rc::clone(&stored.present);
            port.lacking = Rc::clone(&stored.lacking);
            port.mode = stored.mode.clone();
        }
        port.multiplied = Rc::clone(&stored.multiplied);
        port.owners = self.same_places(stored, &port.payload);
        port.losing = port.losing.or(stored.losing);
        // Those of several writes between two looks are told apart by nothing but their names.
        port.order = port.order.lost_at(node, Loss::Names);
        let names_time = port.payload.ty.as_ref().is_some_and(|ty| {
            let ty = self.design.document.types.get(ty);
            ty.is_some_and(|ty| ty.time.is_some())
        });
        port.doubts.read_time = (!names_time).then_some(node);
        if port.payload.ty.is_none() && stored.payload.ty.is_some() {
            let ty = stored.payload.ty.clone();
            self.declare(node, ty.as_ref().map(crate::id::Id::as_str), port);
        }
    }
}
