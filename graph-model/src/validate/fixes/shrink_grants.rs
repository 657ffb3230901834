//! Takes rights away that nothing uses.

use std::collections::BTreeSet;
use std::sync::Arc;

use smol_str::{SmolStr, format_smolstr};

use super::fix;
use crate::document::Principal;
use crate::edit::Edit;
use crate::id::{Id, NodeId};
use crate::validate::Fix;
use crate::validate::facts::Facts;

/// Only what is `used` stays, with `*` written out.
pub(in crate::validate) fn shrink_grants(
    facts: &Facts,
    id: &Id,
    used: &BTreeSet<(String, NodeId)>,
) -> Fix {
    let design = &*facts.design;
    let held = design.document.principals.get(id);
    let mut principal = held.map(|held| Principal::clone(held)).unwrap_or_default();
    let mut grants: Vec<SmolStr> = Vec::new();
    for grant in &principal.grants {
        let Some((verb, node)) = grant.split_once(' ') else {
            continue;
        };
        let all = node.trim() == "*";
        let kept = used
            .iter()
            .filter(|right| right.0 == verb && (all || right.1.as_str() == node.trim()));
        for (verb, node) in kept {
            let grant = format_smolstr!("{verb} {node}");
            if !grants.contains(&grant) {
                grants.push(grant);
            }
        }
    }
    let title = if grants.is_empty() {
        format!("Take all rights from {id}")
    } else {
        format!("Let {id} only {}", grants.join(", "))
    };
    principal.grants = grants;
    let caution = "take them away outside Weir too";
    fix(design, title, caution, |build| {
        build.edit(Edit::Principal(id.clone(), Some(Arc::new(principal))));
    })
}
