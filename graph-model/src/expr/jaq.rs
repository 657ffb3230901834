//! The general evaluator: jaq over our own values, every operation metered.

use std::cmp::Ordering;
use std::fmt;
use std::ops::{Add, Div, Mul, Neg, Range, Rem, Sub};
use std::sync::{Arc, OnceLock};

use jaq_core::box_iter::box_once;
use jaq_core::data::JustLut;
use jaq_core::load::parse::Def;
use jaq_core::load::{Arena, File, Loader};
use jaq_core::native::{self, Fun, bome, unary, v};
use jaq_core::path::Opt;
use jaq_core::{Compiler, Ctx, Error, Exn, Vars};

use super::bounds::{Limit, fits, meet, met, metered, spend};
use super::ops::{self, Outcome, Stop};
use super::{Env, Variable};
use crate::value::{DEPTH_MAX, Object, Value};

/// A value on its way through jaq, with a bound of how deep it is nested.
///
/// Depth is carried because looking for it costs, and because a value nested without bound could
/// not even be dropped.
#[derive(Clone, Debug)]
pub(super) struct Jv {
    value: Value,
    depth: u16,
}

/// Deepest nesting on the way: what comes in may be wrapped some times more.
const DEPTH_WITHIN: u16 = DEPTH_MAX as u16 + 64;

type ValR = Result<Jv, Error<Jv>>;
type ValX<'a> = Result<Jv, Exn<'a, Jv>>;

pub(super) struct Filter {
    filter: jaq_core::Filter<JustLut<Jv>>,
    globals: Vec<Variable>,
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filter")
            .field("globals", &self.globals)
            .finish_non_exhaustive()
    }
}

/// Translates checked code; answers nothing when jaq does not know a filter that the check lets pass.
pub(super) fn compile(code: &str, globals: Vec<Variable>) -> Result<Filter, String> {
    static DEFS: OnceLock<Vec<Def<&'static str>>> = OnceLock::new();
    let defs = DEFS.get_or_init(|| {
        let own = jaq_core::load::parse(PRELUDE, |parser| parser.defs()).unwrap_or_default();
        jaq_core::defs()
            .chain(own)
            .chain(jaq_std::defs())
            .filter(pure)
            .collect()
    });
    let arena = Arena::default();
    let modules = Loader::new(defs.iter().cloned())
        .load(&arena, File { code, path: () })
        .map_err(|_| "cannot be read".to_owned())?;
    let filter = Compiler::default()
        .with_funs(natives())
        .with_global_vars(globals.iter().map(|variable| variable.name()))
        .compile(modules)
        .map_err(|errors| {
            let names: Vec<_> = errors
                .iter()
                .flat_map(|(_, errors)| errors.iter().map(|(name, _)| *name))
                .collect();
            format!("{} is not known", names.join(", "))
        })?;
    Ok(Filter { filter, globals })
}

/// Not definitions whose natives are left out, nor those that are natives of ours.
fn pure(def: &Def<&'static str>) -> bool {
    !matches!(
        (def.name, def.args.len()),
        ("stderr" | "debug" | "halt" | "halt_error", _) | ("join" | "split", 1)
    )
}

const PRELUDE: &str = r"
def in(xs): . as $key | xs | has($key);
def inside(xs): . as $part | xs | contains($part);
def index($part): indices($part) | .[0];
def rindex($part): indices($part) | .[-1];
def @json: tojson;
def gmtime: moment | moment_parts;
def strftime($format): moment | moment_text($format);
def todateiso8601: moment | moment_iso;
def mktime: parts | parts_moment;
";

impl Filter {
    /// Up to `limit` outputs, and whether there are more.
    pub(super) fn run(
        &self,
        input: &Value,
        env: &Env<'_>,
        limit: usize,
    ) -> Outcome<(Vec<Value>, bool)> {
        let vars: Vec<Jv> = self
            .globals
            .iter()
            .map(|variable| Jv::given(env.whole(*variable)))
            .collect();
        let outputs = metered(|| {
            let context = Ctx::<JustLut<Jv>>::new(&self.filter.lut, Vars::new(vars));
            let mut outputs = Vec::new();
            for output in self.filter.id.run((context, Jv::given(input.clone()))) {
                if met() {
                    break;
                }
                match output {
                    Ok(_) if outputs.len() == limit => return Ok((outputs, true)),
                    Ok(output) => outputs.push(output.value),
                    Err(stop) => {
                        return Err(match stop.get_err() {
                            Ok(error) => Stop::Error(error.into_val().value),
                            Err(_) => Stop::Error(Value::str("stopped without a result")),
                        });
                    }
                }
            }
            Ok((outputs, false))
        });
        let (outputs, more) = outputs.map_err(Stop::Limit)??;
        outputs.iter().try_for_each(fits).map_err(Stop::Limit)?;
        Ok((outputs, more))
    }
}

impl Jv {
    fn given(value: Value) -> Jv {
        Jv {
            value,
            depth: DEPTH_MAX as u16,
        }
    }

    fn flat(value: impl Into<Value>) -> Jv {
        Jv {
            value: value.into(),
            depth: 1,
        }
    }

    /// A part of this value.
    fn part(&self, value: Value) -> Jv {
        Jv {
            value,
            depth: self.depth.saturating_sub(1),
        }
    }

    /// A value around parts nested `below` deep.
    fn around(value: Value, below: u16) -> Jv {
        if below >= DEPTH_WITHIN {
            meet(Limit::Depth);
            return Jv::flat(Value::Null);
        }
        Jv {
            value,
            depth: below + 1,
        }
    }

    fn calculate(self, other: Jv, op: ops::Math) -> ValR {
        let depth = self.depth.max(other.depth);
        charge(1 + size(&other.value).min(size(&self.value)))?;
        let value = op.apply(self.value, other.value).map_err(thrown)?;
        charge(size(&value) / 64)?;
        Ok(Jv { value, depth })
    }
}

/// What a value costs to walk over once, without what lies below its parts.
fn size(value: &Value) -> usize {
    match value {
        Value::Str(text) => text.len() / 16,
        Value::Arr(items) => items.len(),
        Value::Obj(object) => object.len(),
        _ => 0,
    }
}

fn charge(steps: usize) -> Result<(), Error<Jv>> {
    spend(steps).map_err(|limit| Error::str(limit.to_string()))
}

fn thrown(stop: Stop) -> Error<Jv> {
    match stop {
        Stop::Empty => Error::str("no output"),
        Stop::Error(value) => Error::new(Jv::given(value)),
        Stop::Limit(limit) => Error::str(meet(limit).to_string()),
    }
}

fn refused<T>(message: String) -> Result<T, Error<Jv>> {
    Err(Error::str(message))
}

/// How values stand in messages, which tell nothing of what lies within arrays and objects.
impl fmt::Display for Jv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&ops::brief(&self.value))
    }
}

impl PartialEq for Jv {
    fn eq(&self, other: &Jv) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Jv {}

impl PartialOrd for Jv {
    fn partial_cmp(&self, other: &Jv) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Jv {
    fn cmp(&self, other: &Jv) -> Ordering {
        metered_order(&self.value, &other.value)
    }
}

/// The order of jq, metered: values that share parts many times over look larger than they are.
fn metered_order(left: &Value, right: &Value) -> Ordering {
    if spend(1).is_err() {
        return Ordering::Equal;
    }
    let first = |pairs: &mut dyn Iterator<Item = (&Value, &Value)>| {
        pairs
            .map(|(a, b)| metered_order(a, b))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    };
    match (left, right) {
        (Value::Arr(a), Value::Arr(b)) => {
            first(&mut a.iter().zip(b.iter())).then(a.len().cmp(&b.len()))
        }
        (Value::Obj(a), Value::Obj(b)) => a
            .keys()
            .cmp(b.keys())
            .then_with(|| first(&mut a.values().zip(b.values()))),
        _ => ops::order(left, right),
    }
}

impl From<bool> for Jv {
    fn from(flag: bool) -> Jv {
        Jv::flat(flag)
    }
}

impl From<isize> for Jv {
    fn from(number: isize) -> Jv {
        Jv::flat(number as i64)
    }
}

impl From<usize> for Jv {
    fn from(number: usize) -> Jv {
        Jv::flat(number)
    }
}

impl From<f64> for Jv {
    fn from(number: f64) -> Jv {
        Jv::flat(number)
    }
}

impl From<String> for Jv {
    fn from(text: String) -> Jv {
        // Running out of steps here is noticed by whatever comes next.
        spend(1 + text.len() / 16).ok();
        Jv::flat(text)
    }
}

impl From<Range<Option<Jv>>> for Jv {
    fn from(range: Range<Option<Jv>>) -> Jv {
        let bounds = [("start", range.start), ("end", range.end)];
        let object: Object = bounds
            .into_iter()
            .filter_map(|(key, bound)| Some((key, bound?.value)))
            .collect();
        Jv::flat(object)
    }
}

impl FromIterator<Jv> for Jv {
    fn from_iter<I: IntoIterator<Item = Jv>>(items: I) -> Jv {
        let mut below = 0;
        let mut values = Vec::new();
        for item in items {
            if spend(1).is_err() {
                break;
            }
            below = below.max(item.depth);
            values.push(item.value);
        }
        Jv::around(Value::from(values), below)
    }
}

impl Add for Jv {
    type Output = ValR;

    fn add(self, other: Jv) -> ValR {
        self.calculate(other, ops::Math::Add)
    }
}

impl Sub for Jv {
    type Output = ValR;

    fn sub(self, other: Jv) -> ValR {
        if let (Value::Arr(a), Value::Arr(b)) = (&self.value, &other.value) {
            charge(a.len().saturating_mul(b.len()))?;
        }
        self.calculate(other, ops::Math::Sub)
    }
}

impl Mul for Jv {
    type Output = ValR;

    fn mul(self, other: Jv) -> ValR {
        self.calculate(other, ops::Math::Mul)
    }
}

impl Div for Jv {
    type Output = ValR;

    fn div(self, other: Jv) -> ValR {
        self.calculate(other, ops::Math::Div)
    }
}

impl Rem for Jv {
    type Output = ValR;

    fn rem(self, other: Jv) -> ValR {
        self.calculate(other, ops::Math::Rem)
    }
}

impl Neg for Jv {
    type Output = ValR;

    fn neg(self) -> ValR {
        ops::negate(&self.value).map(Jv::flat).map_err(thrown)
    }
}

impl jaq_core::ValT for Jv {
    fn from_num(text: &str) -> ValR {
        Ok(Jv::flat(text.parse::<f64>().unwrap_or(f64::NAN)))
    }

    fn from_map<I: IntoIterator<Item = (Jv, Jv)>>(entries: I) -> ValR {
        let mut below = 0;
        let mut object = Object::new();
        for (key, item) in entries {
            charge(1)?;
            let Value::Str(key) = key.value else {
                return refused(format!(
                    "an object needs texts as keys, not {}",
                    ops::brief(&key.value)
                ));
            };
            below = below.max(item.depth);
            object.insert(key, item.value);
        }
        Ok(Jv::around(Value::from(object), below))
    }

    fn key_values(self) -> Box<dyn Iterator<Item = Result<(Jv, Jv), Error<Jv>>>> {
        if let Err(error) = charge(1 + size(&self.value)) {
            return box_once(Err(error));
        }
        let below = self.depth.saturating_sub(1);
        let part = move |value| Jv {
            value,
            depth: below,
        };
        match self.value {
            Value::Arr(items) => Box::new(
                Arc::unwrap_or_clone(items)
                    .into_iter()
                    .enumerate()
                    .map(move |(at, item)| Ok((Jv::flat(at), part(item)))),
            ),
            Value::Obj(object) => Box::new(
                Arc::unwrap_or_clone(object)
                    .into_iter()
                    .map(move |(key, item)| Ok((Jv::flat(key), part(item)))),
            ),
            other => box_once(refused(format!(
                "cannot iterate over {}",
                ops::brief(&other)
            ))),
        }
    }

    fn values(self) -> Box<dyn Iterator<Item = ValR>> {
        Box::new(self.key_values().map(|entry| entry.map(|(_, item)| item)))
    }

    fn index(self, key: &Jv) -> ValR {
        charge(1)?;
        let found = ops::find(&self.value, &key.value).map_err(thrown)?;
        Ok(self.part(found.unwrap_or_default()))
    }

    fn range(self, range: Range<Option<&Jv>>) -> ValR {
        charge(1 + size(&self.value))?;
        let bound = |bound: Option<&'_ Jv>| bound.map(|bound| bound.value.clone());
        let value = ops::slice(
            &self.value,
            bound(range.start).as_ref(),
            bound(range.end).as_ref(),
        );
        Ok(Jv {
            value: value.map_err(thrown)?,
            depth: self.depth,
        })
    }

    fn map_values<'a, I: Iterator<Item = ValX<'a>>>(
        self,
        opt: Opt,
        change: impl Fn(Jv) -> I,
    ) -> ValX<'a> {
        charge(1 + size(&self.value))?;
        let mut below = self.depth.saturating_sub(1);
        let part = |value| Jv {
            value,
            depth: self.depth.saturating_sub(1),
        };
        let mut keep = |item: Jv| {
            below = below.max(item.depth);
            item.value
        };
        let value = match self.value {
            Value::Arr(items) => {
                let mut changed = Vec::with_capacity(items.len());
                for item in Arc::unwrap_or_clone(items) {
                    for output in change(part(item)) {
                        charge(1)?;
                        changed.push(keep(output?));
                    }
                }
                Value::from(changed)
            }
            Value::Obj(object) => {
                let mut changed = Object::with_capacity(object.len());
                for (key, item) in Arc::unwrap_or_clone(object) {
                    if let Some(output) = change(part(item)).next() {
                        changed.insert(key, keep(output?));
                    }
                }
                Value::from(changed)
            }
            other => {
                return opt.fail(Jv::flat(other), |other| {
                    Exn::from(Error::str(format!(
                        "cannot iterate over {}",
                        ops::brief(&other.value)
                    )))
                });
            }
        };
        Ok(Jv::around(value, below))
    }

    fn map_index<'a, I: Iterator<Item = ValX<'a>>>(
        self,
        key: &Jv,
        opt: Opt,
        change: impl Fn(Jv) -> I,
    ) -> ValX<'a> {
        charge(1)?;
        let depth = self.depth;
        let part = |value| Jv {
            value,
            depth: depth.saturating_sub(1),
        };
        let mut below = depth.saturating_sub(1);
        let mut value = self.value;
        match (&mut value, &key.value) {
            (Value::Arr(_) | Value::Str(_) | Value::Null, Value::Obj(range)) => {
                let bound = |name| range.get(name).cloned().map(Jv::flat);
                let (start, end) = (bound("start"), bound("end"));
                return Jv { value, depth }.map_range(start.as_ref()..end.as_ref(), opt, change);
            }
            (Value::Obj(_) | Value::Null, Value::Str(key)) => {
                let mut object = match std::mem::take(&mut value) {
                    Value::Obj(object) => object,
                    _ => Arc::default(),
                };
                let fields = Arc::make_mut(&mut object);
                let held = fields.get_mut(key).map(std::mem::take).unwrap_or_default();
                match change(part(held)).next().transpose()? {
                    Some(item) => {
                        below = below.max(item.depth);
                        fields.insert(key.clone(), item.value);
                    }
                    None => {
                        fields.remove(key);
                    }
                }
                value = Value::Obj(object);
            }
            (Value::Arr(items), Value::Int(_) | Value::Float(_)) => {
                let Some(at) = ops::position(&key.value, items.len()) else {
                    let message = format!("there is no element {} to change", key.value);
                    return opt.fail(Jv { value, depth }, |_| Exn::from(Error::str(message)));
                };
                let items = Arc::make_mut(items);
                let held = std::mem::take(&mut items[at]);
                match change(part(held)).next().transpose()? {
                    Some(item) => {
                        below = below.max(item.depth);
                        items[at] = item.value;
                    }
                    None => {
                        items.remove(at);
                    }
                }
            }
            (held, key) => {
                let refused = ops::cannot_change(held, key).map_err(thrown);
                return opt.fail(Jv { value, depth }, |_| match refused {
                    Ok(()) => Exn::from(Error::str("cannot change it")),
                    Err(error) => Exn::from(error),
                });
            }
        }
        Ok(Jv::around(value, below))
    }

    fn map_range<'a, I: Iterator<Item = ValX<'a>>>(
        self,
        range: Range<Option<&Jv>>,
        opt: Opt,
        change: impl Fn(Jv) -> I,
    ) -> ValX<'a> {
        charge(1 + size(&self.value))?;
        let Value::Arr(mut items) = self.value else {
            return opt.fail(self, |held| {
                Exn::from(Error::str(format!(
                    "cannot change a slice of {}",
                    ops::brief(&held.value)
                )))
            });
        };
        let bound = |bound: Option<&'_ Jv>| bound.map(|bound| bound.value.clone());
        let (from, to) = match ops::cut(
            bound(range.start).as_ref(),
            bound(range.end).as_ref(),
            items.len(),
        ) {
            Ok(cut) => cut,
            Err(stop) => {
                let held = Jv {
                    value: Value::Arr(items),
                    depth: self.depth,
                };
                return opt.fail(held, |_| Exn::from(thrown(stop)));
            }
        };
        let part = Jv {
            value: Value::from(items[from..to].to_vec()),
            depth: self.depth,
        };
        let new = change(part)
            .next()
            .transpose()?
            .unwrap_or_else(|| Jv::flat(Vec::new()));
        let Value::Arr(parts) = new.value else {
            return Err(Exn::from(Error::str(
                "a slice of an array can only become an array",
            )));
        };
        Arc::make_mut(&mut items).splice(from..to, parts.iter().cloned());
        Ok(Jv {
            value: Value::Arr(items),
            depth: self.depth.max(new.depth),
        })
    }

    fn as_bool(&self) -> bool {
        self.value.truthy()
    }

    fn into_string(self) -> Jv {
        let Ok(text) = ops::to_text(&self.value) else {
            meet(Limit::Weight);
            return Jv::flat(Value::Null);
        };
        // As in making a value from a text.
        spend(1 + text.len() / 16).ok();
        Jv::flat(text)
    }
}

impl jaq_std::ValT for Jv {
    fn into_seq<S: FromIterator<Jv>>(self) -> Result<S, Jv> {
        if spend(size(&self.value)).is_err() {
            return Ok(S::from_iter([]));
        }
        let below = self.depth.saturating_sub(1);
        match self.value {
            Value::Arr(items) => {
                let items = Arc::unwrap_or_clone(items).into_iter();
                Ok(items
                    .map(|value| Jv {
                        value,
                        depth: below,
                    })
                    .collect())
            }
            value => Err(Jv {
                value,
                depth: self.depth,
            }),
        }
    }

    fn is_int(&self) -> bool {
        matches!(self.value, Value::Int(_))
    }

    fn as_isize(&self) -> Option<isize> {
        match self.value {
            Value::Int(number) => isize::try_from(number).ok(),
            _ => None,
        }
    }

    fn as_f64(&self) -> Option<f64> {
        self.value.as_f64()
    }

    fn is_utf8_str(&self) -> bool {
        matches!(self.value, Value::Str(_))
    }

    fn as_bytes(&self) -> Option<&[u8]> {
        self.value.as_str().map(str::as_bytes)
    }

    fn as_sub_str(&self, sub: &[u8]) -> Jv {
        Jv::flat(&*String::from_utf8_lossy(sub))
    }

    fn from_utf8_bytes(bytes: impl AsRef<[u8]> + Send + 'static) -> Jv {
        Jv::from(String::from_utf8_lossy(bytes.as_ref()).into_owned())
    }
}

/// Natives of jaq without those that reach outside, some under another name because the prelude
/// checks what they are given, and our own.
fn natives() -> impl Iterator<Item = Fun<JustLut<Jv>>> {
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
