//! What silence promises of people who look, of numbers, and of the shapes of events.

use std::sync::Arc;

use graph_model::catalog::Catalog;
use graph_model::document::Document;
use graph_model::validate::validate;
use runtime::oracle::{Oracle, plant};
use runtime::simulate::{Fact, Record, Sort};

use crate::facts::{facts, paced, phased, steady};
use crate::family::Family;
use crate::generate::Theme;

/// Codes that designs never bring up. STATE-002 is about caches of code, and no stand-in for code keeps one.
pub(crate) const UNSPOKEN: [&str; 1] = ["STATE-002"];

/// Nobody sees what they may not, and nobody acts with rights that are not theirs.
pub(crate) const AUTH: Family = Family {
    name: "S-AUTH",
    theme: Theme::Readers,
    codes: &[
        "AUTH-001",
        "AUTH-002",
        "AUTH-003",
        "AUTH-004",
        "AUTH-005",
        "AUTH-006",
        "AUTH-007",
        "AUTH-008",
        "AUTH-009",
        "AUTH-010",
        "AUTH-013",
        "AUTH-014",
        "STATE-002",
        "SCHEMA-007",
    ],
    sorts: &[
        Sort::Duplicate,
        Sort::Replay,
        Sort::Delay,
        Sort::Late,
        Sort::Partitions,
        Sort::Refuse,
    ],
    judges: &[Oracle::A1, Oracle::A3, Oracle::I1],
    all_speak: true,
    deep: &[],
    record: Record::Events,
};

/// Numbers are what their definition makes of the facts.
pub(crate) const VALID: Family = Family {
    name: "S-VALID",
    theme: Theme::Numbers,
    codes: &[
        "PART-003",
        "PART-005",
        "PART-006",
        "PART-007",
        "PART-008",
        "SCHEMA-005",
    ],
    sorts: &[Sort::Delay, Sort::Late, Sort::Partitions],
    judges: &[Oracle::D2, Oracle::D3],
    all_speak: true,
    deep: &[],
    record: Record::Events,
};

/// Whoever reads an event that its type allows can make sense of it.
pub(crate) const SCHEMA: Family = Family {
    name: "S-SCHEMA",
    theme: Theme::Shapes,
    codes: &["SCHEMA-001", "SCHEMA-002", "SCHEMA-004"],
    sorts: &[
        Sort::Duplicate,
        Sort::Replay,
        Sort::Delay,
        Sort::Late,
        Sort::Partitions,
    ],
    judges: &[Oracle::S1],
    all_speak: true,
    deep: &[],
    record: Record::Events,
};

/// What comes as often as sources say can be done, with what there is.
pub(crate) const LIMIT: Family = Family {
    name: "S-LIMIT",
    theme: Theme::Loads,
    codes: &[
        "COST-001",
        "COST-002",
        "COST-006",
        "STATE-003",
        "STATE-004",
        "PART-010",
    ],
    sorts: &[],
    judges: &[Oracle::R1, Oracle::R2, Oracle::R3, Oracle::R4],
    all_speak: true,
    deep: &[],
    record: Record::Events,
};

/// Every so many designs are asked for what their secrets tell as well, which takes many more runs.
const PAIRED_EACH: u64 = 10;

impl Family {
    /// The family as it judges the design of a seed.
    pub(crate) fn of(&self, seed: u64) -> Family {
        let sees = self.judges.contains(&Oracle::A1);
        if sees && seed.is_multiple_of(PAIRED_EACH) {
            return Family {
                judges: &[Oracle::A1, Oracle::A2, Oracle::A3, Oracle::I1],
                ..*self
            };
        }
        *self
    }

    /// Whether it is about how much comes.
    pub(crate) fn is_of_load(&self) -> bool {
        self.judges.contains(&Oracle::R1)
    }

    /// What nobody says and has to be known first, by the code that asks for it.
    pub(crate) fn asks(&self, document: &Document) -> Option<&'static str> {
        let report = self
            .is_of_load()
            .then(|| validate(document, Catalog::bundled()))?;
        let mut open = report.unchecked.iter().map(|open| open.code);
        open.find(|code| self.codes.contains(code))
    }

    /// The facts of a run, at a pace of its own.
    pub(crate) fn paced(&self, facts: &[Fact], seed: u64) -> Arc<[Fact]> {
        if self.is_of_load() {
            return phased(facts, seed);
        }
        paced(facts, seed)
    }

    /// Facts of a seed that the judges can make something of.
    pub(crate) fn facts(&self, document: &Arc<Document>, seed: u64) -> Vec<Fact> {
        if self.is_of_load() {
            return steady(document, seed);
        }
        let facts = facts(document, seed);
        if self.judges.contains(&Oracle::A1) {
            return plant(document, &facts).to_vec();
        }
        facts
    }
}
