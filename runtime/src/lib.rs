//! The embedded engine: plan, operators, live driver, sources, sinks, functions.

pub mod assume;
pub mod bindings;
pub mod catalog;
mod chance;
pub mod channels;
mod database;
pub mod delivery;
pub mod engine;
pub mod flow_tests;
pub mod functions;
pub mod kind;
mod live;
pub mod operator;
mod operators;
pub mod oracle;
mod outgoing;
pub mod plan;
pub mod rim;
pub mod shared;
pub mod simulate;
mod sinks;
mod sources;
pub mod witness;
pub mod world;
