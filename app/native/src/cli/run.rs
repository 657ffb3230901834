//! `weir run`: a flow without a window.

use std::collections::BTreeMap;
use std::future::pending;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use clap::builder::RangedU64ValueParser;
use graph_model::catalog::{Catalog, Family, PortRole};
use graph_model::document::Document;
use graph_model::id::NodeId;
use graph_model::units;
use graph_model::validate::Severity;
use runtime::engine::{Client, Engine, EngineConfig};
use runtime::world::SystemWorld;
use runtime_protocol::recording;
use runtime_protocol::{
    Answer, Command, Counters, NodeCount, Notice, Problem, RunState, Transport,
};
use serde::Serialize;
use smol_str::SmolStr;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::interrupts::Interrupts;
use super::out::Out;
use super::record::{self, Recording};
use super::{Stop, Verdict, check};
use desk::control::Control;
use desk::flow_file::{self, FlowFile};

/// How often troubles are shown and progress is renewed.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Events of a recording, when nobody says how many: what the designer keeps in view.
const RECORD_MAX: u32 = 10_000;
/// How long the end waits for the last events to be recorded: a few looks of the engine at its taps.
const RECORD_REST: Duration = Duration::from_millis(150);
/// Different problems that the answer lists; further ones are only shown.
const PROBLEMS_MAX: usize = 100;

/// Run a flow without a window
///
/// Runs until it is interrupted, and then finishes what is under way; a second interrupt ends it at
/// once. Exits with 0 when all went as the flow says, with 1 when something did not: an event was
/// given up where no wire leads it on (it is kept in `.weir/dead-letters.jsonl`), a node reported a
/// problem, `--for` ran out before `--until-idle`, the end was forced, or a recording could not be
/// written to its end.
#[derive(Args)]
pub(super) struct Run {
    /// The flow, or the folder of one
    #[arg(value_name = "FILE|FOLDER")]
    place: PathBuf,
    /// End when every source has ended or caught up and nothing is under way
    #[arg(long)]
    until_idle: bool,
    /// End after this long, such as `30s` or `5m`
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    time: Option<Duration>,
    /// Answer in JSON lines, `started` and `ended`; `weir schema run` describes them
    #[arg(long)]
    json: bool,
    /// Write what is seen to FILE (`NAME.run.jsonl`), for the designer to play without an engine
    #[arg(long, value_name = "FILE", value_parser = record::path)]
    record: Option<PathBuf>,
    /// Record this many events at most
    #[arg(long, value_name = "EVENTS", requires = "record", default_value_t = RECORD_MAX,
        value_parser = RangedU64ValueParser::<u32>::new().range(0..=recording::EVENTS_MAX as u64))]
    record_max: u32,
}

/// The lines of the answer for programs.
#[derive(Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
enum Said<'r> {
    Started {
        version: u32,
        listening: &'r BTreeMap<NodeId, SmolStr>,
    },
    Ended(&'r End),
}

/// How a run ended.
#[derive(Serialize)]
struct End {
    version: u32,
    reason: Reason,
    /// Whether everything under way was finished.
    drained: bool,
    /// Events that were given up, over all nodes.
    given_up: u64,
    /// Those of them that no wire led on.
    unwired: u64,
    problems: Vec<Reported>,
    counters: Counters,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Reason {
    Idle,
    Time,
    Interrupted,
    /// Somebody else stopped it.
    Stopped,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Reported {
    node: Option<NodeId>,
    message: String,
    times: u64,
}

fn duration(text: &str) -> Result<Duration, String> {
    units::parse_duration(text).ok_or_else(|| "write it like `30s`, `5m` or `1h`".to_owned())
}

impl Run {
    pub(super) fn run(self, out: &Out) -> Result<Verdict, Stop> {
        let flow = flow_file::read(&self.place)?;
        let engine = Engine::new(EngineConfig {
            project: flow.project.clone(),
            world: Arc::new(SystemWorld::new()),
        });
        let engine = Arc::new(engine?);
        if self.json {
            engine.shared().print_to(std::io::stderr());
        } else {
            engine.shared().print_to(std::io::stdout());
        }
        let lines = Arc::clone(&engine);
        let connect = move || Box::new(lines.connect()) as Box<dyn Transport + Send>;
        let control = Control::open(&flow.project, Arc::new(connect))
            .map_err(|error| Stop::because(error.to_string()))?;
        let recording = self
            .record
            .as_deref()
            .map(|path| Recording::begin(path, self.record_max as usize, &flow, engine.connect()));
        let recording = recording.transpose()?;
        let end = engine.block_on(self.drive(&engine, &flow, out));
        drop(control);
        let recorded = recording.map(Recording::end).transpose();
        let end = end?;
        if self.json {
            out.json(&Said::Ended(&end))?;
        } else {
            out.text(table(&end.counters))?;
        }
        if end.unwired > 0 {
            out.trouble(format_args!(
                "{} events were given up where no wire leads them on; look at {}",
                end.unwired,
                flow.project.join(".weir/dead-letters.jsonl").display()
            ));
        }
        match recorded {
            Ok(said) => {
                if let Some(said) = said {
                    out.note(format_args!("{said}"));
                }
                Ok(self.verdict(&end))
            }
            Err(problem) => {
                out.trouble(&problem);
                Ok(Verdict::Found)
            }
        }
    }

    async fn drive(&self, engine: &Engine, flow: &FlowFile, out: &Out) -> Result<End, Stop> {
        let mut interrupts = Interrupts::new()
            .map_err(|error| Stop::because(format!("signals cannot be heard: {error}")))?;
        let mut watch = Watch::new(engine.connect());
        let deploy = Command::Deploy {
            flow: flow.text.clone(),
        };
        engine.call(deploy).await?;
        let started = engine.call(Command::Start).await?;
        self.tell_start(&started, flow, out)?;

        let idle = async {
            if self.until_idle {
                engine.idle().await;
            } else {
                pending::<()>().await;
            }
        };
        let time = async {
            match self.time {
                Some(time) => sleep(time).await,
                None => pending().await,
            }
        };
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Skip);
        tokio::pin!(idle, time);
        let reason = loop {
            tokio::select! {
                () = interrupts.next() => break Reason::Interrupted,
                () = &mut idle => break if watch.look(out) == RunState::Stopped { Reason::Stopped } else { Reason::Idle },
                () = &mut time => break Reason::Time,
                _ = look.tick() => {
                    if watch.look(out) == RunState::Stopped {
                        break Reason::Stopped;
                    }
                    watch.show_progress(flow, out);
                }
            }
        };

        if self.record.is_some() {
            sleep(RECORD_REST).await;
        }
        let stop = engine.call(Command::Stop);
        tokio::pin!(stop);
        let mut drained = true;
        loop {
            tokio::select! {
                stopped = &mut stop => break drop(stopped?),
                () = interrupts.next() => {
                    drained = false;
                    engine.call(Command::Stop).await?;
                }
                _ = look.tick() => {
                    watch.look(out);
                    watch.show_draining(out);
                }
            }
        }
        watch.look(out);
        Ok(watch.end(reason, drained, &flow.document))
    }

    fn tell_start(&self, started: &Answer, flow: &FlowFile, out: &Out) -> Result<(), Stop> {
        let nowhere = BTreeMap::new();
        let listening = match started {
            Answer::Deployed { addresses, .. } => addresses,
            _ => &nowhere,
        };
        if self.json {
            out.json(&Said::Started {
                version: 1,
                listening,
            })?;
        }
        for (node, address) in listening {
            out.note(format_args!("{node} listens on {address}"));
        }
        let errors = check::report(flow, None).count(Severity::Error);
        if errors > 0 {
            out.note(format_args!(
                "the design has errors ({errors}): weir check {}",
                self.place.display()
            ));
        }
        Ok(())
    }

    fn verdict(&self, end: &End) -> Verdict {
        let in_time = !self.until_idle || end.reason != Reason::Time;
        if in_time && end.drained && end.unwired == 0 && end.problems.is_empty() {
            Verdict::Well
        } else {
            Verdict::Found
        }
    }
}

/// What the engine tells on its own.
struct Watch {
    line: Client,
    state: RunState,
    /// The state before it ran is of no interest.
    ran: bool,
    counters: Counters,
    problems: Vec<Reported>,
    stopping: Option<Instant>,
}

impl Watch {
    fn new(line: Client) -> Watch {
        Watch {
            line,
            state: RunState::Running,
            ran: false,
            counters: Counters::default(),
            problems: Vec::new(),
            stopping: None,
        }
    }

    /// Takes in what came, and shows problems.
    fn look(&mut self, out: &Out) -> RunState {
        for notice in self.line.poll() {
            match notice {
                Notice::State { state } => {
                    self.ran |= state != RunState::Stopped;
                    if self.ran {
                        self.state = state;
                    }
                }
                Notice::Counters { counters } => self.counters = counters,
                Notice::Trouble { problem } => {
                    out.trouble(&problem);
                    self.report(problem);
                }
                Notice::Logged { lines, skipped } => out.logged(&lines, skipped),
                Notice::Reply { .. } | Notice::Observed { .. } | Notice::Deployed => {}
            }
        }
        self.state
    }

    fn report(&mut self, problem: Problem) {
        let Problem { message, node } = problem;
        let known = self
            .problems
            .iter_mut()
            .find(|known| known.message == message && known.node == node);
        if let Some(known) = known {
            known.times += 1;
        } else if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(Reported {
                node,
                message,
                times: 1,
            });
        }
    }

    fn show_progress(&self, flow: &FlowFile, out: &Out) {
        if !out.watched() {
            return;
        }
        let catalog = Catalog::bundled();
        let is_source = |id: &NodeId| {
            let node = flow.document.nodes.get(id);
            let kind = node.and_then(|node| catalog.get(&node.kind));
            kind.is_some_and(|kind| kind.family == Family::Source)
        };
        let nodes = || self.counters.nodes.iter();
        let came: u64 = nodes()
            .filter(|(id, _)| is_source(id))
            .map(|(_, count)| count.received)
            .sum();
        let failed: u64 = nodes().map(|(_, count)| count.failed).sum();
        out.progress(format_args!(
            "running {} s: {came} events came in, {} wait, {failed} attempts failed",
            self.counters.at_ms / 1000,
            self.waiting()
        ));
    }

    fn show_draining(&mut self, out: &Out) {
        let since = *self.stopping.get_or_insert_with(Instant::now);
        if since.elapsed() > Duration::from_secs(1) {
            out.progress(format_args!(
                "finishing {} events; interrupt again to end at once",
                self.waiting()
            ));
        }
    }

    fn waiting(&self) -> u64 {
        let on_edges = self.counters.edges.values().map(|count| count.waiting);
        let in_nodes = self.counters.nodes.values().map(|count| count.held);
        on_edges.chain(in_nodes).sum()
    }

    fn end(self, reason: Reason, drained: bool, document: &Document) -> End {
        let given_up = self.counters.nodes.values().map(|count| count.dead).sum();
        let unwired = self
            .counters
            .nodes
            .iter()
            .filter(|(id, _)| !leads_failed_on(document, id))
            .map(|(_, count)| count.dead)
            .sum();
        End {
            version: 1,
            reason,
            drained,
            given_up,
            unwired,
            problems: self.problems,
            counters: self.counters,
        }
    }
}

/// Whether a wire takes the events on that this node gives up.
fn leads_failed_on(document: &Document, id: &NodeId) -> bool {
    let Some(node) = document.nodes.get(id) else {
        return false;
    };
    let outputs = Catalog::bundled()
        .get(&node.kind)
        .map(|kind| kind.outputs_of(node))
        .unwrap_or_default();
    outputs
        .iter()
        .filter(|port| port.role == PortRole::Failed)
        .any(|port| {
            document
                .edges
                .values()
                .any(|edge| edge.from.node == *id && edge.from.port == port.name)
        })
}

/// The counters of the nodes, for people.
fn table(counters: &Counters) -> String {
    type Column = (&'static str, fn(&NodeCount) -> u64);
    const COLUMNS: [Column; 6] = [
        ("received", |count| count.received),
        ("sent", |count| count.sent),
        ("failed", |count| count.failed),
        ("retried", |count| count.retried),
        ("given up", |count| count.dead),
        ("refused", |count| count.refused),
    ];
    let names = counters.nodes.keys().map(|id| id.as_str().chars().count());
    let width = names.max().unwrap_or(0).max(4);
    let row = |name: &str, cells: [String; COLUMNS.len()]| {
        let cells = cells.map(|cell| format!("  {cell:>9}")).concat();
        format!("{name:<width$}{cells}\n")
    };
    let head = row("node", COLUMNS.map(|(title, _)| title.to_owned()));
    let rows = counters
        .nodes
        .iter()
        .map(|(id, count)| row(id.as_str(), COLUMNS.map(|(_, of)| of(count).to_string())));
    std::iter::once(head).chain(rows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(dead: &str, more: impl FnOnce(&mut Watch)) -> End {
        let text = r#"{"version": 1,
            "nodes": {"a": {"kind": "map"}, "b": {"kind": "map"}, "d": {"kind": "dead_letter"}},
            "edges": {"e": {"from": "a.failed", "to": "d.in"}}}"#;
        let document = graph_model::format::open(text.as_bytes()).expect("a flow");
        let engine = Engine::new(EngineConfig {
            project: std::env::temp_dir(),
            world: Arc::new(SystemWorld::new()),
        });
        let mut watch = Watch::new(engine.expect("an engine").connect());
        let count = NodeCount {
            dead: 2,
            ..NodeCount::default()
        };
        watch.counters.nodes.insert(dead.into(), count);
        more(&mut watch);
        watch.end(Reason::Time, true, &document.document)
    }

    #[test]
    fn what_was_given_up_counts_against_a_run_only_where_no_wire_leads_it_on() {
        let run = |until_idle| Run {
            place: PathBuf::new(),
            until_idle,
            time: None,
            json: false,
            record: None,
            record_max: RECORD_MAX,
        };
        let nothing = |_: &mut Watch| {};
        let wired = ended("a", nothing);
        assert_eq!((wired.given_up, wired.unwired), (2, 0));
        assert_eq!(run(false).verdict(&wired), Verdict::Well);
        assert_eq!(run(true).verdict(&wired), Verdict::Found, "ran out of time");
        assert_eq!(ended("b", nothing).unwired, 2);
        assert_eq!(run(false).verdict(&ended("b", nothing)), Verdict::Found);
    }

    #[test]
    fn the_same_problem_is_listed_once() {
        let end = ended("a", |watch| {
            for _ in 0..3 {
                watch.report(Problem::at(&"a".into(), "the disk is full; make room"));
            }
        });
        assert_eq!(end.problems.len(), 1);
        assert_eq!(end.problems[0].times, 3);
    }

    #[test]
    fn counters_stand_in_columns() {
        let mut counters = Counters::default();
        let count = NodeCount {
            received: 12,
            refused: 3,
            ..NodeCount::default()
        };
        counters.nodes.insert("hook".into(), count);
        assert_eq!(
            table(&counters),
            "node   received       sent     failed    retried   given up    refused\n\
             hook         12          0          0          0          0          3\n"
        );
    }
}
