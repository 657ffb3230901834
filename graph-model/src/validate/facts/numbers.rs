//! What the numbers in events are: results of aggregates, changes of a row, amounts in a unit.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;
use smol_str::SmolStr;

use crate::catalog::Behaviour;
use crate::document::{Adds, Measure};
use crate::expr::{Expr, Form, Op, Operand};
use crate::pointer::Pointer;
use crate::validate::design::{Design, NodeIx};
use crate::validate::facts::origins::{Base, Origin, OriginId};
use crate::validate::facts::{Facts, Port};
use crate::value::Value;

/// What a change says of a row that came to be.
const CREATED: &str = "insert";

/// Measures that were found; nothing yet for those that are looked for.
type Known = FxHashMap<OriginId, Option<Measure>>;

/// How values are folded into one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Function {
    Count,
    Sum,
    Min,
    Max,
    Average,
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

/// Where a value is the result of an aggregate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Partial {
    pub aggregate: NodeIx,
    /// The column; that of the dividend for a ratio.
    pub name: SmolStr,
    pub function: Function,
}

impl Function {
    pub(crate) fn parse(word: &str) -> Option<Function> {
        Some(match word {
            "count" => Function::Count,
            "sum" => Function::Sum,
            "min" => Function::Min,
            "max" => Function::Max,
            "average" => Function::Average,
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
    /// The results of aggregates that a value is: several when streams met, none when it is none.
    pub(crate) fn partials(&self, origin: OriginId) -> BTreeSet<Partial> {
        let mut found = BTreeSet::new();
        self.find_partials(origin, &mut BTreeSet::new(), &mut found);
        found
    }

    /// The results of aggregates that an expression takes, alone or with something done to it.
    pub(crate) fn partials_in(&self, expr: &Expr, port: &Port) -> BTreeSet<Partial> {
        let mut found = BTreeSet::new();
        if let Some(field) = single(expr, &Pointer::root()) {
            let origin = self.field(&field, port);
            self.find_partials(origin, &mut BTreeSet::new(), &mut found);
        } else if let Some(ratio) = expr.ratio(&Pointer::root()) {
            found.extend(self.ratio(&ratio, port));
        }
        found
    }

    fn find_partials(
        &self,
        origin: OriginId,
        seen: &mut BTreeSet<OriginId>,
        found: &mut BTreeSet<Partial>,
    ) {
        if !seen.insert(origin) {
            return;
        }
        let origin = self.origin(origin);
        match origin {
            Origin::Field(Base::Made(node), place) => {
                let columns = columns(&self.design, node).into_iter();
                let own = columns
                    .filter(|column| place == Pointer::root().child(column.name.clone()))
                    .map(|column| Partial {
                        aggregate: node,
                        name: column.name,
                        function: column.function,
                    });
                found.extend(own);
                let (Some(expr), Some(port)) = (self.mapping(node), self.input(node)) else {
                    return;
                };
                if let Some(field) = single(expr, &place) {
                    self.find_partials(self.field(&field, port), seen, found);
                } else if let Some(ratio) = expr.ratio(&place) {
                    found.extend(self.ratio(&ratio, port));
                }
            }
            Origin::Field(Base::Met(node), place) => {
                for port in self.sides(node) {
                    self.find_partials(self.field(&place, port), seen, found);
                }
            }
            Origin::Context(..) | Origin::Computed(..) => {}
        }
    }

    /// The nodes that make a value in this field, when nothing but meetings lies between.
    pub(crate) fn makers(&self, origin: OriginId, place: &Pointer) -> Option<BTreeSet<NodeIx>> {
        let mut makers = BTreeSet::new();
        let (mut open, mut seen) = (vec![origin], BTreeSet::new());
        while let Some(origin) = open.pop() {
            if !seen.insert(origin) {
                continue;
            }
            let origin = self.origin(origin);
            match origin {
                Origin::Field(Base::Made(node), at) if at == *place => {
                    makers.insert(node);
                }
                Origin::Field(Base::Met(node), at) => {
                    open.extend(self.sides(node).map(|port| self.field(&at, port)));
                }
                _ => return None,
            }
        }
        Some(makers)
    }

    /// Two results of one aggregate, divided.
    fn ratio(&self, (over, under): &(Form, Form), port: &Port) -> Option<Partial> {
        let result = |form: &Form| match &form.parts[..] {
            [Operand::Field(field)] => {
                let origin = self.field(field, port);
                self.partials(origin).pop_first()
            }
            _ => None,
        };
        let (over, under) = (result(over)?, result(under)?);
        let adds = |partial: &Partial| matches!(partial.function, Function::Sum | Function::Count);
        let one = over.aggregate == under.aggregate && adds(&over) && adds(&under);
        one.then_some(Partial {
            function: Function::Ratio,
            ..over
        })
    }

    /// What a number measures, as far as an event type says so.
    pub(crate) fn measure(&self, origin: OriginId) -> Option<Measure> {
        self.measured(origin, &mut Known::default())
    }

    /// What the number in a field measures.
    pub(crate) fn measure_at(&self, field: &Pointer, port: &Port) -> Option<Measure> {
        self.said_of(port, field)
            .or_else(|| self.measure(self.field(field, port)))
    }

    fn measured(&self, origin: OriginId, known: &mut Known) -> Option<Measure> {
        if let Some(known) = known.get(&origin) {
            return known.clone();
        }
        known.insert(origin, None);
        let measure = self.measured_anew(origin, known);
        known.insert(origin, measure.clone());
        measure
    }

    fn measured_anew(&self, origin: OriginId, known: &mut Known) -> Option<Measure> {
        let origin = self.origin(origin);
        match origin {
            Origin::Field(Base::Made(node), place) => {
                if let Some(measure) = self.said_of(self.output(node)?, &place) {
                    return Some(measure);
                }
                let port = self.input(node)?;
                let columns = columns(&self.design, node);
                let named = |column: &&Column| place == Pointer::root().child(column.name.clone());
                if let Some(column) = columns.iter().find(named) {
                    return self.measure_of_result(column, port, known);
                }
                self.measure_of_sum(self.mapping(node)?, &place, port, known)
            }
            Origin::Field(Base::Met(node), place) => {
                let mut all: Option<Measure> = None;
                for port in self.sides(node) {
                    let side = self.field(&place, port);
                    // What comes round a loop is no other measure.
                    if known.get(&side) == Some(&None) && all.is_some() {
                        continue;
                    }
                    let measure = self.measured(side, known)?;
                    if all.as_ref().is_some_and(|all| *all != measure) {
                        return None;
                    }
                    all = Some(measure);
                }
                all
            }
            Origin::Context(..) | Origin::Computed(..) => None,
        }
    }

    /// What the type of events says of a field.
    fn said_of(&self, port: &Port, field: &Pointer) -> Option<Measure> {
        let ty = self.design.document.types.get(port.payload.ty.as_ref()?)?;
        ty.measures.get(field).cloned()
    }

    fn measure_of_result(
        &self,
        column: &Column<'_>,
        port: &Port,
        known: &mut Known,
    ) -> Option<Measure> {
        if column.function == Function::Count {
            return Some(Measure {
                adds: Adds::Always,
                unit: SmolStr::default(),
            });
        }
        let measure = self.measure_of_sum(column.of?, &Pointer::root(), port, known)?;
        let adds = match column.function {
            Function::Sum | Function::First | Function::Last => measure.adds,
            Function::Min | Function::Max | Function::Average => Adds::Unknown,
            Function::Count | Function::Distinct | Function::List | Function::Ratio => return None,
        };
        Some(Measure { adds, ..measure })
    }

    /// Of a field, or of fields in one unit that are added up.
    fn measure_of_sum(
        &self,
        expr: &Expr,
        place: &Pointer,
        port: &Port,
        known: &mut Known,
    ) -> Option<Measure> {
        let sum = expr.sum(place)?;
        let mut whole: Option<Measure> = None;
        for term in &sum {
            let [Operand::Field(field)] = &term.form.parts[..] else {
                return None;
            };
            if term.form.shape != "_" {
                return None;
            }
            let measure = match self.said_of(port, field) {
                Some(measure) => measure,
                None => self.measured(self.field(field, port), known)?,
            };
            match &whole {
                Some(whole) if *whole != measure => return None,
                _ => whole = Some(measure),
            }
        }
        let mut whole = whole?;
        let changes = sum.iter().any(|term| term.plus) && sum.iter().any(|term| !term.plus);
        if changes && whole.adds == Adds::NotOverTime {
            // How much a level has moved adds up.
            whole.adds = Adds::Always;
        }
        Some(whole)
    }

    pub(crate) fn origin(&self, origin: OriginId) -> Origin {
        self.origins.borrow().get(origin).clone()
    }

    /// Whether an expression is how much something has changed: a value of a row after the change
    /// less the same value before.
    pub(crate) fn is_change(&self, expr: &Expr, place: &Pointer, port: &Port) -> bool {
        self.is_difference(expr, place, port, &mut FxHashMap::default())
    }

    fn is_difference(
        &self,
        expr: &Expr,
        place: &Pointer,
        port: &Port,
        known: &mut FxHashMap<OriginId, bool>,
    ) -> bool {
        if let Some(field) = single(expr, place) {
            return self.is_changed(self.field(&field, port), known);
        }
        let Some(sum) = expr.sum(place) else {
            return false;
        };
        let (plus, minus): (Vec<_>, Vec<_>) = sum.iter().partition(|term| term.plus);
        let before_of = |after: &Form, before: &Form| {
            after.shape == before.shape
                && after.parts.len() == before.parts.len()
                && after.parts.iter().zip(&before.parts).all(|parts| {
                    let (Operand::Field(after), Operand::Field(before)) = parts else {
                        return false;
                    };
                    self.is_before(self.field(before, port), self.field(after, port))
                })
        };
        !plus.is_empty()
            && plus.len() == minus.len()
            && plus
                .iter()
                .all(|plus| minus.iter().any(|minus| before_of(&plus.form, &minus.form)))
    }

    fn is_changed(&self, origin: OriginId, known: &mut FxHashMap<OriginId, bool>) -> bool {
        if let Some(known) = known.get(&origin) {
            return *known;
        }
        // What comes round a loop changes nothing.
        known.insert(origin, true);
        let held = self.origin(origin);
        let changed = match held {
            Origin::Field(Base::Made(node), place) => {
                let (expr, port) = (self.mapping(node), self.input(node));
                expr.zip(port)
                    .is_some_and(|(expr, port)| self.is_difference(expr, &place, port, known))
            }
            Origin::Field(Base::Met(node), place) => self
                .sides(node)
                .all(|port| self.is_changed(self.field(&place, port), known)),
            Origin::Context(..) | Origin::Computed(..) => false,
        };
        known.insert(origin, changed);
        changed
    }

    /// Whether one value is that of a row before it became the other.
    fn is_before(&self, before: OriginId, after: OriginId) -> bool {
        let origin = self.origin(before);
        let Origin::Field(Base::Made(node), place) = origin else {
            return false;
        };
        if !matches!(self.design.behaviour(node), Some(Behaviour::Changes { .. })) {
            return false;
        }
        let (Some(port), Some((first, below))) = (self.output(node), place.tokens().split_first())
        else {
            return false;
        };
        let below: Pointer = below.iter().cloned().collect();
        first == "before" && self.field(&Pointer::root().child("after").join(&below), port) == after
    }

    /// Whether a predicate holds only for changes by which a row came to be.
    pub(super) fn is_creation(&self, predicate: &Expr, port: &Port) -> bool {
        let conjuncts = &predicate.analysis().condition.conjuncts;
        conjuncts.iter().any(|conjunct| {
            let (Operand::Field(field), Operand::Constant(value)) =
                (&conjunct.left, &conjunct.right)
            else {
                return false;
            };
            let origin = self.field(field, port);
            let Origin::Field(Base::Made(node), place) = self.origin(origin) else {
                return false;
            };
            let changes = matches!(self.design.behaviour(node), Some(Behaviour::Changes { .. }));
            let made = match (place.tokens(), conjunct.op) {
                ([name], Op::Eq) if name == "op" => value.as_str() == Some(CREATED),
                ([name], Op::Eq) if name == "before" => *value == Value::Null,
                ([name], Op::Falsy) => name == "before",
                _ => false,
            };
            changes && made
        })
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
