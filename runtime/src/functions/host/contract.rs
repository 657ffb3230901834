//! The contract with functions as Rust types, made from `runtime/wit/function.wit`.

use std::collections::BTreeSet;
use std::fmt;

use super::error::FunctionError;

wasmtime::component::bindgen!({
    path: "wit",
    // The larger one: what a component does not import, it need not be given.
    world: "connected",
    additional_derives: [PartialEq],
    imports: { default: trappable },
});

mod batched {
    //! The world of functions that take many events at a time.

    wasmtime::component::bindgen!({
        path: "wit",
        world: "batched",
        imports: { default: trappable },
        with: {
            "flow:function/logging": super::flow::function::logging,
            "flow:function/config": super::flow::function::config,
        },
    });
}

pub(super) use self::batched::{Batched, BatchedPre};
pub use self::flow::function::http::{HttpError, Request as HttpRequest, Response as HttpResponse};
pub use self::flow::function::logging::Level as LogLevel;
pub(super) use self::flow::function::types::Failure as GuestFailure;
pub use self::flow::function::types::{Event as FunctionEvent, Payload as FunctionPayload};
pub(super) use self::flow::function::{
    clock, config, http, logging, output, random, secrets, state, types,
};

/// Something of its host that a function may use.
///
/// What a component does not import it cannot use, so a function without [`Capability::State`]
/// is stateless, provably. JavaScript and Python components import everything; their list is an
/// upper bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// Reads the settings of its node.
    Config,
    /// Tells the time.
    Clock,
    /// Sends requests to the hosts that its node lists.
    Http,
    /// Writes to the run's log.
    Logging,
    /// Sends events on.
    Output,
    /// Draws random bytes.
    Random,
    /// Reads the secrets that its node lists.
    Secrets,
    /// Remembers bytes between events.
    State,
}

impl Capability {
    /// All of them, in the order of their names.
    pub const ALL: [Self; 8] = [
        Self::Clock,
        Self::Config,
        Self::Http,
        Self::Logging,
        Self::Output,
        Self::Random,
        Self::Secrets,
        Self::State,
    ];

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|held| held.as_str() == name)
    }

    /// The name of its interface in the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Clock => "clock",
            Self::Http => "http",
            Self::Logging => "logging",
            Self::Output => "output",
            Self::Random => "random",
            Self::Secrets => "secrets",
            Self::State => "state",
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a component with these imports may use; all forbidden imports at once, if there are any.
pub(super) fn capabilities<'a>(
    imports: impl Iterator<Item = &'a str>,
) -> Result<BTreeSet<Capability>, FunctionError> {
    let mut granted = BTreeSet::new();
    let mut forbidden = Vec::new();
    for import in imports {
        let interface = interface(import);
        if interface == Some("types") {
            continue; // gives names to types, and nothing to use
        }
        match interface.and_then(Capability::named) {
            Some(capability) => {
                granted.insert(capability);
            }
            None => forbidden.push(import.to_owned()),
        }
    }
    if forbidden.is_empty() {
        Ok(granted)
    } else {
        Err(FunctionError::ForbiddenImports(forbidden))
    }
}

/// Refuses to take batches where the function could tell how its events are cut into calls: what it reads of the
/// world, and what it changes there, may depend on the order of events and of what else happens.
pub(super) fn of_event_alone(imports: &BTreeSet<Capability>) -> Result<(), FunctionError> {
    let alone = [Capability::Config, Capability::Logging];
    let others = imports.iter().filter(|held| !alone.contains(held));
    let others: Vec<String> = others.map(ToString::to_string).collect();
    if others.is_empty() {
        Ok(())
    } else {
        Err(FunctionError::NotAlone(others))
    }
}

/// The interface of an import that has the contract's package and version.
fn interface(import: &str) -> Option<&str> {
    let (interface, version) = import.strip_prefix("flow:function/")?.split_once('@')?;
    // A later patch asks for nothing that an older host cannot give.
    version.starts_with("0.1.").then_some(interface)
}
