//! Adds the owner of what is kept to the key of a cache.

use super::declare;
use super::identify::path;
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
    let with_owner = format!("[{parts}, {owner}]");
    Some(declare(
        design,
        node,
        format!("Key the cache of {} by `{owner}` too", design.title(node)),
        "a promise: its code has to look things up by that key",
        &[("cache_key", Some(with_owner.into()))],
    ))
}
