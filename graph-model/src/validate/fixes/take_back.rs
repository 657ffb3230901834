//! Takes an earlier step back when a later one refuses.

use super::{fix, identify, kind_that};
use crate::catalog::{Behaviour, FieldType, PortRole};
use crate::document::Node;
use crate::id::{Id, PortRef};
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::Facts;

/// A compensating effect behind what fails at `later`, or a wire to the one that is there.
pub(in crate::validate) fn take_back(
    facts: &Facts,
    earlier: NodeIx,
    later: NodeIx,
    undo: Option<NodeIx>,
) -> Option<Fix> {
    let design = &*facts.design;
    let view = &design.nodes[later];
    let outputs = &view.kind.as_ref()?.outputs;
    let failed = outputs.iter().find(|port| port.role == PortRole::Failed)?;
    let from = PortRef::new(view.id.clone(), failed.name.clone());
    let (first, last) = (design.title(earlier), design.title(later));
    if let Some(undo) = undo {
        let undo = &design.nodes[undo];
        let input = undo.kind.as_ref()?.inputs.first()?;
        let to = PortRef::new(undo.id.clone(), input.name.clone());
        let title = format!(
            "Wire what fails at {last} to {}",
            design.document.node_title(&undo.id)
        );
        return Some(fix(design, title, "", |build| {
            build.connect(from, to);
        }));
    }
    let kind = kind_that(design, |does| matches!(does, Behaviour::Effect { .. }))?;
    let Behaviour::Effect { key } = &kind.behaviour else {
        return None;
    };
    let mut new = Node::new(kind.id.clone()).with(key, identify::identity(facts, later)?);
    for field in &kind.config {
        if field.required && field.ty == FieldType::Text {
            new = new.with(&field.name, format!("take back {first}"));
        }
    }
    let earlier = &design.nodes[earlier].id;
    new.notes.declared.insert("compensates", earlier.as_str());
    let input = kind.inputs.first()?;
    let title = format!("Take {first} back when {last} refuses");
    let caution = "say what taking it back means; it has to be safe to do twice";
    Some(fix(design, title, caution, |build| {
        let undo = build.add_node(&Id::from(format!("undo_{earlier}")), new, None);
        build.connect(from, PortRef::new(undo, input.name.clone()));
    }))
}
