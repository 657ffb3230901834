//! Whether a loop through a table comes to rest because it writes what is there already.
//!
//! A write that changes nothing is no change, so nobody hears of it. Where what is written depends on
//! what was read, and never on itself in the end, it is the same after a few rounds.

use std::collections::{BTreeMap, BTreeSet};

use super::back::{KEY_COLUMN, Origin, Was};
use super::ends::Ring;
use crate::catalog::Behaviour;
use crate::expr::Expr;
use crate::pointer::Pointer;
use crate::validate::design::{Design, EdgeIx};

/// Fields that are followed.
const FIELDS_MAX: usize = 256;

/// A field that another one is made of; `copied` when it is the same value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Source {
    field: Pointer,
    copied: bool,
}

impl Ring<'_> {
    /// Whether the wire from a table to who hears of it carries only so many changes for one.
    pub(super) fn settles(&mut self, edge: EdgeIx) -> bool {
        self.made_of(edge).is_some_and(|made| {
            let mut left: BTreeMap<&Pointer, usize> = BTreeMap::new();
            for (field, sources) in &made {
                let others = sources
                    .iter()
                    .filter(|source| !(source.copied && source.field == *field));
                left.insert(field, others.count());
            }
            // Fields that depend on none that still changes are at rest; more and more of them.
            while let Some((&field, _)) = left.iter().find(|(_, count)| **count == 0) {
                left.remove(field);
                for (other, sources) in &made {
                    let by = sources.iter().filter(|source| {
                        source.field == *field && !(source.copied && other == field)
                    });
                    let by = by.count();
                    if let Some(count) = left.get_mut(other) {
                        *count -= by;
                    }
                }
            }
            left.is_empty()
        })
    }

    /// What each field of the events that come to the table is made of, one round earlier. `None` when
    /// that is not known, or when there are several ways round.
    fn made_of(&mut self, edge: EdgeIx) -> Option<BTreeMap<Pointer, BTreeSet<Source>>> {
        let design = self.design;
        let table = design.edges[edge].from;
        if !design.edges[edge].resource || !design.overwrites(table) || !self.is_simple() {
            return None;
        }
        let Some(Behaviour::Table { key, .. }) = design.behaviour(table) else {
            return None;
        };
        let columns = design.columns(table);
        let exprs = columns.iter().map(|(_, expr)| *expr);
        let written: Vec<Option<&Expr>> = exprs.chain([design.expr(table, key)]).collect();
        if columns.is_empty() {
            return None;
        }
        let mut open = BTreeSet::new();
        for expr in written {
            open.extend(fields_of(expr?)?);
        }
        let mut made = BTreeMap::new();
        while let Some(field) = open.pop_first() {
            if made.len() > FIELDS_MAX {
                return None;
            }
            let sources = self.one_round_before(edge, &field)?;
            let new = sources.iter().map(|source| &source.field);
            open.extend(
                new.filter(|source| **source != field && !made.contains_key(*source))
                    .cloned(),
            );
            made.insert(field, sources);
        }
        Some(made)
    }

    fn one_round_before(&mut self, edge: EdgeIx, field: &Pointer) -> Option<BTreeSet<Source>> {
        let home = self.design.edges[edge].from;
        let mut at = home;
        let mut held = BTreeSet::from([Source {
            field: field.clone(),
            copied: true,
        }]);
        loop {
            let back = *self.ins_of(at).first()?;
            self.take_step()?;
            let mut earlier = BTreeSet::new();
            for source in held {
                for found in sources_before(
                    self.design,
                    back,
                    &source.field,
                    &self.before(back, &source.field),
                )? {
                    earlier.insert(Source {
                        copied: found.copied && source.copied,
                        ..found
                    });
                }
            }
            held = earlier;
            at = self.design.edges[back].from;
            if at == home {
                return (back == edge).then_some(held);
            }
        }
    }
}

/// What a field of the events on a wire was made of in what came to the node that the wire leaves.
fn sources_before(
    design: &Design,
    edge: EdgeIx,
    field: &Pointer,
    origins: &[Origin],
) -> Option<Vec<Source>> {
    let view = &design.edges[edge];
    if let [one] = origins {
        let of = |field: &Pointer, copied| {
            Some(vec![Source {
                field: field.clone(),
                copied,
            }])
        };
        match &one.was {
            Was::Same(field) => return of(field, true),
            Was::Constant(_) => return Some(Vec::new()),
            Was::Number(field) | Was::Less(field) | Was::More(field) => return of(field, false),
            Was::Lost => {}
        }
    }
    let (expr, below) = match design.behaviour(view.from)? {
        Behaviour::Map { expr } | Behaviour::Mediate { expr, .. } if !view.resource => {
            (design.expr(view.from, expr)?, field.clone())
        }
        Behaviour::Table { key, .. } if view.resource => {
            let (name, below) = field.tokens().split_first()?;
            if name == KEY_COLUMN {
                let key = design.expr(view.from, key)?;
                return sources_of(key, &below.iter().cloned().collect());
            }
            let columns = design.columns(view.from);
            let expr = columns
                .into_iter()
                .find_map(|(column, expr)| expr.filter(|_| column == name));
            let Some(expr) = expr else {
                // A column that it does not write stays as it is.
                return Some(Vec::new());
            };
            (expr, below.iter().cloned().collect())
        }
        _ => return None,
    };
    sources_of(expr, &below)
}

fn sources_of(expr: &Expr, below: &Pointer) -> Option<Vec<Source>> {
    let analysis = expr.analysis();
    let nondet = analysis.outputs.iter().any(|row| row.nondet);
    let reaching = analysis.reaching(below);
    if nondet || !reaching.context.is_empty() {
        return None;
    }
    let fields = reaching.fields.into_iter().chain(reaching.shapes);
    let mut sources = Vec::new();
    for field in fields.collect::<BTreeSet<_>>() {
        if field.is_root() {
            return None;
        }
        sources.push(Source {
            field,
            copied: false,
        });
    }
    Some(sources)
}

/// The fields that an expression reads; `None` when it may read others, or more than the event.
fn fields_of(expr: &Expr) -> Option<Vec<Pointer>> {
    let analysis = expr.analysis();
    let reads = &analysis.reads;
    let nondet = analysis.outputs.iter().any(|row| row.nondet);
    if nondet || !reads.context.is_empty() || reads.fields.contains(&Pointer::root()) {
        return None;
    }
    let shapes = reads.shapes.iter().filter(|shape| !shape.is_root());
    Some(reads.fields.iter().chain(shapes).cloned().collect())
}
