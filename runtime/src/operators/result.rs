//! Results: events that a node makes of what it has seen, rather than passes on.

use std::fmt::Display;
use std::sync::Arc;

use graph_model::event::{Event, EventContext};
use graph_model::value::Value;
use smol_str::{SmolStr, format_smolstr};

use crate::operator::Context;

/// A result of `node`, caused by the event with the context `cause`.
pub(super) fn result(
    node: &SmolStr,
    ty: SmolStr,
    cause: &Arc<EventContext>,
    id: SmolStr,
    time_ms: i64,
    data: Value,
) -> Event {
    let cause = Event {
        context: Arc::clone(cause),
        data: Value::Null,
    };
    let mut event = cause.derive(id, data);
    let context = Arc::make_mut(&mut event.context);
    context.source = node.clone();
    context.ty = ty;
    context.subject = None;
    context.time_ms = time_ms;
    event
}

/// The id of a result for a key: the same for the same events of the key, however often they are
/// handled anew.
pub(super) fn result_id(
    node: &SmolStr,
    key: &Value,
    place: impl Display,
    ctx: &Context<'_>,
) -> SmolStr {
    let key = key.to_text();
    if ctx.instances > 1 {
        // Two instances may have the same key.
        return format_smolstr!("{node}.{}/{key}/{place}", ctx.instance);
    }
    format_smolstr!("{node}/{key}/{place}")
}
