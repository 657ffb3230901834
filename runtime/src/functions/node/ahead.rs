//! Functions that take many events at a time: events that wait are handled in one call with the one in front.
//!
//! Nobody can tell. Such a function knows nothing but the event, so it does not matter when it is asked; what it
//! answers waits here until its event comes, and whoever pauses, steps, retries or edits the flow meets each event
//! where it is.

use std::collections::VecDeque;
use std::sync::Arc;

use graph_model::event::Event;
use graph_model::value::Value;
use smol_str::format_smolstr;

use super::{Sandboxed, Sent, Spent, classify, derived};
use crate::functions::host::{self, Answer, Batch, BatchReport};
use crate::operator::{Context, Failure};

/// Bytes at which no more events are added to a batch.
const BATCH_BYTES_MAX: usize = 256 << 10;

/// What is known of events that are still to come.
pub(super) struct Ahead {
    batch: Batch,
    /// Answers for the next events, in their order.
    ready: VecDeque<(Event, Result<Sent, Failure>)>,
}

impl Default for Ahead {
    fn default() -> Ahead {
        Ahead {
            batch: Batch::new("in"),
            ready: VecDeque::new(),
        }
    }
}

impl Sandboxed {
    /// What the function sends for an event. Those that wait behind it are handled in the same call.
    pub(super) fn handle_batched(
        &mut self,
        event: &Event,
        ctx: &Context<'_>,
    ) -> Result<Sent, Failure> {
        let ready = &mut self.ahead.ready;
        if let Some((_, answer)) = ready.pop_front_if(|(next, _)| is_same(next, event)) {
            return answer;
        }
        let next = ctx.waiting.and_then(|waiting| waiting.at(0));
        let again = ready.front().zip(next);
        // One that is tried again stands in front of those whose answers are there.
        let behind = if again.is_some_and(|((ready, _), next)| is_same(ready, next)) {
            None
        } else {
            ready.clear();
            ctx.waiting
        };
        let batch = &mut self.ahead.batch;
        batch.add(event);
        let most = self.worker.batch_max();
        while batch.len() < most
            && batch.bytes() < BATCH_BYTES_MAX
            && let Some(next) = behind.and_then(|behind| behind.at(batch.len() - 1))
        {
            batch.add(next);
        }
        let mut answers = self.ask().into_iter();
        let answer = answers.next().expect("an answer for each event");
        let events = self.ahead.batch.drain().skip(1);
        self.ahead.ready.extend(events.zip(answers));
        answer
    }

    /// A call for one event, of which nothing is kept yet.
    pub(super) fn call_alone(&mut self, event: &Event) -> (Spent, Result<Sent, Failure>) {
        let mut batch = Batch::new("in");
        batch.add(event);
        let report = self.worker.handle_all(&batch);
        let BatchReport {
            mut answers,
            mut logs,
            logs_dropped,
        } = report;
        self.hide_in(&mut logs);
        let Answer { outcome, cost } = answers.pop().expect("an answer for the event");
        let spent = Spent {
            logs,
            logs_dropped,
            cost,
        };
        (spent, self.sent(event, outcome))
    }

    /// Hands the batch to the function, and notes what that took.
    fn ask(&mut self) -> Vec<Result<Sent, Failure>> {
        let BatchReport {
            answers,
            mut logs,
            logs_dropped,
        } = self.worker.handle_all(&self.ahead.batch);
        if !logs.is_empty() {
            self.hide_in(&mut logs);
        }
        self.logs.add(&self.node, logs, logs_dropped);
        let costs: Vec<_> = answers.iter().map(|answer| answer.cost).collect();
        let events = self.ahead.batch.events().iter();
        let answers = events.zip(answers);
        let answers: Vec<_> = answers
            .map(|(event, answer)| self.sent(event, answer.outcome))
            .collect();
        let failed = answers.iter().map(Result::is_err);
        let costs = costs.into_iter().zip(failed);
        self.costs.add_all(self.worker.function().info(), costs);
        answers
    }

    /// The events that leave, of what the function sent for one.
    fn sent(
        &self,
        cause: &Event,
        outcome: Result<Vec<host::Sent>, host::FunctionFailure>,
    ) -> Result<Sent, Failure> {
        let sent = outcome.map_err(|failure| classify(&failure, &self.secrets))?;
        let sent = sent.into_iter().enumerate();
        sent.map(|(number, sent)| self.leave_batched(cause, number, sent))
            .collect()
    }

    fn leave_batched(
        &self,
        cause: &Event,
        number: usize,
        sent: host::Sent,
    ) -> Result<(u16, Event), Failure> {
        let host::Sent {
            port,
            context,
            data,
        } = sent;
        let Some(number_of_port) = self.ports.get(port.as_str()) else {
            return Err(Failure::fatal(format_smolstr!("there is no port `{port}`")));
        };
        if !self.secrets.is_empty() {
            self.keep_in(&port, &data.to_json())?;
        }
        let ty = self.shapes.ty(&port);
        // The same event gives the same ids, so that a repeated delivery can be recognised.
        let id = || format_smolstr!("{}/{}.{number}", cause.context.id, self.node);
        let event = match context {
            None => {
                let mut event = cause.derive(id(), data);
                if let Some(ty) = ty {
                    Arc::make_mut(&mut event.context).ty = ty.clone();
                }
                event
            }
            Some(mut said) => {
                if said.id.is_empty() {
                    said.id = id();
                }
                derived(cause, said, data, ty)
            }
        };
        Ok((*number_of_port, event))
    }
}

/// Whether they are one event, and not two that are alike.
fn is_same(one: &Event, other: &Event) -> bool {
    let payload = match (&one.data, &other.data) {
        (Value::Obj(one), Value::Obj(other)) => Arc::ptr_eq(one, other),
        (Value::Arr(one), Value::Arr(other)) => Arc::ptr_eq(one, other),
        (one, other) => one == other,
    };
    payload && Arc::ptr_eq(&one.context, &other.context)
}

#[cfg(test)]
mod tests {
    use graph_model::value;

    use super::*;
    use crate::delivery::Share;
    use crate::operators::testing::{Bench, event};
    use crate::shared::Shared;

    /// Does what the texts of its events say.
    fn bench(shared: &Shared) -> Bench {
        let config = value!({
            "component": "runtime/tests/fixtures/batched.wasm", "ports": ["ok", "told"],
        });
        Bench::sharing("function", config, shared)
    }

    fn events(steps: &[&str]) -> Vec<Event> {
        let steps = steps.iter().enumerate();
        steps
            .map(|(number, step)| event(&format!("e{number}"), 5, Value::from(*step)))
            .collect()
    }

    /// Hands over all of them, each with what waits behind it.
    fn all(bench: &mut Bench, events: &[Event]) -> Vec<String> {
        let mut lines = Vec::new();
        for (number, event) in events.iter().enumerate() {
            let output = bench.handle_before(event.clone(), &events[number + 1..]);
            lines.push(bench.show(&output).join(" | "));
        }
        lines
    }

    /// How often the function was asked for an event.
    fn asked(shared: &Shared) -> u64 {
        let told = shared.costs(&"node".into()).told().unwrap_or_default();
        told.first.count + told.warm.count
    }

    #[test]
    fn each_event_has_the_answer_that_it_has_alone() {
        let steps = [
            "emit ok a",
            "emit ok b\nemit told c",
            "",
            "invalid no",
            "panic oh",
            "emit nowhere d",
            "context",
            "other e",
            "emit ok f",
            "transient later",
            "fatal no key",
            "emit ok g",
        ];
        let events = events(&steps.repeat(9));
        let (one, other) = (Shared::default(), Shared::default());
        let ahead = all(&mut bench(&one), &events);
        let mut alone = bench(&other);
        let alone: Vec<String> = events
            .iter()
            .map(|event| {
                let output = alone.handle(event.clone(), &Share::none());
                alone.show(&output).join(" | ")
            })
            .collect();
        assert_eq!(ahead, alone);
        assert_eq!((asked(&one), asked(&other)), (108, 108), "each once");
    }

    #[test]
    fn events_leave_as_they_do_alone() {
        let shared = Shared::default();
        let events = events(&["emit ok a", "emit ok b", "other c\nemit ok d"]);
        let mut bench = bench(&shared);
        let outputs: Vec<_> = (0..3)
            .map(|number| bench.handle_before(events[number].clone(), &events[number + 1..]))
            .collect();
        let [(_, other), (_, plain)] = &outputs[2].emitted[..] else {
            panic!("{outputs:?}");
        };
        assert_eq!(
            (&*plain.context.id, &*other.context.id),
            ("e2/node.1", "e2/node.0")
        );
        assert_eq!((&*plain.context.ty, &*other.context.ty), ("test", "other"));
        assert_eq!((plain.context.time_ms, other.context.time_ms), (5, 7));
        assert_eq!(plain.context.extensions["causationid"], "e2");
        assert_eq!(other.context.extensions["correlationid"], "e2");
    }

    #[test]
    fn an_event_that_is_tried_again_costs_one_more_answer_and_no_other() {
        let shared = Shared::default();
        let mut bench = bench(&shared);
        let events = events(&[
            "emit ok a",
            "emit ok b",
            "transient later",
            "emit ok c",
            "emit ok d",
        ]);
        let mut lines = Vec::new();
        let mut order = vec![0, 1, 2, 2, 2];
        order.extend([3, 4]);
        for number in order {
            let output = bench.handle_before(events[number].clone(), &events[number + 1..]);
            lines.extend(bench.show(&output));
        }
        let later = "failed Transient: the function asks to try again later: later";
        let wanted = [
            r#"ok "a""#,
            r#"ok "b""#,
            later,
            later,
            later,
            r#"ok "c""#,
            r#"ok "d""#,
        ];
        assert_eq!(lines, wanted);
        assert_eq!(asked(&shared), 7);
    }

    #[test]
    fn what_waited_and_never_came_is_forgotten() {
        let shared = Shared::default();
        let mut bench = bench(&shared);
        // Batches grow by doubling.
        let warm = events(&["emit ok w"; 7]);
        all(&mut bench, &warm);
        let first = events(&["emit ok a", "emit ok b", "emit ok c"]);
        let second = events(&["emit ok x", "emit ok y", "emit ok z"]);
        let output = bench.handle_before(first[0].clone(), &first[1..]);
        assert_eq!(bench.show(&output), [r#"ok "a""#]);
        let shown = all(&mut bench, &second);
        assert_eq!(shown, [r#"ok "x""#, r#"ok "y""#, r#"ok "z""#]);
        // One that looks the same is another one.
        let again = all(&mut bench, &events(&["emit ok b", "emit ok c"]));
        assert_eq!(again, [r#"ok "b""#, r#"ok "c""#]);
        assert_eq!(asked(&shared), 7 + 3 + 3 + 2);
    }
}
