//! Leaves only those in an audience who may see everything that is shown.

use super::{change_audience, fix};
use crate::document::Audience;
use crate::id::Id;
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::Facts;
use crate::validate::rules::auth::{Place, leaks, looked_at};

/// `None` when nobody may see all of it.
pub(in crate::validate) fn narrow_audience(
    facts: &Facts,
    node: NodeIx,
    place: &Place<'_>,
) -> Option<Fix> {
    let design = &*facts.design;
    let port = looked_at(facts, node)?;
    let rows = place.audience.map(|audience| audience.rows.clone());
    let rows = rows.unwrap_or_default();
    let may = |role: &&Id| {
        let audience = Audience {
            roles: vec![(*role).clone()],
            rows: rows.clone(),
        };
        let place = Place {
            audience: Some(&audience),
            ..place.clone()
        };
        leaks(facts, port, &place).is_empty()
    };
    let roles: Vec<Id> = design.document.roles.keys().filter(may).cloned().collect();
    if roles.is_empty() {
        return None;
    }
    let audience = Audience { roles, rows };
    let readers = facts.readers(Some(&audience));
    let title = format!("Let only {readers} look at {}", place.title(design, node));
    let caution = "whoever else looks there now must lose that right outside Weir too";
    Some(fix(design, title, caution, |build| {
        change_audience(design, build, node, place.side, |held| *held = audience);
    }))
}
