//! Scripts: JavaScript or TypeScript that stands in the flow itself.

use graph_model::catalog::{
    Behaviour, CodeLanguage, Family, FieldSpec, FieldType, KindSpec, PortSpec,
};
use runtime_protocol::Problem;

use super::fields::{limit_fields, outside_fields};
use super::node::Sandboxed;
use super::typescript::strip_types;
use super::{requests, secrets};
use crate::catalog::with_reliability;
use crate::kind::{Build, Kind, Make};
use crate::operator::Operator;

/// The component that runs scripts; built from `runtime/script`.
const COMPONENT: &[u8] = include_bytes!("../../script/script.wasm");
/// The same for scripts that reach outside: what a component imports is what it may use.
const CONNECTED: &[u8] = include_bytes!("../../script/script-connected.wasm");

/// Fields that list what a script reaches.
const OUTSIDE: [&str; 2] = [secrets::FIELD, requests::FIELD];

/// The kind's name.
pub(super) const ID: &str = "script";

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Operator(make),
    }
}

fn make(build: &Build) -> Result<Box<dyn Operator>, Problem> {
    Ok(Box::new(sandboxed(build, true)?))
}

pub(super) fn sandboxed(build: &Build, live: bool) -> Result<Sandboxed, Problem> {
    let script = strip_types(&build.text("script")?)
        .map_err(|error| build.problem(format!("`script`: {error}")))?;
    let reaches = OUTSIDE.iter().any(|field| !build.texts(field).is_empty());
    let component = if reaches { CONNECTED } else { COMPONENT };
    let function = build.shared.functions.built_in(component);
    let function =
        function.map_err(|error| build.problem(format!("scripts cannot run: {error}")))?;
    let first = build.texts("ports").into_iter().next().unwrap_or_default();
    let given = [
        ("script".to_owned(), script),
        ("first_port".to_owned(), first.to_string()),
    ];
    Sandboxed::new(build, function, given, live)
}

fn spec() -> KindSpec {
    KindSpec {
        id: ID.into(),
        family: Family::Function,
        title: "Script".into(),
        summary: "Runs your JavaScript or TypeScript on each event, in a sandbox.".into(),
        doc: "The body of a function that sees `event` and returns the data of an event for the first port, or nothing. `emit(port, data)` sends more, `state.get`, `put` and `delete` remember, `config.get` reads the settings, `console.log` writes to the log; `throw invalid(reason)` gives the event up, `throw retry(reason)` tries it again. Types of TypeScript are taken out. What a script sends is released when it ends; when it throws, nothing of it is kept, and the event is given up with the line. `secrets.get` reads the secrets that the node lists, and `request(url, { method, headers, body })` asks the hosts that it lists and waits for the answer: `status`, `headers`, `text()`, `json()`. It reaches nothing but what is named here: no files, no timers; `Date` and `Math.random` come from the run, so that a replay does the same. What it remembers with `state` is kept for each partition, at most 64 MiB, in the folder `.weir` of the project, and outlives the run; nothing else is left from one event to the next.".into(),
        icon: "script".into(),
        inputs: vec![PortSpec::data("in", "Events to handle")],
        outputs: vec![PortSpec::each("ports", "Events that the script sends here"), PortSpec::failed("Events that were given up, with their cause")],
        config: with_reliability([vec![FieldSpec::new("script", "Script", FieldType::Code { language: CodeLanguage::TypeScript }, "Such as `return { ...event.data, tax: event.data.total * 0.22 }`").default_to("return event.data").required(), FieldSpec::new("ports", "Ports", FieldType::Texts, "Names of its output ports; what is returned leaves by the first").default_to(vec!["out".into()]), FieldSpec::new("config", "Configuration", FieldType::Table, "What the script reads with `config.get`"), FieldSpec::new("output_type", "Output type", FieldType::EventType, "Type of what it sends; what does not have its shape is refused"), FieldSpec::new("port_types", "Types by port", FieldType::EventTypes, "Types of what single ports send, such as `rejected` to `refusal`; the others send the output type").advanced()], outside_fields(), limit_fields()].concat()),
        behaviour: Behaviour::Opaque { ty: Some("output_type".into()), types: Some("port_types".into()), uses: Some("may_use".into()), fresh: Some("fresh".into()), hosts: Some("hosts".into()) },
        resource: None,
        since: "0.1.0".into(),
    }
}

#[cfg(test)]
mod tests {
    use graph_model::value;
    use graph_model::value::Value;

    use crate::operators::testing::Bench;
    use crate::shared::Shared;

    fn run(script: &str, data: Value) -> Vec<String> {
        Bench::new(
            "script",
            value!({"script": script, "ports": ["out", "other"]}),
        )
        .feed(data)
    }

    #[test]
    fn what_a_script_returns_or_emits_leaves_by_its_ports() {
        for (script, line) in [
            (
                "return { ...event.data, tax: event.data.total * 0.25 }",
                r#"out {"tax":2,"total":8}"#,
            ),
            ("const n: number = event.data.total; return n + 1", "out 9"),
            (
                "emit('other', [event.id, event.type]); return",
                r#"other ["e1","test"]"#,
            ),
            ("return", ""),
            ("return null", ""),
            ("emit('out', 1); emit('out', 2)", "out 1 | out 2"),
            (
                "state.put('n', (state.get('n') ?? 0) + 1); return state.get('n')",
                "out 1",
            ),
            (
                "state.put('ü', {a: 'grüße 🎈'}); return state.get('ü')",
                r#"out {"a":"grüße 🎈"}"#,
            ),
            ("return config.get('nothing') === undefined", "out true"),
            (
                "return typeof Date.now() + typeof Math.random()",
                r#"out "numbernumber""#,
            ),
            (
                "return new Date() instanceof Date && new Date(0).toISOString()",
                r#"out "1970-01-01T00:00:00.000Z""#,
            ),
            (
                "return Array.from({length: 3}, () => Math.random()).every((x) => x >= 0 && x < 1)",
                "out true",
            ),
            (
                "return [typeof fetch, typeof require, typeof process, typeof setTimeout]",
                r#"out ["undefined","undefined","undefined","undefined"]"#,
            ),
            (
                "let told; try { secrets.get('TOKEN') } catch (error) { told = error.message } return told",
                "out \"the node lists no secret `TOKEN`; name it in `secrets`\"",
            ),
            (
                "let told; try { request('http://x') } catch (error) { told = error.message } return told",
                "out \"the node lists no host of http://x; name it in `hosts`\"",
            ),
        ] {
            assert_eq!(
                run(script, value!({"total": 8})).join(" | "),
                line,
                "{script}"
            );
        }
    }

    #[test]
    fn what_goes_wrong_has_its_line() {
        for (script, line) in [
            (
                "\n\nreturn event.data.a.b",
                "failed Invalid: the function refused the event: line 3:",
            ),
            (
                "throw invalid('no total')",
                "failed Invalid: the function refused the event: no total",
            ),
            (
                "throw retry('later')",
                "failed Transient: the function asks to try again later: later",
            ),
            (
                "throw fatal('never')",
                "failed Fatal: the function cannot work: never",
            ),
            (
                "emit('nowhere', 1)",
                "failed Invalid: the function refused the event: line 1",
            ),
            (
                "throw 7",
                "failed Invalid: the function refused the event: 7",
            ),
            (
                "return 10n",
                "failed Invalid: the function refused the event:",
            ),
            (
                "total = 1",
                "failed Invalid: the function refused the event: line 1",
            ),
        ] {
            let said = run(script, value!({"total": 8})).join(" | ");
            assert!(said.starts_with(line), "{script}: {said}");
        }
        let refused = Bench::refusal("script", value!({"script": "const a = 1\nreturn a +"}));
        assert!(refused.starts_with("`script`: line 2:11: "), "{refused}");
    }

    #[test]
    fn a_script_may_use_what_its_node_grants() {
        let with = |script: &str, may_use: &[&str]| {
            let may_use: Value = may_use.iter().map(|name| Value::str(*name)).collect();
            value!({"script": script, "may_use": may_use})
        };
        let bare = ["output", "config"];
        for (script, line) in [
            ("return event.data", r#"out {"total":8}"#),
            (
                "state.put('n', 1); return 1",
                "failed Invalid: asked for `state`, which the node does not let it use; add it to may_use, or do without it",
            ),
            (
                "return Date.now()",
                "failed Invalid: asked for `clock`, which the node does not let it use; add it to may_use, or do without it",
            ),
            (
                "return Math.random()",
                "failed Invalid: asked for `random`, which the node does not let it use; add it to may_use, or do without it",
            ),
        ] {
            let said = Bench::new("script", with(script, &bare)).feed(value!({"total": 8}));
            assert_eq!(said.join(" | "), line, "{script}");
        }
        assert_eq!(
            Bench::refusal("script", with("return", &["files"])),
            "`may_use`: there is nothing called `files`; choose among clock, config, http, logging, output, random, secrets, state"
        );
    }

    #[test]
    fn nothing_but_its_state_outlives_a_call() {
        for script in [
            "globalThis.n = 1",
            "Array.prototype.n = 1",
            "Object.getPrototypeOf(event.data).n = 1",
            "state.n = 1",
            "emit.n = 1",
            "Math.n = 1",
            "Date.prototype.n = 1",
            "invalid('x').constructor.prototype.n = 1",
            "(function*(){})().__proto__.__proto__.n = 1",
        ] {
            let said = run(script, value!({"total": 8})).join("");
            assert!(said.contains("TypeError"), "{script}: {said}");
        }
    }

    #[test]
    fn memory_stays_flat_over_many_events() {
        let script = "const all = Array.from({length: 50}, (_, n) => ({n, text: 'x'.repeat(n)}));
            state.put('last', all.length);
            return { ...event.data, all: all.length, at: Date.now(), drawn: Math.random() };";
        let shared = Shared::default();
        let config = value!({"script": script});
        let mut bench = Bench::sharing("script", config, &shared);
        let mut peak = |events: u64| {
            for _ in 0..events {
                bench.feed(value!({"total": 8}));
            }
            let costs = shared.costs(&"node".into()).told().expect("it was called");
            assert_eq!(costs.failed, 0);
            (costs.first.count + costs.warm.count, costs.peak_bytes)
        };
        let (_, begun) = peak(2_000);
        let events = std::env::var("WEIR_EVENTS").ok();
        let events = events.map_or(8_000, |events| events.parse().expect("a number"));
        let (count, ended) = peak(events);
        assert_eq!((count, ended), (2_000 + events, begun));
    }
}
