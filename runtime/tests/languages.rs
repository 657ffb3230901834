//! Functions in each language: what `function-kit` makes of a new folder runs in the host, and the same
//! function in four languages, and as a script, gives the same answers.
//!
//! A language whose tools are missing is left out, which is said on standard error. What is built is kept
//! in the target directory for the next time. Figures, and more or other orders:
//! `WEIR_ORDERS=100000 WEIR_SEED=7 cargo test -p runtime --test languages -- --nocapture`.

#![expect(
    clippy::print_stderr,
    reason = "what is left out, and figures for whoever runs it with --nocapture"
)]

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use function_kit::{ALL, Build, Error, Progress};
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use runtime::engine::{Engine, EngineConfig};
use runtime::functions::host::{
    Call, CallReport, CallWorld, FunctionEvent, FunctionFailure, FunctionHost, FunctionPayload,
    FunctionWorker, HostConfig, LoadedFunction, StateUnavailable, WorkerConfig,
};
use runtime::world::SystemWorld;
use runtime_protocol::{Answer as Told, Command};
use serde_json::{Value, json};

/// The text of a node, which a component of the host runs.
const SCRIPT: &str = "script";
/// The languages in which there is an `order-tax`, with its folder.
const ORDER_TAX: [(&str, &str); 5] = [
    ("rust", "order-tax"),
    ("c", "order-tax-c"),
    ("js", "order-tax-js"),
    ("python", "order-tax-py"),
    (SCRIPT, "order-tax-script"),
];
/// Orders that all of them are given.
const ORDERS: u64 = 10_000;

static HOST: LazyLock<Arc<FunctionHost>> =
    LazyLock::new(|| FunctionHost::new(HostConfig::default()).expect("the host starts"));

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

// Building.

/// A place in the target directory.
fn results(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("functions")
        .join(name)
}

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples/functions")
}

/// The component of an `order-tax`: the one that is kept, or one that is built.
fn order_tax(language: &str, folder: &str) -> Option<PathBuf> {
    static BUILT: Mutex<BTreeMap<String, Option<PathBuf>>> = Mutex::new(BTreeMap::new());
    if language == SCRIPT {
        return Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("script/script.wasm"));
    }
    // A test that failed while it held this is no reason to fail here.
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let make = || {
        let source = samples().join(folder);
        let kept = source.join(format!("{folder}.wasm"));
        if kept.is_file() {
            return Some(kept);
        }
        if let Err(missing) = (function_kit::language(language).expect("a language").look)() {
            eprintln!("LEFT OUT: {folder}: {missing}");
            return None;
        }
        Some(build(&source, &results(&format!("{folder}.wasm"))).component)
    };
    built.entry(folder.to_owned()).or_insert_with(make).clone()
}

/// Builds a function, with the tools of earlier builds in its language.
fn build(folder: &Path, output: &Path) -> function_kit::Built {
    let build = Build::of(folder).expect("a function");
    let language = build.folder().language;
    let build = build.work_in(&results(language.id)).output(output);
    let started = Instant::now();
    let mut told = Vec::new();
    loop {
        match build.run(&mut |progress| told.push(progress)) {
            Ok(built) => {
                let took = started.elapsed().as_secs_f64();
                eprintln!(
                    "{}: {} bytes, built in {took:.1} s",
                    language.title, built.bytes
                );
                return built;
            }
            // Another test builds in this language.
            Err(Error::Busy { .. }) => thread::sleep(Duration::from_millis(100)),
            Err(error) => panic!("{}: {error}\n{told:#?}", language.title),
        }
    }
}

// Calling.

/// A world in which nothing is there.
struct Empty;

impl CallWorld for Empty {
    fn now_millis(&mut self) -> u64 {
        0
    }
    fn fill_random(&mut self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
    fn state_get(&mut self, _key: &str) -> Result<Option<Vec<u8>>, StateUnavailable> {
        Ok(None)
    }
}

/// The function of a file, compiled once: an interpreter takes seconds.
fn loaded(component: &Path) -> Arc<LoadedFunction> {
    static LOADED: Mutex<BTreeMap<PathBuf, Arc<LoadedFunction>>> = Mutex::new(BTreeMap::new());
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let load = || HOST.load_file(component).expect("the host takes it");
    Arc::clone(loaded.entry(component.to_owned()).or_insert_with(load))
}

fn worker(component: &Path, settings: &[(&str, &str)]) -> FunctionWorker {
    let function = loaded(component);
    let mut config = WorkerConfig {
        name: "node".into(),
        ports: ["ok", "rejected"].map(String::from).into(),
        config: settings
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).into()))
            .collect(),
        ..WorkerConfig::default()
    };
    // Other tests run beside this one; no time limit is looked at here.
    config.limits.time_millis_max = 60_000;
    function.worker(config)
}

/// An instance of an `order-tax`. A script is given to its component as a node of that kind gives it.
fn order_tax_worker(
    language: &str,
    folder: &str,
    component: &Path,
    settings: &[(&str, &str)],
) -> FunctionWorker {
    if language != SCRIPT {
        return worker(component, settings);
    }
    let script = samples().join(folder).join("order-tax.js");
    let script = fs::read_to_string(script).expect("there");
    let given = [("script", script.as_str()), ("first_port", "ok")];
    worker(component, &[settings, &given].concat())
}

fn handle(worker: &mut FunctionWorker, event: &FunctionEvent) -> CallReport {
    worker.handle(Call {
        event,
        port: "in",
        world: &mut Empty,
    })
}

fn json_event(text: &str) -> FunctionEvent {
    FunctionEvent {
        id: "e1".into(),
        source: "test".into(),
        type_: "order".into(),
        subject: Some("a1".into()),
        time_ms: 1_700_000_000_123,
        datacontenttype: "application/json".into(),
        extensions: vec![("traceparent".into(), "00-1".into())],
        data: FunctionPayload::Json(text.into()),
    }
}

fn read(event: &FunctionEvent) -> Value {
    let FunctionPayload::Json(text) = &event.data else {
        panic!("{:?}", event.data)
    };
    values(text)
}

/// JSON whose numbers are told apart by their value alone, to the last bit: `1`, `1.0` and `1e0` are one, and a
/// whole number that is too large to be exact is the nearest one that is.
fn values(text: &str) -> Value {
    let mut value: Value =
        serde_json::from_str(&numbers_as_texts(text)).expect("a function writes JSON");
    restore(&mut value);
    value
}

/// Marks a number that became a text. No event of these tests holds it.
const NUMBER: char = '\u{f8ff}';

fn numbers_as_texts(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string_length(rest),
            '-' | '0'..='9' => rest
                .find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)))
                .unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (part, behind) = rest.split_at(length);
        if first == '-' || first.is_ascii_digit() {
            let number: f64 = part.parse().expect("a number");
            out.push_str(&format!("\"{NUMBER}{}\"", number + 0.0));
        } else {
            out.push_str(part);
        }
        rest = behind;
    }
    out
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    text.len()
}

/// Numbers that are small and whole become numbers again, so that tests can write them.
fn restore(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(restore),
        Value::Object(members) => members.values_mut().for_each(restore),
        Value::String(text) => {
            if let Some(number) = text.strip_prefix(NUMBER) {
                if let Ok(whole) = number.parse::<u32>() {
                    *value = whole.into();
                } else if number.len() < 6 {
                    *value = serde_json::from_str(number).expect("a number");
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What came of an order, as far as languages have to agree: not the words of their parsers.
#[derive(Debug, Clone, PartialEq)]
enum Answer {
    Sent {
        port: String,
        event: Box<FunctionEvent>,
        data: Value,
        /// What each line says, and its fields.
        logs: Vec<(String, String)>,
    },
    Refused(String),
}

/// Why an event is refused of which a script sees the JSON value only, whatever it is.
const UNREADABLE: [&str; 3] = [
    "payload is not json; send the order as a json object",
    "payload is not a json object",
    "SyntaxError",
];

impl Answer {
    fn sort(&self) -> usize {
        match self {
            Answer::Sent { port, .. } => usize::from(port != "ok"),
            Answer::Refused(_) => 2,
        }
    }

    /// The answer, as far as a script can give it: its events name no source, its lines have no fields, and it
    /// is not told whether a payload is a text or the JSON of a text, nor called for JSON that cannot be read.
    fn as_by_script(&self) -> Answer {
        match self.clone() {
            Answer::Refused(why) if UNREADABLE.contains(&why.as_str()) => {
                Answer::Refused(UNREADABLE[0].into())
            }
            Answer::Sent {
                port,
                mut event,
                data,
                mut logs,
            } => {
                event.source.clear();
                for (_, fields) in &mut logs {
                    fields.clear();
                }
                Answer::Sent {
                    port,
                    event,
                    data,
                    logs,
                }
            }
            refused @ Answer::Refused(_) => refused,
        }
    }
}

fn answer(report: CallReport) -> Answer {
    let logs = report.logs.iter().map(|line| {
        (
            format!("{:?} {}", line.level, line.message),
            format!("{:?}", line.fields),
        )
    });
    let logs = logs.collect();
    match report.outcome {
        Ok(mut outcome) => {
            assert_eq!(outcome.emitted.len(), 1, "an order is answered once");
            let sent = outcome.emitted.remove(0);
            let data = read(&sent.event);
            let mut event = sent.event;
            event.data = FunctionPayload::None;
            Answer::Sent {
                port: sent.port,
                event: Box::new(event),
                data,
                logs,
            }
        }
        Err(FunctionFailure::Invalid(why)) => {
            let said = why.split(": ").next().unwrap_or_default();
            Answer::Refused(said.to_owned())
        }
        Err(other) => panic!("{other:?}"),
    }
}

// Orders.

struct Chance(Pcg64Mcg);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0.next_u64() % bound
    }

    fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len() as u64) as usize]
    }

    fn order(&mut self) -> FunctionEvent {
        let mut event = json_event("");
        event.data = match self.below(40) {
            0 => FunctionPayload::None,
            1 => FunctionPayload::Text("{}".into()),
            2 => FunctionPayload::Bytes(b"{}".to_vec()),
            3..8 => FunctionPayload::Json(self.of(BROKEN).into()),
            _ => FunctionPayload::Json(self.json_order()),
        };
        if self.one_in(8) {
            event.subject = None;
            event.id = self.of(TEXTS).into();
        }
        event
    }

    fn json_order(&mut self) -> String {
        let mut members = Vec::new();
        if !self.one_in(20) {
            let id = if self.one_in(6) {
                self.any(0)
            } else {
                "\"o-1\"".to_owned()
            };
            members.push(format!("\"orderId\": {id}"));
        }
        if !self.one_in(20) {
            let country = match self.below(10) {
                0 => self.any(0),
                1 => format!("\"{}\"", self.of(TEXTS_IN_JSON)),
                _ => format!("\"{}\"", self.of(&["AT", "DE", "ES", "FR", "IT", "NL"])),
            };
            members.push(format!("\"country\": {country}"));
        }
        match self.below(5) {
            0 => {}
            1 => members.push(format!("\"total\": {}", self.any(0))),
            2 => members.push(format!("\"total\": {}", self.number())),
            _ => members.push(format!("\"total\": {}", self.price())),
        }
        if self.one_in(2) {
            members.push(format!("\"items\": {}", self.items()));
        }
        if self.one_in(6) {
            // Both, and in agreement.
            let cents = self.below(1_000_000);
            let total = format!("{}.{:02}", cents / 100, cents % 100);
            members.push(format!(
                "\"total\": {total}, \"items\": [{{\"price\": {total}}}]"
            ));
        }
        for _ in 0..self.below(3) {
            members.push(format!("\"{}\": {}", self.of(TEXTS_IN_JSON), self.any(2)));
        }
        if self.one_in(50) {
            let (open, close) = ("[".repeat(100), "]".repeat(100));
            members.push(format!("\"deep\": {open}{}{close}", self.number()));
        }
        if self.one_in(10) {
            members.rotate_left(1);
        }
        let space = self.of(&["", " ", "\n\t", "\r\n"]);
        format!(
            "{space}{{{space}{}{space}}}{space}",
            members.join(&format!("{space},{space}"))
        )
    }

    fn items(&mut self) -> String {
        if self.one_in(12) {
            return self.any(2);
        }
        let items: Vec<_> = (0..self.below(5)).map(|_| self.item()).collect();
        format!("[{}]", items.join(", "))
    }

    fn item(&mut self) -> String {
        if self.one_in(25) {
            return self.any(1);
        }
        let price = if self.one_in(20) {
            self.any(0)
        } else {
            self.price()
        };
        let quantity = match self.below(20) {
            0 => format!(", \"quantity\": {}", self.any(0)),
            1 => format!(", \"quantity\": {}", self.number()),
            2..10 => String::new(),
            _ => format!(", \"quantity\": {}", self.below(9)),
        };
        let again = if self.one_in(20) {
            ", \"price\": 2.5"
        } else {
            ""
        };
        format!("{{\"price\": {price}{quantity}{again}}}")
    }

    fn price(&mut self) -> String {
        match self.below(8) {
            0 => self.number(),
            1 => format!("{}", self.below(2_000)),
            // Halves of a cent, where roundings differ.
            2 => format!("{}.{}5", self.below(100), self.below(100)),
            3 => format!("{}.{}", self.below(1_000), self.0.next_u64()),
            4 => format!("{}e-{}", self.below(1_000_000_000), self.below(12)),
            _ => format!("{}.{:02}", self.below(1_000), self.below(100)),
        }
    }

    fn number(&mut self) -> String {
        if self.one_in(2) {
            return self.of(NUMBERS).to_owned();
        }
        // Any bits there are, as long as they are a number.
        let number = f64::from_bits(self.0.next_u64());
        let number = if number.is_finite() { number } else { 0.1 };
        if self.one_in(2) {
            format!("{number:e}")
        } else {
            format!("{number}")
        }
    }

    fn any(&mut self, depth: u32) -> String {
        match self.below(if depth == 0 { 6 } else { 8 }) {
            0 => "null".to_owned(),
            1 => self.of(&["true", "false"]).to_owned(),
            2 | 3 => self.number(),
            4 | 5 => format!("\"{}\"", self.of(TEXTS_IN_JSON)),
            6 => {
                let items: Vec<_> = (0..self.below(3)).map(|_| self.any(depth - 1)).collect();
                format!("[{}]", items.join(","))
            }
            _ => {
                let mut members = Vec::new();
                for _ in 0..self.below(3) {
                    members.push(format!(
                        "\"{}\":{}",
                        self.of(TEXTS_IN_JSON),
                        self.any(depth - 1)
                    ));
                }
                format!("{{{}}}", members.join(","))
            }
        }
    }
}

/// Numbers at which readers and writers of JSON differ.
const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "-0.0",
    "0.0",
    "1.0",
    "1e0",
    "1E+2",
    "1e-2",
    "-1",
    "-0.001",
    "-0.005",
    "0.005",
    "0.015",
    "1.005",
    "2.675",
    "0.285",
    "1.115",
    "8.345",
    "0.1",
    "0.30000000000000004",
    "1e15",
    "1e16",
    "1e21",
    "1e22",
    "1e23",
    "1e-7",
    "123456789.125",
    "9007199254740991",
    "9007199254740993",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "-9223372036854775809",
    "123456789012345678901234567890",
    "1e12",
    "1000000000000.001",
    "999999999999.995",
    "1e300",
    "-1e300",
    "1.7976931348623157e308",
    "5e-324",
    "2.2250738585072011e-308",
    "2.2250738585072014e-308",
    "1e-400",
    "0.000000000000000000000000000001",
    "4.35",
    "0.49999999999999994",
    "4503599627370497.5",
];

/// Texts as JSON has them.
const TEXTS_IN_JSON: &[&str] = &[
    "",
    " ",
    "\\t\\n",
    "IT",
    "it",
    "XX",
    "a",
    "note",
    "tax",
    "taxRate",
    "reason",
    "__proto__",
    "constructor",
    "toString",
    "\\u0000",
    "a\\u0000b",
    "\\u001f\\u007f\\u0080",
    "\\\"\\\\\\/\\b\\f\\n\\r\\t",
    "é",
    "e\u{301}",
    "\u{1f600}",
    "\\ud83d\\ude00",
    "\u{feff}",
    "\u{a0}",
    "\\u2028\u{2029}",
    "日本",
    "\u{10ffff}",
    "%s%n",
    "{{name}}",
    "'",
    "orderId",
    "hasOwnProperty",
];

/// Ids of events.
const TEXTS: &[&str] = &["", "e2", "é \u{1f600}", "a\0b", "%s"];

/// What is no JSON object, although some readers think so.
const BROKEN: &[&str] = &[
    "",
    " ",
    "{",
    "}",
    "[]",
    "[1]",
    "1",
    "null",
    "true",
    "\"{}\"",
    "{}x",
    "{} {}",
    "{\"a\":1,}",
    "{,}",
    "{a:1}",
    "{'a':1}",
    "{\"a\" 1}",
    "{\"a\":01}",
    "{\"a\":+1}",
    "{\"a\":1.}",
    "{\"a\":.5}",
    "{\"a\":-}",
    "{\"a\":1e}",
    "{\"a\":0x10}",
    "{\"a\":NaN}",
    "{\"a\":Infinity}",
    "{\"a\":-Infinity}",
    "{\"a\":1e400}",
    "{\"a\":-1e400}",
    "{\"a\":\"\\x\"}",
    "{\"a\":\"\\u12\"}",
    "{\"a\":\"\t\"}",
    "{\"a\":\"\n\"}",
    "{\"a\":\"\0\"}",
    "{\"a\":\"\\ud800\"}",
    "{\"a\":\"\\udc00\"}",
    "{\"a\":\"\\ud800\\u0041\"}",
    "{\"\\ud800\":1}",
    "\u{feff}{}",
    "{\"a\":1}\u{a0}",
    "{\"a\":tru}",
    "{\"a\":True}",
    "{\"a\":None}",
    "{\"a\":[1,]}",
    "{\"a\":1}//",
    "/**/{}",
    "{\"a\":\u{663}}",
    "{\"a\":1 \"b\":2}",
    "{\"a\"",
    "{\"a\":\"",
    "\0",
    "{}\0",
    "{\"a\":00}",
    "{\"a\":-01}",
    "{\"a\":1_000}",
    "{1:2}",
];
