//! Takes the ids of calls from whoever makes them.

use super::fix;
use crate::validate::Fix;
use crate::validate::design::{Design, NodeIx};
use crate::validate::rules::delivery::lost_identity::ID_HEADER;

/// The header by which callers say that they ask for the same thing again (IETF httpapi draft).
const USUAL_HEADER: &str = "Idempotency-Key";

/// The source takes the id of an event from a header.
pub(in crate::validate) fn name_calls(design: &Design, source: NodeIx) -> Fix {
    let title = design.title(source);
    let title = format!("Take the ids of {title} from the header `{USUAL_HEADER}`");
    let caution = "whoever calls has to send it, the same each time";
    fix(design, title, caution, |build| {
        let id = &design.nodes[source].id;
        build.set_config(id, ID_HEADER, Some(USUAL_HEADER.into()));
    })
}
