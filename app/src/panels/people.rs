//! People: the roles that audiences name, the principals who hold them, and what they may do; by what
//! rules fields may be read by more, and what the flow as a whole may take.

use std::sync::Arc;

use egui::{Id, RichText, Ui};
use graph_model::catalog::{Behaviour, Catalog, Family, FieldSpec, FieldType};
use graph_model::document::{Document, Principal, Role};
use graph_model::edit::{Edit, Transaction};
use graph_model::id::Id as DocId;
use graph_model::value::Value;
use smol_str::{SmolStr, format_smolstr};

use super::annotations::principal_title;
use super::audience::{role_offers, role_title};
use super::form::{self, Around};
use super::{Model, releases};
use crate::requests::{Request, Requests};
use crate::widgets::picker::{Offer, picker};
use crate::widgets::{adder, chip, empty, error, fold, section, text_field};

/// What a principal may do, and to what.
const VERBS: [&str; 4] = ["send", "write", "read", "call"];

#[derive(Default)]
pub(crate) struct People {
    new_role: String,
    new_principal: String,
}

impl People {
    pub(crate) fn show(&mut self, ui: &mut Ui, model: &Model<'_>, out: &mut Requests) {
        let document = model.state.document();
        section(ui, "Roles");
        if document.roles.is_empty() {
            empty(ui, "A role says what people are, such as finance.");
        }
        for (id, role) in &document.roles {
            role_row(ui, id, role, out);
        }
        if let Some(id) = named(ui, &mut self.new_role, "New role", "finance")
            && !document.roles.contains_key(&id)
        {
            let edit = Edit::Role(id, Some(Arc::new(Role::default())));
            out.push(step("Add a role", edit));
        }
        section(ui, "Principals");
        if document.principals.is_empty() {
            empty(ui, "A principal acts or looks: a person or a service.");
        }
        for (id, principal) in &document.principals {
            let roles = principal
                .roles
                .iter()
                .map(|role| role_title(document, role));
            let roles: Vec<&str> = roles.collect();
            let sheet = Id::unique(("principal", id));
            let title = principal_title(document, id);
            let bare = Principal {
                title: principal.title.clone(),
                ..Principal::default()
            };
            let open = **principal == bare;
            fold(ui, sheet, title, &roles.join(", "), open, |ui| {
                ui.indent(sheet, |ui| {
                    principal_sheet(ui, model, id, principal, out);
                });
            });
        }
        if let Some(id) = named(
            ui,
            &mut self.new_principal,
            "New principal",
            "billing_service",
        ) && !document.principals.contains_key(&id)
        {
            let edit = Edit::Principal(id, Some(Arc::new(Principal::default())));
            out.push(step("Add a principal", edit));
        }
        releases::show(ui, document, out);
        releases::budgets(ui, document, out);
    }
}

fn role_row(ui: &mut Ui, id: &DocId, role: &Role, out: &mut Requests) {
    ui.horizontal(|ui| {
        ui.label(RichText::new(id.as_str()).monospace());
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let remove = ui.small_button("×");
            if remove
                .accessible_name(format!("Delete role {id}"))
                .clicked()
            {
                out.push(step("Delete a role", Edit::Role(id.clone(), None)));
            }
            let mut external = role.external;
            let check = ui.checkbox(&mut external, "external");
            let check = check.on_hover_text("outside the organisation");
            let check = check.accessible_name(format!("Role {id} is external"));
            if check.changed() {
                let role = Role {
                    external,
                    ..role.clone()
                };
                let edit = Edit::Role(id.clone(), Some(Arc::new(role)));
                out.push(step("Change a role", edit));
            }
            let field = Id::unique(("role title", id));
            let (response, text, changed) = text_field(ui, field, &role.title, "title", false, 1);
            response.accessible_name(format!("Title of role {id}"));
            if changed {
                let role = Role {
                    title: text.into(),
                    ..role.clone()
                };
                let edit = Edit::Role(id.clone(), Some(Arc::new(role)));
                let transaction = Transaction::new("Change the title of a role", vec![edit]);
                out.push(Request::Type(field, transaction));
            }
        });
    });
}

fn principal_sheet(
    ui: &mut Ui,
    model: &Model<'_>,
    id: &DocId,
    principal: &Principal,
    out: &mut Requests,
) {
    let document = model.state.document();
    let mut change = |title: &str, typing: Option<Id>, also: Vec<Edit>, new: Principal| {
        let mut edits = also;
        edits.push(Edit::Principal(id.clone(), Some(Arc::new(new))));
        let transaction = Transaction::new(title, edits);
        out.push(match typing {
            Some(field) => Request::Type(field, transaction),
            None => Request::Edit(transaction),
        });
    };
    let field = Id::unique(("principal title", id));
    let (response, text, changed) = text_field(ui, field, &principal.title, id.as_str(), false, 1);
    response.accessible_name(format!("Title of {id}"));
    if changed {
        let mut new = principal.clone();
        new.title = text.into();
        change(
            "Change the title of a principal",
            Some(field),
            Vec::new(),
            new,
        );
    }
    ui.horizontal_wrapped(|ui| {
        for (index, role) in principal.roles.iter().enumerate() {
            let title = role_title(document, role);
            if chip(ui, title, &format!("Take role {role} from {id}")) {
                let mut new = principal.clone();
                new.roles.remove(index);
                change("Change the roles of a principal", None, Vec::new(), new);
            }
        }
        let list = Id::unique(("roles of", id));
        let name = format!("Give {id} a role");
        let offers = |text: &str| role_offers(document, &principal.roles, text);
        if let Some((role, also)) = picker(ui, list, adder("+ Role"), &name, offers) {
            let mut new = principal.clone();
            new.roles.push(role);
            change("Change the roles of a principal", None, also, new);
        }
    });
    for role in &principal.roles {
        if !document.roles.contains_key(role) {
            error(ui, &format!("the role `{role}` is not in this flow"));
        }
    }
    ui.horizontal_wrapped(|ui| {
        for (index, grant) in principal.grants.iter().enumerate() {
            if chip(ui, grant, &format!("Forbid {id} to {grant}")) {
                let mut new = principal.clone();
                new.grants.remove(index);
                change("Change what a principal may do", None, Vec::new(), new);
            }
        }
        let list = Id::unique(("grants of", id));
        let name = format!("Allow {id} something");
        let offers = |text: &str| grants(document, model.state.catalog(), &principal.grants, text);
        if let Some(grant) = picker(ui, list, adder("+ Grant"), &name, offers) {
            let mut new = principal.clone();
            new.grants.push(grant);
            change("Change what a principal may do", None, Vec::new(), new);
        }
    });
    for grant in &principal.grants {
        if let Some(problem) = grant_problem(document, grant) {
            error(ui, &problem);
        }
    }
    let claims = FieldSpec::new(
        "claims",
        &format!("Claims of {id}"),
        FieldType::Table,
        "Facts about the principal that row filters compare, such as patient_id",
    );
    let value = (!principal.claims.is_empty()).then(|| Value::from(principal.claims.clone()));
    let around = Around {
        document,
        last: None,
    };
    let sheet = Id::unique(("claims of", id));
    if let Some(claimed) = form::field(ui, sheet, &claims, value.as_ref(), &around) {
        let mut new = principal.clone();
        let claims = claimed.value.as_ref().and_then(Value::as_object);
        new.claims = claims.cloned().unwrap_or_default();
        change(
            "Change the claims of a principal",
            claimed.typing,
            Vec::new(),
            new,
        );
    }
    if ui
        .button("Delete principal")
        .accessible_name(format!("Delete principal {id}"))
        .clicked()
    {
        let edit = Edit::Principal(id.clone(), None);
        out.push(step("Delete a principal", edit));
    }
}

/// What somebody may be allowed besides: what fits the nodes of the flow, and what is typed.
fn grants(
    document: &Document,
    catalog: &Catalog,
    there: &[SmolStr],
    text: &str,
) -> Vec<Offer<SmolStr>> {
    let mut offers = Vec::new();
    let mut offer = |grant: SmolStr, beside: &str| {
        if !there.contains(&grant) {
            let title = grant.to_string();
            offers.push(Offer::new(grant, title, beside));
        }
    };
    for (id, node) in &document.nodes {
        let Some(kind) = catalog.get(&node.kind) else {
            continue;
        };
        let verbs: &[&str] = match (kind.family, &kind.behaviour) {
            (Family::Channel, _) => &["send"],
            (_, Behaviour::Effect { .. }) => &["call"],
            (_, Behaviour::Table { .. }) => &["write", "read"],
            (_, Behaviour::Observe { .. } | Behaviour::DeadLetter) => &["read"],
            (Family::Sink, _) => &["write"],
            _ => &[],
        };
        for verb in verbs {
            offer(format_smolstr!("{verb} {id}"), document.node_title(id));
        }
    }
    for verb in VERBS {
        offer(format_smolstr!("{verb} *"), "every node");
    }
    if text.split_once(' ').is_some() && grant_problem(document, text).is_none() {
        offer(text.into(), "as typed");
    }
    offers
}

/// Why a grant allows nothing.
fn grant_problem(document: &Document, grant: &str) -> Option<String> {
    let Some((verb, node)) = grant.split_once(' ') else {
        return Some(format!(
            "`{grant}` is no grant; write one such as `send orders`"
        ));
    };
    if !VERBS.contains(&verb) {
        let verbs = VERBS.join(", ");
        return Some(format!(
            "`{verb}` is nothing that can be granted; use one of {verbs}"
        ));
    }
    (node != "*" && !document.nodes.contains_key(node))
        .then(|| format!("the node `{node}` is not in this flow"))
}

fn step(title: &str, edit: Edit) -> Request {
    Request::Edit(Transaction::new(title, vec![edit]))
}

/// A field for the id of something new; answers it when the user is done.
fn named(ui: &mut Ui, text: &mut String, name: &str, hint: &str) -> Option<DocId> {
    ui.horizontal(|ui| {
        let field = egui::TextEdit::singleline(text)
            .hint_text(hint.to_owned())
            .desired_width((ui.available_width() - 70.0).max(80.0));
        let field = ui.add(field);
        let entered = field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
        field.accessible_name(name);
        let add = ui.button("Add").accessible_name(format!("Add: {name}"));
        let id = DocId::new(text.trim());
        if (add.clicked() || entered) && !id.as_str().is_empty() {
            text.clear();
            return Some(id);
        }
        None
    })
    .inner
}
