//! The fields of an event type, a row each: who may read it, what it is, how it adds up. A click on
//! a row opens a list of what can be said of it.

use egui::{Button, Id, RichText, Ui};
use graph_model::document::{Adds, Document, EventType, Measure};
use graph_model::id::Id as DocId;
use graph_model::label::{Atom, Clause};
use graph_model::pointer::Pointer;
use graph_model::schema::{Field, Types};
use smol_str::SmolStr;

use super::audience::role_title;
use crate::pins::Pin;
use crate::suggest;
use crate::widgets::picker::{Offer, picker};
use crate::widgets::{chip, error, hint};

/// Letters of a unit at most.
const UNIT_MAX: usize = 12;

/// Something that is said of a field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Saying {
    /// Only those may read it, besides what is said already.
    Narrow(Clause),
    /// Those may read it, too: in the clause of this number.
    Widen(usize, Atom),
    Pin(Pin),
    Adds(Adds),
    Unit(SmolStr),
}

/// What comes of a row.
pub(crate) enum Outcome {
    Change(Box<Change>),
    /// The way of the field is wanted on the canvas.
    Follow,
}

/// A type as it shall be, and what was done for that.
pub(crate) struct Change {
    pub title: String,
    pub ty: EventType,
}

/// Draws a row for the field; answers what the user changed.
pub(crate) fn row(
    ui: &mut Ui,
    document: &Document,
    id: &DocId,
    ty: &EventType,
    field: &Field,
) -> Option<Outcome> {
    let pointer = &field.pointer;
    let mut outcome = None;
    let title = RichText::new(pointer.to_string()).monospace();
    let types = match field.types {
        Types::ANY => String::new(),
        types => types.to_string(),
    };
    let button = Button::new(title)
        .right_text(RichText::new(types).small().weak())
        .frame_when_inactive(false)
        .truncate()
        .min_size(egui::vec2(ui.available_width(), 0.0));
    let name = format!("Say of {pointer}");
    let offers = |text: &str| {
        let sayings = offers(document, ty, field, text).into_iter();
        let mut offers: Vec<Offer<Option<Saying>>> = sayings
            .map(|offer| Offer::new(Some(offer.what), offer.title, offer.beside))
            .collect();
        let title = "Show where it goes";
        offers.push(Offer::new(None, title, "on the canvas, until Escape"));
        offers
    };
    match picker(ui, picker_id(id, pointer), button, &name, offers) {
        Some(Some(saying)) => {
            let title = format!("Say what {pointer} is");
            outcome = Some(Outcome::Change(Box::new(with(ty, title, |ty| {
                say(ty, pointer, saying);
            }))));
        }
        Some(None) => outcome = Some(Outcome::Follow),
        None => {}
    }
    ui.indent(("said of", id, pointer), |ui| {
        if let Some(said) = chips(ui, ty, pointer) {
            outcome = Some(Outcome::Change(Box::new(said)));
        }
        problems(ui, document, ty, pointer);
        if let Some(what) = suggest::delicate(pointer).filter(|_| !labelled(ty, pointer)) {
            hint(ui, &format!("looks like {what}: who may read it?"));
        }
    });
    outcome
}

/// The list of what can be said of a field.
pub(crate) fn picker_id(id: &DocId, field: &Pointer) -> Id {
    Id::unique(("say of", id, field))
}

/// What is said already; a click takes it back.
fn chips(ui: &mut Ui, ty: &EventType, field: &Pointer) -> Option<Change> {
    let mut change = None;
    let mut chipped = |ui: &mut Ui, text: &str, forget: &dyn Fn(&mut EventType)| {
        if chip(ui, text, &format!("Take back {text} of {field}")) {
            let title = format!("Take back what {field} is");
            change = Some(with(ty, title, |ty| forget(ty)));
        }
    };
    ui.horizontal_wrapped(|ui| {
        for clause in ty.labels.get(field).into_iter().flat_map(|label| &label.0) {
            chipped(ui, &clause.to_string(), &|ty| {
                if let Some(label) = ty.labels.get_mut(field) {
                    label.0.remove(clause);
                    if label.0.is_empty() {
                        ty.labels.remove(field);
                    }
                }
            });
        }
        for pin in Pin::ALL {
            if pin.of(ty) == Some(field) {
                chipped(ui, pin.word(), &|ty| pin.set(ty, None));
            }
        }
        if let Some(measure) = ty.measures.get(field) {
            if measure.adds != Adds::Unknown {
                chipped(ui, adds_word(measure.adds), &|ty| {
                    measured(ty, field, |measure| measure.adds = Adds::Unknown);
                });
            }
            if !measure.unit.is_empty() {
                chipped(ui, &format!("in {}", measure.unit), &|ty| {
                    measured(ty, field, |measure| measure.unit = SmolStr::default());
                });
            }
        }
    });
    change
}

/// Readers that are named but not known.
fn problems(ui: &mut Ui, document: &Document, ty: &EventType, field: &Pointer) {
    let label = ty.labels.get(field).into_iter();
    for atom in label
        .flat_map(|label| &label.0)
        .flat_map(|clause| &clause.0)
    {
        if let Atom::Role(role) = atom
            && !document.roles.contains_key(role)
        {
            error(ui, &format!("the role `{role}` is not in this flow"));
        }
    }
}

/// Whether somebody said who may read the field, or one that it is part of.
fn labelled(ty: &EventType, field: &Pointer) -> bool {
    ty.labels.keys().any(|said| said.covers(field))
}

/// What can be said of a field, what its name suggests first.
fn offers(document: &Document, ty: &EventType, field: &Field, text: &str) -> Vec<Offer<Saying>> {
    const BY_NAME: &str = "suggested by its name";
    let pointer = &field.pointer;
    let mut offers = Vec::new();
    let measure = ty.measures.get(pointer).cloned().unwrap_or_default();
    let number = field.types.overlaps(Types::NUMBER);
    let delicate = suggest::delicate(pointer).filter(|_| !labelled(ty, pointer));
    if let (Some(what), Some(subject)) = (delicate, &ty.subject) {
        let clause = Clause::from_iter([Atom::Subject(subject.clone())]);
        let title = format!("Only {clause}");
        let beside = format!("looks like {what}");
        offers.push(Offer::new(Saying::Narrow(clause), title, beside));
    }
    if let Some(pin) = suggest::pin(pointer).filter(|pin| pin.of(ty).is_none()) {
        let title = format!("It is the {}", pin.word());
        offers.push(Offer::new(Saying::Pin(pin), title, BY_NAME));
    }
    let (adds, unit) = suggest::measure(pointer);
    if let Some(adds) = adds.filter(|_| number && measure.adds == Adds::Unknown) {
        offers.push(Offer::new(Saying::Adds(adds), adds_title(adds), BY_NAME));
    }
    if let Some(unit) = unit.filter(|_| number && measure.unit.is_empty()) {
        let title = format!("Measured in {unit}");
        offers.push(Offer::new(Saying::Unit(unit.into()), title, BY_NAME));
    }
    readers(document, ty, pointer, &mut offers);
    for pin in Pin::ALL {
        if pin.of(ty) != Some(pointer) {
            let title = format!("It is the {}", pin.word());
            offers.push(Offer::new(Saying::Pin(pin), title, pin.meaning()));
        }
    }
    if number {
        for (adds, example) in [
            (Adds::Always, "over all events: amounts, counts"),
            (Adds::NotOverTime, "over places: balances, stock"),
            (Adds::Never, "prices, ratios, temperatures"),
        ] {
            if measure.adds != adds {
                offers.push(Offer::new(Saying::Adds(adds), adds_title(adds), example));
            }
        }
    }
    let typed = Clause::parse(text).ok();
    if let Some(clause) = typed.filter(|_| !text.is_empty()) {
        let title = format!("Only {clause}");
        offers.push(Offer::new(Saying::Narrow(clause), title, "as typed"));
    }
    if number && !text.is_empty() && text.chars().count() <= UNIT_MAX && !text.contains(' ') {
        let title = format!("Measured in {text}");
        offers.push(Offer::new(Saying::Unit(text.into()), title, "as typed"));
    }
    let mut seen = Vec::new();
    offers.retain(|offer| {
        let new = !seen.contains(&offer.what);
        seen.push(offer.what.clone());
        new
    });
    offers
}

/// Who may read the field: anybody to begin with, and then others besides, or fewer.
fn readers(document: &Document, ty: &EventType, field: &Pointer, offers: &mut Vec<Offer<Saying>>) {
    let mut atoms = vec![(Atom::Org, "everybody inside".to_owned())];
    for (role, entry) in &document.roles {
        let external = if entry.external { ", external" } else { "" };
        let title = format!("{}{external}", role_title(document, role));
        atoms.push((Atom::Role(role.clone()), title));
    }
    if let Some(subject) = &ty.subject {
        let whom = "the person it is about".to_owned();
        atoms.push((Atom::Subject(subject.clone()), whom));
    }
    if let Some(tenant) = &ty.tenant {
        let whom = "the tenant whose it is".to_owned();
        atoms.push((Atom::Tenant(tenant.clone()), whom));
    }
    let Some(label) = ty.labels.get(field).filter(|label| !label.0.is_empty()) else {
        for (atom, whom) in atoms {
            let title = format!("Only {atom}");
            let saying = Saying::Narrow(Clause::from_iter([atom]));
            offers.push(Offer::new(saying, title, whom));
        }
        return;
    };
    for (index, clause) in label.0.iter().enumerate() {
        for (atom, whom) in &atoms {
            if !clause.0.contains(atom) {
                let title = format!("Also {atom}");
                let beside = format!("{whom}, besides {clause}");
                offers.push(Offer::new(
                    Saying::Widen(index, atom.clone()),
                    title,
                    beside,
                ));
            }
        }
    }
    for (atom, whom) in atoms {
        let clause = Clause::from_iter([atom]);
        if !label.0.contains(&clause) {
            let title = format!("Only if {clause} as well");
            offers.push(Offer::new(Saying::Narrow(clause), title, whom));
        }
    }
}

fn say(ty: &mut EventType, field: &Pointer, saying: Saying) {
    match saying {
        Saying::Narrow(clause) => {
            ty.labels.entry(field.clone()).or_default().0.insert(clause);
        }
        Saying::Widen(index, atom) => {
            let label = ty.labels.entry(field.clone()).or_default();
            let widened = label.0.iter().enumerate().map(|(at, clause)| {
                let mut clause = clause.clone();
                if at == index {
                    clause.0.insert(atom.clone());
                }
                clause
            });
            *label = widened.collect();
        }
        Saying::Pin(pin) => pin.set(ty, Some(field.clone())),
        Saying::Adds(adds) => measured(ty, field, |measure| measure.adds = adds),
        Saying::Unit(unit) => measured(ty, field, |measure| measure.unit = unit),
    }
}

/// Changes what a number measures; what says nothing goes.
fn measured(ty: &mut EventType, field: &Pointer, change: impl FnOnce(&mut Measure)) {
    let measure = ty.measures.entry(field.clone()).or_default();
    change(measure);
    if *measure == Measure::default() {
        ty.measures.remove(field);
    }
}

fn adds_title(adds: Adds) -> String {
    let word = adds_word(adds);
    let mut letters = word.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

fn adds_word(adds: Adds) -> &'static str {
    match adds {
        Adds::Unknown => "adds up as nobody said",
        Adds::Always => "adds up",
        Adds::NotOverTime => "adds up, not over time",
        Adds::Never => "never adds up",
    }
}

fn with(ty: &EventType, title: String, change: impl FnOnce(&mut EventType)) -> Change {
    let mut ty = ty.clone();
    change(&mut ty);
    Change { title, ty }
}
