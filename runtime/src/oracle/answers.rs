//! A1, answers of code: whoever asks code that keeps a cache gets nothing of another one.
//!
//! What such code sends for an event goes to the person or tenant that the event names, wherever it is
//! shown in the end, if at all.

use std::collections::BTreeSet;

use graph_model::catalog::{Behaviour, Catalog};
use graph_model::document::Document;
use graph_model::id::NodeId;
use graph_model::label::Atom;
use graph_model::value::{Object, Value};
use rustc_hash::FxHashMap;
use smol_str::format_smolstr;

use super::canaries::{Root, canaries};
use super::{Finding, Oracle};
use crate::simulate::{Outcome, What};

/// Code of which somebody said that it keeps answers.
pub(super) fn caches(document: &Document, catalog: &Catalog) -> BTreeSet<NodeId> {
    let nodes = document.nodes.iter().filter(|(_, node)| !node.disabled);
    let caches = nodes.filter(|(_, node)| {
        let kind = catalog.get(&node.kind);
        let is_code = kind.is_some_and(|kind| matches!(kind.behaviour, Behaviour::Opaque { .. }));
        let state = node.notes.declared.get("state").and_then(Value::as_str);
        is_code && state == Some("cache")
    });
    caches.map(|(id, _)| id.clone()).collect()
}

/// Finds answers that hold what is for somebody else than who asked.
pub(super) fn judge(
    run: &Outcome,
    caches: &BTreeSet<NodeId>,
    roots: &FxHashMap<&Value, Vec<Root<'_>>>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let sent = run.trace.iter().filter(|step| {
        let sent = matches!(step.what, What::Emitted | What::Unled);
        sent && caches.contains(&step.node)
    });
    for step in sent {
        let (Some(event), Some(asked)) = (&step.whole, step.fact) else {
            continue;
        };
        let asker = &run.facts[asked as usize].event.data;
        let mut found = Vec::new();
        canaries(&event.data, roots, &mut found);
        for (value, of) in found {
            // Where several may have said it, the one who asks may be among them.
            let foreign = of.iter().map(|root| {
                let owner = &run.facts[root.fact as usize].event.data;
                let mut clauses = root.label.0.iter();
                let clause = clauses.find_map(|clause| {
                    let mut atoms = clause.0.iter();
                    let all = atoms.all(|atom| atom.pointer().is_some());
                    let mut atoms = clause.0.iter().filter_map(Atom::pointer);
                    let same = atoms.any(|at| at.get(owner) == at.get(asker));
                    let at = clause.0.iter().find_map(Atom::pointer)?;
                    (all && !same).then_some((clause, at))
                });
                clause.map(|(clause, at)| (root, clause, at))
            });
            let foreign: Option<Vec<_>> = foreign.collect();
            let Some((root, clause, at)) = foreign.and_then(|all| all.into_iter().next()) else {
                continue;
            };
            let mut observed = Object::with_capacity(3);
            observed.insert("field", format!("{}{}", root.ty, root.field));
            observed.insert("seen_by", at.get(asker).cloned().unwrap_or_default());
            observed.insert("value", value.clone());
            let expected = format_smolstr!("only {clause}");
            findings.push(Finding {
                fact: Some(root.fact),
                ..Finding::new(Oracle::A1, step.node.as_str(), observed, expected)
            });
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::plant;
    use super::super::testing::{Trial, shown};
    use super::*;
    use crate::functions::{Act, sketched_kinds};
    use crate::simulate::Simulation;

    #[test]
    fn an_answer_is_of_who_asks() {
        for (act, declared, seen) in [
            (Act::Recall, "^state=cache ^cache_key=.page", true),
            (Act::Recall, "^state=cache ^cache_key=[.page,.owner]", false),
            (Act::HandOn, "^state=cache ^cache_key=.page", false),
        ] {
            let flow = format!(
                "type ask: page string, owner string, account string {{subject:/owner}}
                 in: manual(event_type=ask) -> show: function(component=none.wasm) {declared}"
            );
            let facts = r#"in {"page":"p","owner":"ana","account":"7-a"}
                           in {"page":"p","owner":"bob","account":"7-b"}"#;
            let mut trial = Trial::new(&flow, facts);
            trial.scenario.facts = plant(&trial.document, &trial.scenario.facts);
            let catalog = crate::catalog::catalog();
            let project = Path::new(env!("CARGO_MANIFEST_DIR"));
            let (document, kinds) = (&trial.document, sketched_kinds(act));
            let made = Simulation::with_kinds(kinds, document, &catalog, project, &trial.scenario);
            let run = made.expect("a stand-in plays").run();
            let found = Oracle::A1.judge(&run, &run, &trial.context());
            let wanted = r#"A1 at `show`: {"field":"ask/account","seen_by":"bob","value":"account-canary-1"} instead of "only subject:/owner""#;
            assert_eq!(shown(&found), if seen { wanted } else { "" }, "{declared}");
        }
    }
}
