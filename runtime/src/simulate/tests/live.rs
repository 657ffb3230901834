//! Without faults a simulation comes to what the live engine comes to.

use std::time::Duration;

use proptest::prelude::*;
use runtime_protocol::{Answer, Command, Target};

use super::*;
use crate::engine::{Engine, EngineConfig};
use crate::world::SystemWorld;

/// What the views of a flow show after the live engine has handled these facts one by one.
fn live(document: &Document, facts: &[Fact], views: &[&str]) -> Vec<String> {
    let project = tempfile::tempdir().expect("a folder");
    let engine = Engine::new(EngineConfig {
        project: project.path().to_path_buf(),
        world: Arc::new(SystemWorld::new()),
    })
    .expect("an engine");
    let call = |command| engine.block_on(engine.call(command)).expect("is done");
    let flow = graph_model::format::write(document);
    call(Command::Deploy { flow });
    call(Command::Start);
    for fact in facts {
        call(Command::Inject {
            target: Target::Source(fact.source.clone()),
            data: fact.event.data.clone(),
            ty: Some(fact.event.context.ty.clone()),
            id: Some(fact.event.context.id.clone()),
        });
        let idle = async { tokio::time::timeout(Duration::from_secs(20), engine.idle()).await };
        engine.block_on(idle).expect("becomes idle");
    }
    call(Command::Stop);
    let show = |view: &&str| {
        let node = (*view).into();
        match call(Command::ReadView { node, limit: 1_000 }) {
            Answer::Events { events } => {
                let rows = events.iter().map(|event| event.data.to_json());
                format!("[{}]", rows.collect::<Vec<_>>().join(","))
            }
            other => panic!("{other:?}"),
        }
    };
    views.iter().map(show).collect()
}

/// Steps that a payload `{k, n}` passes and comes out of as one.
const STEPS: [&str; 9] = [
    r#"map {"expr": "{k: .k, n: (.n + 1)}"}"#,
    r#"filter {"when": ".n % 2 == 0"}"#,
    r#"queue {"group": ".k", "concurrency": 2, "backoff": "1ms"}"#,
    r#"log {"key": ".k", "partitions": 3}"#,
    "topic",
    r#"split {"expr": "[., {k: .k, n: (.n * 2)}]"}"#,
    r#"dedupe {"key": ".k"}"#,
    r#"version_guard {"key": ".k", "version": ".n"}"#,
    r#"table {"table": "t", "mode": "append"}"#,
];

/// Where it ends up.
const ENDS: [&str; 4] = [
    "view",
    r#"fold {"group": ".k", "step": "($state // 0) + .n"}"#,
    r#"aggregate {"group": ".k", "aggregates": [{"name": "n", "function": "sum", "of": ".n"}]}"#,
    r#"aggregate {"group": ".k", "aggregates": [{"name": "n"}], "window": "count", "count": 2}"#,
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_flow_comes_to_the_same_live(
        steps in proptest::collection::vec(0..STEPS.len(), 0..4),
        end in 0..ENDS.len(),
        payloads in proptest::collection::vec((0..3_u8, 0..6_u8), 1..8),
    ) {
        let mut lines = String::from("in: manual\nout: view\n");
        let mut last = "in".to_owned();
        let mut wires = String::new();
        for (number, step) in steps.iter().map(|step| STEPS[*step]).chain([ENDS[end]]).enumerate() {
            let step = if step == "view" { "merge" } else { step };
            lines += &format!("s{number}: {step}\n");
            wires += &format!("{last}.out -> s{number}.in\n");
            last = format!("s{number}");
        }
        let document = flow(&format!("{lines}{wires}{last}.out -> out.in"));
        let payloads: Vec<String> = payloads
            .iter()
            .map(|(k, n)| format!(r#"{{"k":"k{k}","n":{n}}}"#))
            .collect();
        let payloads: Vec<&str> = payloads.iter().map(String::as_str).collect();
        let mut scenario = given(&payloads);
        let apart = scenario.facts.iter().enumerate().map(|(number, fact)| Fact {
            at_us: number as u64 * 1_000_000,
            ..fact.clone()
        });
        scenario.facts = apart.collect();
        let outcome = simulation(&document, &scenario).run();
        prop_assert!(outcome.ended.is_complete());
        let shown = vec![shown(&outcome, "view out")];
        prop_assert_eq!(shown, live(&document, &scenario.facts, &["out"]));
    }
}
