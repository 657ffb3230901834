//! What is left of what oracles find, once nobody promised otherwise.

use std::sync::Arc;

use graph_model::document::{Document, Node};
use graph_model::id::NodeId;
use graph_model::value::Value;
use runtime::oracle::{Context, Finding, Oracle};
use runtime::simulate::{Content, Outcome};

use crate::exempt::{Upstream, place_of};
use crate::unjudged::{counts_a_copy, is_unjudged};

/// Looks at a run for one oracle; a broken one is a canary.
pub(crate) type Judge<'j> = &'j dyn Fn(Oracle, &Outcome, &Outcome, &Context) -> Vec<Finding>;

/// The oracles as they are, without what nobody promised.
pub(crate) fn judge(
    oracle: Oracle,
    run: &Outcome,
    reference: &Outcome,
    context: &Context,
) -> Vec<Finding> {
    let mut found = oracle.judge(run, reference, context);
    let document = context.document();
    match oracle {
        Oracle::D1 | Oracle::X1 => {
            found.retain(|found| !is_tolerated(found, run, reference, document));
        }
        Oracle::L1 | Oracle::L2 => {
            let upstream = Upstream::of(document);
            found.retain(|found| upstream.may_miss(&NodeId::new(found.at.clone())).is_none());
        }
        Oracle::D2 => {
            found.retain(|found| !counts_a_copy(found, run) && !is_unjudged(found, document));
        }
        Oracle::S1 => found.retain(|found| !is_unjudged(found, document)),
        Oracle::B1 if Upstream::of(document).may_echo().is_some() => found.clear(),
        _ => {}
    }
    found
}

/// What was given up may be given up again, or only in the run: that is no state of the flow, and
/// losses have an oracle of their own. Who reads lines of a file may read one again: nobody promises
/// that exports hold each line once. Names that were made are compared by what they name.
fn is_tolerated(found: &Finding, run: &Outcome, reference: &Outcome, document: &Document) -> bool {
    let sinks = document.nodes.iter();
    let mut sinks = sinks.filter(|(id, node)| {
        place_of(id, node).is_some_and(|place| found.at == place) || found.at == id.as_str()
    });
    let upstream = Upstream::of(document);
    let exempt = |(id, node): (&NodeId, &Arc<Node>)| {
        node.kind == "dead_letter" || upstream.exempt(id).is_some()
    };
    let held = |outcome: &Outcome| match outcome.stores.get(&found.at) {
        Some(Content::Objects(objects)) => {
            let mut held: Vec<Value> = objects.values().cloned().collect();
            held.sort();
            Some(held)
        }
        _ => None,
    };
    let renamed = held(run).is_some() && held(run) == held(reference);
    let again = match reference.stores.get(&found.at) {
        Some(Content::Lines(lines)) => {
            found.expected == Value::Null && lines.contains(&found.observed)
        }
        _ => false,
    };
    renamed || again || sinks.any(exempt)
}
