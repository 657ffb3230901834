//! W1, master data: what is written of it away from its owner is told to the owner.

use std::collections::BTreeSet;

use graph_model::document::{Document, EventType};
use graph_model::id::{Id, NodeId};
use graph_model::value::{Object, Value};
use smol_str::format_smolstr;

use super::lineage::steps;
use super::viewers::type_of;
use super::{Context, Finding, Oracle};
use crate::simulate::{Content, Outcome, What};

/// Finds rows of master data that somebody writes who does not own it, for a fact of which nobody in the
/// zone of the owner hears.
pub(super) fn judge(run: &Outcome, context: &Context) -> Vec<Finding> {
    let document = &*context.document;
    if document.types.values().all(|ty| owner_of(ty).is_none()) {
        return Vec::new();
    }
    let zone = |node: &NodeId| document.nodes.get(node)?.zone.as_ref();
    let came = run.trace.iter().filter_map(|step| {
        let zone = zone(&step.node)?;
        Some((zone.as_str(), step.fact?))
    });
    let heard: BTreeSet<(&str, u32)> = came.collect();
    let mut findings = Vec::new();
    let mut told: BTreeSet<(&NodeId, &Id)> = BTreeSet::new();
    for (step, event) in steps(run, What::Written) {
        let store = run.sinks.get(&step.node);
        let is_table = store.is_some_and(|store| {
            let content = run.stores.get(store);
            matches!(content, Some(Content::Rows(_)))
        });
        let (Some(number), Some(here), true) = (step.fact, zone(&step.node), is_table) else {
            continue;
        };
        let Some((ty, owner)) = master(document, run, number, event.context.ty.as_str()) else {
            continue;
        };
        let from = zone(&run.facts[number as usize].source);
        let foreign = here.as_str() != owner && from.is_some_and(|zone| zone.as_str() != owner);
        if !foreign || heard.contains(&(owner, number)) || !told.insert((&step.node, ty)) {
            continue;
        }
        let mut observed = Object::with_capacity(3);
        observed.insert(ty.as_str().to_owned(), event.data.clone());
        observed.insert("written_in", here.as_str());
        findings.push(Finding {
            fact: Some(number),
            ..Finding::new(
                Oracle::W1,
                step.node.as_str(),
                observed,
                format_smolstr!("nothing of which {owner} does not know"),
            )
        });
    }
    findings
}

/// The type of master data that an event is of, or else its fact, with the zone that owns it.
fn master<'d>(
    document: &'d Document,
    run: &Outcome,
    fact: u32,
    ty: &str,
) -> Option<(&'d Id, &'d str)> {
    let known = document.types.get_key_value(ty).map(|(id, _)| id);
    let id = known.or_else(|| type_of(document, &run.facts[fact as usize]))?;
    Some((id, owner_of(&document.types[id])?))
}

fn owner_of(ty: &EventType) -> Option<&str> {
    let master = ty.declared.get("master").and_then(Value::as_bool);
    let owner = ty.declared.get("owner").and_then(Value::as_str);
    owner.filter(|_| master == Some(true))
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;

    #[test]
    fn an_owner_hears_of_what_is_written_elsewhere() {
        let forked = r#"W1 at `own`: {"customer":{"id":"c-1"},"written_in":"shop"} instead of "nothing of which crm does not know""#;
        for (master, flow, wanted) in [
            (
                true,
                "form: manual(event_type=customer) #shop -> own: table(table=t, mode=append) #shop",
                forked,
            ),
            (
                false,
                "form: manual(event_type=customer) #shop -> own: table(table=t, mode=append) #shop",
                "",
            ),
            (
                true,
                "form: manual(event_type=customer) #shop -> own: table(table=t, mode=append) #crm",
                "",
            ),
            (
                true,
                "form: manual(event_type=customer) #crm -> own: table(table=t, mode=append) #shop",
                "",
            ),
            (
                true,
                "form: manual(event_type=customer) #shop -> own: table(table=t, mode=append) #shop
                 form -> told: view #crm",
                "",
            ),
        ] {
            let trial = Trial::new(
                &format!(
                    "type customer(id=/id, master={master}, owner=crm): id string\nzone crm\nzone shop\n{flow}"
                ),
                r#"form {"id":"c-1"}"#,
            );
            assert_eq!(trial.judge(Oracle::W1), wanted, "{flow}");
        }
    }
}
