//! One function in every language: called by itself with made-up orders, and in the sample flow.

use std::env;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand_core::SeedableRng;
use rand_pcg::Pcg64Mcg;
use runtime::engine::{Engine, EngineConfig};
use runtime::functions::host::FunctionFailure;
use runtime::world::SystemWorld;
use runtime_protocol::{Answer as Told, Command};
use serde_json::{Value, json};

use crate::answers::{answer, read};
use crate::building::{ORDER_TAX, SCRIPT, order_tax, samples};
use crate::calling::{handle, json_event, order_tax_worker};
use crate::orders::Chance;

/// Orders that all of them are given.
const ORDERS: u64 = 10_000;

#[test]
fn the_same_function_gives_the_same_answers_in_every_language() {
    let number = |name: &str, or| env::var(name).map_or(or, |text| text.parse().expect("a number"));
    let (orders, seed) = (number("WEIR_ORDERS", ORDERS), number("WEIR_SEED", 1));
    let mut workers: Vec<_> = ORDER_TAX
        .into_iter()
        .filter_map(|(language, folder)| {
            let component = order_tax(language, folder)?;
            Some((
                language,
                order_tax_worker(language, folder, &component, &[]),
            ))
        })
        .collect();
    assert!(workers.len() > 2, "Rust, C and scripts are there, built");

    let mut chance = Chance(Pcg64Mcg::seed_from_u64(seed));
    let mut seen = [0_u64; 3];
    let mut took = vec![Duration::ZERO; workers.len()];
    for at in 0..orders {
        let event = chance.order();
        let mut answers = Vec::new();
        for ((_, worker), took) in workers.iter_mut().zip(&mut took) {
            let started = Instant::now();
            let report = handle(worker, &event);
            *took += started.elapsed();
            answers.push(answer(report));
        }
        seen[answers[0].sort()] += 1;
        let (first, as_by_script) = (&answers[0], answers[0].as_by_script());
        for ((language, _), answer) in workers.iter().zip(&answers) {
            let (answer, expected) = match *language {
                SCRIPT => (&answer.as_by_script(), &as_by_script),
                _ => (answer, first),
            };
            assert_eq!(
                answer, expected,
                "order {at} of seed {seed}, {language} (left) and {} (right): {:?}",
                workers[0].0, event.data
            );
        }
    }
    for ((language, _), took) in workers.iter().zip(&took) {
        eprintln!(
            "{language}: {:.1} us a call",
            took.as_secs_f64() * 1e6 / orders as f64
        );
    }
    eprintln!(
        "{seen:?} orders were taxed, rejected and refused, alike in {} languages",
        workers.len()
    );
    for (sort, seen) in ["taxed", "rejected", "refused"].into_iter().zip(seen) {
        assert!(
            seen * 10 >= orders,
            "only {seen} of {orders} orders were {sort}"
        );
    }
}

#[test]
fn a_setting_that_is_no_table_is_a_fault_in_every_language() {
    for (language, folder) in ORDER_TAX {
        let Some(component) = order_tax(language, folder) else {
            continue;
        };
        for rates in ["half", "[]", r#"{"IT": "much"}"#] {
            let mut worker = order_tax_worker(language, folder, &component, &[("rates", rates)]);
            let failure = handle(&mut worker, &json_event("{}"))
                .outcome
                .expect_err("no rates");
            let FunctionFailure::Fatal(why) = &failure else {
                panic!("{language}: {failure:?}")
            };
            assert!(
                why.starts_with("setting `rates` is not a table of rates by country: "),
                "{language}: {why}"
            );
        }
        let rates = [("rates", r#"{"XX": 0.5}"#)];
        let mut worker = order_tax_worker(language, folder, &component, &rates);
        let event = json_event(r#"{"orderId": "a", "total": 3, "country": "XX"}"#);
        let outcome = handle(&mut worker, &event).outcome.expect("taxed");
        assert_eq!(
            read(&outcome.emitted[0].event)["tax"],
            json!(1.5),
            "{language}"
        );
    }
}

#[test]
fn the_sample_flow_finds_no_difference_between_languages() {
    let number = |name: &str, or| env::var(name).map_or(or, |text| text.parse().expect("a number"));
    let (orders, seed) = (number("WEIR_ORDERS", ORDERS), number("WEIR_SEED", 1));
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples/languages");
    let text = fs::read_to_string(sample.join("languages.flow.json")).expect("the sample is there");
    let mut flow: Value = serde_json::from_str(&text).expect("JSON");
    let nodes = flow["nodes"].as_object_mut().expect("nodes");
    nodes["orders"]["config"]["count"] = orders.into();
    nodes["orders"]["config"]["rate"] = 0.into();
    nodes["orders"]["config"]["seed"] = seed.into();

    let project = tempfile::tempdir().expect("a folder");
    let mut there = 0;
    for (language, folder) in ORDER_TAX {
        let Some(component) = order_tax(language, folder) else {
            continue;
        };
        there += 1;
        let node = nodes[language].as_object_mut().expect("a node");
        node.remove("disabled");
        // Other tests run beside this one; no time limit is looked at here.
        node["config"]["time_limit"] = "60s".into();
        if language == SCRIPT {
            let source = samples().join(folder).join("order-tax.js");
            let source = fs::read_to_string(source).expect("there");
            assert_eq!(node["config"]["script"], source, "it is the same script");
        } else {
            let name = node["config"]["component"].as_str().expect("a file");
            fs::copy(component, project.path().join(name)).expect("copied");
        }
    }

    let engine = Engine::new(EngineConfig {
        project: project.path().to_owned(),
        world: Arc::new(SystemWorld::new()),
    });
    let engine = engine.expect("an engine");
    let call = |command| {
        let answer = engine.block_on(engine.call(command));
        answer.unwrap_or_else(|problem| panic!("{problem}"))
    };
    let flow = flow.to_string();
    call(Command::Deploy { flow });
    call(Command::Start);
    engine.block_on(engine.idle());
    let Told::Events { events: rows } = call(Command::ReadView {
        node: "differences".into(),
        limit: 10,
    }) else {
        panic!("a view answers with its rows");
    };
    assert!(rows.is_empty(), "{rows:?}");
    call(Command::Stop);

    let database = rusqlite::Connection::open(project.path().join("languages.sqlite"));
    let database = database.expect("the flow made it");
    let mut rows = database
        .prepare("select language, orders, cents from languages order by language")
        .expect("the table is there");
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let rows: Vec<(String, i64, i64)> =
        rows.expect("read").map(|row| row.expect("a row")).collect();
    assert_eq!(rows.len(), there, "{rows:?}");
    for (language, count, cents) in &rows {
        assert_eq!((*count, *cents), (orders as i64, rows[0].2), "{language}");
    }
    assert!(rows[0].2 > 0, "taxes were added up");
}
