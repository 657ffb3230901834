//! Decide: counts the events of a group, and says once what that means.

use std::collections::BTreeMap;
use std::mem::take;
use std::sync::Arc;

use graph_model::catalog::{Behaviour, Family, FieldSpec, FieldType, JqRole, KindSpec, PortSpec};
use graph_model::event::{Event, EventContext};
use graph_model::value::{Object, Value};
use runtime_protocol::Problem;
use rustc_hash::FxHashMap;
use smol_str::{SmolStr, format_smolstr};

use crate::kind::{Build, Kind, Make};
use crate::operator::{Context, Failure, Operator, Output};
use crate::operators::expression::Expression;
use crate::operators::keyed::Keyed;
use crate::operators::result::{result, result_id};

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Operator(make),
    }
}

fn make(build: &Build) -> Result<Box<dyn Operator>, Problem> {
    let count = build.whole("count")?.max(1);
    let claim = match &*build.text("claim")? {
        "fewer_than" => Claim::FewerThan(count),
        "absent" => Claim::Absent,
        _ => Claim::AtLeast(count),
    };
    let wait = match &*build.text("wait")? {
        "no" => Wait::No,
        "seal" => Wait::Seal,
        _ => Wait::Window {
            size: build.span("size")?,
            lateness: build.millis("lateness")?,
        },
    };
    let seal_key = match build.optional_text("seal_key") {
        Some(_) => "seal_key",
        None => "group",
    };
    let groups_max = build.whole("groups")? as usize;
    Ok(Box::new(Decide {
        node: SmolStr::from(build.id.as_str()),
        group: Expression::of_optional(build, "group")?,
        seal_key: Expression::of_optional(build, seal_key)?,
        claim,
        wait,
        idle_ms: u64::try_from(build.millis("idle")?).unwrap_or(0),
        groups_max,
        spans: BTreeMap::new(),
        held: 0,
        latest: i64::MIN,
        sealed: Keyed::new(groups_max),
    }))
}

struct Decide {
    node: SmolStr,
    group: Option<Expression>,
    seal_key: Option<Expression>,
    claim: Claim,
    wait: Wait,
    /// Silence after which open windows close; 0 for none.
    idle_ms: u64,
    groups_max: usize,
    /// Groups by the start of their window; all at 0 where there are no windows.
    spans: BTreeMap<i64, FxHashMap<Value, Group>>,
    /// Groups in all.
    held: usize,
    /// The latest event time so far.
    latest: i64,
    /// Groups that were sealed.
    sealed: Keyed<()>,
}

#[derive(Clone, Copy)]
enum Claim {
    AtLeast(u64),
    FewerThan(u64),
    Absent,
}

#[derive(Clone, Copy)]
enum Wait {
    No,
    Seal,
    /// Milliseconds.
    Window {
        size: i64,
        lateness: i64,
    },
}

struct Group {
    count: u64,
    answered: bool,
    /// Of the last event: the cause of an answer.
    last: Arc<EventContext>,
}

impl Operator for Decide {
    fn on_event(&mut self, event: Event, input: usize, ctx: &Context<'_>, out: &mut Output) {
        let seals = input == SEAL;
        let key = if seals { &self.seal_key } else { &self.group };
        let key = key
            .as_ref()
            .map_or(Ok(Value::Null), |key| key.value(&event, ctx));
        let key = match key {
            Ok(key) => key,
            Err(failure) => return out.fail(event, failure),
        };
        if matches!(self.wait, Wait::Seal) && (seals || self.sealed.get(&key).is_some()) {
            if seals {
                self.seal(&key, &event.context, ctx, out);
            } else {
                out.emit(LATE, event);
            }
            return;
        }
        let time = event.context.time_ms;
        let span = self.wait.span(time);
        if self.wait.closed(span, self.latest) {
            return out.emit(LATE, event);
        }
        // First, as it makes room.
        self.close_before(time, ctx, out);
        match self.find_room(&key, span) {
            Ok(()) => self.take(&key, span, seals, event, ctx, out),
            Err(failure) => out.fail(event, failure),
        }
    }

    fn on_end(&mut self, ctx: &Context<'_>, out: &mut Output) {
        for (span, groups) in take(&mut self.spans) {
            self.close(span, groups, ctx, out);
        }
        self.held = 0;
    }

    fn idle_ms(&self) -> Option<u64> {
        let timed = matches!(self.wait, Wait::Window { .. });
        (timed && self.idle_ms > 0).then_some(self.idle_ms)
    }

    fn on_idle(&mut self, ctx: &Context<'_>, out: &mut Output) {
        if let Wait::Window { size, lateness } = self.wait {
            for (span, groups) in take(&mut self.spans) {
                // What comes for the window from now on is late, or it would have two answers.
                let end = span.saturating_add(size).saturating_add(lateness);
                self.latest = self.latest.max(end);
                self.held -= groups.len();
                self.close(span, groups, ctx, out);
            }
        }
    }
}

/// Number of the second input.
const SEAL: usize = 1;
const OUT: u16 = 0;
const LATE: u16 = 1;

/// Type of the events that say what was decided.
const RESULT_TYPE: SmolStr = SmolStr::new_static("decision");

impl Decide {
    fn find_room(&self, key: &Value, span: i64) -> Result<(), Failure> {
        let is_known = || {
            let groups = self.spans.get(&span);
            groups.is_some_and(|groups| groups.contains_key(key))
        };
        if self.held < self.groups_max || is_known() {
            return Ok(());
        }
        let limit = self.groups_max;
        Err(Failure::transient(format_smolstr!(
            "all {limit} groups are taken; raise `groups`, or group by less"
        )))
    }

    /// Counts the event, or opens its group for it when it is no event to count.
    fn take(
        &mut self,
        key: &Value,
        span: i64,
        seals: bool,
        event: Event,
        ctx: &Context<'_>,
        out: &mut Output,
    ) {
        let groups = self.spans.entry(span).or_default();
        let group = groups.entry(key.clone()).or_insert_with(|| {
            self.held += 1;
            Group {
                count: 0,
                answered: false,
                last: Arc::clone(&event.context),
            }
        });
        if group.answered {
            if !seals && !matches!(self.claim, Claim::AtLeast(_)) {
                out.emit(LATE, event);
            }
            return;
        }
        if !seals {
            group.count += 1;
        }
        group.last = event.context;
        let ready = match self.claim {
            Claim::AtLeast(wanted) => group.count >= wanted,
            Claim::FewerThan(_) | Claim::Absent => matches!(self.wait, Wait::No),
        };
        if ready {
            group.answered = true;
            let (count, cause) = (group.count, Arc::clone(&group.last));
            out.emit(
                OUT,
                self.answer(key, span, count, &cause, cause.time_ms, ctx),
            );
        }
    }

    /// Answers for a group of which no more events come.
    fn seal(&mut self, key: &Value, seal: &Arc<EventContext>, ctx: &Context<'_>, out: &mut Output) {
        let is_new = self.sealed.get(key).is_none();
        self.sealed.touch(key, || ());
        let span = self.wait.span(seal.time_ms);
        let group = self.spans.get_mut(&span).and_then(|held| held.remove(key));
        self.held -= usize::from(group.is_some());
        let count = group.map_or(0, |group| group.count);
        if is_new && !matches!(self.claim, Claim::AtLeast(_)) {
            out.emit(OUT, self.answer(key, span, count, seal, seal.time_ms, ctx));
        }
    }

    /// Answers for the windows that wait no longer once `time` was seen.
    fn close_before(&mut self, time: i64, ctx: &Context<'_>, out: &mut Output) {
        self.latest = self.latest.max(time);
        while let Some(first) = self.spans.first_entry()
            && self.wait.closed(*first.key(), self.latest)
        {
            let (span, groups) = first.remove_entry();
            self.held -= groups.len();
            self.close(span, groups, ctx, out);
        }
    }

    /// Answers for groups for which nobody answered yet, in the order of their keys.
    fn close(
        &self,
        span: i64,
        groups: FxHashMap<Value, Group>,
        ctx: &Context<'_>,
        out: &mut Output,
    ) {
        let waits = |group: &Group| !group.answered && !matches!(self.claim, Claim::AtLeast(_));
        let groups = groups.into_iter().filter(|(_, group)| waits(group));
        let mut groups: Vec<_> = groups.collect();
        groups.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (key, group) in groups {
            let time = match self.wait {
                // The last moment of the window, as with aggregates.
                Wait::Window { size, .. } => span.saturating_add(size) - 1,
                Wait::No | Wait::Seal => group.last.time_ms,
            };
            out.emit(
                OUT,
                self.answer(&key, span, group.count, &group.last, time, ctx),
            );
        }
    }

    fn answer(
        &self,
        key: &Value,
        span: i64,
        count: u64,
        cause: &Arc<EventContext>,
        time_ms: i64,
        ctx: &Context<'_>,
    ) -> Event {
        let (claim, holds) = match self.claim {
            Claim::AtLeast(wanted) => ("at_least", count >= wanted),
            Claim::FewerThan(wanted) => ("fewer_than", count < wanted),
            Claim::Absent => ("absent", count == 0),
        };
        let id = match self.wait {
            Wait::Window { .. } => result_id(&self.node, key, span, ctx),
            Wait::No | Wait::Seal => result_id(&self.node, key, claim, ctx),
        };
        let mut data = Object::with_capacity(4);
        data.insert("key", key.clone());
        data.insert("claim", claim);
        data.insert("count", count);
        data.insert("holds", holds);
        result(&self.node, RESULT_TYPE, cause, id, time_ms, data.into())
    }
}

impl Wait {
    /// The start of the window that the time falls into.
    fn span(self, time: i64) -> i64 {
        match self {
            Wait::Window { size, .. } => time.div_euclid(size).saturating_mul(size),
            Wait::No | Wait::Seal => 0,
        }
    }

    /// Whether the window that starts at `span` waits no longer once `latest` was seen.
    fn closed(self, span: i64, latest: i64) -> bool {
        match self {
            Wait::Window { size, lateness } => {
                span.saturating_add(size).saturating_add(lateness) <= latest
            }
            Wait::No | Wait::Seal => false,
        }
    }
}

fn spec() -> KindSpec {
    KindSpec {
        id: "decide".into(),
        family: Family::Operator,
        title: "Decide".into(),
        summary: "Counts the events of a group and says once what that means.".into(),
        doc: "The claim is about the number of events of a group. `at_least` is certain as soon as the `count` is reached: it is sent then, and nothing when it never is. That there are `fewer_than` so many, or that they are `absent`, is certain only when no more can come; `wait` says what to wait for:\n\n- `window`: the events of a span of event time. The answer comes when an event is later than the end of the span and `lateness`, when no event has come for as long as `idle` says, or when the input ends. An event of `seal` then only makes its group known, so that its absence can be seen.\n- `seal`: an event of `seal` with the key of the group, or the end of the input. A group without events is answered for as well.\n- `no`: the first event of a group, of either input. The answer is wrong as soon as another event comes.\n\nAn answer says the `key`, the `claim`, the `count` and whether the claim `holds`. With windows there is one for each window, without them one for each group. An event that comes after the answer, or after its window or seal, goes to `late`, or nowhere when nothing is wired there; what follows on `at_least` is left out. Copies are counted.\n\nAn event of a further group when there are `groups` already fails; as many seals are remembered, and the oldest is forgotten first. Without windows and seals, groups are held for ever. Groups are kept for each partition and do not outlive the run: what was counted before a restart is missing, and answers may come again, with the same id.".into(),
        icon: "decide".into(),
        inputs: vec![PortSpec::data("in", "Events to count"), PortSpec::data("seal", "Says that a group is complete")],
        outputs: vec![PortSpec::data("out", "What was decided, by group"), PortSpec::data("late", "Events that came after the decision"), PortSpec::failed("Events that could not be counted")],
        config: vec![FieldSpec::new("group", "Group by", FieldType::Jq { role: JqRole::Key }, "Events with the same key are counted together; empty counts all"), FieldSpec::new("seal_key", "Group of a seal", FieldType::Jq { role: JqRole::Key }, "The group that an event of `seal` is about; empty reads it as `group` does"), FieldSpec::new("claim", "Claim", FieldType::choice(&["at_least", "fewer_than", "absent"]), "What is said of the events of a group").default_to("at_least"), FieldSpec::new("count", "Events", FieldType::Integer { min: 1, max: 1_000_000_000 }, "How many `at_least` and `fewer_than` are about").default_to(1), FieldSpec::new("wait", "Wait for", FieldType::choice(&["window", "seal", "no"]), "What makes sure that no more events come").default_to("window"), FieldSpec::new("size", "Span", FieldType::Duration, "Length of a window").default_to("1m"), FieldSpec::new("lateness", "Lateness", FieldType::Duration, "How long a window waits for events that come late").default_to("0s").advanced(), FieldSpec::new("idle", "Close when idle for", FieldType::Duration, "Open windows close when no event has come for so long; `0s` waits for ever").default_to("0s").advanced(), FieldSpec::new("groups", "Groups", FieldType::Integer { min: 1, max: 100_000_000 }, "Groups that are held at most; events of further ones fail").default_to(1_000_000).advanced()],
        behaviour: Behaviour::Decide { group: "group".into(), seal_key: "seal_key".into(), claim: "claim".into(), wait: "wait".into() },
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

    const IN: usize = 0;

    fn bench(claim: &str, wait: &str, count: i64) -> Bench {
        let config = value!({
            "group": ".k", "seal_key": ".done", "claim": claim, "wait": wait, "count": count,
            "size": "10ms", "lateness": "2ms", "groups": 3,
        });
        Bench::new("decide", config)
    }

    /// Feeds an event of a group, or a seal as `!a`, and shows answers as `group count holds`.
    fn feed(bench: &mut Bench, time_ms: i64, group: &str) -> String {
        let lines = match group.strip_prefix('!') {
            Some(sealed) => bench.feed_input(SEAL, time_ms, value!({"done": sealed})),
            None => bench.feed_input(IN, time_ms, value!({"k": group})),
        };
        short(&lines)
    }

    fn short(lines: &[String]) -> String {
        let short = lines.iter().map(|line| {
            let Some(json) = line.strip_prefix("out ") else {
                return line.replace(r#"{"k":""#, "").replace(r#""}"#, "");
            };
            let data = Value::parse(json.as_bytes(), 1_000).expect("JSON");
            let field = |name| data.get(name).map(Value::to_text).expect("a field");
            format!("{} {} {}", field("key"), field("count"), field("holds"))
        });
        short.collect::<Vec<_>>().join(", ")
    }

    fn table(bench: &mut Bench, rows: &[(i64, &str, &str)]) {
        for (time_ms, group, shown) in rows {
            assert_eq!(feed(bench, *time_ms, group), *shown, "{time_ms} {group}");
        }
    }

    #[test]
    fn windows_are_answered_for_when_nothing_comes() {
        let config = value!({
            "group": ".k", "claim": "fewer_than", "wait": "window", "count": 3, "size": "10ms",
            "idle": "1s",
        });
        let mut idle = Bench::new("decide", config);
        assert_eq!(idle.idle_ms(), Some(1_000));
        table(&mut idle, &[(1, "a", ""), (2, "b", ""), (3, "a", "")]);
        let answers = idle.idle();
        assert_eq!(short(&answers), "a 2 true, b 1 true");
        table(&mut idle, &[(4, "a", "late a"), (10, "a", "")]);
        let answers = idle.idle();
        assert_eq!(short(&answers), "a 1 true");
        assert_eq!(bench("fewer_than", "window", 3).idle_ms(), None);
    }

    #[test]
    fn that_there_are_so_many_is_sent_once_they_are_there() {
        let rows = [
            (0, "a", ""),
            (0, "b", ""),
            (1, "a", "a 2 true"),
            (2, "a", ""), // said already
        ];
        for wait in ["no", "seal", "window"] {
            let mut bench = bench("at_least", wait, 2);
            table(&mut bench, &rows);
            assert_eq!(bench.end(), [""; 0], "{wait}: `b` never got so many");
        }
        let mut bench = bench("at_least", "window", 2);
        table(&mut bench, &rows);
        // A window later, counting begins anew.
        table(
            &mut bench,
            &[(12, "a", ""), (0, "b", "late b"), (13, "a", "a 2 true")],
        );
    }

    #[test]
    fn windows_answer_when_they_are_over() {
        let mut bench = bench("fewer_than", "window", 2);
        table(
            &mut bench,
            &[
                (0, "b", ""),
                (9, "a", ""),
                (11, "a", ""), // the next window; the first one waits for late events
                (3, "a", ""),
                (12, "c", "a 2 false, b 1 true"),
                (9, "b", "late b"),
            ],
        );
        assert_eq!(short(&bench.end()), "a 1 true, c 1 true");
    }

    #[test]
    fn windows_see_the_absence_of_groups_that_they_know() {
        let mut bench = bench("absent", "window", 1);
        table(
            &mut bench,
            &[
                (0, "!a", ""),
                (0, "!b", ""),
                (5, "b", ""),
                (12, "!c", "a 0 true, b 1 false"),
                (0, "!a", "late {\"done\":\"a"),
            ],
        );
    }

    #[test]
    fn seals_answer_for_their_group() {
        let mut bench = bench("fewer_than", "seal", 2);
        table(
            &mut bench,
            &[
                (0, "a", ""),
                (99, "b", ""),
                (1, "!a", "a 1 true"),
                (1, "!a", ""), // a copy
                (1, "a", "late a"),
                (1, "!c", "c 0 true"),
                (1, "b", ""),
            ],
        );
        assert_eq!(
            short(&bench.end()),
            "b 2 false",
            "the end of the input seals"
        );
        let mut bench = self::bench("absent", "seal", 1);
        table(
            &mut bench,
            &[(0, "a", ""), (0, "!a", "a 1 false"), (0, "!b", "b 0 true")],
        );
        let mut bench = self::bench("at_least", "seal", 1);
        table(
            &mut bench,
            &[(0, "!a", ""), (0, "a", "late a"), (0, "b", "b 1 true")],
        );
    }

    #[test]
    fn without_waiting_the_first_event_decides() {
        let mut bench = bench("fewer_than", "no", 2);
        table(
            &mut bench,
            &[
                (0, "a", "a 1 true"),
                (0, "a", "late a"), // now it is wrong
                (0, "!b", "b 0 true"),
                (0, "!b", ""),
            ],
        );
        assert_eq!(bench.end(), [""; 0]);
        table(
            &mut self::bench("absent", "no", 1),
            &[(0, "a", "a 1 false")],
        );
    }

    #[test]
    fn there_is_room_for_so_many_groups_only() {
        let full = "failed Transient: all 3 groups are taken; raise `groups`, or group by less";
        let mut bench = bench("fewer_than", "window", 2);
        table(
            &mut bench,
            &[
                (0, "a", ""),
                (0, "b", ""),
                (10, "a", ""),
                (10, "c", full),
                (10, "a", ""),
                (12, "c", "a 1 true, b 1 true"), // time makes room
                (22, "c", "a 2 false, c 1 true"),
            ],
        );
        let mut bench = self::bench("fewer_than", "seal", 2);
        table(
            &mut bench,
            &[
                (0, "!a", "a 0 true"),
                (0, "!b", "b 0 true"),
                (0, "!c", "c 0 true"),
                (0, "!d", "d 0 true"),
                (0, "a", ""), // its seal is forgotten
                (0, "d", "late d"),
            ],
        );
    }

    #[test]
    fn answers_say_who_and_why_they_are() {
        for (claim, wait, id, time_ms, cause) in [
            ("at_least", "no", "node/a/at_least", 15, "e1"),
            ("at_least", "window", "node/a/10", 15, "e1"),
            ("fewer_than", "window", "node/a/10", 19, "e1"),
            ("fewer_than", "seal", "node/a/fewer_than", 40, "e2"),
        ] {
            let mut bench = bench(claim, wait, 1);
            let events = [
                (IN, event("e1", 15, value!({"k": "a"}))),
                (SEAL, event("e2", 40, value!({"done": "a"}))),
            ];
            let outputs =
                events.map(|(input, event)| bench.handle_at(event, input, &Share::none()));
            let answer = outputs.iter().flat_map(|output| &output.emitted).next();
            let context = &answer.expect("an answer").1.context;
            assert_eq!((&*context.id, context.time_ms), (id, time_ms));
            assert_eq!((&*context.source, &*context.ty), ("node", "decision"));
            assert_eq!(context.extensions[extension::CAUSATION], cause);
        }
    }

    #[test]
    fn an_answer_says_what_it_is_about() {
        let mut bench = Bench::new("decide", value!({"count": 2}));
        bench.feed(value!(1));
        assert_eq!(
            bench.feed(value!(1)),
            [r#"out {"claim":"at_least","count":2,"holds":true,"key":null}"#]
        );
        assert_eq!(
            Bench::refusal("decide", value!({"size": "0s"})),
            "`size` must be at least 1ms"
        );
    }
}
