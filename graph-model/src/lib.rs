//! The pure model of a flow: document, graph, edits, expressions, validator.
//!
//! Everything here is a plain value or a function of values: no async, no clock, no files, no UI.

pub mod expr;
pub mod pointer;
pub mod value;
