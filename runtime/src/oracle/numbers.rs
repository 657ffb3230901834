//! D2: a number is what its definition makes of the facts of the run.
//!
//! Two definitions are recomputed. A result over results (an average of averages) is compared with the
//! same function of all the values behind them; and in what is added up, each fact has to be there once.
//! Beside that a result has to be of a group that some event is in.

use std::collections::BTreeMap;

use graph_model::catalog::{Behaviour, Catalog, KindSpec};
use graph_model::document::{Document, Node};
use graph_model::event::{Event, rfc3339};
use graph_model::expr::Expr;
use graph_model::id::NodeId;
use graph_model::units::parse_duration;
use graph_model::value::Value;
use rustc_hash::FxHashMap;
use smol_str::SmolStr;

use super::keys::value;
use super::{Context, Finding, flat, measures, strangers, weights};
use crate::simulate::{Outcome, Sort, Step, What};

/// A node that makes results of many events.
pub(super) struct Aggregate {
    pub(super) columns: Vec<Column>,
    window: Window,
}

pub(super) struct Column {
    pub(super) name: SmolStr,
    pub(super) function: SmolStr,
    /// What is folded; nothing where events are counted.
    of: Option<Expr>,
    /// The last name of the field that is folded as it is.
    pub(super) field: Option<SmolStr>,
}

enum Window {
    None,
    Count(u64),
    Time { size_ms: i64 },
}

/// What goes into one result.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Bucket {
    pub(super) instance: u32,
    pub(super) key: Value,
    /// The beginning of a time window as results name it, or the number of a window by count.
    pub(super) window: Value,
}

/// An event that went into a result.
pub(super) struct Part<'o> {
    pub(super) step: &'o Step,
    pub(super) event: &'o Event,
    pub(super) bucket: Bucket,
}

pub(super) fn aggregates(document: &Document, catalog: &Catalog) -> BTreeMap<NodeId, Aggregate> {
    let nodes = document.nodes.iter().filter(|(_, node)| !node.disabled);
    nodes
        .filter_map(|(id, node)| {
            let kind = catalog.get(&node.kind)?;
            let Behaviour::Aggregate { aggregates, .. } = &kind.behaviour else {
                return None;
            };
            let columns = kind.config(node, aggregates)?.as_array()?;
            Some((
                id.clone(),
                Aggregate {
                    columns: columns.iter().filter_map(Column::of).collect(),
                    window: Window::of(node, kind),
                },
            ))
        })
        .collect()
}

impl Window {
    fn of(node: &Node, kind: &KindSpec) -> Window {
        let text = |field| kind.config(node, field).and_then(Value::as_str);
        match text("window") {
            Some("time") => {
                let size = text("size").and_then(parse_duration);
                let size_ms = size.and_then(|size| i64::try_from(size.as_millis()).ok());
                Window::Time {
                    size_ms: size_ms.unwrap_or(1).max(1),
                }
            }
            Some("count") => {
                let count = kind.config(node, "count").and_then(Value::as_i64);
                Window::Count(count.map_or(1, i64::unsigned_abs).max(1))
            }
            _ => Window::None,
        }
    }
}

impl Column {
    fn of(column: &Value) -> Option<Column> {
        let text = |name| column.get(name).and_then(Value::as_str);
        let code = text("of").filter(|code| !code.trim().is_empty());
        let function = text("function").filter(|word| !word.is_empty());
        Some(Column {
            name: text("name")?.into(),
            function: function.unwrap_or("count").into(),
            of: code.and_then(|code| Expr::compile(code).ok()),
            field: code.and_then(path_end),
        })
    }

    /// Whether it says how much a cell of a row has moved.
    pub(super) fn is_difference(&self) -> bool {
        let fields = self.of.iter().flat_map(|of| &of.analysis().reads.fields);
        let mut rows = fields.filter_map(|field| field.tokens().first());
        rows.any(|row| row == "before")
    }

    /// What of an event is folded.
    pub(super) fn value(&self, part: &Part<'_>) -> Value {
        let of = self.of.as_ref();
        of.map_or(Value::Bool(true), |of| {
            value(of, part.step, part.event).unwrap_or_default()
        })
    }
}

/// The last name of a path such as `.left.total`; nothing for whatever computes.
fn path_end(code: &str) -> Option<SmolStr> {
    let mut names = code.trim().strip_prefix('.')?.split('.');
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if !names.clone().all(is_name) {
        return None;
    }
    names.next_back().map(SmolStr::from)
}

/// Finds numbers that are not what they say.
pub(super) fn judge(run: &Outcome, reference: &Outcome, context: &Context) -> Vec<Finding> {
    // Who forgot may count again.
    let forgot = [Sort::Crash, Sort::Recycle]
        .iter()
        .any(|sort| run.faults.contains_key(sort));
    // A definition that is wrong is so in the reference, too.
    let run = if forgot { reference } else { run };
    if context.aggregates.is_empty() || !run.ended.is_complete() {
        return Vec::new();
    }
    let parts: FxHashMap<&NodeId, Vec<Part<'_>>> = context
        .aggregates
        .iter()
        .map(|(id, aggregate)| (id, aggregate.parts(id, run, context)))
        .collect();
    let mut findings = flat::judge(run, context, &parts);
    findings.extend(strangers::judge(run, context, &parts));
    findings.extend(measures::judge(run, context, &parts));
    findings.extend(weights::judge(run, reference, context, &parts));
    findings
}

impl Aggregate {
    /// The events that went into results, with the results they went into.
    pub(super) fn parts<'o>(
        &self,
        id: &NodeId,
        run: &'o Outcome,
        context: &Context,
    ) -> Vec<Part<'o>> {
        let Some(keyed) = context.keyed.get(id) else {
            return Vec::new();
        };
        let mut parts: Vec<Part<'_>> = Vec::new();
        let mut counted: FxHashMap<(u32, Value), u64> = FxHashMap::default();
        for step in run.trace.iter().filter(|step| step.node == *id) {
            let Some(event) = &step.whole else { continue };
            match step.what {
                What::Handled => {
                    let Some(key) = keyed.key(step, event) else {
                        continue;
                    };
                    let instance = step.instance;
                    let window = match self.window {
                        Window::None => Value::Null,
                        Window::Time { size_ms } => {
                            let start = event.context.time_ms.div_euclid(size_ms) * size_ms;
                            Value::from(rfc3339(start))
                        }
                        Window::Count(size) => {
                            let count = counted.entry((instance, key.clone())).or_default();
                            *count += 1;
                            Value::from(((*count - 1) / size) as i64)
                        }
                    };
                    let bucket = Bucket {
                        instance,
                        key,
                        window,
                    };
                    parts.push(Part {
                        step,
                        event,
                        bucket,
                    });
                }
                // It was not folded after all.
                What::Unled if step.port > 0 => {
                    let same = |part: &Part<'_>| part.event.context.id == event.context.id;
                    if let Some(last) = parts.iter().rposition(same) {
                        parts.remove(last);
                    }
                }
                _ => {}
            }
        }
        parts
    }

    /// The results that a result says it is of.
    pub(super) fn bucket_of(&self, step: &Step, event: &Event) -> Bucket {
        let told = |name| event.data.get(name).cloned().unwrap_or_default();
        Bucket {
            instance: step.instance,
            key: told("key"),
            window: match self.window {
                Window::Time { .. } => told("from"),
                Window::None | Window::Count(_) => Value::Null,
            },
        }
    }

    /// Whether there is one result of each window, when that is over.
    pub(super) fn is_windowed(&self) -> bool {
        matches!(self.window, Window::Time { .. })
    }

    /// Whether results name the window that they are of.
    pub(super) fn names_windows(&self) -> bool {
        !matches!(self.window, Window::Count(_))
    }
}
