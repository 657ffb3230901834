//! What expressions and code make of events.

use std::rc::Rc;

use crate::expr::{Analysis, Expr};
use crate::pointer::Pointer;
use crate::validate::design::NodeIx;
use crate::validate::facts::delivery::{Loss, Mode, Order};
use crate::validate::facts::labels::Labels;
use crate::validate::facts::origins::Base;
use crate::validate::facts::owners::reads_id;
use crate::validate::facts::payload::{Payload, placed};
use crate::validate::facts::tags::TagSet;
use crate::validate::facts::{Facts, Port, pointers};

impl Facts {
    /// What an expression makes of each event, or of each of its `elements`.
    pub(super) fn map(
        &mut self,
        node: NodeIx,
        expr: Option<&Expr>,
        elements: bool,
        port: &mut Port,
    ) {
        if elements {
            let named = self.renews_ids(port).is_none();
            self.identify_by_context(node);
            self.renew(node, named, port);
        }
        let makes = expr.is_some_and(|expr| expr.analysis().outputs.iter().any(|row| row.nondet));
        if makes {
            self.renew(node, true, port);
        }
        let origins = &mut *self.origins.borrow_mut();
        let Some(expr) = expr else {
            // Nothing is known of what it makes.
            port.labels = Rc::new(Labels::at_root(&port.labels.all()));
            port.taint = Rc::new(Labels::at_root(&port.taint.all()));
            port.payload = Rc::new(Payload::made(node, None));
            return;
        };
        let analysis = expr.analysis();
        if !port.labels.is_empty() {
            // What decides whether anything comes of an event is told by its coming.
            let tags = port.labels.of(&analysis.emptiness);
            port.presence.join(&tags);
        }
        port.payload = Rc::new(port.payload.through(node, analysis, elements, origins));
        let named = Facts::named_in(analysis, elements, port);
        for labels in [&mut port.labels, &mut port.taint] {
            if labels.is_empty() {
                continue;
            }
            // Most changes are within a field, and then everybody behind shares what was there.
            let through = labels.through(analysis, elements);
            if through != **labels {
                *labels = Rc::new(through);
            }
        }
        for place in named {
            Rc::make_mut(&mut port.labels).add(place, &port.named);
        }
        // What it leaves out of an event that is larger is not known to be small.
        if analysis.rest.is_none() && !analysis.outputs.iter().all(|row| row.copy.is_some()) {
            port.size = None;
        }
    }

    /// Fields that an expression makes of the ids of events, where those tell something.
    fn named_in(analysis: &Analysis, elements: bool, port: &Port) -> Vec<Pointer> {
        if port.named.is_empty() {
            return Vec::new();
        }
        let rows = analysis.outputs.iter();
        let named = rows.filter(|row| reads_id(&row.deps) || reads_id(&row.ctl));
        named
            .map(|row| placed(&row.pointer, elements).unwrap_or_default())
            .collect()
    }

    /// What code makes of events: nothing is known of it but what it reads, and what people say.
    pub(super) fn run(&mut self, node: NodeIx, port: &mut Port) {
        let design = Rc::clone(&self.design);
        let reads = pointers(design.declared(node, "reads"));
        let of = |labels: &Labels| match &reads[..] {
            [] => labels.all(),
            fields => {
                let mut all = TagSet::default();
                for field in fields {
                    all.join(&labels.at(field));
                }
                all
            }
        };
        let (everything, taints) = (of(&port.labels), of(&port.taint));
        let whole = [Pointer::root()];
        let released = self.released(node, &whole, "code", port);
        let everything = &everything - &released;
        port.labels = Rc::new(Labels::at_root(&everything));
        // It may send something of one event, and nothing of another.
        port.presence.join(&everything);
        port.taint = Rc::new(Labels::at_root(&taints));
        let named = self.renews_ids(port).is_none();
        port.payload = Rc::new(Payload::made(node, None));
        // What is the same every time is so for copies, too, unless something has changed them.
        if !design.is_pure(node) || !port.renewers.is_empty() {
            self.origins.borrow_mut().mark_opaque(Base::Made(node));
        }
        self.identify_by_context(node);
        self.renew(node, named, port);
        if let Order::PerKey(_) = port.order {
            port.order = Order::Lost(node, Loss::Code);
        }
        let name = design.nodes[node].id.as_str();
        port.definition = Rc::new(port.definition.step("code", name, name));
        port.mode = Mode::Append;
    }
}
