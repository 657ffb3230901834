//! Keys a channel by something that may be seen.

use std::borrow::Cow;

use super::fix;
use super::identify::path;
use crate::pointer::Pointer;
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::Facts;
use crate::validate::facts::labels::Labels;
use crate::validate::rules::auth::{Place, leaks};
use crate::validate::rules::delivery::key_field;

/// Another field that says the same as the key, and that whoever runs the channel may read.
pub(in crate::validate) fn other_key(
    facts: &Facts,
    node: NodeIx,
    place: &Place<'_>,
) -> Option<Fix> {
    let design = &*facts.design;
    let field = key_field(design, node)?;
    let port = facts.input(node)?;
    let key = facts.key(design.expr(node, field)?, port);
    let ty = design.document.types.get(port.payload.ty.as_ref()?)?;
    let named = [&ty.id, &ty.subject, &ty.tenant];
    let named = named.into_iter().flatten();
    let deciding = ty
        .depends
        .iter()
        .filter_map(|depends| match &depends.from[..] {
            [single] => Some(single),
            _ => None,
        });
    let says_the_same = |candidate: &&Pointer| {
        let origin = [facts.field(candidate, port)];
        let mut shown = Labels::default();
        shown.add((*candidate).clone(), &port.labels.at(candidate));
        let place = Place {
            shown: Cow::Owned(shown),
            ..place.clone()
        };
        facts.determines(&origin, &key)
            && facts.determines(&key, &origin)
            && leaks(facts, port, &place).is_empty()
    };
    let other = named.chain(deciding).find(says_the_same)?;
    let code = path(other)?;
    let title = format!("Give {} the key `{code}`", design.title(node));
    Some(fix(design, title, "", |build| {
        build.set_config(&design.nodes[node].id, field, Some(code.into()));
    }))
}
