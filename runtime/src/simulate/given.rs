//! Facts as people write them: a JSON object with `source`, `data` and, where it matters, `at`, `time`,
//! `id` and `type`.

use graph_model::document::Document;
use graph_model::event::{Event, EventContext, parse_rfc3339};
use graph_model::id::NodeId;
use graph_model::units;
use graph_model::value::Value;
use smol_str::{SmolStr, format_smolstr};

use super::scenario::Fact;
use super::world::EPOCH_MS;

impl Fact {
    /// Reads a fact; `number` counts those before it, from which follow its id and its time where it
    /// has none. The error says what is wrong with which field.
    pub fn read(document: &Document, value: &Value, number: usize) -> Result<Fact, String> {
        let text = |field: &str| value.get(field).and_then(Value::as_str);
        let source = text("source").ok_or("it names no `source`")?;
        let source = NodeId::from(source);
        let node = document.nodes.get(&source);
        let node = node.ok_or_else(|| format!("`source`: there is no node `{source}`"))?;
        let at_us = match value.get("at") {
            None => number as u64 * 1_000,
            Some(at) => {
                let at = at.as_str().and_then(units::parse_duration);
                let at = at.ok_or("`at`: write it like `30s`, `5m` or `1h`")?;
                u64::try_from(at.as_micros()).unwrap_or(u64::MAX)
            }
        };
        let time_ms = match value.get("time") {
            None => EPOCH_MS.saturating_add_unsigned(at_us / 1_000),
            Some(time) => {
                let time = time.as_str().and_then(parse_rfc3339);
                time.ok_or("`time`: write it like `2026-01-31T12:00:00Z`")?
            }
        };
        let context = EventContext {
            id: text("id").map_or_else(|| format_smolstr!("fact-{}", number + 1), SmolStr::from),
            source: format_smolstr!("/{source}"),
            ty: text("type")
                .or_else(|| node.config_str("event_type"))
                .map_or_else(|| node.kind.clone(), SmolStr::from),
            time_ms,
            ..EventContext::default()
        };
        Ok(Fact {
            source,
            at_us,
            event: Event {
                context: context.into(),
                data: value.get("data").cloned().unwrap_or_default(),
            },
        })
    }
}
