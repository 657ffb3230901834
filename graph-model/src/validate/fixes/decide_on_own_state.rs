//! Lets a node decide on what it keeps itself.

use super::declare;
use crate::validate::Fix;
use crate::validate::design::{Design, NodeIx};

/// Keyed state of its own in the place of a look into another store.
pub(in crate::validate) fn decide_on_own_state(design: &Design, node: NodeIx) -> Option<Fix> {
    let kind = design.nodes[node].kind.as_ref()?;
    let keeps = crate::declare::fields(|place| place == crate::declare::Place::Node(kind.family))
        .iter()
        .any(|field| field.name == "state");
    let title = format!(
        "Let {} decide on keyed state of its own",
        design.title(node)
    );
    let caution = "a promise: its code has to keep what it decides on, by the key of the event";
    let own = [("reads_from", None), ("state", Some("keyed".into()))];
    keeps.then(|| declare(design, node, title, caution, &own))
}
