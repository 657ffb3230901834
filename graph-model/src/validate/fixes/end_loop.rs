//! Ends a loop: after some rounds, or by breaking it.

use super::{fix, kind_that, remove_wire};
use crate::catalog::Behaviour;
use crate::document::Node;
use crate::id::PortRef;
use crate::pointer::Pointer;
use crate::validate::Fix;
use crate::validate::design::EdgeIx;
use crate::validate::facts::Facts;
use crate::validate::rules::loops::event_storm::Ring;

/// Rounds that an event may make.
const ROUNDS: i64 = 5;

/// `way` are the wires round the loop.
pub(in crate::validate) fn end_loop(facts: &Facts, way: &[EdgeIx], ring: &Ring<'_>) -> Vec<Fix> {
    let design = &*facts.design;
    // The loop is best broken where it joins what comes from outside.
    let joins = |edge: &&EdgeIx| {
        let ins = &design.nodes[design.edges[**edge].to].ins;
        ins.len() > 1
    };
    let Some(&back) = way.iter().rfind(joins).or(way.last()) else {
        return Vec::new();
    };
    let mut fixes: Vec<Fix> = limit(facts, back, ring).into_iter().collect();
    let mut broken = remove_wire(design, &design.edges[back].id);
    "what was sent round again ends here".clone_into(&mut broken.caution);
    fixes.push(broken);
    fixes
}

/// A counter and a filter on the wire that goes back.
fn limit(facts: &Facts, back: EdgeIx, ring: &Ring<'_>) -> Option<Fix> {
    let design = &*facts.design;
    let rounds = Pointer::root().child("rounds");
    if !ring.carries(back, &rounds) {
        return None;
    }
    let map = kind_that(design, |does| matches!(does, Behaviour::Map { .. }))?;
    let filter = kind_that(design, |does| matches!(does, Behaviour::Filter { .. }))?;
    let (Behaviour::Map { expr }, Behaviour::Filter { predicate }) =
        (&map.behaviour, &filter.behaviour)
    else {
        return None;
    };
    let (map_in, map_out) = (map.inputs.first()?, map.outputs.first()?);
    let (filter_in, filter_out) = (filter.inputs.first()?, filter.outputs.first()?);
    let view = &design.edges[back];
    let count = Node::new(map.id.clone()).with(expr, ".rounds = (.rounds // 0) + 1");
    let stop = Node::new(filter.id.clone()).with(predicate, format!(".rounds <= {ROUNDS}"));
    let title = format!("End the loop after {ROUNDS} rounds");
    let caution = "events that made all rounds are dropped; wire `dropped` to keep them";
    Some(fix(design, title, caution, |build| {
        let count = build.add_node(&"count_rounds".into(), count, None);
        let stop = build.add_node(&"limit_rounds".into(), stop, None);
        build.insert_on_edge(&view.id, &stop, &filter_in.name, &filter_out.name);
        // Between the old start and the filter comes the counter.
        build.change_edge(&view.id, |edge| {
            edge.to = PortRef::new(count.clone(), map_in.name.clone());
        });
        build.connect(
            PortRef::new(count, map_out.name.clone()),
            PortRef::new(stop, filter_in.name.clone()),
        );
    }))
}
