//! The shape of what a function sends, by port: nothing else leaves it.

use std::collections::BTreeMap;

use graph_model::schema::Schema;
use graph_model::value::Value;
use runtime_protocol::Problem;
use smol_str::SmolStr;

use super::host::{FunctionEvent, FunctionPayload, Offered, OutputCheck};
use crate::kind::Build;

/// What the ports of a node promise.
#[derive(Default)]
pub(super) struct Shapes(BTreeMap<String, (SmolStr, Schema)>);

impl Shapes {
    /// What a node says of these ports: a type for all of them, and types of single ones.
    pub(super) fn of<'p>(
        build: &Build,
        ports: impl Iterator<Item = &'p String>,
    ) -> Result<Shapes, Problem> {
        let all = build.event_type(ALL)?;
        let mut shapes: BTreeMap<String, (SmolStr, Schema)> = BTreeMap::new();
        let mut singles: BTreeMap<SmolStr, SmolStr> = build.table(SINGLE).into_iter().collect();
        for port in ports {
            let single = singles.remove(port.as_str());
            let shape = match single.filter(|ty| !ty.is_empty()) {
                Some(ty) => Some(build.declared_type(SINGLE, ty)?),
                None => all.clone(),
            };
            shapes.extend(shape.map(|shape| (port.clone(), shape)));
        }
        match singles.into_keys().next() {
            None => Ok(Shapes(shapes)),
            Some(unknown) => Err(build.problem(format!(
                "`{SINGLE}`: there is no port `{unknown}`; name it in `ports`, or leave it out"
            ))),
        }
    }

    /// The type of what a port sends.
    pub(super) fn ty(&self, port: &str) -> Option<&SmolStr> {
        self.0.get(port).map(|(ty, _)| ty)
    }

    /// Looks at each event before it leaves; nothing where all ports may send anything.
    pub(super) fn check(&self) -> Option<OutputCheck> {
        let shapes = self.0.clone();
        let says_something = |(_, schema): &(SmolStr, Schema)| !schema.is_unknown();
        shapes.values().any(says_something).then(|| {
            OutputCheck::new(move |port, offered| {
                let Some((ty, schema)) = shapes.get(port) else {
                    return Ok(());
                };
                let misfit = match offered {
                    Offered::Event(event) => payload(event)
                        .and_then(|value| schema.check(&value).map_err(|wrong| wrong.to_string())),
                    Offered::Payload(value) => {
                        schema.check(value).map_err(|wrong| wrong.to_string())
                    }
                };
                misfit.map_err(|wrong| format!("it is no `{ty}`: {wrong}"))
            })
        })
    }
}

/// The fields that say what ports promise.
const ALL: &str = "output_type";
const SINGLE: &str = "port_types";

fn payload(event: &FunctionEvent) -> Result<Value, String> {
    match &event.data {
        FunctionPayload::None => Ok(Value::Null),
        FunctionPayload::Text(text) => Ok(Value::str(text.as_str())),
        FunctionPayload::Json(text) => {
            Value::parse(text.as_bytes(), usize::MAX).map_err(|error| error.to_string())
        }
        FunctionPayload::Bytes(_) => Err("the payload is bytes".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use graph_model::document::{Document, EventType};
    use graph_model::event::Event;
    use graph_model::value;

    use super::*;
    use crate::delivery::Share;
    use crate::operators::testing::{Bench, event};

    fn types() -> Document {
        let ty = |schema: Value| {
            let ty = EventType {
                schema,
                ..EventType::default()
            };
            std::sync::Arc::new(ty)
        };
        let order = value!({"type": "object", "required": ["total"],
            "properties": {"total": {"type": "number"}}, "additionalProperties": false});
        Document {
            types: [
                ("order".into(), ty(order)),
                ("word".into(), ty(value!({"type": "string"}))),
                ("open".into(), ty(value!({}))),
            ]
            .into(),
            ..Document::default()
        }
    }

    fn script(script: &str) -> Bench {
        let config = value!({
            "script": script, "ports": ["out", "why", "rest"], "output_type": "order",
            "port_types": {"why": "word", "rest": "open"},
        });
        Bench::in_document("script", config, &types())
    }

    #[test]
    fn nothing_leaves_but_what_has_the_shape_of_its_port() {
        for (code, said) in [
            ("return {total: 2}", r#"out {"total":2}"#),
            ("emit('why', 'because')", r#"why "because""#),
            ("emit('rest', [1])", "rest [1]"),
            (
                "return {total: '2'}",
                "failed Invalid: what it sent to `out` was refused, since it is no `order`: `/total` should be a number, found a string; mend the function, or change the type of the port",
            ),
            (
                "emit('why', 'good'); return {total: 2, card: 4}",
                "failed Invalid: what it sent to `out` was refused, since it is no `order`: `/card` is not listed in the schema; mend the function, or change the type of the port",
            ),
            (
                "try { emit('why', 4) } catch {} return {total: 2}",
                "failed Invalid: what it sent to `why` was refused, since it is no `word`: the payload should be a string, found a number; mend the function, or change the type of the port",
            ),
        ] {
            assert_eq!(script(code).feed(value!(null)).join(" | "), said, "{code}");
        }
    }

    #[test]
    fn events_without_a_type_get_that_of_their_port() {
        let sent = |code: &str| -> Event {
            let output = script(code).handle(event("e", 0, value!(null)), &Share::none());
            output.emitted[0].1.clone()
        };
        assert_eq!(&*sent("return {total: 2}").context.ty, "order");
        assert_eq!(&*sent("emit('why', 'x')").context.ty, "word");
        let own = sent("emit('why', 'x', {type: 'own'})");
        assert_eq!(&*own.context.ty, "own");
    }

    #[test]
    fn types_and_ports_have_to_be_there() {
        for (types, message) in [
            (
                value!({"nowhere": "word"}),
                "`port_types`: there is no port `nowhere`; name it in `ports`, or leave it out",
            ),
            (
                value!({"out": "order"}),
                "`port_types`: the event type `order` is not declared; declare it",
            ),
        ] {
            let config = value!({"script": "return", "port_types": (types)});
            assert_eq!(Bench::refusal("script", config), message);
        }
    }
}
