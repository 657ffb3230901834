//! A4: code gets no restricted field without which it does the same.
//!
//! It needs a second run, of the same facts without the field.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use graph_model::catalog::{Behaviour, Catalog};
use graph_model::document::Document;
use graph_model::id::{Id, NodeId};
use graph_model::label::Atom;
use graph_model::pointer::Pointer;
use graph_model::value::{Object, Value};

use super::canaries::{canaries, roots};
use super::viewers::type_of;
use super::{Context, Finding, Oracle};
use crate::simulate::{Fact, Outcome, What};

/// A restricted field of a type that came to code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    pub node: NodeId,
    ty: Id,
    field: Pointer,
    fact: u32,
    value: Value,
}

/// Nodes that do something of their own with what they get.
pub(super) fn code(document: &Document, catalog: &Catalog) -> BTreeSet<NodeId> {
    let nodes = document.nodes.iter().filter(|(_, node)| !node.disabled);
    let code = nodes.filter(|(_, node)| {
        let kind = catalog.get(&node.kind).map(|kind| &kind.behaviour);
        matches!(
            kind,
            Some(Behaviour::Opaque { .. } | Behaviour::Effect { .. })
        )
    });
    code.map(|(id, _)| id.clone()).collect()
}

/// The restricted fields that came to code in a run, each once for a node.
pub fn delivered(context: &Context, run: &Outcome) -> Vec<Delivered> {
    let none = BTreeMap::new();
    let roots = roots(&context.document, run, &context.texts, &none);
    let came = run.trace.iter().filter(|step| {
        matches!(step.what, What::Handled | What::Written) && context.code.contains(&step.node)
    });
    let mut all: Vec<Delivered> = Vec::new();
    for (step, event) in came.filter_map(|step| Some((step, step.whole.as_ref()?))) {
        let mut found = Vec::new();
        canaries(&event.data, &roots, &mut found);
        for (value, of) in found {
            // Where several fields have the value, nobody knows which of them came.
            let [root] = of else { continue };
            let mut clauses = root.label.0.iter();
            let restricted = clauses.any(|clause| !clause.0.contains(&Atom::Org));
            let known = |held: &Delivered| {
                held.node == step.node && held.ty == *root.ty && held.field == *root.field
            };
            if restricted && !all.iter().any(known) {
                all.push(Delivered {
                    node: step.node.clone(),
                    ty: root.ty.clone(),
                    field: root.field.clone(),
                    fact: root.fact,
                    value: value.clone(),
                });
            }
        }
    }
    all
}

impl Delivered {
    /// The facts without the field.
    pub fn without(&self, document: &Document, facts: &[Fact]) -> Arc<[Fact]> {
        let facts = facts.iter().cloned().map(|mut fact| {
            if type_of(document, &fact) == Some(&self.ty) {
                self.field.remove(&mut fact.event.data);
            }
            fact
        });
        facts.collect()
    }

    /// What a run and the same one without the field say of it.
    pub fn judge(&self, run: &Outcome, without: &Outcome) -> Option<Finding> {
        if !run.ended.is_complete() || done(run, &self.node) != done(without, &self.node) {
            return None;
        }
        let mut observed = Object::with_capacity(2);
        observed.insert("field", format!("{}{}", self.ty, self.field));
        observed.insert("value", self.value.clone());
        Some(Finding {
            fact: Some(self.fact),
            ..Finding::new(
                Oracle::A4,
                self.node.as_str(),
                observed,
                "nothing of it, as what comes out is the same without",
            )
        })
    }
}

/// A4 has no verdict on one run.
pub(super) fn judge(_run: &Outcome, _reference: &Outcome, _context: &Context) -> Vec<Finding> {
    Vec::new()
}

/// How many events a node got, and all that came out of it.
fn done(run: &Outcome, node: &NodeId) -> (usize, Vec<(u8, u16, Value)>) {
    let here = || run.trace.iter().filter(|step| step.node == *node);
    let got = here().filter(|step| step.what == What::Handled).count();
    let out = here().filter_map(|step| {
        let data = match step.what {
            What::Emitted | What::Unled => &step.whole.as_ref()?.data,
            What::Written => step.shown.as_ref()?,
            // What it could not handle is told with what it got.
            What::GivenUp => &Value::Null,
            _ => return None,
        };
        Some((step.what as u8, step.port, data.clone()))
    });
    let mut out: Vec<_> = out.collect();
    out.sort();
    (got, out)
}

#[cfg(test)]
mod tests {
    use super::super::plant;
    use super::super::testing::{Trial, shown};
    use super::*;
    use crate::simulate::Scenario;

    #[test]
    fn code_needs_what_changes_what_it_does() {
        let found = |flow: &str| {
            let flow = format!(
                "role doctors
                 type visit: id string, why string {{role:doctors}}, who string {{org}}
                 in: manual(event_type=visit) -> {flow}"
            );
            let facts = r#"in {"id":"v-1","why":"a cold","who":"anna"}"#;
            let mut trial = Trial::new(&flow, facts);
            trial.scenario.facts = plant(&trial.document, &trial.scenario.facts);
            let (context, run) = (trial.context(), trial.play(&trial.scenario));
            let found = delivered(&context, &run).into_iter();
            let found = found.filter_map(|one| {
                let facts = one.without(&trial.document, &trial.scenario.facts);
                one.judge(
                    &run,
                    &trial.play(&Scenario {
                        facts,
                        ..trial.scenario.clone()
                    }),
                )
            });
            shown(&found.collect::<Vec<_>>())
        };
        let unneeded = r#"A4 at `act`: {"field":"visit/why","value":"why-canary-2"} instead of "nothing of it, as what comes out is the same without""#;
        let script = |code: &str| format!("act: script(script=\"{code}\") -> out: view");
        for (flow, wanted) in [
            (script("return {id: event.data.id}"), unneeded),
            (script("return event.data"), ""),
            (script("return {n: event.data.why.length}"), ""),
            ("act: effect(action=mail)".to_owned(), ""),
            (
                format!(
                    "less: redact(fields=[\"/why\"]) -> {}",
                    script("return {id: event.data.id}")
                ),
                "",
            ),
        ] {
            assert_eq!(found(&flow), wanted, "{flow}");
        }
    }
}
