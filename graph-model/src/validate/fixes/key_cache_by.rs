//! Adds the owner of what is kept to the key of a cache.

use super::declare;
use super::identify::path;
use crate::expr::Expr;
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::Facts;
use crate::validate::facts::origins::OriginId;

/// `key` is the key so far.
pub(in crate::validate) fn key_cache_by(
    facts: &Facts,
    node: NodeIx,
    key: &str,
    owner: OriginId,
) -> Option<Fix> {
    let design = &*facts.design;
    let place = facts.place_of(owner, facts.input(node)?)?;
    let owner = path(&place)?;
    let parts = key
        .strip_prefix('[')
        .and_then(|key| key.strip_suffix(']'))
        .unwrap_or(key);
    // Of what is computed nobody can tell whose it is, but of what it is computed from.
    let read = Expr::compile(key).ok().and_then(|key| {
        let fields = key.analysis().reads.fields.iter().map(path);
        Some(fields.collect::<Option<Vec<_>>>()?.join(", "))
    });
    let candidates = [Some(parts.to_owned()), read].into_iter().flatten();
    let mut keys = candidates.map(|parts| format!("[{parts}, {owner}]"));
    let with_owner = keys.find(|key| {
        let key = Expr::compile(key).ok();
        let key = key.as_ref().and_then(|key| key.analysis().key.as_ref());
        key.is_some_and(|key| key.injective)
    })?;
    Some(declare(
        design,
        node,
        format!("Key the cache of {} by `{owner}` too", design.title(node)),
        "a promise: its code has to look things up by that key",
        &[("cache_key", Some(with_owner.into()))],
    ))
}
