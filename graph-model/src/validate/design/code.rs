//! What code may ask of the engine, and what follows for what it can remember.

use crate::catalog::Behaviour;
use crate::validate::design::{Design, NodeIx};
use crate::value::Value;

/// Where code keeps what it remembers from event to event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CodeState {
    /// Nothing is missed when it is gone.
    Cache,
    /// In the memory of an instance, which may end at any time.
    Instance,
    /// By key, in a store of the engine.
    Keyed,
}

impl CodeState {
    /// Whether what it says of an event depends on those before it.
    pub(crate) fn decides(self) -> bool {
        self != CodeState::Cache
    }
}

impl Design {
    /// Whether code may use this of the engine; nothing where the node does not say.
    pub(crate) fn code_may(&self, node: NodeIx, what: &str) -> Option<bool> {
        let Some(Behaviour::Opaque {
            uses: Some(uses), ..
        }) = self.behaviour(node)
        else {
            return None;
        };
        let uses = self.value(node, uses)?.as_array()?;
        let mut names = uses.iter().filter_map(Value::as_str).peekable();
        names.peek()?;
        Some(names.any(|name| name.trim() == what))
    }

    /// What code remembers from event to event: what people declare, as far as it can be. Where they
    /// say nothing, code that may remember by key does.
    pub(crate) fn code_state(&self, node: NodeIx) -> Option<CodeState> {
        let Behaviour::Opaque { fresh, .. } = self.behaviour(node)? else {
            return None;
        };
        let keyed = self.code_may(node, "state");
        let fresh = fresh.as_ref().and_then(|fresh| self.value(node, fresh));
        let warm = fresh.and_then(Value::as_bool) != Some(true);
        match self.declared_text(node, "state") {
            Some("keyed") => (keyed != Some(false)).then_some(CodeState::Keyed),
            Some("instance") => warm.then_some(CodeState::Instance),
            Some("cache") => (warm || keyed != Some(false)).then_some(CodeState::Cache),
            Some(_) => None,
            None => (keyed == Some(true)).then_some(CodeState::Keyed),
        }
    }

    /// Whether code may send requests to hosts outside: they see what it has read, and act on it.
    pub(crate) fn calls_out(&self, node: NodeIx) -> bool {
        let Some(Behaviour::Opaque {
            hosts: Some(hosts), ..
        }) = self.behaviour(node)
        else {
            return false;
        };
        let hosts = self.value(node, hosts).and_then(Value::as_array);
        hosts.is_some_and(|hosts| !hosts.is_empty()) && self.code_may(node, "http") != Some(false)
    }

    /// Whether the same event gives the same result every time: the code can ask neither for time and
    /// chance nor anybody outside, and nothing is left of the events before.
    pub(crate) fn is_pure(&self, node: NodeIx) -> bool {
        let Some(Behaviour::Opaque {
            fresh: Some(fresh), ..
        }) = self.behaviour(node)
        else {
            return false;
        };
        let never = |what| self.code_may(node, what) == Some(false);
        let fresh = self.value(node, fresh).and_then(Value::as_bool) == Some(true);
        fresh && !self.calls_out(node) && ["state", "clock", "random"].into_iter().all(never)
    }
}
