//! The engine with real kinds, steered as a client steers it.

mod batched;
mod calling;
mod functions;
mod rim;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use graph_model::id::NodeId;
use graph_model::value::Value;
use graph_model::{format, value};
use runtime_protocol::{
    Answer, Command, Counters, Notice, Problem, Request, RunState, Target, Transport,
};
use tempfile::TempDir;

use super::{Engine, EngineConfig};
use crate::world::SystemWorld;

struct Bench {
    engine: Engine,
    project: TempDir,
}

/// A flow of `id: kind {config}` lines and `from.port -> to.port` lines.
fn flow(lines: &str) -> String {
    let mut nodes = value!({});
    let mut edges = value!({});
    for (number, line) in lines
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .enumerate()
    {
        if let Some((from, to)) = line.split_once(" -> ") {
            let edge = value!({"from": (from), "to": (to)});
            object(&mut edges).insert(format!("e{number}"), edge);
        } else {
            let (id, rest) = line.split_once(": ").expect("id: kind {config}");
            let (kind, config) = rest.split_once(' ').unwrap_or((rest, "{}"));
            let config = Value::parse(config.as_bytes(), 10_000).expect("config is JSON");
            object(&mut nodes).insert(id, value!({"kind": (kind), "config": (config)}));
        }
    }
    value!({"version": 1, "nodes": (nodes), "edges": (edges)}).to_json()
}

fn object(value: &mut Value) -> &mut graph_model::value::Object {
    match value {
        Value::Obj(object) => Arc::make_mut(object),
        _ => panic!("an object"),
    }
}

impl Bench {
    fn new() -> Bench {
        Bench::in_project(TempDir::new().expect("a folder"))
    }

    fn in_project(project: TempDir) -> Bench {
        let engine = Engine::new(EngineConfig {
            project: project.path().to_path_buf(),
            world: Arc::new(SystemWorld::new()),
        });
        Bench {
            engine: engine.expect("an engine"),
            project,
        }
    }

    /// Ends the engine; the project stays.
    fn end(self) -> TempDir {
        let Bench { engine, project } = self;
        drop(engine);
        project
    }

    fn start(lines: &str) -> Bench {
        let bench = Bench::new();
        bench.run(lines);
        bench
    }

    fn run(&self, lines: &str) {
        self.call(Command::Deploy { flow: flow(lines) })
            .expect("deploys");
        self.call(Command::Start).expect("starts");
    }

    /// A file of the project.
    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.project.path().join(name), text).expect("a file");
    }

    fn call(&self, command: Command) -> Result<Answer, Problem> {
        self.engine.block_on(self.engine.call(command))
    }

    fn inject(&self, source: &str, data: Value) {
        let target = Target::Source(source.into());
        let command = Command::Inject {
            target,
            data,
            ty: None,
            id: None,
        };
        self.call(command).expect("is let in");
    }

    fn idle(&self) {
        let idle =
            async { tokio::time::timeout(Duration::from_secs(20), self.engine.idle()).await };
        self.engine.block_on(idle).expect("becomes idle");
    }

    /// Waits until the view shows so many rows, and answers them.
    fn rows(&self, view: &str, count: usize) -> Vec<String> {
        for _ in 0..2_000 {
            let node = NodeId::from(view);
            let Ok(Answer::Events { events }) = self.call(Command::ReadView { node, limit: 1_000 })
            else {
                panic!("a view answers events");
            };
            if events.len() >= count {
                return events.iter().map(|event| event.data.to_json()).collect();
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        panic!("{view} never showed {count} rows: {:?}", self.counters());
    }

    fn counters(&self) -> Counters {
        match self.call(Command::ReadCounters) {
            Ok(Answer::Counters { counters }) => counters,
            other => panic!("{other:?}"),
        }
    }

    fn dead_letters(&self) -> Vec<BTreeMap<String, String>> {
        match self.call(Command::ReadDeadLetters { limit: 100 }) {
            Ok(Answer::Events { events }) => events
                .iter()
                .map(|event| {
                    let extensions = event.context.extensions.iter();
                    extensions
                        .map(|(name, text)| (name.to_string(), text.to_string()))
                        .collect()
                })
                .collect(),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn events_pass_operators_to_a_view() {
    let bench = Bench::start(
        r#"in: manual
           double: map {"expr": "{n: (.n * 2)}"}
           big: filter {"when": ".n > 3"}
           out: view
           in.out -> double.in
           double.out -> big.in
           big.out -> out.in"#,
    );
    for n in 1..=3 {
        bench.inject("in", value!({"n": n}));
        bench.idle();
    }
    assert_eq!(bench.rows("out", 2), [r#"{"n":4}"#, r#"{"n":6}"#]);
    let counters = bench.counters();
    assert_eq!(counters.nodes["double"].received, 3);
    assert_eq!(counters.nodes["big"].sent, 2);
    assert_eq!(counters.edges["e6"].passed, 2);
}

#[test]
fn windows_close_when_nothing_comes() {
    let bench = Bench::start(
        r#"in: manual
           lane: queue
           direct: aggregate {"aggregates": [{"name": "n"}], "window": "time", "size": "1h", "idle": "40ms"}
           fed: aggregate {"aggregates": [{"name": "n"}], "window": "time", "size": "1h", "idle": "40ms"}
           open: aggregate {"aggregates": [{"name": "n"}], "window": "time", "size": "1h"}
           near: view
           far: view
           never: view
           in.out -> direct.in
           in.out -> lane.in
           lane.out -> fed.in
           in.out -> open.in
           direct.out -> near.in
           fed.out -> far.in
           open.out -> never.in"#,
    );
    bench.inject("in", value!({}));
    bench.rows("near", 1);
    bench.rows("far", 1);
    assert_eq!(bench.rows("never", 0), [""; 0]);
}

#[test]
fn what_no_wire_leads_away_is_a_dead_letter_with_its_cause() {
    let bench = Bench::start(
        r#"in: manual
           number: map {"expr": ".n + 2"}
           out: view
           in.out -> number.in
           number.out -> out.in"#,
    );
    bench.inject("in", value!({"n": {}}));
    bench.idle();
    let dead = bench.dead_letters();
    assert_eq!(
        (dead.len(), dead[0]["weirfailedat"].as_str()),
        (1, "number")
    );
    assert_eq!(bench.counters().nodes["number"].dead, 1);
    let file = bench.project.path().join(".weir/dead-letters.jsonl");
    assert_eq!(
        std::fs::read_to_string(file)
            .expect("is there")
            .lines()
            .count(),
        1
    );
}

#[test]
fn a_queue_gives_up_what_is_invalid_by_its_failed_port() {
    let bench = Bench::start(
        r#"in: manual
           queue: queue {"max_attempts": 3, "backoff": "1ms"}
           sum: map {"expr": ".n + 2"}
           out: view
           dead: view
           in.out -> queue.in
           queue.out -> sum.in
           sum.out -> out.in
           queue.failed -> dead.in"#,
    );
    bench.inject("in", value!({"n": {}}));
    bench.inject("in", value!({"n": 1}));
    bench.idle();
    assert_eq!(bench.rows("dead", 1), [r#"{"n":{}}"#]);
    assert_eq!(bench.rows("out", 1), ["3"]);
    let count = bench.counters().nodes["queue"];
    assert_eq!((count.received, count.dead, count.held), (2, 1, 0));
    assert!(bench.dead_letters().is_empty(), "a wire leads it away");
}

#[test]
fn pausing_holds_events_and_steps_let_them_through_one_by_one() {
    let bench = Bench::start(
        r#"in: manual
           same: map {"expr": "."}
           out: view
           in.out -> same.in
           same.out -> out.in"#,
    );
    bench.call(Command::Pause).expect("pauses");
    bench.inject("in", value!(1));
    let step = |node: &str| {
        bench
            .call(Command::Step {
                node: Some(node.into()),
            })
            .expect("steps")
    };
    let until = |node: &str, received: u64| {
        for _ in 0..2_000 {
            if bench.counters().nodes[node].received == received {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("{node} never received {received}");
    };
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(
        bench.counters().nodes["in"].received,
        0,
        "sources wait, too"
    );
    step("in");
    until("in", 1);
    assert_eq!(bench.counters().nodes["same"].received, 0);
    step("same");
    until("same", 1);
    assert_eq!(bench.counters().nodes["out"].received, 0);
    bench.call(Command::Resume).expect("resumes");
    assert_eq!(bench.rows("out", 1), ["1"]);
}

#[test]
fn a_step_is_not_spent_on_a_channel_that_has_nothing_to_hand_out() {
    let bench = Bench::start(
        r#"in: manual
           queue: queue
           same: map {"expr": "."}
           out: view
           in.out -> queue.in
           queue.out -> same.in
           same.out -> out.in"#,
    );
    bench.call(Command::Pause).expect("pauses");
    bench.inject("in", value!(1));
    bench.inject("in", value!(2));
    let step = |node: &str| {
        bench
            .call(Command::Step {
                node: Some(node.into()),
            })
            .expect("steps")
    };
    let sent = |count: u64| {
        for _ in 0..2_000 {
            if bench.counters().nodes["queue"].sent == count {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("the queue never handed out {count}: {:?}", bench.counters());
    };
    step("in");
    step("in");
    step("queue");
    sent(1);
    // One delivery at a time: the second step has to wait for the first event.
    step("queue");
    step("same");
    step("out");
    sent(2);
}

#[test]
fn a_stop_sends_what_operators_hold_back_and_drains() {
    let bench = Bench::start(
        r#"make: generator {"count": 1000, "rate": 0, "fields": [{"name": "n", "makes": "counter"}]}
           log: log {"key": ".n", "partitions": 4}
           keep: filter {"when": ".n % 2 == 0"}
           out: export {"file": "out.jsonl", "truncate": true}
           make.out -> log.in
           log.out -> keep.in
           keep.out -> out.in"#,
    );
    bench.idle();
    bench.call(Command::Stop).expect("stops");
    let written =
        std::fs::read_to_string(bench.project.path().join("out.jsonl")).expect("is there");
    assert_eq!(written.lines().count(), 500);
    assert_eq!(*bench.engine.state().borrow(), RunState::Stopped);
}

#[test]
fn each_partition_of_two_logs_is_joined_with_its_like() {
    let bench = Bench::start(
        r#"orders: generator {"count": 600, "rate": 0, "fields": [{"name": "id", "makes": "counter"}]}
           payments: generator {"count": 600, "rate": 0, "fields": [{"name": "order", "makes": "counter"}]}
           placed: log {"key": ".id", "partitions": 3}
           paid: log {"key": ".order", "partitions": 3}
           both: join {"left_key": ".id", "right_key": ".order", "unique": "both"}
           count: fold {"step": "($state // 0) + 1"}
           where: map {"expr": "{key: ($event.id | split(\"/\")[0]), n: .state}"}
           out: export {"file": "out.jsonl", "truncate": true}
           lonely: export {"file": "lonely.jsonl", "truncate": true}
           orders.out -> placed.in
           payments.out -> paid.in
           placed.out -> both.left
           paid.out -> both.right
           both.out -> count.in
           count.out -> where.in
           where.out -> out.in
           both.unmatched -> lonely.in"#,
    );
    bench.idle();
    bench.call(Command::Stop).expect("stops");
    let read =
        |file: &str| std::fs::read_to_string(bench.project.path().join(file)).unwrap_or_default();
    assert_eq!(read("lonely.jsonl"), "", "every order met its payment");
    let mut most = BTreeMap::new();
    for line in read("out.jsonl").lines() {
        let event = Value::parse(line.as_bytes(), 10_000).expect("JSON");
        let data = event.get("data").unwrap_or(&event);
        let instance = data.get("key").map(Value::to_text).expect("an instance");
        let count = data.get("n").and_then(Value::as_i64).expect("a count");
        most.insert(instance, count);
    }
    let instances: Vec<_> = most.keys().map(|instance| &**instance).collect();
    assert_eq!(instances, ["count.0", "count.1", "count.2"]);
    assert_eq!(most.values().sum::<i64>(), 600);
}

#[test]
fn an_edit_in_mid_run_loses_and_doubles_nothing() {
    let lines = |operators: &str| {
        flow(&format!(
            r#"make: generator {{"count": 20000, "rate": 40000, "fields": [{{"name": "n", "makes": "counter"}}]}}
               queue: queue {{"concurrency": 4, "capacity": 100}}
               out: export {{"file": "out.jsonl", "truncate": true}}
               {operators}"#
        ))
    };
    let plain = lines(
        "same: map {\"expr\": \".\"}
         make.out -> queue.in
         queue.out -> same.in
         same.out -> out.in",
    );
    let longer = lines(
        "same: map {\"expr\": \".\"}
         more: map {\"expr\": \".m = 1\"}
         make.out -> more.in
         more.out -> queue.in
         queue.out -> same.in
         same.out -> out.in",
    );
    let shorter = lines("make.out -> queue.in\nqueue.out -> out.in");
    let bench = Bench::new();
    bench
        .call(Command::Deploy {
            flow: plain.clone(),
        })
        .expect("deploys");
    bench.call(Command::Start).expect("starts");
    for edit in 0..30 {
        let flow = [&longer, &shorter, &plain][edit % 3].clone();
        bench.call(Command::Deploy { flow }).expect("deploys again");
        std::thread::sleep(Duration::from_millis(7));
    }
    bench.idle();
    bench.call(Command::Stop).expect("stops");
    let written =
        std::fs::read_to_string(bench.project.path().join("out.jsonl")).expect("is there");
    let mut numbers: Vec<i64> = written
        .lines()
        .map(|line| Value::parse(line.as_bytes(), 1_000).expect("JSON"))
        .filter_map(|row| row.get("n").and_then(Value::as_i64))
        .collect();
    let lines = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(
        (numbers.len(), lines),
        (20_000, 20_000),
        "dead: {:?}",
        bench.dead_letters().first()
    );
}

#[test]
fn edits_empty_no_file_and_no_view_that_the_run_has_filled() {
    let with = |expr: &str, export: &str| {
        flow(&format!(
            "in: manual
             same: map {{\"expr\": \"{expr}\"}}
             wall: view
             in.out -> same.in
             same.out -> wall.in
             {export}"
        ))
    };
    let to = |config: &str| format!("out: export {{{config}}}\nsame.out -> out.in");
    let plain = to(r#""file": "out.jsonl", "truncate": true"#);
    let edits = [
        ("the first", with(".", &plain)),
        ("another node", with("(.)", &plain)),
        (
            "the export",
            with(
                ".",
                &to(r#""file": "out.jsonl", "truncate": true, "attempts": 5"#),
            ),
        ),
        (
            "to another file",
            with(".", &to(r#""file": "other.jsonl", "truncate": true"#)),
        ),
        ("and back", with(".", &plain)),
        ("without export", with(".", "")),
        ("undone", with(".", &plain)),
        ("truncate off", with(".", &to(r#""file": "out.jsonl""#))),
        ("truncate on", with(".", &plain)),
    ];
    let bench = Bench::new();
    let out = bench.project.path().join("out.jsonl");
    let written = || {
        let text = std::fs::read_to_string(&out).expect("is there");
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    std::fs::write(&out, "of an older run\n").expect("writes");
    let mut wanted = Vec::new();
    for (number, (edit, flow)) in edits.into_iter().enumerate() {
        bench.call(Command::Deploy { flow }).expect(edit);
        if number == 0 {
            bench.call(Command::Start).expect("starts");
        }
        bench.inject("in", value!(edit));
        bench.idle();
        if edit != "to another file" && edit != "without export" {
            wanted.push(format!("\"{edit}\""));
        }
        assert_eq!(written(), wanted, "{edit}");
        assert_eq!(bench.rows("wall", number + 1).len(), number + 1, "{edit}");
    }
    bench.call(Command::Stop).expect("stops");
    bench.call(Command::Start).expect("starts again");
    assert_eq!(written(), [""; 0], "a new run starts empty");
}

#[test]
fn a_table_recovers_when_another_program_held_its_file() {
    let bench = Bench::start(
        r#"make: generator {"count": 300, "rate": 1000, "fields": [{"name": "n", "makes": "counter"}]}
           out: table {"table": "t", "columns": {"n": ".n"}}
           make.out -> out.in"#,
    );
    let file = bench.project.path().join("data.sqlite");
    let other = rusqlite::Connection::open(file).expect("opens");
    other
        .busy_timeout(Duration::from_secs(5))
        .expect("can wait");
    other.execute_batch("BEGIN IMMEDIATE").expect("locks");
    std::thread::sleep(Duration::from_millis(300));
    other.execute_batch("COMMIT").expect("lets go");
    bench.idle();
    let rows = other.query_row("SELECT count(DISTINCT n) FROM t", [], |row| {
        row.get::<_, i64>(0)
    });
    assert_eq!(
        (rows, bench.dead_letters().len()),
        (Ok(300), 0),
        "{:?}",
        bench.dead_letters().first()
    );
}

#[test]
fn requests_keep_their_order_when_one_is_tried_again() {
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let bench = Bench::new();
    let heard = Arc::clone(&seen);
    let service = axum::Router::new().fallback(async move |body: String| {
        let mut heard = heard.lock().expect("no panic");
        heard.push(body);
        match heard.len() {
            2 | 3 => axum::http::StatusCode::SERVICE_UNAVAILABLE,
            _ => axum::http::StatusCode::OK,
        }
    });
    let address = bench.engine.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(axum::serve(listener, service).into_future());
        address
    });
    let flow = flow(&format!(
        r#"in: manual
           send: http_out {{"url": "http://{address}", "retry_pause": "1ms"}}
           in.out -> send.in"#
    ));
    bench.call(Command::Deploy { flow }).expect("deploys");
    bench.call(Command::Start).expect("starts");
    bench.call(Command::Pause).expect("pauses");
    for n in 1..=3 {
        bench.inject("in", value!(n));
    }
    bench.call(Command::Resume).expect("resumes");
    bench.idle();
    let mut seen = seen.lock().expect("no panic").clone();
    assert_eq!(seen.len(), 5, "{seen:?}");
    seen.dedup();
    assert_eq!(seen.len(), 3, "none goes past one that is tried again");
    assert!(bench.dead_letters().is_empty());
}

#[test]
fn a_client_sees_states_counters_and_tapped_events() {
    let bench = Bench::start("in: manual\nout: view\nin.out -> out.in");
    let mut client = bench.engine.connect();
    let tap = Request {
        id: 1,
        command: Command::Tap { edges: Vec::new() },
    };
    client.send(tap).expect("there is room");
    let mut seen = Vec::new();
    let mut wait_for = |what: &str, found: &dyn Fn(&Notice) -> bool| {
        for _ in 0..2_000 {
            seen.extend(client.poll());
            if seen.iter().any(found) {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("no {what} in {seen:?}");
    };
    wait_for("reply", &|notice| {
        matches!(
            notice,
            Notice::Reply {
                id: 1,
                result: Ok(_)
            }
        )
    });
    wait_for("state", &|notice| {
        matches!(
            notice,
            Notice::State {
                state: RunState::Running
            }
        )
    });
    bench.inject("in", value!({"n": 7}));
    wait_for(
        "event",
        &|notice| matches!(notice, Notice::Observed { events, .. } if events[0].event.data == value!({"n": 7})),
    );
    wait_for(
        "counters",
        &|notice| matches!(notice, Notice::Counters { counters } if counters.edges["e2"].passed == 1),
    );
}

#[test]
fn commands_at_the_wrong_time_say_what_to_do() {
    let bench = Bench::new();
    let refused = |command: Command| bench.call(command).expect_err("is refused").to_string();
    assert_eq!(
        refused(Command::Start),
        "there is no flow to start; deploy one first"
    );
    assert_eq!(
        refused(Command::Pause),
        "the flow does not run; start it first"
    );
    let broken = "{\"version\": 1,".to_owned();
    assert!(refused(Command::Deploy { flow: broken }).starts_with("the flow cannot be read: "));
    let unknown = flow("x: teleport\ny: view\nx.out -> y.in");
    assert_eq!(
        refused(Command::Deploy { flow: unknown }),
        "x: the kind `teleport` is not known; choose another"
    );
    let opened = format::open(flow("in: manual").as_bytes()).expect("opens");
    assert!(opened.notes.is_empty());
}
