//! Decides that a flow may take more.

use super::fix;
use crate::document::Section;
use crate::edit::Edit;
use crate::validate::Fix;
use crate::validate::design::Design;
use crate::value::Value;

/// As much as it takes now.
pub(in crate::validate) fn raise_budget(
    design: &Design,
    name: &str,
    needed: Value,
    words: &str,
) -> Fix {
    let title = format!("Raise the budget `{name}` to {words}");
    let caution = "a decision of whoever set it; the next step over it is found again";
    fix(design, title, caution, |build| {
        build.edit(Edit::Entry(Section::Budgets, name.into(), Some(needed)));
    })
}
