//! Leaves only those in an audience who may see everything that is shown.

use smol_str::SmolStr;

use super::fix;
use crate::document::Audience;
use crate::id::Id;
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::Facts;
use crate::validate::rules::auth;

/// Of a node, or of its side copy `copy`. `None` when nobody may see all of it.
pub(in crate::validate) fn narrow_audience(
    facts: &Facts,
    node: NodeIx,
    copy: Option<&SmolStr>,
) -> Option<Fix> {
    let design = &*facts.design;
    let port = facts.input(node)?;
    let view = &design.nodes[node];
    let notes = &view.node.notes;
    let (shown, old) = match copy {
        Some(copy) => ((*port.labels).clone(), notes.side_audiences.get(copy)),
        None => (auth::shown(facts, node, port), notes.audience.as_ref()),
    };
    let rows = old
        .map(|audience| audience.rows.clone())
        .unwrap_or_default();
    let may = |role: &&Id| {
        let audience = Audience {
            roles: vec![(*role).clone()],
            rows: rows.clone(),
        };
        auth::leaks(facts, port, &shown, Some(&audience)).is_empty()
    };
    let roles: Vec<Id> = design.document.roles.keys().filter(may).cloned().collect();
    if roles.is_empty() {
        return None;
    }
    let audience = Audience { roles, rows };
    let readers = facts.readers(Some(&audience));
    let place = match copy {
        Some(copy) => format!("the {} of {}", copy.replace('_', " "), design.title(node)),
        None => design.title(node).to_owned(),
    };
    let title = format!("Let only {readers} look at {place}");
    let caution = "whoever else looks there now must lose that right outside Weir too";
    Some(fix(design, title, caution, |build| {
        build.change_node(&view.id, |node| match copy {
            Some(copy) => {
                node.notes.side_audiences.insert(copy.clone(), audience);
            }
            None => node.notes.audience = Some(audience),
        });
    }))
}
