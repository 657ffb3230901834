//! Resequence: the events of a key in the order of their versions.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use graph_model::catalog::{Behaviour, Family, FieldSpec, FieldType, JqRole, KindSpec, PortSpec};
use graph_model::event::Event;
use graph_model::value::Value;
use runtime_protocol::Problem;

use crate::kind::{Build, Kind, Make};
use crate::operator::{Context, Failure, Operator, Output};
use crate::operators::expression::Expression;
use crate::operators::keyed::Keyed;

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Operator(make),
    }
}

fn make(build: &Build) -> Result<Box<dyn Operator>, Problem> {
    let first = build.value("first").and_then(Value::as_i64);
    Ok(Box::new(Resequence {
        key: Expression::of_field(build, "key")?,
        version: Expression::of_field(build, "version")?,
        first: first.ok_or_else(|| build.problem("`first` must be a whole number"))?,
        wait_ms: build.millis("wait")?,
        capacity: build.whole("capacity")? as usize,
        keys: Keyed::new(build.whole("keys")? as usize),
        gaps: BTreeSet::new(),
        held: 0,
        latest: i64::MIN,
    }))
}

struct Resequence {
    key: Expression,
    version: Expression,
    first: i64,
    wait_ms: i64,
    capacity: usize,
    keys: Keyed<Queue>,
    /// Keys that wait, by the event time since which they do.
    gaps: BTreeSet<(i64, Value)>,
    /// Events that wait, of all keys.
    held: usize,
    /// The latest event time so far.
    latest: i64,
}

/// The events of a key.
struct Queue {
    /// The version that went last, or was given up.
    passed: i64,
    /// Events that wait for those before them, by version.
    waiting: BTreeMap<i64, Event>,
    /// The event time of the first of them, as it stands in the gaps.
    since: Option<i64>,
}

impl Operator for Resequence {
    fn on_event(&mut self, event: Event, _input: usize, ctx: &Context<'_>, out: &mut Output) {
        let time = event.context.time_ms;
        let (key, version) = match self.place(&event, ctx) {
            Ok(place) => place,
            Err(failure) => return out.fail(event, failure),
        };
        self.take(key, version, event, out);
        self.latest = self.latest.max(time);
        while let Some((since, _)) = self.gaps.first()
            && (self.held > self.capacity || since.saturating_add(self.wait_ms) <= self.latest)
        {
            self.give_up_oldest(out);
        }
    }

    fn on_end(&mut self, _ctx: &Context<'_>, out: &mut Output) {
        while !self.gaps.is_empty() {
            self.give_up_oldest(out);
        }
    }
}

const OUT: u16 = 0;
const LATE: u16 = 1;

impl Resequence {
    fn place(&self, event: &Event, ctx: &Context<'_>) -> Result<(Value, i64), Failure> {
        Ok((self.key.key(event, ctx)?, self.version.whole(event, ctx)?))
    }

    fn take(&mut self, key: Value, version: i64, event: Event, out: &mut Output) {
        let passed = self.first - 1;
        let (queue, gone) = self.keys.touch(&key, || Queue {
            passed,
            waiting: BTreeMap::new(),
            since: None,
        });
        if version <= queue.passed {
            out.emit(LATE, event);
        } else if version - 1 > queue.passed {
            match queue.waiting.entry(version) {
                Entry::Occupied(_) => out.emit(LATE, event),
                Entry::Vacant(entry) => {
                    entry.insert(event);
                    self.held += 1;
                }
            }
        } else {
            queue.passed = version;
            out.emit(OUT, event);
            self.held -= queue.send(out);
        }
        let since = queue.begin_of_gap();
        if since != queue.since {
            if let Some(was) = queue.since {
                self.gaps.remove(&(was, key.clone()));
            }
            if let Some(is) = since {
                self.gaps.insert((is, key));
            }
            queue.since = since;
        }
        if let Some((key, queue)) = gone {
            if let Some(since) = queue.since {
                self.gaps.remove(&(since, key));
            }
            self.held -= queue.waiting.len();
            for event in queue.waiting.into_values() {
                out.emit(OUT, event);
            }
        }
    }

    /// Sends the events of the key that has waited longest, up to its next gap.
    fn give_up_oldest(&mut self, out: &mut Output) {
        let Some((_, key)) = self.gaps.pop_first() else {
            return;
        };
        let Some(queue) = self.keys.get_mut(&key) else {
            return;
        };
        if let Some((version, _)) = queue.waiting.first_key_value() {
            queue.passed = version - 1;
        }
        self.held -= queue.send(out);
        queue.since = queue.begin_of_gap();
        if let Some(since) = queue.since {
            self.gaps.insert((since, key));
        }
    }
}

impl Queue {
    /// Sends what waits for nothing any more; answers how many.
    fn send(&mut self, out: &mut Output) -> usize {
        let mut sent = 0;
        while let Some(first) = self.waiting.first_entry()
            && first.key() - 1 == self.passed
        {
            self.passed = *first.key();
            out.emit(OUT, first.remove());
            sent += 1;
        }
        sent
    }

    fn begin_of_gap(&self) -> Option<i64> {
        let (_, first) = self.waiting.first_key_value()?;
        Some(first.context.time_ms)
    }
}

fn spec() -> KindSpec {
    KindSpec {
        id: "resequence".into(),
        family: Family::Operator,
        title: "Resequence".into(),
        summary: "Sends the events of a key in the order of their versions.".into(),
        doc: "Versions of a key count up by one. An event that comes before its predecessors waits for them; keys do not wait for each other. A gap is given up when the event time of any key is `wait` past the event behind the gap, when the input ends, or when `capacity` events wait and the gap is the oldest: then the events behind it go, and the missing one is late if it comes after all. An event whose version has passed, or waits here already as with a copy, goes to `late`, or nowhere when nothing is wired there.\n\nTime moves only with events: when nothing comes any more, a gap waits until the input ends. An event that waits is taken over from the channel behind it, and lost when the process dies. The memory is kept for each partition and does not outlive the run: a key then begins anew at `first`, and an event with a later version waits as behind a gap. When more than `keys` are known, the one that was heard of longest ago sends what waits and is forgotten. An event without a key, or whose version is no whole number, fails.".into(),
        icon: "resequence".into(),
        inputs: vec![PortSpec::data("in", "Events to handle")],
        outputs: vec![PortSpec::data("out", "Events in the order of their versions"), PortSpec::data("late", "Events whose version had passed"), PortSpec::failed("Events without a usable key or version")],
        config: vec![FieldSpec::new("key", "Key", FieldType::Jq { role: JqRole::Key }, "Whose events have an order, such as `.orderId`").required(), FieldSpec::new("version", "Version", FieldType::Jq { role: JqRole::Value }, "A whole number that counts up by one for each key, such as `.version`").required(), FieldSpec::new("first", "First version", FieldType::Integer { min: 0, max: 1_000_000_000 }, "Version of the first event of a key").default_to(1), FieldSpec::new("wait", "Wait", FieldType::Duration, "How long, in event time, a gap holds up its key").default_to("5m"), FieldSpec::new("capacity", "Capacity", FieldType::Integer { min: 1, max: 100_000_000 }, "Events that wait at most; then the oldest gap is given up").default_to(100_000).advanced(), FieldSpec::new("keys", "Keys", FieldType::Integer { min: 1, max: 100_000_000 }, "Keys that are remembered at most; the one that was heard of longest ago is forgotten first").default_to(1_000_000).advanced()],
        behaviour: Behaviour::Resequence { key: "key".into(), version: "version".into() },
        resource: None,
        since: "0.1.0".into(),
    }
}
