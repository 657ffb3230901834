//! Made-up events from a seed.

mod recipes;

use std::sync::Arc;

use graph_model::catalog::{Behaviour, Delivery, Family, FieldSpec, FieldType, KindSpec, PortSpec};
use graph_model::event::Event;
use graph_model::value::{Object, Value};
use rand_core::SeedableRng;
use rand_pcg::Pcg64Mcg;
use runtime_protocol::Problem;
use smol_str::SmolStr;

use self::recipes::{Recipe, fields, recipe};
use super::pace::{Gaps, Pace};
use super::stamp::Stamp;
use super::unless_stopped;
use crate::chance::{exponential, rounded};
use crate::kind::{Build, Kind, Make};
use crate::rim::{Feed, Inbound, Source, Work};

pub(crate) fn kind() -> Kind {
    Kind {
        spec: spec(),
        make: Make::Source(make),
    }
}

fn make(build: &Build) -> Result<Box<dyn Source>, Problem> {
    Ok(Box::new(generator(build)?))
}

/// The events that the node makes up.
pub(crate) fn generator(build: &Build) -> Result<Generator, Problem> {
    let seed = build.whole("seed")?;
    let count = match build.whole("count")? {
        0 => u64::MAX,
        count => count,
    };
    let rate = build.number("rate")?;
    let gaps = match &*build.text("gaps")? {
        "exponential" => Gaps::Exponential,
        _ => Gaps::Even,
    };
    let stamp = Stamp::of(build);
    let fields = fields(build, rate)?;
    let draws = fields.iter().filter(|(_, recipe)| recipe.draws()).count();
    Ok(Generator {
        seed,
        rate,
        gaps,
        count,
        maker: Maker {
            fields: fields.into(),
            draws: draws as u128,
            seed,
            chance: Pcg64Mcg::seed_from_u64(seed),
            number: 0,
            id: Counter::new(&format!("{}-{seed}-", build.id)),
            stamp,
        },
    })
}

/// Made-up events and their pace.
#[derive(Clone)]
pub(crate) struct Generator {
    seed: u64,
    /// Events a second; 0 is as fast as the flow takes them.
    rate: f64,
    gaps: Gaps,
    /// Events in all.
    count: u64,
    maker: Maker,
}

impl Generator {
    /// Same seed, same events.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// When the event after so many is due that came to `due_us`, in microseconds since the first one;
    /// nothing when the flow sets the pace.
    pub(crate) fn next_due_us(
        &self,
        made: u64,
        due_us: u64,
        random: impl FnOnce() -> u64,
    ) -> Option<u64> {
        if self.rate <= 0.0 {
            return None;
        }
        Some(match self.gaps {
            Gaps::Even => (made as f64 / self.rate * 1e6) as u64,
            Gaps::Exponential => {
                due_us.saturating_add(rounded(exponential(random()) / self.rate * 1e6))
            }
        })
    }

    /// How many events there are in all.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The event with this number, counted from 0. One after the other takes least.
    pub(crate) fn event(&mut self, number: u64, now_ms: i64) -> Event {
        self.maker.go_to(number);
        self.maker.event(now_ms)
    }

    /// The [weight](Value::weight) that no payload exceeds.
    pub(crate) fn weight_max(&self) -> usize {
        self.maker.weight_max()
    }
}

impl Source for Generator {
    fn run(mut self: Box<Self>, feed: Feed) -> Work<'static, Result<(), Problem>> {
        Box::pin(async move {
            let mut pace = Pace::new(self.rate, self.gaps, &*feed.world);
            while self.maker.number < self.count {
                let Some(due) = unless_stopped(&feed, pace.wait(&feed)).await else {
                    break;
                };
                let count = (due as u64).min(self.count - self.maker.number) as usize;
                let batch = self.maker.batch(count, feed.world.now_ms());
                match unless_stopped(&feed, feed.line.push(batch)).await {
                    Some(Ok(())) => {}
                    Some(Err(_)) | None => break,
                }
                pace.took(count);
                tokio::task::coop::consume_budget().await;
            }
            Ok(())
        })
    }
}

/// Makes one event after the other.
#[derive(Clone)]
struct Maker {
    /// Sorted by name, as objects are.
    fields: Arc<[(SmolStr, Recipe)]>,
    /// How many numbers they draw for an event.
    draws: u128,
    seed: u64,
    chance: Pcg64Mcg,
    /// Of the next event.
    number: u64,
    id: Counter,
    stamp: Stamp,
}

impl Maker {
    fn weight_max(&self) -> usize {
        let mut heaviest = Object::new();
        for (name, _) in self.fields.iter() {
            heaviest.insert(name.clone(), SmolStr::default());
        }
        let texts = self.fields.iter().map(|(_, recipe)| recipe.length_max());
        Value::from(heaviest).weight() + texts.sum::<usize>()
    }

    fn batch(&mut self, count: usize, now_ms: i64) -> Vec<Inbound> {
        let mut batch = Vec::with_capacity(count);
        batch.extend((0..count).map(|_| Inbound::new(self.event(now_ms))));
        batch
    }

    /// The event with this number is the next one. Chance goes on from where it is, or from its beginning.
    fn go_to(&mut self, number: u64) {
        if number < self.number {
            self.chance = Pcg64Mcg::seed_from_u64(self.seed);
            self.number = 0;
        }
        let ahead = u128::from(number - self.number) * self.draws;
        if ahead > 0 {
            self.chance.advance(ahead);
        }
        self.number = number;
    }

    fn event(&mut self, now_ms: i64) -> Event {
        let (number, chance) = (self.number, &mut self.chance);
        self.number += 1;
        let made = self.fields.iter();
        let data: Object = made
            .map(|(name, recipe)| (name.clone(), recipe.make(number, chance)))
            .collect();
        self.stamp
            .event(self.id.text(number), now_ms, Value::from(data))
    }
}

/// A text that ends in a number, counted up in place.
#[derive(Clone)]
struct Counter {
    text: Vec<u8>,
    /// Length of what stands before the number.
    prefix: usize,
    number: u64,
}

impl Counter {
    fn new(prefix: &str) -> Counter {
        Counter {
            text: format!("{prefix}0").into_bytes(),
            prefix: prefix.len(),
            number: 0,
        }
    }

    /// The text with this number. One after the other takes least.
    fn text(&mut self, number: u64) -> SmolStr {
        if number == self.number + 1 {
            self.count_up();
        } else if number != self.number {
            self.text.truncate(self.prefix);
            self.text.extend_from_slice(number.to_string().as_bytes());
        }
        self.number = number;
        SmolStr::new(std::str::from_utf8(&self.text).expect("a text and digits are UTF-8"))
    }

    fn count_up(&mut self) {
        for digit in self.text[self.prefix..].iter_mut().rev() {
            if *digit < b'9' {
                *digit += 1;
                return;
            }
            *digit = b'0';
        }
        self.text.insert(self.prefix, b'1');
    }
}

fn spec() -> KindSpec {
    KindSpec {
        id: "generator".into(),
        family: Family::Source,
        title: "Generator".into(),
        summary: "Makes up events, the same ones for the same seed.".into(),
        doc: "Each field is made by a small recipe; without fields, `n` counts from 0. Keys and choices may be skewed: with skew 1 the most frequent one is twice as frequent as the second. `time` begins with the year 2026 and goes on by the rate, a second each when there is none. The id of an event is made of the node, the seed and a number, so it is the same in every run.".into(),
        icon: "dice".into(),
        inputs: vec![],
        outputs: vec![PortSpec::data("out", "The events")],
        config: vec![FieldSpec::new("rate", "Rate", FieldType::Number { min: 0.0, max: 1e7 }, "Events a second; 0 is as fast as the flow takes them").default_to(10), FieldSpec::new("gaps", "Gaps", FieldType::choice(&["even", "exponential"]), "How far apart events are: all alike, or by chance, as those of callers who know nothing of each other").default_to("even").advanced(), FieldSpec::new("count", "Count", FieldType::Integer { min: 0, max: 1_000_000_000 }, "Events in all; 0 never ends").default_to(0), FieldSpec::new("seed", "Seed", FieldType::Integer { min: 0, max: i64::MAX }, "Same seed, same events").default_to(42), FieldSpec::new("event_type", "Event type", FieldType::EventType, "Type of the events, declared in the document"), FieldSpec::new("fields", "Fields", FieldType::Records { fields: recipe() }, "How the payload is made")],
        behaviour: Behaviour::Source { ty: "event_type".into(), delivery: Delivery::Once, keyed_by_id: true },
        resource: None,
        since: "0.1.0".into(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use expect_test::expect;

    use super::*;
    use crate::rim::Settled;
    use crate::sources::testing::{TestFlow, make, refusal, run, with_build};

    const EVERY_RECIPE: &str = r#"[
        {"name": "n", "makes": "counter", "min": 5},
        {"name": "age", "makes": "integer", "min": 18, "max": 20},
        {"name": "price", "makes": "number", "max": 10, "decimals": 1},
        {"name": "user", "makes": "key", "prefix": "u", "max": 3, "skew": 1},
        {"name": "far", "makes": "key", "prefix": "f", "max": 1e12},
        {"name": "mood", "makes": "choice", "options": ["glad", "sad"]},
        {"name": "word", "makes": "text", "prefix": "w-"},
        {"name": "at", "makes": "time"},
        {"name": "ok", "makes": "flag"}]"#;

    async fn generate(config: &str) -> std::sync::Arc<TestFlow> {
        let source = make(&kind(), config, Path::new(".")).expect("it is made");
        let (flow, ended) = run(source).await;
        assert_eq!(ended, Ok(()));
        flow
    }

    #[tokio::test]
    async fn the_same_seed_makes_the_same_events() {
        let config = |seed, rate| {
            format!(
                "{{\"rate\": {rate}, \"count\": 3, \"seed\": {seed}, \"fields\": {EVERY_RECIPE}}}"
            )
        };
        let flow = generate(&config(1, 0)).await;
        expect![[r#"
            {"age":20,"at":"2026-01-01T00:00:00Z","far":"f137554485397","mood":"glad","n":5,"ok":true,"price":3.7,"user":"u1","word":"w-nnjlvcla"}
            {"age":20,"at":"2026-01-01T00:00:01Z","far":"f156574139884","mood":"glad","n":6,"ok":false,"price":0.8,"user":"u0","word":"w-tpuqhbth"}
            {"age":20,"at":"2026-01-01T00:00:02Z","far":"f846741425486","mood":"sad","n":7,"ok":true,"price":8.3,"user":"u2","word":"w-gtyqwbyb"}
        "#]].assert_eq(&(flow.payloads().join("\n") + "\n"));
        assert_eq!(flow.ids(), ["n-1-0", "n-1-1", "n-1-2"]);
        assert_eq!(generate(&config(1, 0)).await.payloads(), flow.payloads());
        assert_ne!(generate(&config(2, 0)).await.payloads(), flow.payloads());
    }

    #[tokio::test]
    async fn events_are_the_same_in_any_order() {
        let config = format!("{{\"rate\": 0, \"count\": 300, \"fields\": {EVERY_RECIPE}}}");
        let flow = generate(&config).await;
        let mut generator = with_build(&kind(), &config, generator).expect("it is made");
        assert_eq!(generator.count(), 300);
        let weight_max = generator.weight_max();
        for step in 0..900 {
            let number = step * step * 31 % 300;
            let event = generator.event(number as u64, 5);
            assert_eq!(event.data.to_string(), flow.payloads()[number]);
            assert_eq!(event.context.id, flow.ids()[number]);
            let weight = event.data.weight();
            assert!(
                weight <= weight_max && weight_max < 2 * weight,
                "{weight} of {weight_max}"
            );
        }
    }

    #[tokio::test]
    async fn skewed_keys_are_as_frequent_as_promised() {
        let fields = r#"[{"name": "k", "makes": "key", "max": 4, "skew": 1}]"#;
        let flow = generate(&format!(
            "{{\"rate\": 0, \"count\": 25000, \"fields\": {fields}}}"
        ))
        .await;
        let mut counts = BTreeMap::<_, f64>::new();
        for payload in flow.payloads() {
            *counts.entry(payload).or_default() += 1.0;
        }
        let [first, second, third, fourth] = counts.values().collect::<Vec<_>>()[..] else {
            panic!("four keys, not {counts:?}");
        };
        for (count, share) in [
            (first, 1.0),
            (second, 0.5),
            (third, 1.0 / 3.0),
            (fourth, 0.25),
        ] {
            let wanted = 12_000.0 * share;
            assert!((count - wanted).abs() < 0.05 * wanted, "{counts:?}");
        }
    }

    #[tokio::test]
    async fn it_makes_what_was_asked_for_and_no_more() {
        let flow = generate(r#"{"rate": 0, "count": 1000}"#).await;
        assert_eq!(
            flow.look(|got| (got.events.len(), got.largest_batch)),
            (1000, 256)
        );
        assert_eq!(flow.payloads()[999], "{\"n\":999}");
    }

    #[tokio::test]
    async fn it_stops_when_told() {
        for (config, room) in [(r#"{"rate": 0}"#, 256), (r#"{"rate": 0.001}"#, usize::MAX)] {
            let flow = TestFlow::with(room, |_| Some(Settled::Safe));
            let source = make(&kind(), config, Path::new(".")).expect("it is made");
            let running = tokio::spawn(source.run(flow.feed()));
            flow.until(|got| !got.events.is_empty()).await;
            flow.stop();
            assert_eq!(running.await.expect("it ends"), Ok(()));
        }
    }

    #[test]
    fn recipes_that_cannot_be_followed_are_named() {
        for (field, wanted) in [
            (r#"{"makes": "counter"}"#, "has no name"),
            (r#"{"name": "a", "makes": "magic"}"#, "makes `magic`"),
            (
                r#"{"name": "a", "makes": "integer", "min": 5, "max": 1}"#,
                "from 5 down to 1",
            ),
            (r#"{"name": "a", "makes": "choice"}"#, "has no `options`"),
            (r#"{"name": "a", "makes": "key", "max": 0}"#, "has no keys"),
            (
                r#"{"name": "a", "makes": "key", "max": 1e9, "skew": 1}"#,
                "more than 1000000 keys",
            ),
            (r#"{"name": "a", "min": "low"}"#, "needs a number as `min`"),
            (
                r#"{"name": "a", "decimals": 40, "makes": "number"}"#,
                "from 0 to 9",
            ),
            (r#"{"name": "a"}, {"name": "a"}"#, "makes `a` twice"),
        ] {
            let config = format!("{{\"fields\": [{field}]}}");
            let message = refusal(make(&kind(), &config, Path::new(".")));
            assert!(message.contains(wanted), "{message}");
        }
    }

    #[test]
    fn a_counter_carries() {
        let mut counter = Counter::new("e-");
        let texts: Vec<_> = (0..101).map(|number| counter.text(number)).collect();
        assert_eq!(
            [&texts[0], &texts[9], &texts[10], &texts[100]],
            ["e-0", "e-9", "e-10", "e-100"]
        );
    }
}
