//! Simulated people: who looks, and what is theirs.

use std::collections::{BTreeMap, BTreeSet};

use graph_model::document::Document;
use graph_model::id::Id;
use graph_model::label::{Atom, Clause};
use graph_model::pointer::Pointer;
use graph_model::value::Value;
use smol_str::{SmolStr, format_smolstr};

use crate::simulate::Fact;

/// Somebody with one role, or with none inside the organisation.
#[derive(Clone, Debug)]
pub(super) struct Viewer {
    pub(super) role: Option<Id>,
    external: bool,
    /// First or second of their role.
    number: usize,
}

/// Values that say whose an event is.
pub(super) struct Owners {
    /// The first and the second person, and what is theirs.
    theirs: [BTreeSet<Value>; 2],
    all: BTreeSet<Value>,
}

impl Viewer {
    /// Two of a role; of no role, one.
    pub(super) fn of(document: &Document, role: Option<&Id>) -> Vec<Viewer> {
        let external = role
            .and_then(|role| document.roles.get(role))
            .is_some_and(|role| role.external);
        let one = |number| Viewer {
            role: role.cloned(),
            external,
            number,
        };
        match role {
            Some(_) => vec![one(0), one(1)],
            None => vec![one(0)],
        }
    }

    pub(super) fn name(&self) -> SmolStr {
        match &self.role {
            Some(role) => format_smolstr!("{role} {}", self.number + 1),
            None => "anybody inside".into(),
        }
    }

    /// Whether they may read what the clause is on, in a payload.
    pub(super) fn satisfies(&self, clause: &Clause, payload: &Value, owners: &Owners) -> bool {
        clause.0.iter().any(|atom| match atom {
            Atom::Org => !self.external,
            Atom::Role(role) => self.role.as_ref() == Some(role),
            Atom::Subject(at) | Atom::Tenant(at) => {
                at.get(payload).is_some_and(|owner| self.is(owner, owners))
            }
        })
    }

    /// Whether the value names them.
    pub(super) fn is(&self, value: &Value, owners: &Owners) -> bool {
        owners.theirs[self.number].contains(value)
    }

    /// Whether their claim equals the value; `others` are those that it might be.
    pub(super) fn claims(&self, value: &Value, others: &BTreeSet<&Value>, owners: &Owners) -> bool {
        if others.iter().any(|other| owners.all.contains(other)) {
            return self.is(value, owners);
        }
        others.iter().nth(self.number) == Some(&value)
    }
}

impl Owners {
    /// Whether the value names somebody.
    pub(super) fn is_one(&self, value: &Value) -> bool {
        self.all.contains(value)
    }

    /// Owners in these facts: the values of each field that names one, in the order of their coming.
    /// Who is the first in one field is so in all.
    pub(super) fn of(document: &Document, facts: &[Fact]) -> Owners {
        let mut fields: BTreeMap<(SmolStr, &Pointer), Vec<&Value>> = BTreeMap::new();
        for fact in facts {
            let Some(ty) = type_of(document, fact) else {
                continue;
            };
            for at in anchors(&document.types[ty]) {
                let values = fields.entry((ty.as_str().into(), at)).or_default();
                if let Some(value) = at.get(&fact.event.data)
                    && !values.contains(&value)
                {
                    values.push(value);
                }
            }
        }
        let mut owners = Owners {
            theirs: [BTreeSet::new(), BTreeSet::new()],
            all: BTreeSet::new(),
        };
        for values in fields.values() {
            owners
                .all
                .extend(values.iter().map(|value| (*value).clone()));
            for number in 0..2 {
                let mut known = values.iter();
                let known = known.any(|value| owners.theirs[number].contains(*value));
                let taken = |value: &&&Value| {
                    let mut theirs = owners.theirs.iter();
                    !theirs.any(|theirs| theirs.contains(**value))
                };
                if !known && let Some(next) = values.iter().find(taken) {
                    owners.theirs[number].insert((*next).clone());
                }
            }
        }
        owners
    }
}

/// The event type of a fact, when the document knows it.
pub(super) fn type_of<'d>(document: &'d Document, fact: &Fact) -> Option<&'d Id> {
    let source = document.nodes.get(&fact.source)?;
    let named = source.config_str("event_type");
    let known = named.and_then(|ty| document.types.get_key_value(ty));
    let known = known.or_else(|| document.types.get_key_value(fact.event.context.ty.as_str()));
    known.map(|(id, _)| id)
}

/// Fields of a type that say whose its events are.
pub(super) fn anchors(ty: &graph_model::document::EventType) -> BTreeSet<&Pointer> {
    let clauses = ty.labels.values().flat_map(|label| &label.0);
    let atoms = clauses.flat_map(|clause| &clause.0);
    atoms
        .filter_map(Atom::pointer)
        .chain(&ty.subject)
        .chain(&ty.tenant)
        .collect()
}
