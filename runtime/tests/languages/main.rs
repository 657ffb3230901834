//! Functions in each language: what `function-kit` makes of a new folder runs in the host, and the same
//! function in four languages, and as a script, gives the same answers.
//!
//! A language whose tools are missing is left out, which is said on standard error. What is built is kept
//! in the target directory for the next time. Figures, and more or other orders:
//! `WEIR_ORDERS=100000 WEIR_SEED=7 cargo test -p runtime --test languages -- --nocapture`.

#![expect(
    clippy::print_stderr,
    reason = "what is left out, and figures for whoever runs it with --nocapture"
)]

mod answers;
mod building;
mod calling;
mod kit;
mod orders;
mod same;
