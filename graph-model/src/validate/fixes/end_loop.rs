//! Ends a loop: after some rounds, for what has been round already, or by breaking it.

use super::{fix, new_node, remove_wire};
use crate::id::PortRef;
use crate::pointer::Pointer;
use crate::validate::Fix;
use crate::validate::design::EdgeIx;
use crate::validate::facts::Facts;
use crate::validate::facts::rounds::{Ring, Round};

/// Rounds that an event may make.
const ROUNDS: i64 = 5;

/// Steps back that are taken to see whether a counter would come round.
const STEPS_MAX: usize = 20_000;

/// A limit of rounds, a dedupe, or one wire less.
pub(in crate::validate) fn end_loop(facts: &Facts, round: &Round) -> Vec<Fix> {
    let design = &*facts.design;
    let drawn = || {
        round
            .way
            .iter()
            .filter(|edge| !design.edges[**edge].resource)
    };
    // The loop is best broken where it joins what comes from outside.
    let joins = |edge: &&EdgeIx| {
        let ins = &design.nodes[design.edges[**edge].to].ins;
        ins.len() > 1
    };
    let Some(&back) = drawn().rfind(joins).or(drawn().next_back()) else {
        return Vec::new();
    };
    let mut ring = Ring::new(design, &round.edges, STEPS_MAX);
    let mut fixes: Vec<Fix> = limit(facts, back, &mut ring).into_iter().collect();
    fixes.extend(once(facts, back, &mut ring));
    let mut broken = remove_wire(design, &design.edges[back].id);
    "what was sent round again ends here".clone_into(&mut broken.caution);
    fixes.push(broken);
    fixes
}

/// A counter and a filter on the wire that goes back.
fn limit(facts: &Facts, back: EdgeIx, ring: &mut Ring<'_>) -> Option<Fix> {
    let design = &*facts.design;
    let rounds = Pointer::root().child("rounds");
    if !ring.carries(back, &rounds) {
        return None;
    }
    let count = new_node::map(design, ".rounds = (.rounds // 0) + 1")?;
    let stop = new_node::filter(design, format!(".rounds <= {ROUNDS}"))?;
    let (map, filter) = (design.kind(&count.kind)?, design.kind(&stop.kind)?);
    let (map_in, map_out) = (map.inputs.first()?, map.outputs.first()?);
    let (filter_in, filter_out) = (filter.inputs.first()?, filter.outputs.first()?);
    let view = &design.edges[back];
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

/// A dedupe on the wire that goes back, where events keep the id that they came with.
fn once(facts: &Facts, back: EdgeIx, ring: &mut Ring<'_>) -> Option<Fix> {
    let design = &*facts.design;
    if !ring.carries_context(back) {
        return None;
    }
    let new = new_node::dedupe(design, "$event.id")?;
    let kind = design.kind(&new.kind)?;
    let (input, output) = (kind.inputs.first()?, kind.outputs.first()?);
    let view = &design.edges[back];
    let title = format!(
        "Let each event go from {} to {} once",
        design.title(view.from),
        design.title(view.to)
    );
    let caution = "it remembers ids for a time; an event that comes back later passes again";
    Some(fix(design, title, caution, |build| {
        let once = build.add_node(&"once".into(), new, None);
        build.insert_on_edge(&view.id, &once, &input.name, &output.name);
    }))
}
