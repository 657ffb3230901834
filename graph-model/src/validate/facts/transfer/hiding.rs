//! What remains of fields that are taken out or replaced by tokens.

use std::rc::Rc;

use crate::pointer::Pointer;
use crate::validate::design::NodeIx;
use crate::validate::facts::tags::TagSet;
use crate::validate::facts::{Facts, Port};

impl Facts {
    /// Fields that are gone, or hold a hash of what they held.
    pub(super) fn redact(
        &mut self,
        node: NodeIx,
        fields: &[Pointer],
        hashes: bool,
        port: &mut Port,
    ) {
        let released = self.released(node, fields, "hash", port);
        let origins = &mut *self.origins.borrow_mut();
        port.payload = Rc::new(port.payload.without(node, fields, origins));
        port.labels = Rc::new(if hashes {
            port.labels.less_under(fields, &released)
        } else {
            port.labels.without(fields)
        });
    }

    /// Fields that hold tokens now: the same value has the same token.
    pub(super) fn tokenise(&mut self, node: NodeIx, fields: &[Pointer], port: &mut Port) {
        let released = self.released(node, fields, "tokenise", port);
        let origins = &mut *self.origins.borrow_mut();
        let mut payload = port.payload.without(node, fields, origins);
        for field in fields {
            let old = port.payload.field(field, origins);
            let new = payload.field(field, origins);
            origins.decide(vec![old], new);
            origins.decide(vec![new], old);
        }
        payload.ty = None;
        port.payload = Rc::new(payload);
        port.labels = Rc::new(port.labels.less_under(fields, &released));
    }

    /// Tags on the fields that a release rule of this sort lets go here.
    pub(crate) fn released(
        &self,
        node: NodeIx,
        fields: &[Pointer],
        by: &str,
        port: &Port,
    ) -> TagSet {
        let releases = self.releases();
        let under = |at: &Pointer| fields.iter().any(|field| field.covers(at));
        let tags = port.labels.iter().filter(|(at, _)| under(at));
        tags.flat_map(|(_, tags)| tags.iter())
            .filter(|tag| {
                let tag = &self.tags[*tag as usize];
                let runs_as = self.design.nodes[node].node.notes.runs_as.as_ref();
                releases.iter().any(|release| {
                    release.lets_go(tag, by) && release.allows(&self.design.document, runs_as)
                })
            })
            .collect()
    }
}
