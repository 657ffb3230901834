//! The context that a source gives to its events.

use std::collections::BTreeMap;
use std::sync::Arc;

use graph_model::event::{Event, EventContext, parse_rfc3339};
use graph_model::id::Id;
use graph_model::pointer::Pointer;
use graph_model::value::Value;
use smol_str::SmolStr;

use crate::kind::Build;
use crate::world::World;

/// What all events of one source have in common, and where the rest is found in their payload.
#[derive(Clone, Debug)]
pub(crate) struct Stamp {
    /// Id of the node.
    pub source: SmolStr,
    /// The declared event type; the kind of the source when none is declared.
    pub ty: SmolStr,
    /// Event time, when the event type says where it stands.
    time: Option<Pointer>,
}

impl Stamp {
    pub(crate) fn of(build: &Build) -> Stamp {
        let declared = build.optional_text("event_type");
        let event_type = declared
            .as_ref()
            .and_then(|ty| build.document.types.get(&Id::from(ty.as_str())));
        Stamp {
            source: build.id.as_str().into(),
            ty: declared.unwrap_or_else(|| build.spec.id.clone()),
            time: event_type.and_then(|ty| ty.time.clone()),
        }
    }

    /// Nothing but names.
    #[cfg(test)]
    pub(crate) fn plain(source: &str, ty: &str) -> Stamp {
        Stamp {
            source: source.into(),
            ty: ty.into(),
            time: None,
        }
    }

    /// An event with this id. Its time is the payload's, else `now_ms`.
    pub(crate) fn event(&self, id: SmolStr, now_ms: i64, data: Value) -> Event {
        Event {
            context: Arc::new(EventContext {
                id,
                source: self.source.clone(),
                ty: self.ty.clone(),
                time_ms: self.time_of(&data).unwrap_or(now_ms),
                subject: None,
                extensions: BTreeMap::new(),
            }),
            data,
        }
    }

    /// The time that the payload states: RFC 3339 text, or milliseconds since 1970.
    fn time_of(&self, data: &Value) -> Option<i64> {
        match self.time.as_ref()?.get(data)? {
            Value::Str(text) => parse_rfc3339(text),
            number => number.as_i64(),
        }
    }
}

/// An id that no other event has. Later ids sort after earlier ones, to the millisecond.
pub(crate) fn fresh_id(world: &dyn World) -> SmolStr {
    let mut text = [0; 22];
    base32(world.now_ms().max(0) as u64, &mut text[..9]);
    base32(world.random(), &mut text[9..]);
    SmolStr::new(std::str::from_utf8(&text).expect("the alphabet is ASCII"))
}

fn base32(mut number: u64, into: &mut [u8]) {
    for digit in into.iter_mut().rev() {
        *digit = b"0123456789abcdefghjkmnpqrstvwxyz"[(number & 31) as usize];
        number >>= 5;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_states_the_time() {
        let stamp = Stamp {
            source: "orders".into(),
            ty: "order".into(),
            time: Some(Pointer::parse("/placed").expect("a pointer")),
        };
        for (placed, time_ms) in [
            (Value::from("1970-01-01T00:00:01Z"), 1000),
            (Value::from(1500), 1500),
            (Value::from("yesterday"), 7),
            (Value::Null, 7),
        ] {
            let data = graph_model::value!({"placed": placed});
            assert_eq!(stamp.event("1".into(), 7, data).context.time_ms, time_ms);
        }
    }

    #[test]
    fn ids_sort_by_time() {
        struct At(i64);
        impl World for At {
            fn now_ms(&self) -> i64 {
                self.0
            }
            fn elapsed_us(&self) -> u64 {
                0
            }
            fn random(&self) -> u64 {
                u64::MAX >> self.0
            }
        }
        let ids = [At(1), At(2), At(40)].map(|world| fresh_id(&world));
        assert!(
            ids.is_sorted() && ids.iter().all(|id| id.len() == 22),
            "{ids:?}"
        );
    }
}
