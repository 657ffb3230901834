//! `weir witness`: a run in which a hazard is seen happening.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use graph_model::catalog::Catalog;
use graph_model::document::Document;
use graph_model::validate::{
    Confirmation, Confirmations, Diagnostic, Report, Seen, lookup, validate,
};
use graph_model::value::{Object, Value};
use runtime::witness::{self, Budget, Case, Verdict as Found};
use runtime::world::{SystemWorld, World};

use super::out::Out;
use super::{Stop, Verdict, explain};
use desk::flow_file::{self, FlowFile};
use desk::folders;

/// Look for a run in which a hazard of a flow is seen happening
///
/// Nothing outside is touched. Takes some seconds at most. Exits with 1 when no run was found that shows
/// it, or when none can.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Witness {
    #[command(subcommand)]
    again: Option<Again>,
    /// The flow, or the folder of one
    #[arg(value_name = "FILE|FOLDER", required = true)]
    flow: Option<PathBuf>,
    /// The hazard, by its code or its name
    #[arg(value_name = "CODE", required = true)]
    code: Option<String>,
    /// The node, wire or event type that it is at, when there are several
    #[arg(long, value_name = "ID")]
    node: Option<String>,
    /// Write the run into a file, such as `NAME.witness.json`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum Again {
    Replay(Replay),
}

/// Play the run of a file again, and compare it step by step
///
/// Exits with 1 when it is not the same run any more, or when the hazard is not seen in it.
#[derive(Args)]
struct Replay {
    /// A file that `weir witness` wrote
    file: PathBuf,
    /// Folder of the code and the files that the flow needs, instead of the folder of the file
    #[arg(long, value_name = "FOLDER")]
    project: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

impl Witness {
    pub(super) fn run(self, out: &Out) -> Result<Verdict, Stop> {
        if let Some(Again::Replay(replay)) = self.again {
            return replay.run(out);
        }
        let (Some(place), Some(code)) = (&self.flow, &self.code) else {
            return Err(Stop::because("name a flow and the code of a hazard"));
        };
        let flow = flow_file::read(place)?;
        let rule = lookup::rule(code).ok_or_else(|| Stop::because(explain::unknown(code)))?;
        let report = validate(&flow.document, Catalog::bundled());
        let found = self.chosen(rule.code, &flow, &report)?;
        let document = Arc::new(flow.document.clone());
        let seen = look(&document, &flow, found);
        if let (Found::Confirmed(witness), Some(path)) = (&seen, &self.out) {
            folders::replace(path, witness.to_text().as_bytes()).map_err(|error| {
                Stop::because(format!(
                    "{}: the file could not be written: {error}",
                    path.display()
                ))
            })?;
            out.note(format_args!("written to {}", path.display()));
        }
        if self.json {
            out.line(answer(found, &seen).to_json())?;
        } else {
            out.text(told(found, &seen))?;
        }
        Ok(match seen {
            Found::Confirmed(_) => Verdict::Well,
            Found::NotConfirmed { .. } | Found::Assumed { .. } => Verdict::Found,
        })
    }

    /// The finding that is meant; accepted ones can be looked at as well.
    fn chosen<'r>(
        &self,
        code: &str,
        flow: &FlowFile,
        report: &'r Report,
    ) -> Result<&'r Diagnostic, Stop> {
        let accepted = report.accepted.iter().map(|(found, _)| found);
        let all: Vec<&Diagnostic> = report.diagnostics.iter().chain(accepted).collect();
        let of_code = || all.iter().filter(|found| found.code == code);
        let named = |found: &&&Diagnostic| {
            let node = self.node.as_deref();
            node.is_none_or(|node| found.subject.text() == node)
        };
        if let Some(found) = of_code().find(named) {
            return Ok(found);
        }
        let path = flow.path.display();
        let places: Vec<String> = of_code().map(|found| found.subject.text().into()).collect();
        Err(Stop::because(if places.is_empty() {
            format!("{path}: the flow has no {code}; `weir check` says what it has")
        } else {
            let node = self.node.as_deref().unwrap_or_default();
            let places = places.join(", ");
            format!("{path}: the flow has no {code} at `{node}`, but at {places}")
        }))
    }
}

impl Replay {
    fn run(self, out: &Out) -> Result<Verdict, Stop> {
        let file = &self.file;
        let because = |what: String| Stop::because(format!("{}: {what}", file.display()));
        let bytes = fs::read(file).map_err(|error| because(error.to_string()))?;
        let held = witness::Witness::parse(&bytes).map_err(|error| because(error.to_string()))?;
        let project = self.project.as_deref();
        let folder = file.parent().filter(|folder| *folder != Path::new(""));
        let project = project.or(folder).unwrap_or(Path::new("."));
        let project = std::path::absolute(project).map_err(|error| because(error.to_string()))?;
        let differences = witness::replay(&held, Catalog::bundled(), &project);
        let differences = differences.map_err(|problems| {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            because(lines.join("\nweir: "))
        })?;
        if self.json {
            let said = differences.iter().map(|one| Value::from(one.to_string()));
            let mut object = Object::new();
            object.insert("version", 1);
            object.insert("same", differences.is_empty());
            object.insert("code", held.code.clone());
            object.insert("trace", held.hash.to_string());
            object.insert("differences", said.collect::<Value>());
            out.line(Value::from(object).to_json())?;
        } else if differences.is_empty() {
            let at = held.subject.text();
            out.line(format_args!(
                "{} at {at} is seen in the same run",
                held.code
            ))?;
            out.text(sentences(&held))?;
        } else {
            for difference in &differences {
                out.line(difference)?;
            }
        }
        Ok(if differences.is_empty() {
            Verdict::Well
        } else {
            Verdict::Found
        })
    }
}

/// What runs say of each finding of a report.
pub(super) fn confirm(flow: &FlowFile, report: &Report, out: &Out) -> Confirmations {
    let document = Arc::new(flow.document.clone());
    let count = report.diagnostics.len();
    let all = report.diagnostics.iter().enumerate();
    let confirmed = all.map(|(number, found)| {
        out.progress(format_args!(
            "{}: looking for a run that shows {} ({} of {count})",
            flow.path.display(),
            found.code,
            number + 1
        ));
        (
            found.id.clone(),
            confirmation(&look(&document, flow, found)),
        )
    });
    confirmed.collect()
}

fn look(document: &Arc<Document>, flow: &FlowFile, found: &Diagnostic) -> Found {
    let name = flow.path.file_name().unwrap_or_default().to_string_lossy();
    let case = Case {
        document,
        catalog: Catalog::bundled(),
        project: &flow.project,
        flow: &name,
        found,
    };
    let clock = SystemWorld::new();
    let budget = Budget {
        schedules_max: Budget::SCHEDULES_MAX,
        is_over: &|| clock.elapsed_us() > Budget::MILLIS_MAX * 1_000,
    };
    witness::find(&case, budget)
}

fn confirmation(seen: &Found) -> Confirmation {
    match seen {
        Found::Confirmed(witness) => Confirmation::Confirmed(Seen {
            facts: witness.scenario.facts.len(),
            faults: witness.scenario.faults.len(),
            by: witness.by(),
            explanation: witness.explanation.to_vec(),
            oracle: witness.finding.oracle.id().into(),
            trace: witness.hash.to_string(),
        }),
        Found::NotConfirmed { tried } => Confirmation::NotConfirmed { tried: *tried },
        Found::Assumed { why } => Confirmation::Assumed { why: why.clone() },
    }
}

fn answer(found: &Diagnostic, seen: &Found) -> Value {
    let mut subject = Object::new();
    subject.insert("kind", found.subject.word());
    subject.insert("id", found.subject.text());
    let mut object = Object::new();
    object.insert("version", 1);
    object.insert("code", found.code);
    object.insert("subject", subject);
    object.insert("run", confirmation(seen).to_value());
    if let Found::Confirmed(witness) = seen {
        let file = Value::parse(witness.to_text().as_bytes(), usize::MAX);
        object.insert("witness", file.unwrap_or_default());
    }
    object.into()
}

/// What came of it, for people.
fn told(found: &Diagnostic, seen: &Found) -> String {
    let line = confirmation(seen).line();
    let head = format!("{} at {}: {line}\n", found.code, found.subject.text());
    match seen {
        Found::Confirmed(witness) => head + &sentences(witness),
        Found::NotConfirmed { .. } | Found::Assumed { .. } => head,
    }
}

fn sentences(witness: &witness::Witness) -> String {
    let said = witness.explanation.iter().map(|said| format!("  {said}\n"));
    let oracle = witness.finding.oracle;
    let (id, name) = (oracle.id(), oracle.name());
    let said: String = said.collect();
    format!("{said}seen by {id}, {name}; trace {}\n", witness.hash)
}
