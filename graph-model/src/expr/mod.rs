//! jq as the one language for predicates, mappings and keys: checked, bounded, analysed.
//!
//! ```
//! use graph_model::expr::{Env, Expr};
//! use graph_model::value;
//!
//! let expr = Expr::compile(".total = .price * .count | select(.total > 10)")?;
//! let event = value!({"price": 4, "count": 3});
//! assert_eq!(expr.eval(&event, &Env::empty())?.to_json(), r#"{"count":3,"price":4,"total":12}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Expressions are pure: they see one event and the variables that their place gives, nothing else.
//! Clock, input stream, environment and loops without bound are refused when they are compiled.
//! What is left is bounded by [`CODE_MAX`], [`NESTING_MAX`] and [`OPERATORS_MAX`] when compiled and
//! by [`STEPS_MAX`] and [`WEIGHT_MAX`] when run.
//!
//! Where jq and jaq differ, or both differ from our values, this holds: objects go in the order of
//! their keys, keys are texts, whole numbers beyond `i64` go on as `f64`, and an index beyond the
//! end of an array can be read but not set.

mod analysis;
mod bounds;
mod builtins;
mod count;
mod fast;
mod flow;
mod form;
mod jaq;
mod ops;
mod predicate;
mod tree;

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

pub use analysis::{
    Analysis, Comparison, Condition, ContextRead, Key, Multiplicity, Op, Operand, OutputFlow, Rest,
    Sources,
};
pub(crate) use analysis::{covers, related, tail};
pub use bounds::{CODE_MAX, Limit, NESTING_MAX, OPERATORS_MAX, STEPS_MAX, TERMS_MAX, WEIGHT_MAX};
pub use count::Elements;
use fast::Fast;
pub use form::{Form, Term};
use ops::{Outcome, Stop};
use smol_str::SmolStr;
use tree::Node;

use crate::value::Value;

/// A checked and compiled expression; cheap to clone.
#[derive(Clone)]
pub struct Expr {
    compiled: Arc<Compiled>,
}

struct Compiled {
    code: SmolStr,
    globals: Vec<Variable>,
    node: Node,
    program: Program,
    analysis: OnceLock<Analysis>,
    form: OnceLock<Option<Form>>,
}

#[derive(Debug)]
enum Program {
    Fast(Fast),
    General(jaq::Filter),
}

/// A variable that the place of an expression may give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Variable {
    /// `$event`: the context of the event: id, source, type, time, subject and its extensions.
    Event,
    /// `$viewer`: the claims of whoever looks.
    Viewer,
    /// `$state`: what a stateful node remembers for the key of the event.
    State,
    /// `$now`: the time of processing in seconds.
    Now,
}

/// Where an expression takes the values of its variables from; asked only for what it uses.
pub trait Bindings {
    /// The whole value of a variable; an object for `$event` and `$viewer`.
    fn whole(&self, variable: Variable) -> Option<Value>;

    /// One field of it, for those who need not build the whole for that.
    fn field(&self, variable: Variable, name: &str) -> Option<Value> {
        self.whole(variable)?.get(name).cloned()
    }
}

impl<F: Fn(Variable) -> Option<Value>> Bindings for F {
    fn whole(&self, variable: Variable) -> Option<Value> {
        self(variable)
    }
}

/// The variables of one evaluation. What is not given is `null`.
///
/// ```
/// use graph_model::expr::{Env, Expr, Variable};
/// use graph_model::value;
///
/// let event = |variable| (variable == Variable::Event).then(|| value!({"type": "order.placed"}));
/// let expr = Expr::compile(r#"$event.type | startswith("order.")"#)?;
/// assert!(expr.test(&value!(null), &Env::new(&event))?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Default)]
pub struct Env<'a> {
    bindings: Option<&'a dyn Bindings>,
}

/// Why a text is not an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExprError {
    pub message: String,
    /// The bytes of the text that it is about.
    pub span: Range<usize>,
    /// Line and column of its start, both from 1, the column in characters.
    pub line: usize,
    pub column: usize,
    /// What to do; empty when there is nothing to say.
    pub hint: String,
}

/// Why an evaluation has no result.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EvalError {
    /// The expression has no output for this event, as after `select` or `empty`.
    #[error("the expression has no output for this event")]
    NoOutput,
    #[error("the expression has more than {limit} outputs")]
    TooManyOutputs { limit: usize },
    /// An operation met a value that it cannot take, or the expression called `error`.
    #[error("{}", message(.0))]
    Failed(Value),
    #[error("the expression {0}")]
    Exceeded(#[from] Limit),
}

impl Expr {
    /// Reads an expression that may use `$event` and `$now`.
    ///
    /// ```
    /// # use graph_model::expr::Expr;
    /// let error = Expr::compile(".name | lenght").unwrap_err();
    /// assert_eq!(error.to_string(), "1:9: the filter `lenght` is not known; did you mean `length`?");
    /// ```
    pub fn compile(code: &str) -> Result<Expr, ExprError> {
        Expr::compile_with(code, &[Variable::Event, Variable::Now])
    }

    /// Reads an expression that may use the variables `globals`.
    pub fn compile_with(code: &str, globals: &[Variable]) -> Result<Expr, ExprError> {
        let node = tree::read(code, globals)?;
        let mut globals = Vec::new();
        node.walk(&mut |node| match node {
            Node::Global(used) if !globals.contains(used) => globals.push(*used),
            _ => {}
        });
        globals.sort_unstable();
        let program = match fast::compile(&node) {
            Some(fast) => Program::Fast(fast),
            None => Program::General(general(code, &globals)?),
        };
        let compiled = Compiled {
            code: code.into(),
            globals,
            node,
            program,
            analysis: OnceLock::new(),
            form: OnceLock::new(),
        };
        Ok(Expr {
            compiled: Arc::new(compiled),
        })
    }

    /// The text it was compiled from.
    pub fn code(&self) -> &str {
        &self.compiled.code
    }

    /// The variables it uses.
    pub fn variables(&self) -> &[Variable] {
        &self.compiled.globals
    }

    /// The first output for `input`.
    pub fn eval(&self, input: &Value, env: &Env<'_>) -> Result<Value, EvalError> {
        Ok(self.first(input, env)?)
    }

    /// The first output for `input`, which is changed in place where nobody else holds it.
    pub fn eval_owned(&self, input: Value, env: &Env<'_>) -> Result<Value, EvalError> {
        Ok(match &self.compiled.program {
            Program::Fast(fast) => fast.first_owned(input, env),
            Program::General(_) => self.first(&input, env),
        }?)
    }

    /// All outputs for `input`; more than `limit` are an error.
    pub fn eval_all(
        &self,
        input: &Value,
        env: &Env<'_>,
        limit: usize,
    ) -> Result<Vec<Value>, EvalError> {
        let outputs = match &self.compiled.program {
            Program::Fast(fast) => fast.all(input, env, limit),
            Program::General(filter) => filter.run(input, env, limit),
        };
        match outputs? {
            (_, true) => Err(EvalError::TooManyOutputs { limit }),
            (outputs, false) => Ok(outputs),
        }
    }

    /// Whether the first output is true as jq takes it: neither `false` nor `null`. No output is
    /// false, as `select` has none for what it leaves out.
    pub fn test(&self, input: &Value, env: &Env<'_>) -> Result<bool, EvalError> {
        let holds = match &self.compiled.program {
            Program::Fast(fast) => fast.test(input, env),
            Program::General(_) => self.first(input, env).map(|output| output.truthy()),
        };
        match holds {
            Err(Stop::Empty) => Ok(false),
            holds => Ok(holds?),
        }
    }

    /// What it reads and which of it reaches which part of the output; computed when first asked for.
    pub fn analysis(&self) -> &Analysis {
        let compiled = &*self.compiled;
        compiled
            .analysis
            .get_or_init(|| analysis::analyse(&compiled.node, &compiled.globals))
    }

    fn first(&self, input: &Value, env: &Env<'_>) -> Outcome {
        match &self.compiled.program {
            Program::Fast(fast) => fast.first(input, env),
            Program::General(filter) => {
                let (outputs, _) = filter.run(input, env, 1)?;
                outputs.into_iter().next().ok_or(Stop::Empty)
            }
        }
    }
}

fn general(code: &str, globals: &[Variable]) -> Result<jaq::Filter, ExprError> {
    jaq::compile(code, globals.to_vec())
        .map_err(|message| ExprError::new(code, 0..code.len(), message, ""))
}

impl PartialEq for Expr {
    fn eq(&self, other: &Expr) -> bool {
        self.code() == other.code()
    }
}

impl Eq for Expr {}

impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expr").field(&self.code()).finish()
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Variable {
    pub const ALL: [Variable; 4] = [
        Variable::Event,
        Variable::Viewer,
        Variable::State,
        Variable::Now,
    ];

    /// The name in expressions, with the leading `$`.
    pub fn name(self) -> &'static str {
        match self {
            Variable::Event => "$event",
            Variable::Viewer => "$viewer",
            Variable::State => "$state",
            Variable::Now => "$now",
        }
    }
}

impl<'a> Env<'a> {
    /// No variable has a value.
    pub fn empty() -> Env<'a> {
        Env::default()
    }

    pub fn new(bindings: &'a dyn Bindings) -> Env<'a> {
        Env {
            bindings: Some(bindings),
        }
    }

    fn whole(&self, variable: Variable) -> Value {
        self.bindings
            .and_then(|bindings| bindings.whole(variable))
            .unwrap_or_default()
    }

    fn field(&self, variable: Variable, name: &str) -> Value {
        self.bindings
            .and_then(|bindings| bindings.field(variable, name))
            .unwrap_or_default()
    }
}

impl fmt::Debug for Env<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env")
            .field("given", &self.bindings.is_some())
            .finish()
    }
}

impl ExprError {
    fn new(
        code: &str,
        span: Range<usize>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> ExprError {
        let before = code.get(..span.start).unwrap_or(code);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        ExprError {
            message: message.into(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            span,
            hint: hint.into(),
        }
    }
}

impl fmt::Display for ExprError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)?;
        if self.hint.is_empty() {
            Ok(())
        } else {
            write!(f, "; {}", self.hint)
        }
    }
}

impl std::error::Error for ExprError {}

impl From<Stop> for EvalError {
    fn from(stop: Stop) -> EvalError {
        match stop {
            Stop::Empty => EvalError::NoOutput,
            Stop::Error(value) => EvalError::Failed(value),
            Stop::Limit(limit) => EvalError::Exceeded(limit),
        }
    }
}

fn message(thrown: &Value) -> String {
    match thrown {
        Value::Str(text) => text.to_string(),
        other => format!("the expression threw {}", ops::brief(other)),
    }
}

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod tests;
