//! `weir sim`: a flow on virtual time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clap::builder::RangedU64ValueParser;
use graph_model::catalog::Catalog;
use graph_model::id::NodeId;
use graph_model::units;
use graph_model::value::Value;
use runtime::oracle::{Finding, Invariants};
use runtime::simulate::{
    Admitted, Content, Fact, Fault, Latencies, Limits, Load, Outcome, Record, Scenario, Simulation,
    Sort,
};
use runtime_protocol::{Counters, Problem};
use serde::Serialize;
use smol_str::SmolStr;

use super::out::Out;
use super::{Stop, Verdict};
use desk::flow_file::{self, FlowFile};

/// Things of a store that the report shows.
const SHOWN_MAX: usize = 3;
/// Characters of each of them.
const WIDTH_MAX: usize = 100;
/// Largest line of a file of events.
const LINE_MAX: usize = 8 << 20;

/// Run a flow on virtual time, from a seed
///
/// Nothing outside is touched: sinks write to models in memory, calls to others are noted down. The same
/// seed brings the same steps on any machine. Exits with 1 when a run was cut off at a limit, when
/// what a sink says is always true was not in the end, or when two runs of a seed differed.
#[derive(Args)]
pub(super) struct Sim {
    /// The flow, or the folder of one
    #[arg(value_name = "FILE|FOLDER")]
    place: PathBuf,
    /// Start of all chance
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Run with so many seeds, from `--seed` on
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = RangedU64ValueParser::<u64>::new().range(1..))]
    seeds: u64,
    /// Virtual time after which sources take nothing in any more, such as `1h`
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = duration)]
    duration: Duration,
    /// Virtual time that an event takes from one node to the next, where it does not go on at once
    #[arg(long, value_name = "DURATION", default_value = "1ms", value_parser = duration)]
    hop: Duration,
    /// Sorts of faults that take place where the flow admits them, separated by commas, or `all`:
    /// duplicate, replay, lose, delay, late, crash, recycle, clock, partitions, slow
    #[arg(long, value_name = "SORTS", value_parser = sorts)]
    faults: Option<Sorts>,
    /// How many faults a run has, when there are any
    #[arg(long, value_name = "N", default_value_t = 3)]
    fault_count: u16,
    /// Facts that come in: a file with one JSON object a line, `source`, `data` and, if it matters, `at`
    /// (such as `2s`), `id` and `type`
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    /// Events handled in a run at most, over all nodes
    #[arg(long, value_name = "N", default_value_t = Limits::default().steps_max)]
    max_steps: u64,
    /// Leave out what identifies every step: figures and contents alone, which is several times faster
    #[arg(long)]
    no_trace: bool,
    /// Run each seed twice and compare every step
    #[arg(long, conflicts_with = "no_trace")]
    check_determinism: bool,
    /// Answer in JSON, one line a seed
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug)]
struct Sorts(Vec<Sort>);

fn sorts(text: &str) -> Result<Sorts, String> {
    if text == "all" {
        return Ok(Sorts(Sort::ALL.to_vec()));
    }
    let sorts = text.split(',').map(|name| name.trim().parse());
    sorts.collect::<Result<_, _>>().map(Sorts)
}

fn duration(text: &str) -> Result<Duration, String> {
    units::parse_duration(text).ok_or_else(|| "write it like `30s`, `5m` or `1h`".to_owned())
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The answer for programs: one run.
#[derive(Serialize)]
struct Said<'r> {
    version: u32,
    seed: u64,
    ended: String,
    complete: bool,
    /// Virtual time in microseconds.
    at_us: u64,
    steps: u64,
    /// What identifies every step, unless that was left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
    facts: u64,
    faults: BTreeMap<&'static str, u64>,
    lost: u64,
    dead_letters: usize,
    counters: &'r Counters,
    latencies_us: BTreeMap<&'r NodeId, Percentiles>,
    /// What sinks say is always true, and is not.
    broken: Vec<String>,
    /// Of nodes that take time.
    loads: BTreeMap<&'r NodeId, SaidLoad>,
    /// The most events that each channel held.
    backlogs: &'r BTreeMap<NodeId, u64>,
    stores: BTreeMap<&'r SmolStr, Value>,
    notes: Vec<String>,
}

/// How busy a node was.
#[derive(Serialize)]
struct SaidLoad {
    workers: u64,
    utilisation: f64,
    waiting_mean: f64,
    waiting_max: u64,
    wait_us: Option<Spread>,
    service_us: Option<Spread>,
}

#[derive(Serialize)]
struct Spread {
    mean: f64,
    #[serde(flatten)]
    percentiles: Percentiles,
}

#[derive(Serialize)]
struct Percentiles {
    p50: u64,
    p95: u64,
    p99: u64,
}

impl Sim {
    pub(super) fn run(self, out: &Out) -> Result<Verdict, Stop> {
        let flow = flow_file::read(&self.place)?;
        let document = Arc::new(flow.document.clone());
        let catalog = Catalog::bundled();
        let mut scenario = Scenario {
            seed: self.seed,
            facts: self.facts(&flow)?.into(),
            record: if self.no_trace {
                Record::Off
            } else {
                Record::Hash
            },
            keep_facts: !self.no_trace,
            hop_us: micros(self.hop),
            ..Scenario::default()
        };
        scenario.limits.duration_us = micros(self.duration);
        scenario.limits.steps_max = self.max_steps;
        let mut simulation = Simulation::new(&document, catalog, &flow.project, &scenario)
            .map_err(|problems| all(&problems))?;
        let admitted = self.admitted(&Fault::admitted(&document, catalog));
        // How much comes by is known from a run in which nothing goes wrong.
        let events = if admitted.is_empty() {
            0
        } else {
            simulation.run().facts_came
        };
        let invariants = Invariants::of(&document, catalog);
        let mut verdict = Verdict::Well;
        for seed in self.seed..self.seed.saturating_add(self.seeds) {
            scenario.seed = seed;
            scenario.go_wrong(&admitted, usize::from(self.fault_count), events);
            simulation
                .reset(&scenario)
                .map_err(|problems| all(&problems))?;
            let outcome = simulation.run();
            if self.check_determinism {
                simulation
                    .reset(&scenario)
                    .map_err(|problems| all(&problems))?;
                if simulation.run().hash != outcome.hash {
                    out.trouble(format_args!(
                        "two runs of seed {seed} differ; report this with the flow"
                    ));
                    verdict = Verdict::Found;
                }
            }
            let broken = invariants.broken(&outcome);
            if !outcome.ended.is_complete() || !broken.is_empty() {
                verdict = Verdict::Found;
            }
            let trace = (!self.no_trace).then(|| outcome.hash.to_string());
            if self.json {
                out.json(&said(seed, &outcome, &broken, trace))?;
            } else {
                out.text(report(seed, &outcome, &broken, trace.as_deref()))?;
            }
        }
        Ok(verdict)
    }

    /// What may go wrong and is asked for.
    fn admitted(&self, all: &[Admitted]) -> Vec<Admitted> {
        let wanted = self.faults.as_ref().map(|sorts| &sorts.0[..]);
        let wanted = wanted.unwrap_or_default();
        let all = all.iter().filter(|one| wanted.contains(&one.sort));
        all.cloned().collect()
    }

    fn facts(&self, flow: &FlowFile) -> Result<Vec<Fact>, Stop> {
        let Some(path) = &self.events else {
            return Ok(Vec::new());
        };
        let text = fs::read_to_string(path)
            .map_err(|error| Stop::because(format!("{}: {error}", path.display())))?;
        let lines = text.lines().enumerate();
        let lines = lines.filter(|(_, line)| !line.trim().is_empty());
        lines
            .map(|(number, line)| fact(flow, path, number, line))
            .collect()
    }
}

/// The fact in a line of a file of events.
fn fact(flow: &FlowFile, path: &Path, number: usize, line: &str) -> Result<Fact, Stop> {
    let wrong = |what: String| {
        let place = format!("{}:{}", path.display(), number + 1);
        Stop::because(format!("{place}: {what}"))
    };
    let value = Value::parse(line.as_bytes(), LINE_MAX)
        .map_err(|error| wrong(format!("it is no JSON ({error})")))?;
    Fact::read(&flow.document, &value, number).map_err(wrong)
}

fn all(problems: &[Problem]) -> Stop {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    Stop::because(lines.join("\nweir: "))
}

fn said<'r>(
    seed: u64,
    outcome: &'r Outcome,
    broken: &[Finding],
    trace: Option<String>,
) -> Said<'r> {
    let faults = outcome.faults.iter();
    let latencies = outcome.latencies.iter();
    let loads = outcome.loads.iter();
    let stores = outcome.stores.iter();
    Said {
        version: 1,
        seed,
        ended: outcome.ended.to_string(),
        complete: outcome.ended.is_complete(),
        at_us: outcome.at_us,
        steps: outcome.steps,
        trace,
        facts: outcome.facts_came,
        faults: faults.map(|(sort, count)| (sort.name(), *count)).collect(),
        lost: outcome.lost,
        dead_letters: outcome.dead_letters.len(),
        counters: &outcome.counters,
        latencies_us: latencies
            .filter_map(|(node, held)| Some((node, percentiles(held)?)))
            .collect(),
        loads: loads
            .map(|(node, load)| (node, said_load(load, outcome.at_us)))
            .collect(),
        backlogs: &outcome.backlogs,
        broken: broken.iter().map(Finding::to_string).collect(),
        stores: stores
            .map(|(name, content)| (name, content.to_value()))
            .collect(),
        notes: outcome.notes.iter().map(Problem::to_string).collect(),
    }
}

fn said_load(load: &Load, run_us: u64) -> SaidLoad {
    let spread = |held: &Latencies| {
        Some(Spread {
            mean: held.mean_us()?,
            percentiles: percentiles(held)?,
        })
    };
    SaidLoad {
        workers: load.workers,
        utilisation: load.utilisation(run_us),
        waiting_mean: load.waiting(run_us),
        waiting_max: load.waiting_max,
        wait_us: spread(&load.waits),
        service_us: spread(&load.services),
    }
}

fn percentiles(held: &Latencies) -> Option<Percentiles> {
    Some(Percentiles {
        p50: held.per_mille(500)?,
        p95: held.per_mille(950)?,
        p99: held.per_mille(990)?,
    })
}

/// A run, for people.
fn report(seed: u64, outcome: &Outcome, broken: &[Finding], trace: Option<&str>) -> String {
    let mut text = format!(
        "seed {seed}: {}; {} facts, {} steps, {} of virtual time",
        outcome.ended,
        outcome.facts_came,
        outcome.steps,
        time(outcome.at_us),
    );
    if let Some(trace) = trace {
        let _always = write!(text, ", trace {}", &trace[..16]);
    }
    text.push('\n');
    text += &table(outcome);
    text += &loads(outcome);
    let full = outcome.backlogs.iter().filter(|(_, most)| **most > 0);
    let full: Vec<String> = full.map(|(id, most)| format!("{id} {most}")).collect();
    if !full.is_empty() {
        let _always = writeln!(text, "held at most: {}", full.join(", "));
    }
    for (name, content) in &outcome.stores {
        text += &contents(name, content);
    }
    for finding in broken.iter().take(SHOWN_MAX) {
        let _always = writeln!(text, "broken: {finding}");
    }
    if broken.len() > SHOWN_MAX {
        let _always = writeln!(text, "broken: {} more", broken.len() - SHOWN_MAX);
    }
    let faults: Vec<String> = outcome
        .faults
        .iter()
        .map(|(sort, count)| format!("{count} {}", sort.name()))
        .collect();
    if !faults.is_empty() {
        let _always = writeln!(text, "faults: {}", faults.join(", "));
    }
    for (count, what) in [
        (outcome.lost, "events were lost"),
        (
            outcome.dead_letters.len() as u64,
            "events were given up where no wire leads them on",
        ),
    ] {
        if count > 0 {
            let _always = writeln!(text, "{count} {what}");
        }
    }
    for note in &outcome.notes {
        let _always = writeln!(text, "note: {note}");
    }
    text
}

/// Counters and latencies of the nodes.
fn table(outcome: &Outcome) -> String {
    const TITLES: [&str; 8] = [
        "received", "sent", "failed", "retried", "given up", "p50", "p95", "p99",
    ];
    let nodes = &outcome.counters.nodes;
    let row = |name: &str, cells: [String; TITLES.len()]| row(outcome, name, &cells);
    let mut text = row("node", TITLES.map(str::to_owned));
    for (id, count) in nodes {
        let latency = |per_mille| {
            let held = outcome.latencies.get(id);
            let held = held.and_then(|held| held.per_mille(per_mille));
            held.map_or_else(|| "-".to_owned(), time)
        };
        text += &row(
            id.as_str(),
            [
                count.received.to_string(),
                count.sent.to_string(),
                count.failed.to_string(),
                count.retried.to_string(),
                count.dead.to_string(),
                latency(500),
                latency(950),
                latency(990),
            ],
        );
    }
    text
}

/// Who was busy, for how long, and how long events waited.
fn loads(outcome: &Outcome) -> String {
    const TITLES: [&str; 7] = [
        "workers", "busy", "waiting", "at most", "wait", "p95", "takes",
    ];
    if outcome.loads.is_empty() {
        return String::new();
    }
    let mut text = row(outcome, "node", &TITLES.map(str::to_owned));
    for (id, load) in &outcome.loads {
        let mean = |held: &Latencies| {
            let mean = held.mean_us();
            mean.map_or_else(|| "-".to_owned(), |mean| time(mean.round() as u64))
        };
        let p95 = load.waits.per_mille(950);
        let busy = 100.0 * load.utilisation(outcome.at_us);
        let cells = [
            load.workers.to_string(),
            format!("{busy:.1} %"),
            format!("{:.1}", load.waiting(outcome.at_us)),
            load.waiting_max.to_string(),
            mean(&load.waits),
            p95.map_or_else(|| "-".to_owned(), time),
            mean(&load.services),
        ];
        text += &row(outcome, id.as_str(), &cells);
    }
    text
}

/// A row of a table of nodes.
fn row(outcome: &Outcome, name: &str, cells: &[String]) -> String {
    let nodes = outcome.counters.nodes.keys();
    let names = nodes.map(|id| id.as_str().chars().count());
    let width = names.max().unwrap_or(0).max(4);
    let cells: String = cells.iter().map(|cell| format!("  {cell:>8}")).collect();
    format!("{name:<width$}{cells}\n")
}

/// What a store holds, in short.
fn contents(name: &str, content: &Content) -> String {
    let mut text = format!("{name}: {}\n", content.len());
    let value = content.to_value();
    let items: Vec<String> = match &value {
        Value::Arr(items) => items.iter().take(SHOWN_MAX).map(Value::to_json).collect(),
        Value::Obj(object) => {
            let shown = object.iter().take(SHOWN_MAX);
            shown
                .map(|(name, held)| format!("{name} {}", held.to_json()))
                .collect()
        }
        other => vec![other.to_json()],
    };
    for item in items {
        let short: String = item.chars().take(WIDTH_MAX).collect();
        let more = if short.len() < item.len() { "…" } else { "" };
        let _always = writeln!(text, "  {short}{more}");
    }
    if content.len() > SHOWN_MAX {
        text += "  …\n";
    }
    text
}

fn time(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} us"),
        1_000..1_000_000 => format!("{} ms", us / 1_000),
        _ => format!("{:.1} s", us as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_are_named_or_all() {
        assert_eq!(sorts("all").map(|sorts| sorts.0.len()), Ok(10));
        let named = sorts("crash, delay").expect("are known");
        assert_eq!(named.0, [Sort::Crash, Sort::Delay]);
        assert_eq!(
            sorts("fire").err().as_deref(),
            Some(
                "`fire` is no sort of fault; choose among duplicate, replay, lose, delay, late, crash, recycle, clock, partitions, slow"
            )
        );
    }

    #[test]
    fn times_are_short() {
        let shown = [999, 1_500, 2_340_000].map(time);
        assert_eq!(shown, ["999 us", "1 ms", "2.3 s"]);
    }
}
