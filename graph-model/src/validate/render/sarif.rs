//! Reports as SARIF 2.1.0, which code scanning and editors read.

use std::collections::{BTreeMap, BTreeSet};

use crate::document::Acceptance;
use crate::format;
use crate::validate::baseline::FINGERPRINT;
use crate::validate::{Diagnostic, Fix, Rule, Severity, Step, Subject, Unchecked, rules};
use crate::value;
use crate::value::{Object, Value};

use super::page::{Family, Page};
use super::replace::replacements;
use super::{Checked, Places, Region, uri};

const SCHEMA_URI: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
const TOOL_URI: &str = "https://weir.dev";
/// What relative paths start from.
const ROOT: &str = "%SRCROOT%";

/// The reports of flows as one SARIF log with one run.
pub fn sarif(flows: &[Checked<'_>]) -> String {
    let rules = Rules::of(flows);
    let mut artifacts = Vec::new();
    let mut results = Vec::new();
    let mut notifications = Vec::new();
    for (index, flow) in flows.iter().enumerate() {
        let mut artifact = value!({
            "location": (artifact_location(flow.file, index)),
            "mimeType": "application/json",
            "roles": ["analysisTarget"],
        });
        put(&mut artifact, "length", count(flow.text.len()));
        artifacts.push(artifact);
        let file = File {
            flow,
            index,
            places: Places::of(flow.text),
            canonical: format::write(flow.document) == flow.text,
        };
        let report = flow.report;
        results.extend(
            report
                .diagnostics
                .iter()
                .map(|one| file.result(one, None, &rules)),
        );
        let accepted = report.accepted.iter();
        results.extend(accepted.map(|(one, why)| file.result(one, Some(why), &rules)));
        let unchecked = report.unchecked.iter();
        notifications.extend(unchecked.map(|one| file.notification(one, &rules)));
    }
    let log = value!({
        "$schema": (SCHEMA_URI),
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "weir",
                "version": (env!("CARGO_PKG_VERSION")),
                "semanticVersion": (env!("CARGO_PKG_VERSION")),
                "informationUri": (TOOL_URI),
                "rules": (rules.descriptors()),
            }},
            "columnKind": "unicodeCodePoints",
            "originalUriBaseIds": {
                "%SRCROOT%": {"description": {
                    "text": "the root of the repository, or else the folder that the check ran in",
                }},
            },
            "invocations": [{
                "executionSuccessful": true,
                "toolExecutionNotifications": (notifications),
            }],
            "artifacts": (artifacts),
            "results": (results),
        }],
    });
    log.to_json_pretty()
}

/// The rules that are spoken of, with their places in the list.
struct Rules {
    places: BTreeMap<&'static str, usize>,
}

impl Rules {
    fn of(flows: &[Checked<'_>]) -> Rules {
        let codes: BTreeSet<&'static str> = flows
            .iter()
            .flat_map(|flow| {
                let report = flow.report;
                let accepted = report.accepted.iter().map(|(one, _)| one.code);
                let found = report.diagnostics.iter().map(|one| one.code);
                let unchecked = report.unchecked.iter().map(|one| one.code);
                found.chain(accepted).chain(unchecked)
            })
            .collect();
        let places = codes.into_iter().enumerate();
        Rules {
            places: places.map(|(index, code)| (code, index)).collect(),
        }
    }

    fn index(&self, code: &str) -> Value {
        self.places
            .get(code)
            .map_or(Value::Int(-1), |at| count(*at))
    }

    fn descriptors(&self) -> Vec<Value> {
        let known = |code: &str| rules().iter().find(|rule| rule.code == code);
        let codes = self.places.keys();
        codes
            .map(|code| known(code).map_or_else(|| value!({"id": (*code)}), descriptor))
            .collect()
    }
}

fn descriptor(rule: &'static Rule) -> Value {
    let page = Page::of(rule);
    let family = Family::of(rule.code);
    let tags = family.map(|family| family.tags).unwrap_or_default();
    let tags: Vec<Value> = tags.iter().copied().map(Value::from).collect();
    value!({
        "id": (rule.code),
        "name": (rule.name),
        "shortDescription": {"text": (rule.summary())},
        "fullDescription": {"text": (rule.lesson())},
        "help": {"text": (page.text()), "markdown": (page.markdown())},
        "defaultConfiguration": {"level": (level(rule.severity))},
        "properties": {"tags": (tags), "since": (rule.since)},
    })
}

/// One flow, with what is looked up in it again and again.
struct File<'c> {
    flow: &'c Checked<'c>,
    index: usize,
    places: Places,
    canonical: bool,
}

impl File<'_> {
    fn result(&self, one: &Diagnostic, accepted: Option<&Acceptance>, rules: &Rules) -> Value {
        let mut said = one.message.clone();
        if let Some(assumed) = &one.assumed {
            said.push_str("\n\nassumed: ");
            said.push_str(assumed);
        }
        let confirmation = self.flow.confirmation(one);
        if let Some(confirmation) = confirmation {
            said.push_str("\n\n");
            said.push_str(&confirmation.line());
        }
        let suppressions: Vec<Value> = accepted.into_iter().map(suppression).collect();
        let mut result = value!({
            "ruleId": (one.code),
            "ruleIndex": (rules.index(one.code)),
            "level": (level(one.severity)),
            "message": {"text": (said)},
            "locations": [(self.location(&one.subject))],
            "partialFingerprints": (Value::from(Object::from_iter([(FINGERPRINT, Value::from(one.id.clone()))]))),
            "suppressions": (suppressions),
        });
        if !one.path.is_empty() {
            let steps = one.path.iter().enumerate();
            let steps: Vec<Value> = steps.map(|(at, step)| self.step(at, step)).collect();
            let flows = value!([{"threadFlows": [{"locations": (steps)}]}]);
            put(&mut result, "codeFlows", flows);
        }
        if let Some(confirmation) = confirmation {
            put(
                &mut result,
                "properties",
                value!({"run": (confirmation.to_value())}),
            );
        }
        let related = self.related(one);
        if !related.is_empty() {
            put(&mut result, "relatedLocations", related);
        }
        if let Some(known) = self.flow.known {
            let state = if known.has(one) { "unchanged" } else { "new" };
            put(&mut result, "baselineState", state);
        }
        let fixes: Vec<Value> = one.fixes.iter().filter_map(|fix| self.fix(fix)).collect();
        if !fixes.is_empty() {
            put(&mut result, "fixes", fixes);
        }
        result
    }

    /// What a rule could not decide, which is no result.
    fn notification(&self, one: &Unchecked, rules: &Rules) -> Value {
        value!({
            "level": "note",
            "message": {"text": (format!("not checked: {}", one.reason))},
            "associatedRule": {"id": (one.code), "index": (rules.index(one.code))},
            "locations": [(self.location(&one.subject))],
        })
    }

    fn step(&self, at: usize, step: &Step) -> Value {
        let said = step.sentence(self.flow.document);
        value!({
            "executionOrder": (count(at + 1)),
            "location": (with_message(self.location(&step.place), said)),
        })
    }

    /// Where somebody would notice, and what follows.
    fn related(&self, one: &Diagnostic) -> Vec<Value> {
        let seen = one.affected.iter().map(|node| {
            let title = self.flow.document.node_title(node);
            (Subject::Node(node.clone()), format!("seen at {title}"))
        });
        let also = one.consequences.iter().map(|also| {
            let said = format!("also: {} {}", also.code, also.message);
            (also.subject.clone(), said)
        });
        seen.chain(also)
            .enumerate()
            .map(|(id, (place, said))| {
                let mut location = with_message(self.location(&place), said);
                put(&mut location, "id", count(id + 1));
                location
            })
            .collect()
    }

    fn location(&self, subject: &Subject) -> Value {
        let mut physical = value!({
            "artifactLocation": (artifact_location(self.flow.file, self.index)),
        });
        if let Some(region) = self.places.find(subject) {
            put(&mut physical, "region", span(region));
        }
        let (section, name) = match subject {
            Subject::Node(id) => ("nodes", id.as_str()),
            Subject::Port(port) => ("nodes", port.node.as_str()),
            Subject::Edge(id) => ("edges", id.as_str()),
            Subject::Type(id) => ("types", id.as_str()),
        };
        let mut whole = format!("{section}/{name}");
        let mut name = name;
        if let Subject::Port(port) = subject {
            whole = format!("{whole}/{}", port.port);
            name = &port.port;
        }
        value!({
            "physicalLocation": (physical),
            "logicalLocations": [{
                "name": (name),
                "fullyQualifiedName": (whole),
                "kind": (subject.word()),
            }],
        })
    }

    /// The fix as a change of the text; none where the file is not written as Weir writes it, since a
    /// fix rewrites it so.
    fn fix(&self, fix: &Fix) -> Option<Value> {
        if !self.canonical {
            return None;
        }
        let mut document = self.flow.document.clone();
        // The way back is for editors.
        drop(fix.transaction.clone().apply(&mut document));
        let fixed = format::write(&document);
        let pieces: Vec<Value> = replacements(self.flow.text, &fixed)
            .into_iter()
            .map(|piece| {
                value!({
                    "deletedRegion": {
                        "startLine": (count(piece.first + 1)),
                        "startColumn": 1,
                        "endLine": (count(piece.end + 1)),
                        "endColumn": 1,
                    },
                    "insertedContent": {"text": (piece.lines.concat())},
                })
            })
            .collect();
        if pieces.is_empty() {
            return None;
        }
        let mut said = fix.title.clone();
        if !fix.caution.is_empty() {
            said = format!("{said} ({})", fix.caution);
        }
        Some(value!({
            "description": {"text": (said)},
            "artifactChanges": [{
                "artifactLocation": (artifact_location(self.flow.file, self.index)),
                "replacements": (pieces),
            }],
        }))
    }
}

fn suppression(accepted: &Acceptance) -> Value {
    let mut suppression = value!({
        "kind": "external",
        "status": "accepted",
    });
    if !accepted.reason.is_empty() {
        put(&mut suppression, "justification", accepted.reason.clone());
    }
    let mut properties = Object::new();
    if !accepted.by.is_empty() {
        properties.insert("by", accepted.by.clone());
    }
    if let Some(until) = &accepted.until {
        properties.insert("until", until.clone());
    }
    if !properties.is_empty() {
        put(&mut suppression, "properties", properties);
    }
    suppression
}

fn artifact_location(file: &str, index: usize) -> Value {
    let mut location = value!({"uri": (uri::of_file(file)), "index": (count(index))});
    if !uri::is_whole(file) {
        put(&mut location, "uriBaseId", ROOT);
    }
    location
}

fn span(region: Region) -> Value {
    value!({
        "startLine": (count(region.line)),
        "startColumn": (count(region.column)),
        "endLine": (count(region.line)),
        "endColumn": (count(region.end_column)),
    })
}

fn with_message(mut location: Value, said: String) -> Value {
    put(&mut location, "message", value!({"text": (said)}));
    location
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

fn count(count: usize) -> Value {
    Value::Int(i64::try_from(count).unwrap_or(i64::MAX))
}

fn put(object: &mut Value, key: &str, value: impl Into<Value>) {
    if let Value::Obj(object) = object {
        std::sync::Arc::make_mut(object).insert(key, value);
    }
}
