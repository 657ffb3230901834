//! Makes the checked form of what was parsed.

use std::ops::Range;
use std::rc::Rc;

use jaq_core::load;
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Def, Pattern as ParsedPattern, Term};
use jaq_core::path::{Opt, Part};

use super::{Node, Pattern, Piece, Slot, Step, StepPart};
use crate::expr::bounds::{BRANCHES_MAX, TERMS_MAX};
use crate::expr::ops::{Cmp, Math};
use crate::expr::{ExprError, Variable, builtins};
use crate::value::Value;

/// The checked form of a term that is part of `code`.
pub(super) fn checked<'c>(
    code: &'c str,
    globals: &'c [Variable],
    term: &Term<&'c str>,
) -> Result<Node, ExprError> {
    let mut reader = Reader {
        code,
        globals,
        slots: 0,
        nodes: 0,
        depth: 0,
    };
    let node = reader.node(term, &None)?;
    let fanout = reader.fanout(&node)?;
    debug_assert!(fanout.branches <= BRANCHES_MAX, "checked at every node");
    Ok(node)
}

/// The names that are in scope, the nearest first.
type Scope<'t> = Option<Rc<Frame<'t>>>;

struct Frame<'t> {
    name: &'t str,
    means: Meaning<'t>,
    outer: Scope<'t>,
}

enum Meaning<'t> {
    Variable(Slot),
    Label(Slot),
    Definition(&'t Def<&'t str>),
    /// A definition that is being expanded.
    Active(usize),
    /// A filter handed to a definition, with the names that it may use.
    Filter(&'t Term<&'t str>, Scope<'t>),
}

#[expect(clippy::unnecessary_wraps, reason = "the outermost scope is none")]
fn within<'t>(name: &'t str, means: Meaning<'t>, outer: &Scope<'t>) -> Scope<'t> {
    Some(Rc::new(Frame {
        name,
        means,
        outer: outer.clone(),
    }))
}

pub(super) struct Reader<'c> {
    pub(super) code: &'c str,
    globals: &'c [Variable],
    slots: Slot,
    nodes: usize,
    depth: usize,
}

/// Most nodes that an expression may have once its definitions are expanded.
const NODES_MAX: usize = 4_000;

impl<'c> Reader<'c> {
    pub(super) fn fail<T>(
        &self,
        at: &str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Result<T, ExprError> {
        Err(ExprError::new(self.code, self.span(at), message, hint))
    }

    fn span(&self, part: &str) -> Range<usize> {
        load::span(self.code, part)
    }

    fn slot(&mut self) -> Slot {
        self.slots += 1;
        self.slots
    }

    fn boxed<'t>(
        &mut self,
        term: &'t Term<&'t str>,
        scope: &Scope<'t>,
    ) -> Result<Box<Node>, ExprError>
    where
        'c: 't,
    {
        self.node(term, scope).map(Box::new)
    }

    fn node<'t>(&mut self, term: &'t Term<&'t str>, scope: &Scope<'t>) -> Result<Node, ExprError>
    where
        'c: 't,
    {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            let message = format!(
                "the expression has more than {NODES_MAX} parts once definitions are expanded"
            );
            return self.fail(self.code, message, "split it over several nodes");
        }
        if self.depth == TERMS_MAX {
            let message = format!(
                "the expression is nested more than {TERMS_MAX} deep once definitions are expanded"
            );
            return self.fail(self.code, message, "split it over several nodes");
        }
        self.depth += 1;
        let node = self.term(term, scope);
        self.depth -= 1;
        node
    }

    fn term<'t>(&mut self, term: &'t Term<&'t str>, scope: &Scope<'t>) -> Result<Node, ExprError>
    where
        'c: 't,
    {
        Ok(match term {
            Term::Id => Node::Id,
            Term::Recurse => Node::Recurse,
            Term::Num(text) => Node::Const(number(text)),
            Term::Str(format, parts) => self.text(*format, parts, scope)?,
            Term::Arr(None) => Node::Const(Value::from(Vec::new())),
            Term::Arr(Some(of)) => Node::Array(Some(self.boxed(of, scope)?)),
            Term::Obj(entries) => self.object(entries, scope)?,
            Term::Neg(of) => match self.node(of, scope)? {
                Node::Const(Value::Int(number)) => Node::Const(Value::Int(-number)),
                Node::Const(Value::Float(number)) => Node::Const(Value::Float(-number)),
                of => Node::Neg(Box::new(of)),
            },
            Term::BinOp(left, op, right) => self.operation(left, op, right, scope)?,
            Term::Label(name, body) => {
                let slot = self.slot();
                Node::Label(
                    slot,
                    self.boxed(body, &within(name, Meaning::Label(slot), scope))?,
                )
            }
            Term::Break(name) => {
                match find(scope, name, |means| matches!(means, Meaning::Label(_))) {
                    Some(Frame {
                        means: Meaning::Label(slot),
                        ..
                    }) => Node::Break(*slot),
                    _ => {
                        return self.fail(
                            name,
                            format!("there is no label `{name}`"),
                            "write `label $name | …` around it",
                        );
                    }
                }
            }
            Term::Fold(kind, source, pattern, args) => {
                self.fold(kind, source, pattern, args, scope)?
            }
            Term::TryCatch(body, catch) => {
                let body = self.boxed(body, scope)?;
                Node::Try(
                    body,
                    catch
                        .as_ref()
                        .map(|catch| self.boxed(catch, scope))
                        .transpose()?,
                )
            }
            Term::IfThenElse(branches, otherwise) => {
                let branches = branches
                    .iter()
                    .map(|(test, then)| Ok((self.node(test, scope)?, self.node(then, scope)?)))
                    .collect::<Result<_, _>>()?;
                Node::If(
                    branches,
                    otherwise
                        .as_ref()
                        .map(|node| self.boxed(node, scope))
                        .transpose()?,
                )
            }
            Term::Def(defs, body) => {
                let scope = defs.iter().fold(scope.clone(), |scope, def| {
                    within(def.name, Meaning::Definition(def), &scope)
                });
                self.node(body, &scope)?
            }
            Term::Call(name, args) => self.call(name, args, scope)?,
            Term::Var(name) => self.variable(name, scope)?,
            Term::Path(head, path) => {
                let head = self.boxed(head, scope)?;
                let mut steps = Vec::with_capacity(path.0.len());
                for (part, opt) in &path.0 {
                    let part = match part {
                        Part::Index(index) => match self.node(index, scope)? {
                            Node::Const(Value::Str(key)) => StepPart::Key(key),
                            Node::Const(Value::Int(at)) => StepPart::At(at),
                            index => StepPart::Index(index),
                        },
                        Part::Range(None, None) => StepPart::Each,
                        Part::Range(from, to) => {
                            let mut bound = |term: &'t Option<Term<&'t str>>| {
                                term.as_ref().map(|term| self.node(term, scope)).transpose()
                            };
                            StepPart::Slice(bound(from)?, bound(to)?)
                        }
                    };
                    steps.push(Step {
                        part,
                        optional: matches!(opt, Opt::Optional),
                    });
                }
                match *head {
                    // `.a` and then `.b` is one path; indices see the same input in both.
                    Node::Path(head, before) => {
                        Node::Path(head, before.into_iter().chain(steps).collect())
                    }
                    head => Node::Path(Box::new(head), steps),
                }
            }
        })
    }

    fn text<'t>(
        &mut self,
        format: Option<&'t str>,
        parts: &'t [StrPart<&'t str, Term<&'t str>>],
        scope: &Scope<'t>,
    ) -> Result<Node, ExprError>
    where
        'c: 't,
    {
        let format = match format {
            None | Some("@text") => None,
            Some(name) => match builtins::allowed(name, 0) {
                Some(known) => Some(known),
                None => {
                    return self.fail(
                        name,
                        format!("unknown format `{name}`"),
                        builtins::advice(name, 0),
                    );
                }
            },
        };
        let mut pieces: Vec<Piece> = Vec::new();
        let mut plain = String::new();
        for part in parts {
            match part {
                StrPart::Str(text) => plain.push_str(text),
                StrPart::Char(letter) => plain.push(*letter),
                StrPart::Term(term) => {
                    if !plain.is_empty() {
                        pieces.push(Piece::Plain(std::mem::take(&mut plain).into()));
                    }
                    pieces.push(Piece::Node(self.node(term, scope)?));
                }
            }
        }
        if pieces.is_empty() {
            return Ok(Node::Const(Value::from(plain)));
        }
        if !plain.is_empty() {
            pieces.push(Piece::Plain(plain.into()));
        }
        Ok(Node::Text(format, pieces))
    }

    fn object<'t>(
        &mut self,
        entries: &'t [(Term<&'t str>, Option<Term<&'t str>>)],
        scope: &Scope<'t>,
    ) -> Result<Node, ExprError>
    where
        'c: 't,
    {
        let mut nodes = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            nodes.push(match (key, value) {
                (Term::Var(name), None) => (
                    Node::Const(Value::str(name.trim_start_matches('$'))),
                    self.variable(name, scope)?,
                ),
                (key, Some(value)) => (self.node(key, scope)?, self.node(value, scope)?),
                (key, None) => {
                    let key = self.node(key, scope)?;
                    let part = match &key {
                        Node::Const(Value::Str(key)) => StepPart::Key(key.clone()),
                        other => StepPart::Index(other.clone()),
                    };
                    (
                        key,
                        Node::Path(
                            Box::new(Node::Id),
                            vec![Step {
                                part,
                                optional: false,
                            }],
                        ),
                    )
                }
            });
        }
        if nodes.is_empty() {
            return Ok(Node::Const(Value::from(crate::value::Object::new())));
        }
        Ok(Node::Object(nodes))
    }

    fn operation<'t>(
        &mut self,
        left: &'t Term<&'t str>,
        op: &'t BinaryOp<&'t str>,
        right: &'t Term<&'t str>,
        scope: &Scope<'t>,
    ) -> Result<Node, ExprError>
    where
        'c: 't,
    {
        let left = self.boxed(left, scope)?;
        if let BinaryOp::Pipe(Some(pattern)) = op {
            let (pattern, scope) = self.pattern(pattern, scope, scope)?;
            return Ok(Node::Bind(left, pattern, self.boxed(right, &scope)?));
        }
        let right = self.boxed(right, scope)?;
        Ok(match op {
            BinaryOp::Pipe(_) => Node::Pipe(left, right),
            BinaryOp::Comma => Node::Comma(left, right),
            BinaryOp::Alt => Node::Alt(left, right),
            BinaryOp::Or => Node::Or(left, right),
            BinaryOp::And => Node::And(left, right),
            BinaryOp::Math(op) => Node::Math(math(*op), left, right),
            BinaryOp::Cmp(op) => Node::Cmp(cmp(*op), left, right),
            BinaryOp::Assign => Node::Assign(left, right),
            BinaryOp::Update => Node::Update(left, right),
            BinaryOp::UpdateMath(op) => Node::UpdateMath(math(*op), left, right),
            BinaryOp::UpdateAlt => Node::UpdateAlt(left, right),
        })
    }

    fn fold<'t>(
        &mut self,
        kind: &'t str,
        source: &'t Term<&'t str>,
        pattern: &'t ParsedPattern<&'t str>,
        args: &'t [Term<&'t str>],
        scope: &Scope<'t>,
    ) -> Result<Node, ExprError>
    where
        'c: 't,
    {
        let source = self.boxed(source, scope)?;
        let (pattern, inner) = self.pattern(pattern, scope, scope)?;
        match (kind, args) {
            ("reduce", [init, update]) => Ok(Node::Reduce(
                source,
                pattern,
                self.boxed(init, scope)?,
                self.boxed(update, &inner)?,
            )),
            ("foreach", [init, update, extract @ ..]) if extract.len() <= 1 => Ok(Node::Foreach(
                source,
                pattern,
                self.boxed(init, scope)?,
                self.boxed(update, &inner)?,
                extract
                    .first()
                    .map(|extract| self.boxed(extract, &inner))
                    .transpose()?,
            )),
            _ => self.fail(
                kind,
                format!("`{kind}` takes a start and an update"),
                format!("write `{kind} … as $x (start; update)`"),
            ),
        }
    }

    /// The pattern, and `scope` with its variables; terms in it see the variables of `outer`.
    fn pattern<'t>(
        &mut self,
        pattern: &'t ParsedPattern<&'t str>,
        outer: &Scope<'t>,
        scope: &Scope<'t>,
    ) -> Result<(Pattern, Scope<'t>), ExprError>
    where
        'c: 't,
    {
        let mut scope = scope.clone();
        let parts = match pattern {
            ParsedPattern::Var(name) => {
                let slot = self.slot();
                return Ok((
                    Pattern::Var(slot),
                    within(name, Meaning::Variable(slot), &scope),
                ));
            }
            ParsedPattern::Arr(items) => items
                .iter()
                .enumerate()
                .map(|(at, below)| {
                    let (below, inner) = self.pattern(below, outer, &scope)?;
                    scope = inner;
                    Ok((Node::Const(Value::from(at)), below))
                })
                .collect::<Result<Vec<_>, ExprError>>()?,
            ParsedPattern::Obj(entries) => entries
                .iter()
                .map(|(key, below)| {
                    let key = self.node(key, outer)?;
                    let (below, inner) = self.pattern(below, outer, &scope)?;
                    scope = inner;
                    Ok((key, below))
                })
                .collect::<Result<Vec<_>, ExprError>>()?,
        };
        Ok((Pattern::Parts(parts), scope))
    }

    fn variable<'t>(&mut self, name: &'t str, scope: &Scope<'t>) -> Result<Node, ExprError>
    where
        'c: 't,
    {
        if let Some(Frame {
            means: Meaning::Variable(slot),
            ..
        }) = find(scope, name, |means| matches!(means, Meaning::Variable(_)))
        {
            return Ok(Node::Var(*slot));
        }
        let known = |variable: &&Variable| variable.name() == name;
        if let Some(variable) = self.globals.iter().find(known) {
            return Ok(Node::Global(*variable));
        }
        if builtins::refused(name, 0) {
            return self.fail(
                name,
                format!("`{name}` cannot be used"),
                builtins::advice(name, 0),
            );
        }
        let hint = if Variable::ALL.iter().any(|variable| variable.name() == name) {
            "it has no value in this place".to_owned()
        } else {
            let mut names: Vec<&str> = self
                .globals
                .iter()
                .map(|variable| variable.name())
                .collect();
            let mut at = scope;
            while let Some(frame) = at {
                names.extend(matches!(frame.means, Meaning::Variable(_)).then_some(frame.name));
                at = &frame.outer;
            }
            match builtins::nearest(name, names.into_iter()) {
                near if near.is_empty() => format!("bind it with `… as {name} | …`"),
                near => format!("did you mean {near}?"),
            }
        };
        self.fail(name, format!("unknown variable `{name}`"), hint)
    }

    fn call<'t>(
        &mut self,
        name: &'t str,
        args: &'t [Term<&'t str>],
        scope: &Scope<'t>,
    ) -> Result<Node, ExprError>
    where
        'c: 't,
    {
        let arity = args.len();
        let callable = |means: &Meaning| match means {
            Meaning::Definition(def) => def.args.len() == arity,
            Meaning::Active(active) => *active == arity,
            Meaning::Filter(..) => arity == 0,
            Meaning::Variable(_) | Meaning::Label(_) => false,
        };
        match find(scope, name, callable) {
            Some(Frame {
                means: Meaning::Definition(def),
                outer,
                ..
            }) => {
                return self.expand(def, args, scope, outer);
            }
            Some(Frame {
                means: Meaning::Filter(term, inner),
                ..
            }) => return self.node(term, inner),
            Some(_) => {
                return self.fail(
                    name,
                    format!("`{name}` calls itself, so it may run for ever"),
                    "use `map`, `reduce` or `..` over the event, or a script node",
                );
            }
            None => {}
        }
        let Some(known) = builtins::allowed(name, arity) else {
            let problem = if builtins::refused(name, arity) {
                "cannot be used"
            } else {
                "is not known"
            };
            return self.fail(
                name,
                format!("the filter `{name}` {problem}"),
                builtins::advice(name, arity),
            );
        };
        Ok(match known {
            "null" => Node::Const(Value::Null),
            "true" => Node::Const(Value::Bool(true)),
            "false" => Node::Const(Value::Bool(false)),
            "recurse" => Node::Recurse,
            known => Node::Call(
                known,
                args.iter()
                    .map(|arg| self.node(arg, scope))
                    .collect::<Result<_, _>>()?,
            ),
        })
    }

    /// The body of a definition in place of a call of it.
    fn expand<'t>(
        &mut self,
        def: &'t Def<&'t str>,
        args: &'t [Term<&'t str>],
        scope: &Scope<'t>,
        outer: &Scope<'t>,
    ) -> Result<Node, ExprError>
    where
        'c: 't,
    {
        let mut inner = within(def.name, Meaning::Active(args.len()), outer);
        let mut bound = Vec::new();
        for (param, arg) in def.args.iter().zip(args) {
            if param.starts_with('$') {
                let slot = self.slot();
                bound.push((slot, self.boxed(arg, scope)?));
                inner = within(param, Meaning::Variable(slot), &inner);
            } else {
                inner = within(param, Meaning::Filter(arg, scope.clone()), &inner);
            }
        }
        let body = self.node(&def.body, &inner)?;
        Ok(bound.into_iter().rev().fold(body, |body, (slot, value)| {
            Node::Bind(value, Pattern::Var(slot), Box::new(body))
        }))
    }
}

fn find<'s, 't>(
    scope: &'s Scope<'t>,
    name: &str,
    wanted: impl Fn(&Meaning<'t>) -> bool,
) -> Option<&'s Frame<'t>> {
    let mut at = scope;
    while let Some(frame) = at {
        if frame.name == name && wanted(&frame.means) {
            return Some(frame);
        }
        at = &frame.outer;
    }
    None
}

/// A number as written; whole ones beyond the range of `i64` lose digits.
fn number(text: &str) -> Value {
    match text.parse() {
        Ok(whole) => Value::Int(whole),
        Err(_) => Value::Float(text.parse().unwrap_or(f64::NAN)),
    }
}

fn math(op: jaq_core::ops::Math) -> Math {
    match op {
        jaq_core::ops::Math::Add => Math::Add,
        jaq_core::ops::Math::Sub => Math::Sub,
        jaq_core::ops::Math::Mul => Math::Mul,
        jaq_core::ops::Math::Div => Math::Div,
        jaq_core::ops::Math::Rem => Math::Rem,
    }
}

fn cmp(op: jaq_core::ops::Cmp) -> Cmp {
    match op {
        jaq_core::ops::Cmp::Lt => Cmp::Lt,
        jaq_core::ops::Cmp::Le => Cmp::Le,
        jaq_core::ops::Cmp::Gt => Cmp::Gt,
        jaq_core::ops::Cmp::Ge => Cmp::Ge,
        jaq_core::ops::Cmp::Eq => Cmp::Eq,
        jaq_core::ops::Cmp::Ne => Cmp::Ne,
    }
}
