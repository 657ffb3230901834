//! Functions that reach outside: what they are given of it, and how long they may wait.

use super::*;

static CALLING: LazyLock<Arc<LoadedFunction>> =
    LazyLock::new(|| load("runtime/tests/fixtures/calling.wasm"));

fn one(limit: impl FnOnce(&mut Limits), steps: &str) -> CallReport {
    take(&mut CALLING.worker(limited(limit)), steps)
}

#[test]
fn it_is_the_recorded_one() {
    let built = fs::read_to_string(in_project("samples/functions/built.json"));
    let built = built.expect("the record is there");
    assert!(
        built.contains(&CALLING.info().sha256),
        "run samples/functions/build calling"
    );
}

#[test]
fn what_a_function_reaches_is_on_its_list_of_imports() {
    use Capability::{Http, Logging, Output, Secrets};
    assert_eq!(
        CALLING.info().imports,
        [Http, Logging, Output, Secrets].into()
    );
    for (capability, steps) in [(Secrets, "secret KEY"), (Http, "send GET http://listed/a")] {
        let mut worker = CALLING.worker(WorkerConfig {
            granted: Some([Logging, Output].into()),
            ..config()
        });
        let failure = failure(take(&mut worker, steps));
        assert_eq!(failure, FunctionFailure::NotGranted(capability));
    }
}

#[test]
fn only_what_is_listed_is_given() {
    let mut worker = CALLING.worker(config());
    for (step, said) in [
        ("secret KEY", "told: Ok(6)"),
        ("secret HOME", "told: Err(SecretError::NotListed)"),
        ("send GET http://listed/a", "told: 200 GET a 0"),
        ("send POST http://listed/b", "told: 200 POST b 8"),
        (
            "send GET http://elsewhere/a",
            r#"told: HttpError::NotListed("http://elsewhere/a")"#,
        ),
        (
            "hurry GET http://listed/slow/2000",
            "told: HttpError::Timeout(50)",
        ),
    ] {
        assert_eq!(told(take(&mut worker, step)), [said]);
    }
}

#[test]
fn requests_are_limited_in_number_and_bytes() {
    let twice = "send GET http://listed/a\nsend GET http://listed/b";
    assert_eq!(
        told(one(|limits| limits.requests_max = 1, twice)),
        ["told: 200 GET a 0", "told: HttpError::TooMany(1)"]
    );
    // What is told has more bytes than may leave, so that the function breaks off; the request is not sent.
    let failed = failure(one(
        |limits| limits.output_bytes_max = 7,
        "send POST http://listed/a",
    ));
    let FunctionFailure::Trap { .. } = failed else {
        panic!("{failed}");
    };
}

#[test]
fn waiting_is_no_work() {
    let steps = "send GET http://listed/slow/150\nsend GET http://listed/slow/150\nwork 1";
    let report = one(|limits| limits.time_millis_max = 100, steps);
    assert_eq!(
        told(report),
        ["told: 200 GET slow/150 0", "told: 200 GET slow/150 0"]
    );
    // What comes after it is.
    let steps = "send GET http://listed/slow/50\nwork 1000000";
    let failed = failure(one(|limits| limits.time_millis_max = 100, steps));
    assert_eq!(failed.kind(), "timeout", "{failed}");
}

#[test]
fn a_call_that_lasts_too_long_ends_whatever_it_does() {
    for steps in [
        "send GET http://listed/slow/60000",
        "send GET http://listed/slow/80\nsend GET http://listed/slow/80",
        "work 1000000",
    ] {
        let mut worker = CALLING.worker(limited(|limits| {
            limits.time_millis_max = 30_000;
            limits.wall_millis_max = 120;
        }));
        let failed = failure(take(&mut worker, steps));
        let FunctionFailure::Overdue { limit_millis, used } = &failed else {
            panic!("{steps}: {failed}");
        };
        assert_eq!(*limit_millis, 120);
        let used = used.as_millis();
        assert!((120..2_000).contains(&used), "{steps}: {used} ms");
        assert!(failed.retryable());
        let said = failed.to_string();
        assert!(said.contains("limit 120 ms; raise wall_limit"), "{said}");
        assert!(!worker.is_warm());
        assert_eq!(told(take(&mut worker, "secret KEY")), ["told: Ok(6)"]);
    }
}
