//! Aggregate: one result for each group.

use std::collections::BTreeMap;
use std::collections::hash_map::Entry;
use std::mem::take;
use std::sync::Arc;

use graph_model::catalog::{Behaviour, Family, FieldSpec, FieldType, JqRole, KindSpec, PortSpec};
use graph_model::event::{Event, EventContext, rfc3339};
use graph_model::value::{Object, Value};
use runtime_protocol::Problem;
use rustc_hash::FxHashMap;
use smol_str::{SmolStr, format_smolstr};

use crate::kind::{Build, Kind, Make};
use crate::operator::{Context, Failure, Operator, Output};
use crate::operators::expression::Expression;
use crate::operators::function::{Fold, Function, Refused};
use crate::operators::result::{result, result_id};

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Operator(make),
    }
}

fn make(build: &Build) -> Result<Box<dyn Operator>, Problem> {
    let window = match &*build.text("window")? {
        "time" => Window::Time {
            size: build.span("size")?,
            lateness: build.millis("lateness")?,
        },
        "count" => Window::Count(build.whole("count")?.max(1)),
        _ => Window::None,
    };
    let mut aggregate = Aggregate {
        node: SmolStr::from(build.id.as_str()),
        group: Expression::of_optional(build, "group")?,
        columns: Vec::new(),
        inputs: Vec::new(),
        window,
        idle_ms: u64::try_from(build.millis("idle")?).unwrap_or(0),
        groups_max: build.whole("groups")? as usize,
        values_max: build.whole("values")? as usize,
        groups: FxHashMap::default(),
        spans: BTreeMap::new(),
        held: 0,
        latest: i64::MIN,
        scratch: Vec::new(),
    };
    for record in build
        .value("aggregates")
        .and_then(Value::as_array)
        .unwrap_or_default()
    {
        aggregate.add_column(build, record)?;
    }
    if aggregate.columns.is_empty() {
        return Err(build.problem("`aggregates` is empty; say what is computed"));
    }
    Ok(Box::new(aggregate))
}

struct Aggregate {
    node: SmolStr,
    group: Option<Expression>,
    columns: Vec<Column>,
    /// What the columns fold; columns of the same expression share one.
    inputs: Vec<Expression>,
    window: Window,
    /// Silence after which open time windows close; 0 for none.
    idle_ms: u64,
    groups_max: usize,
    values_max: usize,
    /// Groups, unless they are parted by time.
    groups: FxHashMap<Value, Group>,
    /// Groups by the start of their time window.
    spans: BTreeMap<i64, FxHashMap<Value, Group>>,
    /// Groups in all.
    held: usize,
    /// The latest event time so far.
    latest: i64,
    /// Values of `inputs` for the event at hand.
    scratch: Vec<Value>,
}

struct Column {
    name: SmolStr,
    function: Function,
    /// Index of what it folds; nothing where events are counted.
    input: Option<usize>,
}

enum Window {
    None,
    Count(u64),
    /// Milliseconds.
    Time {
        size: i64,
        lateness: i64,
    },
}

struct Group {
    folds: Box<[Fold]>,
    /// Events since the group began, over all its count windows.
    seen: u64,
    /// Events in the present window.
    in_window: u64,
    /// Of the last event: the cause of the result.
    last: Arc<EventContext>,
}

impl Operator for Aggregate {
    fn on_event(&mut self, event: Event, _input: usize, ctx: &Context<'_>, out: &mut Output) {
        let time = event.context.time_ms;
        let span = match self.window {
            Window::Time { size, lateness } => {
                let span = time.div_euclid(size).saturating_mul(size);
                if closed(span, size, lateness, self.latest) {
                    return out.emit(LATE, event);
                }
                Some(span)
            }
            _ => None,
        };
        let key = match self.read(&event, ctx) {
            Ok(key) => key,
            Err(failure) => return out.fail(event, failure),
        };
        if let Window::Time { size, lateness } = self.window
            && time > self.latest
        {
            // First, as it makes room.
            self.latest = time;
            while let Some(span) = self.spans.first_entry()
                && closed(*span.key(), size, lateness, time)
            {
                let (start, groups) = span.remove_entry();
                self.held -= groups.len();
                self.close(start, size, groups, ctx, out);
            }
        }
        if let Err(failure) = self.fold(key, span, &event, ctx, out) {
            out.fail(event, failure);
        }
    }

    fn on_end(&mut self, ctx: &Context<'_>, out: &mut Output) {
        match self.window {
            Window::None => {}
            Window::Count(_) => {
                let groups = take(&mut self.groups);
                for (key, mut group) in by_key(groups) {
                    if group.in_window > 0 {
                        let id = result_id(&self.node, &key, group.seen, ctx);
                        let time = group.last.time_ms;
                        let data = self.finish(key, &mut group);
                        out.emit(OUT, self.event(&group.last, id, time, data));
                    }
                }
            }
            Window::Time { size, .. } => {
                for (start, groups) in take(&mut self.spans) {
                    self.close(start, size, groups, ctx, out);
                }
            }
        }
        self.held = 0;
    }

    fn idle_ms(&self) -> Option<u64> {
        let timed = matches!(self.window, Window::Time { .. });
        (timed && self.idle_ms > 0).then_some(self.idle_ms)
    }

    fn on_idle(&mut self, ctx: &Context<'_>, out: &mut Output) {
        if let Window::Time { size, lateness } = self.window {
            for (start, groups) in take(&mut self.spans) {
                // What comes for the window from now on is late, or it would have two results.
                let end = start.saturating_add(size).saturating_add(lateness);
                self.latest = self.latest.max(end);
                self.held -= groups.len();
                self.close(start, size, groups, ctx, out);
            }
        }
    }
}

const OUT: u16 = 0;
const LATE: u16 = 1;

/// Whether the window that starts at `span` waits no longer once `latest` was seen.
fn closed(span: i64, size: i64, lateness: i64, latest: i64) -> bool {
    span.saturating_add(size).saturating_add(lateness) <= latest
}

impl Aggregate {
    fn add_column(&mut self, build: &Build, record: &Value) -> Result<(), Problem> {
        let text = |field| {
            record
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let name = SmolStr::from(text("name"));
        if name.is_empty() {
            return Err(build.problem("`aggregates`: a result has no name; give it one"));
        }
        let taken = match self.window {
            Window::Time { .. } => &["key", "from", "to"][..],
            _ => &["key"],
        };
        if taken.contains(&&*name) || self.columns.iter().any(|column| column.name == name) {
            let message = format!("`aggregates`: `{name}` is there already; choose another name");
            return Err(build.problem(message));
        }
        let function = match text("function") {
            "" => Function::Count,
            word => Function::parse(word).ok_or_else(|| {
                let message = format!("`aggregates.{name}`: the function `{word}` is not known");
                build.problem(message)
            })?,
        };
        let code = text("of");
        let input = if !code.trim().is_empty() {
            let known = self.inputs.iter().position(|input| input.code() == code);
            if known.is_none() {
                let field = format!("aggregates.{name}");
                self.inputs.push(Expression::new(build, &field, code)?);
            }
            known.or(Some(self.inputs.len() - 1))
        } else if function == Function::Count {
            None
        } else {
            let message = format!("`aggregates.{name}`: say in `of` what is folded");
            return Err(build.problem(message));
        };
        self.columns.push(Column {
            name,
            function,
            input,
        });
        Ok(())
    }

    /// The key of the event; its values go into `scratch`. Nothing is changed when one fails.
    fn read(&mut self, event: &Event, ctx: &Context<'_>) -> Result<Value, Failure> {
        self.scratch.clear();
        for input in &self.inputs {
            self.scratch.push(input.value(event, ctx)?);
        }
        for column in &self.columns {
            if let Some(input) = column.input {
                let taken = column.function.takes(&self.scratch[input]);
                taken.map_err(|refused| refusal(column, refused))?;
            }
        }
        let group = self.group.as_ref();
        group.map_or(Ok(Value::Null), |group| group.value(event, ctx))
    }

    fn fold(
        &mut self,
        key: Value,
        span: Option<i64>,
        event: &Event,
        ctx: &Context<'_>,
        out: &mut Output,
    ) -> Result<(), Failure> {
        let groups = match span {
            Some(span) => self.spans.entry(span).or_default(),
            None => &mut self.groups,
        };
        let mut entry = match groups.entry(key) {
            Entry::Occupied(entry) => {
                for (column, fold) in self.columns.iter().zip(&entry.get().folds) {
                    if let Some(input) = column.input {
                        let room = fold.has_room(&self.scratch[input], self.values_max);
                        room.map_err(|refused| refusal(column, refused))?;
                    }
                }
                entry
            }
            Entry::Vacant(entry) => {
                if self.held >= self.groups_max {
                    let limit = self.groups_max;
                    return Err(Failure::transient(format_smolstr!(
                        "all {limit} groups are taken; raise `groups`, or group by less"
                    )));
                }
                self.held += 1;
                entry.insert_entry(Group {
                    folds: self
                        .columns
                        .iter()
                        .map(|column| column.function.begin())
                        .collect(),
                    seen: 0,
                    in_window: 0,
                    last: Arc::clone(&event.context),
                })
            }
        };
        let group = entry.get_mut();
        for (column, fold) in self.columns.iter().zip(&mut group.folds) {
            fold.add(
                column
                    .input
                    .map_or(&Value::Bool(true), |input| &self.scratch[input]),
            );
        }
        group.seen += 1;
        group.in_window += 1;
        if !Arc::ptr_eq(&group.last, &event.context) {
            group.last = Arc::clone(&event.context);
        }
        let finished = match self.window {
            Window::None => false,
            Window::Count(count) if group.in_window >= count => true,
            Window::Count(_) | Window::Time { .. } => return Ok(()),
        };
        let seen = group.seen;
        let mut data = Object::with_capacity(self.columns.len() + 1);
        for (column, fold) in self.columns.iter().zip(&mut group.folds) {
            let value = if finished {
                fold.finish()
            } else {
                fold.result()
            };
            data.insert(column.name.clone(), value);
        }
        if finished {
            group.in_window = 0;
        }
        let key = entry.key().clone();
        let id = result_id(&self.node, &key, seen, ctx);
        data.insert("key", key);
        let time = event.context.time_ms;
        let cause = &event.context;
        out.emit(OUT, self.event(cause, id, time, data));
        Ok(())
    }

    /// Sends the results of a time window, in the order of their keys.
    fn close(
        &self,
        start: i64,
        size: i64,
        groups: FxHashMap<Value, Group>,
        ctx: &Context<'_>,
        out: &mut Output,
    ) {
        let end = start.saturating_add(size);
        let (from, to) = (SmolStr::from(rfc3339(start)), SmolStr::from(rfc3339(end)));
        for (key, mut group) in by_key(groups) {
            let id = result_id(&self.node, &key, start, ctx);
            let mut data = self.finish(key, &mut group);
            data.insert("from", from.clone());
            data.insert("to", to.clone());
            // The last moment of the window: an hour of minutes gets the minutes of that hour.
            out.emit(OUT, self.event(&group.last, id, end - 1, data));
        }
    }

    fn finish(&self, key: Value, group: &mut Group) -> Object {
        let mut result = Object::with_capacity(self.columns.len() + 3);
        for (column, fold) in self.columns.iter().zip(&mut group.folds) {
            result.insert(column.name.clone(), fold.finish());
        }
        result.insert("key", key);
        result
    }

    fn event(&self, cause: &Arc<EventContext>, id: SmolStr, time_ms: i64, data: Object) -> Event {
        result(&self.node, RESULT_TYPE, cause, id, time_ms, data.into())
    }
}

/// Type of the events that aggregates send.
const RESULT_TYPE: SmolStr = SmolStr::new_static("aggregate");

fn refusal(column: &Column, refused: Refused) -> Failure {
    let name = &column.name;
    match refused {
        Refused::Value(reason) => {
            Failure::invalid(format_smolstr!("`aggregates.{name}`: {reason}"))
        }
        Refused::Full(limit) => Failure::transient(format_smolstr!(
            "`aggregates.{name}` holds {limit} values already; raise `values`, or choose a window"
        )),
    }
}

fn by_key(groups: FxHashMap<Value, Group>) -> Vec<(Value, Group)> {
    let mut sorted: Vec<_> = groups.into_iter().collect();
    sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
    sorted
}

fn spec() -> KindSpec {
    KindSpec {
        id: "aggregate".into(),
        family: Family::Operator,
        title: "Aggregate".into(),
        summary: "Folds the events of a group into one result.".into(),
        doc: "A result has the `key` of its group and the results by name. Without a window the node folds for ever and sends the new result after every event (an update of the old one). With a window, a result is sent when the window closes: after a span of event time, or after a number of events. Open windows close when the input ends.\n\nA time window closes when an event is later than its end and `lateness`; one event that is far too late in time therefore closes all windows before it. While no event comes none closes, unless `idle` says after how long of that all do; what then still comes for them goes to `late`. Its results also say `from` and `to`, and their time is the last moment of the window. Values that are `null` are left out. An event whose value is no number where one is needed, or for which there is no room, fails and is not folded at all. Each partition has groups of its own.".into(),
        icon: "sigma".into(),
        inputs: vec![PortSpec::data("in", "Events to handle")],
        outputs: vec![PortSpec::data("out", "Results by group"), PortSpec::data("late", "Events whose window had closed"), PortSpec::failed("Events that could not be folded")],
        config: vec![FieldSpec::new("group", "Group by", FieldType::Jq { role: JqRole::Key }, "Events with the same key are folded together; empty folds all"), FieldSpec::new("aggregates", "Results", FieldType::Records { fields: fold() }, "What is computed for each group").required(), FieldSpec::new("window", "Window", FieldType::choice(&["none", "time", "count"]), "When a result is complete").default_to("none"), FieldSpec::new("size", "Span", FieldType::Duration, "Length of a time window").default_to("1m"), FieldSpec::new("count", "Events", FieldType::Integer { min: 1, max: 1_000_000_000 }, "Events in a count window").default_to(100), FieldSpec::new("lateness", "Lateness", FieldType::Duration, "How long a time window waits for events that come late").default_to("0s").advanced(), FieldSpec::new("idle", "Close when idle for", FieldType::Duration, "Open time windows close when no event has come for so long; `0s` waits for ever").default_to("0s").advanced(), FieldSpec::new("groups", "Groups", FieldType::Integer { min: 1, max: 1_000_000_000 }, "Groups that are held at most; events of further ones fail").default_to(10_000_000).advanced(), FieldSpec::new("values", "Values", FieldType::Integer { min: 1, max: 1_000_000_000 }, "Values that `list`, `median` and `count_distinct` hold at most for a group; events with further ones fail").default_to(100_000).advanced()],
        behaviour: Behaviour::Aggregate { group: "group".into(), aggregates: "aggregates".into(), window: "window".into() },
        resource: None,
        since: "0.1.0".into(),
    }
}

fn fold() -> Vec<FieldSpec> {
    vec![
        FieldSpec::new("name", "Name", FieldType::Text, "Field of the result").required(),
        FieldSpec::new(
            "function",
            "Function",
            FieldType::choice(&Function::ALL.map(|(name, _)| name)),
            "How values are folded",
        )
        .default_to("count"),
        FieldSpec::new(
            "of",
            "Of",
            FieldType::Jq {
                role: JqRole::Value,
            },
            "What is folded; `count` needs none, and with one counts where it is not null",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use graph_model::event::extension;
    use graph_model::value;

    use super::*;
    use crate::delivery::Share;
    use crate::operators::testing::{Bench, event};

    fn total(window: &Value) -> Value {
        let mut config = Object::new();
        config.insert("group", ".k");
        config.insert(
            "aggregates",
            value!([
                {"name": "n"},
                {"name": "sum", "function": "sum", "of": ".v"},
                {"name": "max", "function": "max", "of": ".v"},
            ]),
        );
        for (field, value) in window.as_object().expect("fields").iter() {
            config.insert(field.clone(), value.clone());
        }
        config.into()
    }

    #[test]
    fn without_a_window_each_event_updates_the_result() {
        let mut bench = Bench::new("aggregate", total(&value!({})));
        for (data, line) in [
            (
                value!({"k": "a", "v": 2}),
                r#"out {"key":"a","max":2,"n":1,"sum":2}"#,
            ),
            (
                value!({"k": "b", "v": 5}),
                r#"out {"key":"b","max":5,"n":1,"sum":5}"#,
            ),
            (
                value!({"k": "a", "v": 1}),
                r#"out {"key":"a","max":2,"n":2,"sum":3}"#,
            ),
            (
                value!({"k": "a", "v": "x"}),
                "failed Invalid: `aggregates.sum`: expected a number, found a string",
            ),
            (
                value!({"k": "a"}),
                r#"out {"key":"a","max":2,"n":3,"sum":3}"#,
            ),
            (
                value!({"v": 1}),
                r#"out {"key":null,"max":1,"n":1,"sum":1}"#,
            ),
        ] {
            assert_eq!(bench.feed(data), [line]);
        }
        assert_eq!(bench.end(), [""; 0]);
    }

    #[test]
    fn count_windows_close_by_number_and_at_the_end() {
        let mut bench = Bench::new("aggregate", total(&value!({"window": "count", "count": 2})));
        assert_eq!(bench.feed(value!({"k": "b", "v": 1})), [""; 0]);
        assert_eq!(
            bench.feed(value!({"k": "b", "v": 2})),
            [r#"out {"key":"b","max":2,"n":2,"sum":3}"#]
        );
        assert_eq!(bench.feed(value!({"k": "b", "v": 9})), [""; 0]);
        assert_eq!(bench.feed(value!({"k": "a", "v": 4})), [""; 0]);
        assert_eq!(
            bench.end(),
            [
                r#"out {"key":"a","max":4,"n":1,"sum":4}"#,
                r#"out {"key":"b","max":9,"n":1,"sum":9}"#
            ]
        );
    }

    #[test]
    fn time_windows_close_when_time_has_passed_them() {
        let config = value!({
            "group": ".k", "aggregates": [{"name": "n"}],
            "window": "time", "size": "1s", "lateness": "500ms",
        });
        let mut bench = Bench::new("aggregate", config);
        let first = [
            r#"out {"from":"1970-01-01T00:00:00Z","key":"a","n":2,"to":"1970-01-01T00:00:01Z"}"#,
            r#"out {"from":"1970-01-01T00:00:00Z","key":"b","n":1,"to":"1970-01-01T00:00:01Z"}"#,
        ];
        for (time_ms, key, lines) in [
            (0, "b", &[][..]),
            (999, "a", &[]),
            (1_499, "a", &[]),
            (0, "a", &[]), // late, but the window waits
            (1_500, "a", &first),
            (999, "a", &[r#"late {"k":"a"}"#]),
            (1_000, "c", &[]),
        ] {
            assert_eq!(
                bench.feed_at(time_ms, value!({"k": key})),
                lines,
                "{time_ms}"
            );
        }
        assert_eq!(
            bench.end(),
            [
                r#"out {"from":"1970-01-01T00:00:01Z","key":"a","n":2,"to":"1970-01-01T00:00:02Z"}"#,
                r#"out {"from":"1970-01-01T00:00:01Z","key":"c","n":1,"to":"1970-01-01T00:00:02Z"}"#,
            ]
        );
    }

    #[test]
    fn time_windows_close_when_nothing_comes() {
        let config = value!({
            "aggregates": [{"name": "n"}], "window": "time", "size": "1s", "idle": "2s",
        });
        let mut bench = Bench::new("aggregate", config);
        assert_eq!(bench.idle_ms(), Some(2_000));
        assert_eq!(bench.idle(), [""; 0], "no window is open");
        assert_eq!(bench.feed_at(100, value!({})), [""; 0]);
        assert_eq!(
            bench.idle(),
            [r#"out {"from":"1970-01-01T00:00:00Z","key":null,"n":1,"to":"1970-01-01T00:00:01Z"}"#]
        );
        assert_eq!(bench.feed_at(200, value!({})), ["late {}"]);
        assert_eq!(bench.feed_at(1_000, value!({})), [""; 0]);
        assert_eq!(
            bench.end(),
            [r#"out {"from":"1970-01-01T00:00:01Z","key":null,"n":1,"to":"1970-01-01T00:00:02Z"}"#]
        );
        for window in [
            value!({"window": "time"}),
            value!({"window": "count", "idle": "2s"}),
            value!({"idle": "2s"}),
        ] {
            let bench = Bench::new("aggregate", total(&window));
            assert_eq!(bench.idle_ms(), None, "{window}");
        }
    }

    #[test]
    fn results_say_who_and_why_they_are() {
        let mut bench = Bench::new("aggregate", total(&value!({})));
        bench.feed(value!({"k": "a", "v": 2}));
        let output = bench.handle(event("e2", 70, value!({"k": "a"})), &Share::none());
        let context = &output.emitted[0].1.context;
        assert_eq!((&*context.id, &*context.source), ("node/a/2", "node"));
        assert_eq!((&*context.ty, context.time_ms), ("aggregate", 70));
        assert_eq!(context.extensions[extension::CAUSATION], "e2");

        let config = total(&value!({"window": "time", "size": "1m"}));
        let mut bench = Bench::new("aggregate", config);
        bench.feed_at(61_000, value!({"k": "a", "v": 2}));
        let output = bench.handle(event("e2", 180_000, value!({"k": "b"})), &Share::none());
        let context = &output.emitted[0].1.context;
        assert_eq!((&*context.id, context.time_ms), ("node/a/60000", 119_999));
        assert_eq!(context.extensions[extension::CAUSATION], "e1");
    }

    #[test]
    fn there_is_room_for_so_much_only() {
        let config = value!({
            "group": ".k", "groups": 1, "values": 1,
            "aggregates": [{"name": "all", "function": "list", "of": ".v"}],
        });
        let mut bench = Bench::new("aggregate", config);
        assert_eq!(
            bench.feed(value!({"k": "a", "v": 1})),
            [r#"out {"all":[1],"key":"a"}"#]
        );
        for (data, line) in [
            (
                value!({"k": "b", "v": 1}),
                "failed Transient: all 1 groups are taken; raise `groups`, or group by less",
            ),
            (
                value!({"k": "a", "v": 2}),
                "failed Transient: `aggregates.all` holds 1 values already; raise `values`, or choose a window",
            ),
        ] {
            assert_eq!(bench.feed(data), [line]);
        }
    }

    #[test]
    fn time_makes_room() {
        let config = value!({
            "group": ".", "aggregates": [{"name": "n"}], "window": "time", "size": "1s", "groups": 1,
        });
        let mut bench = Bench::new("aggregate", config);
        assert_eq!(bench.feed_at(0, value!("a")), [""; 0]);
        let lines = bench.feed_at(1_000, value!("b"));
        assert_eq!(
            lines.len(),
            1,
            "the group of `a` is sent, and `b` has its place"
        );
        assert!(lines[0].starts_with("out "), "{lines:?}");
        assert_eq!(bench.end().len(), 1);
    }

    #[test]
    fn results_that_cannot_be_are_refused() {
        for (aggregates, message) in [
            (value!([]), "`aggregates` is empty; say what is computed"),
            (
                value!([{"name": "key"}]),
                "`aggregates`: `key` is there already; choose another name",
            ),
            (
                value!([{"name": "a"}, {"name": "a"}]),
                "`aggregates`: `a` is there already; choose another name",
            ),
            (
                value!([{"name": "a", "function": "sum"}]),
                "`aggregates.a`: say in `of` what is folded",
            ),
            (
                value!([{"name": "a", "function": "mode"}]),
                "`aggregates.a`: the function `mode` is not known",
            ),
        ] {
            let config = value!({"aggregates": aggregates});
            assert_eq!(Bench::refusal("aggregate", config), message);
        }
    }
}
