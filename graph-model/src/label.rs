//! Who may read a field: labels are sets of clauses, a clause is a set of atoms.
//!
//! A reader must satisfy every clause of a label, and satisfies a clause by any of its atoms. This
//! is the conjunctive form of the decentralised label model (Myers and Liskov).

use std::collections::BTreeSet;
use std::fmt;

use crate::id::Id;
use crate::pointer::Pointer;

/// One way of satisfying a clause.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Atom {
    /// Any role inside the organisation, no external audience.
    Org,
    /// Whoever holds the role.
    Role(Id),
    /// The person that the field at this pointer identifies.
    Subject(Pointer),
    /// The tenant that the field at this pointer identifies.
    Tenant(Pointer),
}

/// Atoms of which any one suffices; written `role:finance | subject:/patient_id`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Clause(pub BTreeSet<Atom>);

/// Clauses that must all be satisfied. The empty label is public.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(pub BTreeSet<Clause>);

/// Why a text is not a clause.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a reader: write `org`, `role:NAME`, `subject:/POINTER` or `tenant:/POINTER`"
)]
pub struct ClauseError {
    text: String,
}

impl Atom {
    fn parse(text: &str) -> Result<Atom, ClauseError> {
        let wrong = || ClauseError {
            text: text.to_owned(),
        };
        if text == "org" {
            return Ok(Atom::Org);
        }
        let (kind, name) = text.split_once(':').ok_or_else(wrong)?;
        match kind {
            "role" if !name.is_empty() => Ok(Atom::Role(name.into())),
            "subject" => Pointer::parse(name).map(Atom::Subject).map_err(|_| wrong()),
            "tenant" => Pointer::parse(name).map(Atom::Tenant).map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }
}

impl Atom {
    /// Where the owner stands that it speaks of.
    pub fn pointer(&self) -> Option<&Pointer> {
        match self {
            Atom::Subject(pointer) | Atom::Tenant(pointer) => Some(pointer),
            Atom::Org | Atom::Role(_) => None,
        }
    }
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Atom::Org => f.write_str("org"),
            Atom::Role(role) => write!(f, "role:{role}"),
            Atom::Subject(pointer) => write!(f, "subject:{pointer}"),
            Atom::Tenant(pointer) => write!(f, "tenant:{pointer}"),
        }
    }
}

impl Clause {
    pub fn parse(text: &str) -> Result<Clause, ClauseError> {
        text.split('|')
            .map(|atom| Atom::parse(atom.trim()))
            .collect::<Result<_, _>>()
            .map(Clause)
    }
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, atom) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" | ")?;
            }
            write!(f, "{atom}")?;
        }
        Ok(())
    }
}

impl FromIterator<Atom> for Clause {
    fn from_iter<I: IntoIterator<Item = Atom>>(atoms: I) -> Self {
        Clause(atoms.into_iter().collect())
    }
}

impl FromIterator<Clause> for Label {
    fn from_iter<I: IntoIterator<Item = Clause>>(clauses: I) -> Self {
        Label(clauses.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clauses_round_trip_through_text() {
        for text in [
            "org",
            "role:finance",
            "role:adjuster | subject:/patient/id",
            "tenant:/tenant",
        ] {
            assert_eq!(Clause::parse(text).expect("clause").to_string(), text);
        }
        for text in ["", "finance", "role:", "subject:patient"] {
            assert!(Clause::parse(text).is_err(), "{text}");
        }
    }
}
