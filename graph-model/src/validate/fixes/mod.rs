//! What ends a hazard, one quick fix a file. Each answers a transaction with an imperative title.

mod clear_field;
mod remove_wire;
mod use_default;

pub(super) use clear_field::clear_field;
pub(super) use remove_wire::remove_wire;
pub(super) use use_default::use_default;

use crate::edit::TransactionBuilder;
use crate::validate::Fix;
use crate::validate::design::Design;

/// A fix whose edits `build` makes; its title is the transaction's.
fn fix(
    design: &Design<'_>,
    title: String,
    caution: &str,
    build: impl FnOnce(&mut TransactionBuilder<'_>),
) -> Fix {
    let mut builder = TransactionBuilder::new(design.document, title.clone());
    build(&mut builder);
    Fix {
        title,
        caution: caution.to_owned(),
        transaction: builder.finish(),
    }
}
