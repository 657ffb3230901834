//! What is wrong in a document, in the shape that lists, marks and previews need.

use std::collections::BTreeMap;

use graph_model::catalog::Catalog;
use graph_model::document::Document;
use graph_model::edit::Transaction;
use graph_model::id::{EdgeId, NodeId, PortRef};
use graph_model::validate::{self, Diagnostic, Step, Subject, validate};
use smol_str::SmolStr;

use crate::canvas::intent::Item;
use crate::theme::Severity;

/// One hazard at one place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    pub code: SmolStr,
    /// Readable name of the hazard, such as `missing dead letter`.
    pub name: String,
    pub severity: Severity,
    /// What, where, what next.
    pub message: String,
    /// What it is about.
    pub subject: Option<Item>,
    /// Everything that it involves, from cause to effect.
    pub path: Vec<Item>,
    /// The path in sentences.
    pub steps: Vec<String>,
    /// Why this is bad and when it is fine.
    pub lesson: String,
    pub fixes: Vec<FixOffer>,
}

/// A change that would end the hazard.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FixOffer {
    pub title: String,
    /// What to know before applying it; empty when it is safe.
    pub caution: String,
    pub transaction: Transaction,
}

/// Wires by the port that they start at.
type Wires<'d> = BTreeMap<&'d PortRef, Vec<(&'d EdgeId, &'d NodeId)>>;

/// Everything that the validator finds in a document, the gravest first.
pub(crate) fn check(document: &Document, catalog: &Catalog) -> Vec<Finding> {
    let report = validate(document, catalog);
    let mut wires = Wires::new();
    if !report.diagnostics.is_empty() {
        for (id, edge) in &document.edges {
            wires
                .entry(&edge.from)
                .or_default()
                .push((id, &edge.to.node));
        }
    }
    let found = report.diagnostics.into_iter();
    found
        .map(|diagnostic| finding(document, &wires, diagnostic))
        .collect()
}

fn finding(document: &Document, wires: &Wires<'_>, diagnostic: Diagnostic) -> Finding {
    let fixes = diagnostic.fixes.into_iter().map(|fix| FixOffer {
        title: fix.title,
        caution: fix.caution,
        transaction: fix.transaction,
    });
    Finding {
        code: diagnostic.code.into(),
        name: diagnostic.name.replace('-', " "),
        severity: match diagnostic.severity {
            validate::Severity::Info => Severity::Info,
            validate::Severity::Warning => Severity::Warning,
            validate::Severity::Error => Severity::Error,
        },
        message: diagnostic.message,
        subject: item(&diagnostic.subject),
        path: involved(wires, &diagnostic.path),
        steps: diagnostic
            .path
            .iter()
            .map(|step| sentence(document, step))
            .collect(),
        lesson: diagnostic.lesson,
        fixes: fixes.collect(),
    }
}

fn item(subject: &Subject) -> Option<Item> {
    match subject {
        Subject::Node(id) => Some(Item::Node(id.clone())),
        Subject::Port(port) => Some(Item::Node(port.node.clone())),
        Subject::Edge(id) => Some(Item::Edge(id.clone())),
        Subject::Type(_) => None,
    }
}

/// The places of the steps, and the wires between them.
fn involved(wires: &Wires<'_>, path: &[Step]) -> Vec<Item> {
    let mut items = Vec::new();
    for (at, step) in path.iter().enumerate() {
        items.extend(item(&step.place));
        let next = path.get(at + 1).and_then(|next| item(&next.place));
        if let (Subject::Port(port), Some(Item::Node(next))) = (&step.place, next) {
            let leaving = wires.get(port).into_iter().flatten();
            let between = leaving.filter(|(_, to)| **to == next);
            items.extend(between.map(|(id, _)| Item::Edge((*id).clone())));
        }
    }
    items
}

fn sentence(document: &Document, step: &Step) -> String {
    let note = &step.note;
    match &step.place {
        Subject::Node(id) => format!("{}: {note}", document.node_title(id)),
        Subject::Port(port) => {
            format!(
                "{} at {}: {note}",
                document.node_title(&port.node),
                port.port
            )
        }
        Subject::Edge(id) | Subject::Type(id) => format!("{id}: {note}"),
    }
}

#[cfg(test)]
mod tests {
    use graph_model::validate::notation;

    use super::*;

    #[test]
    fn a_hazard_brings_the_wires_of_its_way() {
        let flow =
            "in: manual -> lane: queue -> pass: map(expr=.) -> charge: effect(action=charge)";
        let document = notation::read(flow).expect("reads");
        let findings = check(&document, Catalog::bundled());
        let [finding] = &findings[..] else {
            panic!("one hazard: {findings:?}");
        };
        assert_eq!(finding.code, "DELIV-001");
        assert_eq!(finding.name, "duplicate effect");
        let wires: Vec<&Item> = finding
            .path
            .iter()
            .filter(|item| matches!(item, Item::Edge(_)))
            .collect();
        assert_eq!(wires.len(), 2, "{:?}", finding.path);
        assert_eq!(finding.steps.len(), 3);
        assert_eq!(finding.steps[1], "pass at out: passes through pass");
    }
}
