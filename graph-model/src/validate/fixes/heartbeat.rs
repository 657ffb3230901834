//! Moves the clock of a window on while nothing happens.

use super::behind::insert_behind;
use super::{fix, identify, kind_that};
use crate::catalog::{Behaviour, FieldType, KindSpec};
use crate::document::Node;
use crate::id::PortRef;
use crate::pointer::Pointer;
use crate::validate::Fix;
use crate::validate::design::{Design, NodeIx};
use crate::validate::facts::Facts;
use crate::validate::facts::delivery::Part;
use crate::validate::facts::numbers::columns;

/// A source that ticks, into a node that folds by windows, with a filter behind that leaves out the
/// group of the ticks. `None` where a tick would count, or would not reach all instances.
pub(in crate::validate) fn heartbeat(facts: &Facts, node: NodeIx) -> Option<Fix> {
    let design = &*facts.design;
    let view = &design.nodes[node];
    if facts.input(node)?.part != Part::Single || !counts_no_tick(facts, node) {
        return None;
    }
    let (ticker, every) = ticker(design)?;
    let filter = kind_that(design, |does| matches!(does, Behaviour::Filter { .. }))?;
    let Behaviour::Filter { predicate } = &filter.behaviour else {
        return None;
    };
    let leaves = view.kind.as_ref()?.outputs.first()?.name.clone();
    let (input, output) = (
        view.kind.as_ref()?.inputs.first()?.name.clone(),
        ticker.outputs.first()?.name.clone(),
    );
    let size = design.text(node, "size")?;
    let tick = Node::new(ticker.id.clone()).with(every, size);
    let without = Node::new(filter.id.clone()).with(predicate, ".key != null");
    let title = format!("Send {} a heartbeat every {size}", design.title(node));
    let caution =
        "it goes by the clock on the wall: what is older than a window when it comes is late";
    Some(fix(design, title, caution, |build| {
        let tick = build.add_node(&"heartbeat".into(), tick, None);
        build.connect(
            PortRef::new(tick, output),
            PortRef::new(view.id.clone(), input),
        );
        insert_behind(
            design,
            build,
            (node, &leaves),
            &"no_heartbeat".into(),
            without,
        );
    }))
}

/// Whether an event without fields makes nothing but a group of its own.
fn counts_no_tick(facts: &Facts, node: NodeIx) -> bool {
    let design = &*facts.design;
    let Some(Behaviour::Aggregate { group, .. } | Behaviour::Decide { group, .. }) =
        design.behaviour(node)
    else {
        return false;
    };
    let plain = |code: &str| {
        let field = code.trim().strip_prefix('.').unwrap_or_default();
        let field = Pointer::parse(&format!("/{}", field.replace('.', "/")));
        field
            .ok()
            .and_then(|field| identify::path(&field))
            .as_deref()
            == Some(code.trim())
    };
    let grouped = design.text(node, group).is_some_and(plain);
    let folded = columns(design, node);
    grouped
        && folded
            .iter()
            .all(|column| column.of.is_none_or(|of| plain(of.code())))
}

/// A source whose ticks have a time, and the field that says how often they come.
fn ticker(design: &Design) -> Option<(&KindSpec, &str)> {
    design.kinds().find_map(|kind| {
        let source = matches!(kind.behaviour, Behaviour::Source { .. });
        let field = kind
            .config
            .iter()
            .find(|field| field.ty == FieldType::Schedule)?;
        source.then_some((kind, field.name.as_str()))
    })
}
