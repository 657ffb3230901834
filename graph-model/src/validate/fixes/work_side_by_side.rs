//! Lets more instances work side by side.

use super::{declare, fix};
use crate::catalog::{Behaviour, FieldType};
use crate::validate::Fix;
use crate::validate::design::{Design, NodeIx};
use crate::validate::facts::workers::Workers;

/// As many as are `needed`, where the bound was set.
pub(in crate::validate) fn work_side_by_side(
    design: &Design,
    node: NodeIx,
    workers: Workers,
    needed: f64,
) -> Option<Fix> {
    let count = needed as i64;
    let view = &design.nodes[workers.by];
    let name = design.title(workers.by);
    let field = match design.behaviour(workers.by) {
        Some(Behaviour::Queue { concurrency, .. }) => Some((concurrency, "at once")),
        Some(Behaviour::Log { partitions, .. } | Behaviour::Repartition { partitions, .. }) => {
            Some((partitions, "in partitions side by side"))
        }
        _ => None,
    };
    let declared = design.declared_number(workers.by, "instances");
    if let Some((field, how)) = field.filter(|_| declared.is_none()) {
        let spec = view.kind.as_ref()?.field(field)?;
        let FieldType::Integer { max, .. } = spec.ty else {
            return None;
        };
        if count > max {
            return None;
        }
        let title = format!("Let {name} hand out {count} {how}");
        let caution = "events that waited for each other no longer do";
        return Some(fix(design, title, caution, |build| {
            build.set_config(&view.id, field, Some(count.into()));
        }));
    }
    let title = format!("Let {count} instances of {name} work at once");
    let caution = "a promise: what runs it has to allow as many";
    let instances = [("instances", Some(count.into()))];
    (workers.by == node || declared.is_some())
        .then(|| declare(design, workers.by, title, caution, &instances))
}
