//! What to try for each hazard: one line a code. The validator says where it is, the table what would
//! let it be seen there and who would see it.

use super::values::Hint::{
    self, Added, Apart, Burst, Crossed, Hot, Large, Many, Mixed, Old, OneGroup, OneThing, Peak,
    People, Reversed, Slow, Sparse, Steady, Unequal, Windows,
};
use crate::functions::Act;
use crate::simulate::Sort::{
    self, Clock, Crash, Delay, Duplicate, Late, Lose, Partitions, Recycle, Refuse, Replay,
};

/// How a hazard may be seen happening.
#[derive(Clone, Copy, Debug)]
pub struct Template {
    pub code: &'static str,
    /// What may have to go wrong; the targeted places are those of the diagnostic.
    pub faults: &'static [Sort],
    /// In which ways facts are to be alike, the most telling first.
    pub hints: &'static [Hint],
    /// Facts of each source.
    pub facts: usize,
    /// Oracles that confirm it, by their ids.
    pub oracles: &'static [&'static str],
    /// What code that is not there is taken to do at its worst.
    pub(crate) act: Act,
    /// Why no run shows it; then nothing is tried.
    pub assumed: Option<&'static str>,
}

impl Template {
    const fn acting(self, act: Act) -> Template {
        Template { act, ..self }
    }
}

const fn shown(
    code: &'static str,
    faults: &'static [Sort],
    hints: &'static [Hint],
    facts: usize,
    oracles: &'static [&'static str],
) -> Template {
    Template {
        code,
        faults,
        hints,
        facts,
        oracles,
        act: Act::HandOn,
        assumed: None,
    }
}

const fn assumed(code: &'static str, why: &'static str) -> Template {
    Template {
        code,
        faults: &[],
        hints: &[],
        facts: 0,
        oracles: &[],
        act: Act::HandOn,
        assumed: Some(why),
    }
}

/// Why hazards of what an expression or a wire says are not run.
const NOT_RUN: &str = "a flow with it cannot be run as it is meant";
/// The table, in the order of codes.
#[rustfmt::skip]
pub const TEMPLATES: &[Template] = &[
    shown("AUTH-001", &[], &[People, Mixed], 2, &["A1", "A2"]),
    shown("AUTH-002", &[], &[People, Mixed], 2, &["A1", "A2"]),
    shown("AUTH-003", &[], &[People, Mixed], 2, &["A1", "A2"]),
    shown("AUTH-004", &[], &[People, Mixed], 2, &["A1", "A2"]),
    shown("AUTH-005", &[], &[People, Mixed], 2, &["A2", "A1"]),
    shown("AUTH-006", &[], &[People, Unequal], 2, &["A3", "A1"]),
    shown("AUTH-007", &[], &[People], 2, &["I1"]),
    shown("AUTH-008", &[], &[People, Mixed], 2, &["I1"]),
    shown("AUTH-009", &[Refuse], &[People, Mixed], 2, &["A1", "A2"]),
    shown("AUTH-010", &[], &[People, Mixed], 2, &["A1", "A2"]),
    assumed("AUTH-011", "it shows only when an attacker uses rights that nothing drawn here uses"),
    shown("AUTH-012", &[], &[People, Mixed], 2, &["A4"]),
    shown("AUTH-013", &[], &[People, Mixed], 2, &["A1", "A2"]),
    shown("AUTH-014", &[Replay], &[People, Mixed], 2, &["A5"]),
    shown("AUTH-015", &[], &[People], 2, &["E1"]),
    shown("COST-001", &[], &[Peak], 8, &["R2"]),
    shown("COST-002", &[], &[Mixed], 4, &["R4"]),
    shown("COST-003", &[], &[Slow], 4, &["R5"]),
    shown("COST-004", &[], &[Large], 1, &["S2"]),
    assumed("COST-005", "events that fill the memory of an instance are too large to be kept"),
    shown("COST-006", &[], &[Steady], 8, &["R1"]),
    shown("DELIV-001", &[Duplicate, Replay, Crash], &[Mixed], 3, &["X1", "D1"]),
    shown("DELIV-002", &[Duplicate, Replay], &[Mixed, OneGroup], 3, &["D1"]),
    shown("DELIV-003", &[Lose, Crash], &[Mixed], 3, &["L1", "D1"]),
    shown("DELIV-004", &[Duplicate, Replay], &[Mixed, OneGroup], 3, &["X1", "D1"]).acting(Act::Renew),
    shown("DELIV-005", &[Replay, Duplicate], &[Slow, Mixed], 3, &["X1", "D1"]),
    shown("DELIV-006", &[Crash], &[Mixed], 2, &["T1"]),
    shown("DELIV-007", &[Refuse], &[OneGroup, Mixed], 3, &["G1"]),
    shown("DELIV-008", &[Sort::Slow], &[Mixed], 3, &["X1", "D1"]),
    shown("DELIV-009", &[Crash, Replay, Duplicate], &[Mixed], 3, &["X1", "D1"]),
    shown("LOOP-001", &[], &[Mixed, OneGroup], 2, &["B1"]),
    shown("LOOP-002", &[], &[Mixed], 2, &["B1"]),
    shown("LOOP-003", &[], &[Mixed], 1, &["B1"]),
    assumed("LOOP-004", "how often a sink tries for one delivery is not simulated"),
    shown("LOOP-005", &[], &[Mixed], 2, &["B1"]),
    shown("OBS-001", &[], &[Mixed], 2, &["C1"]),
    assumed("OBS-002", "nothing that happens changes, only whether somebody looks"),
    assumed("OBS-003", "nothing that happens changes, only what people know of it"),
    shown("OBS-004", &[], &[Apart, Mixed], 2, &["R6"]),
    shown("ORDER-001", &[Delay, Duplicate], &[OneGroup, OneThing, Mixed], 3, &["D1", "O1"]),
    shown("ORDER-002", &[Delay], &[OneGroup, Crossed, Mixed], 3, &["D1", "O1"]),
    shown("ORDER-003", &[Delay, Partitions], &[OneGroup, Mixed], 4, &["D1", "O1"]),
    shown("ORDER-004", &[Late, Delay], &[Apart, Reversed], 4, &["L2", "D1", "L1"]),
    shown("ORDER-005", &[Clock, Late, Delay], &[Mixed, Apart], 4, &["D1"]),
    shown("ORDER-006", &[Late, Delay], &[Many, OneGroup, Mixed], 4, &["X2", "D1"]),
    shown("ORDER-007", &[Delay, Late], &[OneGroup, Crossed, Mixed], 4, &["D1"]),
    shown("PART-001", &[Partitions, Delay], &[OneGroup, Mixed], 4, &["D1", "P1"]),
    shown("PART-002", &[Partitions], &[OneGroup, Mixed], 4, &["D1", "P2"]),
    shown("PART-003", &[], &[Windows, Unequal, Mixed], 4, &["D2"]),
    assumed("PART-004", "partitions that change while a flow runs are not simulated"),
    shown("PART-005", &[], &[Mixed, Unequal], 4, &["D3"]),
    shown("PART-006", &[], &[OneThing, Mixed], 3, &["D2"]),
    shown("PART-007", &[], &[OneThing, OneGroup, Mixed], 3, &["D2"]),
    shown("PART-008", &[], &[OneThing, OneGroup, Mixed], 3, &["D2"]),
    shown("PART-009", &[Delay, Partitions], &[OneGroup, Crossed, Mixed], 3, &["W1", "D1"]),
    shown("PART-010", &[], &[Hot], 8, &["R1"]),
    shown("SCHEMA-001", &[], &[Sparse, Mixed], 2, &["S1"]),
    shown("SCHEMA-002", &[], &[Old, Sparse], 2, &["S1"]),
    assumed("SCHEMA-003", "it shows only when somebody changes the type"),
    shown("SCHEMA-004", &[], &[Sparse, Mixed], 3, &["S1"]),
    shown("SCHEMA-005", &[], &[Mixed, OneGroup], 2, &["D2"]),
    shown("SCHEMA-006", &[], &[Mixed], 3, &["L1"]),
    shown("SCHEMA-007", &[], &[Added], 2, &["A1"]),
    shown("STATE-001", &[Recycle, Partitions], &[OneGroup, Mixed], 4, &["D1"]).acting(Act::Forget),
    shown("STATE-002", &[], &[OneGroup, Mixed, People], 4, &["A1"]).acting(Act::Recall),
    shown("STATE-003", &[], &[Burst, Peak], 8, &["R2"]),
    shown("STATE-004", &[], &[Mixed], 8, &["R3"]),
    shown("STATE-005", &[Delay], &[OneGroup, Mixed], 3, &["V1", "D1"]).acting(Act::Decide),
    shown("STATE-006", &[Clock, Late, Delay], &[OneGroup, Mixed], 3, &["D4", "D1"]),
    shown("STATE-007", &[], &[OneThing, Mixed], 2, &["W1"]),
    assumed("STATE-008", "what a log forgets is not simulated"),
    shown("STATE-009", &[Refuse, Crash], &[Mixed], 2, &["T1"]),
    assumed("STRUCT-001", NOT_RUN),
    assumed("STRUCT-002", NOT_RUN),
    assumed("STRUCT-003", NOT_RUN),
    assumed("STRUCT-004", NOT_RUN),
    assumed("STRUCT-005", NOT_RUN),
    assumed("STRUCT-006", NOT_RUN),
    assumed("STRUCT-007", NOT_RUN),
    assumed("STRUCT-008", NOT_RUN),
];

/// What code that is not there does where a hazard is looked for.
pub(crate) fn act(code: &str) -> Act {
    template(code).map_or(Act::HandOn, |template| template.act)
}

/// The template of a hazard.
pub fn template(code: &str) -> Option<&'static Template> {
    TEMPLATES.iter().find(|template| template.code == code)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use graph_model::validate::rules;

    use super::*;

    #[test]
    fn every_code_has_a_line_and_no_other_has() {
        let held: Vec<&str> = TEMPLATES.iter().map(|template| template.code).collect();
        assert!(held.is_sorted());
        let codes: BTreeSet<&str> = rules().iter().map(|rule| rule.code).collect();
        assert_eq!(held.into_iter().collect::<BTreeSet<_>>(), codes);
    }
}
