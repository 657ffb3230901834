//! Looks for witnesses and plays tests, for clients of the engine.

use std::path::PathBuf;
use std::sync::Arc;

use graph_model::catalog::Catalog;
use graph_model::document::Document;
use graph_model::format;
use graph_model::validate::validate;
use runtime_protocol::witness::Sighting;
use runtime_protocol::{Answer, Problem};
use smol_str::SmolStr;

use crate::flow_tests;
use crate::witness::{Budget, Case, Verdict, Witness, check, find, show};
use crate::world::World;

/// How long the tests of a flow are played while somebody waits.
const TESTS_MILLIS_MAX: u64 = 20_000;

/// What a client wants to see.
pub(super) struct Asked {
    pub project: PathBuf,
    pub world: Arc<dyn World>,
    pub flow: String,
    pub question: Question,
}

pub(super) enum Question {
    /// In which run does a hazard of the flow happen?
    Where {
        code: SmolStr,
        node: Option<SmolStr>,
    },
    /// Does what a witness shows still happen in the flow?
    Still { witness: String },
    /// What comes of the tests that the flow keeps?
    Tests,
}

/// Takes some seconds at most.
pub(super) fn look(asked: &Asked) -> Result<Answer, Problem> {
    let opened = format::open(asked.flow.as_bytes())
        .map_err(|error| Problem::new(format!("the flow cannot be read: {error}")))?;
    let document = Arc::new(opened.document);
    let catalog = crate::catalog::catalog();
    let began_us = asked.world.elapsed_us();
    let budget = Budget {
        schedules_max: Budget::SCHEDULES_MAX,
        is_over: &|| asked.world.elapsed_us() - began_us > Budget::MILLIS_MAX * 1_000,
    };
    let verdict = match &asked.question {
        Question::Where { code, node } => {
            look_for(asked, &document, &catalog, (code, node.as_ref()), budget)?
        }
        Question::Still { witness } => {
            let held = Witness::parse(witness.as_bytes())
                .map_err(|error| Problem::new(format!("the witness cannot be read: {error}")))?;
            check(&held, &document, &catalog, &asked.project, budget).map_err(first)?
        }
        Question::Tests => {
            let is_over = || asked.world.elapsed_us() - began_us > TESTS_MILLIS_MAX * 1_000;
            let tests = flow_tests::tell_all(&document, &catalog, &asked.project, &is_over);
            return Ok(Answer::Tests { tests });
        }
    };
    let sighting = match verdict {
        Verdict::Confirmed(witness) => {
            let play = show(&witness, &catalog, &asked.project).map_err(first)?;
            Sighting::Seen {
                play: Box::new(play),
            }
        }
        Verdict::NotConfirmed { tried } => Sighting::NotSeen { tried },
        Verdict::Assumed { why } => Sighting::Assumed { why },
    };
    Ok(Answer::Witness { sighting })
}

/// Looks for a run in which the hazard of this code, at this place if one is named, happens.
fn look_for(
    asked: &Asked,
    document: &Arc<Document>,
    catalog: &Catalog,
    (code, node): (&SmolStr, Option<&SmolStr>),
    budget: Budget<'_>,
) -> Result<Verdict, Problem> {
    let report = validate(document, catalog);
    let mut found = report.diagnostics.iter();
    let named = |text: &SmolStr| node.is_none_or(|node| node == text);
    let found = found.find(|one| one.code == *code && named(&one.subject.text()));
    let found = found.ok_or_else(|| {
        Problem::new(format!(
            "the flow has no {code} there any more; check it again"
        ))
    })?;
    let case = Case {
        document,
        catalog,
        project: &asked.project,
        flow: document.meta.title.as_str(),
        found,
    };
    Ok(find(&case, budget))
}

fn first(problems: Vec<Problem>) -> Problem {
    let mut problems = problems.into_iter();
    let first = problems.next();
    first.unwrap_or_else(|| Problem::new("the run cannot be played again"))
}

#[cfg(test)]
mod tests {
    use runtime_protocol::Command;
    use runtime_protocol::witness::PlayWhat;

    use super::*;
    use crate::engine::{Engine, EngineConfig};
    use crate::world::SystemWorld;

    const FLOW: &str = r#"{"version": 1,
        "nodes": {
            "in": {"kind": "manual"},
            "lane": {"kind": "queue"},
            "charge": {"kind": "effect", "config": {"action": "charge card"}}
        },
        "edges": {
            "a": {"from": "in.out", "to": "lane.in"},
            "b": {"from": "lane.out", "to": "charge.in"}
        }}"#;

    fn ask(code: &str) -> Result<Answer, Problem> {
        call(Command::Witness {
            flow: FLOW.to_owned(),
            code: code.into(),
            node: Some("charge".into()),
        })
    }

    fn call(command: Command) -> Result<Answer, Problem> {
        let engine = Engine::new(EngineConfig {
            project: std::env::temp_dir(),
            world: Arc::new(SystemWorld::new()),
        })
        .expect("starts");
        engine.block_on(engine.call(command))
    }

    #[test]
    fn a_client_gets_both_runs_and_where_they_part() {
        let Ok(Answer::Witness {
            sighting: Sighting::Seen { play },
        }) = ask("DELIV-001")
        else {
            panic!("it is not seen");
        };
        let written = |steps: &[runtime_protocol::witness::PlayStep]| {
            let steps = steps.iter();
            steps.filter(|step| step.what == PlayWhat::Written).count()
        };
        assert_eq!((written(&play.run), written(&play.reference)), (2, 1));
        let deciding = &play.run[play.deciding.expect("is there")];
        assert_eq!(deciding.what, PlayWhat::Written);
        assert_eq!(deciding.node.as_str(), "charge");
        assert_eq!(play.nodes, ["charge"]);
        assert!(
            play.run
                .iter()
                .any(|step| step.fault.as_deref() == Some("duplicate"))
        );
        let emitted = play.run.iter().find(|step| step.what == PlayWhat::Emitted);
        let emitted = emitted.expect("is there");
        assert_eq!(emitted.port.as_deref(), Some("out"));
        assert_eq!(emitted.edges, ["a"]);
        assert!(emitted.data.is_some());
        assert_eq!(play.explanation.len(), 3);
        crate::witness::Witness::parse(play.file.as_bytes()).expect("is a witness");
    }

    #[test]
    fn what_the_flow_does_not_have_is_said() {
        let problem = ask("AUTH-001").expect_err("has none");
        assert_eq!(
            problem.to_string(),
            "the flow has no AUTH-001 there any more; check it again"
        );
    }

    #[test]
    fn a_fix_is_checked_by_what_showed_the_hazard() {
        let Ok(Answer::Witness {
            sighting: Sighting::Seen { play },
        }) = ask("DELIV-001")
        else {
            panic!("it is not seen");
        };
        let still = |flow: String| {
            let witness = play.file.clone();
            match call(Command::CheckFix { flow, witness }) {
                Ok(Answer::Witness { sighting }) => sighting,
                other => panic!("{other:?}"),
            }
        };
        assert!(matches!(still(FLOW.to_owned()), Sighting::Seen { .. }));
        // Another title mends nothing, wherever it is.
        let retitled = FLOW.replace(r#""kind": "queue""#, r#""kind": "queue", "title": "Lane""#);
        assert!(matches!(still(retitled), Sighting::Seen { .. }));
        let with_key = r#""action": "charge card", "key": "$event.id""#;
        let keyed = FLOW.replace(r#""action": "charge card""#, with_key);
        let Sighting::NotSeen { tried } = still(keyed) else {
            panic!("a key ends it");
        };
        assert!(tried > 1, "{tried}");
    }
}
