//! Who sees something: the roles, and the rows that each of them sees.

use std::collections::BTreeSet;
use std::sync::Arc;

use egui::{Id, Ui};
use graph_model::document::{Audience, Document, Role, RowFilter};
use graph_model::edit::Edit;
use graph_model::id::Id as DocId;
use graph_model::pointer::Pointer;
use smol_str::SmolStr;

use super::fields;
use crate::widgets::picker::{Offer, picker};
use crate::widgets::{adder, chip, error};

/// An audience as it shall be, and what has to come into the flow for that.
pub(crate) struct Change {
    pub title: &'static str,
    pub audience: Audience,
    pub also: Vec<Edit>,
}

/// Draws the audience with what adds to it; `of` says whose it is.
pub(crate) fn show(
    ui: &mut Ui,
    document: &Document,
    id: Id,
    of: &str,
    audience: &Audience,
) -> Option<Change> {
    let mut change = None;
    ui.horizontal_wrapped(|ui| {
        for (index, role) in audience.roles.iter().enumerate() {
            let title = role_title(document, role);
            if chip(ui, title, &format!("Remove role {role} from {of}")) {
                change = Some(with("Change the audience", audience, |audience| {
                    audience.roles.remove(index);
                }));
            }
        }
        for (index, row) in audience.rows.iter().enumerate() {
            let text = row_text(row);
            if chip(ui, &text, &format!("Remove row filter {text} from {of}")) {
                change = Some(with(
                    "Change the rows of the audience",
                    audience,
                    |audience| {
                        audience.rows.remove(index);
                    },
                ));
            }
        }
        let button = adder("+ Role");
        let name = format!("Add a role to {of}");
        let offers = |text: &str| role_offers(document, &audience.roles, text);
        if let Some((role, also)) = picker(ui, id.with("role"), button, &name, offers) {
            let mut new = with("Change the audience", audience, |audience| {
                audience.roles.push(role);
            });
            new.also = also;
            change = Some(new);
        }
        let button = adder("+ Row filter");
        let name = format!("Add a row filter to {of}");
        let offers = |text: &str| row_offers(document, &audience.rows, text);
        if let Some(row) = picker(ui, id.with("rows"), button, &name, offers) {
            change = Some(with(
                "Change the rows of the audience",
                audience,
                |audience| {
                    audience.rows.push(row);
                },
            ));
        }
    });
    for role in &audience.roles {
        if !document.roles.contains_key(role) {
            error(ui, &format!("the role `{role}` is not in this flow"));
        }
    }
    change
}

/// The audience in a few words.
pub(crate) fn summary(document: &Document, audience: &Audience) -> String {
    let roles = audience.roles.iter().map(|role| role_title(document, role));
    let roles: Vec<&str> = roles.collect();
    match (roles.is_empty(), audience.rows.is_empty()) {
        (_, true) => roles.join(", "),
        (true, false) => "rows of their own".to_owned(),
        (false, false) => format!("{}, rows of their own", roles.join(", ")),
    }
}

/// What people call the role.
pub(crate) fn role_title<'d>(document: &'d Document, id: &'d DocId) -> &'d str {
    match document.roles.get(id) {
        Some(role) if !role.title.is_empty() => &role.title,
        _ => id.as_str(),
    }
}

/// The roles of the flow besides those that are there already, and a new one under the typed name.
pub(crate) fn role_offers(
    document: &Document,
    there: &[DocId],
    text: &str,
) -> Vec<Offer<(DocId, Vec<Edit>)>> {
    let mut offers: Vec<_> = document
        .roles
        .iter()
        .filter(|(id, _)| !there.contains(id))
        .map(|(id, role)| {
            let beside = if role.external {
                format!("{id}, external")
            } else {
                id.to_string()
            };
            let title = role_title(document, id);
            Offer::new((id.clone(), Vec::new()), title, beside)
        })
        .collect();
    let new = DocId::new(text);
    if new.well_formed() && !document.roles.contains_key(&new) && !there.contains(&new) {
        let add = Edit::Role(new.clone(), Some(Arc::new(Role::default())));
        let title = format!("New role {new}");
        offers.push(Offer::new((new, vec![add]), title, "comes into the flow"));
    }
    offers
}

fn row_text(row: &RowFilter) -> String {
    format!("{} = {}", row.claim, row.field)
}

/// Filters that suggest themselves by their names, and the one that is typed.
fn row_offers(document: &Document, there: &[RowFilter], text: &str) -> Vec<Offer<RowFilter>> {
    let claims: BTreeSet<&SmolStr> = document
        .principals
        .values()
        .flat_map(|principal| principal.claims.keys())
        .collect();
    let owners: BTreeSet<&Pointer> = document
        .types
        .values()
        .flat_map(|ty| ty.subject.iter().chain(&ty.tenant))
        .collect();
    let known = fields::of_flow(document);
    let mut offers = Vec::new();
    let mut offer = |claim: &str, field: &Pointer, beside: &str| {
        let row = RowFilter {
            claim: claim.into(),
            field: field.clone(),
        };
        if !there.contains(&row) {
            let title = row_text(&row);
            offers.push(Offer::new(row, title, beside));
        }
    };
    for (field, types) in &known {
        let Some(name) = field.last() else { continue };
        if claims.contains(name) || owners.contains(field) {
            let beside = format!("events of {} that are theirs", types.join(", "));
            offer(name, field, &beside);
        }
    }
    if let Some((claim, field)) = text.split_once('=')
        && let Ok(field) = Pointer::parse(field.trim())
        && !claim.trim().is_empty()
    {
        offer(claim.trim(), &field, "as typed");
    }
    offers
}

fn with(title: &'static str, audience: &Audience, change: impl FnOnce(&mut Audience)) -> Change {
    let mut audience = audience.clone();
    change(&mut audience);
    Change {
        title,
        audience,
        also: Vec::new(),
    }
}
