//! Compares the owner of an event with the viewer.

use smol_str::SmolStr;

use super::{Placed, change_audience, fix, insert_before, kind_that};
use crate::catalog::Behaviour;
use crate::document::{Audience, Node, RowFilter};
use crate::pointer::Pointer;
use crate::validate::Fix;
use crate::validate::design::{EdgeIx, NodeIx};
use crate::validate::facts::Facts;
use crate::validate::rules::auth::Place;

/// A guard in front of the node, or a row filter on it. `owner` is the field that says whose it is.
pub(in crate::validate) fn compare_owner(
    facts: &Facts,
    node: NodeIx,
    owner: &Pointer,
    place: &Place<'_>,
) -> Vec<Fix> {
    let design = &*facts.design;
    let view = &design.nodes[node];
    let Some(audience) = place.audience else {
        return Vec::new();
    };
    let claim = claim(facts, audience, owner);
    let title = design.title(node);
    let caution = "viewers without this claim see nothing";
    let mut fixes = Vec::new();
    let kind = kind_that(design, |does| matches!(does, Behaviour::Guard { .. }));
    let edges: Vec<EdgeIx> = view.ins.clone();
    let drawn = edges.iter().all(|edge| !design.edges[*edge].resource);
    if let Some((kind, Behaviour::Guard { field, claim: name })) =
        kind.map(|kind| (kind, &kind.behaviour)).filter(|_| drawn)
    {
        let new = Node::new(kind.id.clone())
            .with(field, owner.to_string())
            .with(name, claim.clone());
        fixes.push(fix(
            design,
            format!("Put a guard for `{owner}` in front of {title}"),
            caution,
            |build| {
                insert_before(design, build, Placed { node, edges }, &"guard".into(), new);
            },
        ));
    }
    let filter = RowFilter {
        claim,
        field: owner.clone(),
    };
    fixes.push(fix(
        design,
        format!(
            "Show only rows of {title} whose `{owner}` is the viewer's {}",
            filter.claim
        ),
        caution,
        |build| {
            change_audience(design, build, node, place.side, |held| {
                held.rows.push(filter);
            });
        },
    ));
    fixes
}

/// The claim of these viewers that is most likely meant.
pub(super) fn claim(facts: &Facts, audience: &Audience, owner: &Pointer) -> SmolStr {
    let named = owner.last().cloned().unwrap_or_default();
    let principals = facts.design.document.principals.values();
    let members = principals.filter(|principal| {
        principal
            .roles
            .iter()
            .any(|role| audience.roles.contains(role))
    });
    let claims: Vec<&SmolStr> = members.flat_map(|member| member.claims.keys()).collect();
    if claims.is_empty() || claims.contains(&&named) {
        return named;
    }
    claims[0].clone()
}
