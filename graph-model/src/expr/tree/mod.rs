//! The checked form of an expression: names resolved, definitions expanded, constants folded in.

mod fanout;
mod reader;
mod refuse;

use jaq_core::load::{Lexer, Parser};
use smol_str::SmolStr;

use self::reader::checked;
use self::refuse::{check_depth, check_nesting, check_operators, unexpected, unreadable};
use super::bounds::{CODE_MAX, OPERATORS_MAX};
use super::ops::{Cmp, Math};
use super::{ExprError, Variable};
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
    /// jaq runs what has labels; here only what stands below them matters.
    #[expect(dead_code, reason = "read when debugging")]
    Label(Slot, Box<Node>),
    #[expect(dead_code, reason = "read when debugging")]
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

    /// Shows this node and all below it, each before those below it.
    pub(super) fn walk(&self, look: &mut impl FnMut(&Node)) {
        look(self);
        for below in self.children() {
            below.walk(look);
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
    checked(code, globals, &term)
}
