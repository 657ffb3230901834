//! Gives each value of a row one owner.

use std::collections::BTreeSet;

use smol_str::{SmolStr, format_smolstr};

use super::{Placed, fix, identify, new_node, put_before};
use crate::catalog::{Behaviour, FieldType, JqRole};
use crate::validate::Fix;
use crate::validate::design::{Design, NodeIx};
use crate::validate::facts::Facts;
use crate::value::{Object, Value};

/// Lets `writer` and the others of its table write only what is newer, or takes from `writer` the
/// columns that others write, or gives it a table of its own.
pub(in crate::validate) fn own_values(
    facts: &Facts,
    writer: NodeIx,
    others: &[NodeIx],
) -> Vec<Fix> {
    let fixes = [
        compare_versions(facts, writer, others),
        other_columns(&facts.design, writer, others),
        own_table(&facts.design, writer),
    ];
    fixes.into_iter().flatten().collect()
}

fn compare_versions(facts: &Facts, writer: NodeIx, others: &[NodeIx]) -> Option<Fix> {
    let design = &*facts.design;
    let all = others.iter().copied().chain([writer]);
    let versions = all.map(|node| Some((node, version(facts, node)?)));
    let versions: Vec<(NodeIx, String)> = versions.collect::<Option<_>>()?;
    let mut changes = Vec::new();
    for (node, code) in versions {
        let Behaviour::Table { mode, version, .. } = design.behaviour(node)? else {
            return None;
        };
        let field = design.nodes[node].kind.as_ref()?.field(mode)?;
        let FieldType::Choice { options } = &field.ty else {
            return None;
        };
        if !options.iter().any(|option| option == COMPARES) {
            return None;
        }
        changes.push((node, mode, version, code));
    }
    let titles: Vec<&str> = changes
        .iter()
        .map(|(node, ..)| design.title(*node))
        .collect();
    let title = format!("Let {} write only newer versions", titles.join(" and "));
    Some(fix(design, title, "what is older is dropped", |build| {
        for (node, mode, version, code) in changes {
            build.change_node(&design.nodes[node].id, |held| {
                held.config.insert(mode.clone(), COMPARES);
                held.config.insert(version.clone(), code);
            });
        }
    }))
}

/// The version of what arrives at a writer, when its type has one.
fn version(facts: &Facts, node: NodeIx) -> Option<String> {
    let ty = facts.input(node)?.payload.ty.as_ref()?;
    let ty = facts.design.document.types.get(ty)?;
    identify::path(ty.version.as_ref()?)
}

/// The mode of a table that compares versions.
const COMPARES: &str = "compare_and_set";

fn other_columns(design: &Design, writer: NodeIx, others: &[NodeIx]) -> Option<Fix> {
    let view = &design.nodes[writer];
    let kind = view.kind.as_ref()?;
    let columns = FieldType::JqTable {
        role: JqRole::Value,
    };
    let field = kind.config.iter().find(|field| field.ty == columns)?;
    let held = design
        .value(writer, &field.name)
        .and_then(Value::as_object)?;
    let taken: BTreeSet<&SmolStr> = others
        .iter()
        .flat_map(|other| design.columns(*other))
        .map(|(name, _)| name)
        .collect();
    let left: Object = held
        .iter()
        .filter(|(name, _)| !taken.contains(name))
        .map(|(name, code)| (name.clone(), code.clone()))
        .collect();
    if left.is_empty() || left.len() == held.len() {
        return None;
    }
    let titles: Vec<&str> = others.iter().map(|node| design.title(*node)).collect();
    let title = format!(
        "Leave to {} what {} writes as well",
        titles.join(" and "),
        design.title(writer)
    );
    let caution = "events that come only here no longer change those columns";
    Some(fix(design, title, caution, |build| {
        build.set_config(&view.id, &field.name, Some(left.into()));
    }))
}

fn own_table(design: &Design, writer: NodeIx) -> Option<Fix> {
    let view = &design.nodes[writer];
    let resource = view.kind.as_ref()?.resource.as_ref()?;
    let field = resource.named_by.last()?;
    let name = design.text(writer, field)?;
    let taken =
        |wished: &str| (0..design.nodes.len()).any(|node| design.text(node, field) == Some(wished));
    let mut own = format_smolstr!("{name}_{}", view.id);
    let mut number = 2;
    while taken(&own) {
        own = format_smolstr!("{name}_{}_{number}", view.id);
        number += 1;
    }
    let title = format!("Give {} the table `{own}`", design.title(writer));
    let caution = "whoever reads the old table has to read both";
    Some(fix(design, title, caution, |build| {
        build.set_config(&view.id, field, Some(own.as_str().into()));
    }))
}

/// Brings the events of one row to one place in front of code that reads and writes it.
pub(in crate::validate) fn place_rows(facts: &Facts, node: NodeIx, writer: NodeIx) -> Option<Fix> {
    let design = &*facts.design;
    let Behaviour::Table { key, .. } = design.behaviour(writer)? else {
        return None;
    };
    let by = design.text(writer, key)?;
    let new = new_node::repartition(design, Some(by), PARTITIONS)?;
    let edges = design.nodes[node].ins.clone();
    let title = format!("Repartition by `{by}` in front of {}", design.title(node));
    let caution = "the key is that of the row; see that it means the same in front of the code";
    let at = Placed { node, edges };
    Some(put_before(design, at, "together", new, title, caution))
}

const PARTITIONS: i64 = 4;
