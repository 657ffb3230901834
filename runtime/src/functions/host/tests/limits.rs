//! Where a call is stopped, and what it is told then.

use super::*;

#[test]
fn an_endless_loop_is_stopped() {
    let mut worker = MISBEHAVE.worker(limited(|limits| limits.time_millis_max = 30));
    let failure = failure(take(&mut worker, "emit ok lost\nloop"));
    let FunctionFailure::Timeout {
        limit_millis: 30,
        used,
    } = failure
    else {
        panic!("{failure:?}")
    };
    // Held loosely above: the machine may be busy.
    assert!(
        used >= Duration::from_millis(30) && used < Duration::from_secs(5),
        "{used:?}"
    );
    assert!(failure.retryable());
    assert_recovered(&mut worker);
}

#[test]
fn the_ticker_wakes_after_a_rest() {
    let mut worker = MISBEHAVE.worker(limited(|limits| limits.time_millis_max = 10));
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(failure(take(&mut worker, "loop")).kind(), "timeout");
    }
}

#[test]
fn where_instructions_are_counted_the_same_call_stops_at_the_same_place() {
    let config = HostConfig {
        metering: Metering::Instructions,
        ..HostConfig::default()
    };
    let host = FunctionHost::new(config).expect("the host starts");
    let function = host
        .load_file(&in_project("runtime/tests/fixtures/misbehave.wasm"))
        .expect("it loads");
    let mut worker = function.worker(limited(|limits| limits.instructions_max = 1_000_000));
    let mut instructions = [(); 2].map(|()| {
        worker.cool_down();
        take(&mut worker, "count")
            .cost
            .instructions
            .expect("instructions are counted")
    });
    instructions.sort_unstable();
    assert!(
        instructions[0] > 100 && instructions[0] == instructions[1],
        "{instructions:?}"
    );
    assert_eq!(
        failure(take(&mut worker, "loop")),
        FunctionFailure::OutOfInstructions { limit: 1_000_000 }
    );
    assert_recovered(&mut worker);
}

#[test]
fn eating_memory_ends_in_figures() {
    let mut worker = MISBEHAVE.worker(limited(|limits| limits.memory_bytes_max = 16 * MIB));
    let report = take(&mut worker, "eat");
    let peak_bytes = report.cost.peak_bytes;
    let failure = failure(report);
    let FunctionFailure::OutOfMemory {
        wanted,
        limit,
        peak,
        warm: false,
    } = failure
    else {
        panic!("{failure:?}")
    };
    assert!(wanted > limit && limit == 16 * MIB && peak > 14 * MIB && peak <= limit);
    assert_eq!(peak, peak_bytes);
    assert!(
        !failure.retryable(),
        "a fresh instance would fare no better"
    );
    let figures = FunctionFailure::OutOfMemory {
        wanted: 17_091_789,
        limit,
        peak: 16_671_000,
        warm: false,
    };
    assert_eq!(
        figures.to_string(),
        "wanted 16.3 MiB, limit 16 MiB, peak 15.9 MiB; raise memory_limit or hold less at a time"
    );
    assert_recovered(&mut worker);
}

#[test]
fn memory_that_does_not_even_start_is_refused() {
    let mut worker = MISBEHAVE.worker(limited(|limits| limits.memory_bytes_max = 1 << 16));
    assert_eq!(failure(take(&mut worker, "count")).kind(), "out_of_memory");
    assert!(!worker.is_warm());
}

#[test]
fn a_panic_is_a_trap_that_says_where() {
    let mut worker = MISBEHAVE.worker(config());
    take(&mut worker, "count");
    let report = take(&mut worker, "panic the cat came in");
    assert!(
        report.logs[0].message.contains("the cat came in"),
        "{:?}",
        report.logs
    );
    let failure = failure(report);
    let FunctionFailure::Trap {
        message,
        backtrace,
        warm: true,
    } = &failure
    else {
        panic!("{failure:?}")
    };
    assert_eq!(message, "wasm `unreachable` instruction executed");
    assert!(
        backtrace.iter().any(|name| name.contains("give_up")),
        "{backtrace:?}"
    );
    assert!(
        failure.retryable(),
        "what earlier events left behind may be the cause"
    );
    assert_recovered(&mut worker);
}

#[test]
fn a_panic_of_a_fresh_instance_is_not_retried() {
    let mut worker = MISBEHAVE.worker(WorkerConfig {
        fresh_per_event: true,
        ..config()
    });
    assert!(!failure(take(&mut worker, "panic")).retryable());
}

#[test]
fn endless_recursion_is_a_trap() {
    let mut worker = MISBEHAVE.worker(config());
    let failure = failure(take(&mut worker, "recurse"));
    assert_eq!(failure.kind(), "trap", "{failure}");
    assert_recovered(&mut worker);
}

#[test]
fn output_is_limited_in_number_and_bytes() {
    let mut worker = MISBEHAVE.worker(limited(|limits| {
        limits.events_max = 3;
        limits.output_bytes_max = 1_000;
    }));
    let report = told(take(&mut worker, "emit ok a\nbig 2000"));
    assert_eq!(report, ["ok: a", "told: EmitError::TooLarge(1000)"]);
    // The third place is for what the function has to tell; the rest it hears, and gives up.
    let failure = failure(take(&mut worker, "flood 10"));
    assert_eq!(failure.kind(), "trap", "{failure}");
    assert_recovered(&mut worker);

    let mut worker = MISBEHAVE.worker(config());
    assert_eq!(
        told(take(&mut worker, "flood 10"))
            .last()
            .map(String::as_str),
        Some("told: 10 sent")
    );
}

#[test]
fn an_unknown_port_is_told_to_the_function() {
    let mut worker = MISBEHAVE.worker(config());
    assert_eq!(
        told(take(&mut worker, "emit nowhere a\nemit ok b")),
        ["told: EmitError::NoSuchPort", "ok: b"]
    );
}

#[test]
fn an_event_of_the_wrong_shape_fails_the_call_also_when_the_function_goes_on() {
    let check = OutputCheck::new(|port, offered| match (port, offered) {
        ("ok", Offered::Event(event)) if text(event) == "bad" => {
            Err("it is no `word`: `/a` is missing".into())
        }
        _ => Ok(()),
    });
    let mut worker = MISBEHAVE.worker(WorkerConfig {
        check: Some(check),
        ..config()
    });
    let why = "what it sent to `ok` was refused, since it is no `word`: `/a` is missing; mend the function, or change the type of the port";
    for steps in [
        "emit ok bad\nemit ok good",
        "emit ok bad\nemit ok bad",
        "emit ok bad\ntransient later",
        "emit ok bad\npanic no event",
    ] {
        let failure = failure(take(&mut worker, steps));
        assert_eq!(
            (failure.kind(), failure.retryable()),
            ("misshapen", false),
            "{steps}"
        );
        assert_eq!(failure.to_string(), why);
        assert_eq!(told(take(&mut worker, "emit ok good")), ["ok: good"]);
    }
}

#[test]
fn what_is_not_granted_ends_the_call() {
    let granted = [Capability::Output, Capability::Clock].into();
    let mut worker = MISBEHAVE.worker(WorkerConfig {
        granted: Some(granted),
        ..config()
    });
    assert_eq!(told(take(&mut worker, "count\nnow")).len(), 2);
    for (steps, what) in [
        ("get a", Capability::State),
        ("put a b", Capability::State),
        ("delete a", Capability::State),
        ("random 4", Capability::Random),
        ("config a", Capability::Config),
        ("log 1", Capability::Logging),
    ] {
        let failure = failure(take(&mut worker, steps));
        assert_eq!(failure, FunctionFailure::NotGranted(what), "{steps}");
        assert!(!failure.retryable());
        assert!(
            failure
                .to_string()
                .starts_with(&format!("asked for `{what}`, which"))
        );
        assert_recovered(&mut worker);
    }
    let mut worker = MISBEHAVE.worker(WorkerConfig {
        granted: Some([Capability::State].into()),
        ..config()
    });
    let failure = failure(take(&mut worker, "emit ok a"));
    assert_eq!(failure, FunctionFailure::NotGranted(Capability::Output));
}

#[test]
fn log_lines_past_the_limit_are_dropped_and_counted() {
    let mut worker = MISBEHAVE.worker(limited(|limits| limits.log_lines_max = 5));
    let report = take(&mut worker, "log 8");
    assert_eq!((report.logs.len(), report.logs_dropped), (5, 3));
    assert_eq!(report.logs[4].message, "line 4");
    let mut worker = MISBEHAVE.worker(limited(|limits| limits.log_bytes_max = 12));
    assert_eq!(take(&mut worker, "log 8").logs.len(), 2);
}

#[test]
fn pestering_the_host_ends() {
    let mut worker = MISBEHAVE.worker(limited(|limits| limits.host_calls_max = 50));
    assert_eq!(
        failure(take(&mut worker, "pester")),
        FunctionFailure::TooManyHostCalls { limit: 50 }
    );
    assert_recovered(&mut worker);
}

#[test]
fn a_draw_of_chance_is_limited() {
    let mut worker = MISBEHAVE.worker(config());
    let failure = failure(take(&mut worker, "random 65537"));
    assert!(
        failure
            .to_string()
            .contains("asked for 65537 random bytes at once, limit 65536"),
        "{failure}"
    );
}

#[test]
fn text_that_is_no_utf_8_ends_the_call() {
    let bytes = fs::read(in_project("runtime/tests/fixtures/misbehave.wasm")).expect("is there");
    // The source of what it emits: the only text of its data that stands alone.
    let (good, bad) = (b"misbehavetold", b"misbehav\xfftold");
    let at = bytes.windows(good.len()).position(|at| at == good);
    let mut broken = bytes.clone();
    let at = at.expect("stands in its data");
    broken[at..at + bad.len()].copy_from_slice(bad);
    let function = HOST.load(&broken).expect("is a component all the same");
    let mut worker = function.worker(config());
    let FunctionFailure::Trap { message, .. } = failure(take(&mut worker, "count")) else {
        panic!("it ends");
    };
    assert!(message.contains("utf-8"), "{message}");
    assert!(!worker.is_warm());
    let rejected = failure(take(&mut worker, "invalid because"));
    assert_eq!(rejected, FunctionFailure::Invalid("because".into()));
}

// State, and all or nothing.
