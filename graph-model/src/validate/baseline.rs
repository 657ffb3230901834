//! Findings that were there before, read from a report of theirs: they are shown, and do not count.

use std::collections::BTreeSet;

use smol_str::SmolStr;

use crate::format::SIZE_MAX;
use crate::validate::render::file_of_uri;
use crate::validate::{Diagnostic, Report};
use crate::value::{ParseError, Value};

/// Under what the id of a diagnostic stands among the fingerprints of a SARIF result.
pub(super) const FINGERPRINT: &str = "diagnosticId/v1";

/// What a report said: each finding by its file and its id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    findings: BTreeSet<(SmolStr, SmolStr)>,
    /// Ids from a report that names no files.
    anywhere: BTreeSet<SmolStr>,
}

/// What a baseline says of one flow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Before {
    ids: BTreeSet<SmolStr>,
    /// Ids of findings that are not there any more.
    pub gone: BTreeSet<SmolStr>,
}

/// Why a text is not a baseline.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoBaseline {
    #[error("{0}")]
    NotJson(#[from] ParseError),
    #[error("not a report of `weir check`: neither `diagnostics` nor `runs` of SARIF are in it")]
    NotAReport,
}

impl Baseline {
    /// Reads a report as `weir check` writes it, in JSON or SARIF.
    pub fn read(text: &str) -> Result<Baseline, NoBaseline> {
        let report = Value::parse(text.as_bytes(), SIZE_MAX)?;
        let mut baseline = Baseline::default();
        if let Some(runs) = report.get("runs").and_then(Value::as_array) {
            for run in runs {
                baseline.take_run(run);
            }
            return Ok(baseline);
        }
        let found = report.get("diagnostics").and_then(Value::as_array);
        for one in found.ok_or(NoBaseline::NotAReport)? {
            let Some(id) = text_at(one, &["id"]) else {
                continue;
            };
            match text_at(one, &["file"]) {
                Some(file) => {
                    baseline.findings.insert((file.into(), id.into()));
                }
                None => {
                    baseline.anywhere.insert(id.into());
                }
            }
        }
        Ok(baseline)
    }

    /// What it says of a flow, given what was found there now.
    pub fn of(&self, file: &str, report: &Report) -> Before {
        let found = report.diagnostics.iter();
        let found: BTreeSet<&str> = found
            .chain(report.accepted.iter().map(|(found, _)| found))
            .map(|found| found.id.as_str())
            .collect();
        let here = self.findings.iter().filter(|(of, _)| of == file);
        let (kept, gone): (BTreeSet<SmolStr>, BTreeSet<SmolStr>) = here
            .map(|(_, id)| id.clone())
            .partition(|id| found.contains(id.as_str()));
        let elsewhere = self.anywhere.iter();
        Before {
            ids: elsewhere
                .filter(|id| found.contains(id.as_str()))
                .cloned()
                .chain(kept)
                .collect(),
            gone,
        }
    }

    fn take_run(&mut self, run: &Value) {
        let results = run.get("results").and_then(Value::as_array);
        for result in results.unwrap_or_default() {
            let suppressions = result.get("suppressions").and_then(Value::as_array);
            let suppressed = suppressions.is_some_and(|all| !all.is_empty());
            let absent = text_at(result, &["baselineState"]) == Some("absent");
            let Some(id) = text_at(result, &["partialFingerprints", FINGERPRINT]) else {
                continue;
            };
            if suppressed || absent {
                continue;
            }
            let locations = result.get("locations").and_then(Value::as_array);
            let uri = locations
                .and_then(<[Value]>::first)
                .and_then(|at| text_at(at, &["physicalLocation", "artifactLocation", "uri"]));
            match uri {
                Some(uri) => {
                    let file = file_of_uri(uri);
                    self.findings.insert((file.into(), id.into()));
                }
                None => {
                    self.anywhere.insert(id.into());
                }
            }
        }
    }
}

impl Before {
    /// Whether the finding was there before.
    pub fn has(&self, found: &Diagnostic) -> bool {
        self.ids.contains(&found.id)
    }
}

fn text_at<'v>(value: &'v Value, keys: &[&str]) -> Option<&'v str> {
    let at = keys.iter().try_fold(value, |at, key| at.get(key));
    at.and_then(Value::as_str)
}
