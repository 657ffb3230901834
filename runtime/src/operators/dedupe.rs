//! Dedupe: each key once.

use std::collections::VecDeque;

use graph_model::catalog::{Behaviour, Family, FieldSpec, FieldType, JqRole, KindSpec, PortSpec};
use graph_model::event::Event;
use graph_model::value::Value;
use runtime_protocol::Problem;
use rustc_hash::FxHashMap;

use crate::delivery::{Share, Standing, Watch};
use crate::kind::{Build, Kind, Make};
use crate::operator::{Context, Operator, Output};
use crate::operators::expression::Expression;

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Operator(make),
    }
}

fn make(build: &Build) -> Result<Box<dyn Operator>, Problem> {
    Ok(Box::new(Dedupe {
        key: Expression::of_field(build, "key")?,
        ttl_ms: build.millis("ttl")?,
        capacity: build.whole("capacity")?.max(1) as usize,
        marks: FxHashMap::default(),
        order: VecDeque::new(),
        forgotten: 0,
        settled: 0,
    }))
}

struct Dedupe {
    key: Expression,
    ttl_ms: i64,
    capacity: usize,
    marks: FxHashMap<Value, Mark>,
    /// Keys and when they came, the oldest first; at most `capacity`.
    order: VecDeque<(Value, i64)>,
    /// Number of the first entry of `order`.
    forgotten: u64,
    /// Number of the first entry whose delivery may still be under way.
    settled: u64,
}

/// What is known of a key.
struct Mark {
    /// Number of its entry in `order`; an entry with another number is no longer about it.
    number: u64,
    /// The delivery of the first event, until it is known to be safe.
    watch: Option<Watch>,
}

impl Operator for Dedupe {
    fn on_event(&mut self, event: Event, _input: usize, ctx: &Context<'_>, out: &mut Output) {
        let key = match self.key.key(&event, ctx) {
            Ok(key) => key,
            Err(failure) => return out.fail(event, failure),
        };
        self.forget(ctx.now_ms);
        self.settle();
        if self.is_repeated(&key, ctx.share) {
            return out.emit(REPEATED, event);
        }
        self.remember(key, ctx);
        out.emit(OUT, event);
    }
}

const OUT: u16 = 0;
const REPEATED: u16 = 1;

/// Deliveries that are looked at for each event, to let go of those that are settled.
const LOOKS: usize = 2;

impl Dedupe {
    /// Whether the first event of the key is safe, or under way; then the copy shares its outcome.
    fn is_repeated(&mut self, key: &Value, copy: Option<&Share>) -> bool {
        let Some(mark) = self.marks.get_mut(key) else {
            return false;
        };
        match mark.watch.as_ref().map(Watch::standing) {
            None => true,
            Some(Standing::Safe) => {
                mark.watch = None;
                true
            }
            Some(Standing::UnderWay(first)) => {
                if let Some(copy) = copy {
                    first.lead(copy);
                }
                true
            }
            Some(Standing::GivenUp) => false,
        }
    }

    fn remember(&mut self, key: Value, ctx: &Context<'_>) {
        if self.order.len() >= self.capacity {
            self.forget_oldest();
        }
        let number = self.forgotten + self.order.len() as u64;
        let watch = ctx.share.and_then(Share::watch);
        self.order.push_back((key.clone(), ctx.now_ms));
        self.marks.insert(key, Mark { number, watch });
    }

    /// Forgets keys that are older than they are remembered.
    fn forget(&mut self, now_ms: i64) {
        while let Some((_, came_ms)) = self.order.front()
            && now_ms.saturating_sub(*came_ms) >= self.ttl_ms
        {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some((key, _)) = self.order.pop_front() else {
            return;
        };
        if self
            .marks
            .get(&key)
            .is_some_and(|mark| mark.number == self.forgotten)
        {
            self.marks.remove(&key);
        }
        self.forgotten += 1;
    }

    /// Lets go of settled deliveries, a few at a time and in order.
    fn settle(&mut self) {
        self.settled = self.settled.max(self.forgotten);
        for _ in 0..LOOKS {
            let Some((key, _)) = self.order.get((self.settled - self.forgotten) as usize) else {
                return;
            };
            if let Some(mark) = self.marks.get_mut(key)
                && mark.number == self.settled
                && let Some(watch) = &mark.watch
            {
                match watch.standing() {
                    Standing::UnderWay(_) => return,
                    Standing::Safe => mark.watch = None,
                    Standing::GivenUp => {
                        self.marks.remove(key);
                    }
                }
            }
            self.settled += 1;
        }
    }
}

fn spec() -> KindSpec {
    KindSpec {
        id: "dedupe".into(),
        family: Family::Operator,
        title: "Dedupe".into(),
        summary: "Lets the first event of each key pass.".into(),
        doc: "Remembers keys for a time. Repetitions go to `repeated`, or nowhere when nothing is wired there. A copy of an event that is still under way shares its outcome; the next copy of one that was given up passes as the first. The memory is kept for each partition and does not outlive the run; when it is full, the oldest key is forgotten.".into(),
        icon: "dedupe".into(),
        inputs: vec![PortSpec::data("in", "Events to handle")],
        outputs: vec![PortSpec::data("out", "First events"), PortSpec::data("repeated", "Repetitions"), PortSpec::failed("Events without a usable key")],
        config: vec![FieldSpec::new("key", "Key", FieldType::Jq { role: JqRole::Key }, "What makes two events the same").default_to("$event.source + \"/\" + $event.id"), FieldSpec::new("ttl", "Remember for", FieldType::Duration, "How long a key is remembered").default_to("24h"), FieldSpec::new("capacity", "Capacity", FieldType::Integer { min: 1, max: 100_000_000 }, "Keys that are remembered at most; the oldest is forgotten first").default_to(1_000_000).advanced()],
        behaviour: Behaviour::Dedupe { key: "key".into(), ttl: "ttl".into() },
        resource: None,
        since: "0.1.0".into(),
    }
}

#[cfg(test)]
mod tests {
    use graph_model::value;

    use super::*;
    use crate::operator::Failure;
    use crate::operators::testing::{Bench, delivery, event};

    fn port(bench: &mut Bench, share: &Share) -> u16 {
        let output = bench.handle(event("e", 0, value!({"k": 1})), share);
        output.emitted[0].0
    }

    #[test]
    fn the_first_of_each_key_passes_for_a_time() {
        let mut bench = Bench::new("dedupe", value!({"key": ".k", "ttl": "1s"}));
        for (now_ms, key, line) in [
            (0, value!("a"), r#"out {"k":"a"}"#),
            (500, value!("b"), r#"out {"k":"b"}"#),
            (999, value!("a"), r#"repeated {"k":"a"}"#),
            (1_000, value!("a"), r#"out {"k":"a"}"#),
            (1_000, value!("b"), r#"repeated {"k":"b"}"#),
            (1_500, value!("b"), r#"out {"k":"b"}"#),
        ] {
            bench.now_ms = now_ms;
            assert_eq!(bench.feed(value!({"k": key})), [line], "{now_ms}");
        }
        assert_eq!(
            bench.feed(value!({})),
            ["failed Invalid: `key`: the key is null; events without one pass elsewhere"]
        );
    }

    #[test]
    fn the_oldest_key_is_forgotten_first() {
        let mut bench = Bench::new("dedupe", value!({"key": ".", "capacity": 2}));
        for (key, line) in [
            (1, "out 1"),
            (2, "out 2"),
            (1, "repeated 1"),
            (3, "out 3"),
            (2, "repeated 2"),
            (1, "out 1"),
        ] {
            assert_eq!(bench.feed(value!(key)), [line]);
        }
    }

    #[test]
    fn copies_share_the_outcome_of_the_first_while_it_is_under_way() {
        let mut bench = Bench::new("dedupe", value!({"key": ".k"}));
        let (first, first_heard) = delivery();
        let (copy, copy_heard) = delivery();
        assert_eq!(port(&mut bench, &first), OUT);
        assert_eq!(port(&mut bench, &copy), REPEATED);
        drop(copy);
        assert!(
            copy_heard.try_recv().is_err(),
            "the copy waits for the first"
        );
        assert!(first.give_up(&Failure::transient("disk full")));
        drop(first);
        assert_eq!(first_heard.try_recv(), Ok(false));
        assert_eq!(copy_heard.try_recv(), Ok(false));

        let (again, again_heard) = delivery();
        assert_eq!(
            port(&mut bench, &again),
            OUT,
            "what was given up comes again"
        );
        drop(again);
        assert_eq!(again_heard.try_recv(), Ok(true));
        let (late, _late_heard) = delivery();
        assert_eq!(port(&mut bench, &late), REPEATED, "the first is safe");
    }

    #[test]
    fn settled_deliveries_are_let_go() {
        let mut dedupe = Dedupe {
            key: Expression::for_test(".k"),
            ttl_ms: 1_000,
            capacity: 10,
            marks: FxHashMap::default(),
            order: VecDeque::new(),
            forgotten: 0,
            settled: 0,
        };
        let (safe, _safe_heard) = delivery();
        let (lost, _lost_heard) = delivery();
        let (open, _open_heard) = delivery();
        for (key, share) in [(1, &safe), (2, &lost), (3, &open)] {
            let ctx = Context {
                share: Some(share),
                ..Context::default()
            };
            dedupe.remember(value!(key), &ctx);
        }
        assert!(lost.give_up(&Failure::invalid("no")));
        drop((safe, lost));
        dedupe.settle();
        let watched = |key: i32| {
            dedupe
                .marks
                .get(&value!(key))
                .map(|mark| mark.watch.is_some())
        };
        assert_eq!(
            [watched(1), watched(2), watched(3)],
            [Some(false), None, Some(true)]
        );
    }
}
