//! What people say about a node or a wire: who sees it, what they know of it, what they accept.

use std::sync::Arc;

use egui::{Button, Id, RichText, Ui};
use graph_model::declare::Place;
use graph_model::document::{Annotations, Assumption, Audience, Document, Principal};
use graph_model::edit::Edit;
use graph_model::id::Id as DocId;
use graph_model::validate::rules;
use smol_str::SmolStr;

use super::form::Around;
use super::{audience, declared};
use crate::day;
use crate::theme;
use crate::widgets::picker::{Offer, picker};
use crate::widgets::{adder, error, fold, hint, text_field};

/// Side copies that a node may keep, and what people call them.
const COPIES: [(&str, &str); 4] = [
    ("dead_letter", "dead letters"),
    ("trace", "traces"),
    ("log", "logs"),
    ("replay", "events kept for replay"),
];
/// Claims that the validator knows, and what they mean.
const CLAIMS: [(&str, &str); 3] = [
    (
        "ordered",
        "events of one key come in the order in which they happened",
    ),
    (
        "commutative",
        "the order of events does not change what comes of them",
    ),
    ("idempotent", "the same event twice does what it does once"),
];

/// What is said about something as it shall be.
pub(crate) struct Change {
    pub title: String,
    pub notes: Annotations,
    /// What has to come into the flow for that.
    pub also: Vec<Edit>,
    /// The widget, when this is one of many keystrokes.
    pub typing: Option<Id>,
}

/// What is said about something, and how it is put down.
struct Sheet<'a> {
    document: &'a Document,
    notes: &'a Annotations,
    change: &'a mut dyn FnMut(Change),
}

/// Draws everything that is said of a node (which has a place for declarations) or a wire (which has
/// none); calls `change` with what the user changed.
pub(crate) fn show(
    ui: &mut Ui,
    id: Id,
    place: Option<Place>,
    notes: &Annotations,
    around: &Around<'_>,
    change: &mut dyn FnMut(Change),
) {
    let mut sheet = Sheet {
        document: around.document,
        notes,
        change,
    };
    let seen = notes
        .audience
        .as_ref()
        .map(|audience| audience::summary(around.document, audience));
    let copies = !notes.side_audiences.is_empty();
    let seen_open = seen.is_some() || copies;
    fold(
        ui,
        id.with("seen"),
        "Who sees it",
        &seen.unwrap_or_default(),
        seen_open,
        |ui| {
            sheet.audiences(ui, id);
        },
    );
    if let Some(place) = place {
        let known = notes.declared.len() + notes.assumptions.len();
        let known = known + usize::from(notes.runs_as.is_some());
        let count = if known == 0 {
            String::new()
        } else {
            known.to_string()
        };
        fold(
            ui,
            id.with("known"),
            "What you know",
            &count,
            known > 0,
            |ui| {
                sheet.known(ui, id, place, around);
            },
        );
    }
    let accepted = notes.accepted.len();
    if accepted > 0 {
        fold(
            ui,
            id.with("accepted"),
            "Accepted hazards",
            &accepted.to_string(),
            true,
            |ui| {
                sheet.accepted(ui, id);
            },
        );
    }
}

impl Sheet<'_> {
    fn put(
        &mut self,
        title: impl Into<String>,
        typing: Option<Id>,
        change: impl FnOnce(&mut Annotations),
    ) {
        self.put_with(title, Vec::new(), typing, change);
    }

    fn put_with(
        &mut self,
        title: impl Into<String>,
        also: Vec<Edit>,
        typing: Option<Id>,
        change: impl FnOnce(&mut Annotations),
    ) {
        let mut notes = self.notes.clone();
        change(&mut notes);
        (self.change)(Change {
            title: title.into(),
            notes,
            also,
            typing,
        });
    }

    fn audiences(&mut self, ui: &mut Ui, id: Id) {
        let current = self.notes.audience.clone().unwrap_or_default();
        let shown = audience::show(
            ui,
            self.document,
            id.with("audience"),
            "the audience",
            &current,
        );
        if let Some(new) = shown {
            self.put_with(new.title, new.also, None, |notes| {
                notes.audience = kept(new.audience);
            });
        }
        for (copy, current) in &self.notes.side_audiences {
            ui.add_space(theme::space::S);
            let title = copy_title(copy);
            ui.label(
                RichText::new(format!("Who sees its {title}"))
                    .small()
                    .weak(),
            );
            let id = id.with(("copy", copy));
            let of = format!("its {title}");
            if let Some(new) = audience::show(ui, self.document, id, &of, current) {
                self.put_with(new.title, new.also, None, |notes| {
                    match kept(new.audience) {
                        Some(audience) => notes.side_audiences.insert(copy.clone(), audience),
                        None => notes.side_audiences.remove(copy),
                    };
                });
            }
        }
        ui.add_space(theme::space::S);
        let button = adder("+ Side copy");
        let offers = |text: &str| self.copy_offers(text);
        let taken = picker(ui, id.with("copies"), button, "Add a side copy", offers);
        if let Some((copy, role, also)) = taken {
            self.put_with("Say who sees a side copy", also, None, |notes| {
                let audience = Audience {
                    roles: vec![role],
                    rows: Vec::new(),
                };
                notes.side_audiences.insert(copy.into(), audience);
            });
        }
    }

    fn copy_offers(&self, text: &str) -> Vec<Offer<(&'static str, DocId, Vec<Edit>)>> {
        let mut offers = Vec::new();
        for (copy, title) in COPIES {
            if self.notes.side_audiences.contains_key(copy) {
                continue;
            }
            // A role that is typed after the copy may be new.
            let typed = text.rsplit(' ').next().unwrap_or_default();
            for role in audience::role_offers(self.document, &[], typed) {
                let (id, also) = role.what;
                let title = format!("Its {title}, seen by {}", role.title);
                offers.push(Offer::new((copy, id, also), title, role.beside));
            }
        }
        offers
    }

    fn known(&mut self, ui: &mut Ui, id: Id, place: Place, around: &Around<'_>) {
        let values = &self.notes.declared;
        let declared = id.with("declared");
        declared::show(ui, declared, place, values, around, |name, title, new| {
            let title = format!("Declare {}", title.to_lowercase());
            self.put(title, new.typing, |notes| {
                match new.value {
                    Some(value) => notes.declared.insert(name, value),
                    None => notes.declared.remove(name),
                };
            });
        });
        self.assumptions(ui, id);
        self.runs_as(ui, id);
    }

    fn assumptions(&mut self, ui: &mut Ui, id: Id) {
        for (name, claim) in &self.notes.assumptions {
            ui.add_space(theme::space::S);
            let meaning = CLAIMS.iter().find(|(held, _)| held == name);
            let removed = ui.horizontal(|ui| {
                let title = RichText::new(format!("Assumed: {name}"));
                let title = ui.label(title.small().weak());
                if let Some((_, meaning)) = meaning {
                    title.on_hover_text(*meaning);
                }
                ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                    let remove = ui.small_button("×");
                    let remove = remove.accessible_name(format!("Stop assuming {name}"));
                    remove.clicked()
                })
                .inner
            });
            let field = id.with(("assumption", name));
            let (response, text, changed) =
                text_field(ui, field, &claim.reason, "why it holds", false, 1);
            response.accessible_name(format!("Why it is {name}"));
            if removed.inner {
                self.put(format!("Stop assuming {name}"), None, |notes| {
                    notes.assumptions.remove(name);
                });
            } else if changed {
                self.put("Say why it holds", Some(field), |notes| {
                    if let Some(claim) = notes.assumptions.get_mut(name) {
                        claim.reason = text.into();
                    }
                });
            }
        }
        ui.add_space(theme::space::S);
        let there = &self.notes.assumptions;
        let offers = |text: &str| {
            let known = CLAIMS.iter().filter(|(name, _)| !there.contains_key(*name));
            let mut offers: Vec<_> = known
                .map(|(name, meaning)| Offer::new(SmolStr::new(name), *name, *meaning))
                .collect();
            let new = DocId::new(text);
            if new.well_formed() && CLAIMS.iter().all(|(name, _)| *name != text) {
                let title = format!("Another claim: {text}");
                offers.push(Offer::new(text.into(), title, "no rule reads it yet"));
            }
            offers
        };
        let button = Button::new("Assume…");
        if let Some(name) = picker(ui, id.with("assume"), button, "Assume", offers) {
            let field = id.with(("assumption", &name));
            ui.memory_mut(|memory| memory.request_focus(field));
            self.put(format!("Assume {name}"), None, |notes| {
                notes.assumptions.insert(name, Assumption::default());
            });
        }
    }

    fn runs_as(&mut self, ui: &mut Ui, id: Id) {
        ui.add_space(theme::space::S);
        ui.label(RichText::new("Runs as").small().weak());
        let document = self.document;
        let current = self.notes.runs_as.as_ref();
        let shown = current.map_or("nobody in particular", |id| principal_title(document, id));
        let button = Button::new(shown)
            .right_text("…")
            .min_size(egui::vec2(ui.available_width(), 0.0));
        let offers = |text: &str| {
            let mut offers = vec![Offer::new((None, None), "nobody in particular", "")];
            for id in document.principals.keys() {
                let title = principal_title(document, id);
                offers.push(Offer::new((Some(id.clone()), None), title, id.as_str()));
            }
            let new = DocId::new(text);
            if new.well_formed() && !document.principals.contains_key(&new) {
                let title = format!("New principal {new}");
                let add = Edit::Principal(new.clone(), Some(Arc::new(Principal::default())));
                offers.push(Offer::new(
                    (Some(new), Some(add)),
                    title,
                    "comes into the flow",
                ));
            }
            offers
        };
        if let Some((who, add)) = picker(ui, id.with("runs as"), button, "Runs as", offers) {
            let also = add.into_iter().collect();
            self.put_with("Change who it runs as", also, None, |notes| {
                notes.runs_as = who;
            });
        }
        if let Some(id) = current.filter(|id| !document.principals.contains_key(*id)) {
            error(ui, &format!("the principal `{id}` is not in this flow"));
        }
    }

    fn accepted(&mut self, ui: &mut Ui, id: Id) {
        for (code, acceptance) in &self.notes.accepted {
            ui.add_space(theme::space::S);
            let removed = ui.horizontal(|ui| {
                ui.label(RichText::new(hazard_title(code)).small().weak());
                ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                    let again = ui.button(RichText::new("Show again").small());
                    again
                        .accessible_name(format!("Show {code} again"))
                        .clicked()
                })
                .inner
            });
            if removed.inner {
                self.put(format!("Show {code} again"), None, |notes| {
                    notes.accepted.remove(code);
                });
                continue;
            }
            let reason = id.with(("reason", code));
            let (response, text, changed) =
                text_field(ui, reason, &acceptance.reason, "reason", false, 1);
            response.accessible_name(format!("Reason for accepting {code}"));
            if changed {
                self.put(
                    format!("Change why {code} is accepted"),
                    Some(reason),
                    |notes| {
                        if let Some(acceptance) = notes.accepted.get_mut(code) {
                            acceptance.reason = text.into();
                        }
                    },
                );
            }
            let by = id.with(("by", code));
            let (response, text, changed) =
                text_field(ui, by, &acceptance.by, "who decided it", false, 1);
            response.accessible_name(format!("Who accepted {code}"));
            if changed {
                self.put(format!("Change who accepted {code}"), Some(by), |notes| {
                    if let Some(acceptance) = notes.accepted.get_mut(code) {
                        acceptance.by = text.into();
                    }
                });
            }
            let until = id.with(("until", code));
            let current = acceptance.until.as_deref().unwrap_or_default();
            let placeholder = "for good; a day such as 2027-01-31";
            let (response, text, changed) = text_field(ui, until, current, placeholder, false, 1);
            response.accessible_name(format!("Accepted {code} until"));
            let text = text.trim();
            if !text.is_empty() && !day::is_day(text) {
                error(
                    ui,
                    &format!("`{text}` is no day; write one such as 2027-01-31"),
                );
            } else if changed {
                self.put(
                    format!("Change until when {code} is accepted"),
                    Some(until),
                    |notes| {
                        if let Some(acceptance) = notes.accepted.get_mut(code) {
                            acceptance.until = (!text.is_empty()).then(|| text.into());
                        }
                    },
                );
            } else if !text.is_empty() {
                hint(ui, "shown again from this day on");
            }
        }
    }
}

/// What people call a hazard: code and name.
fn hazard_title(code: &str) -> String {
    match rules().iter().find(|rule| rule.code == code) {
        Some(rule) => format!("{code} {}", rule.name.replace('-', " ")),
        None => code.to_owned(),
    }
}

fn copy_title(copy: &str) -> String {
    let known = COPIES.iter().find(|(held, _)| *held == copy);
    known.map_or_else(|| copy.replace('_', " "), |(_, title)| (*title).to_owned())
}

/// What people call the principal.
pub(crate) fn principal_title<'d>(document: &'d Document, id: &'d DocId) -> &'d str {
    match document.principals.get(id) {
        Some(principal) if !principal.title.is_empty() => &principal.title,
        _ => id.as_str(),
    }
}

/// An audience of nobody is none.
fn kept(audience: Audience) -> Option<Audience> {
    (!audience.roles.is_empty() || !audience.rows.is_empty()).then_some(audience)
}
