//! Sinks: kinds that take events out, and what people look at.

mod console;
mod dead_letter;
mod effect;
mod export;
mod http_out;
mod table;
mod view;

use graph_model::catalog::KindSpec;

/// The kinds of this room; a new one is a file and a line here.
pub(crate) fn specs() -> Vec<KindSpec> {
    vec![
        console::spec(),
        dead_letter::spec(),
        effect::spec(),
        export::spec(),
        http_out::spec(),
        table::spec(),
        view::spec(),
    ]
}
