//! Functions whose code is not there yet, in runs that look at load alone: they send on what they get, as
//! often as is declared.

use std::path::Path;

use graph_model::document::Document;
use graph_model::event::Event;
use graph_model::id::NodeId;
use graph_model::value::Value;
use runtime_protocol::Problem;
use smol_str::format_smolstr;

use super::function;
use crate::kind::{Build, Kind, Make};
use crate::operator::{Context, Operator, Output};

/// All kinds, with a stand-in for each component that is not there.
pub(crate) fn kinds() -> Vec<Kind> {
    let mut kinds = crate::catalog::kinds();
    for kind in kinds.iter_mut().filter(|kind| kind.spec.id == "function") {
        kind.make = Make::Operator(make);
    }
    kinds
}

/// The functions of a flow whose code is not there.
pub(crate) fn unwritten<'d>(document: &'d Document, project: &Path) -> Vec<&'d NodeId> {
    let nodes = document.nodes.iter();
    let nodes = nodes.filter(|(_, node)| node.kind == "function" && !node.disabled);
    nodes
        .filter(|(_, node)| {
            let component = node.config_str("component");
            component.is_some_and(|component| !project.join(component).exists())
        })
        .map(|(id, _)| id)
        .collect()
}

fn make(build: &Build) -> Result<Box<dyn Operator>, Problem> {
    if build.path("component")?.exists() {
        return function::make(build);
    }
    let gain = build
        .node
        .notes
        .declared
        .get("gain")
        .and_then(Value::as_f64);
    Ok(Box::new(Sketch {
        gain: gain.unwrap_or(1.0).max(0.0),
        owed: 0.0,
    }))
}

struct Sketch {
    /// Events that it makes of one.
    gain: f64,
    /// What of the next event it has to send already.
    owed: f64,
}

impl Operator for Sketch {
    fn on_event(&mut self, event: Event, _input: usize, _ctx: &Context<'_>, out: &mut Output) {
        self.owed += self.gain;
        let count = self.owed.floor();
        self.owed -= count;
        for number in 0..count as u64 {
            let id = format_smolstr!("{}.{number}", event.context.id);
            out.emit(0, event.derive(id, event.data.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use graph_model::value;

    use super::*;

    #[test]
    fn what_is_declared_is_sent() {
        for (gain, sent) in [
            (1.0, [1, 1, 1, 1]),
            (2.5, [2, 3, 2, 3]),
            (0.25, [0, 0, 0, 1]),
        ] {
            let mut sketch = Sketch { gain, owed: 0.0 };
            let counts = sent.map(|_| {
                let event = Event {
                    context: std::sync::Arc::default(),
                    data: value!({"n": 1}),
                };
                let mut out = Output::default();
                sketch.on_event(event, 0, &Context::default(), &mut out);
                out.emitted.len()
            });
            assert_eq!(counts, sent, "{gain}");
        }
    }
}
