//! Reports for people (text) and for programs (JSON).

mod json;
mod text;

pub use json::{json, json_schema};
pub use text::text;
