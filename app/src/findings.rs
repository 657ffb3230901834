//! What is wrong in a document, in the shape that lists, marks and previews need.

use std::collections::BTreeMap;

use graph_model::document::Document;
use graph_model::edit::Transaction;
use graph_model::id::{EdgeId, Id, NodeId, PortRef};
use graph_model::validate::{self, Diagnostic, Report, Step, Subject};
use smol_str::SmolStr;

use crate::canvas::intent::Item;
use crate::showing::Hazard;
use crate::theme::Severity;

/// Everything that the validator says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    /// Hazards, the gravest first.
    pub open: Vec<Finding>,
    /// Hazards that somebody decided to live with.
    pub accepted: Vec<Accepted>,
    /// What rules could not look at.
    pub unchecked: Vec<Unchecked>,
}

/// One hazard at one place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    pub code: SmolStr,
    /// Readable name of the hazard, such as `missing dead letter`.
    pub name: String,
    pub severity: Severity,
    /// What, where, what next.
    pub message: String,
    /// What it is about; nothing when that is an event type.
    pub subject: Option<Item>,
    /// The event type that it is about.
    pub ty: Option<Id>,
    /// Everything that it involves, from cause to effect.
    pub path: Vec<Item>,
    /// The path in sentences.
    pub steps: Vec<String>,
    /// What it rests on that is not known for sure.
    pub assumed: Option<String>,
    /// Nodes at which somebody would notice.
    pub affected: Vec<NodeId>,
    /// Hazards that end with this one: what they say, and where.
    pub consequences: Vec<(String, Option<Item>)>,
    /// Why this is bad and when it is fine.
    pub lesson: String,
    pub fixes: Vec<FixOffer>,
}

impl Finding {
    /// By what it is asked for.
    pub(crate) fn hazard(&self) -> Hazard {
        let place = match &self.subject {
            Some(Item::Node(id) | Item::Edge(id) | Item::Zone(id) | Item::Note(id)) => Some(id),
            None => self.ty.as_ref(),
        };
        Hazard {
            code: self.code.clone(),
            at: place.map(|id| id.as_str().into()),
        }
    }
}

/// A hazard that is not shown, why, and until which day.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Accepted {
    pub finding: Finding,
    pub reason: SmolStr,
    /// Who decided it; empty when nobody says.
    pub by: SmolStr,
    pub until: Option<SmolStr>,
}

/// Something that is not known, so that rules could not decide.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Unchecked {
    pub codes: Vec<SmolStr>,
    pub subject: Option<Item>,
    pub ty: Option<Id>,
    /// What is not known, and how to say it.
    pub reason: String,
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

/// What the validator says of a document, as of this day (`2027-01-31`).
pub(crate) fn read(document: &Document, mut report: Report, today: &str) -> Findings {
    report.expire(today);
    let mut wires = Wires::new();
    if !report.diagnostics.is_empty() || !report.accepted.is_empty() {
        for (id, edge) in &document.edges {
            wires
                .entry(&edge.from)
                .or_default()
                .push((id, &edge.to.node));
        }
    }
    let found = |diagnostic| finding(document, &wires, diagnostic);
    let accepted = report.accepted.into_iter();
    let accepted = accepted.map(|(diagnostic, acceptance)| Accepted {
        finding: found(diagnostic),
        reason: acceptance.reason,
        by: acceptance.by,
        until: acceptance.until,
    });
    Findings {
        accepted: accepted.collect(),
        open: report.diagnostics.into_iter().map(found).collect(),
        unchecked: unchecked(report.unchecked),
    }
}

/// Rules that miss the same thing ask for it once.
fn unchecked(missing: Vec<validate::Unchecked>) -> Vec<Unchecked> {
    let mut asked: BTreeMap<(Subject, String), Vec<SmolStr>> = BTreeMap::new();
    for unchecked in missing {
        let codes = asked
            .entry((unchecked.subject, unchecked.reason))
            .or_default();
        codes.push(unchecked.code.into());
    }
    let asked = asked.into_iter();
    asked
        .map(|((subject, reason), codes)| Unchecked {
            codes,
            ty: ty(&subject),
            subject: item(&subject),
            reason,
        })
        .collect()
}

fn finding(document: &Document, wires: &Wires<'_>, diagnostic: Diagnostic) -> Finding {
    let fixes = diagnostic.fixes.into_iter().map(|fix| FixOffer {
        title: fix.title,
        caution: fix.caution,
        transaction: fix.transaction,
    });
    let consequences = diagnostic.consequences.into_iter().map(|consequence| {
        let said = format!("{} {}", consequence.code, consequence.message);
        (said, item(&consequence.subject))
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
        ty: ty(&diagnostic.subject),
        path: involved(wires, &diagnostic.path),
        steps: diagnostic
            .path
            .iter()
            .map(|step| sentence(document, step))
            .collect(),
        assumed: diagnostic.assumed,
        affected: diagnostic.affected,
        consequences: consequences.collect(),
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

fn ty(subject: &Subject) -> Option<Id> {
    match subject {
        Subject::Type(id) => Some(id.clone()),
        Subject::Node(_) | Subject::Port(_) | Subject::Edge(_) => None,
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
    use graph_model::catalog::Catalog;
    use graph_model::validate::{notation, validate};

    use super::*;

    #[test]
    fn a_hazard_brings_the_wires_of_its_way() {
        let flow =
            "in: manual -> lane: queue -> pass: map(expr=.) -> charge: effect(action=charge)";
        let document = notation::read(flow).expect("reads");
        let report = validate(&document, Catalog::bundled());
        let findings = read(&document, report, "2027-01-31").open;
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
