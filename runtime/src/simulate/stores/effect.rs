//! The model of actions that cannot be taken back: effects and requests to somebody else.

use graph_model::event::Event;
use graph_model::expr::Expr;
use graph_model::value::{Object, Value};
use runtime_protocol::Problem;
use rustc_hash::FxHashSet;
use smol_str::{SmolStr, format_smolstr};

use super::{Content, Place, Store, Wrote};
use crate::kind::Build;
use crate::operator::Failure;
use crate::rim::Sent;
use crate::sinks::{eval, eval_key};

/// An action that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    pub action: SmolStr,
    /// Its idempotency key, when it has one.
    pub key: Option<Value>,
    pub data: Value,
    /// Id of the event that asked for it.
    pub event: SmolStr,
}

/// Actions that were done, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deeds {
    list: Vec<Done>,
    /// Action and key of those that have one.
    keys: FxHashSet<(SmolStr, Value)>,
}

/// Does each action, those with a key once for each key.
pub(in crate::simulate) struct Effect {
    action: SmolStr,
    key: Option<Expr>,
    /// What a request sends.
    body: Option<Expr>,
}

impl Effect {
    pub(super) fn of(build: &Build) -> Result<(Store, Place), Problem> {
        let (action, body, name) = if build.spec.id == "http_out" {
            let url = build.text("url")?;
            let action = format_smolstr!("{} {url}", build.text("method")?);
            let name = format_smolstr!("calls {url}");
            (action, Some(build.expr("body")?), name)
        } else {
            let name = format_smolstr!("effects {}", build.text("journal")?);
            (build.text("action")?, None, name)
        };
        let effect = Effect {
            action,
            key: build.optional_expr("key")?,
            body,
        };
        let content = Content::Done(Deeds::default());
        Ok((Store::Effect(effect), Place { name, content }))
    }

    pub(super) fn write(
        &self,
        event: &Event,
        now_ms: i64,
        done: &mut Deeds,
    ) -> Result<Wrote, Failure> {
        let data = match &self.body {
            Some(body) => eval("body", body, event, now_ms)?,
            None => event.data.clone(),
        };
        let key = self.key.as_ref();
        let key = key
            .map(|key| eval_key("key", key, event, now_ms))
            .transpose()?;
        // A request is answered with nothing, as nobody knows the other side.
        let answer = match self.body {
            Some(_) => event.with_data(Value::Null),
            None => event.clone(),
        };
        let mut wrote = Wrote {
            sent: Some(Sent::first(answer)),
            ..Wrote::nothing()
        };
        let named = key.clone().map(|key| (self.action.clone(), key));
        if named.is_none_or(|named| done.keys.insert(named)) {
            wrote.grown = data.weight() as isize;
            done.list.push(Done {
                action: self.action.clone(),
                key,
                data,
                event: event.context.id.clone(),
            });
        }
        Ok(wrote)
    }
}

impl Deeds {
    pub fn list(&self) -> &[Done] {
        &self.list
    }
}

impl Done {
    pub(super) fn to_value(&self) -> Value {
        let mut object = Object::with_capacity(4);
        object.insert("action", self.action.clone());
        object.insert("data", self.data.clone());
        object.insert("event", self.event.clone());
        object.insert("key", self.key.clone().unwrap_or_default());
        Value::from(object)
    }
}
