//! Takes a node out of the choice of another one.

use super::fix;
use crate::catalog::{Behaviour, PortRole};
use crate::validate::Fix;
use crate::validate::design::NodeIx;
use crate::validate::facts::Facts;

/// What leads from the choice `by` to the node starts in front of it. `None` when others depend on
/// that way.
pub(in crate::validate) fn feed_from_ahead(facts: &Facts, by: NodeIx, to: NodeIx) -> Option<Fix> {
    let design = &*facts.design;
    if !matches!(
        design.behaviour(by),
        Some(Behaviour::Filter { .. } | Behaviour::Route { .. })
    ) {
        return None;
    }
    let ahead: Vec<_> = design.nodes[by]
        .ins
        .iter()
        .filter(|edge| !design.edges[**edge].resource)
        .map(|edge| design.edges[*edge].edge.from.clone())
        .collect();
    // Back from the node as long as there is one way only.
    let mut at = to;
    let first = loop {
        let [edge] = design.nodes[at].ins[..] else {
            return None;
        };
        let view = &design.edges[edge];
        if view.resource || view.role != PortRole::Data {
            return None;
        }
        if view.from == by {
            break edge;
        }
        at = view.from;
        if at == to || design.nodes[at].outs.len() > 1 {
            return None;
        }
    };
    let (start, others) = ahead.split_first()?;
    let (title, next) = (design.title(by), design.title(design.edges[first].to));
    let wire = &design.edges[first];
    Some(fix(
        design,
        format!("Feed {next} from in front of {title}"),
        "it gets all events then, and says no more about the choice",
        |build| {
            build.change_edge(&wire.id, |edge| edge.from = start.clone());
            for from in others {
                build.connect(from.clone(), wire.edge.to.clone());
            }
        },
    ))
}
