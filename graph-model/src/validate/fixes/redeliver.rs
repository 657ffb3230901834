//! Gives deliveries the time and the attempts that they need, and no more.

use std::time::Duration;

use super::{fix, kind_that};
use crate::catalog::{Behaviour, PortRole};
use crate::document::Node;
use crate::id::PortRef;
use crate::units;
use crate::validate::Fix;
use crate::validate::design::{Design, NodeIx};
use crate::value::Value;

/// A channel waits for twice as long as the work needs.
pub(in crate::validate) fn wait_longer(
    design: &Design,
    channel: NodeIx,
    field: &str,
    needs: i64,
) -> Fix {
    let wait = rounded(needs.saturating_mul(2));
    let title = format!(
        "Let {} deliver again after {wait} only",
        design.title(channel)
    );
    let caution = "when a worker dies, its events wait as long";
    fix(design, title, caution, |build| {
        build.set_config(&design.nodes[channel].id, field, Some(wait.clone().into()));
    })
}

/// A dedupe remembers keys until the last copy has come.
pub(in crate::validate) fn remember_longer(
    design: &Design,
    node: NodeIx,
    field: &str,
    last: i64,
) -> Fix {
    let ttl = rounded(last.saturating_add(last / 10));
    let title = format!("Let {} remember keys for {ttl}", design.title(node));
    let caution = "it needs room for the keys of that time";
    fix(design, title, caution, |build| {
        build.set_config(&design.nodes[node].id, field, Some(ttl.clone().into()));
    })
}

/// A channel gives an event up after the usual number of attempts, and somebody keeps it.
pub(in crate::validate) fn give_up_sooner(
    design: &Design,
    channel: NodeIx,
    field: &str,
) -> Vec<Fix> {
    let view = &design.nodes[channel];
    let Some(kind) = &view.kind else {
        return Vec::new();
    };
    let usual = kind.field(field).map(|field| field.default.clone());
    let Some(usual) = usual.filter(|usual| usual.as_i64().is_some()) else {
        return Vec::new();
    };
    let title = design.title(channel);
    let text = usual.to_text();
    let sooner = format!("Let {title} give an event up after {text} attempts");
    let caution = "events that are given up are kept, but not handled";
    let mut fixes = vec![fix(design, sooner.clone(), caution, |build| {
        build.set_config(&view.id, field, None);
    })];
    let failed = kind
        .outputs
        .iter()
        .find(|port| port.role == PortRole::Failed);
    let wired = view
        .outs
        .iter()
        .any(|edge| design.edges[*edge].role == PortRole::Failed);
    let keeper = kind_that(design, |does| matches!(does, Behaviour::DeadLetter));
    if let (Some(failed), Some(keeper)) = (failed.filter(|_| !wired), keeper)
        && let Some(input) = keeper.inputs.first()
    {
        let title = format!("{sooner}, and keep it among dead letters");
        fixes.push(fix(design, title, caution, |build| {
            build.set_config(&view.id, field, None);
            let id = build.add_node(&"given_up".into(), Node::new(keeper.id.clone()), None);
            build.connect(
                PortRef::new(view.id.clone(), failed.name.clone()),
                PortRef::new(id, input.name.clone()),
            );
        }));
    }
    fixes
}

/// The good events of a failed batch stay done.
pub(in crate::validate) fn acknowledge_singly(design: &Design, node: NodeIx) -> Fix {
    let title = format!(
        "Acknowledge the events of {} one by one",
        design.title(node)
    );
    let caution = "a promise: what runs there has to say which events failed";
    fix(design, title, caution, |build| {
        build.change_node(&design.nodes[node].id, |node| {
            node.notes.declared.insert("partial_ack", Value::Bool(true));
        });
    })
}

/// A length of time that is at least so long and reads well.
pub(super) fn rounded(ms: i64) -> String {
    const STEPS: [i64; 7] = [1, 1_000, 10_000, 60_000, 600_000, 3_600_000, 86_400_000];
    let ms = ms.max(1);
    let step = STEPS.iter().rev().find(|step| ms >= **step * 2);
    let step = *step.unwrap_or(&1);
    let ms = ms.saturating_add(step - 1) / step * step;
    units::format_duration(Duration::from_millis(ms.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_never_cut() {
        for (ms, text) in [
            (0, "1ms"),
            (1_999, "1999ms"),
            (2_001, "3s"),
            (45_000, "50s"),
            (130_000, "3m"),
            (400_000, "7m"),
            (8_000_000, "3h"),
            (604_800_000 + 60_480_000, "8d"),
        ] {
            assert_eq!(rounded(ms), text);
        }
    }
}
