//! How the fields of made-up events are made.

use graph_model::catalog::{FieldSpec, FieldType};
use graph_model::event::{parse_rfc3339, rfc3339};
use graph_model::value::Value;
use rand_core::Rng;
use rand_pcg::Pcg64Mcg;
use runtime_protocol::Problem;
use smol_str::{SmolStr, format_smolstr};

use crate::chance::{fraction, power};
use crate::kind::Build;

/// How a field is made.
pub(super) enum Recipe {
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
    pub(super) fn draws(&self) -> bool {
        !matches!(self, Recipe::Counter { .. } | Recipe::Time { .. })
    }

    /// The length that no text of it exceeds; of other values nothing.
    pub(super) fn length_max(&self) -> usize {
        match self {
            Recipe::Key { prefix, .. } => prefix.len() + i64::MIN.to_string().len(),
            Recipe::Choice { options, .. } => options.iter().map(SmolStr::len).max().unwrap_or(0),
            Recipe::Text { prefix } => prefix.len() + TEXT_LETTERS,
            Recipe::Time { .. } => TIME_LENGTH_MAX,
            _ => 0,
        }
    }

    pub(super) fn make(&self, number: u64, chance: &mut Pcg64Mcg) -> Value {
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
pub(super) enum Odds {
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
pub(super) fn fields(build: &Build, rate: f64) -> Result<Vec<(SmolStr, Recipe)>, Problem> {
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

/// The fields of a recipe, as people fill them in.
pub(super) fn recipe() -> Vec<FieldSpec> {
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
