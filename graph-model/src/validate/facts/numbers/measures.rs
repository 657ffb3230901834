//! What numbers measure: whether they add up, and in which unit.

use rustc_hash::FxHashMap;
use smol_str::SmolStr;

use super::{Column, Function, columns};
use crate::catalog::Behaviour;
use crate::document::{Adds, Measure};
use crate::expr::{Expr, Operand, related};
use crate::pointer::Pointer;
use crate::validate::facts::origins::{Base, Origin, OriginId};
use crate::validate::facts::{Facts, Port};

/// Measures that were found; nothing yet for those that are looked for.
type Known = FxHashMap<OriginId, Option<Measure>>;

impl Facts {
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
                if let Some(Behaviour::Split { expr }) = self.design.behaviour(node) {
                    // Each part has what it does not change of the whole.
                    let parts = self.design.expr(node, expr)?.analysis();
                    let kept = parts.rest_of_each.as_ref()?;
                    let changed = kept.except.iter().any(|field| related(field, &place));
                    return (!changed).then(|| match self.said_of(port, &place) {
                        Some(measure) => Some(measure),
                        None => self.measured(self.field(&place, port), known),
                    })?;
                }
                self.measure_of_sum(self.mapping(node)?, &place, port, known)
            }
            Origin::Field(base @ Base::Sent(..), place) => {
                self.said_of(self.sent_as(base)?, &place)
            }
            Origin::Field(Base::Met(node), place) => {
                let mut all: Option<Measure> = None;
                for port in self.sides(node) {
                    let side = self.field(&place, port);
                    // What comes round a loop is no other measure.
                    if known.get(&side) == Some(&None) && all.is_some() {
                        continue;
                    }
                    // A number of which nobody says anything does not make another one add up.
                    let Some(measure) = self.measured(side, known) else {
                        continue;
                    };
                    all = Some(match all {
                        Some(all) => both(all, &measure),
                        None => measure,
                    });
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
            // One of the numbers, or one like them, adds up no more than they do.
            Function::Min | Function::Max | Function::Average | Function::Median => {
                match measure.adds {
                    Adds::Always => Adds::Unknown,
                    other => other,
                }
            }
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
}

/// What can be said of a number that is one or the other.
fn both(one: Measure, other: &Measure) -> Measure {
    let worst = |adds: Adds| match adds {
        Adds::Never => 3,
        Adds::NotOverTime => 2,
        Adds::Unknown => 1,
        Adds::Always => 0,
    };
    let adds = if worst(one.adds) < worst(other.adds) {
        other.adds
    } else {
        one.adds
    };
    let unit = if one.unit == other.unit {
        one.unit
    } else {
        SmolStr::default()
    };
    Measure { adds, unit }
}
