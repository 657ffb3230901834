//! Looks for witnesses, for clients of the engine.

use std::path::PathBuf;
use std::sync::Arc;

use graph_model::format;
use graph_model::validate::validate;
use runtime_protocol::witness::Sighting;
use runtime_protocol::{Answer, Problem};
use smol_str::SmolStr;

use crate::witness::{Budget, Case, Verdict, find, show};
use crate::world::World;

/// A hazard that a client wants to see.
pub(super) struct Asked {
    pub project: PathBuf,
    pub world: Arc<dyn World>,
    pub flow: String,
    pub code: SmolStr,
    pub node: Option<SmolStr>,
}

/// Takes some seconds at most.
pub(super) fn look(asked: &Asked) -> Result<Answer, Problem> {
    let opened = format::open(asked.flow.as_bytes())
        .map_err(|error| Problem::new(format!("the flow cannot be read: {error}")))?;
    let document = Arc::new(opened.document);
    let catalog = crate::catalog::catalog();
    let report = validate(&document, &catalog);
    let mut found = report.diagnostics.iter();
    let named = |text: &SmolStr| asked.node.as_ref().is_none_or(|node| node == text);
    let found = found.find(|one| one.code == asked.code && named(&one.subject.text()));
    let found = found.ok_or_else(|| {
        let code = &asked.code;
        Problem::new(format!(
            "the flow has no {code} there any more; check it again"
        ))
    })?;
    let case = Case {
        document: &document,
        catalog: &catalog,
        project: &asked.project,
        flow: document.meta.title.as_str(),
        found,
    };
    let began_us = asked.world.elapsed_us();
    let budget = Budget {
        schedules_max: Budget::SCHEDULES_MAX,
        is_over: &|| asked.world.elapsed_us() - began_us > Budget::MILLIS_MAX * 1_000,
    };
    let sighting = match find(&case, budget) {
        Verdict::Confirmed(witness) => {
            let play = show(&witness, &catalog, &asked.project);
            let first = |problems: Vec<Problem>| problems.into_iter().next();
            let play = play.map_err(|problems| {
                first(problems).unwrap_or_else(|| Problem::new("the run cannot be played again"))
            })?;
            Sighting::Seen {
                play: Box::new(play),
            }
        }
        Verdict::NotConfirmed { tried } => Sighting::NotSeen { tried },
        Verdict::Assumed { why } => Sighting::Assumed { why },
    };
    Ok(Answer::Witness { sighting })
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
        let engine = Engine::new(EngineConfig {
            project: std::env::temp_dir(),
            world: Arc::new(SystemWorld::new()),
        })
        .expect("starts");
        engine.block_on(engine.call(Command::Witness {
            flow: FLOW.to_owned(),
            code: code.into(),
            node: Some("charge".into()),
        }))
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
}
