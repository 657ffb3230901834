//! Code beside an event: written on the left, tried on the right with every keystroke.

use std::collections::BTreeMap;
use std::sync::Arc;

use egui::{Id, RichText, ScrollArea, Ui, vec2};
use graph_model::catalog::{FieldSpec, FieldType, KindSpec};
use graph_model::document::Node;
use graph_model::event::{Event, EventContext};
use graph_model::expr::{Analysis, Env, Expr, Variable};
use graph_model::id::{EdgeId, NodeId};
use graph_model::pointer::Pointer;
use graph_model::value::Value;
use runtime_protocol::function::{LogLevel, Tried};
use smol_str::SmolStr;

use super::{Model, form};
use crate::canvas::intent::Item;
use crate::requests::{Request, Requests};
use crate::session::trial::Question;
use crate::theme;
use crate::widgets::code::{Code, code_field};
use crate::widgets::syntax::Language;
use crate::widgets::{empty, error, hint, quiet_link, text_field, tree};

/// Largest event that is read from the field.
const EVENT_MAX: usize = 1 << 20;

#[derive(Default)]
pub(crate) struct CodePanel {
    /// The field that is written, of the node that is selected.
    field: Option<SmolStr>,
    /// Events that somebody wrote to try a node on.
    events: BTreeMap<NodeId, String>,
    /// Whether what is typed next goes into the code.
    takes_keys: bool,
}

/// What there is to write and to try.
struct Subject<'m> {
    id: &'m NodeId,
    node: &'m Node,
    kind: &'m KindSpec,
    /// Its code; a function made elsewhere has none.
    field: Option<&'m FieldSpec>,
}

/// Fields of a kind that hold code, each with its language.
pub(super) fn fields_of(kind: &KindSpec) -> impl Iterator<Item = (&FieldSpec, Language)> {
    kind.config.iter().filter_map(|field| match field.ty {
        FieldType::Code { .. } => Some((field, Language::TypeScript)),
        FieldType::Jq { .. } => Some((field, Language::Jq)),
        _ => None,
    })
}

/// Whether there is something to write or to try at what is selected.
pub(crate) fn is_about(model: &Model<'_>) -> bool {
    CodePanel::default().subject(model).is_some()
}

fn is_function(kind: &KindSpec) -> bool {
    ["function", "script"].contains(&kind.id.as_str())
}

impl CodePanel {
    /// What is typed next goes into the code.
    pub(crate) fn take_keys(&mut self) {
        self.takes_keys = true;
    }

    pub(crate) fn show(&mut self, ui: &mut Ui, model: &Model<'_>, out: &mut Requests) {
        let Some(subject) = self.subject(model) else {
            empty(
                ui,
                "Select a script, a function or a node with an expression: its code is written here, and tried on an event.",
            );
            return;
        };
        let inputs: Vec<&EdgeId> = inputs(model, subject.id);
        let last = model.session.last_event(&inputs).map(|seen| &seen.event);
        let height = ui.available_height();
        let width = ui.available_width() - 2.0 * theme::space::L;
        let shares = if subject.field.is_some() {
            [0.46, 0.24, 0.30]
        } else {
            [0.0, 0.4, 0.6]
        };
        let mut event = None;
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = theme::space::L;
            let column = |ui: &mut Ui, share: f32, draw: &mut dyn FnMut(&mut Ui)| {
                let size = vec2(width * share, height);
                let layout = egui::Layout::top_down(egui::Align::Min);
                ui.allocate_ui_with_layout(size, layout, |ui| {
                    ui.set_min_size(size);
                    ui.set_max_width(size.x);
                    draw(ui);
                });
            };
            if let Some(field) = subject.field {
                column(ui, shares[0], &mut |ui| {
                    self.code(ui, model, &subject, field, last, out);
                });
            }
            column(ui, shares[1], &mut |ui| {
                event = self.event(ui, subject.id, last);
            });
            column(ui, shares[2], &mut |ui| {
                let scroll = ScrollArea::vertical()
                    .id_salt("result")
                    .auto_shrink([false, false]);
                scroll.show(ui, |ui| {
                    let Some(event) = &event else { return };
                    match subject.field {
                        Some(field) if !is_function(subject.kind) => {
                            expression(ui, &subject, field, event);
                        }
                        _ => function(ui, model, &subject, event, out),
                    }
                });
            });
        });
    }

    /// What is selected, and the field of it that is written.
    fn subject<'m>(&self, model: &Model<'m>) -> Option<Subject<'m>> {
        let Some(Item::Node(id)) = model.state.sole() else {
            return None;
        };
        let node = model.state.document().nodes.get(id)?;
        let kind = model.state.catalog().get(&node.kind)?;
        let fields: Vec<&FieldSpec> = fields_of(kind).map(|(field, _)| field).collect();
        let chosen = fields
            .iter()
            .find(|field| Some(&field.name) == self.field.as_ref());
        let field = chosen.or(fields.first()).copied();
        (field.is_some() || is_function(kind)).then_some(Subject {
            id,
            node,
            kind,
            field,
        })
    }

    /// The code with its name above.
    fn code(
        &mut self,
        ui: &mut Ui,
        model: &Model<'_>,
        subject: &Subject<'_>,
        field: &FieldSpec,
        last: Option<&Event>,
        out: &mut Requests,
    ) {
        let title = model.state.document().node_title(subject.id);
        ui.horizontal(|ui| {
            ui.label(RichText::new(title).strong());
            let fields: Vec<&FieldSpec> = fields_of(subject.kind).map(|(field, _)| field).collect();
            if fields.len() == 1 {
                hint(ui, &field.title);
                return;
            }
            for other in fields {
                let chosen = other.name == field.name;
                if ui.selectable_label(chosen, other.title.as_str()).clicked() {
                    self.field = Some(other.name.clone());
                }
            }
        });
        let value = subject.node.config.get(&field.name);
        let current = value.map(Value::to_text).unwrap_or_default();
        let language = fields_of(subject.kind).find(|(other, _)| other.name == field.name);
        let wrong = self::wrong(model, subject);
        let row = theme::size::MONO * 1.3;
        let rows = ((ui.available_height() - theme::space::M) / row).max(4.0) as usize;
        let id = Id::unique(("code", subject.id, &field.name));
        let scroll = ScrollArea::vertical()
            .id_salt("code")
            .auto_shrink([false, false]);
        scroll.show(ui, |ui| {
            let code = Code {
                current: &current,
                hint: &field.doc,
                language: language.map_or(Language::Jq, |(_, language)| language),
                rows,
                wrong,
                fields: &|| form::fields_around(model.state.document(), last),
            };
            let (response, text, changed) = code_field(ui, id, &code);
            if std::mem::take(&mut self.takes_keys) {
                response.request_focus();
            }
            response.accessible_name(format!("{} of {title}", field.title));
            if !changed {
                return;
            }
            let named = format!("Change {} of {title}", field.title.to_lowercase());
            let mut build = model.state.build(named);
            let value = (!text.is_empty()).then(|| Value::str(text));
            build.set_config(subject.id, &field.name, value);
            out.push(Request::Type(id, build.finish()));
        });
    }

    /// The event that the code is tried on: the last one that came in, unless somebody wrote another.
    fn event(&mut self, ui: &mut Ui, id: &NodeId, last: Option<&Event>) -> Option<Event> {
        let written = self.events.get(id).cloned();
        ui.horizontal_wrapped(|ui| {
            ui.label(RichText::new("Event").strong());
            match (&written, last) {
                (Some(_), Some(_)) if quiet_link(ui, "take the last one").clicked() => {
                    self.events.remove(id);
                }
                (Some(_), _) => hint(ui, "yours"),
                (None, Some(_)) => hint(ui, "the last one that came in"),
                (None, None) => hint(ui, "none came in yet: write one"),
            }
        });
        let context = last.map_or_else(
            || {
                Arc::new(EventContext {
                    id: "try-1".into(),
                    source: "/try".into(),
                    ty: "try".into(),
                    ..EventContext::default()
                })
            },
            |last| Arc::clone(&last.context),
        );
        let shown = written.unwrap_or_else(|| {
            last.map_or_else(|| "{\n}".to_owned(), |last| last.data.to_json_pretty())
        });
        let field = Id::unique(("event", id));
        let rows = (ui.available_height() / (theme::size::MONO * 1.3)).max(4.0) as usize;
        let scroll = ScrollArea::vertical()
            .id_salt("event")
            .auto_shrink([false, false]);
        scroll
            .show(ui, |ui| {
                let parsed = |text: &str| Value::parse(text.as_bytes(), EVENT_MAX);
                let problem = parsed(&shown).err();
                if let Some(problem) = &problem {
                    error(ui, &problem.to_string());
                }
                let (response, text, changed) = text_field(ui, field, &shown, "{}", true, rows);
                response.accessible_name("Event to try on");
                if changed {
                    self.events.insert(id.clone(), text.clone());
                }
                let data = parsed(&text).ok()?;
                Some(Event { context, data })
            })
            .inner
    }
}

fn inputs<'m>(model: &Model<'m>, id: &NodeId) -> Vec<&'m EdgeId> {
    let edges = model.state.document().edges.iter();
    let into = edges.filter(|(_, edge)| edge.to.node == *id);
    into.map(|(id, _)| id).collect()
}

/// The line of the code that the last answer is about.
fn wrong(model: &Model<'_>, subject: &Subject<'_>) -> Option<usize> {
    let trial = model.session.trial()?;
    if trial.question.node != *subject.id {
        return None;
    }
    let told = match trial.answer.as_ref()? {
        Err(problem) => Some(problem),
        Ok(tried) => tried.failed.as_ref(),
    };
    let (_, after) = told?.split_once("line ")?;
    let digits = after.find(|letter: char| !letter.is_ascii_digit());
    after[..digits.unwrap_or(after.len())].parse().ok()
}

/// What a function does with the event; asked of the engine whenever something is another.
fn function(
    ui: &mut Ui,
    model: &Model<'_>,
    subject: &Subject<'_>,
    event: &Event,
    out: &mut Requests,
) {
    if !model.session.has_engine() {
        title(ui, "Result", "");
        hint(
            ui,
            "A function is tried by an engine: start Weir from its own program.",
        );
        return;
    }
    let question = Question {
        node: subject.id.clone(),
        kind: subject.node.kind.clone(),
        config: subject.node.config.clone(),
        types: types_of(model, subject),
        event: event.clone(),
    };
    let trial = model.session.trial();
    let trial = trial.filter(|trial| trial.question.node == *subject.id);
    if trial.is_none_or(|trial| trial.question != question && !trial.is_open()) {
        out.push(Request::Try(Box::new(question)));
    }
    match trial.and_then(|trial| trial.shown()) {
        None => {
            title(ui, "Result", "");
            ui.spinner();
        }
        Some(Err(problem)) => {
            title(ui, "Result", "");
            error(ui, problem);
        }
        Some(Ok(tried)) => told(ui, tried),
    }
}

/// Schemas of the event types that the node names.
fn types_of(model: &Model<'_>, subject: &Subject<'_>) -> BTreeMap<graph_model::id::Id, Value> {
    let types = &model.state.document().types;
    let named = subject.kind.types_of(subject.node);
    let named = named.filter_map(|(_, ty)| types.get_key_value(ty));
    named
        .map(|(id, ty)| (id.clone(), ty.schema.clone()))
        .collect()
}

fn title(ui: &mut Ui, text: &str, beside: &str) {
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(text).strong());
        hint(ui, beside);
    });
}

fn told(ui: &mut Ui, tried: &Tried) {
    let cost = format!(
        "{} to start, {} to handle, {:.1} MiB",
        millis(tried.start_us),
        millis(tried.handle_us),
        tried.peak_bytes as f64 / f64::from(1 << 20),
    );
    title(ui, "Result", "");
    hint(ui, &cost);
    if let Some(failed) = &tried.failed {
        error(ui, failed);
    } else if tried.sent.is_empty() {
        hint(ui, "It sends nothing.");
    }
    for (number, (port, event)) in tried.sent.iter().enumerate() {
        ui.push_id(number, |ui| {
            hint(ui, &format!("{port} · {}", event.context.ty));
            tree::show(ui, "data", &event.data, true);
        });
    }
    if !tried.logged.is_empty() {
        title(ui, "Log", "");
    }
    let tokens = theme::current(ui.ctx());
    for line in &tried.logged {
        let color = match line.level {
            LogLevel::Error => tokens.error,
            LogLevel::Warn => tokens.warning,
            _ => tokens.muted,
        };
        ui.label(RichText::new(&line.message).small().color(color));
    }
}

/// Microseconds as milliseconds.
fn millis(us: u64) -> String {
    format!("{:.2} ms", us as f64 / 1_000.0)
}

/// What an expression makes of the event; pointing at a part shows what it is made of.
fn expression(ui: &mut Ui, subject: &Subject<'_>, field: &FieldSpec, event: &Event) {
    title(ui, "Result", "point at a part to see what it is made of");
    let value = subject.kind.config(subject.node, &field.name);
    let code = value.map(Value::to_text).unwrap_or_default();
    if code.trim().is_empty() {
        hint(ui, "Nothing is written yet.");
        return;
    }
    let expr = match Expr::compile_with(&code, &form::variables_of(field)) {
        Ok(expr) => expr,
        Err(problem) => return error(ui, &problem.to_string()),
    };
    let bindings = |variable| match variable {
        Variable::Event => Some(Value::from(event.context.to_object())),
        _ => Some(Value::Null),
    };
    match expr.eval(&event.data, &Env::new(&bindings)) {
        Ok(value) => {
            let analysis = expr.analysis();
            let trace = |at: &Pointer| Some(made_of(analysis, at));
            tree::show_traced(ui, "result", &value, true, &Pointer::root(), &trace);
        }
        Err(problem) => error(ui, &problem.to_string()),
    }
    hint(ui, &made_of(expr.analysis(), &Pointer::root()));
}

/// What a part of a result comes from, in words.
fn made_of(analysis: &Analysis, at: &Pointer) -> String {
    if analysis.whole {
        return "may come from any field of the event".to_owned();
    }
    let sources = analysis.reaching(at);
    let mut names: Vec<String> = sources
        .fields
        .iter()
        .chain(&sources.shapes)
        .map(|field| {
            if field.is_root() {
                "the whole event".to_owned()
            } else {
                field.to_string()
            }
        })
        .collect();
    let context = sources.context.iter();
    names.extend(context.map(|read| format!("${}{}", read.variable.name(), read.pointer)));
    names.dedup();
    if names.is_empty() {
        "comes from no field".to_owned()
    } else {
        format!("comes from {}", names.join(", "))
    }
}
