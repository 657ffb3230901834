//! Which events a stream is made of: the definition behind a number.

use std::collections::{BTreeMap, BTreeSet};

use smol_str::{SmolStr, format_smolstr};

use crate::validate::design::NodeIx;

/// Steps that one definition tells apart; more say nothing to people.
const STEPS_MAX: usize = 32;

/// Where events come from and what chose them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Definition {
    pub sources: BTreeSet<NodeIx>,
    /// Normal forms of what filters, splits, folds or drops copies, to how people wrote them.
    pub steps: BTreeMap<SmolStr, SmolStr>,
}

impl Definition {
    pub(crate) fn of_source(node: NodeIx) -> Definition {
        Definition {
            sources: BTreeSet::from([node]),
            steps: BTreeMap::new(),
        }
    }

    /// With one more step; `by` is its normal form.
    pub(crate) fn step(&self, what: &str, by: &str, text: &str) -> Definition {
        let mut definition = self.clone();
        if definition.steps.len() < STEPS_MAX {
            definition.steps.insert(
                format_smolstr!("{what} {by}"),
                format_smolstr!("{what} `{text}`"),
            );
        }
        definition
    }

    /// Of streams that meet, or of pairs of both.
    pub(crate) fn with(&self, other: &Definition) -> Definition {
        let mut definition = self.clone();
        definition.sources.extend(&other.sources);
        for (by, text) in &other.steps {
            if definition.steps.len() < STEPS_MAX {
                definition.steps.insert(by.clone(), text.clone());
            }
        }
        definition
    }
}
