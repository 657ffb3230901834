//! What a function remembers from one event to the next.

use super::*;

#[test]
fn a_call_reads_its_own_writes_and_returns_them() {
    let mut world = Still {
        state: [("old".into(), b"1".to_vec())].into(),
        ..Still::default()
    };
    let mut worker = MISBEHAVE.worker(config());
    let steps = "get old\nput new 2\nget new\ndelete old\nget old\nget none";
    let report = handle_in(&mut world, &mut worker, FunctionPayload::Text(steps.into()));
    let outcome = report.outcome.expect("the function handles the event");
    let told: Vec<_> = outcome
        .emitted
        .iter()
        .map(|emitted| text(&emitted.event))
        .collect();
    assert_eq!(
        told,
        [
            r#"Ok(Some(Ok("1")))"#,
            "Ok(())",
            r#"Ok(Some(Ok("2")))"#,
            "Ok(())",
            "Ok(None)",
            "Ok(None)"
        ]
    );
    let put = StateChange::Put {
        value: b"2".to_vec(),
        ttl_millis: None,
    };
    assert_eq!(
        outcome.state_writes,
        [
            StateWrite {
                key: "new".into(),
                change: put
            },
            StateWrite {
                key: "old".into(),
                change: StateChange::Delete
            }
        ]
    );
    assert_eq!(
        told_in(&mut world, &mut worker, "get old"),
        r#"Ok(Some(Ok("1")))"#,
        "nothing is committed here"
    );
}

fn told_in(world: &mut Still, worker: &mut FunctionWorker, steps: &str) -> String {
    let report = handle_in(world, worker, FunctionPayload::Text(steps.into()));
    let outcome = report.outcome.expect("the function handles the event");
    text(&outcome.emitted[0].event).to_owned()
}

#[test]
fn state_that_is_down_or_full_is_told_to_the_function() {
    let mut worker = MISBEHAVE.worker(limited(|limits| limits.state_bytes_max = 100));
    let mut down = Still {
        state_is_down: true,
        ..Still::default()
    };
    assert_eq!(
        told_in(&mut down, &mut worker, "get old"),
        r#"Err(StateError::Unavailable("the store is locked"))"#
    );
    assert_eq!(
        told(take(&mut worker, "write 200")),
        ["told: Err(StateError::Quota(100))"]
    );
}

#[test]
fn a_failed_call_leaves_nothing_behind() {
    let mut worker = MISBEHAVE.worker(config());
    for end in ["invalid so", "transient so", "fatal so", "panic so"] {
        let report = take(&mut worker, &format!("emit ok lost\nput lost 1\n{end}"));
        assert!(report.outcome.is_err());
        let next = take(&mut worker, "get lost")
            .outcome
            .expect("the function handles the event");
        assert_eq!(next.emitted.len(), 1);
        assert_eq!(text(&next.emitted[0].event), "Ok(None)");
        assert_eq!(next.state_writes, []);
    }
}

// Loading.
