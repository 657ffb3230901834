//! The checked form of an expression: names resolved, definitions expanded, constants folded in.

#![expect(dead_code, reason = "only the checks read the tree so far")]

use std::ops::Range;
use std::rc::Rc;

use jaq_core::load::lex::{Expect as Wanted, StrPart, Tok, Token};
use jaq_core::load::parse::{BinaryOp, Def, Expect, Pattern as ParsedPattern, Term};
use jaq_core::load::{self, Lexer, Parser};
use jaq_core::path::{Opt, Part};
use smol_str::SmolStr;

use super::bounds::{BRANCHES_MAX, CODE_MAX, LOOPS_MAX, NESTING_MAX, OPERATORS_MAX, TERMS_MAX};
use super::ops::{Cmp, Math};
use super::{ExprError, Variable, builtins};
use crate::value::Value;

/// A variable bound by `as`, `reduce`, `foreach` or a definition; each binding has its own number.
pub(super) type Slot = u32;

#[derive(Clone, Debug)]
pub(super) enum Node {
    Id,
    Recurse,
    Const(Value),
    /// Text with interpolations, each passed through the format when there is one.
    Text(Option<&'static str>, Vec<Piece>),
    Array(Option<Box<Node>>),
    Object(Vec<(Node, Node)>),
    Neg(Box<Node>),
    Pipe(Box<Node>, Box<Node>),
    Bind(Box<Node>, Pattern, Box<Node>),
    Comma(Box<Node>, Box<Node>),
    Alt(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    And(Box<Node>, Box<Node>),
    Math(Math, Box<Node>, Box<Node>),
    Cmp(Cmp, Box<Node>, Box<Node>),
    Assign(Box<Node>, Box<Node>),
    Update(Box<Node>, Box<Node>),
    UpdateMath(Math, Box<Node>, Box<Node>),
    UpdateAlt(Box<Node>, Box<Node>),
    Label(Slot, Box<Node>),
    Break(Slot),
    Reduce(Box<Node>, Pattern, Box<Node>, Box<Node>),
    Foreach(Box<Node>, Pattern, Box<Node>, Box<Node>, Option<Box<Node>>),
    Try(Box<Node>, Option<Box<Node>>),
    If(Vec<(Node, Node)>, Option<Box<Node>>),
    Var(Slot),
    Global(Variable),
    /// Steps are taken from what the head answers; terms within steps see the input of the path.
    Path(Box<Node>, Vec<Step>),
    Call(&'static str, Vec<Node>),
}

#[derive(Clone, Debug)]
pub(super) enum Piece {
    Plain(SmolStr),
    Node(Node),
}

#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) part: StepPart,
    pub(super) optional: bool,
}

#[derive(Clone, Debug)]
pub(super) enum StepPart {
    Key(SmolStr),
    At(i64),
    Each,
    Index(Node),
    Slice(Option<Node>, Option<Node>),
}

#[derive(Clone, Debug)]
pub(super) enum Pattern {
    Var(Slot),
    Parts(Vec<(Node, Pattern)>),
}

impl Node {
    /// The nodes directly below this one, steps and patterns included.
    pub(super) fn children(&self) -> Vec<&Node> {
        fn in_pattern<'n>(pattern: &'n Pattern, into: &mut Vec<&'n Node>) {
            if let Pattern::Parts(parts) = pattern {
                for (key, below) in parts {
                    into.push(key);
                    in_pattern(below, into);
                }
            }
        }
        let mut below: Vec<&Node> = Vec::new();
        match self {
            Node::Id
            | Node::Recurse
            | Node::Const(_)
            | Node::Array(None)
            | Node::Break(_)
            | Node::Var(_)
            | Node::Global(_) => {}
            Node::Text(_, pieces) => below.extend(pieces.iter().filter_map(|piece| match piece {
                Piece::Node(node) => Some(node),
                Piece::Plain(_) => None,
            })),
            Node::Array(Some(one)) | Node::Neg(one) | Node::Label(_, one) => below.push(one),
            Node::Object(entries) => {
                below.extend(entries.iter().flat_map(|(key, value)| [key, value]));
            }
            Node::Pipe(a, b)
            | Node::Comma(a, b)
            | Node::Alt(a, b)
            | Node::Or(a, b)
            | Node::And(a, b)
            | Node::Math(_, a, b)
            | Node::Cmp(_, a, b)
            | Node::Assign(a, b)
            | Node::Update(a, b)
            | Node::UpdateMath(_, a, b)
            | Node::UpdateAlt(a, b) => below.extend([&**a, &**b]),
            Node::Bind(source, pattern, body) => {
                below.push(source);
                in_pattern(pattern, &mut below);
                below.push(body);
            }
            Node::Reduce(source, pattern, init, update) => {
                below.push(source);
                in_pattern(pattern, &mut below);
                below.extend([&**init, &**update]);
            }
            Node::Foreach(source, pattern, init, update, extract) => {
                below.push(source);
                in_pattern(pattern, &mut below);
                below.extend([&**init, &**update]);
                below.extend(extract.as_deref());
            }
            Node::Try(body, catch) => {
                below.push(body);
                below.extend(catch.as_deref());
            }
            Node::If(branches, otherwise) => {
                below.extend(branches.iter().flat_map(|(test, then)| [test, then]));
                below.extend(otherwise.as_deref());
            }
            Node::Path(head, steps) => {
                below.push(head);
                for step in steps {
                    match &step.part {
                        StepPart::Index(node) => below.push(node),
                        StepPart::Slice(from, to) => below.extend(from.iter().chain(to)),
                        StepPart::Key(_) | StepPart::At(_) | StepPart::Each => {}
                    }
                }
            }
            Node::Call(_, args) => below.extend(args),
        }
        below
    }

    /// Whether `found` holds for this node or one below it.
    pub(super) fn any(&self, found: &impl Fn(&Node) -> bool) -> bool {
        found(self) || self.children().into_iter().any(|below| below.any(found))
    }
}

/// How many outputs there may be for one input: `branches` times the size of the data to the power
/// of `loops`.
#[derive(Clone, Copy, Debug)]
struct Fanout {
    branches: u64,
    loops: u32,
}

impl Fanout {
    const ONE: Fanout = Fanout {
        branches: 1,
        loops: 0,
    };

    fn times(self, other: Fanout) -> Fanout {
        Fanout {
            branches: self.branches.saturating_mul(other.branches),
            loops: self.loops + other.loops,
        }
    }

    fn plus(self, other: Fanout) -> Fanout {
        Fanout {
            branches: self.branches.saturating_add(other.branches),
            loops: self.loops.max(other.loops),
        }
    }
}

/// Reads and checks an expression in which `globals` may be used.
pub(super) fn read(code: &str, globals: &[Variable]) -> Result<Node, ExprError> {
    if code.len() > CODE_MAX {
        let message = format!(
            "the expression is {} bytes long, more than {CODE_MAX}",
            code.len()
        );
        return Err(ExprError::new(
            code,
            0..code.len(),
            message,
            "split it over several nodes",
        ));
    }
    check_nesting(code)?;
    let tokens = Lexer::new(code)
        .lex()
        .map_err(|errors| unreadable(code, &errors))?;
    let mut operators = OPERATORS_MAX;
    check_operators(code, &tokens, &mut operators)?;
    let term = Parser::new(&tokens)
        .parse(Parser::term)
        .map_err(|errors| unexpected(code, &errors))?;
    check_depth(code, &term)?;
    let mut reader = Reader {
        code,
        globals,
        slots: 0,
        nodes: 0,
        depth: 0,
    };
    let node = reader.node(&term, &None)?;
    let fanout = reader.fanout(&node)?;
    debug_assert!(fanout.branches <= BRANCHES_MAX, "checked at every node");
    Ok(node)
}

/// Refuses brackets nested too deep before the parser, which recurses, meets them.
fn check_nesting(code: &str) -> Result<(), ExprError> {
    // Open brackets and quotes; a bracket above a quote is an interpolation.
    let mut open = Vec::new();
    let mut letters = code.bytes().enumerate();
    while let Some((at, letter)) = letters.next() {
        let in_text = open.last() == Some(&b'"');
        match letter {
            b'"' if in_text => {
                open.pop();
            }
            b'\\' if in_text => {
                if let Some((_, b'(')) = letters.next() {
                    open.push(b'(');
                }
            }
            _ if in_text => {}
            b'"' | b'(' | b'[' | b'{' => open.push(letter),
            b')' | b']' | b'}' => {
                open.pop();
            }
            b'#' => while letters.next().is_some_and(|(_, letter)| letter != b'\n') {},
            _ => {}
        }
        if open.len() > NESTING_MAX {
            let message = format!("brackets are nested more than {NESTING_MAX} deep");
            let end = at + 1;
            return Err(ExprError::new(
                code,
                at..end,
                message,
                "split the expression over several nodes",
            ));
        }
    }
    Ok(())
}

/// Refuses more operators and keywords than [`OPERATORS_MAX`]: each may nest the tree one deeper.
fn check_operators(code: &str, tokens: &[Token<&str>], left: &mut usize) -> Result<(), ExprError> {
    for Token(text, token) in tokens {
        let counts = match token {
            Tok::Sym => !text.starts_with('.') && !matches!(*text, ";" | ":" | ")" | "]" | "}"),
            Tok::Word => {
                matches!(
                    *text,
                    "if" | "try"
                        | "reduce"
                        | "foreach"
                        | "def"
                        | "as"
                        | "label"
                        | "and"
                        | "or"
                        | "elif"
                )
            }
            _ => false,
        };
        if counts {
            *left = left.checked_sub(1).ok_or_else(|| {
                let message =
                    format!("the expression has more than {OPERATORS_MAX} operators and keywords");
                ExprError::new(
                    code,
                    load::span(code, text),
                    message,
                    "split it over several nodes",
                )
            })?;
        }
        match token {
            Tok::Block(below) => check_operators(code, below, left)?,
            Tok::Str(parts) => {
                for part in parts {
                    if let StrPart::Term(Token(_, Tok::Block(below))) = part {
                        check_operators(code, below, left)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Refuses terms nested more than [`TERMS_MAX`] deep, before anything recurses over them.
fn check_depth(code: &str, term: &Term<&str>) -> Result<(), ExprError> {
    let mut open = vec![(term, 1)];
    while let Some((term, depth)) = open.pop() {
        if depth > TERMS_MAX {
            let message = format!("the expression is nested more than {TERMS_MAX} deep");
            return Err(ExprError::new(
                code,
                0..code.len(),
                message,
                "split it over several nodes",
            ));
        }
        open.extend(below(term).into_iter().map(|term| (term, depth + 1)));
    }
    Ok(())
}

fn below<'t>(term: &'t Term<&'t str>) -> Vec<&'t Term<&'t str>> {
    fn in_pattern<'t>(pattern: &'t ParsedPattern<&'t str>, into: &mut Vec<&'t Term<&'t str>>) {
        match pattern {
            ParsedPattern::Var(_) => {}
            ParsedPattern::Arr(items) => items.iter().for_each(|item| in_pattern(item, into)),
            ParsedPattern::Obj(entries) => {
                for (key, below) in entries {
                    into.push(key);
                    in_pattern(below, into);
                }
            }
        }
    }
    let mut terms = Vec::new();
    match term {
        Term::Id
        | Term::Recurse
        | Term::Num(_)
        | Term::Arr(None)
        | Term::Break(_)
        | Term::Var(_) => {}
        Term::Str(_, parts) => terms.extend(parts.iter().filter_map(|part| match part {
            StrPart::Term(term) => Some(term),
            StrPart::Str(_) | StrPart::Char(_) => None,
        })),
        Term::Arr(Some(of)) | Term::Neg(of) | Term::Label(_, of) => terms.push(of),
        Term::Obj(entries) => {
            terms.extend(
                entries
                    .iter()
                    .flat_map(|(key, value)| [key].into_iter().chain(value)),
            );
        }
        Term::BinOp(left, op, right) => {
            terms.extend([&**left, &**right]);
            if let BinaryOp::Pipe(Some(pattern)) = op {
                in_pattern(pattern, &mut terms);
            }
        }
        Term::Fold(_, source, pattern, args) => {
            terms.push(source);
            in_pattern(pattern, &mut terms);
            terms.extend(args);
        }
        Term::TryCatch(body, catch) => {
            terms.push(body);
            terms.extend(catch.as_deref());
        }
        Term::IfThenElse(branches, otherwise) => {
            terms.extend(branches.iter().flat_map(|(test, then)| [test, then]));
            terms.extend(otherwise.as_deref());
        }
        Term::Def(defs, body) => {
            terms.extend(defs.iter().map(|def| &def.body));
            terms.push(body);
        }
        Term::Call(_, args) => terms.extend(args),
        Term::Path(head, path) => {
            terms.push(head);
            for (part, _) in &path.0 {
                match part {
                    Part::Index(index) => terms.push(index),
                    Part::Range(from, to) => terms.extend(from.iter().chain(to)),
                }
            }
        }
    }
    terms
}

fn unreadable(code: &str, errors: &[(Wanted<&str>, &str)]) -> ExprError {
    let Some((wanted, rest)) = errors.first() else {
        return ExprError::new(code, 0..code.len(), "cannot be read", "");
    };
    let start = load::span(code, rest).start;
    let next = rest.chars().next();
    let span = start..start + next.map_or(0, char::len_utf8);
    let message = match wanted {
        Wanted::Delim(open) => format!("`{open}` is not closed"),
        Wanted::Escape => "unknown escape in a text".into(),
        Wanted::Unicode => "expected four hexadecimal digits of a character".into(),
        Wanted::Digit => "expected a digit".into(),
        Wanted::Ident => "expected a name".into(),
        _ => match next {
            Some(next) => format!("`{next}` has no meaning here"),
            None => "the expression ends too early".into(),
        },
    };
    let hint = match (wanted, next) {
        (Wanted::Token, Some('&')) => "write `and`",
        (Wanted::Token, Some('!')) => "write `… | not`",
        (Wanted::Token, Some('\'')) => "texts stand in double quotes",
        (Wanted::Delim(_), _) => "close it, or remove the opening one",
        _ => "",
    };
    ExprError::new(code, span, message, hint)
}

fn unexpected(code: &str, errors: &[(Expect<&str>, Option<&Token<&str>>)]) -> ExprError {
    let Some((expect, found)) = errors.first() else {
        return ExprError::new(code, 0..code.len(), "cannot be read", "");
    };
    if code.trim().is_empty() {
        return ExprError::new(
            code,
            0..code.len(),
            "the expression is empty",
            "write `.` for the whole event",
        );
    }
    let wanted = match expect {
        Expect::Nothing => "an operator or the end".into(),
        Expect::Term => "a value or a path".into(),
        Expect::Just("") => "the end".into(),
        Expect::Just(word) => format!("`{word}`"),
        other => format!("a {}", other.as_str()),
    };
    let (span, found) = match found {
        Some(Token(text, _)) => {
            let span = load::span(code, text);
            let shown: String = text.chars().take(20).collect();
            (span, format!("found `{shown}`"))
        }
        None => (code.len()..code.len(), "the expression ends".into()),
    };
    let hint = match (expect, code.get(span.clone())) {
        (_, Some("===" | "=")) => "compare with `==`",
        (_, Some("||")) => "write `or`",
        (_, Some("import" | "include")) => {
            "modules cannot be loaded; write the definition in place"
        }
        (Expect::ElseOrEnd, _) => "close `if` with `end`",
        _ => "",
    };
    ExprError::new(code, span, format!("expected {wanted}, {found}"), hint)
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

struct Reader<'c> {
    code: &'c str,
    globals: &'c [Variable],
    slots: Slot,
    nodes: usize,
    depth: usize,
}

/// Most nodes that an expression may have once its definitions are expanded.
const NODES_MAX: usize = 4_000;

impl<'c> Reader<'c> {
    fn fail<T>(
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

    /// Refuses what would multiply its outputs beyond the bounds.
    fn fanout(&self, node: &Node) -> Result<Fanout, ExprError> {
        let product = |nodes: &[&Node]| {
            nodes
                .iter()
                .try_fold(Fanout::ONE, |all, node| Ok(all.times(self.fanout(node)?)))
        };
        let each = Fanout {
            branches: 1,
            loops: 1,
        };
        let fanout = match node {
            Node::Comma(a, b) => self.fanout(a)?.plus(self.fanout(b)?),
            Node::Alt(a, b) => {
                let (a, b) = (self.fanout(a)?, self.fanout(b)?);
                Fanout {
                    branches: a.branches.max(b.branches),
                    loops: a.loops.max(b.loops),
                }
            }
            Node::Recurse => each,
            Node::Array(Some(of)) => {
                self.fanout(of)?;
                Fanout::ONE
            }
            Node::Path(head, steps) => {
                let mut all = self.fanout(head)?;
                for step in steps {
                    all = all.times(match &step.part {
                        StepPart::Each => each,
                        StepPart::Index(node) => self.fanout(node)?,
                        StepPart::Slice(from, to) => {
                            product(&from.iter().chain(to).collect::<Vec<_>>())?
                        }
                        StepPart::Key(_) | StepPart::At(_) => Fanout::ONE,
                    });
                }
                all
            }
            Node::If(branches, otherwise) => {
                let mut tests = Fanout::ONE;
                let mut most = match otherwise {
                    Some(otherwise) => self.fanout(otherwise)?,
                    None => Fanout::ONE,
                };
                for (test, then) in branches {
                    tests = tests.times(self.fanout(test)?);
                    let then = self.fanout(then)?;
                    most = Fanout {
                        branches: most.branches.max(then.branches),
                        loops: most.loops.max(then.loops),
                    };
                }
                tests.times(most)
            }
            Node::Try(body, catch) => {
                let body = self.fanout(body)?;
                match catch {
                    Some(catch) => body.plus(self.fanout(catch)?),
                    None => body,
                }
            }
            Node::Reduce(source, _, init, update) => {
                let (source, init, update) = (
                    self.fanout(source)?,
                    self.fanout(init)?,
                    self.fanout(update)?,
                );
                if source.loops > 0 && (update.branches > 1 || update.loops > 0) {
                    return self.fail(
                        self.code,
                        "the update of `reduce` has several outputs, which multiply with each element",
                        "collect them in an array",
                    );
                }
                // Each output of the source multiplies the outputs of the update.
                (0..source.branches.min(64)).fold(init, |all, _| all.times(update))
            }
            Node::Foreach(source, _, init, update, extract) => {
                let (source, init, update) = (
                    self.fanout(source)?,
                    self.fanout(init)?,
                    self.fanout(update)?,
                );
                if update.branches > 1 || update.loops > 0 {
                    return self.fail(
                        self.code,
                        "the update of `foreach` has several outputs, which multiply with each element",
                        "collect them in an array",
                    );
                }
                let extract = match extract {
                    Some(extract) => self.fanout(extract)?,
                    None => Fanout::ONE,
                };
                source.times(init).times(extract)
            }
            Node::Call(name, args) => {
                let inner = product(&args.iter().collect::<Vec<_>>())?;
                match (*name, args.len()) {
                    ("first" | "last", 1)
                    | (
                        "map" | "map_values" | "walk" | "with_entries" | "add" | "any" | "all"
                        | "isempty" | "sort_by" | "group_by" | "unique_by" | "min_by" | "max_by"
                        | "del" | "pick",
                        _,
                    ) => Fanout::ONE,
                    (
                        "path" | "paths" | "match" | "capture" | "scan" | "splits" | "fromjson",
                        _,
                    ) => inner.times(each),
                    _ => inner,
                }
            }
            other => product(&other.children())?,
        };
        if fanout.branches > BRANCHES_MAX || fanout.loops > LOOPS_MAX {
            return self.fail(
                self.code,
                format!(
                    "the outputs multiply beyond {BRANCHES_MAX} written branches or {LOOPS_MAX} nested iterations"
                ),
                "use fewer commas and `[]` that multiply with each other",
            );
        }
        Ok(fanout)
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
