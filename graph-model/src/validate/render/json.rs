//! A report as JSON, and the published schema of it.

use serde::Serialize;

use crate::id::NodeId;
use crate::validate::{Consequence, Diagnostic, Fix, Report, Severity, Step, Subject, Unchecked};
use crate::value;
use crate::value::Value;

use super::{Checked, Places, Region};

/// Address of the published JSON Schema.
const SCHEMA_URI: &str = "https://weir.dev/schema/check.v1.schema.json";

#[derive(Serialize)]
struct Check<'r> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: u32,
    summary: Summary,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<&'r str>,
    diagnostics: Vec<One<'r>>,
    accepted: Vec<One<'r>>,
    unchecked: Vec<NotChecked<'r>>,
}

#[derive(Default, Serialize)]
struct Summary {
    errors: usize,
    warnings: usize,
    infos: usize,
    accepted: usize,
    unchecked: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    known: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gone: Option<usize>,
}

#[derive(Serialize)]
struct One<'r> {
    id: &'r str,
    code: &'r str,
    name: &'r str,
    severity: &'static str,
    subject: Place,
    #[serde(flatten)]
    at: At<'r>,
    message: &'r str,
    path: Vec<PathStep<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    assumed: Option<&'r str>,
    affected: Vec<Place>,
    consequences: Vec<Also<'r>>,
    lesson: &'r str,
    fixes: Vec<Offer<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    known: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<&'r str>,
}

#[derive(Serialize)]
struct Place {
    kind: &'static str,
    id: String,
}

/// Where in a file; nothing for a flow that is in none.
#[derive(Serialize)]
struct At<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
}

#[derive(Serialize)]
struct PathStep<'r> {
    at: Place,
    note: &'r str,
}

#[derive(Serialize)]
struct Also<'r> {
    code: &'r str,
    subject: Place,
    message: &'r str,
}

#[derive(Serialize)]
struct Offer<'r> {
    title: &'r str,
    caution: &'r str,
    edits: usize,
}

#[derive(Serialize)]
struct NotChecked<'r> {
    code: &'r str,
    subject: Place,
    #[serde(flatten)]
    at: At<'r>,
    reason: &'r str,
}

/// The report of one flow as a JSON document that names no file.
pub fn json(report: &Report) -> String {
    let mut check = Check::new();
    check.take(report, None, &Places::default());
    check.text()
}

/// The reports of flows as one JSON document.
pub fn json_all(flows: &[Checked<'_>]) -> String {
    let mut check = Check::new();
    for flow in flows {
        check.files.push(flow.file);
        check.take(flow.report, Some(flow), &Places::of(flow.text));
    }
    check.text()
}

impl<'r> Check<'r> {
    fn new() -> Check<'r> {
        Check {
            schema: SCHEMA_URI,
            version: 1,
            summary: Summary::default(),
            files: Vec::new(),
            diagnostics: Vec::new(),
            accepted: Vec::new(),
            unchecked: Vec::new(),
        }
    }

    fn take(&mut self, report: &'r Report, flow: Option<&Checked<'r>>, places: &Places) {
        let knows = |found: &Diagnostic| flow.is_some_and(|flow| flow.knows(found));
        let count = |severity| {
            let found = report.diagnostics.iter().filter(|found| !knows(found));
            found.filter(|found| found.severity == severity).count()
        };
        let summary = &mut self.summary;
        summary.errors += count(Severity::Error);
        summary.warnings += count(Severity::Warning);
        summary.infos += count(Severity::Info);
        summary.accepted += report.accepted.len();
        summary.unchecked += report.unchecked.len();
        if let Some((flow, known)) = flow.and_then(|flow| Some((flow, flow.known?))) {
            *summary.known.get_or_insert(0) += flow.known_count();
            *summary.gone.get_or_insert(0) += known.gone.len();
        }

        let at = |subject: &Subject| at(flow, places.find(subject));
        let known = flow.and_then(|flow| flow.known);
        let run = |found| Some(flow?.confirmation(found)?.to_value());
        let found = report.diagnostics.iter();
        self.diagnostics.extend(found.map(|found| One {
            run: run(found),
            known: known.map(|known| known.has(found)),
            ..one(found, at(&found.subject))
        }));
        let accepted = report.accepted.iter();
        self.accepted
            .extend(accepted.map(|(found, acceptance)| One {
                reason: Some(acceptance.reason.as_str()),
                by: Some(acceptance.by.as_str()).filter(|by| !by.is_empty()),
                until: acceptance.until.as_deref(),
                ..one(found, at(&found.subject))
            }));
        let unchecked = report.unchecked.iter();
        self.unchecked
            .extend(unchecked.map(|one| not_checked(one, at(&one.subject))));
    }

    fn text(&self) -> String {
        serde_json::to_string_pretty(self).expect("texts and numbers become JSON")
    }
}

fn one<'r>(found: &'r Diagnostic, at: At<'r>) -> One<'r> {
    One {
        id: &found.id,
        code: found.code,
        name: found.name,
        severity: found.severity.word(),
        subject: place(&found.subject),
        at,
        message: &found.message,
        path: found.path.iter().map(step).collect(),
        assumed: found.assumed.as_deref(),
        affected: found.affected.iter().map(node).collect(),
        consequences: found.consequences.iter().map(also).collect(),
        lesson: &found.lesson,
        fixes: found.fixes.iter().map(offer).collect(),
        run: None,
        known: None,
        reason: None,
        by: None,
        until: None,
    }
}

fn place(subject: &Subject) -> Place {
    Place {
        kind: subject.word(),
        id: subject.text().to_string(),
    }
}

fn node(id: &NodeId) -> Place {
    place(&Subject::Node(id.clone()))
}

fn at<'r>(flow: Option<&Checked<'r>>, region: Option<Region>) -> At<'r> {
    At {
        file: flow.map(|flow| flow.file),
        line: region.map(|region| region.line),
        column: region.map(|region| region.column),
    }
}

fn step(step: &Step) -> PathStep<'_> {
    PathStep {
        at: place(&step.place),
        note: &step.note,
    }
}

fn also(also: &Consequence) -> Also<'_> {
    Also {
        code: also.code,
        subject: place(&also.subject),
        message: &also.message,
    }
}

fn offer(fix: &Fix) -> Offer<'_> {
    Offer {
        title: &fix.title,
        caution: &fix.caution,
        edits: fix.transaction.edits.len(),
    }
}

fn not_checked<'r>(one: &'r Unchecked, at: At<'r>) -> NotChecked<'r> {
    NotChecked {
        code: one.code,
        subject: place(&one.subject),
        at,
        reason: &one.reason,
    }
}

/// The JSON Schema of what [`json`] writes.
pub fn json_schema() -> Value {
    let text = || value!({"type": "string"});
    let count = || value!({"type": "integer", "minimum": 0});
    let place = value!({
        "type": "object",
        "properties": {
            "kind": {"enum": ["node", "edge", "port", "type"]},
            "id": {"type": "string", "description": "an id; of a port `node.port`"},
        },
        "required": ["kind", "id"],
    });
    let step = value!({
        "type": "object",
        "properties": {"at": (place.clone()), "note": (text())},
        "required": ["at", "note"],
    });
    let fix = value!({
        "type": "object",
        "properties": {
            "title": {"type": "string", "description": "an imperative"},
            "caution": {"type": "string", "description": "what to know before; empty when it is safe"},
            "edits": (count()),
        },
        "required": ["title", "caution", "edits"],
    });
    let file = value!({"type": "string", "description": "path from the root of the sources"});
    let position = value!({"type": "integer", "minimum": 1});
    let also = value!({
        "type": "object",
        "properties": {
            "code": (text()),
            "subject": (place.clone()),
            "message": (text()),
        },
        "required": ["code", "subject", "message"],
    });
    let unchecked = value!({
        "type": "object",
        "properties": {
            "code": {"type": "string", "description": "the rule that could not decide"},
            "subject": (place.clone()),
            "file": (file.clone()),
            "line": (position.clone()),
            "column": (position.clone()),
            "reason": {"type": "string", "description": "what is not known and how to say it"},
        },
        "required": ["code", "subject", "reason"],
    });
    let run = value!({
        "type": "object",
        "description": "what runs say of it, with `--confirm`",
        "properties": {
            "status": {"enum": ["confirmed", "not_confirmed", "assumed"]},
            "by": {"type": "string", "description": "how it was seen, in short"},
            "facts": (count()),
            "faults": (count()),
            "explanation": {
                "type": "array",
                "items": (text()),
                "description": "what comes in, what happens to it, what is wrong in the end",
            },
            "oracle": {"type": "string", "description": "who saw it, such as `D1`"},
            "trace": {"type": "string", "description": "identifies every step of the run"},
            "tried": {"type": "integer", "minimum": 0, "description": "runs that did not show it"},
            "why": {"type": "string", "description": "why no run can show it"},
        },
        "required": ["status"],
    });
    let diagnostic = value!({
        "type": "object",
        "properties": {
            "id": {"type": "string", "description": "stays the same as long as hazard and subject do"},
            "code": {"type": "string", "description": "family and number, such as `AUTH-001`"},
            "name": (text()),
            "severity": {"enum": ["info", "warning", "error"]},
            "subject": (place.clone()),
            "file": (file),
            "line": (position.clone()),
            "column": (position),
            "message": (text()),
            "path": {"type": "array", "items": (step), "description": "evidence from cause to effect"},
            "assumed": {"type": "string", "description": "what it rests on that is not known for sure"},
            "affected": {
                "type": "array",
                "items": (place),
                "description": "nodes at which somebody would notice; the subject itself when empty",
            },
            "consequences": {
                "type": "array",
                "items": (also),
                "description": "hazards that follow from this one and end with it",
            },
            "lesson": (text()),
            "fixes": {"type": "array", "items": (fix), "description": "the best first"},
            "run": (run),
            "known": {"type": "boolean", "description": "whether the baseline has it, so that it does not count"},
            "reason": {"type": "string", "description": "why it was accepted"},
            "by": {"type": "string", "description": "who accepted it"},
            "until": {"type": "string", "description": "day from which it is shown again"},
        },
        "required": [
            "id", "code", "name", "severity", "subject", "message", "path", "affected",
            "consequences", "lesson", "fixes"
        ],
    });
    value!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": (SCHEMA_URI),
        "title": "What the validator found in a flow",
        "type": "object",
        "properties": {
            "$schema": (text()),
            "version": {"const": 1},
            "summary": {
                "type": "object",
                "properties": {
                    "errors": (count()),
                    "warnings": (count()),
                    "infos": (count()),
                    "accepted": (count()),
                    "unchecked": (count()),
                    "known": {
                        "type": "integer",
                        "minimum": 0,
                        "description": "findings that the baseline has; they are not in the other counts",
                    },
                    "gone": {
                        "type": "integer",
                        "minimum": 0,
                        "description": "findings of the baseline that are not there any more",
                    },
                },
                "required": ["errors", "warnings", "infos", "accepted", "unchecked"],
            },
            "files": {"type": "array", "items": (text()), "description": "what was checked"},
            "diagnostics": {"type": "array", "items": (diagnostic.clone())},
            "accepted": {"type": "array", "items": (diagnostic)},
            "unchecked": {
                "type": "array",
                "items": (unchecked),
                "description": "what rules could not look at",
            },
        },
        "required": ["version", "summary", "diagnostics", "accepted", "unchecked"],
    })
}
