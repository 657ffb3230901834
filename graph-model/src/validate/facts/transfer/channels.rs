//! What channels do to the order, the place and the copies of events.

use std::rc::Rc;

use crate::expr::Expr;
use crate::validate::design::NodeIx;
use crate::validate::facts::delivery::{Copies, Loss, Order, Part};
use crate::validate::facts::transfer::copies::once;
use crate::validate::facts::{Facts, Port};

impl Facts {
    /// A channel delivers what arrives, and again.
    pub(super) fn deliver(&self, node: NodeIx, copies: Copies, port: &mut Port) {
        let design = &self.design;
        port.copies = port.copies.or(copies);
        // Its own copies were not there when somebody else should have dropped them.
        port.redelivery.let_through = None;
        if design.declared_flag(node, "exactly_once") {
            port.redelivery.claimed = Some(node);
        }
        let kept = design.declared_ms(node, "retention");
        let horizon = kept.max(design.redelivers_for(node));
        port.redelivery.reach(horizon.map(|ms| (ms, node)));
        port.redelivery.delivered_by = Some(node);
        port.redelivery.patience = design.waits_for(node);
    }

    /// A topic brings events to everybody who listens, in any order.
    pub(super) fn topic(&self, node: NodeIx, port: &mut Port) {
        self.deliver(node, Copies::Any(node), port);
        port.order = port.order.lost_at(node, Loss::Channel);
        port.part = Part::Single;
    }

    /// A queue hands each event to one of its workers; those of a group wait for each other.
    pub(super) fn queue(&mut self, node: NodeIx, key: Option<&Expr>, count: i64, port: &mut Port) {
        let Some(key) = key else {
            self.deliver(node, Copies::Any(node), port);
            port.order = port.order.lost_at(node, Loss::Channel);
            port.part = if count > 1 {
                Part::Any { count, by: node }
            } else {
                Part::Single
            };
            return;
        };
        // A group waits for its first event, so what comes again comes in order.
        self.deliver(node, Copies::Suffix(node), port);
        self.place(node, Some(key), count, port);
        // Of two groups either may go first.
        let key = self.key(key, port);
        port.order = match &port.order {
            Order::Total => Order::PerKey(key.into()),
            Order::PerKey(by) => {
                let more = key.into_iter().filter(|part| !by.contains(part));
                Order::PerKey(by.iter().copied().chain(more).collect())
            }
            Order::Lost(by, loss) => Order::Lost(*by, *loss),
        };
    }

    /// A log keeps events in their order; what is written `whole` comes and goes with the delivery that
    /// brought it.
    pub(super) fn log(
        &mut self,
        node: NodeIx,
        key: Option<&Expr>,
        count: i64,
        whole: bool,
        port: &mut Port,
    ) {
        if whole {
            // So none is there twice.
            match port.redelivery.called_again {
                Some(source) => port.copies = Copies::Any(source),
                None => once(port),
            }
        }
        self.deliver(node, Copies::Suffix(node), port);
        self.place(node, key, count, port);
    }

    /// Moves events to the partition of their key.
    pub(super) fn place(&mut self, node: NodeIx, key: Option<&Expr>, count: i64, port: &mut Port) {
        let placed = key.map(|key| (self.key(key, port), self.keyed(key, port)));
        let Some((key, form)) = placed.filter(|_| count > 1) else {
            port.part = Part::Single;
            return;
        };
        port.order = match &port.order {
            Order::Lost(..) => port.order.clone(),
            known if self.in_order(known, &key) => Order::PerKey(key.clone().into()),
            _ => Order::Lost(node, Loss::Instances),
        };
        port.part = Part::Hash {
            key: key.into(),
            form: Rc::new(form),
            count,
            by: node,
        };
    }

    /// Events of a key leave in their order, each from where it arrived.
    pub(super) fn put_in_order(&mut self, node: NodeIx, key: &str, port: &mut Port) {
        let design = Rc::clone(&self.design);
        if let Some(expr) = design.expr(node, key) {
            let key = self.key(expr, port);
            port.part = self.kept_part(node, Some(expr), &key, port);
            port.order = Order::PerKey(key.into());
        }
    }
}
