//! The hazards, one a file in the folder of its family. A new one is a file and a line in the table of
//! the family.

pub(super) mod auth;
mod cost;
pub(super) mod delivery;
pub(super) mod loops;
mod observe;
pub(super) mod order;
pub(super) mod partition;
pub(super) mod schema;
mod state;
mod structure;
#[cfg(test)]
mod testing;

use std::sync::LazyLock;

use crate::validate::Severity;
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::RuleFindings;
use crate::validate::facts::Facts;

pub(super) use delivery::duplicate_count::broken_by_copies;
pub(super) use order::early_decision::decides_early;
pub(super) use order::several_ways::meet_at;

/// A kind of hazard and how it is found.
#[derive(Clone, Copy)]
pub struct Rule {
    /// Family and number, such as `AUTH-001`; never used again for another hazard.
    pub code: &'static str,
    /// Names the hazard, not its cure, such as `unreadable-field-shown`.
    pub name: &'static str,
    pub severity: Severity,
    /// Version of Weir that brought it.
    pub since: &'static str,
    /// Markdown with the sections of [`Rule::section`].
    pub doc: &'static str,
    pub(crate) check: Check,
}

/// How a rule looks.
#[derive(Clone, Copy)]
pub(crate) enum Check {
    /// At one node and what arrives there: the answer changes only with what lies upstream of it, or
    /// one wire behind it.
    Node(fn(&Facts, NodeIx, &mut RuleFindings<'_, '_>)),
    /// At the whole design; has to be quick, as it is asked after every edit.
    Whole(fn(&Facts, &mut RuleFindings<'_, '_>)),
}

/// All rules, by family and code.
pub fn rules() -> &'static [Rule] {
    static ALL: LazyLock<Vec<Rule>> = LazyLock::new(|| {
        let families = [
            auth::RULES,
            partition::RULES,
            delivery::RULES,
            order::RULES,
            schema::RULES,
            loops::RULES,
            state::RULES,
            cost::RULES,
            observe::RULES,
            structure::RULES,
        ];
        families.into_iter().flatten().copied().collect()
    });
    &ALL
}

impl Rule {
    /// What it finds, in one sentence.
    pub fn summary(&self) -> String {
        joined(
            self.doc
                .lines()
                .take_while(|line| !line.trim().starts_with("##")),
        )
    }

    /// Why it is bad, in three sentences.
    pub fn lesson(&self) -> String {
        joined(self.section("Why is this bad"))
    }

    /// The lines of a section: `Why is this bad`, `When is this fine`, `Perturbation` (what to change
    /// in a run so that the hazard shows; none for what cannot run), `Example` (a flow that has the
    /// hazard), `Use instead` (the same one without), `Near miss` (one that looks like it), `Source`.
    pub fn section(&self, title: &str) -> impl Iterator<Item = &'static str> + use<'_> {
        let doc: &'static str = self.doc;
        let title = format!("## {title}");
        doc.lines()
            .map(str::trim)
            .skip_while(move |line| *line != title)
            .skip(1)
            .take_while(|line| !line.starts_with("## "))
    }
}

fn joined<'l>(lines: impl Iterator<Item = &'l str>) -> String {
    let lines: Vec<&str> = lines
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    lines.join(" ")
}

/// Declares the rule of a file; its documentation becomes data.
macro_rules! declare_rule {
    (
        $(#[doc = $doc:literal])*
        code = $code:literal, name = $name:literal, severity = $severity:ident, since = $since:literal,
        check = $how:ident($check:expr) $(,)?
    ) => {
        pub(in crate::validate::rules) const RULE: crate::validate::Rule = crate::validate::Rule {
            code: $code,
            name: $name,
            severity: crate::validate::Severity::$severity,
            since: $since,
            doc: concat!($($doc, "\n"),*),
            check: crate::validate::rules::Check::$how($check),
        };
    };
}
use declare_rule;
