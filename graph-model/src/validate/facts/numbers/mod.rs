//! What the numbers in events are: how aggregates fold, whose results are where, what changed, and in which
//! unit it is.

mod changes;
mod measures;
mod partials;

use smol_str::SmolStr;

use crate::catalog::Behaviour;
use crate::expr::Expr;
use crate::pointer::Pointer;
use crate::validate::design::{Design, NodeIx};
use crate::validate::facts::origins::{Origin, OriginId};
use crate::validate::facts::{Facts, Port};
use crate::value::Value;

pub(crate) use partials::Partial;

/// How values are folded into one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Function {
    Count,
    Sum,
    Min,
    Max,
    Average,
    Median,
    First,
    Last,
    Distinct,
    List,
    /// One result divided by another.
    Ratio,
}

/// One column of an aggregate.
#[derive(Clone, Debug)]
pub(crate) struct Column<'d> {
    pub name: SmolStr,
    pub function: Function,
    /// What is folded; nothing where events are counted.
    pub of: Option<&'d Expr>,
}

impl Function {
    pub(crate) fn parse(word: &str) -> Option<Function> {
        Some(match word {
            "count" => Function::Count,
            "sum" => Function::Sum,
            "min" => Function::Min,
            "max" => Function::Max,
            "average" => Function::Average,
            "median" => Function::Median,
            "first" => Function::First,
            "last" => Function::Last,
            "count_distinct" => Function::Distinct,
            "list" => Function::List,
            _ => return None,
        })
    }

    /// `the sum`, as people say it of a result.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Function::Count => "a count",
            Function::Sum => "a sum",
            Function::Min => "a minimum",
            Function::Max => "a maximum",
            Function::Average => "an average",
            Function::Median => "a median",
            Function::First => "a first value",
            Function::Last => "a last value",
            Function::Distinct => "a distinct count",
            Function::List => "a list",
            Function::Ratio => "a ratio",
        }
    }
}

/// The columns of an aggregate; those that cannot be read are left out.
pub(crate) fn columns(design: &Design, node: NodeIx) -> Vec<Column<'_>> {
    let Some(Behaviour::Aggregate { aggregates, .. }) = design.behaviour(node) else {
        return Vec::new();
    };
    let records = design.value(node, aggregates).and_then(Value::as_array);
    let records = records.unwrap_or_default().iter();
    let columns = records.filter_map(|record| {
        let text = |name: &str| record.get(name).and_then(Value::as_str);
        let of = text("of").filter(|code| !code.trim().is_empty());
        Some(Column {
            name: text("name")?.into(),
            function: Function::parse(text("function").unwrap_or("count"))?,
            of: match of {
                Some(code) => Some(design.compiled(code)?),
                None => None,
            },
        })
    });
    columns.collect()
}

/// Whether an aggregate sends a result of each group and window once, when it is complete.
pub(crate) fn windowed(design: &Design, node: NodeIx) -> bool {
    match design.behaviour(node) {
        Some(Behaviour::Aggregate { window, .. }) => {
            design.text(node, window).is_some_and(|mode| mode != "none")
        }
        _ => false,
    }
}

/// How long an aggregate gathers, as its fields say it.
pub(crate) fn window_form(design: &Design, node: NodeIx) -> String {
    let (
        Some(kind),
        Some(Behaviour::Aggregate {
            group, aggregates, ..
        }),
    ) = (&design.nodes[node].kind, design.behaviour(node))
    else {
        return String::new();
    };
    if !windowed(design, node) {
        return String::new();
    }
    let other = |name: &SmolStr| name == group || name == aggregates;
    let fields = kind
        .config
        .iter()
        .filter(|field| !field.advanced && !other(&field.name));
    let values = fields.filter_map(|field| {
        let value = design.value(node, &field.name)?;
        Some(format!("{} {}", field.title, value.to_text()))
    });
    values.collect::<Vec<_>>().join(", ")
}

impl Facts {
    pub(crate) fn origin(&self, origin: OriginId) -> Origin {
        self.origins.borrow().get(origin).clone()
    }

    /// The normal form of how an aggregate folds: groups, columns and windows, whatever they are
    /// called.
    pub(super) fn folding(&self, node: NodeIx, group: Option<&Expr>, port: &Port) -> String {
        let key = group.map(|group| self.key(group, port));
        let mut columns: Vec<String> = columns(&self.design, node)
            .iter()
            .map(|column| self.column_form(column, port))
            .collect();
        columns.sort_unstable();
        let window = window_form(&self.design, node);
        format!("{key:?} {columns:?} {window}")
    }

    /// The normal form of one column.
    pub(crate) fn column_form(&self, column: &Column<'_>, port: &Port) -> String {
        let of = column.of.map(|of| self.keyed(of, port));
        format!("{:?} {of:?}", column.function)
    }

    /// The expression of a node that makes one payload of another.
    pub(crate) fn mapping(&self, node: NodeIx) -> Option<&Expr> {
        match self.design.behaviour(node)? {
            Behaviour::Map { expr } | Behaviour::Mediate { expr, .. } => {
                self.design.expr(node, expr)
            }
            _ => None,
        }
    }

    /// The streams that meet at the first input of a node.
    fn sides(&self, node: NodeIx) -> impl Iterator<Item = &Port> {
        let ins = self.design.nodes[node].ins.iter();
        ins.filter(|edge| self.design.edges[**edge].input == 0)
            .filter_map(|edge| self.edge(*edge))
    }
}

/// The one field that the output at `place` is made of.
fn single(expr: &Expr, place: &Pointer) -> Option<Pointer> {
    let analysis = expr.analysis();
    let row = analysis.outputs.iter().find(|row| row.pointer == *place)?;
    let field = match &row.copy {
        Some(copy) => copy.clone(),
        None if row.deps.fields.len() == 1 => row.deps.fields.first()?.clone(),
        None => return None,
    };
    let element = field.tokens().iter().any(|token| token == "*");
    let within = |other: &Pointer| other.is_root() || *other == field;
    let alone = row.deps.context.is_empty()
        && row.ctl.context.is_empty()
        && row.deps.shapes.iter().all(within)
        && row.ctl.fields.iter().all(|other| *other == field)
        && row.ctl.shapes.iter().all(within);
    (alone && !element).then_some(field)
}
