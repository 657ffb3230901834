//! Events: a `CloudEvents` 1.0 context and a payload.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smol_str::SmolStr;

use crate::value::{Object, Value};

/// One occurrence on its way through the flow. Cloning shares context and payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub context: Arc<EventContext>,
    pub data: Value,
}

/// `CloudEvents` context attributes. `source` + `id` identify the event; copies keep both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventContext {
    pub id: SmolStr,
    pub source: SmolStr,
    pub ty: SmolStr,
    /// Event time in milliseconds since 1970-01-01 UTC.
    pub time_ms: i64,
    pub subject: Option<SmolStr>,
    pub extensions: BTreeMap<SmolStr, SmolStr>,
}

/// Extension attributes that Weir itself sets.
pub mod extension {
    /// Id of the event that directly caused this one.
    pub const CAUSATION: &str = "causationid";
    /// Id of the first event of the same business flow.
    pub const CORRELATION: &str = "correlationid";
    /// Key by which a channel placed the event.
    pub const PARTITION_KEY: &str = "partitionkey";
    /// Why the event was given up: message of the last failure.
    pub const FAILURE: &str = "weirfailure";
    /// Node that gave the event up.
    pub const FAILED_AT: &str = "weirfailedat";
    /// How many attempts were made.
    pub const ATTEMPTS: &str = "weirattempts";
}

impl Event {
    /// An event that follows from this one: own id, same flow, this one named as its cause.
    pub fn derive(&self, id: impl Into<SmolStr>, data: Value) -> Event {
        let mut context = EventContext::clone(&self.context);
        let correlation = context
            .extensions
            .get(extension::CORRELATION)
            .cloned()
            .unwrap_or_else(|| context.id.clone());
        context
            .extensions
            .insert(extension::CORRELATION.into(), correlation);
        context
            .extensions
            .insert(extension::CAUSATION.into(), context.id.clone());
        context.id = id.into();
        Event {
            context: Arc::new(context),
            data,
        }
    }

    /// The same event with another payload.
    pub fn with_data(&self, data: Value) -> Event {
        Event {
            context: Arc::clone(&self.context),
            data,
        }
    }

    /// The same event with one more extension attribute.
    #[must_use]
    pub fn with_extension(mut self, name: &str, value: impl Into<SmolStr>) -> Event {
        Arc::make_mut(&mut self.context)
            .extensions
            .insert(name.into(), value.into());
        self
    }

    /// The event in the `CloudEvents` JSON format (structured mode).
    pub fn to_cloudevent(&self) -> Value {
        let mut object = self.context.to_object();
        object.insert("specversion", "1.0");
        object.insert("datacontenttype", "application/json");
        object.insert("data", self.data.clone());
        Value::from(object)
    }
}

/// Why a JSON value is not a `CloudEvent`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a CloudEvent: {0}")]
pub struct CloudEventError(String);

impl Event {
    /// Reads the `CloudEvents` JSON format. Attributes other than text are kept as their JSON text.
    pub fn from_cloudevent(value: &Value) -> Result<Event, CloudEventError> {
        let object = value.as_object().ok_or_else(|| {
            CloudEventError(format!("expected an object, found {}", value.type_name()))
        })?;
        let mut context = EventContext::default();
        let mut data = Value::Null;
        for (name, value) in object.iter() {
            match name.as_str() {
                "data" => data = value.clone(),
                "id" => context.id = value.to_text(),
                "source" => context.source = value.to_text(),
                "type" => context.ty = value.to_text(),
                "subject" => context.subject = Some(value.to_text()),
                "time" => {
                    context.time_ms = parse_rfc3339(&value.to_text()).ok_or_else(|| {
                        CloudEventError(format!("`time` is not RFC 3339: {value}"))
                    })?;
                }
                "specversion" | "datacontenttype" => {}
                _ => {
                    context.extensions.insert(name.clone(), value.to_text());
                }
            }
        }
        if context.id.is_empty() || context.source.is_empty() {
            return Err(CloudEventError(
                "`id` and `source` must not be empty".into(),
            ));
        }
        Ok(Event {
            context: Arc::new(context),
            data,
        })
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_cloudevent().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Event, D::Error> {
        Event::from_cloudevent(&Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl EventContext {
    /// The attributes as an object: what expressions see as `$event`. `time` is RFC 3339 text.
    pub fn to_object(&self) -> Object {
        let mut object: Object = self
            .extensions
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        object.insert("id", self.id.clone());
        object.insert("source", self.source.clone());
        object.insert("type", self.ty.clone());
        object.insert("time", rfc3339(self.time_ms));
        if let Some(subject) = &self.subject {
            object.insert("subject", subject.clone());
        }
        object
    }
}

/// Milliseconds since 1970 as RFC 3339 text in UTC, such as `2026-11-24T09:30:00.25Z`.
pub fn rfc3339(time_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(time_ms)
        .unwrap_or_default()
        .to_string()
}

/// Reads RFC 3339 text as milliseconds since 1970.
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>()
        .ok()
        .map(jiff::Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value;

    #[test]
    fn times_are_rendered_in_utc() {
        for (time_ms, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_709_210_096_250, "2024-02-29T12:34:56.25Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (4_102_444_800_000, "2100-01-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(time_ms), text);
            assert_eq!(parse_rfc3339(text), Some(time_ms));
        }
    }

    #[test]
    fn derived_events_name_their_cause() {
        let context = EventContext {
            id: "1".into(),
            source: "orders".into(),
            ..EventContext::default()
        };
        let first = Event {
            context: Arc::new(context),
            data: value!({"n": 1}),
        };
        let second = first
            .derive("1/0", Value::Null)
            .derive("1/0/3", Value::Null);
        assert_eq!(second.context.extensions[extension::CORRELATION], "1");
        assert_eq!(second.context.extensions[extension::CAUSATION], "1/0");
        assert_eq!(Event::from_cloudevent(&second.to_cloudevent()), Ok(second));
    }
}
