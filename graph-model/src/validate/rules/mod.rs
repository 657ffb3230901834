//! The hazards, one a file. A new one is a file and a line in [`TABLE`].

pub(super) mod auth;
mod broken_expression;
pub(super) mod delivery;
mod double_wire;
mod duplicate_count;
mod duplicate_effect;
pub(super) mod event_storm;
mod loose_wire;
mod missing_value;
mod order;
mod side_copy_leaks;
mod somebody_elses_row;
mod split_group;
mod unknown_kind;
mod unknown_reader;
mod unknown_type;
mod unlike_partitions;
mod unmet_need;
mod unordered_channel;
mod unordered_meeting;
mod unreadable_shown;
mod unusable_value;

use crate::validate::Severity;
use crate::validate::design::NodeIx;
use crate::validate::diagnostic::RuleFindings;
use crate::validate::facts::Facts;

pub(super) use duplicate_count::counts_copies;

/// A kind of hazard and how it is found.
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

/// All rules, by code.
pub fn rules() -> &'static [Rule] {
    &TABLE
}

static TABLE: [Rule; 19] = [
    unreadable_shown::RULE,
    somebody_elses_row::RULE,
    side_copy_leaks::RULE,
    split_group::RULE,
    unlike_partitions::RULE,
    duplicate_effect::RULE,
    duplicate_count::RULE,
    unordered_channel::RULE,
    unordered_meeting::RULE,
    unmet_need::RULE,
    event_storm::RULE,
    unknown_kind::RULE,
    missing_value::RULE,
    unusable_value::RULE,
    broken_expression::RULE,
    loose_wire::RULE,
    double_wire::RULE,
    unknown_type::RULE,
    unknown_reader::RULE,
];

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
        pub(super) const RULE: crate::validate::Rule = crate::validate::Rule {
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
