//! The general evaluator: jaq over our own values, every operation metered.

mod access;
mod natives;
mod value;

use std::fmt;
use std::sync::OnceLock;

use jaq_core::data::JustLut;
use jaq_core::load::parse::Def;
use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Vars};

use self::natives::natives;
use self::value::Jv;
use super::bounds::{fits, met, metered};
use super::ops::{Outcome, Stop};
use super::{Env, Variable};
use crate::value::Value;

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
