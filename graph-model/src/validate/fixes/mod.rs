//! What ends a hazard, one quick fix a file. Each answers a transaction with an imperative title.

mod assume;
mod average_instead;
mod behind;
mod bring_together;
mod bring_up;
mod cap_calls;
mod carry_field;
mod carry_owner;
mod carry_parts;
mod check_in;
mod clear_field;
mod close_when_idle;
mod co_partition;
mod combine_parts;
mod compare_caller;
mod compare_owner;
mod count_once;
mod cut;
mod decide_on_own_state;
mod declare;
mod end_loop;
mod feed_from_ahead;
mod fill_card;
mod fill_from_login;
mod fix_partitions;
mod follow_one_write;
mod forget;
mod hold_back;
mod identify;
mod in_time;
mod keep_by_key;
mod keep_copies_together;
mod keep_events;
mod keep_order;
mod keep_shorter;
mod keep_warm;
mod key_cache_by;
mod lead_through;
mod leave_out;
mod leave_to_owner;
mod make_rebuildable;
mod name_calls;
mod name_fields;
mod narrow_audience;
mod new_node;
mod open_fewer;
mod other_key;
mod own_values;
mod part_store;
mod promise_field;
mod publish_contract;
mod raise_budget;
mod redact_dead_letters;
mod redact_fields;
mod redeliver;
mod rekey;
mod remove_wire;
mod retry_less;
mod send_whole;
mod set_aside;
mod settle_key;
mod share_definition;
mod shrink_grants;
mod take_back;
mod take_fewer;
mod take_latest;
mod tell_apart;
mod tokenise;
mod undeclare;
mod use_default;
mod validate_input;
mod watch;
mod work_side_by_side;

pub(super) use assume::assume;
pub(super) use average_instead::average_instead;
pub(super) use bring_together::bring_together;
pub(super) use bring_up::{bring_up, keep_field, samples};
pub(super) use cap_calls::cap_calls;
pub(super) use carry_field::{carry_field, hand_on_correlation};
pub(super) use carry_owner::{carried, carry_owner};
pub(super) use carry_parts::carry_parts;
pub(super) use check_in::check_in;
pub(super) use clear_field::clear_field;
pub(super) use close_when_idle::close_when_idle;
pub(super) use co_partition::{co_partition, compare_as_text};
pub(super) use combine_parts::combine_parts;
pub(super) use compare_caller::compare_caller;
pub(super) use compare_owner::compare_owner;
pub(super) use count_once::count_once;
pub(super) use decide_on_own_state::decide_on_own_state;
pub(super) use end_loop::end_loop;
pub(super) use feed_from_ahead::feed_from_ahead;
pub(super) use fill_card::fill_card;
pub(super) use fill_from_login::{compare_at_source, fill_from_login};
pub(super) use fix_partitions::{fewer_partitions, fix_partitions};
pub(super) use follow_one_write::follow_one_write;
pub(super) use forget::{forget, make_room};
pub(super) use hold_back::hold_back;
pub(super) use identify::{dedupe, give_field, give_identity, identify_effect};
pub(super) use in_time::{
    keep_late, take_row_of_then, use_event_time, wait_for_late, wait_for_window,
};
pub(super) use keep_by_key::keep_by_key;
pub(super) use keep_copies_together::keep_copies_together;
pub(super) use keep_events::{keep_events, wait_when_full};
pub(super) use keep_order::keep_order;
pub(super) use keep_shorter::keep_shorter;
pub(super) use keep_warm::keep_warm;
pub(super) use key_cache_by::key_cache_by;
pub(super) use lead_through::{lead_through, remove_instead};
pub(super) use leave_out::leave_out;
pub(super) use leave_to_owner::leave_to_owner;
pub(super) use make_rebuildable::make_rebuildable;
pub(super) use name_calls::name_calls;
pub(super) use name_fields::name_fields;
pub(super) use narrow_audience::narrow_audience;
pub(super) use open_fewer::open_fewer;
pub(super) use other_key::other_key;
pub(super) use own_values::{own_values, place_rows};
pub(super) use part_store::part_writer_and_hearer;
pub(super) use promise_field::promise_field;
pub(super) use publish_contract::publish_contract;
pub(super) use raise_budget::raise_budget;
pub(super) use redact_dead_letters::redact_dead_letters;
pub(super) use redact_fields::redact_fields;
pub(super) use redeliver::{acknowledge_singly, give_up_sooner, remember_longer, wait_longer};
pub(super) use rekey::rekey;
pub(super) use remove_wire::remove_wire;
pub(super) use retry_less::retry_less;
pub(super) use send_whole::send_whole;
pub(super) use set_aside::set_aside;
pub(super) use settle_key::{set_aside as set_events_aside, settle_key};
pub(super) use share_definition::share_definition;
pub(super) use shrink_grants::shrink_grants;
pub(super) use take_back::take_back;
pub(super) use take_fewer::take_fewer;
pub(super) use take_latest::take_latest;
pub(super) use tell_apart::tell_apart;
pub(super) use tokenise::tokenise;
pub(super) use undeclare::undeclare;
pub(super) use use_default::use_default;
pub(super) use validate_input::validate_input;
pub(super) use watch::watch;
pub(super) use work_side_by_side::work_side_by_side;

use declare::declare;

use std::collections::BTreeSet;

use smol_str::SmolStr;

use crate::catalog::{Behaviour, KindSpec, PortRole};
use crate::document::{Audience, EventType, Node};
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
fn kind_that(design: &Design, does: impl Fn(&Behaviour) -> bool) -> Option<&KindSpec> {
    design.kinds().find(|kind| does(&kind.behaviour))
}

/// Whether what a node sends comes back to it.
fn comes_back(design: &Design, node: NodeIx) -> bool {
    let (mut open, mut seen) = (vec![node], BTreeSet::new());
    while let Some(at) = open.pop() {
        for edge in &design.nodes[at].outs {
            let to = design.edges[*edge].to;
            if to == node {
                return true;
            }
            if seen.insert(to) {
                open.push(to);
            }
        }
    }
    false
}

/// Changes the audience of a node, or of its side copy.
fn change_audience(
    design: &Design,
    build: &mut TransactionBuilder<'_>,
    node: NodeIx,
    side: Option<&SmolStr>,
    change: impl FnOnce(&mut Audience),
) {
    build.change_node(&design.nodes[node].id, |node| match side {
        Some(side) => {
            let sides = &mut node.notes.side_audiences;
            change(sides.entry(side.clone()).or_default());
        }
        None => change(node.notes.audience.get_or_insert_default()),
    });
}

/// In front of a node, on some of the wires that lead to it.
struct Placed {
    node: NodeIx,
    edges: Vec<EdgeIx>,
}

/// Puts a new node between a node and what feeds it; the id that it got.
fn insert_before(
    design: &Design,
    build: &mut TransactionBuilder<'_>,
    at: Placed,
    wished: &Id,
    new: Node,
) -> Option<Id> {
    let kind = design.kind(&new.kind)?;
    let input = kind.inputs.first()?;
    let mut outputs = kind.outputs.iter();
    let output = outputs.find(|port| port.role == PortRole::Data)?;
    let (target, first) = (&design.nodes[at.node].id, at.edges.first());
    let to = design.edges[*first?].edge.to.clone();
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
    build.connect(PortRef::new(id.clone(), output.name.clone()), to);
    Some(id)
}

/// A fix that only puts a new node in front of another one.
fn put_before(
    design: &Design,
    at: Placed,
    wished: &str,
    new: Node,
    title: String,
    caution: &str,
) -> Fix {
    fix(design, title, caution, |build| {
        insert_before(design, build, at, &wished.into(), new);
    })
}

/// What people call an event type.
fn title_of<'t>(ty: &'t EventType, id: &'t Id) -> &'t str {
    if ty.title.is_empty() {
        id.as_str()
    } else {
        &ty.title
    }
}
