//! Events at fixed times.

use std::cmp::Ordering;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use croner::errors::CronError;
use croner::{CivilDate, CivilDateTime, CivilTime, Cron, CronDateTime, Resolution, Weekday};
use graph_model::catalog::{Behaviour, Delivery, Family, FieldSpec, FieldType, KindSpec, PortSpec};
use graph_model::event::{Event, rfc3339};
use graph_model::units;
use graph_model::value::{Object, Value};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use runtime_protocol::Problem;
use smol_str::format_smolstr;

use super::stamp::Stamp;
use super::unless_stopped;
use crate::kind::{Build, Kind, Make};
use crate::rim::{Feed, Inbound, Source, Work};
use crate::world::World;

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Source(make),
    }
}

/// The shortest interval; for more events there is the generator.
const INTERVAL_MIN: Duration = Duration::from_millis(10);
/// The clock may be set while a tick is waited for, so it is looked at this often.
const LOOK_MAX: Duration = Duration::from_secs(30);
/// Missed ticks are reported this often, with their number.
const REPORT_PAUSE_MS: i64 = 60_000;
/// Missed ticks that are counted one by one.
const MISSED_MAX: u64 = 10_000;

fn make(build: &Build) -> Result<Box<dyn Source>, Problem> {
    Ok(Box::new(schedule(build)?))
}

/// The ticks of the node.
pub(crate) fn schedule(build: &Build) -> Result<Schedule, Problem> {
    let text = build.text("every")?;
    let every = Every::parse(&text).map_err(|reason| {
        build.problem(format!(
            "`every` = `{text}` {reason}; write an interval like `10s` or a cron expression like `0 9 * * 1-5`"
        ))
    })?;
    if every.after(build.world.now_ms()).is_none() {
        return Err(build.problem(format!(
            "`every` = `{text}` never comes; choose a day that exists"
        )));
    }
    Ok(Schedule {
        every,
        data: build.value("data").cloned().unwrap_or_default(),
        stamp: Stamp::of(build),
    })
}

/// When it ticks and what it sends.
pub(crate) struct Schedule {
    every: Every,
    data: Value,
    stamp: Stamp,
}

impl Source for Schedule {
    fn run(self: Box<Self>, feed: Feed) -> Work<'static, Result<(), Problem>> {
        Box::pin(async move {
            feed.line.caught_up();
            unless_stopped(&feed, self.tick(&feed)).await;
            Ok(())
        })
    }
}

impl Schedule {
    /// Ticks until there is no next tick, or the flow is closed.
    async fn tick(&self, feed: &Feed) {
        let clock = Clock::new(&self.every, &*feed.world);
        let (mut missed, mut reported_ms) = (0, None);
        let mut due = self.every.after(clock.now_ms(&*feed.world));
        for tick in 1_u64.. {
            let Some(first_ms) = due else { return };
            let now_ms = loop {
                let now_ms = clock.now_ms(&*feed.world);
                let Ok(early_ms @ 1..) = u64::try_from(first_ms - now_ms) else {
                    break now_ms;
                };
                tokio::time::sleep(Duration::from_millis(early_ms).min(LOOK_MAX)).await;
            };
            let (due_ms, late) = self.every.latest(first_ms, now_ms);
            missed += late;
            if missed > 0 && reported_ms.is_none_or(|at| now_ms - at >= REPORT_PAUSE_MS) {
                feed.line.trouble(format!(
                    "{missed} ticks were missed, as the flow did not take them in time; they are not made up for"
                ));
                (missed, reported_ms) = (0, Some(now_ms));
            }
            let event = self.event(tick, due_ms);
            if feed.line.push(vec![Inbound::new(event)]).await.is_err() {
                return;
            }
            due = self.every.after(due_ms);
        }
    }

    /// The first tick after this time.
    pub(crate) fn after(&self, time_ms: i64) -> Option<i64> {
        self.every.after(time_ms)
    }

    pub(crate) fn event(&self, tick: u64, due_ms: i64) -> Event {
        let id = format_smolstr!("{}-{due_ms}", self.stamp.source);
        self.stamp.event(id, due_ms, self.payload(tick, due_ms))
    }

    fn payload(&self, tick: u64, due_ms: i64) -> Value {
        let mut object = match &self.data {
            Value::Obj(object) => Object::clone(object),
            Value::Null => Object::new(),
            other => return other.clone(),
        };
        object.insert("tick", tick);
        object.insert("time", rfc3339(due_ms));
        Value::Obj(Arc::new(object))
    }
}

/// When it ticks.
enum Every {
    /// Milliseconds.
    Interval(i64),
    Cron(Box<Cron>),
}

impl Every {
    fn parse(text: &str) -> Result<Every, String> {
        let text = text.trim();
        if let Some(interval) = units::parse_duration(text) {
            if interval < INTERVAL_MIN {
                return Err(format!("is shorter than {} ms", INTERVAL_MIN.as_millis()));
            }
            return Ok(Every::Interval(interval.as_millis() as i64));
        }
        let fields = text.split_whitespace().count();
        if fields != 5 && !text.starts_with('@') {
            return Err(format!("has {fields} fields, not 5"));
        }
        let cron = Cron::from_str(text).map_err(|error| format!("cannot be read ({error})"))?;
        Ok(Every::Cron(Box::new(cron)))
    }

    /// The first tick after this time.
    fn after(&self, time_ms: i64) -> Option<i64> {
        match self {
            Every::Interval(interval_ms) => time_ms.checked_add(*interval_ms),
            Every::Cron(cron) => {
                let from = Utc(time_ms.div_euclid(1000));
                let next = cron.find_next_occurrence(&from, false).ok()?;
                next.0.checked_mul(1000)
            }
        }
    }

    /// The last tick that is due now, and how many were before it from `due_ms` on.
    fn latest(&self, due_ms: i64, now_ms: i64) -> (i64, u64) {
        match self {
            Every::Interval(interval_ms) => {
                let missed = (now_ms - due_ms).max(0) / interval_ms;
                (due_ms + missed * interval_ms, missed as u64)
            }
            Every::Cron(_) => {
                let (mut last_ms, mut missed) = (due_ms, 0);
                while let Some(next_ms) = self.after(last_ms)
                    && next_ms <= now_ms
                    && missed < MISSED_MAX
                {
                    (last_ms, missed) = (next_ms, missed + 1);
                }
                (last_ms, missed)
            }
        }
    }
}

/// What tells the time: intervals go by a clock that is never set.
enum Clock {
    Wall,
    /// Wall-clock time when the elapsed time was 0.
    Steady {
        zero_ms: i64,
    },
}

impl Clock {
    fn new(every: &Every, world: &dyn World) -> Clock {
        match every {
            Every::Cron(_) => Clock::Wall,
            Every::Interval(_) => Clock::Steady {
                zero_ms: world.now_ms() - elapsed_ms(world),
            },
        }
    }

    fn now_ms(&self, world: &dyn World) -> i64 {
        match self {
            Clock::Wall => world.now_ms(),
            Clock::Steady { zero_ms } => zero_ms + elapsed_ms(world),
        }
    }
}

fn elapsed_ms(world: &dyn World) -> i64 {
    (world.elapsed_us() / 1000).cast_signed()
}

/// Seconds since 1970 in UTC, as cron expressions are computed with.
#[derive(Clone)]
struct Utc(i64);

impl CronDateTime for Utc {
    fn to_civil(&self) -> CivilDateTime {
        let time = Timestamp::from_second(self.0).unwrap_or_default();
        let civil = Offset::UTC.to_datetime(time);
        CivilDateTime::new(
            CivilDate::from_parts_unchecked(
                civil.year().into(),
                civil.month() as u32,
                civil.day() as u32,
            ),
            CivilTime::from_parts_unchecked(
                civil.hour() as u32,
                civil.minute() as u32,
                civil.second() as u32,
            ),
        )
    }

    fn civil_weekday(&self) -> Weekday {
        // The first day of 1970 was a Thursday.
        let days = self.0.div_euclid(86_400) + 4;
        Weekday::from_days_from_sunday(days.rem_euclid(7) as u32)
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let year = i16::try_from(civil.year()).map_err(|_| CronError::InvalidDate)?;
        let datetime = DateTime::new(
            year,
            civil.month() as i8,
            civil.day() as i8,
            civil.hour() as i8,
            civil.minute() as i8,
            civil.second() as i8,
            0,
        );
        let datetime = datetime.map_err(|_| CronError::InvalidDate)?;
        let time = Offset::UTC.to_timestamp(datetime);
        let time = time.map_err(|_| CronError::InvalidDate)?;
        Ok(Resolution::Single(Utc(time.as_second())))
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        let time = Timestamp::from_second(self.0.checked_add(seconds)?).ok()?;
        Some(Utc(time.as_second()))
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

fn spec() -> KindSpec {
    KindSpec {
        id: "schedule".into(),
        family: Family::Source,
        title: "Schedule".into(),
        summary: "Makes an event at every tick.".into(),
        doc: "An interval such as `10s`, or a cron expression with five fields (minute hour day month weekday, UTC). The first tick of an interval comes when it is over for the first time. Ticks that were missed, because the flow was stopped or did not take them in time, are not made up for; the node says how many there were.".into(),
        icon: "clock".into(),
        inputs: vec![],
        outputs: vec![PortSpec::data("out", "One event a tick")],
        config: vec![FieldSpec::new("every", "Every", FieldType::Schedule, "Interval such as `10s`, or a cron expression").default_to("10s").required(), FieldSpec::new("data", "Payload", FieldType::Json, "Payload of each event; `tick` and `time` are added to an object"), FieldSpec::new("event_type", "Event type", FieldType::EventType, "Type of the events, declared in the document")],
        behaviour: Behaviour::Source { ty: "event_type".into(), delivery: Delivery::Once, keyed_by_id: true },
        resource: None,
        since: "0.1.0".into(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use graph_model::event::parse_rfc3339;

    use super::*;
    use crate::rim::Settled;
    use crate::sources::testing::{TestFlow, make, refusal};

    fn time(text: &str) -> i64 {
        parse_rfc3339(text).expect("a time")
    }

    #[test]
    fn ticks_come_when_the_expression_says() {
        for (every, after, next) in [
            ("10s", "2026-03-01T00:00:00Z", "2026-03-01T00:00:10Z"),
            (
                "*/15 * * * *",
                "2026-03-01T00:01:30.5Z",
                "2026-03-01T00:15:00Z",
            ),
            (
                "0 9 * * 1-5",
                "2026-02-27T09:00:00Z",
                "2026-03-02T09:00:00Z",
            ),
            ("0 0 29 2 *", "2026-03-01T00:00:00Z", "2028-02-29T00:00:00Z"),
            ("@daily", "2026-12-31T12:00:00Z", "2027-01-01T00:00:00Z"),
        ] {
            let every = Every::parse(every).expect("it is read");
            let found = every.after(time(after)).map(rfc3339);
            assert_eq!(found.as_deref(), Some(next));
        }
    }

    #[test]
    fn missed_ticks_are_counted() {
        for every in ["1m", "* * * * *"] {
            let every = Every::parse(every).expect("it is read");
            let due = time("2026-03-01T00:01:00Z");
            assert_eq!(every.latest(due, due + 59_999), (due, 0));
            assert_eq!(every.latest(due, due + 150_000), (due + 120_000, 2));
        }
    }

    #[tokio::test]
    async fn every_tick_is_an_event() {
        let config = r#"{"every": "10ms", "data": {"job": "tidy"}}"#;
        let source = make(&kind(), config, Path::new(".")).expect("it is made");
        let flow = TestFlow::new();
        let running = tokio::spawn(source.run(flow.feed()));
        flow.until(|got| got.caught_up && got.events.len() >= 3)
            .await;
        flow.stop();
        assert_eq!(running.await.expect("it ends"), Ok(()));
        flow.look(|got| {
            let [first, second] = &got.events[..2] else {
                panic!("two ticks");
            };
            assert_eq!(first.data.get("tick"), Some(&Value::Int(1)));
            assert_eq!(first.data.get("job"), Some(&Value::from("tidy")));
            let stated = first.data.get("time").and_then(Value::as_str);
            assert_eq!(stated.and_then(parse_rfc3339), Some(first.context.time_ms));
            let apart = second.context.time_ms - first.context.time_ms;
            assert!(apart >= 10 && apart % 10 == 0, "{apart}");
            assert_ne!(first.context.id, second.context.id);
        });
    }

    #[tokio::test]
    async fn a_flow_without_room_misses_ticks_and_stops_at_once() {
        let source = make(&kind(), r#"{"every": "10ms"}"#, Path::new(".")).expect("it is made");
        let flow = TestFlow::with(1, |_| Some(Settled::Safe));
        let running = tokio::spawn(source.run(flow.feed()));
        flow.until(|got| got.events.len() == 1).await;
        flow.stop();
        assert_eq!(running.await.expect("it ends"), Ok(()));
    }

    #[test]
    fn schedules_that_cannot_be_are_refused_with_a_reason() {
        for (every, wanted) in [
            ("1ms", "is shorter than 10 ms"),
            ("soon", "has 1 fields, not 5"),
            ("* * * * * *", "has 6 fields, not 5"),
            ("61 * * * *", "cannot be read"),
            ("0 0 30 2 *", "never comes"),
        ] {
            let config = format!("{{\"every\": \"{every}\"}}");
            let message = refusal(make(&kind(), &config, Path::new(".")));
            assert!(message.contains(wanted), "{message}");
        }
    }
}
