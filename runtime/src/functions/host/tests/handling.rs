//! What becomes of an event, and what a function may know while it handles one.

use super::*;

#[test]
fn orders_are_taxed_or_rejected() {
    let check = |order: &str, expect: Expect| {
        let mut worker = ORDER_TAX.worker(config());
        let report = handle_in(
            &mut Still::default(),
            &mut worker,
            FunctionPayload::Json(order.into()),
        );
        expect.assert_eq(&match report.outcome {
            Ok(outcome) => format!(
                "{} {}",
                outcome.emitted[0].port,
                text(&outcome.emitted[0].event)
            ),
            Err(failure) => failure.to_string(),
        });
    };
    check(
        r#"{"orderId": "a1", "total": 100.1, "country": "IT", "note": "gift"}"#,
        expect![[
            r#"ok {"orderId":"a1","total":100.1,"country":"IT","note":"gift","tax":22.02,"taxRate":0.22}"#
        ]],
    );
    check(
        r#"{"orderId": "a1", "items": [{"price": 9.99, "quantity": 3}, {"price": 1}], "country": "DE"}"#,
        expect![[
            r#"ok {"orderId":"a1","items":[{"price":9.99,"quantity":3},{"price":1}],"country":"DE","tax":5.88,"taxRate":0.19}"#
        ]],
    );
    check(
        r#"{"orderId": "a1", "total": 5, "items": [{"price": 4}], "country": "IT"}"#,
        expect![[
            r#"rejected {"orderId":"a1","total":5,"items":[{"price":4}],"country":"IT","reason":"total is 5, but the items sum to 4"}"#
        ]],
    );
    check(
        r#"{"orderId": "a1", "total": 5, "country": "XX"}"#,
        expect![[
            r#"rejected {"orderId":"a1","total":5,"country":"XX","reason":"no tax rate for country \"XX\""}"#
        ]],
    );
    check(
        r#"{"total": 5, "country": "IT"}"#,
        expect![[r#"rejected {"total":5,"country":"IT","reason":"orderId is missing"}"#]],
    );
    check(
        "[1]",
        expect![
            "the function refused the event: payload is not a json object: invalid type: sequence, expected a map at line 1 column 0"
        ],
    );
}

#[test]
fn settings_reach_the_function() {
    let order = r#"{"orderId": "a1", "total": 100, "country": "XX"}"#;
    let tax = |rates: &str| {
        let config = WorkerConfig {
            config: [("rates".into(), rates.into())].into(),
            ..config()
        };
        let mut worker = ORDER_TAX.worker(config);
        handle_in(
            &mut Still::default(),
            &mut worker,
            FunctionPayload::Json(order.into()),
        )
    };
    assert!(told(tax(r#"{"XX": 0.5}"#))[0].contains(r#""tax":50.0"#));
    assert_eq!(failure(tax("half")).kind(), "fatal");
}

#[test]
fn an_emitted_event_keeps_its_context_and_gets_an_id_from_its_cause() {
    let mut worker = ORDER_TAX.worker(config());
    let order = FunctionPayload::Json(r#"{"orderId": "a1", "total": 1, "country": "IT"}"#.into());
    let outcome = handle_in(&mut Still::default(), &mut worker, order)
        .outcome
        .expect("it is taxed");
    let FunctionEvent {
        id,
        source,
        type_,
        extensions,
        ..
    } = &outcome.emitted[0].event;
    assert_eq!(
        (id.as_str(), source.as_str(), type_.as_str()),
        ("e1/node.0", "test", "order.taxed")
    );
    assert_eq!(extensions, &event(FunctionPayload::None).extensions);
}

#[test]
fn javascript_grades_readings() {
    let check = |worker: &mut FunctionWorker, reading: &str, expect: Expect| {
        let report = handle_in(
            &mut Still::default(),
            worker,
            FunctionPayload::Json(reading.into()),
        );
        let mut lines: Vec<_> = report
            .logs
            .iter()
            .map(|line| line.message.clone())
            .collect();
        lines.push(match report.outcome {
            Ok(outcome) => format!(
                "{} {}",
                outcome.emitted[0].port,
                text(&outcome.emitted[0].event)
            ),
            Err(failure) => failure.to_string(),
        });
        expect.assert_eq(&lines.join("\n"));
    };
    let mut worker = SEVERITY_JS.worker(config());
    check(
        &mut worker,
        r#"{"sensor": "s1", "celsius": 21.5, "room": "B"}"#,
        expect![[r#"ok {"sensor":"s1","celsius":21.5,"room":"B","severity":"normal"}"#]],
    );
    check(
        &mut worker,
        r#"{"sensor": "s1", "celsius": 99}"#,
        expect![[r#"
            s1 is at 99 degrees
            ok {"sensor":"s1","celsius":99,"severity":"critical"}"#]],
    );
    check(
        &mut worker,
        r#"{"sensor": "s1", "celsius": -300}"#,
        expect!["the function refused the event: s1 is at -300 degrees, below absolute zero"],
    );
    check(
        &mut worker,
        r#"{"sensor": "s1", "celsius": "warm"}"#,
        expect!["the function refused the event: celsius of s1 is not a number"],
    );
    check(
        &mut worker,
        r#"{"celsius": 1}"#,
        expect!["the function refused the event: sensor is missing"],
    );
    assert!(worker.is_warm());

    let strict = [(
        "thresholds".into(),
        r#"{"warning": 10, "critical": 20}"#.into(),
    )]
    .into();
    let mut worker = SEVERITY_JS.worker(WorkerConfig {
        config: strict,
        ..config()
    });
    check(
        &mut worker,
        r#"{"sensor": "s1", "celsius": 15}"#,
        expect![[r#"ok {"sensor":"s1","celsius":15,"severity":"warning"}"#]],
    );
}

#[test]
fn time_and_chance_come_from_the_caller() {
    let mut worker = MISBEHAVE.worker(config());
    for _ in 0..2 {
        let report = take(&mut worker, "now\nrandom 4\nport");
        assert_eq!(
            told(report),
            ["told: 1700000000000", "told: [1, 2, 3, 4]", "told: in"]
        );
    }
}

#[test]
fn the_function_says_what_becomes_of_an_event() {
    let mut worker = MISBEHAVE.worker(config());
    for (steps, expected, retryable) in [
        (
            "invalid no order",
            FunctionFailure::Invalid("no order".into()),
            false,
        ),
        (
            "transient later",
            FunctionFailure::Transient("later".into()),
            true,
        ),
        (
            "fatal no key",
            FunctionFailure::Fatal("no key".into()),
            false,
        ),
    ] {
        let failure = failure(take(&mut worker, steps));
        assert_eq!(failure, expected);
        assert_eq!(failure.retryable(), retryable);
        assert!(
            worker.is_warm(),
            "a failure that is said leaves the instance whole"
        );
    }
}

// Instances.

#[test]
fn a_warm_instance_serves_many_events_a_fresh_one_only_one() {
    let counts = |config: WorkerConfig| {
        let mut worker = MISBEHAVE.worker(config);
        [(); 4].map(|()| {
            let report = take(&mut worker, "count");
            let started = report.cost.start_time.is_some();
            (told(report).remove(0), started)
        })
    };
    let told = |count: u32, started| (format!("told: {count}"), started);
    assert_eq!(
        counts(config()),
        [
            told(1, true),
            told(2, false),
            told(3, false),
            told(4, false)
        ]
    );
    assert_eq!(
        counts(WorkerConfig {
            fresh_per_event: true,
            ..config()
        }),
        [(); 4].map(|()| told(1, true))
    );
    assert_eq!(
        counts(WorkerConfig {
            recycle_after: Some(2),
            ..config()
        }),
        [told(1, true), told(2, false), told(1, true), told(2, false)]
    );
}

#[test]
fn a_cooled_worker_starts_again() {
    let mut worker = MISBEHAVE.worker(config());
    take(&mut worker, "count");
    worker.cool_down();
    assert_recovered(&mut worker);
}

#[test]
fn workers_can_move_to_other_threads() {
    let mut worker = MISBEHAVE.worker(config());
    take(&mut worker, "count");
    let report = std::thread::spawn(move || take(&mut worker, "count"))
        .join()
        .expect("the thread ends");
    assert_eq!(told(report), ["told: 2"]);
}

#[test]
fn a_full_pool_says_so() {
    let host = FunctionHost::new(HostConfig {
        instances_max: 1,
        ..HostConfig::default()
    })
    .expect("the host starts");
    if !host.pooling() {
        return; // nothing is pooled, so nothing can be full
    }
    let function = host
        .load_file(&in_project("runtime/tests/fixtures/misbehave.wasm"))
        .expect("it loads");
    let (mut first, mut second) = (function.worker(config()), function.worker(config()));
    take(&mut first, "count");
    let failure = failure(take(&mut second, "count"));
    assert_eq!(failure.kind(), "no_room");
    assert!(failure.retryable());
    drop(first);
    assert_recovered(&mut second);
}

// Limits.
