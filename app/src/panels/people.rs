//! People: the roles that audiences name, and the principals who hold them.

use std::sync::Arc;

use egui::{Id, RichText, Ui};
use graph_model::document::{Principal, Role};
use graph_model::edit::{Edit, Transaction};
use graph_model::id::Id as DocId;

use super::Model;
use crate::requests::{Request, Requests};
use crate::widgets::{empty, error, section, text_field};

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
            ui.horizontal(|ui| {
                ui.label(id.as_str());
                let mut external = role.external;
                let check = ui.checkbox(&mut external, "external");
                let check = check.accessible_name(format!("Role {id} is external"));
                if check.changed() {
                    let role = Role {
                        external,
                        ..Role::clone(role)
                    };
                    let edit = Edit::Role(id.clone(), Some(Arc::new(role)));
                    out.push(step("Change a role", edit));
                }
                let remove = ui.small_button("×");
                if remove
                    .accessible_name(format!("Delete role {id}"))
                    .clicked()
                {
                    out.push(step("Delete a role", Edit::Role(id.clone(), None)));
                }
            });
        }
        if let Some(id) = adder(ui, &mut self.new_role, "New role", "finance")
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
            ui.horizontal(|ui| {
                ui.label(id.as_str());
                let remove = ui.small_button("×");
                if remove
                    .accessible_name(format!("Delete principal {id}"))
                    .clicked()
                {
                    out.push(step(
                        "Delete a principal",
                        Edit::Principal(id.clone(), None),
                    ));
                }
            });
            let name = ui.label(RichText::new(format!("Roles of {id}")).small().weak());
            let current: Vec<&str> = principal.roles.iter().map(DocId::as_str).collect();
            let field = Id::unique(("principal", id));
            let (response, text, changed) =
                text_field(ui, field, &current.join(", "), "finance, org", false, 1);
            response.labelled_by(name.id);
            for role in &principal.roles {
                if !document.roles.contains_key(role) {
                    error(ui, &format!("the role `{role}` is not in this flow"));
                }
            }
            if changed {
                let roles = text
                    .split(',')
                    .map(str::trim)
                    .filter(|role| !role.is_empty())
                    .map(DocId::from)
                    .collect();
                let principal = Principal {
                    roles,
                    ..Principal::clone(principal)
                };
                let edit = Edit::Principal(id.clone(), Some(Arc::new(principal)));
                let transaction = Transaction::new("Change the roles of a principal", vec![edit]);
                out.push(Request::Type(field, transaction));
            }
        }
        if let Some(id) = adder(
            ui,
            &mut self.new_principal,
            "New principal",
            "billing_service",
        ) && !document.principals.contains_key(&id)
        {
            let edit = Edit::Principal(id, Some(Arc::new(Principal::default())));
            out.push(step("Add a principal", edit));
        }
    }
}

fn step(title: &str, edit: Edit) -> Request {
    Request::Edit(Transaction::new(title, vec![edit]))
}

fn adder(ui: &mut Ui, text: &mut String, name: &str, hint: &str) -> Option<DocId> {
    ui.horizontal(|ui| {
        ui.add(
            egui::TextEdit::singleline(text)
                .hint_text(hint.to_owned())
                .desired_width((ui.available_width() - 70.0).max(80.0)),
        )
        .accessible_name(name);
        let add = ui.button("Add").accessible_name(format!("Add: {name}"));
        let id = DocId::new(text.trim());
        if add.clicked() && !id.as_str().is_empty() {
            text.clear();
            return Some(id);
        }
        None
    })
    .inner
}
