//! The pure model of a flow: document, graph, edits, expressions, validator.
//!
//! Everything here is a plain value or a function of values: no async, no clock, no files, no UI.

pub mod catalog;
pub mod declare;
pub mod document;
pub mod edit;
pub mod event;
pub mod expr;
pub mod format;
pub mod graph;
pub mod id;
pub mod label;
pub mod layout;
pub mod pointer;
pub mod reach;
pub mod schema;
pub mod units;
pub mod validate;
pub mod value;
