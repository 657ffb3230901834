//! What it tells that something is still where it was put: that nobody has put another of its key there.

use std::rc::Rc;

use crate::catalog::Behaviour;
use crate::expr::Expr;
use crate::validate::design::{Design, NodeIx};
use crate::validate::facts::labels::TagKey;
use crate::validate::facts::tags::TagSet;
use crate::validate::facts::{Facts, Port};

impl Facts {
    /// Readies the tags of what a place tells by what is there, for those who ask for them later.
    pub(super) fn put_in_place(&mut self, node: NodeIx, port: &Port) {
        let design = Rc::clone(&self.design);
        let Some(key) = place_key(&design, node) else {
            return;
        };
        let tags = port.told_by(&key.analysis().reads);
        if !tags.is_empty() {
            let parts = self.key(key, port);
            self.folded_tags(node, &parts, &tags, false);
        }
    }

    /// What it tells of others that something is still at a place: those whose key may have been the same are
    /// not of one owner.
    pub(crate) fn told_by_place(&self, node: NodeIx, port: &Port) -> TagSet {
        let Some(key) = place_key(&self.design, node) else {
            return TagSet::default();
        };
        let parts = self.key(key, port);
        if self.identifies(&parts, port) {
            return TagSet::default();
        }
        let tags = port.told_by(&key.analysis().reads);
        let others = tags.iter().filter(|tag| {
            let mut owners = self.tags[*tag as usize].anchors.iter();
            owners.any(|(_, owner)| !self.determines(&parts, &[*owner]))
        });
        others
            .filter_map(|tag| {
                let folded = TagKey::Folded(node, self.root(tag), false);
                self.tag_index.get(&folded).copied()
            })
            .collect()
    }
}

/// The key of what takes the place of another at a node.
fn place_key(design: &Design, node: NodeIx) -> Option<&Expr> {
    let field = match design.behaviour(node)? {
        Behaviour::Table { key, .. } if design.overwrites(node) => key,
        Behaviour::Bucket { name } => name,
        Behaviour::Observe { .. } => {
            let kind = design.nodes[node].kind.as_ref()?;
            let mut fields = kind.config.iter().map(|field| &field.name);
            fields.find(|name| *name == "key")?
        }
        _ => return None,
    };
    design.expr(node, field)
}
