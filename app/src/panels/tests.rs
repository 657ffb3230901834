//! Tests that the flow keeps: which pass, which fail, and in which run.

use egui::{RichText, ScrollArea, Ui};
use graph_model::document::Section;
use graph_model::id::Id;
use graph_model::value::Value;
use runtime_protocol::flow_test::{TestTold, TestVerdict};

use super::Model;
use crate::canvas::intent::Item;
use crate::requests::{Request, Requests};
use crate::theme;
use crate::widgets::{error, hint, quiet_link};

pub(crate) fn show(ui: &mut Ui, model: &Model<'_>, out: &mut Requests) {
    let tested = model.session.tested();
    let waits = tested.is_some_and(|tested| tested.answer.is_none());
    ui.horizontal_wrapped(|ui| {
        let button = ui.add_enabled(
            model.session.has_engine() && !waits,
            egui::Button::new("Run the tests"),
        );
        let button = button.on_hover_text("on virtual time; nothing outside is touched");
        if button.clicked() {
            out.push(Request::RunTests);
        }
        match tested.map(|tested| (&tested.answer, tested.revision)) {
            Some((None, _)) => {
                ui.spinner();
                hint(ui, "playing them");
            }
            Some((Some(Ok(_)), revision)) if revision != model.state.revision() => {
                hint(ui, "the flow is another one now; run them again");
            }
            Some((Some(Err(problem)), _)) => error(ui, problem),
            Some((Some(Ok(_)), _)) | None => {}
        }
    });
    ui.add_space(theme::space::S);
    let told = tested.and_then(|tested| tested.answer.as_ref()?.as_ref().ok());
    ScrollArea::vertical()
        .id_salt("tests")
        .auto_shrink([false, false])
        .show(ui, |ui| {
            let tests = model.state.document().sections.get(&Section::Tests);
            for (id, test) in tests.into_iter().flatten() {
                let told = told.and_then(|told| told.iter().find(|told| told.id == *id));
                row(ui, model, (id, test), told, out);
            }
        });
}

/// How many tests a flow keeps.
pub(crate) fn count(model: &Model<'_>) -> usize {
    let tests = model.state.document().sections.get(&Section::Tests);
    tests.map_or(0, std::collections::BTreeMap::len)
}

fn row(
    ui: &mut Ui,
    model: &Model<'_>,
    (id, test): (&Id, &Value),
    told: Option<&TestTold>,
    out: &mut Requests,
) {
    let tokens = theme::current(ui.ctx());
    let (word, color) = match told.map(|told| told.verdict) {
        Some(verdict @ TestVerdict::Passed) => (verdict.word(), tokens.ok),
        Some(verdict) => (verdict.word(), tokens.error),
        None => ("not run", tokens.muted),
    };
    let title = test.get("title").and_then(Value::as_str);
    let title = title.unwrap_or(id.as_str());
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(word).color(color).small().strong());
        ui.label(title);
        if let Some(told) = told.filter(|told| told.of > 1) {
            let runs = if told.runs == told.of {
                format!("{} runs", told.runs)
            } else {
                format!("{} of {} runs", told.runs, told.of)
            };
            hint(ui, &runs);
        }
    })
    .response
    .accessible_name(format!("test {id} {word}"));
    let Some(told) = told else { return };
    for problem in &told.problems {
        error(ui, problem);
    }
    for difference in &told.differences {
        let node = model.state.document().node_title(&difference.node);
        if quiet_link(ui, &format!("{node} {}", difference.what)).clicked() {
            out.push(Request::Reveal(Item::Node(difference.node.clone())));
        }
    }
    if let (Some(seed), false) = (told.seed, told.faults.is_empty()) {
        let faults = told.faults.join(", ");
        hint(ui, &format!("in the run of seed {seed}: {faults}"));
    }
}
