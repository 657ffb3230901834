//! Made-up events from a seed.

use std::sync::Arc;

use graph_model::catalog::{Behaviour, Delivery, Family, FieldSpec, FieldType, KindSpec, PortSpec};
use graph_model::event::{Event, parse_rfc3339, rfc3339};
use graph_model::value::{Object, Value};
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use runtime_protocol::Problem;
use smol_str::{SmolStr, format_smolstr};

use super::pace::{Gaps, Pace};
use super::stamp::Stamp;
use super::unless_stopped;
use crate::chance::{exponential, fraction, power, rounded};
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

/// How a field is made.
enum Recipe {
    Counter {
        from: i64,
    },
    Integer {
        from: i64,
        choices: u64,
    },
    /// Whole steps of a decimal fraction, so that results are as short as people write them.
    Steps {
        from: i64,
        choices: u64,
        scale: f64,
    },
    Number {
        from: f64,
        span: f64,
    },
    Key {
        prefix: SmolStr,
        from: i64,
        choices: u64,
    },
    /// One of these texts.
    Choice {
        options: Vec<SmolStr>,
        odds: Odds,
    },
    Text {
        prefix: SmolStr,
    },
    Time {
        from_ms: i64,
        step_ms: f64,
    },
    Flag,
}

impl Recipe {
    /// Whether it takes a number from the chance, which it then does for each event.
    fn draws(&self) -> bool {
        !matches!(self, Recipe::Counter { .. } | Recipe::Time { .. })
    }

    /// The length that no text of it exceeds; of other values nothing.
    fn length_max(&self) -> usize {
        match self {
            Recipe::Key { prefix, .. } => prefix.len() + i64::MIN.to_string().len(),
            Recipe::Choice { options, .. } => options.iter().map(SmolStr::len).max().unwrap_or(0),
            Recipe::Text { prefix } => prefix.len() + TEXT_LETTERS,
            Recipe::Time { .. } => TIME_LENGTH_MAX,
            _ => 0,
        }
    }

    fn make(&self, number: u64, chance: &mut Pcg64Mcg) -> Value {
        match self {
            Recipe::Counter { from } => Value::Int(from.wrapping_add_unsigned(number)),
            Recipe::Integer { from, choices } => {
                Value::Int(from.wrapping_add_unsigned(below(*choices, chance)))
            }
            Recipe::Steps {
                from,
                choices,
                scale,
            } => {
                let step = from.wrapping_add_unsigned(below(*choices, chance));
                Value::Float(step as f64 / scale)
            }
            Recipe::Number { from, span } => {
                Value::Float(from + span * fraction(chance.next_u64()))
            }
            Recipe::Key {
                prefix,
                from,
                choices,
            } => {
                let key = from.wrapping_add_unsigned(below(*choices, chance));
                Value::Str(format_smolstr!("{prefix}{key}"))
            }
            Recipe::Choice { options, odds } => Value::Str(options[odds.draw(chance)].clone()),
            Recipe::Text { prefix } => {
                let mut letters = chance.next_u64();
                let mut text = String::with_capacity(prefix.len() + TEXT_LETTERS);
                text.push_str(prefix);
                for _ in 0..TEXT_LETTERS {
                    text.push((b'a' + (letters % 26) as u8) as char);
                    letters /= 26;
                }
                Value::from(text)
            }
            Recipe::Time { from_ms, step_ms } => {
                let time_ms = *from_ms + (step_ms * number as f64) as i64;
                Value::from(rfc3339(time_ms))
            }
            Recipe::Flag => Value::Bool(chance.next_u64() >> 63 == 1),
        }
    }
}

/// Letters of a time that a made-up event may hold, however far off it is.
const TIME_LENGTH_MAX: usize = 64;
/// Letters of a made-up text.
const TEXT_LETTERS: usize = 8;
/// Keys that are told apart when some are more frequent than others, or kept ready to be shared.
const KEYS_MAX: u64 = 1_000_000;
/// Keys that are kept ready when all are equally frequent; more are written as they come.
const KEYS_READY_MAX: u64 = 10_000;
/// Whole numbers up to here are exact as `f64`.
const EXACT_MAX: f64 = 9.0e15;

/// How frequent each of a number of choices is.
enum Odds {
    Even(u64),
    /// Where the share of each choice ends, as parts of 2^64.
    Uneven(Vec<u64>),
}

impl Odds {
    /// The choice `n` (from 0) is as frequent as `1 / (n + 1)^skew`.
    fn new(choices: u64, skew: f64) -> Odds {
        if skew <= 0.0 || choices < 2 {
            return Odds::Even(choices);
        }
        let weights = (1..=choices).map(|nth| power(nth as f64, -skew));
        let total: f64 = weights.clone().sum();
        let ends = weights.scan(0.0, |sum, weight| {
            *sum += weight;
            Some((*sum / total * u64::MAX as f64) as u64)
        });
        Odds::Uneven(ends.collect())
    }

    fn draw(&self, chance: &mut Pcg64Mcg) -> usize {
        match self {
            Odds::Even(choices) => below(*choices, chance) as usize,
            Odds::Uneven(ends) => {
                let drawn = chance.next_u64();
                ends.partition_point(|end| *end <= drawn)
                    .min(ends.len() - 1)
            }
        }
    }
}

/// A number below `choices`, all equally likely.
fn below(choices: u64, chance: &mut Pcg64Mcg) -> u64 {
    ((u128::from(chance.next_u64()) * u128::from(choices)) >> 64) as u64
}

/// The recipes of the node, sorted by the names of their fields; a counter when there is none.
fn fields(build: &Build, rate: f64) -> Result<Vec<(SmolStr, Recipe)>, Problem> {
    let specs = recipe();
    let records = match build.value("fields") {
        None => &[],
        Some(Value::Arr(records)) => &records[..],
        Some(other) => {
            let found = other.type_name();
            return Err(build.problem(format!("`fields` must be a list, not {found}")));
        }
    };
    let mut fields = Vec::new();
    for (at, record) in records.iter().enumerate() {
        let entry = Entry {
            build,
            specs: &specs,
            record,
            place: at + 1,
        };
        let name = entry.text("name");
        if name.is_empty() {
            return Err(entry.problem("has no name; give it one"));
        }
        fields.push((name, entry.recipe(rate)?));
    }
    fields.sort_by(|(one, _), (other, _)| one.cmp(other));
    if let Some(pair) = fields.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        let name = &pair[0].0;
        return Err(build.problem(format!("`fields` makes `{name}` twice; remove one")));
    }
    if fields.is_empty() {
        fields.push(("n".into(), Recipe::Counter { from: 0 }));
    }
    Ok(fields)
}

/// One record of `fields`.
struct Entry<'e> {
    build: &'e Build<'e>,
    specs: &'e [FieldSpec],
    record: &'e Value,
    /// Its number, counted from 1.
    place: usize,
}

impl Entry<'_> {
    fn recipe(&self, rate: f64) -> Result<Recipe, Problem> {
        let makes = self.text("makes");
        let (from, to) = (self.number("min")?, self.number("max")?);
        let prefix = self.text("prefix");
        let ordered = |recipe| {
            if from <= to {
                Ok(recipe)
            } else {
                Err(self.problem(&format!(
                    "goes from {from} down to {to}; swap `min` and `max`"
                )))
            }
        };
        match makes.as_str() {
            "counter" => Ok(Recipe::Counter { from: from as i64 }),
            "integer" => ordered(Recipe::Integer {
                from: from.ceil() as i64,
                choices: (to.floor() - from.ceil()).max(0.0) as u64 + 1,
            }),
            "number" => {
                let scale = power(10.0, self.number("decimals")?.trunc());
                let (first, last) = ((from * scale).ceil(), (to * scale).floor());
                ordered(
                    if first.abs().max(last.abs()) < EXACT_MAX && first <= last {
                        Recipe::Steps {
                            from: first as i64,
                            choices: (last - first) as u64 + 1,
                            scale,
                        }
                    } else {
                        Recipe::Number {
                            from,
                            span: to - from,
                        }
                    },
                )
            }
            "key" => self.keys(from as i64, to, prefix),
            "choice" => {
                let options = self.get("options").and_then(Value::as_array);
                let options: Vec<_> = options.unwrap_or_default().iter().collect();
                if options.is_empty() {
                    return Err(self.problem("has no `options` to choose from; list some"));
                }
                Ok(Recipe::Choice {
                    odds: Odds::new(options.len() as u64, self.number("skew")?),
                    options: options.into_iter().map(Value::to_text).collect(),
                })
            }
            "text" => Ok(Recipe::Text { prefix }),
            "time" => Ok(Recipe::Time {
                from_ms: parse_rfc3339(TIMES_BEGIN).expect("a time"),
                step_ms: if rate > 0.0 { 1000.0 / rate } else { 1000.0 },
            }),
            "flag" => Ok(Recipe::Flag),
            other => Err(self.problem(&format!(
                "makes `{other}`, which is unknown; choose a recipe of the list"
            ))),
        }
    }

    fn keys(&self, from: i64, count: f64, prefix: SmolStr) -> Result<Recipe, Problem> {
        let skew = self.number("skew")?;
        if count < 1.0 {
            return Err(self.problem("has no keys; set `max` to how many there are"));
        }
        let choices = count as u64;
        if skew > 0.0 && choices > KEYS_MAX {
            return Err(self.problem(&format!(
                "has more than {KEYS_MAX} keys of uneven frequency; lower `max` or set `skew` to 0"
            )));
        }
        if skew <= 0.0 && choices > KEYS_READY_MAX {
            return Ok(Recipe::Key {
                prefix,
                from,
                choices,
            });
        }
        let keys = (0..choices).map(|nth| {
            let key = from.wrapping_add_unsigned(nth);
            format_smolstr!("{prefix}{key}")
        });
        Ok(Recipe::Choice {
            options: keys.collect(),
            odds: Odds::new(choices, skew),
        })
    }

    fn get(&self, field: &str) -> Option<&Value> {
        let own = self.record.get(field);
        let spec = self.specs.iter().find(|spec| spec.name == field);
        own.or(spec.map(|spec| &spec.default))
            .filter(|value| !matches!(value, Value::Null))
    }

    fn text(&self, field: &str) -> SmolStr {
        self.get(field).map(Value::to_text).unwrap_or_default()
    }

    /// A number within the bounds that the field states.
    fn number(&self, field: &str) -> Result<f64, Problem> {
        let number = self.get(field).and_then(Value::as_f64);
        let number = number.filter(|number| number.is_finite());
        let Some(number) = number else {
            return Err(self.problem(&format!("needs a number as `{field}`")));
        };
        let spec = self.specs.iter().find(|spec| spec.name == field);
        let (least, most) = match spec.map(|spec| &spec.ty) {
            Some(FieldType::Number { min, max }) => (*min, *max),
            Some(FieldType::Integer { min, max }) => (*min as f64, *max as f64),
            _ => return Ok(number),
        };
        if (least..=most).contains(&number) {
            Ok(number)
        } else {
            Err(self.problem(&format!(
                "has `{field}` = {number}; choose a number from {least} to {most}"
            )))
        }
    }

    fn problem(&self, what: &str) -> Problem {
        let (place, name) = (self.place, self.text("name"));
        self.build
            .problem(format!("entry {place} (`{name}`) of `fields` {what}"))
    }
}

/// Made-up times begin here, whenever the flow runs: the same seed gives the same events.
const TIMES_BEGIN: &str = "2026-01-01T00:00:00Z";

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

fn recipe() -> Vec<FieldSpec> {
    let number = FieldType::Number {
        min: -1e12,
        max: 1e12,
    };
    vec![
        FieldSpec::new("name", "Name", FieldType::Text, "Name of the field").required(),
        FieldSpec::new(
            "makes",
            "Makes",
            FieldType::choice(&[
                "counter", "integer", "number", "key", "choice", "text", "time", "flag",
            ]),
            "Recipe",
        )
        .default_to("counter"),
        FieldSpec::new("min", "From", number.clone(), "Least number").default_to(0),
        FieldSpec::new("max", "To", number, "Greatest number, or how many keys").default_to(100),
        FieldSpec::new(
            "decimals",
            "Decimals",
            FieldType::Integer { min: 0, max: 9 },
            "Decimals of a number",
        )
        .default_to(2),
        FieldSpec::new(
            "options",
            "Options",
            FieldType::Texts,
            "Values to choose from",
        ),
        FieldSpec::new(
            "prefix",
            "Prefix",
            FieldType::Text,
            "What keys and texts start with",
        ),
        FieldSpec::new(
            "skew",
            "Skew",
            FieldType::Number { min: 0.0, max: 5.0 },
            "How uneven keys and choices are",
        )
        .default_to(0),
    ]
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
