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

#[cfg(test)]
mod tests {
    use graph_model::value;

    use crate::operators::testing::Bench;

    fn bench(wait: &str, capacity: i64, keys: i64) -> Bench {
        let config = value!({
            "key": ".k", "version": ".v", "wait": wait, "capacity": capacity, "keys": keys,
        });
        Bench::new("resequence", config)
    }

    /// Feeds `key version` at a time and shows what came out as `port key version`.
    fn feed(bench: &mut Bench, time_ms: i64, event: &str) -> String {
        let (key, version) = event.split_once(' ').expect("written `key version`");
        let version: i64 = version.parse().expect("a version");
        let lines = bench.feed_at(time_ms, value!({"k": key, "v": version}));
        short(&lines)
    }

    fn short(lines: &[String]) -> String {
        let short = lines.iter().map(|line| {
            line.replace(r#"{"k":""#, "")
                .replace(r#"","v":"#, " ")
                .replace('}', "")
        });
        short.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn events_wait_for_those_before_them() {
        let mut bench = bench("1h", 10, 10);
        for (event, shown) in [
            ("a 1", "out a 1"),
            ("a 3", ""),
            ("a 4", ""),
            ("b 2", ""),
            ("a 3", "late a 3"), // a copy
            ("a 6", ""),
            ("a 2", "out a 2, out a 3, out a 4"),
            ("a 4", "late a 4"),
            ("a 0", "late a 0"),
            ("b 1", "out b 1, out b 2"),
            ("a 5", "out a 5, out a 6"),
        ] {
            assert_eq!(feed(&mut bench, 0, event), shown, "{event}");
        }
        assert_eq!(bench.end(), [""; 0]);
    }

    #[test]
    fn a_gap_is_given_up_after_a_time() {
        let mut bench = bench("1s", 10, 10);
        for (time_ms, event, shown) in [
            (0, "a 2", ""),
            (100, "a 3", ""),
            (900, "a 6", ""),
            (999, "b 1", "out b 1"), // time moves with any key
            (1_000, "b 2", "out b 2, out a 2, out a 3"),
            (1_000, "a 1", "late a 1"),
            (1_899, "a 5", ""),
            (1_900, "a 8", ""), // the gap is now in front of 5
            (2_899, "a 9", "out a 5, out a 6"),
            (0, "b 4", "out b 4"), // so old that nothing before it is waited for
        ] {
            assert_eq!(feed(&mut bench, time_ms, event), shown, "{time_ms} {event}");
        }
        assert_eq!(short(&bench.end()), "out a 8, out a 9");
    }

    #[test]
    fn the_oldest_gap_is_given_up_when_too_many_wait() {
        let mut bench = bench("1h", 2, 10);
        for (time_ms, event, shown) in [
            (1, "a 2", ""),
            (0, "b 2", ""),
            (2, "a 3", "out b 2"),
            (3, "b 4", "out a 2, out a 3"),
        ] {
            assert_eq!(feed(&mut bench, time_ms, event), shown, "{event}");
        }
        assert_eq!(short(&bench.end()), "out b 4");
    }

    #[test]
    fn a_key_that_has_to_go_sends_what_waits() {
        let mut bench = bench("1h", 10, 2);
        for (event, shown) in [
            ("a 3", ""),
            ("a 2", ""),
            ("b 1", "out b 1"),
            ("c 1", "out c 1, out a 2, out a 3"),
            ("a 1", "out a 1"), // begins anew, and `b` goes
        ] {
            assert_eq!(feed(&mut bench, 0, event), shown, "{event}");
        }
        assert_eq!(bench.end(), [""; 0]);
    }

    #[test]
    fn versions_are_whole_numbers() {
        let mut bench = bench("1h", 10, 10);
        for (version, line) in [
            (value!(1.0), r#"out {"k":"a","v":1}"#),
            (
                value!(1.5),
                "failed Invalid: `version`: expected a whole number, found 1.5",
            ),
            (
                value!("2"),
                "failed Invalid: `version`: expected a number, found a string",
            ),
        ] {
            assert_eq!(bench.feed(value!({"k": "a", "v": version})), [line]);
        }
        assert_eq!(
            bench.feed(value!({"v": 2})),
            ["failed Invalid: `key`: the key is null; events without one pass elsewhere"]
        );
        let far = feed(&mut bench, 0, &format!("a {}", i64::MAX));
        assert_eq!(far, "");
        assert_eq!(short(&bench.end()), format!("out a {}", i64::MAX));
        assert_eq!(
            feed(&mut bench, 0, &format!("a {}", i64::MIN)),
            format!("late a {}", i64::MIN)
        );
    }
}
