//! Parts who writes a store from who hears of it: another store, or own writes left out.

use smol_str::SmolStr;

use super::{fix, new_node};
use crate::catalog::{Behaviour, FieldType, JqRole};
use crate::validate::Fix;
use crate::validate::design::{Design, EdgeIx, NodeIx};
use crate::validate::facts::Facts;
use crate::validate::facts::rounds::Round;
use crate::value::{Object, Value};

/// The column that says which node wrote a row.
const WRITER: &str = "written_by";

/// `round` ends with the wire from the writer to who hears of it.
pub(in crate::validate) fn part_writer_and_hearer(facts: &Facts, round: &Round) -> Vec<Fix> {
    let design = &*facts.design;
    let Some((&last, &first)) = round.way.last().zip(round.way.first()) else {
        return Vec::new();
    };
    let writer = design.edges[last].from;
    leave_out_own(design, writer, first)
        .into_iter()
        .chain(write_elsewhere(design, writer))
        .collect()
}

/// A column that names the writer, and a filter behind who hears of the table.
fn leave_out_own(design: &Design, writer: NodeIx, heard: EdgeIx) -> Option<Fix> {
    let hearer = design.edges[heard].from;
    let changes = matches!(design.behaviour(hearer), Some(Behaviour::Changes { .. }));
    let columns = column_field(design, writer)?;
    let mut table: Object = design.value(writer, columns)?.as_object()?.clone();
    if !changes || table.is_empty() || table.contains_key(WRITER) {
        return None;
    }
    let id = &design.nodes[writer].id;
    table.insert(WRITER, format!("\"{id}\""));
    let when = format!(".after.{WRITER} != \"{id}\"");
    let own = new_node::filter(design, when)?;
    let filter = design.kind(&own.kind)?;
    let (input, output) = (filter.inputs.first()?, filter.outputs.first()?);
    let title = format!(
        "Leave out what {} wrote behind {}",
        design.title(writer),
        design.title(hearer)
    );
    let caution =
        "rows say in a column who wrote them; what others change in those is left out too";
    Some(fix(design, title, caution, |build| {
        build.set_config(id, columns, Some(table.into()));
        let own = build.add_node(&"others_only".into(), own, None);
        build.insert_on_edge(&design.edges[heard].id, &own, &input.name, &output.name);
    }))
}

/// The config field with the columns of a table.
fn column_field(design: &Design, node: NodeIx) -> Option<&str> {
    let Some(Behaviour::Table { .. }) = design.behaviour(node) else {
        return None;
    };
    let kind = design.nodes[node].kind.as_ref()?;
    let field = kind.config.iter().find(|field| {
        field.ty
            == FieldType::JqTable {
                role: JqRole::Value,
            }
    });
    field.map(|field| field.name.as_str())
}

/// Another store of the same sort.
fn write_elsewhere(design: &Design, writer: NodeIx) -> Option<Fix> {
    let view = &design.nodes[writer];
    let resource = view.kind.as_ref()?.resource.as_ref()?;
    let field = resource.named_by.last()?;
    let old = design.text(writer, field)?;
    let taken = |name: &str| {
        design.nodes.iter().enumerate().any(|(node, _)| {
            let shares = design.nodes[node].kind.as_ref();
            let shares = shares.and_then(|kind| kind.resource.as_ref());
            shares.is_some_and(|shares| {
                let named = shares.named_by.last();
                shares.sort == resource.sort
                    && named.and_then(|field| design.text(node, field)) == Some(name)
            })
        })
    };
    let names = (1..).map(|number| match number {
        1 => SmolStr::from(format!("{old}_made")),
        more => SmolStr::from(format!("{old}_made_{more}")),
    });
    let name = names.take(100).find(|name| !taken(name))?;
    let title = format!(
        "Let {} write the {} `{name}` instead",
        design.title(writer),
        resource.sort
    );
    let caution = "whoever reads there looks for it in the new place from then on";
    Some(fix(design, title, caution, |build| {
        build.set_config(&view.id, field, Some(Value::from(name)));
    }))
}
