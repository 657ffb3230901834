//! Rows that are written again change there and back: who keeps what a row was before finds there what it never
//! was before.

use crate::catalog::{Behaviour, FieldType, JqRole, Observation};
use crate::expr::{Sources, related};
use crate::pointer::Pointer;
use crate::validate::design::{Design, NodeIx};
use crate::validate::facts::delivery::Mode;
use crate::validate::facts::numbers::{Function, columns};
use crate::validate::facts::{Facts, Port};
use crate::validate::rules::order::shown_by;

/// What happens where it is kept.
pub(super) const EFFECT: &str = "keeps what a row was before, which is another one then";

/// What a change tells of the row before it.
const BEFORE: [&str; 2] = ["before", "op"];

/// The table whose rows are written again, where a node keeps what they were before for longer than until the
/// next change of the same row.
pub(super) fn writer(
    facts: &Facts,
    node: NodeIx,
    behaviour: &Behaviour,
    port: &Port,
) -> Option<NodeIx> {
    let design = &*facts.design;
    let changes = |at: &&NodeIx| matches!(design.behaviour(**at), Some(Behaviour::Changes { .. }));
    let changed = *port.renewers.iter().find(changes)?;
    let key = match behaviour {
        Behaviour::Table { key, mode, .. } if design.text(node, mode) == Some("upsert") => key,
        Behaviour::Bucket { name } => name,
        Behaviour::Observe {
            observation: Observation::View | Observation::Metric,
        } => shown_by(design, node)?,
        Behaviour::Aggregate { group, .. } => group,
        _ => return None,
    };
    let Mode::Upsert(thing) = &port.mode else {
        return None;
    };
    let key = design.expr(node, key);
    let key = key.map(|key| facts.key(key, port)).unwrap_or_default();
    // The last change of a row is the same again.
    let by_row = !thing.is_empty() && facts.determines(thing, &key) && !key.is_empty();
    let read = read_by(design, node, behaviour, by_row)?;
    let made = facts.output(changed)?;
    let keeps = BEFORE.iter().any(|name| {
        let origin = facts.field(&Pointer::root().child(*name), made);
        facts
            .place_of(origin, port)
            .is_some_and(|place| match &read {
                Kept::All => true,
                Kept::Of(read) => {
                    let mut fields = read.iter().flat_map(|read| &read.fields);
                    fields.any(|field| related(field, &place))
                }
            })
    });
    let mut ins = design.nodes[changed].ins.iter();
    let written = ins.find(|edge| design.edges[**edge].resource)?;
    keeps.then(|| design.edges[*written].from)
}

/// What of an event is kept.
enum Kept<'d> {
    All,
    Of(Vec<&'d Sources>),
}

fn read_by<'d>(
    design: &'d Design,
    node: NodeIx,
    behaviour: &Behaviour,
    by_row: bool,
) -> Option<Kept<'d>> {
    if let Behaviour::Aggregate { .. } = behaviour {
        let columns = columns(design, node).into_iter();
        let kept = columns.filter(|column| !(by_row && column.function == Function::Last));
        let of = kept.filter_map(|column| Some(&column.of?.analysis().reads));
        return Some(Kept::Of(of.collect()));
    }
    if by_row {
        return None;
    }
    let columns = design.columns(node);
    if !columns.is_empty() {
        let columns = columns.into_iter().filter_map(|(_, expr)| expr);
        return Some(Kept::Of(
            columns.map(|expr| &expr.analysis().reads).collect(),
        ));
    }
    let value = FieldType::Jq {
        role: JqRole::Value,
    };
    let fields = design.nodes[node].kind.iter().flat_map(|kind| &kind.config);
    let values = fields.filter(|field| field.ty == value);
    let values: Vec<&Sources> = values
        .filter_map(|field| Some(&design.expr(node, &field.name)?.analysis().reads))
        .collect();
    let number = matches!(
        behaviour,
        Behaviour::Observe {
            observation: Observation::Metric
        }
    );
    Some(if number { Kept::Of(values) } else { Kept::All })
}
