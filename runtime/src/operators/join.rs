//! Join: matches events of two streams.

use std::collections::BTreeMap;
use std::ops::Bound;

use graph_model::catalog::{Behaviour, Family, FieldSpec, FieldType, JqRole, KindSpec, PortSpec};
use graph_model::event::Event;
use graph_model::value::{Object, Value};
use runtime_protocol::Problem;
use rustc_hash::FxHashMap;
use smol_str::{SmolStr, format_smolstr};

use crate::kind::{Build, Kind, Make};
use crate::operator::{Context, Failure, Operator, Output};
use crate::operators::expression::Expression;
use crate::operators::result::result;

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Operator(make),
    }
}

fn make(build: &Build) -> Result<Box<dyn Operator>, Problem> {
    let unique = build.text("unique")?;
    let side = |key, name| -> Result<Side, Problem> {
        Ok(Side {
            key: Expression::of_field(build, key)?,
            unique: unique == "both" || unique == name,
            held: FxHashMap::default(),
            order: BTreeMap::new(),
            latest: i64::MIN,
        })
    };
    Ok(Box::new(Join {
        node: SmolStr::from(build.id.as_str()),
        within_ms: build.millis("within")?,
        capacity: build.whole("capacity")? as usize,
        sides: [side("left_key", "left")?, side("right_key", "right")?],
        number: 0,
    }))
}

struct Join {
    node: SmolStr,
    within_ms: i64,
    capacity: usize,
    /// Left and right.
    sides: [Side; 2],
    /// Events that were held so far.
    number: u64,
}

struct Side {
    key: Expression,
    /// A key comes once.
    unique: bool,
    held: FxHashMap<Value, BTreeMap<Place, Held>>,
    /// Keys of the events that are held.
    order: BTreeMap<Place, Value>,
    /// The latest event time so far.
    latest: i64,
}

/// The time of an event, and its number among those of the same time.
type Place = (i64, u64);

struct Held {
    event: Event,
    matched: bool,
}

impl Operator for Join {
    fn on_event(&mut self, event: Event, input: usize, ctx: &Context<'_>, out: &mut Output) {
        let (mine, theirs) = if input == RIGHT {
            (RIGHT, LEFT)
        } else {
            (LEFT, RIGHT)
        };
        let time = event.context.time_ms;
        let reach = (
            Bound::Included((time.saturating_sub(self.within_ms), 0)),
            Bound::Included((time.saturating_add(self.within_ms), u64::MAX)),
        );
        let key = match self.sides[mine].take(&event, reach, ctx) {
            Ok(key) => key,
            Err(failure) => return out.fail(event, failure),
        };
        let mut matched = false;
        if let Some(partners) = self.sides[theirs].held.get_mut(&key) {
            for (_, partner) in partners.range_mut(reach) {
                matched = true;
                partner.matched = true;
                let partner = &partner.event;
                let (left, right) = if mine == LEFT {
                    (&event, partner)
                } else {
                    (partner, &event)
                };
                let left_is_later = left.context.time_ms > right.context.time_ms;
                let cause = if left_is_later { left } else { right };
                out.emit(OUT, joined(&self.node, cause, Some(left), Some(right)));
            }
        }
        self.sides[mine].latest = self.sides[mine].latest.max(time);
        let passed = self.sides[mine].latest.saturating_sub(self.within_ms);
        while let Some(place) = self.sides[theirs].oldest()
            && place.0 < passed
        {
            self.let_go(theirs, out);
        }
        let held = Held { event, matched };
        if time.saturating_add(self.within_ms) < self.sides[theirs].latest {
            // The other side is past it: no partner will come.
            return self.leave(mine, &held, out);
        }
        self.number += 1;
        self.sides[mine].hold(key, (time, self.number), held);
        while self.sides[LEFT].order.len() + self.sides[RIGHT].order.len() > self.capacity
            && let Some((_, side)) = [LEFT, RIGHT]
                .into_iter()
                .filter_map(|side| Some((self.sides[side].oldest()?, side)))
                .min()
        {
            self.let_go(side, out);
        }
    }

    fn on_end(&mut self, _ctx: &Context<'_>, out: &mut Output) {
        for side in [LEFT, RIGHT] {
            while self.sides[side].oldest().is_some() {
                self.let_go(side, out);
            }
        }
    }
}

/// Numbers of the inputs and of their sides.
const LEFT: usize = 0;
const RIGHT: usize = 1;
const OUT: u16 = 0;
const UNMATCHED: u16 = 1;

/// Type of the events that joins send.
const RESULT_TYPE: SmolStr = SmolStr::new_static("join");

impl Join {
    /// Lets the oldest event of a side go.
    fn let_go(&mut self, side: usize, out: &mut Output) {
        if let Some(held) = self.sides[side].remove_oldest() {
            self.leave(side, &held, out);
        }
    }

    fn leave(&self, side: usize, held: &Held, out: &mut Output) {
        if held.matched {
            return;
        }
        let event = &held.event;
        let (left, right) = if side == LEFT {
            (Some(event), None)
        } else {
            (None, Some(event))
        };
        out.emit(UNMATCHED, joined(&self.node, event, left, right));
    }
}

impl Side {
    /// The key of an event that may come.
    fn take(
        &self,
        event: &Event,
        reach: (Bound<Place>, Bound<Place>),
        ctx: &Context<'_>,
    ) -> Result<Value, Failure> {
        let key = self.key.key(event, ctx)?;
        let others = self.held.get(&key).filter(|_| self.unique);
        if let Some((_, other)) = others.and_then(|held| held.range(reach).next()) {
            let other = &other.event.context.id;
            return Err(self.key.refuse(format_smolstr!(
                "the key came before, with the event `{other}`, and `unique` says it comes once; drop copies before, or change `unique`"
            )));
        }
        Ok(key)
    }

    fn hold(&mut self, key: Value, place: Place, held: Held) {
        self.order.insert(place, key.clone());
        self.held.entry(key).or_default().insert(place, held);
    }

    fn oldest(&self) -> Option<Place> {
        self.order.first_key_value().map(|(place, _)| *place)
    }

    fn remove_oldest(&mut self) -> Option<Held> {
        let (place, key) = self.order.pop_first()?;
        let of_key = self.held.get_mut(&key)?;
        let held = of_key.remove(&place);
        if of_key.is_empty() {
            self.held.remove(&key);
        }
        held
    }
}

/// What two events make, or one that found no partner.
fn joined(node: &SmolStr, cause: &Event, left: Option<&Event>, right: Option<&Event>) -> Event {
    let id = |event: Option<&Event>| {
        event
            .map(|event| event.context.id.clone())
            .unwrap_or_default()
    };
    let data = |event: Option<&Event>| event.map(|event| event.data.clone()).unwrap_or_default();
    let mut both = Object::with_capacity(2);
    both.insert("left", data(left));
    both.insert("right", data(right));
    let id = format_smolstr!("{node}/{}+{}", id(left), id(right));
    let cause = &cause.context;
    result(node, RESULT_TYPE, cause, id, cause.time_ms, both.into())
}

fn spec() -> KindSpec {
    KindSpec {
        id: "join".into(),
        family: Family::Operator,
        title: "Join".into(),
        summary: "Matches events of two streams that have the same key.".into(),
        doc: "Events of `left` and `right` match when their keys are the same and their event times are at most `within` apart. Each pair is sent once, as `{left, right}`, with an id made of both ids and the time of the later one, which is also its cause. An event with several partners makes several pairs; `unique` promises that a key comes once on a side, and then a second one in reach, or a copy, fails.\n\nAn event leaves when the *other* input is later than its time and `within`, so one input may be ahead of the other; but an input without events keeps those of the other waiting, and one event from far in the future lets all of the other input go. Without a partner it goes to `unmatched`, or nowhere when nothing is wired there, as `{left, right}` with null for the side that is missing. An event that comes late finds the partners that are still held. When `capacity` events are held, the oldest by event time leaves, even if its partner would still come; at the end of the input all leave.\n\nEvents are held in memory, for each partition, and do not outlive the run: a partner that comes after a restart finds none from before. An event without a key fails.".into(),
        icon: "join".into(),
        inputs: vec![PortSpec::data("left", "Events to match"), PortSpec::data("right", "Events to match them with")],
        outputs: vec![PortSpec::data("out", "Pairs"), PortSpec::data("unmatched", "Events that found no partner"), PortSpec::failed("Events without a usable key, and second ones of a unique key")],
        config: vec![FieldSpec::new("left_key", "Key of `left`", FieldType::Jq { role: JqRole::Key }, "Such as `.orderId`").required(), FieldSpec::new("right_key", "Key of `right`", FieldType::Jq { role: JqRole::Key }, "Such as `.order.id`").required(), FieldSpec::new("within", "Within", FieldType::Duration, "How far apart the events of a pair may be, in event time").default_to("1h"), FieldSpec::new("unique", "Unique", FieldType::choice(&["none", "left", "right", "both"]), "The side on which a key comes at most once").default_to("none"), FieldSpec::new("capacity", "Capacity", FieldType::Integer { min: 1, max: 100_000_000 }, "Events of both sides that are held at most; the oldest leaves first").default_to(1_000_000).advanced()],
        behaviour: Behaviour::Join { left: "left_key".into(), right: "right_key".into(), within: "within".into(), unique: "unique".into() },
        resource: None,
        since: "0.1.0".into(),
    }
}

#[cfg(test)]
mod tests {
    use graph_model::event::extension;
    use graph_model::value;

    use super::*;
    use crate::delivery::Share;
    use crate::operators::testing::{Bench, event};

    fn bench(unique: &str, capacity: i64) -> Bench {
        let config = value!({
            "left_key": ".k", "right_key": ".key", "within": "10ms",
            "unique": unique, "capacity": capacity,
        });
        Bench::new("join", config)
    }

    /// Feeds events such as `l a1` (left, key `a`, number 1) at a time, and shows what came out as
    /// `a1+b1`, with nothing on the side that is missing.
    fn feed(bench: &mut Bench, time_ms: i64, event: &str) -> String {
        let (side, name) = event.split_once(' ').expect("written `side name`");
        let (input, field) = if side == "l" {
            (LEFT, "k")
        } else {
            (RIGHT, "key")
        };
        let data: Object = [(field, &name[..1]), ("is", name)].into_iter().collect();
        short(&bench.feed_input(input, time_ms, data.into()))
    }

    fn short(lines: &[String]) -> String {
        let short = lines.iter().map(|line| {
            let Some((port, json)) = line.split_once(" {") else {
                panic!("{line}");
            };
            let Ok(data) = Value::parse(format!("{{{json}").as_bytes(), 1_000) else {
                return line.clone();
            };
            let side = |name| data.get(name)?.get("is").map(Value::to_text);
            let (left, right) = (side("left"), side("right"));
            assert_eq!(port == "out", left.is_some() && right.is_some());
            format!("{}+{}", left.unwrap_or_default(), right.unwrap_or_default())
        });
        short.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn events_of_the_same_key_match_when_they_are_near() {
        let mut bench = bench("none", 100);
        for (time_ms, event, shown) in [
            (0, "l a1", ""),
            (0, "l b1", ""),
            (10, "r a1", "a1+a1"),
            (5, "r a2", "a1+a2"),
            (7, "l a2", "a2+a2, a2+a1"),
            (11, "r c1", "b1+"), // `b1` can have no partner now, `a1` had some
            (0, "l a3", "a3+a2, a3+a1"), // late, but its partners are there
            (0, "l c1", "c1+"),
            (21, "r d1", ""),
            (22, "l d1", "d1+d1, +c1"),
        ] {
            assert_eq!(feed(&mut bench, time_ms, event), shown, "{time_ms} {event}");
        }
        assert_eq!(bench.end(), [""; 0]);
    }

    #[test]
    fn an_input_may_be_ahead_of_the_other() {
        let mut bench = bench("none", 100);
        for time_ms in 0..50 {
            assert_eq!(feed(&mut bench, time_ms * 100, "l a1"), "");
        }
        for time_ms in 0..49 {
            let shown = feed(&mut bench, time_ms * 100, "r a1");
            assert_eq!(shown, "a1+a1", "{time_ms}");
        }
        assert_eq!(short(&bench.end()), "a1+");
    }

    #[test]
    fn what_has_no_partner_leaves_at_the_end() {
        let mut bench = bench("none", 100);
        for (time_ms, event) in [(3, "l b1"), (5, "r c1"), (2, "l a1"), (4, "r d1")] {
            assert_eq!(feed(&mut bench, time_ms, event), "");
        }
        assert_eq!(short(&bench.end()), "a1+, b1+, +d1, +c1");
        assert_eq!(bench.end(), [""; 0]);
    }

    #[test]
    fn the_oldest_leaves_when_too_many_are_held() {
        let mut bench = bench("none", 2);
        for (time_ms, event, shown) in [
            (1, "l a1", ""),
            (0, "r b1", ""),
            (2, "l c1", "+b1"),
            (0, "l b1", "b1+"), // its partner has left, and it is the oldest itself
            (3, "r a1", "a1+a1"), // `a1` of the left had one and leaves silently
        ] {
            assert_eq!(feed(&mut bench, time_ms, event), shown, "{event}");
        }
        assert_eq!(short(&bench.end()), "c1+");
    }

    #[test]
    fn a_unique_key_comes_once_within_reach() {
        let again = |field: &str, first: &str| {
            format!(
                "failed Invalid: `{field}`: the key came before, with the event `{first}`, and `unique` says it comes once; drop copies before, or change `unique`"
            )
        };
        for (unique, left, right) in [
            ("none", "a2+a1", "a1+a2, a2+a2"),
            ("right", "a2+a1", &again("right_key", "e2")),
            ("left", &again("left_key", "e1"), "a1+a2"),
            ("both", &again("left_key", "e1"), &again("right_key", "e2")),
        ] {
            let mut bench = bench(unique, 100);
            feed(&mut bench, 0, "l a1");
            assert_eq!(feed(&mut bench, 0, "r a1"), "a1+a1");
            let lines = |bench: &mut Bench, event| match feed_lines(bench, event) {
                lines if lines[0].starts_with("failed") => lines.join(", "),
                lines => short(&lines),
            };
            assert_eq!(lines(&mut bench, "l a2"), left, "{unique}");
            assert_eq!(lines(&mut bench, "r a2"), right, "{unique}");
            // Out of reach of the first ones it is another.
            assert_eq!(feed(&mut bench, 11, "l a3"), "");
        }
    }

    fn feed_lines(bench: &mut Bench, event: &str) -> Vec<String> {
        let (side, name) = event.split_once(' ').expect("written `side name`");
        let (input, field) = if side == "l" {
            (LEFT, "k")
        } else {
            (RIGHT, "key")
        };
        let data: Object = [(field, &name[..1]), ("is", name)].into_iter().collect();
        bench.feed_input(input, 0, data.into())
    }

    #[test]
    fn results_say_who_and_why_they_are() {
        for (left_ms, right_ms, time_ms, cause) in
            [(3, 5, 5, "r1"), (5, 3, 5, "l1"), (4, 4, 4, "r1")]
        {
            let left = (LEFT, event("l1", left_ms, value!({"k": 1})));
            let right = (RIGHT, event("r1", right_ms, value!({"key": 1})));
            for order in [[&left, &right], [&right, &left]] {
                let mut bench = bench("none", 9);
                let [_, output] = order
                    .map(|(input, event)| bench.handle_at(event.clone(), *input, &Share::none()));
                let context = &output.emitted[0].1.context;
                assert_eq!((&*context.id, &*context.source), ("node/l1+r1", "node"));
                assert_eq!((&*context.ty, context.time_ms), ("join", time_ms));
                assert_eq!(context.extensions[extension::CAUSATION], cause);
            }
        }
        let mut bench = bench("none", 9);
        bench.feed_at(0, value!({"k": 1}));
        let output = bench.handle_at(event("r1", 90, value!({"key": 2})), RIGHT, &Share::none());
        let context = &output.emitted[0].1.context;
        assert_eq!((&*context.id, context.time_ms), ("node/e1+", 0));
    }

    #[test]
    fn events_without_a_key_fail() {
        let mut bench = bench("none", 9);
        for (input, field) in [(LEFT, "left_key"), (RIGHT, "right_key")] {
            assert_eq!(
                bench.feed_input(input, 0, value!({"other": 1})),
                [format!(
                    "failed Invalid: `{field}`: the key is null; events without one pass elsewhere"
                )]
            );
        }
    }
}
