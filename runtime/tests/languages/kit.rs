//! Functions that are made anew, and sources that do not compile.

use std::fs;

use function_kit::{ALL, Build, Error, Progress};
use runtime::functions::host::{FunctionEvent, FunctionFailure, FunctionPayload};
use serde_json::json;

use crate::answers::read;
use crate::building::{build, results};
use crate::calling::{handle, json_event, worker};

#[test]
fn a_new_function_is_built_and_runs_in_every_language() {
    for language in ALL {
        if let Err(missing) = (language.look)() {
            eprintln!("LEFT OUT: functions in {}: {missing}", language.title);
            continue;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let name = format!("greet-{}", language.id);
        function_kit::new(folder.path(), &name, language.id).expect("made");
        let component = build(folder.path(), &folder.path().join("made.wasm"));
        assert_eq!(
            component.names, [""; 0],
            "{}: places of this machine",
            language.id
        );
        let mut worker = worker(&component.component, &[("by", "the \u{e9}cole")]);

        let event = json_event(r#"{"orderId":"a1","total":5}"#);
        let report = handle(&mut worker, &event);
        let outcome = report.outcome.expect("it is handled");
        let [sent] = outcome.emitted.as_slice() else {
            panic!("{:?}", outcome.emitted)
        };
        let expected = json!({"orderId": "a1", "total": 5, "handledBy": "the \u{e9}cole"});
        assert_eq!(read(&sent.event), expected, "{}", language.id);
        assert_eq!(
            (sent.port.as_str(), sent.event.type_.as_str()),
            ("ok", "order")
        );
        assert_eq!(sent.event.extensions, event.extensions);
        assert_ne!(
            sent.event.id, event.id,
            "{}: the host makes a new one",
            language.id
        );

        let text = FunctionEvent {
            data: FunctionPayload::Text("hello".into()),
            ..event
        };
        let refused = handle(&mut worker, &text).outcome.expect_err("no json");
        assert_eq!(
            refused,
            FunctionFailure::Invalid("payload is not json".into()),
            "{}",
            language.id
        );

        // Without the setting, and an object without members.
        let mut worker = self::worker(&component.component, &[]);
        let outcome = handle(&mut worker, &json_event("{}"))
            .outcome
            .expect("it is handled");
        assert_eq!(
            read(&outcome.emitted[0].event),
            json!({ "handledBy": name }),
            "{}",
            language.id
        );
    }
}

#[test]
fn a_new_function_that_takes_many_events_is_built_and_runs() {
    let language = function_kit::language("rust").expect("there is Rust");
    if let Err(missing) = (language.look)() {
        eprintln!("LEFT OUT: functions that take many events: {missing}");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    function_kit::new_batched(folder.path(), "greet-all", "rust").expect("made");
    let component = build(folder.path(), &folder.path().join("made.wasm"));
    assert_eq!(component.names, [""; 0], "places of this machine");
    let mut worker = worker(&component.component, &[("by", "me")]);
    assert!(worker.function().takes_batches());
    for (order, handled) in [
        (
            r#"{"b":1,"a":[0.5]}"#,
            json!({"a": [0.5], "b": 1, "handledBy": "me"}),
        ),
        ("{}", json!({"handledBy": "me"})),
    ] {
        let outcome = handle(&mut worker, &json_event(order)).outcome;
        let sent = outcome.expect("it is handled").emitted;
        assert_eq!((sent.len(), read(&sent[0].event)), (1, handled));
    }
    let refused = handle(&mut worker, &json_event("[1]"))
        .outcome
        .expect_err("a list");
    let FunctionFailure::Invalid(why) = refused else {
        panic!("{refused:?}")
    };
    assert!(why.starts_with("the payload does not fit: "), "{why}");
}

#[test]
fn a_source_that_does_not_compile_is_told_and_the_last_component_stays() {
    // C is quick; the others go the same way.
    let language = function_kit::language("c").expect("there is C");
    if let Err(missing) = (language.look)() {
        eprintln!("LEFT OUT: a source that does not compile: {missing}");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let made = function_kit::new(folder.path(), "tax", "c").expect("made");
    let good = build(folder.path(), &made.component());
    let source = folder.path().join(language.entry);
    let text = fs::read_to_string(&source).expect("there");
    fs::write(&source, text.replacen("return true;", "return tru;", 1)).expect("written");

    let mut lines = Vec::new();
    let ended = Build::of(folder.path())
        .expect("a function")
        .work_in(&results("c"))
        .run(&mut |progress| {
            if let Progress::Line(line) = progress {
                lines.push(line);
            }
        });
    let Err(Error::Failed { said, .. }) = ended else {
        panic!("{ended:?}")
    };
    let told = |lines: &[String]| {
        lines
            .iter()
            .any(|line| line.contains("handle.c:") && line.contains("tru"))
    };
    assert!(told(&said) && told(&lines), "{lines:?}");
    assert_eq!(
        fs::metadata(made.component()).expect("it stays").len(),
        good.bytes
    );
}
