//! Which silence promises what: the codes of a family, the faults that it has to stand, and who judges.

use graph_model::validate::{Diagnostic, Severity};
use runtime::oracle::Oracle;
use runtime::simulate::{Record, Sort};

use crate::generate::Theme;
pub(crate) use crate::promises::{AUTH, LIMIT, SCHEMA, UNSPOKEN, VALID};

/// A promise that the silence of some rules gives.
#[derive(Clone, Copy)]
pub(crate) struct Family {
    pub(crate) name: &'static str,
    /// What its designs are about.
    pub(crate) theme: Theme,
    /// Codes, or what they begin with.
    pub(crate) codes: &'static [&'static str],
    /// What may go wrong.
    pub(crate) sorts: &'static [Sort],
    pub(crate) judges: &'static [Oracle],
    /// Who judges some of the runs only, as it takes every event of them.
    pub(crate) deep: &'static [Oracle],
    /// Designs of the theme have to bring up each of the codes.
    pub(crate) all_speak: bool,
    /// What the judges have to see of a run.
    pub(crate) record: Record,
}

/// Whatever goes wrong, stores come to the same.
pub(crate) const DET: Family = Family {
    name: "S-DET",
    theme: Theme::Plain,
    codes: &[
        "PART-001",
        "PART-002",
        "PART-004",
        "PART-009",
        "DELIV",
        "ORDER",
        "STATE-001",
        "STATE-005",
        "STATE-006",
        "STATE-007",
        "STATE-008",
    ],
    sorts: &[
        Sort::Duplicate,
        Sort::Replay,
        Sort::Delay,
        Sort::Late,
        Sort::Crash,
        Sort::Clock,
        Sort::Partitions,
    ],
    judges: &[Oracle::D1, Oracle::X1],
    deep: &[Oracle::P1, Oracle::T1, Oracle::W1, Oracle::X2],
    all_speak: false,
    record: Record::Off,
};

/// No fact gets lost.
pub(crate) const LOSS: Family = Family {
    name: "S-LOSS",
    theme: Theme::Plain,
    codes: &[
        "DELIV-003",
        "DELIV-007",
        "ORDER-004",
        "SCHEMA-006",
        "COST-006",
    ],
    sorts: &[
        Sort::Duplicate,
        Sort::Replay,
        Sort::Delay,
        Sort::Late,
        Sort::Lose,
        Sort::Crash,
        Sort::Clock,
        Sort::Partitions,
    ],
    judges: &[Oracle::L1, Oracle::L2],
    deep: &[],
    all_speak: false,
    record: Record::Events,
};

/// No fact makes more and more events.
pub(crate) const BOUND: Family = Family {
    name: "S-BOUND",
    theme: Theme::Plain,
    codes: &["LOOP"],
    sorts: &[Sort::Duplicate, Sort::Replay, Sort::Delay, Sort::Late],
    judges: &[Oracle::B1],
    deep: &[],
    all_speak: false,
    record: Record::Steps,
};

pub(crate) const ALL: [Family; 7] = [DET, LOSS, BOUND, AUTH, VALID, SCHEMA, LIMIT];

impl Family {
    /// Whether a finding has to be gone before the promise holds, be it itself or something that
    /// follows from it. What is no flow, or never ends, can promise nothing; and what lies behind keys that
    /// are torn apart, rules look at as if they were together.
    pub(crate) fn minds(&self, found: &Diagnostic) -> bool {
        let minds = |code: &str| {
            let always = ["STRUCT", "LOOP", "PART-001", "PART-002"];
            let mut codes = self.codes.iter().chain(&always);
            codes.any(|held| code.starts_with(held))
        };
        let follows = found.consequences.iter();
        found.severity > Severity::Info
            && (minds(found.code) || follows.map(|follows| follows.code).any(minds))
    }
}
