//! Makes designs silent: first fixes, one after the other.

use std::collections::BTreeMap;

use graph_model::document::{Document, Node};
use graph_model::validate::Diagnostic;

use crate::family::Family;
use crate::machine::Machine;

/// Fixes of one design at most.
const STEPS_MAX: usize = 20;

/// Why a design is left alone.
#[derive(Clone, Debug)]
pub(crate) enum Rejected {
    /// Nothing ends this but a claim that nobody can stand for.
    NoFix(&'static str),
    /// There was always something more.
    TooMany,
}

/// What a design became, and what was found on the way.
pub(crate) struct Repaired {
    pub(crate) document: Result<Document, Rejected>,
    /// Codes that were met.
    pub(crate) codes: BTreeMap<&'static str, u64>,
}

pub(crate) fn repair(mut document: Document, family: &Family, machine: &Machine) -> Repaired {
    let mut codes = BTreeMap::new();
    for _ in 0..=STEPS_MAX {
        let found = (machine.rules)(&document);
        let found: Vec<Diagnostic> = found
            .into_iter()
            .filter(|found| family.minds(found))
            .collect();
        let Some(first) = found.first() else {
            return Repaired {
                document: Ok(document),
                codes,
            };
        };
        let code = first.code;
        for found in &found {
            codes.entry(found.code).or_insert(1);
        }
        let mut fixes = found.iter().flat_map(|found| &found.fixes);
        let next = fixes.find_map(|fix| {
            let mut mended = document.clone();
            fix.transaction.clone().apply(&mut mended);
            (!claims(&document, &mended) && mended != document).then_some(mended)
        });
        let Some(next) = next else {
            return Repaired {
                document: Err(Rejected::NoFix(code)),
                codes,
            };
        };
        document = next;
    }
    Repaired {
        document: Err(Rejected::TooMany),
        codes,
    }
}

/// Whether a change claims something that nobody checked.
fn claims(before: &Document, after: &Document) -> bool {
    after.nodes.iter().any(|(id, node)| {
        let held = before.nodes.get(id);
        let claimed = held.map_or(0, |held| held.notes.assumptions.len());
        let accepted = held.map_or(0, |held| held.notes.accepted.len());
        // What code keeps it keeps, whatever is said of it.
        let state = |node: &Node| node.notes.declared.get("state").cloned();
        let restated = held.is_some_and(|held| state(held) != state(node));
        node.notes.assumptions.len() > claimed || node.notes.accepted.len() > accepted || restated
    })
}

/// Whether a family has nothing to say.
pub(crate) fn is_silent(document: &Document, family: &Family, machine: &Machine) -> bool {
    let found = (machine.rules)(document);
    !found.iter().any(|found| family.minds(found)) && family.asks(document).is_none()
}
