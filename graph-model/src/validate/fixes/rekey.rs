//! Gives a node that places events another key.

use super::fix;
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::Facts;
use crate::validate::rules::delivery::key_field;

/// The key that `node` has in `field`; `None` when it means something else at `by`.
pub(in crate::validate) fn rekey(
    facts: &Facts,
    by: NodeIx,
    node: NodeIx,
    field: &str,
) -> Option<Fix> {
    let design = &*facts.design;
    let own = key_field(design, by)?;
    let (key, text) = (design.expr(node, field)?, design.text(node, field)?);
    if !same_at(facts, by, node, field) || key.code().is_empty() {
        return None;
    }
    let title = format!("Give {} the key `{text}`", design.title(by));
    let caution = match design.text(by, own) {
        Some(_) => "events of one old key no longer stay together there",
        None => "",
    };
    Some(fix(design, title, caution, |build| {
        build.set_config(&design.nodes[by].id, own, Some(text.into()));
    }))
}

/// Whether a key of one node says the same where another one reads it.
pub(super) fn same_at(facts: &Facts, by: NodeIx, node: NodeIx, field: &str) -> bool {
    let key = facts.design.expr(node, field);
    match (key, facts.input(by), facts.input(node)) {
        (Some(key), Some(there), Some(here)) => facts.key(key, there) == facts.key(key, here),
        _ => false,
    }
}
