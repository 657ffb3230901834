//! Holds back numbers over too few people.

use std::collections::BTreeSet;

use super::identify::path;
use super::{fix, new_node};
use crate::catalog::Behaviour;
use crate::id::PortRef;
use crate::pointer::Pointer;
use crate::validate::Fix;
use crate::validate::design::{EdgeIx, NodeIx};
use crate::validate::facts::Facts;
use crate::validate::facts::tags::TagSet;
use crate::validate::rules::auth::Leak;
use crate::value;
use crate::value::Value;

/// The aggregate counts people too, and a filter behind it lets groups pass that are large enough.
pub(in crate::validate) fn hold_back(
    facts: &Facts,
    to: NodeIx,
    leaks: &[Leak],
    size: i64,
) -> Option<Fix> {
    let design = &*facts.design;
    let folds = leaks
        .iter()
        .map(|leak| facts.tags[leak.tag as usize].fold.as_ref());
    let by: BTreeSet<NodeIx> = folds.map(|fold| Some(fold?.by)).collect::<Option<_>>()?;
    // Where several made the numbers, one filter cannot hold them all back.
    let [by] = by.into_iter().collect::<Vec<_>>()[..] else {
        return None;
    };
    let people = &facts.tags[leaks.first()?.tag as usize].people;
    let Some(Behaviour::Aggregate { aggregates, .. }) = design.behaviour(by) else {
        return None;
    };
    let mut records = design.value(by, aggregates)?.as_array()?.to_vec();
    let known = facts.people_column(by, people).map(ToOwned::to_owned);
    let counts = known.is_some();
    let column = if let Some(known) = known {
        known
    } else {
        let taken = |name: &str| {
            let held = |record: &Value| record.get("name").and_then(Value::as_str) == Some(name);
            records.iter().any(held)
        };
        let name = ["people", "people_counted"]
            .into_iter()
            .find(|name| !taken(name))?;
        if people.is_empty() && facts.comes_once_of_each(by, people) {
            records.push(value!({"name": name, "function": "count"}));
        } else if people.is_empty() && facts.ids_count_people(by, people) {
            records.push(value!({"name": name, "function": "count_distinct", "of": "$event.id"}));
        } else if people.is_empty() {
            return None;
        } else {
            let owner = facts.place_of_people(people, facts.input(by)?)?;
            let of = path(&owner)?;
            records.push(value!({"name": name, "function": "count_distinct", "of": of}));
        }
        name.to_owned()
    };
    let test = format!("{} >= {size}", path(&Pointer::root().child(&*column))?);
    let hold = new_node::filter(design, test)?;
    let filter = design.kind(&hold.kind)?;
    let tags: TagSet = leaks.iter().map(|leak| leak.tag).collect();
    let wires = ways(facts, by, to, &tags);
    let (into, out) = (filter.inputs.first()?, filter.outputs.first()?);
    let (first, others) = wires.split_first()?;
    let title = format!(
        "Hold back groups of {} below {size} people",
        design.title(by)
    );
    let caution = "numbers over fewer are not shown there any more";
    Some(fix(design, title, caution, |build| {
        if !counts {
            build.set_config(&design.nodes[by].id, aggregates, Some(records.into()));
        }
        let hold = build.add_node(&"large_groups".into(), hold, None);
        build.insert_on_edge(&design.edges[*first].id, &hold, &into.name, &out.name);
        for edge in others {
            let view = &design.edges[*edge];
            let start = PortRef::new(hold.clone(), out.name.clone());
            build.change_edge(&view.id, |edge| edge.from = start);
        }
    }))
}

/// Wires that leave the aggregate on the ways of the tags to the node.
fn ways(facts: &Facts, by: NodeIx, to: NodeIx, tags: &TagSet) -> Vec<EdgeIx> {
    let design = &*facts.design;
    let carries = |edge: EdgeIx| {
        let port = facts.edge(edge);
        port.is_some_and(|port| port.labels.sets().any(|held| !held.is_disjoint(tags)))
    };
    let mut seen = BTreeSet::from([to]);
    let mut open = vec![to];
    let mut wires = Vec::new();
    while let Some(node) = open.pop() {
        for edge in &design.nodes[node].ins {
            let view = &design.edges[*edge];
            if !carries(*edge) {
                continue;
            }
            if view.from == by && !view.resource {
                wires.push(*edge);
            } else if seen.insert(view.from) {
                open.push(view.from);
            }
        }
    }
    wires.sort_by(|a, b| design.edges[*a].id.cmp(&design.edges[*b].id));
    wires
}
