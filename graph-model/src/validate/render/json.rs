//! A report as JSON, and the published schema of it.

use serde::Serialize;

use crate::document::Acceptance;
use crate::validate::{Diagnostic, Fix, Report, Severity, Step, Subject};
use crate::value;
use crate::value::Value;

/// Address of the published JSON Schema.
const SCHEMA_URI: &str = "https://weir.dev/schema/check.v1.schema.json";

#[derive(Serialize)]
struct Check<'r> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: u32,
    summary: Summary,
    diagnostics: Vec<One<'r>>,
    accepted: Vec<One<'r>>,
}

#[derive(Serialize)]
struct Summary {
    errors: usize,
    warnings: usize,
    infos: usize,
    accepted: usize,
}

#[derive(Serialize)]
struct One<'r> {
    id: &'r str,
    code: &'r str,
    name: &'r str,
    severity: &'static str,
    subject: Place,
    message: &'r str,
    path: Vec<PathStep<'r>>,
    lesson: &'r str,
    fixes: Vec<Offer<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<&'r str>,
}

#[derive(Serialize)]
struct Place {
    kind: &'static str,
    id: String,
}

#[derive(Serialize)]
struct PathStep<'r> {
    at: Place,
    note: &'r str,
}

#[derive(Serialize)]
struct Offer<'r> {
    title: &'r str,
    caution: &'r str,
    edits: usize,
}

/// The report as one JSON document.
pub fn json(report: &Report) -> String {
    let check = Check {
        schema: SCHEMA_URI,
        version: 1,
        summary: Summary {
            errors: report.count(Severity::Error),
            warnings: report.count(Severity::Warning),
            infos: report.count(Severity::Info),
            accepted: report.accepted.len(),
        },
        diagnostics: report
            .diagnostics
            .iter()
            .map(|found| one(found, None))
            .collect(),
        accepted: report
            .accepted
            .iter()
            .map(|(found, acceptance)| one(found, Some(acceptance)))
            .collect(),
    };
    serde_json::to_string_pretty(&check).expect("texts and numbers become JSON")
}

fn one<'r>(found: &'r Diagnostic, acceptance: Option<&'r Acceptance>) -> One<'r> {
    One {
        id: &found.id,
        code: found.code,
        name: found.name,
        severity: found.severity.word(),
        subject: place(&found.subject),
        message: &found.message,
        path: found.path.iter().map(step).collect(),
        lesson: &found.lesson,
        fixes: found.fixes.iter().map(offer).collect(),
        reason: acceptance.map(|acceptance| acceptance.reason.as_str()),
        until: acceptance.and_then(|acceptance| acceptance.until.as_deref()),
    }
}

fn place(subject: &Subject) -> Place {
    Place {
        kind: subject.word(),
        id: subject.text().to_string(),
    }
}

fn step(step: &Step) -> PathStep<'_> {
    PathStep {
        at: place(&step.place),
        note: &step.note,
    }
}

fn offer(fix: &Fix) -> Offer<'_> {
    Offer {
        title: &fix.title,
        caution: &fix.caution,
        edits: fix.transaction.edits.len(),
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
    let diagnostic = value!({
        "type": "object",
        "properties": {
            "id": {"type": "string", "description": "stays the same as long as hazard and subject do"},
            "code": {"type": "string", "description": "family and number, such as `AUTH-001`"},
            "name": (text()),
            "severity": {"enum": ["info", "warning", "error"]},
            "subject": (place),
            "message": (text()),
            "path": {"type": "array", "items": (step), "description": "evidence from cause to effect"},
            "lesson": (text()),
            "fixes": {"type": "array", "items": (fix), "description": "the best first"},
            "reason": {"type": "string", "description": "why it was accepted"},
            "until": {"type": "string", "description": "day from which it is shown again"},
        },
        "required": [
            "id", "code", "name", "severity", "subject", "message", "path", "lesson", "fixes"
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
                },
                "required": ["errors", "warnings", "infos", "accepted"],
            },
            "diagnostics": {"type": "array", "items": (diagnostic.clone())},
            "accepted": {"type": "array", "items": (diagnostic)},
        },
        "required": ["version", "summary", "diagnostics", "accepted"],
    })
}
