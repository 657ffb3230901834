//! What expressions may call: the natives of jaq that reach nothing outside, and our own.

use jaq_core::data::JustLut;
use jaq_core::native::{self, Fun, bome, unary, v};

use super::super::ops::{self, Outcome};
use super::value::{Jv, charge, refused, size, thrown};
use crate::value::Value;

/// Natives of jaq without those that reach outside, some under another name because the prelude
/// checks what they are given, and our own.
pub(super) fn natives() -> impl Iterator<Item = Fun<JustLut<Jv>>> {
    let given = jaq_core::funs()
        .chain(jaq_std::funs())
        .filter_map(|(name, args, native)| {
            let name = match name {
                "env" | "now" | "halt" | "debug_empty" | "stderr_empty" | "localtime"
                | "strflocaltime" => return None,
                name if own(name) => return None,
                "gmtime" => "moment_parts",
                "strftime" => "moment_text",
                "todateiso8601" => "moment_iso",
                "mktime" => "parts_moment",
                name => name,
            };
            Some((name, args, native))
        });
    given
        .chain(
            OWN.iter()
                .map(|(name, run)| native::run::<JustLut<Jv>>((*name, v(0), *run))),
        )
        .chain(
            OWN_UNARY
                .iter()
                .map(|(name, run)| native::run::<JustLut<Jv>>((*name, v(1), *run))),
        )
}

fn own(name: &str) -> bool {
    OWN.iter().chain(OWN_UNARY).any(|(own, _)| *own == name)
}

type Run = jaq_core::RunPtr<JustLut<Jv>>;

macro_rules! of_value {
    ($run:expr) => {
        |(_, input)| {
            let run: fn(&Value) -> Outcome = $run;
            bome(charge(1 + size(&input.value)).and_then(|()| {
                let value = run(&input.value).map_err(thrown)?;
                Ok(Jv {
                    value,
                    depth: input.depth,
                })
            }))
        }
    };
}

macro_rules! of_two {
    ($run:expr) => {
        |cv| {
            unary(cv, |input, argument| {
                charge(1 + size(&input.value) + size(&argument.value))?;
                let run: fn(&Value, &Value) -> Outcome = $run;
                let value = run(&input.value, &argument.value).map_err(thrown)?;
                Ok(Jv {
                    value,
                    depth: input.depth.max(argument.depth),
                })
            })
        }
    };
}

const OWN: &[(&str, Run)] = &[
    ("length", of_value!(ops::length)),
    (
        "tojson",
        of_value!(|value| Ok(Value::Str(ops::to_json(value)?))),
    ),
    ("fromjson", |(_, input)| {
        bome(match &input.value {
            Value::Str(text) => charge(1 + text.len())
                .and_then(|()| ops::from_json(text).map(Jv::given).map_err(thrown)),
            other => refused(format!("cannot read {} as JSON", ops::brief(other))),
        })
    }),
    ("tonumber", of_value!(ops::to_number)),
    ("toboolean", of_value!(ops::to_boolean)),
    ("transpose", of_value!(ops::transpose)),
    ("floor", of_value!(|value| ops::rounded(value, f64::floor))),
    ("round", of_value!(|value| ops::rounded(value, f64::round))),
    ("ceil", of_value!(|value| ops::rounded(value, f64::ceil))),
    ("ascii_downcase", of_value!(ops::lowercase)),
    ("ascii_upcase", of_value!(ops::uppercase)),
    ("trim", of_value!(ops::trimmed)),
    ("moment", of_value!(ops::moment)),
    ("parts", of_value!(ops::moment_parts)),
];

const OWN_UNARY: &[(&str, Run)] = &[
    (
        "has",
        of_two!(|value, key| ops::has(value, key).map(Value::Bool)),
    ),
    (
        "contains",
        of_two!(|value, part| Ok(Value::Bool(ops::contains(value, part)))),
    ),
    ("indices", of_two!(ops::indices)),
    ("startswith", of_two!(ops::starts_with)),
    ("endswith", of_two!(ops::ends_with)),
    ("ltrimstr", of_two!(ops::without_start)),
    ("rtrimstr", of_two!(ops::without_end)),
    ("split", of_two!(ops::split_text)),
    ("join", of_two!(ops::join)),
    ("bsearch", of_two!(ops::bsearch)),
];
