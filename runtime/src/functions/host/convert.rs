//! Events of the flow as functions have them, and back.

use std::sync::Arc;

use graph_model::event::{Event, EventContext};
use graph_model::value::Value;
use smol_str::SmolStr;

use super::batch::Sent;
use super::contract::{FunctionEvent, FunctionPayload};
use super::error::FunctionFailure;
use super::imports::Emitted;

const JSON: &str = "application/json";

impl From<&Event> for FunctionEvent {
    fn from(event: &Event) -> FunctionEvent {
        let context = &event.context;
        let extensions = context.extensions.iter();
        FunctionEvent {
            id: context.id.to_string(),
            source: context.source.to_string(),
            type_: context.ty.to_string(),
            subject: context.subject.as_ref().map(SmolStr::to_string),
            time_ms: u64::try_from(context.time_ms).unwrap_or_default(),
            datacontenttype: JSON.into(),
            extensions: extensions
                .map(|(name, text)| (name.to_string(), text.to_string()))
                .collect(),
            data: payload(&event.data),
        }
    }
}

/// An event for a function that takes batches.
pub(super) fn to_event(event: &FunctionEvent) -> Result<Event, FunctionFailure> {
    let data = match &event.data {
        FunctionPayload::None => Value::Null,
        FunctionPayload::Text(text) => Value::str(text.as_str()),
        FunctionPayload::Json(text) => Value::parse(text.as_bytes(), usize::MAX)
            .map_err(|error| FunctionFailure::Invalid(format!("the payload is {error}")))?,
        FunctionPayload::Bytes(_) => {
            let why = "the payload is bytes, which batches do not hold";
            return Err(FunctionFailure::Invalid(why.to_owned()));
        }
    };
    let extensions = event.extensions.iter();
    let context = EventContext {
        id: event.id.as_str().into(),
        source: event.source.as_str().into(),
        ty: event.type_.as_str().into(),
        time_ms: i64::try_from(event.time_ms).unwrap_or(i64::MAX),
        subject: event.subject.as_deref().map(SmolStr::from),
        extensions: extensions
            .map(|(name, text)| (name.into(), text.into()))
            .collect(),
    };
    Ok(Event {
        context: Arc::new(context),
        data,
    })
}

/// What a function sent in answer to a batch, as if it had sent it by itself.
pub(super) fn emitted(cause: &FunctionEvent, id: String, sent: Sent) -> Emitted {
    let Sent {
        port,
        context,
        data,
    } = sent;
    let event = match context {
        None => FunctionEvent {
            id,
            data: payload(&data),
            datacontenttype: JSON.into(),
            type_: String::new(),
            ..cause.clone()
        },
        Some(context) => {
            let named = Event {
                context: Arc::new(context),
                data,
            };
            let mut event = FunctionEvent::from(&named);
            if event.id.is_empty() {
                event.id = id;
            }
            event
        }
    };
    Emitted {
        port: port.into(),
        event,
    }
}

fn payload(data: &Value) -> FunctionPayload {
    match data {
        Value::Null => FunctionPayload::None,
        data => FunctionPayload::Json(data.to_json()),
    }
}
