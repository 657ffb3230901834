//! Sinks: kinds that take events out, and what people look at.

mod console;
mod dead_letter;
mod effect;
mod export;
mod http_out;
mod table;
mod view;

use crate::kind::Kind;

/// The kinds of this room; a new one is a file and a line here.
pub(crate) fn kinds() -> Vec<Kind> {
    vec![
        console::kind(),
        dead_letter::kind(),
        effect::kind(),
        export::kind(),
        http_out::kind(),
        table::kind(),
        view::kind(),
    ]
}
