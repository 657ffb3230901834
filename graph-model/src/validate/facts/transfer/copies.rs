//! Where copies of an event end, and where something is made anew of each.

use std::rc::Rc;

use smol_str::SmolStr;

use crate::expr::Expr;
use crate::pointer::Pointer;
use crate::validate::design::NodeIx;
use crate::validate::facts::delivery::{Copies, Mode};
use crate::validate::facts::origins::{Base, Origin, OriginId};
use crate::validate::facts::{Facts, Port};

impl Facts {
    /// Of events with the same key only the first passes.
    pub(super) fn dedupe(&mut self, node: NodeIx, key: &SmolStr, port: &mut Port) {
        let design = Rc::clone(&self.design);
        self.tell_of_keys(node, &[key], port);
        self.drop_copies(node, &[key], port);
        let Some(expr) = design.expr(node, key) else {
            return;
        };
        let key = self.key(expr, port);
        if let Mode::Upsert(thing) = &port.mode
            && !thing.is_empty()
            && self.determines(thing, &key)
        {
            // Of each thing the first version passes, as if it were made then.
            port.mode = Mode::Append;
        }
        port.multiplied = self.still_multiplied(expr, port);
        let by = format!("{key:?}");
        port.definition = Rc::new(port.definition.step("dedupe", &by, expr.code()));
    }

    /// That an event passes tells that none with these keys came before, unless no two events have
    /// the same: what those others held and what chose them is told, whosever they are.
    pub(super) fn tell_of_keys(&mut self, node: NodeIx, keys: &[&SmolStr], port: &mut Port) {
        let design = Rc::clone(&self.design);
        let exprs = keys.iter().filter_map(|field| design.expr(node, field));
        let exprs: Vec<&Expr> = exprs.collect();
        let parts: Vec<OriginId> = exprs.iter().flat_map(|expr| self.key(expr, port)).collect();
        if self.identifies(&parts, port) {
            return;
        }
        let mut told = port.presence.clone();
        for expr in exprs {
            told.join(&port.told_by(&expr.analysis().reads));
        }
        let told = self.folded_tags(node, &parts, &told, false);
        if told != port.presence {
            port.presence = told;
        }
    }

    /// Copies end here, if these expressions tell them from other events.
    pub(super) fn drop_copies(&self, node: NodeIx, keys: &[&SmolStr], port: &mut Port) {
        let mut keys = keys.iter().map(|field| self.design.expr(node, field));
        if keys.all(|key| key.is_some_and(|key| self.stable(key, port))) {
            once(port);
        } else if port.copies != Copies::No {
            port.redelivery.let_through = Some(node);
        }
    }

    /// What a node makes of groups is sent once where a hazard of copies is reported for it: what
    /// follows from that is no other one. `anew` says that a copy makes a result of its own.
    pub(super) fn answer(&self, node: NodeIx, broken: bool, anew: bool, port: &mut Port) {
        if broken {
            once(port);
            return;
        }
        port.copies = port.copies.in_turn();
        self.renew(node, !anew, port);
    }

    /// A node makes something anew of each copy; its ids as well, unless they are `named` after what
    /// all copies have in common.
    pub(super) fn renew(&self, node: NodeIx, named: bool, port: &mut Port) {
        if !named {
            let origins = &mut *self.origins.borrow_mut();
            let own = Origin::Context(Base::Made(node), Pointer::root().child("id"));
            let own = origins.id(own);
            origins.mark_unstable(own);
        }
        if port.copies != Copies::No {
            Rc::make_mut(&mut port.renewers).insert(node);
        }
    }
}

/// Copies end here.
pub(super) fn once(port: &mut Port) {
    port.copies = Copies::No;
    port.redelivery.horizon = None;
    port.redelivery.called_again = None;
    port.redelivery.let_through = None;
    if !port.renewers.is_empty() {
        port.renewers = Rc::default();
    }
}
