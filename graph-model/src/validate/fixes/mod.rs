//! What ends a hazard, one quick fix a file. Each answers a transaction with an imperative title.

mod bring_together;
mod clear_field;
mod compare_owner;
mod end_loop;
mod identify;
mod keep_order;
mod narrow_audience;
mod promise_field;
mod redact_fields;
mod rekey;
mod remove_wire;
mod undeclare;
mod use_default;

pub(super) use bring_together::bring_together;
pub(super) use clear_field::clear_field;
pub(super) use compare_owner::compare_owner;
pub(super) use end_loop::end_loop;
pub(super) use identify::{dedupe, identify_effect};
pub(super) use keep_order::keep_order;
pub(super) use narrow_audience::narrow_audience;
pub(super) use promise_field::promise_field;
pub(super) use redact_fields::redact_fields;
pub(super) use rekey::rekey;
pub(super) use remove_wire::remove_wire;
pub(super) use undeclare::undeclare;
pub(super) use use_default::use_default;

use crate::catalog::{Behaviour, KindSpec, PortRole};
use crate::document::Node;
use crate::edit::TransactionBuilder;
use crate::id::{Id, PortRef};
use crate::validate::Fix;
use crate::validate::design::{Design, EdgeIx, NodeIx};

/// A fix whose edits `build` makes; its title is the transaction's.
fn fix(
    design: &Design,
    title: String,
    caution: &str,
    build: impl FnOnce(&mut TransactionBuilder<'_>),
) -> Fix {
    let mut builder = TransactionBuilder::new(&design.document, title.clone());
    build(&mut builder);
    Fix {
        title,
        caution: caution.to_owned(),
        transaction: builder.finish(),
    }
}

/// The kind of the catalog that behaves so; the first by id, when there are several.
fn kind_that<'d>(design: &'d Design, does: impl Fn(&Behaviour) -> bool) -> Option<&'d KindSpec> {
    design.kinds().find(|kind| does(&kind.behaviour))
}

/// In front of a node, on some of the wires that lead to it.
struct Placed {
    node: NodeIx,
    edges: Vec<EdgeIx>,
}

/// Puts a new node between a node and what feeds it.
fn insert_before(
    design: &Design,
    build: &mut TransactionBuilder<'_>,
    at: Placed,
    wished: &Id,
    new: Node,
) {
    let kind = design.kind(&new.kind);
    let input = kind.and_then(|kind| kind.inputs.first());
    let output = kind.and_then(|kind| kind.outputs.iter().find(|port| port.role == PortRole::Data));
    let (Some(input), Some(output)) = (input, output) else {
        return;
    };
    let (target, first) = (&design.nodes[at.node].id, at.edges.first());
    let Some(to) = first.map(|edge| design.edges[*edge].edge.to.clone()) else {
        return;
    };
    let layout = &design.document.layout;
    let from = first.map(|edge| &design.nodes[design.edges[*edge].from].id);
    let place = match (from.and_then(|id| layout.get(id)), layout.get(target)) {
        (Some(a), Some(b)) => Some((i32::midpoint(a.x, b.x), i32::midpoint(a.y, b.y))),
        _ => None,
    };
    let id = build.add_node(wished, new, place);
    for edge in at.edges {
        build.change_edge(&design.edges[edge].id, |edge| {
            edge.to = PortRef::new(id.clone(), input.name.clone());
        });
    }
    build.connect(PortRef::new(id, output.name.clone()), to);
}
