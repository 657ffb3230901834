//! The embedded engine: plan, operators, live driver, sources, sinks, functions.

pub mod catalog;
mod channels;
mod functions;
mod operators;
mod sinks;
mod sources;
