//! What the validator says: one diagnostic for one root cause, with its evidence and its fixes.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use smol_str::{SmolStr, format_smolstr};

use crate::document::{Acceptance, Document};
use crate::edit::Transaction;
use crate::id::{EdgeId, Id, NodeId, PortRef};
use crate::validate::Rule;

/// Everything that was found, the gravest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    pub diagnostics: Vec<Diagnostic>,
    /// Hazards that somebody decided to live with.
    pub accepted: Vec<(Diagnostic, Acceptance)>,
    /// What rules could not look at, in the order of code and place.
    pub unchecked: Vec<Unchecked>,
}

/// A rule that could not decide, where, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unchecked {
    pub code: &'static str,
    pub subject: Subject,
    /// What is not known and how to say it, such as `` `orders` declares no schema; add one ``.
    pub reason: String,
}

/// One hazard at one place.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// Stays the same as long as the hazard and its subject do.
    pub id: SmolStr,
    /// Code of the rule, such as `AUTH-001`.
    pub code: &'static str,
    /// Name of the rule, such as `unreadable-field-shown`.
    pub name: &'static str,
    pub severity: Severity,
    pub subject: Subject,
    /// What, where, what next.
    pub message: String,
    /// The evidence, from cause to effect, as short as it can be.
    pub path: Vec<Step>,
    /// What the finding rests on that is not known for sure, such as what code does with an event.
    pub assumed: Option<String>,
    /// Nodes at which somebody would notice; the subject itself when empty.
    pub affected: Vec<NodeId>,
    /// Hazards that follow from this one and end with it.
    pub consequences: Vec<Consequence>,
    /// Why it is bad, in three sentences.
    pub lesson: String,
    /// What would end it, the best first.
    pub fixes: Vec<Fix>,
    /// Id of the diagnostic from which this one follows, where that one is found too.
    pub(crate) follows: Option<SmolStr>,
}

/// A hazard that is listed under its root cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consequence {
    pub code: &'static str,
    pub subject: Subject,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    Info,
    Warning,
    Error,
}

/// What a diagnostic is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    Node(NodeId),
    Edge(EdgeId),
    Port(PortRef),
    /// An event type.
    Type(Id),
}

/// A place on the way from cause to effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub place: Subject,
    pub note: String,
}

/// A change that would end the hazard.
#[derive(Clone, Debug, PartialEq)]
pub struct Fix {
    /// An imperative, such as `Put a guard in front of Portal`.
    pub title: String,
    /// What to know before applying it; empty when it is safe.
    pub caution: String,
    pub transaction: Transaction,
}

impl Report {
    /// Shows again what was accepted until a day that has come; `today` as `2027-01-31`.
    pub fn expire(&mut self, today: &str) {
        let due =
            |acceptance: &Acceptance| acceptance.until.as_deref().is_some_and(|day| day <= today);
        let (back, kept) = std::mem::take(&mut self.accepted)
            .into_iter()
            .partition(|(_, acceptance)| due(acceptance));
        self.accepted = kept;
        self.diagnostics
            .extend(Vec::into_iter(back).map(|(diagnostic, _)| diagnostic));
        sort(&mut self.diagnostics);
    }

    /// How many there are of this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity == severity)
            .count()
    }
}

/// Puts the findings in order, and lists under each root cause what only follows from it.
pub(crate) fn fold(report: &mut Report) {
    unite(&mut report.diagnostics);
    sort(&mut report.diagnostics);
    report
        .accepted
        .sort_by_cached_key(|(found, _)| by_evidence(found));
    report
        .accepted
        .dedup_by(|(other, _), (kept, _)| other.id == kept.id);
    report.unchecked.sort();
    report.unchecked.dedup();
    let all = &report.diagnostics;
    let mut at_subject: BTreeMap<&Subject, Vec<usize>> = BTreeMap::new();
    let mut by_id: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, found) in all.iter().enumerate() {
        at_subject.entry(&found.subject).or_default().push(at);
        by_id.insert(&found.id, at);
    }
    let cause_of = |(at, found): (usize, &Diagnostic)| {
        let named = found.follows.as_deref().and_then(|id| by_id.get(id));
        let mut others = at_subject[&found.subject].iter();
        let beside =
            |other: &&usize| **other != at && FOLLOWS.contains(&(all[**other].code, found.code));
        named.or_else(|| others.find(beside)).copied()
    };
    let causes: Vec<Option<usize>> = all.iter().enumerate().map(cause_of).collect();
    for at in 0..causes.len() {
        // What hides it may be hidden itself.
        let mut root = at;
        for _ in 0..CHAIN_MAX {
            root = causes[root].unwrap_or(root);
        }
        if root == at {
            continue;
        }
        let found = &report.diagnostics[at];
        let consequence = Consequence {
            code: found.code,
            subject: found.subject.clone(),
            message: found.message.clone(),
        };
        report.diagnostics[root].consequences.push(consequence);
    }
    let mut hidden = causes.into_iter();
    report
        .diagnostics
        .retain(|_| hidden.next().flatten().is_none());
}

/// Makes one finding of those that have the same id, which are about one cause and were made where it
/// shows; the shortest evidence is kept.
fn unite(all: &mut Vec<Diagnostic>) {
    all.sort_by_cached_key(by_evidence);
    all.dedup_by(|other, kept| {
        let same = other.id == kept.id;
        if same {
            kept.affected.append(&mut other.affected);
            kept.affected.sort();
            kept.affected.dedup();
        }
        same
    });
}

fn by_evidence(found: &Diagnostic) -> (SmolStr, Reverse<Severity>, usize, Vec<NodeId>) {
    let (id, affected) = (found.id.clone(), found.affected.clone());
    (id, Reverse(found.severity), found.path.len(), affected)
}

/// Causes that hide each other in a row, at most.
const CHAIN_MAX: usize = 4;

/// Hazards that only follow from others at the same place: what causes, what follows.
const FOLLOWS: &[(&str, &str)] = &[
    ("AUTH-001", "AUTH-010"),
    ("AUTH-006", "AUTH-001"),
    ("AUTH-003", "AUTH-002"),
    ("PART-001", "PART-009"),
    ("PART-001", "ORDER-003"),
    ("PART-002", "PART-001"),
    ("DELIV-004", "DELIV-001"),
    ("DELIV-004", "DELIV-002"),
    ("DELIV-004", "ORDER-005"),
    ("ORDER-006", "ORDER-001"),
    ("ORDER-006", "ORDER-002"),
    ("ORDER-006", "ORDER-003"),
    ("DELIV-001", "DELIV-009"),
    ("DELIV-002", "DELIV-009"),
    ("LOOP-005", "LOOP-001"),
    ("STATE-001", "PART-009"),
    ("STATE-006", "ORDER-005"),
    ("PART-003", "PART-006"),
    ("PART-003", "PART-008"),
    ("PART-006", "PART-008"),
    ("PART-006", "DELIV-002"),
];

fn sort(diagnostics: &mut [Diagnostic]) {
    diagnostics.sort_by(|a, b| {
        (b.severity, a.code, &a.subject, &a.id).cmp(&(a.severity, b.code, &b.subject, &b.id))
    });
}

impl Severity {
    /// `error`, `warning` or `info`.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

impl Subject {
    /// `node`, `edge`, `port` or `type`.
    pub fn word(&self) -> &'static str {
        match self {
            Subject::Node(_) => "node",
            Subject::Edge(_) => "edge",
            Subject::Port(_) => "port",
            Subject::Type(_) => "type",
        }
    }

    /// The id, without the word.
    pub fn text(&self) -> SmolStr {
        match self {
            Subject::Node(id) | Subject::Edge(id) | Subject::Type(id) => id.as_str().into(),
            Subject::Port(port) => port.clone().into(),
        }
    }
}

impl Step {
    /// The step as a sentence, such as `lane delivers again what was not acknowledged in time`.
    pub fn sentence(&self, document: &Document) -> String {
        let note = &self.note;
        let place = match &self.place {
            Subject::Node(id) => document.node_title(id).to_owned(),
            Subject::Port(port) => {
                let title = document.node_title(&port.node);
                let what = note.strip_suffix(title);
                if what.is_some_and(|what| ABOUT_THE_EVENT.contains(&what)) {
                    return format!("the event {note}");
                }
                if port.port == USUAL_PORT {
                    title.to_owned()
                } else {
                    format!("{title} ({})", port.port)
                }
            }
            Subject::Edge(id) => match document.edges.get(id) {
                Some(edge) => format!(
                    "the wire from {} to {}",
                    document.node_title(&edge.from.node),
                    document.node_title(&edge.to.node)
                ),
                None => format!("the wire {id}"),
            },
            Subject::Type(id) => format!("the type `{id}`"),
        };
        let first = note.split(' ').next().unwrap_or_default();
        if PREDICATES.contains(&first) {
            format!("{place} {note}")
        } else {
            format!("{place}: {note}")
        }
    }

    pub(crate) fn node(id: &NodeId, note: impl Into<String>) -> Step {
        Step {
            place: Subject::Node(id.clone()),
            note: note.into(),
        }
    }
}

/// Most nodes send from one port, and it need not be named.
const USUAL_PORT: &str = "out";

/// Notes that name their place at the end, and are about the event.
const ABOUT_THE_EVENT: [&str; 2] = ["passes through ", "is given up by "];

/// First words of notes that say what their place does; the place is the subject of those.
const PREDICATES: [&str; 38] = [
    "acts", "can", "carries", "closes", "computes", "counts", "delivers", "does", "drops", "emits",
    "folds", "forgets", "gets", "gives", "groups", "hands", "has", "holds", "is", "keeps", "lets",
    "looks", "loses", "makes", "matches", "may", "names", "passes", "places", "reads", "repeats",
    "sends", "shows", "takes", "tells", "triggers", "waits", "writes",
];

/// Where rules put what they find; knows what was accepted.
pub(crate) struct Findings<'d> {
    document: &'d Document,
    report: Report,
}

/// The findings of one rule.
pub(crate) struct RuleFindings<'f, 'd> {
    all: &'f mut Findings<'d>,
    rule: &'static Rule,
}

/// A finding that is being described.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    subject: Subject,
    message: String,
    detail: SmolStr,
    path: Vec<Step>,
    fixes: Vec<Fix>,
    severity: Option<Severity>,
    assumed: Option<String>,
    affected: Vec<NodeId>,
    follows: Option<SmolStr>,
}

impl Found {
    /// What, where, what next.
    pub(crate) fn at(subject: Subject, message: impl Into<String>) -> Found {
        Found {
            subject,
            message: message.into(),
            detail: SmolStr::default(),
            path: Vec::new(),
            fixes: Vec::new(),
            severity: None,
            assumed: None,
            affected: Vec::new(),
            follows: None,
        }
    }

    /// The same of a node.
    pub(crate) fn node(node: &NodeId, message: impl Into<String>) -> Found {
        Found::at(Subject::Node(node.clone()), message)
    }

    /// Sets findings of one rule at one subject apart.
    pub(crate) fn detail(mut self, detail: impl Into<SmolStr>) -> Found {
        self.detail = detail.into();
        self
    }

    pub(crate) fn path(mut self, path: Vec<Step>) -> Found {
        self.path = path;
        self
    }

    pub(crate) fn fixes(mut self, fixes: impl IntoIterator<Item = Fix>) -> Found {
        self.fixes.extend(fixes);
        self
    }

    /// Other than the severity of the rule: graver where what follows cannot be mended, lighter where
    /// nobody would notice.
    pub(crate) fn severity(mut self, severity: Severity) -> Found {
        self.severity = Some(severity);
        self
    }

    /// What is not known for sure.
    pub(crate) fn assuming(mut self, what: impl Into<String>) -> Found {
        self.assumed = Some(what.into());
        self
    }

    /// It ends with the diagnostic that has this id.
    pub(crate) fn following(mut self, cause: Option<SmolStr>) -> Found {
        self.follows = cause;
        self
    }

    /// What may not be known for sure.
    pub(crate) fn assuming_any(mut self, what: Option<String>) -> Found {
        self.assumed = what;
        self
    }

    /// Where somebody would notice.
    pub(crate) fn affecting(mut self, nodes: impl IntoIterator<Item = NodeId>) -> Found {
        self.affected.extend(nodes);
        self
    }
}

impl<'d> Findings<'d> {
    pub(crate) fn new(document: &'d Document) -> Findings<'d> {
        Findings {
            document,
            report: Report::default(),
        }
    }

    pub(crate) fn of(&mut self, rule: &'static Rule) -> RuleFindings<'_, 'd> {
        RuleFindings { all: self, rule }
    }

    pub(crate) fn finish(self) -> Report {
        self.report
    }

    /// Whether a hazard of the subject was accepted, and why.
    fn acceptance(&self, subject: &Subject, code: &str) -> Option<&'d Acceptance> {
        let document = self.document;
        let of_node = |id| document.nodes.get(id).map(|node| &node.notes.accepted);
        let accepted = match subject {
            Subject::Node(id) => of_node(id),
            Subject::Port(port) => of_node(&port.node),
            Subject::Edge(id) => document.edges.get(id).map(|edge| &edge.notes.accepted),
            Subject::Type(id) => document.types.get(id).map(|ty| &ty.accepted),
        };
        accepted?.get(code)
    }
}

impl RuleFindings<'_, '_> {
    /// Says that the rule cannot decide here, and what it would have to be told.
    pub(crate) fn unchecked(&mut self, subject: Subject, reason: impl Into<String>) {
        self.all.report.unchecked.push(Unchecked {
            code: self.rule.code,
            subject,
            reason: reason.into(),
        });
    }

    pub(crate) fn add(&mut self, found: Found) {
        let rule = self.rule;
        let word = found.subject.word();
        let text = found.subject.text();
        let id = if found.detail.is_empty() {
            format_smolstr!("{}:{word}:{text}", rule.code)
        } else {
            format_smolstr!("{}:{word}:{text}:{}", rule.code, found.detail)
        };
        let accepted = self.all.acceptance(&found.subject, rule.code).cloned();
        let diagnostic = Diagnostic {
            id,
            code: rule.code,
            name: rule.name,
            severity: found.severity.unwrap_or(rule.severity),
            subject: found.subject,
            message: found.message,
            path: found.path,
            assumed: found.assumed,
            affected: found.affected,
            consequences: Vec::new(),
            lesson: rule.lesson(),
            fixes: found.fixes,
            follows: found.follows,
        };
        match accepted {
            Some(acceptance) => self.all.report.accepted.push((diagnostic, acceptance)),
            None => self.all.report.diagnostics.push(diagnostic),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::TransactionBuilder;
    use crate::validate::notation;
    use crate::validate::rules::rules;

    #[test]
    fn hazards_of_event_types_are_accepted_where_the_type_is() {
        let mut document = notation::read("type order: id string\nin: manual(event_type=order)")
            .expect("the flow reads");
        let rule = rules().first().expect("there are rules");
        let report = |document: &Document| {
            let mut findings = Findings::new(document);
            let mut of_rule = findings.of(rule);
            for ty in ["order", "gone"] {
                of_rule.add(Found::at(Subject::Type(ty.into()), "it is so"));
            }
            findings.finish()
        };
        assert_eq!(report(&document).diagnostics.len(), 2);
        let acceptance = Acceptance {
            reason: "nobody sends it yet".into(),
            by: "Ada".into(),
            until: Some("2027-01-01".into()),
            ..Acceptance::default()
        };
        let mut build = TransactionBuilder::new(&document, "Accept");
        build.change_type(&"order".into(), |ty| {
            ty.accepted.insert(rule.code.into(), acceptance.clone());
        });
        let before = document.clone();
        let back = build.finish().apply(&mut document);
        let mut found = report(&document);
        let [(accepted, why)] = &found.accepted[..] else {
            panic!("one is accepted: {found:?}");
        };
        assert_eq!(
            (&accepted.subject, why),
            (&Subject::Type("order".into()), &acceptance)
        );
        assert_eq!(found.diagnostics.len(), 1, "the other type is another one");
        found.expire("2027-01-01");
        assert_eq!(found.diagnostics.len(), 2);
        back.apply(&mut document);
        assert_eq!(document, before);
    }
}
