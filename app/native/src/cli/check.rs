//! `weir check`: the hazards of designs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use graph_model::catalog::Catalog;
use graph_model::event::{parse_rfc3339, rfc3339};
use graph_model::validate::render::{self, Checked};
use graph_model::validate::{
    Baseline, Before, Confirmations, Diagnostic, Report, Severity, lookup, validate,
};
use runtime::world::{SystemWorld, World};

use super::out::Out;
use super::{Stop, Verdict, explain, witness};
use desk::flow_file::{self, FlowFile};
use desk::folders;

/// Find the hazards of flows
///
/// Exits with 0 when there is nothing to object to, with 1 when there is (see `--deny`), and with 2
/// when a flow could not be checked. As text it says nothing when it found nothing.
#[derive(Args)]
pub(super) struct Check {
    /// Flows, or folders whose flows are meant; flawed twins (`*-flawed.flow.json`) only when they are
    /// named
    #[arg(required = true, value_name = "FILE|FOLDER")]
    places: Vec<PathBuf>,
    /// Look into the folders below too, except hidden ones
    #[arg(long, short)]
    recursive: bool,
    /// How to answer
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The same as `--format json`
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Write the answer into a file
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// What makes the exit code 1: findings of this severity or a graver one [default: error], and
    /// those of a code; may be given several times, and of severities the last one counts
    #[arg(long, value_name = "error|warning|info|none|CODE", value_parser = denied)]
    deny: Vec<Deny>,
    /// A report in JSON or SARIF: what it has is shown as known and does not count
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write a report to give to `--baseline` the next time
    #[arg(long, value_name = "FILE")]
    write_baseline: Option<PathBuf>,
    /// Look for runs in which the hazards are seen happening, some seconds for each at most, and say of
    /// each what came of it
    #[arg(long)]
    confirm: bool,
    /// The day by which accepted hazards are due again, instead of the day that it is
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    today: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs; `weir schema check` describes it
    Json,
    /// For code scanning and editors: SARIF 2.1.0
    Sarif,
    /// Workflow commands, which GitHub shows at the lines of a pull request
    Github,
}

/// What makes the exit code 1.
#[derive(Clone, Copy)]
enum Deny {
    From(Severity),
    Nothing,
    Code(&'static str),
}

fn denied(word: &str) -> Result<Deny, String> {
    match word {
        "error" => Ok(Deny::From(Severity::Error)),
        "warning" => Ok(Deny::From(Severity::Warning)),
        "info" => Ok(Deny::From(Severity::Info)),
        "none" => Ok(Deny::Nothing),
        code => match lookup::rule(code) {
            Some(rule) => Ok(Deny::Code(rule.code)),
            None => Err(explain::unknown(code)),
        },
    }
}

fn day(text: &str) -> Result<String, String> {
    match parse_rfc3339(&format!("{text}T00:00:00Z")) {
        Some(_) => Ok(text.to_owned()),
        None => Err("write a day such as 2027-01-31".to_owned()),
    }
}

/// A flow with what was found in it.
struct One {
    flow: FlowFile,
    report: Report,
    file: String,
    path: String,
    known: Option<Before>,
    confirmed: Option<Confirmations>,
}

impl Check {
    pub(super) fn run(self, out: &Out) -> Result<Verdict, Stop> {
        let all = self.check(out)?;
        let checked: Vec<Checked<'_>> = all.iter().map(One::checked).collect();
        self.answer(&checked, out)?;
        if let Some(path) = &self.write_baseline {
            write(path, &format!("{}\n", render::json_all(&checked)))?;
        }
        let gone = all
            .iter()
            .filter_map(|one| Some(one.known.as_ref()?.gone.len()));
        match gone.sum() {
            0_usize => {}
            gone => out.note(format_args!(
                "{gone} of the findings in the baseline are gone; write it again with --write-baseline"
            )),
        }

        let odd = all.iter().any(|one| !one.flow.notes.is_empty());
        let mut counted = checked.iter().flat_map(Checked::new_findings);
        Ok(if odd || counted.any(|found| self.denies(found)) {
            Verdict::Found
        } else {
            Verdict::Well
        })
    }

    fn check(&self, out: &Out) -> Result<Vec<One>, Stop> {
        let baseline = self.baseline.as_deref().map(baseline).transpose()?;
        let root = root();
        let mut seen = BTreeSet::new();
        let mut all = Vec::new();
        for place in &self.places {
            let paths = if self.recursive {
                flow_file::below(place)?
            } else {
                flow_file::meant(place)?
            };
            for path in paths {
                let flow = flow_file::read(&path)?;
                let file = name(&root, &flow);
                if !seen.insert(file.clone()) {
                    continue;
                }
                let path = flow.path.display().to_string();
                for note in &flow.notes {
                    out.trouble(format_args!("{path}: {} at `{}`", note.message, note.at));
                }
                let report = report(&flow, self.today.as_deref());
                let known = baseline.as_ref().map(|known| known.of(&file, &report));
                let confirmed = self.confirm.then(|| witness::confirm(&flow, &report, out));
                all.push(One {
                    flow,
                    report,
                    file,
                    path,
                    known,
                    confirmed,
                });
            }
        }
        Ok(all)
    }

    fn answer(&self, checked: &[Checked<'_>], out: &Out) -> Result<(), Stop> {
        let format = if self.json { Format::Json } else { self.format };
        let mut answer = match format {
            Format::Text => render::text_all(checked),
            Format::Json => render::json_all(checked),
            Format::Sarif => render::sarif(checked),
            Format::Github => render::github(checked),
        };
        if matches!(format, Format::Json | Format::Sarif) {
            answer.push('\n');
        }
        if let Some(path) = &self.output {
            write(path, &answer)?;
            out.note(format_args!(
                "{}: {}",
                path.display(),
                render::summary(checked)
            ));
            return Ok(());
        }
        let silent = checked
            .iter()
            .all(|one| one.report.diagnostics.is_empty() && one.report.unchecked.is_empty());
        if format == Format::Text && silent {
            return Ok(());
        }
        out.text(answer)
    }

    fn denies(&self, found: &Diagnostic) -> bool {
        let mut levels = self.deny.iter().rev();
        let level = levels.find(|deny| !matches!(deny, Deny::Code(_)));
        let severe = match level.unwrap_or(&Deny::From(Severity::Error)) {
            Deny::From(lowest) => found.severity >= *lowest,
            Deny::Nothing | Deny::Code(_) => false,
        };
        let named = |deny: &Deny| matches!(deny, Deny::Code(code) if *code == found.code);
        severe || self.deny.iter().any(named)
    }
}

impl One {
    fn checked(&self) -> Checked<'_> {
        Checked {
            file: &self.file,
            path: &self.path,
            text: &self.flow.text,
            document: &self.flow.document,
            report: &self.report,
            known: self.known.as_ref(),
            confirmed: self.confirmed.as_ref(),
        }
    }
}

/// The hazards of a day: what was accepted until one that has come counts again.
pub(super) fn report(flow: &FlowFile, day: Option<&str>) -> Report {
    let mut report = validate(&flow.document, Catalog::bundled());
    let now = rfc3339(SystemWorld::new().now_ms());
    let today = now.split('T').next().unwrap_or_default();
    report.expire(day.unwrap_or(today));
    report
}

fn baseline(path: &Path) -> Result<Baseline, Stop> {
    let text = fs::read_to_string(path).map_err(|error| {
        Stop::because(format!(
            "{}: {error}; write a baseline with --write-baseline",
            path.display()
        ))
    })?;
    Baseline::read(&text).map_err(|error| {
        Stop::because(format!(
            "{}: {error}; write a baseline with --write-baseline",
            path.display()
        ))
    })
}

fn write(path: &Path, text: &str) -> Result<(), Stop> {
    folders::replace(path, text.as_bytes()).map_err(|error| {
        Stop::because(format!(
            "{}: the file could not be written: {error}",
            path.display()
        ))
    })
}

/// The root of the repository that the program was started in, or the working folder outside of one:
/// reports name files from there, so that they mean the same wherever they are written.
fn root() -> PathBuf {
    let here = fs::canonicalize(".").unwrap_or_default();
    let repository = here.ancestors().find(|folder| folder.join(".git").exists());
    repository.map_or_else(|| here.clone(), Path::to_path_buf)
}

/// The name of a flow in reports: its path from the root with `/`, or its whole path.
fn name(root: &Path, flow: &FlowFile) -> String {
    let whole = fs::canonicalize(&flow.path).unwrap_or_else(|_| flow.path.clone());
    let path = whole.strip_prefix(root).unwrap_or(&whole).to_string_lossy();
    if cfg!(windows) {
        path.trim_start_matches(r"\\?\").replace('\\', "/")
    } else {
        path.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use graph_model::validate::notation;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        check: Check,
    }

    #[test]
    fn a_severity_and_named_codes_are_denied() {
        let document = notation::read("in: manual -> out: viewer").expect("reads");
        let report = validate(&document, Catalog::bundled());
        let mut found = report.diagnostics.into_iter().next().expect("one");
        for (deny, error, warning, info) in [
            (&[][..], true, false, false),
            (&["--deny", "error"], true, false, false),
            (&["--deny", "warning"], true, true, false),
            (&["--deny", "info"], true, true, true),
            (&["--deny", "none"], false, false, false),
            (&["--deny", "info", "--deny", "error"], true, false, false),
            (&["--deny", "STRUCT-001"], true, true, true),
            (&["--deny", "AUTH-001"], true, false, false),
            (
                &["--deny", "AUTH-001", "--deny", "none"],
                false,
                false,
                false,
            ),
        ] {
            let line = [&["check", "a.flow.json"], deny].concat();
            let check = Line::try_parse_from(line).expect("it parses").check;
            let denied = [Severity::Error, Severity::Warning, Severity::Info].map(|severity| {
                found.severity = severity;
                check.denies(&found)
            });
            assert_eq!(denied, [error, warning, info], "{deny:?}");
        }
    }
}
