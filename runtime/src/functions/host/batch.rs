//! Calls for many events at a time, of functions that cannot tell the difference.

use std::sync::Arc;
use std::time::{Duration, Instant};

use graph_model::event::EventContext;
use graph_model::value::Value;
use smol_str::SmolStr;

use super::contract::{Capability, FunctionEvent, HttpError, HttpResponse};
use super::convert::{emitted, to_event};
use super::error::FunctionFailure;
use super::frame::{Batch, SentFrame, Told, answers};
use super::imports::{CallWorld, LogLine, Offered, StateUnavailable, Terms};
use super::lent::lend;
use super::limits::Limits;
use super::outside::Sending;
use super::worker::{
    CallCost, CallReport, Entered, FunctionWorker, Instance as Held, Outcome, lent_place,
};

/// Most events of a batch.
const EVENTS_MAX: usize = 64;
/// Longest time that the next batch is expected to take: what comes behind waits as long.
const TIME_MAX: Duration = Duration::from_millis(20);

/// What came of a batch.
#[derive(Debug, Default)]
pub struct BatchReport {
    /// One for each event, in their order.
    pub answers: Vec<Answer>,
    /// What the function logged.
    pub logs: Vec<LogLine>,
    /// Log lines past the limit.
    pub logs_dropped: u32,
}

/// What came of one event of a batch.
#[derive(Debug)]
pub struct Answer {
    /// What it sends on, or why nothing.
    pub outcome: Result<Vec<Sent>, FunctionFailure>,
    /// What it used: of time, its share of the batch.
    pub cost: CallCost,
}

/// An event on its way out.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// The output port.
    pub port: SmolStr,
    /// What it says of itself; without it, all but id and type is as in the event that was handled. An empty
    /// attribute says nothing.
    pub context: Option<EventContext>,
    /// Its payload.
    pub data: Value,
}

/// How many events go into one call: as many as are handled in a short time, found out by doubling.
#[derive(Debug)]
pub(super) struct Width(usize);

impl Default for Width {
    fn default() -> Width {
        Width(1)
    }
}

impl Width {
    fn took(&mut self, time: Duration, limits: &Limits) {
        let most = TIME_MAX.min(Duration::from_millis(limits.time_millis_max / 4));
        if time > most {
            self.0 = (self.0 / 2).max(1);
        } else if time <= most / 2 {
            self.0 = (self.0 * 2).min(EVENTS_MAX);
        }
    }

    fn broke(&mut self) {
        self.0 = 1;
    }
}

/// What one entry into the function left.
struct Entry {
    told: Result<Vec<Told>, FunctionFailure>,
    logs: Vec<LogLine>,
    logs_dropped: u32,
    cost: CallCost,
}

impl FunctionWorker {
    /// How many events the next batch should hold at most.
    pub fn batch_max(&self) -> usize {
        self.width.0.min(self.room())
    }

    /// Handles a batch of events, of which each has its own outcome.
    ///
    /// A batch may use no more than a single call. When it would, or breaks off, nothing of it counts, and its
    /// events are handled one by one, by another instance: so each keeps to all limits, and has its own failure.
    pub fn handle_all(&mut self, batch: &Batch) -> BatchReport {
        let host = Arc::clone(&self.function.host);
        let _ticking = host.ticking();
        if batch.len() == 1 {
            return self.one_by_one(batch, Duration::ZERO);
        }
        let entry = self.enter(batch.frame(), batch.len());
        let Entry {
            told: Ok(told),
            logs,
            logs_dropped: 0,
            cost,
        } = entry
        else {
            self.width.broke();
            self.cool_down();
            return self.one_by_one(batch, entry.cost.handle_time);
        };
        self.width.took(cost.handle_time, &self.terms.limits);
        let share = CallCost {
            handle_time: cost.handle_time / u32::try_from(batch.len()).unwrap_or(1),
            start_time: None,
            ..cost
        };
        let mut answers: Vec<Answer> = told
            .into_iter()
            .map(|told| self.answer(told, share))
            .collect();
        if let Some(first) = answers.first_mut() {
            first.cost.start_time = cost.start_time;
        }
        BatchReport {
            answers,
            logs,
            logs_dropped: 0,
        }
    }

    /// A call with a single event.
    pub(super) fn handle_alone(&mut self, event: &FunctionEvent, port: &str) -> CallReport {
        let report = to_event(event).map(|flowing| {
            let mut batch = Batch::new(port);
            batch.add(&flowing);
            self.handle_all(&batch)
        });
        let BatchReport {
            mut answers,
            logs,
            logs_dropped,
        } = match report {
            Ok(report) => report,
            Err(failure) => BatchReport {
                answers: vec![Answer {
                    outcome: Err(failure),
                    cost: CallCost::default(),
                }],
                ..BatchReport::default()
            },
        };
        let Answer { outcome, cost } = answers.pop().expect("an answer for the event");
        let outcome = outcome.map(|sent| Outcome {
            emitted: sent
                .into_iter()
                .enumerate()
                .map(|(number, sent)| {
                    let id = format!("{}/{}.{number}", event.id, self.terms.name);
                    emitted(event, id, sent)
                })
                .collect(),
            state_writes: Vec::new(),
        });
        CallReport {
            outcome,
            logs,
            logs_dropped,
            cost,
        }
    }

    /// Handles events in a call for each; `wasted` was spent on them before.
    fn one_by_one(&mut self, batch: &Batch, wasted: Duration) -> BatchReport {
        let wasted = wasted / u32::try_from(batch.len()).unwrap_or(1).max(1);
        let mut report = BatchReport::default();
        for number in 0..batch.len() {
            let mut entry = if batch.len() == 1 {
                self.enter(batch.frame(), 1)
            } else {
                self.enter(&batch.frame_of(number), 1)
            };
            if entry.told.is_ok() {
                self.width.took(entry.cost.handle_time, &self.terms.limits);
            }
            entry.cost.handle_time += wasted;
            report.logs.append(&mut entry.logs);
            report.logs_dropped += entry.logs_dropped;
            let cost = entry.cost;
            let told = entry
                .told
                .map(|mut told| told.pop().expect("an answer for the event"));
            report.answers.push(match told {
                Ok(told) => self.answer(told, cost),
                Err(failure) => Answer {
                    outcome: Err(failure),
                    cost,
                },
            });
        }
        report
    }

    /// Enters the function with a frame.
    fn enter(&mut self, frame: &[u8], count: usize) -> Entry {
        let world = &mut Nowhere;
        let (mut instance, start_time) = match self.take_instance(world) {
            Ok(taken) => taken,
            Err(report) => return Entry::of(*report, Ok(Vec::new())),
        };
        let Held {
            store, function, ..
        } = &mut instance;
        let began = Instant::now(); // measuring only
        let returned = self.arm(store).and_then(|()| {
            lend(store, lent_place, world, |store| match &function.0 {
                Entered::Batched(function) => function.call_handle_all(store, frame),
                Entered::Each(_) => Err(wasmtime::Error::msg("it takes one event at a time")),
            })
        });
        let handle_time = began.elapsed();
        let (told, usable) = match returned {
            Ok(answer) => match answers(&answer, count) {
                Ok(told) => (Ok(told), true),
                Err(misread) => (Err(FunctionFailure::BadAnswer(misread.to_string())), true),
            },
            // A trap may leave the instance's memory half-changed.
            Err(error) => (Err(self.broke(&error, handle_time, &instance)), false),
        };
        let report = self.report(&mut instance.store, Ok(()), start_time, handle_time);
        self.give_back(instance, u32::try_from(count).unwrap_or(u32::MAX), usable);
        Entry::of(report, told)
    }

    fn answer(&self, told: Told, cost: CallCost) -> Answer {
        let outcome = match told {
            Told::Sent(all) => leaving(&self.terms, all),
            Told::Invalid(reason) => Err(FunctionFailure::Invalid(reason)),
            Told::Transient(reason) => Err(FunctionFailure::Transient(reason)),
            Told::Fatal(reason) => Err(FunctionFailure::Fatal(reason)),
        };
        Answer { outcome, cost }
    }
}

impl Entry {
    fn of(report: CallReport, told: Result<Vec<Told>, FunctionFailure>) -> Entry {
        let CallReport {
            outcome,
            logs,
            logs_dropped,
            cost,
        } = report;
        Entry {
            told: outcome.and(told),
            logs,
            logs_dropped,
            cost,
        }
    }
}

/// What leaves of all that was sent for one event: all of it, or nothing.
fn leaving(terms: &Terms, all: Vec<SentFrame>) -> Result<Vec<Sent>, FunctionFailure> {
    let Some(first) = all.first() else {
        return Ok(Vec::new());
    };
    let refused = |port: &str, reason: String| FunctionFailure::Refused {
        port: port.to_owned(),
        reason,
    };
    let granted = terms.granted.as_ref();
    if granted.is_some_and(|granted| !granted.contains(&Capability::Output)) {
        return Err(FunctionFailure::NotGranted(Capability::Output));
    }
    let Limits {
        events_max,
        output_bytes_max,
        ..
    } = terms.limits;
    if all.len() > events_max as usize {
        let reason = format!(
            "it sent {} events for one, limit {events_max}; raise events_limit or send fewer",
            all.len()
        );
        return Err(refused(&first.port, reason));
    }
    let mut bytes = 0;
    let leaving = all.into_iter().map(|sent| {
        let SentFrame {
            port,
            context,
            data,
            bytes: more,
        } = sent;
        if !terms.ports.contains(port.as_str()) {
            let reason = "the node has no such port; name it in `ports`, or send elsewhere";
            return Err(refused(&port, reason.into()));
        }
        bytes += more;
        if bytes > output_bytes_max {
            let reason = format!(
                "it sent {bytes} bytes for one event, limit {output_bytes_max}; raise output_limit or send less"
            );
            return Err(refused(&port, reason));
        }
        let data = data.map_err(|reason| refused(&port, reason))?;
        let offered = Offered::Payload(&data);
        if let Some(Err(reason)) = terms.check.as_ref().map(|check| check.look(&port, offered)) {
            let port = port.to_string();
            return Err(FunctionFailure::Misshapen { port, reason });
        }
        Ok(Sent {
            port,
            context,
            data,
        })
    });
    leaving.collect()
}

/// The world of a function that asks nothing of it: what would is refused when it is loaded.
struct Nowhere;

impl CallWorld for Nowhere {
    fn now_millis(&mut self) -> u64 {
        0
    }

    fn fill_random(&mut self, bytes: &mut [u8]) {
        bytes.fill(0);
    }

    fn state_get(&mut self, _key: &str) -> Result<Option<Vec<u8>>, StateUnavailable> {
        Err(StateUnavailable("there is none".into()))
    }

    fn send(&mut self, sending: Sending) -> Result<HttpResponse, HttpError> {
        Err(HttpError::NotListed(sending.request.url))
    }
}
