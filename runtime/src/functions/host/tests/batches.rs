//! Functions that take many events at a time: each event has its own outcome, whatever became of the others.

use graph_model::event::{Event, EventContext};
use graph_model::value::Value;
use proptest::prelude::*;

use super::*;

static BATCHED: LazyLock<Arc<LoadedFunction>> =
    LazyLock::new(|| load("runtime/tests/fixtures/batched.wasm"));

fn event(number: usize, data: Value) -> Event {
    let context = EventContext {
        id: format!("e{number}").into(),
        source: "test".into(),
        ty: "test".into(),
        ..EventContext::default()
    };
    Event {
        context: Arc::new(context),
        data,
    }
}

fn batch<'s>(steps: impl IntoIterator<Item = &'s str>) -> Batch {
    let mut batch = Batch::new("in");
    for (number, steps) in steps.into_iter().enumerate() {
        batch.add(&event(number, Value::from(steps)));
    }
    batch
}

/// What each event comes to, in words.
fn told(report: &BatchReport) -> Vec<String> {
    let answers = report.answers.iter();
    let told = answers.map(|answer| match &answer.outcome {
        Ok(sent) => {
            let sent = sent.iter();
            let sent: Vec<String> = sent
                .map(|sent| format!("{}: {}", sent.port, sent.data.to_text()))
                .collect();
            sent.join(", ")
        }
        Err(failure) => failure.to_string(),
    });
    told.collect()
}

fn of_one(worker: &mut FunctionWorker, steps: &str) -> String {
    told(&worker.handle_all(&batch([steps]))).remove(0)
}

#[test]
fn it_is_the_recorded_one() {
    let built = fs::read_to_string(in_project("samples/functions/built.json"));
    let built = built.expect("the record is there");
    let compute = load("tests/benches/functions/compute/compute.wasm");
    for function in [&*BATCHED, &compute] {
        assert!(
            built.contains(&function.info().sha256),
            "run samples/functions/build batched compute"
        );
    }
}

#[test]
fn what_it_may_use_is_what_it_imports_and_what_it_answers() {
    use Capability::{Config, Logging, Output};
    assert!(BATCHED.takes_batches() && !MISBEHAVE.takes_batches());
    assert_eq!(BATCHED.info().imports, [Config, Logging, Output].into());
    let mut worker = BATCHED.worker(WorkerConfig {
        granted: Some([Logging].into()),
        ..config()
    });
    for (steps, capability) in [("emit ok a", Output), ("setting a", Config)] {
        let report = worker.handle_all(&batch([steps]));
        let failure = report.answers[0].outcome.as_ref().expect_err("not granted");
        assert_eq!(*failure, FunctionFailure::NotGranted(capability));
    }
    assert_eq!(of_one(&mut worker, ""), "", "nothing sent, nothing used");
}

#[test]
fn events_come_whole_and_leave_whole() {
    let mut worker = BATCHED.worker(WorkerConfig {
        config: [("rate".into(), "5".into())].into(),
        ..config()
    });
    let mut batch = Batch::new("side");
    let mut all = event(
        7,
        "context\nport\nsetting rate\nnan\nother é\nemit ok a".into(),
    );
    let context = Arc::make_mut(&mut all.context);
    context.subject = Some("s".into());
    context.time_ms = 12;
    context
        .extensions
        .insert("traceparent".into(), "00-1".into());
    batch.add(&all);
    let report = worker.handle_all(&batch);
    let sent = report.answers[0].outcome.as_ref().expect("handled");
    let lines: Vec<_> = sent.iter().map(|sent| sent.data.to_json()).collect();
    assert_eq!(
        lines,
        [
            r#""Context { id: \"e7\", source: \"test\", type_: \"test\", subject: Some(\"s\"), time_ms: 12, extensions: [(\"traceparent\", \"00-1\")] }""#,
            r#""side""#,
            r#""Some(\"5\")""#,
            "[null,3,0.5]",
            r#""é""#,
            r#""a""#,
        ]
    );
    let said = sent[4].context.as_ref().expect("it says something");
    let expected = EventContext {
        id: "".into(),
        ty: "other".into(),
        subject: Some("é".into()),
        time_ms: 7,
        ..EventContext::clone(&all.context)
    };
    assert_eq!(*said, expected);
    assert_eq!(sent[5].context, None);
}

#[test]
fn each_event_of_a_batch_has_its_own_outcome() {
    let limits = |limits: &mut Limits| {
        limits.time_millis_max = 60;
        limits.memory_bytes_max = 16 * MIB;
        limits.events_max = 3;
        limits.output_bytes_max = 1_000;
        limits.log_lines_max = 5;
    };
    let good: Vec<String> = (0..64).map(|number| format!("emit ok {number}")).collect();
    let bad = [
        (
            3,
            "panic oh",
            "the function broke off: wasm `unreachable` instruction executed",
        ),
        (9, "loop", "stopped after "),
        (
            17,
            "flood 4",
            "what it sent to `ok` was refused: it sent 4 events for one, limit 3; raise events_limit or send fewer",
        ),
        (
            18,
            "big 990\nbig 8",
            "what it sent to `ok` was refused: it sent 1002 bytes for one event, limit 1000; raise output_limit or send less",
        ),
        (
            30,
            "emit ok a\ninvalid no good",
            "the function refused the event: no good",
        ),
        (
            31,
            "transient later",
            "the function asks to try again later: later",
        ),
        (32, "fatal no key", "the function cannot work: no key"),
        (
            33,
            "emit nowhere a",
            "what it sent to `nowhere` was refused: the node has no such port; name it in `ports`, or send elsewhere",
        ),
        (
            40,
            "bytes",
            "what it sent to `ok` was refused: its payload has at byte 0: bytes; send what JSON can say",
        ),
        (
            41,
            "numbers",
            "what it sent to `ok` was refused: its payload has at byte 1: a key that is no text; use texts",
        ),
        (50, "eat", "wanted 1"),
    ];
    let mut steps: Vec<&str> = good.iter().map(String::as_str).collect();
    for (number, step, _) in bad {
        steps[number] = step;
    }
    let mut worker = BATCHED.worker(limited(limits));
    let report = worker.handle_all(&batch(steps.iter().copied()));
    for (number, line) in told(&report).iter().enumerate() {
        match bad.iter().find(|(bad, ..)| *bad == number) {
            Some((_, _, why)) => assert!(line.starts_with(why), "{number}: {line}"),
            None => assert_eq!(*line, format!("ok: {number}")),
        }
    }
    // What a batch wrote to the log before it broke off is not written twice.
    let lines = report.logs.iter().map(|line| &line.message);
    let lines: Vec<_> = lines.filter(|line| line.contains("oh")).collect();
    assert_eq!(lines.len(), 1, "{:?}", report.logs);
    // The time of the batch that broke off is not lost.
    let first = report.answers[0].cost.handle_time;
    assert!(first > Duration::ZERO);

    // Without those that break off, one call does.
    let mild = steps.iter().enumerate();
    let mild = mild.filter(|(number, _)| ![3, 9, 50].contains(number));
    let mild: Vec<_> = mild.map(|(_, step)| *step).chain(["count"]).collect();
    let mut worker = BATCHED.worker(limited(limits));
    let report = worker.handle_all(&batch(mild.iter().copied()));
    assert_eq!(told(&report).pop().as_deref(), Some("told: 1"));
    let started = report
        .answers
        .iter()
        .filter(|answer| answer.cost.start_time.is_some());
    assert_eq!(started.count(), 1);
    assert_eq!(of_one(&mut worker, "count"), "told: 2");
}

#[test]
fn a_batch_uses_no_more_than_a_call_may() {
    let mut worker = BATCHED.worker(limited(|limits| {
        limits.log_lines_max = 10;
        limits.host_calls_max = 20;
    }));
    let lines = |report: &BatchReport| (report.logs.len(), report.logs_dropped);
    let report = worker.handle_all(&batch(["log 4"; 3]));
    assert_eq!(lines(&report), (12, 0), "one by one, each has its lines");
    let report = worker.handle_all(&batch(["log 4"; 8]));
    assert_eq!(lines(&report), (32, 0), "and its calls");
    let report = worker.handle_all(&batch(["log 2", "log 12", "log 2"]));
    assert_eq!(lines(&report), (14, 2));
    let report = worker.handle_all(&batch(["log 2", "log 30", "log 2"]));
    let why = told(&report).remove(1);
    assert!(
        why.starts_with("asked the host more than 20 times"),
        "{why}"
    );
    assert_eq!(
        report
            .answers
            .iter()
            .filter(|answer| answer.outcome.is_ok())
            .count(),
        2
    );
}

#[test]
fn a_trap_is_retryable_where_other_events_came_before() {
    let mut worker = BATCHED.worker(config());
    let failures = |worker: &mut FunctionWorker, steps: &[&str]| -> Vec<Option<bool>> {
        let report = worker.handle_all(&batch(steps.iter().copied()));
        let outcomes = report
            .answers
            .into_iter()
            .map(|answer| answer.outcome.err());
        outcomes
            .map(|failure| failure.map(|failure| failure.retryable()))
            .collect()
    };
    let found = failures(&mut worker, &["emit ok a", "panic", "panic", "emit ok b"]);
    assert_eq!(found, [None, Some(true), Some(false), None]);
}

#[test]
fn batches_grow_as_long_as_they_are_quick() {
    let mut worker = BATCHED.worker(limited(|limits| limits.time_millis_max = 400));
    let mut widths = Vec::new();
    for _ in 0..8 {
        widths.push(worker.batch_max());
        worker.handle_all(&batch(vec!["emit ok a"; worker.batch_max()]));
    }
    assert_eq!(widths, [1, 2, 4, 8, 16, 32, 64, 64]);
    worker.handle_all(&batch(["panic", "emit ok a"]));
    assert!(worker.batch_max() <= 2, "{}", worker.batch_max());

    let fresh = BATCHED.worker(WorkerConfig {
        fresh_per_event: true,
        ..config()
    });
    assert_eq!(fresh.batch_max(), 1);
    let mut worn = BATCHED.worker(WorkerConfig {
        recycle_after: Some(5),
        ..config()
    });
    let mut counts = Vec::new();
    while counts.len() < 12 {
        let steps = vec!["count"; worn.batch_max()];
        counts.extend(told(&worn.handle_all(&batch(steps))));
    }
    let numbers = (0..12).map(|number| format!("told: {}", number % 5 + 1));
    assert_eq!(counts[..12], numbers.collect::<Vec<_>>());
}

#[test]
fn one_event_at_a_time_is_a_batch_of_one() {
    let mut worker = BATCHED.worker(config());
    let outcome = take(&mut worker, "emit ok a\nother b")
        .outcome
        .expect("handled");
    let [first, second] = &outcome.emitted[..] else {
        panic!("{outcome:?}");
    };
    assert_eq!((first.port.as_str(), text(&first.event)), ("ok", r#""a""#));
    assert_eq!(
        (&*first.event.id, &*first.event.source),
        ("e1/node.0", "test")
    );
    assert_eq!(
        (&*second.event.id, &*second.event.type_),
        ("e1/node.1", "other")
    );
    assert_eq!(
        second.event.extensions,
        super::event(FunctionPayload::None).extensions
    );
    let report = handle_in(
        &mut Still::default(),
        &mut worker,
        FunctionPayload::Bytes(vec![1]),
    );
    assert_eq!(failure(report).kind(), "invalid");
    assert_eq!(failure(take(&mut worker, "panic oh")).kind(), "trap");
}

#[test]
fn instructions_are_counted_as_everywhere() {
    let host = FunctionHost::new(HostConfig {
        metering: Metering::Instructions,
        ..HostConfig::default()
    });
    let path = in_project("runtime/tests/fixtures/batched.wasm");
    let function = host.expect("starts").load_file(&path).expect("loads");
    let mut worker = function.worker(limited(|limits| limits.instructions_max = 1_000_000));
    let spent = |worker: &mut FunctionWorker| {
        let report = worker.handle_all(&batch(["emit ok a"]));
        report.answers[0].cost.instructions
    };
    spent(&mut worker);
    let once = spent(&mut worker);
    assert!(once.is_some_and(|spent| spent > 100), "{once:?}");
    assert_eq!(once, spent(&mut worker));
    let why = of_one(&mut worker, "loop");
    assert_eq!(why, "stopped after 1000000 instructions; do less per event");
}

/// A function that answers the same to every frame.
fn answering(answer: &str) -> Vec<u8> {
    let size = answer.len() / 3;
    component(&format!(
        r#"(component
            (core module $code
                (memory (export "memory") 1)
                (data (i32.const 0) "\10\00\00\00\{size:02x}\00\00\00")
                (data (i32.const 16) "{answer}")
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
                (func (export "handle-all") (param i32 i32) (result i32) (i32.const 0)))
            (core instance $code (instantiate $code))
            (func (export "handle-all") (param "batch" (list u8)) (result (list u8))
                (canon lift (core func $code "handle-all")
                    (memory (core memory $code "memory"))
                    (realloc (core func $code "realloc")))))"#
    ))
}

#[test]
fn an_answer_that_is_no_frame_is_told_with_its_place() {
    for (answer, why) in [
        (r"\01\01\00\00\00\00\00\00\00\00", "handled"),
        (r"", "byte 0: it ends too early"),
        (
            r"\02\01\00\00\00",
            "byte 0: a version that is not known here",
        ),
        (
            r"\01\02\00\00\00\00\00\00\00\00",
            "byte 1: another number of answers than of events",
        ),
        (
            r"\01\01\00\00\00\04",
            "byte 5: an outcome that is not known here",
        ),
        (
            r"\01\01\00\00\00\00\ff\ff\ff\ff",
            "byte 10: it ends too early",
        ),
    ] {
        let function = HOST.load(&answering(answer)).expect("it is a function");
        let mut worker = function.worker(config());
        // For two events the answer for one is none.
        for steps in [&["a"][..], &["a", "b"]] {
            let report = worker.handle_all(&batch(steps.iter().copied()));
            assert_eq!(report.answers.len(), steps.len());
            for answer in report.answers {
                match answer.outcome {
                    Ok(sent) => assert!(sent.is_empty() && why == "handled"),
                    Err(failure) => {
                        assert_eq!(
                            failure.to_string(),
                            format!(
                                "its answer to a batch is no frame, at {why}; build it again with what `weir new-function --batched` makes"
                            )
                        );
                        assert!(!failure.retryable());
                    }
                }
            }
        }
    }
}

#[test]
fn what_could_tell_one_call_from_many_takes_no_batches() {
    let with = |imports: &str, code: &str| format!("(component {imports} {code})");
    let handle_all = r#"
        (core module $code (func (export "f")))
        (core instance $code (instantiate $code))
        (func (export "handle-all") (canon lift (core func $code "f")))"#;
    let stateful = r#"(import "flow:function/clock@0.1.0" (instance)) (import "flow:function/state@0.1.0" (instance))"#;
    assert_eq!(
        refusal(&component(&with(stateful, handle_all))),
        "the function takes many events at a time and imports `clock`, `state`, by which it could tell one call from many; build it for the world `function`, or do without"
    );
    let other = refusal(&component(&with("", handle_all)));
    assert!(
        other.starts_with("the function does not fit the contract"),
        "{other}"
    );
}

/// Steps of all kinds that do not depend on what came before.
fn any_steps() -> impl Strategy<Value = String> {
    let step = prop_oneof![
        "emit (ok|told|nowhere) [a-z]{0,9}",
        "(context|port|nan|bytes|numbers)",
        "other [a-z]{0,30}",
        "(invalid|transient|fatal) [a-z]{0,9}",
        "flood [0-9]",
        "big [0-9]{1,3}",
        "log [0-9]",
        "panic [a-z]{1,3}",
    ];
    prop::collection::vec(step, 0..4).prop_map(|steps| steps.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// It makes no difference how events are cut into batches.
    #[test]
    fn a_batch_comes_to_what_its_events_come_to(
        steps in prop::collection::vec(any_steps(), 1..20),
        cut in 1..20_usize,
    ) {
        let limits = || limited(|limits| {
            limits.events_max = 6;
            limits.output_bytes_max = 700;
            limits.log_lines_max = 12;
        });
        let all: Vec<&str> = steps.iter().map(String::as_str).collect();
        let mut worker = BATCHED.worker(limits());
        let mut by_batches = Vec::new();
        let mut logged = 0;
        for part in all.chunks(cut) {
            let report = worker.handle_all(&batch(part.iter().copied()));
            logged += report.logs.len();
            by_batches.extend(told(&report));
        }
        let mut worker = BATCHED.worker(limits());
        let mut one_by_one = Vec::new();
        let mut logged_alone = 0;
        for steps in all {
            let report = worker.handle_all(&batch([steps]));
            logged_alone += report.logs.len();
            one_by_one.extend(told(&report));
        }
        // The same event has another number in another batch.
        let plain = |lines: Vec<String>| -> Vec<String> {
            lines.into_iter().map(|line| without_ids(&line)).collect()
        };
        prop_assert_eq!(plain(by_batches), plain(one_by_one));
        prop_assert_eq!(logged, logged_alone);
    }
}

fn without_ids(line: &str) -> String {
    match line.split_once("id: \"e") {
        Some((before, after)) => {
            let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{before}id: \"e{}", without_ids(after))
        }
        None => line.to_owned(),
    }
}
